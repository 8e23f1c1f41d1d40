"""What left on the wire: frames with their times, taken from the capture ring of the simulated world."""

from __future__ import annotations

import struct
from typing import NamedTuple

from ringwire.cosim.hostmem import Hostmem

_HEADER = struct.Struct("<QQII")
_WRAP = 0xFFFFFFFF


class WireFrame(NamedTuple):
    """One frame as the device sent it, without FCS."""

    start_ps: int
    """The clock edge that took its first beat."""
    end_ps: int
    """The clock edge that took its last beat."""
    user: int
    """``m_axis_tuser``: queue 7:0, error 8, time stamp asked 9, ring index 25:10."""
    data: bytes

    @property
    def queue(self) -> int:
        return self.user & 0xFF

    @property
    def timestamp_asked(self) -> bool:
        return bool(self.user >> 9 & 1)

    @property
    def ring_index(self) -> int:
        return self.user >> 10 & 0xFFFF


class WireCapture:
    """Collects frames: from the ring when they are asked for, or when it has become half full."""

    def __init__(self, hostmem: Hostmem) -> None:
        self.keeps = True
        """Without, frames are dropped as they are taken: for long runs that only count."""
        self._ring = hostmem.frames
        self._control = hostmem.control
        self._head, self._tail = hostmem.word("frame_head"), hostmem.word("frame_tail")
        self._frames: list[WireFrame] = []

    @property
    def waiting(self) -> int:
        """Bytes of the ring that hold frames."""
        return self._control[self._head] - self._control[self._tail]

    @property
    def frames(self) -> list[WireFrame]:
        """All frames so far, in the order in which they left."""
        self.drain()
        return self._frames

    def take(self) -> list[WireFrame]:
        """The frames since the last ``take``, which are then forgotten."""
        self.drain()
        frames, self._frames = self._frames, []
        return frames

    def drain(self) -> None:
        """Make room in the ring."""
        control, size = self._control, len(self._ring)
        head, tail = control[self._head], control[self._tail]
        if head == tail:
            return
        if self.keeps:
            start, end = tail % size, head % size
            if start < end:
                self._read(start, end)
            else:
                self._read(start, size)
                self._read(0, end)
        control[self._tail] = head

    def _read(self, at: int, end: int) -> None:
        """The frames of a part of the ring that does not wrap around."""
        ring, frames = self._ring, self._frames
        while at + _HEADER.size <= end:
            start_ps, end_ps, length, user = _HEADER.unpack_from(ring, at)
            if length == _WRAP:
                return
            at += _HEADER.size
            frames.append(WireFrame(start_ps, end_ps, user, bytes(ring[at : at + length])))
            at += length + 7 & ~7
