"""The control path's testbenches fail on RTL broken on purpose. World: the fast one, on Icarus, which builds quickly.

Each mutant is a line of the RTL replaced, and one short scenario that must tell. The same scenarios pass on the RTL as
it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ringwire.cosim.run import SimulationFailed
from ringwire.nic.descriptors import Status
from tests.control import completion, errors, fairness, interrupt, registers, reset, scheduling
from tests.control.fairness import Shares, Wait
from tests.control.reset import Resets
from tests.control.scheduling import Launch
from tests.datapath.worlds import Scenario, place, run
from tests.mutants import broken_rtl

GBIT = 10**9


class Mutant(NamedTuple):
    """A line of a module replaced, the scenario that must tell, what it is given, and the world's knobs."""

    module: str
    line: str
    broken: str
    scenario: Scenario
    config: Any = None
    knobs: dict[str, Any] = {}  # noqa: RUF012 - never changed

    def judge(self, rtl: Path | None) -> None:
        """Run the scenario on this RTL, None: as it is."""
        run(place("icarus"), self.scenario, self.config, rtl=rtl, **self.knobs)


MUTANTS = {
    "the phase is forgotten": Mutant(
        "rw_completion", "record   = {~passes[0],", "record   = {1'b1,", completion.passes, (6, 2, 1)
    ),
    "a completion comes before the FCS has ended": Mutant(
        "rw_done", "head_valid && tod >= fcs_end;", "head_valid;", completion.on_the_wire, GBIT
    ),
    "a completion tells the time of its end": Mutant(
        "rw_done", "meta_reg[F_FIRST] ? start_reg : begin_reg[queue];", "fcs_end;", completion.passes, (6, 1, 1)
    ),
    "every packet is reported": Mutant(
        "rw_done", "wanted = here && (meta_reg[F_REPORT] ||", "wanted = here && (1'b1 ||", completion.passes, (6, 1, 1)
    ),
    "gathered completions wait for ever": Mutant(
        "rw_completion", "|| (timed && expired[q]));", ");", completion.threshold, (3, 4)
    ),
    "a batch is one too many": Mutant(
        "rw_completion",
        "&& (enough || urgent_reg[q]",
        "&& ((enough && count_reg[q] != 4) || urgent_reg[q]",
        completion.threshold,
        (4, 4),
    ),
    "the half with the phase goes first": Mutant(
        "rw_completion",
        "more_reg   <= !write_head;\n                    wdata_reg  <= write_head ? head_part : line;",
        "more_reg   <= !write_head;\n"
        "                    wdata_reg  <= write_head ? head_part : {line[63:0], line[127:64]};",
        completion.phase_last,
        3,
        {"data_w": 64},
    ),
    "the completion ring may be overrun": Mutant(
        "rw_frame_sched", "ring_log2[q*4 +: 4]) >> 2) - 13'd1;", "ring_log2[q*4 +: 4]) >> 2) + 13'd1;",
        completion.full_ring, (0, 0, 6), {"queues": 4},
    ),
    "launch times sleep when one of them is taken": Mutant(
        "ringwire_tx",
        "launches_awake = launch_valid || at_ready;",
        "launches_awake = launch_valid;",
        scheduling.launched,
        Launch((1, 500, 500)),
    ),
    "an event takes no slot": Mutant(
        "rw_frame_sched",
        "+ {14'd0, event_valid && event_queue == q}",
        "+ 15'd0",
        completion.events_take_slots,
        40,
    ),
    "a report that is not asked for keeps its slot": Mutant(
        "rw_frame_sched",
        "{14'd0, slot_a_release && slot_a_queue == k[QW-1:0]}",
        "15'd0",
        completion.passes,
        (6, 3, 1),
    ),
    "the record counts an error that is not written": Mutant(
        "rw_completion", "wire        to_ring   = !head_mode || entry_err;", "wire        to_ring   = !head_mode;",
        completion.head_record, (1, 6, 1),
    ),
    "an interrupt comes before the write response": Mutant(
        "rw_completion",
        "if (m_axi_bvalid && ack_counts) visible_reg[ack_queue] <= ack_issued;",
        "if (emit) visible_reg[queue_reg] <= issued_now;",
        interrupt.after_the_response,
    ),
    "an arming is lost when a completion has come": Mutant(
        "rw_interrupt", "armed_reg[k]   <= 1'b1;", "armed_reg[k]   <= !some[k];", interrupt.arm_race, (0, 0),
        {"latency_ns": 100},
    ),
    "an interrupt fires twice": Mutant(
        "rw_interrupt", "if (fire[k]) begin", "if (fire[k] && !at_once_reg[k]) begin", interrupt.arm_race, (0, 0),
        {"latency_ns": 100},
    ),
    "the mask is ignored": Mutant(
        "rw_interrupt", "armed_reg[q] && !mask[q] && some[q]\n", "armed_reg[q] && some[q]\n", interrupt.masked, 5_000
    ),
    "the moderation timer never starts": Mutant(
        "rw_interrupt", ".start(start)", ".start('0)", interrupt.moderated, (0, 20_000)
    ),
    "moderation counts one too few": Mutant(
        "rw_interrupt", "unseen >= frames : !timed;", "unseen >= frames - 1 : !timed;", interrupt.moderated, (5, 0)
    ),
    "a count beyond what there is is taken": Mutant(
        "rw_interrupt", "assign con_ok = con_valid && con_number <= there;", "assign con_ok = con_valid;",
        interrupt.refused,
    ),
    "the status of an error is dropped": Mutant(
        "rw_done", "assign m_cpl_status = status;", "assign m_cpl_status = STATUS_OK[3:0];",
        errors.condemned, Status.BAD_LENGTH,
    ),
    "packets may have 65 descriptors": Mutant(
        "rw_desc_scan", "number == MAX_DESC[6:0];", "number == MAX_DESC[6:0] + 7'd1;",
        errors.condemned, Status.TOO_MANY_DESC,
    ),
    "one reserved flag is allowed": Mutant(
        "rw_desc_scan", "(d_flags & ~LEGAL_FLAGS)", "(d_flags & ~LEGAL_FLAGS & 16'hfeff)",
        errors.condemned, Status.BAD_FLAGS,
    ),
    "a summary is counted twice": Mutant(
        "rw_desc_scan", "assign sum_more[q]   = count[q] > 1;", "assign sum_more[q]   = 1'b1;",
        errors.condemned, Status.BAD_OFFLOAD,
    ),
    "the room of a failed frame is not given back": Mutant(
        "rw_frame_seq", "kill_release <= go && failed;", "kill_release <= 1'b0;",
        errors.read_errors_give_room_back, (60, 3000, 0),
    ),
    "a failed frame stays committed": Mutant(
        "rw_pacer", "refund  = (status == STATUS_READ[3:0] || status",
        "refund  = (status", errors.read_errors_give_room_back, (60, 1514, 3076),
    ),
    "only a frame's last fragment can fail": Mutant(
        "rw_gather", "bad_now = b_err_reg || (bad_reg && !b_first_reg);", "bad_now = b_err_reg;",
        errors.payload_read,
    ),
    "a failed descriptor read goes unnoticed": Mutant(
        "rw_desc_fetch", "if (r_err) failed_reg[in_queue] <= 1'b1;", "", errors.descriptor_read, 21, {"queues": 2}
    ),
    "a failed completion write goes unnoticed": Mutant(
        "rw_completion", "assign write_failed = m_axi_berr ? ack_mask : '0;", "assign write_failed = '0;",
        errors.completion_write, 20, {"queues": 2},
    ),
    "a tail may be the number of entries": Mutant(
        "rw_csr", "in_ring   = w_data_reg < (", "in_ring   = w_data_reg <= (", errors.tail_out_of_range, 6
    ),
    "a reset forgets the chunks of descriptors": Mutant(
        "rw_queue_reset", "assign clear = flush & flushed;", "assign clear = flush;", reset.prefetched, (1, 3)
    ),
    "a reset drops nothing": Mutant(
        "rw_egress", "aborted   = whole && q_resetting[queue];", "aborted   = 1'b0;", reset.meanwhile
    ),
    "a reset does not wait for write responses": Mutant(
        "rw_completion", "&& !mine && issued_reg[q] == visible_reg[q]", "&& !mine", reset.under_load, Resets(6, 1),
        {"queues": 2},
    ),
    "a reset does not wait for frames": Mutant(
        "rw_frame_sched", "none_in_flight[q] = flying_reg[q] == '0 &&", "none_in_flight[q] = 1'b1 &&",
        reset.under_load, Resets(6, 2, rate_bps=GBIT, span_ns=40_000, batch=12), {"queues": 2},
    ),
    "a reset does not wait for descriptors": Mutant(
        "rw_desc_fetch", "none_in_flight[q] = flying_reg[q] == 7'd0 &&", "none_in_flight[q] = 1'b1 &&",
        reset.under_load, Resets(6, 1), {"queues": 2},
    ),
    "a queue that is disabled goes on": Mutant(
        "ringwire_tx", "q_run   = q_enable & ~q_resetting", "q_run   = ~q_resetting", reset.drain, Resets(4, 1),
        {"queues": 2},
    ),
    "a queue may not count on chunks of its own": Mutant(
        "rw_desc_pool", "&& (used_reg[q] < RESERVE[6:0] || free_reg > owed_reg);", ";", completion.hoard, 2,
        {"queues": 4},
    ),
    "the arbiter stays with a queue": Mutant(
        "rw_arbiter", "pick  = (first != '0) ? first : request;", "pick  = request;", fairness.shares,
        Shares((60,) * 4, 100), {"queues": 4},
    ),
    "the bound counts for nothing": Mutant(
        "rw_frame_sched", "spends ? !bounded_reg ||", "spends ? 1'b1 ||", fairness.waits,
        Wait(3076, range(1, 4), 1), {"queues": 2},
    ),
    "bytes of padding are not counted": Mutant(
        "rw_done", "assign done_bytes   = (len < 15'd60) ? 15'd60 : len;", "assign done_bytes   = len;",
        registers.statistics, None, {"queues": 2},
    ),
    "the upper half of a counter is not held": Mutant(
        "rw_csr", "r_value = stat_off[2] ? high_reg :", "r_value = stat_off[2] ? stat_value[63:32] :",
        registers.latched,
    ),
    "a queue at work may be configured": Mutant(
        "rw_csr", "!q_resetting[wq] && q_idle[wq];", "!q_resetting[wq];", registers.while_at_work
    ),
    "an address is half decoded": Mutant(
        "rw_csr", "wire          r_queue_space = s_axil_araddr[15:12] == 4'd1",
        "wire          r_queue_space = s_axil_araddr[14:12] == 3'd1", registers.no_register, 1
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_a_testbench_of_the_control_path_tells_when(name: str) -> None:
    mutant = MUTANTS[name]
    rtl = broken_rtl(name, mutant.module, mutant.line, mutant.broken)
    with pytest.raises((SimulationFailed, AssertionError)):
        mutant.judge(rtl)


SCENARIOS = {f"{mutant.scenario.__name__}-{mutant.config}-{mutant.knobs}": mutant for mutant in MUTANTS.values()}


@pytest.mark.parametrize("mutant", SCENARIOS.values(), ids=lambda mutant: str(mutant.scenario.__name__))
def test_what_tells_says_nothing_of_the_rtl_as_it_is(mutant: Mutant) -> None:
    mutant.judge(None)
