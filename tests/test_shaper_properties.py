"""htb, hfsc, qfq and cbq under random traffic and change: no packet is lost count of, and none waits for nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringwire.netdev.tree import walk
from ringwire.skb import Skb
from ringwire.tools.tc import TcError
from tests.shaper_bench import ShaperBench

TraceFunction: TypeAlias = "Callable[[FrameType, str, object], TraceFunction]"

KINDS = {
    "htb": (
        "htb default 12",
        ("htb rate 8mbit burst 3k", "htb rate 2mbit ceil 8mbit burst 2k cburst 2k", "htb rate 5mbit prio 1 burst 3k"),
        ("htb rate 1mbit ceil 3mbit prio 2", "htb rate 20mbit burst 9k quantum 300"),
    ),
    "hfsc": (
        "hfsc default 12",
        (
            "hfsc ls rate 8mbit ul rate 9mbit",
            "hfsc sc umax 1500 dmax 3ms rate 1mbit",
            "hfsc ls rate 5mbit ul rate 3mbit",
        ),
        ("hfsc sc m1 5mbit d 10ms m2 1mbit", "hfsc rt rate 1mbit ls rate 4mbit ul rate 4mbit"),
    ),
    "qfq": ("qfq", ("qfq weight 4", "qfq weight 30 maxpkt 600", "qfq weight 1"), ("qfq weight 7", "qfq maxpkt 2000")),
    "cbq": (
        "cbq bandwidth 10mbit avpkt 1000",
        tuple(
            f"cbq bandwidth 10mbit avpkt 1000 allot 1514 {words}"
            for words in (
                "rate 8mbit prio 8 split 1:0 defmap 1 bounded",
                "rate 2mbit prio 5 maxburst 10",
                "rate 1mbit prio 3 bounded minburst 2",
            )
        ),
        (
            "cbq bandwidth 10mbit avpkt 1000 allot 1514 rate 3mbit prio 2 bounded",
            "cbq bandwidth 10mbit avpkt 1000 allot 1514 rate 3mbit weight 1mbit prio 5 borrow",
        ),
    ),
}
MINORS = (1, 0x11, 0x12, 2)


def bench_of(kind: str) -> ShaperBench:
    root, (inner, first, second), _ = KINDS[kind]
    flat = kind == "qfq"
    return ShaperBench(
        f"qdisc add dev t0 root handle 1: {root}",
        f"class add dev t0 parent 1: classid 1:1 {inner}",
        f"class add dev t0 parent 1:{0 if flat else 1} classid 1:11 {first}",
        f"class add dev t0 parent 1:{0 if flat else 1} classid 1:12 {second}",
        tx_queue_len=6,
    )


operations = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from([*MINORS, 0, 0x99]), st.integers(60, 2500)),
        st.tuples(st.just("put"), st.sampled_from(MINORS), st.integers(60, 1500)),
        st.tuples(st.just("get"), st.just(0), st.integers(0, 2_000_000)),
        st.tuples(st.just("peek"), st.just(0), st.just(0)),
        st.tuples(st.just("change"), st.sampled_from(MINORS), st.integers(0, 1)),
        st.tuples(st.just("graft"), st.sampled_from(MINORS), st.integers(0, 2)),
        st.tuples(st.just("del"), st.sampled_from(MINORS), st.just(0)),
        st.tuples(st.just("add"), st.sampled_from(MINORS), st.sampled_from(MINORS)),
        st.tuples(st.just("reset"), st.just(0), st.just(0)),
    ),
    max_size=60,
)
LEAVES = ("bfifo limit 4k", "tbf rate 1mbit burst 3k limit 6k", "drr")


def line_of(kind: str, what: str, minor: int, value: int) -> str:
    words = KINDS[kind][2]
    match what:
        case "change":
            parent = 0 if kind == "qfq" or minor in (1, 2) else 1
            return f"class change dev t0 parent 1:{parent} classid 1:{minor:x} {words[value]}"
        case "graft":
            return f"qdisc replace dev t0 parent 1:{minor:x} {LEAVES[value]}"
        case "del":
            return f"class del dev t0 classid 1:{minor:x}"
        case _:
            parent = 0 if value >= minor else value
            return f"class add dev t0 parent 1:{parent:x} classid 1:{minor:x} {words[0]}"


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60)
@given(ops=operations)
def test_each_packet_leaves_is_dropped_or_is_inside_exactly_once(kind: str, ops: list[tuple[str, int, int]]) -> None:
    bench = bench_of(kind)
    root = bench.dev.qdisc
    inside = 0
    for what, minor, value in ops:
        gone = len(bench.dropped)
        if what == "put":
            inside += 1
            bench.put(minor, value)
        elif what == "get":
            bench.clock.ns += value
            inside -= root.dequeue_peeked() is not None
        elif what == "peek":
            root.peek()
        elif what == "reset":
            root.reset()
        else:
            try:
                bench.run(line_of(kind, what, minor, value))
            except TcError as error:
                assert error.printed, error
        inside -= len(bench.dropped) - gone
        assert len({skb.id for skb in bench.dropped}) == len(bench.dropped)
        assert root.qlen == inside
        held = list(root.requeued) + list(getattr(root, "direct_queue", ()))
        leaves = [leaf for _, leaf in root.children()]
        assert root.qlen == len(held) + sum(leaf.qlen for leaf in leaves)
        assert root.backlog == sum(skb.pkt_len for skb in held) + sum(leaf.backlog for leaf in leaves)
    root.reset()
    assert all(qdisc.qlen == qdisc.backlog == 0 for qdisc in walk(root))
    assert root.dequeue() is None


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40)
@given(ops=operations)
def test_what_has_waited_long_enough_gets_out(kind: str, ops: list[tuple[str, int, int]]) -> None:
    """Whatever was changed: as long as packets are inside, one leaves or the watchdog is armed, until none is left."""
    bench = bench_of(kind)
    root = bench.dev.qdisc
    for what, minor, value in ops:
        if what == "put":
            bench.put(minor, value)
        elif what == "get":
            bench.clock.ns += value
            bench.get()
        elif what in ("change", "del", "add"):
            try:
                bench.run(line_of(kind, what, minor, value))
            except TcError:
                continue
    steps = 0
    while root.qlen:
        if bench.get() is None:
            assert bench.watchdog_ns > bench.clock.ns
            bench.clock.ns = bench.watchdog_ns
        steps += 1
        assert steps < 500, "it never ends"


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from([1, 0x11, 0x12]), st.integers(60, 1500)), max_size=60))
def test_qfq_never_idles_while_it_has_packets(packets: list[tuple[int, int]]) -> None:
    bench = bench_of("qfq")
    for number, (minor, size) in enumerate(packets):
        bench.put(minor, size)
        if number % 3 == 0:
            assert bench.get() is not None
    left = bench.dev.qdisc.qlen
    assert all(isinstance(bench.get(), Skb) for _ in range(left))
    assert bench.get() is None


def lines_a_packet(kind: str, count: int) -> float:
    """Lines of Python that a packet costs in a tree of so many classes, some of which are above their limits."""
    root = KINDS[kind][0]
    each = 10**9 // count
    words = {
        "htb": f"htb rate {each // 2}bit ceil {each}bit burst 2k cburst 2k quantum 1514",
        "hfsc": f"hfsc sc rate {each // 2}bit ul rate {each}bit",
        "qfq": "qfq weight 1",
        "cbq": f"cbq bandwidth 1gbit avpkt 1000 allot 1514 rate {each}bit prio 5 bounded",
    }[kind]
    bench = ShaperBench(f"qdisc add dev t0 root handle 1: {root.replace('10mbit', '1gbit')}")
    for minor in range(1, count + 1):
        bench.run(f"class add dev t0 parent 1: classid 1:{minor:x} {words}")
    for minor in range(1, count + 1):
        bench.put(minor, 1000, 3)
    lines = sent = 0

    def count_lines(frame: FrameType, event: str, arg: object) -> TraceFunction:
        nonlocal lines
        lines += event == "line"
        return count_lines

    before = sys.gettrace()
    for _ in range(2 * count):
        skb = bench.get()
        if skb is not None:
            bench.put(skb.priority & 0xFFFF, 1000)
        bench.clock.ns = max(bench.clock.ns + 8000, bench.watchdog_ns)
    sys.settrace(count_lines)
    try:
        while sent < 300:
            skb = bench.get()
            if skb is not None:
                sent += 1
                bench.put(skb.priority & 0xFFFF, 1000)
            bench.clock.ns = max(bench.clock.ns + 8000, bench.watchdog_ns)
    finally:
        sys.settrace(before)
    return lines / sent


@pytest.mark.parametrize("kind", KINDS)
def test_many_classes_cost_no_more_a_packet_than_twice_what_ten_do(kind: str) -> None:
    assert lines_a_packet(kind, 1500) <= 2 * lines_a_packet(kind, 10)
