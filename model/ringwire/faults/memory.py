"""Faults of a driver's mappings. These take the place of a memory's own class, so they have no state of their own."""

from __future__ import annotations

from ringwire.host.memory import HostMemory

EVERY = 7


class Leaks(HostMemory):
    """Every seventh unmapping is forgotten."""

    def unmap(self, addr: int) -> None:
        self.unmaps += 1
        if self.unmaps % EVERY:
            self.unmaps -= 1
            super().unmap(addr)


class UnmapsTwice(HostMemory):
    """The twentieth mapping is undone twice."""

    def unmap(self, addr: int) -> None:
        super().unmap(addr)
        if self.unmaps == 20:
            super().unmap(addr)


class UnmapsEarly(HostMemory):
    """A mapping can't be reached any more as soon as the next one is there."""

    def map(self, data: bytes | bytearray | memoryview, start: int | None = None) -> int:
        before = next(reversed(self._live), None)
        if before is not None and self.maps % EVERY == 0:
            self.forbid(before)
        return super().map(data, start)
