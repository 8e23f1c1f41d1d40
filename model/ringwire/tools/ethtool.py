"""``ethtool``: rings, interrupt moderation, queues, features, private flags and statistics, as ethtool 6.1 has them.

A line prints what the tool prints and is refused in its words. What it does there is as functions as well, in
:mod:`ringwire.tools.ethtool_settings` and :mod:`ringwire.tools.features`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeAlias

from ringwire.netdev.device import NetDevice
from ringwire.netdev.errors import ERRNO_TEXT, DeviceError
from ringwire.tools.ethtool_settings import (
    CHANNELS,
    COALESCING,
    RINGS,
    U32,
    Channels,
    Group,
    RingParams,
    Value,
    get_channels,
    get_coalesce,
    get_priv_flags,
    get_ring,
    get_statistics,
    set_channels,
    set_coalesce,
    set_priv_flags,
    set_ring,
    show_priv_flags,
    show_statistics,
)
from ringwire.tools.features import features_json, get_features, members, set_features, show_features
from ringwire.tools.jsonwriter import pretty
from ringwire.tools.refusal import Refused, by_name
from ringwire.tools.words import Word, Words

USAGE = "ethtool: bad command line argument(s)\nFor more information run ethtool -h"


class Ethtool:
    """The command on a set of devices."""

    def __init__(self, devices: Iterable[NetDevice]) -> None:
        self._devices = by_name(devices)

    def run(self, line: str) -> str:
        """Carry out a line; what it prints, "" for most changes. Raises CommandError, Refused with ethtool's words."""
        words = Words(line)
        words.skip("ethtool")
        json = words.skip("--json")
        option = words.here
        if option.text not in _OPTIONS:
            shown = [name for name in _OPTIONS if len(name) == 2 or name.endswith("-priv-flags")]
            raise Refused(option, USAGE, allowed=", ".join(shown))
        words.take("an option")
        if not words:
            raise Refused(words.here, USAGE, allowed="the name of a device")
        return _OPTIONS[option.text](self, option, words, json)

    def _show(self, option: Word, words: Words, json: bool, show: Show) -> str:
        name = words.take("a device")
        if words:
            raise Refused(words.here, f"ethtool: unexpected parameter '{words.peek()}'", allowed="nothing more")
        dev = self._device(name)
        try:
            return pretty([show.json(dev)]) if json else show.text(dev)
        except DeviceError as error:
            raise _netlink(error, option, error.message) from None

    def _change(self, option: Word, words: Words, group: Group) -> str:
        name = words.take("a device")
        wanted: dict[str, Value] = {}
        places: dict[str, Word] = {}
        while words:
            word = words.take("a parameter")
            if word.text not in group.settable:
                printed = f"ethtool ({_short(option)}): unknown parameter '{word.text}'"
                raise Refused(word, printed, allowed=", ".join(group.settable))
            if word.text in wanted:
                raise Refused(word, f"ethtool ({_short(option)}): duplicate parameter '{word.text}'", allowed="once")
            is_switch = word.text in group.switches
            allowed = "on or off" if is_switch else f"0 to {U32}"
            if not words:
                printed = f"ethtool ({_short(option)}): no value for parameter '{word.text}'"
                raise Refused(words.here, printed, allowed=allowed)
            value = words.take("a value")
            read = _switch(value.text) if is_switch else _u32(value.text)
            if read is None:
                printed = f"ethtool ({_short(option)}): invalid value '{value.text}' for parameter '{word.text}'"
                raise Refused(value, printed, allowed=allowed)
            wanted[word.text], places[word.text] = read, value
        dev = self._device(name, group.status)
        try:
            group.write(dev, wanted)
        except DeviceError as error:
            place = places.get(error.knob, option)
            offset = _first_attribute(dev) + 8 * list(wanted).index(error.knob) if error.knob in wanted else 0
            message = f"{error.message} (offset {offset})" if error.message else ""
            raise _netlink(error, place, message, group.status) from None
        return ""

    def _change_features(self, option: Word, words: Words) -> str:
        name = words.take("a device")
        # the tool does not say which feature lacks a switch, but what stands in its place
        switches, places = _take_switches(words, lambda word, here: f"(-K): flag '{here or '(null)'}'")
        dev = self._device(name, 92)
        try:
            changes = set_features(dev, switches)
        except DeviceError as error:
            message = f"{error.message} (offset {_offset_of_bit(dev, error.knob, switches, members)})"
            raise _netlink(error, places[error.knob], message, 92) from None
        if changes.nothing_done:
            blamed = next(iter(places.values()), words.here)
            can = [name for name, state in get_features(dev).items() if not state.fixed]
            printed = "Could not change any device features"
            raise Refused(blamed, printed, allowed=", ".join(can), output=changes.text())
        return changes.text()

    def _show_priv_flags(self, option: Word, words: Words, json: bool) -> str:
        if json:
            raise Refused(option, USAGE, allowed="this option without --json")
        return self._show(option, words, False, Show(show_priv_flags, lambda dev: {}))

    def _change_priv_flags(self, option: Word, words: Words) -> str:
        name = words.take("a device")
        flags, places = _take_switches(words, lambda word, here: f"({option.text}): flag '{word}'")
        dev = self._device(name)
        try:
            set_priv_flags(dev, flags)
        except DeviceError as error:
            offset = _offset_of_bit(dev, error.knob, flags, lambda flag: (flag,))
            message = f"{error.message} (offset {offset})" if error.message else ""
            raise _netlink(error, places.get(error.knob, option), message) from None
        return ""

    def _statistics(self, option: Word, words: Words, json: bool) -> str:
        name = words.take("a device")
        if words:
            printed = f"ethtool (-S): unknown parameter '{words.peek()}'"
            raise Refused(words.here, printed, allowed="nothing more")
        if name.text not in self._devices:
            printed = f"Cannot get stats strings information: {ERRNO_TEXT['ENODEV']}"
            raise Refused(name, printed, allowed=", ".join(self._devices), status=96)
        dev = self._devices[name.text]
        found = get_statistics(dev)
        if not found:
            raise Refused(name, "no stats available", status=94)
        return pretty([{"ifname": dev.name, **found}]) if json else show_statistics(dev)

    def _device(self, name: Word, status: int = 1) -> NetDevice:
        if name.text not in self._devices:
            printed = f"netlink error: no device matches name (offset 24)\nnetlink error: {ERRNO_TEXT['ENODEV']}"
            raise Refused(name, printed, allowed=", ".join(self._devices), status=status)
        return self._devices[name.text]


