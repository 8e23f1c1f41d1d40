"""``tc``: reads the lines that Linux's users write, and prints what ``tc -s -d qdisc show`` prints.

What a line says about a discipline's own parameters is read and printed by the units that the discipline's
dataclass names (:func:`ringwire.qdisc.option`), so a new discipline needs no change here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any

from ringwire.netdev.device import NetDevice
from ringwire.qdisc.base import MQROOT, ROOT_ID, AnyQdisc
from ringwire.qdisc.registry import UnknownQdisc, kinds, qdisc_class
from ringwire.tools.units import (
    format_handle,
    format_size,
    parse_handle,
    parse_rate,
    parse_size,
    parse_time_us,
    parse_u32,
)
from ringwire.tools.words import CommandError, Word, Words

FIRST_OWN_MAJOR = 0x8001
"""Majors from here on are given to disciplines that come without a handle."""

READ: dict[str, Callable[[str], object]] = {
    "number": parse_u32,
    "size": parse_size,
    "rate": parse_rate,
    "time": parse_time_us,
}
SHOW: dict[str, Callable[[Any], str]] = {
    "number": str,
    "numbers": lambda values: " ".join(map(str, values)),
    "packets": lambda value: f"{value}p",
    "size": format_size,
}


class TcError(CommandError):
    """A ``tc`` line that is wrong or can't be carried out."""


class TcUnknown(TcError):
    """A ``tc`` line that asks for something there is no model of."""


@dataclass(frozen=True, slots=True)
class QdiscCommand:
    """``tc qdisc add|replace|change|del dev DEV root [handle H:] [KIND ...]``, parsed."""

    action: Word
    dev: Word
    handle: int | None
    kind: Word | None
    params: object | None
    """The kind's dataclass, None where the line gives no parameters."""


@dataclass(frozen=True, slots=True)
class ShowCommand:
    """``tc [-s] [-d] qdisc [show|list] [dev DEV]``, parsed."""

    dev: Word | None
    statistics: bool


def parse(line: str) -> QdiscCommand | ShowCommand:
    """Read one line, with or without the leading ``tc``."""
    words = Words(line)
    words.skip("tc")
    statistics = False
    while words.peek().startswith("-"):
        flag = words.take("a flag")
        if flag.text not in ("-s", "-statistics", "-d", "-details"):
            raise flag.error("no such flag; there are -s and -d", TcUnknown)
        statistics |= flag.text.startswith("-s")
    subject = words.take("qdisc")
    if subject.text != "qdisc":
        raise subject.error("only qdisc is known here", TcUnknown)
    if not words or words.skip("show", "list", "ls"):
        dev = words.take("a device") if words.skip("dev") else None
        _end(words)
        return ShowCommand(dev, statistics)
    return _parse_change(words)


def _parse_change(words: Words) -> QdiscCommand:
    action = words.take("an action")
    if action.text not in ("add", "replace", "change", "del", "delete"):
        raise action.error("no such action; there are add, replace, change, del and show", TcUnknown)
    dev: Word | None = None
    handle: int | None = None
    root = False
    while words:
        if words.skip("dev"):
            dev = words.take("a device")
        elif words.skip("handle"):
            handle = words.take("a handle").read(parse_handle)
        elif words.skip("root"):
            root = True
        elif words.peek() in ("parent", "stab", "estimator", "ingress", "clsact"):
            raise words.take("root").error("only plain root disciplines are known here", TcUnknown)
        else:
            break
    kind = words.take("a kind") if words else None
    params: object | None = None
    if kind is not None:
        try:
            params = parse_params(words, kind, qdisc_class(kind.text).params_type)
        except UnknownQdisc:
            raise kind.error(f"no such qdisc; there are {', '.join(kinds())}", TcUnknown) from None
    if dev is None:
        raise action.error("which device? (dev DEV)", TcError)
    if not root:
        raise action.error("where? (root)", TcError)
    if kind is None and action.text not in ("del", "delete"):
        words.take("a kind")
    return QdiscCommand(action, dev, handle, kind, params)


def parse_params(words: Words, kind: Word, params_type: type[Any]) -> object | None:
    """Read ``name value`` pairs up to the line's end into a parameter dataclass; None if there are none."""
    settable = {field.name: field.metadata["unit"] for field in fields(params_type) if "unit" in field.metadata}
    values: dict[str, object] = {}
    while words:
        name = words.take("an option")
        if name.text not in settable:
            there_are = f"there are {', '.join(settable)}" if settable else "there are none"
            raise name.error(f"no such option of {kind.text}; {there_are}", TcError)
        values[name.text] = words.take(f"the value of {name.text}").read(READ[settable[name.text]])
    return params_type(**values) if values else None


