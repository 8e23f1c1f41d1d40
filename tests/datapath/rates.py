"""The engine at its bus's limit: frames of any shape in a full ring, against what the bus can carry at best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from random import Random

from ringwire.cosim.world import SimulatedWorld
from ringwire.gso import completed
from ringwire.host.world import PS_PER_NS, World
from ringwire.nic.descriptors import DESCRIPTOR_BYTES
from ringwire.nic.pacer import MIN_FRAME
from tests.control.bench import Sent, period_ps, sent
from tests.datapath.lanes import NONE, ByteStore, Lane, Span, judge
from tests.datapath.pacing import fastest, judge_backlogged
from tests.raw_queue import REPORT, start

LOG2 = 14
AHEAD = 1_100
"""Frames, more than the device holds and has descriptors of."""
MANY, FEW = 7_000, 150
"""Frames for a rate where the bus is the limit, and for one where it is the line."""
PAGE = 4096
STORE = 1 << 20
CSUM = (14, 6)
"""Where a checksum begins, and the field from there."""


@dataclass(frozen=True)
class Shape:
    """Frames that are all alike, or of random lengths, posted before the doorbell."""

    length: int = 60
    offset: int = 0
    """Of each fragment, from the beginning of a line of 64 bytes."""
    header: int = 0
    """Bytes of a first fragment, which has a page of its own; 0: one fragment."""
    csum: bool = False
    every: int = 32
    """Every so many ask for a completion."""
    frames: int = 500
    shortest: int = 0
    """Lengths are drawn from this one to ``length``; 0: all have that."""

    @property
    def descriptors(self) -> int:
        """Of a frame."""
        return 2 if self.header else 1

    def spans(self, number: int) -> list[Span]:
        """Where the fragments of a frame lie in the store."""
        length = Random(number).randint(self.shortest, self.length) if self.shortest else self.length
        if not self.header:
            stride = -(-(self.offset + self.length) // 64) * 64
            return [(number * stride % (STORE // 2) + self.offset, length)]
        page = number % (STORE // PAGE // 8) * 4 * PAGE
        return [(page + self.offset, self.header), (page + PAGE + self.offset, length - self.header)]

    def cycles(self, beat: int, number: int = 0) -> Fraction:
        """The least that a frame takes, with beats of so many bytes: what is read, its descriptors with it."""
        spans = self.spans(number)
        read = sum((at + length - 1) // beat - at // beat + 1 for at, length in spans)
        out = -(-max(sum(length for _, length in spans), MIN_FRAME) // beat)
        return max(read + Fraction(self.descriptors * DESCRIPTOR_BYTES, beat), Fraction(out))


@dataclass(frozen=True)
class Rate:
    """What was measured of a shape: cycles from one first beat to the next, on average."""

    cycles: float
    bus_cycles: float
    """What the read channel takes at least."""
    wire_cycles: float
    """What the line allows, by its rate and by the beats that bring it frames; 0 with the pacer open."""

    def share(self, stalls: float = 0.0) -> float:
        """Of the rate that bus and line allow, at most 1; ``stalls``: the bus brings nothing for this share of time."""
        return min(1.0, max(self.bus_cycles / (1 - stalls), self.wire_cycles) / self.cycles)


@dataclass(frozen=True)
class Load:
    """Shapes, one after the other."""

    shapes: Sequence[Shape] = field(default_factory=list)
    rate_bps: int = 0
    """0: the pacer is open."""
    queues: int = 1
    exact: bool = False
    """The line's schedule must be kept to the clock."""
    middle: bool = False
    """Leave out the first frames, in whose time descriptors are fetched ahead, and the last, which need no more."""


async def measure(world: World, load: Load) -> list[Rate]:
    """A rate for each shape. All bytes, completions and counters are judged at the end."""
    assert isinstance(world, SimulatedWorld)
    store = ByteStore(world, STORE)
    lanes = [Lane(world, number, LOG2, mod_frames=64, mod_ns=50_000) for number in range(load.queues)]
    start(world, load.rate_bps)
    for lane in lanes:
        lane.go()
    rates = []
    begin = 0
    for shape in load.shapes:
        for lane in lanes:
            for number in range(shape.frames):
                post(lane, store, shape, number)
        for lane in lanes:
            lane.doorbell()
        for lane in lanes:
            await lane.drain()
        frames = sent(world)[begin:]
        begin += len(frames)
        if load.exact:
            judge_backlogged(frames, load.rate_bps, period_ps(world))
        rates.append(rate(frames, shape, load, world))
    await judge(world, lanes)
    return rates


def post(lane: Lane, store: ByteStore, shape: Shape, number: int) -> None:
    """A frame of the shape, as the device is to send it."""
    spans, data = store.cut(shape.spans(number))
    flags = REPORT if number % shape.every == shape.every - 1 or number == shape.frames - 1 else NONE
    if shape.csum:
        (data,) = (bytes(part) for part in completed((data,), len(data), *CSUM))
        lane.send(spans, data, flags, csum=CSUM)
    else:
        lane.send(spans, data, flags)


@dataclass(frozen=True)
class Refill:
    """Frames that are posted as completions make room for them, by software that takes no time."""

    log2: int
    """Of the ring's descriptors."""
    frames: int = 6_000
    every: int = 1
    length: int = 60


async def refilled(world: World, refill: Refill) -> tuple[int, float]:
    """Cycles from a lone frame's doorbell to its interrupt, and cycles a frame while the ring is kept full."""
    assert isinstance(world, SimulatedWorld)
    store = ByteStore(world, STORE)
    lane = Lane(world, log2=refill.log2)
    start(world)
    lane.go()
    shape = Shape(refill.length, every=refill.every, frames=refill.frames)
    await world.pause(1_000)
    begin_ps = world.now_ps()
    post(lane, store, Shape(refill.length, every=1), 0)
    await lane.drain()
    trip = (lane.interrupts[-1] * PS_PER_NS - begin_ps) // period_ps(world)
    for number in range(refill.frames):
        await lane.room(1)
        post(lane, store, shape, number)
    await lane.drain()
    await judge(world, [lane])
    starts = [frame.start_ps for frame in sent(world)]
    starts = starts[len(starts) // 4 : -len(starts) // 4]
    return trip, (starts[-1] - starts[0]) / period_ps(world) / (len(starts) - 1)


def steady(count: int) -> tuple[int, int]:
    """The first and the last of so many frames that are sent while descriptors come as fast as they are used.

    The device uses what a frame leaves of the bus to fetch further ahead. With the shortest frames this takes it 3,000.
    """
    return (count - 2 * AHEAD, count - AHEAD) if count >= MANY else (count * 3 // 10, count * 9 // 10)


def rate(frames: Sequence[Sent], shape: Shape, load: Load, world: SimulatedWorld) -> Rate:
    """The rate of these frames."""
    first, last = 0, len(frames) - 1
    if load.middle:
        first, last = steady(len(frames))
    between, period = last - first, period_ps(world)
    cycles = (frames[last].start_ps - frames[first].start_ps) / period / between
    bus = sum(shape.cycles(world.beat_bytes, number // load.queues) for number in range(first, last))
    wire = 0
    if load.rate_bps:
        lengths = [len(frame.data) for frame in frames[first:last]]
        wire = fastest(lengths, load.rate_bps, period, world.beat_bytes)
    return Rate(cycles, float(bus / between), wire / between)
