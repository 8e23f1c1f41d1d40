"""htb beyond its traces: rates, borrowing and priorities, the direct queue, and classes under change.

Expectations are worked out by hand from Devera's theory and the arithmetic of net/sched/sch_htb.c.
"""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ringwire.qdisc import XMIT_BYPASS, XMIT_DROP, XMIT_SUCCESS
from ringwire.qdisc.classify import SHOT
from ringwire.qdisc.htb import Htb
from ringwire.qdisc.htb_class import HtbClass
from ringwire.tools.tc import TcError
from tests.shaper_bench import Always, ShaperBench

ROOT = "qdisc add dev t0 root handle 1: htb default 30"
TREE = (
    ROOT,
    "class add dev t0 parent 1: classid 1:1 htb rate 9500kbit burst 3k cburst 3k",
    "class add dev t0 parent 1:1 classid 1:10 htb rate 5mbit ceil 9500kbit burst 3k cburst 3k prio 1",
    "class add dev t0 parent 1:1 classid 1:20 htb rate 3mbit ceil 6mbit burst 3k cburst 3k prio 2",
    "class add dev t0 parent 1:1 classid 1:30 htb rate 1500kbit ceil 9500kbit burst 3k cburst 3k prio 2",
)
SECOND = 10**9


def htb(bench: ShaperBench) -> Htb:
    root = bench.dev.qdisc
    assert isinstance(root, Htb)
    return root


def cls_of(bench: ShaperBench, minor: int) -> HtbClass:
    return htb(bench).by_id[0x10000 | minor]


def refused(bench: ShaperBench, line: str) -> str:
    with pytest.raises(TcError) as caught:
        bench.run(line)
    return caught.value.printed


def test_classes_that_all_have_packets_get_their_rates() -> None:
    rates = ShaperBench(*TREE).rates(4 * SECOND, {0x10: 1000, 0x20: 500, 0x30: 1500})
    assert rates == pytest.approx({0x10: 5, 0x20: 3, 0x30: 1.5}, rel=0.01)


def test_what_one_leaves_goes_to_the_lower_priority_number_first() -> None:
    bench = ShaperBench(*TREE)
    assert bench.rates(4 * SECOND, {0x10: 1000, 0x30: 1000}) == pytest.approx({0x10: 8, 0x30: 1.5}, rel=0.01)


def test_at_one_priority_it_is_shared_by_quantum_up_to_the_ceiling() -> None:
    lines = (
        *TREE[:2],
        "class add dev t0 parent 1:1 classid 1:10 htb rate 1mbit ceil 9500kbit quantum 6000",
        "class add dev t0 parent 1:1 classid 1:20 htb rate 1mbit ceil 9500kbit quantum 2000",
        "class add dev t0 parent 1:1 classid 1:30 htb rate 1mbit ceil 1500kbit quantum 9000",
    )
    # 9.5 - 1.5 - 2 x 1 = 6 Mbit/s to share 3:1
    rates = ShaperBench(*lines).rates(4 * SECOND, {0x10: 1000, 0x20: 1000, 0x30: 1000})
    assert rates == pytest.approx({0x10: 5.5, 0x20: 2.5, 0x30: 1.5}, rel=0.02)


def test_a_rate_counts_overhead_and_cells() -> None:
    bench = ShaperBench(
        ROOT,
        "class add dev t0 parent 1: classid 1:1 htb rate 1mbit burst 2k cburst 2k overhead 24 mpu 84",
        "class add dev t0 parent 1: classid 1:2 htb rate 1mbit burst 2k cburst 2k overhead 10 linklayer adsl",
    )
    # 8 us a byte: 50 + 24 counts as 84, 100 + 10 fills three cells of 53
    for minor, size, charged in ((1, 50, 84), (2, 100, 3 * 53)):
        full = cls_of(bench, minor).tokens
        assert full == 2048 * 8000
        bench.put(minor, size)
        assert bench.get() is not None
        assert full - cls_of(bench, minor).tokens == charged * 8000


