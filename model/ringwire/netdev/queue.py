"""A transmit queue: its stop bits, its byte limit, and what a driver says to it.

The names that Linux gives these operations are in their descriptions (include/linux/netdevice.h of Linux 6.12).
The side that sends and the side that completes may run on two CPUs at once: each writes its own half of the byte
limit's counters, and they meet in the stop bits, which change atomically.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringwire.bql import BqlOvercompletion, Dql
from ringwire.host.barrier import smp_mb
from ringwire.qdisc.base import AnyQdisc

if TYPE_CHECKING:
    from ringwire.netdev.device import NetDevice

# TxQueue.state: plain integers, because they are tested for every packet.
DRV_XOFF = 1
"""The driver has stopped the queue: no room in the ring."""
STACK_XOFF = 2
"""Byte queue limits have."""
FROZEN = 4
"""The transmit watchdog is at work."""
ANY_XOFF = DRV_XOFF | STACK_XOFF


class TxQueue:
    """One transmit queue of a device; a driver stops, wakes and accounts through it."""

    __slots__ = (
        "dev",
        "dql",
        "index",
        "limit_released_ns",
        "maxrate_mbps",
        "qdisc",
        "state",
        "trans_start_ns",
        "trans_timeout",
    )

    qdisc: AnyQdisc
    """The discipline that feeds it."""

    def __init__(self, dev: NetDevice, index: int) -> None:
        self.dev = dev
        self.index = index
        self.state = 0
        self.dql = Dql(dev.jiffies, dev.hz)
        self.trans_start_ns = 0
        """When it was last stopped. Linux stamps every packet, but reads the stamp of stopped queues only."""
        self.limit_released_ns = 0
        """When byte queue limits last let it go on."""
        self.trans_timeout: int = 0
        """Time-outs that the transmit watchdog saw (sysfs tx_timeout)."""
        self.maxrate_mbps: int = 0
        """What the driver was told to keep to (sysfs tx_maxrate), 0 = no limit."""

    @property
    def stopped(self) -> bool:
        """netif_tx_queue_stopped: by the driver, that is."""
        return self.state & DRV_XOFF != 0

    @property
    def xmit_stopped(self) -> bool:
        """netif_xmit_stopped: by the driver or by byte queue limits."""
        return self.state & ANY_XOFF != 0

    def stop(self) -> None:
        """netif_tx_stop_queue: have no more packets until :meth:`wake`."""
        self.trans_start_ns = self.dev.now_ns()
        self._set(DRV_XOFF)

    def start(self) -> None:
        """netif_tx_start_queue: take packets again, without running the qdisc."""
        self._clear(DRV_XOFF)

    def wake(self) -> None:
        """netif_tx_wake_queue: take packets again and, if the driver had stopped, run the qdisc soon."""
        if self._test_and_clear(DRV_XOFF):
            self.dev.schedule(self.qdisc)

    def freeze(self) -> None:
        """netif_freeze_queues, for one queue: nothing is sent while a time-out is handled."""
        self._set(FROZEN)

    def unfreeze(self) -> None:
        """netif_unfreeze_queues, for one queue."""
        self._clear(FROZEN)
        if not self.state & ANY_XOFF:
            self.dev.schedule(self.qdisc)

    def sent(self, count: int, xmit_more: bool = False) -> bool:
        """(__)netdev_tx_sent_queue: ``count`` bytes went to the ring; True = ring the doorbell.

        Inside a batch the byte limit does not stop the queue: it decides at the last packet.
        """
        dql = self.dql
        dql.queued(count)
        if xmit_more:
            return self.state & DRV_XOFF != 0
        if dql.avail() < 0:
            self.trans_start_ns = self.dev.now_ns()
            self._set(STACK_XOFF)
            # the completion that makes room may have come before the bit: either it sees the bit, or we see the room
            smp_mb()
            if dql.avail() >= 0:
                self._clear(STACK_XOFF)
        return True

    def completed(self, packets: int, count: int) -> None:
        """netdev_tx_completed_queue: ``count`` bytes have left; once for all that a clean-up found.

        Raises :class:`BqlOvercompletion` if they are more than are in flight.
        """
        if not count:
            return
        dql = self.dql
        try:
            dql.completed(count)
        except BqlOvercompletion as error:
            raise BqlOvercompletion(f"{self.dev.name} tx-{self.index}: {error}") from None
        smp_mb()  # pairs with the one in sent()
        if not self.state & STACK_XOFF or dql.avail() < 0:
            return
        if self._test_and_clear(STACK_XOFF):
            self.limit_released_ns = self.dev.now_ns()
            if not self.state & DRV_XOFF:
                self.dev.schedule(self.qdisc)

    def reset(self) -> None:
        """netdev_tx_reset_queue: the ring was emptied without completing; its bytes are forgotten."""
        self._clear(STACK_XOFF)
        self.dql.reset()

    def _set(self, bit: int) -> None:
        """set_bit: atomic, but no barrier."""
        self.state |= bit

    def _clear(self, bit: int) -> None:
        """clear_bit: atomic, but no barrier."""
        self.state &= ~bit

    def _test_and_clear(self, bit: int) -> bool:
        """test_and_clear_bit: atomic and, because it tells what was there, a full barrier."""
        was = self.state & bit
        self.state &= ~bit
        return was != 0
