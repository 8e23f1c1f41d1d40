"""The data path's testbenches fail on RTL broken on purpose. World: the fast one, on Icarus, which builds quickly.

Each mutant is one line of the RTL replaced, and one short scenario that must tell. The same scenarios pass on the RTL
as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from ringwire.cosim.run import SimulationFailed
from tests.control.bench import same
from tests.datapath import fragments, pacing, ring
from tests.datapath.fragments import FOUR_GIB, Boundaries, Turns
from tests.datapath.mix import Mix, mix
from tests.datapath.pacing import Rates
from tests.datapath.ring import Phases
from tests.datapath.worlds import place, run
from tests.mutants import broken_rtl

ICARUS = place("icarus")
GBIT = 10**9
STOPPING = [
    Mix(12, queues=1, rate_bps=rate * GBIT, longest=200, giant=0, pauses_ns=2_000, largest_batch=2) for rate in (10, 2)
]
"""Fast, so that frames are put together while the wire waits, and slow, so that the wire's time is the last thing."""


def wrapping(rtl: Path | None) -> None:
    run(ICARUS, ring.every_phase, Phases(2), rtl=rtl)


def wrapping_empty(rtl: Path | None) -> None:
    run(ICARUS, ring.every_phase, Phases(1, one_at_a_time=True), rtl=rtl, latency_ns=100)


def turning(rtl: Path | None) -> None:
    run(ICARUS, fragments.every_turn, Turns(64, 21), rtl=rtl)


def crossing(rtl: Path | None) -> None:
    run(ICARUS, fragments.boundaries, Boundaries(6, 1), rtl=rtl, **FOUR_GIB)


def crossing_64(rtl: Path | None) -> None:
    run(ICARUS, fragments.boundaries, Boundaries(1, 1), data_w=64, rtl=rtl, **FOUR_GIB)


def padding(rtl: Path | None) -> None:
    run(ICARUS, fragments.short, rtl=rtl)


def padding_64(rtl: Path | None) -> None:
    run(ICARUS, fragments.short, data_w=64, rtl=rtl)


def pacing_10g(rtl: Path | None) -> None:
    run(ICARUS, pacing.schedule, Rates((10 * GBIT,), 12), rtl=rtl, period_ps=3103, latency_ns=0)


def stopping(rtl: Path | None) -> None:
    for config in STOPPING:
        jumping, steady = (run(ICARUS, mix, config, rtl=rtl, jumps=jumps) for jumps in (True, False))
        same(jumping, steady, "with jumps, beside without: ")


SCENARIOS = (wrapping, wrapping_empty, turning, crossing, crossing_64, padding, padding_64, pacing_10g, stopping)


class Mutant(NamedTuple):
    """A line of a module replaced, and who must tell."""

    module: str
    line: str
    broken: str
    told_by: Callable[[Path | None], None]