def test_a_class_above_its_ceiling_waits_until_its_tokens_are_back() -> None:
    bench = ShaperBench(ROOT, "class add dev t0 parent 1: classid 1:1 htb rate 1mbit burst 1500 cburst 1500")
    start = bench.clock.ns
    bench.put(1, 1000, 3)
    # 12 ms of tokens: after two packets of 8 ms they are 4 ms short
    assert bench.minors(3) == [1, 1, 0]
    assert bench.watchdog_ns == start + 4_000_000
    bench.clock.ns = bench.watchdog_ns
    assert bench.minors(1) == [1]
    assert "overlimits 2 " in bench.run("-s class show dev t0"), "and is above it again"


def test_hysteresis_lets_a_class_go_on_until_a_whole_burst_is_owed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Htb, "hysteresis", True)
    bench = ShaperBench(ROOT, "class add dev t0 parent 1: classid 1:1 htb rate 1mbit burst 1500 cburst 1500")
    bench.put(1, 1000, 9)
    # tokens 12, 4, -4, -12 (still allowed), -20 ms
    assert bench.minors(5) == [1, 1, 1, 1, 0]


def test_packets_without_a_class_go_directly_and_first() -> None:
    bench = ShaperBench(
        "qdisc add dev t0 root handle 1: htb default 99 direct_qlen 2",
        "class add dev t0 parent 1: classid 1:1 htb rate 1mbit",
    )
    bench.put(1)
    assert bench.put(0, priority=0x10000) == XMIT_SUCCESS, "1:0 names the direct queue"
    assert bench.put(0, priority=7) == XMIT_SUCCESS, "the default is missing"
    assert bench.put(0, priority=7) == XMIT_DROP
    assert bench.minors(3) == [0, 7, 1]
    shown = bench.run("-s qdisc show dev t0")
    assert "direct_packets_stat 2 direct_qlen 2" in shown and "(dropped 1, overlimits 0" in shown


def test_filters_lead_from_class_to_class() -> None:
    bench = ShaperBench(*TREE)
    root = htb(bench)
    root.block(0x10000).attach(Always(0x10001))
    bench.put(0, priority=0)
    assert cls_of(bench, 0x30).qdisc.qlen == 1, "an inner class without filters: the default"
    inner = Always(0x10020)
    root.block(0x10001).attach(inner)
    bench.put(0, priority=0)
    bench.put(1)
    assert cls_of(bench, 0x20).qdisc.qlen == 2
    assert refused(bench, "class del dev t0 classid 1:20") == "Error: HTB class in use."
    inner.verdict = SHOT
    assert bench.put(1) == XMIT_SUCCESS | XMIT_BYPASS
    inner.verdict, inner.classid = 0, 0x10000
    bench.put(1)
    assert root.direct_packets == 1


def test_a_leaf_with_a_child_is_none_until_the_child_goes() -> None:
    bench = ShaperBench(ROOT, "class add dev t0 parent 1: classid 1:30 htb rate 1mbit burst 1500 cburst 1500")
    bench.put(0x30, 1000, 5)
    assert bench.minors(3) == [0x30, 0x30, 0]
    bench.run("class add dev t0 parent 1:30 classid 1:31 htb rate 1mbit")
    assert (bench.dev.qdisc.qlen, len(bench.dropped)) == (0, 3)
    assert refused(bench, "qdisc add dev t0 parent 1:30 pfifo") == "RTNETLINK answers: Invalid argument"
    assert refused(bench, "class del dev t0 classid 1:30") == "Error: HTB class in use."
    assert "class htb 1:30 root rate" in bench.run("class show dev t0")
    bench.put(0x30)
    assert htb(bench).direct_packets == 1
    bench.put(0x31)
    assert bench.minors(3) == [0x30, 0x31, 0]
    bench.run("class del dev t0 classid 1:31")
    bench.put(0x30, 1000, 3)
    assert bench.minors(3) == [0x30, 0x30, 0], "a leaf again, with full buckets"


