"""Short scenarios of offloads, each about one rule: for RTL that is broken on purpose, in one way at a time.

What a scenario returns is to be compared with the twin's; what it asserts is so in every world.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from ringwire.host.world import World
from ringwire.nic.descriptors import DescFlag, SegType, Status, pack_offload
from ringwire.nic.registers import MAX_BUFFER
from tests.conformance import vectors
from tests.conformance.test_gso_device import Left, Post, post_all, post_of
from tests.control.bench import Outcome, Queue, outcomes, same, sent, take_faults
from tests.raw_queue import EOP, REPORT, payloads, start

L3, L4 = 14, 34
GBIT = 10**9
LIMIT_NS = 200_000
"""Within which all that a scenario posts must be over."""


def recorded(stem: str, *names: str) -> list[Post]:
    """Recorded cases as the driver would post them: each whole, and in pieces."""
    path = vectors.DEFAULT_FOLDER / f"{stem}{vectors.SUFFIX}"
    cases = {case["name"]: case for case in vectors.read(path)["cases"]}
    posts = [post_of(cases[name], seed) for name in names for seed in (0, 5)]
    missing = [name for name, post in zip(names, posts[::2], strict=True) if post is None]
    assert not missing, f"cases that the driver would not post: {missing}"
    return [post for post in posts if post is not None]


def asking(data: bytes, start_at: int, offset: int, tci: int | None = None, pieces: int = 1) -> Post:
    """A frame of which the checksum is to be completed, and which is to get a tag if ``tci`` is given."""
    size = -(-len(data) // pieces)
    flags = DescFlag.CSUM | (DescFlag.VLAN if tci is not None else 0)
    wishes = start_at | offset << 8 | (tci or 0) << 16
    return Post(tuple(data[at : at + size] for at in range(0, len(data), size)), None, flags, wishes)


def cutting(kind: SegType, mss: int, payload: int, seed: int = 1, **options: bool) -> Post:
    """A packet to be cut, in two pieces, of random bytes: also where the fields of its header are."""
    l4 = L3 + (40 if kind in (SegType.TCP6, SegType.UDP6) else 20)
    header = l4 + (20 if kind in (SegType.TCP4, SegType.TCP6) else 0 if kind is SegType.UFO4 else 8)
    data = Random(seed).randbytes(header + payload)
    request = pack_offload(kind, mss, header, L3, l4, **options)
    return Post((data[: header + 3], data[header + 3 :]), request, 0, 0)


async def posts(world: World, config: list[Post]) -> list[Left]:
    """What becomes of packets."""
    return await post_all(world, config)


class Data(NamedTuple):
    """A data descriptor."""

    length: int
    flags: int = 0
    csum_start: int = 0
    csum_offset: int = 0


Packet = list[bytes | Data]
"""Descriptors: an offload descriptor as it is in memory, or a data descriptor."""


def udp(mss: int = 100, header: int = L4 + 8, l3: int = L3, l4: int = L4, flags: int = 0) -> bytes:
    """A request to cut UDP over IPv4."""
    return pack_offload(SegType.UDP4, mss, header, l3, l4, flags=flags)


async def verdicts(world: World, packets: list[Packet]) -> list[Outcome]:
    """What becomes of packets that are legal or not, each followed by one that is."""
    start(world)
    queue = Queue(world, log2=9)
    queue.enable()
    addr = world.memory.map(bytes(MAX_BUFFER))
    good = payloads([60])[0]
    for packet in packets:
        for descriptor in packet:
            if isinstance(descriptor, bytes):
                queue.post_raw(descriptor)
            else:
                length, flags, begin, offset = descriptor
                queue.post(addr, length, flags, csum_start=begin, csum_offset=offset)
        queue.packet(good, flags=REPORT)
    queue.doorbell()
    await queue.wait(2 * len(packets), LIMIT_NS)
    return outcomes(queue.got)


async def slots(world: World, config: tuple[int, int]) -> None:
    """More packets to be cut than there are header slots, all posted at once. ``config``: (queues, packets of each)."""
    count, packets = config
    start(world, GBIT)
    queues = [Queue(world, number, log2=8) for number in range(count)]
    request, length = udp(8), L4 + 8 + 20
    addr = world.memory.map(bytes(length))
    for queue in queues:
        queue.enable()
        for _ in range(packets):
            queue.post_raw(request)
            queue.post(addr, length, EOP | REPORT)
    for queue in queues:
        queue.doorbell()
    for queue in queues:
        await queue.wait(packets, LIMIT_NS)
        same([entry.segments for entry in queue.got], [3] * packets, f"segments of queue {queue.queue} ")


async def one_completion_a_packet(world: World, config: tuple[int, int]) -> None:
    """Two packets of more segments than the ring has slots for completions. ``config``: (queues, segments)."""
    count, segments = config
    start(world)
    queues = [Queue(world, number) for number in range(count)]
    length = L4 + 8 + segments
    addr = world.memory.map(bytes(length))
    for queue in queues:
        queue.enable()
        for _ in range(2):
            queue.post_raw(udp(1))
            queue.post(addr, length, EOP | REPORT)
        queue.doorbell()
    for queue in queues:
        await queue.wait(2, LIMIT_NS)
        want = [(2, Status.OK, segments), (4, Status.OK, segments)]
        same(outcomes(queue.got), want, f"completions of queue {queue.queue}")


async def unreadable(world: World, config: tuple[int, tuple[int, ...]]) -> list[list[bytes]]:
    """A read fails in segment k of a packet: k have left, and the packet behind leaves whole.

    ``config``: (queues, each k). Returns the frames of each queue.
    """
    count, failing = config
    start(world, 10 * GBIT)
    queues = [Queue(world, number, log2=8) for number in range(count)]
    mss, segments, header = 100, 6, L4 + 32
    request = pack_offload(SegType.TCP4, mss, header, L3, L4)
    for queue in queues:
        queue.enable()
        for k in (*failing, segments):
            queue.post_raw(request)
            whole = header + k * mss
            queue.post(world.memory.map(payloads([whole])[0]), whole, EOP | REPORT if k == segments else 0)
            if k < segments:
                rest = (segments - k) * mss
                hole = world.memory.map(bytes(rest), 0)
                world.memory.forbid(hole)
                queue.post(hole, rest, EOP | REPORT)
        queue.doorbell()
    want = [(Status.READ, k) for k in failing] + [(Status.OK, segments)]
    for queue in queues:
        await queue.wait(len(want), LIMIT_NS)
        same([(entry.status, entry.segments) for entry in queue.got], want, f"completions of queue {queue.queue}")
    take_faults(world)
    frames = [[frame.data for frame in sent(world, queue.queue)] for queue in queues]
    same([len(own) for own in frames], [sum(failing) + segments] * count, "frames of queue ")
    return frames


async def closing(world: World, config: tuple[int, int]) -> None:
    """Queues are reset while their packets are being cut, which are forgotten; the next queue goes on.

    ``config``: (queues, times that each is reset).
    """
    count, laps = config
    start(world, GBIT, bound=3_000)
    queues = [Queue(world, number) for number in range(count)]
    mss, segments = 1_000, 12
    length, short = L4 + 8 + mss * segments, L4 + 8 + 16
    addr = world.memory.map(payloads([length])[0])

    def post(queue: Queue, size: int, each: int) -> None:
        queue.enable()
        queue.post_raw(udp(each))
        queue.post(addr, size, EOP | REPORT)
        queue.doorbell()

    for lap in range(laps * count):
        broken, other = queues[lap % count], queues[(lap + 1) % count]
        before = len(other.got)
        post(broken, length, mss)
        post(other, short, 8)
        await world.pause(10_000)
        same(await broken.reset(LIMIT_NS), [], f"completions of a packet forgotten, lap {lap}")
        await other.wait(before + 1, LIMIT_NS)
        same(outcomes(other.got)[-1][1:], (Status.OK, 2), "the other queue's packet")
        other.consume()
    for queue in queues:
        before = len(queue.got)
        post(queue, length, mss)
        await queue.wait(before + 1, LIMIT_NS)
        same(outcomes(queue.got)[-1][1:], (Status.OK, segments), f"queue {queue.queue} after the resets")


async def interleaved(world: World, config: tuple[int, int]) -> None:
    """Queues with a packet each take turns, segment by segment. ``config``: (queues, segments)."""
    count, segments = config
    start(world, GBIT, bound=300)
    queues = [Queue(world, number) for number in range(count)]
    length = L4 + 8 + 60 * segments
    addr = world.memory.map(bytes(length))
    for queue in queues:
        queue.enable()
        queue.post_raw(udp(60))
        queue.post(addr, length, EOP | REPORT)
    for queue in queues:
        queue.doorbell()
    for queue in queues:
        await queue.wait(1, LIMIT_NS)
    order = [frame.queue for frame in sent(world)]
    # the first may be ahead before the others' packets are known
    turns = order[2 * count : -2 * count]
    same(len(order), count * segments, "segments")
    same(turns[count:], turns[:-count], "queues in the order of their turns ")
    same(len(set(turns)), count, "queues that take turns")
