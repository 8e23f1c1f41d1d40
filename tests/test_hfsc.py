"""hfsc beyond its trace: delay guarantees, link sharing, upper limits, curves, and classes under change.

Expectations are worked out by hand from Stoica, Zhang and Ng (1997) and the integers of net/sched/sch_hfsc.c.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringwire.qdisc import XMIT_BYPASS, XMIT_SUCCESS
from ringwire.qdisc.hfsc import Hfsc
from ringwire.qdisc.hfsc_curve import INFINITY, Curve, RunningCurve, ServiceCurve
from ringwire.tools.tc import TcError
from tests.shaper_bench import Always, ShaperBench

ROOT = "qdisc add dev t0 root handle 1: hfsc default 20"
SECOND = 10**9


def hfsc(bench: ShaperBench) -> Hfsc:
    root = bench.dev.qdisc
    assert isinstance(root, Hfsc)
    return root


def refused(bench: ShaperBench, line: str) -> str:
    with pytest.raises(TcError) as caught:
        bench.run(line)
    return caught.value.printed


def test_a_curve_in_ticks() -> None:
    curve = Curve(ServiceCurve(250_000, 10_000, 125_000))
    # 15,625,000 ticks a second: 125,000 x 2^24 / 15,625,000 = 134,217.7 rounded up; 15,625,000 x 2^14 / 125,000
    assert (curve.sm2, curve.ism2) == (134_218, 2_048_000)
    assert (curve.dx, curve.dy) == (156_250, 2500)
    running = RunningCurve(curve, 1000, 50)
    assert [running.time_of(work) for work in (0, 50, 300, 2550, 2675)] == [1000, 1000, 16_625, 157_250, 172_875]
    assert [running.work_at(time) for time in (0, 1000, 16_625, 157_250, 172_875)] == [50, 50, 300, 2550, 2675]
    assert curve.shown() == ServiceCurve(250_000, 10_000, 125_000)
    flat = RunningCurve(Curve(ServiceCurve(125_000, 1000, 0)), 10, 0)
    assert flat.time_of(1000) == 10 + 15_625 + INFINITY - (1 << 64), "no end: the sum wraps as 64 bits do"


def test_two_curves_make_the_lower_one() -> None:
    concave = Curve(ServiceCurve(250_000, 10_000, 125_000))
    kept = RunningCurve(concave, 0, 0)
    kept.lower(100_000, 100_000)
    assert (kept.x, kept.y) == (0, 0), "the new one is above"
    replaced = RunningCurve(concave, 0, 0)
    replaced.lower(1_000_000, 100)
    assert (replaced.x, replaced.y, replaced.dx) == (1_000_000, 100, 156_250), "below for its whole first segment"
    met = RunningCurve(concave, 0, 0)
    # at 312,500 it is at 2500 + 1250; the new one begins 625 below, and gains 125,000 bytes a second: 5 ms
    met.lower(312_500, 3125)
    assert (met.x, met.y) == (312_500, 3125)
    assert met.dx == pytest.approx(78_125, abs=2) and met.dy == pytest.approx(1250, abs=1)


curves = st.builds(ServiceCurve, st.integers(1000, 10**8), st.integers(0, 10**5), st.integers(1000, 10**8))


@given(curves, st.integers(0, 10**9), st.integers(0, 10**6), st.integers(0, 10**6))
def test_time_and_work_are_inverse_but_for_rounding(curve: ServiceCurve, x: int, y: int, more: int) -> None:
    running = RunningCurve(Curve(curve), x, y)
    assert running.work_at(running.time_of(y + more)) == pytest.approx(y + more, rel=1e-3, abs=20)
    assert running.time_of(y + more + 1) >= running.time_of(y + more)


@settings(max_examples=60)
@given(curves, st.integers(0, 10**7), st.integers(0, 10**6), st.integers(0, 10**7))
def test_a_concave_curve_is_lowered_to_the_lesser_of_both(curve: ServiceCurve, x: int, y: int, later: int) -> None:
    curve = curve._replace(m1=max(curve.m1, curve.m2), m2=min(curve.m1, curve.m2))
    running = RunningCurve(Curve(curve), 0, 0)
    before, fresh = running.work_at(x + later), RunningCurve(Curve(curve), x, y).work_at(x + later)
    running.lower(x, y)
    assert running.work_at(x + later) == pytest.approx(min(before, fresh), rel=1e-3, abs=20)


def test_a_convex_curve_begins_again_or_stays() -> None:
    convex = Curve(ServiceCurve(0, 10_000, 125_000))
    running = RunningCurve(convex, 0, 0)
    running.lower(312_500, 1251)
    assert (running.x, running.y) == (0, 0), "1250 bytes are due by then, which is less"
    running.lower(312_500, 1250)
    assert (running.x, running.y) == (312_500, 1250)


def test_a_small_packet_is_on_time_whatever_the_others_send() -> None:
    bench = ShaperBench(
        ROOT,
        "class add dev t0 parent 1: classid 1:10 hfsc sc umax 200 dmax 2ms rate 64kbit",
        "class add dev t0 parent 1: classid 1:20 hfsc ls rate 9mbit",
    )
    bench.put(0x20, 1500, 400)
    for _ in range(20):
        bench.put(0x10, 200)
        start = bench.clock.ns
        while bench.dev.qdisc.find_class(0x10).qdisc.qlen:  # type: ignore[union-attr]
            bench.drain(1)
        # its deadline, and one packet of the largest size that was on the wire before
        assert bench.clock.ns - start <= 2_000_000 + 1_200_000
        bench.drain(25_000_000 - (bench.clock.ns - start))
    assert bench.sent[0x10] == 20 * 200


def test_the_link_is_shared_by_link_share_curves_down_the_hierarchy() -> None:
    bench = ShaperBench(
        ROOT,
        "class add dev t0 parent 1: classid 1:1 hfsc ls rate 6mbit",
        "class add dev t0 parent 1: classid 1:2 hfsc ls rate 3mbit",
        "class add dev t0 parent 1:1 classid 1:11 hfsc ls rate 2mbit",
        "class add dev t0 parent 1:1 classid 1:12 hfsc ls rate 1mbit",
        bps=9_000_000,
    )
    rates = bench.rates(4 * SECOND, {0x11: 1000, 0x12: 300, 2: 1500})
    assert rates == pytest.approx({0x11: 4, 0x12: 2, 2: 3}, rel=0.01)
    bench.drain(SECOND)
    assert bench.rates(4 * SECOND, {0x12: 1000, 2: 1500}) == pytest.approx({0x12: 6, 2: 3}, rel=0.02)


def test_an_upper_limit_holds_a_class_and_those_below_back() -> None:
    bench = ShaperBench(
        ROOT,
        "class add dev t0 parent 1: classid 1:1 hfsc ls rate 5mbit ul rate 2mbit",
        "class add dev t0 parent 1:1 classid 1:11 hfsc ls rate 1mbit",
        "class add dev t0 parent 1:1 classid 1:12 hfsc ls rate 1mbit ul rate 500kbit",
        "class add dev t0 parent 1: classid 1:20 hfsc ls rate 5mbit ul rate 4mbit",
    )
    rates = bench.rates(4 * SECOND, {0x11: 1000, 0x12: 1000, 0x20: 1000})
    assert rates == pytest.approx({0x11: 1.5, 0x12: 0.5, 0x20: 4}, rel=0.01)


def test_real_time_is_no_more_than_its_curve() -> None:
    bench = ShaperBench(ROOT, "class add dev t0 parent 1: classid 1:20 hfsc rt rate 2mbit")
    assert bench.rates(2 * SECOND, {0x20: 1000}) == pytest.approx({0x20: 2}, rel=0.01)
    assert bench.run("class show dev t0 classid 1:20") == "class hfsc 1:20 parent 1: rt m1 0bit d 0us m2 2Mbit \n"


def test_real_time_service_is_not_taken_from_the_share() -> None:
    # 1:10 has 3 Mbit/s by deadline and an equal share of all: 5, not 3 + 3.5
    bench = ShaperBench(
        ROOT,
        "class add dev t0 parent 1: classid 1:10 hfsc rt rate 3mbit ls rate 1mbit",
        "class add dev t0 parent 1: classid 1:20 hfsc ls rate 1mbit",
    )
    assert bench.rates(4 * SECOND, {0x10: 1000, 0x20: 1000}) == pytest.approx({0x10: 5, 0x20: 5}, rel=0.02)


def test_packets_without_a_leaf_are_dropped() -> None:
    bench = ShaperBench(ROOT.replace("20", "99"))
    bench.put(0, priority=0x10000)
    assert bench.minors(2) == [0, 0] and bench.dev.qdisc.packets == 1, "without classes the root is a leaf"
    bench.run("class add dev t0 parent 1: classid 1:1 hfsc ls rate 1mbit")
    bench.run("class add dev t0 parent 1:1 classid 1:11 hfsc ls rate 1mbit")
    for priority in (0x10000, 0x10001, 0x10077, 5):
        assert bench.put(0, priority=priority) == XMIT_SUCCESS | XMIT_BYPASS
    assert (bench.dev.qdisc.drops, len(bench.dropped)) == (4, 4)
    bench.run("qdisc change dev t0 root handle 1: hfsc default 11")
    assert bench.put(0, priority=5) == XMIT_SUCCESS
    assert "default 11 " in bench.run("qdisc show dev t0")


def test_filters_lead_downwards_only() -> None:
    bench = ShaperBench(
        ROOT,
        "class add dev t0 parent 1: classid 1:1 hfsc ls rate 1mbit",
        "class add dev t0 parent 1:1 classid 1:11 hfsc ls rate 1mbit",
        "class add dev t0 parent 1: classid 1:20 hfsc ls rate 1mbit",
    )
    root = hfsc(bench)
    root.block(0x10000).attach(Always(0x10001))
    inner = Always(0x10011)
    root.block(0x10001).attach(inner)
    bench.put(0, priority=0)
    assert root.by_id[0x10011].qdisc.qlen == 1
    inner.classid = 0x10001
    bench.put(0, priority=0)
    assert root.by_id[0x10020].qdisc.qlen == 1, "the default"


def test_levels_and_curves_follow_the_tree() -> None:
    bench = ShaperBench(ROOT, "class add dev t0 parent 1: classid 1:1 hfsc rt rate 1mbit")
    bench.put(1, 1000, 3)
    bench.run("class add dev t0 parent 1:1 classid 1:11 hfsc sc rate 1mbit")
    assert (bench.dev.qdisc.qlen, len(bench.dropped)) == (0, 3)
    assert bench.tc.warnings == ["Warning: Forced curve change on parent 'rt' to 'sc'."]
    levels = {cls.classid & 0xFFFF: cls.level for cls in hfsc(bench).classes()}
    assert levels == {0: 2, 1: 1, 0x11: 0}
    assert "class hfsc 1:1 parent 1: sc m1 0bit d 0us m2 1Mbit \n" in bench.run("class show dev t0")
    assert refused(bench, "class del dev t0 classid 1:1") == "Error: HFSC class in use."
    assert refused(bench, "class del dev t0 classid 1:0") == "Error: HFSC class in use."
    assert refused(bench, "class add dev t0 root classid 1:7 hfsc ls rate 1mbit") == "RTNETLINK answers: File exists"
    missing = "class add dev t0 parent 1:9 classid 1:7 hfsc ls rate 1mbit"
    assert refused(bench, missing) == "RTNETLINK answers: No such file or directory"
    moved = "class change dev t0 parent 1: classid 1:11 hfsc ls rate 1mbit"
    assert refused(bench, moved) == "RTNETLINK answers: Invalid argument"
    bench.run("class del dev t0 classid 1:11")
    assert {cls.classid & 0xFFFF: cls.level for cls in hfsc(bench).classes()} == {0: 1, 1: 0}
    bench.put(1, 1000, 2)
    assert bench.rates(SECOND, {1: 1000}) == pytest.approx({1: 10}, rel=0.01), "it has a share now"


def test_curves_change_while_packets_are_queued() -> None:
    bench = ShaperBench(ROOT, "class add dev t0 parent 1: classid 1:20 hfsc ls rate 1mbit ul rate 1mbit")
    assert bench.rates(SECOND, {0x20: 1000}) == pytest.approx({0x20: 1}, rel=0.02)
    bench.run("class change dev t0 classid 1:20 hfsc ls rate 1mbit ul rate 3mbit")
    assert bench.rates(SECOND, {0x20: 1000}) == pytest.approx({0x20: 3}, rel=0.02)
    bench.run("class change dev t0 classid 1:20 hfsc rt rate 5mbit")
    assert bench.rates(SECOND, {0x20: 1000}) == pytest.approx({0x20: 5}, rel=0.02)


def test_what_an_upper_limit_held_back_is_not_made_up_for() -> None:
    bench = ShaperBench(
        ROOT,
        "class add dev t0 parent 1: classid 1:10 hfsc ls rate 5mbit ul m1 1mbit d 2s m2 9mbit",
        "class add dev t0 parent 1: classid 1:20 hfsc ls rate 5mbit",
    )
    both = {0x10: 1000, 0x20: 1000}
    assert bench.rates(2 * SECOND, both) == pytest.approx({0x10: 1, 0x20: 9}, rel=0.02)
    assert bench.rates(2 * SECOND, both) == pytest.approx({0x10: 5, 0x20: 5}, rel=0.02)


def test_the_first_packet_of_a_real_time_class_is_held_on_to() -> None:
    bench = ShaperBench(
        ROOT,
        "class add dev t0 parent 1: classid 1:10 hfsc sc rate 5mbit",
        "class add dev t0 parent 1: classid 1:20 hfsc ls rate 5mbit",
        "qdisc add dev t0 parent 1:10 handle 10: tbf rate 1gbit burst 9k limit 9k",
        "qdisc add dev t0 parent 1:20 handle 20: tbf rate 1gbit burst 9k limit 9k",
    )
    bench.put(0x10, 1000, 2)
    bench.put(0x20, 1000, 2)
    leaves = [leaf for _, leaf in bench.dev.qdisc.children() if leaf.kind == "tbf"]
    assert [len(leaf.requeued) for leaf in leaves] == [1, 0]


@pytest.mark.parametrize(
    ("words", "curves"),
    [
        ("sc rate 1mbit", "sc m1 0bit d 0us m2 1Mbit"),
        ("ls m1 4mbit d 10ms m2 1mbit", "ls m1 4Mbit d 10ms m2 1Mbit"),
        ("ls d 10ms m2 1mbit ul m2 5mbit", "ls m1 0bit d 10ms m2 1Mbit ul m1 0bit d 0us m2 5Mbit"),
        ("rt umax 1500 dmax 20ms rate 2mbit", "rt m1 0bit d 14ms m2 2Mbit"),
        ("rt umax 1500 dmax 5ms rate 1mbit", "rt m1 2400Kbit d 5ms m2 1Mbit"),
        ("rt m2 1mbit ls m2 2mbit", "rt m1 0bit d 0us m2 1Mbit ls m1 0bit d 0us m2 2Mbit"),
    ],
)
def test_curves_are_read_and_printed(words: str, curves: str) -> None:
    bench = ShaperBench(ROOT, f"class add dev t0 parent 1: classid 1:1 hfsc {words}")
    assert bench.run("class show dev t0 classid 1:1") == f"class hfsc 1:1 parent 1: {curves} \n"
