"""The stages of the engine, of which it is proved that asleep they stand still, and terms to be missed in ``awake``."""

from __future__ import annotations

from collections.abc import Mapping

from tests.formal.blocks import Block, Change

SCAN = (
    Change("rw_desc_scan", "QUEUES = 1,", "QUEUES = 2,"),  # yosys can't set this parameter here
    # a summary is popped only where one is, and pushed only where there is room: checks of the module have it
    Change("rw_desc_scan", "push && s2_queue_reg == k[QW-1:0]}", "push && sum_room[k] && s2_queue_reg == k[QW-1:0]}"),
    Change("rw_desc_scan", "sum_pop && sum_queue == k[QW-1:0]}", "sum_pop && sum_some[k] && sum_queue == k[QW-1:0]}"),
)


def _stage(
    module: str,
    uses: str = "",
    needed: Mapping[str, str] = {},
    left_out: tuple[str, ...] = (),
    small: tuple[Change, ...] = (),
    depth: int = 1,
    **settings: int,
) -> Block:
    """A stage, the modules it uses, registers that may change (``scripts.stillness``), what a bug leaves out of it."""
    return Block(
        f"asleep {module.removeprefix('rw_')}",
        module,
        (module, *(f"rw_{name}" for name in uses.split())),
        tuple(Change(module, term, "") for term in left_out),
        depth=depth,
        settings=settings,
        small=small,
        needed=needed,
    )


STAGES = (
    _stage("rw_csr", left_out=(" || q_clear != '0",), QUEUES=2),
    _stage("rw_queue_reset", left_out=(" || settled_reg != '0",), QUEUES=2),
    _stage(
        "rw_desc_fetch",
        "fifo arbiter",
        {"sel_reg": "sel_valid_reg"},
        left_out=(" || db_valid || q_clear != '0",),
        DATA_W=64,
        QUEUES=2,
    ),
    _stage("rw_desc_pool", "fifo", left_out=("take_valid || give_valid || ", " || a_en || b_en"), DATA_W=256, QUEUES=2),
    _stage(
        "rw_desc_scan",
        "fifo arbiter",
        {
            "data_in_reg|launch_some|ip_len|end_now|l4_len": "s2_valid_reg",
            r"s(\d)_queue_reg": r"s\1_valid_reg",
            "turn_reg": "turn_valid_reg",
        },
        left_out=(" || sum_pop",),
        small=SCAN,
        depth=2,
    ),
    _stage(
        "rw_queue_gate",
        "earliest",
        {
            "late_reg": "timed[]",
            "launched_reg": "!head_valid|head_launch[]",  # any other head may go
            "reached_reg": "limited_reg[]",
            r"queue_reg\[(\d)\]": r"step_reg[\1]",
        },
        left_out=(" || (head_valid ^ launched_reg) != '0", " || limits != limited_reg"),
        QUEUES=2,
    ),
    _stage(
        "rw_frame_sched",
        "segmenter",
        left_out=(" || (q_open & q_resetting & ~q_close) != '0", " || !(&settled)", " || wire_release"),
        DATA_W=64,
        QUEUES=2,
        FRAMES=4,
        BUF_LOG2=5,
    ),
    _stage(
        "rw_sg_walk",
        "fifo",
        {"(first|last)_reg": "in_reg", "give_queue": "give_valid"},
        left_out=(" || look_reg || (m_frag_valid && m_frag_ready)",),
        QUEUES=2,
    ),
    _stage("rw_read_engine", left_out=("m_axi_arvalid || s_req_valid || ",), DATA_W=64),
    _stage(
        "rw_gather",
        "fifo_ram frame_sum",
        {r"sum\.([ab])_(last|err|odd|sums|sum)_reg": r"sum.\1_valid_reg", r"sum\.m_(err|sum)": "sum.m_valid"},
        left_out=(" || bursts_awake",),
        DATA_W=64,
    ),
    _stage("rw_frame_buffer", left_out=(" || rd_en",), DATA_W=64, LOG2=3),
    _stage(
        "rw_header_slots",
        "fifo",
        {"slot_reg|look_req_reg": "have_reg", "([abc])_last_reg": r"\1_valid_reg", r"g_many\.here_reg": "a_valid_reg"},
        left_out=(" || open_valid || wr_en",),
        DATA_W=128,
    ),
    _stage(
        "rw_frame_seq",
        "fifo_ram",
        {"slot_queue": "slot_release", "kill_beats": "kill_release", "fail_(queue|slot)": "fail_valid"},
        left_out=(" || news_awake", " || slot_release || kill_release || fail_valid"),
        QUEUES=2,
    ),
    _stage("rw_frame_edit", "fifo", left_out=(" || left",), DATA_W=64),
    _stage(
        "rw_egress",
        "fifo",
        {
            "buf_beats": "buf_release",
            "free_slot": "free_valid",
            r"i(\d)_meta_reg": r"i\1_valid_reg",
            "p_(data|end|last|beat|tag|tci)_reg": "p_valid_reg",
        },
        left_out=(" || beat_taken",),
        DATA_W=64,
        QUEUES=2,
    ),
    _stage("rw_pacer", left_out=(" || was_due_reg != was_due",), DATA_W=64, QUEUES=2),
    _stage("rw_done", "fifo", {"(meta|start)_reg": "ended_reg"}, left_out=(" || s_done_valid",), QUEUES=2),
    _stage(
        "rw_completion",
        "fifo_ram arbiter timers earliest",
        {"(queue|left|head|hurry|line|strobe)_reg": "busy_reg"},
        left_out=(" || bad_doorbell != '0 || bad_reg != '0",),
        DATA_W=256,
        QUEUES=2,
    ),
    _stage("rw_interrupt", "timers earliest", left_out=(" || timing_reg != (some & ~fire)",), QUEUES=2),
    _stage("rw_stats", left_out=(" || fetched != '0",), QUEUES=2),
)
