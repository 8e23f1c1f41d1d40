"""A class of cbq: its estimate of idle time, from which follows until when it is over its limit.

After struct cbq_class and cbq_update in net/sched/sch_cbq.c of Linux 6.2, the last that had it, and Floyd and Van
Jacobson, "Link-sharing and resource management models for packet networks" (IEEE/ACM Transactions on Networking,
1995). Times are ticks of 64 ns.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from ringwire.qdisc.base import ROOT_ID, AnyQdisc, QdiscStats
from ringwire.qdisc.keyheap import KeyHeap
from ringwire.qdisc.options import shown
from ringwire.qdisc.psched import ATM, Rate, cells, xmit_ticks
from ringwire.qdisc.treeclasses import TreeClass

PRIOS = 8
MAX_LEVEL = 8
PRIORITIES = 16
"""Of packets: a split node has a default class for each."""
DEFAULT_EWMA = 5
NEVER_MIND = 0x7FFF_FFFF
"""``minidle`` of a class that names none."""
LONG_IDLE = 128 << 20
"""After so many ticks a class is as good as new."""
BOUNDED = 1
ISOLATED = 2
TABLE_SIZE = 256


@dataclass(frozen=True, slots=True)
class TableSpec:
    """What tc makes a rate table from."""

    rate: Rate
    cell_log: int


@lru_cache(maxsize=1024)
def rate_table(spec: TableSpec) -> tuple[int, ...]:
    """Ticks by length in cells of a power of two (tc_calc_rtable)."""
    rate = spec.rate
    sizes = (max(index + 1 << spec.cell_log, rate.mpu) for index in range(TABLE_SIZE))
    return tuple(xmit_ticks(rate.bytes_per_s, cells(size) if rate.linklayer == ATM else size) for size in sizes)


@dataclass(frozen=True, slots=True)
class CbqClassParams:
    """What is None, or 0 of ``prio``, ``allot`` and ``weight``, stays as it is; a new class needs the first three.

    ``flags`` are BOUNDED and ISOLATED; idle times are scaled by 2 to the power of ``ewma``.
    """

    table: TableSpec | None = None
    has_lss: bool = False
    has_wrr: bool = False
    flags: int | None = None
    ewma: int | None = None
    avpkt: int | None = None
    maxidle: int | None = None
    minidle: int | None = None
    offtime: int | None = None
    prio: int = 0
    allot: int = 0
    weight: int = 0
    split: int | None = None
    defmap: int = 0
    defchange: int = 0


@dataclass(frozen=True, slots=True)
class CbqStats:
    """Packets sent on borrowed time, times that a class was put to sleep, and its estimate."""

    borrowed: int = shown("number", default=0)
    overactions: int = shown("number", default=0)
    avgidle: int = shown("signed", default=0)
    undertime: int = shown("signed", default=0)


class Clock(Protocol):
    """The discipline's time, as of its last packet."""

    now: int


