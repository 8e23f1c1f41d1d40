"""Who may send in htb, and whose turn it is: rows of classes that send at their own rate, and those that borrow.

After htb_activate_prios, htb_deactivate_prios and htb_lookup_leaf in net/sched/sch_htb.c of Linux 6.12.
"""

from __future__ import annotations

from ringwire.qdisc.htb_class import CAN_SEND, LEVELS, MAY_BORROW, PRIOS, HtbClass
from ringwire.qdisc.minorset import NONE, MinorSet

PRIOS_OF = tuple(tuple(prio for prio in range(PRIOS) if mask >> prio & 1) for mask in range(1 << PRIOS))
"""Mask -> the priorities in it, most urgent first."""


class HtbRows:
    """Active classes in their rows; those that borrow hang below the class that lends, in its feeds."""

    __slots__ = ("by_minor", "mask", "rows")

    def __init__(self) -> None:
        self.by_minor: dict[int, HtbClass] = {}
        self.clear()

    def clear(self) -> None:
        """Nobody is active."""
        self.rows = [[MinorSet() for _ in range(PRIOS)] for _ in range(LEVELS)]
        """By level and priority."""
        self.mask = [0] * LEVELS
        """By level: priorities whose row has classes."""

    def turn(self, feed: MinorSet, prio: int) -> HtbClass | None:
        """Whose turn it is in a row: down by the feeds of classes that lend."""
        if not feed:
            return None
        by_minor = self.by_minor
        above: list[MinorSet] = []
        while True:
            ptr = feed.ptr
            if ptr < 0 and feed.last >= 0:
                ptr = feed.first_from(feed.last)
            feed.last = NONE
            if ptr < 0:
                # beyond the last: begin again, and go on with the next above
                feed.ptr = feed.first_from(0)
                if above:
                    feed = above.pop()
                    feed.advance()
            else:
                feed.ptr = ptr
                cls = by_minor[ptr]
                if not cls.level:
                    return cls
                above.append(feed)
                feed = cls.feeds[prio]

    def activate(self, cls: HtbClass) -> None:
        """A leaf has packets, at its priority."""
        if not cls.activity:
            cls.activity = 1 << cls.prio
            self.enter(cls)

    def deactivate(self, cls: HtbClass) -> None:
        if cls.activity:
            self.leave(cls)
            cls.activity = 0

    def enter(self, cls: HtbClass) -> None:
        """Enter a class in its row, or as long as classes borrow, in the feed of the one above."""
        mask = cls.activity
        while mask and cls.mode == MAY_BORROW and cls.parent is not None:
            parent: HtbClass = cls.parent
            minor = cls.classid & 0xFFFF
            for prio in PRIOS_OF[mask]:
                feed = parent.feeds[prio]
                if feed:
                    mask &= ~(1 << prio)
                feed.add(minor)
            parent.activity |= mask
            cls = parent
        if mask and cls.mode == CAN_SEND:
            self.mask[cls.level] |= mask
            for prio in PRIOS_OF[mask]:
                self.rows[cls.level][prio].add(cls.classid & 0xFFFF)

    def leave(self, cls: HtbClass) -> None:
        mask = cls.activity
        while mask and cls.mode == MAY_BORROW and cls.parent is not None:
            parent: HtbClass = cls.parent
            minor = cls.classid & 0xFFFF
            left = 0
            for prio in PRIOS_OF[mask]:
                feed = parent.feeds[prio]
                if feed.ptr == minor:
                    feed.last = minor
                    feed.ptr = NONE
                feed.discard(minor)
                if not feed:
                    left |= 1 << prio
            mask = left
            parent.activity &= ~mask
            cls = parent
        if mask and cls.mode == CAN_SEND:
            for prio in PRIOS_OF[mask]:
                row = self.rows[cls.level][prio]
                if row.ptr == cls.classid & 0xFFFF:
                    row.advance()
                row.discard(cls.classid & 0xFFFF)
                if not row:
                    self.mask[cls.level] &= ~(1 << prio)
