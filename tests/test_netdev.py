"""The transmit stack beyond the recorded traces: invariants under random traffic, batches, stops and wakes."""

from __future__ import annotations

import errno
from collections import defaultdict
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringwire.bql import BqlOvercompletion
from ringwire.netdev import NETDEV_TX_OK, Feature, TxQueue, dev_queue_xmit, reciprocal_scale
from ringwire.netdev.device import NO_BULK_LIMIT, SOFTIRQ_ROUNDS
from ringwire.netdev.queue import DRV_XOFF, STACK_XOFF
from ringwire.qdisc import XMIT_DROP, XMIT_SUCCESS, NoParams, Qdisc, qdisc_class
from ringwire.qdisc.base import CAN_BYPASS, ONETXQUEUE
from ringwire.qdisc.fifo import PacketLimit
from ringwire.qdisc.pfifo_fast import PRIO2BAND
from ringwire.skb import Skb
from tests.stack_bench import StackBench, super_packet

SOFTWARE = Feature.SG | Feature.HW_CSUM


traffic = st.lists(
    st.one_of(
        st.tuples(st.just("xmit"), st.integers(60, 1514), st.integers(0, 15)),
        st.tuples(st.just("tso"), st.integers(1449, 30_000), st.integers(0, 15)),
        st.tuples(st.just("complete"), st.integers(0, 20), st.integers(0, 3)),
        st.tuples(st.just("burst"), st.integers(2, 90), st.integers(0, 15)),
    ),
    max_size=50,
)
benches = st.fixed_dictionaries(
    {
        "size": st.sampled_from([1, 2, 6, 16, 200]),
        "busy": st.booleans(),
        "num_tx_queues": st.sampled_from([1, 4]),
        "tx_queue_len": st.sampled_from([1, 5, 40]),
        "features": st.sampled_from([Feature.ALL, SOFTWARE, Feature.NONE]),
    }
)
roots = st.sampled_from([None, ("pfifo", PacketLimit(10)), ("pfifo_head_drop", PacketLimit(10)), ("pfifo_fast", None)])


class Traffic:
    """Random traffic on a bench, with what must hold after every operation."""

    def __init__(self, bench: StackBench) -> None:
        self.bench = bench
        self.count = 0
        self.expected: dict[int, int] = {}
        """Packet -> wire frames it stands for."""
        self.freed: list[int] = []

    def xmit(self, skb: Skb) -> None:
        bench, dev = self.bench, self.bench.dev
        skb.id = self.count
        skb.hash = (self.count * 0x9E3779B1) & 0xFFFF_FFFF
        skb.destructor = lambda last: self.freed.append(last.id)
        self.count += 1
        segmented = skb.gso_size and not dev.features & Feature.TSO
        self.expected[skb.id] = skb.gso_segs if segmented else 1
        dropped = len(bench.dropped)
        rc = dev_queue_xmit(skb, dev)
        assert (rc == XMIT_DROP) == (skb in bench.dropped[dropped:])

    def step(self, op: tuple[str, int, int]) -> None:
        what, size, detail = op
        bench = self.bench
        if what == "xmit":
            self.xmit(Skb(len=size, priority=detail))
        elif what == "tso":
            skb = super_packet(size)
            skb.priority = detail
            self.xmit(skb)
        elif what == "burst":
            for _ in range(size):
                self.xmit(Skb(len=1000, priority=detail))
        else:
            bench.driver.complete(bench.dev.tx_queues[detail % bench.dev.num_tx_queues], size)
        bench.settle()
        self.check()

    def check(self) -> None:
        dev, driver = self.bench.dev, self.bench.driver
        for txq in dev.tx_queues:
            ring = driver.rings[txq.index]
            assert txq.dql.inflight == sum(skb.len for skb in ring)
            assert driver.unannounced[txq.index] == 0, "packets behind the last doorbell"
            assert ring or not txq.state, "stopped with an empty ring: nobody will wake it"
            waiting = txq.qdisc.requeued
            if waiting:
                assert dev.tx_queues[waiting[0].queue_mapping].state, "running, but packets wait for it"
            elif txq.qdisc.flags & ONETXQUEUE:
                assert txq.state or not txq.qdisc.qlen, "running, but packets wait for it"

    def finish(self) -> None:
        """Drain; then each packet was sent whole or dropped whole, in order, and freed once."""
        bench = self.bench
        bench.drain()
        self.check()
        assert sum(txq.qdisc.qlen for txq in bench.dev.tx_queues) == 0
        assert sum(txq.qdisc.backlog for txq in bench.dev.tx_queues) == 0
        frames: dict[int, int] = defaultdict(int)
        order: dict[tuple[int, int], list[int]] = defaultdict(list)
        for skb in bench.driver.sent:
            frames[skb.id] += 1
            order[skb.queue_mapping, PRIO2BAND[skb.priority & 15]].append(skb.id)
        dropped = {skb.id for skb in bench.dropped}
        assert len(dropped) == len(bench.dropped)
        assert not dropped & set(frames)
        assert frames == {ident: count for ident, count in self.expected.items() if ident not in dropped}
        for idents in order.values():
            assert idents == sorted(idents)
        assert sorted(self.freed) == list(range(self.count))


