"""teql: the "trivial" link equalizer. Packets of one device, the master, leave by whichever of several can take one.

A slave is a device whose root is this; its own packets go first. The master is in :mod:`ringwire.netdev.teql`.
After net/sched/sch_teql.c of Linux 6.12, which counts no bytes that wait. There a slave's length also counts what
waits at the master: here it doesn't.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from functools import cache
from types import new_class
from typing import ClassVar, Protocol

from ringwire.qdisc.base import ROOT_ID, XMIT_SUCCESS, NoParams, Qdisc, QdiscStats
from ringwire.qdisc.errors import QdiscError
from ringwire.skb import Skb


class Equalizer(Protocol):
    """The master, as its slaves see it."""

    def join(self, slave: Teql) -> None:
        """Send through this one as well; QdiscError if that can't be."""
        ...

    def leave(self, slave: Teql) -> None: ...
    def ready(self, slave: Teql) -> None:
        """This slave has nothing of its own to send: it is the next one's turn."""
        ...


class Teql(Qdisc[NoParams]):
    """Root of a slave of teql0 (of others: :func:`slave_of`); holds ``tx_queue_len`` packets of the slave's own."""

    kind: ClassVar[str] = "teql0"

    def setup(self) -> None:
        self._queue: deque[Skb] = deque()
        master = self.dev.equalizers.get(self.kind)
        if master is None:
            raise QdiscError("ENOENT", "Specified qdisc kind is unknown")
        if self.parent_id != ROOT_ID:
            raise QdiscError("EOPNOTSUPP", "sch_teql: teql can only be used as root")
        self.master: Equalizer = master
        master.join(self)

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        if len(self._queue) >= self.dev.tx_queue_len:
            return self.refuse(skb, to_free)
        self._queue.append(skb)
        self.qlen += 1
        self.backlog += skb.pkt_len
        return XMIT_SUCCESS

    def stats(self) -> QdiscStats:
        """As Linux shows them: of the bytes that wait only those of packets that came back from the driver."""
        return replace(super().stats(), backlog=sum(skb.pkt_len for skb in self.requeued))

    def dequeue(self) -> Skb | None:
        if not self._queue:
            self.master.ready(self)
            return None
        skb = self._queue.popleft()
        self.qlen -= 1
        self.backlog -= skb.pkt_len
        self.count_sent(skb)
        return skb

    def peek(self) -> Skb | None:
        return None

    def clear(self) -> None:
        while self._queue:
            self.dev.drop(self._queue.popleft())

    def destroy(self) -> None:
        super().destroy()
        self.master.leave(self)


@cache
def slave_of(master: str) -> type[Teql]:
    """The kind of a master's slaves, which has its name. It is in no registry: only the master's host has it."""
    if master == Teql.kind:
        return Teql
    made: type[Teql] = new_class(master.capitalize(), (Teql,))
    made.kind = master
    return made
