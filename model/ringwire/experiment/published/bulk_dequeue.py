"""A packet of priority against disciplines that give several packets at once."""

from __future__ import annotations

from ringwire.experiment.published.study import Figure, Run, Settings, Study, flow, queue
from ringwire.experiment.results import Results

US = 1000
FRAME = 1514
FRAME_US = 8 * (FRAME + 24) / 100
"""On the wire at 100 Mbit/s, with preamble, FCS and gap."""
SLOW_BATCH = 9
"""Packets that a discipline over several queues gives at once, whatever limits say."""
COMMON: Settings = (
    ("link.rate", "100mbit"),
    ("duration", "120ms"),
    ("warmup", "10ms"),
    ("flow.bulk.sndbuf", "100k"),
)


def mean_us(results: Results) -> float:
    """Of the sparse flow, which passes all others in the discipline, from its write to the end of its frame."""
    return float(flow(results, "sparse")["latency_mean_ns"]) / US


def beyond_bytes(results: Results) -> float:
    """What was in the ring beyond the limit, at the most."""
    return float(max(results.series["bql"]["inflight_bytes"])) - float(queue(results)["bql_limit_bytes"])


PROMPT = Run("moderation", COMMON)
SHARED = Run(
    "moderation",
    (
        *COMMON,
        ("nic.queues", 2),
        ("flow.bulk.queue", 0),
        ("flow.sparse.queue", 0),
        ("setup.lines", "tc qdisc replace dev eth0 root pfifo_fast"),
    ),
)
"""One discipline over two queues, of which one is used."""


def late(frames: int, held: tuple[float, float]) -> Figure:
    """Interrupts that come just later than so many frames take."""
    delay_us = round(frames * FRAME_US) + 4
    return Figure(
        f"interrupts {delay_us} us late: more by",
        "us",
        Run("moderation", (*COMMON, ("host.cost.interrupt_delay", f"{delay_us}us"))),
        mean_us,
        held,
        240.0,
        f"an interrupt reports {frames + 1} frames, so limits leave twice as many, given at once",
        than=PROMPT,
    )


BULK_DEQUEUE = Study(
    key="bulk-dequeue",
    title="Batches of a discipline against a packet of priority",
    source="J. D. Brouer, qdisc: bulk dequeue support (Linux 5772e9a3463b, 2014)",
    text=(
        "A discipline that feeds one queue gives several packets at once, as many as byte queue limits have room for. "
        "At 100 Mbit/s 0.24 ms more were measured for a packet of priority, two frames' time, and put down to "
        "scheduling, not to the batches. That is confirmed: a batch passes the limit by a frame at the most, as single "
        "packets do, and with prompt interrupts there is room for one. Interrupts that are late make limits grow, and "
        "0.24 ms lie between interrupts that are one frame late and two. Where the discipline feeds several queues, "
        "batches know of no limit: what of nine packets can't be sent is parked in front of all others."
    ),
    figures=(
        Figure(
            "a packet of priority, prompt interrupts",
            "us",
            PROMPT,
            mean_us,
            (2 * FRAME_US, 3 * FRAME_US),
            why="three frames in the ring, the first met half-way, or two",
        ),
        Figure(
            "the most in the ring beyond the limit",
            "bytes",
            PROMPT,
            beyond_bytes,
            (FRAME, FRAME),
            why="one frame, with which the queue is stopped",
            digits=0,
        ),
        late(1, (FRAME_US / 2, 2 * FRAME_US)),
        late(2, (3 * FRAME_US / 2, 3 * FRAME_US)),
        Figure(
            "one discipline over two queues: more by",
            "us",
            SHARED,
            mean_us,
            ((SLOW_BATCH - 1) / 2 * FRAME_US - FRAME_US / 2, (SLOW_BATCH + 1) / 2 * FRAME_US),
            why="of nine packets a packet that comes at random meets four or five, one by one",
            than=PROMPT,
        ),
    ),
)
