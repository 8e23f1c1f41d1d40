"""Captured frames as packets: what is asked for, what is left alone, and what then goes on the wire."""

from __future__ import annotations

from dataclasses import asdict, replace
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringwire.gso import complete_checksum, segment
from ringwire.packet import tos_to_priority
from ringwire.pcap import CapturedFrame, CaptureError, PcapWriter, read_capture
from ringwire.skb import CsumFlag, GsoType, Skb, linear_truesize
from ringwire.traffic.capture import Capture, CaptureCounts, packet_of
from tests.frames import TCP, UDP, Frame, words_sum

DATA = Path(str(files("ringwire"))) / "data"
FINAL = bytes(range(100, 116))
PADDING = (60, bytes((0, 0, 1, 4, 0, 0, 0, 0)))


def capture_of(data: bytes, length: int | None = None, **limits: int) -> tuple[Skb, str]:
    """The packet of one frame, and the kind that it was counted as."""
    counts = CaptureCounts()
    skb = packet_of(CapturedFrame(0, data, len(data) if length is None else length), counts, **limits)
    kinds = {name: count for name, count in asdict(counts).items() if name != "trailers"}
    assert sum(kinds.values()) == counts.frames == 1
    assert skb.len == len(skb.linear())
    return skb, next(name for name, count in kinds.items() if count)


def on_the_wire(skb: Skb) -> list[bytes]:
    out = segment(skb) if skb.is_gso else [skb]
    for one in out:
        complete_checksum(one)
    return [one.linear() for one in out]


def test_the_real_capture_gives_the_frames_that_linux_made_of_it() -> None:
    capture = Capture(DATA / "real_mix.pcap")
    got = [(time_ns, frame.hex()) for time_ns, skb in capture for frame in on_the_wire(skb)]
    want = [(frame.time_ns, frame.data.hex()) for frame in read_capture(DATA / "real_mix.wire.pcap")]
    for number, (have, expected) in enumerate(zip(got, want, strict=False), 1):
        assert have == expected, f"frame {number}"
    assert len(got) == len(want) == 924
    assert asdict(capture.counts) == {
        "tcp": 52,
        "tcp_super": 37,
        "udp": 53,
        "udp_without_checksum": 0,
        "tunnelled": 0,
        "sctp": 0,
        "fragments": 0,
        "truncated": 0,
        "malformed": 0,
        "other": 24,
        "trailers": 0,
    }
    assert capture.counts.frames == 166


def test_packets_are_numbered_and_counted_anew_in_each_pass() -> None:
    capture = Capture(DATA / "real_mix.pcap")
    for _ in range(2):
        assert [skb.id for _, skb in capture] == list(range(1, 167))
        assert capture.counts.frames == 166


