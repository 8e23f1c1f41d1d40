"""Reads tables of an experiment's file: which keys there are, how their values are read, and where an error is."""

from __future__ import annotations

import tomllib
import types
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from ringwire.experiment import keys
from ringwire.experiment.tomlfile import ExperimentError, Place, TomlFile, show
from ringwire.ranges import show_ns

GIVEN = ("name", "folder")
"""Fields that are no keys of a dataclass's own: the flow's name, and the folder in which the experiment's file is."""
NEEDS = "needs"
"""In a field's metadata: (field, value) without which its key has no effect; None for any value."""
Overrides = tuple[tuple[str, object], ...]
"""(dotted key, value) of ``--set``, in order; a text may be any value as TOML writes it."""


class Reader:
    """A file with some values set from outside. Every error is an :class:`ExperimentError` that says where."""

    def __init__(self, file: TomlFile, overrides: Overrides = (), arrays: Iterable[str] = ()) -> None:
        self.file = file
        self._arrays = frozenset(arrays)
        """Names of tables of which there may be several."""
        self.values = file.values
        self._overridden: dict[Place, str] = {}
        self.objects: dict[str, dict[str, Any]] = {}
        """What flows share, by the table's name and its own: ``objects["path"]["wan"]``."""
        for key, value in overrides:
            self._override(key, value)

    def _override(self, key: str, value: object) -> None:
        said = f"--set {key}={value if isinstance(value, str) else literal(value)}"
        place = self._place(key, said)
        if isinstance(value, str):
            with suppress(tomllib.TOMLDecodeError):
                value = tomllib.loads(f"x = {value}")["x"]
        at: Any = self.values
        for step in place[:-1]:
            at = at[step] if isinstance(step, int) else at.setdefault(step, {})
            if not isinstance(at, (dict, list)):
                raise ExperimentError(f"{said}: {show(place[:-1])} is not a table")
        if isinstance(at, list):
            raise ExperimentError(f"{said}: there are several; needed: {key.split('.')[0]}.NAME.KEY=VALUE")
        at[place[-1]] = value
        self._overridden[place] = said

    def _place(self, key: str, said: str) -> Place:
        """``nic.ring``, or ``flow.NAME.key`` for what is in an array of tables."""
        steps = key.split(".")
        if not all(steps):
            raise ExperimentError(f"{said}: not a key; allowed: TABLE.KEY=VALUE, flow.NAME.KEY=VALUE")
        array = self.values.get(steps[0])
        if array is None and steps[0] in self._arrays:
            raise ExperimentError(f"{said}: {self.file.path} has no [[{steps[0]}]]")
        if isinstance(array, list) and len(steps) > 2:
            names = [entry.get("name", entry.get("kind")) for entry in array if isinstance(entry, dict)]
            if steps[1] not in names:
                shown = ", ".join(str(name) for name in names)
                raise ExperimentError(f"{said}: no {steps[0]} {steps[1]!r}; there are {shown}")
            return (steps[0], names.index(steps[1]), *steps[2:])
        return tuple(steps)

    # -- errors

    def error(self, place: Place, text: str) -> ExperimentError:
        """``FILE:LINE: nic.ring: text``, or with what ``--set`` said instead of the line."""
        for length in range(len(place), 0, -1):
            if place[:length] in self._overridden:
                return ExperimentError(f"{self._overridden[place[:length]]}: {text}")
        return self.file.error(place, text)

    def error_in_text(self, place: Place, number: int, text: str) -> ExperimentError:
        """``FILE:LINE: text``, or what ``--set`` has set, for the ``number``-th line of a text in several lines."""
        if place in self._overridden:
            return ExperimentError(f"--set {show(place)}, line {number}: {text}")
        return ExperimentError(f"{self.file.path}:{self.file.line_of_text(place, number)}: {text}")

    # -- tables

    def table(self, place: Place, known: Mapping[str, keys.Parser], needed: Iterable[str] = ()) -> dict[str, Any]:
        """The values of a table's keys, read. Unknown keys are refused, the first in the file's order."""
        values = self.at(place, {})
        if not isinstance(values, dict):
            raise self.error(place, f"{show(place)} is not a table")
        self.refuse_unknown(place, values, known)
        for key in needed:
            if key not in values:
                raise self.error(place, f"{show((*place, key))} is missing")
        return {key: self.value((*place, key), known.get(key) or known[short(key)]) for key in values}

    def refuse_unknown(self, place: Place, values: Mapping[str, Any], known: Iterable[str]) -> None:
        """ExperimentError for the first key that is not among those known, with or without its unit."""
        allowed = list(dict.fromkeys(known))
        for key in values:
            if key not in allowed and short(key) not in allowed:
                raise self.error((*place, key), f"no key {show((*place, key))}; allowed: {', '.join(allowed)}")

    def value(self, place: Place, parse: keys.Parser) -> Any:
        """One value, read."""
        value = self.at(place)
        try:
            return parse(value)
        except ValueError as error:
            raise self.error(place, f"{show(place)} = {literal(value)}: {error}") from None

    def time(self, place: Place, default: int, low: int, high: int) -> int:
        """A time between two others, in ns."""
        if self.at(place) is None:
            return default

        def read(value: Any) -> int:
            allowed = f"allowed: {show_ns(low)} to {show_ns(high)}"
            try:
                time_ns: int = keys.time_ns(value)
            except ValueError as error:
                raise ValueError(f"{error}; {allowed}") from None
            if not low <= time_ns <= high:
                raise ValueError(allowed)
            return time_ns

        found: int = self.value(place, read)
        return found

    def at(self, place: Place, default: Any = None) -> Any:
        """What the file has there, unread."""
        values: Any = self.values
        for step in place:
            if isinstance(values, dict) and step not in values:
                return default
            values = values[step]
        return values

    # -- dataclasses

    def make(self, cls: type[Any], place: Place, also: Mapping[str, Any], skip: Iterable[str] = ()) -> Any:
        """An object of a dataclass whose fields a table's keys are, but for those to ``skip``.

        The value of a field named ``..._ns``, ``_bps`` or ``_bytes`` may have a unit, and the key is its name with or
        without that. ``also`` are values of fields that the table does not have.
        """
        table = self.at(place)
        readers = field_readers(cls)
        skip = list(skip)
        values = {key: value for key, value in table.items() if key not in skip}
        self.refuse_unknown(place, values, [*skip, *shown_keys(cls)])
        mine = {field.name for field in fields(cls) if field.init}
        made = {name: value for name, value in also.items() if name in mine}
        for key in values:
            field, parse = next((name, parse) for name, parse in readers.items() if key in (name, short(name)))
            if isinstance(parse, type):
                made[field] = self.shared(parse, (*place, key))
            else:
                made[field] = self.value((*place, key), parse)
        for key in values:
            self._refuse_idle(cls, place, key, made)
        for field in _needed(cls):
            if field not in made:
                raise self.error(place, f"{show((*place, short(field)))} is missing")
        try:
            return cls(**made)
        except ValueError as error:
            word = str(error).split(" ")[0].rstrip(":,")
            key = next((key for key in values if key in (word, short(word))), None)
            at = place if key is None else (*place, key)
            text = str(error).replace(word, show(at), 1) if key is not None else f"{show(place)}: {error}"
            raise self.error(at, text) from None

    def _refuse_idle(self, cls: type[Any], place: Place, key: str, made: Mapping[str, Any]) -> None:
        """ExperimentError for a key that has no effect with what another one says (``needs`` of the field)."""
        field = next(field for field in _keyed(cls) if key in (field.name, short(field.name)))
        other, wanted = field.metadata.get(NEEDS, (None, None))
        if other is None:
            return
        there = made.get(other, next(each.default for each in fields(cls) if each.name == other))
        if there is None or (wanted is not None and there != wanted):
            needed = short(other) if wanted is None else f"{short(other)} = {literal(wanted)}"
            raise self.error((*place, key), f"{show((*place, key))} has no effect without {needed}")

    def shared(self, cls: type[Any], place: Place) -> Any:
        """An object of a dataclass: a table of its own, or the name of one that others may share."""
        value = self.at(place)
        kind = cls.__name__.lower()
        if isinstance(value, dict):
            return self.make(cls, place, {})
        if not isinstance(value, str):
            raise self.error(place, f"{show(place)} is neither a table nor the name of a [[{kind}]]")
        known = self.objects.setdefault(kind, {})
        entries = self.at((kind,), [])
        names = [entry.get("name") for entry in entries if isinstance(entry, dict)]
        for index, name in enumerate(names):
            if not isinstance(name, str) or name in names[:index]:
                raise self.error((kind, index), f"[[{kind}]] number {index + 1}: needed: a name of its own")
        if value not in names:
            there = f"there are {', '.join(map(str, names))}" if names else f"there is no [[{kind}]]"
            raise self.error(place, f"{show(place)} = {literal(value)}: no {kind} of that name; {there}")
        if value not in known:
            index = names.index(value)
            known[value] = self.make(cls, (kind, index), {"name": value}, ("name",))
        return known[value]


