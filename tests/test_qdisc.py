"""Queueing disciplines beyond the recorded traces: conservation, order, the registry, what the base class gives."""

from __future__ import annotations

from collections import deque
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringwire.qdisc import (
    XMIT_CN,
    XMIT_DROP,
    XMIT_SUCCESS,
    AnyQdisc,
    NoParams,
    Qdisc,
    UnknownQdisc,
    Watchdog,
    kinds,
    qdisc_class,
)
from ringwire.qdisc.base import CAN_BYPASS
from ringwire.qdisc.fifo import ByteLimit, PacketLimit
from ringwire.qdisc.pfifo_fast import PRIO2BAND, PointerRing
from ringwire.qdisc.registry import QDISCS
from ringwire.skb import Skb
from tests.stack_bench import StackBench

QUEUES: list[tuple[str, object]] = [
    ("pfifo", PacketLimit(7)),
    ("pfifo_head_drop", PacketLimit(7)),
    ("bfifo", ByteLimit(9000)),
    ("pfifo_fast", None),
]
operations = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(60, 1514), st.integers(0, 20)),
        st.tuples(st.just("get"), st.just(0), st.just(0)),
        st.tuples(st.just("peek"), st.just(0), st.just(0)),
    ),
    max_size=120,
)


def make(kind: str, params: object = None, tx_queue_len: int = 1000) -> tuple[AnyQdisc, StackBench]:
    bench = StackBench(tx_queue_len=tx_queue_len)
    return qdisc_class(kind)(bench.dev, params), bench


def packet(length: int = 1000, priority: int = 0, ident: int = 0) -> Skb:
    return Skb(len=length, pkt_len=length, priority=priority, id=ident)


@pytest.mark.parametrize(("kind", "params"), QUEUES)
@given(ops=operations)
def test_every_packet_is_sent_dropped_or_still_inside(
    kind: str, params: object, ops: list[tuple[str, int, int]]
) -> None:
    qdisc, bench = make(kind, params, tx_queue_len=6)
    inside: dict[int, Skb] = {}
    given_bytes = sent = drops = 0
    for ident, (what, length, priority) in enumerate(ops):
        if what == "put":
            to_free: list[Skb] = []
            skb = packet(length, priority, ident)
            rc = qdisc.enqueue(skb, to_free)
            inside[ident] = skb
            for dropped in to_free:
                del inside[dropped.id]
            drops += len(to_free)
            assert rc == (XMIT_SUCCESS if not to_free else XMIT_DROP if to_free == [skb] else XMIT_CN)
        elif what == "get":
            peeked = qdisc.peek()
            out = qdisc.dequeue_peeked()
            assert out is peeked
            if out is not None:
                del inside[out.id]
                sent += 1
                given_bytes += out.len
        else:
            qdisc.peek()
        assert (qdisc.qlen, qdisc.backlog) == (len(inside), sum(skb.len for skb in inside.values()))
        assert (qdisc.packets, qdisc.bytes, qdisc.drops) == (sent, given_bytes, drops)
    qdisc.reset()
    assert {skb.id for skb in bench.dropped} == set(inside)
    assert (qdisc.qlen, qdisc.backlog, qdisc.dequeue()) == (0, 0, None)


@given(st.lists(st.integers(0, 0xFFFF_FFFF), max_size=60))
def test_pfifo_fast_is_strict_between_bands_and_in_order_within_one(priorities: list[int]) -> None:
    qdisc, _ = make("pfifo_fast", tx_queue_len=100)
    for ident, priority in enumerate(priorities):
        assert qdisc.enqueue(packet(100, priority, ident), []) == XMIT_SUCCESS
    order = []
    while (skb := qdisc.dequeue()) is not None:
        order.append((PRIO2BAND[skb.priority & 15], skb.id))
    assert order == sorted((PRIO2BAND[priority & 15], ident) for ident, priority in enumerate(priorities))


class LiteralRing:
    """A pointer ring slot by slot: entries stay in place until a batch of them is cleared."""

    def __init__(self, size: int) -> None:
        self.slots: list[Skb | None] = [None] * size
        self.size = size
        self.batch = 16 if size >= 32 else 1
        self.producer = self.consumer = self.cleared = 0

    def put(self, skb: Skb) -> bool:
        if self.slots[self.producer] is not None:
            return False
        self.slots[self.producer] = skb
        self.producer = (self.producer + 1) % self.size
        return True

    def get(self) -> Skb | None:
        skb = self.slots[self.consumer]
        self.consumer += 1
        if self.consumer - self.cleared >= self.batch or self.consumer == self.size:
            self.slots[self.cleared : self.consumer] = [None] * (self.consumer - self.cleared)
            self.cleared = self.consumer
        if self.consumer == self.size:
            self.consumer = self.cleared = 0
        return skb


