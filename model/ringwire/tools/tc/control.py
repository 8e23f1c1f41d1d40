"""Words for what becomes of a packet: ``pass``, ``drop``, ``goto chain 3``; after tc/tc_util.c of iproute2 6.1."""

from __future__ import annotations

from ringwire.action import JUMP, JUMP_MASK
from ringwire.qdisc.classify import CHAIN_MASK, GOTO_CHAIN, OK, PIPE, RECLASSIFY, SHOT, STOLEN, TRAP, UNSPEC
from ringwire.tools.tc.errors import said, take
from ringwire.tools.tc.output import Output, Repeated
from ringwire.tools.units import parse_decimal
from ringwire.tools.words import Words

VERDICTS = {
    "continue": UNSPEC,
    "drop": SHOT,
    "shot": SHOT,
    "pass": OK,
    "ok": OK,
    "reclassify": RECLASSIFY,
    "pipe": PIPE,
    "goto": GOTO_CHAIN,
    "jump": JUMP,
    "trap": TRAP,
}
NAMES = {
    UNSPEC: "continue",
    OK: "pass",
    SHOT: "drop",
    RECLASSIFY: "reclassify",
    PIPE: "pipe",
    STOLEN: "stolen",
    TRAP: "trap",
}


def verdict_named(text: str) -> int | None:
    """The first verdict whose name ``text`` abbreviates."""
    return next((verdict for name, verdict in VERDICTS.items() if text and name.startswith(text)), None)


def read_verdict(words: Words, text: str | None = None) -> int:
    """The next word, and those that it needs; ``text`` is what to read in its place."""
    word = take(words)
    verdict = verdict_named(word.text if text is None else text)
    if verdict is None:
        raise said(word, f"Bad action type {word.text if text is None else text}")
    if verdict == GOTO_CHAIN:
        chain = take(words)
        if not (chain.text and "chain".startswith(chain.text)):
            raise said(chain, '"chain index" expected')
        return verdict | _number(words, 'Illegal "chain index"', CHAIN_MASK)
    if verdict == JUMP:
        return verdict | _number(words, 'Invalid "jump count" ({word})', JUMP_MASK)
    return verdict


def _number(words: Words, complaint: str, most: int) -> int:
    word = take(words)
    try:
        value = parse_decimal(word.text)
    except ValueError:
        value = most + 1
    if value > most:
        raise said(word, complaint.format(word=word.text))
    return value


def read_optional_verdict(words: Words, default: int) -> int:
    """A verdict if the next word is one."""
    return read_verdict(words) if words and verdict_named(words.peek()) is not None else default


def verdict_text(verdict: int) -> str:
    """As tc prints it."""
    if verdict >= GOTO_CHAIN:
        return f"goto chain {verdict & CHAIN_MASK}"
    if verdict >= JUMP:
        return f"jump {verdict & JUMP_MASK}"
    return NAMES.get(verdict, str(verdict))


def show_verdict(out: Output, verdict: int, before: str = "", after: str = "") -> None:
    """A verdict between two texts."""
    shown = out.nested("")
    if verdict >= GOTO_CHAIN:
        shown.json = {"type": "goto", "chain": verdict & CHAIN_MASK}
    elif verdict >= JUMP:
        shown.json = {"type": "jump", "jump": verdict & JUMP_MASK}
    else:
        shown.json = {"type": verdict_text(verdict)}
    out.item(Repeated("control_action"), f"{before}{verdict_text(verdict)}{after}", shown.json)
