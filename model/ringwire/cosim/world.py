"""The world of a simulated RTL: host and device on one clock, in a simulator.

The simulator runs ahead by itself. Python is woken at a clock edge, by one signal, when the device interrupts, answers
a register read or sends a frame that is waited for, and when the time comes that the host has asked for. It then reads
and writes plain memory only (``hostmem``); no signal is touched.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, TypeVar

from ringwire.cosim.capture import WireCapture, WireFrame
from ringwire.cosim.direct import Direct, Waking
from ringwire.cosim.hostmem import NEVER, POSTS, READ, REGISTER_READ, REGISTER_WRITE, WRITE, Hostmem
from ringwire.host.cpu import HostCosts
from ringwire.host.memory import DEFAULT_BASE, DEFAULT_SIZE, LINE, HostMemory
from ringwire.host.weak_memory import WeakMemory
from ringwire.host.world import PS_PER_NS, Access, AccessListener, World

MAX_READS = 1024
"""Read bursts that host memory can have in flight."""
MIN_CAPTURE = 1 << 17
"""Bytes of the smallest capture ring."""
DATA_W_VARIABLE, QUEUES_VARIABLE = "RINGWIRE_DATA_W", "RINGWIRE_QUEUES"
"""Environment variables: what the device was built with."""
PROGRESS_MARK = "ringwire-progress:"
"""Starts a line of output that is progress."""
T = TypeVar("T")
KINDS = {READ: "read", WRITE: "write", REGISTER_WRITE: "register write", REGISTER_READ: "register read"}


class WorldError(Exception):
    """The simulated world lost something, or the device did what it must not."""


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """One run's knobs; none needs another build. ValueError, naming the knob, if one is out of range."""

    period_ps: int = 4000
    """Of the clock: 250 MHz."""
    jumps: bool = True
    """The clock stops while only time passes. Results are the same without."""
    latency_ns: int = 500
    """Of host memory: a read's request to its first beat, a write's last beat to its response."""
    jitter_ns: int = 0
    """The most that a transaction is answered later than that."""
    read_stalls: float = 0.0
    """Chance that an edge brings no read beat though one is due, 0 to 0.9."""
    max_reads: int = 512
    """Read bursts in flight."""
    seed: int = 1
    memory_bytes: int = DEFAULT_SIZE
    dma_base: int = DEFAULT_BASE
    capture_bytes: int = 16 << 20
    """Size of the ring between wire and Python, a power of two."""
    wake_on_frame: bool = False
    """Every frame wakes the host, for traffic that waits for what was sent."""
    reset_edges: int = 16
    """Clock edges under reset, before time 0."""
    cpus: int = 1
    costs: HostCosts | None = None
    dma_order_ns: int = 0
    """Without a barrier, half of what software wrote to rings becomes visible within this; 0: all of it at once."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("period_ps", 2, 10**9),
            ("latency_ns", 0, 10**9),
            ("jitter_ns", 0, 10**9),
            ("read_stalls", 0.0, 0.9),
            ("max_reads", 1, MAX_READS),
            ("seed", 0, 2**64 - 1),
            ("memory_bytes", LINE, 2**40),
            ("dma_base", 0, 2**63),
            ("capture_bytes", MIN_CAPTURE, 2**32),
            ("reset_edges", 1, 10**6),
            ("cpus", 1, 1024),
            ("dma_order_ns", 0, 10**9),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} is {low} to {high}, not {value}")
        if self.memory_bytes % LINE or self.dma_base % LINE:
            raise ValueError(f"memory_bytes and dma_base are multiples of {LINE}")
        if self.capture_bytes & self.capture_bytes - 1:
            raise ValueError(f"capture_bytes is a power of two, not {self.capture_bytes}")


def control_words(settings: WorldSettings) -> dict[str, int]:
    """The settings as the C side's control block (hostmem.h) has them."""
    return {
        "period_ps": settings.period_ps,
        "jumps": settings.jumps,
        "reset_edges": settings.reset_edges,
        "latency_ps": settings.latency_ns * PS_PER_NS,
        "jitter_ps": settings.jitter_ns * PS_PER_NS,
        "read_stall": int(settings.read_stalls * 2**32),
        "max_reads": settings.max_reads,
        "seed": settings.seed,
        "dma_base": settings.dma_base,
        "wake_on_frame": settings.wake_on_frame,
    }


class Fault(NamedTuple):
    """An access that was answered with an error: the device's to memory outside of every mapping, or to a register."""

    time_ps: int
    addr: int
    kind: str

    def __str__(self) -> str:
        return f"{self.kind} at {self.addr:#x} at {self.time_ps} ps"


