"""fq's flows: a hash table whose buckets are search trees, and the collection of those that rest.

After fq_classify and fq_gc in net/sched/sch_fq.c of Linux 6.12.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence

from ringwire.qdisc.psched import NS_PER_S
from ringwire.skb import Skb

NEVER = (1 << 64) - 1
GC_SECONDS = 3
"""A flow that has rested for longer may be collected."""
GC_MAX = 8
"""Flows that are collected at a time."""
_GOLDEN_RATIO_64 = 0x61C8864680B583EB
_U64 = (1 << 64) - 1

Packet = tuple[int, int, Skb]
"""Time to send at, band, packet."""


def time_of(packet: Packet) -> int:
    return packet[0]


class Flow:
    """One flow: its packets and its place in the scheduler."""

    __slots__ = ("age", "band", "credit", "early", "key", "qlen", "ready", "taken_band", "time_next")

    def __init__(self, key: int, credit: int, age: int) -> None:
        self.key = key
        self.ready: deque[Packet] = deque()
        """In order of arrival, none to be sent before the one ahead of it."""
        self.early: list[Packet] = []
        """Those to be sent before one that came earlier, by time."""
        self.qlen = 0
        self.credit = credit
        self.band = 0
        """Of its latest packet."""
        self.taken_band = 0
        """Of the packet that :meth:`take` gave."""
        self.time_next = 0
        """It may not send before."""
        self.age = age
        """Jiffies | 1 when it was found empty and left the scheduler; 0 while it is there."""

    def first_time(self) -> int:
        """When the packet that comes first is to be sent; there is one."""
        if self.early:
            early = self.early[0][0]
            if not self.ready or early < self.ready[0][0]:
                return early
        return self.ready[0][0]

    def take(self) -> Skb:
        """Take the packet that comes first; ``qlen`` is the caller's."""
        if self.early and (not self.ready or self.early[0][0] < self.ready[0][0]):
            _, self.taken_band, skb = self.early.pop(0)
        else:
            _, self.taken_band, skb = self.ready.popleft()
        return skb


class Flows:
    """Flows by key. ``1 << log`` buckets say which flows are met when one is looked for, and may be collected."""

    def __init__(self, hz: int, log: int) -> None:
        self.log = log
        self.collected = 0
        self.gc_from_ns = NEVER
        """No flow can be collected before."""
        self._look_again_ns = 0
        self._hz = hz
        self._gc_age = GC_SECONDS * hz
        self._by_key: dict[int, Flow] = {}
        self._buckets: dict[int, list[int]] = {}
        """Keys in order. Linux's trees are balanced less strictly: which flows a search meets may differ there."""
        self.get = self._by_key.get

    def __len__(self) -> int:
        return len(self._by_key)

    def in_order(self) -> Iterator[Flow]:
        """All flows, as they lie in the table."""
        for bucket in sorted(self._buckets):
            for key in reversed(self._buckets[bucket]):
                yield self._by_key[key]

    def clear(self) -> None:
        self._by_key.clear()
        self._buckets.clear()

    def bucket(self, key: int) -> int:
        """hash_ptr."""
        return (key * _GOLDEN_RATIO_64 & _U64) >> 64 - self.log

    def add(self, key: int, credit: int, age: int) -> Flow:
        flow = self._by_key[key] = Flow(key, credit, age)
        self.note_rest(age)
        keys = self._buckets.setdefault(self.bucket(key), [])
        keys.insert(bisect_left(keys, key), key)
        return flow

    def note_rest(self, age: int) -> None:
        """A flow rests from now on."""
        if self.gc_from_ns == NEVER:
            self.gc_from_ns = (age + self._gc_age + 1) * NS_PER_S // self._hz

    def collect(self, key: int, now_ns: int) -> int:
        """Collect flows that rest, of those met on the way to this one; how many. Not before ``gc_from_ns``."""
        if now_ns >= self._look_again_ns:
            # flows that work again may have left it too early
            self._look_again_ns = now_ns + NS_PER_S
            age = min((flow.age for flow in self._by_key.values() if flow.age), default=0)
            self.gc_from_ns = NEVER
            if age:
                self.note_rest(age)
        jiffies = now_ns * self._hz // NS_PER_S
        keys: Sequence[int] = self._buckets.get(self.bucket(key), ())
        low, high = 0, len(keys)
        gone: list[int] = []
        while low < high and len(gone) < GC_MAX:
            middle = low + high >> 1
            met = keys[middle]
            if met == key:
                break
            age = self._by_key[met].age
            if age and jiffies > age + self._gc_age:
                gone.append(met)
            if met < key:
                low = middle + 1
            else:
                high = middle
        for each in gone:
            self._buckets[self.bucket(key)].remove(each)
            del self._by_key[each]
        self.collected += len(gone)
        return len(gone)

    def resize(self, log: int, jiffies: int) -> int:
        """Another number of buckets; collects all flows that rest meanwhile, and says how many."""
        if log == self.log:
            return 0
        self.log = log
        flows = list(self._by_key.values())
        self.clear()
        for flow in flows:
            if not flow.age or jiffies <= flow.age + self._gc_age:
                self._by_key[flow.key] = flow
                self._buckets.setdefault(self.bucket(flow.key), []).append(flow.key)
        for keys in self._buckets.values():
            keys.sort()
        gone = len(flows) - len(self._by_key)
        self.collected += gone
        return gone
