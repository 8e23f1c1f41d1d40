"""Reno (RFC 5681): a segment more each round trip, half of the window after a loss."""

from __future__ import annotations

from typing import ClassVar

from ringwire.transport.congestion.base import CongestionControl


class Reno(CongestionControl):
    """With appropriate byte counting (RFC 3465): what counts is the segments acknowledged, not the acknowledgements."""

    name: ClassVar[str] = "reno"

    def after_loss(self) -> int:
        return max(self.window.cwnd >> 1, 2)

    def acked(self, packets: int, now_us: int) -> None:
        if not self.limited:
            return
        window = self.window
        if window.in_slow_start:
            packets = self._slow_start(packets)
        if packets:
            self._additive(window.cwnd, packets)
