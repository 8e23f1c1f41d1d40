"""``action ...`` of filter lines and of ``tc actions``; after tc/m_action.c of iproute2 6.1."""

from __future__ import annotations

from dataclasses import replace

from ringwire.action import ActionSpec, UnknownAction, action_class, kinds
from ringwire.tools.tc.actionfront import action_front_end
from ringwire.tools.tc.control import verdict_named
from ringwire.tools.tc.errors import PARSE_STATUS, USAGE_STATUS, TcError, invarg, said, take, unknown
from ringwire.tools.words import Word, Words

MAX_COOKIE = 16
"""Bytes."""
OTHERS = frozenset(
    (
        "bpf", "connmark", "csum", "ct", "ctinfo", "gate", "ife", "ipt", "mpls", "nat", "pedit", "sample", "simple",
        "skbmod", "tunnel_key", "vlan", "xt",
    )
)  # fmt: skip
"""Kinds that tc knows and there is no model of."""


def read_actions(words: Words) -> tuple[ActionSpec, ...]:
    """Actions up to ``flowid``, ``classid`` or the line's end, behind the first word ``action``."""
    if not words:
        take(words)
    specs: list[ActionSpec] = []
    cookie = b""
    while words and words.peek() not in ("flowid", "classid"):
        if words.peek() == "action":
            take(words)
            if not words:
                raise said(words.here, "bad action empty 1")
            continue
        left, kind = words.left, take(words)
        try:
            spec = _read_one(words, kind)
        except TcError as error:
            raise _explained(error, left, kind) from None
        cookie = _read_cookie(words) or cookie
        _skip_hardware(words)
        # tc has each action keep the cookie of the one before
        specs.append(replace(spec, cookie=cookie))
    return tuple(specs)


def _read_one(words: Words, kind: Word) -> ActionSpec:
    if kind.text == "gact" or verdict_named(kind.text) is not None:
        return action_front_end("gact").read(words, kind)
    if kind.text in OTHERS:
        raise unknown(kind, "action", kinds())
    try:
        action_class(kind.text)
    except UnknownAction:
        raise TcError(kind, f"Bad action type {kind.text}", allowed=", ".join(kinds()), status=USAGE_STATUS) from None
    return action_front_end(kind.text).read(words, kind)


def _explained(error: TcError, left: int, kind: Word) -> TcError:
    """What tc adds where a kind's own reader has failed."""
    if error.status != PARSE_STATUS or error.unknown:
        return error
    printed = f"{error.printed}\n" if error.printed else ""
    printed += f"bad action parsing\nparse_action: bad value ({left}:{kind.text})!"
    return TcError(error.word, f'{printed}\nIllegal "action"', allowed=error.allowed, status=PARSE_STATUS)


def _read_cookie(words: Words) -> bytes:
    if words.peek() != "cookie":
        return b""
    take(words)
    word = take(words)
    if len(word.text) > 2 * MAX_COOKIE:
        raise invarg(word, f"{len(word.text)} Max allowed size {2 * MAX_COOKIE}")
    try:
        return bytes.fromhex(word.text)
    except ValueError:
        raise invarg(word, "cookie must be a hex string\n") from None


def _skip_hardware(words: Words) -> None:
    """What is said of offloads, of which there are none."""
    if words and words.peek() != "" and "hw_stats".startswith(words.peek()):
        take(words)
        word = take(words)
        if not any(each.startswith(word.text) for each in ("immediate", "delayed", "disabled")):
            raise invarg(word, "value is invalid\n")
    words.skip("no_percpu")
    words.skip("skip_hw")


def read_old_police(words: Words) -> ActionSpec:
    """``police ...`` without the word ``action``."""
    word = words.here
    try:
        return replace(action_front_end("police").read(words, word), old_style=True)
    except TcError as error:
        if error.status != PARSE_STATUS:
            raise
        printed = f"{error.printed}\n" if error.printed else ""
        raise TcError(error.word, f'{printed}Illegal "police"', allowed=error.allowed, status=PARSE_STATUS) from None
