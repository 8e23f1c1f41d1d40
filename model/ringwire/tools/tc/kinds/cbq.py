"""tc's syntax of cbq; after tc/q_cbq.c and tc/tc_cbq.c of iproute2 6.1."""

from __future__ import annotations

import re
from typing import Any

from ringwire.qdisc.base import AnyQdisc
from ringwire.qdisc.cbq import Cbq, CbqParams
from ringwire.qdisc.cbq_class import (
    BOUNDED,
    DEFAULT_EWMA,
    ISOLATED,
    NEVER_MIND,
    PRIOS,
    CbqClass,
    CbqClassParams,
    CbqStats,
    TableSpec,
)
from ringwire.qdisc.classful import QdiscClass
from ringwire.qdisc.psched import ETHERNET, U32, US_PER_S, Rate, ticks_to_us, us_to_ticks, xmit_ticks
from ringwire.tools.tc.abbreviations import Option, find_option, read_abbreviated, read_value, unsigned
from ringwire.tools.tc.errors import said, take
from ringwire.tools.tc.frontend import FrontEnd
from ringwire.tools.tc.options import USUAL
from ringwire.tools.tc.output import Output
from ringwire.tools.tc.rates import parse_link_rate
from ringwire.tools.tc.stab import LINK_LAYER_NAMES, parse_linklayer
from ringwire.tools.units import format_classid, format_rate, format_time_us, parse_classid, parse_size
from ringwire.tools.words import Word, Words

DEFAULT_MTU = 2047
NO_TRANSMIT = PRIOS
"""How tc calls the last priority."""

COMMON = {
    "ewma": Option("ewma", unsigned(31, 0)),
    "cell": Option("cell", parse_size),
    "avpkt": Option("avpkt", parse_size),
    "mpu": Option("mpu", parse_size),
    "allot": Option("allot", parse_size),
    "overhead": Option("overhead", unsigned(16)),
    "linklayer": Option("linklayer", parse_linklayer),
}
OPTIONS = {"bandwidth": Option("bandwidth", parse_link_rate), "rate": Option("bandwidth", parse_link_rate), **COMMON}
CLASS_OPTIONS = {
    "rate": Option("rate", parse_link_rate),
    "bandwidth": Option("bandwidth", parse_link_rate),
    "minidle": Option("minidle", unsigned(32, 0)),
    "minburst": Option("minburst", unsigned(32, 0)),
    "maxburst": Option("maxburst", unsigned(32, 0)),
    "bounded": Option("bounded", None),
    "borrow": Option("borrow", None),
    "isolated": Option("isolated", None),
    "sharing": Option("sharing", None),
    "ewma": COMMON["ewma"],
    "cell": COMMON["cell"],
    "prio": Option("prio", unsigned(32, 0)),
    "allot": COMMON["allot"],
    "avpkt": COMMON["avpkt"],
    "mpu": COMMON["mpu"],
    "weight": Option("weight", parse_size),
    "split": Option("split", str),
    "defmap": Option("defmap", str),
    "overhead": COMMON["overhead"],
    "linklayer": COMMON["linklayer"],
}
FLAGS = {"bounded": (BOUNDED, True), "borrow": (BOUNDED, False), "isolated": (ISOLATED, True)} | {
    "sharing": (ISOLATED, False)
}


