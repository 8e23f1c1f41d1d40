"""tbf: a token bucket lets packets out at a rate, with a burst, and optionally a second bucket bounds the peak.

After net/sched/sch_tbf.c of Linux 6.12.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ringwire.gso import GsoError
from ringwire.qdisc.base import XMIT_DROP, XMIT_STOLEN, XMIT_SUCCESS
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.fifo import ByteLimit, Fifo, PacketLimit
from ringwire.qdisc.oneclass import OneClass
from ringwire.qdisc.psched import Rate, RateCfg
from ringwire.qdisc.watchdog import Watchdog
from ringwire.skb import Skb


@dataclass(frozen=True, slots=True)
class TbfParams:
    """Bytes: ``burst`` is the bucket, ``mtu`` the peak rate's, ``limit`` what may wait in the queue inside."""

    rate: Rate | None = None
    burst: int = 0
    limit: int = 0
    peakrate: Rate | None = None
    mtu: int = 0


class Tbf(OneClass[TbfParams]):
    """The queue inside is a bfifo of ``limit`` bytes until another is grafted."""

    kind: ClassVar[str] = "tbf"
    params_type = TbfParams

    def setup(self) -> None:
        super().setup()
        self.watchdog = Watchdog(self)
        self._peak: RateCfg | None = None
        self.buffer_ns = self.mtu_ns = 0
        self.tokens = self.ptokens = 0
        self._checkpoint_ns = self.dev.now_ns()

    def change(self, params: TbfParams) -> None:
        if params.rate is None or not params.rate.bytes_per_s:
            raise QdiscError("EINVAL")
        rate = RateCfg(params.rate)
        max_size = params.burst
        peak: RateCfg | None = None
        mtu_ns = 0
        if params.peakrate is not None:
            peak = RateCfg(params.peakrate)
            if params.peakrate.bytes_per_s <= params.rate.bytes_per_s:
                raise QdiscError("EINVAL")
            max_size = min(max_size, params.mtu)
            mtu_ns = peak.l2t_ns(params.mtu)
        if not max_size:
            raise QdiscError("EINVAL")
        if not self.has_inner:
            if params.limit:
                self.make_inner("bfifo", ByteLimit(params.limit))
        elif isinstance(self.inner, Fifo):
            limit = ByteLimit if self.inner.params_type is ByteLimit else PacketLimit
            self.inner.change(limit(params.limit))
        self._params = params
        self._rate = rate
        self._peak = peak
        self.max_size = max_size
        self.buffer_ns = self.tokens = rate.l2t_ns(params.burst)
        self.mtu_ns = self.ptokens = mtu_ns

    def params(self) -> TbfParams:
        return self._params

    @property
    def rate(self) -> RateCfg:
        """The rate in force, as the kernel counts it."""
        return self._rate

    @property
    def peak(self) -> RateCfg | None:
        """The peak rate in force."""
        return self._peak

    def clear(self) -> None:
        self._checkpoint_ns = self.dev.now_ns()
        self.tokens = self.buffer_ns
        self.ptokens = self.mtu_ns
        self.watchdog.cancel()

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        size = skb.pkt_len
        if size > self.max_size:
            if skb.gso_size and skb.hdr_len + skb.gso_size <= self.max_size:
                return self._segment(skb, to_free)
            return self.refuse(skb, to_free)
        rc = self.inner.enqueue(skb, to_free)
        if rc != XMIT_SUCCESS:
            if not rc & XMIT_STOLEN:
                self.drops += 1
            return rc
        self.qlen += 1
        self.backlog += size
        return rc

    def _segment(self, skb: Skb, to_free: list[Skb]) -> int:
        """A super-packet larger than the bucket goes in piece by piece; it is lost if no piece gets in."""
        size = skb.pkt_len
        try:
            pieces = self.dev.segment_for(skb)
        except GsoError:
            return self.refuse(skb, to_free)
        taken = taken_bytes = 0
        for piece in pieces:
            piece.pkt_len = piece.len
            rc = self.inner.enqueue(piece, to_free)
            if rc == XMIT_SUCCESS:
                taken += 1
                taken_bytes += piece.len
            elif not rc & XMIT_STOLEN:
                self.drops += 1
        self.qlen += taken
        self.backlog += taken_bytes
        if not taken:
            return XMIT_DROP
        self.tree_reduce_backlog(1 - taken, size - taken_bytes)
        return XMIT_SUCCESS

    def dequeue(self) -> Skb | None:
        inner = self.inner
        skb = inner.peek()
        if skb is None:
            return None
        size = skb.pkt_len
        now = self.dev.now_ns()
        elapsed = now - self._checkpoint_ns
        if elapsed > self.buffer_ns:
            elapsed = self.buffer_ns
        ptokens = 0
        if self._peak is not None:
            ptokens = elapsed + self.ptokens
            if ptokens > self.mtu_ns:
                ptokens = self.mtu_ns
            ptokens -= self._peak.l2t_ns(size)
        tokens = elapsed + self.tokens
        if tokens > self.buffer_ns:
            tokens = self.buffer_ns
        tokens -= self._rate.l2t_ns(size)
        if tokens < 0 or ptokens < 0:
            self.watchdog.schedule(now + max(-tokens, -ptokens))
            self.overlimits += 1
            return None
        skb = inner.dequeue_peeked()
        if skb is None:
            return None
        self._checkpoint_ns = now
        self.tokens = tokens
        self.ptokens = ptokens
        self.qlen -= 1
        self.backlog -= size
        self.bytes += size
        self.packets += skb.gso_segs or 1
        return skb
