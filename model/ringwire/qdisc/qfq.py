"""qfq: quick fair queueing, in its newer form QFQ+; classes share the link by weight, with tight bounds on delay.

After net/sched/sch_qfq.c of Linux 6.12, and Valente, "Reducing the execution time of fair-queueing packet schedulers"
(Computer Communications, 2014).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ringwire.qdisc.base import ROOT_ID, XMIT_STOLEN, XMIT_SUCCESS, AnyQdisc, NoParams, psched_mtu
from ringwire.qdisc.classful import QdiscClass, UserClasses
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.options import option
from ringwire.qdisc.qfq_groups import FRAC_BITS, MAX_INDEX, ONE, U64, Aggregate, Schedule
from ringwire.skb import Skb

MAX_WEIGHT = 1 << 10
MAX_WSUM = 64 * MAX_WEIGHT
MTU_SHIFT = 16
MIN_LMAX, MAX_LMAX = 512, 1 << MTU_SHIFT
MAX_AGG_CLASSES = 8


@dataclass(frozen=True, slots=True)
class QfqClassParams:
    """``maxpkt`` in bytes, the device's largest packet if not given."""

    weight: int | None = option("number")
    maxpkt: int | None = option("number")


class QfqClass(QdiscClass):
    """Its own counters count what came in."""

    __slots__ = ("agg", "deficit")

    def __init__(self, classid: int, qdisc: AnyQdisc, deficit: int) -> None:
        super().__init__(classid, ROOT_ID, qdisc)
        self.deficit = deficit
        """Bytes it may still send in its aggregate's round."""

    agg: Aggregate

    def params(self) -> QfqClassParams:
        return QfqClassParams(self.agg.class_weight, self.agg.lmax)


