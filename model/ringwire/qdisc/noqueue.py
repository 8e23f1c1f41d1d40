"""noqueue: no queue at all. The device takes a packet at once or it is dropped; after net/sched/sch_generic.c."""

from __future__ import annotations

from typing import ClassVar

from ringwire.qdisc.base import NOQUEUE, NoParams, Qdisc
from ringwire.skb import Skb


class Noqueue(Qdisc[NoParams]):
    """Marks a device whose packets skip queueing; what is enqueued all the same is dropped."""

    kind: ClassVar[str] = "noqueue"
    default_flags = NOQUEUE

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        return self.refuse(skb, to_free)

    def dequeue(self) -> Skb | None:
        return None
