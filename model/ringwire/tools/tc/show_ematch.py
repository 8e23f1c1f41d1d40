"""How extended matches are printed; after tc/m_ematch.c and em_*.c of iproute2 6.1."""

from __future__ import annotations

from collections.abc import Sequence

from ringwire.filter.ematch import Cmp, Ematch, Meta, Nbyte, Operand, Term, U32Match


def ematch_text(terms: Sequence[Term]) -> str:
    """Lines below the filter's own, "" if there are no terms."""
    return f"\n  {_sequence(terms, 1)}" if terms else ""


def _sequence(terms: Sequence[Term], depth: int) -> str:
    text = ""
    for term in terms:
        if term.inverted:
            text += "NOT "
        if isinstance(term.test, tuple):
            text += "(\n" + "  " * (depth + 1) + _sequence(term.test, depth + 1) + "  " * depth + ") "
        else:
            text += f"{term.test.kind}({_inside(term.test)})\n"
            if term.relation:
                text += "  " * depth
        if term.relation:
            text += f"{term.relation.upper()} "
    return text


def _inside(test: Ematch) -> str:
    match test:
        case Cmp():
            mask = f"mask {test.mask:#x} " if test.mask else ""
            trans = "trans " if test.trans else ""
            return f"u{8 * test.size} at {test.offset} layer {test.layer} {mask}{trans}{test.operand} {test.value}"
        case U32Match():
            return f"{test.value:08x}/{test.mask:08x} at {'nexthdr+' if test.nexthdr else ''}{test.offset}"
        case Nbyte():
            letters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in test.needle)
            return f'{test.needle.hex(" ")} "{letters}" at {test.offset} layer {test.layer}'
        case Meta():
            return f"{_operand(test.left)} {test.operand} {_operand(test.right)}"
    return ""


def _operand(side: Operand) -> str:
    if not side.name:
        return str(side.number) if side.text is None else side.text
    shift = f" shift {side.shift}" if side.shift else ""
    mask = f" mask 0x{side.mask:08x}" if side.mask else ""
    return f"{side.name}{shift}{mask}"
