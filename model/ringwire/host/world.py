"""A world: one host and one device on one clock.

The host's half (timeline, processors, memory, the port that a driver sees) is the same whatever the device is. A world
of the behavioural twin and a world of a simulated RTL differ in three things only: how a register write and a register
read reach the device, and how time passes (``advance``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterable
from enum import IntEnum
from typing import Any, TypeVar

from ringwire.host.bus import Bus
from ringwire.host.cpu import Cpu, CpuEvent, Cpus, HostCosts, Level
from ringwire.host.memory import HostMemory
from ringwire.host.napi import Polls
from ringwire.host.timeline import Timeline

PS_PER_NS = 1000
T = TypeVar("T")


class Access(IntEnum):
    """What a device does on its bus, for who measures it; as in hostmem.h."""

    PAYLOAD = 0
    """Asks for bytes of a packet."""
    DESCRIPTOR = 1
    """Asks for descriptors."""
    COMPLETION = 2
    """A write of completions is visible."""
    INTERRUPT = 3


_INTERRUPT, _WATCH_INTERRUPTS = Level.INTERRUPT, 1 << Access.INTERRUPT
AccessListener = Callable[[int, int, int], None]
"""Told (:class:`Access`, time in ps, address; of an interrupt its vector)."""


class Stuck(Exception):
    """What a run waited for has not come within its limit."""


class World(ABC):
    """Owns the timeline, the CPUs and host memory, and runs them against a device."""

    def __init__(self, memory: HostMemory, cpus: int = 1, costs: HostCosts | None = None, seed: int = 1) -> None:
        """``seed`` is that of what chance adds to the host's costs."""
        self.memory = memory
        self.timeline = Timeline()
        memory.attach(self.timeline)
        self.cpus = Cpus(self.timeline, cpus, costs, seed)
        self.bus: Bus = self
        """What ports made from now on stand on: this world, or layers on top of it."""
        self.held_back = False
        """The link partner stops the wire, or queues of some priorities."""
        self.interrupts = 0
        self.polls = Polls()
        self.on_stuck: list[Callable[[], str]] = []
        """Each adds its part's state, one or more lines, to what ``Stuck`` says."""
        self.on_access: AccessListener | None = None
        self.watched = 0
        """Mask of the kinds that it is told, see :meth:`watch_accesses`."""
        costs = self.cpus.costs
        self._posted_write_ns, self._interrupt_delay_ns = costs.posted_write_ns, costs.interrupt_delay_ns
        self.interrupt_lag_ns = costs.interrupt_delay_ns + costs.interrupt_ns
        """From a device's interrupt to software's first step because of it: so late may this world hear of it."""
        self._handlers: dict[int, tuple[Cpu, Callable[[], None]]] = {}
        self._last_due_ps: dict[int, int] = {}

    # -- what a kind of device gives

    @abstractmethod
    def post_write(self, due_ps: int, register: int, value: int) -> None:
        """Have a register written at ``due_ps``; writes land in order of that, equal ones in order of posting."""

    @abstractmethod
    def post_read(self, due_ps: int, register: int, answer: Callable[[int, int], None]) -> None:
        """Have a register read at ``due_ps``, behind the writes posted before; then ``answer(time_ps, value)``."""

    @abstractmethod
    def flow_control(self, paused: bool, priorities: int = 0) -> None:
        """What the link partner stops from now on: the wire (802.3x pause), or queues of some priorities (PFC).

        ``priorities`` is a mask of 8 bits. Frames that the device has picked by then leave all the same, under PFC.
        """
        self.held_back = paused or priorities != 0

    @abstractmethod
    async def advance(self, to_ns: int) -> None:
        """Let the device run up to ``to_ns``, or to the first answer, or ``interrupt_lag_ns`` behind an interrupt.

        Afterwards the timeline has been run up to the time reached, and what the device reported is on it.
        """

    def watch_accesses(self, listener: AccessListener, kinds: Iterable[Access] = tuple(Access)) -> None:
        """Have the device's accesses of some kinds told from now on, and no others.

        They come in order, each kind by itself, at the latest when the host is woken.
        """
        self.on_access = listener
        self.watched = sum(1 << kind for kind in kinds)

    # -- what the device's side calls

    def interrupt(self, time_ps: int, vector: int) -> None:
        """The device raised ``vector``: its handler runs on its CPU after the way there. None listens: it is lost."""
        self.interrupts += 1
        if self.watched & _WATCH_INTERRUPTS and self.on_access is not None:
            self.on_access(Access.INTERRUPT, time_ps, vector)
        listener = self._handlers.get(vector)
        if listener is not None:
            cpu, handler = listener
            cpu.call_at(ceil_ns(time_ps) + self._interrupt_delay_ns, handler, _INTERRUPT)

    # -- what software and tests use

    def port(self, cpu: int = 0) -> HostPort:
        """A driver's port whose timers and interrupts run on this CPU."""
        return HostPort(self, self.cpus[cpu])

    def due_ps(self, register: int) -> int:
        """When an access that software makes now reaches the device.

        Accesses of one CPU stay in order, and so do those to one queue's registers: where another CPU's clock is
        already ahead, the queue's lock would have made this one wait.
        """
        cpus, last = self.cpus, self._last_due_ps
        due_ps = (cpus.now_ns() + self._posted_write_ns) * PS_PER_NS
        running = cpus.running
        cpu, block = -1 if running is None else -2 - running.index, register >> 8
        due_ps = max(due_ps, last.get(cpu, 0), last.get(block, 0))
        last[cpu] = last[block] = due_ps
        return due_ps

    def listen(self, vector: int, cpu: Cpu, handler: Callable[[], None]) -> None:
        """Have ``handler`` run on ``cpu`` for each interrupt of ``vector``, which takes ``interrupt_ns`` before it."""
        charge, cost_ns = self.cpus.charge, self.cpus.costs.interrupt_ns

        def interrupt() -> None:
            charge(cost_ns)
            handler()

        self._handlers[vector] = (cpu, interrupt)

    async def run(self, until: Callable[[], bool], limit_ns: int, what: str) -> None:
        """Let time pass until ``until()`` holds; it is asked whenever the host has worked.

        Raises Stuck, which names ``what`` was waited for and the state of every part, after ``limit_ns``.
        """
        timeline = self.timeline
        deadline = timeline.now_ns + limit_ns
        timeline.run_until(timeline.now_ns)
        while not until():
            if timeline.now_ns >= deadline:
                raise Stuck(self._stuck_text(what, limit_ns))
            pending = timeline.next_ns()
            await self.advance(deadline if pending is None else min(pending, deadline))

    async def pause(self, duration_ns: int) -> None:
        """Let ``duration_ns`` pass."""
        end = self.timeline.now_ns + duration_ns
        await self.run(lambda: self.timeline.now_ns >= end, duration_ns, "time to pass")

    def _stuck_text(self, what: str, limit_ns: int) -> str:
        parts = "".join("\n  " + line for describe in self.on_stuck for line in describe().splitlines())
        return f"waited {limit_ns} ns, until {self.timeline.now_ns} ns, for {what}{parts}"


