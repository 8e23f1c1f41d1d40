"""Every schedule of two CPUs and a device: what one CPU writes reaches the others late, and anything may come between.

A CPU has a store buffer, as on x86 and weaker machines: its writes leave it in order and any time later, its reads see
its own at once. A barrier waits until it is empty. The bits of a word change atomically, but that is a write like any
other; only an atomic operation that returns what was there is a barrier (Documentation/memory-barriers.txt,
Documentation/atomic_t.txt of Linux). A register write overtakes the buffer unless a ``dma_wmb`` is between them.

The code under test is ordinary Python, run in greenlets. It is stopped before each read of a word that another may
write, each barrier, each atomic operation that returns something and each register write; the departure of each write
from its buffer is a step of its own. Writes into the buffer, reads of what only the reader writes, and the departure of
what nobody else reads change nothing for others, so stopping there would only repeat schedules. That there is one
writer, or one reader, is checked.

The search goes depth first and does not follow a state twice. A state is what memory, buffers and device hold, and
where in its code each CPU is; that follows from what it has read since it last said what it remembers. Of two steps
that don't touch the same words only one order is tried, by sleep sets (P. Godefroid, Partial-Order Methods for the
Verification of Concurrent Systems, 1996).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]

MAX_STATES = 100_000
"""A search that meets more is not worth its time: the scenario is too large."""
Key = str | tuple[str, int]
"""A word's name, or that of a table of words and an index."""
Touched = frozenset[str | Key]
"""Words; and DEVICE, and each CPU's jobs and buffer by its name."""
DEVICE = "device"
NOTHING: Touched = frozenset()


@dataclass(frozen=True, slots=True)
class Step:
    """What an actor can do next, and what it touches."""

    run: Callable[[], None]
    reads: Touched
    writes: Touched

    def commutes_with(self, other: Step) -> bool:
        """In either order they lead to the same."""
        return not (self.writes & other.writes or self.writes & other.reads or self.reads & other.writes)


class Violation(Exception):
    """A schedule that ends as it must not, step by step."""


@dataclass(frozen=True, slots=True)
class Write:
    """A write in a store buffer: of memory, or of a register of the device (no ``change``)."""

    key: Key
    value: Hashable
    """Tells it apart, and tells people what it is."""
    apply: Callable[[], None]
    turn: int
    """What a CPU wrote between two stops has the same."""
    change: Callable[[Any], Any] | None = None

    @property
    def word(self) -> Key:
        """What it touches."""
        return self.key if self.change is not None else DEVICE

    def __str__(self) -> str:
        return f"{text(self.key)} = {self.value}" if self.change is not None else f"{self.key}"


