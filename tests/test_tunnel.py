"""Packets in tunnels: cut by software, completed in captures, and never left to a device that has no part for them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringwire.gso import UDP_MAX_SEGMENTS, GsoError, complete_checksum, segment
from ringwire.host.world import drive
from ringwire.netdev import Feature, dev_queue_xmit
from ringwire.netdev.features import HW_CSUM, SG, VLAN_TX
from ringwire.nic.twin import TwinConfig
from ringwire.nic.twin_world import TwinWorld
from ringwire.packet import parse_headers
from ringwire.pcap import CaptureError
from ringwire.replay import ReplayConfig, replay
from ringwire.skb import CsumFlag, GsoType, Skb, Tunnel
from ringwire.tunnel import find_tunnel
from tests.captures import pcap, stamped, wire_frames
from tests.driver_bench import CountedSkb, DriverBench
from tests.frames import GRE, TCP, UDP, Frame, Shell
from tests.stack_bench import StackBench
from tests.test_capture import capture_of, on_the_wire
from tests.test_gso import HOP_BY_HOP, PADDING, expected_stream, frames, octets
from tests.test_replay import wireshark_complaints

VXLAN = bytes.fromhex("0800000000012300")
GENEVE = bytes.fromhex("0200655800012300 0102030100000000")
IPV4, IPV6, ETHERNET = b"\x08\x00", b"\x86\xdd", b"\x65\x58"
KEY = b"\x12\x34\x56\x78"


def shell_of(kind: str, version: int, outer: Frame) -> Shell:
    """A tunnel around packets of an IP version; what ``outer`` doesn't say is filled in."""
    inside = IPV4 if version == 4 else IPV6
    udp = replace(outer, protocol=UDP, ports=(50_000, 4789))
    gre = replace(outer, protocol=GRE)
    return {
        "VXLAN": Shell(replace(udp, checksum=0), VXLAN, True),
        "VXLAN with checksum": Shell(udp, VXLAN, True),
        "Geneve": Shell(replace(udp, ports=(50_000, 6081)), GENEVE, True),
        "Geneve without Ethernet": Shell(replace(udp, ports=(50_000, 6081), checksum=0), bytes(2) + inside + bytes(4)),
        "GRE": Shell(gre, bytes(2) + inside),
        "GRE with key": Shell(gre, b"\x20\0" + ETHERNET + KEY, True),
        "GRE with checksum": Shell(gre, b"\x80\0" + inside + bytes(4)),
        "GRE with both": Shell(gre, b"\xa0\0" + ETHERNET + bytes(4) + KEY, True),
        "IP in IP": Shell(replace(outer, protocol=0)),
    }[kind]


KINDS = (
    "VXLAN",
    "VXLAN with checksum",
    "Geneve",
    "Geneve without Ethernet",
    "GRE",
    "GRE with key",
    "GRE with checksum",
    "GRE with both",
    "IP in IP",
)
SOURCE = {4: bytes(range(90, 94)), 6: bytes(range(90, 106))}


@st.composite
def shells(draw: st.DrawFn, version: int) -> Shell:
    outer_version = draw(st.sampled_from((4, 6)))
    outer = Frame(
        outer_version,
        source=SOURCE[outer_version],
        vlans=draw(st.sampled_from(((), ((0x8100, 5),)))),
        ip_options=draw(st.sampled_from((b"", b"\1" * 39 + b"\0"))) if outer_version == 4 else b"",
        extensions=draw(st.sampled_from(((), (HOP_BY_HOP, PADDING)))) if outer_version == 6 else (),
        ident=draw(st.integers(0, 65535) | st.integers(65530, 65535)),
        fragment=draw(st.sampled_from((0, 0x4000))),
        tos=draw(st.integers(0, 255)),
    )
    return shell_of(draw(st.sampled_from(KINDS)), version, outer)