class HostPort:
    """One CPU's view of the device: implements ``driver.port.DevicePort``, and charges for what it costs.

    ``now_ns()`` is the time on the CPU that is running, ``charge(ns)`` lets that CPU spend some, ``dma_wmb()`` orders
    its writes to coherent memory.
    """

    __slots__ = (
        "_bus",
        "_cpu",
        "_doorbell_ns",
        "_due_ps",
        "_post_write",
        "charge",
        "costs",
        "dma_wmb",
        "memory",
        "now_ns",
        "polls",
    )

    def __init__(self, world: World, cpu: Cpu) -> None:
        self.memory = world.memory
        self.dma_wmb = world.memory.dma_wmb
        self._bus = world.bus
        self._cpu = cpu
        self._due_ps = world.due_ps
        self._post_write = world.bus.post_write
        self.costs = world.cpus.costs
        self._doorbell_ns = self.costs.doorbell_ns
        self.now_ns = world.cpus.now_ns
        self.charge = world.cpus.charge
        self.polls = world.polls

    def call_at(self, when_ns: int, fn: Callable[[], None]) -> CpuEvent:
        """Run ``fn`` on this port's CPU at ``when_ns`` or, if it is busy then, after what it is running."""
        return self._cpu.call_at(when_ns, fn)

    def write(self, register: int, value: int) -> None:
        """Posted register write, which lands after the posted-write latency."""
        self.charge(self._doorbell_ns)
        self._post_write(self._due_ps(register), register, value)

    def read(self, register: int, callback: Callable[[int], None]) -> None:
        """Register read; ``callback(value)`` runs on this port's CPU when the answer is back."""
        costs = self.costs
        back_ns = max(0, costs.read_ns - costs.posted_write_ns)

        def answer(time_ps: int, value: int) -> None:
            self._cpu.call_at(ceil_ns(time_ps) + back_ns, lambda: callback(value))

        self.charge(costs.doorbell_ns)
        self._bus.post_read(self._due_ps(register), register, answer)

    def on_interrupt(self, vector: int, handler: Callable[[], None]) -> None:
        """Have ``handler`` called on this port's CPU for each interrupt of ``vector``."""
        self._bus.listen(vector, self._cpu, handler)


def ceil_ns(time_ps: int) -> int:
    """The first whole nanosecond that is not before ``time_ps``."""
    return -(-time_ps // PS_PER_NS)


def drive(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never has to wait for a simulator, such as a twin world's ``run``, to its end."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    except SystemExit as error:  # of a user's driver, say: a run is not to end without a word
        raise RuntimeError(f"what ran in this world called exit({error.code!r})") from error
    raise RuntimeError("this coroutine waits for a simulator: await it inside a simulator's test")