def _take_switches(words: Words, blamed: Callable[[str, str], str]) -> tuple[dict[str, bool], dict[str, Word]]:
    """Names with on or off, to the line's end, and where the names are. ``blamed`` begins what the tool says of one
    without; it is given the name and what follows it.
    """
    switches: dict[str, bool] = {}
    places: dict[str, Word] = {}
    while words:
        word = words.take("a name")
        on = _switch(words.peek())
        if on is None:
            printed = (
                f"ethtool {blamed(word.text, words.peek())} for parameter '(null)' is not followed by 'on' or 'off'"
            )
            raise Refused(words.here, printed, allowed=f"{word.text} on or {word.text} off")
        words.take("on or off")
        # the last of two switches holds, so it also has to come last
        switches.pop(word.text, None)
        switches[word.text], places[word.text] = on, word
    return switches, places


class Show(NamedTuple):
    """How an option shows a device."""

    text: Callable[[NetDevice], str]
    json: Callable[[NetDevice], Mapping[str, object]]


_Handler: TypeAlias = Callable[[Ethtool, Word, Words, bool], str]


def _shows(show: Show) -> _Handler:
    return lambda tool, option, words, json: tool._show(option, words, json, show)


def _changes(group: Group) -> _Handler:
    return lambda tool, option, words, json: tool._change(option, words, group)


def _option_table() -> dict[str, _Handler]:
    """Handlers by option, long names included."""
    table: dict[str, _Handler] = {}
    for group, show, change in (
        (RINGS, ("-g", "--show-ring"), ("-G", "--set-ring")),
        (COALESCING, ("-c", "--show-coalesce"), ("-C", "--coalesce")),
        (CHANNELS, ("-l", "--show-channels"), ("-L", "--set-channels")),
    ):
        table |= dict.fromkeys(show, _shows(Show(group.text, group.json)))
        table |= dict.fromkeys(change, _changes(group))
    features = _shows(Show(show_features, features_json))
    table |= dict.fromkeys(("-k", "--show-features", "--show-offload"), features)
    table |= dict.fromkeys(
        ("-K", "--features", "--offload"), lambda tool, option, words, json: tool._change_features(option, words)
    )
    table |= dict.fromkeys(("-S", "--statistics"), Ethtool._statistics)
    table["--show-priv-flags"] = Ethtool._show_priv_flags
    table["--set-priv-flags"] = lambda tool, option, words, json: tool._change_priv_flags(option, words)
    return table


_OPTIONS = _option_table()
_SHORT = {"--set-ring": "-G", "--coalesce": "-C", "--set-channels": "-L"}


def _short(option: Word) -> str:
    return _SHORT.get(option.text, option.text)


def _netlink(error: DeviceError, word: Word, message: str, status: int = 1) -> Refused:
    """A refusal of the kernel in ethtool's words."""
    lines = [f"netlink error: {text}" for text in (message, ERRNO_TEXT[error.errno]) if text]
    return Refused(word, "\n".join(lines), allowed=error.allowed, status=status)


def _first_attribute(dev: NetDevice) -> int:
    """Where in ethtool's request the first parameter is, bytes: behind two headers and the device's name."""
    return 20 + 4 + _aligned(4 + len(dev.name) + 1)


def _offset_of_bit(
    dev: NetDevice, wrong: str, switches: Mapping[str, bool], members: Callable[[str], Iterable[str]]
) -> int:
    """Where in ethtool's request the name of a bit is, bytes; ``members`` are the bits that a name stands for."""
    offset = _first_attribute(dev) + 20
    for name, on in switches.items():
        if name == wrong:
            break
        offset += sum(4 + _aligned(4 + len(member) + 1) + 4 * on for member in members(name))
    return offset


def _aligned(length: int) -> int:
    return -(-length // 4) * 4


def _u32(text: str) -> int | None:
    """As ethtool reads a number: decimal, or hexadecimal behind 0x."""
    if not re.fullmatch(r"\+?(0[xX][0-9a-fA-F]+|[0-9]+)", text):
        return None
    value = int(text, 16) if "x" in text.lower() else int(text)
    return value if value <= U32 else None


def _switch(text: str) -> bool | None:
    return {"on": True, "off": False}.get(text)


__all__ = [
    "Channels",
    "Ethtool",
    "RingParams",
    "get_channels",
    "get_coalesce",
    "get_priv_flags",
    "get_ring",
    "get_statistics",
    "set_channels",
    "set_coalesce",
    "set_priv_flags",
    "set_ring",
]
