"""Rings that are kept full: frames are posted as completions make room for them, by software that takes no time."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from ringwire.cosim.world import SimulatedWorld
from ringwire.host.world import PS_PER_NS, World
from tests.control.bench import period_ps, sent
from tests.datapath.lanes import LIMIT_NS, NONE, ByteStore, Lane, judge
from tests.datapath.pacing import byte_ns, judge_steady, wire_bytes
from tests.raw_queue import REPORT, start

STORE = 1 << 19
WARM = 4_000
"""Frames in whose time the device gets as far ahead as it does."""


@dataclass(frozen=True)
class Refill:
    """Equal frames, each within as few beats as may be."""

    log2: int = 10
    """Of each ring's descriptors."""
    frames: int = 9_000
    """A queue, all in all."""
    every: int = 32
    """Every so many ask for a completion."""
    length: int = 60
    queues: int = 1
    rate_bps: int = 0
    """0: the pacer is open; else its schedule is judged."""


class Kept(NamedTuple):
    """What was measured while rings were full and the device as far ahead as it gets."""

    trip: int
    """Cycles from a lone frame's doorbell to its interrupt."""
    cycles: float
    """From one first beat to the next, on average."""
    per_s: float
    """Frames in a second of the simulated time."""
    late: float
    """Cycles that the first of them starts behind the line's schedule, counted from the first of all; 0: no line."""


def pool_beats(queues: int) -> int:
    """Beats of the descriptors that a device of 512 bits fetches ahead: while it does, payload waits for them."""
    ahead, reserve, beats_a_chunk = 64, 9, 2
    return beats_a_chunk * (ahead + (reserve * queues if queues > 1 else 0))


async def refilled(world: World, refill: Refill) -> Kept:
    """All bytes, completions and counters are judged as well."""
    assert isinstance(world, SimulatedWorld)
    store = ByteStore(world, STORE)
    start(world, refill.rate_bps)
    lanes = [Feeder(world, number, store, refill) for number in range(refill.queues)]
    for lane in lanes:
        lane.go()
    await world.pause(10_000)  # until all registers are written
    begin_ps = world.now_ps()
    lanes[0].send(*store.cut([(0, refill.length)]))
    await lanes[0].drain()
    trip = (lanes[0].interrupts[-1] * PS_PER_NS - begin_ps) // period_ps(world)
    await world.pause(1_000)
    for lane in lanes:
        lane.left = refill.frames
        lane.feed()
    await world.run(lambda: not any(lane.left for lane in lanes), LIMIT_NS, "the last frame to be posted")
    for lane in lanes:
        await lane.drain()
    await judge(world, lanes)
    frames = sent(world)[1:]
    # the last ring of each queue is not filled up again
    last = len(frames) - (refill.queues << refill.log2)
    first = min(WARM, last // 2)
    assert last - first >= 100, f"only {last - first} of {len(frames)} frames to measure"
    late = Fraction(0)
    # frames may come in bursts, one a round trip: whole rings, if there are some
    lap = lanes[0].entries - 1
    last -= (last - first) % lap if last - first > lap else 0
    if refill.rate_bps:
        judge_steady(frames[first:], refill.rate_bps, period_ps(world))
        on_wire = wire_bytes(frames[0]) * byte_ns(refill.rate_bps) * PS_PER_NS / period_ps(world)
        late = (frames[first].start_ps - frames[0].start_ps) // period_ps(world) - first * on_wire
        # as many as last a whole number of cycles: none is to be counted in part
        last -= (last - first) % on_wire.denominator
    spent = (frames[last].start_ps - frames[first].start_ps) // period_ps(world)
    cycles = Fraction(spent, last - first)
    return Kept(trip, float(cycles), float(10**12 / (cycles * period_ps(world))), float(late))


class Feeder(Lane):
    """A queue whose free descriptors are used again at once."""

    def __init__(self, world: World, number: int, store: ByteStore, refill: Refill) -> None:
        super().__init__(world, number, refill.log2)
        self.left = 0
        """Frames to be posted."""
        self._store = store
        self._refill = refill
        self._stride = -(-refill.length // 64) * 64

    def _interrupt(self) -> None:
        super()._interrupt()
        self.feed()

    def feed(self) -> None:
        """Fill the ring up, and tell the device."""
        fresh = min(self.left, self.free)
        for _ in range(fresh):
            spans, data = self._store.cut([(self.left * self._stride % (STORE // 2), self._refill.length)])
            self.left -= 1
            self.send(spans, data, NONE if self.left % self._refill.every else REPORT)
        if fresh:
            self.doorbell()