class CbqClass(TreeClass):
    __slots__ = (
        "_clock",
        "active",
        "allot",
        "avgidle",
        "avpkt",
        "borrow",
        "borrows",
        "data",
        "defaults",
        "deficit",
        "defmap",
        "delayed",
        "ewma",
        "heap",
        "last",
        "maxidle",
        "members",
        "minidle",
        "offtime",
        "overactions",
        "prio",
        "share",
        "split",
        "table",
        "turn",
        "undertime",
        "weight",
    )

    allot: int

    def __init__(self, classid: int, parent: CbqClass | None, qdisc: AnyQdisc, table: TableSpec, clock: Clock) -> None:
        super().__init__(classid, ROOT_ID if parent is None else parent.classid, qdisc, parent)
        self._clock = clock
        self.set_table(table)
        self.weight = table.rate.bytes_per_s
        self.allot = 0 if parent is None else parent.allot
        self.prio = 0
        self.borrow: CbqClass | None = parent
        """Whom it borrows from, None if bounded."""
        self.share: CbqClass | None = parent if parent is not None and parent.parent is not None else None
        """Whose limit its packets count against, None if isolated."""
        self.ewma = 0
        self.avpkt = self.maxidle = self.offtime = self.avgidle = 0
        self.minidle = -NEVER_MIND
        self.last = self.undertime = 0
        """When its last packet has left, and until when it is over its limit; 0 = it is not."""
        self.delayed = False
        """It was put to sleep."""
        self.deficit = self.turn = 0
        self.active = False
        self.heap: KeyHeap[CbqClass] | None = None
        """Where it waits for its turn."""
        self.borrows = self.overactions = 0
        self.split: CbqClass | None = None
        self.defmap = 0
        self.members: dict[CbqClass, None] = {}
        """Classes of which this is the split node."""
        self.defaults: list[CbqClass | None] = [None] * PRIORITIES

    def set_table(self, table: TableSpec) -> None:
        self.table = table
        self.data = rate_table(table)

    def set_link_sharing(self, params: CbqClassParams) -> None:
        if params.flags is not None:
            self.share = None if params.flags & ISOLATED else self.parent
            self.borrow = None if params.flags & BOUNDED else self.parent
        if params.ewma is not None:
            self.ewma = params.ewma
        if params.avpkt is not None:
            self.avpkt = params.avpkt
        if params.minidle is not None:
            self.minidle = -params.minidle
        if params.maxidle is not None:
            self.maxidle = self.avgidle = params.maxidle
        if params.offtime is not None:
            self.offtime = params.offtime

    def ticks(self, size: int) -> int:
        """What a packet takes at the class's rate."""
        rate = self.table.rate
        slot = max(size - 1 + rate.overhead, 0) >> self.table.cell_log
        if slot < TABLE_SIZE:
            return self.data[slot]
        return self.data[-1] * (slot >> 8) + self.data[slot & 0xFF]

    def account(self, size: int, now: int, link_ticks: int) -> None:
        """A packet has left at ``now``, of this class or one below: take the time since into the estimate."""
        self.packets += 1
        self.bytes += size
        idle = now - self.last
        ticks = self.ticks(size)
        if idle < 0 or idle > LONG_IDLE:
            avgidle = self.maxidle
        else:
            avgidle = self.avgidle + idle - ticks
            avgidle -= self.avgidle >> self.ewma
        if avgidle <= 0:
            avgidle = max(avgidle, self.minidle)
            # the idle time that brings the estimate back to zero, and the packet's own time at the class's rate
            self.undertime = now + -avgidle - (-avgidle >> self.ewma) - link_ticks + ticks
        else:
            avgidle = min(avgidle, self.maxidle)
            self.undertime = 0
        self.avgidle = avgidle
        if now > self.last:
            self.last = now

    def oversleep(self, now: int) -> None:
        """It may not send, and nobody lends: put it to sleep until it is under its limit, and ``offtime`` more."""
        self.overlimits += 1
        if self.delayed:
            return
        delay = self.undertime - now + self.offtime
        if self.avgidle < 0:
            # it can't work its debt off while it sleeps
            delay -= -self.avgidle - (-self.avgidle >> self.ewma)
        self.avgidle = max(self.avgidle, self.minidle)
        self.undertime = now + max(delay, 1)
        self.overactions += 1
        self.delayed = True

    def over(self, now: int) -> bool:
        """Whether it is over its limit; the link itself never is."""
        return now < self.undertime and self.parent is not None

    def stats(self) -> QdiscStats:
        below = self.qdisc
        return QdiscStats(self.bytes, self.packets, self.drops, self.overlimits, 0, below.qlen, below.backlog)

    def xstats(self) -> CbqStats:
        undertime = self.undertime - self._clock.now if self.undertime else 0
        return CbqStats(self.borrows, self.overactions, self.avgidle, undertime)
