"""What left on the wire: frames with their times, drained from the capture ring of the simulated world."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

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
    """Collects frames. Draining copies bytes only; a frame becomes an object when it is asked for."""

    def __init__(self, ring: memoryview) -> None:
        self.keeps = True
        """Without, frames are dropped as they are drained: for long runs that only count."""
        self._ring = ring
        self._mask = len(ring) - 1
        self._chunks: list[bytes] = []
        self._frames: list[WireFrame] = []

    def drain(self, tail: int, head: int) -> None:
        """Take what the ring holds between two free-running byte counts."""
        if not self.keeps:
            return
        start, end = tail & self._mask, head & self._mask
        if start < end:
            self._chunks.append(bytes(self._ring[start:end]))
        else:
            self._chunks.append(bytes(self._ring[start:]))
            self._chunks.append(bytes(self._ring[:end]))

    @property
    def frames(self) -> list[WireFrame]:
        """All frames so far, in the order in which they left."""
        for chunk in self._chunks:
            self._frames.extend(_parse(chunk))
        self._chunks.clear()
        return self._frames

    def take(self) -> list[WireFrame]:
        """The frames since the last ``take``, which are then forgotten."""
        frames, self._frames = self.frames, []
        return frames


def _parse(chunk: bytes) -> Iterator[WireFrame]:
    at = 0
    while at + _HEADER.size <= len(chunk):
        start_ps, end_ps, length, user = _HEADER.unpack_from(chunk, at)
        if length == _WRAP:
            return
        at += _HEADER.size
        yield WireFrame(start_ps, end_ps, user, chunk[at : at + length])
        at += length + 7 & ~7
