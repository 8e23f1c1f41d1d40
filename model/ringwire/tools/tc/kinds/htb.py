"""tc's syntax of htb; after tc/q_htb.c of iproute2 6.1."""

from __future__ import annotations

from ringwire.qdisc.base import AnyQdisc
from ringwire.qdisc.classful import QdiscClass
from ringwire.qdisc.htb import Htb, HtbParams
from ringwire.qdisc.htb_class import HtbClass, HtbClassParams
from ringwire.qdisc.psched import ETHERNET, NS_PER_S, Rate, burst_ns, ns_to_ticks, xmit_size
from ringwire.tools.tc.abbreviations import Option, find_option, read_abbreviated, read_value, unsigned
from ringwire.tools.tc.errors import said, take
from ringwire.tools.tc.frontend import FrontEnd
from ringwire.tools.tc.kinds.tbf import parse_size_and_cell
from ringwire.tools.tc.options import USUAL
from ringwire.tools.tc.output import Output
from ringwire.tools.tc.rates import parse_link_rate
from ringwire.tools.tc.stab import LINK_LAYER_NAMES, parse_linklayer
from ringwire.tools.units import format_rate, format_size
from ringwire.tools.words import Word, Words

DEFAULT_MTU = 1600
"""What a burst that is not given is reckoned by."""
NO_LIMIT = 0xFFFF_FFFF

OPTIONS = {
    "r2q": Option("r2q", unsigned(32)),
    "default": Option("default", unsigned(32, 16)),
    "debug": Option("debug", str),
    "direct_qlen": Option("direct_qlen", unsigned(32)),
    "offload": Option("offload", None),
}
CLASS_OPTIONS = {
    "prio": Option("prio", unsigned(32)),
    "mtu": Option("mtu", unsigned(32)),
    "mpu": Option("mpu", unsigned(16)),
    "overhead": Option("overhead", unsigned(16)),
    "linklayer": Option("linklayer", parse_linklayer),
    "quantum": Option("quantum", unsigned(32)),
    "burst": Option("burst", parse_size_and_cell, complain_as_written=True),
    "buffer": Option("burst", parse_size_and_cell, short=False, complain_as_written=True),
    "maxburst": Option("burst", parse_size_and_cell, short=False, complain_as_written=True),
    "cburst": Option("cburst", parse_size_and_cell, complain_as_written=True),
    "cbuffer": Option("cburst", parse_size_and_cell, short=False, complain_as_written=True),
    "cmaxburst": Option("cburst", parse_size_and_cell, short=False, complain_as_written=True),
    "ceil": Option("ceil", parse_link_rate, short=False),
    "rate": Option("rate", parse_link_rate, short=False),
}


class HtbFrontEnd(FrontEnd):
    """``tc class change`` sends all options again: what a line leaves out is the default."""

    kinds = ("htb",)

    def read(self, words: Words, kind: Word) -> HtbParams:
        values = read_abbreviated(words, OPTIONS, USUAL)
        values.pop("debug", None)
        if values.get("direct_qlen") == NO_LIMIT:
            del values["direct_qlen"]
        return HtbParams(**values)

    def read_class(self, words: Words, kind: Word) -> HtbClassParams:
        values: dict[str, int] = {}
        while words:
            name = take(words)
            option = find_option(name.text, CLASS_OPTIONS)
            if option is None:
                raise said(name, f'What is "{name.text}"?')
            if option.name in ("rate", "ceil") and values.get(option.name):
                take(words)
                raise said(name, f'Double "{option.name}" spec')
            values[option.name] = read_value(words, name, option, USUAL)
        rate = values.get("rate", 0)
        if not rate:
            raise said(kind, '"rate" is required.')
        ceil = values.get("ceil") or rate
        mtu = values.get("mtu", DEFAULT_MTU)
        extra = values.get("overhead", 0), values.get("mpu", 0), values.get("linklayer", ETHERNET)
        return HtbClassParams(
            Rate(rate, *extra),
            Rate(ceil, *extra),
            burst_ns(rate, values.get("burst") or rate // NS_PER_S + mtu),
            burst_ns(ceil, values.get("cburst") or ceil // NS_PER_S + mtu),
            values.get("quantum", 0),
            values.get("prio", 0),
        )

    def show(self, out: Output, qdisc: AnyQdisc) -> None:
        assert isinstance(qdisc, Htb)
        params = qdisc.params()
        default = f"{params.default:#x}" if params.default else "0"
        out.item("r2q", f"r2q {params.r2q}", params.r2q)
        out.item("default", f" default {default}", default)
        out.item("direct_packets_stat", f" direct_packets_stat {qdisc.direct_packets}", qdisc.direct_packets)
        if out.details:
            out.item("ver", " ver 3.17", "3.17")
        out.item("direct_qlen", f" direct_qlen {params.direct_qlen}", params.direct_qlen)

    def show_class(self, out: Output, cls: QdiscClass) -> None:
        assert isinstance(cls, HtbClass)
        rate, ceil = cls.rate.rate, cls.ceil.rate
        if not cls.level:
            out.item("prio", f"prio {cls.prio} ", cls.prio)
            if out.details:
                out.item("quantum", f"quantum {cls.quantum} ", cls.quantum)
        out.item("rate", f"rate {format_rate(rate.bytes_per_s)} ", rate.bytes_per_s)
        if rate.overhead:
            out.item("overhead", f"overhead {rate.overhead} ", rate.overhead)
        out.item("ceil", f"ceil {format_rate(ceil.bytes_per_s)} ", ceil.bytes_per_s)
        if rate.linklayer > ETHERNET or out.details:
            name = LINK_LAYER_NAMES[rate.linklayer]
            out.item("linklayer", f"linklayer {name} ", name)
        for name, bucket, size_ns in (("burst", rate, cls.buffer_ns), ("cburst", ceil, cls.cbuffer_ns)):
            size = xmit_size(bucket.bytes_per_s, ns_to_ticks(size_ns))
            if out.details:
                key = "mpu_rate" if bucket is rate else "mpu_ceil"
                out.item(name, f"{name} {format_size(size)}/1 ", size)
                out.item(key, f"mpu {format_size(bucket.mpu)} ", bucket.mpu)
            else:
                out.item(name, f"{name} {format_size(size)} ", size)
        if out.details:
            out.item("level", f"level {cls.level} ", cls.level)

    def show_class_xstats(self, out: Output, cls: QdiscClass) -> None:
        assert isinstance(cls, HtbClass)
        stats = cls.xstats()
        out.item("lended", f" lended: {stats.lended} ", stats.lended)
        out.item("borrowed", f"borrowed: {stats.borrowed} ", stats.borrowed)
        out.item("giants", f"giants: {stats.giants}\n", stats.giants)
        out.item("tokens", f" tokens: {stats.tokens} ", stats.tokens)
        out.item("ctokens", f"ctokens: {stats.ctokens}\n", stats.ctokens)
