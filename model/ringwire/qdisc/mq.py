"""mq: the root of a device with several transmit queues, one default discipline below it for each.

After net/sched/sch_mq.c of Linux 6.12.
"""

from __future__ import annotations

from typing import ClassVar

from ringwire.qdisc.base import MQROOT, ROOT_ID, AnyQdisc, NoParams, QdiscStats
from ringwire.qdisc.txqueues import QueueClass, TxQueues, total
from ringwire.skb import Skb


class Mq(TxQueues[NoParams, QueueClass]):
    """Never sees a packet itself: each queue runs its own child, class ``handle:(queue + 1)``."""

    kind: ClassVar[str] = "mq"
    default_flags = MQROOT

    def make_queue(self, classid: int, qdisc: AnyQdisc) -> QueueClass:
        return QueueClass(classid, ROOT_ID, qdisc)

    def for_queue(self, index: int) -> AnyQdisc:
        return self.queues[index].qdisc

    def stats(self) -> QdiscStats:
        return total(child.stats() for _, child in self.children())

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        raise TypeError("mq is run by its children")

    def dequeue(self) -> Skb | None:
        raise TypeError("mq is run by its children")