class Cpu:
    """One processor: what it runs, what waits to be run, and its store buffer."""

    def __init__(self, run: Run, name: str, unread: tuple[str, ...] = ()) -> None:
        """``unread``: words and tables of which nobody else reads what this CPU writes."""
        self.name = name
        self.jobs: deque[Callable[[], None]] = deque()
        self.buffer: deque[Write] = deque()
        """What it wrote and others can't see yet."""
        self.fenced = False
        """A register write comes behind what is in the buffer."""
        self.seen: Hashable = 0
        """Stands for all that it has read and remembers."""
        self.ready: Callable[[], bool] | None = None
        """What the job waits for."""
        self.reads = self.writes = NOTHING
        """What it touches when it goes on."""
        self.idle = True
        self.turn = 0
        self.unread = unread
        self._run = run
        self._job: greenlet | None = None

    def can_step(self) -> bool:
        return bool(self.jobs) if self.idle else self.ready is None or self.ready()

    def steps(self) -> Iterator[tuple[str, Step]]:
        """To go on, if it can, and to let a write go, if there is one."""
        if self.idle:
            if self.jobs:
                yield self.name, Step(self.step, NOTHING, frozenset((self.name,)))
        elif self.can_step():
            yield self.name, Step(self.step, self.reads, self.writes)
        if self.buffer:
            word = self.buffer[0].word
            yield self.name + "'s buffer", Step(self.flush, NOTHING, frozenset((word, self.name + "'s buffer")))

    def step(self) -> None:
        """Begin the next job, or go on, up to the next stop."""
        if self.idle:
            self._job, self.idle = greenlet(self.jobs.popleft()), False
            self.saw("begins")
        self.turn += 1
        self._run.running = self
        assert self._job is not None
        self._job.switch()
        self._run.running = None
        if self._job.dead:
            self._job, self.idle = None, True
        self._flush_unread()

    def stop(
        self,
        reads: tuple[Key, ...] = (),
        writes: tuple[Key, ...] = (),
        drains: bool = False,
        ready: Callable[[], bool] | None = None,
    ) -> None:
        """Let the others go first: called by the job, which then touches these, and its buffer if it ``drains``."""
        self.reads, self.writes, self.ready = frozenset(reads), frozenset(writes), ready
        if drains:
            words = [write.word for write in self.buffer]
            self.writes |= {*words, self.name + "'s buffer"}
        getcurrent().parent.switch()

    def flush(self) -> None:
        """The oldest write leaves the buffer, and so do those behind it of the same table: nobody looks between."""
        buffer = self.buffer
        write = buffer[0]
        while buffer and (
            buffer[0] is write or (buffer[0].turn == write.turn and table(buffer[0].key) == table(write.key))
        ):
            self._leave()
        self._flush_unread()

    def _leave(self) -> None:
        write = self.buffer.popleft()
        write.apply()
        if self._run.trace is not None:
            self._run.trace.append(f"{self.name}'s write can be seen: {write}")

    def _flush_unread(self) -> None:
        while self.buffer and table(self.buffer[0].key) in self.unread:
            self._leave()

    def drain(self) -> None:
        while self.buffer:
            self._leave()

    def saw(self, what: str, value: Hashable = None) -> None:
        """Take a read, or another step, into account."""
        self.seen = hash((self.seen, what, value))
        if self._run.trace is not None:
            self._run.trace.append(f"{self.name} {what}" if value is None else f"{self.name} {what}: {value}")

    def remembers(self, value: Hashable) -> None:
        """Of all that the job has read, this decides what it will do."""
        self.seen = value


class Run(ABC):
    """One world, from its beginning. A subclass sets it up, adds the device's steps, and judges how it ends."""

    def __init__(self, traced: bool) -> None:
        self.memory: dict[Key, Any] = {}
        self.owner: dict[str, str] = {}
        """Words and tables that one CPU alone writes."""
        self.running: Cpu | None = None
        self.cpus: list[Cpu] = []
        self.trace: list[str] | None = [] if traced else None

    # -- what the code under test does; outside of a job, where the world is set up, nothing is late

    def load(self, key: Key) -> Any:
        """Read a word."""
        cpu = self.running
        if cpu is None:
            return self.memory.get(key)
        name = table(key)
        own = self.owner.get(name) == cpu.name
        if not own:
            if any(name in other.unread for other in self.cpus if other is not cpu):
                raise AssertionError(f"{cpu.name} reads {text(key)}, which nobody should")
            cpu.stop(reads=(key,))
        value = self.memory.get(key)
        for write in cpu.buffer:
            if write.key == key and write.change is not None:
                value = write.change(value)
        if not own:
            cpu.saw(f"reads {text(key)}", tag(value))
        return value

    def store(self, key: Key, value: Any) -> None:
        """Write a word."""
        self.change(key, lambda _: value, tag(value))

    def change(self, key: Key, change: Callable[[Any], Any], what: Hashable) -> None:
        """Write a word from what it holds, atomically."""
        memory, cpu = self.memory, self.running

        def apply() -> None:
            memory[key] = change(memory.get(key))

        if cpu is None:
            apply()
            return
        owner = self.owner.get(table(key), cpu.name)
        if owner != cpu.name:
            raise AssertionError(f"{cpu.name} writes {text(key)}, which is {owner}'s alone")
        cpu.buffer.append(Write(key, what, apply, cpu.turn, change))
        cpu.fenced = False

    def exchange(self, key: Key, change: Callable[[Any], Any]) -> Any:
        """An atomic operation that returns what was there, and so is a full barrier."""
        cpu = self.running
        if cpu is not None:
            cpu.stop(writes=(key,), drains=True)
            cpu.drain()
        was = self.memory[key]
        self.memory[key] = change(was)
        if cpu is not None:
            cpu.saw(f"atomically changes {key}, which was", was)
        return was

    def barrier(self) -> None:
        """smp_mb: nothing of what was written before stays in the buffer."""
        cpu = self.running
        if cpu is not None and cpu.buffer:
            cpu.stop(drains=True)
            cpu.drain()
            cpu.saw("passes a barrier")

    def dma_wmb(self) -> None:
        """Register writes from now on come behind what was written before."""
        if self.running is not None:
            self.running.fenced = True

    def write_register(self, name: str, deliver: Callable[[], None]) -> None:
        """A register write: ``deliver`` tells the device."""
        cpu = self.running
        if cpu is None:
            deliver()
            return
        cpu.stop(writes=(DEVICE,), drains=True)
        cpu.saw(name)
        if cpu.buffer and (cpu.fenced or any(write.change is None for write in cpu.buffer)):
            cpu.buffer.append(Write(name, None, deliver, cpu.turn))
        else:
            deliver()

    def wait(self, key: Key) -> None:
        """Go on when a flag is set; it is cleared then."""
        cpu = self.running
        assert cpu is not None
        cpu.stop(writes=(key,), ready=lambda: bool(self.memory[key]))
        self.memory[key] = False
        cpu.saw(f"goes on, {key}")

    # -- what the search needs

    @abstractmethod
    def device_steps(self) -> Iterator[tuple[str, Step]]:
        """What the device can do now."""

    @abstractmethod
    def device_state(self) -> Hashable:
        """What it has in mind, and what the driver's own state is where a CPU ``remembers`` nothing."""

    @abstractmethod
    def check(self) -> None:
        """Look at a state, each once; an exception if it is one that must not be."""

    def steps(self) -> dict[str, Step]:
        """Everything that can happen next."""
        found = dict(self.device_steps())
        for cpu in self.cpus:
            found.update(cpu.steps())
        return found

    def state(self) -> Hashable:
        return (
            tuple(
                (
                    cpu.seen,
                    cpu.idle,
                    len(cpu.jobs),
                    cpu.fenced,
                    tuple([(write.key, write.value) for write in cpu.buffer]),
                )
                for cpu in self.cpus
            ),
            frozenset([(key, tag(value)) for key, value in self.memory.items()]),
            self.device_state(),
        )


