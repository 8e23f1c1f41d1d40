"""fq_codel: flows take turns by deficit round robin, new ones first, and each is kept short by CoDel (RFC 8290).

After net/sched/sch_fq_codel.c of Linux 6.12. The fattest flow, which pays when there is too much, is found in a heap
instead of by a walk over all flows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, heapreplace
from typing import ClassVar

from ringwire.qdisc.base import CAN_BYPASS, XMIT_BYPASS, XMIT_CN, XMIT_SUCCESS, AnyQdisc, QdiscStats, option, shown
from ringwire.qdisc.classful import Classful, QdiscClass, verdict_rc
from ringwire.qdisc.classify import NO_CLASS
from ringwire.qdisc.codel_law import MAX_MTU, MIN_MTU, NEVER, Codel, CodelState, drop_next_us, to_us
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.headqueue import free_later
from ringwire.skb import Skb

DEFAULT_LIMIT = 10 * 1024
DEFAULT_FLOWS = 1024
MAX_FLOWS = 65536
DEFAULT_MEMORY = 32 << 20
MAX_MEMORY = 1 << 31
DEFAULT_BATCH = 64


@dataclass(frozen=True, slots=True)
class FqCodelParams:
    """Packets, bytes and microseconds; None was not given or is not in use."""

    limit: int | None = option("number", shown="packets")
    flows: int | None = option("number")
    quantum: int | None = option("number")
    target: int | None = option("time")
    ce_threshold: int | None = option("time")
    ce_threshold_selector: int | None = None
    ce_threshold_mask: int | None = None
    interval: int | None = option("time")
    memory_limit: int | None = option("size")
    ecn: bool | None = option("flag", negative="noecn")
    drop_batch: int | None = option("number")


@dataclass(frozen=True, slots=True)
class FqCodelStats:
    maxpacket: int = shown("number")
    drop_overlimit: int = shown("number")
    new_flow_count: int = shown("number")
    ecn_mark: int = shown("number")
    ce_mark: int = shown("number")
    memory_used: int = shown("number")
    drop_overmemory: int = shown("number")
    new_flows_len: int = shown("number")
    old_flows_len: int = shown("number")


@dataclass(frozen=True, slots=True)
class FlowStats:
    """Of a flow that waits for its turn; times in microseconds."""

    deficit: int = shown("signed")
    count: int = shown("number")
    lastcount: int = shown("number")
    ldelay: int = shown("time")
    dropping: bool = shown("flag")
    drop_next: int = shown("signed")


class Flow(CodelState):
    """The packets of all flows with one hash."""

    __slots__ = ("backlog", "deficit", "index", "listed", "owner", "queue")

    def __init__(self, owner: FqCodel, index: int) -> None:
        super().__init__()
        self.owner = owner
        self.index = index
        self.queue: deque[Skb] = deque()
        self.backlog = 0
        self.deficit = 0
        self.listed = False
        """Has its place among the new or the old flows."""

    def pop(self) -> Skb | None:
        if not self.queue:
            return None
        skb = self.queue.popleft()
        owner, size = self.owner, skb.pkt_len
        self.backlog -= size
        owner.memory_used -= skb.truesize
        owner.qlen -= 1
        owner.backlog -= size
        return skb


class FlowClass(QdiscClass):
    """A flow as ``tc class show`` sees it; there are no classes otherwise."""

    __slots__ = ("_flow",)
    counts_sent = False

    def __init__(self, owner: FqCodel, flow: Flow) -> None:
        super().__init__(owner.handle | flow.index + 1, owner.handle, owner)
        self.leaf = False
        self._flow = flow

    def stats(self) -> QdiscStats:
        return QdiscStats(qlen=len(self._flow.queue), backlog=self._flow.backlog)

    def xstats(self) -> FlowStats:
        flow = self._flow
        drop_next = drop_next_us(flow, flow.owner.dev.now_ns())
        return FlowStats(flow.deficit, flow.count, flow.last_count, to_us(flow.ldelay), flow.dropping, drop_next)


class FqCodel(Classful[FqCodelParams, FlowClass]):
    """A flow is the packet's hash, unless a filter or the packet's priority names one."""

    kind: ClassVar[str] = "fq_codel"
    params_type = FqCodelParams
    default_flags: ClassVar[int] = CAN_BYPASS

    def setup(self) -> None:
        super().setup()
        self.law = Codel(self, ecn=True)
        self.limit = DEFAULT_LIMIT
        self.quantum = self.law.mtu
        self.memory_limit = DEFAULT_MEMORY
        self.drop_batch = DEFAULT_BATCH
        self.flows: list[Flow | None] = []
        """By number, those that have had a packet."""
        self._new: deque[Flow] = deque()
        self._old: deque[Flow] = deque()
        self._fat: list[int] | None = None
        """A heap of ``_fat_key``, at least one with no less than a flow has for each that has any; None: not kept."""
        self.memory_used = 0
        self.new_flow_count = 0
        self.drop_overlimit = 0
        self.drop_overmemory = 0

    def change(self, params: FqCodelParams) -> None:
        if params.flows is not None and (self.flows or not 0 < params.flows <= MAX_FLOWS):
            raise QdiscError("EINVAL")
        if params.quantum is not None and params.quantum > MAX_MTU:
            raise QdiscError("EINVAL", "Invalid quantum")
        if not self.flows:
            self.flows = [None] * (params.flows or DEFAULT_FLOWS)
        self.law.change(params)
        if params.ce_threshold_selector is not None:
            self.law.ce_selector = params.ce_threshold_selector
        if params.ce_threshold_mask is not None:
            self.law.ce_mask = params.ce_threshold_mask
        if params.limit is not None:
            self.limit = params.limit
        if not self.limit:
            self.flags &= ~CAN_BYPASS
        if params.quantum is not None:
            self.quantum = max(params.quantum, MIN_MTU)
        if params.drop_batch is not None:
            self.drop_batch = max(params.drop_batch, 1)
        if params.memory_limit is not None:
            self.memory_limit = min(params.memory_limit, MAX_MEMORY)
        self._trim()

    def _trim(self) -> None:
        """Send packets nowhere until what is left is within limits: Linux counts them as sent, not as dropped."""
        removed: list[Skb] = []
        while self.qlen > self.limit or self.memory_used > self.memory_limit:
            skb = self.take_requeued() if self.requeued else self.dequeue()
            if skb is None:
                break
            removed.append(skb)
        self.tree_reduce_backlog(len(removed), sum(skb.pkt_len for skb in removed))
        free_later(self, removed)

    def params(self) -> FqCodelParams:
        law = self.law
        late = law.ce_threshold != NEVER
        return FqCodelParams(
            limit=self.limit,
            flows=len(self.flows),
            quantum=self.quantum,
            target=to_us(law.target),
            ce_threshold=to_us(law.ce_threshold) if late else None,
            ce_threshold_selector=law.ce_selector if late else None,
            ce_threshold_mask=law.ce_mask if late else None,
            interval=to_us(law.interval),
            memory_limit=self.memory_limit,
            ecn=law.ecn,
            drop_batch=self.drop_batch,
        )

    def xstats(self) -> FqCodelStats:
        return FqCodelStats(
            maxpacket=self.law.max_packet,
            drop_overlimit=self.drop_overlimit,
            new_flow_count=self.new_flow_count,
            ecn_mark=self.law.ecn_marks,
            ce_mark=self.law.ce_marks,
            memory_used=self.memory_used,
            drop_overmemory=self.drop_overmemory,
            new_flows_len=len(self._new),
            old_flows_len=len(self._old),
        )

    def classes(self) -> Iterator[FlowClass]:
        listed = sorted((*self._new, *self._old), key=lambda flow: flow.index)
        return iter([FlowClass(self, flow) for flow in listed])

    def children(self) -> Iterator[tuple[int, AnyQdisc]]:
        return iter(())

    def clear(self) -> None:
        for flow in filter(None, self.flows):
            while flow.queue:
                self.dev.drop(flow.queue.popleft())
            flow.backlog = 0
            flow.listed = False
            flow.forget()
        self._new.clear()
        self._old.clear()
        self._fat = None
        self.memory_used = 0

    # -- packets

    def _classify(self, skb: Skb) -> int:
        """The flow's number plus one; or 0 or less: minus what ``enqueue`` returns."""
        flows, minor = len(self.flows), skb.priority & 0xFFFF
        if skb.priority ^ minor == self.handle and 0 < minor <= flows:
            return minor
        if not self.filters.chains:
            return (skb.hash * flows >> 32) + 1
        verdict = self.filters.classify(skb, self.match)
        if verdict in NO_CLASS:
            return -verdict_rc(verdict)
        minor = self.match.classid & 0xFFFF
        return minor if 0 < minor <= flows else -(XMIT_SUCCESS | XMIT_BYPASS)

    def _open(self, index: int) -> Flow:
        """A flow's first packet has come; those that never have any take no room."""
        flow = self.flows[index] = Flow(self, index)
        return flow

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        number = self._classify(skb)
        if number <= 0:
            return self.refuse_unclassified(skb, -number, to_free)
        flow = self.flows[number - 1] or self._open(number - 1)
        size = skb.pkt_len
        skb.enqueued_ns = self.dev.now_ns()
        flow.queue.append(skb)
        flow.backlog += size
        self.backlog += size
        if not flow.listed:
            flow.listed = True
            self._new.append(flow)
            self.new_flow_count += 1
            flow.deficit = self.quantum
        if self._fat is not None:
            self._keep_fat(flow)
        self.memory_used += skb.truesize
        self.qlen += 1
        if self.qlen <= self.limit and self.memory_used <= self.memory_limit:
            return XMIT_SUCCESS
        return self._make_room(flow, size, to_free)

    def _make_room(self, own: Flow, own_size: int, to_free: list[Skb]) -> int:
        """Too much: half of the fattest flow goes, but no more than ``drop_batch`` packets."""
        over_memory = self.memory_used > self.memory_limit
        flow = self._fattest()
        enough = flow.backlog >> 1
        removed: list[Skb] = []
        count = size = 0
        while True:
            skb = flow.pop()
            assert skb is not None
            removed.append(skb)
            count += 1
            size += skb.pkt_len
            if count >= self.drop_batch or size >= enough:
                break
        # freed from its end: the oldest goes first
        to_free.extend(reversed(removed))
        flow.count += count
        self.drops += count
        self.drop_overlimit += count
        if over_memory:
            self.drop_overmemory += count
        if flow is own:
            # The sender's packet counts as refused above, so that it was never part of those counts.
            self.tree_reduce_backlog(count - 1, size - own_size)
            return XMIT_CN
        self.tree_reduce_backlog(count, size)
        return XMIT_SUCCESS

    def _keep_fat(self, flow: Flow) -> None:
        """A flow has grown; a heap that has become mostly history is given up."""
        assert self._fat is not None
        if len(self._fat) > 4 * (len(self._new) + len(self._old)):
            self._fat = None
        else:
            heappush(self._fat, _fat_key(flow))

    def _fattest(self) -> Flow:
        """The flow with most bytes, of equal ones the first; entries of the heap may say more than is there."""
        heap = self._fat
        if heap is None:
            heap = self._fat = [_fat_key(flow) for flow in (*self._new, *self._old) if flow.backlog]
            heapify(heap)
        while True:
            key = heap[0]
            flow = self.flows[key & MAX_FLOWS - 1]
            assert flow is not None
            now = _fat_key(flow)
            if now == key:
                return flow
            if flow.backlog:
                heapreplace(heap, now)
            else:
                heappop(heap)

    def dequeue(self) -> Skb | None:
        skb = self._take()
        if self.law.lost:
            self.law.report(self)
        return skb

    def peek(self) -> Skb | None:
        return self.law.peek(self, self._take)

    def _take(self) -> Skb | None:
        """The next packet, counted as sent; the law may have dropped others."""
        new, old = self._new, self._old
        while True:
            flows = new or old
            if not flows:
                return None
            flow = flows[0]
            if flow.deficit <= 0:
                flow.deficit += self.quantum
                old.append(flows.popleft())
                continue
            skb = self.law.dequeue(self, flow, flow.pop)
            if skb is not None:
                flow.deficit -= skb.pkt_len
                self.bytes += skb.pkt_len
                self.packets += skb.gso_segs or 1
                return skb
            flows.popleft()
            if flows is new and old:
                # once through the old flows, lest a trickle of new packets starve them
                old.append(flow)
            else:
                flow.listed = False


def _fat_key(flow: Flow) -> int:
    """The less, the more bytes there are, of equal ones the first; its low bits are the index.

    One number: where all flows are as short as can be, comparing pairs would be most of what a packet costs.
    """
    return flow.index - flow.backlog * MAX_FLOWS
