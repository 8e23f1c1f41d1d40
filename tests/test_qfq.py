"""qfq beyond its trace: shares by weight, how soon they are had, and classes under change.

Expectations are those of Checconi, Rizzo and Valente (2013) and the messages of net/sched/sch_qfq.c.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringwire.qdisc import XMIT_BYPASS, XMIT_DROP, XMIT_SUCCESS
from ringwire.qdisc.qfq import Qfq
from ringwire.tools.tc import TcError
from tests.shaper_bench import ShaperBench

ROOT = "qdisc add dev t0 root handle 1: qfq"
SECOND = 10**9


def bench_of(*weights: int, maxpkt: int = 1514) -> ShaperBench:
    lines = (
        f"class add dev t0 parent 1: classid 1:{n:x} qfq weight {w} maxpkt {maxpkt}" for n, w in enumerate(weights, 1)
    )
    return ShaperBench(ROOT, *lines)


def qfq(bench: ShaperBench) -> Qfq:
    root = bench.dev.qdisc
    assert isinstance(root, Qfq)
    return root


def refused(bench: ShaperBench, line: str) -> str:
    with pytest.raises(TcError) as caught:
        bench.run(line)
    return caught.value.printed


def test_shares_follow_the_weights_whatever_the_packet_sizes() -> None:
    rates = bench_of(1, 2, 5, 2).rates(4 * SECOND, {1: 1500, 2: 300, 3: 700, 4: 1500})
    assert rates == pytest.approx({1: 1, 2: 2, 3: 5, 4: 2}, rel=0.01)


@settings(max_examples=25)
@given(st.lists(st.integers(1, 100), min_size=2, max_size=6), st.integers(50, 300))
def test_no_class_falls_behind_its_share_by_more_than_a_few_packets(weights: list[int], count: int) -> None:
    bench = bench_of(*weights)
    sent = dict.fromkeys(range(1, len(weights) + 1), 0)
    for minor in sent:
        bench.put(minor, 1500, count)
    for total in range(1, count + 1):
        skb = bench.get()
        assert skb is not None
        sent[skb.priority & 0xFFFF] += 1
        for minor, weight in enumerate(weights, 1):
            # classes of one weight form an aggregate of up to eight, which is served as one
            assert sent[minor] >= total * weight / sum(weights) - 2 * 8


def test_a_class_that_was_idle_gets_no_arrears() -> None:
    bench = bench_of(1, 1)
    bench.drain(SECOND, {1: 1000})
    assert bench.rates(SECOND, {1: 1000, 2: 1000}) == pytest.approx({1: 5, 2: 5}, rel=0.02)


def test_a_larger_packet_raises_what_the_class_expects() -> None:
    bench = bench_of(4, maxpkt=512)
    bench.put(1, 3000)
    assert bench.run("class show dev t0") == "class qfq 1:1 root weight 4 maxpkt 3000 \n"
    assert bench.put(1, 70_000) == XMIT_DROP
    assert bench.minors(2) == [1, 0]
    assert (bench.dev.qdisc.drops, len(bench.dropped)) == (1, 1)


def test_a_packet_without_a_class_is_dropped() -> None:
    bench = bench_of(1)
    assert bench.put(9) == XMIT_SUCCESS | XMIT_BYPASS
    assert (bench.dev.qdisc.drops, bench.dev.qdisc.qlen) == (1, 0)


def test_weights_and_sizes_have_limits() -> None:
    bench = ShaperBench(ROOT)
    add = "class add dev t0 parent 1: classid 1:1 qfq"
    for words in ("weight 0", "weight 1025", "maxpkt 511", "maxpkt 65537"):
        assert refused(bench, f"{add} {words}") == "Error: integer out of range."
    bench.run(add)
    assert bench.run("class show dev t0") == "class qfq 1:1 root weight 1 maxpkt 1514 \n"
    for minor in range(2, 65):
        bench.run(f"class add dev t0 parent 1: classid 1:{minor:x} qfq weight 1024")
    change = "class change dev t0 parent 1: classid 1:1 qfq weight"
    assert refused(bench, f"{change} 1025") == "Error: integer out of range."
    bench.run(f"{change} 1024")
    more = "class add dev t0 parent 1: classid 1:99 qfq"
    assert refused(bench, more) == "Error: sch_qfq: total weight out of range (1 + 65536)."


def test_a_weight_is_rounded_to_what_its_inverse_stands_for() -> None:
    bench = bench_of(1000)
    # 2^30 // (2^30 // 1000) = 1000; 2^30 // (2^30 // 1023) = 1023
    assert "weight 1000 " in bench.run("class show dev t0")
    assert qfq(bench).by_id[0x10001].agg.inv_w == (1 << 30) // 1000


def test_weights_change_and_classes_go_while_packets_are_queued() -> None:
    bench = bench_of(1, 1, 1)
    bench.drain(SECOND // 10, {1: 1000, 2: 1000, 3: 1000})
    bench.run("class change dev t0 parent 1: classid 1:2 qfq weight 8 maxpkt 1514")
    bench.put(3, 1000, 5)
    before = len(bench.dropped)
    bench.run("class del dev t0 classid 1:3")
    assert len(bench.dropped) > before
    rates = bench.rates(4 * SECOND, {1: 1000, 2: 1000})
    assert rates == pytest.approx({1: 10 / 9, 2: 80 / 9}, rel=0.02)
    bench.run("class change dev t0 parent 1: classid 1:2 qfq")
    assert "class qfq 1:2 root weight 1 maxpkt 1514 \n" in bench.run("class show dev t0"), "left out is the default"


def test_more_than_eight_classes_of_a_weight_are_served_in_groups() -> None:
    bench = bench_of(*[3] * 11)
    rates = bench.rates(4 * SECOND, dict.fromkeys(range(1, 12), 1000))
    assert rates == pytest.approx(dict.fromkeys(range(1, 12), 10 / 11), rel=0.02)
    aggregates = {cls.agg: cls.agg.num_classes for cls in qfq(bench).classes()}
    assert sorted(aggregates.values()) == [3, 8]
    bench.drain(SECOND)
    # an aggregate has the weight of all its classes, so one alone in the second has that of three
    rates = bench.rates(4 * SECOND, dict.fromkeys(range(1, 10), 1000))
    assert rates == pytest.approx(dict.fromkeys(range(1, 9), 10 / 11) | {9: 30 / 11}, rel=0.02)
