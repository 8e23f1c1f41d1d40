"""``tc actions``: actions by themselves, by kind and index; after tc/m_action.c of iproute2 6.1."""

from __future__ import annotations

from dataclasses import dataclass

from ringwire.action import ActionSpec, UnknownAction, action_class
from ringwire.netdev.device import NetDevice
from ringwire.qdisc.errors import QdiscError
from ringwire.tools.jsonwriter import compact, pretty
from ringwire.tools.tc.action_reader import read_actions
from ringwire.tools.tc.control import verdict_named
from ringwire.tools.tc.errors import PARSE_STATUS, USAGE_STATUS, TcError, invarg, refused, take
from ringwire.tools.tc.output import Output
from ringwire.tools.tc.show_actions import TICK_NS, show_actions
from ringwire.tools.units import parse_decimal, parse_u32
from ringwire.tools.words import Word, Words

TALKING = "\nWe have an error talking to the kernel"
USAGE = "usage: tc actions <ACTSPECOP>*"
MS_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class ActionsChange:
    """``tc actions add|change|replace``."""

    action: Word
    specs: tuple[ActionSpec, ...]
    replace: bool


@dataclass(frozen=True, slots=True)
class ActionsDelete:
    """``tc actions del``, of some by index, or ``flush``, of all of a kind."""

    action: Word
    kinds: tuple[tuple[Word, int], ...]
    flush: bool


@dataclass(frozen=True, slots=True)
class ActionsShow:
    """``tc actions ls``, of a kind, or ``get``, of some by index."""

    action: Word
    kinds: tuple[tuple[Word, int], ...]
    listing: bool
    since_ms: int
    statistics: bool
    details: bool
    json: bool
    pretty: bool


def read_actions_command(
    words: Words, statistics: bool, details: bool, json: bool, pretty: bool
) -> ActionsChange | ActionsDelete | ActionsShow:
    """What follows ``actions``."""
    if not words:
        return ActionsShow(words.here, (), True, 0, statistics, details, json, pretty)
    action = take(words)
    name = action.text
    if name in ("add", "change", "replace"):
        if not words:
            raise TcError(action, 'Illegal "action"', status=USAGE_STATUS)
        return ActionsChange(action, _specs(words, action), name != "add")
    if name in ("delete", "del", "get"):
        kinds = _indices(words)
        if name == "get":
            return ActionsShow(action, kinds, False, 0, statistics, details, json, pretty)
        return ActionsDelete(action, kinds, False)
    if name in ("list", "ls", "show", "flush"):
        words.skip("action")
        if not words:
            raise TcError(words.here, USAGE, status=USAGE_STATUS)
        kind = take(words)
        since = 0
        if words.peek() == "since":
            take(words)
            word = take(words)
            try:
                since = parse_u32(word.text)
            except ValueError:
                raise invarg(word, 'dump time "since" is invalid') from None
        if name == "flush":
            return ActionsDelete(action, ((kind, 0),), True)
        return ActionsShow(action, ((kind, 0),), True, since, statistics, details, json, pretty)
    printed = f'Command "{name}" is unknown, try "tc actions help".'
    raise TcError(action, printed, allowed="add, change, replace, del, get, ls and flush", status=USAGE_STATUS)


def _specs(words: Words, action: Word) -> tuple[ActionSpec, ...]:
    try:
        specs = read_actions(words)
    except TcError as error:
        raise error if error.status != PARSE_STATUS else error.with_status(USAGE_STATUS) from None
    if not specs:
        raise TcError(action, 'Illegal "action"', status=USAGE_STATUS)
    return specs


def _indices(words: Words) -> tuple[tuple[Word, int], ...]:
    """``action KIND index N``, once or more."""
    kinds = []
    while words:
        if words.skip("action"):
            continue
        kind = take(words)
        complaint = f"Error: no index specified action: {kind.text}"
        if not words or not "index".startswith(words.peek()):
            raise TcError(words.here, complaint, status=USAGE_STATUS)
        take(words)
        word = take(words)
        try:
            kinds.append((kind, parse_decimal(word.text)))
        except ValueError:
            raise TcError(word, 'Illegal "index"', status=USAGE_STATUS) from None
    return tuple(kinds)


def run_actions(
    command: ActionsChange | ActionsDelete | ActionsShow, dev: NetDevice | None, warnings: list[str]
) -> str:
    """Carry one out on the host that ``dev`` belongs to; what it prints, and adds to the warnings."""
    if dev is None:
        return ""
    try:
        match command:
            case ActionsChange():
                dev.net.actions.add(dev, command.specs, command.replace)
            case ActionsDelete():
                for kind, index in command.kinds:
                    _known(kind, command.flush)
                    if not command.flush:
                        dev.net.actions.delete(kind.text, index)
                    elif dev.net.actions.flush(kind.text):
                        warnings.append("Warning: Unable to flush all TC actions.")
            case ActionsShow():
                return _show(command, dev)
    except QdiscError as error:
        raise _refused(command, error) from None
    return ""


def _known(kind: Word, flush: bool = False) -> None:
    try:
        action_class(kind.text)
    except UnknownAction:
        message = "Cannot flush unknown TC action" if flush else "Specified TC action kind not found"
        raise QdiscError("ENOENT" if not flush else "EINVAL", message) from None


def _refused(command: ActionsChange | ActionsDelete | ActionsShow, error: QdiscError) -> TcError:
    """tc loses its way after some errors and reads the next word as a command."""
    if isinstance(command, ActionsDelete) and command.flush:
        return refused(command.action, error, "\nWe have an error flushing").with_status(PARSE_STATUS)
    more = TALKING
    if not isinstance(command, ActionsChange):
        more += '\nCommand "action" is unknown, try "tc actions help".'
    return refused(command.action, error, more).with_status(USAGE_STATUS)


def _show(command: ActionsShow, dev: NetDevice) -> str:
    out = Output(command.details, command.statistics, command.pretty)
    now = dev.now_ns()
    actions = []
    for kind, index in command.kinds:
        if not command.listing:
            _known(kind)
            actions.append(dev.net.actions.get(kind.text, index))
        else:
            name = "gact" if verdict_named(kind.text) is not None else kind.text
            actions += dev.net.actions.of_kind(name)
    if command.since_ms:
        actions = [each for each in actions if (now - each.used_ns) // TICK_NS * TICK_NS <= command.since_ms * MS_NS]
    if not actions:
        return compact([]) if command.json else ""
    show_actions(out, actions, 0 if command.listing else 1, now, alone=True)
    total = len(actions) if command.listing else 0
    if command.json:
        objects = [{"total acts": total}, out.json]
        return pretty(objects) if command.pretty else compact(objects)
    return f"total acts {total}\n{out.text}"