def skb_of(shell: Shell, frame: Frame, size: int, cuts: tuple[int, ...] = (), **more: object) -> Skb:
    """The request to send ``frame`` through a tunnel, its bytes divided at ``cuts``."""
    data = shell.around(frame).build()
    shift = shell.inner_l3(frame) - frame.l3
    kind = GsoType.UDP_L4 if frame.protocol == UDP else {4: GsoType.TCPV4, 6: GsoType.TCPV6}[frame.version]
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(data)}), len(data)]
    skb = Skb(
        len(data),
        tuple(data[a:b] for a, b in pairwise(edges)),
        csum_flags=CsumFlag.NEEDS_CSUM,
        csum_start=frame.l4 + shift,
        csum_offset=frame.csum_offset,
        gso_type=kind if size else GsoType.NONE,
        gso_size=size,
        hdr_len=frame.payload_at + shift if size else 0,
        tunnel=Tunnel[shell.kind],
        inner_l3=shell.inner_l3(frame),
    )
    for name, value in more.items():
        setattr(skb, name, value)
    return skb


def expected(shell: Shell, frame: Frame, size: int) -> list[bytes]:
    """The segments, inner and outer headers built from scratch."""
    link = frame.build()[: frame.l3]
    whole = []
    for number, inner in enumerate(expected_stream(frame, size, True)):
        content = shell.middle + (inner if shell.ethernet else inner[len(link) :])
        one = replace(shell, outer=replace(shell.outer, ident=(shell.outer.ident + number) % 2**16))
        whole.append(rebuilt(one, frame, content).build())
    return whole


def rebuilt(shell: Shell, frame: Frame, content: bytes) -> Frame:
    """The whole frame around bytes that are complete."""
    protocol = {4: 4, 6: 41}[frame.version] if shell.kind == "IPIP" else shell.outer.protocol
    return shell.finished(replace(shell.outer, protocol=protocol, payload=content))


