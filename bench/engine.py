"""What the engine costs: cycles a packet, cycles from doorbell to wire, edges a frame on a slow wire."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import Any

from bench.row import Row
from ringwire.nic.registers import DATA_WIDTHS
from tests.datapath.refill import Kept, Refill, pool_beats, refilled
from tests.datapath.supers import Paced, Supers, back_to_back, most_at_first
from tests.datapath.timing import Load, doorbell_to_wire, edges_per_frame
from tests.datapath.worlds import place, run

LENGTHS = (60, 128, 256, 512, 1514, 9000)
QUEUE_COUNTS = (1, 4, 16)
LATENCIES_NS = (0, 250, 1000)
FRAMES = 9_000
"""On all queues, beyond those that fill the rings at last; of long ones a tenth."""
RING_LOG2 = 10
DESCRIPTOR_BITS = 128
CORUNDUM = "Corundum"
CYCLE_GOALS = {(512, 60): 1.5, (512, 1514): 24.5}
CYCLE_PEERS = {(512, 60, 0): 8.0, (512, 60, 1000): 18.75, (512, 1514, 0): 26.0}
LATENCY_GOAL, LATENCY_PEER = 40, 116
EDGE_GOALS = {512: 80, 64: 450}
SLOW_RATES = {"1G": 10**9, "5M": 5 * 10**6}
SEGMENT_RATES = {512: (10**11, 4000), 64: (10**10, 6400)}
"""Width: line rate in bit/s, clock period in ps."""
SEGMENT_SIZES = (1448, 536)
SEGMENT_LATENCY_NS = 500
LINE_BPS, FRAMES_PER_S = 10**11, 148_809_523
SHORT = 200
CAPTURE = 1 << 26
VERILATOR = place("verilator")


def rows() -> Iterator[Row]:
    """All by simulation with Verilator in the fast world; figures are simulated cycles."""
    for width in DATA_WIDTHS:
        for length in LENGTHS:
            yield cycles(width, length, 1, 0)
    for latency_ns in LATENCIES_NS[1:]:
        for length in (60, 1514):
            yield cycles(512, length, 1, latency_ns)
    for queues in QUEUE_COUNTS[1:]:
        for latency_ns in LATENCIES_NS:
            yield cycles(512, 60, queues, latency_ns)
        yield cycles(512, 1514, queues, 0)
    for queues in (1, 16):
        for latency_ns in LATENCIES_NS:
            kept = full(60, queues, latency_ns, rate_bps=LINE_BPS)
            name = f"engine/512b/60B/{queues}q/{latency_ns}ns/100G"
            yield Row(f"{name}/frames", int(kept.per_s), "frames/s", "higher", bound=FRAMES_PER_S, goal=FRAMES_PER_S)
            yield Row(f"{name}/start", kept.late, "cycles late", "lower", goal=pool_beats(queues))
    for width in DATA_WIDTHS:
        value = run(VERILATOR, doorbell_to_wire, 60, data_w=width, latency_ns=0)
        goal, peer = (LATENCY_GOAL, (CORUNDUM, LATENCY_PEER)) if width == 512 else (None, None)
        yield Row(f"engine/{width}b/60B/doorbell-to-wire", value, "cycles", "lower", goal=goal, peer=peer)
    for width, goal in EDGE_GOALS.items():
        for latency_ns in (0, 1000):
            loads = [Load(1514, 200, rate_bps=rate) for rate in SLOW_RATES.values()]
            spent = run(VERILATOR, edges_per_frame, loads, data_w=width, latency_ns=latency_ns)
            for rate, value in zip(SLOW_RATES, spent, strict=True):
                yield Row(
                    f"engine/{width}b/1514B/{rate}/{latency_ns}ns/edges", value, "edges/frame", "lower", goal=goal
                )
    for width, (rate_bps, period_ps) in SEGMENT_RATES.items():
        for mss in SEGMENT_SIZES:
            for queues in (1, 4):
                yield from segments(width, rate_bps, period_ps, mss, queues)


def segments(width: int, rate_bps: int, period_ps: int, mss: int, queues: int) -> Iterator[Row]:
    """Super-packets of 64 KiB back to back: the share of the line's rate, and cycles a segment with the pacer open.

    Share: but for a clock, of the segments from where descriptors are there; what is lost before has a row of its own.
    """
    knobs: dict[str, Any] = {
        "data_w": width,
        "queues": queues,
        "period_ps": period_ps,
        "latency_ns": SEGMENT_LATENCY_NS,
    }
    load = Supers(mss, rate_bps, queues=queues)
    paced: Paced = run(VERILATOR, back_to_back, load, **knobs)
    opened: Paced = run(VERILATOR, back_to_back, Supers(mss, queues=queues), **knobs)
    share = 100 * (1 - max(0.0, paced.behind - 1) / (paced.cycles * load.segments))
    name = f"engine/{width}b/TSO-{mss}/{queues}q"
    yield Row(f"{name}/line-rate", share, "% of line rate", "higher", bound=100, goal=100)
    most = 1 + most_at_first(load, width // 8, SEGMENT_LATENCY_NS * 1000 // period_ps)
    yield Row(f"{name}/start", max(0.0, paced.at_first), "cycles late", "lower", goal=most)
    yield Row(f"{name}/cycles", opened.cycles, "cycles/segment", "lower")


def full(length: int, queues: int, latency_ns: int, width: int = 512, rate_bps: int = 0) -> Kept:
    """Rings of 1,024 kept full of frames that are aligned, with one descriptor each."""
    frames = FRAMES if length <= SHORT else FRAMES // 10
    load = Refill(RING_LOG2, (1 << RING_LOG2) + frames // queues, length=length, queues=queues, rate_bps=rate_bps)
    kept: Kept = run(
        VERILATOR, refilled, load, queues=queues, latency_ns=latency_ns, data_w=width, capture_bytes=CAPTURE
    )
    return kept


def cycles(width: int, length: int, queues: int, latency_ns: int) -> Row:
    """Cycles a packet with the pacer open."""
    kept = full(length, queues, latency_ns, width)
    bound = ceil(8 * length / width) + DESCRIPTOR_BITS / width
    peer = CYCLE_PEERS.get((width, length, latency_ns)) if queues == 1 else None
    return Row(
        f"engine/{width}b/{length}B/{queues}q/{latency_ns}ns/cycles",
        kept.cycles,
        "cycles/packet",
        "lower",
        bound=bound,
        goal=CYCLE_GOALS.get((width, length)),
        peer=None if peer is None else (CORUNDUM, peer),
    )
