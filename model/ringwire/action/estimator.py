"""The rate of what is counted, measured four times a second to every eight seconds and smoothed.

After net/core/gen_estimator.c of Linux 6.12. Linux has a timer for each; here the samples that were due are taken
when someone looks, from the counts that have not changed since they were.
"""

from __future__ import annotations

from dataclasses import dataclass

QUARTER_NS = 250_000_000
_FRACTION_BITS = 8
_SCALE_BITS = 10
"""Counts of a quarter of a second to 1/256 a second."""


@dataclass(frozen=True, slots=True)
class EstimatorSpec:
    """``interval``: 2 to the power of it seconds, -2 to 3; ``ewma_log``: a sample weighs 2 to the power of minus it."""

    interval: int
    ewma_log: int

    def start(self, now_ns: int) -> Estimator:
        return Estimator(self, now_ns)


class Estimator:
    """Bytes and packets a second."""

    __slots__ = ("_bytes_rate", "_interval_log", "_last_bytes", "_last_packets", "_next_ns", "_packets_rate", "spec")

    def __init__(self, spec: EstimatorSpec, now_ns: int) -> None:
        self.spec = spec
        self._interval_log = spec.interval + 2
        self._next_ns = now_ns + (QUARTER_NS << self._interval_log)
        self._last_bytes = self._last_packets = self._bytes_rate = self._packets_rate = 0

    @property
    def bytes_per_s(self) -> int:
        return self._bytes_rate >> _FRACTION_BITS

    @property
    def packets_per_s(self) -> int:
        return self._packets_rate >> _FRACTION_BITS

    def advance(self, now_ns: int, total_bytes: int, total_packets: int) -> None:
        """Take the samples that were due up to now; the totals are those since the last packet."""
        weight, shift = self.spec.ewma_log, _SCALE_BITS - self._interval_log
        while self._next_ns <= now_ns:
            self._next_ns += QUARTER_NS << self._interval_log
            came, left = (total_bytes - self._last_bytes) << shift, self._bytes_rate >> weight
            packets_came, packets_left = (total_packets - self._last_packets) << shift, self._packets_rate >> weight
            self._last_bytes, self._last_packets = total_bytes, total_packets
            self._bytes_rate += (came >> weight) - left
            self._packets_rate += (packets_came >> weight) - packets_left
            if not (came or left or packets_came or packets_left):
                # nothing changes any more: on to the last sample that was due
                step = QUARTER_NS << self._interval_log
                self._next_ns += (now_ns - self._next_ns + step) // step * step if self._next_ns <= now_ns else 0
