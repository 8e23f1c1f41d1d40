"""Whose frame is next, and when: weights, rate limits, launch times, and what the link partner stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from ringwire.cosim.world import SimulatedWorld
from ringwire.host.world import World
from ringwire.nic.descriptors import SegType, Status, pack_offload
from ringwire.nic.pacer import byte_time
from ringwire.nic.registers import GLOBAL_OFFSETS
from ringwire.nic.twin_world import TwinWorld
from tests.control.bench import (
    Queue,
    Sent,
    between,
    counters,
    latency_ns,
    period_ps,
    same,
    sent,
    stamp,
    take_faults,
    wire,
)
from tests.raw_queue import EOP, REPORT, start

GBIT = 1_000_000_000
OVERHEAD = 24
"""Bytes of preamble, FCS and inter-frame gap."""
L4, HEADER = 34, 54


def limit(queue: Queue, rate_bps: int) -> int:
    """Limit a queue's rate, bytes of its frames without FCS; 0: not. Returns the time of a byte, 2^-40 ns."""
    unit = byte_time(rate_bps) if rate_bps else 0
    queue.put("BYTE_TIME_LO", unit & 0xFFFFFFFF)
    queue.put("BYTE_TIME_HI", unit >> 32)
    return unit


def edge_after(world: World, time_ns: float) -> int:
    """The first clock edge that is not before a time, ps."""
    period = period_ps(world)
    return -(-Fraction(time_ns) * 1000 // period) * period


def queue_count(world: World) -> int:
    """Transmit queues of the device."""
    if isinstance(world, SimulatedWorld):
        return world.queues
    assert isinstance(world, TwinWorld)
    return world.device.config.queues


def launch_at(time_ns: int) -> int:
    """A launch time as a descriptor has it."""
    return time_ns << 16


# -- weights


@dataclass(frozen=True)
class Weighted:
    """Backlogged queues: each with frames of one size, a weight (0: none) and a priority."""

    sizes: tuple[int, ...]
    weights: tuple[int, ...]
    priorities: tuple[int, ...] = ()
    frames: int = 300
    """Of each queue."""
    cut: bool = False
    """Each queue's bytes are one packet that is cut into such frames."""


def turns(config: Weighted, served_last: int) -> list[int]:
    """The queue of each frame, by deficit round robin; those of a higher priority first."""
    count = len(config.sizes)
    priorities = config.priorities or (0,) * count
    left, credit, order = [config.frames] * count, [0] * count, []
    while any(left):
        top = max(priorities[number] for number in range(count) if left[number])
        turn = [(served_last + step) % count for step in range(1, count + 1)]
        may = [number for number in turn if left[number] and priorities[number] == top]
        while not any(not config.weights[number] or credit[number] > 0 for number in may):
            for number in range(count):
                if priorities[number] >= top:
                    credit[number] = min(credit[number] + config.weights[number], config.weights[number])
        served_last = next(number for number in may if not config.weights[number] or credit[number] > 0)
        credit[served_last] -= max(config.sizes[served_last], 60) * bool(config.weights[served_last])
        left[served_last] -= 1
        order.append(served_last)
    return order


async def weighted(world: World, config: Weighted) -> None:
    """Every queue has a full ring before the first frame may leave: the order is that of deficit round robin."""
    queues = [Queue(world, number, log2=9) for number in range(len(config.sizes))]
    for number, (queue, size) in enumerate(zip(queues, config.sizes, strict=True)):
        queue.put("WEIGHT", config.weights[number])
        queue.put("PRIORITY", config.priorities[number] if config.priorities else 0)
        queue.enable()
        if config.cut:
            mss = size - HEADER
            queue.post_raw(pack_offload(SegType.TCP4, mss, HEADER, 14, L4))
            whole = HEADER + config.frames * mss
            pieces = [min(16_000, whole - at) for at in range(0, whole, 16_000)]
            for at, length in enumerate(pieces):
                queue.post(world.memory.map(bytes(length)), length, EOP | REPORT if at == len(pieces) - 1 else 0)
        else:
            addr = world.memory.map(bytes(size))
            for at in range(config.frames):
                queue.post(addr, size, EOP | (REPORT if at == config.frames - 1 else 0))
        queue.doorbell()
    await world.pause(4_000 + 20 * latency_ns(world))
    start(world, 10 * GBIT, bound=4_000)
    for queue in queues:
        await queue.wait(1, 100_000_000)
    order = [frame.queue for frame in sent(world)]
    # the first turn depends on who was served before, and after a reset that is nobody's affair
    same(order, turns(config, order[0] - 1), "queue of frame ")


# -- rates


@dataclass(frozen=True)
class Limited:
    """Queues with a limit, bit/s, and frames of one size; a limit of 0 is none. All are backlogged."""

    rates: tuple[int, ...]
    sizes: tuple[int, ...]
    line_bps: int
    frames: int
    """That the slowest sends."""
    bound: int = 4_000


async def limited(world: World, config: Limited) -> list[int]:
    """From its first frame to its last each queue has the bytes that its rate allows, exact to a frame.

    Returns how many frames of each queue left.
    """
    start(world, config.line_bps, bound=config.bound)
    queues = [Queue(world, number, log2=10) for number in range(len(config.rates))]
    units = [limit(queue, rate) for queue, rate in zip(queues, config.rates, strict=True)]
    addrs = [world.memory.map(bytes(size)) for size in config.sizes]
    gone = [0] * len(queues)
    seen = 0
    for queue, addr, size in zip(queues, addrs, config.sizes, strict=True):
        queue.enable()
        for _ in range(queue.entries - 1):
            queue.post(addr, size, EOP)
        queue.doorbell()
    posted = [queue.entries - 1 for queue in queues]
    slowest = max(
        range(len(queues)),
        key=lambda number: config.sizes[number] / config.rates[number] if config.rates[number] else 0,
    )

    def enough() -> bool:
        """Keep every ring full."""
        nonlocal seen
        frames = wire(world)
        for frame in frames[seen:]:
            gone[frame.queue] += 1
        seen = len(frames)
        for queue in queues:
            fresh = gone[queue.queue] + queue.entries - 8 - posted[queue.queue]
            if fresh > 64:
                posted[queue.queue] += fresh
                queue.tail = (queue.tail + fresh) % queue.entries
                queue.doorbell()
        return gone[slowest] >= config.frames

    frame_ns = config.sizes[slowest] * 8 * GBIT // (config.rates[slowest] or config.line_bps)
    step = max(100, min(100 * frame_ns, 400 * 84 * 8 * GBIT // config.line_bps))
    for _ in range(2_000_000):
        if enough():
            break
        await world.pause(step)
    frames = sent(world)
    ends = frames[-1].start_ps
    wire_ps = max((size + OVERHEAD) * 8 * GBIT * 1000 // config.line_bps for size in config.sizes)
    alone = len(queues) == 1
    for queue, unit, size in zip(queues, units, config.sizes, strict=True):
        if not unit:
            continue
        starts = [frame.start_ps for frame in frames if frame.queue == queue.queue]
        each = Fraction(size * unit * 1000, 1 << 40)
        same(max(size, 60), size, "a size that is not padded")
        # not before its time, but for what made up for lateness: a frame at most, and what was ahead of the first
        slack = 0 if alone else len(queues) * wire_ps + 3 * wire_ps
        for number, at in enumerate(starts):
            due = starts[0] + number * each
            assert at >= due - each - slack - 4 * period_ps(world), f"frame {number} left {due - at} ps too early"
        # and over all of the time as many as the rate allows
        want = int((ends - starts[0]) / each) + 1
        between(len(starts), want - 1, want + 1 + (slack > 0), f"frames of queue {queue.queue}")
        if alone and each > 40 * period_ps(world):
            # nobody is in the way: each comes within some clocks of its time
            worst = max(at - starts[0] - number * each for number, at in enumerate(starts))
            between(int(worst), -period_ps(world), 12 * period_ps(world), "the latest frame, ps")
    return gone


# -- launch times


@dataclass(frozen=True)
class Launch:
    """Packets of one queue, each with a time after the one before, ns; 0: none."""

    gaps: tuple[int, ...]
    line_bps: int = 100 * GBIT
    size: int = 300
    cut: int = 0
    """So many segments of each packet."""
    lead: int | None = None


async def launched(world: World, config: Launch) -> None:
    """Each leaves at the first clock edge that is not before its time, or the one behind it."""
    start(world, config.line_bps)
    if config.lead is not None:
        world.port().write(GLOBAL_OFFSETS["LAUNCH_LEAD"], config.lead)
    queue = Queue(world, log2=8)
    queue.enable()
    await world.pause(1_000)
    time = world.timeline.now_ns + 8_000 + 4 * latency_ns(world)
    want = []
    for number, gap in enumerate(config.gaps):
        time += gap
        kind = SegType.TCP4 if config.cut else SegType.NONE
        shape = (config.size - HEADER, HEADER, 14, L4) if config.cut else (0, 0, 0, 0)
        queue.post_raw(pack_offload(kind, *shape, launch=launch_at(time) if gap else 0))
        length = HEADER + config.cut * (config.size - HEADER) if config.cut else config.size
        queue.packet(bytes([number]) * length)
        want.append(time if gap else None)
    queue.doorbell()
    await queue.wait(len(config.gaps), 100_000_000)
    same([each.status for each in queue.got], [Status.OK] * len(config.gaps), "status of packet ")
    frames = sent(world)
    count = max(config.cut, 1)
    same(len(frames), count * len(config.gaps), "frames")
    for number, at in enumerate(want):
        first = frames[number * count]
        if at is not None:
            early = edge_after(world, at)
            between(first.start_ps, early, early + period_ps(world), f"packet {number}, for {at} ns")
        spent = frames[number * count + count - 1].start_ps - first.start_ps
        wire_ps = (config.size + OVERHEAD) * 8 * GBIT * 1000 // config.line_bps
        longest = max(wire_ps, -(-config.size // 8) * period_ps(world)) * (count - 1) + 4 * period_ps(world)
        between(spent, 0, longest, f"from the first to the last segment of packet {number}, ps")


async def far(world: World, bits: range) -> None:
    """However far ahead a launch time is, it is waited for: each bit of it counts. Each queue has its turn."""
    start(world, 10 * GBIT)
    for bit in bits:
        queue = Queue(world, bit % queue_count(world))
        queue.enable()
        queue.post_raw(pack_offload(SegType.NONE, 0, 0, 0, 0, launch=1 << bit, drop_late=True))
        queue.packet(b"f" * 60)
        queue.doorbell()
        await world.pause(1_000 + 6 * latency_ns(world))
        same(sent(world), [], f"frames that leave before 2^{bit}")
        same(await queue.reset(), [], f"completions of a packet that waits for 2^{bit}")
    want = {"DESC_FETCHED": 2 * len(bits), "DOORBELLS": len(bits)}
    same(await counters(world), want, "counters")


async def late(world: World, queues: int) -> list[list[tuple[Status, bool]]]:
    """A packet whose time has passed is sent at once, or with DROP_LATE not at all; those behind it leave.

    Returns, of each queue, status and whether it left, by packet.
    """
    start(world, 10 * GBIT)
    await world.pause(20_000)
    found = []
    for number in range(queues):
        queue = Queue(world, number)
        queue.enable()
        now = world.timeline.now_ns
        plans = [(1, True), (1, False), (now - 1_000, True), (now + 9_000, True), (0, False), (now + 20_000, False)]
        plans += [(now + 12_000, True)]  # behind one that leaves later, it is late
        for at, (time, drop) in enumerate(plans):
            segments = at % 2
            kind = (SegType.TCP4, 200, HEADER, 14, L4) if segments else (SegType.NONE, 0, 0, 0, 0)
            queue.post_raw(pack_offload(*kind, launch=launch_at(time) if time != 1 else 1, drop_late=drop))
            queue.packet(bytes([at + 1]) * 400)
        queue.doorbell()
        await queue.wait(len(plans), 1_000_000)
        left = {frame.data[0] - 1 for frame in sent(world, number)}
        found.append([(each.status, at in left) for at, each in enumerate(queue.got)])
        lost = (Status.LATE, False)
        gone = (Status.OK, True)
        same(found[-1], [lost, gone, lost, gone, gone, gone, lost], f"queue {number}, packet ")
    same((await counters(world))["ERR_LATE"], 3 * queues, "ERR_LATE")
    return found


async def others_pass(world: World, queues: int) -> None:
    """While one queue waits for its launch time the others send, and it leaves at its time all the same."""
    start(world, 10 * GBIT)
    waiting, *others = [Queue(world, number, log2=9) for number in range(queues)]
    for queue in (waiting, *others):
        queue.enable()
    time = world.timeline.now_ns + 60_000
    waiting.post_raw(pack_offload(SegType.NONE, 0, 0, 0, 0, launch=launch_at(time)))
    waiting.packet(b"w" * 100)
    waiting.packet(b"x" * 100)
    waiting.doorbell()
    for queue in others:
        for _ in range(100):
            queue.packet(bytes([queue.queue]) * 200)
        queue.doorbell()
    for queue in others:
        await queue.wait(100)
    assert world.timeline.now_ns < time - 4_000, "the others have waited for a launch time that is not theirs"
    await waiting.wait(2)
    first, second = sent(world, 0)
    early = edge_after(world, time)
    between(first.start_ps, early, early + period_ps(world), "the launch")
    between(second.start_ps - first.start_ps, 0, 2 * (100 + OVERHEAD) * 800, "the packet behind it, later by")


async def failed_launches(world: World, config: None = None) -> None:
    """A packet that dies on its way takes its launch time with it: each of the others keeps its own."""
    start(world, 10 * GBIT)
    queue = Queue(world, log2=9)
    queue.enable()
    time = world.timeline.now_ns + 20_000
    want: list[tuple[Status, int | None]] = []
    for number in range(30):
        time += 700
        bad = number % 3 == 1
        # legal so far as can be seen; a length of 0 is known before any read
        queue.post_raw(pack_offload(SegType.NONE, 0, 0, 0, 0, launch=launch_at(time)))
        addr = world.memory.map(bytes([number]) * 90)
        if bad and number % 2:
            queue.post(addr, 0, EOP | REPORT)
            want.append((Status.BAD_LENGTH, None))
        elif bad:
            world.memory.forbid(addr)
            queue.post(addr, 90, EOP | REPORT)
            want.append((Status.READ, None))
        else:
            queue.post(addr, 90, EOP | REPORT)
            want.append((Status.OK, time))
    queue.doorbell()
    await queue.wait(30)
    same([each.status for each in queue.got], [status for status, _ in want], "status of packet ")
    frames = iter(sent(world))
    for number, (_, launch) in enumerate(want):
        if launch is not None:
            early = edge_after(world, launch)
            between(next(frames).start_ps, early, early + period_ps(world), f"packet {number}, for {launch} ns")
    take_faults(world)


# -- flow control


async def paused(world: World, line_bps: int) -> None:
    """While the link partner pauses the wire no frame starts; afterwards all go on, nothing is lost."""
    # what is read covers memory's latency, so that there is always a frame that could start
    start(world, line_bps, bound=2_000 + line_bps // 8_000_000 * 2)
    queues = [Queue(world, number, log2=9) for number in range(2)]
    for queue in queues:
        queue.enable()
        for number in range(200):
            queue.packet(bytes([number]) * 500)
        queue.doorbell()
    frame_ns = (500 + OVERHEAD) * 8 * GBIT // line_bps
    windows = []
    for length in (1, 7, 30):
        await world.pause(10 * frame_ns + 4 * latency_ns(world))
        world.flow_control(True)
        begin = world.timeline.now_ns
        await world.pause(length * frame_ns)
        windows.append((begin, world.timeline.now_ns))
        world.flow_control(False)
    for queue in queues:
        await queue.wait(200, 100_000_000)
    starts = [frame.start_ps for frame in sent(world)]
    same(len(starts), 400, "frames")
    grace = 4 * period_ps(world)
    for begin, end in windows:
        inside = [at for at in starts if begin * 1000 + grace < at < end * 1000]
        same(inside, [], f"frames that started in the pause from {begin} to {end} ns")
        after = min(at for at in starts if at >= end * 1000)
        between(after - end * 1000, 0, grace + frame_ns * 1000, "first frame after the pause, ps")


async def priority_paused(world: World, line_bps: int) -> None:
    """PFC stops the queues of its priorities, but for frames that were picked before; the others have the wire."""
    bound, size, frames = 4_000, 500, 60
    queues = [Queue(world, number, log2=9) for number in range(4)]
    for queue in queues:
        queue.put("PRIORITY", queue.queue // 2)
        queue.put("WEIGHT", 1_000)
        queue.enable()
        for number in range(frames):
            queue.packet(bytes([number]) * size)
        queue.doorbell()
    frame_ns = (size + OVERHEAD) * 8 * GBIT // line_bps
    await world.pause(4_000 + 20 * latency_ns(world))
    start(world, line_bps, bound=bound)
    await world.pause(20 * frame_ns)
    same({frame.queue for frame in sent(world)}, {2, 3}, "queues of the higher priority")
    world.flow_control(False, 1 << 1)
    begin = world.timeline.now_ns
    await world.pause(40 * frame_ns)
    end = world.timeline.now_ns
    world.flow_control(False, 0)
    for queue in queues:
        await queue.wait(frames, 100_000_000)
    inside = [frame for frame in sent(world) if begin * 1000 <= frame.start_ps < end * 1000]
    stopped = sum(frame.queue >= 2 for frame in inside)
    between(stopped, 0, bound // (size + OVERHEAD) + 2, "frames of the stopped priority")
    between(len(inside), 38, 41, "frames on the wire meanwhile")
    same(frames_after(sent(world), end, bound, line_bps), {2, 3}, "queues that have the wire again")


def frames_after(frames: Sequence[Sent], time_ns: int, bound: int, line_bps: int) -> set[int]:
    """Queues of ten frames once what was committed by a time has left."""
    begin = time_ns * 1000 + (bound + 3 * 600) * 8 * GBIT * 1000 // line_bps
    return {frame.queue for frame in [frame for frame in frames if frame.start_ps >= begin][:10]}


async def reset_while_held(world: World, config: None = None) -> list[Status]:
    """A queue that waits for a rate, a launch time or the link partner is reset as any other, and goes on."""
    start(world, 10 * GBIT)
    heard: list[Status] = []
    for reason in ("rate", "launch", "pause", "pfc"):
        queue, other = Queue(world, 0), Queue(world, 1)
        other.enable()
        queue.put("PRIORITY", 3)
        if reason == "rate":
            limit(queue, 1_000_000)
        queue.enable()
        if reason in ("pause", "pfc"):
            world.flow_control(reason == "pause", 1 << 3)
            await world.pause(100)
        launch = launch_at(world.timeline.now_ns + 5_000_000) if reason == "launch" else 0
        for number in range(10):
            queue.post_raw(pack_offload(SegType.NONE, 0, 0, 0, 0, launch=launch))
            queue.packet(bytes([number]) * 1000)
        queue.doorbell()
        await world.pause(30_000)
        if reason == "pause":
            # frames on their way have to leave, or a reset would not end before the pause
            world.flow_control(False)
        await queue.reset()
        heard += [each.status for each in queue.got]
        world.flow_control(False)
        limit(queue, 0)
        queue.enable()
        queue.send(b"again" * 20)
        other.send(b"other" * 20)
        await queue.wait(len(queue.got) + 1)
        await other.wait(1)
        for each in (queue, other):
            if each.queue:
                await each.reset()
        await queue.reset()
    return heard


async def stamps(world: World, config: None = None) -> None:
    """The time stamp that comes back is that of the launch."""
    start(world, 10 * GBIT)
    queue = Queue(world)
    queue.enable()
    time = world.timeline.now_ns + 12_345
    queue.post_raw(pack_offload(SegType.NONE, 0, 0, 0, 0, launch=launch_at(time)))
    queue.packet(b"s" * 64)
    queue.doorbell()
    (done,) = await queue.wait(1)
    same(done.time, stamp(sent(world)[0].start_ps), "time of the completion")
