"""What the scenarios of the control path share: the world they see, queues driven by hand, comparisons that explain.

A scenario is ``async def scenario(world, config)`` and works in every world. It judges for itself, so that whoever runs
it has only to see whether it raises, and returns what happened, so that two worlds can be compared.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ringwire.cosim.world import FastWorld, SimulatedWorld
from ringwire.host.cpu import HostCosts
from ringwire.host.world import PS_PER_NS, World
from ringwire.nic.descriptors import Completion, CplFlag, Status
from ringwire.nic.frame import Frame
from ringwire.nic.registers import STAT_STRIDE, Stat, stat_register
from ringwire.nic.twin_world import TwinWorld
from tests.raw_queue import REPORT, RawQueue, read

HOST = replace(HostCosts.free(), read_ns=100)
"""Software that takes no time, and register writes that land when they are made; a read takes time, as it must."""


# -- the world as scenarios see it


async def each(world: World, work: tuple[Callable[[World, Any], Awaitable[Any]], Sequence[Any]]) -> list[Any]:
    """A scenario once for each of its configurations, each time in a world made anew, in one run of the simulator.

    ``work``: (scenario, configurations). Returns what each returned. An AssertionError names the configuration.
    """
    scenario, configs = work
    results = []
    for number, config in enumerate(configs):
        if number:
            world = again(world)
        try:
            results.append(await scenario(world, config))
        except AssertionError as error:
            raise AssertionError(f"{short(config)}: {error}") from None
        if isinstance(world, SimulatedWorld):
            world.finish()
    return results


def again(world: World) -> World:
    """A world like this one, at its beginning: the device is reset. The old one must not be used any more."""
    if isinstance(world, TwinWorld):
        return TwinWorld(world.device.config, cpus=len(world.cpus), costs=world.cpus.costs)
    assert isinstance(world, FastWorld), "only a fast world or a twin's can be made again"
    return FastWorld(world.dut, world.settings)


def period_ps(world: World) -> int:
    """The device's clock."""
    if isinstance(world, SimulatedWorld):
        return world.settings.period_ps
    assert isinstance(world, TwinWorld)
    return world.device.config.clock_ps


def latency_ns(world: World) -> int:
    """Of host memory, from a write to its response and from a read to its first beat."""
    if isinstance(world, SimulatedWorld):
        return world.settings.latency_ns
    assert isinstance(world, TwinWorld)
    return world.device.config.write_latency_ns


class Sent(NamedTuple):
    """A frame on the wire."""

    start_ps: int
    queue: int
    data: bytes


def wire(world: World) -> Sequence[Frame]:
    """What is on the wire so far; the list itself, which grows."""
    if isinstance(world, SimulatedWorld):
        return world.capture.frames
    assert isinstance(world, TwinWorld)
    return world.wire


def sent(world: World, queue: int | None = None) -> list[Sent]:
    """What is on the wire so far, of one queue or of all."""
    frames = [Sent(frame.start_ps, frame.queue, frame.data) for frame in wire(world)]
    return frames if queue is None else [frame for frame in frames if frame.queue == queue]


def take_faults(world: World) -> list[tuple[str, int]]:
    """(kind, address) of the accesses that were answered with an error, which are then forgotten. The twin has none."""
    if not isinstance(world, SimulatedWorld):
        return []
    faults = [(fault.kind, fault.addr) for fault in world.faults]
    world.faults.clear()
    return faults


def stamp(start_ps: int) -> int:
    """The time input at an edge, 48.16 fixed point ns."""
    return (start_ps << 16) // PS_PER_NS


PLAIN = CplFlag(0)


def ok(index: int, time: int = 0, flags: CplFlag = PLAIN, phase: int = 1) -> Completion:
    """The completion of a packet that was sent."""
    return Completion(time, index, Status.OK, flags, 1, phase)


Outcome = tuple[int, Status, int]
"""What a completion says beyond its time and flags: (ring index, status, segments)."""


def outcomes(completions: Iterable[Completion]) -> list[Outcome]:
    """What each says."""
    return [(each.ring_index, each.status, each.segments) for each in completions]


