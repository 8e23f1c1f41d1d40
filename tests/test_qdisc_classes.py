"""Classes: made, changed, deleted and grafted while packets are queued; and no packet is ever lost count of."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringwire.netdev.tree import find_qdisc, walk
from ringwire.qdisc import XMIT_BYPASS, XMIT_SUCCESS, AnyQdisc
from ringwire.skb import Skb
from ringwire.tools.tc import Tc, TcError
from tests.stack_bench import StackBench

DRR = (
    "qdisc add dev eth0 root handle 1: drr",
    "class add dev eth0 parent 1: classid 1:1 drr quantum 1000",
    "class add dev eth0 parent 1: classid 1:2 drr",
)
PRIO = ("qdisc add dev eth0 root handle 1: prio",)
ETS = ("qdisc add dev eth0 root handle 1: ets bands 3 strict 1 quanta 500 2000",)
TBF = ("qdisc add dev eth0 root handle 1: tbf rate 1gbit burst 9k limit 9k",)
NESTED = (
    *PRIO,
    "qdisc add dev eth0 parent 1:2 handle 2: drr",
    "class add dev eth0 parent 2: classid 2:1 drr",
    "qdisc add dev eth0 parent 2:1 handle 3: pfifo_head_drop limit 3",
    "qdisc add dev eth0 parent 1:3 handle 4: tbf rate 1gbit burst 9k limit 4k",
)


def made(*lines: str) -> tuple[StackBench, Callable[[str], str]]:
    bench = StackBench(name="eth0", tx_queue_len=5)
    run = Tc([bench.dev]).run
    for line in lines:
        run(line)
    return bench, run


def put(qdisc: AnyQdisc, count: int, priority: int, length: int = 100) -> int:
    to_free: list[Skb] = []
    for _ in range(count):
        rc = qdisc.enqueue(Skb(len=length, pkt_len=length, priority=priority), to_free)
    for skb in to_free:
        qdisc.dev.drop(skb)
    return rc


def refused(run: Callable[[str], str], line: str) -> str:
    with pytest.raises(TcError) as caught:
        run(line)
    return caught.value.printed


def test_a_packet_without_a_class_is_dropped_and_that_is_no_error_of_the_sender() -> None:
    bench, _ = made(*DRR)
    assert put(bench.dev.qdisc, 1, 0x10009) == XMIT_SUCCESS | XMIT_BYPASS
    assert (bench.dev.qdisc.drops, len(bench.dropped)) == (1, 1)


def test_deleting_a_class_drops_what_it_holds_and_corrects_the_counts() -> None:
    bench, run = made(*DRR)
    drr = bench.dev.qdisc
    put(drr, 3, 0x10001)
    put(drr, 2, 0x10002)
    run("class del dev eth0 classid 1:1")
    assert (drr.qlen, drr.backlog, drr.drops, len(bench.dropped)) == (2, 200, 3, 3)
    assert [cls.classid for cls in drr.classes()] == [0x10002]
    while drr.dequeue() is not None:
        pass
    assert (drr.qlen, drr.packets) == (0, 2)
    assert refused(run, "class del dev eth0 classid 1:1") == "RTNETLINK answers: No such file or directory"


def test_classes_are_added_and_changed_as_the_flags_say() -> None:
    _, run = made(*DRR)
    assert refused(run, "class add dev eth0 parent 1: classid 1:1 drr") == "RTNETLINK answers: File exists"
    change = "class change dev eth0 parent 1: classid 1:3 drr quantum 9"
    assert refused(run, change) == "RTNETLINK answers: No such file or directory"
    run("class replace dev eth0 parent 1: classid 1:3 drr quantum 9")
    run(change.replace("9", "2k"))
    assert "class drr 1:3 root quantum 2Kb \n" in run("class show dev eth0")
    zero = "class add dev eth0 parent 1: classid 1:4 drr quantum 0"
    assert refused(run, zero) == "Error: Specified DRR quantum cannot be zero."
    assert refused(run, "class add dev eth0 parent 1: classid 2:4 drr") == "RTNETLINK answers: Invalid argument"


def test_classes_of_bands_are_there_by_themselves() -> None:
    bench, run = made(*ETS)
    assert refused(run, "class del dev eth0 classid 1:2") == "RTNETLINK answers: Operation not supported"
    assert refused(run, "class add dev eth0 parent 1: classid 1:9 ets") == "RTNETLINK answers: Operation not supported"
    run("class change dev eth0 parent 1: classid 1:2 ets quantum 3k")
    strict = "class change dev eth0 parent 1: classid 1:1 ets quantum 3k"
    assert refused(run, strict) == "Error: Strict bands do not have a configurable quantum."
    assert run("class show dev eth0 classid 1:2") == "class ets 1:2 root quantum 3072 \n"
    assert bench.dev.qdisc.kind == "ets"


def test_a_leaf_is_replaced_while_packets_are_queued() -> None:
    bench, run = made(*DRR)
    drr = bench.dev.qdisc
    put(drr, 3, 0x10001)
    put(drr, 1, 0x10002)
    run("qdisc add dev eth0 parent 1:1 handle 10: bfifo limit 150")
    assert (drr.qlen, drr.backlog, drr.drops, len(bench.dropped)) == (1, 100, 3, 3)
    put(drr, 2, 0x10001)
    leaf = find_qdisc(bench.dev, 0x100000)
    assert leaf is not None and (leaf.qlen, leaf.drops, drr.qlen, drr.drops) == (1, 1, 2, 4)
    assert "class drr 1:1 root leaf 10: quantum 1000b \n" in run("class show dev eth0")
    run("qdisc del dev eth0 parent 1:1")
    assert (drr.qlen, len(bench.dropped)) == (1, 5)
    assert [child.kind for _, child in drr.children()] == ["pfifo", "pfifo"]
    assert drr.dequeue() is not None and drr.dequeue() is None


def test_a_wrapper_without_its_inner_discipline_drops_everything() -> None:
    bench, run = made(*TBF)
    tbf = bench.dev.qdisc
    put(tbf, 2, 0)
    run("qdisc add dev eth0 parent 1:1 handle 10: pfifo limit 9")
    assert (tbf.qlen, tbf.drops, len(bench.dropped)) == (0, 2, 2)
    put(tbf, 1, 0)
    run("qdisc change dev eth0 root handle 1: tbf rate 1gbit burst 9k limit 4")
    assert "pfifo 10: parent 1:1 limit 4p" in run("qdisc show dev eth0")
    run("qdisc del dev eth0 parent 1:1")
    assert (tbf.qlen, tbf.drops, len(bench.dropped)) == (0, 3, 3)
    put(tbf, 1, 0)
    assert (tbf.qlen, len(bench.dropped)) == (0, 4)


def test_bands_that_go_take_their_packets_along() -> None:
    bench, run = made(*ETS)
    ets = bench.dev.qdisc
    for minor in (1, 2, 3):
        put(ets, 2, 0x10000 | minor)
    run("qdisc change dev eth0 root handle 1: ets bands 2 strict 0")
    assert (ets.qlen, ets.drops, len(bench.dropped)) == (4, 2, 2)
    assert sum(ets.dequeue() is not None for _ in range(9)) == 4
    assert "bands 2 quanta 1514 1514 priomap" in run("qdisc show dev eth0")


def test_a_handle_is_found_at_any_depth_and_is_had_once() -> None:
    bench, run = made(*NESTED)
    assert [qdisc.handle >> 16 for qdisc in walk(bench.dev.qdisc) if qdisc.handle] == [1, 2, 3, 4]
    move = "qdisc replace dev eth0 parent 1:1 handle 3: pfifo_head_drop"
    assert refused(run, move) == "Error: Cannot move an existing qdisc to a different parent."
    assert refused(run, "qdisc add dev eth0 parent 2:7 pfifo") == "Error: Specified class not found."
    assert refused(run, "qdisc replace dev eth0 parent 2:1 noqueue") == "Error: Cannot assign noqueue to a class."
    stab = "qdisc replace dev eth0 parent 2:1 stab overhead 4 bfifo"
    assert refused(run, stab) == "Error: STAB not supported on a non root."
    run("qdisc replace dev eth0 parent 1:1 bfifo")
    assert "qdisc bfifo 8001: parent 1:1 " in run("qdisc show dev eth0")
    run("qdisc add dev eth0 parent 1:1 pfifo")
    assert "qdisc pfifo 8002: parent 1:1 " in run("qdisc show dev eth0"), "another kind without a handle"


def test_ingress_and_clsact_have_one_place() -> None:
    bench, run = made()
    run("qdisc add dev eth0 handle ffff: ingress")
    assert refused(run, "qdisc add dev eth0 clsact") == "Error: Exclusivity flag on, cannot modify."
    assert run("qdisc show dev eth0 ingress") == "qdisc ingress ffff: parent ffff:fff1 ---------------- \n"
    run("qdisc del dev eth0 ingress")
    run("qdisc add dev eth0 clsact")
    assert run("qdisc show dev eth0 clsact") == "qdisc clsact ffff: parent ffff:fff1 \n"
    assert bench.dev.egress_filters is not None
    run("qdisc del dev eth0 clsact")
    assert bench.dev.ingress is None
    assert run("qdisc show dev eth0").count("\n") == 1


operations = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(60, 4000), st.sampled_from([0, 6, 0x10001, 0x10002, 0x10003, 0x20001])),
        st.tuples(st.just("get"), st.just(0), st.just(0)),
        st.tuples(st.just("peek"), st.just(0), st.just(0)),
        st.tuples(st.just("time"), st.integers(1, 100_000), st.just(0)),
        st.tuples(st.just("graft"), st.sampled_from([0x10001, 0x10002, 0x10003]), st.just(0)),
    ),
    max_size=80,
)


@pytest.mark.parametrize("lines", [DRR, PRIO, ETS, TBF, NESTED], ids=["drr", "prio", "ets", "tbf", "nested"])
@given(ops=operations)
def test_each_packet_leaves_is_dropped_or_is_inside_exactly_once(
    lines: tuple[str, ...], ops: list[tuple[str, int, int]]
) -> None:
    bench, run = made(*lines)
    root = bench.dev.qdisc
    inside: set[int] = set()
    sent = 0
    for ident, (what, value, priority) in enumerate(ops):
        before = len(bench.dropped)
        to_free: list[Skb] = []
        if what == "put":
            inside.add(ident)
            root.enqueue(Skb(len=value, pkt_len=value, id=ident, priority=priority), to_free)
        elif what == "time":
            bench.pass_ns(value)
        elif what == "peek":
            peeked = root.peek()
            assert peeked is None or peeked.id in inside
        elif what == "graft" and root.find_class(value) is not None:
            run(f"qdisc replace dev eth0 parent 1:{value & 0xFFFF:x} bfifo limit 3k")
        else:
            out = root.dequeue_peeked()
            if out is not None:
                inside.remove(out.id)
                sent += 1
        for skb in [*to_free, *bench.dropped[before:]]:
            inside.remove(skb.id)
        assert root.qlen == len(inside)
        for qdisc in walk(root):
            children = [child for _, child in qdisc.children()]
            if children:
                assert qdisc.qlen == len(qdisc.requeued) + sum(child.qlen for child in children)
                assert qdisc.backlog == sum(skb.pkt_len for skb in qdisc.requeued) + sum(c.backlog for c in children)
    root.reset()
    assert all(qdisc.qlen == qdisc.backlog == 0 for qdisc in walk(root))
    assert root.dequeue() is None
