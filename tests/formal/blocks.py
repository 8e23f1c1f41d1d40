"""The blocks that are proved, and the bugs planted in them; docs/formal.md says what is proved of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Change(NamedTuple):
    """A text of a module of the RTL, which has it just once, and what stands in its place."""

    module: str
    line: str
    instead: str


class Block(NamedTuple):
    """A block, under a top of ``tests/formal/`` that says what it may rely on and what holds."""

    name: str
    top: str
    modules: tuple[str, ...]
    """Of ``rtl/``."""
    bugs: tuple[Change, ...]
    """Each breaks a property that the base case looks at."""
    depth: int = 2
    """Clock cycles that the induction looks back."""
    steps: int = 12
    """Clock cycles from the reset on in which the bugs show."""
    reach: int = 12
    """Clock cycles from the reset on in which the covers are reached."""
    settings: Mapping[str, int] = {}
    """Parameters of the top."""
    small: tuple[Change, ...] = ()
    """What is made smaller than it is."""
    needed: Mapping[str, str] | None = None
    """None: the top says what holds. Else it is a stage of ``rtl/``, and what holds is that asleep it stays as it is,
    but for these registers when nobody looks at them (``scripts/stillness.py``)."""


BLOCKS = (
    Block(
        "fifo",
        "fifo",
        ("rw_fifo",),
        (
            Change("rw_fifo", "!(count_reg[AW] && count_reg[0])", "1'b1"),
            Change("rw_fifo", "rd_reg <= rd_reg + 1'b1", "rd_reg <= rd_reg + 1'b1 + (count == 3 && s_valid)"),
            Change("rw_fifo", "if (put || !empty) rd_reg", "if (!empty) rd_reg"),
            Change("rw_fifo", "out_reg   <= empty ? s_data", "out_reg   <= !count_reg[1] ? s_data"),
        ),
    ),
    Block(
        "fifo_ram",
        "fifo_ram",
        ("rw_fifo_ram",),
        (
            Change("rw_fifo_ram", "put && !some_reg && room", "put && room"),
            Change("rw_fifo_ram", "!both_stay && !(stays && ram_valid_reg)", "!both_stay"),
            Change("rw_fifo_ram", "assign s_ready = !full_reg;", "assign s_ready = !full_reg || m_ready;"),
        ),
        reach=20,
    ),
    *(
        Block(
            f"arbiter {number}",
            "arbiter",
            ("rw_arbiter",),
            (
                Change("rw_arbiter", "(first != '0) ? first : request", "request"),
                Change("rw_arbiter", "accept && grant_valid)", "accept)"),
                Change("rw_arbiter", "<= k > ", "<= k >= "),
            ),
            reach=number + 8,
            settings={"N": number},
        )
        for number in (4, 8)
    ),
    *(
        Block(
            f"read_engine {width}",
            "read_engine",
            ("rw_read_engine",),
            (
                Change("rw_read_engine", "WB = (DATA_W == 64) ? 11 : 12;", "WB = 12;")
                if width == 64
                else Change("rw_read_engine", "window_end <= {3'd0, WINDOW};", "left <= 15'd4096;"),
                Change(
                    "rw_read_engine",
                    "{addr[63:WB] + 1'b1, {WB{1'b0}}}",
                    "{addr[63:32], addr[31:WB] + 1'b1, {WB{1'b0}}}",
                ),
                Change("rw_read_engine", "s_frag_first && !busy_reg;", "s_frag_first;"),
                Change(
                    "rw_read_engine", "assign s_req_ready    = ar_free;", "assign s_req_ready = !m_axi_arvalid || go;"
                ),
                Change("rw_read_engine", "if (ar_free && s_req_valid) begin", "if (s_req_valid) begin"),
            ),
            steps=6,
            settings={"DATA_W": width},
        )
        for width in (64, 512)
    ),
    Block(
        "pacer",
        "pacer",
        ("rw_pacer",),
        (
            Change("rw_pacer", "(was_due_reg ? {tod, FRACTION} : due_reg)", "due_reg"),
            Change("rw_pacer", "(was_due_reg ? {tod, FRACTION} : due_reg)", "{tod, FRACTION}"),
            Change("rw_pacer", "= due && !(start && !open);", "= due;"),
            Change("rw_pacer", "(open || due) && !held;", "(open || due) && !held && !was_due_reg;"),
            Change("rw_pacer", "(open || due) && !held;", "open || due;"),
            Change("rw_pacer", "tod < s_launch_time;", "tod <= s_launch_time;"),
            Change("rw_pacer", "m_done_room && !pause;", "m_done_room;"),
            Change("rw_pacer", "waits_for_wire || (ready && held);", "waits_for_wire;"),
            Change("rw_pacer", "else if (over) ahead_reg <= 16'd0;", "else if (over) ahead_reg <= {15'd0, leaves};"),
            Change("rw_pacer", "if (valid_reg && m_axis_tready && first_reg) start_reg", "if (start) start_reg"),
        ),
        steps=6,
    ),
    Block(
        "queue_gate",
        "queue_gate",
        ("rw_queue_gate", "rw_earliest"),
        (
            Change("rw_queue_gate", "(credit_reg[k][CW-1] ? credit_reg[k] : -20'sd1)", "credit_reg[k]"),
            Change("rw_queue_gate", "(credit_reg[k][CW-1] ? credit_reg[k] : -20'sd1)", "-20'sd1"),
            Change("rw_queue_gate", "(sum_reg < now) ? now : sum_reg;", "sum_reg;"),
            Change("rw_queue_gate", "else if (step_reg[4] && queue_reg[4]", "else if (step_reg[2] && queue_reg[2]"),
            Change("rw_queue_gate", "now >= next_reg[r]", "now > next_reg[r]"),
            Change("rw_queue_gate", "&& !(pop && pop_queue == l[QW-1:0])", ""),
            Change("rw_queue_gate", "& ~grounded & ~stopped_reg", "& ~grounded"),
            Change("rw_queue_gate", "head_valid & (grounded | early)", "head_valid & grounded"),
        ),
        steps=10,
        reach=16,
        # any function of bytes and byte time will do: it is not multiplication that is proved
        small=(
            Change("rw_queue_gate", "size_reg} * {16'd0, unit_reg[26:0]}", "size_reg} ^ {16'd0, unit_reg[26:0]}"),
            Change("rw_queue_gate", "size_reg} * {16'd0, unit_reg[53:27]}", "size_reg} ^ {16'd0, unit_reg[53:27]}"),
        ),
    ),
    Block(
        "timers",
        "timers",
        ("rw_timers", "rw_earliest"),
        (
            Change("rw_timers", "{47'd0, tod[15:0] != 16'd0}", "48'd0"),
            Change("rw_timers", "now >= expiry_reg[q]", "now > expiry_reg[q]"),
            Change("rw_timers", "running & ~expired", "running"),
        ),
        steps=6,
    ),
    Block(
        "queue_reset",
        "queue_reset",
        ("rw_queue_reset",),
        (
            Change("rw_queue_reset", "resetting & quiet & settled_reg", "resetting & quiet"),
            Change("rw_queue_reset", ") | flush) & ~clear", ")) & ~clear"),
            Change("rw_queue_reset", "flush & flushed", "flush"),
        ),
    ),
    Block(
        "interrupt",
        "interrupt",
        ("rw_interrupt", "rw_timers", "rw_earliest"),
        (
            Change("rw_interrupt", "<= ahead_of(visible[k*16 +: 16], con_index);", "<= 1'b0;"),
            Change("rw_interrupt", "<= some[k] && !fire[k];", "<= some[k];"),
            Change("rw_interrupt", "if (urgent_seen[k]) urgent_reg", "if (urgent_seen[k] && !fire[k]) urgent_reg"),
            Change("rw_interrupt", "con_number <= there", "con_number < there"),
            Change("rw_interrupt", "unseen >= frames", "unseen > frames"),
        ),
        steps=7,
    ),
    Block(
        "done",
        "done",
        ("rw_done", "rw_fifo"),
        (
            Change("rw_done", "(!wanted || m_cpl_ready);", "1'b1;"),
            Change("rw_done", "here && !wanted;", "!wanted;"),
            Change("rw_done", "done_last ? 18'd0", "meta_reg[F_FIRST] ? 18'd0"),
        ),
    ),
    Block(
        "reservations",
        "reservations",
        ("rw_frame_sched", "rw_segmenter"),
        (
            Change("rw_frame_sched", ">= {17'd0, stored};", ">= {17'd0, stored} - 1;"),
            Change("rw_frame_sched", "wire buf_ok    =", "wire buf_ok = stored < 15'd16 ||"),
            Change("rw_frame_sched", "+ (kill_release ? ", "+ (kill_release && !buf_release ? "),
            Change("rw_frame_sched", "frames_reg + {{FW{1'b0}}, fly}", "frames_reg + {{FW{1'b0}}, fly && !done_valid}"),
            Change("rw_frame_sched", "len}) < slack", "len}) <= slack"),
            Change("rw_frame_sched", "&& commit_bound[31:18] == '0;", ";"),
            Change("rw_frame_sched", "fly && first && sel_reg", "fly && last && sel_reg"),
            Change("rw_segmenter", "(free_reg & ~({SLOTS{open_valid}} & lowest))", "free_reg"),
        ),
        steps=8,
    ),
    Block(
        "desc_pool",
        "desc_pool",
        ("rw_desc_pool", "rw_fifo"),
        (
            Change("rw_desc_pool", "|| free_reg > owed_reg", "|| free_reg >= owed_reg"),
            Change("rw_desc_pool", "used_reg[back_queue] <= RESERVE", "used_reg[back_queue] < RESERVE"),
            Change("rw_desc_pool", "take_valid && !fresh_left)", "take_valid && !fresh_left && !back_valid)"),
            Change("rw_desc_pool", "back_queue = give_valid ?", "back_queue = !flush_any ?"),
        ),
    ),
    Block(
        "completion",
        "completion",
        ("rw_completion", "rw_timers", "rw_earliest", "rw_arbiter", "rw_fifo_ram"),
        (
            Change("rw_completion", "left_reg   <= count_reg[grant];", "left_reg   <= count_reg[grant] + put;"),
            Change("rw_completion", "aw_free && w_free && ack_ready", "aw_free && ack_ready"),
            Change("rw_completion", "(last || line_full || head_mode)", "(last || line_full)"),
            Change("rw_completion", "step && queue_reg == k[QW-1:0]", "emit && queue_reg == k[QW-1:0]"),
        ),
        steps=8,
        small=(Change("rw_completion", ".DEPTH(512)", ".DEPTH(4)"),),
    ),
    Block(
        "desc_fetch",
        "desc_fetch",
        ("rw_desc_fetch", "rw_arbiter", "rw_fifo"),
        (
            Change("rw_desc_fetch", "(posted < {12'd0, to_group_end}) ? posted[3:0] : to_group_end", "to_group_end"),
            Change("rw_desc_fetch", "(db_tail - tail_reg[db_queue]) & db_mask", "db_tail - tail_reg[db_queue]"),
            Change("rw_desc_fetch", "if (r_err) failed_reg", "if (r_err && r_last) failed_reg"),
            Change("rw_desc_fetch", "new_group ? take_chunk : last_chunk,", "take_chunk,"),
        ),
        reach=18,
        small=(Change("rw_desc_fetch", ".DEPTH(64)", ".DEPTH(2)"),),
    ),
    Block(
        "csr",
        "csr",
        ("rw_csr",),
        (
            Change("rw_csr", "w_data_reg < (32'd1", "w_data_reg <= (32'd1"),
            Change("rw_csr", "!q_enable[wq] && !q_resetting[wq] && q_idle[wq]", "!q_enable[wq] && q_idle[wq]"),
            Change("rw_csr", "wire w_go = w_valid_reg && w_ok;", "wire w_go = w_valid_reg;"),
            Change("rw_csr", "&& !w_valid_reg && (!s_axil_bvalid", "&& (!s_axil_bvalid"),
        ),
        steps=8,
    ),
    Block(
        "frame_buffer",
        "frame_buffer",
        ("rw_frame_buffer",),
        (
            Change("rw_frame_buffer", "a_odd ? wr_a_data", "a_odd && !wr_b_en ? wr_a_data"),
            Change("rw_frame_buffer", "if (rd_en) is_odd_reg <=", "is_odd_reg <="),
        ),
        steps=6,
    ),
)
