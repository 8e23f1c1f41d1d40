"""mq: the root of a device with several transmit queues, one default discipline below it for each.

After net/sched/sch_mq.c of Linux 6.12.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ringwire.qdisc.base import MQROOT, ONETXQUEUE, AnyQdisc, NoParams, Qdisc, QdiscStats
from ringwire.qdisc.registry import qdisc_class
from ringwire.skb import Skb


class Mq(Qdisc[NoParams]):
    """Never sees a packet itself: each queue runs its own child, class ``handle:(queue + 1)``."""

    kind: ClassVar[str] = "mq"
    default_flags = MQROOT

    def setup(self) -> None:
        child = qdisc_class(self.dev.default_qdisc)
        self._children: list[AnyQdisc] = []
        for index in range(self.dev.num_tx_queues):
            self._children.append(self._adopt(index, child(self.dev)))

    def _adopt(self, index: int, child: AnyQdisc) -> AnyQdisc:
        child.parent = self
        child.parent_id = self.handle | index + 1
        child.txq_index = index
        child.flags |= ONETXQUEUE
        return child

    def for_queue(self, index: int) -> AnyQdisc:
        return self._children[index]

    def children(self) -> Iterator[tuple[int, AnyQdisc]]:
        return enumerate(self._children, start=1)

    def graft(self, minor: int, child: AnyQdisc) -> AnyQdisc:
        if not 1 <= minor <= len(self._children):
            raise ValueError(f"mq has classes 1 to {len(self._children):x}, not {minor:x}")
        old = self._children[minor - 1]
        self._children[minor - 1] = self._adopt(minor - 1, child)
        return old

    def stats(self) -> QdiscStats:
        each = [child.stats() for child in self._children]
        return QdiscStats(
            bytes=sum(child.bytes for child in each),
            packets=sum(child.packets for child in each),
            drops=sum(child.drops for child in each),
            overlimits=sum(child.overlimits for child in each),
            requeues=sum(child.requeues for child in each),
            qlen=sum(child.qlen for child in each),
            backlog=sum(child.backlog for child in each),
        )

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        raise TypeError("mq is run by its children")

    def dequeue(self) -> Skb | None:
        raise TypeError("mq is run by its children")
