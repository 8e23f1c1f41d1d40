"""Processors: host work takes simulated time, and what comes meanwhile waits.

A job (a timer, an interrupt handler, a softirq) is ordinary Python that runs to completion. While it runs it is
charged for what it does, which moves its CPU's own clock ahead of the timeline; the CPU takes the next job when the
timeline has caught up. Waiting jobs are taken by level, interrupts first, then softirqs, then tasks, and in order of
arrival within one. State that jobs share changes when a job runs, as a whole: CPUs interleave by job, never inside one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import IntEnum
from random import Random
from typing import Self

from ringwire.host.timeline import Event, Timeline


@dataclass(frozen=True, slots=True)
class HostCosts:
    """What the host's operations cost, in nanoseconds of CPU time; the three before the last are delays on the bus.

    The defaults are of the order of a 3 GHz server of the 2020s. An experiment that wants another host says so.
    """

    syscall_ns: int = 250
    """Entering and leaving the kernel, once a send call."""
    qdisc_enqueue_ns: int = 50
    qdisc_dequeue_ns: int = 50
    xmit_ns: int = 120
    """The driver's ndo_start_xmit for one packet: mapping, descriptors, accounting."""
    doorbell_ns: int = 40
    """The store instruction and barrier of a register write."""
    interrupt_ns: int = 500
    """Entry, handler and exit of an interrupt."""
    poll_ns: int = 120
    """One round of NAPI polling, without its completions."""
    completion_ns: int = 60
    """Cleaning one packet: unmapping, freeing, accounting."""
    timer_ns: int = 100
    """Entry of a timer's softirq."""
    posted_write_ns: int = 250
    """From the CPU's store to the device's register."""
    read_ns: int = 800
    """Round trip of a register read."""
    interrupt_delay_ns: int = 200
    """From the device's interrupt to the CPU's."""
    jitter_ns: int = 0
    """The most that caches, other cores and firmware make a job begin later, drawn evenly for each."""

    @classmethod
    def free(cls) -> Self:
        """A host whose work takes no time: for tests that want exact times."""
        return cls(**{field.name: 0 for field in fields(cls)})


class Level(IntEnum):
    """Which waiting job a CPU takes first."""

    INTERRUPT = 0
    SOFTIRQ = 1
    TASK = 2


class Cpu:
    """One processor. ``busy_ns`` sums what its jobs were charged."""

    __slots__ = ("_clock_ns", "_cpus", "_resume_pending", "_timeline", "_waiting", "busy_ns", "index")

    def __init__(self, cpus: Cpus, index: int) -> None:
        self.index = index
        self.busy_ns = 0
        self._cpus = cpus
        self._timeline = cpus.timeline
        self._clock_ns = cpus.timeline.now_ns
        self._waiting: tuple[deque[CpuEvent], ...] = tuple(deque() for _ in Level)
        self._resume_pending = False

    def now_ns(self) -> int:
        """The clock of the job that runs here, else the timeline's."""
        return self._clock_ns if self._cpus.running is self else self._timeline.now_ns

    def call_at(self, when_ns: int, fn: Callable[[], None], level: Level = Level.SOFTIRQ) -> CpuEvent:
        """Run ``fn`` here at ``when_ns`` or, if the CPU is busy then, after what it is running."""
        event = CpuEvent(self, fn, level)
        self._timeline.add(when_ns, event)
        return event

    def _resume_later(self) -> None:
        if not self._resume_pending:
            self._resume_pending = True
            self._timeline.call_at(self._clock_ns, self._resume)

    def _resume(self) -> None:
        """The clock has caught up: take waiting jobs until one is charged for its work."""
        self._resume_pending = False
        for waiting in self._waiting:
            while waiting:
                waiting.popleft().come()
                if self._clock_ns > self._timeline.now_ns:
                    if any(self._waiting):
                        self._resume_later()
                    return


class CpuEvent(Event):
    """A call pending on a CPU, which takes it when its time has come and it is its turn."""

    __slots__ = ("_cpu", "level")

    def __init__(self, cpu: Cpu, fn: Callable[[], None], level: Level) -> None:
        self._cpu = cpu
        self.fn = fn
        self.level = level

    def come(self) -> None:
        """Run, or wait for its turn."""
        fn = self.fn
        if fn is None:
            return
        cpu = self._cpu
        now_ns = cpu._timeline.now_ns
        if cpu._resume_pending or cpu._clock_ns > now_ns:
            cpu._waiting[self.level].append(self)
            cpu._resume_later()
            return
        self.fn = None
        cpu._clock_ns = now_ns
        cpus = cpu._cpus
        cpus.running = cpu
        if cpus.jitter_ns:
            cpus.charge(cpus.draw(0, cpus.jitter_ns))
        try:
            fn()
        finally:
            cpus.running = None


class Cpus:
    """The host's processors and which of them is running a job right now."""

    __slots__ = ("_cpus", "costs", "draw", "jitter_ns", "running", "timeline")

    def __init__(self, timeline: Timeline, count: int = 1, costs: HostCosts | None = None, seed: int = 1) -> None:
        """``seed`` is that of the jitter."""
        if count < 1:
            raise ValueError(f"a host has at least one CPU, not {count}")
        self.timeline = timeline
        self.costs = HostCosts() if costs is None else costs
        self.jitter_ns = self.costs.jitter_ns
        self.draw = Random(seed).randint
        self.running: Cpu | None = None
        self._cpus = [Cpu(self, index) for index in range(count)]

    def __getitem__(self, index: int) -> Cpu:
        return self._cpus[index]

    def __len__(self) -> int:
        return len(self._cpus)

    def now_ns(self) -> int:
        """Time as the running code sees it: its CPU's clock, or the timeline's outside of any job."""
        running = self.running
        return self.timeline.now_ns if running is None else running._clock_ns

    def call_at(self, when_ns: int, fn: Callable[[], None]) -> CpuEvent:
        """Run ``fn`` on the CPU that is running, the first one outside of any job."""
        return (self.running or self._cpus[0]).call_at(when_ns, fn)

    def charge(self, cost_ns: int) -> None:
        """Let the running CPU spend ``cost_ns``; code outside of any job (a test's set-up) works for free."""
        running = self.running
        if running is not None:
            running._clock_ns += cost_ns
            running.busy_ns += cost_ns
