"""Figures over time whose memory does not grow with a run: bins of equal width, and every n-th packet."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
Merge = Callable[[float, float], float]

MOST_BINS = 2048
"""Bins of a series; when a run outgrows them, each two become one of twice the width."""

total: Merge = operator.add
most: Merge = max
least: Merge = min


def last(before: float, after: float) -> float:
    return after


class Bins:
    """One quantity: what is added within a bin is merged by ``merge`` (:func:`total`, :func:`most`, ...)."""

    __slots__ = ("_end_ns", "_merge", "values", "width_ns")

    def __init__(self, width_ns: int, merge: Merge) -> None:
        self.width_ns = width_ns
        self.values: list[float | None] = []
        """By bin, from time 0; None where nothing was added."""
        self._merge = merge
        self._end_ns = width_ns * MOST_BINS

    def add(self, time_ns: int, value: float) -> None:
        """Add a value at a time from 0 on, in any order."""
        while time_ns >= self._end_ns:
            self.coarsen()
        index = time_ns // self.width_ns
        values = self.values
        if index >= len(values):
            values.extend([None] * (index + 1 - len(values)))
        before = values[index]
        values[index] = value if before is None else self._merge(before, value)

    def spread(self, begin_ns: int, end_ns: int, amount: float) -> None:
        """Add an amount that belongs to a stretch of time evenly: to each bin its share."""
        width_ns = self.width_ns
        if end_ns <= (begin_ns // width_ns + 1) * width_ns:
            self.add(begin_ns, amount)
            return
        self.add(end_ns - 1, 0.0)  # now bins are as wide as they are going to be
        width_ns = self.width_ns
        rate = amount / (end_ns - begin_ns)
        while begin_ns < end_ns:
            until_ns = min(end_ns, (begin_ns // width_ns + 1) * width_ns)
            self.add(begin_ns, rate * (until_ns - begin_ns))
            begin_ns = until_ns

    def coarsen(self) -> None:
        """Make each two bins one."""
        values, merge = self.values, self._merge
        if len(values) & 1:
            values.append(None)
        self.values = [
            second if first is None else first if second is None else merge(first, second)
            for first, second in zip(values[::2], values[1::2], strict=True)
        ]
        self.width_ns *= 2
        self._end_ns *= 2

    def coarsen_to(self, width_ns: int) -> None:
        """Make bins at least so wide."""
        while self.width_ns < width_ns:
            self.coarsen()


class Sample(Generic[T]):
    """Every n-th of what is added, n doubling when there are too many."""

    __slots__ = ("_count", "_most", "rows", "stride")

    def __init__(self, most_rows: int) -> None:
        self.rows: list[T] = []
        self.stride = 1
        self._most = most_rows
        self._count = 0

    def take(self) -> bool:
        """Count one more; whether it is one to :meth:`keep`."""
        self._count += 1
        return (self._count - 1) % self.stride == 0

    def keep(self, row: T) -> None:
        """The row of the one that ``take`` was last asked about."""
        if len(self.rows) == self._most:
            self.rows = self.rows[::2]
            self.stride *= 2
            if (self._count - 1) % self.stride:
                return
        self.rows.append(row)
