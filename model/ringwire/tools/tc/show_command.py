"""``tc OBJECT show`` lines, parsed."""

from __future__ import annotations

from dataclasses import dataclass

from ringwire.tools.tc.errors import USAGE_STATUS, TcError, duplicate, invarg, take
from ringwire.tools.tc.place import Place
from ringwire.tools.tc.protocols import parse_protocol
from ringwire.tools.units import parse_classid, parse_handle, parse_u16, parse_u32
from ringwire.tools.words import Word, Words

FIXED = {
    "qdisc": {"root": 0xFFFF_FFFF, "ingress": 0xFFFF_FFF1, "clsact": 0xFFFF_FFF1},
    "class": {"root": 0xFFFF_FFFF},
    "filter": {"root": 0xFFFF_FFFF, "ingress": 0xFFFF_FFF2, "egress": 0xFFFF_FFF3},
}
"""Words that stand for a parent."""
IDS = {
    "qdisc": {"handle": parse_handle, "parent": parse_classid},
    "class": {"classid": parse_classid, "parent": parse_classid, "qdisc": parse_handle},
    "filter": {
        "parent": parse_classid,
        "protocol": parse_protocol,
        "pref": parse_u16,
        "chain": parse_u32,
    },
}
OTHER_WORDS = {"preference": "pref", "priority": "pref", "prio": "pref"}
COMPLAINTS = {"protocol": "invalid protocol", "pref": "invalid priority value", "chain": "invalid chain index value"}


@dataclass(frozen=True, slots=True)
class ShowCommand:
    """``tc [-s] [-d] [-j] [-p] OBJECT [show] [dev DEV] ...``."""

    subject: str
    place: Place
    statistics: bool = False
    details: bool = False
    json: bool = False
    pretty: bool = False
    hidden: bool = False
    ids: tuple[tuple[str, int], ...] = ()
    """What the list is narrowed to: (name, 32-bit id)."""

    @property
    def dev(self) -> Word | None:
        return self.place.dev


def read_show(words: Words, subject: str, statistics: bool, details: bool, json: bool, pretty: bool) -> ShowCommand:
    """What follows the action."""
    place = Place(words.here)
    ids: dict[str, int] = {}
    hidden = False
    while words:
        name = OTHER_WORDS.get(words.peek(), words.peek())
        if name == "dev":
            place.read_dev(words)
        elif name in FIXED[subject]:
            take(words)
            ids["parent"] = FIXED[subject][name]
        elif name in IDS[subject]:
            take(words)
            word = take(words)
            if name in ids:
                raise duplicate(name, word)
            try:
                ids[name] = IDS[subject][name](word.text)
            except ValueError:
                raise invarg(word, COMPLAINTS.get(name, f"invalid {name} ID")) from None
        elif name == "invisible" and subject == "qdisc":
            take(words)
            hidden = True
        else:
            printed = f'What is "{name}"? Try "tc {subject} help".'
            raise TcError(words.here, printed, allowed=", ".join(IDS[subject]), status=USAGE_STATUS)
    return ShowCommand(subject, place, statistics, details, json, pretty, hidden, tuple(ids.items()))
