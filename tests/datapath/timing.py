"""Speed: cycles a packet, cycles from doorbell to wire, and simulated edges a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from ringwire.cosim.world import SimulatedWorld
from ringwire.host.world import PS_PER_NS, World
from ringwire.nic.pacer import MIN_FRAME
from tests.control.bench import period_ps, same
from tests.datapath.lanes import NONE, ByteStore, Lane, judge
from tests.datapath.pacing import FCS, byte_ns, edge_from, set_rate
from tests.raw_queue import REPORT, start


@dataclass(frozen=True)
class Load:
    """Frames of one length, all aligned to a beat."""

    length: int
    frames: int
    log2: int = 10
    rate_bps: int = 0
    """0: the pacer is open."""


async def cycles_per_packet(world: World, load: Load) -> float:
    """Clock cycles from one first beat to the next, on average, of a ring posted before the doorbell."""
    assert isinstance(world, SimulatedWorld)
    store = ByteStore(world, 1 << 19)
    lane = Lane(world, log2=load.log2, mod_frames=4, mod_ns=5_000)
    start(world, load.rate_bps)
    lane.go()
    stride = -(-load.length // 64) * 64
    for number in range(load.frames):
        spans, data = store.cut([(number * stride % (1 << 18), load.length)])
        lane.send(spans, data, REPORT if number % 32 == 31 or number == load.frames - 1 else NONE)
    await lane.drain()
    await judge(world, [lane])
    starts = [frame.start_ps for frame in world.capture.frames]
    return (starts[-1] - starts[0]) / period_ps(world) / (len(starts) - 1)


async def doorbell_to_wire(world: World, length: int) -> int:
    """Clock cycles from the edge at which the host's write reaches the register port to a frame's first beat."""
    assert isinstance(world, SimulatedWorld)
    store = ByteStore(world, 1 << 14)
    lane = Lane(world)
    start(world)
    lane.go()
    cycles = set()
    for _ in range(4):
        await world.pause(1_000)
        lane.send(*store.cut([(0, length)]))
        begin = world.now_ps()
        await lane.drain()
        # the host writes after the edge at `begin`: the port sees it at the next
        cycles.add((world.capture.frames[-1].start_ps - begin) // period_ps(world) - 1)
    await judge(world, [lane])
    same(len(cycles), 1, f"different latencies of equal frames: {sorted(cycles)}; their number")
    return cycles.pop()


@dataclass(frozen=True)
class Single:
    """A frame that is alone in the device."""

    length: int = 60
    rate_bps: int = 0


async def wire_to_interrupt(world: World, single: Single) -> int:
    """Clock cycles from a frame's last beat, or on a paced wire the end of its FCS, to the interrupt.

    The answer to the completion's write is part of them: the memory's latency.
    """
    assert isinstance(world, SimulatedWorld)
    store = ByteStore(world, 1 << 14)
    lane = Lane(world)
    start(world, single.rate_bps)
    lane.go()
    cycles = set()
    for _ in range(4):
        await world.pause(1_000)
        lane.send(*store.cut([(0, single.length)]))
        await lane.drain()
        frame = world.capture.frames[-1]
        over_ps = frame.end_ps
        if single.rate_bps:
            fcs_ns = (max(single.length, MIN_FRAME) + FCS) * byte_ns(single.rate_bps)
            over_ps = edge_from(Fraction(frame.start_ps, PS_PER_NS) + fcs_ns, period_ps(world))
        cycles.add((lane.interrupts[-1] * PS_PER_NS - over_ps) // period_ps(world))
    await judge(world, [lane])
    same(len(cycles), 1, f"different latencies of equal frames: {sorted(cycles)}; their number")
    return cycles.pop()


async def edges_per_frame(world: World, loads: Sequence[Load]) -> list[float]:
    """Simulated clock edges a frame of a backlog, interrupts and their service with it, of one load after the other."""
    assert isinstance(world, SimulatedWorld)
    store = ByteStore(world, 1 << 16)
    lane = Lane(world, log2=8, mod_frames=16, mod_ns=50_000)
    start(world, loads[0].rate_bps, bound=8_000)
    lane.go()
    spent = []
    for load in loads:
        set_rate(world, load.rate_bps)
        for number in range(load.frames):
            lane.send(*store.cut([(64 * (number % 100), load.length)]))
        before = world.edges
        await lane.drain()
        spent.append((world.edges - before) / load.frames)
    await judge(world, [lane])
    return spent
