"""The wire as a capture file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ringwire.nic.frame import Frame
from ringwire.pcap import PcapWriter


class WireFile:
    """Writes frames with the wire's own time stamps, from ``zero_ns`` of the world on."""

    def __init__(self, path: Path) -> None:
        self.zero_ns = 0
        self._writer = PcapWriter(path)

    def take(self, frames: Iterable[Frame]) -> None:
        """The next frames that have left."""
        write, zero_ns = self._writer.write, self.zero_ns
        for frame in frames:
            write(frame.start_ps // 1000 - zero_ns, frame.data)

    def close(self) -> None:
        """The file is complete."""
        self._writer.close()
