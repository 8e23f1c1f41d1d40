"""Segmentation, checksums and tags by the twin: header edits against software's, refusals, order, errors, reset."""

from __future__ import annotations

import random
import struct
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringwire import gso
from ringwire.nic.builder import Packet, PacketBuilder
from ringwire.nic.descriptors import Completion, DescFlag, SegType, Status, pack_offload, unpack_data
from ringwire.nic.pacer import wire_bytes
from ringwire.nic.registers import MAX_BUFFER, MAX_PAYLOAD, Stat
from ringwire.nic.segment import Request, build, complete_checksum, insert_tag
from ringwire.skb import CsumFlag, GsoType, Skb
from tests.control.offload_rules import ACCEPTED, ASKS_BADLY, ASKS_WELL, LAST, REFUSED, data, offload
from tests.frames import TCP, UDP, Frame, balanced, words_sum
from tests.raw_queue import EOP, REPORT, TSTAMP, RawQueue, payloads, start
from tests.test_gso import frames
from tests.test_twin import padded, run, sent, world

CSUM, VLAN, OFFLOAD = DescFlag.CSUM, DescFlag.VLAN, DescFlag.OFFLOAD
KINDS = {(4, TCP): SegType.TCP4, (6, TCP): SegType.TCP6, (4, UDP): SegType.UDP4, (6, UDP): SegType.UDP6}
GSO_TYPES = {(4, TCP): GsoType.TCPV4, (6, TCP): GsoType.TCPV6, (4, UDP): GsoType.UDP_L4, (6, UDP): GsoType.UDP_L4}


def request_of(frame: Frame, mss: int, csum_partial: bool = False) -> Request:
    kind = KINDS[frame.version, frame.protocol]
    return Request(kind, mss, frame.payload_at, frame.l3, frame.l4, csum_partial=csum_partial)


def skb_of(frame: Frame, mss: int) -> Skb:
    data = frame.build()
    return Skb(
        len=len(data),
        data=(data,),
        csum_flags=CsumFlag.NEEDS_CSUM,
        csum_start=frame.l4,
        csum_offset=frame.csum_offset,
        gso_type=GSO_TYPES[frame.version, frame.protocol],
        gso_size=mss,
        hdr_len=frame.payload_at,
    )


def cut(request: Request, data: bytes) -> list[bytes]:
    """All segments that the device makes of a packet."""
    header, payload = data[: request.header_len], data[request.header_len :]
    starts = range(0, len(payload), request.mss)
    return [build(request, header, k, payload[at : at + request.mss], len(data)) for k, at in enumerate(starts)]


# -- header edits


