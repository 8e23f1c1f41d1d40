"""The stages of the engine, of which it is proved that asleep they stand still, and terms left out of ``awake``."""

from __future__ import annotations

from collections.abc import Mapping

from tests.formal.blocks import Block, Change


def _stage(
    module: str, uses: str = "", left_out: tuple[str, ...] = (), needed: Mapping[str, str] = {}, depth: int = 3, small: tuple[Change, ...] = (), **settings: int
) -> Block:
    """A stage, the modules that it uses, and what each planted bug leaves out of ``awake``."""
    bugs = tuple(Change(module, term, term[0] + "1'b0" if term[0] == " " else "1'b0") for term in left_out)
    return Block(
        f"asleep {module.removeprefix('rw_')}",
        module,
        (module, *(f"rw_{name}" for name in uses.split())),
        bugs,
        depth=depth,
        settings=settings,
        needed=needed,
        small=small,
    )


POPPED = (
    Change("rw_desc_scan", "QUEUES = 1,", "QUEUES = 2,"),  # yosys can't set this parameter here
    # a summary is popped only where one is, and pushed only where there is room: checks of the module have it
    Change("rw_desc_scan", "push && s2_queue_reg == k[QW-1:0]}", "push && sum_room[k] && s2_queue_reg == k[QW-1:0]}"),
    Change("rw_desc_scan", "sum_pop && sum_queue == k[QW-1:0]}", "sum_pop && sum_some[k] && sum_queue == k[QW-1:0]}"),
)

STAGES = (
    _stage("rw_csr", QUEUES=2),
    _stage("rw_queue_reset", QUEUES=2),
    _stage("rw_desc_fetch", "fifo arbiter", needed={"sel_reg": "sel_valid_reg"}, DATA_W=64, QUEUES=2),
    _stage("rw_desc_pool", "fifo", DATA_W=256, QUEUES=2),
    _stage("rw_desc_scan", "fifo arbiter", needed={"data_in_reg|launch_some|ip_len|end_now|l4_len": "", "s(.)_queue_reg": r"s\1_valid_reg", "turn_reg": "turn_valid_reg"}, small=POPPED),
    _stage("rw_queue_gate", "earliest", needed={"(late|launched)_reg": "timed[]", "reached_reg": "limited_reg[]", r"queue_reg\[\d\]": "step_reg"}, QUEUES=2),
    _stage("rw_frame_sched", "segmenter", DATA_W=64, QUEUES=2, FRAMES=4, BUF_LOG2=5),
    _stage("rw_sg_walk", "fifo", needed={"(first|last)_reg": "in_reg", "give_queue": "give_valid"}, QUEUES=2),
    _stage("rw_read_engine", DATA_W=64),
    _stage("rw_gather", "fifo_ram frame_sum", needed={r"sum\.([ab])_(last|err|odd|sums|sum)_reg": r"sum.\1_valid_reg", r"sum\.m_(err|sum)": "sum.m_valid"}, DATA_W=64),
    _stage("rw_frame_buffer", DATA_W=64, LOG2=3),
    _stage("rw_header_slots", "fifo", needed={"slot_reg|look_req_reg": "have_reg", "([abc])_last_reg": r"\1_valid_reg", r"g_many\.here_reg": "a_valid_reg"}, DATA_W=128),
    _stage("rw_frame_seq", "fifo_ram", needed={"slot_queue": "slot_release", "kill_beats": "kill_release", "fail_(queue|slot)": "fail_valid"}, QUEUES=2),
    _stage("rw_frame_edit", "fifo", DATA_W=64),
    _stage("rw_egress", "fifo", needed={"buf_beats": "buf_release", "free_slot": "free_valid", "i(.)_meta_reg": r"i\1_valid_reg", "p_(data|end|last|beat|tag|tci)_reg": "p_valid_reg"}, DATA_W=64, QUEUES=2),
    _stage("rw_pacer", DATA_W=64, QUEUES=2),
    _stage("rw_done", "fifo", needed={"(meta|start)_reg": "ended_reg"}, QUEUES=2),
    _stage("rw_completion", "fifo_ram arbiter timers earliest", needed={"(queue|left|head|hurry|line|strobe)_reg": "busy_reg"}, DATA_W=64, QUEUES=2),
    _stage("rw_interrupt", "timers earliest", QUEUES=2),
    _stage("rw_stats", QUEUES=2),
)