def table(key: Key) -> str:
    """The table that a word belongs to, if it does to one."""
    return key if isinstance(key, str) else key[0]


def text(key: Key) -> str:
    return key if isinstance(key, str) else f"{key[0]} {key[1]}"


def tag(value: Any) -> Hashable:
    """Something short and hashable that tells values apart."""
    return f"packet {value[0].id}" if isinstance(value, tuple) else value


def explore(make: Callable[[bool], Run]) -> tuple[int, int]:
    """Run every schedule of the worlds that ``make(traced)`` makes, all alike. Violation if one ends badly.

    Returns how many states there are, and how many runs it took to see them.
    """
    asleep: dict[int, frozenset[str]] = {}
    """Of each state, the steps that need not be tried there: another order of the same was."""
    runs = 0
    waiting: list[tuple[list[str], frozenset[str]]] = [([], frozenset())]
    while waiting:
        path, sleep = waiting.pop()
        runs += 1
        run = make(False)
        try:
            for name in path:
                run.steps()[name].run()
            while True:
                steps, state = run.steps(), hash(run.state())
                before = asleep.get(state)
                if before is None:
                    run.check()
                    asleep[state] = sleep
                    todo = [name for name in steps if name not in sleep]
                else:
                    asleep[state] = before & sleep
                    todo = [name for name in before - sleep if name in steps]
                if not todo:
                    break
                tried = set(sleep)
                following = []
                for name in todo:
                    step = steps[name]
                    awake = [other for other in tried if other in steps and step.commutes_with(steps[other])]
                    following.append(([*path, name], frozenset(awake)))
                    tried.add(name)
                waiting.extend(reversed(following[1:]))
                path, sleep = following[0]
                steps[todo[0]].run()
        except Exception as error:
            raise Violation(f"{type(error).__name__}: {error}\nthe schedule:\n{retell(make, path)}") from error
        if len(asleep) > MAX_STATES:
            raise RuntimeError(f"more than {MAX_STATES} states")
    return len(asleep), runs


def retell(make: Callable[[bool], Run], path: list[str]) -> str:
    """What happens on a path, a line a step."""
    run = make(True)
    try:
        for name in path:
            run.steps()[name].run()
    except Exception as error:
        assert run.trace is not None
        run.trace.append(f"{type(error).__name__}: {error}")
    return "\n".join(run.trace or ())
