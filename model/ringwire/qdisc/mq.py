"""mq: the root of a device with several transmit queues, one default discipline below it for each.

After net/sched/sch_mq.c of Linux 6.12.
"""

from __future__ import annotations

from typing import ClassVar

from ringwire.qdisc.base import MQROOT, ONETXQUEUE, ROOT_ID, AnyQdisc, NoParams, QdiscStats
from ringwire.qdisc.classful import Classful, LeafStatsClass
from ringwire.qdisc.classify import FilterBlock, no_blocks
from ringwire.qdisc.noop import Noop
from ringwire.qdisc.registry import qdisc_class
from ringwire.skb import Skb


class QueueClass(LeafStatsClass):
    """One transmit queue."""

    __slots__ = ()


class Mq(Classful[NoParams, QueueClass]):
    """Never sees a packet itself: each queue runs its own child, class ``handle:(queue + 1)``."""

    kind: ClassVar[str] = "mq"
    default_flags = MQROOT

    def setup(self) -> None:
        super().setup()
        child = qdisc_class(self.dev.default_qdisc)
        for index in range(self.dev.num_tx_queues):
            classid = self.handle | index + 1
            self.by_id[classid] = QueueClass(classid, ROOT_ID, self.adopt(child(self.dev), classid))
        self._queues = list(self.by_id.values())

    def adopt(self, child: AnyQdisc, classid: int) -> AnyQdisc:
        child.parent = self
        child.parent_id = classid
        child.txq_index = (classid & 0xFFFF) - 1
        child.flags |= ONETXQUEUE
        return child

    def default_leaf(self, classid: int) -> AnyQdisc:
        """Nothing: a queue whose discipline is deleted drops all."""
        leaf = self.adopt(Noop(self.dev), classid)
        leaf.hidden = True
        return leaf

    def for_queue(self, index: int) -> AnyQdisc:
        return self._queues[index].qdisc

    def block(self, classid: int) -> FilterBlock:
        raise no_blocks()

    def stats(self) -> QdiscStats:
        each = [child.stats() for _, child in self.children()]
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
