"""What codel and fq_codel have in common: their parameters of the law, and one report of drops for each packet.

After net/sched/sch_codel.c and sch_fq_codel.c of Linux 6.12; drops are always reported, as since 6.15.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Protocol

from ringwire.qdisc.base import P, Qdisc, psched_mtu
from ringwire.qdisc.codel_law import Codel, from_us
from ringwire.skb import Skb

MIN_MTU = 256
"""Bytes, also of a quantum."""
MAX_MTU = 1 << 20


class LawParams(Protocol):
    """Times in microseconds; what is None was not given."""

    @property
    def target(self) -> int | None: ...
    @property
    def ce_threshold(self) -> int | None: ...
    @property
    def interval(self) -> int | None: ...
    @property
    def ecn(self) -> bool | None: ...


class CodelDiscipline(Qdisc[P]):
    """Subclasses give :meth:`take`, which asks ``law``."""

    ecn_by_default: ClassVar[bool]

    def setup(self) -> None:
        super().setup()
        self.law = Codel(min(max(psched_mtu(self.dev), MIN_MTU), MAX_MTU), self.ecn_by_default)

    def change_law(self, params: LawParams) -> None:
        law = self.law
        if params.target is not None:
            law.target = from_us(params.target)
        if params.interval is not None:
            law.interval = from_us(params.interval)
        if params.ce_threshold is not None:
            law.ce_threshold = from_us(params.ce_threshold)
        if params.ecn is not None:
            law.ecn = params.ecn

    @abstractmethod
    def take(self) -> Skb | None:
        """The next packet, counted as sent; the law may have dropped others."""

    def dequeue(self) -> Skb | None:
        skb = self.take()
        if self.law.lost:
            self.law.report(self)
        return skb

    def peek(self) -> Skb | None:
        # The packet is put back before the drops are reported: its queue must not seem empty to those above.
        if not self.requeued:
            skb = self.take()
            if skb is not None:
                self.requeued.append(skb)
                self.qlen += 1
                self.backlog += skb.pkt_len
            if self.law.lost:
                self.law.report(self)
        return self.requeued[0] if self.requeued else None