@settings(max_examples=300, deadline=None)
@given(st.data(), frames(), st.integers(1, 2000), st.lists(st.integers(1, 3000), max_size=4).map(tuple))
def test_segments_are_those_built_from_scratch(
    data: st.DataObject, frame: Frame, size: int, cuts: tuple[int, ...]
) -> None:
    shell = data.draw(shells(frame.version))
    if frame.protocol == UDP:
        size = max(size, -(-len(frame.payload) // UDP_MAX_SEGMENTS))
    size = min(size, len(frame.payload) - 1)
    want = [one.hex() for one in expected(shell, frame, size)]
    got = segment(skb_of(shell, frame, size, cuts))
    assert [one.linear().hex() for one in got] == want
    # A segment whose inner checksum is left to a device has the outer one as if that were there.
    left = segment(skb_of(shell, frame, size, cuts), complete=False)
    assert all(one.csum_flags == CsumFlag.NEEDS_CSUM and one.tunnel and one.inner_l3 for one in left)
    for one in left:
        complete_checksum(one)
    if frame.protocol == UDP:
        assert [one.linear().hex() for one in left] == want
    else:
        assert all(equal_but_for_a_zero(a, one.linear().hex()) for a, one in zip(want, left, strict=True))


def equal_but_for_a_zero(want: str, have: str) -> bool:
    differ = [at for at in range(0, len(want), 4) if want[at : at + 4] != have[at : at + 4]]
    return not differ or {want[at : at + 4] for at in differ} | {have[at : at + 4] for at in differ} == {"0000", "ffff"}


INNER = Frame(payload=octets(3000))
VXLAN_SHELL = shell_of("VXLAN with checksum", 4, Frame(source=SOURCE[4]))


@pytest.mark.parametrize(
    ("skb", "why"),
    [
        (skb_of(VXLAN_SHELL, INNER, 1000, tunnel=Tunnel.GRE), "tunnel GRE in a packet of protocol 17"),
        (skb_of(VXLAN_SHELL, INNER, 1000, tunnel=Tunnel.IPIP), "tunnel IPIP in a packet of protocol 17"),
        (skb_of(VXLAN_SHELL, INNER, 1000, inner_l3=10_000), "inner IP header at byte 10000"),
        (skb_of(VXLAN_SHELL, INNER, 1000, inner_l3=50), "IPv4 header with version 0"),
        (skb_of(VXLAN_SHELL, INNER, 1000, csum_flags=CsumFlag.NONE), "segmentation in a tunnel without NEEDS_CSUM"),
        (skb_of(VXLAN_SHELL, INNER, 1000, csum_flags=CsumFlag.NEEDS_CRC32C), "TCPV4 with a CRC32c"),
        (
            skb_of(Shell(Frame(protocol=0, ip_len=0)), Frame(payload=octets(65_500), ip_len=0), 1000),
            "gso_type TCPV4, 65560 bytes in a tunnel",
        ),
        (
            skb_of(VXLAN_SHELL, Frame(protocol=UDP, payload=octets(3000)), 1000, gso_type=GsoType.UDP),
            "gso_type UDP, 3078 bytes in a tunnel",
        ),
        (
            skb_of(shell_of("IP in IP", 4, Frame()), INNER, 1000, inner_l3=14, csum_start=34),
            "inner IP header at byte 14; the tunnel's own headers end at byte 34",
        ),
        (
            skb_of(Shell(replace(VXLAN_SHELL.outer, fragment=1), VXLAN, True), INNER, 1000),
            "tunnel UDP_CSUM in a packet of protocol 17",
        ),
    ],
)
def test_what_is_no_packet_in_a_tunnel_is_refused(skb: Skb, why: str) -> None:
    before = skb.linear()
    with pytest.raises(GsoError, match=why):
        segment(skb)
    assert skb.linear() == before


# -- ids


@pytest.mark.parametrize("shell", [None, VXLAN_SHELL])
def test_a_fixed_id_stays(shell: Shell | None) -> None:
    outer = Shell(replace(INNER, protocol=0)) if shell is None else shell
    skb = skb_of(outer, INNER, 1000, gso_fixed_id=True)
    got = segment(skb)
    for at in (outer.outer.l3, outer.inner_l3(INNER)):
        assert [one.linear()[at + 4 : at + 6] for one in got] == [b"\0\7"] * 3
    assert not any(one.gso_fixed_id for one in got)


@pytest.mark.parametrize("inner", [0, 0x4000])
def test_a_fixed_id_is_refused_where_packets_may_be_fragmented(inner: int) -> None:
    shell = replace(VXLAN_SHELL, outer=replace(VXLAN_SHELL.outer, fragment=0x4000 - inner))
    with pytest.raises(GsoError, match="a fixed id for IPv4 packets that may be fragmented"):
        segment(skb_of(shell, replace(INNER, fragment=inner), 1000, gso_fixed_id=True))


# -- the stack


def test_a_device_without_features_for_tunnels_gets_segments_that_are_complete() -> None:
    bench = StackBench()
    bench.dev.hw_enc_features = SG
    dev_queue_xmit(skb_of(VXLAN_SHELL, INNER, 1000, vlan_tci=5), bench.dev)
    tagged = replace(VXLAN_SHELL, outer=replace(VXLAN_SHELL.outer, vlans=((0x8100, 5),)))
    assert [one.linear() for one in bench.driver.sent] == expected(tagged, INNER, 1000)
    assert not any(one.csum_flags for one in bench.driver.sent)


def test_a_device_with_features_for_tunnels_gets_what_it_has_a_part_for() -> None:
    for features, lengths in ((SG | HW_CSUM | VLAN_TX, [1104, 1104, 1104]), (int(Feature.ALL), [3104])):
        bench = StackBench()
        bench.dev.hw_enc_features = features
        dev_queue_xmit(skb_of(VXLAN_SHELL, INNER, 1000, vlan_tci=5), bench.dev)
        assert [one.len for one in bench.driver.sent] == lengths
        assert all(one.csum_flags and one.vlan_tci == 5 for one in bench.driver.sent)


def test_an_ordinary_packet_in_a_tunnel_is_completed_by_software() -> None:
    bench = StackBench()
    frame = Frame(payload=octets(100))
    dev_queue_xmit(skb_of(VXLAN_SHELL, frame, 0), bench.dev)
    (sent,) = bench.driver.sent
    assert not sent.csum_flags
    assert sent.linear() == VXLAN_SHELL.around(frame.completed(0xFFFF)).build()


def test_a_crc32c_is_made_by_software_whatever_the_device_has() -> None:
    bench = StackBench()
    packet = Frame(protocol=132, payload=bytes(8) + bytes(4) + b"chunk").build()
    skb = Skb(len(packet), (packet,), csum_flags=CsumFlag.NEEDS_CRC32C, csum_start=34, csum_offset=8)
    dev_queue_xmit(skb, bench.dev)
    (sent,) = bench.driver.sent
    assert not sent.csum_flags and sent.linear()[42:46] != bytes(4)


def test_the_driver_leaves_tunnels_to_software_though_the_stack_would_not() -> None:
    async def test() -> None:
        bench = await DriverBench(TwinWorld(TwinConfig(), wake_on_frame=True)).up()
        bench.dev.hw_enc_features = int(Feature.ALL)
        whole = skb_of(VXLAN_SHELL, INNER, 1000)
        names = ("csum_flags", "csum_start", "csum_offset", "gso_type", "gso_size", "hdr_len", "tunnel", "inner_l3")
        skb = CountedSkb(whole.len, whole.data, **{name: getattr(whole, name) for name in names})
        bench.skbs.append(skb)
        dev_queue_xmit(skb, bench.dev)
        await bench.world.pause(1_000_000)
        assert bench.wire() == expected(VXLAN_SHELL, INNER, 1000)

    drive(test())


# -- checksums


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        # RFC 3720 B.4
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
@pytest.mark.parametrize("start", [0, 1, 50])
def test_a_crc32c_is_castagnolis(data: bytes, crc: int, start: int) -> None:
    frame = bytes(start) + data + bytes(4)
    # The field behind the data is part of what is covered, so the polynomial is told by the residue.
    skb = Skb(len(frame), (frame[:7], frame[7:]), csum_flags=CsumFlag.NEEDS_CRC32C, csum_start=start)
    skb.csum_offset = 32
    complete_checksum(skb)
    whole = skb.linear()
    assert whole[: start + 32] == frame[:-4]
    assert crc32c_long_way(data) == crc
    assert int.from_bytes(whole[-4:], "little") == crc32c_long_way(data + bytes(4))


def crc32c_long_way(data: bytes) -> int:
    """Bit by bit, reflected (RFC 9260, appendix A)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def test_a_crc32c_outside_the_frame_is_refused() -> None:
    skb = Skb(64, (bytes(64),), csum_flags=CsumFlag.NEEDS_CRC32C, csum_start=50, csum_offset=11)
    with pytest.raises(GsoError, match="CRC32c field at byte 61 of a frame of 64 bytes"):
        complete_checksum(skb)


# -- captures


def sctp(held: bytes = bytes(4), trailer: bytes = b"") -> bytes:
    chunk = bytes.fromhex("00030014 00000001 0000 0000 00000000") + b"data"
    return Frame(protocol=132, payload=struct.pack("!HHI", 5000, 5001, 7) + held + chunk, trailer=trailer).build()


@pytest.mark.parametrize("trailer", [b"", b"odd"])
def test_sctp_gets_its_crc32c_whatever_the_capture_held(trailer: bytes) -> None:
    skb, kind = capture_of(sctp(b"\1\2\3\4", trailer))
    assert kind == "sctp"
    (wire,) = on_the_wire(skb)
    blank = sctp()
    assert wire == blank[:42] + crc32c_long_way(blank[34:]).to_bytes(4, "little") + blank[46:] + trailer


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("protocol", [TCP, UDP])
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("outer_version", [4, 6])
@pytest.mark.parametrize("trailer", [b"", b"odd"])
@pytest.mark.parametrize("inner_trailer", [b"", b"pad"])
def test_the_wire_gets_right_checksums_in_tunnels_whatever_the_capture_held(
    kind: str, protocol: int, version: int, outer_version: int, trailer: bytes, inner_trailer: bytes
) -> None:
    shell = shell_of(kind, version, Frame(outer_version, source=SOURCE[outer_version], trailer=trailer))
    if shell.kind == "UDP_CSUM":
        shell = replace(shell, outer=replace(shell.outer, checksum=0x4321))
    frame = Frame(version, protocol, octets(701), checksum=0x1234, trailer=inner_trailer)
    skb, counted = capture_of(shell.around(frame).build())
    assert counted == "tunnelled"
    (wire,) = on_the_wire(skb)
    assert wire.hex() == shell.finished(shell.around(frame.completed(0xFFFF))).build().hex()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("outer_version", [4, 6])
@pytest.mark.parametrize("mtu", [1500, 9000])
def test_tcp_over_the_mtu_in_a_tunnel_is_a_super_packet(kind: str, version: int, outer_version: int, mtu: int) -> None:
    shell = shell_of(kind, version, Frame(outer_version, source=SOURCE[outer_version], trailer=b"odd"))
    frame = Frame(version, payload=octets(40_000), checksum=0x1234, trailer=b"pad", flags=0x98)
    skb, counted = capture_of(shell.around(frame).build(), mtu=mtu)
    assert counted == "tcp_super" and skb.tunnel == Tunnel[shell.kind]
    pure = replace(shell, outer=replace(shell.outer, trailer=b""))
    frame.trailer, frame.checksum = b"", None
    headers = shell.inner_l3(frame) + frame.payload_at - frame.l3 - shell.outer.l3
    assert (skb.gso_size, skb.gso_segs) == (mtu - headers, -(-40_000 // (mtu - headers)))
    assert skb.hdr_len == headers + shell.outer.l3 and skb.gso_ecn
    assert on_the_wire(skb) == expected(pure, frame, mtu - headers)


SMALL = Frame(payload=octets(100))


def changed(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


def vxlan(change: Callable[[bytes], bytes]) -> bytes:
    return change(VXLAN_SHELL.around(SMALL).build())


GRE_SHELL = shell_of("GRE", 4, Frame())
PLAIN_VXLAN = shell_of("VXLAN", 4, Frame())


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (vxlan(lambda data: changed(data, 42, b"\0")), "udp"),
        (vxlan(lambda data: changed(data, 36, b"\0\7")), "udp"),
        (vxlan(lambda data: changed(data, 62, b"\x88\xb5")), "udp"),
        (vxlan(lambda data: changed(data, 64, b"\x55")), "udp"),
        (vxlan(lambda data: changed(data, 66, b"\xff")), "udp"),
        (vxlan(lambda data: changed(data, 70, b"\x20\0")), "udp"),
        (vxlan(lambda data: changed(data, 73, b"\1")), "udp"),
        (vxlan(lambda data: changed(data, 38, b"\0\x20")), "udp"),
        (replace(VXLAN_SHELL.outer, payload=VXLAN[:5]).build(), "udp"),
        (replace(VXLAN_SHELL.outer, payload=VXLAN + bytes(13)).build(), "udp"),
        (
            shell_of("VXLAN", 4, Frame()).around(replace(SMALL, protocol=UDP, checksum=0)).build(),
            "udp_without_checksum",
        ),
        (shell_of("VXLAN", 4, Frame()).around(replace(SMALL, protocol=UDP, udp_len=7)).build(), "udp_without_checksum"),
        (changed(shell_of("Geneve", 4, Frame()).around(SMALL).build(), 42, b"\x40"), "udp"),
        (changed(GRE_SHELL.around(SMALL).build(), 34, b"\x10\0"), "other"),
        (changed(GRE_SHELL.around(SMALL).build(), 34, b"\0\1"), "other"),
        (changed(GRE_SHELL.around(SMALL).build(), 36, b"\x88\xb5"), "other"),
        (replace(GRE_SHELL.outer, payload=b"\0").build(), "other"),
        (shell_of("IP in IP", 4, Frame(fragment=0x2000)).around(SMALL).build(), "fragments"),
        (Frame(protocol=132, payload=bytes(11)).build(), "other"),
    ],
)
def test_what_is_not_quite_a_tunnel_goes_by_its_outer_headers(data: bytes, kind: str) -> None:
    skb, counted = capture_of(data)
    assert (counted, skb.tunnel) == (kind, Tunnel.NONE)
    (wire,) = on_the_wire(skb)
    headers = parse_headers(data)
    if kind != "udp":
        assert wire == data
    else:
        field = slice(headers.l4 + 6, headers.l4 + 8)
        assert wire[: field.start] + wire[field.stop :] == data[: field.start] + data[field.stop :]


def test_udp_over_the_mtu_is_refused_in_a_tunnel_as_well() -> None:
    frame = Frame(protocol=UDP, payload=octets(1500))
    with pytest.raises(CaptureError, match=r"UDP datagram in an IP packet of 1552 bytes; allowed: up to the MTU, 1500"):
        capture_of(GRE_SHELL.around(frame).build())


def test_headers_of_a_tunnel_must_leave_room_in_the_mtu() -> None:
    with pytest.raises(CaptureError, match="headers of 90 bytes; allowed: less than the MTU, 90"):
        capture_of(VXLAN_SHELL.around(INNER).build(), mtu=90)


@given(st.binary(max_size=120), st.sampled_from((4, 17, 41, 47)), st.sampled_from((4789, 6081)))
@settings(max_examples=300, deadline=None)
def test_looking_for_a_tunnel_survives_anything(data: bytes, protocol: int, port: int) -> None:
    frame = Frame(protocol=protocol, payload=data, ports=(1, port)).build()
    found = find_tunnel(frame, parse_headers(frame))
    assert found is None or found[1].version in (4, 6)
    capture_of(frame)


# -- the whole road


def mixed() -> list[bytes]:
    """Super-packets, ordinary packets and SCTP, all with checksums that are still to be made."""
    packets = [sctp(), sctp(trailer=b"trailer")]
    for number, kind in enumerate(KINDS):
        for version in (4, 6):
            shell = shell_of(kind, version, Frame(4 if number % 2 else 6, source=SOURCE[4 if number % 2 else 6]))
            for size in (100, 6000):
                packets.append(shell.around(Frame(version, payload=octets(size), checksum=0x77)).build())
    return packets


@pytest.mark.parametrize("sim", ["twin", "verilator"])
@pytest.mark.parametrize("offloads", [True, False])
def test_tunnels_in_a_capture_leave_right_on_the_wire(sim: str, offloads: bool, tmp_path: Path) -> None:
    capture, out = tmp_path / "tunnels.pcap", tmp_path / "wire.pcap"
    packets = mixed()
    capture.write_bytes(pcap(stamped(packets)))
    report = replay(ReplayConfig(capture, sim=sim, tso=offloads, csum=offloads), out)
    assert report.measured.problems == []
    want = [frame.ljust(60, b"\0") for data in packets for frame in on_the_wire(capture_of(data)[0])]
    assert [frame for _, frame in wire_frames(out)] == want
    assert (report.survey.counts.tcp_super, report.survey.counts.tunnelled, report.survey.counts.sctp) == (18, 18, 2)
    assert wireshark_complaints(out, above=("tcp",)) == []