class Qfq(UserClasses[NoParams, QfqClass]):
    """A packet without a class is dropped; one that is larger than its class expects makes it expect such."""

    kind: ClassVar[str] = "qfq"
    class_params_type: ClassVar[type[Any]] = QfqClassParams
    in_use: ClassVar[str] = "sch_qfq: QFQ class in use"

    def setup(self) -> None:
        super().setup()
        classes_shift = min(self.dev.tx_queue_len + 1, MAX_AGG_CLASSES).bit_length() - 1
        self._max_agg_classes = 1 << classes_shift
        self._schedule = Schedule(FRAC_BITS + MTU_SHIFT + classes_shift - MAX_INDEX)
        self._nonfull: dict[tuple[int, int], list[Aggregate]] = {}
        """(lmax, weight) -> aggregates with room for a class; the last is filled first."""

    # -- classes

    def make_class(self, classid: int, parent_id: int, params: QfqClassParams) -> QfqClass:
        weight, lmax = self._checked(params, 0)
        cls = QfqClass(classid, self.default_leaf(classid), lmax)
        self._add_to_agg(cls, lmax, weight)
        return cls

    def change_class(self, cls: QfqClass, params: QfqClassParams) -> None:
        old = cls.agg
        weight, lmax = self._checked(params, old.class_weight, old)
        if (lmax, weight) != (old.lmax, old.class_weight):
            self._move_to_agg(cls, lmax, weight)

    def _checked(self, params: QfqClassParams, old_weight: int, old: Aggregate | None = None) -> tuple[int, int]:
        """(weight, lmax) as they are used: what is not given is the default, at a change too."""
        weight, lmax = params.weight, params.maxpkt
        if weight is None:
            weight = 1
        elif not 1 <= weight <= MAX_WEIGHT:
            raise QdiscError("ERANGE", "integer out of range")
        if lmax is None:
            lmax = psched_mtu(self.dev)
            if not MIN_LMAX <= lmax <= MAX_LMAX:
                raise QdiscError("EINVAL", "sch_qfq: MTU size out of bounds for qfq")
        elif not MIN_LMAX <= lmax <= MAX_LMAX:
            raise QdiscError("ERANGE", "integer out of range")
        weight = ONE // (ONE // weight)
        if old is not None and (lmax, weight) == (old.lmax, old.class_weight):
            return weight, lmax
        more, total = weight - old_weight, self._schedule.wsum
        if total + more > MAX_WSUM:
            raise QdiscError("EINVAL", f"sch_qfq: total weight out of range ({more} + {total})")
        return weight, lmax

    def free_class(self, cls: QfqClass) -> None:
        self._deactivate(cls)
        self._leave_agg(cls)

    def _add_to_agg(self, cls: QfqClass, lmax: int, weight: int) -> None:
        there = self._nonfull.get((lmax, weight))
        agg = there[-1] if there else self._new_agg(lmax, weight)
        cls.agg = agg
        self._resize_agg(agg, agg.num_classes + 1)
        if cls.qdisc.qlen:
            agg.active[cls] = None
            if len(agg.active) == 1 and self._schedule.in_service is not agg:
                self._schedule.activate(agg)

    def _new_agg(self, lmax: int, weight: int) -> Aggregate:
        agg = Aggregate(lmax, weight)
        self._nonfull.setdefault((lmax, weight), []).append(agg)
        return agg

    def _move_to_agg(self, cls: QfqClass, lmax: int, weight: int) -> None:
        """The new aggregate is looked up before the class leaves the old one, as Linux does."""
        if (lmax, weight) not in self._nonfull:
            self._new_agg(lmax, weight)
        self._deactivate(cls)
        self._leave_agg(cls)
        self._add_to_agg(cls, lmax, weight)

    def _leave_agg(self, cls: QfqClass) -> None:
        agg = cls.agg
        if agg.num_classes > 1:
            self._resize_agg(agg, agg.num_classes - 1)
            return
        self._not_nonfull(agg)
        schedule = self._schedule
        schedule.add_weight(-agg.class_weight)
        if schedule.in_service is agg:
            schedule.in_service = schedule.choose()

    def _not_nonfull(self, agg: Aggregate) -> None:
        key = agg.lmax, agg.class_weight
        there = self._nonfull.get(key, [])
        if agg in there:
            there.remove(agg)
            if not there:
                del self._nonfull[key]

    def _resize_agg(self, agg: Aggregate, count: int) -> None:
        """An aggregate has another number of classes; it stays in the group that its first gave it."""
        most = self._max_agg_classes
        if count == most:
            self._not_nonfull(agg)
        if agg.num_classes > count == most - 1:
            self._nonfull.setdefault((agg.lmax, agg.class_weight), []).append(agg)
        agg.budget_max = count * agg.lmax
        agg.inv_w = ONE // (agg.class_weight * count)
        if agg.group is None:
            agg.group = self._schedule.group_of(agg.inv_w, agg.budget_max)
        self._schedule.add_weight(agg.class_weight * (count - agg.num_classes))
        agg.num_classes = count

    def _deactivate(self, cls: QfqClass) -> None:
        """Take a class out of its aggregate's round."""
        agg = cls.agg
        if cls in agg.active:
            del agg.active[cls]
            if not agg.active:
                self._schedule.deactivate(agg)

    def qlen_notify(self, minor: int) -> None:
        self._deactivate(self.by_id[self.handle | minor])

    def clear(self) -> None:
        for cls in self.by_id.values():
            self._deactivate(cls)

    # -- packets

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        cls = self.classify(skb)
        if isinstance(cls, int):
            return self.refuse_unclassified(skb, cls, to_free)
        size = skb.pkt_len
        agg = cls.agg
        if agg.lmax < size:
            if size > MAX_LMAX:
                cls.drops += 1
                return self.refuse(skb, to_free)
            self._move_to_agg(cls, size, agg.class_weight)
            agg = cls.agg
        leaf = cls.qdisc
        rc = leaf.enqueue(skb, to_free)
        if rc != XMIT_SUCCESS:
            if not rc & XMIT_STOLEN:
                cls.drops += 1
                self.drops += 1
            return rc
        cls.bytes += size
        cls.packets += skb.gso_segs or 1
        self.backlog += size
        self.qlen += 1
        active = agg.active
        if cls in active:
            if leaf.peek() is skb and next(iter(active)) is cls and cls.deficit < size:
                active.move_to_end(cls)
            return rc
        cls.deficit = agg.lmax
        active[cls] = None
        if len(active) == 1 and self._schedule.in_service is not agg:
            self._schedule.activate(agg)
        return rc

    def dequeue(self) -> Skb | None:
        schedule = self._schedule
        agg = schedule.in_service
        if agg is None:
            return None
        skb: Skb | None = None
        if agg.active:
            skb = next(iter(agg.active)).qdisc.peek()
        if skb is None or agg.budget < skb.pkt_len:
            agg.charge()
            agg.initial_budget = agg.budget = agg.budget_max
            if agg.active:
                schedule.requeue(agg)
            elif not self.qlen:
                schedule.in_service = None
                return None
            agg = schedule.in_service = schedule.choose()
            if agg is None or not agg.active:
                return None
            skb = next(iter(agg.active)).qdisc.peek()
            if skb is None:
                return None
        size = skb.pkt_len
        skb = self._take(agg, size)
        if skb is None:
            return None
        self.qlen -= 1
        self.backlog -= size
        self.bytes += size
        self.packets += skb.gso_segs or 1
        agg.budget = max(agg.budget - size, 0)
        schedule.time = schedule.time + size * schedule.iwsum & U64
        return skb

    def _take(self, agg: Aggregate, size: int) -> Skb | None:
        """The head of the round's first class, and whose turn is next."""
        cls = next(iter(agg.active))
        leaf = cls.qdisc
        skb = leaf.dequeue_peeked()
        if skb is None:
            return None
        cls.deficit -= size
        if not leaf.qlen:
            agg.active.pop(cls, None)
        else:
            following = leaf.peek()
            if cls.deficit < (0 if following is None else following.pkt_len):
                cls.deficit += agg.lmax
                agg.active.move_to_end(cls)
        return skb