class CbqFrontEnd(FrontEnd):
    """``avpkt`` and ``bandwidth`` turn bursts in packets into idle times."""

    kinds = ("cbq",)

    def read(self, words: Words, kind: Word) -> CbqParams:
        values = read_abbreviated(words, OPTIONS, USUAL)
        cell_log, ewma = _checked(values, kind)
        rate, avpkt = values.get("bandwidth", 0), values.get("avpkt", 0)
        if not rate:
            raise said(kind, "CBQ: bandwidth is required parameter.")
        if not avpkt:
            raise said(kind, 'CBQ: "avpkt" is required.')
        table = _table(values, rate, cell_log, max(values.get("allot", 0), avpkt * 3 // 2))
        link = CbqClassParams(has_lss=True, ewma=ewma, avpkt=avpkt, maxidle=xmit_ticks(rate, avpkt))
        return CbqParams(table, link)

    def read_class(self, words: Words, kind: Word) -> CbqClassParams:
        return self._read_class(words, kind, new=False)

    def read_new_class(self, words: Words, kind: Word) -> CbqClassParams:
        return self._read_class(words, kind, new=True)

    def _read_class(self, words: Words, kind: Word, new: bool) -> CbqClassParams:
        values: dict[str, Any] = {}
        flags: int | None = None
        while words:
            name = take(words)
            option = find_option(name.text, CLASS_OPTIONS)
            if option is None:
                raise said(name, f'What is "{name.text}"?')
            value = read_value(words, name, option, USUAL)
            if option.name in FLAGS:
                bit, positive = FLAGS[option.name]
                flags = (flags or 0) & ~bit | (bit if positive else 0)
            else:
                values[option.name] = value
        return _class_params(values, flags, kind, new)

    def show(self, out: Output, qdisc: AnyQdisc) -> None:
        assert isinstance(qdisc, Cbq)
        _show(out, qdisc.link)

    def show_class(self, out: Output, cls: QdiscClass) -> None:
        assert isinstance(cls, CbqClass)
        _show(out, cls)

    def show_xstats(self, out: Output, qdisc: AnyQdisc) -> None:
        assert isinstance(qdisc, Cbq)
        _show_stats(out, qdisc.xstats())

    def show_class_xstats(self, out: Output, cls: QdiscClass) -> None:
        assert isinstance(cls, CbqClass)
        _show_stats(out, cls.xstats())


def _checked(values: dict[str, Any], kind: Word) -> tuple[int, int]:
    """(cell_log or -1, time constant)."""
    ewma = values.get("ewma", -1)
    if ewma > 31:
        raise said(kind, "ewma_log must be < 32")
    cell = values.get("cell", 0)
    if "cell" in values and cell.bit_count() != 1:
        raise said(kind, "cell must be 2^n")
    return cell.bit_length() - 1, DEFAULT_EWMA if ewma < 0 else ewma


def _table(values: dict[str, Any], rate: int, cell_log: int, mtu: int) -> TableSpec:
    """Cells as large as given, or as it takes for the largest packet."""
    if cell_log < 0:
        cell_log = 0
        while (mtu or DEFAULT_MTU) >> cell_log > 255:
            cell_log += 1
    overhead, mpu = values.get("overhead", 0), values.get("mpu", 0)
    return TableSpec(Rate(rate, overhead, mpu, values.get("linklayer", ETHERNET)), cell_log)


def _class_params(values: dict[str, Any], flags: int | None, kind: Word, new: bool) -> CbqClassParams:
    cell_log, ewma = _checked(values, kind)
    rate, avpkt, bandwidth = (values.get(name, 0) for name in ("rate", "avpkt", "bandwidth"))
    prio, allot, weight = (values.get(name, 0) for name in ("prio", "allot", "weight"))
    if prio > PRIOS:
        raise said(kind, f'"prio" must be number in the range 1...{PRIOS}')
    split, defmap, defchange = _split(values, kind)
    bursts = "minburst" in values or "maxburst" in values
    if rate:
        allot = max(allot, avpkt * 3 // 2)
    if bursts:
        if not avpkt:
            raise said(kind, "CBQ: avpkt is required for max/minburst.")
        if not bandwidth or not rate:
            raise said(kind, "CBQ: bandwidth&rate are required for max/minburst.")
    has_wrr = bool(prio) or "weight" in values
    if new and not prio:
        has_wrr = True
        prio = NO_TRANSMIT
        allot = allot or avpkt * 3 // 2
    if has_wrr:
        weight = weight or (1 if prio == NO_TRANSMIT else rate)
        if not allot:
            raise said(kind, 'CBQ: "allot" is required to set WRR parameters.')
    times: dict[str, int] = {}
    if "maxburst" in values:
        times["maxidle"] = _maxidle(bandwidth, rate, avpkt, ewma, values["maxburst"])
    if "minburst" in values:
        times["offtime"] = _offtime(bandwidth, rate, avpkt, ewma, values["minburst"])
    if "minidle" in values:
        times["minidle"] = values["minidle"] << ewma & U32
    has_lss = bool(times) or flags is not None or "avpkt" in values or "ewma" in values
    return CbqClassParams(
        table=_table(values, rate, cell_log, allot) if rate else None,
        has_lss=has_lss,
        has_wrr=has_wrr,
        # whatever tc sends of link sharing, it sends the flags as well
        flags=(flags or 0) if has_lss else None,
        ewma=ewma if times or "ewma" in values else None,
        avpkt=avpkt if bursts or "avpkt" in values else None,
        prio=prio,
        allot=allot if has_wrr else 0,
        weight=weight if has_wrr else 0,
        split=split,
        defmap=defmap,
        defchange=defchange,
        **times,
    )


def _split(values: dict[str, Any], kind: Word) -> tuple[int | None, int, int]:
    """(split node or 0, map, which of its bits count), None if the line says nothing of it."""
    if "split" not in values and "defmap" not in values:
        return None, 0, 0
    split = 0
    if "split" in values:
        try:
            split = parse_classid(values["split"])
        except ValueError:
            raise said(kind, "Invalid split node ID.") from None
    if "defmap" not in values:
        return split, 0, 0
    masks = re.match(r"(?:0x)?([0-9a-f]{1,8})(?:/(?:0x)?([0-9a-f]{1,8}))?", values["defmap"], re.IGNORECASE)
    if masks is None:
        raise said(kind, "Invalid defmap, should be MASK32[/MASK]")
    return split, int(masks[1], 16), int(masks[2], 16) if masks[2] else U32


def _maxidle(bandwidth: int, rate: int, avpkt: int, ewma: int, maxburst: int) -> int:
    """The idle time, scaled, after which ``maxburst`` packets may follow each other at the link's rate."""
    gain = 1.0 - 1.0 / (1 << ewma)
    transmission = avpkt / bandwidth
    maxidle = transmission * (1 - gain)
    if bandwidth != rate and maxburst:
        maxidle = max(maxidle, (avpkt / rate - transmission) * (gain**-maxburst - 1))
    return us_to_ticks(maxidle * (1 << ewma) * US_PER_S)


def _offtime(bandwidth: int, rate: int, avpkt: int, ewma: int, minburst: int) -> int:
    """The time to sleep after which ``minburst`` packets may follow each other in the steady state."""
    if not minburst:
        return 0
    gain = 1.0 - 1.0 / (1 << ewma)
    offtime = avpkt / rate - avpkt / bandwidth
    if minburst == 1:
        offtime *= gain**-minburst - 1
    else:
        offtime *= 1 + (gain ** -(minburst - 1) - 1) / (1 - gain)
    return us_to_ticks(offtime * US_PER_S)


def _show(out: Output, cls: CbqClass) -> None:
    rate = cls.table.rate
    out.item("rate", f"rate {format_rate(rate.bytes_per_s)} ", rate.bytes_per_s)
    if rate.linklayer > ETHERNET or out.details:
        name = LINK_LAYER_NAMES[rate.linklayer]
        out.item("linklayer", f"linklayer {name} ", name)
    if out.details:
        cell = 1 << cls.table.cell_log
        out.item("cell", f"cell {cell}b ", cell)
        if rate.mpu:
            out.item("mpu", f"mpu {rate.mpu}b ", rate.mpu)
        if rate.overhead:
            out.item("overhead", f"overhead {rate.overhead}b ", rate.overhead)
    flags = ["bounded"] * (cls.borrow is None) + ["isolated"] * (cls.share is None)
    for flag in flags:
        out.item(flag, "", True)
    out.text += f"({','.join(flags)}) " if flags else ""
    prio = cls.prio + 1
    out.item("prio", f"prio {'no-transmit' if prio == NO_TRANSMIT else prio}", prio)
    if out.details:
        _show_details(out, cls, prio)


def _show_details(out: Output, cls: CbqClass, prio: int) -> None:
    out.text += f"/{prio} "
    if cls.weight != 1:
        out.item("weight", f"weight {format_rate(cls.weight)} ", cls.weight)
    if cls.allot:
        out.item("allot", f"allot {cls.allot}b ", cls.allot)
    out.item("level", f"\nlevel {cls.level} ", cls.level)
    out.item("ewma", f"ewma {cls.ewma} ", cls.ewma)
    out.item("avpkt", f"avpkt {cls.avpkt}b ", cls.avpkt)
    for name, ticks in (("maxidle", cls.maxidle >> cls.ewma), ("offtime", cls.offtime)):
        if name == "offtime" and cls.minidle != -NEVER_MIND:
            minidle = ticks_to_us(-cls.minidle >> cls.ewma)
            out.item("minidle", f"minidle {format_time_us(minidle)} ", minidle)
        if ticks:
            out.item(name, f"{name} {format_time_us(ticks_to_us(ticks))} ", ticks_to_us(ticks))
    if cls.split is not None or cls.defmap:
        split = format_classid(cls.split.classid if cls.split is not None else 0)
        out.item("split", f"\nsplit {split} ", split)
        if cls.defmap:
            out.item("defmap", f"defmap {cls.defmap:08x}", f"{cls.defmap:08x}")


def _show_stats(out: Output, stats: CbqStats) -> None:
    out.item("borrowed", f"  borrowed {stats.borrowed} ", stats.borrowed)
    out.item("overactions", f"overactions {stats.overactions} ", stats.overactions)
    out.item("avgidle", f"avgidle {stats.avgidle:g} ", stats.avgidle)
    out.item("undertime", f"undertime {stats.undertime:g}", stats.undertime)
