"""tc's syntax of gred: one line sets up the whole, others its virtual queues; after tc/q_gred.c of iproute2 6.1."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ringwire.qdisc.base import AnyQdisc
from ringwire.qdisc.gred import MAX_VQS, Gred, GredSetup, GredVq, Vq, VqFlags
from ringwire.tools.tc.errors import PARSE_STATUS, TcError, said, take
from ringwire.tools.tc.frontend import FrontEnd
from ringwire.tools.tc.options import read_word
from ringwire.tools.tc.output import Output
from ringwire.tools.tc.rates import parse_link_rate
from ringwire.tools.tc.red import (
    DEFAULT_PROBABILITY,
    DEFAULT_RATE_BPS,
    RedLine,
    evaluate,
    parse_probability,
    show_flags,
    show_probability,
    usual_burst,
)
from ringwire.tools.units import U32, format_size, parse_size, parse_u32
from ringwire.tools.words import Word, Words

FLAGS = ("ecn", "harddrop")
SAME = {"DPs": "vqs", "DP": "vq"}
"""Older words."""


def parse_decimal(text: str) -> int:
    """A number of 32 bits, decimal whatever it begins with."""
    if not re.fullmatch("[0-9]+", text) or int(text) > U32:
        raise ValueError("not a decimal number of 32 bits")
    return int(text)


def parse_prio(text: str) -> int:
    """The number that the word begins with, 0 if with none; 8 bits."""
    digits = re.match(r"[-+]?[0-9]+", text)
    return int(digits.group()) & 0xFF if digits else 0


READ_SETUP: dict[str, Callable[[str], Any]] = {"vqs": parse_decimal, "default": parse_decimal, "limit": parse_size}
READ_VQ: dict[str, Callable[[str], Any]] = {
    "vq": parse_decimal,
    "prio": parse_prio,
    "limit": parse_size,
    "min": parse_size,
    "max": parse_size,
    "avpkt": parse_size,
    "burst": parse_u32,
    "probability": parse_probability,
    "bandwidth": parse_link_rate,
}


class GredFrontEnd(FrontEnd):
    """A line with ``setup``, or one with ``vq``."""

    kinds = ("gred",)

    def read(self, words: Words, kind: Word) -> GredSetup | GredVq:
        values: dict[str, Any] = {}
        flags: dict[str, bool] = {}
        while words:
            word = take(words)
            if word.text == "setup":
                if values:
                    raise said(word, 'Illegal "setup"')
                return _read_setup(words, word)
            _read_option(words, word, READ_VQ, values, flags)
            if values.get("vq", 0) >= MAX_VQS:
                raise said(word, f"GRED: only {MAX_VQS} VQs are currently supported")
        if not values:
            allowed = "setup, to begin with, or vq and its parameters"
            raise TcError(words.here, "", allowed=allowed, status=PARSE_STATUS)
        if "vq" not in values or not all(values.get(name) for name in ("limit", "min", "max", "avpkt")):
            raise said(kind, "Required parameter (vq, limit, min, max, avpkt) is missing")
        qth_min, qth_max, avpkt = values["min"], values["max"], values["avpkt"]
        burst, rate, remarks = values.get("burst", 0), values.get("bandwidth", 0), ""
        if not burst:
            burst = usual_burst(qth_min, qth_max, avpkt)
            remarks += f"GRED: set burst to {burst}\n"
        if not rate:
            rate = DEFAULT_RATE_BPS
            remarks += "GRED: set bandwidth to 10Mbit\n"
        line = RedLine(qth_min, qth_max, burst, avpkt, values.get("probability", DEFAULT_PROBABILITY), rate)
        spec = evaluate(line, kind, "GRED", remarks)
        return GredVq(values["vq"], spec, values["limit"], values.get("prio", 0), VqFlags(**flags))

    def show(self, out: Output, qdisc: AnyQdisc) -> None:
        assert isinstance(qdisc, Gred)
        setup = qdisc.params()
        out.item("dp_cnt", f"vqs {setup.vqs} ", setup.vqs)
        out.item("dp_default", f"default {setup.default} ", setup.default)
        out.item("grio", "grio " if setup.grio else "", setup.grio)
        out.item("limit", f"limit {format_size(qdisc.limit)} ", qdisc.limit)
        _show_flags(out, setup.flags)
        objects = []
        for vq in qdisc.virtual_queues():
            inner = out.nested("vqs")
            _show_vq(inner, qdisc, vq)
            out.text += inner.text
            objects.append(inner.json)
        out.json["vqs"] = objects


def _read_option(
    words: Words, word: Word, read: dict[str, Callable[[str], Any]], values: dict[str, Any], flags: dict[str, bool]
) -> None:
    name = SAME.get(word.text, word.text)
    if name in FLAGS:
        flags[name] = True
    elif name in read:
        values[name] = read_word(take(words), read[name], f'Illegal "{name}"')
    else:
        raise said(word, f'What is "{word.text}"?')


def _read_setup(words: Words, setup: Word) -> GredSetup:
    values: dict[str, Any] = {}
    flags: dict[str, bool] = {}
    while words:
        word = take(words)
        if word.text == "grio":
            values["grio"] = True
            continue
        if word.text == "default" and not values.get("vqs"):
            raise said(word, '"default" must be defined after "vqs"')
        _read_option(words, word, READ_SETUP, values, flags)
        if values.get("vqs", 0) > MAX_VQS:
            raise said(word, f"GRED: only {MAX_VQS} VQs are currently supported")
        if word.text == "default" and values["default"] >= values["vqs"]:
            raise said(word, '"default" must be less than "vqs"')
    if not values.get("vqs") or "default" not in values:
        raise said(setup, "Illegal gred setup parameters")
    return GredSetup(flags=VqFlags(**flags), **values)


def _show_flags(out: Output, flags: VqFlags) -> None:
    show_flags(out, *(name for name in FLAGS if getattr(flags, name)))


def _show_vq(out: Output, qdisc: Gred, vq: Vq) -> None:
    spec = vq.parms.spec
    out.item("vq", f"\n vq {vq.index} ", vq.index)
    out.item("prio", f"prio {vq.prio} ", vq.prio)
    out.item("limit", f"limit {format_size(vq.limit)} ", vq.limit)
    out.item("min", f"min {format_size(spec.qth_min)} ", spec.qth_min)
    out.item("max", f"max {format_size(spec.qth_max)} ", spec.qth_max)
    _show_flags(out, vq.flags)
    if out.details:
        out.item("ewma", f"ewma {spec.wlog} ", spec.wlog)
        show_probability(out, vq.parms.max_p / 2**32)
        out.item("Scell_log", f"Scell_log {spec.scell_log} ", spec.scell_log)
    if not out.statistics:
        return
    out.text += "\n  Queue size: "
    average, backlog = qdisc.average_of(vq), qdisc.backlog_of(vq)
    out.item("qave", f"average {format_size(average)} ", average)
    out.item("backlog", f"current {format_size(backlog)} ", backlog)
    out.text += "\n  Dropped packets: "
    out.item("forced_drop", f"forced {vq.forced_drop} ", vq.forced_drop)
    out.item("prob_drop", f"early {vq.prob_drop} ", vq.prob_drop)
    out.item("pdrop", f"pdrop {vq.pdrop} ", vq.pdrop)
    out.item("other", "other 0 ", 0)
    out.text += "\n  Marked packets: "
    out.item("forced_mark", f"forced {vq.forced_mark} ", vq.forced_mark)
    out.item("prob_mark", f"early {vq.prob_mark} ", vq.prob_mark)
    out.text += "\n  Total packets: "
    out.item("packets", f"{vq.packets} ", vq.packets)
    # the kernel counts further, tc does not
    out.item("bytes", f"({format_size(vq.bytes & U32)}) ", vq.bytes & U32)
