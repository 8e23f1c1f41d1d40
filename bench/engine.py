"""What the engine costs: cycles a packet, cycles from doorbell to wire, edges a frame on a slow wire."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any

from bench.row import Row
from ringwire.cosim.world import SimulatedWorld
from ringwire.host.world import World
from ringwire.nic.registers import DATA_WIDTHS
from tests.datapath.lanes import NONE, ByteStore, Lane
from tests.datapath.supers import Supers, back_to_back
from tests.datapath.timing import Load, cycles_per_packet, doorbell_to_wire, edges_per_frame
from tests.datapath.worlds import place, run
from tests.raw_queue import REPORT, start

LENGTHS = (60, 128, 256, 512, 1514, 9000)
QUEUE_COUNTS = (1, 4, 16)
LATENCIES_NS = (0, 250, 1000)
FRAMES = 4_000
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
VERILATOR = place("verilator")


@dataclass(frozen=True)
class Shared:
    """Frames of one length on several queues, posted before the first doorbell."""

    length: int
    frames: int
    """A queue."""
    queues: int


async def cycles_of_many(world: World, load: Shared) -> float:
    """Clock cycles from one first beat to the next, on average, while all queues have frames."""
    assert isinstance(world, SimulatedWorld)
    store = ByteStore(world, 1 << 19)
    lanes = [Lane(world, queue, log2=10, mod_frames=64, mod_ns=50_000) for queue in range(load.queues)]
    start(world)
    stride = -(-load.length // 64) * 64
    for lane in lanes:
        lane.go()
        for number in range(load.frames):
            spans, data = store.cut([(number * stride % (1 << 18), load.length)])
            lane.send(spans, data, REPORT if number % 32 == 31 or number == load.frames - 1 else NONE)
    for lane in lanes:
        lane.doorbell()
    for lane in lanes:
        await lane.drain()
    starts = [frame.start_ps for frame in world.capture.frames]
    return (starts[-1] - starts[0]) / world.settings.period_ps / (len(starts) - 1)


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
    """Super-packets of 64 KiB back to back: the share of the line's rate, and cycles a segment with the pacer open."""
    knobs: dict[str, Any] = {"data_w": width, "queues": queues, "period_ps": period_ps, "latency_ns": 500}
    behind, spent = run(VERILATOR, back_to_back, Supers(mss, rate_bps, queues=queues), **knobs)
    _, open_cycles = run(VERILATOR, back_to_back, Supers(mss, queues=queues), **knobs)
    count = Supers(mss, queues=queues).segments
    share = 100 * (1 - max(0.0, behind - 1) / (spent * count))
    name = f"engine/{width}b/TSO-{mss}/{queues}q"
    yield Row(f"{name}/line-rate", share, "% of line rate", "higher", bound=100, goal=100)
    yield Row(f"{name}/cycles", open_cycles, "cycles/segment", "lower")


def cycles(width: int, length: int, queues: int, latency_ns: int) -> Row:
    """Cycles a packet with the pacer open and the rings kept full, frames aligned, one descriptor each."""
    load = Load(length, FRAMES if length < 9000 else FRAMES // 8)
    if queues == 1:
        value = run(VERILATOR, cycles_per_packet, load, data_w=width, latency_ns=latency_ns)
    else:
        shared = Shared(length, 1000 if queues == 4 else 500, queues)
        value = run(VERILATOR, cycles_of_many, shared, data_w=width, latency_ns=latency_ns, queues=queues)
    bound = ceil(8 * length / width) + DESCRIPTOR_BITS / width
    peer = CYCLE_PEERS.get((width, length, latency_ns)) if queues == 1 else None
    return Row(
        f"engine/{width}b/{length}B/{queues}q/{latency_ns}ns/cycles",
        value,
        "cycles/packet",
        "lower",
        bound=bound,
        goal=CYCLE_GOALS.get((width, length)),
        peer=None if peer is None else (CORUNDUM, peer),
    )
