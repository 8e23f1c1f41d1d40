"""TCP flows on an ideal link, whose frames can be tampered with, or on the twin with the real driver."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

from ringwire import gso
from ringwire.driver.config import DriverConfig
from ringwire.driver.ringwire import RingwireDriver
from ringwire.host.cpu import Cpus, HostCosts
from ringwire.host.timeline import Timeline
from ringwire.host.world import drive
from ringwire.netdev import NETDEV_TX_OK, NetDevice, TxQueue, dev_queue_xmit
from ringwire.netdev.device import Clock
from ringwire.nic.twin_world import TwinWorld
from ringwire.rig.host import TaskClock
from ringwire.skb import Skb
from ringwire.traffic.flow import Flow

MS = 1_000_000
SECOND = 1_000_000_000
GBIT = 10**9
STOP_AT = 64
"""Packets on the link's ring at which it stops the queue."""
OVERHEAD = 24
"""Bytes a frame beside itself on the wire."""

Tamper = Callable[[int, bytes], int | None]
"""Told of each frame, by its number and bytes: how much later it is to arrive in ns, None: it gets lost."""


class BenchEnvironment:
    """What a flow needs, on one CPU."""

    def __init__(self, dev: NetDevice, clock: Clock, seed: int = 1, syscall_ns: int = 0) -> None:
        self.dev = dev
        self.clock = clock
        self.random = Random(seed)
        self.syscall_ns = syscall_ns
        self.now_ns = clock.now_ns
        self.owners: dict[int, Flow] = {}
        """Flows by the cookies of their sockets."""
        self.sent: list[tuple[int, int, Skb]] = []
        """(time, bytes of payload and headers, packet) of each send; only if ``keep``."""
        self.keep = False
        self.on_send: Callable[[Skb], int | None] = lambda skb: None
        """May answer in the stack's place."""

    def charge(self, cost_ns: int) -> None:
        self.dev.charge(cost_ns)

    def send(self, flow: Flow, skb: Skb, written_ns: int | None = None) -> int:
        skb.sk = flow.sk
        self.owners[flow.sk.cookie] = flow
        if self.keep:
            self.sent.append((self.now_ns(), skb.len, skb))
        rc = self.on_send(skb)
        return dev_queue_xmit(skb, self.dev) if rc is None else rc


