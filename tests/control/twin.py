"""What the RTL and its twin must agree on: recorded in one world, to be compared with another's record."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from ringwire.host.world import World
from ringwire.nic.descriptors import DESCRIPTOR_BYTES, DescFlag
from ringwire.nic.registers import MAX_BUFFER, MAX_FRAME
from tests.control.bench import Queue, counters, sent, take_faults, until, wire
from tests.raw_queue import EOP, REPORT, TSTAMP, payloads, start

BAD_FLAGS = tuple(1 << bit for bit in range(16) if not 1 << bit & sum(DescFlag))
OFFLOADS = (DescFlag.CSUM, DescFlag.VLAN)
RATES = (0, 1_000_000_000, 10_000_000_000, 100_000_000_000)


@dataclass(frozen=True)
class Schedule:
    """A random schedule: everything in it comes from the seed."""

    seed: int
    batches: int = 8
    errors: float = 0.15
    broken_ring: bool = False
    """One queue meets a descriptor that can't be read."""


async def record(world: World, config: Schedule) -> dict[str, Any]:
    """Packets, doorbells, errors, consumption and configuration at random on four queues; and all that came of them.

    Per queue the frames and the completions without their times, and the counters that do not depend on timing.
    """
    random = Random(config.seed)
    at_fetch = random.random() < 0.2
    start(world, random.choice(RATES), at_fetch, random.choice((0, 0, 3000, 20_000)))
    queues = [Queue(world, number, log2=random.choice((6, 7, 8))) for number in range(4)]
    for queue in queues:
        queue.put("CPL_THRESHOLD", random.choice((1, 1, 3, 16)))
        queue.put("CPL_TIMER_NS", random.choice((200, 3_000)))
        queue.put("MOD_FRAMES", random.choice((0, 1, 10)))
        queue.put("MOD_NS", random.choice((0, 1_000)))
        queue.enable()
    broken = queues[random.randrange(4)] if config.broken_ring else None
    if broken is not None:
        world.memory.forbid(broken.ring.addr + random.randrange(8, 40) * DESCRIPTOR_BYTES)
    # a source of randomness for each queue, as the order between queues is not of the contract
    makers = {queue.queue: Maker(world, Random(random.getrandbits(32)), config.errors) for queue in queues}
    left = {queue.queue: config.batches for queue in queues}
    limit = 20_000
    while any(left.values()):
        limit -= 1
        assert limit, f"batches left: {left}"
        for queue in queues:
            queue.take()
            queue.consume()
            if queue is broken and any(entry.status.name == "DESC_READ" for entry in queue.got):
                left[queue.queue] = 0
            # what is posted must not depend on when the device is done: a batch follows when the last one is over
            if left[queue.queue] and queue.done == queue.tail:
                left[queue.queue] -= 1
                makers[queue.queue].batch(queue)
        await world.pause(2_000)

    def over() -> bool:
        for queue in queues:
            queue.take()
            queue.consume()
        return all(queue.done == queue.tail or queue is broken for queue in queues)

    await until(world, over, "the end of all packets", 100_000_000, 5_000)
    for queue in queues:
        for _ in range(20_000):
            if await queue.get("STATUS") & 1:
                break
    over()
    take_faults(world)
    seen = await counters(world)
    for name in ("INTERRUPTS", "HEAD_WRITTEN", "READ_REQUESTS", *(("DESC_FETCHED",) if broken is not None else ())):
        seen.pop(name, None)
    return {
        "frames": {queue.queue: [frame.data for frame in sent(world, queue.queue)] for queue in queues},
        "completions": {queue.queue: [entry._replace(time=0) for entry in queue.got] for queue in queues},
        "status": {queue.queue: await queue.get("STATUS") for queue in queues},
        "head": {queue.queue: await queue.get("HEAD") for queue in queues},
        "counters": seen,
    }


class Maker:
    """Posts batches of packets, legal and not."""

    def __init__(self, world: World, random: Random, errors: float) -> None:
        self.world = world
        self.random = random
        self.errors = errors
        self._number = 0

    def batch(self, queue: Queue) -> None:
        random = self.random
        if random.random() < 0.2:
            queue.put(
                "TAIL", queue.entries + random.randrange(100)
            )  # told before what follows, as nothing is on its way
        for _ in range(random.randint(1, 12)):
            if queue.room() < 16:
                break
            self._packet(queue, random.choice((0, REPORT, REPORT, REPORT | TSTAMP, TSTAMP)))
            if random.random() < 0.2:
                queue.doorbell()
        self._packet(queue, REPORT)
        queue.doorbell()

    def _packet(self, queue: Queue, flags: int) -> None:
        random, memory = self.random, self.world.memory
        self._number += 1
        kind = random.choice(("length", "flags", "long", "offload", "read")) if random.random() < self.errors else "ok"
        size = random.choice((1, 20, 59, 60, 61, 64, 65, 130, 1514, 1514, random.randint(1, 9_000)))
        parts = random.randint(1, min(size, random.choice((1, 1, 3, 8))))
        cuts = sorted(random.sample(range(1, size), parts - 1)) if parts > 1 else []
        data = bytes((self._number + 3 * at) & 0xFF for at in range(size))
        odd = random.randrange(parts)
        for number, (begin, end) in enumerate(zip([0, *cuts], [*cuts, size], strict=True)):
            addr, length, extra = memory.map(data[begin:end]), end - begin, 0
            if number == odd:
                if kind == "read":
                    memory.forbid(addr)
                elif kind == "length":
                    length = random.choice((0, MAX_BUFFER + 1))
                elif kind == "flags":
                    extra = random.choice(BAD_FLAGS)
                elif kind == "offload":
                    extra = random.choice(OFFLOADS)
            if kind == "long":
                length = MAX_BUFFER if parts > 1 else length
                if parts == 1:
                    queue.post(addr, MAX_BUFFER, 0)
                    length = MAX_FRAME - MAX_BUFFER + 1
            queue.post(addr, length, extra | flags | (EOP if number == parts - 1 else 0))


@dataclass(frozen=True)
class Preposted:
    """A full ring that is let go at once."""

    rate_bps: int
    sizes: tuple[int, ...]
    frames: int = 250


async def preposted(world: World, config: Preposted) -> list[tuple[int, bytes]]:
    """One queue with a full ring: (start in ps, bytes) of every frame."""
    start(world, config.rate_bps)
    queue = Queue(world, log2=9)
    sizes = [config.sizes[number % len(config.sizes)] for number in range(config.frames)]
    for data in payloads(sizes):
        queue.post(world.memory.map(data, 0), len(data), EOP | TSTAMP | REPORT)
    queue.enable()
    queue.doorbell()
    await queue.wait(config.frames, 1_000_000_000, 10_000)
    times = [entry.time for entry in queue.got]
    starts = [frame.start_ps for frame in wire(world)]
    assert times == [(at << 16) // 1000 for at in starts], "the completions' times are not those of the frames"
    return [(frame.start_ps, frame.data) for frame in wire(world)]
