"""choke: RED that sets every packet against one drawn from the queue, and drops both if they are of one flow.

After net/sched/sch_choke.c of Linux 6.12; R. Pan, B. Prabhakar and K. Psounis, "CHOKe, a stateless active queue
management scheme for approximating fair bandwidth allocation" (2000). Where the holes that such drops leave would
overrun the table, which makes Linux forget its queue, they are closed here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from ringwire.packet import HeaderError, frame_flow_hash, parse_headers
from ringwire.qdisc.base import XMIT_CN, XMIT_SUCCESS, Qdisc
from ringwire.qdisc.ecn import set_ce
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.headqueue import free_later
from ringwire.qdisc.options import shown
from ringwire.qdisc.psched import U32
from ringwire.qdisc.red_law import RedParms, RedSpec, RedVars
from ringwire.skb import Skb

MAX_LIMIT = 128 * 1024 - 1
"""Packets."""
TRIES = 3
"""Draws that may meet a hole before the first packet is taken."""


@dataclass(frozen=True, slots=True)
class ChokeParams:
    """``limit`` and the thresholds of ``spec`` in packets."""

    limit: int = 0
    spec: RedSpec | None = None
    ecn: bool = False


@dataclass(frozen=True, slots=True)
class ChokeStats:
    """Packets: CE marks, drops by the law, by the full queue, and pairs of one flow."""

    marked: int = shown("number")
    early: int = shown("number")
    pdrop: int = shown("number")
    other: int = shown("number", default=0)
    matched: int = shown("number", default=0)


class Choke(Qdisc[ChokeParams]):
    kind: ClassVar[str] = "choke"
    params_type = ChokeParams

    def setup(self) -> None:
        self._table: list[Skb | None] = []
        """The queue from ``_head`` on, with holes; what comes first is no hole."""
        self._head = 0
        self._size = 0
        """Places that Linux's table has for packets."""
        self._state = RedVars()
        self.marked = self.early = self.pdrop = self.matched = 0

    def change(self, params: ChokeParams) -> None:
        spec = params.spec
        if spec is None or spec.stab is None or params.limit > MAX_LIMIT:
            raise QdiscError("EINVAL")
        spec.check()
        self._params = params
        self.limit = params.limit
        size = (1 << params.limit.bit_length()) - 1
        if size != self._size:
            self._size = size
            self._resize()
        self.parms = RedParms(spec)
        self._qth_min, self._qth_max = spec.qth_min << spec.wlog, spec.qth_max << spec.wlog
        self._state.set()
        if self._head == len(self._table):
            self._state.idle_since_ns = None

    def _resize(self) -> None:
        """A table of another size: the oldest packets move, those that find no place are dropped."""
        self._close_holes()
        removed = [skb for skb in self._table[self._size :] if skb is not None]
        del self._table[self._size :]
        size = sum(skb.pkt_len for skb in removed)
        self.qlen -= len(removed)
        self.backlog -= size
        self.drops += len(removed)
        self.tree_reduce_backlog(len(removed), size)
        free_later(self, removed)

    def params(self) -> ChokeParams:
        return self._params

    def xstats(self) -> ChokeStats:
        return ChokeStats(self.marked, self.early, self.pdrop, matched=self.matched)

    def clear(self) -> None:
        for skb in self._table[self._head :]:
            if skb is not None:
                self.dev.drop(skb)
        self._table.clear()
        self._head = 0
        self._state.restart()

    # -- the table

    def _close_holes(self) -> None:
        self._table = [skb for skb in self._table[self._head :] if skb is not None]
        self._head = 0

    def _advance(self) -> None:
        """The first place has become empty: go on to the next packet."""
        table, head, end = self._table, self._head + 1, len(self._table)
        while head < end and table[head] is None:
            head += 1
        self._head = head
        if head == end or head > self._size:
            del table[:head]
            self._head = 0

    def _draw(self) -> int:
        """A packet's place, at random."""
        table, head = self._table, self._head
        for _ in range(TRIES):
            index = head + random_below(self.dev.random_u32, len(table) - head)
            if table[index] is not None:
                return index
        return head

    def _drop_at(self, index: int, to_free: list[Skb]) -> None:
        skb = self._table[index]
        assert skb is not None
        self._table[index] = None
        if index == self._head:
            self._advance()
        self.qlen -= 1
        self.backlog -= skb.pkt_len
        self.tree_reduce_backlog(1, skb.pkt_len)
        self.refuse(skb, to_free)

    # -- packets

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        state, parms = self._state, self.parms
        if state.idle_since_ns is None:
            qavg = state.qavg = parms.average(state, self.qlen, 0)
        else:
            qavg = state.qavg = parms.average_after_idle(state, self.dev.now_ns())
            state.idle_since_ns = None
        if qavg <= self._qth_min:
            state.qcount = -1
        elif self._matches(skb, to_free):
            self.matched += 1
            return self._congested(skb, to_free)
        elif self._is_condemned(qavg):
            self.overlimits += 1
            if not (self._params.ecn and set_ce(skb)):
                self.early += 1
                return self._congested(skb, to_free)
            self.marked += 1
        if self.qlen >= self.limit:
            self.pdrop += 1
            return self.refuse(skb, to_free)
        if len(self._table) - self._head >= self._size:
            self._close_holes()
        self._table.append(skb)
        self.qlen += 1
        self.backlog += skb.pkt_len
        return XMIT_SUCCESS

    def _matches(self, skb: Skb, to_free: list[Skb]) -> bool:
        """Set the packet against one in the queue, which is dropped if it is of the same flow."""
        if self._head == len(self._table):
            return False
        index = self._draw()
        other = self._table[index]
        assert other is not None
        if flow_of(other) != flow_of(skb):
            return False
        self._drop_at(index, to_free)
        return True

    def _is_condemned(self, qavg: int) -> bool:
        """RED's judgement of a packet above the lower threshold."""
        state, parms = self._state, self.parms
        if qavg > self._qth_max:
            state.qcount = -1
            return True
        state.qcount += 1
        if not state.qcount:
            state.qR = self._lot()
        elif (qavg - self._qth_min >> parms.wlog) * state.qcount >= state.qR:
            state.qcount = 0
            state.qR = self._lot()
            return True
        return False

    def _lot(self) -> int:
        return self.dev.random_u32() // self.parms.per_packet

    def _congested(self, skb: Skb, to_free: list[Skb]) -> int:
        self.refuse(skb, to_free)
        return XMIT_CN

    def peek(self) -> Skb | None:
        if self.requeued:
            return self.requeued[0]
        return self._table[self._head] if self._head < len(self._table) else None

    def dequeue(self) -> Skb | None:
        if self._head == len(self._table):
            if self._state.idle_since_ns is None:
                self._state.idle_since_ns = self.dev.now_ns()
            return None
        skb = self._table[self._head]
        assert skb is not None
        self._table[self._head] = None
        self._advance()
        self.qlen -= 1
        self.backlog -= skb.pkt_len
        self.count_sent(skb)
        return skb


def random_below(random_u32: Callable[[], int], ceiling: int) -> int:
    """A number below ``ceiling``, each with the same chance (get_random_u32_below; Lemire, 2019)."""
    product = ceiling * random_u32()
    if product & U32 < ceiling:
        bound = -ceiling % (1 << 32) % ceiling
        while product & U32 < bound:
            product = ceiling * random_u32()
    return product >> 32


def flow_of(skb: Skb) -> int:
    """What packets of one flow have in common: their hash, or what the addresses and ports in the bytes come to."""
    if skb.hash or not skb.data:
        return skb.hash
    frame = skb.linear()
    try:
        return frame_flow_hash(frame, parse_headers(frame))
    except HeaderError:
        return 0
