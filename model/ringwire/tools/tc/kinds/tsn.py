"""tc's syntax of etf and cbs; after tc/q_etf.c and tc/q_cbs.c of iproute2 6.1."""

from __future__ import annotations

from typing import Any

from ringwire.qdisc.base import AnyQdisc
from ringwire.qdisc.cbs import Cbs, CbsParams
from ringwire.qdisc.etf import Etf, EtfParams
from ringwire.sock import Clock
from ringwire.tools.tc.errors import PARSE_STATUS, TcError, said, take
from ringwire.tools.tc.frontend import FrontEnd
from ringwire.tools.tc.options import read_word
from ringwire.tools.tc.output import Output
from ringwire.tools.units import parse_int, parse_u32
from ringwire.tools.words import Word, Words


def parse_clockid(text: str) -> Clock:
    """A clock by its name, with or without ``CLOCK_`` before it, in any case of letters."""
    name = text.upper()
    if "CLOCK_" in name:
        name = name[len("CLOCK_") :]
    if name not in Clock.__members__:
        raise ValueError(", ".join(f"CLOCK_{clock.name}" for clock in Clock))
    return Clock[name]


def read_clockid(word: Word, kind: str) -> Clock:
    """The word's clock, or a complaint of that kind."""
    complaint = f'{kind}: illegal value for "clockid": "{word.text}".\nIt must be a valid SYS-V id (i.e. CLOCK_TAI)'
    clock: Clock = read_word(word, parse_clockid, complaint)
    return clock


def _full_name(word: Word, names: tuple[str, ...], kind: str) -> str:
    """An option's name, which may be abbreviated."""
    name = next((name for name in names if name.startswith(word.text)), None)
    if name is None:
        raise said(word, f'{kind}: unknown parameter "{word.text}"')
    return name


def _duplicate(word: Word, kind: str, name: str) -> TcError:
    return TcError(word, f'{kind}: duplicate "{name}" specification', status=PARSE_STATUS)


class EtfFrontEnd(FrontEnd):
    """``clockid`` and ``delta`` have values, the others are switches."""

    kinds = ("etf",)

    def read(self, words: Words, kind: Word) -> EtfParams:
        given: dict[str, Any] = {}
        while words:
            word = take(words)
            # this one has come late and is not abbreviated
            if word.text == "skip_sock_check":
                name = word.text
            else:
                name = _full_name(word, ("offload", "deadline_mode", "delta", "clockid"), "etf")
            value = take(words) if name in ("delta", "clockid") else word
            if given.get(name):
                raise _duplicate(word, "etf", name)
            if name == "delta":
                given[name] = read_word(value, parse_int, f'etf: illegal value for "delta": "{value.text}"')
            else:
                given[name] = read_clockid(value, "etf") if name == "clockid" else True
        return EtfParams(**given)

    def show(self, out: Output, qdisc: AnyQdisc) -> None:
        assert isinstance(qdisc, Etf)
        params = qdisc.params()
        clock = params.clockid.name if params.clockid is not None else "invalid"
        out.item("clockid", f"clockid {clock} ", clock)
        out.item("delta", f"delta {params.delta} ", params.delta)
        for name in ("offload", "deadline_mode", "skip_sock_check"):
            value = "on" if getattr(params, name) else "off"
            out.item(name, f"{name} {value} ", value)
        out.text = out.text.removesuffix(" ")


class CbsFrontEnd(FrontEnd):
    """All options have numbers, and a zero counts as not given."""

    kinds = ("cbs",)

    def read(self, words: Words, kind: Word) -> CbsParams:
        given: dict[str, int] = {}
        names = ("offload", "hicredit", "locredit", "sendslope", "idleslope")
        while words:
            word = take(words)
            name = _full_name(word, names, "cbs")
            value = take(words)
            if given.get(name):
                raise _duplicate(word, "cbs", name)
            parse = _parse_u8 if name == "offload" else parse_int
            given[name] = read_word(value, parse, f'cbs: illegal value for "{name}": "{value.text}"')
        return CbsParams(**given)

    def show(self, out: Output, qdisc: AnyQdisc) -> None:
        assert isinstance(qdisc, Cbs)
        params = qdisc.params()
        for name in ("hicredit", "locredit", "sendslope", "idleslope", "offload"):
            value = getattr(params, name)
            out.item(name, f"{name} {value} ", value)


def _parse_u8(text: str) -> int:
    value = parse_u32(text)
    if value > 0xFF:
        raise ValueError("not within 8 bits")
    return value
