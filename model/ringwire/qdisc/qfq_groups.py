"""qfq's schedule: aggregates of classes by virtual time, sorted into groups so that every step has a constant cost.

After Checconi, Rizzo and Valente, "QFQ: Efficient packet scheduling with tight guarantees" (IEEE/ACM Transactions on
Networking, 2013), and net/sched/sch_qfq.c of Linux 6.12. Virtual times are 64-bit numbers that may wrap.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ringwire.qdisc.qfq import QfqClass

SLOTS = 32
MAX_INDEX = 24
FRAC_BITS = 30
ONE = 1 << FRAC_BITS
U64 = 0xFFFF_FFFF_FFFF_FFFF
U32 = 0xFFFF_FFFF
SLOT_MASK = (1 << SLOTS) - 1

# States of a group: eligible or not (its start is in the future), and ready or blocked by one that ends earlier.
ER, IR, EB, IB = range(4)


def after(a: int, b: int) -> bool:
    """Whether virtual time ``a`` is later than ``b``."""
    return 0 < (a - b & U64) < 1 << 63


def round_down(time: int, shift: int) -> int:
    return time >> shift << shift


class Aggregate:
    """Classes of one weight and packet size, which share their time by deficit round robin."""

    __slots__ = (
        "active",
        "budget",
        "budget_max",
        "class_weight",
        "finish",
        "group",
        "initial_budget",
        "inv_w",
        "lmax",
        "num_classes",
        "start",
    )

    def __init__(self, lmax: int, weight: int) -> None:
        self.lmax = lmax
        """Largest packet, the classes' quantum."""
        self.class_weight = weight
        self.num_classes = 0
        self.active: OrderedDict[QfqClass, None] = OrderedDict()
        """Classes with packets, in their round's order."""
        self.start = self.finish = 0
        self.group: Group | None = None
        self.inv_w = self.budget_max = 0
        self.initial_budget = self.budget = 0

    def charge(self) -> None:
        """Set the finish time by what was really sent."""
        received = min(self.budget_max, self.initial_budget - self.budget & U32)
        self.finish = self.start + received * self.inv_w & U64


class Group:
    """Aggregates whose largest packet takes about the same virtual time, in slots of that length."""

    __slots__ = ("finish", "front", "full_slots", "index", "slot_shift", "slots", "start")

    def __init__(self, index: int, slot_shift: int) -> None:
        self.index = index
        self.slot_shift = slot_shift
        self.start = self.finish = 0
        self.front = 0
        self.full_slots = 0
        """Bit 0 is the front slot."""
        self.slots: list[dict[Aggregate, None]] = [{} for _ in range(SLOTS)]
        """The one that came last is the head."""

    def place(self, start: int) -> None:
        self.start = start
        self.finish = start + (2 << self.slot_shift) & U64

    def insert(self, agg: Aggregate, start: int) -> None:
        slot = (start - self.start & U64) >> self.slot_shift
        if slot > SLOTS - 2:
            # so late only after weights have changed: pull it into the last slot
            excess = start - self.start - (SLOTS - 2 << self.slot_shift)
            agg.start = agg.start - excess & U64
            agg.finish = agg.finish - excess & U64
            slot = SLOTS - 2
        self.slots[(self.front + slot) % SLOTS][agg] = None
        self.full_slots |= 1 << slot

    def pop_head(self) -> Aggregate:
        front = self.slots[self.front]
        agg, _ = front.popitem()
        if not front:
            self.full_slots &= ~1
        return agg

    def scan(self) -> Aggregate | None:
        """Make the first slot that is not empty the front; its head."""
        full = self.full_slots
        if not full:
            return None
        skip = (full & -full).bit_length() - 1
        if skip:
            self.front = (self.front + skip) % SLOTS
            self.full_slots >>= skip
        return next(reversed(self.slots[self.front]))

    def rotate(self, start: int) -> None:
        """The group now starts earlier: make room in front."""
        back = (self.start - start & U64) >> self.slot_shift
        self.full_slots = self.full_slots << back & SLOT_MASK if back < 64 else 0
        self.front = (self.front - back) % SLOTS

    def remove(self, agg: Aggregate) -> None:
        offset = (round_down(agg.start, self.slot_shift) - self.start & U64) >> self.slot_shift
        slot = self.slots[(self.front + offset) % SLOTS]
        del slot[agg]
        if not slot:
            self.full_slots &= ~(1 << offset)


