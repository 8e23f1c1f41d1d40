"""red, sfq, gred, sfb and dsmark, whatever comes: no packet is lost count of, and none waits for nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringwire.netdev.tree import walk
from ringwire.qdisc import XMIT_CN, XMIT_DROP, AnyQdisc
from ringwire.skb import Skb
from ringwire.tools.tc import Tc
from tests.stack_bench import StackBench

VQ = "limit 9000 min 1000 max 4000 avpkt 500 burst 5 bandwidth 10mbit"
KINDS: dict[str, tuple[tuple[str, ...], str]] = {
    "red": (
        ("qdisc add dev eth0 root handle 1: red limit 9000 min 1000 max 4000 avpkt 500 bandwidth 10mbit ecn",),
        "qdisc change dev eth0 root red limit 7000 min 1000 max 2000 avpkt 500 bandwidth 10mbit adaptive",
    ),
    "sfq": (("qdisc add dev eth0 root handle 1: sfq limit 12 depth 4 flows 5 divisor 16 perturb 1",), ""),
    "sfq-red": (
        (
            "qdisc add dev eth0 root handle 1: sfq limit 20 depth 9 headdrop perturb 1"
            " redflowlimit 9000 min 1000 max 4000 avpkt 500 ecn",
        ),
        "",
    ),
    "gred": (
        (
            "qdisc add dev eth0 root handle 1: gred setup vqs 3 default 1 grio limit 9000",
            f"qdisc change dev eth0 root gred vq 0 {VQ} prio 1 ecn",
            f"qdisc change dev eth0 root gred vq 1 {VQ} prio 2",
        ),
        f"qdisc change dev eth0 root gred vq 2 {VQ} prio 2",
    ),
    "sfb": (
        (
            "qdisc add dev eth0 root handle 1: sfb limit 12 max 6 target 2"
            " increment 0.3 decrement 0.1 rehash 3000 db 999",
        ),
        "qdisc change dev eth0 root sfb limit 9",
    ),
    "dsmark": (
        (
            "qdisc add dev eth0 root handle 1: dsmark indices 4 set_tc_index default_index 1",
            "qdisc add dev eth0 parent 1:1 handle 2: pfifo_head_drop limit 7",
            "class change dev eth0 classid 1:1 dsmark mask 0x3 value 0xb8",
        ),
        "class change dev eth0 classid 1:0 dsmark mask 0x3 value 0x20",
    ),
    "below": (
        (
            "qdisc add dev eth0 root handle 1: prio",
            "qdisc add dev eth0 parent 1:1 handle 2: sfq limit 4 depth 2 headdrop",
            "qdisc add dev eth0 parent 1:2 handle 3: red limit 9000 min 1000 max 4000 avpkt 500 bandwidth 10mbit",
            "qdisc add dev eth0 parent 3:1 handle 4: sfq limit 4 depth 2",
        ),
        "qdisc change dev eth0 parent 1:2 handle 3: red limit 9000 min 1000 max 2000 avpkt 500 bandwidth 10mbit",
    ),
}
operations = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(60, 1500), st.integers(0, 2**16 - 1)),
        st.tuples(st.just("put"), st.integers(60, 1500), st.integers(0, 15)),
        st.tuples(st.just("get"), st.just(0), st.just(0)),
        st.tuples(st.just("peek"), st.just(0), st.just(0)),
        st.tuples(st.just("time"), st.integers(1, 2_000_000_000), st.just(0)),
        st.tuples(st.just("change"), st.just(0), st.just(0)),
    ),
    max_size=60,
)


def packet(ident: int, length: int, dice: int) -> Skb:
    priority = (0, 0x10001, 0x10001, 0x20003)[dice & 3]
    return Skb(
        len=length,
        pkt_len=length,
        id=ident,
        priority=priority,
        hash=dice >> 2,
        tc_index=dice >> 1,
        tos=dice >> 3 & 0xFF,
    )


def check_counts(root: AnyQdisc, inside: dict[int, int]) -> None:
    assert (root.qlen, root.backlog) == (len(inside), sum(inside.values()))
    for qdisc in walk(root):
        children = [child for _, child in qdisc.children()]
        if children:
            assert qdisc.qlen == len(qdisc.requeued) + sum(child.qlen for child in children)
            assert qdisc.backlog == sum(skb.pkt_len for skb in qdisc.requeued) + sum(c.backlog for c in children)


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None)
@given(ops=operations)
def test_each_packet_leaves_is_dropped_or_is_inside_exactly_once(kind: str, ops: list[tuple[str, int, int]]) -> None:
    lines, change = KINDS[kind]
    bench = StackBench(name="eth0", tx_queue_len=8)
    run = Tc([bench.dev]).run
    for line in lines:
        run(line)
    root = bench.dev.qdisc
    inside: dict[int, int] = {}
    for ident, (what, value, dice) in enumerate(ops):
        before = len(bench.dropped)
        to_free: list[Skb] = []
        if what == "put":
            inside[ident] = value
            rc = root.enqueue(packet(ident, value, dice), to_free)
            assert bool(to_free) or rc not in (XMIT_DROP, XMIT_CN), "refused, and nobody is dropped"
            if rc == XMIT_DROP:
                assert to_free[-1].id == ident
        elif what == "time":
            bench.pass_ns(value)
        elif what == "peek":
            peeked = root.peek()
            assert (peeked is None) == (not inside)
            assert peeked is None or peeked.id in inside
        elif what == "get":
            out = root.dequeue_peeked()
            assert (out is None) == (not inside), "work-conserving"
            if out is not None:
                assert inside.pop(out.id) == out.pkt_len
        elif change:
            run(change)
        for skb in [*to_free, *bench.dropped[before:]]:
            inside.pop(skb.id)
        check_counts(root, inside)
    drops = root.drops
    left = 0
    while root.dequeue_peeked() is not None:
        left += 1
    assert (left, root.qlen, root.backlog, root.drops) == (len(inside), 0, 0, drops)
    root.reset()
    assert all(qdisc.qlen == qdisc.backlog == 0 for qdisc in walk(root))


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=40, max_size=120), st.integers(500, 4000))
def test_sfq_serves_busy_flows_alike_within_a_quantum_and_a_packet(flows: list[int], quantum: int) -> None:
    bench = StackBench(name="eth0")
    Tc([bench.dev]).run(f"qdisc add dev eth0 root handle 1: sfq limit 1000 quantum {quantum}")
    root = bench.dev.qdisc
    for ident, flow in enumerate(flows):
        length = 300 + 37 * ident % 1200
        root.enqueue(Skb(len=length, pkt_len=length, priority=0x10001 + flow), [])
    waiting = [flows.count(flow) for flow in range(6)]
    sent = [0] * 6
    while all(left for left in waiting if left != 0) and sum(1 for left in waiting if left) > 1:
        out = root.dequeue()
        assert out is not None
        flow = out.priority - 0x10001
        waiting[flow] -= 1
        sent[flow] += out.pkt_len
        if not waiting[flow]:
            break
        busy = [sent[each] for each in range(6) if waiting[each]]
        assert max(busy) - min(busy) <= quantum + 1500 + quantum


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 200))
def test_red_drops_none_below_its_lower_threshold_and_all_above_the_upper(seed: int, depth: int) -> None:
    bench = StackBench(name="eth0")
    Tc([bench.dev]).run("qdisc add dev eth0 root red limit 1m min 20000 max 60000 avpkt 1000 burst 25 bandwidth 1gbit")
    root = bench.dev.qdisc
    draw = iter(range(seed, seed + 10**9, 40503))
    bench.dev.random_u32 = lambda: next(draw) * 2654435761 & 0xFFFF_FFFF
    for _ in range(400):
        average = root._state.qavg  # type: ignore[attr-defined]
        wlog = root.parms.wlog  # type: ignore[attr-defined]
        average += root.backlog - (average >> wlog)
        rc = root.enqueue(Skb(len=1000, pkt_len=1000), [])
        if average < 20000 << wlog:
            assert rc == 0
        if average >= 60000 << wlog:
            assert rc == XMIT_CN
        if root.qlen > depth:
            root.dequeue()
