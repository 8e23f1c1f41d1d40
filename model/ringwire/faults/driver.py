"""Faults of a driver, as subclasses of ringwire's own; and one of the stack."""

from __future__ import annotations

from typing import Any

from ringwire.driver.ringwire import RingwireDriver
from ringwire.driver.tx_ring import TxRing
from ringwire.netdev import NetDevice, TxQueue
from ringwire.qdisc.base import ONETXQUEUE
from ringwire.skb import Skb

EVERY = 7
RESETS_AT = 20
"""Packet at which a driver whose reset is wrong resets its queue by itself."""


class FaultyDriver(RingwireDriver):
    """A driver whose rings are of another class."""

    ring: type[TxRing] = TxRing

    def __init__(self, *args: Any, **fields: Any) -> None:
        super().__init__(*args, **fields)
        self.packets = 0
        for ring in self.rings:
            ring.__class__ = self.ring


class ResetsUnderLoad(FaultyDriver):
    """Resets a queue once while packets are in flight."""

    def ndo_start_xmit(self, skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        self.packets += 1
        if self.packets == RESETS_AT:
            port = self.rings[txq.index].port
            port.call_at(port.now_ns(), lambda: self._reset_loaded(txq.index))
        return super().ndo_start_xmit(skb, txq, xmit_more)

    def _reset_loaded(self, queue: int) -> None:
        if self.rings[queue].in_flight:
            self.reset_queue(queue)
        else:
            self.packets = RESETS_AT - 1  # wait for the next one


class CompletesAfterwards(TxRing):
    """Tells byte queue limits of the packets that a reset freed."""

    counted = 0
    """Bytes in flight when the reset began."""

    def empty(self) -> int:
        self.txq.completed(1, self.counted)
        return super().empty()


class ResetsLimitsEarly(ResetsUnderLoad):
    """Byte queue limits are reset when the reset begins, and what it frees is counted as completed still."""

    ring = CompletesAfterwards

    def reset_queue(self, queue: int, drain_ns: int = 0) -> None:
        ring = self.rings[queue]
        assert isinstance(ring, CompletesAfterwards)
        ring.counted = ring.txq.dql.inflight
        ring.txq.reset()
        super().reset_queue(queue, drain_ns)


class LimitsLeft(TxQueue):
    """A transmit queue whose byte queue limits are not reset."""

    __slots__ = ()

    def reset(self) -> None: ...


class EmptiesAlone(TxRing):
    """Frees what a reset leaves on the ring, and tells byte queue limits nothing."""

    def empty(self) -> int:
        self.txq.__class__ = LimitsLeft
        return super().empty()

    def _reap(self, budget: int) -> int:
        return 0 if isinstance(self.txq, LimitsLeft) and self.held else super()._reap(budget)


class NeverResetsLimits(ResetsUnderLoad):
    """A reset frees what is on the ring, and byte queue limits go on counting it."""

    ring = EmptiesAlone


class DropsLast(TxRing):
    """Gives up the last packet of a batch as if more followed."""

    calls = 0

    def xmit(self, skb: Skb, xmit_more: bool) -> int:
        self.calls += 1
        if not xmit_more and self.calls % EVERY == 0:
            return self._drop(skb, True)
        return super().xmit(skb, xmit_more)


class DropsLastOfBatch(FaultyDriver):
    """The last packet of a batch is dropped without a doorbell for those before it."""

    ring = DropsLast


class PassesNoBarrier(FaultyDriver):
    """Rings without a dma_wmb behind the descriptors, on a machine that keeps writes to memory back."""

    def __init__(self, *args: Any, **fields: Any) -> None:
        super().__init__(*args, **fields)
        for ring in self.rings:
            ring.port.dma_wmb = lambda: None  # type: ignore[method-assign]


class StopsLate(TxRing):
    """A stop that xmit decided on becomes visible when the clean-up that would have undone it is over."""

    cleanings = 0

    def _reap(self, budget: int) -> int:
        done = super()._reap(budget)
        self.cleanings += 1
        if self.cleanings >= EVERY and not self.in_flight and not self.held:
            self.txq.stop()
        return done


class MissesWakeUp(FaultyDriver):
    """A queue is stopped just after the clean-up that would have woken it."""

    ring = StopsLate


def dequeues_when_stopped(dev: NetDevice) -> None:
    """The discipline does not know that it feeds one queue: it gives packets out that byte queue limits stop then."""
    dev.qdisc.flags &= ~ONETXQUEUE
