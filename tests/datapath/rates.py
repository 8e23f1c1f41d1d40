"""The engine at its bus's limit: frames of any shape in a full ring, against what the bus can carry at best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from ringwire.cosim.world import SimulatedWorld
from ringwire.gso import completed
from ringwire.host.world import World
from ringwire.nic.descriptors import DESCRIPTOR_BYTES
from ringwire.nic.pacer import MIN_FRAME, wire_bytes
from tests.control.bench import Sent, period_ps, sent
from tests.datapath.lanes import NONE, ByteStore, Lane, Span, judge
from tests.datapath.pacing import byte_ns, judge_backlogged
from tests.raw_queue import REPORT, start

LOG2 = 11
PAGE = 4096
STORE = 1 << 20
CSUM = (14, 6)
"""Where a checksum begins, and the field from there."""


@dataclass(frozen=True)
class Shape:
    """Frames that are all alike, posted before the doorbell."""

    length: int = 60
    offset: int = 0
    """Of each fragment, from the beginning of a line of 64 bytes."""
    header: int = 0
    """Bytes of a first fragment, which has a page of its own; 0: one fragment."""
    csum: bool = False
    every: int = 32
    """Every so many ask for a completion."""
    frames: int = 500

    @property
    def descriptors(self) -> int:
        """Of a frame."""
        return 2 if self.header else 1

    def spans(self, number: int) -> list[Span]:
        """Where the fragments of a frame lie in the store."""
        if not self.header:
            stride = -(-(self.offset + self.length) // 64) * 64
            return [(number * stride % (STORE // 2) + self.offset, self.length)]
        page = number % (STORE // PAGE // 8) * 4 * PAGE
        return [(page + self.offset, self.header), (page + PAGE + self.offset, self.length - self.header)]

    def cycles(self, beat: int) -> Fraction:
        """The least that a frame takes, with beats of so many bytes: what is read, its descriptors with it."""
        read = sum((at + length - 1) // beat - at // beat + 1 for at, length in self.spans(0))
        out = -(-max(self.length, MIN_FRAME) // beat)
        return max(read + Fraction(self.descriptors * DESCRIPTOR_BYTES, beat), Fraction(out))


@dataclass(frozen=True)
class Rate:
    """What was measured of a shape."""

    cycles: float
    """From one first beat to the next, on average."""
    wire_cycles: float
    """What the line's rate allows, the same way; 0 with the pacer open."""


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
    """Leave out the first frames, while whose time descriptors are fetched ahead, and the last, which need no more."""


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
        rates.append(judged(frames, load, period_ps(world)))
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


def judged(frames: Sequence[Sent], load: Load, period: int) -> Rate:
    """The rate of frames, which keep their schedule if that is asked for."""
    if load.exact:
        judge_backlogged(frames, load.rate_bps, period)
    if load.middle:
        frames = frames[len(frames) * 4 // 10 : -len(frames) * 3 // 10]
    between = len(frames) - 1
    cycles = (frames[-1].start_ps - frames[0].start_ps) / period / between
    if not load.rate_bps:
        return Rate(cycles, 0)
    wire_ns = sum(wire_bytes(len(frame.data)) for frame in frames[:-1]) * byte_ns(load.rate_bps)
    return Rate(cycles, float(wire_ns * 1000 / period / between))
