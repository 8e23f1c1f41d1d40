"""The units of ``tc``: what its words mean, and how it prints numbers.

Sizes count in 1024s, rates in 1000s, a bare rate is bits a second and a bare time microseconds; handles and class
ids are hexadecimal. After tc/tc_util.c and lib/utils.c of iproute2 6.1. All parsers raise ValueError with a reason.
"""

from __future__ import annotations

import re
from math import floor, inf

U32 = 0xFFFF_FFFF
ROOT = 0xFFFF_FFFF
"""What ``root`` is as a class id."""

_SIZE = {
    "": 1.0,
    "b": 1.0,
    "k": 2.0**10,
    "kb": 2.0**10,
    "kbit": 2.0**7,
    "m": 2.0**20,
    "mb": 2.0**20,
    "mbit": 2.0**17,
    "g": 2.0**30,
    "gb": 2.0**30,
    "gbit": 2.0**27,
}
_TIME_US = {
    "": 1.0,
    "us": 1.0,
    "usec": 1.0,
    "usecs": 1.0,
    "ms": 1e3,
    "msec": 1e3,
    "msecs": 1e3,
    "s": 1e6,
    "sec": 1e6,
    "secs": 1e6,
}
_TIME_NS = {unit: scale * 1e3 for unit, scale in _TIME_US.items()} | {
    "": 1.0,
    "ns": 1.0,
    "nsec": 1.0,
    "nsecs": 1.0,
}
_RATE_BPS = {"": 1.0} | {
    f"{prefix}{unit}": scale * bits
    for unit, bits in (("bit", 1), ("bps", 8))
    for prefix, scale in (
        ("", 1.0),
        ("k", 1e3),
        ("m", 1e6),
        ("g", 1e9),
        ("t", 1e12),
        ("ki", 2.0**10),
        ("mi", 2.0**20),
        ("gi", 2.0**30),
        ("ti", 2.0**40),
    )
}
_NUMBER = re.compile(r"[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?|[0-9]+\.")


def parse_size(text: str) -> int:
    """Bytes (or packets): ``1514``, ``15k``, ``1.5mb``, ``64kbit``; 32 bits."""
    return _scaled(text, _SIZE, "a size", U32)


def parse_rate(text: str) -> int:
    """Bytes a second: ``10mbit``, ``1gibit``, ``125kbps``; fractions are cut off."""
    return floor(_value(text, _RATE_BPS, "a rate") / 8)


def parse_bit_rate(text: str) -> int:
    """Bits a second, in the same words."""
    return floor(_value(text, _RATE_BPS, "a rate"))


def parse_time_us(text: str) -> int:
    """Microseconds: ``5ms``, ``100us``, ``1s``, ``50``; 32 bits."""
    return _scaled(text, _TIME_US, "a time", U32)


def parse_u32(text: str) -> int:
    """A number: decimal, 0x hexadecimal or 0 octal."""
    try:
        value = int(text, 8 if re.fullmatch("0[0-7]+", text) else 0)
    except ValueError:
        raise ValueError("not a number") from None
    if not 0 <= value <= U32:
        raise ValueError("not within 32 bits")
    return value


def parse_decimal(text: str) -> int:
    """A decimal number of 32 bits."""
    if not re.fullmatch("[0-9]+", text):
        raise ValueError("not a decimal number")
    return parse_u32(text.lstrip("0") or "0")


def parse_hex(text: str) -> int:
    """A hexadecimal number of 32 bits, with or without 0x."""
    if not re.fullmatch("(0[xX])?[0-9a-fA-F]{1,8}", text):
        raise ValueError("not a hexadecimal number of 32 bits")
    return int(text, 16)


def parse_int(text: str) -> int:
    """A signed number of 32 bits: decimal, 0x hexadecimal or 0 octal."""
    value = parse_u32(text[1:]) if text.startswith("-") else parse_u32(text)
    if value > 2**31 - (not text.startswith("-")):
        raise ValueError("not within 32 bits")
    return -value if text.startswith("-") else value


def parse_u16(text: str) -> int:
    """A number of 16 bits."""
    value = parse_u32(text)
    if value > 0xFFFF:
        raise ValueError("not within 16 bits")
    return value


def parse_time_ns(text: str) -> int:
    """Nanoseconds: ``5ms``, ``100us``, ``1s``, ``50`` (nanoseconds); 63 bits."""
    return _scaled(text, _TIME_NS, "a time", 2**63 - 1)


