"""tc's syntax of prio and ets; after tc/q_prio.c and tc/q_ets.c of iproute2 6.1."""

from __future__ import annotations

from ringwire.qdisc.base import AnyQdisc
from ringwire.qdisc.ets import EtsParams
from ringwire.qdisc.pfifo_fast import PRIO2BAND
from ringwire.qdisc.prio import PrioParams
from ringwire.tools.tc.errors import said
from ringwire.tools.tc.frontend import FrontEnd
from ringwire.tools.tc.output import Output
from ringwire.tools.words import Word, Words


class PrioFrontEnd(FrontEnd):
    """tc fills in what a line leaves out: three bands, and the rest of the map.

    Its JSON ends with ``multiqueue``, of which kernels since 2.6.27 tell nothing.
    """

    kinds = ("prio",)

    def read(self, words: Words, kind: Word) -> PrioParams:
        params: PrioParams = super().read(words, kind) or PrioParams()
        if any(band > params.bands for band in params.priomap) and params.priomap is not PRIO2BAND:
            raise said(kind, '"priomap" element is out of bands')
        if len(params.priomap) > len(PRIO2BAND):
            raise said(kind, f'"priomap" index > TC_PRIO_MAX={len(PRIO2BAND) - 1}')
        return params

    def show(self, out: Output, qdisc: AnyQdisc) -> None:
        super().show(out, qdisc)
        out.text = out.text.removesuffix(" ")
        out.item("multiqueue", "", False)


class EtsFrontEnd(FrontEnd):
    """Without ``bands`` there are as many as are named strict or given a quantum."""

    kinds = ("ets",)

    def read(self, words: Words, kind: Word) -> EtsParams:
        params: EtsParams = super().read(words, kind) or EtsParams()
        named = (params.strict or 0) + len(params.quanta or ())
        if not params.bands and not named:
            raise said(kind, 'One of "bands", "quanta" or "strict" needs to be specified')
        if params.bands and named > params.bands:
            raise said(kind, "Not enough total bands to cover all the strict bands and quanta")
        return EtsParams(params.bands or named, params.strict, params.quanta, params.priomap)
