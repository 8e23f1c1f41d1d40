"""Whose turn it is in cbq: a weighted round for each priority, over classes that may send.

Linux walks a ring of all classes with packets and passes over those that may not send. Here they wait apart, by
whom they could borrow from and by when they are under their limits, so that no packet costs a walk over all. The
order is the ring's, but for two things: a class that has to wait keeps its place in the round instead of losing it
whenever the walk passes, and is put to sleep at once instead of when it is passed first.
After net/sched/sch_cbq.c of Linux 6.2.
"""

from __future__ import annotations

from ringwire.qdisc.cbq_class import MAX_LEVEL, PRIOS, CbqClass
from ringwire.qdisc.keyheap import KeyHeap

Turns = KeyHeap[CbqClass]


class Waiting:
    """Classes over their limit that could borrow from the same."""

    __slots__ = ("fresh", "turns")

    def __init__(self) -> None:
        self.turns: Turns = KeyHeap()
        self.fresh: list[CbqClass] = []
        """Those of which it is not known yet that they have to sleep."""


class Rounds:
    """``now`` and ``toplevel`` are those of the packet at hand: who is above ``toplevel`` does not lend."""

    __slots__ = ("_ready", "_turn", "_waiting", "_wake", "now", "toplevel")

    def __init__(self, now: int) -> None:
        self.clear(now)

    def clear(self, now: int) -> None:
        self._ready: list[Turns] = [KeyHeap() for _ in range(PRIOS)]
        self._waiting: list[dict[CbqClass | None, Waiting]] = [{} for _ in range(PRIOS)]
        self._wake: Turns = KeyHeap()
        """All that are over their limit, by when they no longer are."""
        self._turn = 0
        self.now = now
        self.toplevel = MAX_LEVEL

    def activate(self, cls: CbqClass) -> None:
        """A class has packets: its turn is last."""
        cls.active = True
        self.to_tail(cls)

    def deactivate(self, cls: CbqClass) -> None:
        if cls.active:
            cls.active = False
            self.set_aside(cls)

    def set_aside(self, cls: CbqClass) -> None:
        """Out of the round, for good or until :meth:`place`."""
        if cls.heap is not None:
            cls.heap.discard(cls)
            cls.heap = None
        self._wake.discard(cls)

    def to_tail(self, cls: CbqClass) -> None:
        self._turn += 1
        cls.turn = self._turn
        self.place(cls)

    def place(self, cls: CbqClass) -> None:
        """Enter an active class where it belongs by its limit, in its turn."""
        if not cls.active:
            return
        self.set_aside(cls)
        if cls.over(self.now):
            there = self._waiting[cls.prio]
            waiting = there.get(cls.borrow)
            if waiting is None:
                waiting = there[cls.borrow] = Waiting()
            heap = waiting.turns
            if not cls.delayed:
                waiting.fresh.append(cls)
            self._wake.put(cls, cls.undertime)
        else:
            cls.delayed = False
            heap = self._ready[cls.prio]
        heap.put(cls, cls.turn)
        cls.heap = heap

    def proceed(self, now: int) -> None:
        """Time goes on: those that are under their limits again may send."""
        self.now = now
        while (first := self._wake.first()) is not None and first[0] <= now:
            self.place(first[1])

    def next(self, prio: int) -> tuple[CbqClass, CbqClass] | None:
        """(class, who lends it the time) whose turn it is; itself if it need not borrow."""
        best: tuple[int, CbqClass] | None = self._ready[prio].first()
        lender = best[1] if best is not None else None
        there = self._waiting[prio]
        idle: list[CbqClass | None] = []
        for borrow, waiting in there.items():
            first = waiting.turns.first()
            if first is None:
                idle.append(borrow)
                continue
            who, cut = self._lender(borrow)
            if who is not None:
                if best is None or first[0] < best[0]:
                    best, lender = first, who
            elif not cut:
                self._put_to_sleep(waiting)
        for borrow in idle:
            del there[borrow]
        return None if best is None or lender is None else (best[1], lender)

    def _lender(self, cls: CbqClass | None) -> tuple[CbqClass | None, bool]:
        """The first from here upward that is under its limit; whether only ``toplevel`` ended the search."""
        while cls is not None:
            if cls.level > self.toplevel:
                return None, True
            if self.now >= cls.undertime:
                cls.delayed = False
                return cls, False
            cls = cls.borrow
        return None, False

    def _put_to_sleep(self, waiting: Waiting) -> None:
        for cls in waiting.fresh:
            if cls.heap is waiting.turns and not cls.delayed:
                cls.oversleep(self.now)
                self._wake.put(cls, cls.undertime)
        waiting.fresh.clear()

    def next_event(self) -> int | None:
        """When the first of those that have to wait can send, or somebody can lend it the time."""
        first = self._wake.first()
        when = None if first is None else first[0]
        for there in self._waiting:
            for borrow, waiting in there.items():
                if waiting.turns:
                    cls = borrow
                    while cls is not None:
                        if when is None or cls.undertime < when:
                            when = cls.undertime
                        cls = cls.borrow
        return None if when is None else max(when, self.now + 1)

    # -- the top-level algorithm: below which level somebody is under its limit

    def mark_toplevel(self, cls: CbqClass, now: int) -> None:
        """A packet came for a class."""
        toplevel = self.toplevel
        above: CbqClass | None = cls
        while above is not None and toplevel > above.level:
            if above.undertime < now:
                self.toplevel = above.level
                return
            above = above.borrow

    def update_toplevel(self, cls: CbqClass, lender: CbqClass) -> None:
        """A packet of a class was sent, and it has more."""
        if self.toplevel >= lender.level and cls.qdisc.qlen > 1:
            above: CbqClass | None = lender
            while above is not None:
                if not above.undertime:
                    self.toplevel = above.level
                    return
                above = above.borrow
