"""Short scenarios of offloads, each about one rule: for RTL that is broken on purpose, in one way at a time.

What a scenario returns is to be compared with the twin's; what it asserts is so in every world.
"""

from __future__ import annotations

from itertools import pairwise
from random import Random

from ringwire.cosim.world import SimulatedWorld
from ringwire.host.world import World
from ringwire.nic.descriptors import DESCRIPTOR_BYTES, DescFlag, SegType, Status, pack_data, pack_offload, unpack_data
from ringwire.nic.registers import MAX_BUFFER, MAX_PAYLOAD
from tests.conformance import vectors
from tests.conformance.test_gso_device import Left, Post, post_all, post_of
from tests.control.bench import Outcome, Queue, between, counters, outcomes, same, sent, take_faults
from tests.raw_queue import EOP, REPORT, payloads, start

L3, L4 = 14, 34
GBIT = 10**9
LIMIT_NS, LONG_NS = 200_000, 2_000_000
"""Within which all that a scenario posts must be over."""
SLOTS = 32
"""Packets that are cut at a time: ``RW_SLOT_W`` of rtl/rw_widths.svh."""


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


def cutting(
    kind: SegType, mss: int, payload: int, seed: int = 1, fill: int | None = None, l3: int = L3, **options: bool
) -> Post:
    """A packet to be cut, in pieces, of random bytes or of one value: also where the fields of its header are."""
    l4 = l3 + (40 if kind in (SegType.TCP6, SegType.UDP6) else 20)
    header = l4 + (20 if kind in (SegType.TCP4, SegType.TCP6) else 0 if kind is SegType.UFO4 else 8)
    size = header + payload
    data = Random(seed).randbytes(size) if fill is None else bytes([fill]) * size
    request = pack_offload(kind, mss, header, l3, l4, **options)
    edges = [0, *range(header + 3, len(data), MAX_BUFFER), len(data)]
    return Post(tuple(data[begin:end] for begin, end in pairwise(edges)), request, 0, 0)


LONG_L3 = 228
"""Where an IPv4 header begins whose UDP header ends with the longest header that can be."""

EXTREMES = [
    cutting(kind, mss, 250, fill=fill, csum_partial=partial)
    for kind in SegType
    if kind is not SegType.NONE
    for mss in (96, 104)
    for fill in (0, 0xFF)
    for partial in (False, True)
]
"""Sums that carry the most and the least."""

PLACES = [
    cutting(kind, 104, 250, seed=l3 + lap, l3=l3)
    for kind in SegType
    if kind is not SegType.NONE
    for l3 in range(L3, L3 + 64, 2)
    for lap in (0, 100, 200, 300)
]
"""Every place in a beat where the fields of a header can lie, also two of them in one."""


async def posts(world: World, config: list[Post]) -> list[Left]:
    """What becomes of packets."""
    return await post_all(world, config)


Packet = list[bytes]
"""Descriptors, as in :mod:`tests.control.offload_rules`."""


def udp(mss: int = 100, header: int = L4 + 8, l3: int = L3, l4: int = L4, flags: int = 0) -> bytes:
    """A request to cut UDP over IPv4."""
    return pack_offload(SegType.UDP4, mss, header, l3, l4, flags=flags)


async def verdicts(world: World, packets: list[Packet]) -> tuple[list[Outcome], list[bytes]]:
    """What becomes of packets that are legal or not, each followed by one that is; and all that leaves."""
    return await verdicts_of(world, (0, packets))


async def verdicts_of(world: World, config: tuple[int, list[Packet]]) -> tuple[list[Outcome], list[bytes]]:
    """:func:`verdicts` on one of the queues. ``config``: (queue, packets)."""
    number, packets = config
    start(world)
    queue = Queue(world, number, log2=9)
    queue.enable()
    addr = world.memory.map(Random(len(packets)).randbytes(MAX_BUFFER))
    good = payloads([60])[0]
    posted = 0
    for packet in packets:
        if queue.room() < len(packet) + 1:
            queue.doorbell()
            await queue.wait(posted, LONG_NS)
            queue.consume()
        for descriptor in packet:
            _, length, flags, *wishes = unpack_data(descriptor)
            if flags & DescFlag.OFFLOAD:
                queue.post_raw(descriptor)
            else:
                queue.post_raw(pack_data(addr, length, flags | (REPORT if flags & EOP else 0), *wishes))
        queue.packet(good, flags=REPORT)
        posted += 2
    queue.doorbell()
    await queue.wait(posted, LONG_NS)
    return outcomes(queue.got), [frame.data for frame in sent(world)]


