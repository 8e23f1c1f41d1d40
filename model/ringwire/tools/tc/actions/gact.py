"""tc's syntax of gact; after tc/m_gact.c of iproute2 6.1."""

from __future__ import annotations

from typing import Any

from ringwire.action import Action, ActionSpec
from ringwire.action.gact import DETERM, NETRAND, Gact, GactParams
from ringwire.qdisc.classify import OK
from ringwire.tools.tc.actionfront import ActionFrontEnd, Age, read_index, show_numbers
from ringwire.tools.tc.control import read_verdict, show_verdict, verdict_text
from ringwire.tools.tc.errors import PARSE_STATUS, USAGE_STATUS, TcError, said, take
from ringwire.tools.tc.output import Output
from ringwire.tools.units import parse_decimal
from ringwire.tools.words import Word, Words

MOST = 10_000
RANDOM = {"netrand": NETRAND, "determ": DETERM}
RANDOM_NAMES = {0: "none"} | {number: name for name, number in RANDOM.items()}


class GactFrontEnd(ActionFrontEnd):
    """``gact`` may be left out: a verdict alone means it."""

    kinds = ("gact",)

    def read(self, words: Words, kind: Word) -> ActionSpec:
        verdict, probability, other, value = OK, 0, OK, 0
        if kind.text != "gact" or not words or not "index".startswith(words.peek()):
            verdict = _usage(words, kind.text if kind.text != "gact" else None)
            if words and "random".startswith(words.peek()):
                take(words)
                probability, other, value = _random(words)
        elif not words:
            take(words)
        spec = ActionSpec("gact", GactParams(verdict, probability, other, value))
        return read_index(words, spec, 'Illegal "index"')

    def show(self, out: Output, action: Action[Any], age: Age) -> None:
        assert isinstance(action, Gact)
        params = action.params()
        out.item("kind", "gact ", "gact")
        show_verdict(out, params.verdict, "action ")
        inner = out.nested("prob")
        name = RANDOM_NAMES[params.probability]
        inner.item("random_type", f"\n\t random type {name}", name)
        show_verdict(inner, params.other, " ")
        inner.item("val", f" val {params.value}", params.value)
        out.close("prob", inner)
        show_numbers(out, action, age, "\n\t ")


def _usage(words: Words, text: str | None) -> int:
    """A verdict that must be there: tc explains the syntax otherwise."""
    if text is not None:
        # the verdict was taken as the action's kind
        words.back()
    try:
        return read_verdict(words)
    except TcError as error:
        if error.status != PARSE_STATUS:
            raise
        raise TcError(error.word, error.printed, status=USAGE_STATUS) from None


def _random(words: Words) -> tuple[int, int, int]:
    word = take(words)
    probability = next((number for name, number in RANDOM.items() if name.startswith(word.text)), 0)
    if not probability:
        raise said(word, 'Illegal "random type"')
    if not words:
        take(words)
    other = _usage(words, None)
    word = take(words)
    try:
        value = parse_decimal(word.text)
    except ValueError:
        value = 0x10000
    if value > 0xFFFF:
        raise said(word, "Illegal probability val 0x0")
    if value > MOST:
        raise said(word, f"Illegal probability val  0x{value:x}")
    return probability, other, value


__all__ = ["GactFrontEnd", "verdict_text"]
