"""u32 on real frames: fixed offsets, links, hash tables."""

from __future__ import annotations

from typing import Any

import pytest

from ringwire.skb import Skb
from ringwire.tools.tc import TcError
from tests.filter_bench import FilterBench as Bench
from tests.filter_bench import frame, marked, skb_of
from tests.frames import UDP, Frame


def test_u32_reads_fixed_offsets_so_ip_options_hide_the_ports() -> None:
    bench = Bench("u32 match ip dport 5201 0xffff flowid 1:1", "u32 match ip sport 7 0xffff flowid 1:2")
    assert bench.classid(frame()) == 1
    assert bench.classid(frame(ports=(7, 8))) == 2
    assert bench.classid(frame(ip_options=bytes(8))) == 0
    options = (7).to_bytes(2, "big") + bytes(2)
    assert bench.classid(frame(ip_options=options)) == 2, "bytes 20 and 21 are what it looks at"


@pytest.mark.parametrize(
    ("match", "yes", "no"),
    [
        ("ip src 10.11.0.0/16", {}, {"source": b"\x0a\x0c\x0c\x0d"}),
        ("ip dst 60.61.62.63", {}, {"destination": b"\x3c\x3d\x3e\x40"}),
        ("ip protocol 17 0xff", {"protocol": UDP}, {}),
        ("ip tos 0x10 0xff", {"tos": 0x10}, {"tos": 0x12}),
        ("ip ihl 5 0xf", {}, {"ip_options": bytes(4)}),
        ("ip df", {}, {"fragment": 0}),
        ("ip nofrag", {"fragment": 0x4000}, {"fragment": 0x2000}),
        ("ip mf", {"fragment": 0x2000}, {"fragment": 5}),
        ("u32 0x4500 0xff00 at 0", {"tos": 0}, {}),
        ("u16 0x0007 0xffff at 4", {}, {"ident": 8}),
        ("u8 0x40 0xff at 8", {}, {}),
        ("ether dst 02:00:00:00:00:02", {}, {}),
        ("ether src 02:00:00:00:00:01", {}, {}),
    ],
)  # fmt: skip
def test_u32_keys_match_the_bytes_they_name(match: str, yes: dict[str, Any], no: dict[str, Any]) -> None:
    wants_high_half = match.startswith("u32 0x4500")
    bench = Bench(f"u32 match {match} flowid 1:1")
    assert bench.classid(frame(**yes)) == (0 if wants_high_half else 1)
    if no:
        assert bench.classid(frame(**no)) == 0


def test_u32_matches_ipv6() -> None:
    bench = Bench(
        "u32 match ip6 dst 3c3d::/16 match ip6 protocol 6 ff match ip6 dport 5201 ffff flowid 1:1", protocol="ipv6"
    )
    assert bench.classid(frame(version=6)) == 1
    assert bench.classid(frame(version=6, destination=bytes(16))) == 0
    assert bench.classid(frame()) == 0, "another protocol"


def test_u32_links_go_on_behind_the_ip_header_however_long_it_is() -> None:
    bench = Bench(
        "handle 1: u32 divisor 1",
        "u32 ht 1: match tcp dst 5201 0xffff flowid 1:3",
        "u32 link 1: match ip protocol 6 0xff offset at 0 mask 0f00 shift 6",
    )
    for options in (b"", bytes(4), bytes(40)):
        assert bench.classid(frame(ip_options=options)) == 3
    assert bench.classid(frame(ports=(1, 2))) == 0
    eat = Bench(
        "handle 1: u32 divisor 1",
        "u32 ht 1: match u16 5201 0xffff at 2 flowid 1:3",
        "u32 link 1: match u32 0 0 at 0 offset at 0 mask 0f00 shift 6 eat",
    )
    assert eat.classid(frame(ip_options=bytes(12))) == 3
    eaten = Bench(
        "handle 1: u32 divisor 1",
        "u32 ht 1: match tcp dst 5201 0xffff flowid 1:3",
        "u32 link 1: match u32 0 0 at 0 offset at 0 mask 0f00 shift 6 eat",
        "u32 match ip protocol 6 0xff flowid 1:4",
    )
    assert eaten.classid(frame(ip_options=bytes(12))) == 3, "what was eaten is not added again"
    assert eaten.classid(frame(ports=(1, 2))) == 4, "and back outside, it was not eaten"
    rounded = Bench(
        "handle 1: u32 divisor 1",
        "u32 ht 1: match u16 5201 0xffff at nexthdr+2 flowid 1:3",
        "u32 link 1: match u32 0 0 at 0 offset plus 17",
    )
    assert rounded.classid(frame()) == 3, "offsets are rounded up to words"