def parse_percent(text: str) -> float:
    """A part of the whole, 0 to 1: ``25%`` or ``25`` (percent)."""
    return _bounded(text.removesuffix("%"), 100.0) / 100


def parse_probability(text: str) -> float:
    """0 to 1: ``0.02``."""
    return _bounded(text, 1.0)


def parse_handle(text: str) -> int:
    """A qdisc's 32-bit handle, ``1:`` or ``8001``: its major number, hexadecimal; a minor number is not looked at."""
    if text == "none":
        return 0
    return _hex16(text.partition(":")[0]) << 16


def parse_classid(text: str) -> int:
    """A class's 32-bit id, ``1:10``: both halves hexadecimal, either may be left out; a bare number is all 32 bits."""
    if text in ("root", "none"):
        return ROOT if text == "root" else 0
    major, colon, minor = text.partition(":")
    if not colon:
        if not re.fullmatch("(0x)?[0-9a-fA-F]{1,8}", text):
            raise ValueError("not a class id, which is two hexadecimal numbers and a colon between them")
        return int(text, 16)
    return (_hex16(major) if major else 0) << 16 | (_hex16(minor) if minor else 0)


def format_handle(handle: int) -> str:
    """``1:`` of a handle, ``1:a`` of a class id."""
    minor = handle & 0xFFFF
    return f"{handle >> 16:x}:{minor:x}" if minor else f"{handle >> 16:x}:"


def format_classid(classid: int) -> str:
    """``1:a``, ``:a`` of an id without major number, ``root`` and ``none``."""
    if classid in (ROOT, 0):
        return "root" if classid else "none"
    if not classid >> 16:
        return f":{classid:x}"
    return format_handle(classid)


def format_size(size: int) -> str:
    """``1514b``, ``64Kb``, ``32Mb``: the large units where the size is that within rounding."""
    megabytes, kilobytes = round(size / 2**20), round(size / 2**10)
    if size >= 2**20 and abs(megabytes * 2**20 - size) < 1024:
        return f"{megabytes:g}Mb"
    if size >= 2**10 and abs(kilobytes * 2**10 - size) < 16:
        return f"{kilobytes:g}Kb"
    return f"{size}b"


def format_rate(bytes_per_s: int) -> str:
    """``1Mbit``, ``12345bit``: the largest unit that divides it, or that leaves more than 1000 of the next."""
    rate, index = bytes_per_s * 8, 0
    while index < 4 and rate >= 1000 and (rate % 1000 == 0 or rate >= 1_000_000):
        rate //= 1000
        index += 1
    return f"{rate}{('', 'K', 'M', 'G', 'T')[index]}bit"


def format_time_us(us: int) -> str:
    """``1s``, ``5ms``, ``200us``: three digits."""
    if us >= 1_000_000:
        return f"{us / 1e6:.3g}s"
    return f"{us / 1e3:.3g}ms" if us >= 1000 else f"{us}us"


def format_time_ns(ns: int) -> str:
    """``1s``, ``5ms``, ``1.67us``, ``20ns``: three digits."""
    for unit, scale in (("s", 10**9), ("ms", 10**6), ("us", 10**3)):
        if ns >= scale:
            return f"{ns / scale:.3g}{unit}"
    return f"{ns}ns"


def _hex16(text: str) -> int:
    if not re.fullmatch("(0x)?[0-9a-fA-F]{1,8}", text) or int(text, 16) > 0xFFFF:
        raise ValueError("not a hexadecimal number of 16 bits")
    return int(text, 16)


def _bounded(text: str, most: float) -> float:
    if not _NUMBER.fullmatch(text) or float(text) > most:
        raise ValueError(f"not 0 to {most:g}")
    return float(text)


def _value(text: str, scales: dict[str, float], what: str) -> float:
    number = _NUMBER.match(text)
    scale = scales.get(text[number.end() :].lower()) if number else None
    if number is None or scale is None:
        raise ValueError(f"not {what} (units: {', '.join(unit for unit in scales if unit)})")
    value = float(number.group()) * scale
    if value == inf:
        raise ValueError(f"{what} too large")
    return value


def _scaled(text: str, scales: dict[str, float], what: str, most: int) -> int:
    value = floor(_value(text, scales, what))
    if value > most:
        raise ValueError(f"more than {most}")
    return value
