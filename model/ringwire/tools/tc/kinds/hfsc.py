"""tc's syntax of hfsc; after tc/q_hfsc.c of iproute2 6.1."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any

from ringwire.qdisc.base import AnyQdisc
from ringwire.qdisc.classful import QdiscClass
from ringwire.qdisc.hfsc import Hfsc, HfscParams
from ringwire.qdisc.hfsc_class import HfscClass, HfscClassParams
from ringwire.qdisc.hfsc_curve import ServiceCurve
from ringwire.qdisc.psched import U32, US_PER_S
from ringwire.tools.tc.abbreviations import unsigned
from ringwire.tools.tc.errors import said, take
from ringwire.tools.tc.frontend import FrontEnd
from ringwire.tools.tc.options import read_word
from ringwire.tools.tc.output import Output
from ringwire.tools.tc.rates import parse_link_rate
from ringwire.tools.units import format_rate, format_time_us, parse_size, parse_time_us
from ringwire.tools.words import Word, Words

CURVES = {"rt": ("rt",), "ls": ("ls",), "sc": ("rt", "ls"), "ul": ("ul",)}
"""Word -> the curves that it sets; the words may be abbreviated."""


class HfscFrontEnd(FrontEnd):
    """A curve is ``[m1 RATE] [d TIME] m2 RATE`` or ``[umax SIZE] [dmax TIME] rate RATE``."""

    kinds = ("hfsc",)

    def read(self, words: Words, kind: Word) -> HfscParams:
        default = 0
        while words:
            name = take(words)
            if not "default".startswith(name.text):
                raise said(name, f'HFSC: What is "{name.text}" ?')
            value = take(words)
            if default:
                raise said(name, 'HFSC: Double "default"')
            default = read_word(value, unsigned(16, 16), 'HFSC: Illegal "default"')
        return HfscParams(default)

    def read_class(self, words: Words, kind: Word) -> HfscClassParams:
        curves: dict[str, ServiceCurve] = {}
        while words:
            name = take(words)
            which = next((each for each in CURVES if each.startswith(name.text)), None)
            if which is None:
                raise said(name, f'HFSC: What is "{name.text}" ?')
            curve = _read_curve(words, which)
            curves |= dict.fromkeys(CURVES[which], curve)
        if not curves:
            raise said(kind, "HFSC: no parameters given")
        if "ul" in curves and "ls" not in curves:
            raise said(kind, "HFSC: Upper-limit Service Curve without Link-Share Service Curve")
        return HfscClassParams(**curves)

    def show(self, out: Output, qdisc: AnyQdisc) -> None:
        assert isinstance(qdisc, Hfsc)
        default = qdisc.params().default
        if default:
            out.item("default", f"default {default:x} ", f"{default:#x}")

    def show_class(self, out: Output, cls: QdiscClass) -> None:
        assert isinstance(cls, HfscClass)
        curves = cls.params()
        if curves.rt is not None and curves.rt == curves.ls:
            _show_curve(out, "sc", curves.rt)
        else:
            _show_curve(out, "rt", curves.rt)
            _show_curve(out, "ls", curves.ls)
        _show_curve(out, "ul", curves.ul)

    def show_class_xstats(self, out: Output, cls: QdiscClass) -> None:
        assert isinstance(cls, HfscClass)
        stats = cls.xstats()
        out.item("period", f" period {stats.period} ", stats.period)
        if stats.work:
            out.item("work", f"work {stats.work} bytes ", stats.work)
        if stats.rtwork:
            out.item("rtwork", f"rtwork {stats.rtwork} bytes ", stats.rtwork)
        out.item("level", f"level {stats.level} \n", stats.level)


def _read_curve(words: Words, which: str) -> ServiceCurve:
    illegal = f'HFSC: Illegal "{which}"'
    first = words.here
    line = _Curve(words, illegal)
    if first.text in ("m1", "d", "m2"):
        m1, d, m2 = line.value("m1", parse_link_rate), line.value("d", parse_time_us), line.last("m2")
        curve = ServiceCurve(m1, d, m2)
    else:
        umax, dmax, rate = line.value("umax", parse_size), line.value("dmax", parse_time_us), line.last("rate")
        if umax and not dmax:
            raise said(first, f"HFSC: umax given but dmax is zero.\n{illegal}")
        curve = _from_packet(umax, dmax, rate)
    if not curve.m1 and not curve.m2:
        raise said(first, f"HFSC: Service Curve has two zero slopes\n{illegal}")
    return curve


class _Curve:
    """The words of one curve, in their fixed order."""

    def __init__(self, words: Words, illegal: str) -> None:
        self.words = words
        self.illegal = illegal

    def value(self, name: str, parse: Callable[[str], int]) -> int:
        """A part that may be left out, and is followed by another."""
        if self.words.peek() != name:
            return 0
        value = self._read(name, parse)
        if not self.words:
            take(self.words)
        return value

    def last(self, name: str) -> int:
        """The part that must be there."""
        word = self.words.here
        if not self.words:
            take(self.words)
        if word.text != name:
            raise said(word, self.illegal)
        return self._read(name, parse_link_rate)

    def _read(self, name: str, parse: Callable[[str], int]) -> int:
        take(self.words)
        value: Any = read_word(take(self.words), parse, f'HFSC: Illegal "{name}"\n{self.illegal}')
        return int(value) & U32


def _from_packet(umax: int, dmax: int, rate: int) -> ServiceCurve:
    """The curve by which a packet of ``umax`` bytes takes ``dmax`` at most: concave if ``rate`` alone is too slow."""
    m1 = ceil(umax * US_PER_S / dmax) if dmax else 0
    if dmax and m1 > rate:
        return ServiceCurve(m1 & U32, dmax, rate)
    if not rate:
        return ServiceCurve()
    # 32 bits, as tc counts: umax beyond 4294 bytes overflows
    return ServiceCurve(0, dmax - (umax * US_PER_S & U32) // rate & U32, rate)


def _show_curve(out: Output, name: str, curve: ServiceCurve | None) -> None:
    if curve is None:
        return
    m1, d, m2 = format_rate(curve.m1), format_time_us(curve.d_us), format_rate(curve.m2)
    out.item(name, f"{name} m1 {m1} d {d} m2 {m2} ", {"m1": curve.m1, "d": curve.d_us, "m2": curve.m2})
