"""Disciplines whose classes are numbered bands, chosen by a packet's priority: what prio and ets share.

After prio_classify in net/sched/sch_prio.c and ets_classify in net/sched/sch_ets.c of Linux 6.12.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TypeVar

from ringwire.qdisc.base import P
from ringwire.qdisc.classful import Classful, LeafStatsClass, flush_backlog, verdict_rc
from ringwire.qdisc.classify import GONE, SHOT, UNSPEC
from ringwire.skb import Skb

MAX_BANDS = 16
PRIORITIES = 16
"""A priority map has one entry for each of these."""


class Band(LeafStatsClass):
    """A band, class ``handle:(number + 1)``."""

    __slots__ = ()


B = TypeVar("B", bound=Band)


class Bands(Classful[P, B]):
    """``bands`` in order; ``prio2band`` says which band a priority belongs to."""

    def setup(self) -> None:
        super().setup()
        self.bands: list[B] = []
        self.prio2band: tuple[int, ...] = ()

    @abstractmethod
    def make_band(self, classid: int) -> B:
        """A new band with its default leaf."""

    def resize(self, count: int) -> list[B]:
        """Have so many bands; gives back those taken away, whose packets count as dropped but are still inside."""
        gone = self.bands[count:]
        del self.bands[count:]
        for band in gone:
            del self.by_id[band.classid]
            flush_backlog(band.qdisc)
        while len(self.bands) < count:
            band = self.make_band(self.handle | len(self.bands) + 1)
            self.bands.append(band)
            self.by_id[band.classid] = band
        return gone

    def free_bands(self, gone: list[B]) -> None:
        """Drop what is left in bands that were taken away."""
        for band in gone:
            band.qdisc.destroy()

    def pick(self, skb: Skb) -> B | int:
        """The packet's band, or what ``enqueue`` returns if the filters leave it none."""
        band = skb.priority
        if band & 0xFFFF_0000 != self.handle:
            verdict = UNSPEC
            if self.filters.chains:
                verdict = self.filters.classify(skb, self.match)
                if verdict == SHOT or verdict in GONE:
                    return verdict_rc(verdict)
            if verdict == UNSPEC:
                return self.bands[self.prio2band[0 if band > 0xFFFF else band & 15]]
            band = self.match.classid
        band = (band & 0xFFFF) - 1
        if 0 <= band < len(self.bands):
            return self.bands[band]
        return self.bands[self.prio2band[0]]
