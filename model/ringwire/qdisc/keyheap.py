"""Queues in order of a number, for schedulers that pick the least of many: heaps whose entries go stale.

An item that is moved or removed leaves its old entry behind, which is thrown away when it comes up, or when the stale
ones are more than half: each step costs the logarithm of the number of items.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

T = TypeVar("T")

SPARE = 64
"""Stale entries that are never worth clearing away."""


class KeyHeap(Generic[T]):
    """Items by a key; among equal keys the one that was put in first comes first."""

    __slots__ = ("_heap", "_live", "_seq")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, T]] = []
        self._live: dict[T, int] = {}
        self._seq = 0

    def __bool__(self) -> bool:
        return bool(self._live)

    def __contains__(self, item: T) -> bool:
        return item in self._live

    def put(self, item: T, key: int) -> None:
        """Put an item in, or move it: it comes after those of the same key."""
        self._seq += 1
        self._live[item] = self._seq
        heappush(self._heap, (key, self._seq, item))
        if len(self._heap) > 2 * len(self._live) + SPARE:
            live = self._live
            self._heap = [entry for entry in self._heap if live.get(entry[2]) == entry[1]]
            heapify(self._heap)

    def discard(self, item: T) -> None:
        self._live.pop(item, None)

    def first(self) -> tuple[int, T] | None:
        """(key, item) of the first, still in."""
        heap, live = self._heap, self._live
        while heap:
            key, seq, item = heap[0]
            if live.get(item) == seq:
                return key, item
            heappop(heap)
        return None

    def clear(self) -> None:
        self._heap.clear()
        self._live.clear()


class DueQueue(Generic[T]):
    """Items that may be taken from some time on; of those, the least rank comes first.

    Time must not go back. ``put`` moves an item that is in.
    """

    __slots__ = ("_due", "_entries", "_later", "_seq")

    def __init__(self) -> None:
        self._later: list[tuple[int, int, tuple[int, ...], T]] = []
        self._due: list[tuple[tuple[int, ...], int, T]] = []
        self._entries: dict[T, int] = {}
        self._seq = 0

    def __bool__(self) -> bool:
        return bool(self._entries)

    def __contains__(self, item: T) -> bool:
        return item in self._entries

    def put(self, item: T, due: int, rank: tuple[int, ...]) -> None:
        """``due`` is when it may be taken, in the unit of :meth:`first`."""
        self._seq += 1
        self._entries[item] = self._seq
        heappush(self._later, (due, self._seq, rank, item))
        if len(self._later) + len(self._due) > 2 * len(self._entries) + SPARE:
            entries = self._entries
            self._later = [entry for entry in self._later if entries.get(entry[3]) == entry[1]]
            self._due = [entry for entry in self._due if entries.get(entry[2]) == entry[1]]
            heapify(self._later)
            heapify(self._due)

    def discard(self, item: T) -> None:
        self._entries.pop(item, None)

    def first(self, now: int) -> T | None:
        """The one of least rank that is due, still in."""
        later, entries = self._later, self._entries
        while later and later[0][0] <= now:
            _, seq, rank, item = heappop(later)
            if entries.get(item) == seq:
                heappush(self._due, (rank, seq, item))
        due = self._due
        while due:
            _, seq, item = due[0]
            if entries.get(item) == seq:
                return item
            heappop(due)
        return None

    def next_due(self) -> int | None:
        """When the next of those that were not due at the last :meth:`first` will be."""
        later, entries = self._later, self._entries
        while later:
            due, seq, _, item = later[0]
            if entries.get(item) == seq:
                return due
            heappop(later)
        return None

    def clear(self) -> None:
        self._later.clear()
        self._due.clear()
        self._entries.clear()
