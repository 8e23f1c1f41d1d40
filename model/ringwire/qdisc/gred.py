"""gred: up to 16 virtual queues in one FIFO, each with RED of its own; ``tc_index`` says which one a packet is in.

After net/sched/sch_gred.c of Linux 6.12. With ``grio`` (RIO; Clark and Fang, 1998) a queue also feels those of better
priority, and once two have the same priority all share one average of the whole (WRED).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ringwire.qdisc.base import XMIT_CN, XMIT_SUCCESS, Qdisc, psched_mtu
from ringwire.qdisc.ecn import set_ce
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.red_law import DONT_MARK, PROB_MARK, RedParms, RedSpec, RedVars
from ringwire.skb import Skb

MAX_VQS = 16
VQ_MASK = MAX_VQS - 1
DEFAULT_PRIO = MAX_VQS // 2


@dataclass(frozen=True, slots=True)
class VqFlags:
    """``ecn``: mark instead of dropping; ``harddrop``: yet drop above the upper threshold."""

    ecn: bool = False
    harddrop: bool = False


NO_FLAGS = VqFlags()


@dataclass(frozen=True, slots=True)
class GredSetup:
    """The whole: how many virtual queues, which one takes what belongs to none, and a limit in bytes, 0 = as it is.

    The flags of the whole are those of all queues; where there are any, no queue can have others.
    """

    vqs: int = 0
    default: int = 0
    grio: bool = False
    limit: int = 0
    flags: VqFlags = NO_FLAGS


@dataclass(frozen=True, slots=True)
class GredVq:
    """One virtual queue; ``prio`` only counts with ``grio``, 0 = that of the default queue."""

    vq: int
    spec: RedSpec
    limit: int
    prio: int = 0
    flags: VqFlags = NO_FLAGS


class Vq:
    """A virtual queue's state and counters; ``pdrop`` are packets dropped at the limit."""

    __slots__ = (
        "backlog",
        "bytes",
        "flags",
        "forced_drop",
        "forced_mark",
        "index",
        "limit",
        "packets",
        "parms",
        "pdrop",
        "prio",
        "prob_drop",
        "prob_mark",
        "state",
    )

    def __init__(self, index: int, parms: RedParms, flags: VqFlags) -> None:
        self.index = index
        self.parms = parms
        self.flags = flags
        self.state = RedVars()
        self.limit = self.prio = self.backlog = self.packets = self.bytes = 0
        self.prob_drop = self.prob_mark = self.forced_drop = self.forced_mark = self.pdrop = 0


