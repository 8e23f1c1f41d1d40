"""A telephone call: RTP over UDP, one packet for each stretch of speech (RFC 3550, 3551)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ringwire.ranges import check
from ringwire.traffic.datagrams import UDP_HLEN
from ringwire.traffic.sparse import Sparse

RTP_HLEN = 12
EXPEDITED = 0xB8
"""DSCP EF (RFC 3246), as telephones send."""


@dataclass
class Voip(Sparse):
    """A call; G.711 (64 kbit/s, 20 ms a packet) unless told otherwise: 214 bytes, 50 times a second."""

    kind: ClassVar[str] = "voip"

    dport: int = 5004
    tos: int = EXPEDITED
    codec_bps: int = 64_000
    """Of the speech, without headers."""
    interval_ns: int = 20_000_000
    """Of speech in a packet."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check("codec_bps", self.codec_bps, 1000, 10_000_000)
        check("interval_ns", self.interval_ns, 1_000_000, 1_000_000_000)
        speech = self.codec_bps * self.interval_ns // 8_000_000_000
        if not 1 <= speech <= 1400:
            raise ValueError(f"interval_ns {self.interval_ns}: makes packets of {speech} bytes; allowed: 1 to 1400")
        self._size = self.l4 + UDP_HLEN + RTP_HLEN + speech

    def next_gap_ns(self) -> float:
        return self.interval_ns

    def next_size(self) -> int:
        return self._size
