"""drr: deficit round robin over classes, each with a quantum of bytes a round (Shreedhar and Varghese, 1995).

After net/sched/sch_drr.c of Linux 6.12.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, ClassVar

from ringwire.qdisc.base import ROOT_ID, XMIT_STOLEN, XMIT_SUCCESS, AnyQdisc, NoParams, psched_mtu
from ringwire.qdisc.classful import QdiscClass, UserClasses
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.options import option, shown
from ringwire.skb import Skb


@dataclass(frozen=True, slots=True)
class DrrClassParams:
    """``quantum`` in bytes, a full-sized packet's if not given."""

    quantum: int | None = option("size")


@dataclass(frozen=True, slots=True)
class DrrClassStats:
    deficit: int = shown("size")


class DrrClass(QdiscClass):
    __slots__ = ("deficit", "quantum")

    def __init__(self, classid: int, qdisc: AnyQdisc, quantum: int) -> None:
        super().__init__(classid, ROOT_ID, qdisc)
        self.quantum = quantum
        self.deficit = 0
        """Bytes it may still send in this round."""

    def params(self) -> DrrClassParams:
        return DrrClassParams(self.quantum)

    def xstats(self) -> DrrClassStats:
        return DrrClassStats(self.deficit if self.qdisc.qlen else 0)


class Drr(UserClasses[NoParams, DrrClass]):
    """A packet without a class is dropped."""

    kind: ClassVar[str] = "drr"
    class_params_type: ClassVar[type[Any]] = DrrClassParams
    in_use: ClassVar[str] = "DRR class is in use"

    def setup(self) -> None:
        super().setup()
        self._active: OrderedDict[DrrClass, None] = OrderedDict()
        """Classes with packets, in their round's order."""

    def make_class(self, classid: int, parent_id: int, params: DrrClassParams) -> DrrClass:
        cls = DrrClass(classid, self.default_leaf(classid), psched_mtu(self.dev))
        self.change_class(cls, params)
        return cls

    def change_class(self, cls: DrrClass, params: DrrClassParams) -> None:
        if params.quantum == 0:
            raise QdiscError("EINVAL", "Specified DRR quantum cannot be zero")
        if params.quantum is not None:
            cls.quantum = params.quantum

    def clear(self) -> None:
        self._active.clear()

    def qlen_notify(self, minor: int) -> None:
        self._active.pop(self.by_id[self.handle | minor], None)

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        cls = self.classify(skb)
        if isinstance(cls, int):
            return self.refuse_unclassified(skb, cls, to_free)
        size = skb.pkt_len
        leaf = cls.qdisc
        first = not leaf.qlen
        rc = leaf.enqueue(skb, to_free)
        if rc != XMIT_SUCCESS:
            if not rc & XMIT_STOLEN:
                self.drops += 1
            return rc
        if first:
            cls.deficit = cls.quantum
            self._active[cls] = None
        self.qlen += 1
        self.backlog += size
        return rc

    def dequeue(self) -> Skb | None:
        active = self._active
        while active:
            cls = next(iter(active))
            leaf = cls.qdisc
            skb = leaf.peek()
            if skb is None:
                return None
            size = skb.pkt_len
            if size <= cls.deficit:
                cls.deficit -= size
                skb = leaf.dequeue_peeked()
                if skb is None:
                    return None
                if not leaf.qlen:
                    active.pop(cls, None)
                segments = skb.gso_segs or 1
                cls.bytes += size
                cls.packets += segments
                self.bytes += size
                self.packets += segments
                self.qlen -= 1
                self.backlog -= size
                return skb
            cls.deficit += cls.quantum
            active.move_to_end(cls)
        return None
