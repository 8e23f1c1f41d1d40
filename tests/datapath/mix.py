"""A random mixture of everything that is legal, and all that came of it."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any
from zlib import crc32

from ringwire.cosim.world import SimulatedWorld
from ringwire.host.world import World
from ringwire.nic.descriptors import DescFlag
from ringwire.nic.registers import MAX_BUFFER, MAX_FRAME
from tests.control.bench import counters, same, sent
from tests.datapath.lanes import NONE, Lane, judge
from tests.raw_queue import REPORT, TSTAMP, start

WISHES = (REPORT, REPORT, REPORT | TSTAMP, NONE, NONE)
MODERATIONS = ((0, 0), (8, 1_000), (64, 4_000), (0, 2_000), (300, 15_000))
"""Of interrupts: (frames, ns)."""
BATCHES = ((1, 0), (4, 1_000), (16, 3_000))
"""Of completion writes: (threshold, timer in ns)."""


@dataclass(frozen=True)
class Mix:
    """What is mixed. All random choices come from ``seed``."""

    frames: int
    seed: int = 1
    queues: int = 4
    log2: int = 8
    rate_bps: int = 0
    """0: the pacer is open."""
    longest: int = 9000
    giant: float = 0.003
    """Share of frames of up to MAX_FRAME."""
    most_fragments: int = 12
    largest_batch: int = 32
    """Packets posted before the doorbell rings; a power of two."""
    pauses_ns: int = 3_000
    """The longest time that passes between two batches."""
    bound: int = 0


async def mix(world: World, config: Mix) -> dict[str, Any]:
    """Batches of packets for random queues at random times. Judged; returns what ``record`` does."""
    random = Random(config.seed)
    start(world, config.rate_bps, bound=config.bound)
    lanes = [Lane(world, queue, config.log2, *random.choice(MODERATIONS)) for queue in range(config.queues)]
    for lane in lanes:
        threshold, timer_ns = random.choice(BATCHES)
        lane.put("CPL_THRESHOLD", threshold)
        lane.put("CPL_TIMER_NS", timer_ns)
        lane.go()
    left = config.frames
    while left:
        lane = random.choice(lanes)
        batch = min(left, 1 << random.randrange(config.largest_batch.bit_length()))
        left -= batch
        for _ in range(batch):
            flags = random.choice(WISHES) if lane.unreported < lane.entries // 4 else REPORT
            await post(lane, pieces(random, config), flags)
        lane.doorbell()
        if random.randrange(2):
            await world.pause(random.randrange(config.pauses_ns + 1))
    for lane in lanes:
        if lane.unreported:
            await post(lane, [b"the end" * 9], REPORT)
    for lane in lanes:
        await lane.drain()
    await judge(world, lanes)
    same(world.memory.live, 0, "mappings that were never undone")
    return await record(world, lanes)


async def post(lane: Lane, fragments: list[bytes], flags: DescFlag) -> None:
    """Map a packet's fragments and post it once there is room."""
    await lane.room(len(fragments))
    maps = [lane.world.memory.map(fragment) for fragment in fragments]
    spans = [(addr, len(fragment)) for addr, fragment in zip(maps, fragments, strict=True)]
    lane.send(spans, b"".join(fragments), flags, maps)


def pieces(random: Random, config: Mix) -> list[bytes]:
    """A frame's random bytes in random fragments: small frames often, large ones sometimes."""
    kind = random.random()
    if kind < config.giant:
        length = random.randint(MAX_BUFFER, MAX_FRAME)
    elif kind < 0.15:
        length = random.randint(1, config.longest)
    else:
        length = random.randint(1, 1600 if kind < 0.4 else 130)
    data = random.randbytes(length)
    count = min(length, random.randint(1, config.most_fragments) if random.randrange(2) else 1)
    cuts = [length // 2] if length > MAX_BUFFER else sorted(random.sample(range(1, length), count - 1))
    return [data[begin:end] for begin, end in zip([0, *cuts], [*cuts, length], strict=True)]


async def record(world: World, lanes: list[Lane]) -> dict[str, Any]:
    """Everything that came of a run, small enough to compare whole: bytes as their CRC, times to the picosecond."""
    happened: dict[str, Any] = {}
    if isinstance(world, SimulatedWorld):
        happened["frames"] = [(f.start_ps, f.end_ps, f.user, len(f.data), crc32(f.data)) for f in world.capture.frames]
    else:
        happened["frames"] = [(f.start_ps, f.queue, len(f.data), crc32(f.data)) for f in sent(world)]
    for lane in lanes:
        happened[f"completions of {lane.queue}"] = [tuple(map(int, each)) for each in lane.outcomes]
        happened[f"interrupts of {lane.queue}"] = lane.interrupts
    happened["counters"] = await counters(world)
    happened["end"] = world.timeline.now_ns
    return happened
