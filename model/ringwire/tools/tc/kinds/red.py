"""tc's syntax of red; after tc/q_red.c of iproute2 6.1."""

from __future__ import annotations

from typing import Any

from ringwire.qdisc.base import AnyQdisc
from ringwire.qdisc.psched import U32
from ringwire.qdisc.red import Red, RedFlags, RedParams
from ringwire.tools.tc.errors import said, take
from ringwire.tools.tc.frontend import FrontEnd
from ringwire.tools.tc.options import read_word
from ringwire.tools.tc.output import Output
from ringwire.tools.tc.rates import parse_link_rate
from ringwire.tools.tc.red import (
    DEFAULT_PROBABILITY,
    DEFAULT_RATE_BPS,
    FLAGS,
    RedLine,
    evaluate,
    parse_probability,
    show_flags,
    show_probability,
    usual_burst,
)
from ringwire.tools.units import format_size, parse_size, parse_u32
from ringwire.tools.words import Word, Words

READ = {
    "limit": parse_size,
    "min": parse_size,
    "max": parse_size,
    "burst": parse_u32,
    "avpkt": parse_size,
    "probability": parse_probability,
    "bandwidth": parse_link_rate,
}
FLAG_WORDS = {name: name for name in FLAGS} | {"adaptative": "adaptive"}


class RedFrontEnd(FrontEnd):
    """``limit`` and ``avpkt`` must be said, the rest has defaults (Floyd's recommendations)."""

    kinds = ("red",)

    def read(self, words: Words, kind: Word) -> RedParams:
        values: dict[str, Any] = {}
        flags: dict[str, bool] = {}
        while words:
            word = take(words)
            if word.text in FLAG_WORDS:
                flags[FLAG_WORDS[word.text]] = True
            elif word.text in READ:
                values[word.text] = read_word(take(words), READ[word.text], f'Illegal "{word.text}"')
            else:
                raise said(word, f'What is "{word.text}"?')
        limit, avpkt = values.get("limit", 0), values.get("avpkt", 0)
        if not limit or not avpkt:
            raise said(kind, "RED: Required parameter (limit, avpkt) is missing")
        qth_min, qth_max = values.get("min", 0), values.get("max", 0)
        qth_max = qth_max or (qth_min * 3 & U32 if qth_min else limit // 4)
        qth_min = qth_min or qth_max // 3
        rate = values.get("bandwidth", 0)
        line = RedLine(
            qth_min,
            qth_max,
            values.get("burst", 0) or usual_burst(qth_min, qth_max, avpkt),
            avpkt,
            values.get("probability", DEFAULT_PROBABILITY),
            rate or DEFAULT_RATE_BPS,
        )
        spec = evaluate(line, kind, "RED", "" if rate else "RED: set bandwidth to 10Mbit\n")
        return RedParams(limit, spec, RedFlags(**flags))

    def show(self, out: Output, qdisc: AnyQdisc) -> None:
        assert isinstance(qdisc, Red)
        params, parms = qdisc.params(), qdisc.parms
        spec, flags = parms.spec, params.flags
        for name, value in (("limit", params.limit), ("min", spec.qth_min), ("max", spec.qth_max)):
            out.item(name, f"{name} {format_size(value)} ", value)
        show_flags(out, *(name for name in FLAGS if getattr(flags, name)))
        if out.details:
            out.item("ewma", f"ewma {spec.wlog} ", spec.wlog)
            if parms.max_p:
                show_probability(out, parms.max_p / 2**32)
            else:
                out.item("Plog", f"Plog {spec.plog} ", spec.plog)
            out.item("Scell_log", f"Scell_log {spec.scell_log}", spec.scell_log)

    def show_xstats(self, out: Output, qdisc: AnyQdisc) -> None:
        out.text += " "
        super().show_xstats(out, qdisc)