def test_a_tree_has_eight_levels_and_an_unknown_parent_is_the_root() -> None:
    bench = ShaperBench(ROOT)
    for minor in range(1, 9):
        bench.run(f"class add dev t0 parent 1:{minor - 1} classid 1:{minor} htb rate 1mbit")
    deeper = "class add dev t0 parent 1:8 classid 1:9 htb rate 1mbit"
    assert refused(bench, deeper) == "Error: sch_htb: tree is too deep."
    bench.put(8)
    assert bench.minors(2) == [8, 0]
    assert [cls_of(bench, minor).level for minor in (1, 2, 7, 8)] == [7, 6, 1, 0]
    bench.run("class add dev t0 parent 1:99 classid 1:a htb rate 1mbit")
    assert "class htb 1:a root prio 0" in bench.run("class show dev t0")


def test_quanta_come_from_the_rate_and_are_warned_of() -> None:
    bench = ShaperBench("qdisc add dev t0 root handle 1: htb r2q 100")
    bench.run("class add dev t0 parent 1: classid 1:1 htb rate 100kbit")
    bench.run("class add dev t0 parent 1: classid 1:2 htb rate 1gbit")
    bench.run("class add dev t0 parent 1: classid 1:3 htb rate 1gbit quantum 5000")
    bench.run("class add dev t0 parent 1: classid 1:4 htb rate 8mbit")
    assert [cls_of(bench, minor).quantum for minor in (1, 2, 3, 4)] == [1000, 200_000, 5000, 10_000]
    assert bench.tc.warnings == [
        "Warning: sch_htb: quantum of class 10001 is small. Consider r2q change.",
        "Warning: sch_htb: quantum of class 10002 is big. Consider r2q change.",
    ]
    change = "qdisc change dev t0 root handle 1: htb default 1"
    assert refused(bench, change) == "Error: Change operation not supported by specified qdisc."


def test_a_class_changes_its_priority_while_it_has_packets() -> None:
    bench = ShaperBench(*TREE)
    for minor in (0x10, 0x20):
        bench.put(minor, 100, 6)
    bench.run("class change dev t0 classid 1:10 htb rate 5mbit prio 7")
    assert bench.minors(6) == [0x10] * 6, "in its old place as long as it has packets"
    bench.put(0x10, 100, 2)
    assert bench.minors(8) == [0x20] * 6 + [0x10] * 2


def test_a_lasting_debt_is_forgiven_after_a_minute() -> None:
    bench = ShaperBench(ROOT, "class add dev t0 parent 1: classid 1:1 htb rate 8bit burst 2k cburst 2k")
    bench.put(1, 60_000, 2)
    assert bench.minors(2) == [1, 0]
    assert cls_of(bench, 1).tokens == 1 - 60 * SECOND


sizes = st.integers(60, 1514)


@example([(16, 1118, 0)] * 3 + [(48, 1255, 26_280)])
@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from([0x10, 0x20, 0x30]), sizes, st.integers(0, 3_000_000)), max_size=120))
def test_no_class_ever_sends_more_than_its_ceiling_allows(packets: list[tuple[int, int, int]]) -> None:
    bench = ShaperBench(*TREE, bps=10**9)
    start = bench.clock.ns
    for minor, size, gap_ns in packets:
        bench.put(minor, size)
        bench.drain(gap_ns)
        passed = bench.clock.ns - start
        for limited, bps in ((0x10, 9_500_000), (0x20, 6_000_000), (0x30, 9_500_000)):
            # a burst of 3 KiB, rounded, and the packet that overdraws it
            assert bench.sent[limited] <= passed * bps / 8e9 + 3072 + 1514
        # none borrows while the parent owes; then each leaf may still be a burst and a packet ahead of its own rate,
        # which the parent is not asked for, and these rates add up to the parent's
        assert bench.sent.total() <= passed * 9_500_000 / 8e9 + 4 * (3072 + 1514)
    bench.drain(5 * SECOND)
    assert bench.dev.qdisc.qlen == 0, "and all gets out"