def test_u32_hashes_into_the_linked_tables_buckets() -> None:
    bench = Bench("handle 2: u32 divisor 256")
    for last in range(256):
        bench.add(f"u32 ht 2:{last:x}: match ip dst 10.0.0.{last} flowid 1:{last + 1:x}")
    bench.add("u32 link 2: hashkey mask 0x000000ff at 16 match ip dst 10.0.0.0/24")
    for last in (0, 1, 77, 255):
        assert bench.classid(frame(destination=bytes((10, 0, 0, last)))) == last + 1
    assert bench.classid(frame(destination=bytes((10, 0, 1, 7)))) == 0
    third = Bench("handle 2: u32 divisor 16", "u32 ht 2:5: match u32 0 0 flowid 1:5")
    third.add("u32 link 2: hashkey mask 0x00000f00 at 16 match u32 0 0")
    assert [third.classid(frame(destination=bytes((10, 0, byte, 9)))) for byte in (5, 0x15, 6)] == [5, 5, 0]
    sampled = Bench("handle 2: u32 divisor 4", "u32 ht 2: sample ip protocol 6 0xff divisor 4 match u32 0 0 flowid 1:2")
    assert "key ht 2 bkt 2" in sampled.run("filter show dev eth0")


def test_u32_comes_back_from_a_table_that_had_no_match() -> None:
    bench = Bench(
        "handle 1: u32 divisor 1",
        "u32 ht 1: match ip protocol 99 0xff flowid 1:9",
        "u32 link 1: match u32 0 0 flowid 1:4",
        "u32 match u32 0 0 flowid 1:5",
    )
    assert bench.classid(frame()) == 4, "the filter that links is asked again"
    bench.run("filter del dev eth0 parent 1: prio 1 handle 800::800 u32")
    assert bench.classid(frame()) == 5


def test_u32_gives_up_on_a_packet_too_short_for_a_key() -> None:
    bench = Bench("u32 match u32 0 0 at 1000 flowid 1:1", "u32 match u32 0 0 flowid 1:2")
    assert bench.classid(frame()) == 0
    assert bench.classid(frame(payload=bytes(1000))) == 1
    assert bench.classid(Skb(len=2000)) == 1, "of a packet of figures nothing is known"
    fragments = Skb(len=54, data=tuple(bytes((byte,)) for byte in Frame(payload=bytes(1000)).build()))
    assert bench.classid(fragments) == 1


def test_u32_marks_devices_and_tags() -> None:
    bench = Bench(
        "u32 match mark 5 0xf match u32 0 0 flowid 1:1", "u32 match u32 0 0 indev eth0 flowid 1:2", protocol="all"
    )
    assert bench.classid(marked(0x25)) == 1
    assert bench.classid(skb_of(Frame().build(), iif=1)) == 2
    assert bench.classid(frame()) == 0
    tagged = Bench("u32 match ip protocol 6 0xff flowid 1:1", protocol="802.1Q")
    assert tagged.classid(frame(vlans=((0x8100, 5),))) == 1


def test_u32_tables_that_are_linked_to_stay() -> None:
    bench = Bench("handle 1: u32 divisor 1", "u32 link 1: match u32 0 0")
    delete = "filter del dev eth0 parent 1: prio 1 handle"
    with pytest.raises(TcError, match="Can not delete in-use filter"):
        bench.run(f"{delete} 1: u32")
    bench.run(f"filter change {bench.place} prio 1 handle 800::800 u32 link 0:0")
    bench.run(f"{delete} 1: u32")
    assert "fh 1:" not in bench.run("filter show dev eth0")


def test_u32_links_end_somewhere() -> None:
    bench = Bench("handle 1: u32 divisor 1", "u32 ht 1: link 1: match u32 0 0", "u32 link 1: match u32 0 0 flowid 1:1")
    assert bench.classid(frame()) == 0
