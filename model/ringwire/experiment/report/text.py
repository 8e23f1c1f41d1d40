"""How the pages write numbers and tables: by the unit that a name ends in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))
_UNITS = {
    "_ns": ("s", 1e-9),
    "_us": ("s", 1e-6),
    "_ms": ("s", 1e-3),
    "_s": ("s", 1.0),
    "_bps": ("bit/s", 1.0),
}
_HEADINGS = {
    "starved": "times starved",
    "starved_ns": "time starved",
    "rto": "timeouts",
    "frames per wall s": "frames per wall second",
}
"""Of names that say too little without their unit."""


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    text: str
    number: bool


@dataclass(frozen=True, slots=True)
class Grid:
    """A table for the template."""

    columns: Sequence[Column] = ()
    rows: Sequence[Sequence[Cell]] = ()


def si(value: float, unit: str, digits: int = 4) -> str:
    """With an SI prefix: 43.8 µs."""
    if not math.isfinite(value):
        return "-"
    for scale, prefix in _PREFIXES:
        if abs(value) >= scale:
            return f"{value / scale:.{digits}g} {prefix}{unit}".rstrip()
    return f"{value:.{digits}g} {unit}".rstrip()


def heading(name: str) -> str:
    """A name without its unit."""
    if name in _HEADINGS:
        return _HEADINGS[name]
    name = name.replace(" ", "_")
    for suffix in _UNITS:
        name = name.removesuffix(suffix)
    return name.replace("_", " ")


def number(name: str, value: object) -> str:
    """A value as its name asks for; what is no number, as it is."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "-"
    for suffix, (unit, scale) in _UNITS.items():
        if name.replace(" ", "_").endswith(suffix) and not name.endswith(" s"):
            return si(value * scale, unit)
    if name.endswith("utilisation") or name.endswith("share"):
        return f"{value:.2%}"
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e15):
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def grid(rows: Iterable[Mapping[str, object]]) -> Grid:
    """A row for each mapping, a column for each name that any of them has."""
    mappings = list(rows)
    names = list(dict.fromkeys(name for row in mappings for name in row))
    columns = [
        Column(heading(name), all(isinstance(row[name], (int, float)) for row in mappings if row.get(name) is not None))
        for name in names
    ]
    return Grid(columns, [[Cell(number(name, row.get(name))) for name in names] for row in mappings])


def pairs(values: Mapping[str, object]) -> list[tuple[str, str]]:
    return [(heading(name), number(name, value)) for name, value in values.items()]
