"""A flow of sfq, and how it is shown as a class."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import ClassVar

from ringwire.qdisc.base import AnyQdisc, QdiscStats
from ringwire.qdisc.classful import QdiscClass
from ringwire.qdisc.options import shown
from ringwire.qdisc.red_law import RedVars
from ringwire.skb import Skb


class Slot:
    """One flow while it has packets, or a spare one."""

    __slots__ = ("allot", "backlog", "bucket", "queue", "state")

    def __init__(self) -> None:
        self.bucket = 0
        self.queue: deque[Skb] = deque()
        self.backlog = 0
        """Bytes."""
        self.allot = 0
        """Bytes it may still send in this round."""
        self.state = RedVars()


@dataclass(frozen=True, slots=True)
class FlowStats:
    """Bytes it may still send in this round."""

    allot: int = shown("signed", default=0)


class FlowClass(QdiscClass):
    """A flow on show: class ``handle:(bucket + 1)``, which can't be changed nor have a discipline of its own."""

    __slots__ = ("slot",)
    counts_sent: ClassVar[bool] = False

    def __init__(self, qdisc: AnyQdisc, classid: int, slot: Slot) -> None:
        super().__init__(classid, qdisc.handle, qdisc)
        self.leaf = False
        self.slot = slot

    def stats(self) -> QdiscStats:
        return QdiscStats(qlen=len(self.slot.queue), backlog=self.slot.backlog)

    def xstats(self) -> FlowStats:
        return FlowStats(self.slot.allot)
