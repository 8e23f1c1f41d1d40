"""``stab ...`` of a ``tc qdisc`` line, and how it is printed; after tc/tc_stab.c of iproute2 6.1."""

from __future__ import annotations

from collections.abc import Callable

from ringwire.qdisc.psched import ATM, ETHERNET
from ringwire.qdisc.stab import SizeTable, StabSpec
from ringwire.tools.tc.errors import USAGE_STATUS, TcError, take
from ringwire.tools.tc.options import read_word
from ringwire.tools.tc.output import Output
from ringwire.tools.units import parse_int, parse_u32
from ringwire.tools.words import Words

LINK_LAYERS = {"ethernet": ETHERNET, "atm": ATM, "adsl": ATM}
LINK_LAYER_NAMES = {ETHERNET: "ethernet", ATM: "atm"}


def parse_linklayer(text: str) -> int:
    """``ethernet``, ``atm`` or ``adsl``, which is the same."""
    if text not in LINK_LAYERS:
        raise ValueError(f"not one of {', '.join(LINK_LAYERS)}")
    return LINK_LAYERS[text]


READ: dict[str, tuple[Callable[[str], int], str]] = {
    "mtu": (parse_u32, "invalid mtu"),
    "mpu": (parse_u32, "invalid mpu"),
    "overhead": (parse_int, "invalid overhead"),
    "tsize": (parse_u32, "invalid table size"),
    "linklayer": (parse_linklayer, "invalid linklayer"),
}


def read_stab(words: Words) -> StabSpec:
    """The words behind ``stab``, up to one that is none of its options; at least one option."""
    begin = words.here
    values: dict[str, int] = {}
    while words.peek() in READ:
        name = take(words).text
        parse, complaint = READ[name]
        # tc has the two words the wrong way round
        printed = f'Error: argument "{complaint}" is wrong: {name}'
        values[name] = read_word(take(words), parse, printed, USAGE_STATUS)
    if not values:
        raise TcError(begin, "", allowed=", ".join(READ), status=USAGE_STATUS)
    return StabSpec(**values)


def show_stab(out: Output, table: SizeTable) -> None:
    """A line of its own, where details are asked for."""
    spec = table.spec
    inner = out.nested("stab")
    inner.text += " "
    if spec.linklayer:
        name = LINK_LAYER_NAMES[spec.linklayer]
        inner.item("linklayer", f"linklayer {name} ", name)
    for name in ("overhead", "mpu", "mtu", "tsize"):
        value = getattr(spec, name)
        if value:
            inner.item(name, f"{name} {value} ", value)
    inner.text += "\n"
    out.close("stab", inner)
