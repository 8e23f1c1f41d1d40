"""pie: one queue, kept short by the PIE controller, which steps every ``tupdate``; ECN on demand.

After net/sched/sch_pie.c of Linux 6.12 and RFC 8033.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ringwire.qdisc.base import Timer, option, psched_mtu, shown
from ringwire.qdisc.ecn import set_ce
from ringwire.qdisc.headqueue import HeadQueue
from ringwire.qdisc.pie_law import MAX_PROB, RATE_SHIFT, TICKS_PER_S, U64, Pie
from ringwire.qdisc.psched import NS_PER_S, TICK_NS, U32, US_PER_S
from ringwire.skb import Skb

DEFAULT_LIMIT = 1000
DEFAULT_TUPDATE_US = 15_000
NS_PER_US = 1000
_PROB_SHIFT = 8
"""What ``tc`` is told is a part of 2^64."""


@dataclass(frozen=True, slots=True)
class PieParams:
    """``limit`` in packets, times in microseconds, ``alpha`` and ``beta`` in sixteenths; None was not given."""

    limit: int | None = option("number", shown="packets")
    target: int | None = option("time")
    tupdate: int | None = option("time")
    alpha: int | None = option("number")
    beta: int | None = option("number")
    ecn: bool | None = option("flag", negative="noecn")
    bytemode: bool | None = option("flag", negative="nobytemode")
    dq_rate_estimator: bool | None = option("flag", negative="no_dq_rate_estimator")


@dataclass(frozen=True, slots=True)
class PieStats:
    """``delay`` in microseconds, ``avg_dq_rate`` in bytes a second; None if it is not estimated."""

    prob: float = shown("probability")
    delay: int = shown("time")
    avg_dq_rate: int | None = shown("number")
    pkts_in: int = shown("number")
    overlimit: int = shown("number")
    dropped: int = shown("number")
    maxq: int = shown("number")
    ecn_mark: int = shown("number")


class PieQdisc(HeadQueue[PieParams]):
    """Drops at the tail, before the queue is full."""

    kind: ClassVar[str] = "pie"
    params_type = PieParams

    def setup(self) -> None:
        super().setup()
        self.law = Pie()
        self.limit = DEFAULT_LIMIT
        self.ecn = False
        self.tupdate = self._to_jiffies(DEFAULT_TUPDATE_US)
        self.pkts_in = self.overlimit = self.dropped = self.maxq = self.ecn_mark = 0
        self._timer: Timer | None = None
        self._step_in(self.dev.hz // 2)

    def _to_jiffies(self, us: int) -> int:
        return -(-us // (US_PER_S // self.dev.hz))

    def _step_in(self, jiffies: int) -> None:
        due = self.dev.jiffies() + jiffies
        self._timer = self.dev.call_at(-(-due * NS_PER_S // self.dev.hz), self._step)

    def _step(self) -> None:
        self._timer = None
        self.law.update(self.backlog)
        if self.tupdate:
            self._step_in(self.tupdate)

    def destroy(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().destroy()

    def change(self, params: PieParams) -> None:
        law = self.law
        if params.target is not None:
            law.target = params.target * NS_PER_US // TICK_NS
        if params.tupdate is not None:
            self.tupdate = self._to_jiffies(params.tupdate)
        if params.limit is not None:
            self.limit = params.limit
        if params.alpha is not None:
            law.alpha = params.alpha
        if params.beta is not None:
            law.beta = params.beta
        if params.ecn is not None:
            self.ecn = params.ecn
        if params.bytemode is not None:
            law.bytemode = params.bytemode
        if params.dq_rate_estimator is not None:
            law.dq_rate_estimator = params.dq_rate_estimator
        self.trim()

    def params(self) -> PieParams:
        law = self.law
        return PieParams(
            limit=self.limit,
            target=ticks_to_us(law.target),
            tupdate=self.tupdate * (US_PER_S // self.dev.hz),
            alpha=law.alpha,
            beta=law.beta,
            ecn=self.ecn,
            bytemode=law.bytemode,
            dq_rate_estimator=law.dq_rate_estimator,
        )

    def xstats(self) -> PieStats:
        law = self.law
        rate = (law.avg_dq_rate * TICKS_PER_S >> RATE_SHIFT) & U32 if law.dq_rate_estimator else None
        return PieStats(
            prob=(law.prob << _PROB_SHIFT & U64) / U64,
            delay=ticks_to_us(law.delay),
            avg_dq_rate=rate,
            pkts_in=self.pkts_in,
            overlimit=self.overlimit,
            dropped=self.dropped,
            maxq=self.maxq,
            ecn_mark=self.ecn_mark,
        )

    def clear(self) -> None:
        super().clear()
        self.law.restart()

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        law, dev = self.law, self.dev
        if self.qlen >= self.limit:
            self.overlimit += 1
        elif not law.drop_early(self.backlog, skb.len, psched_mtu(dev), dev.random_u32):
            return self._admit(skb)
        elif self.ecn and law.prob <= MAX_PROB // 10 and set_ce(skb):
            self.ecn_mark += 1
            return self._admit(skb)
        self.dropped += 1
        law.accumulated = 0
        return self.refuse(skb, to_free)

    def _admit(self, skb: Skb) -> int:
        skb.enqueued_ns = self.dev.now_ns()
        self.pkts_in += 1
        if self.qlen > self.maxq:
            self.maxq = self.qlen
        return self.append(skb)

    def dequeue(self) -> Skb | None:
        skb = self.pop()
        if skb is None:
            return None
        self.bytes += skb.pkt_len
        self.packets += skb.gso_segs or 1
        now = self.dev.now_ns() // TICK_NS
        self.law.departed(now, skb.enqueued_ns // TICK_NS, skb.len, self.backlog)
        return skb


def ticks_to_us(ticks: int) -> int:
    """As the kernel shows a time: of 32 bits of nanoseconds."""
    return (ticks * TICK_NS & U32) // NS_PER_US
