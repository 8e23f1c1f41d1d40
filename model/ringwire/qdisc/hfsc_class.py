"""A class of hfsc: its curves, its times, and its children's order.

After struct hfsc_class in net/sched/sch_hfsc.c of Linux 6.12.
"""

from __future__ import annotations

from dataclasses import dataclass

from ringwire.qdisc.base import ROOT_ID, AnyQdisc, QdiscStats
from ringwire.qdisc.hfsc_curve import Curve, RunningCurve, ServiceCurve
from ringwire.qdisc.keyheap import DueQueue, KeyHeap
from ringwire.qdisc.options import shown
from ringwire.qdisc.treeclasses import TreeClass


@dataclass(frozen=True, slots=True)
class HfscClassParams:
    """Real-time, link-share and upper-limit curves; one of two zero slopes counts as not given."""

    rt: ServiceCurve | None = None
    ls: ServiceCurve | None = None
    ul: ServiceCurve | None = None


@dataclass(frozen=True, slots=True)
class HfscClassStats:
    """Backlog periods, bytes sent, and of them by the real-time criterion."""

    period: int = shown("number", default=0)
    work: int = shown("number", default=0)
    rtwork: int = shown("number", default=0)
    level: int = shown("number", default=0)


class HfscClass(TreeClass):
    """Curves are None where there is none; times are in ticks."""

    __slots__ = (
        "by_fit",
        "by_last_vt",
        "by_vt",
        "cfmin",
        "cumul",
        "cvtmin",
        "cvtoff",
        "deadline",
        "deadline_time",
        "eligible",
        "eligible_order",
        "eligible_time",
        "entries",
        "fit",
        "fsc",
        "myfit",
        "nactive",
        "parent_period",
        "period",
        "rsc",
        "total",
        "ulimit",
        "usc",
        "virtual",
        "vt",
        "vt_order",
        "vtadj",
    )

    def __init__(self, classid: int, parent: HfscClass | None, qdisc: AnyQdisc) -> None:
        super().__init__(classid, ROOT_ID if parent is None else parent.classid, qdisc, parent)
        self.rsc: Curve | None = None
        self.fsc: Curve | None = None
        self.usc: Curve | None = None
        self.deadline: RunningCurve | None = None
        self.eligible: RunningCurve | None = None
        self.virtual: RunningCurve | None = None
        self.ulimit: RunningCurve | None = None
        self.by_vt: DueQueue[HfscClass] = DueQueue()
        """Active children by virtual time, from the time on at which their upper limit lets them send."""
        self.by_last_vt: KeyHeap[HfscClass] = KeyHeap()
        """The same, the last virtual time first."""
        self.by_fit: KeyHeap[HfscClass] = KeyHeap()
        """The same by the time at which they fit."""
        self.entries = 0
        """How often a child was entered: the later one comes behind."""
        self.restart()

    def restart(self) -> None:
        """As after a reset: no packets, and time begins anew."""
        self.total = self.cumul = 0
        """Bytes sent, and of them by the real-time criterion."""
        self.deadline_time = self.eligible_time = 0
        self.eligible_order = self.vt_order = 0
        """Which came first of equal times."""
        self.vt = self.vtadj = 0
        self.cvtmin = self.cvtoff = 0
        """Of the children: least virtual time served, and largest seen."""
        self.fit = self.myfit = self.cfmin = 0
        """When it may send for its upper limits: with its children, by itself, and the earliest of its children."""
        self.period = self.parent_period = 0
        self.nactive = 0
        """Active children, or 1 of an active leaf."""
        for queue in (self.by_vt, self.by_last_vt, self.by_fit):
            queue.clear()
        if self.rsc is not None:
            self.set_rsc(self.rsc, 0)
        if self.fsc is not None:
            self.set_fsc(self.fsc)
        if self.usc is not None:
            self.set_usc(self.usc, 0)

    def set_rsc(self, curve: Curve, now: int) -> None:
        self.rsc = curve
        self.deadline = RunningCurve(curve, now, self.cumul)
        self.eligible = self.deadline.eligible()

    def set_fsc(self, curve: Curve) -> None:
        self.fsc = curve
        self.virtual = RunningCurve(curve, self.vt, self.total)

    def set_usc(self, curve: Curve, now: int) -> None:
        self.usc = curve
        self.ulimit = RunningCurve(curve, now, self.total)

    def begin_period(self, child: HfscClass, now: int) -> None:
        """Enter an idle child among its active siblings: between the first and the last of them."""
        assert child.virtual is not None
        last = self.by_last_vt.first()
        if last is not None:
            vt = -last[0]
            if self.cvtmin:
                vt = (self.cvtmin + vt) // 2
            # within one period of the parent it does not fall back
            if self.period != child.parent_period or vt > child.vt:
                child.vt = vt
        else:
            child.vt = self.cvtoff
            self.cvtmin = 0
        child.virtual.lower(child.vt, child.total)
        child.vtadj = 0
        child.period += 1
        child.parent_period = self.period + (not self.nactive)
        if child.ulimit is not None:
            child.ulimit.lower(now, child.total)
            child.myfit = child.ulimit.time_of(child.total)
        child.fit = 0
        self.enter_vt(child)
        self.by_fit.put(child, 0)

    def enter_vt(self, child: HfscClass) -> None:
        """Put a child behind its siblings of the same virtual time."""
        self.entries += 1
        child.vt_order = self.entries
        self.by_vt.put(child, child.fit, (child.vt, child.vt_order))
        self.by_last_vt.put(child, -child.vt)

    def set_fit(self, child: HfscClass, fit: int) -> None:
        child.fit = fit
        self.by_fit.put(child, fit)
        self.by_vt.put(child, fit, (child.vt, child.vt_order))

    def remove_active(self, child: HfscClass) -> None:
        """A child has no packets any more."""
        self.by_vt.discard(child)
        self.by_last_vt.discard(child)
        self.by_fit.discard(child)

    def update_cfmin(self) -> None:
        first = self.by_fit.first()
        self.cfmin = 0 if first is None else first[0]

    def stats(self) -> QdiscStats:
        below = self.qdisc
        return QdiscStats(self.bytes, self.packets, self.drops, self.overlimits, 0, below.qlen, below.backlog)

    def params(self) -> HfscClassParams:
        return HfscClassParams(*(None if c is None else c.shown() for c in (self.rsc, self.fsc, self.usc)))

    def xstats(self) -> HfscClassStats:
        return HfscClassStats(self.period, self.total, self.cumul, self.level)
