"""A set of classes in the order of their minor numbers, with a pointer that goes round: htb's rows and feeds.

Linux keeps them in red-black trees (struct htb_prio in net/sched/sch_htb.c of Linux 6.12). A minor number has 16 bits,
so here two levels of 256-bit masks do it, and every step costs the same whatever the number of classes.
"""

from __future__ import annotations

NONE = -1
"""No class."""


class MinorSet:
    """``ptr`` is whose turn it is, NONE if that was lost; ``last`` then says which minor number it had."""

    __slots__ = ("_summary", "_words", "last", "ptr")

    def __init__(self) -> None:
        self._summary = 0
        self._words: dict[int, int] = {}
        self.ptr = NONE
        self.last = NONE

    def __bool__(self) -> bool:
        return self._summary != 0

    def add(self, minor: int) -> None:
        high = minor >> 8
        words = self._words
        words[high] = words.get(high, 0) | 1 << (minor & 0xFF)
        self._summary |= 1 << high

    def discard(self, minor: int) -> None:
        high = minor >> 8
        word = self._words.get(high, 0) & ~(1 << (minor & 0xFF))
        if word:
            self._words[high] = word
        elif self._words.pop(high, 0):
            self._summary &= ~(1 << high)

    def first_from(self, minor: int) -> int:
        """The least that is not below ``minor``, NONE if there is none."""
        high = minor >> 8
        word = self._words.get(high, 0) >> (minor & 0xFF)
        if word:
            return minor + (word & -word).bit_length() - 1
        rest = self._summary >> high + 1
        if not rest:
            return NONE
        high += (rest & -rest).bit_length()
        word = self._words[high]
        return high << 8 | (word & -word).bit_length() - 1

    def advance(self) -> None:
        """Move the pointer to the next; beyond the last it is NONE."""
        if self.ptr != NONE:
            self.ptr = self.first_from(self.ptr + 1)
