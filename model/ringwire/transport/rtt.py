"""The round-trip time: smoothed, its variation, its minimum, and the retransmission timeout (RFC 6298).

After tcp_rtt_estimator and tcp_set_rto (net/ipv4/tcp_input.c) of Linux 6.12: times in microseconds, the smoothed one in
eighths; the variation is the largest of a round trip and falls once a round trip; its floor is 200 ms, so that the
timeout is at least that much above the round trip.
"""

from __future__ import annotations

RTO_MIN_US = 200_000
"""TCP_RTO_MIN: HZ/5. The RFC says a second."""
RTO_MAX_US = 120_000_000
RTO_INIT_US = 1_000_000
"""Before the first measurement (RFC 6298, section 2.1)."""
UNKNOWN_US = 0xFFFFFFFF


class RttEstimator:
    """What round trips were measured to be."""

    __slots__ = ("_mdev", "_mdev_max", "_round_end", "backoff", "min_us", "rto_min_us", "rttvar_us", "srtt_shl3")

    def __init__(self, rto_min_us: int = RTO_MIN_US) -> None:
        self.rto_min_us = rto_min_us
        self.srtt_shl3 = 0
        """Smoothed, in eighths of a microsecond; 0: nothing measured."""
        self.rttvar_us = 0
        self.min_us = UNKNOWN_US
        """The least ever: Linux forgets after 300 s (tcp_min_rtt_wlen), which is longer than any run."""
        self.backoff = 0
        """Times that the timeout was doubled since data was last acknowledged."""
        self._mdev = 0
        self._mdev_max = 0
        self._round_end = 0

    def sample(self, rtt_us: int, snd_una: int, snd_nxt: int) -> None:
        """Take a measurement of an acknowledgement up to ``snd_una`` while ``snd_nxt`` was next to be sent."""
        rtt_us = max(rtt_us, 1)
        if not self.srtt_shl3:
            self.srtt_shl3 = rtt_us << 3
            self._mdev = rtt_us << 1
            self.rttvar_us = self._mdev_max = max(self._mdev, self.rto_min_us)
            self._round_end = snd_nxt
            return
        error = rtt_us - (self.srtt_shl3 >> 3)
        self.srtt_shl3 += error
        if error < 0:
            # a shorter round trip says little about the variation: its gain is an eighth of the other's
            error = -error - (self._mdev >> 2)
            if error > 0:
                error >>= 3
        else:
            error -= self._mdev >> 2
        self._mdev += error
        if self._mdev > self._mdev_max:
            self._mdev_max = self._mdev
            if self._mdev_max > self.rttvar_us:
                self.rttvar_us = self._mdev_max
        if snd_una > self._round_end:
            if self._mdev_max < self.rttvar_us:
                self.rttvar_us -= self.rttvar_us - self._mdev_max >> 2
            self._round_end = snd_nxt
            self._mdev_max = self.rto_min_us

    def note_min(self, rtt_us: int) -> None:
        """A round trip of one packet, without what a receiver may have waited for a second one."""
        if rtt_us < self.min_us:
            self.min_us = max(rtt_us, 1)

    @property
    def srtt_us(self) -> int:
        return self.srtt_shl3 >> 3

    @property
    def rto_us(self) -> int:
        """The retransmission timeout, doubled for each one that has expired."""
        base = (self.srtt_shl3 >> 3) + self.rttvar_us if self.srtt_shl3 else RTO_INIT_US
        return min(base << self.backoff, RTO_MAX_US)