@given(
    st.sampled_from([1, 2, 3, 31, 32, 33, 40, 100]),
    st.lists(st.sampled_from([-100, -17, -16, -15, -2, -1, 1, 2, 15, 16, 17, 100]), max_size=30),
)
def test_pointer_ring_releases_slots_as_the_array_would(size: int, bursts: list[int]) -> None:
    ring, literal = PointerRing(size), LiteralRing(size)
    held = 0
    for burst in bursts:
        for _ in range(burst):
            skb = packet()
            took = ring.put(skb)
            assert took == literal.put(skb)
            held += took
        for _ in range(min(-burst, held)):
            assert ring.get() is literal.get()
            held -= 1
        assert len(ring.entries) == held


def test_a_band_may_be_full_with_fifteen_packets_fewer_than_its_length() -> None:
    qdisc, _ = make("pfifo_fast", tx_queue_len=64)
    for _ in range(64):
        assert qdisc.enqueue(packet(), []) == XMIT_SUCCESS
    for _ in range(15):
        qdisc.dequeue()
    assert qdisc.enqueue(packet(), []) == XMIT_DROP
    qdisc.dequeue()
    assert [qdisc.enqueue(packet(), []) for _ in range(17)] == [XMIT_SUCCESS] * 16 + [XMIT_DROP]


def test_limits_default_to_the_devices_queue_length() -> None:
    assert make("pfifo", tx_queue_len=5)[0].params() == PacketLimit(5)
    assert make("bfifo", tx_queue_len=5)[0].params() == ByteLimit(5 * 1514)


@pytest.mark.parametrize(("limit", "taken"), [(1513, 0), (1514, 1), (3027, 1), (3028, 2)])
def test_a_byte_limit_admits_what_just_fits(limit: int, taken: int) -> None:
    qdisc, _ = make("bfifo", ByteLimit(limit))
    assert [qdisc.enqueue(packet(1514), []) for _ in range(3)].count(XMIT_SUCCESS) == taken


def test_only_a_queue_that_admits_a_full_packet_may_be_bypassed() -> None:
    assert make("pfifo", PacketLimit(1))[0].flags & CAN_BYPASS
    assert not make("pfifo", PacketLimit(0))[0].flags & CAN_BYPASS
    assert make("bfifo", ByteLimit(1514))[0].flags & CAN_BYPASS
    assert not make("bfifo", ByteLimit(1513))[0].flags & CAN_BYPASS


def test_pfifo_fast_without_queue_length_is_refused() -> None:
    bench = StackBench()
    bench.dev.tx_queue_len = 0
    with pytest.raises(ValueError, match="txqueuelen > 0"):
        qdisc_class("pfifo_fast")(bench.dev)


def test_super_packets_count_as_their_segments() -> None:
    qdisc, _ = make("pfifo")
    skb = packet(64_000)
    skb.gso_size, skb.gso_segs = 1448, 44
    qdisc.enqueue(skb, [])
    qdisc.dequeue()
    assert (qdisc.packets, qdisc.bytes) == (44, 64_000)


def test_returned_packets_come_first_in_order_and_count_as_queued() -> None:
    qdisc, bench = make("pfifo")
    bench.dev.set_qdisc(qdisc)
    skbs = [packet(100, 0, ident) for ident in range(4)]
    qdisc.requeue(skbs[2:])
    qdisc.requeue(skbs[:2])
    assert (qdisc.qlen, qdisc.backlog, qdisc.requeues) == (4, 400, 4)
    assert [qdisc.take_requeued().id for _ in range(4)] == [0, 1, 2, 3]
    assert (qdisc.qlen, qdisc.backlog) == (0, 0)


class Halver(Qdisc[NoParams]):
    """A discipline as a user writes one: sends every other packet, and can't be peeked at by itself."""

    kind: ClassVar[str] = "test_halver"

    def setup(self) -> None:
        self.inside: deque[Skb] = deque()

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        self.inside.append(skb)
        self.qlen += 1
        self.backlog += skb.pkt_len
        return XMIT_SUCCESS

    def dequeue(self) -> Skb | None:
        if len(self.inside) < 2:
            return None
        odd, even = self.inside.popleft(), self.inside.popleft()
        self.qlen -= 2
        self.backlog -= odd.pkt_len + even.pkt_len
        self.drops += 1
        self.dev.drop(odd)
        self.tree_reduce_backlog(1, odd.pkt_len)
        self.count_sent(even)
        return even


class Wrapper(Qdisc[NoParams]):
    """A classful discipline around one child, which it peeks at."""

    kind: ClassVar[str] = "test_wrapper"

    def setup(self) -> None:
        self.child: AnyQdisc = Halver(self.dev)
        self.child.parent, self.child.parent_id = self, 0x10001
        self.emptied: list[int] = []

    def qlen_notify(self, minor: int) -> None:
        self.emptied.append(minor)

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        rc = self.child.enqueue(skb, to_free)
        self.qlen += 1
        self.backlog += skb.pkt_len
        return rc

    def dequeue(self) -> Skb | None:
        skb = self.child.peek()
        if skb is None:
            return None
        assert self.child.dequeue_peeked() is skb
        self.qlen -= 1
        self.backlog -= skb.pkt_len
        return skb


