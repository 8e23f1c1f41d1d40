"""A class of htb: its two token buckets, in nanoseconds, and who borrows from it.

After struct htb_class and the functions that change it in net/sched/sch_htb.c of Linux 6.12.
"""

from __future__ import annotations

from dataclasses import dataclass

from ringwire.qdisc.base import ROOT_ID, AnyQdisc, QdiscStats
from ringwire.qdisc.minorset import MinorSet
from ringwire.qdisc.options import shown
from ringwire.qdisc.psched import NS_PER_S, TICK_NS, Rate, RateCfg
from ringwire.qdisc.treeclasses import TreeClass

LEVELS = 8
PRIOS = 8
MAX_IDLE_NS = 60 * NS_PER_S
"""Tokens and debts do not grow beyond this."""

# Modes: plain integers, because they are compared for every packet and class above it.
CANT_SEND = 0
"""Above its ceiling."""
MAY_BORROW = 1
"""Above its rate."""
CAN_SEND = 2


@dataclass(frozen=True, slots=True)
class HtbClassParams:
    """``buffer_ns`` and ``cbuffer_ns`` are the bursts at ``rate`` and at ``ceil``; ``quantum`` 0 is computed."""

    rate: Rate | None = None
    ceil: Rate | None = None
    buffer_ns: int = 0
    cbuffer_ns: int = 0
    quantum: int = 0
    prio: int = 0


@dataclass(frozen=True, slots=True)
class HtbClassStats:
    """Packets sent by own tokens or lent to those below, and borrowed; ticks left in the buckets."""

    lended: int = shown("number", default=0)
    borrowed: int = shown("number", default=0)
    giants: int = shown("number", default=0)
    tokens: int = shown("signed", default=0)
    ctokens: int = shown("signed", default=0)


class HtbClass(TreeClass):
    __slots__ = (
        "activity",
        "borrows",
        "buffer_ns",
        "cbuffer_ns",
        "ceil",
        "checkpoint_ns",
        "ctokens",
        "deficit",
        "feeds",
        "lends",
        "max_idle_ns",
        "mode",
        "prio",
        "quantum",
        "rate",
        "tokens",
    )

    def __init__(
        self, classid: int, parent: HtbClass | None, qdisc: AnyQdisc, params: HtbClassParams, now_ns: int
    ) -> None:
        super().__init__(classid, ROOT_ID if parent is None else parent.classid, qdisc, parent)
        self.prio = self.quantum = 0
        self.activity = 0
        """Mask of priorities at which it, or classes that borrow from it, have packets."""
        self.lends = self.borrows = 0
        self.max_idle_ns = MAX_IDLE_NS
        self.feeds: list[MinorSet] = []
        """By priority: the classes below that borrow from it."""
        self.set_rates(params)
        self.fill(now_ns)

    def set_rates(self, params: HtbClassParams) -> None:
        assert params.rate is not None and params.ceil is not None
        self.rate = RateCfg(params.rate)
        self.ceil = RateCfg(params.ceil)
        self.buffer_ns = params.buffer_ns
        self.cbuffer_ns = params.cbuffer_ns

    def fill(self, now_ns: int) -> None:
        """Begin as a leaf, with full buckets."""
        self.tokens = self.buffer_ns
        self.ctokens = self.cbuffer_ns
        self.checkpoint_ns = now_ns
        self.mode = CAN_SEND
        self.deficit = [0] * LEVELS
        """By the level borrowed from: bytes it may still send in this round."""

    def make_feeds(self) -> None:
        """Begin as an inner class, of which nobody borrows yet."""
        self.feeds = [MinorSet() for _ in range(PRIOS)]

    def charge(self, size: int, elapsed: int, level: int) -> None:
        """Account for a packet that was sent by a class at ``level``, this one's own or one above."""
        if self.level >= level:
            if self.level == level:
                self.lends += 1
            tokens = elapsed + self.tokens
            if tokens > self.buffer_ns:
                tokens = self.buffer_ns
            tokens -= self.rate.l2t_ns(size)
            self.tokens = tokens if tokens > -self.max_idle_ns else 1 - self.max_idle_ns
        else:
            self.borrows += 1
            self.tokens += elapsed
        tokens = elapsed + self.ctokens
        if tokens > self.cbuffer_ns:
            tokens = self.cbuffer_ns
        tokens -= self.ceil.l2t_ns(size)
        self.ctokens = tokens if tokens > -self.max_idle_ns else 1 - self.max_idle_ns

    def mode_after(self, elapsed: int, hysteresis: bool) -> tuple[int, int]:
        """The mode after so many nanoseconds, and how many more until it can change."""
        tokens = self.ctokens + elapsed
        if tokens < (-self.cbuffer_ns if hysteresis and self.mode != CANT_SEND else 0):
            return CANT_SEND, -tokens
        tokens = self.tokens + elapsed
        if tokens >= (-self.buffer_ns if hysteresis and self.mode == CAN_SEND else 0):
            return CAN_SEND, elapsed
        return MAY_BORROW, -tokens

    def stats(self) -> QdiscStats:
        qlen, backlog = (self.qdisc.qlen, self.qdisc.backlog) if self.leaf else (0, 0)
        return QdiscStats(self.bytes, self.packets, self.drops, self.overlimits, 0, qlen, backlog)

    def params(self) -> HtbClassParams:
        return HtbClassParams(self.rate.rate, self.ceil.rate, self.buffer_ns, self.cbuffer_ns, self.quantum, self.prio)

    def xstats(self) -> HtbClassStats:
        return HtbClassStats(self.lends, self.borrows, 0, self.tokens // TICK_NS, self.ctokens // TICK_NS)
