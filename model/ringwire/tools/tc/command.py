"""``tc`` lines as data: what a line asks for, before any device is looked at.

After tc/tc_qdisc.c, tc_class.c and tc_filter.c of iproute2 6.1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from ringwire.netdev.cls_api import FilterRequest
from ringwire.netdev.device import NetDevice
from ringwire.netdev.sch_api import ADD, CHANGE, LINK, REPLACE, ClassRequest, Flags, QdiscRequest
from ringwire.qdisc.base import ROOT_ID
from ringwire.qdisc.ingress import HANDLE as INGRESS_HANDLE
from ringwire.qdisc.ingress import INGRESS_ID
from ringwire.qdisc.registry import kinds
from ringwire.qdisc.stab import StabSpec
from ringwire.tools.tc.action_command import ActionsChange, ActionsDelete, ActionsShow, read_actions_command
from ringwire.tools.tc.errors import USAGE_STATUS, TcError, duplicate, incomplete, take, unknown, unparsable
from ringwire.tools.tc.filter_command import read_filter
from ringwire.tools.tc.frontend import classless, front_end, has_classes
from ringwire.tools.tc.place import Place, read_id
from ringwire.tools.tc.show_command import ShowCommand, read_show
from ringwire.tools.tc.stab import read_stab
from ringwire.tools.units import parse_classid, parse_handle
from ringwire.tools.words import Word, Words

FLAGS: dict[str, Flags | None] = {
    "add": ADD,
    "change": CHANGE,
    "replace": REPLACE,
    "link": LINK,
    "delete": None,
    "del": None,
}
"""Action -> what the kernel may do; None: delete."""
OTHERS = frozenset(("atm", "cake", "fq_pie", "hhf", "netem", "skbprio"))
"""Kinds whose options tc can read, and there is no model of: the kernel is asked for them, and has none."""


@dataclass(frozen=True, slots=True)
class QdiscCommand:
    """``tc qdisc ACTION``, parsed."""

    place: Place
    request: QdiscRequest
    flags: Flags | None


@dataclass(frozen=True, slots=True)
class ClassCommand:
    """``tc class ACTION``, parsed."""

    place: Place
    request: ClassRequest
    flags: Flags | None
    kind: str | None


@dataclass(frozen=True, slots=True)
class FilterCommand:
    """``tc filter ACTION``, parsed."""

    place: Place
    request: FilterRequest
    flags: Flags | None


@dataclass(slots=True)
class Switches:
    """The flags before the object."""

    statistics: bool = False
    details: bool = False
    json: bool = False
    pretty: bool = False
    force: bool = False
    batch: Word | None = None


@dataclass(frozen=True, slots=True)
class BatchCommand:
    """``tc -batch FILE``; the switches are those of each line."""

    file: Word
    switches: Switches


Change = QdiscCommand | ClassCommand | FilterCommand
ActionsCommand = ActionsChange | ActionsDelete | ActionsShow
Command = Change | ActionsCommand | ShowCommand | BatchCommand


def _starts(word: str, *names: str) -> bool:
    """Whether ``word`` abbreviates one of these, as iproute2 lets users do."""
    return any(name.startswith(word) for name in names)


def _read_switches(words: Words, switches: Switches) -> None:
    while words.peek().startswith("-"):
        flag = take(words)
        name = flag.text.removeprefix("-")
        if _starts(name, "statistics", "stats"):
            switches.statistics = True
        elif _starts(name, "details"):
            switches.details = True
        elif _starts(name, "json"):
            switches.json = True
        elif _starts(name, "pretty"):
            switches.pretty = True
        elif _starts(name, "force"):
            switches.force = True
        elif _starts(name, "batch"):
            switches.batch = take(words)
        else:
            printed = f'Option "{flag.text}" is unknown, try "tc -help".'
            raise TcError(flag, printed, allowed="-s, -d, -j, -p, -force and -batch", status=USAGE_STATUS)


def parse(line: str, switches: Switches | None = None, devices: Mapping[str, NetDevice] | None = None) -> Command:
    """Read one line, with or without the leading ``tc``.

    ``switches`` are those of the batch that it is in; with ``devices`` it may redirect packets to no others, and rates
    may be shares of their speeds.
    """
    words = Words(line, quotes=True)
    words.devices = devices
    words.skip("tc")
    switches = replace(switches, batch=None) if switches is not None else Switches()
    _read_switches(words, switches)
    if switches.batch is not None:
        return BatchCommand(switches.batch, switches)
    if not words:
        raise incomplete(words)
    subject = take(words)
    if subject.text in ("actions", "action"):
        return read_actions_command(words, switches.statistics, switches.details, switches.json, switches.pretty)
    for name, read in (("qdisc", _read_qdisc), ("class", _read_class), ("filter", _read_filter)):
        if name.startswith(subject.text):
            return _read_object(words, name, switches, read)
    printed = f'Object "{subject.text}" is unknown, try "tc help".'
    raise TcError(subject, printed, allowed="qdisc, class, filter and actions", status=USAGE_STATUS)


def _read_object(
    words: Words, name: str, switches: Switches, read: Callable[[Words, Word, Flags | None], Command]
) -> Command:
    if not words:
        return read_show(words, name, switches.statistics, switches.details, switches.json, switches.pretty)
    action = take(words)
    if action.text in ("show", "list", "ls", "lst"):
        return read_show(words, name, switches.statistics, switches.details, switches.json, switches.pretty)
    if action.text not in FLAGS:
        printed = f'Command "{action.text}" is unknown, try "tc {name} help".'
        raise TcError(action, printed, allowed=", ".join((*FLAGS, "show")), status=USAGE_STATUS)
    return read(words, action, FLAGS[action.text])


def _parent(words: Words, place: Place, name: str, classid: int) -> None:
    """``root``, ``ingress`` or ``clsact`` as the parent."""
    if "parent" in place.words:
        article = "" if name == "root" else "a "
        printed = f'Error: "{name}" is {article}duplicate parent ID'
        raise TcError(words.here, printed, allowed="one parent", status=USAGE_STATUS)
    place.words["parent"] = take(words)
    place.parent = classid


def _read_qdisc(words: Words, action: Word, flags: Flags | None) -> QdiscCommand:
    place = Place(action)
    handle = 0
    stab: StabSpec | None = None
    kind: Word | None = None
    while words:
        name = words.peek()
        if name == "dev":
            place.read_dev(words)
        elif name == "handle":
            if "handle" in place.words:
                raise duplicate("handle", words.here)
            handle = read_id(words, place, "handle", parse_handle, "invalid qdisc ID")
        elif name == "root":
            _parent(words, place, "root", ROOT_ID)
        elif name in ("ingress", "clsact"):
            kind = words.here
            _parent(words, place, name, INGRESS_ID)
            handle = INGRESS_HANDLE
            break
        elif name == "parent":
            read_id(words, place, "parent", parse_classid, "invalid parent ID")
        elif name == "stab":
            take(words)
            stab = read_stab(words)
        elif name in ("estimator", "ingress_block", "egress_block"):
            raise unknown(words.here, "option", ["dev", "handle", "root", "ingress", "clsact", "parent", "stab"])
        else:
            kind = take(words)
            break
    params = None
    if kind is not None:
        place.words["kind"] = kind
        place.options = words.rest
        if kind.text in kinds():
            params = front_end(kind.text).read(words, kind)
        elif kind.text in OTHERS:
            words.skip_all()
        elif words:
            raise unparsable(kind, "qdisc", words.here, kinds())
    request = QdiscRequest(place.parent, handle, kind.text if kind is not None else None, params, stab)
    return QdiscCommand(place, request, flags)


def _read_class(words: Words, action: Word, flags: Flags | None) -> ClassCommand:
    place = Place(action)
    classid = 0
    kind: Word | None = None
    while words:
        name = words.peek()
        if name == "dev":
            place.read_dev(words)
        elif name == "classid":
            classid = read_id(words, place, "classid", parse_classid, "invalid class ID")
        elif name == "handle":
            raise TcError(words.here, 'Error: try "classid" instead of "handle"', status=USAGE_STATUS)
        elif name == "root":
            _parent(words, place, "root", ROOT_ID)
        elif name == "parent":
            read_id(words, place, "parent", parse_classid, "invalid parent ID")
        elif name == "estimator":
            raise unknown(words.here, "option", ["dev", "classid", "root", "parent"])
        else:
            kind = take(words)
            break
    params = None
    if kind is not None:
        place.words["kind"] = kind
        if not has_classes(kind.text):
            raise classless(kind)
        if flags is not None or words:
            front = front_end(kind.text)
            params = (front.read_new_class if flags == ADD else front.read_class)(words, kind)
    request = ClassRequest(place.parent, classid, params)
    return ClassCommand(place, request, flags, kind.text if kind is not None else None)


def _read_filter(words: Words, action: Word, flags: Flags | None) -> FilterCommand:
    place = Place(action)
    return FilterCommand(place, read_filter(words, place, flags), flags)