LAYOUTS = {
    "IPv4": Frame(),
    "IPv4 options": Frame(ip_options=b"\1\1\1\0"),
    "IPv4 VLAN": Frame(vlans=((0x8100, 5),)),
    "IPv4 two VLANs": Frame(vlans=((0x88A8, 100), (0x8100, 7))),
    "IPv6": Frame(version=6),
    "IPv6 VLAN": Frame(version=6, vlans=((0x8100, 5),)),
    "IPv6 extensions": Frame(version=6, extensions=((0, PADDING[1]), PADDING)),
    "IPv6 on its way": Frame(version=6, extensions=((43, bytes((0, 2, 0, 1, 0, 0, 0, 0)) + FINAL),), final=FINAL),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("protocol", [TCP, UDP])
@pytest.mark.parametrize("held", [None, 0x1234, 0xFFFF])
@pytest.mark.parametrize("trailer", [b"", bytes(9), b"odd", b"even"])
@pytest.mark.parametrize("size", [0, 1, 700, 701])
def test_the_wire_gets_a_right_checksum_whatever_the_capture_held(
    layout: Frame, protocol: int, held: int | None, trailer: bytes, size: int
) -> None:
    frame = replace(layout, protocol=protocol, payload=bytes(range(256)) * 3, checksum=held, trailer=trailer)
    frame.payload = frame.payload[:size]
    skb, kind = capture_of(frame.build())
    assert kind == {TCP: "tcp", UDP: "udp"}[protocol]
    assert skb.csum_flags == (CsumFlag.NONE if trailer else CsumFlag.NEEDS_CSUM)
    if not trailer:
        assert (skb.csum_start, skb.csum_offset) == (frame.l4, frame.csum_offset)
        field = skb.linear()[frame.l4 + frame.csum_offset :][:2]
        assert int.from_bytes(field, "big") % 0xFFFF == words_sum(frame.pseudo(frame.l4_hlen + size)) % 0xFFFF
    assert not skb.is_gso
    (wire,) = on_the_wire(skb)
    assert wire.hex() == frame.completed(0xFFFF).build().hex()


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("trailer", [b"", b"odd"])
@pytest.mark.parametrize(("mtu", "over"), [(1500, 1), (1500, 1448), (1500, 20000), (576, 5000), (9000, 30000)])
def test_tcp_over_the_mtu_is_a_super_packet(layout: Frame, trailer: bytes, mtu: int, over: int) -> None:
    frame = replace(layout, l4_options=b"\1\1" + bytes(10), flags=0x98, checksum=0x1234)
    room = mtu - (frame.payload_at - frame.l3)
    for size, super_packet in ((room, False), (room + over, True)):
        frame.payload, frame.trailer = b"data" * (size // 4) + b"x" * (size % 4), b""
        pure = frame.build()
        frame.trailer = trailer
        skb, kind = capture_of(frame.build(), mtu=mtu)
        assert kind == ("tcp_super" if super_packet else "tcp")
        if not super_packet:
            continue
        assert skb.len == len(pure)
        assert skb.gso_type == {4: GsoType.TCPV4, 6: GsoType.TCPV6}[frame.version]
        assert (skb.gso_size, skb.gso_segs) == (room, -(-size // room))
        assert skb.hdr_len == frame.payload_at
        assert skb.gso_ecn
        wire = on_the_wire(skb)
        assert len(wire) == -(-size // room)
        assert all(len(one) - frame.l3 <= mtu for one in wire)
        assert b"".join(one[frame.payload_at :] for one in wire) == frame.payload
        for one in wire:
            l4 = one[frame.l4 :]
            assert words_sum(frame.pseudo(len(l4)) + l4) == 0xFFFF


def test_a_super_packet_without_cwr_asks_for_no_ecn() -> None:
    assert not capture_of(Frame(payload=bytes(3000), flags=0x18).build())[0].gso_ecn


def test_a_frame_of_the_mtu_with_a_trailer_is_no_super_packet() -> None:
    assert capture_of(Frame(payload=bytes(1460), trailer=bytes(4)).build())[1] == "tcp"


def test_trailers_are_counted_beside_the_kinds() -> None:
    counts = CaptureCounts()
    for payload in (b"", bytes(3000)):
        data = Frame(payload=payload, trailer=bytes(6)).build()
        packet_of(CapturedFrame(0, data, len(data)), counts)
    assert (counts.tcp, counts.tcp_super, counts.trailers, counts.frames) == (1, 1, 2, 2)


def test_a_udp_checksum_of_zero_over_ipv4_stays() -> None:
    data = Frame(protocol=UDP, payload=b"hello", checksum=0).build()
    skb, kind = capture_of(data)
    assert kind == "udp_without_checksum"
    assert on_the_wire(skb) == [data]


def test_a_udp_checksum_of_zero_over_ipv6_is_rebuilt() -> None:
    frame = Frame(version=6, protocol=UDP, payload=b"hello", checksum=0)
    skb, kind = capture_of(frame.build())
    assert kind == "udp"
    assert on_the_wire(skb) == [frame.completed(0xFFFF).build()]


def test_a_udp_length_below_the_ip_packets_bounds_the_checksum() -> None:
    whole = Frame(protocol=UDP, payload=b"hello", checksum=0x1234)
    surplus = replace(whole, payload=b"hello and options", udp_len=13)
    skb, kind = capture_of(surplus.build())
    assert kind == "udp"
    (wire,) = on_the_wire(skb)
    assert wire == surplus.build()[:40] + whole.completed(0xFFFF).build()[40:47] + b" and options"


UNTOUCHED = {
    "ARP": (b"\xff" * 12 + b"\x08\x06" + bytes(28), "other"),
    "LLC": (b"\xff" * 12 + b"\x00\x26" + bytes(38), "other"),
    "ICMP": (Frame(protocol=1, payload=bytes(64)).build(), "other"),
    "ICMP over the MTU": (Frame(protocol=1, payload=bytes(3000)).build(), "other"),
    "ICMPv6": (Frame(version=6, protocol=58, payload=bytes(64)).build(), "other"),
    "ESP": (Frame(protocol=50, payload=bytes(64)).build(), "other"),
    "TCP behind an authentication header": (
        Frame(version=6, extensions=((51, bytes((0, 1)) + bytes(10)),), payload=b"abc").build(),
        "other",
    ),
    "unknown routing header": (
        Frame(version=6, extensions=((43, bytes((0, 0, 9, 1, 0, 0, 0, 0))),), payload=b"abc").build(),
        "other",
    ),
    "no next header": (Frame(version=6, protocol=59, ip_len=0).build(), "other"),
    "first fragment": (Frame(protocol=UDP, payload=bytes(512), fragment=0x2000, checksum=9).build(), "fragments"),
    "later fragment": (Frame(protocol=UDP, payload=bytes(512), fragment=0x00B9, checksum=9).build(), "fragments"),
    "fragment over the MTU": (Frame(payload=bytes(3000), fragment=0x2000).build(), "fragments"),
    "IPv6 fragment": (
        Frame(version=6, extensions=((44, bytes((0, 0, 0, 1, 0, 0, 0, 9))),), payload=bytes(512)).build(),
        "fragments",
    ),
    "shorter than its IP length": (Frame(payload=bytes(99)).build()[:-1], "truncated"),
    "super-packet shorter than its IP length": (Frame(payload=bytes(9000)).build()[:4000], "truncated"),
    "cut in the IP header": (Frame().build()[:30], "truncated"),
    "cut in the TCP header": (Frame().build()[:50], "truncated"),
    "cut in the Ethernet header": (b"\xff" * 13, "truncated"),
    "IPv4 header of 16 bytes": (b"\xff" * 12 + b"\x08\x00\x44" + bytes(40), "malformed"),
    "IPv6 in IPv4": (b"\xff" * 12 + b"\x08\x00\x60" + bytes(40), "malformed"),
    "TCP header of 16 bytes": (Frame().build()[:46] + b"\x40" + bytes(7), "malformed"),
    "IP length within the TCP header": (Frame(ip_len=39, payload=bytes(20)).build(), "malformed"),
    "IP length within the IP header": (Frame(ip_len=19, payload=bytes(20)).build(), "malformed"),
    "IPv4 length 0 within the MTU": (Frame(ip_len=0, payload=bytes(20)).build(), "malformed"),
    "IPv6 length 0": (Frame(version=6, ip_len=0, payload=bytes(3000)).build(), "malformed"),
    "UDP length over the IP packet's": (Frame(protocol=UDP, udp_len=14, payload=bytes(5)).build(), "malformed"),
    "UDP length of 7": (Frame(protocol=UDP, udp_len=7, payload=bytes(5)).build(), "malformed"),
}


@pytest.mark.parametrize(("data", "expected"), UNTOUCHED.values(), ids=UNTOUCHED)
def test_what_is_no_whole_tcp_or_udp_packet_passes_untouched(data: bytes, expected: str) -> None:
    skb, kind = capture_of(data)
    assert kind == expected
    assert skb.data == (data,)
    assert on_the_wire(skb) == [data]
    assert skb.truesize == linear_truesize(len(data))


@pytest.mark.parametrize("size", [60, 1514, 2000])
def test_a_frame_cut_by_the_capture_passes_untouched(size: int) -> None:
    for frame in (Frame(payload=bytes(5000)), Frame(protocol=UDP, payload=bytes(1400))):
        data = frame.build()[:size]
        skb, kind = capture_of(data, len(data) + 1)
        assert kind == "truncated"
        assert on_the_wire(skb) == [data]


def test_a_cut_trailer_makes_a_truncated_frame_too() -> None:
    data = Frame(payload=b"abc", trailer=b"1234").build()
    assert capture_of(data[:-1], len(data))[1] == "truncated"


@pytest.mark.parametrize("version", [4, 6])
def test_udp_over_the_mtu_is_refused_by_name(version: int) -> None:
    frame = Frame(version=version, protocol=UDP)
    headers = frame.payload_at - frame.l3
    frame.payload = bytes(1500 - headers)
    assert capture_of(frame.build())[1] == "udp"
    frame.payload += b"x"
    with pytest.raises(CaptureError, match="UDP datagram in an IP packet of 1501 bytes; allowed: up to the MTU, 1500"):
        capture_of(frame.build())
    assert capture_of(frame.build(), mtu=9000)[1] == "udp"


def test_a_frame_over_gso_max_size_is_refused_by_name() -> None:
    frame = Frame(payload=bytes(65536 - 54))
    frame.ip_len = 65522
    assert capture_of(frame.build())[1] == "tcp_super"
    frame.payload, frame.ip_len = frame.payload + b"x", 65523
    with pytest.raises(CaptureError, match="frame of 65537 bytes; allowed: up to gso_max_size, 65536"):
        capture_of(frame.build())
    assert capture_of(frame.build(), gso_max_size=65537)[1] == "tcp_super"


@pytest.mark.parametrize("version", [4, 6])
def test_big_tcp_is_a_super_packet_where_the_device_allows_it(version: int) -> None:
    jumbo = (0, bytes((0, 0, 0xC2, 4)) + (70_028).to_bytes(4, "big"))
    frame = Frame(version=version, payload=b"big!" * 17_500, ip_len=0, checksum=0x1234)
    frame.extensions = (jumbo,) if version == 6 else ()
    skb, kind = capture_of(frame.build(), gso_max_size=524_280)
    assert kind == "tcp_super"
    plain = replace(frame, extensions=())
    wire = on_the_wire(skb)
    assert len(wire) == skb.gso_segs
    assert b"".join(one[plain.payload_at :] for one in wire) == frame.payload
    for one in wire:
        l4 = one[plain.l4 :]
        assert words_sum(plain.pseudo(len(l4)) + l4) == 0xFFFF


def test_an_mtu_below_68_is_refused() -> None:
    with pytest.raises(CaptureError, match="MTU 67; allowed: 68 or more"):
        Capture(DATA / "real_mix.pcap", mtu=67)
    Capture(DATA / "real_mix.pcap", mtu=68)


def test_headers_that_leave_no_room_in_the_mtu_are_refused_by_name() -> None:
    frame = Frame(l4_options=bytes(28), payload=b"x")
    with pytest.raises(
        CaptureError, match="TCP packet over the MTU with headers of 68 bytes; allowed: less than the MTU, 68"
    ):
        capture_of(frame.build(), mtu=68)
    skb, _ = capture_of(replace(frame, l4_options=bytes(24), payload=bytes(10)).build(), mtu=68)
    assert (skb.gso_size, skb.gso_segs) == (4, 3)


def test_errors_name_file_and_packet(tmp_path: Path) -> None:
    path = tmp_path / "mix.pcap"
    with PcapWriter(path) as writer:
        writer.write(1, Frame(payload=b"fine").build())
        writer.write(2, Frame(protocol=UDP, payload=bytes(1500)).build())
    packets = iter(Capture(path))
    assert next(packets)[0] == 1
    with pytest.raises(CaptureError, match=r"mix\.pcap: packet 2: UDP datagram") as caught:
        next(packets)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("version", [4, 6])
def test_priority_comes_from_the_ipv4_tos_as_in_linux(version: int) -> None:
    for tos in range(256):
        skb, _ = capture_of(Frame(version=version, tos=tos).build())
        assert skb.tos == tos
        assert skb.priority == (tos_to_priority(tos) if version == 4 else 0)


def test_packets_of_a_flow_share_a_hash_and_flows_do_not() -> None:
    hashes = [
        capture_of(frame.build())[0].hash
        for frame in (
            Frame(payload=b"one"),
            Frame(payload=bytes(9000), seq=7, flags=0x18),
            Frame(ports=(1, 2)),
            Frame(protocol=UDP),
        )
    ]
    assert hashes[0] == hashes[1] != 0
    assert len(set(hashes)) == 3


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(LAYOUTS)), st.integers(0, 400), st.integers(0, 40), st.data())
def test_any_frame_is_a_packet_or_refused_by_name(layout: str, size: int, cut: int, data: st.DataObject) -> None:
    protocol = data.draw(st.sampled_from((TCP, UDP, 1)))
    whole = bytearray(replace(LAYOUTS[layout], protocol=protocol, payload=bytes(size), trailer=b"tail").build())
    for at in data.draw(st.lists(st.integers(12, min(len(whole), 120) - 1), max_size=3)):
        whole[at] = data.draw(st.integers(0, 255))
    frame = bytes(whole[: len(whole) - cut])
    try:
        skb, kind = capture_of(frame, mtu=200)
    except CaptureError as error:
        assert "\n" not in str(error) and "allowed" in str(error)
        return
    wire = on_the_wire(skb)
    if kind not in ("tcp", "tcp_super", "udp"):
        assert wire == [frame]
    elif kind != "tcp_super":
        assert len(wire[0]) == len(frame)