@given(frames(), st.integers(1, 900), st.booleans())
@settings(max_examples=300, deadline=None)
def test_segments_are_those_that_software_makes(frame: Frame, size: int, partial: bool) -> None:
    # software refuses more datagrams than Linux allows in a request
    mss = max(size, -(-len(frame.payload) // gso.UDP_MAX_SEGMENTS)) if frame.protocol == UDP else size
    wanted = [one.linear() for one in gso.segment(skb_of(frame, mss), complete=not partial)]
    if len(frame.payload) > mss:
        assert cut(request_of(frame, mss, partial), frame.build()) == wanted


@given(st.binary(min_size=600, max_size=4000), st.integers(1, 60), st.integers(0, 1))
def test_udp_fragments_are_those_that_software_makes(payload: bytes, eighths: int, ident: int) -> None:
    frame = Frame(protocol=UDP, payload=payload, ident=ident * 0xFFFF, fragment=0)
    skb = skb_of(frame, 8 * eighths)
    skb.gso_type = GsoType.UDP
    complete = frame.completed(0xFFFF).build()
    request = Request(SegType.UFO4, 8 * eighths, frame.l4, frame.l3, frame.l4, id_fixed=True, csum_partial=True)
    assert cut(request, complete) == [one.linear() for one in gso.segment(skb)]


def test_a_fixed_id_stays() -> None:
    frame = Frame(payload=bytes(range(100)), ident=0xFFFF)
    request = request_of(frame, 30)
    counted, fixed = (cut(request._replace(id_fixed=value), frame.build()) for value in (False, True))
    assert [one[18:20].hex() for one in counted] == ["ffff", "0000", "0001", "0002"]
    assert [one[18:20].hex() for one in fixed] == ["ffff"] * 4


@pytest.mark.parametrize(("protocol", "zero"), [(TCP, b"\0\0"), (UDP, b"\xff\xff")])
@pytest.mark.parametrize("version", [4, 6])
def test_a_segments_sum_of_zero_is_written_as_linux_writes_it(version: int, protocol: int, zero: bytes) -> None:
    frame = balanced(Frame(version, protocol, payload=bytes(range(200))))
    (only,) = cut(request_of(frame, 1000), frame.build())
    at = frame.l4 + frame.csum_offset
    assert only[at : at + 2] == zero


@given(st.binary(min_size=20, max_size=300), st.integers(0, 18), st.integers(0, 255))
def test_a_completed_checksum_is_that_of_software_and_never_zero(data: bytes, start: int, offset: int) -> None:
    offset = min(offset, len(data) - start - 2)
    skb = Skb(len(data), (data,), csum_flags=CsumFlag.NEEDS_CSUM, csum_start=start, csum_offset=offset)
    gso.complete_checksum(skb)
    assert complete_checksum(data, start, offset) == skb.linear()
    assert skb.linear()[start + offset : start + offset + 2] != b"\0\0"


def test_a_tag_goes_behind_the_addresses() -> None:
    data = bytes(range(60))
    assert insert_tag(data, 0xE123) == data[:12] + b"\x81\x00\xe1\x23" + data[12:]


# -- what is refused


def take(builder: PacketBuilder, raw: bytes, end: int = 0) -> Packet | None:
    addr, length, flags, csum_start, csum_offset, vlan_tci = unpack_data(raw)
    return builder.take(addr, length, flags, csum_start, csum_offset, vlan_tci, end)


def status_of(descriptors: list[bytes]) -> Status:
    """What becomes of a packet of these descriptors, of which only the last has EOP."""
    builder = PacketBuilder(0)
    for at, raw in enumerate(descriptors):
        packet = take(builder, raw, at + 1)
        assert (packet is not None) == (at == len(descriptors) - 1)
    assert packet is not None and packet.end == len(descriptors)
    assert not packet.buffers or packet.status is Status.OK
    return packet.status


@pytest.mark.parametrize("request_", ASKS_WELL, ids=lambda raw: raw[8:].hex())
def test_a_request_within_the_limits_is_accepted(request_: bytes) -> None:
    assert status_of([request_, data(10), data(1000, EOP)]) is Status.OK


@pytest.mark.parametrize("request_", ASKS_BADLY, ids=lambda raw: raw.hex())
def test_a_request_that_can_not_be_is_refused(request_: bytes) -> None:
    assert status_of([request_, data(10), data(1000, EOP)]) is Status.BAD_OFFLOAD


@pytest.mark.parametrize(("status", "descriptors"), REFUSED.values(), ids=REFUSED)
def test_the_first_error_of_the_list_is_what_is_said(status: Status, descriptors: list[bytes]) -> None:
    assert status_of(descriptors) is status


@pytest.mark.parametrize("descriptors", ACCEPTED.values(), ids=ACCEPTED)
def test_what_is_just_legal_is_accepted(descriptors: list[bytes]) -> None:
    assert status_of(descriptors) is Status.OK


def test_nothing_is_carried_over_to_the_next_packet() -> None:
    builder = PacketBuilder(0)
    for raw in (offload(), data(54, VLAN, tci=3), LAST):
        first = take(builder, raw)
    second = take(builder, data(60, EOP, 1, 1, 1))
    assert first is not None and (first.vlan_tci, first.all_picked, first.next_length) == (3, False, 54 + 100 + 4)
    assert second is not None and (second.request, second.csum, second.vlan_tci) == (None, None, None)


# -- what leaves


SUPER = Frame(payload=bytes((5 * n + n // 256) & 0xFF for n in range(10_000)), flags=0x18, seq=2**32 - 3000)
SEGMENTS = 7
MSS = 1448
WHOLE = cut(request_of(SUPER, MSS), SUPER.build())


def post_super(q: RawQueue, flags: int = REPORT, cuts: tuple[int, ...] = (), **wishes: Any) -> list[int]:
    """Post ``SUPER`` to be cut, its bytes divided at ``cuts``; returns the fragments' addresses."""
    frame = SUPER.build()
    q.post_raw(pack_offload(SegType.TCP4, MSS, SUPER.payload_at, SUPER.l3, SUPER.l4))
    edges = [0, *cuts, len(frame)]
    addrs = []
    for begin, end in pairwise(edges):
        addrs.append(q.world.memory.map(frame[begin:end], 0))
        q.post(addrs[-1], end - begin, flags | (EOP if end == len(frame) else 0), **(wishes if begin == 0 else {}))
    return addrs


def outcome(completions: list[Completion]) -> list[tuple[int, Status, int]]:
    return [(c.ring_index, c.status, c.segments) for c in completions]


@given(st.lists(st.integers(1, 10_053), max_size=20, unique=True), st.sampled_from([64, 512]))
@settings(max_examples=30, deadline=None)
def test_a_packet_is_cut_however_it_lies_in_memory(cuts: list[int], data_bits: int) -> None:
    async def test() -> None:
        w = world(data_bits=data_bits)
        start(w, 100_000_000_000)
        q = RawQueue(w)
        post_super(q, REPORT | TSTAMP, tuple(sorted(cuts)))
        q.packet(b"x" * 60)
        q.doorbell()
        q.enable()
        found = await q.completed(2)
        assert outcome(found) == [(len(cuts) + 2, Status.OK, SEGMENTS), (len(cuts) + 3, Status.OK, 1)]
        assert sent(w.wire) == [*padded(WHOLE), b"x" * 60]
        assert found[0].time == (w.wire[0].start_ps << 16) // 1000
        assert w.device.stats[Stat.TX_FRAMES] == SEGMENTS + 1
        assert w.device.stats[Stat.TX_BYTES] == sum(map(len, padded(WHOLE))) + 60
        assert w.device._committed == w.device._buffered == 0

    run(test())


def test_tags_are_inserted_before_padding_and_count_on_the_wire() -> None:
    async def test() -> None:
        w = world()
        start(w, 1_000_000_000)
        q = RawQueue(w)
        short = payloads([40])[0]
        q.post(w.memory.map(short), 40, EOP | REPORT | VLAN, vlan_tci=0x2005)
        long = payloads([58])[0]
        q.post(w.memory.map(long), 58, EOP | REPORT | VLAN, vlan_tci=7)
        post_super(q, REPORT | VLAN, vlan_tci=0xE001)
        q.packet(b"x" * 60)
        q.doorbell()
        q.enable()
        await q.completed(4)
        tagged = [insert_tag(short, 0x2005), insert_tag(long, 7), *(insert_tag(one, 0xE001) for one in WHOLE)]
        assert sent(w.wire)[:-1] == padded(tagged)
        gaps = [b.start_ps - a.start_ps for a, b in pairwise(w.wire)]
        for gap, frame in zip(gaps, tagged, strict=True):
            assert abs(gap - 8000 * wire_bytes(len(frame))) <= 4000

    run(test())


@pytest.mark.parametrize("mss", [1, 8, 1448, 9946, 10_000, 16383])
def test_a_segment_is_as_long_as_the_mss(mss: int) -> None:
    async def test() -> None:
        w = world()
        start(w)
        q = RawQueue(w)
        frame = SUPER.build()
        q.post_raw(pack_offload(SegType.TCP4, mss, SUPER.payload_at, SUPER.l3, SUPER.l4))
        q.post(w.memory.map(frame), len(frame), EOP | REPORT)
        q.doorbell()
        q.enable()
        wanted = cut(request_of(SUPER, mss), frame)
        assert outcome(await q.completed(1)) == [(2, Status.OK, len(wanted))]
        assert sent(w.wire) == padded(wanted)

    run(test())


def test_the_largest_packet_is_cut() -> None:
    payload = random.Random(1).randbytes(MAX_PAYLOAD)
    frame = Frame(6, payload=payload, ip_len=0)

    async def test() -> None:
        w = world()
        start(w)
        q = RawQueue(w)
        whole = frame.build()
        q.post_raw(pack_offload(SegType.TCP6, 9000, frame.payload_at, frame.l3, frame.l4))
        pieces = [
            whole[: frame.payload_at],
            *(payload[at : at + MAX_BUFFER] for at in range(0, MAX_PAYLOAD, MAX_BUFFER)),
        ]
        q.packet(*pieces)
        q.doorbell()
        q.enable()
        assert outcome(await q.completed(1)) == [(18, Status.OK, 30)]
        assert [one[74:] for one in sent(w.wire)] == [payload[at : at + 9000] for at in range(0, MAX_PAYLOAD, 9000)]
        for one in sent(w.wire):
            pseudo = one[22:54] + struct.pack("!II", len(one) - 54, TCP)
            assert words_sum(pseudo + one[54:]) == 0xFFFF

    run(test())


def test_the_header_is_read_once() -> None:
    async def test() -> None:
        w = world()
        start(w)
        q = RawQueue(w)
        post_super(q, cuts=(54,))
        q.doorbell()
        q.enable()
        await q.completed(1)
        reads = w.device.stats[Stat.READ_REQUESTS]
        # the header, then a burst a segment, and one more wherever a page ends within
        assert SEGMENTS + 1 <= reads <= SEGMENTS + 1 + 4

    run(test())


# -- order


def test_segments_of_queues_take_turns() -> None:
    async def test() -> None:
        w = world(queues=4)
        start(w, 1_000_000_000)
        queues = [RawQueue(w, queue) for queue in range(4)]
        for q in queues[:3]:
            post_super(q)
            q.doorbell()
        for number in range(SEGMENTS):
            queues[3].packet(bytes((number,)) * 60)
        queues[3].doorbell()
        for q in queues:
            q.enable()
        await w.run(lambda: len(w.wire) == 4 * SEGMENTS, 10**9, "all frames")
        for q in queues[:3]:
            assert sent(w.wire, q.queue) == WHOLE
        order = [frame.queue for frame in w.wire]
        for queue in range(3):
            turns = [n for n, other in enumerate(order) if other == queue]
            assert max(b - a for a, b in pairwise(turns)) <= 4

    run(test())


def test_the_commit_bound_holds_for_segments() -> None:
    async def ahead(bound: int) -> int:
        w = world(queues=2)
        start(w, 1_000_000_000, bound=bound)
        bulk, sparse = RawQueue(w, 0), RawQueue(w, 1)
        for _ in range(10):
            post_super(bulk)
        bulk.doorbell()
        bulk.enable()
        sparse.enable()
        await w.run(lambda: len(w.wire) == 3, 10**9, "three frames of the bulk queue")
        sparse.packet(bytes(60))
        sparse.doorbell()
        await w.run(lambda: bool(sent(w.wire, 1)), 10**9, "the sparse queue's frame")
        return [frame.queue for frame in w.wire].index(1) - 3

    async def test() -> None:
        assert await ahead(3000) <= 3
        assert await ahead(30_000) > 15

    run(test())


# -- errors


@pytest.mark.parametrize("at_fetch", [False, True])
@pytest.mark.parametrize("segment", range(SEGMENTS))
def test_a_read_that_fails_lets_what_was_before_leave_and_nothing_behind(segment: int, at_fetch: bool) -> None:
    async def test() -> None:
        w = world()
        start(w, 10_000_000_000, complete_at_fetch=at_fetch)
        q = RawQueue(w)
        where = SUPER.payload_at + segment * MSS + 40
        edges = [0, where, where + 100, len(SUPER.build())]
        addrs = post_super(q, REPORT, (edges[1], edges[2]))
        w.memory.forbid(addrs[1])
        q.packet(b"x" * 60)
        q.doorbell()
        q.enable()
        assert outcome(await q.completed(2)) == [(4, Status.READ, segment), (5, Status.OK, 1)]
        await w.run(lambda: w.device.next_ps() is None, 10**9, "the device to fall silent")
        assert sent(w.wire) == [*WHOLE[:segment], b"x" * 60]
        assert w.device.stats[Stat.ERR_READ] == 1
        assert w.device._committed == w.device._buffered == 0
        assert await q.get("STATUS") == 1

    run(test())


def test_a_header_that_can_not_be_read_kills_all() -> None:
    async def test() -> None:
        w = world()
        start(w)
        q = RawQueue(w)
        w.memory.forbid(post_super(q, cuts=(54,))[0])
        q.doorbell()
        q.enable()
        assert outcome(await q.completed(1)) == [(3, Status.READ, 0)]
        assert w.wire == []

    run(test())


@given(st.integers(0, 40_000))
@settings(max_examples=40, deadline=None)
def test_a_queue_that_is_disabled_ends_between_packets(when_ns: int) -> None:
    async def test() -> None:
        w = world()
        start(w, 10_000_000_000, bound=4000)
        q = RawQueue(w)
        for _ in range(4):
            post_super(q)
        q.doorbell()
        q.enable()
        await w.pause(when_ns)
        q.put("CTRL", 0)
        await w.run(lambda: w.device.next_ps() is None, 10**9, "the device to fall silent")
        found = q.seen()
        assert {c.segments for c in found} <= {SEGMENTS}
        assert sent(w.wire) == WHOLE * len(found)
        assert await q.get("STATUS") == 1
        q.enable()
        await w.run(lambda: len(w.wire) == 4 * SEGMENTS, 10**9, "the others")
        assert sent(w.wire) == WHOLE * 4

    run(test())


@given(st.integers(0, 60_000), st.sampled_from([0, 4000]), st.booleans())
@settings(max_examples=80, deadline=None)
def test_a_reset_drops_what_has_not_begun_to_leave(when_ns: int, bound: int, at_fetch: bool) -> None:
    async def test() -> None:
        w = world(queues=2)
        start(w, 10_000_000_000, complete_at_fetch=at_fetch, bound=bound)
        q, other = RawQueue(w, 0), RawQueue(w, 1)
        for _ in range(4):
            post_super(q)
            post_super(other)
        for queue in (q, other):
            queue.doorbell()
            queue.enable()
        await w.pause(when_ns)
        reset_ps = w.timeline.now_ns * 1000
        q.put("CTRL", 2)
        while await q.get("CTRL") & 2:
            assert w.timeline.now_ns < 10**9
        found = q.seen()
        left = sent(w.wire, 0)
        assert left == (WHOLE * 4)[: len(left)]
        assert all(frame.start_ps <= reset_ps for frame in w.wire if frame.queue == 0)
        assert [c.ring_index for c in found] == [2 * n + 2 for n in range(len(found))]
        assert {c.status for c in found} <= {Status.OK, Status.ABORTED}
        reported = sum(c.segments for c in found)
        if not at_fetch:
            # of a packet that was half cut some may have left, unreported
            assert reported <= len(left) < reported + SEGMENTS
            assert all((c.segments == SEGMENTS) == (c.status is Status.OK) for c in found)
        assert w.device.stats[Stat.ERR_ABORTED] >= sum(c.status is Status.ABORTED for c in found)
        assert await q.get("STATUS") == 1
        q.start_again()
        post_super(q)
        q.doorbell()
        q.enable()
        assert outcome(await q.completed(1)) == [(2, Status.OK, SEGMENTS)]
        await w.run(lambda: w.device.next_ps() is None, 10**9, "the device to fall silent")
        assert sent(w.wire, 0)[len(left) :] == WHOLE
        assert sent(w.wire, 1) == WHOLE * 4
        assert w.device._committed == w.device._buffered == 0

    run(test())


def test_a_reset_drops_what_was_to_leave_of_a_packet_with_a_failed_read() -> None:
    async def test() -> None:
        w = world()
        start(w, 10_000_000)
        q = RawQueue(w)
        where = SUPER.payload_at + 5 * MSS
        w.memory.forbid(post_super(q, cuts=(where,))[1])
        q.doorbell()
        q.enable()
        await w.run(lambda: len(w.wire) == 2, 10**9, "two segments")
        q.put("CTRL", 2)
        while await q.get("CTRL") & 2:
            assert w.timeline.now_ns < 10**9
        assert outcome(q.seen()) == [(3, Status.READ, 2)]
        # what was committed goes back when the gap behind the second segment has passed
        await w.run(lambda: w.device.next_ps() is None, 10**9, "the device to fall silent")
        assert sent(w.wire) == WHOLE[:2]
        assert w.device._committed == w.device._buffered == 0

    run(test())


def test_a_packet_completes_at_fetch_when_all_its_segments_are_in_the_frame_buffer() -> None:
    async def test() -> None:
        w = world()
        start(w, 1_000_000_000, complete_at_fetch=True)
        q = RawQueue(w)
        post_super(q)
        q.doorbell()
        q.enable()
        assert outcome(await q.completed(1)) == [(2, Status.OK, SEGMENTS)]
        assert len(w.wire) < SEGMENTS
        await w.run(lambda: len(w.wire) == SEGMENTS, 10**9, "the others")

    run(test())
