"""The wire's schedule: when frames start, judged against exact fractions.

Times are nanoseconds as fractions. The device reads its time input at clock edges, in units of 2^-16 ns rounded down,
and is told the time of a byte in units of 2^-40 ns rounded up; beyond these nothing may be lost or gained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from random import Random

from ringwire.cosim.world import SimulatedWorld
from ringwire.driver.ringwire import commit_bound
from ringwire.host.world import PS_PER_NS, World
from ringwire.nic.pacer import MIN_FRAME
from ringwire.nic.registers import GLOBAL_OFFSETS, Stat, stat_register
from tests.control.bench import Sent, between, latency_ns, period_ps, same, sent
from tests.datapath.lanes import ByteStore, Lane, judge
from tests.raw_queue import read, start

BYTE_TIME_UNIT = Fraction(1, 1 << 40)
STAMP_UNIT = Fraction(1, 1 << 16)
FCS = 4
OVERHEAD = 8 + FCS + 12
"""Bytes of the wire that a frame takes beyond its own: preamble, FCS, inter-frame gap."""


def byte_ns(rate_bps: int) -> Fraction:
    """A byte's time on the wire."""
    return Fraction(8 * 10**9, rate_bps)


def programmed_byte_ns(rate_bps: int) -> Fraction:
    """The same in what the register can hold: never less."""
    units = byte_ns(rate_bps) / BYTE_TIME_UNIT
    return -(-units.numerator // units.denominator) * BYTE_TIME_UNIT


def edge_from(time_ns: Fraction, period: int) -> int:
    """The first edge, in ps, at or after ``time_ns``."""
    return -(-time_ns * PS_PER_NS // period) * period


def wire_bytes(frame: Sent) -> int:
    return len(frame.data) + OVERHEAD


def fastest(lengths: Sequence[int], rate_bps: int, period: int, beat_bytes: int) -> int:
    """Clock cycles from the first of these frames to the end of the last at best: at the line's rate, or at the bus's.

    A frame whose beats take longer than its bytes do on the wire keeps the next one from starting when it is due.
    """
    edge, due = 0, Fraction(0)
    for length in lengths:
        if edge - due >= 1:  # the wire was idle
            due = Fraction(edge)
        due += (max(length, MIN_FRAME) + OVERHEAD) * byte_ns(rate_bps) * PS_PER_NS / period
        edge = max(edge + -(-max(length, MIN_FRAME) // beat_bytes), -(-due.numerator // due.denominator))
    return edge


def judge_backlogged(frames: Sequence[Sent], rate_bps: int, period: int) -> None:
    """Each frame starts at the first edge at which those before it have had their time, counted from the first start.

    Where that time lies on an edge, but for what time input and register cannot tell, the edge after is right too. So
    no frame is early, and none is late by more than a clock.
    """
    begin = Fraction(frames[0].start_ps, PS_PER_NS)
    total = 0
    for number, (before, frame) in enumerate(pairwise(frames), 1):
        total += wire_bytes(before)
        exact = begin + total * byte_ns(rate_bps)
        first = edge_from(exact - STAMP_UNIT, period)
        last = edge_from(exact + STAMP_UNIT + total * BYTE_TIME_UNIT, period)
        what = f"frame {number} at {rate_bps} bit/s, whose exact time is {float(exact * PS_PER_NS)} ps, starts at"
        between(frame.start_ps, first, last, what)


def judge_steady(frames: Sequence[Sent], rate_bps: int, period: int) -> None:
    """The same of frames from the middle of a backlog, where a frame's own start tells the schedule to a clock only.

    There is a time from which on each starts at the first edge at which those before it have had theirs.
    """
    total, behind = Fraction(0), []
    for frame in frames:
        behind.append(Fraction(frame.start_ps, PS_PER_NS) - total)
        total += wire_bytes(frame) * byte_ns(rate_bps)
    apart = max(behind) - min(behind)
    slack = 2 * STAMP_UNIT + total / byte_ns(rate_bps) * BYTE_TIME_UNIT
    assert apart <= Fraction(period, PS_PER_NS) + slack, f"frames at {rate_bps} bit/s are {float(apart)} ns off"


def judge_distances(frames: Sequence[Sent], rate_bps: int, period: int) -> None:
    """No two frames, neighbours or far apart, are closer than the wire times between them, but for a clock."""
    slack = Fraction(period, PS_PER_NS) + STAMP_UNIT
    earliest = Fraction(0)
    for number, frame in enumerate(frames):
        now = Fraction(frame.start_ps, PS_PER_NS)
        assert now + slack > earliest, f"frame {number} at {rate_bps} bit/s starts {float(earliest - now)} ns too early"
        earliest = max(earliest, now) + wire_bytes(frame) * byte_ns(rate_bps)


def set_rate(world: World, rate_bps: int) -> None:
    """Pace to a line rate from now on."""
    units = int(programmed_byte_ns(rate_bps) / BYTE_TIME_UNIT)
    port = world.port()
    port.write(GLOBAL_OFFSETS["BYTE_TIME_LO"], units & 0xFFFFFFFF)
    port.write(GLOBAL_OFFSETS["BYTE_TIME_HI"], units >> 32)


LONGEST = 1600
"""Bytes of a frame, but for each rate's first."""


@dataclass(frozen=True)
class Rates:
    """Which rates, and how many frames of each."""

    rates_bps: tuple[int, ...]
    frames: int = 40
    beat_bytes: int = 64
    gaps: bool = False
    """Frames come one by one, at random times about as far apart as they last, instead of all at once."""
    bounded: bool = False
    """What is committed is bounded as the driver does it."""


async def schedule(world: World, config: Rates) -> list[int]:
    """Frames of random lengths at one rate after the other. Returns when each begins, ps."""
    random = Random(5)
    period = period_ps(world)
    store = ByteStore(world, 1 << 16)
    lane = Lane(world, log2=8, mod_frames=64, mod_ns=1_000)
    start(world, config.rates_bps[0])
    lane.go()
    begin = 0
    for rate in config.rates_bps:
        set_rate(world, rate)
        if config.bounded:
            bound = commit_bound(rate, latency_ns(world), LONGEST + OVERHEAD)
            world.port().write(GLOBAL_OFFSETS["COMMIT_BOUND"], bound)
        # the first is long, so that those behind it are in the frame buffer when their turn comes
        lengths = [
            LONGEST if config.bounded else 4000,
            *(random.choice((60, 61, 64, 200, 1514, random.randint(1, LONGEST))) for _ in range(config.frames)),
        ]
        for length in lengths:
            if not config.gaps and not sustainable(length, rate, period, config.beat_bytes):
                continue
            await lane.room(1)
            spans, data = store.cut([(64 * random.randrange(100), length)])
            lane.send(spans, data)
            if config.gaps:
                lane.doorbell()
                await world.pause(random.randrange(2 * int((length + OVERHEAD) * byte_ns(rate)) + 1))
        await lane.drain()
        await world.pause(int(OVERHEAD * byte_ns(rate)))  # so that the next rate begins on a wire that is free
        frames = sent(world)[begin:]
        begin += len(frames)
        if not config.gaps:
            assert len(frames) > config.frames // 3, f"{len(frames)} lengths can be sustained at {rate} bit/s"
            judge_backlogged(frames, rate, period)
        judge_distances(frames, rate, period)
    await judge(world, [lane])
    return [frame.start_ps for frame in sent(world)]


TO_THE_BIT = 1001
"""Bytes of a frame for :func:`exact`: odd with what belongs to it."""


def longer_by(units: int, length: int = TO_THE_BIT, clocks_ns: int = 4) -> int:
    """A byte's time in units of 2^-40 ns: a frame then takes so many units more than a whole number of clocks."""
    whole = clocks_ns << 40
    size = length + OVERHEAD
    # a byte takes more than a clock, so that the bus can follow
    return units * pow(size, -1, whole) % whole + whole


EDGES = [longer_by(units) for units in (0, *(1 << bit for bit in range(42)))]
"""Byte times at which a frame is due on an edge, or behind it by one bit of the sum, each bit in turn."""


async def exact(world: World, config: list[int]) -> None:
    """Three frames at one byte time after the other start at the edge when they are due, to the last bit of the sum.

    ``config``: the byte times, units of 2^-40 ns. The clock's period is whole nanoseconds, so that the device knows it.
    """
    length, times = TO_THE_BIT, config
    period = period_ps(world)
    store = ByteStore(world, 1 << 12)
    lane = Lane(world, log2=6, mod_frames=3, mod_ns=1_000)
    start(world, 10**9)
    lane.go()
    for units in times:
        port = world.port()
        port.write(GLOBAL_OFFSETS["BYTE_TIME_LO"], units & 0xFFFFFFFF)
        port.write(GLOBAL_OFFSETS["BYTE_TIME_HI"], units >> 32)
        begin = len(sent(world))
        await lane.room(3)
        for _ in range(3):
            lane.send(*store.cut([(0, length)]))
        await lane.drain()
        byte = units * BYTE_TIME_UNIT
        await world.pause(int(OVERHEAD * byte) + 1)
        first, *others = [frame.start_ps for frame in sent(world)[begin:]]
        edges = [edge_from(first * Fraction(1, PS_PER_NS) + k * (length + OVERHEAD) * byte, period) for k in (1, 2)]
        same(others, edges, f"a byte takes {units} units; start of frame ")
    await judge(world, [lane])


def sustainable(length: int, rate_bps: int, period: int, beat_bytes: int) -> bool:
    """Whether the bus can bring such frames, and their descriptors, as fast as the wire takes them."""
    beats = -(-max(length, 60) // beat_bytes) + Fraction(16, beat_bytes)
    return beats * period <= (max(length, 60) + OVERHEAD) * byte_ns(rate_bps) * PS_PER_NS


async def opened(world: World, length: int) -> list[tuple[int, int]]:
    """A slow wire fills the frame buffer; then the pacer is opened. (start, end) of each frame after the first, ps.

    It is opened in the gap behind the first frame, so that nothing waits any more for a frame's end on a slow wire.
    """
    assert isinstance(world, SimulatedWorld)
    store = ByteStore(world, 1 << 16)
    lane = Lane(world, log2=8, mod_frames=200, mod_ns=1_000)
    rate = 10_000_000
    start(world, rate)
    lane.go()
    count = min(200, 60_000 // length)
    for number in range(count):
        spans, data = store.cut([(64 * number, length)])
        lane.send(spans, data)
    lane.doorbell()
    await world.pause(10_000)
    first = sent(world)[0]
    await world.pause(int(first.start_ps / PS_PER_NS + (length + 4 + 10) * byte_ns(rate)) - world.timeline.now_ns)
    same(len(sent(world)), 1, "frames on the wire when it is opened")
    start(world)
    await lane.drain()
    await judge(world, [lane])
    return [(frame.start_ps, frame.end_ps) for frame in world.capture.frames[1:]]


async def committed(world: World, config: tuple[int, int]) -> list[int]:
    """Frames that have been read while each frame has the wire, of a backlog of 60 at 1 Gb/s.

    ``config``: (COMMIT_BOUND, bytes of a frame).
    """
    (bound, length), count = config, 60
    store = ByteStore(world, 1 << 16)
    lane = Lane(world, log2=7, mod_frames=60, mod_ns=1_000)
    start(world, 10**9, bound=bound)
    lane.go()
    for number in range(count):
        lane.send(*store.cut([(4096 * (number % 8), length)]))  # one read each
    lane.doorbell()
    reads = []
    for number in range(count):
        while len(sent(world)) <= number:
            await world.pause(500)
        await world.pause(2_000)  # shorter than any frame
        reads.append(await read(world, stat_register(Stat.READ_REQUESTS)))
    await lane.drain()
    await judge(world, [lane])
    return reads
