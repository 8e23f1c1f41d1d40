"""Fewer points than a run has, and the same picture.

A plot is some 800 pixels wide. What is drawn as it is (a limit, an occupancy, a latency) keeps of each interval the
first, the last, the least and the greatest row: Jugel et al., "M4: A Visualization-Oriented Time Series Data
Aggregation", VLDB 2014. What counts or averages over intervals (interrupts, throughput) is summed up to longer ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ringwire.experiment.results import Table

Array = np.ndarray[Any, Any]


def groups(labels: Array) -> list[tuple[Any, Array]]:
    """Each label with the indices of its rows, in order of first appearance."""
    kinds, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(inverse, minlength=len(kinds)))[:-1])
    return [(kinds[i], parts[i]) for i in np.argsort(first)] if len(labels) else []


def extremes(time: Array, value: Array, rows: int) -> Array:
    """Indices, in order, of about ``rows`` rows at most that draw the same line as all; ``time`` ascends."""
    if len(time) <= rows:
        return np.arange(len(time))
    slots = max(rows // 4, 1)
    span = max(float(time[-1] - time[0]), 1e-300)
    slot = np.minimum(((time - time[0]) / span * slots).astype(np.int64), slots - 1)
    # within each slot by value: its least stands first, its greatest last
    by_value = np.lexsort((value, slot))
    begin = np.flatnonzero(np.diff(slot, prepend=-1))
    end = np.append(begin[1:], len(time)) - 1
    return np.unique(np.concatenate([begin, end, by_value[begin], by_value[end]]))


def spread(time: Array, slots: int) -> Array:
    """Indices of the first row in each of ``slots`` equal intervals; ``time`` ascends."""
    if len(time) <= slots:
        return np.arange(len(time))
    slot = ((time - time[0]) / max(float(time[-1] - time[0]), 1e-300) * slots).astype(np.int64)
    return np.flatnonzero(np.diff(slot, prepend=-1))


def select(table: Table, index: Array) -> dict[str, Array]:
    """Those rows of every column."""
    return {name: np.asarray(column)[index] for name, column in table.items()}


@dataclass(frozen=True, slots=True)
class Intervals:
    """Intervals of equal width, the last of which may be cut short by the run's end."""

    begin: Array
    end: float
    merged: int = 1
    """How many of the series' own each of them is."""

    @classmethod
    def of(cls, time: Array, end: float, most: int) -> Intervals:
        """At most ``most``, of whole ones of a series that is stamped with its intervals' beginnings."""
        begins = np.unique(time)
        width = float(np.min(np.diff(begins))) if len(begins) > 1 else max(end - float(begins[0]), 1.0)
        merged = math.ceil(((begins[-1] - begins[0]) / width + 1) / most)
        width *= merged
        begin = begins[0] + width * np.arange(int((begins[-1] - begins[0]) / width) + 1)
        last = float(begin[-1] + width)
        return cls(begin, last if end <= begins[-1] else min(last, float(end)), merged)

    @property
    def width(self) -> Array:
        return np.diff(self.begin, append=self.end)

    def slot(self, time: Array) -> Array:
        """Which of them each time is in."""
        return np.searchsorted(self.begin, time, side="right") - 1

    def sums(self, time: Array, values: Array) -> Array:
        return np.bincount(self.slot(time), weights=values, minlength=len(self.begin))

    def means(self, time: Array, values: Array) -> Array:
        """0 where there is nothing."""
        count = self.sums(time, np.ones(len(time)))
        return np.divide(self.sums(time, values), count, out=np.zeros(len(self.begin)), where=count > 0)

    @property
    def corners(self) -> Array:
        """Times of a line of steps: all beginnings, and the end."""
        return np.append(self.begin, self.end)


def steps(values: Array) -> Array:
    """Values at :attr:`Intervals.corners`: the last one holds to the end."""
    return np.append(values, values[-1])
