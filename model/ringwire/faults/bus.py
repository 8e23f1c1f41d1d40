"""Faults on the bus: what a driver writes wrongly (above the watch), and what gets lost on the way (below it)."""

from __future__ import annotations

from collections.abc import Iterator

from ringwire.host.bus import BusLayer
from ringwire.host.cpu import Cpu
from ringwire.host.world import PS_PER_NS, World
from ringwire.nic.descriptors import DESCRIPTOR_BYTES, DescFlag
from ringwire.nic.registers import MAX_RING_LOG2, MIN_RING_LOG2, QUEUE_BASE, QUEUE_OFFSETS, QUEUE_STRIDE, queue_register

EVERY = 7
"""Every so many events something goes wrong."""
MONITOR_NS, MONITORED = 3_000, 2_000
_NAMES = {offset: name for name, offset in QUEUE_OFFSETS.items()}
_FLAGS = slice(10, 12)
_MSS = slice(8, 10)
_ADDR_HIGH = slice(4, 8)


class FaultLayer(BusLayer):
    """A bus whose register writes go through :meth:`write`, which hands on what is to arrive."""

    def __init__(self, world: World) -> None:
        super().__init__(world.bus)
        self.world = world
        self.count = 0
        self.told: dict[int, int] = {}
        """The last tail of each queue."""
        self._values: dict[tuple[str, int], int] = {}

    def post_write(self, due_ps: int, register: int, value: int) -> None:
        queue, offset = divmod(register - QUEUE_BASE, QUEUE_STRIDE)
        name = _NAMES.get(offset, "") if queue >= 0 else ""
        self.write(due_ps, name, queue, register, value)
        self._values[name, queue] = value
        if name == "TAIL":
            self.told[queue] = value
        elif name == "CTRL":
            self.told[queue] = 0

    def write(self, due_ps: int, name: str, queue: int, register: int, value: int) -> None:
        """A register write; ``name`` is that of a queue's register, else empty."""
        self.below.post_write(due_ps, register, value)

    def turn(self) -> bool:
        """Whether it is time for something to go wrong."""
        self.count += 1
        return self.count % EVERY == 0

    def entries(self, queue: int) -> int:
        """Of a queue's ring."""
        return 1 << min(self._values.get(("RING_LOG2", queue), MIN_RING_LOG2), MAX_RING_LOG2)

    def posted(self, queue: int, tail: int) -> Iterator[memoryview]:
        """The descriptors that a doorbell tells of, as they lie in memory."""
        base = self._values.get(("RING_LO", queue), 0) | self._values.get(("RING_HI", queue), 0) << 32
        begin, entries = self.told.get(queue, 0), self.entries(queue)
        for at in range(begin, begin + (tail - begin) % entries):
            yield self.world.memory.view(base + at % entries * DESCRIPTOR_BYTES, DESCRIPTOR_BYTES)


# -- above the watch: a driver's mistakes


class TailNotWrapped(FaultLayer):
    """The index behind the last descriptor of the ring is not taken back to 0."""

    def write(self, due_ps: int, name: str, queue: int, register: int, value: int) -> None:
        if name == "TAIL" and value == 0:
            value = self.entries(queue)
        super().write(due_ps, name, queue, register, value)


class DoorbellFirst(FaultLayer):
    """The doorbell overtakes the stores that it stands for: descriptors come 3 us later."""

    def write(self, due_ps: int, name: str, queue: int, register: int, value: int) -> None:
        if name == "TAIL" and self.turn():
            for descriptor in self.posted(queue, value):
                self._come_later(descriptor)
        super().write(due_ps, name, queue, register, value)

    def _come_later(self, descriptor: memoryview) -> None:
        content = bytes(descriptor)
        descriptor[:] = bytes(len(descriptor))

        def come() -> None:
            descriptor[:] = content

        self.world.timeline.call_at(self.world.cpus.now_ns() + 3000, come)


class ArmsForAll(FaultLayer):
    """The interrupt is armed for what the device has written, and not for what the driver has taken."""

    def write(self, due_ps: int, name: str, queue: int, register: int, value: int) -> None:
        if name != "CPL_ARM":
            super().write(due_ps, name, queue, register, value)
            return

        def answered(time_ps: int, written: int) -> None:
            below_ps = time_ps + self.world.cpus.costs.posted_write_ns * PS_PER_NS
            self.below.post_write(below_ps, register, written)

        self.below.post_read(due_ps, queue_register("CPL_WRITTEN", queue), answered)


class ThresholdWithoutTimer(FaultLayer):
    """Completions gather eight at a time, and nothing ends the wait for the eighth."""

    def write(self, due_ps: int, name: str, queue: int, register: int, value: int) -> None:
        value = {"CPL_THRESHOLD": 8, "CPL_TIMER_NS": 0}.get(name, value)
        super().write(due_ps, name, queue, register, value)


class Address32(FaultLayer):
    """Descriptors hold the lower half of an address only."""

    def write(self, due_ps: int, name: str, queue: int, register: int, value: int) -> None:
        if name == "TAIL":
            for descriptor in self.posted(queue, value):
                descriptor[_ADDR_HIGH] = bytes(4)
        super().write(due_ps, name, queue, register, value)


class MssZero(FaultLayer):
    """Offload descriptors ask for segments of no bytes."""

    def write(self, due_ps: int, name: str, queue: int, register: int, value: int) -> None:
        if name == "TAIL":
            for descriptor in self.posted(queue, value):
                if int.from_bytes(descriptor[_FLAGS], "little") & DescFlag.OFFLOAD:
                    descriptor[_MSS] = bytes(2)
        super().write(due_ps, name, queue, register, value)


# -- below the watch: what a bus does to a driver


class DoorbellLost(FaultLayer):
    """A posted write does not arrive."""

    def write(self, due_ps: int, name: str, queue: int, register: int, value: int) -> None:
        if name != "TAIL" or not self.turn():
            super().write(due_ps, name, queue, register, value)


class DoorbellReordered(FaultLayer):
    """A posted write arrives behind the next one."""

    _late: tuple[int, int] | None = None

    def write(self, due_ps: int, name: str, queue: int, register: int, value: int) -> None:
        if name == "TAIL" and self._late is None and self.turn():
            self._late = register, value
            return
        super().write(due_ps, name, queue, register, value)
        if name == "TAIL" and self._late is not None:
            (register, value), self._late = self._late, None
            self.below.post_write(due_ps, register, value)


class InterruptLost(FaultLayer):
    """An interrupt does not arrive."""

    def listen(self, vector: int, cpu: Cpu, handler: object) -> None:
        def some_of_them() -> None:
            if not self.turn():
                assert callable(handler)
                handler()

        self.below.listen(vector, cpu, some_of_them)


# -- beside it


def monitor(world: World) -> None:
    """Somebody reads the first queue's status every 3 us, for 6 ms."""
    port = world.port()
    left = MONITORED

    def look(value: int = 0) -> None:
        nonlocal left
        left -= 1
        if left:
            port.call_at(port.now_ns() + MONITOR_NS, lambda: port.read(queue_register("STATUS", 0), look))

    look()
