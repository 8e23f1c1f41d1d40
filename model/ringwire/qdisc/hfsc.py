"""hfsc: classes with service curves, which guarantee bandwidth and delay apart, and share what is left by hierarchy.

After Stoica, Zhang and Ng, "A hierarchical fair service curve algorithm for link-sharing, real-time and priority
services" (SIGCOMM 1997), and net/sched/sch_hfsc.c of Linux 6.12.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ringwire.qdisc.base import ROOT_ID, XMIT_BYPASS, XMIT_STOLEN, XMIT_SUCCESS
from ringwire.qdisc.classful import purge, verdict_rc
from ringwire.qdisc.classify import NO_CLASS, FilterBlock
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.hfsc_class import HfscClass, HfscClassParams
from ringwire.qdisc.hfsc_curve import U64, Curve
from ringwire.qdisc.keyheap import DueQueue
from ringwire.qdisc.options import option
from ringwire.qdisc.psched import TICK_NS
from ringwire.qdisc.treeclasses import TreeClasses
from ringwire.qdisc.watchdog import Watchdog
from ringwire.skb import Skb


@dataclass(frozen=True, slots=True)
class HfscParams:
    """``default`` is the minor number of the class for packets without one; they are dropped if it is no leaf."""

    default: int = option("number", default=0)


class Hfsc(TreeClasses[HfscParams, HfscClass]):
    """The discipline itself is the class at the root, with minor number 0."""

    kind: ClassVar[str] = "hfsc"
    params_type = HfscParams
    class_params_type: ClassVar[type[Any]] = HfscClassParams
    in_use: ClassVar[str] = "HFSC class in use"

    def setup(self) -> None:
        super().setup()
        self.watchdog = Watchdog(self)
        self._eligible: DueQueue[HfscClass] = DueQueue()
        """Active classes with a real-time curve, by deadline, from their eligible time on."""
        self._order = 0
        self.root_class = HfscClass(self.handle, None, self.default_leaf(self.handle))
        self.by_id[self.handle] = self.root_class

    def change(self, params: HfscParams) -> None:
        self._params = HfscParams(params.default & 0xFFFF)
        self._default = self.handle | self._params.default

    def params(self) -> HfscParams:
        return self._params

    def _ticks(self) -> int:
        return self.dev.now_ns() // TICK_NS

    # -- classes

    def make_class(self, classid: int, parent_id: int, params: HfscClassParams) -> HfscClass:
        rsc, fsc, usc = _curves(params)
        if parent_id == ROOT_ID:
            raise QdiscError("EEXIST")
        parent = self.by_id.get(parent_id or self.handle)
        if parent is None:
            raise QdiscError("ENOENT")
        if rsc is None and fsc is None:
            raise QdiscError("EINVAL")
        cls = HfscClass(classid, parent, self.default_leaf(classid))
        if rsc is not None:
            cls.set_rsc(rsc, 0)
        if fsc is not None:
            cls.set_fsc(fsc)
        if usc is not None:
            cls.set_usc(usc, 0)
        if parent.fsc is None and parent is not self.root_class:
            self.warning = "Forced curve change on parent 'rt' to 'sc'"
            assert parent.rsc is not None
            parent.set_fsc(parent.rsc)
        if not parent.level:
            purge(parent.qdisc)
        parent.adopt_levels(cls)
        self._note_leaves(parent)
        return cls

    def check_parent(self, cls: HfscClass, parent_id: int) -> None:
        if parent_id != cls.parent_id:
            raise QdiscError("EINVAL")

    def change_class(self, cls: HfscClass, params: HfscClassParams) -> None:
        rsc, fsc, usc = _curves(params)
        now = self._ticks()
        had_rsc, had_fsc = cls.rsc is not None, cls.fsc is not None
        if rsc is not None:
            cls.set_rsc(rsc, now)
        if fsc is not None:
            cls.set_fsc(fsc)
        if usc is not None:
            cls.set_usc(usc, now)
        if not cls.qdisc.qlen:
            return
        following = cls.qdisc.peek()
        size = 0 if following is None else following.pkt_len
        if cls.rsc is not None:
            if had_rsc:
                self._update_ed(cls, size)
            else:
                self._init_ed(cls, size)
        if cls.fsc is not None:
            if had_fsc:
                self._update_vf(cls, 0)
            else:
                self._init_vf(cls)

    def has_children(self, cls: HfscClass) -> bool:
        return cls.level > 0 or cls is self.root_class

    def free_class(self, cls: HfscClass) -> None:
        parent = cls.parent
        assert parent is not None
        parent.disown_levels(cls, 0)
        self._note_leaves(parent)

    def _note_leaves(self, parent: HfscClass) -> None:
        parent.leaf = not parent.level

    def qlen_notify(self, minor: int) -> None:
        cls = self.by_id[self.handle | minor]
        if cls.nactive:
            self._update_vf(cls, 0)
        self._eligible.discard(cls)

    def clear(self) -> None:
        for cls in self.by_id.values():
            cls.restart()
        self._eligible.clear()
        self.watchdog.cancel()

    # -- packets

    def _classify(self, skb: Skb) -> HfscClass | int:
        """The packet's leaf class, or what ``enqueue`` returns without one."""
        cls = self.by_id.get(skb.priority)
        if cls is not None and not cls.level:
            return cls
        head = self.root_class
        block: FilterBlock | None = self.filters
        while block is not None and block.chains:
            verdict = block.classify(skb, self.match)
            if verdict < 0:
                break
            if verdict in NO_CLASS:
                return verdict_rc(verdict)
            cls = self.by_id.get(self.match.classid)
            # filters lead downwards only
            if cls is None or cls.level >= head.level:
                break
            if not cls.level:
                return cls
            block = cls.block
            head = cls
        cls = self.by_id.get(self._default)
        return XMIT_SUCCESS | XMIT_BYPASS if cls is None or cls.level else cls

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        cls = self._classify(skb)
        if isinstance(cls, int):
            return self.refuse_unclassified(skb, cls, to_free)
        size = skb.pkt_len
        leaf = cls.qdisc
        first = not leaf.qlen
        rc = leaf.enqueue(skb, to_free)
        if rc != XMIT_SUCCESS:
            if not rc & XMIT_STOLEN:
                cls.drops += 1
                self.drops += 1
            return rc
        self.backlog += size
        self.qlen += 1
        if first and not cls.nactive and cls not in self._eligible:
            if cls.rsc is not None:
                self._init_ed(cls, size)
            if cls.fsc is not None:
                self._init_vf(cls)
            if cls.rsc is not None:
                # the deadline is this packet's: hold on to it, should the leaf drop from its head
                leaf.peek()
        return rc

    def dequeue(self) -> Skb | None:
        if not self.qlen:
            return None
        now = self._ticks()
        cls = self._eligible.first(now)
        realtime = cls is not None
        if cls is None:
            cls = self._least_vt(now)
            if cls is None:
                self.overlimits += 1
                self._wait()
                return None
        leaf = cls.qdisc
        skb = leaf.dequeue_peeked()
        if skb is None:
            return None
        size = skb.pkt_len
        cls.bytes += size
        cls.packets += skb.gso_segs or 1
        self._update_vf(cls, size)
        if realtime:
            cls.cumul += size
        if cls.rsc is not None:
            following = leaf.peek() if leaf.qlen else None
            if following is None:
                self._eligible.discard(cls)
            elif leaf.qlen:
                if realtime:
                    self._update_ed(cls, following.pkt_len)
                else:
                    self._set_deadline(cls, following.pkt_len)
                    self._enter_eligible(cls)
        self.bytes += size
        self.packets += skb.gso_segs or 1
        self.backlog -= size
        self.qlen -= 1
        return skb

    def _wait(self) -> None:
        """Arm the watchdog for the first eligible time or the first upper limit that lets a class send."""
        when = self._eligible.next_due() or 0
        fit = self.root_class.cfmin
        if fit and (not when or when > fit):
            when = fit
        if when:
            self.watchdog.schedule(when * TICK_NS & U64)

    # -- the real-time criterion: eligible times and deadlines

    def _init_ed(self, cls: HfscClass, size: int) -> None:
        """A class becomes active with a packet of ``size`` bytes."""
        assert cls.deadline is not None
        cls.deadline.lower(self._ticks(), cls.cumul)
        cls.eligible = cls.deadline.eligible()
        self._update_ed(cls, size)

    def _update_ed(self, cls: HfscClass, size: int) -> None:
        assert cls.eligible is not None
        cls.eligible_time = cls.eligible.time_of(cls.cumul)
        self._order += 1
        cls.eligible_order = self._order
        self._set_deadline(cls, size)
        self._enter_eligible(cls)

    def _set_deadline(self, cls: HfscClass, size: int) -> None:
        assert cls.deadline is not None
        cls.deadline_time = cls.deadline.time_of(cls.cumul + size)

    def _enter_eligible(self, cls: HfscClass) -> None:
        rank = cls.deadline_time, cls.eligible_time, cls.eligible_order
        self._eligible.put(cls, cls.eligible_time, rank)

    # -- the link-sharing criterion: virtual times and times at which the upper limits fit

    def _least_vt(self, now: int) -> HfscClass | None:
        """Down from the root, each time to the fitting child of least virtual time."""
        cls: HfscClass | None = self.root_class
        if cls is None or cls.cfmin > now:
            return None
        while cls.level:
            above = cls
            cls = above.by_vt.first(now)
            if cls is None:
                return None
            if above.cvtmin < cls.vt:
                above.cvtmin = cls.vt
        return cls

    def _init_vf(self, cls: HfscClass) -> None:
        """A leaf becomes active, and with it those above that were not."""
        go_active = True
        while cls.parent is not None:
            parent: HfscClass = cls.parent
            if go_active:
                go_active = not cls.nactive
                cls.nactive += 1
                if go_active:
                    parent.begin_period(cls, self._ticks())
            fit = max(cls.myfit, cls.cfmin)
            if fit != cls.fit:
                parent.set_fit(cls, fit)
            parent.update_cfmin()
            cls = parent

    def _update_vf(self, cls: HfscClass, size: int) -> None:
        """A leaf has sent, or has become empty: its virtual time and those above go on."""
        go_passive = not cls.qdisc.qlen and cls.fsc is not None
        while cls.parent is not None:
            parent: HfscClass = cls.parent
            cls.total += size
            if cls.virtual is not None and cls.nactive:
                if go_passive:
                    cls.nactive -= 1
                    go_passive = not cls.nactive
                vt = cls.virtual.time_of(cls.total) + cls.vtadj & U64
                if vt < parent.cvtmin:
                    # its siblings went on while its upper limit held it back: it is not to catch up
                    cls.vtadj += parent.cvtmin - vt
                    vt = parent.cvtmin
                cls.vt = vt
                if go_passive:
                    if vt > parent.cvtoff:
                        parent.cvtoff = vt
                    parent.remove_active(cls)
                    parent.update_cfmin()
                else:
                    if cls.ulimit is not None:
                        cls.myfit = cls.ulimit.time_of(cls.total)
                    fit = max(cls.myfit, cls.cfmin)
                    if fit != cls.fit:
                        cls.fit = fit
                        parent.by_fit.put(cls, fit)
                        parent.update_cfmin()
                    parent.enter_vt(cls)
            cls = parent


def _curves(params: HfscClassParams) -> tuple[Curve | None, Curve | None, Curve | None]:
    """Those that are given and have a slope."""
    rt, ls, ul = (None if c is None or not (c.m1 or c.m2) else Curve(c) for c in (params.rt, params.ls, params.ul))
    return rt, ls, ul
