"""fq: fair queueing with pacing. Each flow has a queue; packets leave in turns, at a flow's rate, at their own times.

Three bands by priority share what leaves by weights. After net/sched/sch_fq.c of Linux 6.12, with the corrections of
its stable releases (quantum of 256 bytes at least, no negative drift).
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from heapq import heappop, heappush
from typing import ClassVar

from ringwire.qdisc.base import XMIT_SUCCESS, Qdisc, psched_mtu
from ringwire.qdisc.ecn import set_ce
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.fq_flows import NEVER, Flow, Flows, time_of
from ringwire.qdisc.fq_params import (
    BANDS,
    DEFAULT_BUCKETS_LOG,
    DEFAULT_WEIGHTS,
    MAX_BUCKETS_LOG,
    MAX_QUANTUM,
    NS_PER_US,
    US_PER_S,
    FqParams,
    FqStats,
    clamp_quantum,
)
from ringwire.qdisc.pfifo_fast import PRIO2BAND
from ringwire.qdisc.psched import NS_PER_S, U32
from ringwire.qdisc.watchdog import Watchdog
from ringwire.skb import Skb
from ringwire.sock import Sock

FAST_PATH = 8
"""Packets that may wait in the fast path's queue while others wait elsewhere."""


class Fq(Qdisc[FqParams]):
    """Flows are connected sockets; packets without one are told apart by their hash."""

    kind: ClassVar[str] = "fq"
    params_type = FqParams

    def setup(self) -> None:
        mtu = psched_mtu(self.dev)
        self.limit = 10_000
        self.flow_limit = 100
        self.quantum = clamp_quantum(2 * mtu)
        self.initial_quantum = min(10 * mtu, MAX_QUANTUM)
        self.refill_delay = -(-40 * self.dev.hz // 1000)
        """Jiffies, as is a flow's ``age``."""
        self.max_rate: int | None = None
        """Bytes a second; None = no limit."""
        self.pacing = True
        self.orphan_mask = 1023
        self.low_rate_threshold = 550_000 // 8
        self.timer_slack_ns = 10_000
        self.horizon_ns = 10 * NS_PER_S
        self.horizon_drop = True
        self.ce_threshold_ns = U32 * NS_PER_US
        self.prio2band: tuple[int, ...] = PRIO2BAND
        self.weights: tuple[int, ...] = DEFAULT_WEIGHTS
        self.watchdog = Watchdog(self)
        self.unthrottle_latency_ns = 0
        self.stat_throttled = self.stat_ce_mark = self.stat_flows_plimit = self.stat_too_long = 0
        self.stat_horizon_drops = self.stat_horizon_caps = 0
        self.time_next_delayed = NEVER
        """When the first throttled flow may send, as far as known."""
        self.band = 0
        self.band_credit = [0] * BANDS
        self.flows = Flows(self.dev.hz, DEFAULT_BUCKETS_LOG)
        self._empty()

    def _empty(self) -> None:
        """No flows and no packets."""
        self.flows.clear()
        self._internal = Flow(0, 0, 0)
        """The fast path: what may go at once, in order and before all else."""
        self._new: list[deque[Flow]] = [deque() for _ in range(BANDS)]
        self._old: list[deque[Flow]] = [deque() for _ in range(BANDS)]
        self._band_packets = [0] * BANDS
        self._inactive = 0
        """Flows without packets."""
        self._delayed: list[tuple[int, int, Flow]] = []
        """Throttled flows by the time they may send, in order of arrival among equals."""
        self._throttlings = 0

    # -- parameters

    def change(self, params: FqParams) -> None:
        log = self.flows.log
        if params.buckets:
            log = (params.buckets - 1).bit_length()
            if not 1 <= log <= MAX_BUCKETS_LOG:
                raise QdiscError("EINVAL")
        params.validate()
        for name in ("limit", "flow_limit", "pacing", "initial_quantum", "low_rate_threshold", "orphan_mask"):
            value = getattr(params, name)
            if value is not None:
                setattr(self, name, value)
        if params.quantum is not None:
            self.quantum = clamp_quantum(params.quantum)
        if params.maxrate is not None:
            self.max_rate = None if params.maxrate >= U32 else params.maxrate
        if params.refill_delay is not None:
            self.refill_delay = -(-params.refill_delay * self.dev.hz // US_PER_S)
        if params.ce_threshold is not None:
            self.ce_threshold_ns = params.ce_threshold * NS_PER_US
        if params.timer_slack is not None:
            self.timer_slack_ns = params.timer_slack
        if params.horizon is not None:
            self.horizon_ns = params.horizon * NS_PER_US
        if params.horizon_drop is not None:
            self.horizon_drop = params.horizon_drop
        if params.priomap is not None:
            self.prio2band = params.priomap
        if params.weights is not None:
            self.weights = params.weights
        self._inactive -= self.flows.resize(log, self.dev.jiffies())
        self._trim()

    def _trim(self) -> None:
        """Drop what no longer fits, as if it were sent: so Linux counts it as both."""
        dropped: list[Skb] = []
        while self.qlen > self.limit:
            skb = self.dequeue_peeked()
            if skb is None:
                break
            dropped.append(skb)
        self.tree_reduce_backlog(len(dropped), sum(skb.pkt_len for skb in dropped))
        for skb in reversed(dropped):
            self.dev.drop(skb)

    def params(self) -> FqParams:
        ce_threshold = self.ce_threshold_ns // NS_PER_US
        return FqParams(
            limit=self.limit,
            flow_limit=self.flow_limit,
            buckets=1 << self.flows.log,
            orphan_mask=self.orphan_mask,
            pacing=self.pacing,
            quantum=self.quantum,
            initial_quantum=self.initial_quantum,
            maxrate=self.max_rate,
            low_rate_threshold=self.low_rate_threshold or None,
            refill_delay=self.refill_delay * US_PER_S // self.dev.hz,
            ce_threshold=None if ce_threshold == U32 else ce_threshold,
            timer_slack=self.timer_slack_ns,
            horizon=self.horizon_ns // NS_PER_US,
            horizon_drop=self.horizon_drop,
            priomap=None if self.prio2band == PRIO2BAND else self.prio2band,
            weights=None if self.weights == DEFAULT_WEIGHTS else self.weights,
        )

    def xstats(self) -> FqStats:
        delay = self.time_next_delayed + self.timer_slack_ns - self.dev.now_ns()
        return FqStats(
            flows=len(self.flows),
            inactive_flows=self._inactive,
            throttled_flows=len(self._delayed),
            next_packet_delay=delay if delay > 0 and self.time_next_delayed != NEVER else None,
            gc=self.flows.collected,
            throttled=self.stat_throttled,
            latency=min(self.unthrottle_latency_ns, U32) or None,
            ce_mark=self.stat_ce_mark or None,
            flows_plimit=self.stat_flows_plimit or None,
            pkts_too_long=self.stat_too_long or None,
            horizon_drops=self.stat_horizon_drops or None,
            horizon_caps=self.stat_horizon_caps or None,
        )

    def clear(self) -> None:
        # the order in which Linux's deferred frees come out
        for flow in (*reversed(list(self.flows.in_order())), self._internal):
            for _, _, skb in (*flow.ready, *reversed(flow.early)):
                self.dev.drop(skb)
        self._empty()
        self.watchdog.cancel()

    # -- packets

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        band = self.prio2band[skb.priority & 15]
        if self._band_packets[band] >= self.limit:
            return self.refuse(skb, to_free)
        now = self.dev.now_ns()
        time_to_send = skb.tstamp
        if not time_to_send:
            time_to_send = now
        elif time_to_send > now + self.horizon_ns:
            if self.horizon_drop:
                self.stat_horizon_drops += 1
                return self.refuse(skb, to_free)
            self.stat_horizon_caps += 1
            time_to_send = skb.tstamp = now + self.horizon_ns
        sk = skb.sk
        if time_to_send <= now and self.max_rate is None and self._fast_path(sk, now):
            if sk is not None and sk.connected and self.pacing:
                sk.paced_by_fq = True
            flow = self._internal
        else:
            flow = self._flow(skb, sk, now)
            if flow.qlen >= self.flow_limit:
                self.stat_flows_plimit += 1
                return self.refuse(skb, to_free)
            if flow.age:
                # It goes to the band of the packet before: its own is noted only now.
                self._new[flow.band].append(flow)
                if self.dev.jiffies() > flow.age + self.refill_delay and flow.credit < self.quantum:
                    flow.credit = self.quantum
                flow.age = 0
            flow.band = band
            self._band_packets[band] += 1
            if not flow.qlen:
                self._inactive -= 1
        flow.qlen += 1
        ready = flow.ready
        if not ready or time_to_send >= ready[-1][0]:
            ready.append((time_to_send, band, skb))
        else:
            insort(flow.early, (time_to_send, band, skb), key=time_of)
        self.qlen += 1
        self.backlog += skb.pkt_len
        return XMIT_SUCCESS

    def _fast_path(self, sk: Sock | None, now: int) -> bool:
        """Whether a packet that is due need not be held apart from others."""
        if self.qlen and (
            len(self.flows) != self._inactive + len(self._delayed)
            or self._internal.qlen >= FAST_PATH
            or self.time_next_delayed <= now
        ):
            return False
        return sk is None or sk.tcp or sk.max_pacing_rate is None

    def _flow(self, skb: Skb, sk: Sock | None, now: int) -> Flow:
        """The packet's flow, made if it is new."""
        if sk is not None and sk.connected:
            # A socket's number is even, as its address in Linux, and a hash's is odd.
            key = sk.cookie << 1
            if self.pacing:
                sk.paced_by_fq = True
        else:
            key = (skb.hash & self.orphan_mask) << 1 | 1
        flows = self.flows
        if now >= flows.gc_from_ns:
            self._inactive -= flows.collect(key, now)
        flow = flows.get(key)
        if flow is None:
            flow = flows.add(key, self.initial_quantum, self.dev.jiffies() | 1)
            self._inactive += 1
        return flow

    def dequeue(self) -> Skb | None:
        if not self.qlen:
            return None
        internal = self._internal
        if internal.qlen:
            skb = internal.take()
            internal.qlen -= 1
            self._count(skb)
            return skb
        now = self.dev.now_ns()
        if self.time_next_delayed <= now:
            self._unthrottle(now)
        band = self.band
        idle = 0
        while True:
            queue = None
            if self.band_credit[band] > 0:
                queue = self._new[band] or self._old[band]
            if not queue:
                # to the next band that has credit; all three without flows in a row end it
                idle += 1
                if idle > BANDS:
                    break
                while True:
                    band = band + 1 if band + 1 < BANDS else 0
                    weight = self.weights[band]
                    credit = min(self.band_credit[band] + weight, weight)
                    self.band_credit[band] = credit
                    if credit > 0:
                        break
                    idle = 1
                continue
            idle = 0
            flow = queue[0]
            if flow.credit <= 0:
                flow.credit += self.quantum
                queue.popleft()
                self._old[flow.band].append(flow)
                continue
            if not flow.qlen:
                queue.popleft()
                if queue is self._new[band]:
                    # a pass through the old flows, lest these starve
                    self._old[flow.band].append(flow)
                else:
                    flow.age = self.dev.jiffies() | 1
                    self.flows.note_rest(flow.age)
                continue
            due = flow.first_time()
            if due < flow.time_next:
                due = flow.time_next
            if now < due:
                queue.popleft()
                flow.time_next = due
                self._throttle(flow)
                continue
            self.band = band
            return self._send(flow, band, now, due)
        self.band = band
        if self.time_next_delayed != NEVER:
            self.watchdog.schedule(self.time_next_delayed, self.timer_slack_ns)
        return None

    def _throttle(self, flow: Flow) -> None:
        """The flow may not send before its ``time_next``."""
        self._throttlings += 1
        heappush(self._delayed, (flow.time_next, self._throttlings, flow))
        self.stat_throttled += 1
        if flow.time_next < self.time_next_delayed:
            self.time_next_delayed = flow.time_next

    def _unthrottle(self, now: int) -> None:
        """Flows whose time has come are old ones again."""
        late = now - self.time_next_delayed
        self.unthrottle_latency_ns += (late >> 3) - (self.unthrottle_latency_ns >> 3)
        delayed = self._delayed
        while delayed and delayed[0][0] <= now:
            flow = heappop(delayed)[2]
            self._old[flow.band].append(flow)
        self.time_next_delayed = delayed[0][0] if delayed else NEVER

    def _count(self, skb: Skb) -> None:
        self.qlen -= 1
        self.backlog -= skb.pkt_len
        self.bytes += skb.pkt_len
        self.packets += skb.gso_segs or 1

    def _send(self, flow: Flow, band: int, now: int, due: int) -> Skb:
        """Take a flow's first packet and note when the next one may go."""
        skb = flow.take()
        self._count(skb)
        if now - due > self.ce_threshold_ns:
            set_ce(skb)
            self.stat_ce_mark += 1
        flow.qlen -= 1
        if not flow.qlen:
            self._inactive += 1
        self._band_packets[flow.taken_band] -= 1
        size = skb.pkt_len
        flow.credit -= size
        self.band_credit[band] -= size
        if not self.pacing:
            return skb
        rate = self.max_rate
        if not skb.tstamp:
            sk = skb.sk
            if sk is not None and sk.pacing_rate is not None and (rate is None or sk.pacing_rate < rate):
                rate = sk.pacing_rate
            if rate is not None and rate <= self.low_rate_threshold:
                flow.credit = 0
            else:
                if size < self.quantum:
                    size = self.quantum
                if flow.credit > 0:
                    return skb
        if rate is None:
            return skb
        delay = size * NS_PER_S // rate if rate else size * NS_PER_S
        if delay > NS_PER_S:
            delay = NS_PER_S
            self.stat_too_long += 1
        if flow.time_next:
            drift = now - flow.time_next
            if drift > 0:
                delay -= min(delay // 2, drift)
        flow.time_next = now + delay
        return skb
