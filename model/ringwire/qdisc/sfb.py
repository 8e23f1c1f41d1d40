"""sfb: Stochastic Fair Blue, a marking probability for each flow, kept in hashed bins as in a Bloom filter.

After net/sched/sch_sfb.c of Linux 6.12; Feng, Kandlur, Saha and Shin, "Stochastic Fair Blue" (2001). A flow is in one
bin on each of eight levels, and the least of their probabilities is its own: an innocent flow shares all eight with
an unresponsive one only rarely, and not for long, because the hash changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ringwire.qdisc.base import XMIT_BYPASS, XMIT_CN, XMIT_STOLEN, XMIT_SUCCESS, AnyQdisc
from ringwire.qdisc.classful import verdict_rc
from ringwire.qdisc.classify import GONE, SHOT, UNSPEC, FilterBlock
from ringwire.qdisc.ecn import set_ce
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.fifo import PacketLimit
from ringwire.qdisc.oneclass import InnerClass, OneClass
from ringwire.qdisc.options import shown
from ringwire.qdisc.psched import U32
from ringwire.qdisc.sfb_bins import MAX_PROB, Bins
from ringwire.skb import Skb

MS_PER_S = 1000
LONGEST_AGE_S = 10


@dataclass(frozen=True, slots=True)
class SfbParams:
    """Times in ms, lengths in packets; probabilities of 65535. ``target`` is the length at which a bin gets full.

    ``penalty_rate`` and ``penalty_burst`` (packets, a second and at once) is what all unresponsive flows have.
    """

    rehash: int = 600_000
    db: int = 60_000
    limit: int = 0
    max: int = 25
    target: int = 20
    increment: int = (MAX_PROB + 500) // 1000
    decrement: int = (MAX_PROB + 3000) // 6000
    penalty_rate: int = 10
    penalty_burst: int = 20


@dataclass(slots=True)
class SfbStats:
    """Packets dropped and marked, and why; then the bins: longest, and highest and mean probability of 65535."""

    earlydrop: int = shown("number", default=0)
    penaltydrop: int = shown("number", default=0)
    bucketdrop: int = shown("number", default=0)
    queuedrop: int = shown("number", default=0)
    childdrop: int = shown("number", default=0)
    marked: int = shown("number", default=0)
    maxqlen: int = shown("number", default=0)
    maxprob: int = shown("number", default=0)
    avgprob: int = shown("number", default=0)


class Sfb(OneClass[SfbParams]):
    """Every change begins anew, with a new pfifo inside."""

    kind: ClassVar[str] = "sfb"
    params_type = SfbParams

    def setup(self) -> None:
        super().setup()
        self._bins = (Bins(self.handle), Bins(self.handle + 1))
        self._slot = 0
        """Which of them is in use; the other one learns for a while before it takes over."""
        self._warming = False
        self._stats = SfbStats()

    def change(self, params: SfbParams) -> None:
        limit = params.limit or self.dev.tx_queue_len
        old = self.inner
        self.make_inner("pfifo", PacketLimit(limit))
        old.destroy()
        hz = self.dev.hz
        self._rehash_jiffies = -(-params.rehash * hz // MS_PER_S)
        self._warmup_jiffies = -(-params.db * hz // MS_PER_S)
        self._rehashed = self._refilled = self.dev.jiffies()
        self._limit, self._max, self._target = limit, params.max, params.target
        self._increment, self._decrement = params.increment, params.decrement
        self._rate, self._burst = params.penalty_rate, params.penalty_burst
        self._tokens = params.penalty_burst
        self._start()
        self._bins[1].perturbation.renew()

    def params(self) -> SfbParams:
        hz = self.dev.hz
        return SfbParams(
            self._rehash_jiffies * MS_PER_S // hz,
            self._warmup_jiffies * MS_PER_S // hz,
            self._limit,
            self._max,
            self._target,
            self._increment,
            self._decrement,
            self._rate,
            self._burst,
        )

    def xstats(self) -> SfbStats:
        stats = self._stats
        stats.maxqlen, stats.maxprob, stats.avgprob = self._bins[self._slot].summary()
        return stats

    def _start(self) -> None:
        """Empty bins, and a new hash."""
        self._slot, self._warming = 0, False
        for bins in self._bins:
            bins.clear()
        self._bins[0].perturbation.renew()

    def clear(self) -> None:
        self._start()

    # -- classes: one that nobody sees

    def classes(self) -> Iterator[InnerClass]:
        return iter(())

    def children(self) -> Iterator[tuple[int, AnyQdisc]]:
        yield 1, self.inner

    def block(self, classid: int) -> FilterBlock:
        if classid & 0xFFFF:
            raise QdiscError("EINVAL")
        return self.filters

    # -- packets

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        stats = self._stats
        if self.qlen >= self._limit:
            stats.queuedrop += 1
            self.overlimits += 1
            return self._drop(skb, to_free)
        if self._rehash_jiffies:
            self._change_hash()
        slot = self._slot
        bins = self._bins[slot]
        flow = skb.hash
        if self.filters.chains:
            verdict = self.filters.classify(skb, self.match)
            if verdict == UNSPEC:
                return self.refuse_unclassified(skb, XMIT_SUCCESS | XMIT_BYPASS, to_free)
            if verdict == SHOT or verdict in GONE:
                return self.refuse_unclassified(skb, verdict_rc(verdict), to_free)
            flow = self.match.classid & 0xFFFF
        in_use = bins.hash(flow)
        other = 0
        shortest, probability = bins.learn(in_use, self._target, self._increment, self._decrement)
        if shortest >= self._max:
            stats.bucketdrop += 1
            self.overlimits += 1
            return self._drop(skb, to_free)
        if probability >= MAX_PROB:
            if self._warming:
                # only flows that do not respond: the bins to come shall know them
                coming = self._bins[slot ^ 1]
                other = coming.hash(skb.hash)
                coming.learn(other, self._target, self._increment, self._decrement)
            if not self._may_pass():
                stats.penaltydrop += 1
                self.overlimits += 1
                return self._drop(skb, to_free)
        else:
            lot = self.dev.random_u32() & MAX_PROB
            half = MAX_PROB // 2
            if lot < probability:
                # with so many marks the flow does not respond, or all are badly congested
                if (probability > half and lot < (probability - half) * 2) or not set_ce(skb):
                    stats.earlydrop += 1
                    return self._drop(skb, to_free)
                stats.marked += 1
        skb.qdisc_note = other << 32 | in_use if slot == 0 else in_use << 32 | other
        size = skb.pkt_len
        rc = self.inner.enqueue(skb, to_free)
        if rc == XMIT_SUCCESS:
            self.qlen += 1
            self.backlog += size
            bins.add(in_use)
            if other:
                self._bins[slot ^ 1].add(other)
        elif not rc & XMIT_STOLEN:
            stats.childdrop += 1
            self.drops += 1
        return rc

    def dequeue(self) -> Skb | None:
        skb = self.inner.dequeue_peeked()
        if skb is None:
            return None
        self.qlen -= 1
        self.backlog -= skb.pkt_len
        self.bytes += skb.pkt_len
        self.packets += skb.gso_segs or 1
        note = skb.qdisc_note
        if note & U32:
            self._bins[0].remove(note & U32)
        if note >> 32:
            self._bins[1].remove(note >> 32)
        return skb

    def peek(self) -> Skb | None:
        return self.inner.peek()

    def _drop(self, skb: Skb, to_free: list[Skb]) -> int:
        self.refuse(skb, to_free)
        return XMIT_CN

    def _change_hash(self) -> None:
        """Take the other bins when it is time for that, and let them learn before."""
        now = self.dev.jiffies()
        until = self._rehashed + self._rehash_jiffies
        if now > until:
            self._bins[self._slot].perturbation.renew()
            self._slot ^= 1
            self._warming = False
            self._rehashed = now
        elif not self._warming and self._warmup_jiffies and now > until - self._warmup_jiffies:
            self._warming = True

    def _may_pass(self) -> bool:
        """Whether the rate that all unresponsive flows share has room for one more packet."""
        if not self._rate or not self._burst:
            return False
        if not self._tokens:
            now, hz = self.dev.jiffies(), self.dev.hz
            age = min(LONGEST_AGE_S * hz, now - self._refilled)
            self._tokens = min(age * self._rate // hz, self._burst)
            self._refilled = now
            if not self._tokens:
                return False
        self._tokens -= 1
        return True
