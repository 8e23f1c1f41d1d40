"""A TCP flow from its SYN to its last byte: on an ideal link, and through the real driver and the twin."""

from __future__ import annotations

import gc
import struct

import pytest

from ringwire.gso import complete_checksum
from ringwire.host.cpu import HostCosts
from ringwire.packet import checksum, parse_headers, pseudo_header_sum, sum16
from ringwire.skb import Skb
from ringwire.traffic.flow import FLOWS
from ringwire.traffic.tcp import TcpFlow
from ringwire.transport.path import Path
from ringwire.transport.scoreboard import Segment
from tests.tcp_bench import MS, TcpBench, TwinBench


def finished(flow: TcpFlow) -> bool:
    return bool(flow.finished_ns)


def check_frame(frame: bytes) -> tuple[int, int, int]:
    """(seq, flags, payload) of a frame whose checksums and lengths are right."""
    headers = parse_headers(frame)
    assert headers.version != 4 or checksum(frame[headers.l3 : headers.l3 + 20]) == 0
    end = headers.l3 + headers.ip_len
    assert not any(frame[end:]), "padding"
    segment = frame[headers.l4 : end]
    assert (sum16(segment) + pseudo_header_sum(frame, headers, len(segment))) % 0xFFFF == 0
    seq, flags = struct.unpack_from("!4xI5xB", segment)
    return seq, flags, end - headers.payload


def test_what_is_acknowledged_is_gone_without_the_garbage_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        flow = TcpFlow(total_bytes=1_500_000, path=Path(delay_ns=50_000))
        TcpBench(flow).start().run_until(lambda: finished(flow))
        assert sum(isinstance(each, Segment) for each in gc.get_objects()) < 10
    finally:
        gc.enable()


@pytest.mark.parametrize("addresses", [("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")])
@pytest.mark.parametrize("vlan", [None, 5])
def test_what_the_device_puts_on_the_wire_is_the_whole_stream_in_right_frames(
    addresses: tuple[str, str], vlan: int | None
) -> None:
    source, destination = addresses
    flow = TcpFlow(total_bytes=300_001, source=source, destination=destination, vlan=vlan, path=Path(delay_ns=50_000))
    bench = TwinBench(flow, costs=HostCosts()).run_until(lambda: finished(flow))
    read = [check_frame(frame) for frame in bench.frames]
    isn, flags, payload = read[0]
    assert (flags, payload) == (2, 0), "a SYN"
    assert read[1] == (isn + 1 & 0xFFFFFFFF, 16, 0), "the third packet"
    expected = isn + 1 & 0xFFFFFFFF
    for seq, flags, payload in read[2:]:
        assert seq == expected and flags | 8 == 24
        expected = expected + payload & 0xFFFFFFFF
    assert expected == isn + 1 + 300_001 & 0xFFFFFFFF
    full = 1448 if source == "10.0.0.1" else 1428
    payloads = [payload for _, _, payload in read[2:]]
    assert max(payloads) == full and payloads.count(full) > 200
    totals = flow.totals()
    assert totals["delivered_bytes"] == 300_001 and totals["retransmits"] == totals["malformed_frames"] == 0
    assert totals["duplicate_bytes"] == 0
    if vlan is not None:
        assert all(frame[12:16] == b"\x81\x00\x00\x05" for frame in bench.frames)
    assert flow.sender is not None and (flow.sender.wmem, flow.sender.buffer.used) == (0, 0)


def test_the_handshake_takes_a_round_trip_and_the_syn_offers_what_linux_does() -> None:
    flow = TcpFlow(total_bytes=1, path=Path(delay_ns=3 * MS, reverse_delay_ns=4 * MS))
    bench = TcpBench(flow)
    bench.env.keep = True
    bench.start(5).run_until(lambda: finished(flow))
    (syn_ns, length, syn), (ack_ns, ack_length, _), (data_ns, _, data) = bench.env.sent
    wire_ns = (74 + 24) * 8
    assert (syn_ns, length, ack_length) == (5, 74, 66)
    assert flow.connect_ns == wire_ns + 7 * MS and ack_ns == data_ns == 5 + flow.connect_ns
    assert syn.linear()[54:] == bytes.fromhex("020405b4 0402 080a 00000000 00000000 01 030307")
    assert data.len == 67 and flow.finished_ns == ack_ns + (66 + 67 + 48) * 8 + 7 * MS


def test_a_super_packet_asks_for_what_linux_asks() -> None:
    flow = TcpFlow(total_bytes=14_480, path=Path(delay_ns=MS), dscp=10, priority=6, mark=9, ecn=True)
    bench = TcpBench(flow)
    bench.env.keep = True
    bench.start().run_until(lambda: finished(flow))
    skb = bench.env.sent[2][2]
    fields = (skb.gso_size, skb.gso_segs, skb.hdr_len, skb.csum_start, skb.csum_offset, skb.gso_type, skb.csum_flags)
    assert fields == (1448, 5, 66, 34, 16, 1, 1)
    assert (skb.len, skb.truesize) == (66 + 7_240, 960 + 7_240), "half of the window at a time"
    assert (skb.priority, skb.mark, skb.tos) == (6, 9, 10 << 2 | 2) and skb.hash
    whole = Skb(skb.len, skb.data, csum_flags=skb.csum_flags, csum_start=34, csum_offset=16)
    complete_checksum(whole)
    assert check_frame(whole.linear())[2] == 7_240


def test_a_flow_is_found_by_its_kind() -> None:
    assert FLOWS.find("tcp") is TcpFlow


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("total_bytes", 0, "1 to"),
        ("write_bytes", 0, "1 to"),
        ("max_pacing_rate_bps", 1, "8k to"),
        ("rcv_window_bytes", 100, "4096 to"),
        ("source_port", 0, "1 to 65535"),
        ("source", "10.0.0", "an IPv4 or IPv6 address"),
        ("destination", "::1", "both IPv4 or both IPv6"),
        ("source_mac", "02:00", "six octets"),
        ("dscp", 64, "0 to 63"),
        ("vlan", 65_536, "0 to 65535"),
        ("initial_cwnd", 0, "1 to"),
        ("sndbuf_bytes", 1, "4608 to"),
        ("congestion", "vegas", "there are cubic, reno"),
    ],
)
def test_a_bad_value_is_refused_by_name(field: str, value: object, allowed: str) -> None:
    with pytest.raises(ValueError) as caught:
        TcpFlow(**{field: value})  # type: ignore[arg-type]
    text = str(caught.value)
    assert field in text and str(value) in text and allowed in text and "\n" not in text


@pytest.mark.parametrize("name", ["path", "listener"])
def test_a_name_that_nobody_has_looked_up_is_refused(name: str) -> None:
    flow = TcpFlow(**{name: "dsl"})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=f"{name} 'dsl'; allowed: the name of a"):
        flow.start(TcpBench(flow).env)