@settings(max_examples=150)
@given(benches, roots, st.sampled_from([0, 5_000, 10**6]), traffic)
def test_packets_are_sent_in_order_or_dropped_and_freed_once(
    device: dict[str, int], root: tuple[str, object] | None, limit_min: int, ops: list[tuple[str, int, int]]
) -> None:
    bench = StackBench(**device)  # type: ignore[arg-type]
    for txq in bench.dev.tx_queues:
        txq.dql.store("limit_min", str(limit_min))
        txq.dql.adj_limit = limit_min
    if root is not None:
        kind, params = root
        bench.dev.set_qdisc(qdisc_class(kind)(bench.dev, params, handle=1 << 16))
    run = Traffic(bench)
    for op in ops:
        run.step(op)
    run.finish()


@given(st.lists(st.integers(60, 9000), min_size=1, max_size=80), st.integers(1, 40_000))
def test_a_batch_exceeds_the_byte_limit_by_less_than_its_last_packet(lengths: list[int], limit: int) -> None:
    bench = StackBench(size=1000)
    bench.txq.dql.store("limit_min", str(limit))
    bench.txq.dql.store("limit_max", str(limit))
    bench.txq.reset()
    for ident, length in enumerate(lengths):
        dev_queue_xmit(Skb(len=length, id=ident), bench.dev)
    while bench.driver.rings[0]:
        in_ring = [skb.len for skb in bench.driver.rings[0]]
        assert sum(in_ring[:-1]) <= limit
        bench.driver.complete(bench.txq, len(in_ring))


def test_byte_limits_stop_the_queue_and_completions_start_it_again() -> None:
    bench = StackBench()
    for ident in range(4):
        assert dev_queue_xmit(Skb(len=1514, id=ident), bench.dev) == XMIT_SUCCESS
    assert (bench.txq.state, len(bench.driver.rings[0]), bench.txq.qdisc.qlen) == (STACK_XOFF, 1, 3)
    assert bench.txq.xmit_stopped and not bench.txq.stopped
    bench.driver.complete(bench.txq, 1)
    assert [skb.id for skb in bench.driver.rings[0]] == [1, 2]
    assert bench.txq.dql.limit == 1514


def test_work_that_is_scheduled_runs_after_the_code_that_scheduled_it() -> None:
    bench = StackBench()
    for ident in range(3):
        dev_queue_xmit(Skb(len=1514, id=ident), bench.dev)
    done = bench.driver.rings[0].popleft()
    bench.txq.completed(1, done.len)
    assert not bench.driver.rings[0], "only scheduled"
    bench.settle()
    assert [skb.id for skb in bench.driver.rings[0]] == [1, 2]


