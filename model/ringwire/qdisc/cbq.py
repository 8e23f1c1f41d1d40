"""cbq: class-based queueing, as Linux had it before 6.3; classes are held to their rates by the idle time between
their packets, and borrow from those above.

After net/sched/sch_cbq.c of Linux 6.2, and Floyd and Van Jacobson, "Link-sharing and resource management models for
packet networks" (IEEE/ACM Transactions on Networking, 1995). Linux left ``backlog`` of the discipline itself at 0; here
it counts as that of any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ringwire.qdisc.base import ROOT_ID, XMIT_BYPASS, XMIT_STOLEN, XMIT_SUCCESS, psched_mtu
from ringwire.qdisc.cbq_class import (
    DEFAULT_EWMA,
    MAX_LEVEL,
    PRIORITIES,
    PRIOS,
    CbqClass,
    CbqClassParams,
    CbqStats,
    TableSpec,
)
from ringwire.qdisc.cbq_rounds import Rounds
from ringwire.qdisc.cbq_split import CbqBlock, leave_split, reclassified, set_defmap
from ringwire.qdisc.classful import verdict_rc
from ringwire.qdisc.classify import NO_CLASS, RECLASSIFY, FilterBlock
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.psched import TICK_NS
from ringwire.qdisc.treeclasses import TreeClasses
from ringwire.qdisc.watchdog import Watchdog
from ringwire.skb import Skb

MAJOR = 0xFFFF_0000
MAX_MTUS = 32
"""Largest quantum that is believed, in packets of the device's largest size."""


@dataclass(frozen=True, slots=True)
class CbqParams:
    """The link: its rate, and as of a class its estimator."""

    table: TableSpec | None = None
    link: CbqClassParams | None = None