async def slots(world: World, config: tuple[int, int, int]) -> list[list[bytes]]:
    """More packets to be cut than there are header slots, all posted at once, no two alike.

    ``config``: (queues, packets of each, line rate in bit/s or 0). Returns the frames of each queue.
    """
    count, packets, rate_bps = config
    start(world, rate_bps)
    queues = [Queue(world, number, log2=8) for number in range(count)]
    random = Random(count)
    for queue in queues:
        queue.enable()
        for number in range(packets):
            # a long header is known later than its short payload
            l3, mss = L3 if number % 2 else LONG_L3, 8 + number % 13
            header = l3 + 28
            length = header + 2 * mss + 1 + number % mss
            queue.post_raw(pack_offload(SegType.UDP4, mss, header, l3, l3 + 20))
            queue.post(world.memory.map(random.randbytes(length)), length, EOP | REPORT)
    for queue in queues:
        queue.doorbell()
    for queue in queues:
        await queue.wait(packets, LONG_NS)
        same([entry.segments for entry in queue.got], [3] * packets, f"segments of queue {queue.queue} ")
    return [[frame.data for frame in sent(world, queue.queue)] for queue in queues]


async def open_at_once(world: World, config: tuple[int, int, int]) -> None:
    """While the wire stands, as many packets are being cut as there are header slots; another queue's frames pass.

    ``config``: (queues, laps, beat of the device in bytes). Whoever doesn't give a slot back, or waits for one in
    another's way, is found.
    """
    count, laps, beat = config
    queues = [Queue(world, number, log2=8) for number in range(count)]
    *cutting, plain = queues
    # what is on its way out, beyond the header slots, is not a whole packet
    segments, mss, most = 3, 9 * beat, 50
    length = L4 + 8 + mss * segments
    addr = world.memory.map(bytes(length), 0)
    for queue in queues:
        queue.enable()
    for lap in range(laps):
        start(world, 10_000_000)
        before = (await counters(world)).get("READ_REQUESTS", 0)
        for queue in cutting:
            for _ in range(SLOTS):
                queue.post_raw(udp(mss))
                queue.post(addr, length, EOP | REPORT)
            queue.doorbell()
        await world.pause(20_000)
        for _ in range(most):
            plain.post(addr, 60, EOP | REPORT)
        plain.doorbell()
        await world.pause(20_000)
        reads = (await counters(world))["READ_REQUESTS"] - before
        same(reads, SLOTS * segments + most, f"reads of payload while the wire stands, lap {lap}")
        start(world)
        for queue in queues:
            await queue.wait((lap + 1) * (most if queue is plain else SLOTS), LONG_NS)
            queue.consume()


async def read_once(world: World, config: tuple[int, int]) -> None:
    """Of a packet that is cut, the header is read once, and the payload but for a beat that two segments share.

    ``config``: (MSS, beat of the device in bytes).
    """
    assert isinstance(world, SimulatedWorld)
    mss, beat = config
    start(world)
    queue = Queue(world)
    queue.enable()
    header = L4 + 8
    # the header shares a buffer with some payload, and no buffer begins or ends with a beat
    fragments = [(world.memory.map(bytes(size), at), size) for size, at in ((header + 7, 5), (9001, 61), (3333, 2))]
    queue.post_raw(udp(mss))
    for number, (addr, size) in enumerate(fragments):
        queue.post(addr, size, EOP | REPORT if number == 2 else 0)
    before = world.count("read_beats")
    queue.doorbell()
    await queue.wait(1, LIMIT_NS)
    want = 4 * DESCRIPTOR_BYTES // beat
    begin = 0
    total = sum(size for _, size in fragments)
    for end in (*range(header + mss, total, mss), total):
        at = 0
        for addr, size in fragments:
            first, last = max(begin, at), min(end, at + size)
            if first < last:
                want += (addr + last - at - 1) // beat - (addr + first - at) // beat + 1
            at += size
        begin = end
    same(world.count("read_beats") - before, want, "beats read")


