"""prio: bands of strict priority; a lower band is served only while those before it are empty.

After net/sched/sch_prio.c of Linux 6.12.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ringwire.qdisc.bands import MAX_BANDS, PRIORITIES, Band, Bands
from ringwire.qdisc.base import XMIT_STOLEN, XMIT_SUCCESS
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.options import option
from ringwire.qdisc.pfifo_fast import PRIO2BAND
from ringwire.skb import Skb

DEFAULT_BANDS = 3
MIN_BANDS = 2


@dataclass(frozen=True, slots=True)
class PrioParams:
    """Both are always set: what a line leaves out is the default, not what was in force."""

    bands: int = option("number", default=DEFAULT_BANDS)
    priomap: tuple[int, ...] = option("numbers", default=PRIO2BAND)


class Prio(Bands[PrioParams, Band]):
    """Strict priority over 2 to 16 bands."""

    kind: ClassVar[str] = "prio"
    params_type = PrioParams

    def make_band(self, classid: int) -> Band:
        return Band(classid, self.handle, self.default_leaf(classid))

    def change(self, params: PrioParams) -> None:
        priomap = (params.priomap + PRIO2BAND[len(params.priomap) :])[:PRIORITIES]
        if not MIN_BANDS <= params.bands <= MAX_BANDS or max(priomap) >= params.bands:
            raise QdiscError("EINVAL")
        gone = self.resize(params.bands)
        self.prio2band = priomap
        self.free_bands(gone)

    def params(self) -> PrioParams:
        return PrioParams(len(self.bands), self.prio2band)

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        band = self.pick(skb)
        if isinstance(band, int):
            return self.refuse_unclassified(skb, band, to_free)
        size = skb.pkt_len
        rc = band.qdisc.enqueue(skb, to_free)
        if rc == XMIT_SUCCESS:
            self.qlen += 1
            self.backlog += size
        elif not rc & XMIT_STOLEN:
            self.drops += 1
        return rc

    def dequeue(self) -> Skb | None:
        for band in self.bands:
            skb = band.qdisc.dequeue_peeked()
            if skb is not None:
                self.qlen -= 1
                self.backlog -= skb.pkt_len
                self.bytes += skb.pkt_len
                self.packets += skb.gso_segs or 1
                return skb
        return None

    def peek(self) -> Skb | None:
        for band in self.bands:
            skb = band.qdisc.peek()
            if skb is not None:
                return skb
        return None
