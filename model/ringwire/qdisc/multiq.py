"""multiq: one band for each transmit queue in use, served in turns; a band waits while its queue is stopped.

Filters may choose the band with ``skbedit queue_mapping``; otherwise it is the queue that the packet was to go to.
After net/sched/sch_multiq.c of Linux 6.12, which counts no bytes that wait.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from ringwire.qdisc.bands import Band, Bands
from ringwire.qdisc.base import XMIT_STOLEN, XMIT_SUCCESS, NoParams, QdiscStats
from ringwire.qdisc.classful import verdict_rc
from ringwire.qdisc.classify import GONE, SHOT
from ringwire.qdisc.errors import QdiscError
from ringwire.skb import Skb


class Multiq(Bands[NoParams, Band]):
    """Bands ``handle:(queue + 1)``; a change adapts their number to the queues in use."""

    kind: ClassVar[str] = "multiq"

    def setup(self) -> None:
        if self.dev.num_tx_queues == 1:
            raise QdiscError("EOPNOTSUPP")
        super().setup()
        self._current = 0
        """The band that was asked last."""

    def make_band(self, classid: int) -> Band:
        return Band(classid, self.handle, self.default_leaf(classid))

    def change(self, params: NoParams) -> None:
        self.free_bands(self.resize(self.dev.real_num_tx_queues))

    def clear(self) -> None:
        self._current = 0

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        if self.filters.chains:
            verdict = self.filters.classify(skb, self.match)
            if verdict == SHOT or verdict in GONE:
                return self.refuse_unclassified(skb, verdict_rc(verdict), to_free)
        queue = skb.queue_mapping
        band = self.bands[queue if queue < len(self.bands) else 0]
        size = skb.pkt_len
        rc = band.qdisc.enqueue(skb, to_free)
        if rc == XMIT_SUCCESS:
            self.qlen += 1
            self.backlog += size
        elif not rc & XMIT_STOLEN:
            self.drops += 1
        return rc

    def stats(self) -> QdiscStats:
        """As Linux shows them: of the bytes that wait only those of packets that came back from the driver."""
        return replace(super().stats(), backlog=sum(skb.pkt_len for skb in self.requeued))

    def dequeue(self) -> Skb | None:
        stopped = self.dev.tx_stopped
        for _ in self.bands:
            self._current = self._current + 1 if self._current + 1 < len(self.bands) else 0
            if not stopped(self._current):
                skb = self.bands[self._current].qdisc.dequeue_peeked()
                if skb is not None:
                    self.qlen -= 1
                    self.backlog -= skb.pkt_len
                    self.count_sent(skb)
                    return skb
        return None

    def peek(self) -> Skb | None:
        count = len(self.bands)
        for step in range(1, count + 1):
            at = (self._current + step) % count
            if not self.dev.tx_stopped(at):
                skb = self.bands[at].qdisc.peek()
                if skb is not None:
                    return skb
        return None