def test_a_class_with_a_kind_is_known_by_it() -> None:
    assert qdisc_class("test_halver") is Halver
    assert "test_halver" in kinds()
    with pytest.raises(UnknownQdisc, match=r"no qdisc 'test_none' \(there are bfifo, "):
        qdisc_class("test_none")


def test_a_kind_belongs_to_one_class() -> None:
    with pytest.raises(ValueError, match=r"qdisc 'test_halver' is tests\.test_qdisc\.Halver already"):
        type("Other", (Halver,), {"kind": "test_halver"})
    assert qdisc_class("test_halver") is Halver


def test_installed_packages_add_disciplines_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        @staticmethod
        def load() -> type[AnyQdisc]:
            return type("Added", (Halver,), {"kind": "test_added"})

    monkeypatch.setattr("ringwire.registry.entry_points", lambda group: [Entry] if group == "ringwire.qdiscs" else [])
    monkeypatch.setattr(QDISCS, "classes", dict(QDISCS.classes))
    monkeypatch.setattr(QDISCS, "complete", False)
    assert qdisc_class("test_added").__name__ == "Added"


def test_what_a_child_drops_by_itself_is_taken_off_its_parents() -> None:
    bench = StackBench()
    parent = Wrapper(bench.dev)
    for ident in range(4):
        parent.enqueue(packet(100, 0, ident), [])
    assert (parent.qlen, parent.backlog) == (4, 400)
    first = parent.dequeue()
    assert first is not None and first.id == 1
    assert (parent.qlen, parent.backlog, parent.drops, parent.emptied) == (2, 200, 1, [])
    second = parent.dequeue()
    assert second is not None and second.id == 3
    assert (parent.qlen, parent.backlog, parent.drops, parent.emptied) == (0, 0, 2, [1])
    assert [skb.id for skb in bench.dropped] == [0, 2]


def test_a_peeked_packet_is_dropped_by_a_reset() -> None:
    bench = StackBench()
    qdisc = Halver(bench.dev)
    for ident in range(2):
        qdisc.enqueue(packet(100, 0, ident), [])
    peeked = qdisc.peek()
    assert peeked is not None and qdisc.peek() is peeked and qdisc.qlen == 1
    qdisc.reset()
    assert [skb.id for skb in bench.dropped] == [0, 1]
    assert (qdisc.qlen, qdisc.backlog, qdisc.dequeue_peeked()) == (0, 0, None)


def test_a_watchdog_runs_the_root_when_it_fires(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = StackBench()
    armed: list[tuple[int, int]] = []
    bench.dev.watchdog_armed = lambda expires_ns, slack_ns: armed.append((expires_ns, slack_ns))
    parent = Wrapper(bench.dev)
    ran: list[AnyQdisc] = []
    monkeypatch.setattr(bench.dev, "schedule", ran.append)
    watchdog = Watchdog(parent.child)
    watchdog.schedule(1_000)
    watchdog.schedule(900, slack_ns=200)
    bench.pass_ns(999)
    assert ran == [] and armed == [(1_000, 0), (900, 200)], "near enough: the pending timer stays"
    bench.pass_ns(1)
    assert ran == [parent]
    watchdog.schedule(3_000)
    watchdog.schedule(2_000)
    bench.pass_ns(1_000)
    assert ran == [parent, parent], "a later timer gives way to an earlier one"
    watchdog.schedule(3_000)
    watchdog.cancel()
    bench.pass_ns(5_000)
    assert len(ran) == 2


def test_mq_has_a_class_per_queue_and_sums_their_statistics() -> None:
    bench = StackBench(num_tx_queues=3)
    mq = bench.dev.qdisc
    assert mq.kind == "mq" and [minor for minor, _ in mq.children()] == [1, 2, 3]
    for (minor, child), txq in zip(mq.children(), bench.dev.tx_queues, strict=True):
        assert txq.qdisc is child and child.parent_id & 0xFFFF == minor and child.root is child
        child.enqueue(packet(100 * minor), [])
        child.drops = minor
    assert (mq.stats().qlen, mq.stats().backlog, mq.stats().drops) == (3, 600, 6)
    new = qdisc_class("pfifo")(bench.dev)
    old = mq.graft(2, new)
    bench.dev.attach_qdisc()
    assert (old.kind, bench.dev.tx_queues[1].qdisc) == ("pfifo_fast", new)
    with pytest.raises(ValueError, match="Specified class not found"):
        mq.graft(4, new)
    with pytest.raises(ValueError, match="EOPNOTSUPP"):
        new.graft(1, old)
