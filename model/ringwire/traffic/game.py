"""An online game: small packets of varying size, about as often as the screen is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ringwire.ranges import check
from ringwire.traffic.datagrams import UDP_HLEN
from ringwire.traffic.sparse import Sparse
from ringwire.traffic.udp import MAX_DATAGRAM


@dataclass
class Game(Sparse):
    """A player: datagrams of ``least_bytes`` to ``most_bytes`` at ``pps``, each earlier or later by the jitter."""

    kind: ClassVar[str] = "game"

    dport: int = 27_015
    pps: float = 60.0
    jitter: float = 0.2
    """Share of the time between two that it varies by, evenly, to both sides: 0 to 1."""
    least_bytes: int = 80
    """Of frames, without FCS."""
    most_bytes: int = 200

    def __post_init__(self) -> None:
        super().__post_init__()
        check("pps", self.pps, 0.1, 1e6)
        check("jitter", self.jitter, 0, 1)
        check("least_bytes", self.least_bytes, self.l4 + UDP_HLEN, MAX_DATAGRAM)
        check("most_bytes", self.most_bytes, self.least_bytes, MAX_DATAGRAM)

    def next_gap_ns(self) -> float:
        return 1e9 / self.pps * (1 + self.jitter * self._env.random.uniform(-1, 1))

    def next_size(self) -> int:
        return self._env.random.randint(self.least_bytes, self.most_bytes)
