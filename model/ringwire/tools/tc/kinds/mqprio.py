"""tc's syntax of mqprio, and what taprio shares of it; after tc/q_mqprio.c of iproute2 6.1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ringwire.qdisc.base import AnyQdisc
from ringwire.qdisc.mqprio import Mqprio, MqprioParams
from ringwire.qdisc.traffic_classes import MAX_CLASSES, PRIORITIES
from ringwire.tools.tc.errors import invarg, said, take
from ringwire.tools.tc.frontend import FrontEnd
from ringwire.tools.tc.options import read_word
from ringwire.tools.tc.output import Output
from ringwire.tools.units import format_rate, parse_rate
from ringwire.tools.words import Word, Words

T = TypeVar("T")


def parse_decimal(most: int) -> Callable[[str], int]:
    """A parser of decimal numbers up to ``most``."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or int(text) > most:
            raise ValueError(f"a decimal number up to {most}")
        return int(text)

    return parse


parse_u8 = parse_decimal(0xFF)


def parse_queues(text: str) -> tuple[int, int]:
    """``COUNT@OFFSET`` as (offset, count)."""
    count, _, offset = text.partition("@")
    parse = parse_decimal(0xFFFF)
    return parse(offset), parse(count)


def read_while(words: Words, parse: Callable[[str], T], most: int = MAX_CLASSES) -> tuple[T, ...]:
    """Values up to the first word that is none."""
    values: list[T] = []
    while words and len(values) < most:
        try:
            values.append(parse(words.peek()))
        except ValueError:
            break
        take(words)
    return tuple(values)


def read_map(words: Words) -> tuple[int, ...]:
    """Classes of priorities; those not named are class 0's."""
    values = read_while(words, parse_u8)
    return values + (0,) * (PRIORITIES - len(values))


class MqprioFrontEnd(FrontEnd):
    """``mode`` and ``shaper`` are known as long as ``hw 0`` was not said."""

    kinds = ("mqprio",)

    def read(self, words: Words, kind: Word) -> MqprioParams:
        given: dict[str, Any] = {}
        while words:
            word = take(words)
            name, hardware = word.text, given.get("hw", 1)
            if name in ("num_tc", "hw"):
                given[name] = read_word(take(words), parse_u8, f'Illegal "{name}"')
            elif name == "map":
                given[name] = read_map(words)
            elif name == "queues":
                given[name] = read_while(words, parse_queues)
            elif hardware and name == "mode":
                given[name] = _read_choice(words, "mode", "channel")
            elif hardware and name == "shaper":
                given[name] = _read_choice(words, "shaper", "bw_rlimit")
                if given[name] is not None and not words:
                    raise said(word, "Incomplete shaper arguments")
            elif given.get("shaper") is not None and name in ("min_rate", "max_rate"):
                given[name] = read_while(words, parse_rate)
                if len(given[name]) < given.get("num_tc", MqprioParams().num_tc) and not words:
                    raise said(word, f"Incomplete arguments, {name} values expected")
            else:
                raise invarg(word, "unknown argument")
        params = MqprioParams(**given)
        if len(params.queues) > params.num_tc:
            printed = (
                f"queues count/offset pair count {len(params.queues)}"
                f" can not be higher than given num_tc {params.num_tc}"
            )
            raise said(kind, printed)
        return params

    def show(self, out: Output, qdisc: AnyQdisc) -> None:
        assert isinstance(qdisc, Mqprio)
        params = qdisc.params()
        out.item("tc", f"tc {params.num_tc} ", params.num_tc)
        out.item("map", "map " + "".join(f"{tc} " for tc in params.map), list(params.map))
        ranges = [[offset, offset + count - 1] for offset, count in params.queues]
        shown = "".join(f"({first}:{last}) " for first, last in ranges)
        out.item("queues", f"\n             queues:{shown}", ranges)
        for name in ("mode", "shaper"):
            value = getattr(params, name) or "dcb"
            out.item(name, f"\n             {name}:{value}", value)
        for name in ("min_rate", "max_rate"):
            rates = getattr(params, name)
            if rates:
                rates = (rates + (0,) * params.num_tc)[: params.num_tc]
                out.item(name, f"\t{name}:" + "".join(f"{format_rate(rate)} " for rate in rates), list(rates))


def _read_choice(words: Words, name: str, other: str) -> str | None:
    """``dcb``, which is None, or the other one; both may be abbreviated."""
    word = take(words)
    if "dcb".startswith(word.text):
        return None
    if not other.startswith(word.text):
        raise said(word, f"Illegal {name} ({word.text})")
    return other
