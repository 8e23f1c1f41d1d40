"""Options by name, of which tc sends the kernel only those that are not zero, as its AQMs' readers do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ringwire.tools.tc.errors import said, take
from ringwire.tools.tc.options import read_word
from ringwire.tools.words import Words

Parsers = Mapping[str, Callable[[str], float]]
Flags = Mapping[str, tuple[str, bool]]
"""Word of a line: parameter, and what the word makes of it."""

ECN: Flags = {"ecn": ("ecn", True), "noecn": ("ecn", False)}


def read_named(words: Words, parsers: Parsers, flags: Flags, values: dict[str, Any]) -> None:
    """Read one option into ``values``."""
    name = take(words)
    if name.text in flags:
        parameter, value = flags[name.text]
        values[parameter] = value
    elif name.text in parsers:
        values[name.text] = read_word(take(words), parsers[name.text], f'Illegal "{name.text}"')
    else:
        raise said(name, f'What is "{name.text}"?')


def sent(values: Mapping[str, Any], unsent: Mapping[str, int]) -> dict[str, Any]:
    """Without the numbers that tc takes for "not given": that in ``unsent``, or else 0."""
    return {name: value for name, value in values.items() if isinstance(value, bool) or value != unsent.get(name, 0)}
