"""ets: strict bands first, then bands that share what is left by quanta.

Enhanced transmission selection is from IEEE 802.1Qaz. After net/sched/sch_ets.c of Linux 6.12.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, ClassVar

from ringwire.qdisc.bands import MAX_BANDS, PRIORITIES, Band, Bands
from ringwire.qdisc.base import ROOT_ID, XMIT_STOLEN, XMIT_SUCCESS, AnyQdisc, psched_mtu
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.options import option
from ringwire.skb import Skb


@dataclass(frozen=True, slots=True)
class EtsParams:
    """``quanta`` in bytes belong to the bands behind the strict ones; one left out is a full-sized packet's."""

    bands: int | None = option("number")
    strict: int | None = option("number")
    quanta: tuple[int, ...] | None = option("sizes", shown="numbers")
    priomap: tuple[int, ...] | None = option("numbers")


@dataclass(frozen=True, slots=True)
class EtsClassParams:
    """Of a band that is not strict."""

    quantum: int | None = option("size", shown="number")


class EtsBand(Band):
    """A band; quantum 0 = strict."""

    __slots__ = ("deficit", "quantum")

    def __init__(self, classid: int, qdisc: AnyQdisc) -> None:
        super().__init__(classid, ROOT_ID, qdisc)
        self.quantum = 0
        self.deficit = 0

    def params(self) -> EtsClassParams:
        return EtsClassParams(self.quantum or None)


class Ets(Bands[EtsParams, EtsBand]):
    """Up to 16 bands, the first ``strict`` of them strict."""

    kind: ClassVar[str] = "ets"
    params_type = EtsParams
    class_params_type: ClassVar[type[Any]] = EtsClassParams

    def setup(self) -> None:
        super().setup()
        self.strict = 0
        self._active: OrderedDict[EtsBand, None] = OrderedDict()
        """Sharing bands with packets, in their round's order."""

    def make_band(self, classid: int) -> EtsBand:
        return EtsBand(classid, self.default_leaf(classid))

    def change(self, params: EtsParams) -> None:
        quanta_given, strict = params.quanta or (), params.strict or 0
        count = params.bands
        if count is None:
            raise QdiscError("EINVAL", "Number of bands is a required argument")
        if not 1 <= count <= MAX_BANDS:
            raise QdiscError("EINVAL", "Invalid number of bands")
        if strict > count:
            raise QdiscError("EINVAL", "Invalid number of strict bands")
        given = params.priomap or ()
        if len(given) > PRIORITIES:
            raise QdiscError("EINVAL", "Too many priorities given")
        if any(band >= count for band in given):
            raise QdiscError("EINVAL", "Invalid band number in priomap")
        if len(quanta_given) > count - strict:
            raise QdiscError("EINVAL", "ETS quanta has more values than bands")
        if 0 in quanta_given:
            raise QdiscError("EINVAL", "ETS quantum cannot be zero")
        sharing = count - strict
        quanta = (0,) * strict + quanta_given + (psched_mtu(self.dev),) * (sharing - len(quanta_given))

        for band, quantum in zip(self.bands[: self.strict], quanta, strict=False):
            if quantum and band.qdisc.qlen:
                band.deficit = quantum
                self._active[band] = None
        for band in self.bands[count:]:
            self._active.pop(band, None)
        gone = self.resize(count)
        self.strict = strict
        self.prio2band = given + (count - 1,) * (PRIORITIES - len(given))
        for band, quantum in zip(self.bands, quanta, strict=True):
            band.quantum = quantum
            if not quantum:
                self._active.pop(band, None)
        self.free_bands(gone)

    def change_class(self, cls: EtsBand, params: EtsClassParams) -> None:
        """``tc class change``: the quantum of a band that has one."""
        if not cls.quantum:
            raise QdiscError("EINVAL", "Strict bands do not have a configurable quantum")
        if params.quantum == 0:
            raise QdiscError("EINVAL", "ETS quantum cannot be zero")
        if params.quantum is not None:
            cls.quantum = params.quantum

    def params(self) -> EtsParams:
        quanta = tuple(band.quantum for band in self.bands[self.strict :])
        return EtsParams(len(self.bands), self.strict or None, quanta or None, self.prio2band)

    def clear(self) -> None:
        self._active.clear()

    def qlen_notify(self, minor: int) -> None:
        self._active.pop(self.bands[minor - 1], None)

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        band = self.pick(skb)
        if isinstance(band, int):
            return self.refuse_unclassified(skb, band, to_free)
        size = skb.pkt_len
        leaf = band.qdisc
        first = not leaf.qlen
        rc = leaf.enqueue(skb, to_free)
        if rc != XMIT_SUCCESS:
            if not rc & XMIT_STOLEN:
                self.drops += 1
            return rc
        if first and band.quantum:
            band.deficit = band.quantum
            self._active[band] = None
        self.qlen += 1
        self.backlog += size
        return rc

    def dequeue(self) -> Skb | None:
        for band in self.bands[: self.strict]:
            skb = band.qdisc.dequeue_peeked()
            if skb is not None:
                return self._give(skb)
        active = self._active
        while active:
            band = next(iter(active))
            leaf = band.qdisc
            skb = leaf.peek()
            if skb is None:
                return None
            if skb.pkt_len <= band.deficit:
                band.deficit -= skb.pkt_len
                skb = leaf.dequeue_peeked()
                if skb is None:
                    return None
                if not leaf.qlen:
                    active.pop(band, None)
                return self._give(skb)
            band.deficit += band.quantum
            active.move_to_end(band)
        return None

    def _give(self, skb: Skb) -> Skb:
        self.qlen -= 1
        self.backlog -= skb.pkt_len
        self.bytes += skb.pkt_len
        self.packets += skb.gso_segs or 1
        return skb
