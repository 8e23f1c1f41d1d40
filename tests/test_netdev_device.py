"""A device's knobs, its transmit watchdog and the cost of its work."""

from __future__ import annotations

import pytest

from ringwire.host.cpu import HostCosts
from ringwire.netdev import NetDevice, TxQueue, dev_queue_xmit
from ringwire.netdev.queue import DRV_XOFF
from ringwire.skb import Skb
from tests.stack_bench import StackBench


def test_a_new_queue_length_drops_what_is_queued_and_counts_from_then_on() -> None:
    bench = StackBench(tx_queue_len=10)
    for ident in range(6):
        dev_queue_xmit(Skb(len=1514, id=ident), bench.dev)
    bench.dev.tx_queue_len = 2
    assert [skb.id for skb in bench.dropped] == [2, 3, 4, 5, 1] and bench.dev.qdisc.qlen == 0
    assert [dev_queue_xmit(Skb(len=1514), bench.dev) for _ in range(5)] == [0, 0, 0, 1, 1]
    with pytest.raises(ValueError, match="txqueuelen -1 is negative"):
        bench.dev.tx_queue_len = -1


def test_the_watchdog_reports_a_stuck_queue_about_every_timeout() -> None:
    bench = StackBench(hz=100, num_tx_queues=2)
    reports: list[tuple[float, int, int]] = []
    dev = bench.dev

    def tx_timeout(txq: TxQueue) -> None:
        reports.append((bench.timeline.now_ns / 10**9, txq.index, dev.tx_queues[0].state))

    dev.tx_timeout = tx_timeout
    dev.watchdog.start()
    bench.pass_ns(1_200_000_000)
    dev.tx_queues[1].stop()
    bench.pass_ns(13_000_000_000)
    # Stopped at 1.2 s, seen at 6.21 s, the first jiffy that is more than five seconds later; then on a full second.
    assert reports == [(6.21, 1, 4), (11, 1, 4)]
    assert (dev.tx_queues[1].trans_timeout, dev.tx_queues[1].state, dev.tx_queues[0].state) == (2, DRV_XOFF, 0)
    dev.carrier = False
    bench.pass_ns(20_000_000_000)
    assert len(reports) == 2
    dev.carrier = True
    bench.pass_ns(5_000_000_000)
    assert len(reports) == 3
    dev.watchdog.stop()
    bench.pass_ns(20_000_000_000)
    assert len(reports) == 3


def test_the_stacks_work_costs_what_the_host_says() -> None:
    bench = StackBench()
    costs = HostCosts(qdisc_enqueue_ns=50, qdisc_dequeue_ns=30)
    charged: list[int] = []
    dev = NetDevice(bench.cpus[0], bench.driver, costs=costs, charge=charged.append)
    for _ in range(3):
        dev_queue_xmit(Skb(len=1514), dev)
    # The first two find the qdisc empty and go past it, one to the driver, one to wait beside the queue.
    assert charged == [50]
    bench.driver.complete(dev.tx_queues[0], 1)
    assert charged == [50, 30]


def test_a_device_has_a_queue() -> None:
    with pytest.raises(ValueError, match="eth0: a device has at least one transmit queue, not 0"):
        StackBench(num_tx_queues=0)
