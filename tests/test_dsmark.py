"""dsmark: tc_index from the field, the priority, filters or a default, and the field rewritten on the way out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringwire.netdev.tree import qdiscs
from ringwire.qdisc import XMIT_BYPASS, XMIT_SUCCESS
from ringwire.qdisc.dsfield import CUT, NOT_IP, change_dsfield, get_dsfield
from ringwire.qdisc.dsmark import Dsmark
from ringwire.skb import Skb
from ringwire.tools.tc import Tc, TcError
from tests.frames import UDP, Frame, words_sum
from tests.stack_bench import StackBench

ARP = bytes(12) + b"\x08\x06" + bytes(28)


def made(words: str = "indices 8", *marks: str) -> tuple[StackBench, Dsmark, Tc]:
    """Marks as ``index mask value``."""
    bench = StackBench(name="eth0")
    tc = Tc([bench.dev])
    tc.run(f"tc qdisc add dev eth0 root handle 1: dsmark {words}")
    for mark in marks:
        index, mask, value = mark.split()
        tc.run(f"tc class change dev eth0 parent 1: classid 1:{index} dsmark mask {mask} value {value}")
    dsmark = bench.dev.qdisc
    assert isinstance(dsmark, Dsmark)
    return bench, dsmark, tc


def through(dsmark: Dsmark, **fields: Any) -> tuple[int, int]:
    """(tc_index, field) of a packet of figures that went through."""
    skb = Skb(len=100, pkt_len=100, **fields)
    assert dsmark.enqueue(skb, []) == XMIT_SUCCESS
    assert dsmark.dequeue() is skb
    return skb.tc_index, skb.tos


def test_the_index_comes_from_the_field_without_its_ecn_bits() -> None:
    _, dsmark, _ = made("indices 64 set_tc_index")
    assert through(dsmark, tos=0xBB, tc_index=5) == (0xB8, 0xBB)
    _, dsmark, _ = made("indices 64")
    assert through(dsmark, tos=0xBB, tc_index=5) == (5, 0xBB)


def test_a_priority_or_else_the_default_gives_the_index() -> None:
    _, dsmark, _ = made("indices 8 default_index 3", "3 0x3 0x28", "6 0x3 0xb8")
    assert through(dsmark, priority=0x10006, tos=0x11) == (6, 0xB9)
    assert through(dsmark, priority=6, tos=0x11) == (3, 0x29)
    assert through(dsmark, priority=0x1000E, tos=0x10) == (14, 0xB8), "indices go round"


def test_filters_give_the_index() -> None:
    _, dsmark, _ = made("indices 8 default_index 3")

    class Fake:
        chains = True
        verdict = 0

        def classify(self, skb: Skb, match: object) -> int:
            dsmark.match.classid = skb.mark
            return self.verdict

    fake = Fake()
    dsmark.filters = fake  # type: ignore[assignment]
    assert through(dsmark, mark=0x10005)[0] == 5
    fake.verdict = -1
    assert through(dsmark, mark=0x10005)[0] == 3
    fake.verdict = 2
    to_free: list[Skb] = []
    assert dsmark.enqueue(Skb(len=9, pkt_len=9), to_free) == XMIT_SUCCESS | XMIT_BYPASS
    assert (dsmark.drops, len(to_free)) == (1, 1)


def test_the_discipline_inside_goes_by_the_index() -> None:
    _, dsmark, tc = made("indices 64 set_tc_index")
    tc.run("tc qdisc add dev eth0 parent 1:0 handle 2: gred setup vqs 4 default 2")
    vq = "limit 60000 min 5000 max 20000 avpkt 1000 burst 10 bandwidth 10mbit"
    for index in (0, 2):
        tc.run(f"tc qdisc change dev eth0 parent 1:0 handle 2: gred vq {index} {vq}")
    for tos in (0x10, 0x28):
        dsmark.enqueue(Skb(len=100, pkt_len=100, tos=tos), [])
    assert "vq 0 prio 8" in (text := tc.run("tc -s qdisc show dev eth0"))
    assert text.count("Total packets: 1 (100b)") == 2
    assert "qdisc gred 2: parent 1: " in text


def test_a_leaf_is_replaced_below_any_class_and_comes_back_as_pfifo() -> None:
    bench, dsmark, tc = made()
    dsmark.enqueue(Skb(len=100, pkt_len=100), [])
    tc.run("tc qdisc add dev eth0 parent 1:5 handle 2: bfifo limit 250")
    assert (dsmark.qlen, dsmark.backlog, len(bench.dropped)) == (0, 0, 1)
    for _ in range(3):
        dsmark.enqueue(Skb(len=100, pkt_len=100), [])
    assert (dsmark.qlen, dsmark.drops) == (2, 2)
    tc.run("tc qdisc del dev eth0 parent 1:5")
    assert [each.kind for each in qdiscs(bench.dev, hidden=True)] == ["dsmark", "pfifo"]
    assert (dsmark.qlen, len(bench.dropped)) == (0, 3)


def test_classes_are_entries_that_change_something() -> None:
    _, dsmark, tc = made("indices 8", "1 0x3 0xb8", "0 0xff 0x4")
    assert tc.run("tc class show dev eth0") == (
        "class dsmark 1: parent 1: mask 0xff value 0x04 \nclass dsmark 1:1 parent 1: mask 0x03 value 0xb8 \n"
    )
    tc.run("tc class change dev eth0 classid 1:1 dsmark value 300")
    assert dsmark.marks[1] == (3, 300 & 0xFF)
    tc.run("tc class del dev eth0 classid 1:1")
    assert dsmark.marks == [(0xFF, 4)] + [(0xFF, 0)] * 7
    tc.run("tc qdisc add dev eth0 parent 1:0 handle 2: pfifo")
    assert tc.run("tc -s class show dev eth0") == "class dsmark 1: parent 1: leaf 2: mask 0xff value 0x04 \n\n"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("class change dev eth0 classid 1:8 dsmark mask 1", "RTNETLINK answers: No such file or directory"),
        ("class del dev eth0 classid 1:8", "RTNETLINK answers: Invalid argument"),
        ("class add dev eth0 parent 1: classid 1:1 dsmark mask 1", "RTNETLINK answers: File exists"),
        ("qdisc replace dev eth0 root handle 2: dsmark indices 6", "RTNETLINK answers: Invalid argument"),
        ("qdisc change dev eth0 root dsmark indices 8", "Error: Change operation not supported by specified qdisc."),
    ],
)
def test_the_kernel_refuses(line: str, words: str) -> None:
    _, dsmark, tc = made()
    with pytest.raises(TcError) as caught:
        tc.run(f"tc {line}")
    assert caught.value.printed == words and dsmark.dev.qdisc is dsmark


def test_shown_as_iproute2_shows_it() -> None:
    _, _, tc = made("indices 8 default 0x3 set_tc_index")
    assert tc.run("tc qdisc show dev eth0") == (
        "qdisc dsmark 1: root refcnt 2 indices 0x0008 default_index 0x0003 set_tc_index \n"
    )


# -- the field in the bytes


@given(
    tos=st.integers(0, 255),
    mask=st.integers(0, 255),
    value=st.integers(0, 255),
    version=st.sampled_from([4, 6]),
    vlan=st.booleans(),
    cut=st.integers(14, 70),
    ident=st.integers(0, 0xFFFF),
)
def test_the_field_is_rewritten_with_its_checksum(
    tos: int, mask: int, value: int, version: int, vlan: bool, cut: int, ident: int
) -> None:
    def built(field: int) -> bytes:
        vlans = ((0x8100, 5),) if vlan else ()
        return Frame(version, UDP, b"payload" * 9, tos=field, vlans=vlans, ident=ident).build()

    frame = built(tos)
    skb = Skb(len=len(frame), data=(frame[:cut], frame[cut:]), tos=tos)
    assert get_dsfield(skb) == tos
    change_dsfield(skb, mask, value)
    wanted = built(tos & mask | value)
    assert skb.tos == tos & mask | value
    if version == 6:
        assert skb.linear() == wanted
    else:
        l3 = 18 if vlan else 14
        at = l3 + 10
        got = skb.linear()
        assert got[:at] + got[at + 2 :] == wanted[:at] + wanted[at + 2 :]
        assert words_sum(got[l3 : l3 + 20]) == 0xFFFF


def test_what_is_not_ip_is_left_alone_and_what_is_cut_short_is_dropped() -> None:
    _, dsmark, _ = made("indices 8 set_tc_index default_index 1", "1 0 0xb8")
    arp = Skb(len=42, pkt_len=42, data=(ARP,))
    assert get_dsfield(arp) == NOT_IP
    dsmark.enqueue(arp, [])
    assert dsmark.dequeue() is arp and arp.data == (ARP,)
    short = Skb(len=20, pkt_len=20, data=(bytes(12) + b"\x08\x00" + bytes(6),))
    assert get_dsfield(short) == CUT
    assert dsmark.enqueue(short, []) == XMIT_SUCCESS | XMIT_BYPASS
    assert (dsmark.drops, dsmark.qlen) == (1, 0)
