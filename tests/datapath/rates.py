"""The engine at its bus's limit: frames of any shape in a full ring, against what the bus can carry at best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from random import Random
from typing import Any, NamedTuple

from ringwire.cosim.world import SimulatedWorld
from ringwire.gso import completed
from ringwire.host.world import World
from ringwire.nic.descriptors import DESCRIPTOR_BYTES
from ringwire.nic.pacer import MIN_FRAME, wire_bytes
from tests.control.bench import Sent, period_ps, sent
from tests.datapath.lanes import NONE, ByteStore, Lane, Span, judge
from tests.datapath.pacing import fastest, judge_backlogged
from tests.raw_queue import REPORT, start

LOG2 = 15
AHEAD = 1_100
"""Frames, more than the device holds and has descriptors of."""
MANY = 7_000
"""Frames for a rate where the bus is the limit: the device needs 3,000 until it is as far ahead as it gets."""
SOME, FEW, FEWEST = 1_000, 60, 20
"""For a rate where the line is: of short frames, of others, and of those of many cycles."""
SHORT, MANY_CYCLES = 200, 100
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
    page: int | None = None
    """Offset of the second fragment, if it is not the first one's."""
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
        pages = number % (STORE // PAGE // 8) * 4 * PAGE
        second = self.offset if self.page is None else self.page
        return [(pages + self.offset, self.header), (pages + PAGE + second, length - self.header)]

    def cycles(self, beat: int, number: int = 0) -> Fraction:
        """The least that a frame takes, with beats of so many bytes: what is read, its descriptors with it."""
        spans = self.spans(number)
        read = sum((at + length - 1) // beat - at // beat + 1 for at, length in spans)
        out = -(-max(sum(length for _, length in spans), MIN_FRAME) // beat)
        return max(read + Fraction(self.descriptors * DESCRIPTOR_BYTES, beat), Fraction(out))


class Port(NamedTuple):
    """A device's width and clock, and the line behind it."""

    data_w: int
    period_ps: int
    rate_bps: int

    @property
    def knobs(self) -> dict[str, Any]:
        """Of ``run``."""
        return {"data_w": self.data_w, "period_ps": self.period_ps}

    def aligned(self, length: int) -> Shape:
        """As many frames of a length, from the beginning of a line, as its rate needs."""
        shape = Shape(length)
        on_line = wire_bytes(length) * 8 * 10**12 / self.rate_bps / self.period_ps
        if shape.cycles(self.data_w // 8) > on_line:
            return replace(shape, frames=MANY)
        return replace(shape, frames=SOME if length < SHORT else FEW if on_line < MANY_CYCLES else FEWEST)


PORTS = {
    "512 bits, 250 MHz": Port(512, 4000, 10**11),
    "512 bits, 322.27 MHz": Port(512, 3103, 10**11),
    "64 bits, 156.25 MHz": Port(64, 6400, 10**10),
}


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
    warm: int = 0
    """If not 0, shapes follow each other without a pause; so many frames like the first go before, some behind."""


async def starts(world: World, load: Load) -> list[int]:
    """When each frame starts while descriptors are fetched, ps from the first one's start; judged as by ``measure``."""
    await measure(world, load)
    frames = sent(world)[:-AHEAD]
    return [frame.start_ps - frames[0].start_ps for frame in frames]


async def measure(world: World, load: Load) -> list[Rate]:
    """A rate for each shape. All bytes, completions and counters are judged at the end."""
    assert isinstance(world, SimulatedWorld)
    store = ByteStore(world, STORE)
    lanes = [Lane(world, number, LOG2, mod_frames=64, mod_ns=50_000) for number in range(load.queues)]
    start(world, load.rate_bps)
    for lane in lanes:
        lane.go()
    rounds = [[shape] for shape in load.shapes]
    if load.warm:
        before, behind = replace(load.shapes[0], frames=load.warm), replace(load.shapes[-1], frames=AHEAD)
        rounds = [[before, *load.shapes, behind]]
    rates = []
    begin = 0
    for shapes in rounds:
        for lane in lanes:
            for shape in shapes:
                for number in range(shape.frames):
                    post(lane, store, shape, number)
        for lane in lanes:
            lane.doorbell()
        for lane in lanes:
            await lane.drain()
        frames = sent(world)
        for shape in shapes:
            end = begin + shape.frames * load.queues
            if load.exact:
                judge_backlogged(frames[begin:end], load.rate_bps, period_ps(world))
            rates.append(rate(frames[begin:end], shape, load, world))
            begin = end
    await judge(world, lanes)
    return rates[1:-1] if load.warm else rates


def post(lane: Lane, store: ByteStore, shape: Shape, number: int) -> None:
    """A frame of the shape, as the device is to send it."""
    spans, data = store.cut(shape.spans(number))
    flags = REPORT if number % shape.every == shape.every - 1 or number == shape.frames - 1 else NONE
    if shape.csum:
        (data,) = (bytes(part) for part in completed((data,), len(data), *CSUM))
        lane.send(spans, data, flags, csum=CSUM)
    else:
        lane.send(spans, data, flags)


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
