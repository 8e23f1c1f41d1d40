"""Fewer points than a run has, and the same picture.

A plot is some 800 pixels wide. What is drawn as it is (a limit, an occupancy, a latency) keeps of each interval the
first, the last, the least and the greatest row: Jugel et al., "M4: A Visualization-Oriented Time Series Data
Aggregation", VLDB 2014. What counts or averages over intervals (interrupts, throughput) is summed up to longer ones.
"""

from __future__ import annotations

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


def edges(time: Array, slots: int) -> Array:
    """Ends of at most ``slots`` intervals of whole samples, from the different times of a series, which begins at 0."""
    ends = np.unique(time)
    if len(ends) <= slots:
        return ends
    return ends[np.linspace(0, len(ends) - 1, slots + 1).astype(np.int64)[1:]]


def sums(time: Array, values: Array, ends: Array) -> Array:
    """Of each interval that ends at one of ``ends``, the sum of ``values``, which are stamped with their ends."""
    slot = np.minimum(np.searchsorted(ends, time), len(ends) - 1)
    return np.bincount(slot, weights=values, minlength=len(ends))


def means(time: Array, values: Array, ends: Array) -> Array:
    """The same for their mean; 0 where there is none."""
    count = sums(time, np.ones(len(time)), ends)
    return np.divide(sums(time, values, ends), count, out=np.zeros(len(ends)), where=count > 0)


def widths(ends: Array) -> Array:
    """Lengths of intervals that follow each other from 0."""
    return np.diff(ends, prepend=0)
