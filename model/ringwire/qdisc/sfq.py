"""sfq: Stochastic Fairness Queueing, flows by hash in deficit round robin; when full, the longest flow loses.

After net/sched/sch_sfq.c of Linux 6.12, and McKenney, "Stochastic Fairness Queuing" (1990). Flows may be kept short
by RED (Linux 3.3), each with an average of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ringwire.qdisc.base import CAN_BYPASS, XMIT_BYPASS, XMIT_CN, XMIT_SUCCESS, Timer, psched_mtu
from ringwire.qdisc.classful import Classful, verdict_rc
from ringwire.qdisc.classify import NO_CLASS
from ringwire.qdisc.ecn import set_ce
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.perturb import Perturbation
from ringwire.qdisc.psched import NS_PER_S
from ringwire.qdisc.red_law import DONT_MARK, PROB_MARK, RedParms, RedSpec
from ringwire.qdisc.sfq_slot import FlowClass, Slot
from ringwire.skb import Skb

MAX_DEPTH = 127
MAX_FLOWS = 0x1_0000 - MAX_DEPTH - 1
MAX_DIVISOR = 65536
DEFAULT_FLOWS = 128
DEFAULT_DIVISOR = 1024
INT_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class SfqParams:
    """0 = the default. ``limit`` and ``depth`` (of one flow) in packets, ``quantum`` in bytes, ``perturb`` in s."""

    limit: int = 0
    quantum: int = 0
    depth: int = 0
    headdrop: bool = False
    flows: int = 0
    divisor: int = 0
    perturb: int = 0
    red: RedSpec | None = None
    ecn: bool = False
    harddrop: bool = False


@dataclass(slots=True)
class SfqRedStats:
    """Packets that RED marked, when they came or at the head of their flow, and those it dropped."""

    prob_mark: int = 0
    prob_mark_head: int = 0
    prob_drop: int = 0
    forced_mark: int = 0
    forced_mark_head: int = 0
    forced_drop: int = 0


class Sfq(Classful[SfqParams, FlowClass]):
    """It can't be changed once it is there, only replaced by one with another handle."""

    kind: ClassVar[str] = "sfq"
    params_type = SfqParams
    default_flags: ClassVar[int] = CAN_BYPASS

    def setup(self) -> None:
        super().setup()
        self._params: SfqParams | None = None
        self._slots: dict[int, Slot] = {}
        """Active flows by bucket."""
        self._spare: list[Slot] = []
        self._ring: deque[Slot] = deque()
        """Active flows in the round's order: the one whose turn it is, first."""
        self._by_depth: list[dict[Slot, None]] = [{} for _ in range(MAX_DEPTH + 2)]
        """Active flows by the number of their packets, the one that came to it last at the end."""
        self._longest = 0
        self._perturbation = Perturbation(self.handle)
        self._timer: Timer | None = None
        self.red: RedParms | None = None
        self.red_stats = SfqRedStats()

    def change(self, params: SfqParams) -> None:
        if self._params is not None:
            raise QdiscError("EINVAL", "Change operation not supported by specified qdisc")
        if params.divisor and (params.divisor.bit_count() != 1 or params.divisor > MAX_DIVISOR):
            raise QdiscError("EINVAL")
        if params.quantum > INT_MAX:
            raise QdiscError("EINVAL", "invalid quantum")
        if not 0 <= params.perturb <= INT_MAX // self.dev.hz:
            raise QdiscError("EINVAL", "invalid perturb period")
        if params.red is not None:
            params.red.check()
            if params.red.qth_min:
                self.red = RedParms(params.red)
        depth = min(params.depth, MAX_DEPTH) or MAX_DEPTH
        flows = min(params.flows, MAX_FLOWS) or DEFAULT_FLOWS
        if params.divisor:
            flows = min(flows, params.divisor)
        limit = MAX_DEPTH
        if params.limit:
            limit = min(params.limit, depth * flows)
            flows = min(flows, limit)
        if limit == 1:
            raise QdiscError("EINVAL", "invalid limit")
        quantum = params.quantum or psched_mtu(self.dev)
        divisor = params.divisor or DEFAULT_DIVISOR
        red = None if self.red is None else self.red.spec
        self._params = SfqParams(
            limit,
            quantum,
            depth,
            params.headdrop,
            flows,
            divisor,
            params.perturb,
            red,
            params.ecn,
            params.harddrop,
        )
        self._limit, self._quantum, self._depth, self._flows = limit, quantum, depth, flows
        self._divisor, self._headdrop = divisor, params.headdrop
        self._prob_mark, self._hard_mark = params.ecn, params.ecn and not params.harddrop
        if params.perturb:
            self._arm()

    def params(self) -> SfqParams:
        assert self._params is not None
        return self._params

    def classes(self) -> Iterator[FlowClass]:
        for bucket in sorted(self._slots):
            yield FlowClass(self, self.handle | bucket + 1, self._slots[bucket])

    def clear(self) -> None:
        # all of it counts as sent, in Linux too
        while (skb := self.dequeue()) is not None:
            self.dev.drop(skb)

    def destroy(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super().destroy()

    # -- packets

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        bucket = skb.priority - self.handle
        if not 0 < bucket <= self._divisor or bucket > 0xFFFF:
            if self.filters.chains:
                verdict = self.filters.classify(skb, self.match)
                if verdict in NO_CLASS:
                    return self.refuse_unclassified(skb, verdict_rc(verdict), to_free)
                bucket = self.match.classid & 0xFFFF
                if not 0 < bucket <= self._divisor:
                    return self.refuse_unclassified(skb, XMIT_SUCCESS | XMIT_BYPASS, to_free)
            else:
                bucket = (self._perturbation.hash(skb.hash) & self._divisor - 1) + 1
        size = skb.pkt_len
        slot = self._slots.get(bucket - 1)
        if slot is None:
            if len(self._slots) >= self._flows:
                return self.refuse(skb, to_free)
            slot = self._activate(bucket - 1)
        elif (self.red is not None and self._red_refuses(skb, slot)) or len(slot.queue) >= self._depth:
            if not self._headdrop:
                return self.refuse(skb, to_free)
            head = slot.queue.popleft()
            gone = head.pkt_len - size
            self.backlog -= gone
            slot.backlog -= gone
            to_free.append(head)
            self.drops += 1
            slot.queue.append(skb)
            self.tree_reduce_backlog(0, gone)
            return XMIT_CN
        self.backlog += size
        self._append(slot, skb)
        self.qlen += 1
        if self.qlen <= self._limit:
            return XMIT_SUCCESS
        victim, dropped = self._drop_from_longest(to_free)
        if victim is slot:
            self.tree_reduce_backlog(0, dropped - size)
            return XMIT_CN
        self.tree_reduce_backlog(1, dropped)
        return XMIT_SUCCESS

    def dequeue(self) -> Skb | None:
        ring = self._ring
        if not ring:
            return None
        slot = ring[0]
        while slot.allot <= 0:
            slot.allot += self._quantum
            ring.rotate(-1)
            slot = ring[0]
        skb = slot.queue.popleft()
        size = skb.pkt_len
        slot.backlog -= size
        self.bytes += size
        self.packets += skb.gso_segs or 1
        self.qlen -= 1
        self.backlog -= size
        left = len(slot.queue)
        level = self._by_depth[left + 1]
        del level[slot]
        if left:
            self._by_depth[left][slot] = None
            slot.allot -= size
        else:
            ring.popleft()
            self._retire(slot)
        if not level and self._longest == left + 1:
            self._longest = left
        return skb

    def _red_refuses(self, skb: Skb, slot: Slot) -> bool:
        """Whether RED wants a packet of this flow dropped; it may mark one instead, the oldest if it drops heads."""
        assert self.red is not None
        state, stats = slot.state, self.red_stats
        state.qavg = self.red.average(state, slot.backlog, 0)
        action = self.red.action(state, state.qavg, self.dev.random_u32)
        if action == DONT_MARK:
            return False
        self.overlimits += 1
        if action == PROB_MARK:
            if self._prob_mark:
                if self._headdrop and set_ce(slot.queue[0]):
                    stats.prob_mark_head += 1
                    return False
                if set_ce(skb):
                    stats.prob_mark += 1
                    return False
            stats.prob_drop += 1
            return True
        if self._hard_mark:
            if self._headdrop and set_ce(slot.queue[0]):
                stats.forced_mark_head += 1
                return False
            if set_ce(skb):
                stats.forced_mark += 1
                return False
        stats.forced_drop += 1
        return True

    # -- flows

    def _activate(self, bucket: int) -> Slot:
        """A flow without packets, for this bucket."""
        slot = self._spare.pop() if self._spare else Slot()
        slot.bucket = bucket
        slot.backlog = 0
        slot.state.set()
        self._slots[bucket] = slot
        return slot

    def _retire(self, slot: Slot) -> None:
        """The flow has sent its last packet."""
        del self._slots[slot.bucket]
        self._spare.append(slot)

    def _append(self, slot: Slot, skb: Skb) -> None:
        """Put a packet into a flow, which takes its place in the round if it is the first."""
        queue = slot.queue
        depth = len(queue)
        queue.append(skb)
        slot.backlog += skb.pkt_len
        if depth:
            del self._by_depth[depth][slot]
        else:
            slot.allot = self._quantum
            self._ring.append(slot)
        depth += 1
        self._by_depth[depth][slot] = None
        if depth > self._longest:
            self._longest = depth

    def _drop_from_longest(self, to_free: list[Skb]) -> tuple[Slot, int]:
        """Drop a packet of the longest flow, or of the one whose turn it is if all have one; (flow, bytes)."""
        longest = self._longest
        level = self._by_depth[longest]
        if longest > 1:
            slot, _ = level.popitem()
            self._by_depth[longest - 1][slot] = None
        else:
            slot = self._ring.popleft()
            del level[slot]
            self._retire(slot)
        if not level:
            self._longest = longest - 1
        skb = slot.queue.popleft() if self._headdrop else slot.queue.pop()
        size = skb.pkt_len
        slot.backlog -= size
        self.qlen -= 1
        self.backlog -= size
        to_free.append(skb)
        self.drops += 1
        return slot, size

    # -- perturbation

    def _arm(self) -> None:
        self._timer = self.dev.call_at(self.dev.now_ns() + self.params().perturb * NS_PER_S, self._perturb)

    def _perturb(self) -> None:
        """Hash anew, so that flows that share a bucket do not share it for ever."""
        self._perturbation.renew()
        if not self.filters.chains and self._ring:
            self._rehash()
        self._arm()

    def _rehash(self) -> None:
        """Sort what is queued into the new buckets, without counting it again; what finds no room is dropped."""
        slots = list(self._slots.values())
        waiting = [skb for slot in slots for skb in slot.queue]
        for slot in slots:
            slot.queue.clear()
            self._retire(slot)
        self._ring.clear()
        for level in self._by_depth:
            level.clear()
        self._longest = 0
        dropped = dropped_bytes = 0
        for skb in waiting:
            bucket = self._perturbation.hash(skb.hash) & self._divisor - 1
            room = self._slots.get(bucket)
            if room is None and len(self._slots) < self._flows:
                room = self._activate(bucket)
            if room is None or len(room.queue) >= self._depth:
                dropped += 1
                dropped_bytes += skb.pkt_len
                self.dev.drop(skb)
                continue
            if self.red is not None:
                room.state.qavg = self.red.average(room.state, room.backlog, 0)
            self._append(room, skb)
        self.qlen -= dropped
        self.backlog -= dropped_bytes
        self.tree_reduce_backlog(dropped, dropped_bytes)