class Link:
    """A driver over an ideal link: frames follow each other at its rate, a packet is done with its last frame."""

    def __init__(self, bench: TcpBench, rate_bps: int) -> None:
        self.bench = bench
        self.rate_bps = rate_bps
        self.free_ns = 0
        self.packets = 0
        self.frames = 0
        self.bytes = 0

    def ndo_start_xmit(self, skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        bench, timeline = self.bench, self.bench.timeline
        self.packets += 1
        if self.packets >= STOP_AT:
            txq.stop()
        txq.sent(skb.len, xmit_more)
        pieces = gso.segment(replace(skb, destructor=None), complete=False) if skb.gso_size else [skb]
        end_ns = max(self.free_ns, timeline.now_ns)
        for piece in pieces:
            size = max(piece.len, 60) + OVERHEAD
            end_ns += -(-size * 8 * SECOND // self.rate_bps)
            frame = piece.linear().ljust(60, b"\0")
            timeline.call_at(end_ns, partial(bench.on_wire, skb, frame))
        self.free_ns = end_ns
        timeline.call_at(end_ns, lambda: self._done(skb, txq))
        return NETDEV_TX_OK

    def _done(self, skb: Skb, txq: TxQueue) -> None:
        self.packets -= 1
        dev = txq.dev
        dev.local_bh_disable()
        length = skb.len
        skb.free()
        txq.completed(1, length)
        if txq.stopped:
            txq.wake()
        dev.local_bh_enable()


class TcpBench:
    """One device on one timeline. ``tamper`` decides over each frame."""

    def __init__(
        self, *flows: Flow, rate_bps: int = GBIT, tamper: Tamper | None = None, seed: int = 1, **dev: Any
    ) -> None:
        self.timeline = Timeline()
        self.cpus = Cpus(self.timeline, 1, HostCosts.free())
        self.link = Link(self, rate_bps)
        self.dev = NetDevice(self.cpus[0], self.link, **dev)
        self.env = BenchEnvironment(self.dev, self.cpus[0], seed)
        self.tamper = tamper
        self.frames = 0
        self.dropped: list[Skb] = []
        self.dev.on_drop = self.dropped.append
        self.flows = flows

    def start(self, *times_ns: int) -> TcpBench:
        """At these times, one a flow; without any, at once."""
        if not times_ns:
            for flow in self.flows:
                flow.start(self.env)
        for flow, time_ns in zip(self.flows, times_ns, strict=False):
            self.timeline.call_at(time_ns, partial(flow.start, self.env))
        return self

    def on_wire(self, skb: Skb, frame: bytes) -> None:
        number, self.frames = self.frames, self.frames + 1
        late_ns = self.tamper(number, frame) if self.tamper is not None else 0
        if late_ns is None:
            return
        assert skb.sk is not None
        flow = self.env.owners[skb.sk.cookie]
        if late_ns:
            when_ns = self.timeline.now_ns + late_ns
            self.timeline.call_at(when_ns, lambda: flow.arrived(skb, frame, when_ns))
        else:
            flow.arrived(skb, frame, self.timeline.now_ns)

    def run(self, duration_ns: int) -> TcpBench:
        self.timeline.run_until(self.timeline.now_ns + duration_ns)
        return self

    def run_until(self, done: Callable[[], bool], limit_ns: int = 600 * SECOND) -> TcpBench:
        """AssertionError after ``limit_ns``."""
        end_ns = self.timeline.now_ns + limit_ns
        while not done():
            when_ns = self.timeline.next_ns()
            assert when_ns is not None and when_ns <= end_ns, f"stuck at {self.timeline.now_ns} ns"
            self.timeline.run_until(when_ns)
        return self


class TwinBench:
    """One flow's host with the real driver and the behavioural twin."""

    def __init__(self, *flows: Flow, rate_bps: int = GBIT, costs: HostCosts | None = None, **dev: Any) -> None:
        self.world = TwinWorld(costs=costs, on_frame=self._on_frame, wake_on_frame=True)
        cpus = self.world.cpus
        self.dev = NetDevice(cpus, costs=cpus.costs, charge=cpus.charge, **dev)
        self.driver = RingwireDriver(self.world.port(), self.dev, DriverConfig(line_rate_bps=rate_bps))
        self.world.on_stuck.append(self.driver.describe)
        self.env = BenchEnvironment(self.dev, TaskClock(cpus[0]), syscall_ns=cpus.costs.syscall_ns)
        self.rate_bps = rate_bps
        self.flows = flows
        self.frames: list[bytes] = []
        self._given: deque[Skb] = deque()
        """A packet for each frame to come."""
        self._xmit = self.dev.start_xmit
        self.dev.start_xmit = self._note

    def _note(self, skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        rc = self._xmit(skb, txq, xmit_more)
        if rc == NETDEV_TX_OK:
            self._given.extend([skb] * (skb.gso_segs or 1))
        return rc

    def _on_frame(self, start_ps: int, queue: int, frame: bytes) -> None:
        end_ns = -(-start_ps // 1000) + -(-(max(len(frame), 60) + 4) * 8 * SECOND // self.rate_bps)
        skb = self._given.popleft()
        assert skb.sk is not None
        self.frames.append(frame)
        self.env.owners[skb.sk.cookie].arrived(skb, frame, end_ns)

    def run_until(self, done: Callable[[], bool], limit_ns: int = SECOND) -> TwinBench:
        self.driver.open()
        drive(self.world.run(lambda: self.driver.up, MS, "the driver"))
        for flow in self.flows:
            flow.start(self.env)
        drive(self.world.run(done, limit_ns, "the flows"))
        return self
