"""Host memory behind an IOMMU: a device reaches what is mapped, and nothing else.

The arena's bytes and one byte of map for each 64-byte line may belong to someone else, so that C code under a
simulator reads the same memory and makes the same check. What software maps here is a copy of a packet's bytes, at an
alignment of its own, as packets have in a real host; freed places are used again as late as their number allows, so
that a device that reads one after its unmapping meets a fault and not another packet.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from mmap import mmap
from random import Random
from typing import Self

import numpy as np
import numpy.typing as npt

from ringwire.host.timeline import Timeline

LINE = 64
DEFAULT_SIZE = 64 << 20
FIRST_BYTES_BELOW_4G = 32 << 10
"""By default the first mapped packets lie around the 4 GiB boundary and the rings above it."""
DEFAULT_BASE = (1 << 32) - FIRST_BYTES_BELOW_4G
MAX_MAP = 16384
"""Bytes of the largest mapping, which is the most that one descriptor may name."""
_CARVE = 64
"""Places made at once when a size class has none free."""


class MemoryUseError(Exception):
    """Software used host memory in a way that a kernel with its checks on would stop at."""


class OutOfMemory(MemoryUseError):
    """The arena is exhausted."""


class NotMapped(MemoryUseError):
    """An address that is not mapped, or no longer: a second unmap, or one that never was."""


class MappingLeak(MemoryUseError):
    """Mappings that nobody undid."""


class DmaFault(Exception):
    """A device access outside of every live mapping: ``length`` bytes at ``addr``, of which ``first_bad`` on fail."""

    def __init__(self, kind: str, addr: int, length: int, first_bad: int) -> None:
        super().__init__(f"DMA fault: {kind} of {length} bytes at {addr:#x}: {first_bad:#x} is not mapped")
        self.kind = kind
        self.addr = addr
        self.length = length
        self.first_bad = first_bad


@dataclass(frozen=True, slots=True)
class Coherent:
    """Memory that software and device share for long: rings and write-back records."""

    addr: int
    """Device address."""
    mem: memoryview
    """The bytes, writable: what ``struct.pack_into`` takes."""

    @property
    def view(self) -> npt.NDArray[np.uint8]:
        """The same bytes as an array."""
        return np.frombuffer(self.mem, dtype=np.uint8)

    def __len__(self) -> int:
        return len(self.mem)


class HostMemory:
    """Allocation, mapping and the check of every device access. Addresses are the device's: ``base`` + offset.

    ``map`` grows upwards from the arena's start, ``alloc_coherent`` downwards from its end.
    """

    def __init__(self, arena: memoryview, mapped: memoryview, base: int = DEFAULT_BASE, seed: int = 1) -> None:
        if base % LINE or len(arena) % LINE:
            raise ValueError(f"the arena's base and size are multiples of {LINE}, not {base:#x} and {len(arena)}")
        if len(mapped) != len(arena) // LINE:
            raise ValueError(f"an arena of {len(arena)} bytes has {len(arena) // LINE} lines, not {len(mapped)}")
        self.base = base
        self.size = len(arena)
        self.maps = 0
        self.unmaps = 0
        self.faults = 0
        self.first_fault: DmaFault | None = None
        self.journal: list[tuple[int, int]] | None = None
        """(address, bytes) of each mapping that is made, if there is one: whoever reads it empties it."""
        self._arena = arena
        self._mapped = mapped
        self._live: dict[int, tuple[int, int]] = {}
        self._coherent: dict[int, tuple[int, int]] = {}
        self._holes: list[tuple[int, int]] = []
        self._brk = 0
        self._top = len(arena)
        self._places: list[deque[int]] = [deque() for _ in range((MAX_MAP // LINE).bit_length())]
        self._starts = Random(seed).choices(range(LINE), k=4096)
        self._next_start = 0

    @classmethod
    def create(cls, size: int = DEFAULT_SIZE, base: int = DEFAULT_BASE, seed: int = 1, **knobs: int) -> Self:
        """A memory of its own ``size`` bytes, a multiple of 64; ``knobs`` are the subclass's."""
        return cls(memoryview(mmap(-1, size)), memoryview(bytearray(size // LINE)), base, seed, **knobs)

    # -- software's side

    def map(self, data: bytes | bytearray | memoryview, start: int | None = None) -> int:
        """Copy ``data`` (1 to 16,384 bytes) to a free place, map it and return its device address.

        ``start`` is its offset inside the first 64-byte line; without one it is drawn, so that all occur.
        """
        length = len(data)
        if not 0 < length <= MAX_MAP:
            raise MemoryUseError(f"a mapping has 1 to {MAX_MAP} bytes, not {length}")
        size_class = (length - 1 >> 6).bit_length()
        places = self._places[size_class]
        place = places.popleft() if places else self._carve(size_class)
        if start is None:
            self._next_start = turn = self._next_start + 1 & 4095
            start = self._starts[turn]
        offset = place + start
        self._arena[offset : offset + length] = data
        lines = start + length + 63 >> 6
        line = place >> 6
        self._mapped[line : line + lines] = _ONES[lines]
        addr = self.base + offset
        self._live[addr] = (length, size_class)
        if self.journal is not None:
            self.journal.append((addr, length))
        self.maps += 1
        return addr

    def unmap(self, addr: int) -> None:
        """Undo a ``map``. NotMapped if ``addr`` is not what a live one returned."""
        try:
            length, size_class = self._live.pop(addr)
        except KeyError:
            raise NotMapped(f"unmap of {addr:#x}, which is not mapped") from None
        offset = addr - self.base
        line = offset >> 6
        lines = (offset & 63) + length + 63 >> 6
        self._mapped[line : line + lines] = _ZEROS[lines]
        self._places[size_class].append(offset & ~63)
        self.unmaps += 1

    def alloc_coherent(self, size: int, align: int = LINE) -> Coherent:
        """``size`` zeroed bytes for rings, mapped until ``free``; ``align`` is a power of two."""
        if size < 1 or align < 1 or align & align - 1:
            raise MemoryUseError(f"coherent memory of {size} bytes aligned to {align}")
        align = max(align, LINE)
        room = -(-size // LINE) * LINE
        offset, room = self._take_hole(room, align) or self._take_top(room, align)
        addr = self.base + offset
        self._coherent[addr] = (offset, room)
        self._arena[offset : offset + room] = bytes(room)
        self._mapped[offset // LINE : (offset + room) // LINE] = b"\1" * (room // LINE)
        return Coherent(addr, self._arena[offset : offset + size])

    def free(self, coherent: Coherent) -> None:
        """Give coherent memory back. NotMapped if it was given back before."""
        try:
            offset, room = self._coherent.pop(coherent.addr)
        except KeyError:
            raise NotMapped(f"free of {coherent.addr:#x}, which is not allocated") from None
        self._mapped[offset // LINE : (offset + room) // LINE] = bytes(room // LINE)
        self._holes.append((offset, room))

    def dma_wmb(self) -> None:
        """What software wrote to coherent memory is visible to the device before what is written from now on.

        Here it is visible as soon as it is written; ``weak_memory`` is not so kind.
        """

    def refresh(self) -> None:
        """What the device wrote to coherent memory without a call from here is visible to software."""

    def attach(self, timeline: Timeline) -> None:
        """This memory belongs to a world with that timeline."""

    def forbid(self, addr: int, length: int = 1) -> None:
        """Make device accesses to these bytes' lines fail until they are mapped anew: fault injection."""
        first, end = self._lines(addr, length)
        self._mapped[first:end] = bytes(end - first)

    def allow(self, addr: int, length: int = 1) -> None:
        """Undo ``forbid`` for memory that is still allocated or mapped."""
        first, end = self._lines(addr, length)
        self._mapped[first:end] = b"\1" * (end - first)

    def view(self, addr: int, length: int) -> memoryview:
        """Software's own sight of memory that the device knows as ``addr``; empty where there is none."""
        offset = addr - self.base
        return self._arena[offset : offset + length] if 0 <= offset <= self.size - length else memoryview(b"")

    def reachable(self, addr: int) -> bool:
        """Whether a device may access the line at ``addr``."""
        offset = addr - self.base
        return 0 <= offset < self.size and self._mapped[offset >> 6] != 0

    def lies_above(self, addr: int) -> bool:
        """Whether ``addr`` would be in this memory if its upper half were that of the memory's end."""
        end = self.base + self.size
        return addr >> 32 == 0 and self.base <= addr + (end >> 32 << 32) < end

    def hidden(self, addr: int, length: int) -> bool:
        """Whether software has written to these bytes of coherent memory what the device does not see yet."""
        return False

    @property
    def live(self) -> int:
        """Mappings not undone yet."""
        return len(self._live)

    @property
    def allocated(self) -> int:
        """Coherent areas not freed yet."""
        return len(self._coherent)

    def check_balance(self) -> None:
        """MappingLeak, naming the first ones, unless each map has had its unmap."""
        if self._live:
            first = ", ".join(f"{addr:#x} ({length} bytes)" for addr, (length, _) in list(self._live.items())[:4])
            raise MappingLeak(f"{len(self._live)} mappings were never undone: {first}")

    # -- the device's side

    def device_read(self, addr: int, length: int) -> bytes:
        """What a device reads; DmaFault unless every 64-byte line it touches is mapped."""
        offset = addr - self.base
        end = offset + length
        if offset < 0 or end > self.size or 0 in bytes(self._mapped[offset >> 6 : end + 63 >> 6]):
            raise self._fault("read", addr, length)
        return bytes(self._arena[offset:end])

    def device_write(self, addr: int, data: bytes) -> None:
        """What a device writes; DmaFault unless every 64-byte line it touches is mapped."""
        offset = addr - self.base
        end = offset + len(data)
        if offset < 0 or end > self.size or 0 in bytes(self._mapped[offset >> 6 : end + 63 >> 6]):
            raise self._fault("write", addr, len(data))
        self._arena[offset:end] = data

    def _fault(self, kind: str, addr: int, length: int) -> DmaFault:
        """The fault that an access meets at its first line that is not mapped."""
        offset = addr - self.base
        mapped = 0
        if 0 <= offset < self.size:
            lines = bytes(self._mapped[offset >> 6 : offset + length + 63 >> 6])
            mapped = lines.find(0) if 0 in lines else len(lines)
        self.faults += 1
        fault = DmaFault(kind, addr, length, max(addr, (addr & ~63) + mapped * LINE))
        self.first_fault = self.first_fault or fault
        return fault

    # -- places

    def _lines(self, addr: int, length: int) -> tuple[int, int]:
        offset = addr - self.base
        if offset < 0 or length < 1 or offset + length > self.size:
            raise MemoryUseError(f"{length} bytes at {addr:#x} are outside of host memory")
        return offset >> 6, offset + length + 63 >> 6

    def _carve(self, size_class: int) -> int:
        """New places of one class: 2^class lines of bytes, plus one line for where in the first they start."""
        stride = ((1 << size_class) + 1) * LINE
        count = min(_CARVE, (self._top - self._brk) // stride)
        if count == 0:
            raise OutOfMemory(f"no room to map {stride - LINE} bytes: {len(self._live)} mappings are live")
        end = self._brk + count * stride
        self._places[size_class].extend(range(self._brk + stride, end, stride))
        first, self._brk = self._brk, end
        return first

    def _take_hole(self, room: int, align: int) -> tuple[int, int] | None:
        fitting = [hole for hole in self._holes if hole[1] >= room and (self.base + hole[0]) % align == 0]
        if not fitting:
            return None
        best = min(fitting, key=lambda hole: hole[1])
        self._holes.remove(best)
        return best

    def _take_top(self, room: int, align: int) -> tuple[int, int]:
        offset = self._top - room
        offset -= (self.base + offset) % align
        if offset < self._brk:
            raise OutOfMemory(f"no room for {room} bytes of coherent memory")
        room = self._top - offset
        self._top = offset
        return offset, room


_ONES = [b"\1" * lines for lines in range(MAX_MAP // LINE + 2)]
_ZEROS = [bytes(lines) for lines in range(MAX_MAP // LINE + 2)]
