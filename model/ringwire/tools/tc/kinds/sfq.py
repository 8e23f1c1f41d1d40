"""tc's syntax of sfq; after tc/q_sfq.c of iproute2 6.1."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from ringwire.qdisc.base import AnyQdisc
from ringwire.qdisc.classful import QdiscClass
from ringwire.qdisc.sfq import Sfq, SfqParams
from ringwire.qdisc.sfq_slot import FlowClass
from ringwire.tools.tc.errors import said, take
from ringwire.tools.tc.frontend import FrontEnd
from ringwire.tools.tc.options import read_word
from ringwire.tools.tc.output import Output
from ringwire.tools.tc.red import (
    DEFAULT_PROBABILITY,
    RedLine,
    evaluate,
    parse_probability,
    show_flags,
    show_probability,
    usual_burst,
)
from ringwire.tools.units import format_size, parse_int, parse_size, parse_u32
from ringwire.tools.words import Word, Words

READ = {
    "limit": parse_u32,
    "quantum": parse_size,
    "perturb": parse_int,
    "divisor": parse_u32,
    "flows": parse_u32,
    "depth": parse_u32,
}
READ_RED = {
    "redflowlimit": parse_u32,
    "min": parse_u32,
    "max": parse_u32,
    "burst": parse_u32,
    "avpkt": parse_size,
    "probability": parse_probability,
}
FLAGS = ("ecn", "harddrop")
CALLED = {"quantum": "limit", "depth": "flows"}
"""tc names the wrong word when these are wrong."""
DEFAULT_AVPKT = 1000


class SfqFrontEnd(FrontEnd):
    """Any word of RED asks for it, and then ``redflowlimit`` must be there."""

    kinds = ("sfq",)

    def read(self, words: Words, kind: Word) -> SfqParams | None:
        values: dict[str, Any] = {}
        red: dict[str, Any] = {}
        while words:
            word = take(words)
            name = word.text
            if name == "headdrop":
                values[name] = True
            elif name in FLAGS:
                red[name] = True
            elif name in READ_RED:
                red[name] = read_word(take(words), READ_RED[name], f'Illegal "{name}"')
            elif name in READ:
                value = take(words)
                values[name] = read_word(value, READ[name], f'Illegal "{CALLED.get(name, name)}"')
                if name == "limit" and values[name] < 2:
                    raise said(value, 'Illegal "limit", must be > 1')
            else:
                raise said(word, f'What is "{name}"?')
        if not red:
            return SfqParams(**values) if values else None
        flags = {name: red.get(name, False) for name in FLAGS}
        return SfqParams(red=evaluate(_red_line(red, kind), kind, "SFQ", stab=False), **values, **flags)

    def show(self, out: Output, qdisc: AnyQdisc) -> None:
        assert isinstance(qdisc, Sfq)
        params = qdisc.params()
        out.item("limit", f"limit {params.limit}p ", params.limit)
        out.item("quantum", f"quantum {format_size(params.quantum)} ", params.quantum)
        out.item("depth", f"depth {params.depth} ", params.depth)
        if params.headdrop:
            out.item("headdrop", "headdrop ", True)
        if out.details:
            out.item("flows", f"flows {params.flows} ", params.flows)
        out.item("divisor", f"divisor {params.divisor} ", params.divisor)
        if params.perturb:
            out.item("perturb", f"perturb {params.perturb}sec ", params.perturb)
        if qdisc.red is not None:
            spec = qdisc.red.spec
            out.item("ewma", f"ewma {spec.wlog} ", spec.wlog)
            out.item("min", f"min {format_size(spec.qth_min)} ", spec.qth_min)
            out.item("max", f"max {format_size(spec.qth_max)} ", spec.qth_max)
            show_probability(out, qdisc.red.max_p / 2**32)
            show_flags(out, *(name for name in FLAGS if getattr(params, name)))
            if out.statistics:
                _show_red_stats(out, qdisc)

    def show_class_xstats(self, out: Output, cls: QdiscClass) -> None:
        assert isinstance(cls, FlowClass)
        allot = cls.xstats().allot
        out.item("allot", f"  allot {allot}", allot)


def _red_line(red: dict[str, Any], kind: Word) -> RedLine:
    limit, avpkt = red.get("redflowlimit", 0), red.get("avpkt", DEFAULT_AVPKT)
    if not limit:
        raise said(kind, "Required parameter (redflowlimit) is missing")
    qth_max = red.get("max", 0) or limit // 4
    qth_min = red.get("min", 0) or qth_max // 3
    if qth_max > limit:
        raise said(kind, '"max" is larger than "limit"')
    if qth_min >= qth_max:
        raise said(kind, '"min" is not smaller than "max"')
    burst = red.get("burst", 0) or usual_burst(qth_min, qth_max, avpkt)
    return RedLine(qth_min, qth_max, burst, avpkt, red.get("probability", DEFAULT_PROBABILITY))


def _show_red_stats(out: Output, qdisc: Sfq) -> None:
    """Two lines of what RED did."""
    for index, each in enumerate(fields(qdisc.red_stats)):
        value = getattr(qdisc.red_stats, each.name)
        out.item(each.name, f"{' ' if index % 3 else chr(10) + '  '}{each.name} {value}", value)
