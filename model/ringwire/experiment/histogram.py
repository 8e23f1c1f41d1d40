"""A histogram of times with bins of equal relative width, whose memory is fixed.

Values below 256 ns have a bin each; above, each power of two is cut into 128 bins. A bin is narrower than 0.8% of what
it holds, and its middle, which percentiles give, is within 0.4% of the value.
"""

from __future__ import annotations

from math import ceil

_BITS = 7
_EXACT = 1 << _BITS + 1


class Histogram:
    """Counts whole nanoseconds from 0 on."""

    __slots__ = ("_counts", "count", "least", "most", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = 0
        self.least = 0
        self.most = 0
        self._counts: dict[int, int] = {}

    def add(self, value: int) -> None:
        """Count one value."""
        if value < _EXACT:
            index = value
        else:
            shift = value.bit_length() - _BITS - 1
            index = (shift << _BITS) + (value >> shift)
        counts = self._counts
        counts[index] = counts.get(index, 0) + 1
        if value > self.most:
            self.most = value
        if value < self.least or not self.count:
            self.least = value
        self.count += 1
        self.total += value

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else 0.0

    def percentile(self, share: float) -> float:
        """The least value that so much of all (0 to 1) is not above; 0 of none. Exact at both ends."""
        if not self.count:
            return 0.0
        wanted = ceil(share * self.count)
        if wanted <= 1:
            return float(self.least)
        if wanted >= self.count:
            return float(self.most)
        seen = 0
        for index in sorted(self._counts):
            seen += self._counts[index]
            if seen >= wanted:
                return min(max(_middle(index), self.least), self.most)
        return float(self.most)


def _middle(index: int) -> float:
    """Of a bin's whole numbers."""
    if index < _EXACT:
        return float(index)
    shift = (index >> _BITS) - 1
    low = (index - (shift << _BITS)) << shift
    return low + ((1 << shift) - 1) / 2
