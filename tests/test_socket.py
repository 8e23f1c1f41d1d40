"""The sender behind a send buffer: nothing is lost, memory is bounded, room comes back as packets leave."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringwire.qdisc import qdisc_class
from ringwire.qdisc.fifo import PacketLimit
from ringwire.skb import Skb, linear_truesize
from ringwire.socket import SNDBUF_MIN, Socket
from tests.stack_bench import StackBench


def packets(lengths: list[int]) -> Iterator[Skb]:
    for ident, length in enumerate(lengths):
        yield Skb(len=length, id=ident)


@given(st.lists(st.integers(60, 9000), max_size=60), st.integers(0, 60_000), st.integers(1, 70))
def test_all_packets_leave_in_order_and_memory_stays_bounded(lengths: list[int], sndbuf: int, batch: int) -> None:
    bench = StackBench(size=8, tx_queue_len=1000)
    peaks: list[int] = []
    socket = Socket(bench.dev, sndbuf, batch=batch, on_free=lambda skb: peaks.append(socket.wmem + skb.truesize))
    done: list[int] = []
    socket.send(packets(lengths), on_done=lambda: done.append(socket.packets))
    bench.drain()
    assert [skb.id for skb in bench.driver.sent] == list(range(len(lengths)))
    assert (socket.packets, socket.bytes, socket.dropped) == (len(lengths), sum(lengths), 0)
    assert (socket.wmem, socket.idle, done) == (0, True, [len(lengths)])
    assert bench.dropped == []
    # A write is let in as long as the buffer is not full, so the last one may exceed it.
    assert all(peak < max(sndbuf, SNDBUF_MIN) + linear_truesize(9000) for peak in peaks)


def test_a_waiting_writer_goes_on_once_less_than_half_of_the_buffer_is_used() -> None:
    bench = StackBench(size=100)
    bench.txq.dql.store("limit_min", "1000000")
    bench.txq.reset()
    bench.txq.dql.adj_limit = 1_000_000
    size = linear_truesize(1514)
    socket = Socket(bench.dev, 10 * size)
    socket.send(packets([1514] * 40))
    bench.settle()
    assert (socket.packets, socket.wmem, socket.waits) == (10, 10 * size, 1)
    bench.driver.complete(bench.txq, 5)
    bench.settle()
    assert socket.packets == 10, "half of it is not less than half"
    bench.driver.complete(bench.txq, 1)
    assert socket.packets == 10, "not inside the driver's clean-up"
    bench.settle()
    assert (socket.packets, socket.wmem, socket.waits) == (16, 10 * size, 2)


def test_a_full_qdisc_drops_and_the_sender_says_how_many() -> None:
    bench = StackBench(size=100)
    bench.dev.set_qdisc(qdisc_class("pfifo")(bench.dev, PacketLimit(5)))
    freed: list[int] = []
    socket = Socket(bench.dev, on_free=lambda skb: freed.append(skb.id))
    socket.send(packets([1514] * 20))
    bench.settle()
    # One went to the driver, five wait, the others found no room.
    assert socket.dropped == 14 and [skb.id for skb in bench.dropped] == list(range(6, 20)) == freed
    bench.drain()
    assert sorted(freed) == list(range(20)) and socket.wmem == 0


def test_a_packet_that_costs_another_its_place_is_not_dropped() -> None:
    bench = StackBench(size=100)
    bench.dev.set_qdisc(qdisc_class("pfifo_head_drop")(bench.dev, PacketLimit(5)))
    socket = Socket(bench.dev)
    socket.send(packets([1514] * 20))
    bench.drain()
    assert socket.dropped == 0 and len(bench.dropped) > 0 and socket.wmem == 0


def test_other_work_gets_its_turn_between_batches() -> None:
    bench = StackBench(size=1000)
    bench.txq.dql.adj_limit = 10**6
    socket = Socket(bench.dev, batch=4)
    seen: list[int] = []
    socket.send(packets([100] * 10))
    bench.timeline.call_at(0, lambda: seen.append(socket.packets))
    bench.settle()
    assert socket.packets == 10 and seen == [4]


def test_sources_follow_each_other_and_may_be_functions() -> None:
    bench = StackBench()
    socket = Socket(bench.dev)
    numbers = count(100)
    done: list[str] = []

    def three() -> Skb | None:
        ident = next(numbers)
        return Skb(len=200, id=ident) if ident < 103 else None

    socket.send(packets([100, 100]), on_done=lambda: done.append("first"))
    socket.send(three, on_done=lambda: done.append("second"))
    assert socket.packets == 0, "sending is a job of its own"
    bench.drain()
    assert [skb.id for skb in bench.driver.sent] == [0, 1, 100, 101, 102]
    assert done == ["first", "second"] and socket.idle


def test_priority_overrides_the_packets_own() -> None:
    bench = StackBench()
    Socket(bench.dev, priority=6).send([Skb(len=100, priority=2)])
    bench.drain()
    Socket(bench.dev).send([Skb(len=100, priority=2)])
    bench.drain()
    assert [skb.priority for skb in bench.driver.sent] == [6, 2]


def test_a_packets_own_truesize_counts() -> None:
    bench = StackBench(size=100)
    bench.txq.dql.adj_limit = 10**6
    socket = Socket(bench.dev, 10_000)
    socket.send(Skb(len=100, truesize=3_000) for _ in range(10))
    bench.settle()
    assert (socket.packets, socket.wmem) == (4, 12_000)


def test_each_write_costs_a_system_call() -> None:
    bench = StackBench()
    charged: list[int] = []
    bench.dev.charge = charged.append
    Socket(bench.dev, syscall_ns=250).send(packets([100, 100]))
    bench.drain()
    assert charged == [250, 250]


def test_a_batch_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="a batch is at least one write, not 0"):
        Socket(StackBench().dev, batch=0)
