"""A probe: one small packet each interval, to see what a packet that is alone has to wait for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ringwire.ranges import check
from ringwire.traffic.datagrams import UDP_HLEN
from ringwire.traffic.sparse import Sparse
from ringwire.traffic.udp import MAX_DATAGRAM


@dataclass
class Probe(Sparse):
    """64 bytes each millisecond unless told otherwise."""

    kind: ClassVar[str] = "probe"

    dport: int = 7
    size_bytes: int = 64
    """Of the frame, without FCS."""
    interval_ns: int = 1_000_000

    def __post_init__(self) -> None:
        super().__post_init__()
        check("size_bytes", self.size_bytes, self.l4 + UDP_HLEN, MAX_DATAGRAM)
        check("interval_ns", self.interval_ns, 1000, 1 << 50)

    def next_gap_ns(self) -> float:
        return self.interval_ns

    def next_size(self) -> int:
        return self.size_bytes
