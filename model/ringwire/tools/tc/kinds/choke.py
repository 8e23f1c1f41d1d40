"""tc's syntax of choke; after tc/q_choke.c of iproute2 6.1."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ringwire.qdisc.base import AnyQdisc
from ringwire.qdisc.choke import Choke, ChokeParams
from ringwire.qdisc.psched import U32
from ringwire.tools.tc.errors import said
from ringwire.tools.tc.frontend import FrontEnd
from ringwire.tools.tc.named import read_named
from ringwire.tools.tc.output import Output
from ringwire.tools.tc.rates import parse_link_rate
from ringwire.tools.tc.red import (
    DEFAULT_PROBABILITY,
    RedLine,
    evaluate,
    parse_probability,
    show_flags,
    show_probability,
)
from ringwire.tools.units import parse_size, parse_u32
from ringwire.tools.words import Word, Words

DEFAULT_AVPKT = 1000
READ = {
    "limit": parse_u32,
    "bandwidth": parse_link_rate,
    "min": parse_u32,
    "max": parse_u32,
    "burst": parse_u32,
    "avpkt": parse_size,
    "probability": parse_probability,
}
FLAGS = {"ecn": ("ecn", True)}


class ChokeFrontEnd(FrontEnd):
    """``limit`` and ``bandwidth`` must be said, the rest has defaults (Floyd's recommendations)."""

    kinds = ("choke",)

    def read(self, words: Words, kind: Word) -> ChokeParams:
        values: dict[str, Any] = {}
        while words:
            read_named(words, READ, FLAGS, values)
        limit, rate = values.get("limit", 0), values.get("bandwidth", 0)
        if not limit or not rate:
            raise said(kind, "Required parameter (bandwidth, limit) is missing")
        most = values.get("max", 0) or limit // 4
        least = values.get("min", 0) or most // 3
        burst = values.get("burst", 0) or (2 * least + most & U32) // 3
        if most > limit:
            raise said(kind, '"max" is larger than "limit"')
        if least >= most:
            raise said(kind, '"min" is not smaller than "max"')
        avpkt = values.get("avpkt", DEFAULT_AVPKT)
        probability = values.get("probability", DEFAULT_PROBABILITY)
        line = RedLine(least * avpkt & U32, most * avpkt & U32, burst, avpkt, probability, rate)
        spec = evaluate(line, kind, "CHOKE")
        return ChokeParams(limit, replace(spec, qth_min=least, qth_max=most), values.get("ecn", False))

    def show(self, out: Output, qdisc: AnyQdisc) -> None:
        assert isinstance(qdisc, Choke)
        params, parms = qdisc.params(), qdisc.parms
        spec = parms.spec
        for name, value in (("limit", params.limit), ("min", spec.qth_min), ("max", spec.qth_max)):
            out.item(name, f"{name} {value}p ", value)
        show_flags(out, *(("ecn",) if params.ecn else ()))
        if out.details:
            out.item("ewma", f"ewma {spec.wlog} ", spec.wlog)
            if spec.max_p:
                show_probability(out, spec.max_p / 2**32)
            else:
                out.item("Plog", f"Plog {spec.plog} ", spec.plog)
            out.item("Scell_log", f"Scell_log {spec.scell_log}", spec.scell_log)

    def show_xstats(self, out: Output, qdisc: AnyQdisc) -> None:
        assert isinstance(qdisc, Choke)
        now = qdisc.xstats()
        out.text += " "
        for name in ("marked", "early", "pdrop", "other", "matched"):
            out.item(name, f" {name} {getattr(now, name)}", getattr(now, name))