class Cbq(TreeClasses[CbqParams, CbqClass]):
    """The discipline itself is the class of the link, with minor number 0; all classes can hold packets."""

    kind: ClassVar[str] = "cbq"
    params_type = CbqParams
    class_params_type: ClassVar[type[Any]] = CbqClassParams
    in_use: ClassVar[str] = ""

    link: CbqClass

    def setup(self) -> None:
        super().setup()
        self.filters = CbqBlock(self, self.handle)
        self.watchdog = Watchdog(self)
        self._rounds = Rounds(self._ticks())
        self._weights = [0] * PRIOS
        self._counts = [0] * PRIOS
        self._sent: tuple[CbqClass, CbqClass, int] | None = None
        """The packet sent last, not yet in the estimates: its class, who lent the time, bytes."""
        self._generated = 0

    def _ticks(self) -> int:
        return self.dev.now_ns() // TICK_NS

    def change(self, params: CbqParams) -> None:
        if self.by_id:
            raise QdiscError("EINVAL", "Change operation not supported by specified qdisc")
        if params.table is None or not params.table.rate.bytes_per_s:
            raise QdiscError("EINVAL", "Rate specification missing or incomplete")
        link = self.link = CbqClass(self.handle, None, self.default_leaf(self.handle), params.table, self._rounds)
        link.prio = PRIOS - 1
        link.allot = psched_mtu(self.dev)
        link.ewma = DEFAULT_EWMA
        link.avpkt = link.allot // 2
        if params.link is not None:
            link.set_link_sharing(params.link)
        self.by_id[self.handle] = link
        self._enter_prio(link)

    def params(self) -> CbqParams:
        return CbqParams(self.link.table)

    def xstats(self) -> CbqStats:
        return self.link.xstats()

    # -- classes

    def pick_classid(self) -> int:
        for _ in range(0x8000):
            self._generated = self._generated % 0x7FFF + 1
            classid = self.handle | 0x8000 | self._generated
            if classid not in self.by_id:
                return classid
        raise QdiscError("ENOSR", "Unable to generate classid")

    def make_class(self, classid: int, parent_id: int, params: CbqClassParams) -> CbqClass:
        if parent_id == ROOT_ID:
            raise QdiscError("EINVAL")
        if not params.has_wrr or params.table is None or not params.has_lss:
            message = "One of the following attributes MUST be specified: WRR, rate or link sharing"
            raise QdiscError("EINVAL", message)
        parent = self.by_id.get(parent_id or self.handle)
        if parent is None:
            raise QdiscError("EINVAL", "Failed to find parentid")
        cls = CbqClass(classid, parent, self.default_leaf(classid), params.table, self._rounds)
        parent.adopt_levels(cls)
        cls.set_link_sharing(params)
        self._set_round(cls, params)
        link = self.link
        cls.ewma = cls.ewma or link.ewma
        cls.maxidle = cls.maxidle or link.maxidle
        cls.avpkt = cls.avpkt or link.avpkt
        set_defmap(cls, params)
        return cls

    def check_parent(self, cls: CbqClass, parent_id: int) -> None:
        if parent_id != cls.parent_id:
            raise QdiscError("EINVAL", "Parent must be root" if cls is self.link else "Invalid parent id")

    def change_class(self, cls: CbqClass, params: CbqClassParams) -> None:
        self._rounds.deactivate(cls)
        if params.table is not None:
            cls.set_table(params.table)
        if params.has_lss:
            cls.set_link_sharing(params)
        if params.has_wrr:
            self._leave_prio(cls)
            self._set_round(cls, params)
        set_defmap(cls, params)
        if cls.qdisc.qlen:
            self._rounds.activate(cls)

    def _set_round(self, cls: CbqClass, params: CbqClassParams) -> None:
        cls.allot = params.allot or cls.allot
        cls.weight = params.weight or cls.weight
        if params.prio:
            cls.prio = params.prio - 1
        self._enter_prio(cls)

    def _enter_prio(self, cls: CbqClass) -> None:
        self._counts[cls.prio] += 1
        self._weights[cls.prio] += cls.weight

    def _leave_prio(self, cls: CbqClass) -> None:
        self._counts[cls.prio] -= 1
        self._weights[cls.prio] -= cls.weight

    def quantum(self, cls: CbqClass) -> int:
        """Bytes a round: its part of the weights at its priority, unless that makes no sense."""
        quantum = cls.weight * cls.allot * self._counts[cls.prio] // (self._weights[cls.prio] or 1)
        mtu = self.dev.mtu
        return quantum if 0 < quantum <= MAX_MTUS * mtu else mtu // 2 + 1

    def has_children(self, cls: CbqClass) -> bool:
        return cls.children > 0 or cls is self.link

    def free_class(self, cls: CbqClass) -> None:
        self._rounds.deactivate(cls)
        if self._sent is not None:
            sender, lender, size = self._sent
            if sender is cls:
                self._sent = None
            elif lender is cls:
                self._sent = sender, sender, size
        assert cls.parent is not None
        # Linux never makes it a leaf again
        cls.parent.disown_levels(cls, 1)
        leave_split(cls)
        self._leave_prio(cls)

    def block(self, classid: int) -> FilterBlock:
        cls = self.find_class(classid)
        if classid & 0xFFFF and cls is not None and cls.block is None:
            cls.block = CbqBlock(self, cls.classid)
        return super().block(classid)

    def qlen_notify(self, minor: int) -> None:
        self._rounds.deactivate(self.by_id[self.handle | minor])

    def clear(self) -> None:
        self._sent = None
        self.watchdog.cancel()
        self._rounds.clear(self._ticks())
        for cls in self.by_id.values():
            cls.active = False
            cls.heap = None
            cls.undertime = 0
            cls.avgidle = cls.maxidle
            cls.deficit = self.quantum(cls)

    # -- packets

    def _classify(self, skb: Skb) -> CbqClass | int:
        """The packet's class, or what ``enqueue`` returns without one."""
        priority = skb.priority
        cls = self.by_id.get(priority)
        if cls is not None:
            return cls
        head = self.link
        block: FilterBlock | None = self.filters
        while block is not None and block.chains:
            verdict = block.classify(skb, self.match)
            if verdict < 0:
                break
            if verdict in NO_CLASS:
                return verdict_rc(verdict)
            classid = self.match.classid
            if classid & MAJOR:
                cls = self.by_id.get(classid)
            else:
                cls = head.defaults[classid & PRIORITIES - 1] or head.defaults[0]
            if cls is None or cls.level >= head.level:
                break
            if verdict == RECLASSIFY:
                return reclassified(cls) or XMIT_SUCCESS | XMIT_BYPASS
            if not cls.level:
                return cls
            head = cls
            block = cls.block
        if priority & MAJOR:
            return head
        return head.defaults[priority & PRIORITIES - 1] or head.defaults[0] or head

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        cls = self._classify(skb)
        if isinstance(cls, int):
            return self.refuse_unclassified(skb, cls, to_free)
        size = skb.pkt_len
        rounds = self._rounds
        rc = cls.qdisc.enqueue(skb, to_free)
        if rc == XMIT_SUCCESS:
            self.qlen += 1
            self.backlog += size
            rounds.mark_toplevel(cls, self._ticks())
            if not cls.active:
                rounds.activate(cls)
        elif not rc & XMIT_STOLEN:
            self.drops += 1
            rounds.mark_toplevel(cls, self._ticks())
            cls.drops += 1
        return rc

    def dequeue(self) -> Skb | None:
        now = self._ticks()
        rounds = self._rounds
        if self._sent is not None:
            self._account()
        rounds.proceed(now)
        while True:
            for prio in range(PRIOS):
                skb = self._dequeue_prio(prio)
                if skb is not None:
                    self.bytes += skb.pkt_len
                    self.packets += skb.gso_segs or 1
                    self.backlog -= skb.pkt_len
                    self.qlen -= 1
                    return skb
            if rounds.toplevel == MAX_LEVEL and not self.link.undertime:
                break
            # nobody may send by the book: if the link itself is the reason, forgive it
            rounds.toplevel = MAX_LEVEL
            self.link.undertime = 0
        if self.qlen:
            self.overlimits += 1
            when = rounds.next_event()
            if when is not None:
                self.watchdog.schedule(when * TICK_NS)
        return None

    def _dequeue_prio(self, prio: int) -> Skb | None:
        """Serve the first class, in the round's order, that may send and has bytes left in this round."""
        rounds = self._rounds
        silent: list[CbqClass] = []
        sent: Skb | None = None
        while (turn := rounds.next(prio)) is not None:
            cls, lender = turn
            leaf = cls.qdisc
            if not leaf.qlen:
                rounds.deactivate(cls)
            elif cls.deficit <= 0:
                cls.deficit += self.quantum(cls)
                rounds.to_tail(cls)
            else:
                sent = leaf.dequeue()
                if sent is not None:
                    self._note_sent(cls, lender, sent.pkt_len)
                    break
                # its leaf keeps the packets back
                rounds.set_aside(cls)
                silent.append(cls)
        for cls in silent:
            if cls.active and cls.heap is None:
                rounds.to_tail(cls)
        return sent

    def _note_sent(self, cls: CbqClass, lender: CbqClass, size: int) -> None:
        if lender is not cls:
            lender.borrows += 1
            cls.borrows += 1
        self._sent = cls, lender, size
        cls.deficit -= size
        if cls.deficit <= 0:
            cls.deficit += self.quantum(cls)
            self._rounds.to_tail(cls)

    def _account(self) -> None:
        """Take the packet sent last into the estimates of its class and of those that share with it."""
        assert self._sent is not None
        sender, lender, size = self._sent
        self._sent = None
        rounds = self._rounds
        link_ticks = self.link.ticks(size)
        end = rounds.now + link_ticks
        cls: CbqClass | None = sender
        while cls is not None:
            cls.account(size, end, link_ticks)
            if cls.qdisc.qlen:
                rounds.place(cls)
            else:
                rounds.deactivate(cls)
            cls = cls.share
        rounds.update_toplevel(sender, lender)