async def counters(world: World) -> dict[str, int]:
    """All statistics counters that are not 0."""
    values = {}
    for stat in Stat:
        low = await read(world, stat_register(stat))
        high = await read(world, stat_register(stat) + STAT_STRIDE // 2)
        if low or high:
            values[stat.name] = high << 32 | low
    return values


async def until(
    world: World, reached: Callable[[], bool], what: str, limit_ns: int = 10_000_000, step_ns: int = 100
) -> None:
    """Look every ``step_ns``, less often after a long time, until ``reached()``; AssertionError after ``limit_ns``."""
    begun = world.timeline.now_ns
    while not reached():
        waited = world.timeline.now_ns - begun
        assert waited < limit_ns, f"waited {limit_ns} ns for {what}"
        await world.pause(max(step_ns, waited // 64))


# -- a queue


class Queue(RawQueue):
    """A raw queue with what most scenarios do with one."""

    got: list[Completion]
    """All completions taken so far."""
    done: int
    """Ring index up to which packets have been reported."""

    def __init__(self, world: World, queue: int = 0, log2: int = 6, head_write_back: bool = False) -> None:
        super().__init__(world, queue, log2, head_write_back)
        self.got = []
        self.done = 0

    def take(self) -> list[Completion]:
        """The completions that have come since the last time."""
        fresh = self.seen()
        self.got += fresh
        for completion in fresh:
            if completion.status is not Status.BAD_DOORBELL:
                self.done = completion.ring_index
        return fresh

    async def wait(self, count: int, limit_ns: int = 10_000_000, step_ns: int = 100) -> list[Completion]:
        """Wait until there are ``count`` completions in all since the start, and return those that are new."""
        before = len(self.got)
        await until(
            self.world,
            lambda: bool(self.take()) | True and len(self.got) >= count,
            f"{count} completions of queue {self.queue}, of which {before} had come",
            limit_ns,
            step_ns,
        )
        return self.got[before:]

    def consume(self) -> None:
        """Tell the device what has been taken."""
        self.put("CPL_CONSUMED", self.consumed & 0xFFFF)

    def arm(self) -> None:
        """The same, and ask for an interrupt."""
        self.put("CPL_ARM", self.consumed & 0xFFFF)

    def send(self, *fragments: bytes, flags: int = REPORT) -> int:
        """Post a packet and tell the device; returns its ring index."""
        self.packet(*fragments, flags=flags)
        self.doorbell()
        return self.tail

    def room(self, done: int | None = None) -> int:
        """Descriptors that may be posted when those before ring index ``done`` are free: by default, as reported."""
        return ((self.done if done is None else done) - self.tail - 1) % self.entries

    def image(self) -> bytes:
        """The completion ring as it lies in memory."""
        return bytes(self.completions.mem)

    async def reset(self, limit_ns: int = 10_000_000) -> list[Completion]:
        """Reset the queue, wait until that is done and return the completions of it. Rings start again at 0."""
        self.put("CTRL", 2)
        deadline = self.port.now_ns() + limit_ns
        while await self.get("CTRL"):
            assert self.port.now_ns() < deadline, f"queue {self.queue} is still in reset after {limit_ns} ns"
        last = self.take()
        self.tail = self.consumed = self.done = 0
        self.completions.mem[:] = bytes(len(self.completions))
        return last


# -- comparisons


def same(got: Any, want: Any, what: str) -> None:
    """AssertionError that names the first difference, unless both are equal."""
    if got != want:
        raise AssertionError(f"{what}{difference(got, want)}")


def difference(got: Any, want: Any) -> str:
    """Where two values differ first, what was expected there and what came."""
    if isinstance(got, dict) and isinstance(want, dict):
        for key in [*want, *(key for key in got if key not in want)]:
            if got.get(key) != want.get(key):
                return f"[{key!r}]{difference(got.get(key), want.get(key))}"
    if isinstance(got, (list, tuple)) and isinstance(want, (list, tuple)):
        names: Sequence[str] = getattr(want, "_fields", ())
        for at, (one, other) in enumerate(zip(got, want, strict=False)):
            if one != other:
                return (f".{names[at]}" if names else f"[{at}]") + difference(one, other)
        if len(got) != len(want):
            longer, word = (want, "missing") if len(want) > len(got) else (got, "unexpected")
            at = min(len(got), len(want))
            return f": {len(want)} expected, got {len(got)}; the first {word} is {short(longer[at])}"
    if isinstance(got, bytes) and isinstance(want, bytes):
        if got[: len(want)] == want[: len(got)]:
            return f": {len(want)} bytes expected, got {len(got)}"
        at = next(at for at, (one, other) in enumerate(zip(got, want, strict=False)) if one != other)
        return f": byte {at} is {want[at]:#04x}, got {got[at]:#04x}"
    return f": expected {short(want)}, got {short(got)}"


def short(value: Any) -> str:
    """A value on one line, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 160 else text[:157] + "..."


def between(value: int, low: int, high: int, what: str) -> None:
    """AssertionError unless low <= value <= high."""
    if not low <= value <= high:
        raise AssertionError(f"{what}: expected {low} to {high}, got {value}")
