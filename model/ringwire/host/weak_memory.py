"""Host memory whose CPU keeps its writes back: what software wrote to rings is seen by the device late, or in parts.

On many machines a store may stay in a buffer while a later register write is already at the device, which then reads an
old descriptor. A ``dma_wmb`` between them prevents that (Documentation/memory-barriers.txt of Linux). Here everything
that may happen without one does happen: of the 8-byte words written to coherent memory and still hidden, about half
become visible to the device at a time, and the times are up to ``delay_ns`` apart. A barrier makes all of them visible.
What the device writes is visible to software at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np
import numpy.typing as npt

from ringwire.host.memory import DEFAULT_BASE, Coherent, HostMemory
from ringwire.host.timeline import Event, Timeline

DEFAULT_DELAY_NS = 2000
_WORD = 8
Words = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Area:
    """Coherent memory as each side sees it, and what both saw last."""

    software: Words
    device: Words
    agreed: Words

    def from_device(self) -> None:
        """Software sees what the device has written."""
        written = self.device != self.agreed
        if written.any():
            self.software[written] = self.agreed[written] = self.device[written]

    def from_software(self, draw: Random | None = None) -> bool:
        """The device sees what software has written; with ``draw`` each word by chance. True if more is to come."""
        written = self.software != self.agreed
        changed = np.unique(np.flatnonzero(written) // _WORD)
        late = False
        for word in changed.tolist():
            if draw is not None and draw.random() < 0.5:
                late = True
                continue
            at = slice(word * _WORD, word * _WORD + _WORD)
            self.device[at] = self.agreed[at] = self.software[at]
        return late


class WeakMemory(HostMemory):
    """Host memory with the knob on. It must belong to a world, on whose timeline its delays pass."""

    def __init__(
        self,
        arena: memoryview,
        mapped: memoryview,
        base: int = DEFAULT_BASE,
        seed: int = 1,
        delay_ns: int = DEFAULT_DELAY_NS,
    ) -> None:
        """``delay_ns``, above 0, is the most that passes until some of the hidden words become visible."""
        if delay_ns < 1:
            raise ValueError(f"delay_ns is at least 1, not {delay_ns}")
        super().__init__(arena, mapped, base, seed)
        self._areas: dict[int, _Area] = {}
        self._delay_ns = delay_ns
        self._draw = Random(seed)
        self._timeline: Timeline | None = None
        self._settling: Event | None = None

    def attach(self, timeline: Timeline) -> None:
        self._timeline = timeline

    def alloc_coherent(self, size: int, align: int = 64) -> Coherent:
        """As ``HostMemory.alloc_coherent``; the bytes that it returns are software's."""
        shared = super().alloc_coherent(size, align)
        software = memoryview(bytearray(size))
        coherent = Coherent(shared.addr, software)
        self._areas[shared.addr] = _Area(coherent.view, shared.view, np.zeros(size, dtype=np.uint8))
        return coherent

    def hidden(self, addr: int, length: int) -> bool:
        for base, area in self._areas.items():
            if base <= addr < base + len(area.software):
                at = slice(addr - base, addr - base + length)
                return bool((area.software[at] != area.agreed[at]).any())
        return False

    def free(self, coherent: Coherent) -> None:
        super().free(coherent)
        del self._areas[coherent.addr]

    def map(self, data: bytes | bytearray | memoryview, start: int | None = None) -> int:
        """As ``HostMemory.map``, and a driver that maps is about to write a descriptor."""
        if self._settling is None and self._timeline is not None:
            when_ns = self._timeline.now_ns + self._draw.randint(1, self._delay_ns)
            self._settling = self._timeline.call_at(when_ns, self._settle)
        return super().map(data, start)

    def dma_wmb(self) -> None:
        """Everything that software has written is visible to the device."""
        for area in self._areas.values():
            area.from_software()

    def refresh(self) -> None:
        for area in self._areas.values():
            area.from_device()

    def device_write(self, addr: int, data: bytes) -> None:
        super().device_write(addr, data)
        self.refresh()

    def _settle(self) -> None:
        """Some of what no barrier has made visible becomes so by itself; the rest later."""
        self._settling = None
        late = [area.from_software(self._draw) for area in self._areas.values()]
        if any(late) and self._timeline is not None:
            when_ns = self._timeline.now_ns + self._draw.randint(1, self._delay_ns)
            self._settling = self._timeline.call_at(when_ns, self._settle)
