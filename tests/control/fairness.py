"""Queues that share the wire: a frame of each in turn, and no more frames ahead of a new one than are allowed."""

from __future__ import annotations

from dataclasses import dataclass

from ringwire.host.world import World
from ringwire.nic.descriptors import SegType, pack_offload
from ringwire.nic.pacer import wire_bytes
from ringwire.nic.registers import GLOBAL_OFFSETS, MAX_BUFFER
from tests.control.bench import Queue, between, latency_ns, same, sent, until, wire
from tests.raw_queue import EOP, payloads, start

WAIT_BPS = 1_000_000_000
"""Line rate of :func:`waits`."""
TO_SCHEDULER_NS = 100
"""From the doorbell to the request for the descriptor, and from its arrival to the scheduler."""
MOST_AHEAD = 200
"""Frames, more than are ever ahead of another."""
L3, L4 = 14, 34


@dataclass(frozen=True)
class Shares:
    """Backlogged queues, each with frames of one size."""

    sizes: tuple[int, ...]
    """Of each queue's frames, bytes."""
    frames: int
    """On which they are judged."""
    rate_bps: int = 100_000_000_000
    bound: int = 0


def jain(shares: list[int]) -> float:
    """Jain's fairness index: 1 when all have the same, 1/n when one has all."""
    return sum(shares) ** 2 / (len(shares) * sum(share * share for share in shares))


async def shares(world: World, config: Shares) -> None:
    """Every queue has a full ring before the first frame may leave, and while they do: all have the same share."""
    queues = [Queue(world, number, log2=10) for number in range(len(config.sizes))]
    for queue, size in zip(queues, config.sizes, strict=True):
        addr = world.memory.map(bytes([queue.queue]) * size)
        queue.enable()
        for _ in range(queue.entries - 1):
            queue.post(addr, size, EOP)
        queue.doorbell()
    await world.pause(2_000 + 10 * latency_ns(world))
    start(world, config.rate_bps, bound=config.bound)
    posted = [queue.entries - 1 for queue in queues]
    gone = [0] * len(queues)
    frames = wire(world)
    seen = 0

    def enough() -> bool:
        """Keep every ring as full as it was, until there are enough frames."""
        nonlocal frames, seen
        frames = wire(world)
        for frame in frames[seen:]:
            gone[frame.queue] += 1
        seen = len(frames)
        for queue in queues:
            # of those that have left, some may still be on their way through the device
            fresh = gone[queue.queue] + queue.entries - 8 - posted[queue.queue]
            if fresh > 0:
                posted[queue.queue] += fresh
                queue.tail = (queue.tail + fresh) % queue.entries
                queue.doorbell()
        return seen >= config.frames

    await until(world, enough, f"{config.frames} frames", 1_000_000_000, 10_000)
    order = [frame.queue for frame in frames[: config.frames]]
    # nobody is served twice while another waits: any so many frames in a row hold each queue once
    count = len(queues)
    for at in range(0, config.frames - count + 1):
        same(sorted(order[at : at + count]), list(range(count)), f"queues of the {count} frames from number {at}")
    for number, size in enumerate(config.sizes):
        frame = next(frame for frame in frames if frame.queue == number)
        same(frame.data, bytes([number]) * size, f"frame of queue {number}")
    index = jain([order.count(number) for number in range(count)])
    assert index >= 0.999, f"Jain's index of {config.frames} frames is {index}"


@dataclass(frozen=True)
class Wait:
    """Queues are backlogged at 1 Gb/s; another posts a frame now and then."""

    bound: int
    """COMMIT_BOUND."""
    ahead: range
    """How many frames of the backlog may be ahead of the other queue's, the one on the wire counted."""
    turns: int
    """Frames that the other queue posts."""
    size: int = 1514
    """Of the backlog's frames."""
    bulk: int = 1
    """Queues that are backlogged."""
    priority: int = 0
    """Of the other queue; theirs is 0."""
    cut: bool = False
    """The backlog is of super-packets, whose segments have ``size``, but for a shorter one at the end of each."""


