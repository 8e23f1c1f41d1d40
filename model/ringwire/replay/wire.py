"""What leaves on the wire, written down and compared with what the driver was given."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from ringwire.nic.pacer import MIN_FRAME, wire_bytes
from ringwire.pcap import PcapWriter

Pieces = tuple[bytes | memoryview, ...]
"""A frame's bytes as a packet holds them."""


class Frame(Protocol):
    """A frame as the device sent it: padded, without FCS."""

    @property
    def start_ps(self) -> int: ...
    @property
    def queue(self) -> int: ...
    @property
    def data(self) -> bytes: ...


class Wire:
    """Counts and compares frames, and writes them to a file if there is one, with the wire's own time stamps."""

    def __init__(self, queues: int, rate_bps: int, path: Path | None) -> None:
        self.expected: list[deque[Pieces]] = [deque() for _ in range(queues)]
        """Per queue what the driver was given and is not on the wire yet, in order."""
        self.differences: dict[int, str] = {}
        """Per queue the first frame that was not what the driver was given."""
        self.frames = self.bytes = self.wire_bytes = 0
        self.offset_ns = 0
        """Added to the simulated time of each frame that is written."""
        self._ps_a_byte = 8e12 / rate_bps
        self._first_ps = self._end_ps = 0.0
        self._writer = None if path is None else PcapWriter(path)

    def take(self, frames: Iterable[Frame]) -> None:
        """The next frames that have left."""
        writer, offset_ns, expected = self._writer, self.offset_ns, self.expected
        start_ps, size = 0, 0
        for frame in frames:
            data, start_ps = frame.data, frame.start_ps
            size = wire_bytes(len(data))
            if not self.frames:
                self._first_ps = start_ps
            self.frames += 1
            self.bytes += len(data)
            self.wire_bytes += size
            waiting = expected[frame.queue]
            given = b"".join(waiting.popleft()).ljust(MIN_FRAME, b"\0") if waiting else b""
            if given != data and frame.queue not in self.differences:
                self.differences[frame.queue] = self._difference(given, data)
            if writer is not None:
                writer.write(start_ps // 1000 + offset_ns, data)
        if size:
            self._end_ps = start_ps + size * self._ps_a_byte

    def _difference(self, given: bytes, sent: bytes) -> str:
        """How frame number ``self.frames`` of the wire differs from the packet whose turn it was."""
        what = f"frame {self.frames} of the wire"
        if not given:
            return f"{what} was never given to the driver"
        if len(given) != len(sent):
            return f"{what} has {len(sent)} bytes, its packet {len(given)}"
        at = next(at for at, (mine, theirs) in enumerate(zip(given, sent, strict=True)) if mine != theirs)
        return f"{what} has {sent[at]:#04x} at byte {at}, its packet {given[at]:#04x}"

    def problems(self) -> list[str]:
        """What was not on the wire, or not as it was given to the driver."""
        found = [f"tx-{queue}: {difference}" for queue, difference in sorted(self.differences.items())]
        for queue, waiting in enumerate(self.expected):
            if waiting:
                found.append(f"tx-{queue}: {len(waiting)} frames given to the driver are not on the wire")
        return found

    @property
    def utilisation(self) -> float:
        """Share of the time from the first frame to the end of the last that the wire was busy, 0 to 1."""
        span = self._end_ps - self._first_ps
        return self.wire_bytes * self._ps_a_byte / span if span else 0.0

    def close(self) -> None:
        """The file is complete."""
        if self._writer is not None:
            self._writer.close()
