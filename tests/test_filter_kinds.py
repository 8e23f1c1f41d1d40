"""fw, matchall, basic, flow and flower on real frames, and what all kinds have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringwire.filter.jhash import _final, _mix, jhash2
from ringwire.qdisc.classify import OK, SHOT
from ringwire.skb import Skb
from ringwire.tools.tc import TcError
from tests.filter_bench import FilterBench as Bench
from tests.filter_bench import frame, marked, skb_of
from tests.frames import TCP, UDP, Frame

ICMP = 1


def test_fw_chooses_by_mark() -> None:
    bench = Bench("handle 5 fw classid 1:1", "handle 6 fw classid 1:2 action drop")
    assert bench.classid(marked(5)) == 1
    assert bench.classify(marked(6)) == (SHOT, 0x10002)
    assert bench.classid(marked(7)) == 0
    masked = Bench("handle 0x50/0xf0 fw classid 1:1")
    assert masked.classid(marked(0x5A)) == 1
    with pytest.raises(TcError):
        masked.add("handle 0x5/0x0f fw classid 1:1")
    old = Bench("fw")
    assert old.classid(marked(0x1_0003)) == 3
    assert old.classid(marked(4)) == 4
    assert old.classid(marked(0x2_0003)) == 0, "another discipline's class"


def test_matchall_matches_all_and_there_is_one_only() -> None:
    bench = Bench("matchall classid 1:3")
    assert bench.classid(frame()) == 3
    with pytest.raises(TcError, match="File exists"):
        bench.run(f"filter replace {bench.place} prio 1 handle 1 matchall classid 1:4")
    bench.run("filter del dev eth0 parent 1: prio 1 handle 1 matchall")
    assert bench.run("filter show dev eth0") == ""


# -- basic


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("cmp(u8 at 9 layer 1 eq 6)", True),
        ("cmp(u8 at 9 layer network mask 0x4 eq 4)", True),
        ("cmp(u16 at 2 layer transport eq 5201)", True),
        ("cmp(u16 at 2 layer transport gt 5201)", False),
        ("cmp(u16 at 2 layer transport trans eq 0x5114)", True),
        ("cmp(u16 at 12 layer link eq 0x800)", True),
        ("cmp(u32 at 5000 layer 0 lt 1)", False),
        ("u32(u8 6 0xff at 9)", True),
        ("u32(u16 0x3c3d 0xffff at 16)", True),
        ("u32(u32 0x45000000 0xff000000 at nexthdr+0)", True),
        ('nbyte("hello" at 20 layer transport)', True),
        ('nbyte("hallo" at 20 layer transport)', False),
        ("meta(priority eq 7)", True),
        ("meta(nf_mark mask 0xf0 eq 0x30)", True),
        ("meta(nf_mark shift 4 eq 3)", True),
        ("meta(pkt_len gt 58) and meta(pkt_len lt 60)", True),
        ("meta(protocol eq 8)", True),
        ('meta(dev eq "eth0")', True),
        ("meta(dev eq 1)", True),
        ('meta(dev shift 1 eq "eth")', True),
        ("meta(vlan eq 0)", False),
        ("not meta(vlan eq 0)", True),
        # a sequence is a or (b and c), a and (b or c)
        ("meta(priority eq 7) or meta(priority eq 1) and meta(priority eq 2)", True),
        ("meta(priority eq 1) and meta(priority eq 7) or meta(priority eq 7)", False),
        ("(meta(priority eq 1) and meta(priority eq 7)) or meta(priority eq 7)", True),
        ("not (meta(priority eq 7) and not meta(nf_mark eq 0))", False),
    ],
)  # fmt: skip
def test_basic_evaluates_its_expression(expression: str, expected: bool) -> None:
    bench = Bench(f"basic match '{expression}' flowid 1:1")
    skb = skb_of(Frame(payload=b"hello").build(), priority=7, mark=0x35)
    assert bench.classid(skb) == int(expected)


def test_basic_filters_are_asked_in_order_and_continue_asks_the_next() -> None:
    bench = Bench(
        "basic match 'meta(priority eq 1)' flowid 1:1 action continue",
        "basic match 'meta(priority lt 2)' flowid 1:2",
        "handle 9 basic flowid 1:3",
    )
    assert [bench.classid(skb_of(Frame().build(), priority=priority)) for priority in (0, 1, 2)] == [2, 2, 3]
    bench.run("filter del dev eth0 parent 1: prio 1 handle 2 basic")
    bench.add("basic flowid 1:4")
    assert "handle 0x2 flowid 1:4" in bench.run("filter show dev eth0"), "a free handle is given again"
    assert "(rule hit 3 success 1)" in bench.run("-s filter show dev eth0")


# -- flow


def test_jhash_is_jenkinss() -> None:
    # the published value of hashlittle for these 30 bytes, of which the last word is cut
    text = b"Four score and seven years ago" + bytes(6)
    words = [int.from_bytes(text[at : at + 4], "little") for at in range(0, 36, 4)]
    a = b = c = 0xDEADBEEF + 30 & 0xFFFFFFFF
    for at in (0, 3):
        a, b, c = _mix(*(part + words[at + i] & 0xFFFFFFFF for i, part in enumerate((a, b, c))))
    assert _final(a + words[6] & 0xFFFFFFFF, b + words[7] & 0xFFFFFFFF, c) == 0x17770551
    assert jhash2([], 0) == 0xDEADBEEF
    assert len({jhash2([1] * length, 5) for length in range(8)}) == 8


def test_flow_maps_a_key() -> None:
    bench = Bench("handle 1 flow map key dst and 0xff addend -60 baseclass 1:1 divisor 16")
    assert [bench.classid(frame(destination=bytes((9, 9, 9, 60 + n)))) for n in (0, 5, 17)] == [1, 6, 2]
    shifted = Bench("handle 1 flow map key proto-dst or 0x1 xor 0x10 rshift 2")
    assert shifted.classid(frame(ports=(1, 0x28))) == 1 + ((0x29 ^ 0x10) >> 2)
    by_mark = Bench("handle 1 flow map key mark")
    assert by_mark.classid(marked(7)) == 8, "the base is the discipline's first class"
    last = Bench("handle 1 flow map key mark baseclass 1:ffff")
    assert last.classify(marked(2)) == (OK, 0x10001), "the major number stays"
    tag = Bench("handle 1 flow map key vlan-tag", protocol="802.1Q")
    assert tag.classid(frame(vlans=((0x8100, 0x2005),))) == 6


def test_flow_hashes_flows_into_classes_and_changes_its_mind_in_time() -> None:
    bench = Bench("handle 1 flow hash keys src,dst,proto,proto-src,proto-dst divisor 16 perturb 10")
    flows = [frame(ports=(port, 80)) for port in range(200)]
    before = [bench.classid(skb) for skb in flows]
    assert set(before) == set(range(1, 17))
    assert [bench.classid(skb) for skb in flows] == before
    bench.bench.pass_ns(10_000_000_000)
    assert [bench.classid(skb) for skb in flows] != before


def test_flow_looks_into_tunnels_and_falls_back_to_the_protocol() -> None:
    inner = Frame(ports=(1, 9)).build()[14:]
    bench = Bench("handle 1 flow map key proto-dst and 0xf")
    assert bench.classid(frame(protocol=4, payload=inner)) == 10
    gre = bytes.fromhex("20000800") + bytes(4) + inner
    assert bench.classid(frame(protocol=47, payload=gre)) == 10
    assert bench.classid(frame(protocol=99)) == 1 + 8, "IPv4's number, as it lies in memory"


@pytest.mark.parametrize(
    "rest", ["flow map key src", "handle 1 flow divisor 3", "handle 1 flow map key src perturb 3", "handle 1 flow"]
)
def test_flow_refuses_what_the_kernel_refuses(rest: str) -> None:
    with pytest.raises(TcError, match="Invalid argument"):
        Bench(rest)


# -- flower


@pytest.mark.parametrize(
    ("keys", "yes", "no"),
    [
        ("ip_proto tcp dst_port 5201", {}, {"ports": (1, 5202)}),
        ("ip_proto tcp dst_port 0x1450/0xfff0", {"ports": (1, 0x145F)}, {"ports": (1, 0x1460)}),
        ("ip_proto tcp src_port 40000-40010", {"ports": (40010, 1)}, {"ports": (40011, 1)}),
        ("ip_proto udp", {"protocol": UDP}, {}),
        ("ip_proto tcp tcp_flags 0x2/0x12", {"flags": 2}, {"flags": 0x12}),
        ("src_ip 10.0.0.0/8", {}, {"source": b"\x0b\0\0\0"}),
        ("dst_ip 60.61.62.63", {}, {"destination": bytes(4)}),
        ("ip_tos 0x28/0xfc", {"tos": 0x2B}, {"tos": 0x2C}),
        ("ip_ttl 64", {}, {}),
        ("ip_flags frag", {"fragment": 0x2000}, {}),
        ("ip_flags frag/nofirstfrag", {"fragment": 5}, {"fragment": 0x2000}),
        ("dst_mac 02:00:00:00:00:02", {}, {}),
        ("src_mac 02:00:00:00:00:00/40", {}, {}),
        ("ip_proto icmp type 8 code 0", {"protocol": ICMP, "payload": b"\x08\0" + bytes(6)}, {"protocol": ICMP}),
        ("ip_proto tcp dst_port 5201", {"ip_options": bytes(8)}, {"fragment": 0x2000}),
    ],
)  # fmt: skip
def test_flower_compares_fields_under_masks(keys: str, yes: dict[str, Any], no: dict[str, Any]) -> None:
    bench = Bench(f"flower {keys} classid 1:1")
    assert bench.classid(frame(**yes)) == 1
    if no:
        assert bench.classid(frame(**no)) == 0


def test_flower_reads_tags_and_ipv6() -> None:
    one = Bench(
        "flower vlan_id 5 vlan_prio 1 vlan_ethtype ip ip_proto tcp dst_port 5201 classid 1:1", protocol="802.1Q"
    )
    assert one.classid(frame(vlans=((0x8100, 0x2005),))) == 1
    assert one.classid(frame(vlans=((0x8100, 0x4005),))) == 0
    assert one.classid(skb_of(Frame().build(), vlan_tci=0x2005)) == 1, "a tag beside the packet"
    two = Bench("flower vlan_id 5 vlan_ethtype 802.1Q cvlan_id 6 cvlan_ethtype ipv6 classid 1:1", protocol="802.1ad")
    assert two.classid(frame(version=6, vlans=((0x88A8, 5), (0x8100, 6)))) == 1
    assert two.classid(frame(version=6, vlans=((0x88A8, 5), (0x8100, 7)))) == 0
    count = Bench("flower num_of_vlans 2 classid 1:1", protocol="all")
    assert [count.classid(frame(vlans=((0x8100, 1),) * tags)) for tags in range(4)] == [0, 0, 1, 0]
    six = Bench("flower ip_proto tcp src_ip a0b::/16 dst_port 5201 classid 1:1", protocol="ipv6")
    assert six.classid(frame(version=6, extensions=((0, bytes(8)),))) == 1
    assert six.classid(frame(version=6, extensions=((44, bytes(8)),))) == 0, "a fragment has no ports"


def test_flowers_masks_are_asked_in_order_of_their_first_filter() -> None:
    bench = Bench(
        "flower ip_proto tcp classid 1:1",
        "flower dst_ip 60.61.62.63 classid 1:2",
        "flower ip_proto udp classid 1:3",
    )
    assert bench.classid(frame()) == 1
    assert bench.classid(frame(protocol=UDP)) == 3
    assert bench.classid(frame(protocol=99)) == 2
    with pytest.raises(TcError, match="File exists"):
        bench.add("flower ip_proto tcp classid 1:4")
    bench.run(f"filter replace {bench.place} prio 1 handle 1 flower ip_proto tcp classid 1:5")
    assert bench.classid(frame()) == 5
    alone = Bench("flower ip_proto tcp classid 1:1", "flower dst_ip 60.61.62.63 classid 1:2")
    alone.run(f"filter replace {alone.place} prio 1 handle 1 flower ip_proto tcp classid 1:3")
    assert alone.classid(frame()) == 3, "a table whose only filter is replaced keeps its place"
    alone.run("filter del dev eth0 parent 1: prio 1 handle 1 flower")
    alone.add("flower ip_proto tcp classid 1:4")
    assert alone.classid(frame()) == 2


# -- all of them


@pytest.mark.parametrize(
    "kind",
    ["u32 match u32 0 0 flowid 1:1", "handle 1 fw classid 1:1", "basic flowid 1:1", "matchall classid 1:1",
     "flower classid 1:1", "handle 1 flow map key mark"],
)  # fmt: skip
def test_the_last_filter_of_a_priority_takes_it_along(kind: str) -> None:
    bench = Bench(f"{kind} action skbedit mark 1")
    assert bench.run("actions ls action skbedit").startswith("total acts 1\n")
    handle = "800::800" if kind.startswith("u32") else "1"
    name = next(word for word in kind.split() if word.isalnum() and not word.isdigit() and word != "handle")
    bench.run(f"filter del dev eth0 parent 1: prio 1 handle {handle} {name}")
    assert bench.run("filter show dev eth0") == bench.run("actions ls action skbedit") == ""


@given(
    source=st.integers(0, 2**32 - 1),
    bits=st.integers(1, 32),
    port=st.integers(0, 0xFFFF),
    other=st.integers(0, 2**32 - 1),
)
def test_kinds_agree_on_addresses_and_ports(source: int, bits: int, port: int, other: int) -> None:
    net = ".".join(map(str, source.to_bytes(4, "big")))
    benches: list[Callable[[Skb], int]] = [
        Bench(
            f"u32 match ip src {net}/{bits} match ip protocol 6 0xff match ip dport {port} 0xffff flowid 1:1"
        ).classid,
        Bench(f"flower ip_proto tcp src_ip {net}/{bits} dst_port {port} classid 1:1").classid,
        Bench(
            f"basic match 'u32(u32 {source} {(1 << 32) - (1 << 32 - bits)} at 12) and cmp(u8 at 9 layer 1 eq 6)"
            f" and cmp(u16 at 2 layer 2 eq {port})' flowid 1:1"
        ).classid,
    ]
    for address in (source, other):
        for protocol in (TCP, UDP):
            skb = frame(source=address.to_bytes(4, "big"), ports=(1, port), protocol=protocol)
            expected = protocol == TCP and (address ^ source) >> 32 - bits == 0
            assert [classid(skb) for classid in benches] == [int(expected)] * 3