class Schedule:
    """All groups, their states as bit masks by group index, and the system's virtual time."""

    __slots__ = ("bitmaps", "groups", "in_service", "iwsum", "min_slot_shift", "old_time", "time", "wsum")

    def __init__(self, min_slot_shift: int) -> None:
        self.min_slot_shift = min_slot_shift
        self.groups = [Group(index, min_slot_shift + index) for index in range(MAX_INDEX + 1)]
        self.bitmaps = [0, 0, 0, 0]
        self.time = self.old_time = 0
        self.in_service: Aggregate | None = None
        self.wsum = self.iwsum = 0
        """Sum of the weights of all classes, and its inverse."""

    def add_weight(self, weight: int) -> None:
        self.wsum += weight
        if self.wsum:
            self.iwsum = ONE // self.wsum

    def group_of(self, inv_w: int, length: int) -> Group:
        """The group by the virtual time of a full budget: the least power of two that holds it."""
        size = length * inv_w
        high = size >> self.min_slot_shift
        index = high.bit_length()
        if high and size == 1 << index + self.min_slot_shift - 1:
            index -= 1
        return self.groups[index]

    def _first_from(self, state: int, index: int) -> Group | None:
        mask = self.bitmaps[state] >> index << index
        return self.groups[(mask & -mask).bit_length() - 1] if mask else None

    def _move(self, mask: int, source: int, target: int) -> None:
        bitmaps = self.bitmaps
        bitmaps[target] |= bitmaps[source] & mask
        bitmaps[source] &= ~mask

    def _leave(self, group: Group, *states: int) -> None:
        for state in states:
            self.bitmaps[state] &= ~(1 << group.index)

    def _enter(self, group: Group) -> None:
        """Put a group in the state that its times give."""
        state = IR if after(group.start, self.time) else ER
        blocking = self._first_from(ER, group.index)
        if blocking is not None and after(group.finish, blocking.finish):
            state |= EB
        self.bitmaps[state] |= 1 << group.index

    def _unblock(self, index: int, old_finish: int) -> None:
        """A group has left or finishes later: those below that only waited for it are ready."""
        following = self._first_from(ER, index + 1)
        if following is not None and not after(following.finish, old_finish):
            return
        self._ready((1 << index) - 1)

    def _ready(self, mask: int) -> None:
        self._move(mask, EB, ER)
        self._move(mask, IB, IR)

    def _update_eligible(self) -> None:
        """Go on to the time at which somebody is eligible, and mark all that are."""
        bitmaps = self.bitmaps
        waiting = bitmaps[IR] | bitmaps[IB]
        if not waiting:
            return
        if not bitmaps[ER]:
            first = self.groups[(waiting & -waiting).bit_length() - 1]
            if after(first.start, self.time):
                self.time = first.start
        flipped = self.time >> self.min_slot_shift ^ self.old_time >> self.min_slot_shift
        if flipped:
            mask = (1 << flipped.bit_length()) - 1
            self._move(mask, IR, ER)
            self._move(mask, IB, EB)

    def choose(self) -> Aggregate | None:
        """Take the aggregate to serve next out of the schedule."""
        self._update_eligible()
        self.old_time = self.time
        group = self._first_from(ER, 0)
        if group is None:
            return None
        old_finish = group.finish
        agg = group.pop_head()
        front = group.scan()
        if front is None:
            self._leave(group, ER)
        else:
            start = round_down(front.start, group.slot_shift)
            if group.start == start:
                return agg
            group.place(start)
            self._leave(group, ER)
            self._enter(group)
        self._unblock(group.index, old_finish)
        return agg

    def activate(self, agg: Aggregate) -> None:
        """An idle aggregate has packets: it is served at once if nobody else is, otherwise scheduled."""
        agg.initial_budget = agg.budget = agg.budget_max
        self._set_start(agg)
        agg.finish = agg.start + agg.budget_max * agg.inv_w & U64
        if self.in_service is None:
            self.in_service = agg
            self.old_time = self.time = agg.start
        elif agg is not self.in_service:
            self.schedule(agg)

    def requeue(self, agg: Aggregate) -> None:
        """Its budget is used up, and it has more packets."""
        agg.start = agg.finish
        agg.finish = agg.start + agg.budget_max * agg.inv_w & U64
        self.schedule(agg)

    def _set_start(self, agg: Aggregate) -> None:
        """Where it left off, or now if that is past; but not so late that a blocked group gets out of order."""
        assert agg.group is not None
        shift = agg.group.slot_shift
        finish = round_down(agg.finish, shift)
        limit = round_down(self.time, shift) + (1 << shift) & U64
        if after(agg.finish, self.time) and not after(finish, limit):
            agg.start = agg.finish
            return
        blocking = self._first_from(ER, agg.group.index)
        if blocking is not None and after(finish, blocking.finish):
            agg.start = blocking.finish if after(limit, blocking.finish) else limit
            return
        agg.start = self.time

    def schedule(self, agg: Aggregate) -> None:
        """Enter an aggregate in its group, by its start."""
        group = agg.group
        assert group is not None
        start = round_down(agg.start, group.slot_shift)
        if group.full_slots:
            if not after(group.start, agg.start):
                group.insert(agg, start)
                return
            group.rotate(start)
            self._leave(group, IR, IB)
        elif not self.bitmaps[ER] and after(start, self.time) and self.in_service is None:
            self.time = start
        group.place(start)
        self._enter(group)
        group.insert(agg, start)

    def deactivate(self, agg: Aggregate) -> None:
        """It has no packets any more, though it was not served: take it out."""
        if agg is self.in_service:
            agg.charge()
            self.in_service = self.choose()
            return
        group = agg.group
        assert group is not None
        agg.finish = agg.start
        group.remove(agg)
        bit = 1 << group.index
        if not group.full_slots:
            self._leave(group, IR, EB, IB)
            ready = self.bitmaps[ER]
            if ready & bit and not ready >> group.index + 1:
                below = ready & bit - 1
                self._ready(-1 << below.bit_length() - 1 if below else -1)
            self._leave(group, ER)
        elif not group.slots[group.front]:
            front = group.scan()
            assert front is not None
            start = round_down(front.start, group.slot_shift)
            if group.start != start:
                self._leave(group, ER, IR, EB, IB)
                group.place(start)
                self._enter(group)
