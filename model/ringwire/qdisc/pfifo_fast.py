"""pfifo_fast: three strict-priority bands, Linux's default discipline.

Each band is a ring of ``tx_queue_len`` pointers that runs without a lock. After pfifo_fast in
net/sched/sch_generic.c and include/linux/ptr_ring.h of Linux 6.12.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import ClassVar

from ringwire.qdisc.base import CAN_BYPASS, NOLOCK, NOT_EMPTY, XMIT_SUCCESS, Qdisc, shown
from ringwire.skb import Skb

BANDS = 3
PRIO2BAND = (1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1)
"""Band of each of the sixteen traffic-control priorities."""

RELEASE_BATCH = 16
"""Consumed entries are released when this many have gathered: two cache lines of pointers."""


MAX_RING = (2**31 - 1) // 8
"""Pointers in the largest array that the kernel allocates."""


class RingTooLarge(ValueError):
    """No memory for a ring of so many pointers."""

    errno = "ENOMEM"


class PointerRing:
    """A bounded queue whose slots come free late.

    The consumer releases slots in batches, so the ring may report full with up to ``batch - 1`` entries fewer than
    its size inside. Rings too small to hold two batches release at once.
    """

    __slots__ = ("_batch", "_head", "_room", "_unreleased", "entries", "size")

    def __init__(self, size: int) -> None:
        if size > MAX_RING:
            raise RingTooLarge(f"0 to {MAX_RING}")
        self.size = size
        self.entries: deque[Skb] = deque()
        self._batch = RELEASE_BATCH if size // 2 >= RELEASE_BATCH else 1
        self._room = size
        self._unreleased = 0
        self._head = 0

    def put(self, skb: Skb) -> bool:
        """Append; False if every slot is taken or not yet released."""
        if not self._room:
            return False
        self._room -= 1
        self.entries.append(skb)
        return True

    def get(self) -> Skb:
        """Take the oldest entry of a ring that has one."""
        self._head += 1
        self._unreleased += 1
        if self._unreleased >= self._batch or self._head >= self.size:
            self._room += self._unreleased
            self._unreleased = 0
            if self._head >= self.size:
                self._head = 0
        return self.entries.popleft()


@dataclass(frozen=True, slots=True)
class Bands:
    """What pfifo_fast shows of itself; nothing can be set."""

    bands: int = shown("number", default=BANDS)
    priomap: tuple[int, ...] = shown("numbers", default=PRIO2BAND)


class PfifoFast(Qdisc[Bands]):
    """Three bands by ``Skb.priority``; a packet for a full band is dropped."""

    kind: ClassVar[str] = "pfifo_fast"
    params_type = Bands
    default_flags = NOLOCK | CAN_BYPASS

    def setup(self) -> None:
        if self.dev.tx_queue_len == 0:
            raise ValueError("pfifo_fast needs a device with txqueuelen > 0")
        self.change_tx_queue_len(self.dev.tx_queue_len)

    def change_tx_queue_len(self, length: int) -> None:
        self._bands = tuple(PointerRing(length) for _ in range(BANDS))

    def clear(self) -> None:
        for band in self._bands:
            while band.entries:
                self.dev.drop(band.get())

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        if not self._bands[PRIO2BAND[skb.priority & 15]].put(skb):
            return self.refuse(skb, to_free)
        self.qlen += 1
        self.backlog += skb.pkt_len
        return XMIT_SUCCESS

    def dequeue(self) -> Skb | None:
        for band in self._bands:
            if band.entries:
                skb = band.get()
                self.qlen -= 1
                self.backlog -= skb.pkt_len
                self.bytes += skb.pkt_len
                self.packets += skb.gso_segs or 1
                return skb
        self.state &= ~NOT_EMPTY
        return None

    def peek(self) -> Skb | None:
        for band in self._bands:
            if band.entries:
                return band.entries[0]
        return None

    def dequeue_peeked(self) -> Skb | None:
        return self.dequeue()