def _end(words: Words) -> None:
    if words:
        raise words.take("").error("nothing was expected here", TcError)


class Tc:
    """The command on a set of devices."""

    def __init__(self, devices: Iterable[NetDevice]) -> None:
        self._devices = {device.name: device for device in devices}
        self._next_major = FIRST_OWN_MAJOR

    def run(self, line: str) -> str:
        """Carry out a line; what it prints, "" for a change. Raises :class:`CommandError`."""
        command = parse(line)
        if isinstance(command, ShowCommand):
            devices = self._devices.values() if command.dev is None else [self._device(command.dev)]
            return "".join(show(device, command.statistics) for device in devices)
        dev = self._device(command.dev)
        try:
            if command.action.text.startswith("del"):
                self._delete(dev, command)
            else:
                self._modify(dev, command)
        except CommandError:
            raise
        except ValueError as error:
            raise (command.kind or command.action).error(str(error), TcError) from None
        return ""

    def _device(self, name: Word) -> NetDevice:
        if name.text not in self._devices:
            raise name.error(f"no such device; there are {', '.join(self._devices)}", TcError)
        return self._devices[name.text]

    def _modify(self, dev: NetDevice, command: QdiscCommand) -> None:
        """As the kernel decides it: change the root in place, or make a new one; the default root is no root."""
        assert command.kind is not None
        action, handle, kind = command.action, command.handle, command.kind
        root = dev.qdisc if dev.qdisc.handle else None
        same = root is not None and handle in (None, root.handle)
        if root is not None and action.text == "add":
            raise action.error(f"there is a root {root.kind} {format_handle(root.handle)} already", TcError)
        if root is None and action.text == "change":
            raise action.error("there is no root to change", TcError)
        if root is not None and action.text == "change" and not same:
            raise action.error(f"the root is {root.kind} {format_handle(root.handle)}", TcError)
        if root is not None and same and (action.text == "change" or handle is not None or kind.text == root.kind):
            if kind.text != root.kind:
                raise kind.error(f"the root {format_handle(root.handle)} is a {root.kind}", TcError)
            if command.params is not None:
                root.change(command.params)
            return
        if handle is None:
            handle = self._next_major << 16
            self._next_major += 1
        dev.set_qdisc(qdisc_class(kind.text)(dev, command.params, handle=handle))

    def _delete(self, dev: NetDevice, command: QdiscCommand) -> None:
        root = dev.qdisc
        if not root.handle:
            raise command.action.error("the default root can't be deleted", TcError)
        if command.handle not in (None, root.handle):
            raise command.action.error(f"the root is {root.kind} {format_handle(root.handle)}", TcError)
        if command.kind is not None and command.kind.text != root.kind:
            raise command.kind.error(f"the root is {root.kind} {format_handle(root.handle)}", TcError)
        dev.set_qdisc(dev.make_default_qdisc())


def show(dev: NetDevice, statistics: bool = True) -> str:
    """The device's disciplines as ``tc -d qdisc show`` prints them, with ``-s`` where asked."""
    return "".join(_describe(qdisc, statistics) for qdisc in _tree(dev.qdisc, dev.real_num_tx_queues))


def _tree(qdisc: AnyQdisc, queues: int) -> Iterator[AnyQdisc]:
    """A discipline and those below it, but for those of transmit queues that are not in use."""
    yield qdisc
    for minor, child in qdisc.children():
        if not qdisc.flags & MQROOT or minor <= queues:
            yield from _tree(child, queues)


def _describe(qdisc: AnyQdisc, statistics: bool) -> str:
    root = qdisc.parent_id == ROOT_ID
    place = "root" if root else f"parent {format_handle(qdisc.parent_id)}"
    references = f"refcnt {qdisc.dev.num_tx_queues + 1} " if root and not qdisc.flags & MQROOT else ""
    text = f"qdisc {qdisc.kind} {format_handle(qdisc.handle)} {place} {references}{format_params(qdisc.params())}\n"
    if not statistics:
        return text
    now = qdisc.stats()
    return (
        f"{text} Sent {now.bytes} bytes {now.packets} pkt"
        f" (dropped {now.drops}, overlimits {now.overlimits} requeues {now.requeues}) \n"
        f" backlog {format_size(now.backlog)} {now.qlen}p requeues {now.requeues}\n"
    )


def format_params(params: Any) -> str:
    """``name value`` pairs of a parameter dataclass, in its order."""
    words = []
    for field in fields(params):
        unit, value = field.metadata["shown"], getattr(params, field.name)
        if unit and value is not None:
            words.append(f"{field.name} {SHOW[unit](value)}")
    return " ".join(words)