MUTANTS = {
    "a beat of a frame is lost": Mutant(
        "rw_gather",
        "tail_bad_reg ? start_reg : addr_reg + 1'b1;",
        "tail_bad_reg ? start_reg : addr_reg + {{(BUF_LOG2-1){1'b0}}, addr_reg != 'd37};",
        turning,
    ),
    "one offset turns by a byte too many": Mutant(
        "rw_gather",
        "a_turn_reg  <= offset - fill[BB-1:0];",
        "a_turn_reg  <= offset - fill[BB-1:0] + (offset == 'd41);",
        turning,
    ),
    "a beat filled exactly is taken for too full": Mutant(
        "rw_gather",
        "(total[BB] && some);",
        "total[BB];",
        turning,
    ),
    "bytes behind a frame's end stay in its last beat": Mutant(
        "rw_gather",
        "(b_over_reg ? b_data_reg : merged) & ~b_from_rest_reg;",
        "b_over_reg ? b_data_reg : merged;",
        padding,
    ),
    "beats of padding are not zeros": Mutant(
        "rw_egress",
        "r_pad_reg ? {DATA_W{1'b0}} : rd_data",
        "rd_data",
        padding_64,
    ),
    "short frames are padded to 61 bytes": Mutant(
        "rw_frame_edit",
        "wire [14:0] padded = (len < 15'd60) ? 15'd60 : len;",
        "wire [14:0] padded = (len < 15'd60) ? 15'd61 : len;",
        padding,
    ),
    "a ring's end is not wrapped": Mutant(
        "rw_desc_fetch",
        "wire [15:0] slot      = at & ~(16'hffff << ring_log2[sel_reg*4 +: 4]);",
        "wire [15:0] slot      = at;",
        wrapping,
    ),
    "a doorbell at the ring's end is lost": Mutant(
        "rw_desc_fetch",
        "if (db_valid)\n",
        "if (db_valid && db_tail != 16'd0)\n",
        wrapping_empty,
    ),
    "descriptors of one group are mixed up": Mutant(
        "rw_desc_fetch",
        "wire          keep = r_valid && !r_err && !failed_reg[in_queue];",
        "wire          keep = r_valid && !r_err && !failed_reg[in_queue] && !(in_first == 3'd5 && row[2]);",
        wrapping,
    ),
    "a burst may have a byte beyond 4 KiB": Mutant(
        "rw_read_engine",
        "localparam [12:0] WINDOW = 13'd1 << WB;",
        "localparam [12:0] WINDOW = (13'd1 << WB) + 13'd1;",
        crossing,
    ),
    "a burst may have 512 beats": Mutant(
        "rw_read_engine",
        "localparam WB = (DATA_W == 64) ? 11 : 12;",
        "localparam WB = 12;",
        crossing_64,
    ),
    "addresses stop at 4 GiB": Mutant(
        "rw_read_engine",
        "addr_reg      <= {addr[63:WB] + 1'b1, {WB{1'b0}}};",
        "addr_reg      <= {addr[63:32], addr[31:WB] + 1'b1, {WB{1'b0}}};",
        crossing,
    ),
    "the schedule is carried on from the edge of a start": Mutant(
        "rw_pacer",
        "due_reg <= (was_due_reg ? {tod, FRACTION} : due_reg) + {18'd0, s_info_time};",
        "due_reg <= {tod, FRACTION} + {18'd0, s_info_time};",
        pacing_10g,
    ),
    "a late frame does not begin the schedule anew": Mutant(
        "rw_pacer",
        "due_reg <= (was_due_reg ? {tod, FRACTION} : due_reg) + {18'd0, s_info_time};",
        "due_reg <= due_reg + {18'd0, s_info_time};",
        pacing_10g,
    ),
    "the inter-frame gap is a byte short": Mutant(
        "rw_frame_edit",
        "b_padded_reg + 15'd24;",
        "b_padded_reg + 15'd23;",
        pacing_10g,
    ),
    "tvalid falls inside a frame": Mutant(
        "rw_pacer",
        "wire        load    = start || (mid_reg && s_beat_valid && advance);",
        "wire        load    = start || (mid_reg && s_beat_valid && advance && !(valid_reg && !first_reg && tod[18]));",
        turning,
    ),
    "a frame leaves before it is whole": Mutant(
        "rw_frame_seq",
        "wire       can    = meta_valid && (!waits || news_valid);",
        "wire       can    = meta_valid;",
        crossing,
    ),
    "the clock stops while an interrupt's timer runs": Mutant(
        "ringwire_tx",
        "{gate_waits, pacer_waits, done_waits, cpl_waits, irq_waits}",
        "{gate_waits, pacer_waits, done_waits, cpl_waits, 1'b0}",
        stopping,
    ),
    "the clock stops while the wire's time runs": Mutant(
        "ringwire_tx",
        "{gate_waits, pacer_waits, done_waits, cpl_waits, irq_waits}",
        "{gate_waits, 1'b0, done_waits, cpl_waits, irq_waits}",
        stopping,
    ),
    "the clock stops while a frame is put together": Mutant(
        "ringwire_tx",
        "&& gather_idle && slots_idle && seq_idle",
        "&& slots_idle && seq_idle",
        stopping,
    ),
}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: str(scenario.__name__))
def test_the_rtl_as_it_is_passes(scenario: Callable[[Path | None], None]) -> None:
    scenario(None)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_testbench_tells_when(name: str) -> None:
    module, line, instead, told_by = MUTANTS[name]
    rtl = broken_rtl(name, module, line, instead)
    with pytest.raises((SimulationFailed, AssertionError)):
        told_by(rtl)
