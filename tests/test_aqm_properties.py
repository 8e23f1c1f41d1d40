"""Random traffic through codel, fq_codel, pie, choke and plug, alone and inside another: no packet or count is lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringwire.qdisc import XMIT_CN, XMIT_DROP, XMIT_SUCCESS, AnyQdisc
from ringwire.qdisc.classful import Classful
from ringwire.skb import Skb
from ringwire.tools.tc import Tc
from tests.stack_bench import StackBench, super_packet

MS = 1_000_000
LINES = {
    "codel": (
        "codel limit 12 target 1ms interval 4ms ecn ce_threshold 3ms",
        ["limit 4", "limit 20 noecn", "target 2ms"],
    ),
    "fq_codel": (
        "fq_codel limit 12 flows 4 target 1ms interval 4ms quantum 500 drop_batch 3",
        ["limit 4", "limit 20 quantum 1514", "memory_limit 6000", "memory_limit 1mb noecn"],
    ),
    "pie": (
        "pie limit 12 target 1ms tupdate 2ms ecn",
        ["limit 4", "limit 20 bytemode", "dq_rate_estimator target 5ms"],
    ),
    "choke": (
        "choke limit 12 bandwidth 10mbit min 2 max 5 burst 3",
        ["limit 12 bandwidth 10mbit min 3 max 9 burst 4 ecn", "limit 3 bandwidth 10mbit min 2 max 3 burst 3"],
    ),
    "plug": ("plug limit 12000", ["block", "release", "release_indefinite", "limit 5000"]),
}
operations = st.lists(
    st.one_of(
        st.tuples(st.just("burst"), st.integers(1, 20), st.integers(0, 3)),
        st.tuples(st.just("super"), st.integers(1449, 9000), st.integers(0, 3)),
        st.tuples(st.sampled_from(["get", "get", "peek", "reset"]), st.just(0), st.just(0)),
        st.tuples(st.just("pass"), st.integers(1, 8), st.just(0)),
        st.tuples(st.just("change"), st.integers(0, 3), st.just(0)),
    ),
    min_size=5,
    max_size=50,
)
Operations = list[tuple[str, int, int]]


class World:
    """The kind under test, at the root or below a class of drr, and where each packet is."""

    def __init__(self, kind: str, nested: bool) -> None:
        self.bench = StackBench(name="eth0")
        self.bench.dev.tx_queues[0].stop()
        self.line, self.changes = LINES[kind]
        self.kind = kind
        self._run = Tc([self.bench.dev]).run
        self.place = "parent 1:1 handle 10:" if nested else "root handle 10:"
        if nested:
            self._run("tc qdisc add dev eth0 root handle 1: drr")
            self._run("tc class add dev eth0 parent 1: classid 1:1 drr")
        self._run(f"tc qdisc add dev eth0 {self.place} {self.line}")
        self.root: AnyQdisc = self.bench.dev.qdisc
        self.qdisc: AnyQdisc = self.root
        if isinstance(self.root, Classful) and nested:
            self.qdisc = next(child for _, child in self.root.children())
        self.inside: dict[int, Skb] = {}
        self.sent = 0
        self._next = 0
        self.nested = nested

    def put(self, skb: Skb, flow: int) -> None:
        skb.id, self._next = self._next, self._next + 1
        skb.priority = 0x10001 if self.nested else 0
        skb.hash, skb.tos = (flow << 30) + 1, flow
        skb.truesize = skb.len + 500
        skb.pkt_len = skb.len + 7
        to_free: list[Skb] = []
        rc = self.root.enqueue(skb, to_free)
        self.inside[skb.id] = skb
        for dropped in to_free:
            del self.inside[dropped.id]
        assert rc in (XMIT_SUCCESS, XMIT_DROP, XMIT_CN)
        assert rc != XMIT_SUCCESS or skb not in to_free
        assert rc == XMIT_SUCCESS or to_free

    def change(self, number: int) -> None:
        self._run(f"tc qdisc change dev eth0 {self.place} {self.kind} {self.changes[number % len(self.changes)]}")

    def check(self) -> None:
        for dropped in self.bench.dropped:
            del self.inside[dropped.id]
        self.bench.dropped.clear()
        held = (len(self.inside), sum(skb.pkt_len for skb in self.inside.values()))
        assert held == (self.root.qlen, self.root.backlog) == (self.qdisc.qlen, self.qdisc.backlog)
        assert self.root.bytes <= self.qdisc.bytes

    def get(self) -> None:
        skb = self.root.dequeue_peeked()
        if skb is not None:
            del self.inside[skb.id]
            self.sent += 1


@pytest.mark.parametrize("nested", [False, True], ids=["root", "below drr"])
@pytest.mark.parametrize("kind", LINES)
@settings(max_examples=25, deadline=None)
@given(ops=operations)
def test_each_packet_is_sent_dropped_or_held_once_and_all_counts_agree(
    kind: str, nested: bool, ops: Operations
) -> None:
    world = World(kind, nested)
    for what, number, flow in ops:
        if what == "burst":
            for nth in range(number):
                world.put(Skb(len=60 + (nth * 397 + flow * 800) % 1455), flow)
        elif what == "super":
            world.put(super_packet(number), flow)
        elif what == "get":
            world.get()
        elif what == "peek":
            world.qdisc.peek()
        elif what == "reset":
            world.root.reset()
        elif what == "pass":
            world.bench.pass_ns(number * MS)
        else:
            world.change(number)
        world.check()
    world.root.destroy()
    world.check()
    assert not world.inside and not world.root.qlen


@pytest.mark.parametrize("kind", ["codel", "fq_codel", "pie", "choke"])
@settings(max_examples=20, deadline=None)
@given(lengths=st.lists(st.tuples(st.integers(60, 1514), st.integers(0, 3), st.integers(0, 3)), max_size=60))
def test_a_packet_leaves_whenever_any_is_held(kind: str, lengths: list[tuple[int, int, int]]) -> None:
    """Work conservation: asked for a packet, a queue gives one, or drops the last of those it has."""
    world = World(kind, False)
    for length, flow, gets in lengths:
        world.put(Skb(len=length), flow)
        world.bench.pass_ns(MS)
        for _ in range(gets):
            before = world.qdisc.qlen
            sent = world.sent
            world.get()
            world.check()
            assert world.sent > sent or not world.qdisc.qlen
            assert world.qdisc.qlen < before or not before