async def waits(world: World, config: Wait) -> int:
    """Of the backlog, as many frames as allowed end on the wire between another queue's doorbell and its frame.

    What ends while the descriptor is read is not counted: nobody can know of the frame before. Returns the most that
    were.
    """
    start(world, WAIT_BPS, bound=config.bound)
    backlogs, other = [Queue(world, number, log2=10) for number in range(config.bulk)], Queue(world, config.bulk)
    frame_ns = wire_ns(config.size)
    other.put("PRIORITY", config.priority)
    other.enable()
    for backlog in backlogs:
        backlog.enable()
        (post_supers if config.cut else post_frames)(backlog, config)
        backlog.doorbell()
    await world.pause(60 * frame_ns)
    most = 0
    mine = world.memory.map(payloads([60])[0])
    for turn in range(config.turns):
        # at another part of a frame's time each
        await world.pause(3 * frame_ns + frame_ns * turn // config.turns)
        known_ps = (world.timeline.now_ns + latency_ns(world) + TO_SCHEDULER_NS) * 1000
        other.post(mine, 60, EOP)
        other.doorbell()
        await until(world, lambda n=turn: len(sent(world, other.queue)) > n, "the frame", 100 * frame_ns, 1_000)  # type: ignore[misc]
        own = sent(world, other.queue)[-1].start_ps
        bulk = [frame for frame in sent(world)[-MOST_AHEAD:] if frame.queue != other.queue]
        ahead = sum(known_ps < frame.start_ps + wire_ns(len(frame.data)) * 1000 <= own + 8_000 for frame in bulk)
        between(ahead, config.ahead.start, config.ahead.stop - 1, f"frames ahead of frame {turn} of the other queue")
        most = max(most, ahead)
    return most


def wire_ns(size: int) -> int:
    """Of a frame at the rate of :func:`waits`."""
    return wire_bytes(size) * 8_000_000_000 // WAIT_BPS


def post_frames(queue: Queue, config: Wait) -> None:
    """Fill a ring with frames."""
    addr = queue.world.memory.map(payloads([config.size])[0])
    for _ in range(queue.entries - 1):
        queue.post(addr, config.size, EOP)


def post_supers(queue: Queue, config: Wait) -> None:
    """Fill a ring with super-packets of 64 KiB."""
    addr = queue.world.memory.map(bytes(MAX_BUFFER), 0)
    header, pieces = L4 + 20, 4
    while queue.room() > pieces + 1:
        queue.post_raw(pack_offload(SegType.TCP4, config.size - header, header, L3, L4))
        queue.post(addr, header, 0)
        for number in range(pieces):
            queue.post(addr, MAX_BUFFER, EOP if number == pieces - 1 else 0)


async def strict(world: World, priorities: tuple[int, ...]) -> None:
    """Backlogs leave in the order of their queues' priorities, those of one priority in turns."""
    start(world, 10_000_000_000)
    port, count = world.port(), 40
    queues = [Queue(world, number) for number in range(len(priorities))]
    port.write(GLOBAL_OFFSETS["CTRL"], 0)
    for queue, priority in zip(queues, priorities, strict=True):
        queue.put("PRIORITY", priority)
        queue.enable()
        for number in range(count):
            queue.packet(bytes([number]) * 300)
        queue.doorbell()
    await world.pause(10_000 + 4 * latency_ns(world))  # until all are fetched
    start(world, 10_000_000_000)
    for queue in queues:
        await queue.wait(count)
    order = [frame.queue for frame in sent(world)]
    want: list[int] = []
    for level in sorted(set(priorities), reverse=True):
        # the first after the one that was served last
        last = want[-1] if want else order[0] - 1
        members = [number for number, priority in enumerate(priorities) if priority == level]
        want += sorted(members, key=lambda number, last=last: (number - last - 1) % len(priorities)) * count  # type: ignore[misc]
    same(order, want, "queue of frame ")
