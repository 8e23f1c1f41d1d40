"""CUBIC (RFC 9438), with HyStart as Linux has it.

After a loss the window climbs fast to where the loss was, lingers there, and then explores ever faster; where Reno
would have the larger window, as on short paths, it does as Reno does. Formulas are the RFC's, in floating point; time
runs from the start of congestion avoidance, and the window one round trip ahead is what is aimed at.
"""

from __future__ import annotations

from typing import ClassVar

from ringwire.transport.congestion.base import CongestionControl, Window
from ringwire.transport.congestion.hystart import HyStart

BETA = 0.7
"""What is left of the window after a loss (section 4.6)."""
C = 0.4
"""Segments a second cubed (section 5)."""
ALPHA = 3 * (1 - BETA) / (1 + BETA)
"""Segments a round trip that give Reno's average with a reduction to BETA (section 4.3)."""
AFTER_RECOVERY_US = 1_000_000
"""Round trips measured so soon after a loss say little of the path (cubictcp_acked)."""


PACES_A_ROUND = 8
"""So often in a round trip the pace is worked out anew, beside after each step of the window."""


def k_seconds(w_max: float, cwnd: float) -> float:
    """How long the window takes back to ``w_max`` (RFC 9438, figure 2)."""
    return float((max(w_max - cwnd, 0.0) / C) ** (1 / 3))


def w_cubic(t_s: float, k_s: float, w_max: float) -> float:
    """The window, in segments, ``t_s`` after congestion avoidance began (RFC 9438, figure 1)."""
    return C * (t_s - k_s) ** 3 + w_max


class Cubic(CongestionControl):
    """Linux's default."""

    name: ClassVar[str] = "cubic"

    def __init__(self, window: Window) -> None:
        super().__init__(window)
        self.w_max = 0.0
        """Where the window was at the last loss; less if that had been lower than the one before."""
        self.k_s = 0.0
        self.hystart: HyStart | None = HyStart(window)
        self._found = False
        self._epoch_us: int | None = None
        """When this stage of congestion avoidance began."""
        self._w_est = 0.0
        """Reno's window."""
        self._cwnd_prior = 0.0
        self._min_rtt_us = 0
        self._every = 1.0
        """What :meth:`_pace` said last: for this window, and what was acknowledged since."""
        self._paced_cwnd = self._fresh = 0

    def after_loss(self) -> int:
        cwnd = self.window.cwnd
        self._epoch_us = None
        # fast convergence (section 4.7): give way to newcomers
        self.w_max = cwnd * (1 + BETA) / 2 if cwnd < self.w_max else float(cwnd)
        self._cwnd_prior = float(cwnd)
        return max(int(cwnd * BETA), 2)

    def acked(self, packets: int, now_us: int) -> None:
        if not self.limited:
            return
        window = self.window
        if window.in_slow_start:
            packets = self._slow_start(packets)
        if packets:
            self._fresh += packets
            cwnd = window.cwnd
            if cwnd != self._paced_cwnd or PACES_A_ROUND * self._fresh >= cwnd or self._epoch_us is None:
                self._every = self._pace(self._fresh, now_us)
                self._paced_cwnd, self._fresh = cwnd, 0
            self._additive(self._every, packets)

    def _pace(self, packets: int, now_us: int) -> float:
        """Segments to be acknowledged for each one that the window grows by, ``packets`` having been since."""
        cwnd = self.window.cwnd
        if self._epoch_us is None:
            self._epoch_us = now_us
            self._w_est = float(cwnd)
            self.w_max = max(self.w_max, float(cwnd))
            self.k_s = k_seconds(self.w_max, cwnd)
        ahead_s = (now_us - self._epoch_us + (self._min_rtt_us or self.window.srtt_shl3 >> 3)) / 1e6
        target = min(max(w_cubic(ahead_s, self.k_s, self.w_max), float(cwnd)), 1.5 * cwnd)
        # beyond the window of the last loss Reno's own pace will do (section 4.3)
        self._w_est += (1.0 if self._w_est >= self._cwnd_prior else ALPHA) * packets / cwnd
        target = max(target, self._w_est)
        slowest = 100.0 * cwnd
        return min(cwnd / (target - cwnd), slowest) if target > cwnd else slowest

    def sampled(self, rtt_us: int, now_us: int) -> None:
        if self._epoch_us is not None and now_us - self._epoch_us < AFTER_RECOVERY_US:
            return
        rtt_us = max(rtt_us, 1)
        if not self._min_rtt_us or rtt_us < self._min_rtt_us:
            self._min_rtt_us = rtt_us
        window = self.window
        if (
            not self._found
            and self.hystart is not None
            and window.in_slow_start
            and self.hystart.found(rtt_us, self._min_rtt_us, now_us)
        ):
            self._found = True
            window.ssthresh = window.cwnd

    def timed_out(self) -> None:
        super().timed_out()
        self.w_max = self.k_s = self._cwnd_prior = 0.0
        self._epoch_us = None
        self._min_rtt_us = 0
        self._found = False
        if self.hystart is not None:
            self.hystart.begin_round(0)

    def restarted(self, idle_us: int) -> None:
        """The curve is one of time spent sending (section 5.8)."""
        if self._epoch_us is not None and idle_us > 0:
            self._epoch_us += idle_us