def literal(value: Any) -> str:
    """A value about as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


# -- the fields of a dataclass as keys


def short(name: str) -> str:
    """A field's key: its name without the unit that its value may have."""
    for suffix in keys.PARSED_BY_SUFFIX:
        if name.endswith(suffix) and name != suffix:
            return name.removesuffix(suffix)
    return name


def shown_keys(cls: type[Any]) -> list[str]:
    """All keys that a table of a class may have, in their short form."""
    return [short(field.name) for field in _keyed(cls)]


def field_readers(cls: type[Any]) -> dict[str, keys.Parser | type[Any]]:
    """How the value of each field is read; a class for a field that holds an object."""
    hints = get_type_hints(cls)
    return {field.name: _reader(field.name, hints[field.name]) for field in _keyed(cls)}


def _keyed(cls: type[Any]) -> list[Field[Any]]:
    return [field for field in fields(cls) if field.init and field.name not in GIVEN and not field.name.startswith("_")]


def _needed(cls: type[Any]) -> list[str]:
    return [field.name for field in _keyed(cls) if field.default is MISSING and field.default_factory is MISSING]


def _reader(name: str, hint: Any) -> keys.Parser | type[Any]:
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(part for part in get_args(hint) if part is not type(None))
    for suffix, parse in keys.PARSED_BY_SUFFIX.items():
        if name.endswith(suffix):
            return parse
    if isinstance(hint, type) and is_dataclass(hint):
        return hint
    return {bool: keys.switch, int: keys.number, float: keys.real}.get(hint, keys.text)
