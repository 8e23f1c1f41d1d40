"""``tc filter ...`` lines; after tc/tc_filter.c of iproute2 6.1."""

from __future__ import annotations

from ringwire.filter import UnknownFilter, filter_class, kinds
from ringwire.netdev.cls_api import FilterRequest
from ringwire.netdev.sch_api import Flags
from ringwire.qdisc.base import ROOT_ID
from ringwire.qdisc.classify import ETH_P_ALL
from ringwire.qdisc.ingress import HANDLE, MIN_EGRESS, MIN_INGRESS
from ringwire.tools.tc.errors import PARSE_STATUS, USAGE_STATUS, TcError, duplicate, invarg, take, unknown
from ringwire.tools.tc.filterfront import filter_front_end
from ringwire.tools.tc.place import Place, read_id
from ringwire.tools.units import parse_classid, parse_u16, parse_u32
from ringwire.tools.words import Word, Words

PROTOCOLS = {
    "all": ETH_P_ALL,
    "ip": 0x0800,
    "ipv4": 0x0800,
    "arp": 0x0806,
    "ipv6": 0x86DD,
    "802.1Q": 0x8100,
    "802.1ad": 0x88A8,
    "mpls_uc": 0x8847,
    "mpls_mc": 0x8848,
    "ppp_disc": 0x8863,
    "ppp_ses": 0x8864,
}
PROTOCOL_NAMES = {number: name for name, number in PROTOCOLS.items() if name != "ipv4"}


def parse_protocol(text: str) -> int:
    """An Ethertype by name or number."""
    for name, number in PROTOCOLS.items():
        if text.lower() == name.lower():
            return number
    return parse_u16(text)


def format_protocol(protocol: int) -> str:
    """Its name, or ``[number]``."""
    return PROTOCOL_NAMES.get(protocol, f"[{protocol}]")


def read_filter(words: Words, place: Place, flags: Flags | None) -> FilterRequest:
    """All that follows the action."""
    protocol = ETH_P_ALL if flags is not None and flags.create else 0
    prio = chain = 0
    handle: Word | None = None
    kind: Word | None = None
    while words:
        name = words.peek()
        if name == "dev":
            place.read_dev(words)
        elif name in ("root", "ingress", "egress"):
            _fixed_parent(words, place, name)
        elif name == "parent":
            read_id(words, place, "parent", parse_classid, "Invalid parent ID")
        elif name == "handle":
            take(words)
            if handle is not None:
                raise duplicate("handle", take(words))
            handle = place.words["handle"] = take(words)
        elif name in ("preference", "pref", "priority", "prio"):
            prio = _number(words, place, "priority", "invalid priority value")
        elif name == "chain":
            chain = _number(words, place, "chain", "invalid chain index value")
        elif name == "protocol":
            take(words)
            if "protocol" in place.words:
                raise duplicate("protocol", take(words))
            word = place.words["protocol"] = take(words)
            try:
                protocol = parse_protocol(word.text)
            except ValueError:
                raise invarg(word, "invalid protocol") from None
        elif name in ("estimator", "block"):
            raise unknown(words.here, "option", ["dev", "parent", "handle", "prio", "chain", "protocol"])
        else:
            kind = take(words)
            break
    if kind is None:
        if handle is not None:
            raise TcError(handle, 'Must specify filter type when using "handle"', status=PARSE_STATUS)
        return FilterRequest(place.parent, protocol, prio, chain=chain)
    place.words["kind"] = kind
    try:
        filter_class(kind.text)
    except UnknownFilter:
        raise unknown(kind, "filter", kinds()) from None
    front = filter_front_end(kind.text)
    number = front.read_handle(handle) if handle is not None else 0
    params = front.read(words, kind, number) if flags is not None or words else None
    return FilterRequest(place.parent, protocol, prio, number, chain, kind.text, params)


def _fixed_parent(words: Words, place: Place, name: str) -> None:
    if "parent" in place.words:
        article = "" if name == "root" else "a "
        printed = f'Error: "{name}" is {article}duplicate parent ID'
        raise TcError(words.here, printed, allowed="one parent", status=USAGE_STATUS)
    place.words["parent"] = take(words)
    minor = {"ingress": MIN_INGRESS, "egress": MIN_EGRESS}
    place.parent = ROOT_ID if name == "root" else HANDLE | minor[name]


def _number(words: Words, place: Place, name: str, complaint: str) -> int:
    take(words)
    word = take(words)
    if name in place.words:
        raise duplicate(name, word)
    place.words[name] = word
    try:
        return parse_u16(word.text) if name == "priority" else parse_u32(word.text)
    except ValueError:
        raise invarg(word, complaint) from None
