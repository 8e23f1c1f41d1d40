"""The congestion window, and what an algorithm is told.

After struct tcp_congestion_ops, tcp_slow_start and tcp_cong_avoid_ai (net/ipv4/tcp_cong.c) of Linux 6.12.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from ringwire.registry import Registry
from ringwire.transport.pacing import PacingStatus
from ringwire.transport.rtt import UNKNOWN_US

INITIAL_WINDOW = 10
"""Segments (RFC 6928)."""
INFINITE_SSTHRESH = 0x7FFFFFFF


class UnknownCongestionControl(LookupError):
    """There is no such algorithm; says which there are."""


ALGORITHMS: Registry[CongestionControl] = Registry(
    "congestion control", "ringwire.transport.congestion", "ringwire.congestion", UnknownCongestionControl, "name"
)


@dataclass(slots=True)
class Window:
    """What the sender and the algorithm share. Windows in segments."""

    cwnd: int = INITIAL_WINDOW
    ssthresh: int = INFINITE_SSTHRESH
    cwnd_limited: bool = False
    """The window is what limits the sender; otherwise nothing is to be had from a larger one (RFC 2861)."""
    max_packets_out: int = 0
    """The most in flight since the window was last judged."""
    snd_una: int = 0
    snd_nxt: int = 0
    srtt_shl3: int = 0
    """Smoothed round trip in eighths of a microsecond, 0: not known."""
    min_rtt_us: int = UNKNOWN_US
    pacing_rate: int = 0
    """Bytes a second."""
    pacing_status: PacingStatus = PacingStatus.NONE

    @property
    def in_slow_start(self) -> bool:
        return self.cwnd < self.ssthresh


class CongestionControl(ABC):
    """An algorithm of one connection: it reads ``window`` and sets its ``cwnd`` and ``ssthresh``."""

    name: ClassVar[str]

    def __init_subclass__(cls, **keywords: object) -> None:
        super().__init_subclass__(**keywords)
        ALGORITHMS.note(cls)

    def __init__(self, window: Window) -> None:
        self.window = window
        self._credit = 0

    @abstractmethod
    def after_loss(self) -> int:
        """The new ssthresh, in segments: there was a loss or a mark, the first of its window."""

    @abstractmethod
    def acked(self, packets: int, now_us: int) -> None:
        """So many segments were acknowledged, in order, outside of recovery: let the window grow."""

    def sampled(self, rtt_us: int, now_us: int) -> None:
        """An acknowledgement has shown a round-trip time."""
        return None

    def timed_out(self) -> None:
        """The retransmission timer has expired: what was learnt of the path may be wrong."""
        self._credit = 0

    def restarted(self, idle_us: int) -> None:
        """The sender goes on after so long a time with nothing in flight."""
        return None

    def _slow_start(self, packets: int) -> int:
        """Grow by what was acknowledged, up to ssthresh; what of it is left beyond that."""
        window = self.window
        cwnd = min(window.cwnd + packets, window.ssthresh)
        packets -= cwnd - window.cwnd
        window.cwnd = cwnd
        return packets

    def _additive(self, every: float, packets: int) -> None:
        """Grow by one segment for ``every`` segments acknowledged; rests are kept."""
        window = self.window
        if self._credit >= every:
            # the pace has quickened meanwhile: no burst for what was saved at the old one
            self._credit = 0
            window.cwnd += 1
        self._credit += packets
        if self._credit >= every:
            steps = int(self._credit / every)
            self._credit -= int(steps * every)
            window.cwnd += steps

    @property
    def limited(self) -> bool:
        """tcp_is_cwnd_limited: a larger window would be used; in slow start also if half of it is."""
        window = self.window
        return window.cwnd_limited or (window.in_slow_start and window.cwnd < 2 * window.max_packets_out)


ALGORITHMS.base = CongestionControl


def algorithm_named(name: str) -> type[CongestionControl]:
    """The class; :class:`UnknownCongestionControl` lists those there are."""
    return ALGORITHMS.find(name)
