"""Disciplines with one class for each transmit queue, ``handle:(queue + 1)``: what mq, mqprio and taprio share.

After net/sched/sch_mq.c of Linux 6.12 and what the others have of it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import TypeVar

from ringwire.qdisc.base import ONETXQUEUE, AnyQdisc, P, QdiscStats
from ringwire.qdisc.classful import Classful, LeafStatsClass, QdiscClass
from ringwire.qdisc.classify import FilterBlock, no_blocks
from ringwire.qdisc.noop import Noop
from ringwire.qdisc.registry import qdisc_class


class QueueClass(LeafStatsClass):
    """One transmit queue."""

    __slots__ = ()


C = TypeVar("C", bound=QdiscClass)


class TxQueues(Classful[P, C]):
    """``queues`` are the queues' classes, each with a discipline of its own."""

    def setup(self) -> None:
        super().setup()
        child = qdisc_class(self.child_kind())
        self.queues: list[C] = []
        for index in range(self.dev.num_tx_queues):
            classid = self.handle | index + 1
            cls = self.by_id[classid] = self.make_queue(classid, self.adopt(child(self.dev), classid))
            self.queues.append(cls)

    @abstractmethod
    def make_queue(self, classid: int, qdisc: AnyQdisc) -> C:
        """The class of a queue."""

    def child_kind(self) -> str:
        """What a queue has below it at first."""
        return self.dev.default_qdisc

    def adopt(self, child: AnyQdisc, classid: int) -> AnyQdisc:
        """A child is run by its queue and keeps its own lock, if it has one."""
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

    def block(self, classid: int) -> FilterBlock:
        raise no_blocks()


def total(stats: Iterable[QdiscStats]) -> QdiscStats:
    """Sums of all counts."""
    each = list(stats)
    return QdiscStats(
        bytes=sum(child.bytes for child in each),
        packets=sum(child.packets for child in each),
        drops=sum(child.drops for child in each),
        overlimits=sum(child.overlimits for child in each),
        requeues=sum(child.requeues for child in each),
        qlen=sum(child.qlen for child in each),
        backlog=sum(child.backlog for child in each),
    )
