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
    """One quantity: what is added within a bin is merged by ``merge`` (:func:`total`, :func:`most`, ...).

    The bin that was added to last is kept apart, since what comes next is most often for it as well.
    """

    __slots__ = ("_from_ns", "_index", "_merge", "_to_ns", "_value", "_values", "width_ns")

    def __init__(self, width_ns: int, merge: Merge) -> None:
        self.width_ns = width_ns
        self._values: list[float | None] = []
        self._merge = merge
        self._index = self._from_ns = self._to_ns = 0
        """The bin that is kept apart: its number and bounds. Without bounds there is none."""
        self._value = 0.0

    @property
    def values(self) -> list[float | None]:
        """By bin, from time 0; None where nothing was added."""
        if self._to_ns:
            self._values[self._index] = self._value
        return self._values

    def add(self, time_ns: int, value: float) -> None:
        """Add a value at a time from 0 on, in any order."""
        if self._from_ns <= time_ns < self._to_ns:
            self._value = self._merge(self._value, value)
            return
        while time_ns >= self.width_ns * MOST_BINS:
            self.coarsen()
        values, width_ns = self.values, self.width_ns
        self._index = index = time_ns // width_ns
        self._from_ns = index * width_ns
        self._to_ns = self._from_ns + width_ns
        if index >= len(values):
            values.extend([None] * (index + 1 - len(values)))
        before = values[index]
        self._value = value if before is None else self._merge(before, value)

    def spread(self, begin_ns: int, end_ns: int, amount: float) -> None:
        """Add an amount that belongs to a stretch of time evenly: to each bin its share."""
        if self._from_ns <= begin_ns < end_ns <= self._to_ns:
            self._value = self._merge(self._value, amount)
            return
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
        self._to_ns = 0
        self._values = [
            second if first is None else first if second is None else merge(first, second)
            for first, second in zip(values[::2], values[1::2], strict=True)
        ]
        self.width_ns *= 2

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
