"""Descriptor rings: packets and doorbells at every index, and counters that run over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ringwire.host.world import World
from tests.control.bench import same
from tests.datapath.lanes import ByteStore, Lane, judge
from tests.raw_queue import start


@dataclass(frozen=True)
class Phases:
    """How a ring of 64 is gone through."""

    most: int = 9
    """Descriptors of the largest packet."""
    one_at_a_time: bool = False
    """Let each batch end before the next begins: the ring is empty, not full, most of the time."""


async def every_phase(world: World, config: Phases) -> None:
    """Packets of each size start, and doorbells ring, at each index of a ring of 64."""
    store = ByteStore(world, 1 << 16)
    lane = Lane(world, log2=6, mod_frames=8, mod_ns=500)
    start(world)
    lane.go()
    sizes = range(1, config.most + 1)
    wanted = {(size, index) for size in sizes for index in range(lane.entries)}
    told: set[int] = set()
    batch = number = 0
    while wanted or len(told) < lane.entries:
        size = next((size for size in sizes if (size, lane.tail) in wanted), 1 + number % config.most)
        await lane.room(size)
        wanted.discard((size, lane.tail))
        spans, data = store.cut([((number * 97 + piece * 1031) % 60_000, 7 + piece) for piece in range(size)])
        lane.send(spans, data)
        number += 1
        batch -= 1
        if batch <= 0:
            told.add(lane.tail)
            batch = 1 + number % 5
            if config.one_at_a_time:
                await lane.drain()
            else:
                lane.doorbell()
    await lane.drain()
    await judge(world, [lane])


async def largest(world: World, packets: int) -> None:
    """Packets of one descriptor each wrap the largest ring, and its counters if there are more than 65,536 of them."""
    store = ByteStore(world, 1 << 16)
    lane = Lane(world, log2=15, mod_frames=4096, mod_ns=20_000)
    start(world)
    lane.go()
    for number in range(packets):
        await lane.room(1)
        lane.send(*store.cut([(number * 61 % 60_000, 60 + number % 5)]))
    await lane.drain()
    await judge(world, [lane])


EDGE_4G = 1 << 32
MEMORY = 2 << 20
ACROSS_4_GIB: dict[str, dict[str, Any]] = {
    "ring": {"memory_bytes": MEMORY, "dma_base": EDGE_4G - MEMORY + 2048},
    "completions": {"memory_bytes": MEMORY, "dma_base": EDGE_4G - MEMORY + 4096 + 2048},
}
"""Knobs of a world in which one of the first two rings made, of 4 KiB each and downwards from the end, lies so."""


async def across_4_gib(world: World, which: str) -> None:
    """One of the rings begins below 4 GiB and ends above."""
    lane = Lane(world, log2=8, mod_frames=16, mod_ns=2_000)
    rings = {"ring": lane.ring, "completions": lane.completions}
    same([name for name, ring in rings.items() if ring.addr < EDGE_4G < ring.addr + len(ring)], [which], "across 4 GiB")
    store = ByteStore(world, 1 << 16)
    start(world)
    lane.go()
    for number in range(600):
        await lane.room(1)
        lane.send(*store.cut([(number * 61 % 60_000, 60 + number % 5)]))
        lane.doorbell()
    await lane.drain()
    await judge(world, [lane])