def test_a_completion_of_nothing_teaches_the_byte_limit_nothing() -> None:
    bench = StackBench()
    for _ in range(2):
        dev_queue_xmit(Skb(len=1514), bench.dev)
    before = bench.txq.dql.prev_num_queued
    bench.txq.completed(0, 0)
    assert (bench.txq.dql.prev_num_queued, bench.txq.state) == (before, STACK_XOFF)


def test_a_completion_runs_nothing_while_the_ring_is_full() -> None:
    bench = StackBench()
    dev_queue_xmit(Skb(len=1514), bench.dev)
    bench.txq.stop()
    bench.txq.completed(1, 1514)
    assert (bench.txq.state, bench.dev.output_queue) == (DRV_XOFF, [])
    bench.txq.start()
    assert (bench.txq.state, bench.dev.output_queue) == (0, [])


def test_a_reset_forgets_the_ring_and_lets_packets_through() -> None:
    bench = StackBench()
    for _ in range(2):
        dev_queue_xmit(Skb(len=1514), bench.dev)
    bench.driver.rings[0].clear()
    bench.txq.reset()
    assert (bench.txq.state, bench.txq.dql.inflight) == (0, 0)


def test_a_batch_goes_on_when_byte_limits_stop_the_queue_inside_it() -> None:
    class Impatient:
        """Accounts each packet as if it were the last."""

        def __init__(self) -> None:
            self.seen: list[tuple[int, bool]] = []

        def ndo_start_xmit(self, skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
            txq.sent(skb.len)
            self.seen.append((skb.id, txq.xmit_stopped))
            return NETDEV_TX_OK

    bench = StackBench()
    driver = Impatient()
    bench.dev.driver = driver
    skb = super_packet(4 * 1448)
    bench.dev.features = SOFTWARE
    dev_queue_xmit(skb, bench.dev)
    assert driver.seen == [(0, True)] * 4 and bench.dev.qdisc.qlen == 0


class Greedy(Qdisc[NoParams]):
    """Takes one packet and drops all that it holds for it."""

    kind: ClassVar[str] = "test_greedy"
    default_flags = CAN_BYPASS

    def setup(self) -> None:
        self.inside: list[Skb] = []
        self.asked = 0

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        if skb.priority:
            to_free += self.inside
            self.inside.clear()
            self.qlen = 0
        self.inside.append(skb)
        self.qlen += 1
        return XMIT_SUCCESS

    def dequeue(self) -> Skb | None:
        self.asked += 1
        if not self.inside:
            return None
        self.qlen -= 1
        return self.inside.pop(0)


def test_what_one_enqueue_drops_is_freed_last_first_after_the_packet_was_dealt_with() -> None:
    bench = StackBench()
    bench.dev.set_qdisc(Greedy(bench.dev))
    for ident in range(5):
        dev_queue_xmit(Skb(len=100, id=ident), bench.dev)
    dev_queue_xmit(Skb(len=100, id=5, priority=1), bench.dev)
    # 0 is in the ring, 1 came back from the stopped queue.
    assert [skb.id for skb in bench.dropped] == [4, 3, 2]


def test_a_locked_discipline_is_asked_after_a_bypass_though_it_is_empty() -> None:
    bench = StackBench()
    bench.txq.dql.adj_limit = 10**6
    bench.dev.set_qdisc(greedy := Greedy(bench.dev))
    dev_queue_xmit(Skb(len=100), bench.dev)
    assert greedy.asked == 1


@pytest.mark.parametrize("kind", ["pfifo", "pfifo_fast"])
def test_a_packet_sent_from_inside_the_driver_follows_the_one_that_is_being_sent(kind: str) -> None:
    bench = StackBench()
    bench.txq.dql.adj_limit = 10**6
    bench.dev.set_qdisc(qdisc_class(kind)(bench.dev))
    inner = bench.driver.ndo_start_xmit

    def xmit(skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        if skb.id == 0:
            assert dev_queue_xmit(Skb(len=100, id=1), bench.dev) == XMIT_SUCCESS
            assert not bench.driver.sent
        return inner(skb, txq, xmit_more)

    bench.dev.start_xmit = xmit
    dev_queue_xmit(Skb(len=100, id=0), bench.dev)
    assert [skb.id for skb in bench.driver.sent] == [0, 1]


def test_overcompletion_names_the_queue() -> None:
    bench = StackBench(num_tx_queues=2, name="eth7")
    with pytest.raises(BqlOvercompletion, match="eth7 tx-1: completed 60 bytes with 0 in flight"):
        bench.dev.tx_queues[1].completed(1, 60)


def test_a_driver_that_is_always_busy_gets_its_turn_again_and_again_but_not_for_ever() -> None:
    class Busy:
        calls = 0

        def ndo_start_xmit(self, skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
            self.calls += 1
            return 0x10

    bench = StackBench()
    bench.dev.set_qdisc(qdisc_class("pfifo")(bench.dev))
    bench.dev.driver = busy = Busy()
    dev_queue_xmit(Skb(len=100), bench.dev)
    assert busy.calls == 1 + SOFTIRQ_ROUNDS, "the softirq lets other work in"
    assert bench.timeline.next_ns() == bench.timeline.now_ns
    assert (bench.dev.qdisc.qlen, len(bench.dev.qdisc.requeued)) == (1, 1)


def test_one_run_pulls_no_more_than_its_weight_plus_the_first() -> None:
    bench = StackBench(size=1000)
    bench.dev.dev_tx_weight = 8
    bench.txq.stop()
    for ident in range(30):
        dev_queue_xmit(Skb(len=100, id=ident), bench.dev)
    bench.txq.dql.store("limit_min", "1000000")
    bench.txq.reset()
    bench.txq.dql.adj_limit = 1_000_000
    more: list[bool] = []
    inner = bench.driver.ndo_start_xmit

    def xmit(skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        more.append(xmit_more)
        return inner(skb, txq, xmit_more)

    bench.dev.start_xmit = xmit
    bench.txq.wake()
    bench.settle()
    batches = "".join("+" if flag else "." for flag in more).split(".")
    # The first packet of all waited outside of the queue: its turn comes alone.
    assert [len(batch) + 1 for batch in batches[:-1]] == [1, 8, 9, 9, 3]


@pytest.mark.parametrize("busy", [False, True])
def test_what_a_full_ring_leaves_of_a_batch_goes_first_once_there_is_room(busy: bool) -> None:
    bench = StackBench(size=4, busy=busy)
    bench.txq.dql.store("limit_min", "1000000")
    bench.txq.reset()
    for ident in range(10):
        dev_queue_xmit(Skb(len=1000, id=ident, priority=1 if ident < 9 else 6), bench.dev)
    bench.drain()
    order = [skb.id for skb in bench.driver.sent]
    assert sorted(order) == list(range(10))
    assert (bench.driver.refusals > 0) == busy
    assert bench.dev.qdisc.requeues > 0


def test_noqueue_drops_what_a_stopped_queue_does_not_take() -> None:
    bench = StackBench()
    bench.dev.set_qdisc(qdisc_class("noqueue")(bench.dev))
    assert dev_queue_xmit(Skb(len=1514, id=1), bench.dev) == 0
    assert bench.txq.state == STACK_XOFF
    assert dev_queue_xmit(Skb(len=1514, id=2), bench.dev) == -errno.ENETDOWN
    assert [skb.id for skb in bench.dropped] == [2] and bench.dev.tx_dropped == 1


def test_noqueue_does_not_mind_a_frozen_queue() -> None:
    bench = StackBench()
    bench.dev.set_qdisc(qdisc_class("noqueue")(bench.dev))
    bench.txq.freeze()
    assert dev_queue_xmit(Skb(len=1514), bench.dev) == 0 and len(bench.driver.sent) == 1


@pytest.mark.parametrize(("most", "lasts"), [(NO_BULK_LIMIT, [0, 9, 18, 19]), (8, [0, 8, 16, 19]), (1, [*range(20)])])
def test_one_root_over_several_queues_gives_batches_of_nine_or_as_many_as_it_may(most: int, lasts: list[int]) -> None:
    bench = StackBench(num_tx_queues=2)
    bench.dev.max_bulk = most
    bench.dev.set_qdisc(qdisc_class("pfifo")(bench.dev))
    bench.dev.select_queue = lambda skb: 1
    txq = bench.dev.tx_queues[1]
    txq.stop()
    txq.dql.adj_limit = 10**6
    for ident in range(20):
        dev_queue_xmit(Skb(len=100, id=ident), bench.dev)
    last: list[int] = []
    inner = bench.driver.ndo_start_xmit

    def xmit(skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        if not xmit_more:
            last.append(skb.id)
        return inner(skb, txq, xmit_more)

    bench.dev.start_xmit = xmit
    txq.wake()
    bench.settle()
    # The first waited apart: its turn comes alone.
    assert last == lasts


@pytest.mark.parametrize(("most", "batches"), [(NO_BULK_LIMIT, [1, 6]), (7, [1, 6]), (4, [1, 4, 2]), (1, [1] * 7)])
def test_a_root_of_one_queue_gives_what_limits_have_room_for_or_as_many_as_it_may(
    most: int, batches: list[int]
) -> None:
    bench = StackBench()
    bench.dev.max_bulk = most
    bench.txq.stop()
    bench.txq.dql.adj_limit = 10**6
    for ident in range(7):
        dev_queue_xmit(Skb(len=100, id=ident), bench.dev)
    more: list[bool] = []
    inner = bench.driver.ndo_start_xmit

    def xmit(skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        more.append(xmit_more)
        return inner(skb, txq, xmit_more)

    bench.dev.start_xmit = xmit
    bench.txq.wake()
    bench.settle()
    # The first waited apart: its turn comes alone.
    ends = [index for index, flag in enumerate(more) if not flag]
    assert [end - before for before, end in zip([-1, *ends], ends, strict=False)] == batches


def test_the_hash_spreads_packets_over_the_queues() -> None:
    bench = StackBench(num_tx_queues=4)
    for value, queue in ((0, 0), (0x3FFF_FFFF, 0), (0x4000_0000, 1), (0xFFFF_FFFF, 3)):
        assert reciprocal_scale(value, 4) == queue
        skb = Skb(len=100, hash=value)
        dev_queue_xmit(skb, bench.dev)
        bench.drain()
        assert (skb.queue_mapping, bench.driver.sent.pop()) == (queue, skb)
    bench.dev.select_queue = lambda skb: 2
    dev_queue_xmit(Skb(len=100), bench.dev)
    assert bench.driver.rings[2][0].queue_mapping == 2


def test_one_root_over_several_queues_keeps_a_packet_for_another_queue_apart() -> None:
    bench = StackBench(num_tx_queues=2)
    bench.dev.set_qdisc(qdisc_class("pfifo")(bench.dev))
    bench.dev.select_queue = lambda skb: skb.hash
    for txq in bench.dev.tx_queues:
        txq.stop()
        txq.dql.adj_limit = 10_000
    for ident, queue in enumerate([0, 0, 0, 1, 0, 1]):
        dev_queue_xmit(Skb(len=100, id=ident, hash=queue), bench.dev)
    bench.dev.tx_queues[0].wake()
    bench.settle()
    # The first came back alone; then a batch up to the packet that is for the other queue.
    assert [skb.id for skb in bench.driver.rings[0]] == [0, 1, 2]
    root = bench.dev.qdisc
    assert (root.qlen, len(root.bad_txq), root.backlog) == (3, 1, 300)
    bench.dev.tx_queues[1].wake()
    bench.drain()
    assert [skb.id for skb in bench.driver.sent] == [0, 1, 2, 3, 4, 5]
