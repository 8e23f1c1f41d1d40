"""``tc filter ...`` lines; after tc/tc_filter.c of iproute2 6.1."""

from __future__ import annotations

import math

from ringwire.action.estimator import EstimatorSpec
from ringwire.filter import kinds
from ringwire.netdev.cls_api import FilterRequest
from ringwire.netdev.sch_api import Flags
from ringwire.qdisc.base import ROOT_ID
from ringwire.qdisc.classify import ETH_P_ALL
from ringwire.qdisc.ingress import HANDLE, MIN_EGRESS, MIN_INGRESS
from ringwire.tools.tc.errors import PARSE_STATUS, USAGE_STATUS, TcError, duplicate, invarg, take, unknown, unparsable
from ringwire.tools.tc.filterfront import filter_front_end
from ringwire.tools.tc.options import read_word
from ringwire.tools.tc.place import Place, read_id
from ringwire.tools.tc.protocols import parse_protocol
from ringwire.tools.units import parse_classid, parse_hex, parse_time_us, parse_u16, parse_u32
from ringwire.tools.words import Word, Words

QUARTER_US = 250_000
OTHERS = frozenset(("bpf", "cgroup", "route", "rsvp", "rsvp6", "tcindex"))
"""Kinds whose options tc can read, and there is no model of."""


def read_filter(words: Words, place: Place, flags: Flags | None) -> FilterRequest:
    """All that follows the action."""
    protocol = ETH_P_ALL if flags is not None and flags.create else 0
    prio = chain = 0
    handle: Word | None = None
    kind: Word | None = None
    estimator: EstimatorSpec | None = None
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
        elif name == "estimator":
            estimator = _estimator(words)
        elif name == "block":
            raise unknown(words.here, "option", ["dev", "parent", "handle", "prio", "chain", "protocol"])
        else:
            kind = take(words)
            break
    if kind is None:
        if handle is not None:
            raise TcError(handle, 'Must specify filter type when using "handle"', status=PARSE_STATUS)
        return FilterRequest(place.parent, protocol, prio, chain=chain)
    place.words["kind"] = kind
    if kind.text not in kinds():
        number = _read_unknown(words, kind, handle)
        return FilterRequest(place.parent, protocol, prio, number, chain, kind.text)
    front = filter_front_end(kind.text)
    front.protocol = protocol
    number = front.read_handle(handle) if handle is not None else 0
    params = front.read(words, kind, number) if flags is not None or words else None
    number = front.handle(number)
    return FilterRequest(place.parent, protocol, prio, number, chain, kind.text, params, estimator)


def _read_unknown(words: Words, kind: Word, handle: Word | None) -> int:
    """The handle of a filter that the kernel is asked for by its kind alone, to say that there is none."""
    if kind.text in OTHERS:
        words.skip_all()
        return 0
    if words:
        raise unparsable(kind, "filter", words.here, kinds())
    if handle is None:
        return 0
    number: int = read_word(handle, parse_hex, f'Unparsable filter ID "{handle.text}"')
    return number


def _estimator(words: Words) -> EstimatorSpec:
    """``estimator INTERVAL AVERAGE``, as powers of two; after tc_setup_estimator in tc/tc_estimator.c."""
    begin = take(words)
    times = []
    for name in ("interval", "time constant"):
        word = take(words)
        try:
            times.append(parse_time_us(word.text))
        except ValueError:
            printed = f'Error: argument "invalid estimator {name}" is wrong: estimator'
            raise TcError(word, printed, status=USAGE_STATUS) from None
    every, average = times
    interval = next((log for log in range(6) if every <= (1 << log) * QUARTER_US), None)
    ewma_log = next((log for log in range(1, 32) if every / -math.log(1 - 1 / (1 << log)) > average), 32) - 1
    if interval is None or not 0 < ewma_log < 31:
        raise TcError(begin, "Error: estimator parameters are out of range.", status=USAGE_STATUS)
    return EstimatorSpec(interval - 2, ewma_log)


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
