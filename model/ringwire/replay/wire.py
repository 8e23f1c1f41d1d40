"""What leaves on the wire, counted and written down."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ringwire.nic.frame import Frame
from ringwire.nic.pacer import wire_bytes
from ringwire.pcap import PcapWriter


class Wire:
    """Counts frames, and writes them to a file if there is one, with the wire's own time stamps."""

    def __init__(self, rate_bps: int, path: Path | None) -> None:
        self.frames = self.bytes = self.wire_bytes = 0
        self.offset_ns = 0
        """Added to the simulated time of each frame that is written."""
        self._ps_a_byte = 8e12 / rate_bps
        self._first_ps, self._end_ps = 0, 0.0
        self._writer = None if path is None else PcapWriter(path)

    def take(self, frames: Iterable[Frame]) -> None:
        """The next frames that have left."""
        writer, offset_ns = self._writer, self.offset_ns
        start_ps, size = 0, 0
        for frame in frames:
            data, start_ps = frame.data, frame.start_ps
            size = wire_bytes(len(data))
            if not self.frames:
                self._first_ps = start_ps
            self.frames += 1
            self.bytes += len(data)
            self.wire_bytes += size
            if writer is not None:
                writer.write(start_ps // 1000 + offset_ns, data)
        if size:
            self._end_ps = start_ps + size * self._ps_a_byte

    @property
    def utilisation(self) -> float:
        """Share of the time from the first frame to the end of the last that the wire was busy, 0 to 1."""
        span = self._end_ps - self._first_ps
        return self.wire_bytes * self._ps_a_byte / span if span else 0.0

    def close(self) -> None:
        """The file is complete."""
        if self._writer is not None:
            self._writer.close()
