"""Parameters read and printed by the units that their dataclass names (:func:`ringwire.qdisc.option`).

Units: number, signed, size, packets, rate (bytes a second) and link_rate (or a share of the link's speed, ``10%``),
time and time_ns, percent and probability, classid, choice, flag, and numbers and sizes, which are lists.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import Field, fields
from typing import Any, NamedTuple

from ringwire.tools.tc.errors import PARSE_STATUS, TcError, said, take
from ringwire.tools.tc.output import Output
from ringwire.tools.tc.rates import ShareError, parse_link_rate, rate_of
from ringwire.tools.units import (
    format_classid,
    format_rate,
    format_size,
    format_time_ns,
    format_time_us,
    parse_classid,
    parse_int,
    parse_percent,
    parse_probability,
    parse_rate,
    parse_size,
    parse_time_ns,
    parse_time_us,
    parse_u32,
)
from ringwire.tools.words import Word, Words

READ: dict[str, Callable[[str], Any]] = {
    "number": parse_u32,
    "signed": parse_int,
    "size": parse_size,
    "rate": parse_rate,
    "link_rate": parse_link_rate,
    "time": parse_time_us,
    "time_ns": parse_time_ns,
    "percent": parse_percent,
    "probability": parse_probability,
    "classid": parse_classid,
}
READ_LIST: dict[str, Callable[[str], Any]] = {"numbers": parse_u32, "sizes": parse_size}
SHOW: dict[str, Callable[[Any], str]] = {
    "number": str,
    "signed": str,
    "choice": str,
    "packets": lambda value: f"{value}p",
    "size": format_size,
    "rate": format_rate,
    "link_rate": format_rate,
    "time": format_time_us,
    "time_ns": format_time_ns,
    "percent": lambda value: f"{100 * value:g}%",
    "probability": lambda value: f"{value:g}",
    "classid": format_classid,
    "numbers": lambda values: " ".join(map(str, values)),
    "sizes": lambda values: " ".join(map(format_size, values)),
}


class Wording(NamedTuple):
    """How a kind complains; iproute2's kinds differ."""

    unknown: str = 'What is "{word}"?'
    illegal: str = 'Illegal "{name}"'
    element: str = 'Illegal "{name}" element'


USUAL = Wording()


def read_options(
    words: Words, kind: Word, params_type: type[Any], wording: Wording = USUAL, partly: bool = False
) -> Any | None:
    """Read options up to the line's end into a parameter dataclass; None if there are none.

    ``partly``: up to the first word that is no option.
    """
    by_word: dict[str, tuple[Field[Any], bool]] = {}
    for each in fields(params_type):
        if "unit" in each.metadata:
            by_word[each.metadata["name"] or each.name] = each, True
            if each.metadata["negative"]:
                by_word[each.metadata["negative"]] = each, False
    values: dict[str, object] = {}
    while words:
        if partly and words.peek() not in by_word:
            break
        name = take(words)
        if name.text not in by_word:
            raise said(name, wording.unknown.format(word=name.text, kind=kind.text), by_word)
        each, positive = by_word[name.text]
        unit = each.metadata["unit"]
        if unit == "flag":
            values[each.name] = positive
        elif unit in READ_LIST:
            values[each.name] = _read_list(words, name, unit, by_word, wording)
        else:
            word = take(words)
            illegal = wording.illegal.format(name=name.text, word=word.text, kind=kind.text)
            if unit == "choice":
                if word.text not in each.metadata["choices"]:
                    raise said(word, illegal, each.metadata["choices"])
                values[each.name] = word.text
            else:
                values[each.name] = read_word(word, READ[unit], illegal)
    return params_type(**values) if values else None


def _read_list(
    words: Words, name: Word, unit: str, by_word: dict[str, tuple[Field[Any], bool]], wording: Wording
) -> tuple[object, ...]:
    """Values up to the next word that is an option's name; at least one."""
    values = [take(words)]
    while words and words.peek() not in by_word:
        values.append(take(words))
    illegal = wording.element.format(name=name.text)
    return tuple(read_word(word, READ_LIST[unit], illegal) for word in values)


def read_word(word: Word, parse: Callable[[str], Any], complaint: str, status: int = PARSE_STATUS) -> Any:
    """A word's value, or an error that says ``complaint`` and why."""
    try:
        return rate_of(word) if parse is parse_link_rate else parse(word.text)
    except ShareError as error:
        raise TcError(word, f"{error.said}\n{complaint}", status=status) from None
    except ValueError as error:
        raise TcError(word, complaint, reason=str(error), status=status) from None


def show_options(out: Output, params: Any) -> None:
    """``name value`` for each field that has a value, in the dataclass's order."""
    for each in fields(params):
        unit, value = each.metadata.get("shown"), getattr(params, each.name)
        if not unit or value is None:
            continue
        name = each.metadata.get("name") or each.name
        if unit == "flag":
            if value:
                out.item(name, f"{name} ", True)
        else:
            out.item(name, f"{name} {SHOW[unit](value)} ", list(value) if isinstance(value, tuple) else value)


def format_params(params: Any) -> str:
    """The text of :func:`show_options`, without the space at its end."""
    out = Output()
    show_options(out, params)
    return out.text.rstrip()


def parse_params(words: Words, kind: Word, params_type: type[Any]) -> Any | None:
    """:func:`read_options` with the usual complaints."""
    return read_options(words, kind, params_type)
