"""noop: what a device that is down, or without a carrier, has for a queue.

After net/sched/sch_generic.c of Linux 6.12.
"""

from __future__ import annotations

from ringwire.qdisc.base import XMIT_CN, NoParams, Qdisc
from ringwire.skb import Skb


class Noop(Qdisc[NoParams]):
    """Drops each packet; the device counts it. It has no kind: no ``tc`` line can ask for it."""

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        self.dev.tx_dropped += 1
        to_free.append(skb)
        return XMIT_CN

    def dequeue(self) -> Skb | None:
        return None
