"""tc's syntax of sfb; after tc/q_sfb.c of iproute2 6.1."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ringwire.qdisc.base import AnyQdisc
from ringwire.qdisc.psched import U32
from ringwire.qdisc.sfb import Sfb, SfbParams
from ringwire.qdisc.sfb_bins import MAX_PROB
from ringwire.tools.tc.errors import said, take
from ringwire.tools.tc.frontend import FrontEnd
from ringwire.tools.tc.options import read_word
from ringwire.tools.tc.output import Output
from ringwire.tools.units import format_time_us, parse_u32
from ringwire.tools.words import Word, Words

US_PER_MS = 1000
DEFAULT_MAX = 25
DEFAULT_INCREMENT = (MAX_PROB + 1000) // 2000
DEFAULT_DECREMENT = (MAX_PROB + 10000) // 20000
_LEADING_NUMBER = re.compile(r"\s*[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


def parse_prob(text: str) -> int:
    """A probability, 0 to 1, as a part of 65535; what follows the number is not looked at."""
    number = _LEADING_NUMBER.match(text)
    if number is None or not 0 <= float(number.group()) <= 1:
        raise ValueError("not 0 to 1")
    return int(float(number.group()) * MAX_PROB + 0.5)


READ: dict[str, Callable[[str], int]] = {
    "rehash": parse_u32,
    "db": parse_u32,
    "limit": parse_u32,
    "max": parse_u32,
    "target": parse_u32,
    "increment": parse_prob,
    "decrement": parse_prob,
    "penalty_rate": parse_u32,
    "penalty_burst": parse_u32,
}


class SfbFrontEnd(FrontEnd):
    """Times are read in milliseconds, whatever the usage says."""

    kinds = ("sfb",)

    def read(self, words: Words, kind: Word) -> SfbParams:
        values = {"increment": DEFAULT_INCREMENT, "decrement": DEFAULT_DECREMENT}
        while words:
            word = take(words)
            if word.text not in READ:
                raise said(word, f'What is "{word.text}"?')
            values[word.text] = read_word(take(words), READ[word.text], f'Illegal "{word.text}"')
        longest, target = values.get("max", 0), values.get("target", 0)
        if not longest:
            longest = (target * 5 + 1 & U32) // 4 if target else DEFAULT_MAX
        values["max"] = longest
        values["target"] = target or (longest * 4 + 3 & U32) // 5
        return SfbParams(**values)

    def show(self, out: Output, qdisc: AnyQdisc) -> None:
        assert isinstance(qdisc, Sfb)
        params = qdisc.params()
        for name, ms in (("rehash", params.rehash), ("db", params.db)):
            out.item(name, f"{name} {format_time_us(ms * US_PER_MS)} ", ms * US_PER_MS)
        for name, packets in (("limit", params.limit), ("max", params.max), ("target", params.target)):
            out.item(name, f"{name} {packets}p ", packets)
        _show_prob(out, "increment", params.increment)
        _show_prob(out, "decrement", params.decrement)
        out.item("penalty_rate", f"penalty_rate {params.penalty_rate}pps ", params.penalty_rate)
        out.item("penalty_burst", f"penalty_burst {params.penalty_burst}p ", params.penalty_burst)

    def show_xstats(self, out: Output, qdisc: AnyQdisc) -> None:
        assert isinstance(qdisc, Sfb)
        now: dict[str, Any] = asdict(qdisc.xstats())
        out.text += " "
        for name in ("earlydrop", "penaltydrop", "bucketdrop", "queuedrop", "childdrop", "marked"):
            out.item(name, f" {name} {now[name]}", now[name])
        out.item("maxqlen", f"\n  maxqlen {now['maxqlen']} ", now["maxqlen"])
        _show_prob(out, "maxprob", now["maxprob"])
        _show_prob(out, "avgprob", now["avgprob"])
        out.text = out.text.removesuffix(" ")


def _show_prob(out: Output, name: str, value: int) -> None:
    """Six digits, in JSON too."""
    shown = f"{value / MAX_PROB:g}"
    out.item(name, f"{name} {shown} ", float(shown))
