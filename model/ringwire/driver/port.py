"""The port: all that a driver sees of the device.

As in a kernel, a driver's functions run to completion. They touch the device through this port only: memory they own,
posted register writes, an interrupt callback and a clock. The same driver runs on the RTL with C host memory, on the
RTL behind bus models, and on the behavioural twin.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ringwire.host.memory import HostMemory


class Timer(Protocol):
    """A pending ``call_at``."""

    def cancel(self) -> None: ...


class DevicePort(Protocol):
    """Software's side of the device."""

    @property
    def memory(self) -> HostMemory:
        """Host memory; the device reaches what is mapped in it."""
        ...

    def now_ns(self) -> int:
        """Simulated time in ns, on the CPU that is running: it advances as the running code is charged."""
        ...

    def call_at(self, when_ns: int, fn: Callable[[], None]) -> Timer:
        """Run ``fn`` on this port's CPU at ``when_ns`` or, if it is busy then, after what it is running."""
        ...

    def dma_wmb(self) -> None:
        """What was written to coherent memory is visible to the device before what is written from now on.

        It belongs between descriptors and the doorbell that tells of them.
        """
        ...

    def write(self, register: int, value: int) -> None:
        """Posted 32-bit register write: lands at now + the posted-write latency, in order with other writes."""
        ...

    def read(self, register: int, callback: Callable[[int], None]) -> None:
        """Slow path: read a register; ``callback(value)`` runs once simulated time has brought the answer."""
        ...

    def on_interrupt(self, vector: int, handler: Callable[[], None]) -> None:
        """Have ``handler`` called, on this port's CPU, for each interrupt of ``vector`` (= queue number)."""
        ...
