"""cbs: the credit-based shaper of IEEE 802.1Q (8.6.8.2, Annex L), for streams that have a reserved rate.

A packet may leave while the credit is not negative; sending takes from it, waiting gives to it.
After net/sched/sch_cbs.c of Linux 6.12.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ringwire.qdisc.base import XMIT_SUCCESS, AnyQdisc
from ringwire.qdisc.offload import CbsOffload, transmit_queue
from ringwire.qdisc.oneclass import OneClass
from ringwire.qdisc.psched import NS_PER_S
from ringwire.qdisc.registry import qdisc_class
from ringwire.qdisc.strict_watchdog import StrictWatchdog
from ringwire.skb import Skb

BYTES_PER_KBIT = 125
SPEED_UNKNOWN_MBPS = 10
"""What Linux takes for a link whose speed nobody knows."""


@dataclass(frozen=True, slots=True)
class CbsParams:
    """Credits in bytes, slopes in kbit/s; ``sendslope`` and ``locredit`` are negative."""

    hicredit: int = 0
    locredit: int = 0
    sendslope: int = 0
    idleslope: int = 0
    offload: int = 0


class Cbs(OneClass[CbsParams]):
    """The queue inside is a pfifo of ``tx_queue_len`` packets until another is grafted."""

    kind: ClassVar[str] = "cbs"
    params_type = CbsParams

    def setup(self) -> None:
        super().setup()
        self.watchdog = StrictWatchdog(self)
        self.credits = 0
        """Bytes, cut off to whole ones whenever they are counted: waiting in steps too small gives nothing."""
        self._last_ns = 0
        """When they were counted, or when the last byte of the packet that left last is out."""
        self._params = CbsParams()

    def default_leaf(self, classid: int) -> AnyQdisc:
        leaf = self.adopt(qdisc_class("pfifo")(self.dev), classid)
        # so Linux makes it: its parent is shown as the discipline, not the class
        leaf.parent_id = self.handle
        return leaf

    def change(self, params: CbsParams) -> None:
        if params.offload:
            self._queue = transmit_queue(self.dev, self.parent_id)
            request = CbsOffload(
                self._queue,
                hicredit=params.hicredit,
                locredit=params.locredit,
                idleslope=params.idleslope,
                sendslope=params.sendslope,
            )
            self.dev.offloads.enable(
                self,
                request,
                "Specified device does not support cbs offload",
                "Specified device failed to setup cbs hardware offload",
            )
        else:
            self._end_offload()
            self._port_rate = (self.dev.speed_mbps or SPEED_UNKNOWN_MBPS) * 1000 * BYTES_PER_KBIT
        self._params = params
        self._idleslope = params.idleslope * BYTES_PER_KBIT
        self._sendslope = params.sendslope * BYTES_PER_KBIT

    def _end_offload(self) -> None:
        if self._params.offload:
            self.dev.offloads.disable(self, CbsOffload(self._queue, enable=False))

    def destroy(self) -> None:
        super().destroy()
        self.watchdog.cancel()
        self._end_offload()

    def params(self) -> CbsParams:
        return self._params

    def clear(self) -> None:
        self.watchdog.cancel()

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        if not self.qlen and self.credits > 0 and not self._params.offload:
            self.credits = 0
            self._last_ns = self.dev.now_ns()
        size = skb.pkt_len
        rc = self.inner.enqueue(skb, to_free)
        if rc != XMIT_SUCCESS:
            # counted by the queue inside alone
            return rc
        self.qlen += 1
        self.backlog += size
        return rc

    def dequeue(self) -> Skb | None:
        if self._params.offload:
            return self._take()
        now = self.dev.now_ns()
        if now < self._last_ns:
            self.watchdog.schedule(self._last_ns)
            return None
        if self.credits < 0:
            gained = _divided((now - self._last_ns) * self._idleslope, NS_PER_S)
            self.credits = min(self.credits + gained, self._params.hicredit)
            if self.credits < 0:
                if self._idleslope:
                    self.watchdog.schedule(now + _divided(-self.credits * NS_PER_S, self._idleslope))
                self._last_ns = now
                return None
        skb = self._take()
        if skb is not None:
            size = skb.pkt_len
            spent = _divided(size * self._sendslope, self._port_rate)
            self.credits = max(self.credits + spent, self._params.locredit)
            self._last_ns = now + size * NS_PER_S // self._port_rate
        return skb

    def _take(self) -> Skb | None:
        skb = self.inner.dequeue_peeked()
        if skb is not None:
            self.qlen -= 1
            self.backlog -= skb.pkt_len
            self.bytes += skb.pkt_len
            self.packets += skb.gso_segs or 1
        return skb


def _divided(value: int, by: int) -> int:
    """As C divides: towards zero."""
    quotient = abs(value) // abs(by)
    return quotient if (value < 0) == (by < 0) else -quotient
