"""Options that may be abbreviated, as iproute2's older kinds let users do (matches in lib/utils.c of iproute2 6.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ringwire.tools.tc.errors import said, take
from ringwire.tools.tc.options import Wording, read_word
from ringwire.tools.words import Word, Words


class Option(NamedTuple):
    """An option's canonical name, how its value is read (None: it has none), and whether it may be abbreviated."""

    name: str
    parse: Callable[[str], Any] | None
    short: bool = True
    complain_as_written: bool = False


def find_option(word: str, options: Mapping[str, Option]) -> Option | None:
    """The first option, in the order they are listed, that the word is or abbreviates."""
    for text, option in options.items():
        if text == word or (option.short and word and text.startswith(word)):
            return option
    return None


def read_value(words: Words, name: Word, option: Option, wording: Wording) -> Any:
    """The value behind an option's name; True of one that has none."""
    if option.parse is None:
        return True
    value = take(words)
    shown = name.text if option.complain_as_written else option.name
    return read_word(value, option.parse, wording.illegal.format(name=shown, word=value.text))


def read_abbreviated(words: Words, options: Mapping[str, Option], wording: Wording) -> dict[str, Any]:
    """All remaining words; the last of several values counts."""
    values: dict[str, Any] = {}
    while words:
        name = take(words)
        option = find_option(name.text, options)
        if option is None:
            raise said(name, wording.unknown.format(word=name.text))
        values[option.name] = read_value(words, name, option, wording)
    return values


def unsigned(bits: int, base: int = 10) -> Callable[[str], int]:
    """A reader of numbers of so many bits: ``base`` 10 or 16, or with 0 by their prefix."""

    def parse(text: str) -> int:
        octal = base == 0 and text.startswith("0") and text.isdigit()
        if not text[:1].isalnum() or "_" in text:
            raise ValueError("not a number")
        try:
            value = int(text, 8 if octal else base)
        except ValueError:
            raise ValueError("not a number" + (" in hexadecimal" if base == 16 else "")) from None
        if value >> bits:
            raise ValueError(f"not within {bits} bits")
        return value

    return parse
