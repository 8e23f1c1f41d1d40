"""Software segmentation and checksums, beyond the recorded cases: the frames are built again the long way round."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringwire.gso import UDP_MAX_SEGMENTS, GsoError, complete_checksum, segment
from ringwire.skb import CsumFlag, GsoType, Skb, linear_truesize
from tests.frames import TCP, UDP, Frame, balanced, words_sum

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))
PADDING = (60, bytes((0, 0, 1, 4, 0, 0, 0, 0)))
HOP_BY_HOP = (0, bytes((0, 0, 5, 2, 0, 0, 1, 0)))
ROUTING = (43, bytes((0, 2, 0, 0, 0, 0, 0, 0)) + bytes(range(16)))


def octets(size: int) -> bytes:
    return bytes((7 * n + n // 256) & 0xFF for n in range(size))


def skb_of(frame: Frame, gso_size: int, *, kind: GsoType | None = None, cuts: tuple[int, ...] = ()) -> Skb:
    """The request to send ``frame``, its bytes divided at ``cuts``."""
    data = frame.build()
    if kind is None:
        kind = GsoType.UDP_L4 if frame.protocol == UDP else {4: GsoType.TCPV4, 6: GsoType.TCPV6}[frame.version]
    edges = [0, *sorted(cut for cut in cuts if 0 < cut < len(data)), len(data)]
    return Skb(
        len=len(data),
        data=tuple(data[a:b] for a, b in pairwise(edges)),
        csum_flags=CsumFlag.NEEDS_CSUM,
        csum_start=frame.l4,
        csum_offset=frame.csum_offset,
        gso_type=kind if gso_size else GsoType.NONE,
        gso_size=gso_size,
        hdr_len=frame.payload_at,
    )


def expected_stream(frame: Frame, size: int, complete: bool) -> list[bytes]:
    """The segments of a TCP or USO request, each built from scratch."""
    out = []
    last = (len(frame.payload) - 1) // size
    for index in range(last + 1):
        flags = frame.flags
        if index < last:
            flags &= ~(FIN | PSH)
        if index > 0:
            flags &= ~CWR
        one = replace(
            frame,
            payload=frame.payload[index * size : (index + 1) * size],
            seq=(frame.seq + index * size) % 2**32,
            ident=(frame.ident + index) % 2**16,
            flags=flags,
        )
        if complete:
            one = one.completed(0 if frame.protocol == TCP else 0xFFFF)
        out.append(one.build())
    return out


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    version = draw(st.sampled_from((4, 6)))
    near_wrap = st.integers(0, 2**32 - 1) | st.integers(2**32 - 5000, 2**32 - 1)
    extensions = draw(st.lists(st.sampled_from((HOP_BY_HOP, PADDING, ROUTING)), max_size=3)) if version == 6 else []
    return Frame(
        version=version,
        protocol=draw(st.sampled_from((TCP, UDP))),
        payload=draw(st.binary(min_size=2, max_size=600)) * draw(st.integers(1, 20)),
        vlans=draw(st.sampled_from(((), ((0x8100, 5),), ((0x88A8, 100), (0x8100, 0xE007))))),
        ip_options=draw(st.sampled_from((b"", b"\1\1\1\0", b"\1" * 39 + b"\0"))) if version == 4 else b"",
        extensions=tuple(extensions),
        l4_options=draw(st.sampled_from((b"", b"\1\1" + bytes(10), bytes(40)))),
        ports=draw(st.tuples(st.integers(0, 65535), st.integers(0, 65535))),
        seq=draw(near_wrap),
        ack=draw(near_wrap),
        flags=draw(st.integers(0, 255)),
        reserved=draw(st.integers(0, 15)),
        urgent=draw(st.integers(0, 65535)),
        ident=draw(st.integers(0, 65535) | st.integers(65530, 65535)),
        fragment=draw(st.sampled_from((0, 0x4000))),
        tos=draw(st.integers(0, 255)),
        flow_label=draw(st.integers(0, 2**20 - 1)),
    )


@settings(max_examples=300, deadline=None)
@given(
    frames(),
    st.integers(1, 2000),
    st.booleans(),
    st.lists(st.integers(1, 3000), max_size=4).map(tuple),
)
def test_segments_are_those_built_from_scratch(frame: Frame, size: int, complete: bool, cuts: tuple[int, ...]) -> None:
    if frame.protocol == UDP:
        size = max(size, -(-len(frame.payload) // UDP_MAX_SEGMENTS))
    size = min(size, len(frame.payload) - 1)
    got = segment(skb_of(frame, size, cuts=cuts), complete=complete)
    assert [one.linear().hex() for one in got] == [want.hex() for want in expected_stream(frame, size, complete)]
    for one in got:
        assert one.len == len(one.linear())
        asked = (CsumFlag.NEEDS_CSUM, frame.l4, frame.csum_offset)
        assert (one.csum_flags, one.csum_start, one.csum_offset) == ((CsumFlag.NONE, *asked[1:]) if complete else asked)
        assert (one.gso_type, one.gso_size, one.gso_segs) == (GsoType.NONE, 0, 0)


@settings(max_examples=100, deadline=None)
@given(frames(), st.integers(1, 2000))
def test_every_segment_verifies_and_the_payload_comes_back(frame: Frame, size: int) -> None:
    if frame.protocol == UDP:
        size = max(size, -(-len(frame.payload) // UDP_MAX_SEGMENTS))
    size = min(size, len(frame.payload) - 1)
    payload = b""
    for one in segment(skb_of(frame, size)):
        data = one.linear()
        l4 = data[frame.l4 :]
        assert words_sum(frame.pseudo(len(l4)) + l4) == 0xFFFF
        if frame.version == 4:
            assert words_sum(data[frame.l3 : frame.l4]) == 0xFFFF
        payload += data[frame.payload_at :]
    assert payload == frame.payload


@settings(max_examples=200, deadline=None)
@given(frames(), st.lists(st.integers(1, 3000), max_size=6).map(tuple))
def test_completing_gives_the_checksum_however_the_bytes_are_divided(frame: Frame, cuts: tuple[int, ...]) -> None:
    skb = skb_of(frame, 0, cuts=cuts)
    complete_checksum(skb)
    assert skb.linear().hex() == frame.completed(0xFFFF).build().hex()
    assert skb.csum_flags == CsumFlag.NONE


@pytest.mark.parametrize("cuts", [(50, 51), (51, 52), (54, 57), (54, 55, 58), (55, 58, 59, 61), (54, 56, 57), (71,)])
def test_completing_knows_odd_fragments_and_a_divided_field(cuts: tuple[int, ...]) -> None:
    frame = Frame(payload=octets(18))
    skb = skb_of(frame, 0, cuts=cuts)
    complete_checksum(skb)
    assert skb.linear().hex() == frame.completed(0xFFFF).build().hex()


def test_completing_twice_changes_nothing() -> None:
    skb = skb_of(Frame(payload=b"abc"), 0)
    complete_checksum(skb)
    data = skb.data
    complete_checksum(skb)
    assert skb.data is data


def test_completing_sums_any_protocol_from_start_to_end() -> None:
    data = octets(64)
    skb = Skb(64, (data,), csum_flags=CsumFlag.NEEDS_CSUM, csum_start=21, csum_offset=4)
    complete_checksum(skb)
    check = 0xFFFF - words_sum(data[21:])
    assert skb.linear() == data[:25] + struct.pack("!H", check) + data[27:]


@pytest.mark.parametrize(("start", "offset"), [(63, 0), (14, 49), (64, 0), (70, 2)])
def test_a_checksum_field_outside_the_frame_is_refused(start: int, offset: int) -> None:
    skb = Skb(64, (bytes(64),), csum_flags=CsumFlag.NEEDS_CSUM, csum_start=start, csum_offset=offset)
    with pytest.raises(GsoError, match=f"checksum field at byte {start + offset} of a frame of 64 bytes"):
        complete_checksum(skb)
    assert skb.data == (bytes(64),)


@pytest.mark.parametrize("version", [4, 6])
def test_a_sum_of_zero_is_written_as_linux_writes_it(version: int) -> None:
    size = 64
    tcp = balanced(Frame(version=version, payload=octets(size)))
    udp = balanced(Frame(version=version, protocol=UDP, payload=octets(size)))

    def field(skb: Skb, frame: Frame) -> bytes:
        at = frame.l4 + frame.csum_offset
        return skb.linear()[at : at + 2]

    for frame, when_cut in ((tcp, b"\0\0"), (udp, b"\xff\xff")):
        longer = replace(frame, payload=frame.payload + b"tail")
        assert field(segment(skb_of(longer, size))[0], frame) == when_cut
        skb = skb_of(frame, 0)
        complete_checksum(skb)
        assert field(skb, frame) == b"\xff\xff"
        assert field(segment(skb_of(frame, size))[0], frame) == b"\xff\xff"
    if version == 4:
        assert field(segment(skb_of(udp, 40, kind=GsoType.UDP))[0], udp) == b"\xff\xff"


def test_a_pseudo_header_sum_of_zero_is_written_as_ones() -> None:
    frame = Frame(payload=octets(200), source=bytes(4), destination=b"\0\0\0\0")
    length = frame.l4_hlen + 100
    frame.destination = struct.pack("!HH", 0, 0xFFFF - TCP - length)
    out = segment(skb_of(frame, 100), complete=False)
    assert [one.linear()[frame.l4 + 16 : frame.l4 + 18] for one in out] == [b"\xff\xff"] * 2


@pytest.mark.parametrize("version", [4, 6])
def test_a_complete_checksum_in_the_request_is_made_anew(version: int) -> None:
    frame = Frame(version=version, payload=octets(5000), extensions=((60, PADDING[1]),) if version == 6 else ())
    for complete in (True, False):
        skb = skb_of(frame.completed(0), 333)
        skb.csum_flags, skb.csum_start, skb.csum_offset = CsumFlag.NONE, 0, 0
        got = segment(skb, complete=complete)
        assert [one.linear() for one in got] == expected_stream(frame, 333, complete)


@pytest.mark.parametrize("error", [1, 0x1234, 0xFFFE])
def test_a_wrong_field_stays_wrong_by_as_much(error: int) -> None:
    frame = Frame(payload=octets(300))
    right = [one.linear() for one in segment(skb_of(frame, 130))]
    off = replace(frame, checksum=(words_sum(frame.pseudo(320)) + error) % 0xFFFF)
    at = frame.l4 + frame.csum_offset
    for one, want in zip(segment(skb_of(off, 130)), right, strict=True):
        got = int.from_bytes(one.linear()[at : at + 2], "big")
        assert (got + error - int.from_bytes(want[at : at + 2], "big")) % 0xFFFF == 0


@settings(max_examples=100, deadline=None)
@given(
    st.integers(2, 9000),
    st.integers(1, 1125),
    st.sampled_from((b"", b"\1\1\1\0")),
    st.sampled_from((0, 0x4000)),
    st.booleans(),
)
def test_udp_fragments_reassemble_to_the_datagram(
    length: int, eighths: int, ip_options: bytes, fragment: int, complete: bool
) -> None:
    frame = Frame(protocol=UDP, payload=octets(length), ip_options=ip_options, fragment=fragment)
    size = min(8 * eighths, (length + 7) // 8 * 8)
    got = segment(skb_of(frame, size, kind=GsoType.UDP), complete=complete)
    whole = frame.completed(0xFFFF).l4_bytes()
    header = frame.l4 - frame.l3
    for index, one in enumerate(got):
        data = one.linear()
        part = whole[index * size : (index + 1) * size]
        more = index < len(got) - 1
        want = replace(frame, fragment=more << 13 | index * size // 8, ip_len=header + len(part)).build()
        assert data == want[: frame.l4] + part
        assert one.csum_flags == CsumFlag.NONE
    assert b"".join(one.linear()[frame.l4 :] for one in got) == whole


def jumbo(length: int) -> tuple[int, bytes]:
    return 0, bytes((0, 0, 0xC2, 4)) + struct.pack("!I", length)


def test_big_tcp_over_ipv6_loses_its_jumbo_header() -> None:
    payload = octets(66_000)
    frame = Frame(version=6, payload=payload, extensions=(jumbo(66_028),), ip_len=0)
    plain = replace(frame, extensions=(), ip_len=None)
    for complete in (True, False):
        got = segment(skb_of(frame, 1400), complete=complete)
        assert [one.linear() for one in got] == expected_stream(plain, 1400, complete)
        assert {one.csum_start for one in got} == {plain.l4}
    # The frames that a 6.18 kernel makes of this packet.
    digest = hashlib.sha256(b"".join(one.linear() for one in segment(skb_of(frame, 1400)))).hexdigest()
    assert digest == "3e917268aec1ba1d2b78d23e7c20ec566bd40a2115178b4b6e0c36fb50b49c0d"


@pytest.mark.parametrize("size", [300, 66_000])
@pytest.mark.parametrize("ip_len", [0, 1])
def test_the_ipv6_length_of_the_whole_is_not_looked_at(size: int, ip_len: int) -> None:
    frame = Frame(version=6, payload=octets(size), ip_len=ip_len)
    for complete in (True, False):
        got = segment(skb_of(frame, 100), complete=complete)
        assert [one.linear() for one in got] == expected_stream(replace(frame, ip_len=None), 100, complete)


@pytest.mark.parametrize("ip_len", [0, 1])
@pytest.mark.parametrize("vlans", [(), ((0x8100, 5),)])
def test_a_jumbo_header_goes_from_65537_bytes_on(ip_len: int, vlans: tuple[tuple[int, int], ...]) -> None:
    for whole, stays in ((65_536, True), (65_537, False)):
        payload = octets(whole - 40 - 8 - 20)
        frame = Frame(version=6, payload=payload, extensions=(jumbo(whole - 40),), ip_len=ip_len, vlans=vlans)
        want = replace(frame, ip_len=None) if stays else replace(frame, ip_len=None, extensions=())
        assert [one.linear() for one in segment(skb_of(frame, 9000))] == expected_stream(want, 9000, True)


@pytest.mark.parametrize("extensions", [(jumbo(66_036), PADDING), (PADDING, jumbo(66_028)), (HOP_BY_HOP,)])
def test_other_extension_headers_of_big_tcp_stay(extensions: tuple[tuple[int, bytes], ...]) -> None:
    frame = Frame(version=6, payload=octets(66_000), extensions=extensions, ip_len=0)
    assert [one.linear() for one in segment(skb_of(frame, 9000))] == expected_stream(
        replace(frame, ip_len=None), 9000, True
    )


@pytest.mark.parametrize(
    ("frame", "most"),
    [
        (Frame(payload=octets(66_000), ip_len=0), 65_495),
        (Frame(payload=octets(66_000), ip_len=0, ip_options=bytes(40), vlans=((0x8100, 5),)), 65_455),
        (Frame(version=6, payload=octets(66_000), ip_len=0), 65_515),
        (Frame(version=6, payload=octets(66_000), ip_len=0, extensions=(jumbo(66_028),)), 65_515),
        (Frame(version=6, payload=octets(66_000), ip_len=0, extensions=(PADDING,)), 65_507),
    ],
)
def test_segments_may_be_as_long_as_their_ip_length_can_tell(frame: Frame, most: int) -> None:
    first = segment(skb_of(frame, most))[0].linear()
    at = frame.l3 + (2 if frame.version == 4 else 4)
    assert first[at : at + 2] == b"\xff\xff"
    with pytest.raises(GsoError, match=f"gso_size {most + 1} makes segments of more than 65535 bytes"):
        segment(skb_of(frame, most + 1))


@pytest.mark.parametrize("kind", [2, 9])
def test_a_complete_checksum_is_made_anew_for_the_destination_in_the_header(kind: int) -> None:
    # Linux doesn't look for the final one here.
    routing = (43, bytes((0, 2, kind, 1, 0, 0, 0, 0)) + bytes(range(200, 216)))
    frame = Frame(version=6, payload=octets(500), extensions=(routing,))
    skb = skb_of(replace(frame, final=routing[1][8:]).completed(0), 200)
    skb.csum_flags, skb.csum_start, skb.csum_offset = CsumFlag.NONE, 0, 0
    assert [one.linear() for one in segment(skb)] == expected_stream(frame, 200, True)


def test_big_tcp_over_ipv4_has_no_length_to_go_by() -> None:
    frame = Frame(payload=octets(66_000), ip_len=0)
    got = segment(skb_of(frame, 1400))
    assert [one.linear() for one in got] == expected_stream(replace(frame, ip_len=None), 1400, True)


@pytest.mark.parametrize("options", [0, 12, 40])
def test_what_fits_one_segment_is_an_ordinary_packet(options: int) -> None:
    size = 100
    for length in (1, size - options):
        frame = Frame(payload=octets(length), l4_options=bytes(options))
        skb = skb_of(frame, size)
        assert segment(skb) == [skb]
        assert not skb.is_gso and skb.gso_type == GsoType.NONE
        assert skb.linear() == frame.completed(0xFFFF).build()
        skb = skb_of(frame, size)
        assert segment(skb, complete=False) == [skb]
        assert skb.csum_flags == CsumFlag.NEEDS_CSUM
        assert skb.linear() == frame.build()


REFUSED = {
    "no mss": (Frame(payload=octets(300)), 0, {"gso_type": GsoType.TCPV4}, "gso_size 0; allowed: 1 to 65534"),
    "mss 65535": (Frame(payload=octets(300)), 65535, {}, "gso_size 65535; allowed: 1 to 65534"),
    "no type": (Frame(payload=octets(300)), 100, {"gso_type": GsoType.NONE}, "gso_type NONE on IP version 4"),
    "TCPv6 on IPv4": (Frame(payload=octets(300)), 100, {"gso_type": GsoType.TCPV6}, "TCPV6 on IP version 4"),
    "TCPv4 on UDP": (Frame(protocol=UDP, payload=octets(300)), 100, {"gso_type": GsoType.TCPV4}, "protocol 17"),
    "USO on TCP": (Frame(payload=octets(300)), 100, {"gso_type": GsoType.UDP_L4}, "UDP_L4 on IP version 4, protocol 6"),
    "UFO on IPv6": (Frame(6, UDP, octets(300)), 100, {"gso_type": GsoType.UDP}, "UDP on IP version 6"),
    "short payload behind options": (
        Frame(payload=octets(89), l4_options=bytes(12)),
        100,
        {},
        "89 bytes to cut, which is no more than gso_size 100",
    ),
    "short payload without checksum request": (
        Frame(payload=octets(100)),
        100,
        {"csum_flags": CsumFlag.NONE},
        "100 bytes to cut, which is no more than gso_size 100",
    ),
    "USO without checksum request": (
        Frame(protocol=UDP, payload=octets(300)),
        100,
        {"csum_flags": CsumFlag.NONE},
        "USO without NEEDS_CSUM",
    ),
    "USO of 129": (Frame(protocol=UDP, payload=octets(1281)), 10, {}, "USO of more than 128 datagrams"),
    "checksum start": (Frame(payload=octets(300)), 100, {"csum_start": 36}, r"asked for at 36 \+ 16; .* 34 \+ 16"),
    "checksum offset": (Frame(payload=octets(300)), 100, {"csum_offset": 6}, r"asked for at 34 \+ 6; .* 34 \+ 16"),
    "first fragment": (Frame(payload=octets(300), fragment=0x2000), 100, {}, "segmentation of an IP fragment"),
    "later fragment": (Frame(payload=octets(300), fragment=0x0010), 100, {}, "segmentation of an IP fragment"),
    "IPv6 fragment header": (
        Frame(version=6, payload=octets(300), extensions=((44, bytes(8)),)),
        100,
        {},
        "segmentation of an IP fragment",
    ),
    "authentication header": (
        Frame(version=6, payload=octets(300), extensions=((51, bytes((0, 1)) + bytes(10)),)),
        100,
        {},
        "TCPV6 on IP version 6, protocol 51",
    ),
    "segments over 65535": (Frame(payload=octets(66_000), ip_len=0), 65_496, {}, "segments of more than 65535 bytes"),
    "IPv6 segments over 65535": (
        Frame(version=6, payload=octets(66_000), ip_len=0),
        65_516,
        {},
        "segments of more than 65535 bytes",
    ),
}


@pytest.mark.parametrize(("frame", "size", "fields", "why"), REFUSED.values(), ids=REFUSED)
def test_what_linux_refuses_is_refused_by_name(frame: Frame, size: int, fields: dict[str, object], why: str) -> None:
    skb = skb_of(frame, size)
    skb.destructor = print
    for name, value in fields.items():
        setattr(skb, name, value)
    before = (skb.linear(), skb.len, skb.gso_type, skb.gso_size, skb.csum_flags)
    with pytest.raises(GsoError, match=why) as caught:
        segment(skb)
    assert "\n" not in str(caught.value)
    assert (skb.linear(), skb.len, skb.gso_type, skb.gso_size, skb.csum_flags) == before
    assert skb.destructor is print


@pytest.mark.parametrize("size", [13, 14, 20, 33, 34, 53])
def test_headers_cut_short_are_refused(size: int) -> None:
    skb = skb_of(Frame(payload=octets(300)), 100)
    skb.data, skb.len = (skb.data[0][:size],), size
    with pytest.raises(GsoError, match=f"the frame at byte {size}"):
        segment(skb)


@pytest.mark.parametrize("frame", [Frame(payload=octets(5000)), Frame(protocol=UDP, payload=octets(5000))], ids=repr)
def test_segments_share_the_payload(frame: Frame) -> None:
    whole = skb_of(frame, 1400)
    for one in segment(whole):
        part = one.data[1]
        assert isinstance(part, memoryview) and part.obj is whole.data[0]
    apart = skb_of(frame, 1400, cuts=(frame.payload_at,))
    for one in segment(apart):
        part = one.data[1]
        assert isinstance(part, memoryview) and part.obj is apart.data[1]


def test_segments_inherit_and_the_last_owes_the_sender() -> None:
    freed: list[Skb] = []
    skb = skb_of(Frame(payload=octets(2500)), 1000)
    shared = {
        "id": 5,
        "priority": 6,
        "hash": 7,
        "mark": 8,
        "tos": 9,
        "vlan_tci": 10,
        "queue_mapping": 3,
        "tstamp": 11,
        "enqueued_ns": 12,
        "pkt_len": 13,
    }
    for name, value in shared.items():
        setattr(skb, name, value)
    skb.truesize, skb.wants_timestamp, skb.destructor, skb.on_stamp = 4321, True, freed.append, print
    got = segment(skb)
    assert len(got) == 3
    for one in got:
        assert {name: getattr(one, name) for name in shared} == shared
    assert [one.wants_timestamp for one in got] == [False, False, True]
    assert [one.on_stamp for one in got] == [None, None, print] and skb.on_stamp is None
    assert [one.truesize for one in got] == [linear_truesize(1054), linear_truesize(1054), 4321]
    skb.free()
    for one in got:
        one.free()
    assert freed == [got[-1]]


def test_a_time_stamp_of_udp_is_that_of_the_first_segment() -> None:
    skb = skb_of(Frame(protocol=UDP, payload=octets(2500)), 1000)
    skb.wants_timestamp, skb.destructor, skb.on_stamp = True, print, print
    got = segment(skb)
    assert [one.wants_timestamp for one in got] == [True, False, False]
    assert [one.on_stamp for one in got] == [print, None, None]
    assert [one.destructor for one in got] == [None, None, print]


def test_a_packet_without_data_is_cut_by_its_figures() -> None:
    freed: list[Skb] = []
    skb = Skb(len=54 + 3001, id=4, hdr_len=54, gso_size=1000, pkt_len=9, destructor=freed.append)
    got = segment(skb)
    assert [(one.len, one.data, one.id, one.pkt_len) for one in got] == [
        (1054, (), 4, 9),
        (1054, (), 4, 9),
        (1054, (), 4, 9),
        (55, (), 4, 9),
    ]
    for one in got:
        one.free()
    assert freed == [got[-1]]
    small = Skb(len=1054, hdr_len=54, gso_size=1000)
    assert segment(small) == [small] and not small.is_gso
    for hdr_len in (0, 1054, 2000):
        with pytest.raises(GsoError, match=f"hdr_len {hdr_len}; allowed: 1 to 1053"):
            segment(Skb(len=1054, hdr_len=hdr_len, gso_size=100))
