"""red: Random Early Detection over one inner discipline, at first a bfifo; it drops or marks ahead of a full queue.

After net/sched/sch_red.c of Linux 6.12; the law is in :mod:`ringwire.qdisc.red_law`. Adaptive RED works as tc-red(8)
says. (Linux from 5.7 on does not start its timer when tc sends the flag in the newer attribute, as tc has done since
then: there the word only shows.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ringwire.qdisc.base import XMIT_CN, XMIT_STOLEN, XMIT_SUCCESS
from ringwire.qdisc.ecn import set_ce
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.fifo import ByteLimit
from ringwire.qdisc.oneclass import OneClass
from ringwire.qdisc.options import shown
from ringwire.qdisc.red_law import DONT_MARK, PROB_MARK, Adapter, RedParms, RedSpec, RedVars
from ringwire.skb import Skb


@dataclass(frozen=True, slots=True)
class RedFlags:
    """``ecn``: mark instead of dropping; ``harddrop``: yet drop above the upper threshold; ``nodrop``: never drop
    early, not even packets that can't be marked; ``adaptive``: seek the probability by itself."""

    ecn: bool = False
    harddrop: bool = False
    nodrop: bool = False
    adaptive: bool = False


@dataclass(frozen=True, slots=True)
class RedParams:
    """``limit`` is the inner queue's, bytes."""

    limit: int = 0
    spec: RedSpec | None = None
    flags: RedFlags = RedFlags()


@dataclass(frozen=True, slots=True)
class RedStats:
    """Packets: CE marks, drops by the law, and by the full inner queue."""

    marked: int = shown("number", default=0)
    early: int = shown("number", default=0)
    pdrop: int = shown("number", default=0)
    other: int = shown("number", default=0)


class Red(OneClass[RedParams]):
    """Every change puts a new, empty bfifo inside, in place of whatever was there."""

    kind: ClassVar[str] = "red"
    params_type = RedParams

    def setup(self) -> None:
        super().setup()
        self._state = RedVars()
        self._adapter = Adapter(self.dev, self._adapt)
        self.marked = self.early = self.pdrop = 0

    def change(self, params: RedParams) -> None:
        if params.spec is None or params.spec.stab is None:
            raise QdiscError("EINVAL")
        params.spec.check()
        flags = params.flags
        if flags.nodrop and not flags.ecn:
            raise QdiscError("EINVAL", "nodrop mode is only meaningful with ECN")
        self._params = params
        self._ecn, self._nodrop = flags.ecn, flags.nodrop
        self._hard_mark = flags.ecn and not flags.harddrop
        if params.limit:
            old = self.inner
            self.make_inner("bfifo", ByteLimit(params.limit))
            old.destroy()
        self.parms = RedParms(params.spec)
        self._state.set()
        self._adapter.stop()
        if flags.adaptive:
            self._adapter.start()
        if not self.inner.qlen:
            self._state.idle_since_ns = self.dev.now_ns()

    def params(self) -> RedParams:
        return self._params

    def xstats(self) -> RedStats:
        return RedStats(self.marked, self.early, self.pdrop)

    def clear(self) -> None:
        self._state.restart()

    def destroy(self) -> None:
        self._adapter.stop()
        super().destroy()

    def _adapt(self) -> None:
        self.parms.adapt(self._state, self.dev.now_ns())

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        state = self._state
        inner = self.inner
        dev = self.dev
        if state.idle_since_ns is None:
            # a busy queue's average needs no clock
            qavg = state.qavg = self.parms.average(state, inner.backlog, 0)
        else:
            qavg = state.qavg = self.parms.average_after_idle(state, dev.now_ns())
            state.idle_since_ns = None
        action = self.parms.action(state, qavg, dev.random_u32)
        if action != DONT_MARK:
            self.overlimits += 1
            if self._ecn if action == PROB_MARK else self._hard_mark:
                if set_ce(skb):
                    self.marked += 1
                elif not self._nodrop:
                    return self._drop_early(skb, to_free)
            else:
                return self._drop_early(skb, to_free)
        size = skb.pkt_len
        rc = inner.enqueue(skb, to_free)
        if rc == XMIT_SUCCESS:
            self.qlen += 1
            self.backlog += size
        elif not rc & XMIT_STOLEN:
            self.pdrop += 1
            self.drops += 1
        return rc

    def _drop_early(self, skb: Skb, to_free: list[Skb]) -> int:
        self.early += 1
        self.refuse(skb, to_free)
        return XMIT_CN

    def dequeue(self) -> Skb | None:
        skb = self.inner.dequeue_peeked()
        if skb is None:
            if self._state.idle_since_ns is None:
                self._state.idle_since_ns = self.dev.now_ns()
            return None
        self.qlen -= 1
        self.backlog -= skb.pkt_len
        self.bytes += skb.pkt_len
        self.packets += skb.gso_segs or 1
        return skb

    def peek(self) -> Skb | None:
        return self.inner.peek()
