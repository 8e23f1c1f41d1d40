"""Queues that share the wire: a frame of each in turn, and no more frames ahead of a new one than are allowed."""

from __future__ import annotations

from dataclasses import dataclass

from ringwire.host.world import World
from tests.control.bench import Queue, between, latency_ns, same, sent, until, wire
from tests.raw_queue import EOP, payloads, start

OVERHEAD = 24
"""Bytes of preamble, FCS and inter-frame gap."""


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
    """One queue is backlogged at 1 Gb/s; another posts a frame now and then."""

    bound: int
    """COMMIT_BOUND."""
    ahead: range
    """How many frames of the backlog may be ahead of the other queue's, the one on the wire counted."""
    turns: int
    """Frames that the other queue posts."""
    size: int = 1514
    """Of the backlog's frames."""


async def waits(world: World, config: Wait) -> None:
    """Of the backlog, as many frames as allowed end on the wire between another queue's doorbell and its frame."""
    rate = 1_000_000_000
    start(world, rate, bound=config.bound)
    backlog, other = Queue(world, 0, log2=10), Queue(world, 1)
    frame_ns = (config.size + OVERHEAD) * 8
    addr = world.memory.map(payloads([config.size])[0])
    backlog.enable()
    other.enable()
    for _ in range(backlog.entries - 1):
        backlog.post(addr, config.size, EOP)
    backlog.doorbell()
    await world.pause(60 * frame_ns)
    mine = world.memory.map(payloads([60])[0])
    for turn in range(config.turns):
        # at another part of a frame's time each
        await world.pause(3 * frame_ns + frame_ns * turn // config.turns)
        rung_ps = world.timeline.now_ns * 1000
        other.post(mine, 60, EOP)
        other.doorbell()
        await until(world, lambda n=turn: len(sent(world, 1)) > n, "the frame", 100 * frame_ns, 1_000)  # type: ignore[misc]
        own = sent(world, 1)[-1].start_ps
        ends = [frame.start_ps + frame_ns * 1000 for frame in sent(world, 0)]
        ahead = sum(rung_ps < end <= own + 8_000 for end in ends)
        between(ahead, config.ahead.start, config.ahead.stop - 1, f"frames ahead of frame {turn} of the other queue")
