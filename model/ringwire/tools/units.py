"""The units of ``tc``: what its words mean, and how it prints numbers.

Sizes count in 1024s, rates in 1000s, a bare rate is bits a second and a bare time microseconds; handles and class
ids are hexadecimal. After tc/tc_util.c and lib/utils.c of iproute2 6.1. All parsers raise ValueError with a reason.
"""

from __future__ import annotations

import re
from math import floor, inf

U32 = 0xFFFF_FFFF

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


def parse_handle(text: str) -> int:
    """A qdisc's 32-bit handle, ``1:`` or ``8001:``: major number, hexadecimal."""
    major, colon, minor = text.partition(":")
    if not colon or minor:
        raise ValueError("not a handle, which is a hexadecimal number and a colon")
    return _hex16(major) << 16


def parse_classid(text: str) -> int:
    """A class's 32-bit id, ``1:10``: both halves hexadecimal, either may be left out."""
    major, colon, minor = text.partition(":")
    if not colon:
        raise ValueError("not a class id, which is two hexadecimal numbers and a colon between them")
    return (_hex16(major) if major else 0) << 16 | (_hex16(minor) if minor else 0)


def format_handle(handle: int) -> str:
    """``1:`` of a handle, ``1:a`` of a class id."""
    minor = handle & 0xFFFF
    return f"{handle >> 16:x}:{minor:x}" if minor else f"{handle >> 16:x}:"


def format_size(size: int) -> str:
    """``1514b``, ``64Kb``, ``32Mb``: the large units where the size is that within rounding."""
    megabytes, kilobytes = round(size / 2**20), round(size / 2**10)
    if size >= 2**20 and abs(megabytes * 2**20 - size) < 1024:
        return f"{megabytes}Mb"
    if size >= 2**10 and abs(kilobytes * 2**10 - size) < 16:
        return f"{kilobytes}Kb"
    return f"{size}b"


def _hex16(text: str) -> int:
    if not re.fullmatch("[0-9a-fA-F]{1,4}", text):
        raise ValueError("not a hexadecimal number of 16 bits")
    return int(text, 16)


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
