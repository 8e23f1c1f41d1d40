"""HyStart: leave slow start before the queue of the bottleneck overflows (Ha and Rhee, PFLDNeT 2008).

After hystart_update in net/ipv4/tcp_cubic.c of Linux 6.12. Two signs are looked for, in each round trip anew: an
unbroken train of acknowledgements that is longer than half of the least round trip (all of it, if packets are paced:
then the train may be half a round trip long by itself), and a least round trip of this round that is well above the
least ever.
"""

from __future__ import annotations

from ringwire.transport.congestion.base import Window
from ringwire.transport.pacing import PacingStatus

LOW_WINDOW = 16
"""Segments: a smaller window is left alone."""
TRAIN_GAP_US = 2_000
"""A longer pause between acknowledgements ends a train."""
MIN_SAMPLES = 8
MIN_RISE_US, MAX_RISE_US = 4_000, 16_000
"""Bounds of the rise that counts, an eighth of the least round trip."""
MAX_ACK_DELAY_US = 1_000
_TRAIN_BYTES = 4 * 65_536
"""What a device or receiver may gather before it acknowledges: two super-packets there, two here."""


class HyStart:
    """The detector of one connection. Times in microseconds."""

    __slots__ = ("_last_ack_us", "_round_end", "_round_min_us", "_round_start_us", "_samples", "window")

    def __init__(self, window: Window) -> None:
        self.window = window
        self.begin_round(0)

    def begin_round(self, now_us: int) -> None:
        self._round_start_us = self._last_ack_us = now_us
        self._round_end = self.window.snd_nxt
        self._round_min_us = 1 << 62
        self._samples = 0

    def found(self, rtt_us: int, min_us: int, now_us: int) -> bool:
        """Whether an acknowledgement with this round trip, ``min_us`` being the least ever, says: enough."""
        window = self.window
        if window.snd_una > self._round_end:
            self.begin_round(now_us)
        if window.cwnd < LOW_WINDOW:
            return False
        if now_us - self._last_ack_us <= TRAIN_GAP_US:
            self._last_ack_us = now_us
            threshold = min_us + self._ack_delay_us()
            if window.pacing_status == PacingStatus.NONE:
                threshold >>= 1
            if now_us - self._round_start_us > threshold:
                return True
        self._round_min_us = min(self._round_min_us, rtt_us)
        if self._samples < MIN_SAMPLES:
            self._samples += 1
            return False
        return self._round_min_us > min_us + min(max(min_us >> 3, MIN_RISE_US), MAX_RISE_US)

    def _ack_delay_us(self) -> int:
        rate = self.window.pacing_rate
        return min(MAX_ACK_DELAY_US, _TRAIN_BYTES * 1_000_000 // rate) if rate else 0
