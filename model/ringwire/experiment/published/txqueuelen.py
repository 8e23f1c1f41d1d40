"""What ``txqueuelen`` means for a packet that comes to a full queue."""

from __future__ import annotations

from ringwire.experiment.published.study import Figure, Run, Settings, Study, flow
from ringwire.experiment.results import Results

MS = 1_000_000
FRAME_BITS = 8 * (1514 + 24)
IN_RING = 3
"""Frames at the most that byte queue limits let ahead."""
SLOW: Settings = (
    ("link.rate", "1mbit"),
    ("flow.bulk.rate", "2mbit"),
    ("flow.sparse.pps", 20),
    ("warmup", "14s"),
    ("duration", "25s"),
)


def mean_ms(results: Results) -> float:
    """Of packets that found room, from the write to the end of the frame."""
    return float(flow(results, "sparse")["latency_mean_ns"]) / MS


def figure(
    kind: str, rate_mbps: int, packets: int, published: float | None, why: str = "", settings: Settings = ()
) -> Figure:
    """The packet is one of those that wait. If places come free late it finds half of them filled on average, or less,
    since others take them twice as fast as they come free."""
    frame_ms = FRAME_BITS / rate_mbps / 1000
    least, most = (packets + 2, packets + IN_RING) if kind == "pfifo" else (packets - 12, packets + IN_RING - 8)
    lines: Settings = () if kind == "pfifo_fast" else (("setup.lines", f"tc qdisc replace dev eth0 root {kind}"),)
    return Figure(
        f"{rate_mbps} Mbit/s, {kind}, {packets} packets",
        "ms",
        Run("txqueuelen", (("nic.txqueuelen", packets), *lines, *settings)),
        mean_ms,
        (least * frame_ms, most * frame_ms),
        published,
        why,
        digits=2,
    )


TXQUEUELEN = Study(
    key="txqueuelen",
    title="A packet behind a full queue",
    source="Linux Home Router Traffic Shaping With FQ_CoDel (b1c1l1.com, 2020)",
    text=(
        "pfifo and pfifo_fast hold `txqueuelen` packets unless told otherwise, and a sender that does not slow down "
        "keeps the queue full. A packet that finds room waits for as many frames, and for the two or three in the "
        "ring. pfifo_fast's queue has up to 15 places that are free and can't be used yet: they are given back 16 at "
        "a time (ptr_ring.h: two cache lines of pointers), in Linux and here. Figures are means of packets that found "
        "room."
    ),
    figures=(
        figure("pfifo", 1000, 1000, 12.0, "1000 frames of 1538 bytes are 12.3 ms, and the ring's are on top"),
        figure("pfifo_fast", 1000, 1000, 12.0, "the same, less what has not been given back"),
        figure("pfifo", 1000, 100, None, "a tenth"),
        figure("pfifo", 1, 1000, 12_000.0, "published without the 38 bytes that the wire adds to 1500", SLOW),
    ),
)
