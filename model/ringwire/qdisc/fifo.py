"""First in, first out: pfifo counts packets, bfifo bytes, pfifo_head_drop makes room by dropping the oldest.

After net/sched/sch_fifo.c of Linux 6.12.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import ClassVar

from ringwire.qdisc.base import CAN_BYPASS, XMIT_CN, XMIT_SUCCESS, P, Qdisc, option, psched_mtu
from ringwire.skb import Skb


@dataclass(frozen=True, slots=True)
class PacketLimit:
    """``limit`` in packets; the device's ``tx_queue_len`` if not given."""

    limit: int | None = option("size", shown="packets")


@dataclass(frozen=True, slots=True)
class ByteLimit:
    """``limit`` in bytes; ``tx_queue_len`` full-sized packets if not given."""

    limit: int | None = option("size")


class Fifo(Qdisc[P]):
    """One queue in order of arrival; subclasses say what it admits."""

    def setup(self) -> None:
        self.limit = 0
        self._queue: deque[Skb] = deque()

    def clear(self) -> None:
        while self._queue:
            self.dev.drop(self._queue.popleft())

    def peek(self) -> Skb | None:
        return self._queue[0] if self._queue else None

    def dequeue_peeked(self) -> Skb | None:
        return self.dequeue()

    def dequeue(self) -> Skb | None:
        if not self._queue:
            return None
        skb = self._queue.popleft()
        self.qlen -= 1
        self.backlog -= skb.pkt_len
        self.bytes += skb.pkt_len
        self.packets += skb.gso_segs or 1
        return skb

    def _append(self, skb: Skb) -> int:
        self._queue.append(skb)
        self.qlen += 1
        self.backlog += skb.pkt_len
        return XMIT_SUCCESS

    def _set_limit(self, limit: int, least: int) -> None:
        """Take a limit; an empty queue may be bypassed only if it would have admitted the packet."""
        self.limit = limit
        if limit >= least:
            self.flags |= CAN_BYPASS
        else:
            self.flags &= ~CAN_BYPASS


class PacketFifo(Fifo[PacketLimit]):
    """pfifo: a packet that finds ``limit`` packets is dropped."""

    kind: ClassVar[str] = "pfifo"
    params_type = PacketLimit

    def change(self, params: PacketLimit) -> None:
        self._set_limit(self.dev.tx_queue_len if params.limit is None else params.limit, 1)

    def params(self) -> PacketLimit:
        return PacketLimit(self.limit)

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        if self.qlen < self.limit:
            return self._append(skb)
        return self.refuse(skb, to_free)


class HeadDropFifo(PacketFifo):
    """pfifo_head_drop: when full, the oldest packet is dropped for the new one."""

    kind: ClassVar[str] = "pfifo_head_drop"

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        if self.qlen < self.limit:
            return self._append(skb)
        if self.limit == 0:
            return self.refuse(skb, to_free)
        before = self.backlog
        if self._queue:
            oldest = self._queue.popleft()
            self.qlen -= 1
            self.backlog -= oldest.pkt_len
            to_free.append(oldest)
        # Counted even when all it holds is out of reach, ready for the driver: Linux does not look.
        self.drops += 1
        self._append(skb)
        self.tree_reduce_backlog(0, before - self.backlog)
        return XMIT_CN


class ByteFifo(Fifo[ByteLimit]):
    """bfifo: a packet is dropped if the backlog would exceed ``limit`` bytes with it."""

    kind: ClassVar[str] = "bfifo"
    params_type = ByteLimit

    def change(self, params: ByteLimit) -> None:
        full_size = psched_mtu(self.dev)
        self._set_limit(self.dev.tx_queue_len * full_size if params.limit is None else params.limit, full_size)

    def params(self) -> ByteLimit:
        return ByteLimit(self.limit)

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        if self.backlog + skb.pkt_len <= self.limit:
            return self._append(skb)
        return self.refuse(skb, to_free)