class SimulatedWorld(World):
    """What every world round the RTL shares: interrupts, wire capture, faults and the passing of time.

    ``dut`` is the cocotb handle of ``ringwire_tb``.
    """

    def __init__(self, dut: Any, settings: WorldSettings | None = None) -> None:
        self.dut = dut
        self.beat_bytes = int(os.environ[DATA_W_VARIABLE]) // 8
        """Width of the device's data path, bytes."""
        self.queues = int(os.environ[QUEUES_VARIABLE])
        self.settings = settings = WorldSettings() if settings is None else settings
        self.hostmem = c = Hostmem(settings.memory_bytes, settings.capture_bytes)
        place = (c.arena, c.lines, settings.dma_base, settings.seed)
        memory = WeakMemory(*place, settings.dma_order_ns) if settings.dma_order_ns else HostMemory(*place)
        super().__init__(memory, settings.cpus, settings.costs, settings.seed)
        self.capture = WireCapture(c)
        self.on_frame: Callable[[int, int, bytes], None] | None = None
        """Called with (start_ps, queue, bytes) of each frame once the host is awake, instead of keeping them."""
        self.faults: list[Fault] = []
        """Drained when the host is woken. A run whose faults are expected takes them out."""
        self._control = c.control
        self._host_next = c.word("host_next_ps")
        self._now = c.word("now_ps")
        self._flow = c.word("flow")
        self._wakes = c.word("wakes")
        self._lost = c.word("lost")
        self._interrupt_ring = (c.word("interrupt_head"), c.word("interrupt_tail"), len(c.interrupts) // 2)
        self._fault_ring = (c.word("fault_head"), c.word("fault_tail"), len(c.faults) // 3)
        self._frame_room = settings.capture_bytes // 2
        self._accesses = c.accesses
        self._access_ring = (c.word("access_head"), c.word("access_tail"), len(c.accesses) // 3)
        self._woken: Any = dut.host_wake.value_change
        """What :meth:`advance` waits for."""
        for name, value in control_words(settings).items():
            c.control[c.word(name)] = value
        c.control[c.word("interrupt_lag_ps")] = self.interrupt_lag_ns * PS_PER_NS

    # -- time

    async def advance(self, to_ns: int) -> None:
        """As ``World.advance``; the time reached is that of a clock edge."""
        control, wakes = self._control, self._wakes
        before = control[wakes]
        control[self._host_next] = to_ns * PS_PER_NS
        while control[wakes] == before:  # a signal's first value is a change as well
            await self._woken
        self._collect()

    def now_ps(self) -> int:
        """Time of the last clock edge."""
        return self._control[self._now]

    def flow_control(self, paused: bool, priorities: int = 0) -> None:
        """As ``World.flow_control``; the device sees it at the next clock edge."""
        super().flow_control(paused, priorities)
        self._control[self._flow] = paused | priorities << 1

    def watch_accesses(self, listener: AccessListener, kinds: Iterable[Access] = tuple(Access)) -> None:
        """As ``World.watch_accesses``."""
        super().watch_accesses(listener, kinds)
        self._control[self.hostmem.word("log_accesses")] = self.watched

    def _collect(self) -> None:
        """The host is awake: let its events up to now run, then hand it what the device has reported."""
        control, timeline = self._control, self.timeline
        if control[self._lost]:
            raise WorldError(self._loss_text())
        now_ns = control[self._now] // PS_PER_NS
        self.memory.refresh()
        if self.watched:
            self._collect_accesses()  # before the host can use a place in memory for something else
        head, tail, size = self._interrupt_ring
        last, entry = control[head], control[tail]
        if entry != last:
            ring = self.hostmem.interrupts
            while entry != last:
                at = entry % size * 2
                timeline.run_until(ring[at] // PS_PER_NS)
                self.interrupt(ring[at], ring[at + 1])
                entry += 1
            control[tail] = last
        timeline.run_until(now_ns)
        self._collect_answers()
        if self.on_frame is not None:
            for frame in self.capture.take():
                self.on_frame(frame.start_ps, frame.queue, frame.data)
        elif self.capture.waiting > self._frame_room:
            self.capture.drain()
        head, tail, size = self._fault_ring
        if control[head] != control[tail]:
            faults = self.hostmem.faults
            for entry in range(control[tail], control[head]):
                at = entry % size * 3
                self.faults.append(Fault(faults[at], faults[at + 1], KINDS[faults[at + 2]]))
            control[tail] = control[head]
        timeline.run_until(now_ns)

    def _collect_accesses(self) -> None:
        head, tail, size = self._access_ring
        control, ring, listener = self._control, self._accesses, self.on_access
        last, entry = control[head], control[tail]
        if entry == last or listener is None:
            return
        while entry != last:
            at = entry % size * 3
            time_ps, addr, kind = ring[at : at + 3]
            listener(kind, time_ps, addr)
            entry += 1
        control[tail] = last

    @abstractmethod
    def _collect_answers(self) -> None:
        """Hand register answers to those who asked."""

    @abstractmethod
    def inject(self, kind: int, addr: int, length: int = 1, skip: int = 0, count: int = 0) -> None:
        """Answer with an error what bursts of ``kind`` (READ or WRITE) touch of ``length`` bytes at ``addr``.

        Of the bursts that touch them, the first ``skip`` are left out, then ``count`` (0: all) are hit.
        """

    # -- what happened

    @staticmethod
    def progress(text: str) -> None:
        """Tell whoever asked for this run how far it is: one line."""
        print(PROGRESS_MARK, text, flush=True)

    def count(self, name: str) -> int:
        """A counter of hostmem.h: skipped_edges, reads, read_beats, writes, frames, frame_bytes, ..."""
        return self._control[self.hostmem.word(name)]

    @property
    def wire(self) -> list[WireFrame]:
        """Every frame that left so far."""
        return self.capture.frames

    @property
    def edges(self) -> int:
        """Clock edges since time 0 that were simulated, without those that were skipped."""
        return self.now_ps() // self.settings.period_ps + 1 - self.count("skipped_edges")

    def finish(self) -> None:
        """Raise WorldError if anything was lost, or if there was a fault that nobody took out."""
        self._collect()
        if self.faults:
            first = "; ".join(map(str, self.faults[:4]))
            raise WorldError(f"{len(self.faults)} accesses were answered with an error: {first}")

    def _loss_text(self) -> str:
        names = ("interrupts", "answers", "faults", "frames", "accesses")
        counts = ", ".join(f"{n} {name}" for name in names if (n := self.count(f"lost_{name}")))
        when = f"; the first frame at {self.count('first_lost_frame_ps')} ps" if self.count("lost_frames") else ""
        return f"a ring between world and host overflowed: lost {counts}{when}"


class FastWorld(SimulatedWorld):
    """The default world: memory and register path are in Verilog and C, and the clock stops while only time passes.

    Making one resets the device and starts the clock.
    """

    _runs: ClassVar[int] = 0

    def __init__(self, dut: Any, settings: WorldSettings | None = None) -> None:
        super().__init__(dut, settings)
        c = self.hostmem
        self._posts = c.posts
        self._post_head_word, self._post_tail_word = c.word("post_head"), c.word("post_tail")
        self._post_head = 0
        self._latest_post_ps = 0
        self._answer_ring = (c.word("answer_head"), c.word("answer_tail"), len(c.answers) // 2)
        self._asked: deque[Callable[[int, int], None]] = deque()
        FastWorld._runs = FastWorld._runs % 255 + 1
        dut.host_run.value = FastWorld._runs

    async def directly(self, work: Coroutine[Any, Any, T]) -> T:
        """Await ``work`` with the clock itself resuming it where it waits in :meth:`advance`, which is faster.

        Meanwhile no other task may advance this world.
        """
        signal, self._woken = self._woken, Waking()
        try:
            return await Direct(self.hostmem, signal, self._woken, work)
        finally:
            self._woken = signal

    def post_write(self, due_ps: int, register: int, value: int) -> None:
        """As ``World.post_write``."""
        self._post(due_ps, register << 32 | value)

    def post_read(self, due_ps: int, register: int, answer: Callable[[int, int], None]) -> None:
        """As ``World.post_read``. An error answer reads as all ones, as on PCIe, and is a fault."""
        if due_ps < self._latest_post_ps:
            due_ps = self._latest_post_ps
        self._asked.append(answer)
        self._post(due_ps, 1 << 63 | register << 32)

    def inject(self, kind: int, addr: int, length: int = 1, skip: int = 0, count: int = 0) -> None:
        """As ``SimulatedWorld.inject``. HostmemError beyond 64 injections."""
        self.hostmem.inject(kind, addr, addr + length, skip, count)

    def _post(self, due_ps: int, op: int) -> None:
        posts, head = self._posts, self._post_head
        tail = self._control[self._post_tail_word]
        if head - tail >= POSTS:
            raise WorldError(f"{POSTS} register accesses wait for the device")
        at = head % POSTS * 2
        if due_ps < self._latest_post_ps:
            # Another CPU's clock is ahead: later accesses that have not left yet make room.
            while head > tail:
                before = (head - 1) % POSTS * 2
                if posts[before] <= due_ps:
                    break
                posts[at], posts[at + 1] = posts[before], posts[before + 1]
                at, head = before, head - 1
        else:
            self._latest_post_ps = due_ps
        posts[at] = due_ps
        posts[at + 1] = op
        self._post_head += 1
        self._control[self._post_head_word] = self._post_head

    def _collect_answers(self) -> None:
        control = self._control
        head, tail, size = self._answer_ring
        if control[head] != control[tail]:
            answers = self.hostmem.answers
            for entry in range(control[tail], control[head]):
                at = entry % size * 2
                value = answers[at + 1]
                self._asked.popleft()(answers[at], 0xFFFFFFFF if value >> 32 else value)
            control[tail] = control[head]


__all__ = ["NEVER", "FastWorld", "Fault", "SimulatedWorld", "WorldError", "WorldSettings"]