class Gred(Qdisc[GredSetup | GredVq]):
    """It is made by a :class:`GredSetup`; a :class:`GredVq` then makes or changes a queue."""

    kind: ClassVar[str] = "gred"
    params_type = GredSetup

    def setup(self) -> None:
        self._queue: deque[Skb] = deque()
        self._vqs: list[Vq | None] = [None] * MAX_VQS
        self._setup: GredSetup | None = None
        self._shared = RedVars()
        """The average of all queues, with WRED."""
        self.limit = self.dev.tx_queue_len * psched_mtu(self.dev)
        self.wred = False

    # -- configuration

    def change(self, params: GredSetup | GredVq) -> None:
        if isinstance(params, GredSetup):
            self._change_all(params)
        elif self._setup is None:
            message = "virtual queue configuration can't be specified at initialization time"
            raise QdiscError("EINVAL", message)
        else:
            self._change_vq(params, self._setup)
        setup = self.params()
        self._default, self._rio = setup.default, setup.grio
        prios = [vq.prio for vq in self.virtual_queues()]
        self.wred = self._rio and len(set(prios)) < len(prios)

    def _change_all(self, params: GredSetup) -> None:
        if params.vqs > MAX_VQS:
            raise QdiscError("EINVAL", "number of virtual queues too high")
        if not params.vqs:
            raise QdiscError("EINVAL", "number of virtual queues can't be 0")
        if params.default >= params.vqs:
            raise QdiscError("EINVAL", "default virtual queue above virtual queue count")
        before = NO_FLAGS if self._setup is None else self._setup.flags
        own_flags = before == NO_FLAGS and any(vq.flags != NO_FLAGS for vq in self.virtual_queues())
        if own_flags and params.flags != NO_FLAGS:
            message = "can't set per-Qdisc RED flags when per-virtual queue flags are used"
            raise QdiscError("EINVAL", message)
        self._setup = params
        self.limit = params.limit or self.limit
        self._vqs[params.vqs :] = [None] * (MAX_VQS - params.vqs)
        if params.flags != before:
            for vq in self.virtual_queues():
                vq.flags = params.flags

    def _change_vq(self, params: GredVq, setup: GredSetup) -> None:
        if params.vq >= setup.vqs:
            raise QdiscError("EINVAL", "virtual queue index above virtual queue count")
        if setup.flags not in (NO_FLAGS, params.flags):
            message = "can't change per-virtual queue RED flags when per-Qdisc flags are used"
            raise QdiscError("EINVAL", message)
        try:
            params.spec.check()
        except QdiscError as error:
            raise QdiscError(error.errno, "invalid RED parameters") from None
        prio = DEFAULT_PRIO
        if setup.grio:
            default = self._vqs[setup.default]
            prio = params.prio or (DEFAULT_PRIO if default is None else default.prio)
        vq = self._vqs[params.vq]
        if vq is None:
            vq = self._vqs[params.vq] = Vq(params.vq, RedParms(params.spec), params.flags)
        vq.parms = RedParms(params.spec, vq.parms.stab)
        vq.flags = params.flags
        vq.prio = prio
        vq.limit = min(params.limit, self.limit)
        if not vq.backlog:
            vq.state.idle_since_ns = None
        vq.state.set()

    def params(self) -> GredSetup:
        assert self._setup is not None
        return self._setup

    def virtual_queues(self) -> Iterator[Vq]:
        """Those that were made, by number."""
        return (vq for vq in self._vqs if vq is not None)

    def backlog_of(self, vq: Vq) -> int:
        """Bytes that its average is taken of."""
        return self.backlog if self.wred else vq.backlog

    def average_of(self, vq: Vq) -> int:
        """Its average at this moment, bytes, as ``tc -s`` shows it."""
        if self.wred:
            self._load(vq)
        wlog = vq.parms.wlog
        return vq.parms.average(vq.state, vq.state.qavg >> wlog, self.dev.now_ns()) >> wlog

    def _load(self, vq: Vq) -> None:
        """With WRED, begin with what all queues share."""
        vq.state.qavg = self._shared.qavg
        vq.state.idle_since_ns = self._shared.idle_since_ns

    # -- packets

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        size = skb.pkt_len
        vq = self._vqs[skb.tc_index & VQ_MASK]
        if vq is None:
            vq = self._vqs[self._default]
            if vq is None:
                if self.backlog + size <= self.limit:
                    return self._append(skb)
                return self.refuse(skb, to_free)
            skb.tc_index = skb.tc_index & ~VQ_MASK | self._default
        wred = self.wred
        better = 0
        if self._rio and not wred:
            for other in self._vqs:
                if other is not None and other.prio < vq.prio and other.state.idle_since_ns is None:
                    better += other.state.qavg
        vq.packets += 1
        vq.bytes += size
        state = vq.state
        if wred:
            self._load(vq)
        now = self.dev.now_ns() if state.idle_since_ns is not None else 0
        state.qavg = vq.parms.average(state, self.backlog if wred else vq.backlog, now)
        state.idle_since_ns = None
        if wred:
            self._shared.qavg = state.qavg
            self._shared.idle_since_ns = None
        action = vq.parms.action(state, state.qavg + better, self.dev.random_u32)
        if action != DONT_MARK:
            self.overlimits += 1
            if action == PROB_MARK:
                if not vq.flags.ecn or not set_ce(skb):
                    vq.prob_drop += 1
                    return self._drop_early(skb, to_free)
                vq.prob_mark += 1
            else:
                if vq.flags.harddrop or not vq.flags.ecn or not set_ce(skb):
                    vq.forced_drop += 1
                    return self._drop_early(skb, to_free)
                vq.forced_mark += 1
        if (self.backlog if wred else vq.backlog) + size <= vq.limit:
            vq.backlog += size
            return self._append(skb)
        vq.pdrop += 1
        return self.refuse(skb, to_free)

    def _append(self, skb: Skb) -> int:
        self._queue.append(skb)
        self.qlen += 1
        self.backlog += skb.pkt_len
        return XMIT_SUCCESS

    def _drop_early(self, skb: Skb, to_free: list[Skb]) -> int:
        self.refuse(skb, to_free)
        return XMIT_CN

    def dequeue(self) -> Skb | None:
        if not self._queue:
            return None
        skb = self._queue.popleft()
        size = skb.pkt_len
        self.qlen -= 1
        self.backlog -= size
        self.bytes += size
        self.packets += skb.gso_segs or 1
        vq = self._vqs[skb.tc_index & VQ_MASK]
        if vq is not None:
            vq.backlog -= size
            if self.wred:
                if not self.backlog:
                    self._shared.idle_since_ns = self.dev.now_ns()
            elif not vq.backlog:
                vq.state.idle_since_ns = self.dev.now_ns()
        return skb

    def peek(self) -> Skb | None:
        return self._queue[0] if self._queue else None

    def dequeue_peeked(self) -> Skb | None:
        return self.dequeue()

    def clear(self) -> None:
        while self._queue:
            self.dev.drop(self._queue.popleft())
        for vq in self.virtual_queues():
            vq.state.restart()
            vq.backlog = 0
