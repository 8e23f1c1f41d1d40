"""Fragments of every length and alignment: what the engine splits, turns and joins.

Every scenario makes a list of packets, each a list of (offset, length) in a store of random bytes, and sends them with
the pacer open. What lies round a fragment in memory, and what lay before in the frame buffer, is never zero for long.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from ringwire.host.world import World
from ringwire.nic.registers import MAX_BUFFER, MAX_FRAME
from tests.datapath.lanes import ByteStore, Lane, Span, judge
from tests.raw_queue import start

PAGE = 4096
EDGE_4G = 1 << 32
STORE = 1 << 20
FOUR_GIB: dict[str, Any] = {"memory_bytes": 2 * STORE, "dma_base": EDGE_4G - 3 * STORE // 2}
"""Knobs of a world whose store of 1 MiB has the 4 GiB boundary inside."""

Packet = list[Span]


async def send_all(world: World, packets: Iterable[Packet], store: ByteStore) -> None:
    """Send them in order and judge."""
    lane = Lane(world, log2=9, mod_frames=32, mod_ns=2_000)
    start(world)
    lane.go()
    for number, packet in enumerate(packets):
        await lane.room(len(packet))
        spans, data = store.cut(packet)
        lane.send(spans, data)
        if number % 8 == 7:
            lane.doorbell()
    await lane.drain()
    await judge(world, [lane])


async def every_offset(world: World, lengths: Sequence[int]) -> None:
    """A fragment at each offset in 64 bytes with each of these lengths, in packets of 1 to 16 in random order."""
    random = Random(1)
    fragments = [(64 * random.randrange(1000) + offset, length) for offset in range(64) for length in lengths]
    random.shuffle(fragments)
    await send_all(world, packed(fragments, random), ByteStore(world, 1 << 17))


def packed(fragments: list[Span], random: Random) -> Iterator[Packet]:
    at = 0
    while at < len(fragments):
        count = random.randint(1, 16)
        yield fragments[at : at + count]
        at += count


@dataclass(frozen=True)
class Turns:
    beat_bytes: int
    step: int = 1
    """Leave out fillings between its multiples."""


async def every_turn(world: World, config: Turns) -> None:
    """A fragment that begins at each offset of a beat, put behind each number of bytes already in its frame."""
    random = Random(2)
    beat_bytes = config.beat_bytes
    packets = []
    for filled in range(1, beat_bytes + 1, config.step):
        for offset in range(beat_bytes):
            before = (random.randrange(60_000), filled)
            length = random.randint(1, 2 * beat_bytes + 2)
            packets.append([before, (64 * random.randrange(900) + offset, length)])
    await send_all(world, packets, ByteStore(world, 1 << 16))


async def single_bytes(world: World, counts: Sequence[int]) -> None:
    """Packets of so many fragments of one byte each, and as many with longer ones between."""
    random = Random(3)
    packets: list[Packet] = []
    for count in counts:
        packets.append([(random.randrange(60_000), 1) for _ in range(count)])
        packets.append([(random.randrange(50_000), random.choice([1, 1, 1, 200])) for _ in range(count)])
    await send_all(world, packets, ByteStore(world, 1 << 16))


@dataclass(frozen=True)
class Boundaries:
    span: int
    """How far from a boundary a small fragment begins at most, bytes."""
    number: int = 5
    """Boundaries to touch."""


async def boundaries(world: World, config: Boundaries) -> bool:
    """Fragments that end at, begin at, touch and cross multiples of 4 KiB, 4 GiB first if the store has it inside.

    Returns whether it has.
    """
    store = ByteStore(world, STORE)
    edges = [PAGE * page for page in (1, 2, 40, 77, 201)]
    four_gib = EDGE_4G - store.addr
    has_four_gib = MAX_BUFFER < four_gib < STORE - MAX_BUFFER
    if has_four_gib:
        edges.insert(0, four_gib)
    edges = edges[: config.number]
    packets: list[Packet] = []
    for before in range(config.span + 1):
        edge = edges[before % len(edges)]
        for length in sorted({1, before - 1, before, before + 1, before + 64, 2 * before + 1}):
            if length > 0:
                packets.append([(edge - before, length)])
        packets.append([(edge - before - 5, 5), (edge - before, before + 3), (edge + before, 70)])
    for edge in edges:
        for before in (0, 1, 63, 64, 65, PAGE - 1, PAGE):
            packets.append([(max(edge - before, 0), PAGE + 1 + before)])
        packets.append([(edge, PAGE), (edge + PAGE, PAGE)])
        packets.append([(max(edge - MAX_BUFFER // 2 - 1, 0), MAX_BUFFER)])
    await send_all(world, packets, store)
    return has_four_gib


async def largest(world: World, _: None) -> None:
    """Buffers of 16 KiB and frames of exactly MAX_FRAME, in few fragments and in 64, ending at a page's end and not."""
    store = ByteStore(world, STORE)
    rest = MAX_FRAME - MAX_BUFFER
    end = 64 * PAGE
    packets: list[Packet] = [
        [(end - MAX_BUFFER, MAX_BUFFER)],
        [(1, MAX_BUFFER)],
        [(63, MAX_BUFFER), (end - rest, rest)],
        [(end - rest - 1, rest), (end - MAX_BUFFER, MAX_BUFFER)],
        [(end - 1, 1), (77, MAX_BUFFER), (end + PAGE - 1, 1), (end - 9, rest - 2)],
        [(4097 * piece % 60_000, MAX_FRAME // 64) for piece in range(64)],
        [(end - MAX_FRAME // 2, MAX_FRAME // 2), (end + 33, MAX_FRAME // 2)],
        *([(end - length, length)] for length in (60, 1514, 9000)),
    ]
    await send_all(world, packets, store)


async def short(world: World, _: None) -> None:
    """Frames of 1 to 64 bytes, whole and in two fragments, behind frames that leave no zero in the frame buffer."""
    store = ByteStore(world, 1 << 16)
    packets: list[Packet] = [[(at * 9000, 9000)] for at in range(7)] + [[(5, 3000)]]
    random = Random(4)
    for length in [*range(1, 65), *range(64, 0, -1)]:
        packets.append([(random.randrange(60_000), length)])
        if length > 1:
            cut = random.randrange(1, length)
            packets.append([(random.randrange(60_000), cut), (random.randrange(60_000), length - cut)])
        packets.append([(random.randrange(60_000), 61 + length)])
    await send_all(world, packets, store)
