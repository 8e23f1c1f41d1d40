"""tc's syntax of skbedit; after tc/m_skbedit.c of iproute2 6.1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ringwire.action import Action, ActionSpec
from ringwire.action.skbedit import Skbedit, SkbeditParams
from ringwire.qdisc.classify import PIPE
from ringwire.tools.tc.actionfront import ActionFrontEnd, Age, read_index, show_numbers
from ringwire.tools.tc.control import read_optional_verdict, show_verdict
from ringwire.tools.tc.errors import said, take
from ringwire.tools.tc.output import Output
from ringwire.tools.units import format_classid, parse_classid, parse_decimal, parse_u32
from ringwire.tools.words import Word, Words

PACKET_TYPES = {"host": 0, "broadcast": 1, "multicast": 2, "otherhost": 3}
PACKET_TYPE_NAMES = {number: name for name, number in PACKET_TYPES.items()}
FIELDS = ("queue_mapping", "priority", "mark", "ptype", "inheritdsfield")


class SkbeditFrontEnd(ActionFrontEnd):
    """Fields to set, then maybe a verdict and an index."""

    kinds = ("skbedit",)

    def read(self, words: Words, kind: Word) -> ActionSpec:
        if not words:
            take(words)
        values: dict[str, Any] = {}
        while words:
            name = next((each for each in FIELDS if each.startswith(words.peek())), None)
            if name is None:
                break
            take(words)
            if name == "inheritdsfield":
                values[name] = True
            elif name == "mark":
                values |= _mark(take(words))
            elif name == "ptype":
                word = take(words)
                names = [each for each in PACKET_TYPES if each.startswith(word.text)]
                if not names:
                    raise said(word, f"Illegal ptype ({word.text})")
                values[name] = PACKET_TYPES[names[0]]
            else:
                word = take(words)
                parse: Callable[[str], int] = parse_classid if name == "priority" else _parse_queue
                values[name] = _read(word, parse, f"Illegal {name}")
        verdict = read_optional_verdict(words, PIPE)
        spec = ActionSpec("skbedit", SkbeditParams(**values, verdict=verdict))
        spec = read_index(words, spec, 'skbedit: Illegal "index"')
        if not values and not spec.index:
            raise said(kind, "Usage: ... skbedit <[QM] [PM] [MM] [PT] [IF]>")
        return spec

    def show(self, out: Output, action: Action[Any], age: Age) -> None:
        assert isinstance(action, Skbedit)
        params = action.params()
        out.item("kind", "skbedit ", "skbedit")
        if params.queue_mapping is not None:
            out.item("queue_mapping", f"queue_mapping {params.queue_mapping}", params.queue_mapping)
        if params.priority is not None:
            priority = format_classid(params.priority)
            out.item("priority", f" priority {priority}", priority)
        if params.mark is not None:
            out.item("mark", f" mark {params.mark}", params.mark)
            if params.mask is not None:
                out.item("mask", f"/{params.mask:#x}" if params.mask else "/0", f"{params.mask:x}")
        if params.ptype is not None:
            name = PACKET_TYPE_NAMES[params.ptype]
            out.item("ptype", f" ptype {name}", name)
        if params.inheritdsfield:
            out.text += " inheritdsfield"
            out.json["inheritdsfield"] = None
        show_verdict(out, params.verdict, " ")
        show_numbers(out, action, age, "\n\t ")


def _read(word: Word, parse: Callable[[str], int], complaint: str) -> int:
    try:
        return parse(word.text)
    except ValueError:
        raise said(word, complaint) from None


def _parse_queue(text: str) -> int:
    queue = parse_decimal(text)
    if queue > 0xFFFF:
        raise ValueError("not within 16 bits")
    return queue


def _mark(word: Word) -> dict[str, int]:
    mark, slash, mask = word.text.partition("/")
    values = {"mark": _read(Word(mark, word.column), parse_u32, "Illegal mark")}
    if slash:
        values["mask"] = _read(Word(mask, word.column + len(mark) + 1), parse_u32, "Illegal mask")
    return values
