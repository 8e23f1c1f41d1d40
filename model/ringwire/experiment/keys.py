"""Values of an experiment's file as people write them: ``"1gbit"``, ``"50us"``, ``"64k"``, or plain numbers.

A plain number is nanoseconds, bit/s or bytes. Parsers raise ValueError with the reason and what is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import inf, isfinite
from typing import Any

from ringwire.rig.values import MIN_RATE_BPS, parse_clock, parse_rate, show_rate
from ringwire.tools.units import parse_size, parse_time_ns

Parser = Callable[[Any], Any]

PARSED_BY_SUFFIX: dict[str, Parser]
"""How the value of a dataclass's field is read whose name ends so; the key is the name without it."""


def number(value: Any) -> int:
    """A whole number; text may have a unit of 1000s or be hexadecimal (``"0x10"``)."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"0x[0-9a-fA-F]+|[0-9]+", value):
        return int(value, 0)
    raise ValueError("not a whole number")


def real(value: Any) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value):
        return float(value)
    raise ValueError("not a number")


def text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise ValueError("not text in quotes")


def anything(value: Any) -> Any:
    """What is read later."""
    return value


def switch(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("on", "off"):
        return bool(value == "on")
    raise ValueError("not a switch; allowed: on, off, true, false")


def _with_unit(parse: Callable[[str], int], what: str, least: float = 0) -> Parser:
    def read(value: Any) -> int:
        if isinstance(value, str):
            return parse(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value) and value >= least:
            return round(value)
        raise ValueError(f"not {what}")

    return read


time_ns = _with_unit(parse_time_ns, "a time (units: s, ms, us, ns; ns if none)")
size = _with_unit(parse_size, "a size (units: k, m, g; bytes if none)", -inf)
"""Some may be negative, as an overhead may; whose key it is says so."""
rate_bps = _with_unit(parse_rate, "a rate (units: bit, kbit, mbit, gbit; bit/s if none)")


def line_rate_bps(value: Any) -> int:
    """Of a wire: not 0, which a rig takes for "what is usual"."""
    rate: int = rate_bps(value)
    if not rate:
        raise ValueError(f"nothing would ever be sent; allowed: {show_rate(MIN_RATE_BPS)} or more")
    return rate


def clock_mhz(value: Any) -> float:
    """MHz, or text with a unit."""
    return parse_clock(value) if isinstance(value, str) else real(value)


def time_us(value: Any) -> int:
    """Microseconds of a time, rounded up."""
    return -(-int(time_ns(value)) // 1000)


def whole_us(value: Any) -> int:
    """As :func:`time_us`, but a plain number is microseconds, as in a line of ethtool."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]+", value):
        return int(value)
    plain = isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)
    return time_us(value * 1000) if plain else time_us(value)


def time_ms(value: Any) -> int:
    """Milliseconds of a time, rounded up."""
    return -(-int(time_ns(value)) // 1_000_000)


PARSED_BY_SUFFIX = {"_ns": time_ns, "_us": time_us, "_bps": rate_bps, "_bytes": size}
