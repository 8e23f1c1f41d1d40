"""tc's syntax of flow; after tc/f_flow.c of iproute2 6.1, but for its JSON, which is that of 6.5."""

from __future__ import annotations

from typing import Any

from ringwire.filter import Filter
from ringwire.filter.ematch import Term
from ringwire.filter.flow import KEYS, Flow, FlowParams
from ringwire.tools.tc.addresses import parse_ipv4_prefix, parse_ipv6_prefix
from ringwire.tools.tc.ematch_reader import read_ematch
from ringwire.tools.tc.errors import said, take
from ringwire.tools.tc.filterfront import FilterFrontEnd
from ringwire.tools.tc.filters.common import Common
from ringwire.tools.tc.output import Output
from ringwire.tools.tc.show_actions import show_pipeline
from ringwire.tools.tc.show_ematch import ematch_text
from ringwire.tools.units import format_classid, parse_classid, parse_u32
from ringwire.tools.words import Word, Words

U32 = 0xFFFF_FFFF
WORDS = (
    "map", "hash", "keys", "and", "or", "xor", "rshift", "addend", "divisor", "baseclass", "perturb", "police",
    "action", "match",
)  # fmt: skip
"""In the order in which abbreviations are tried."""


class FlowFrontEnd(FilterFrontEnd):
    """``hash keys A,B,...`` or ``map key A`` with arithmetic."""

    kinds = ("flow",)

    def read(self, words: Words, kind: Word, handle: int) -> FlowParams:
        common, values = Common(), dict[str, Any]()
        mask, xor, hashing = U32, 0, False
        terms: tuple[Term, ...] = ()
        begin = words.here
        while words:
            word = words.here
            name = next((each for each in WORDS if each.startswith(word.text)), None)
            if name in ("police", "action"):
                common.read(words)
                continue
            take(words)
            if name in ("map", "hash"):
                hashing = name == "hash"
            elif name == "match":
                terms = read_ematch(words)
            elif name == "keys":
                values["keys"] = _keys(take(words))
            elif name in ("and", "or", "xor"):
                value = take(words)
                number = _number(value, parse_u32, f'Illegal "{"mask" if name == "and" else name}"')
                keep, turn = {"and": (number, 0), "or": (~number & U32, number), "xor": (U32, number)}[name]
                xor = turn ^ xor & keep
                mask &= keep
            elif name == "baseclass":
                value = take(words)
                values[name] = _number(value, parse_classid, 'Illegal "baseclass"')
                if not values[name] & 0xFFFF:
                    raise said(value, 'Illegal "baseclass"')
            elif name == "addend":
                values[name] = _addend(take(words))
            elif name is not None:
                values[name] = _number(take(words), parse_u32, f'Illegal "{name}"')
            else:
                raise said(word, f'What is "{word.text}"?')
        if len(values.get("keys", ())) > 1 and not hashing:
            raise said(begin, 'Invalid mode "map" for multiple keys')
        if mask != U32 or xor:
            values |= {"mask": mask, "xor": xor}
        return FlowParams(hashing=hashing, terms=terms, actions=common.pipeline, **values)

    def show(self, out: Output, classifier: Filter[Any], handle: int, params: Any) -> None:
        assert isinstance(classifier, Flow)
        out.item("handle", f"handle 0x{handle:x} ", f"{handle:x}")
        mode = "hash" if params.hashing else "map"
        out.item("mode", f"{mode} ", mode)
        keys = [name for name in KEYS if name in params.keys]
        out.item("keys", f"keys {','.join(keys)} ", keys)
        mask, value = params.mask, params.xor
        either, xor = mask & value ^ value, mask & value
        for name, number, plain in (("and", mask, U32), ("xor", xor, 0), ("or", either, 0)):
            if (mask != U32 or value) and number != plain:
                out.item("mask" if name == "and" else name, f"{name} 0x{number:08x} ", f"{number:x}")
        if params.rshift:
            out.item("rshift", f"rshift {params.rshift} ", params.rshift)
        if params.addend:
            out.item("addend", f"addend 0x{params.addend:x} ", f"{params.addend:x}")
        if params.divisor:
            out.item("divisor", f"divisor {params.divisor} ", params.divisor)
        if params.baseclass:
            out.item("baseclass", f"baseclass {format_classid(params.baseclass)} ", format_classid(params.baseclass))
        if params.perturb:
            out.item("perturb", f"perturb {params.perturb}sec ", params.perturb)
        if params.terms:
            text = ematch_text(params.terms)
            out.item("ematch", text, text.strip())
        if params.actions and not params.actions[0].old_style:
            out.text += "\n"
        show_pipeline(out, classifier.actions(handle), classifier.dev.now_ns())


def _number(word: Word, parse: Any, complaint: str) -> int:
    try:
        value: int = parse(word.text)
    except ValueError:
        raise said(word, complaint) from None
    return value


def _keys(word: Word) -> tuple[str, ...]:
    keys = []
    for part in word.text.split(","):
        name = next((each for each in KEYS if part and each.startswith(part)), None)
        if name is None:
            raise said(word, f'Unknown flow key "{part}"')
        keys.append(name)
    return tuple(keys)


def _addend(word: Word) -> int:
    """A number or an address, maybe to be taken off."""
    text = word.text.removeprefix("-")
    try:
        number = parse_u32(text)
    except ValueError:
        try:
            number = int(parse_ipv6_prefix(text)[0]) & U32 if ":" in text else parse_ipv4_prefix(text)[0]
        except ValueError:
            raise said(word, f'Error: any valid address is expected rather than "{text}".') from None
    return -number & U32 if word.text.startswith("-") else number
