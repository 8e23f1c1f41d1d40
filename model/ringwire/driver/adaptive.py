"""Interrupt moderation that adapts (``ethtool -C adaptive-tx on``): how long an interrupt waits follows the load.

The rule is ours, in the spirit of ixgbe's (figures in docs/driver.md): a few packets an interrupt are answered soon,
many are gathered, and where a single interrupt already stands for very many the wait becomes shorter, so that the ring
does not run dry meanwhile. ixgbe's figures are the gap between two interrupts; this device's are the wait after the
first completion, so a lone packet's interrupt is late by the wait.
"""

from __future__ import annotations

LEAST_NS = 10_000
MOST_NS = 126_000
STEP_NS = 2_000
FEW_PACKETS, FEW_BYTES = 4, 9_000
"""Below both an interrupt is for a light load."""
SOME_PACKETS = 48
"""Below that it was for less than it could."""
MANY_PACKETS = 96
"""From there on it has waited for longer than need be ..."""
BULK_PACKETS = 256
"""... and from there on only the frames' size counts."""


def bulk_ns(mean_bytes: int) -> int:
    """The wait for traffic without end in frames of this size: 20 us for the shortest, 121 us for 1514 bytes."""
    return min(170_000 * (mean_bytes + 24) // (mean_bytes + 640), MOST_NS)


def next_wait_ns(wait_ns: int, packets: int, size: int) -> int:
    """The wait after an interrupt that waited for ``wait_ns`` and stood for so many packets of ``size`` bytes in all.

    A light load's is half of what bulk of such frames would have: short, and yet long enough for a link of 1 Gb/s and
    more to send four frames in. With less, bulk traffic could never be told from a packet now and then.
    """
    if packets == 0:
        return min(wait_ns + STEP_NS, MOST_NS)
    if packets < FEW_PACKETS and size < FEW_BYTES:
        return bulk_ns(size // packets) // 2
    if packets < SOME_PACKETS:
        return min(wait_ns + STEP_NS, MOST_NS)
    if packets < MANY_PACKETS:
        return wait_ns
    if packets < BULK_PACKETS:
        return max(wait_ns // 2, LEAST_NS)
    return bulk_ns(size // packets)


class AdaptiveModeration:
    """One queue's wait, and when it was chosen and what the queue had sent by then.

    An interrupt that comes before a wait is over (for what has completed before it was armed, for an error, for
    tx-frames) does not tell how much comes in one: its packets count with those of the next.
    """

    __slots__ = ("_bytes", "_chosen_ns", "_packets", "wait_ns")

    def __init__(self, now_ns: int, packets: int, size: int) -> None:
        """``packets`` and ``size``: what the queue has sent so far, as in :meth:`after`."""
        self.wait_ns = LEAST_NS
        self._chosen_ns, self._packets, self._bytes = now_ns, packets, size

    def after(self, now_ns: int, packets: int, size: int) -> int:
        """An interrupt's work is done; the queue has sent so many packets and bytes in all. Returns the next wait."""
        if now_ns - self._chosen_ns >= self.wait_ns:
            self.wait_ns = next_wait_ns(self.wait_ns, packets - self._packets, size - self._bytes)
            self._chosen_ns, self._packets, self._bytes = now_ns, packets, size
        return self.wait_ns
