"""A world with the behavioural twin as its device: no simulator, one process, the fastest way to run a driver."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ringwire.host.cpu import HostCosts
from ringwire.host.memory import HostMemory
from ringwire.host.world import PS_PER_NS, Access, AccessListener, World
from ringwire.nic.twin import Twin, TwinConfig


class WireFrame(NamedTuple):
    """A frame on the wire."""

    start_ps: int
    """Its first beat."""
    queue: int
    data: bytes
    """Padded to 60 bytes, without FCS."""


class TwinWorld(World):
    """Frames go to ``wire``, or to ``on_frame(start_ps, queue, frame)`` if one is given."""

    def __init__(
        self,
        config: TwinConfig | None = None,
        memory: HostMemory | None = None,
        cpus: int = 1,
        costs: HostCosts | None = None,
        on_frame: Callable[[int, int, bytes], None] | None = None,
        wake_on_frame: bool = False,
        device: type[Twin] = Twin,
        seed: int = 1,
    ) -> None:
        super().__init__(HostMemory.create() if memory is None else memory, cpus, costs, seed)
        self.wire: list[WireFrame] = []
        self.device = device(
            TwinConfig() if config is None else config,
            self.memory,
            self.interrupt,
            self._record if on_frame is None else on_frame,
        )
        self.device.wake_on_frame = wake_on_frame
        self.device.interrupt_lag_ps = self.interrupt_lag_ns * PS_PER_NS

    def _record(self, start_ps: int, queue: int, frame: bytes) -> None:
        self.wire.append(WireFrame(start_ps, queue, frame))

    def post_write(self, due_ps: int, register: int, value: int) -> None:
        self.device.post_write(due_ps, register, value)

    def post_read(self, due_ps: int, register: int, answer: Callable[[int, int], None]) -> None:
        self.device.post_read(due_ps, register, answer)

    def flow_control(self, paused: bool, priorities: int = 0) -> None:
        super().flow_control(paused, priorities)
        self.device.flow_control(paused, priorities)

    def watch_accesses(self, listener: AccessListener, kinds: Iterable[Access] = tuple(Access)) -> None:
        """As ``World.watch_accesses``."""
        super().watch_accesses(listener, kinds)
        reads, fetches, completions = (
            listener if self.watched >> kind & 1 else None
            for kind in (Access.PAYLOAD, Access.DESCRIPTOR, Access.COMPLETION)
        )
        self.device.on_read, self.device.on_fetch, self.device.on_completion = reads, fetches, completions

    async def advance(self, to_ns: int) -> None:
        reached_ps = self.device.run_until(to_ns * PS_PER_NS)
        self.timeline.run_until(reached_ps // PS_PER_NS)
