"""tc's syntax of codel and fq_codel; after tc/q_codel.c and tc/q_fq_codel.c of iproute2 6.1."""

from __future__ import annotations

from typing import Any

from ringwire.qdisc.base import AnyQdisc
from ringwire.qdisc.classful import QdiscClass
from ringwire.qdisc.codel import CodelParams, CodelQdisc
from ringwire.qdisc.fq_codel import FlowClass, FqCodel, FqCodelParams
from ringwire.tools.tc.errors import said, take
from ringwire.tools.tc.frontend import FrontEnd
from ringwire.tools.tc.named import ECN, read_named, sent
from ringwire.tools.tc.options import read_word
from ringwire.tools.tc.output import Output
from ringwire.tools.units import U32, format_size, format_time_us, parse_size, parse_time_us, parse_u32
from ringwire.tools.words import Word, Words

READ = {
    "limit": parse_u32,
    "target": parse_time_us,
    "interval": parse_time_us,
    "ce_threshold": parse_time_us,
}
READ_FQ = READ | {
    "flows": parse_u32,
    "quantum": parse_u32,
    "memory_limit": parse_size,
    "drop_batch": parse_u32,
}
UNSENT = {"ce_threshold": U32, "memory_limit": U32}
SELECTOR = "ce_threshold_selector"
MASK = "ce_threshold_mask"


def parse_u8(text: str) -> int:
    value = parse_u32(text)
    if value > 0xFF:
        raise ValueError("not within 8 bits")
    return value


class CodelFrontEnd(FrontEnd):
    """What a line leaves out stays as it is."""

    kinds = ("codel",)

    def read(self, words: Words, kind: Word) -> CodelParams:
        values: dict[str, Any] = {}
        while words:
            read_named(words, READ, ECN, values)
        return CodelParams(**sent(values, UNSENT))

    def show_xstats(self, out: Output, qdisc: AnyQdisc) -> None:
        assert isinstance(qdisc, CodelQdisc)
        now = qdisc.xstats()
        out.item("count", f"  count {now.count}", now.count)
        out.item("lastcount", f" lastcount {now.lastcount}", now.lastcount)
        out.item("ldelay", f" ldelay {format_time_us(now.ldelay)}", now.ldelay)
        if now.dropping:
            out.item("dropping", " dropping", True)
        out.item("drop_next", f" drop_next {format_signed_us(now.drop_next)}", now.drop_next)
        out.item("maxpacket", f"\n  maxpacket {now.maxpacket}", now.maxpacket)
        out.item("ecn_mark", f" ecn_mark {now.ecn_mark}", now.ecn_mark)
        out.item("drop_overlimit", f" drop_overlimit {now.drop_overlimit}", now.drop_overlimit)
        if now.ce_mark:
            out.item("ce_mark", f" ce_mark {now.ce_mark}", now.ce_mark)


class FqCodelFrontEnd(FrontEnd):
    """As codel, and ``ce_threshold_selector VALUE/MASK``."""

    kinds = ("fq_codel",)

    def read(self, words: Words, kind: Word) -> FqCodelParams:
        values: dict[str, Any] = {}
        while words:
            if words.skip(SELECTOR):
                values[SELECTOR], values[MASK] = _read_selector(take(words))
            else:
                read_named(words, READ_FQ, ECN, values)
        selector = {name: values.pop(name) for name in (SELECTOR, MASK) if name in values}
        return FqCodelParams(**sent(values, UNSENT), **selector)

    def show(self, out: Output, qdisc: AnyQdisc) -> None:
        assert isinstance(qdisc, FqCodel)
        params = qdisc.params()
        out.item("limit", f"limit {params.limit}p ", params.limit)
        out.item("flows", f"flows {params.flows} ", params.flows)
        out.item("quantum", f"quantum {params.quantum} ", params.quantum)
        _show_time(out, "target", params.target)
        if params.ce_threshold is not None:
            selector, mask = params.ce_threshold_selector or 0, params.ce_threshold_mask or 0
            _show_time(out, "ce_threshold", params.ce_threshold)
            out.item(SELECTOR, f"{SELECTOR} {format_hex(selector)}", selector)
            out.item(MASK, f"/{format_hex(mask)} ", mask)
        _show_time(out, "interval", params.interval)
        memory = params.memory_limit or 0
        out.item("memory_limit", f"memory_limit {format_size(memory)} ", memory)
        if params.ecn:
            out.item("ecn", "ecn ", True)
        out.item("drop_batch", f"drop_batch {params.drop_batch} ", params.drop_batch)

    def show_xstats(self, out: Output, qdisc: AnyQdisc) -> None:
        assert isinstance(qdisc, FqCodel)
        now = qdisc.xstats()
        out.item("maxpacket", f"  maxpacket {now.maxpacket}", now.maxpacket)
        out.item("drop_overlimit", f" drop_overlimit {now.drop_overlimit}", now.drop_overlimit)
        out.item("new_flow_count", f" new_flow_count {now.new_flow_count}", now.new_flow_count)
        out.item("ecn_mark", f" ecn_mark {now.ecn_mark}", now.ecn_mark)
        for name in ("ce_mark", "memory_used", "drop_overmemory"):
            if value := getattr(now, name):
                out.item(name, f" {name} {value}", value)
        out.item("new_flows_len", f"\n  new_flows_len {now.new_flows_len}", now.new_flows_len)
        out.item("old_flows_len", f" old_flows_len {now.old_flows_len}", now.old_flows_len)

    def show_class_xstats(self, out: Output, cls: QdiscClass) -> None:
        assert isinstance(cls, FlowClass)
        now = cls.xstats()
        out.item("deficit", f"  deficit {now.deficit}", now.deficit)
        out.item("count", f" count {now.count}", now.count)
        out.item("lastcount", f" lastcount {now.lastcount}", now.lastcount)
        out.item("ldelay", f" ldelay {format_time_us(now.ldelay)}", now.ldelay)
        if now.dropping:
            out.item("dropping", " dropping", True)
            out.item("drop_next", f" drop_next {format_signed_us(now.drop_next)}", now.drop_next)


def format_hex(value: int) -> str:
    """C's ``%#x``."""
    return f"{value:#x}" if value else "0"


def format_signed_us(us: int) -> str:
    """A time that may be past."""
    return f"-{format_time_us(-us)}" if us < 0 else format_time_us(us)


def _show_time(out: Output, name: str, us: int | None) -> None:
    out.item(name, f"{name} {format_time_us(us or 0)} ", us)


def _read_selector(word: Word) -> tuple[int, int]:
    value, slash, mask = word.text.partition("/")
    if not slash:
        raise said(word, f'Missing mask for "{SELECTOR}"')
    mask_value = read_word(word._replace(text=mask), parse_u8, f'Illegal mask for "{SELECTOR}"')
    return read_word(word._replace(text=value), parse_u8, f'Illegal "{SELECTOR}"'), mask_value
