"""codel: one queue, kept short by the CoDel law; ECN on demand.

After net/sched/sch_codel.c of Linux 6.12.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ringwire.qdisc.base import CAN_BYPASS, option, shown
from ringwire.qdisc.codel_law import NEVER, Codel, CodelState, drop_next_us, to_us
from ringwire.qdisc.headqueue import HeadQueue
from ringwire.skb import Skb

DEFAULT_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class CodelParams:
    """``limit`` in packets, times in microseconds; None was not given or is not in use."""

    limit: int | None = option("number", shown="packets")
    target: int | None = option("time")
    ce_threshold: int | None = option("time")
    interval: int | None = option("time")
    ecn: bool | None = option("flag", negative="noecn")


@dataclass(frozen=True, slots=True)
class CodelStats:
    """Times in microseconds; ``drop_next`` is negative if the drop is overdue."""

    count: int = shown("number")
    lastcount: int = shown("number")
    ldelay: int = shown("time")
    dropping: bool = shown("flag")
    drop_next: int = shown("signed")
    maxpacket: int = shown("number")
    ecn_mark: int = shown("number")
    drop_overlimit: int = shown("number")
    ce_mark: int = shown("number")


class CodelQdisc(HeadQueue[CodelParams]):
    """A packet that finds ``limit`` packets is dropped; the law drops at the head."""

    kind: ClassVar[str] = "codel"
    params_type = CodelParams
    default_flags: ClassVar[int] = CAN_BYPASS

    def setup(self) -> None:
        super().setup()
        self.law = Codel(self, ecn=False)
        self.limit = DEFAULT_LIMIT
        self.vars = CodelState()
        self.drop_overlimit = 0

    def change(self, params: CodelParams) -> None:
        self.law.change(params)
        if params.limit is not None:
            self.limit = params.limit
        if not self.limit:
            self.flags &= ~CAN_BYPASS
        self.trim()

    def params(self) -> CodelParams:
        law = self.law
        return CodelParams(
            limit=self.limit,
            target=to_us(law.target),
            ce_threshold=None if law.ce_threshold == NEVER else to_us(law.ce_threshold),
            interval=to_us(law.interval),
            ecn=law.ecn,
        )

    def xstats(self) -> CodelStats:
        now, law = self.vars, self.law
        return CodelStats(
            count=now.count,
            lastcount=now.last_count,
            ldelay=to_us(now.ldelay),
            dropping=now.dropping,
            drop_next=drop_next_us(now, self.dev.now_ns()),
            maxpacket=law.max_packet,
            ecn_mark=law.ecn_marks,
            drop_overlimit=self.drop_overlimit,
            ce_mark=law.ce_marks,
        )

    def clear(self) -> None:
        super().clear()
        self.vars.forget()

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        if self.qlen >= self.limit:
            self.drop_overlimit += 1
            return self.refuse(skb, to_free)
        skb.enqueued_ns = self.dev.now_ns()
        return self.append(skb)

    def dequeue(self) -> Skb | None:
        skb = self._take()
        if self.law.lost:
            self.law.report(self)
        return skb

    def peek(self) -> Skb | None:
        return self.law.peek(self, self._take)

    def _take(self) -> Skb | None:
        """The next packet, counted as sent; the law may have dropped others."""
        skb = self.law.dequeue(self, self.vars, self.pop)
        if skb is not None:
            self.bytes += skb.pkt_len
            self.packets += skb.gso_segs or 1
        return skb
