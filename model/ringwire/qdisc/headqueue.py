"""One queue in order of arrival that makes room at its head when its limit is lowered: codel and pie.

After codel_change in net/sched/sch_codel.c and pie_change in sch_pie.c, and qdisc_dequeue_internal in
include/net/sch_generic.h, of Linux 6.18.
"""

from __future__ import annotations

from collections import deque

from ringwire.qdisc.base import XMIT_SUCCESS, P, Qdisc
from ringwire.skb import Skb


class HeadQueue(Qdisc[P]):
    """Subclasses say in ``enqueue`` what is admitted: at most ``limit`` packets."""

    def setup(self) -> None:
        super().setup()
        self.limit = 0
        self._queue: deque[Skb] = deque()

    def clear(self) -> None:
        while self._queue:
            self.dev.drop(self._queue.popleft())

    def append(self, skb: Skb) -> int:
        """Take a packet."""
        self._queue.append(skb)
        self.qlen += 1
        self.backlog += skb.pkt_len
        return XMIT_SUCCESS

    def pop(self) -> Skb | None:
        """Take the first packet off the queue and the counts; it is not counted as sent."""
        if not self._queue:
            return None
        skb = self._queue.popleft()
        self.qlen -= 1
        self.backlog -= skb.pkt_len
        return skb

    def trim(self) -> None:
        """Drop the oldest packets that exceed ``limit``, here and in the counts above."""
        removed: list[Skb] = []
        while self.qlen > self.limit:
            skb = self.take_requeued() if self.requeued else self.pop()
            if skb is None:
                break
            removed.append(skb)
        self.drops += len(removed)
        self.tree_reduce_backlog(len(removed), sum(skb.pkt_len for skb in removed))
        free_later(self, removed)


def free_later(qdisc: Qdisc[P], removed: list[Skb]) -> None:
    """Free what a change of parameters removed, once it is in force: the last one first (rtnl_kfree_skbs)."""
    while removed:
        qdisc.dev.drop(removed.pop())