async def one_completion_a_packet(world: World, config: tuple[int, int, bool]) -> None:
    """Two packets of more segments than the ring has slots for completions.

    ``config``: (queues, segments, whether packets complete once they are in the frame buffer).
    """
    count, segments, fetched = config
    start(world, complete_at_fetch=fetched)
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


async def largest(world: World, config: tuple[int, int]) -> None:
    """On each queue at once, a TCP packet as long as one may be, in so many segments that every counter comes round.

    ``config``: (queues, MSS).
    """
    count, mss = config
    start(world)
    header, payload = L4 + 20, MAX_PAYLOAD
    segments = -(-payload // mss)
    random = Random(mss)
    queues = [Queue(world, number) for number in range(count)]
    begins = []
    for queue in queues:
        queue.enable()
        data = random.randbytes(header + payload)
        begins.append((int.from_bytes(data[18:20], "big"), int.from_bytes(data[38:42], "big")))
        queue.post_raw(pack_offload(SegType.TCP4, mss, header, L3, L4))
        edges = [*range(0, len(data), MAX_BUFFER), len(data)]
        for begin, end in pairwise(edges):
            queue.post(world.memory.map(data[begin:end]), end - begin, EOP | REPORT if end == len(data) else 0)
    for queue in queues:
        queue.doorbell()
    for queue in queues:
        await queue.wait(1, 100 * LONG_NS, step_ns=20_000)
        same([(entry.status, entry.segments) for entry in queue.got], [(Status.OK, segments)], f"queue {queue.queue} ")
    for queue, (ident, seq) in zip(queues, begins, strict=True):
        frames = [frame.data for frame in sent(world, queue.queue)]
        got = [(int.from_bytes(data[18:20], "big"), int.from_bytes(data[38:42], "big")) for data in frames]
        want = [((ident + k) % 2**16, (seq + k * mss) % 2**32) for k in range(segments)]
        same(got, want, f"id and sequence number on queue {queue.queue}, segment ")


async def unreadable(world: World, config: tuple[int, list[tuple[int, ...]]]) -> list[list[bytes]]:
    """A read fails in segment k of a packet: k have left, and the packets behind leave whole.

    ``config``: (MSS; of each queue, each k). Returns the frames of each queue.
    """
    mss, ks = config
    start(world, 10 * GBIT)
    queues = [Queue(world, number, log2=8) for number in range(len(ks))]
    segments, header, whole_ones = 6, L4 + 32, 3
    request = pack_offload(SegType.TCP4, mss, header, L3, L4)
    for queue, failing in zip(queues, ks, strict=True):
        queue.enable()
        for k in (*failing, *[segments] * whole_ones):
            queue.post_raw(request)
            whole = header + k * mss
            queue.post(world.memory.map(payloads([whole])[0]), whole, EOP | REPORT if k == segments else 0)
            if k < segments:
                hole = world.memory.map(bytes(mss), 0)
                world.memory.forbid(hole)
                queue.post(hole, mss, EOP | REPORT if k == segments - 1 else 0)
            if k < segments - 1:
                # these can be read, and must not leave
                rest = (segments - 1 - k) * mss
                queue.post(world.memory.map(bytes(rest)), rest, EOP | REPORT)
    for queue in queues:
        queue.doorbell()
    for queue, failing in zip(queues, ks, strict=True):
        want = [(Status.READ, k) for k in failing] + [(Status.OK, segments)] * whole_ones
        await queue.wait(len(want), LIMIT_NS)
        same([(entry.status, entry.segments) for entry in queue.got], want, f"completions of queue {queue.queue}")
    take_faults(world)
    frames = [[frame.data for frame in sent(world, queue.queue)] for queue in queues]
    want_frames = [sum(failing) + whole_ones * segments for failing in ks]
    same([len(own) for own in frames], want_frames, "frames of queue ")
    return frames


async def given_up(world: World, queues: int) -> None:
    """Once a read has failed, no more of the packet is read than what was under way; the next one leaves whole.

    One queue after the other.
    """
    start(world, 10 * GBIT)
    header, mss, pieces = L4 + 8, 1_000, 15
    segments = 1 + pieces * (MAX_BUFFER // mss)
    whole = world.memory.map(bytes(MAX_BUFFER), 0)
    hole = world.memory.map(bytes(header + mss), 0)
    world.memory.forbid(hole)
    behind = payloads([header + mss * 2])[0]
    next_one = world.memory.map(behind, 0)
    for queue in [Queue(world, number) for number in range(queues)]:
        queue.enable()
        before = (await counters(world)).get("READ_REQUESTS", 0)
        queue.post_raw(udp(mss))
        queue.post(hole, header + mss, 0)
        for left in reversed(range(pieces)):
            queue.post(whole, MAX_BUFFER // mss * mss, 0 if left else EOP | REPORT)
        queue.post_raw(udp(mss))
        queue.post(next_one, len(behind), EOP | REPORT)
        queue.doorbell()
        await queue.wait(2, LONG_NS)
        ends = [(pieces + 2, Status.READ, 0), (pieces + 4, Status.OK, 2)]
        same(outcomes(queue.got), ends, f"completions of queue {queue.queue}")
        left_whole = b"".join(frame.data[header:] for frame in sent(world, queue.queue))
        assert left_whole == behind[header:], f"queue {queue.queue}: the packet behind has other bytes"
        reads = (await counters(world))["READ_REQUESTS"] - before
        between(reads, 3, segments // 2, f"reads of payload of queue {queue.queue}, of {segments} segments at least")
    take_faults(world)


async def closing(world: World, config: tuple[int, int, bool]) -> None:
    """Queues are reset while their packets are being cut, which are forgotten; the next queue goes on.

    ``config``: (queues, times that each is reset, completion at fetch).
    """
    count, laps, at_fetch = config
    start(world, GBIT, at_fetch, bound=3_000)
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
        same(outcomes(other.got)[-1], (other.tail, Status.OK, 2), "the other queue's packet")
        other.consume()
    for queue in queues:
        before = len(queue.got)
        post(queue, length, mss)
        await queue.wait(before + 1, LIMIT_NS)
        same(outcomes(queue.got)[-1], (queue.tail, Status.OK, segments), f"queue {queue.queue} after the resets")


async def closed_unbegun(world: World, config: int) -> None:
    """A queue is reset whose packet has a header slot but no segment yet, as the wire is taken; then all goes on.

    ``config``: times.
    """
    queues = [Queue(world, number) for number in range(2)]
    other, broken = queues
    addr = world.memory.map(bytes(1514))
    other.enable()
    for lap in range(1, config + 1):
        start(world, 10**8, bound=1)
        other.post(addr, 1514, EOP | REPORT)
        other.doorbell()
        await world.pause(5_000)
        broken.enable()
        broken.post_raw(udp(100))
        broken.post(addr, 1000, EOP | REPORT)
        broken.doorbell()
        await world.pause(5_000)
        same(await broken.reset(LIMIT_NS), [], f"completions of a packet forgotten, lap {lap}")
        await other.wait(lap, LIMIT_NS)
        other.consume()
    broken.enable()
    broken.post_raw(udp(100))
    broken.post(addr, 1000, EOP | REPORT)
    broken.doorbell()
    await broken.wait(1, LIMIT_NS)
    same(outcomes(broken.got), [(2, Status.OK, 10)], "completions after the resets")


async def interleaved(world: World, config: tuple[int, int]) -> None:
    """Queues with a packet each take turns, a segment each, of bytes of their own. ``config``: (queues, segments)."""
    count, segments = config
    start(world, GBIT, bound=300)
    queues = [Queue(world, number) for number in range(count)]
    length = L4 + 8 + 60 * segments
    packets = [Random(number).randbytes(length) for number in range(count)]
    for queue, packet in zip(queues, packets, strict=True):
        queue.enable()
        queue.post_raw(udp(60))
        queue.post(world.memory.map(packet), length, EOP | REPORT)
    for queue in queues:
        queue.doorbell()
    for queue in queues:
        await queue.wait(1, LIMIT_NS)
    frames = sent(world)
    for number, packet in enumerate(packets):
        found = b"".join(frame.data[L4 + 8 :] for frame in frames if frame.queue == number)
        same(found, packet[L4 + 8 :], f"payload of queue {number}")
    order = [frame.queue for frame in frames]
    # the first may be ahead before the others' packets are known
    turns = order[2 * count : -2 * count]
    same(len(order), count * segments, "segments")
    same(turns[count:], turns[:-count], "queues in the order of their turns ")
    same(len(set(turns)), count, "queues that take turns")
