"""Ranges of sequence numbers beyond what is in order, at the receiver and as the sender knows them (RFC 2018)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

MAX_BLOCKS = 3
"""SACK blocks that fit beside time stamps."""


class Ranges:
    """Ranges [start, end), disjoint and apart from each other, and which of them changed last."""

    __slots__ = ("_ends", "_recent", "starts")

    def __init__(self) -> None:
        self.starts: list[int] = []
        """Their starts, in order: empty if there are none."""
        self._ends: list[int] = []
        self._recent: list[int] = []
        """A number inside each of the ranges that changed last, the last one first."""

    def __bool__(self) -> bool:
        return bool(self.starts)

    @property
    def ranges(self) -> list[tuple[int, int]]:
        return list(zip(self.starts, self._ends, strict=True))

    def holds(self, start: int, end: int) -> bool:
        """Whether all of a range is here already."""
        at = bisect_right(self.starts, start) - 1
        return at >= 0 and self._ends[at] >= end

    def missing(self, start: int, end: int) -> list[tuple[int, int]]:
        """The parts of a range that are not here."""
        starts, ends, parts = self.starts, self._ends, []
        at = bisect_right(ends, start)
        while start < end and at < len(starts) and starts[at] < end:
            if start < starts[at]:
                parts.append((start, starts[at]))
            start = ends[at]
            at += 1
        if start < end:
            parts.append((start, end))
        return parts

    def add(self, start: int, end: int) -> None:
        """A range has come; those it touches become one with it."""
        first = bisect_left(self._ends, start)
        behind = bisect_right(self.starts, end)
        if first < behind:
            start, end = min(start, self.starts[first]), max(end, self._ends[behind - 1])
        self.starts[first:behind] = [start]
        self._ends[first:behind] = [end]
        self._recent = [start, *(seq for seq in self._recent if not start <= seq < end)][: MAX_BLOCKS + 1]

    def advance(self, next_seq: int) -> int:
        """All before ``next_seq`` has come in order; returns up to where that goes on with what was here."""
        starts, ends = self.starts, self._ends
        count = bisect_right(starts, next_seq)
        if count:
            next_seq = max(next_seq, ends[count - 1])
            del starts[:count], ends[:count]
            self._recent = [seq for seq in self._recent if seq > next_seq]
        return next_seq

    def blocks(self, room: int = MAX_BLOCKS) -> tuple[tuple[int, int], ...]:
        """Up to ``room`` ranges to report, the one that changed last first."""
        found = []
        for seq in self._recent[:room]:
            at = bisect_right(self.starts, seq) - 1
            found.append((self.starts[at], self._ends[at]))
        return tuple(found)
