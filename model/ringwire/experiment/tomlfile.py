"""A TOML file whose values know their lines, for errors that say where."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Place = tuple[str | int, ...]
"""Way to a value: keys of tables, and indexes of arrays from 0."""


class ExperimentError(Exception):
    """An experiment can't be run as asked; the text is one line: where, what, and what is allowed."""

    began = False
    """It began to run, and went wrong."""


class TomlFile:
    """What a file holds: ``values`` as tomllib gives them. :class:`ExperimentError` if it is not TOML."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.text = text
        self._lines = text.splitlines(keepends=True)
        try:
            self.values: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            what, _, where = str(error).rpartition(" (at ")
            if where.startswith("line "):
                line, column = where.removeprefix("line ").rstrip(")").split(", column ")
                raise ExperimentError(f"{path}:{line}: column {column}: {what}") from None
            raise ExperimentError(f"{path}:{len(self._lines)}: {what or error}") from None

    @classmethod
    def read(cls, path: Path) -> TomlFile:
        """Read a file; ExperimentError if that is not possible."""
        try:
            return cls(path, path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ExperimentError(f"{path}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise ExperimentError(f"{path}: not UTF-8 text; needed: a TOML file") from None

    def line(self, place: Place) -> int:
        """The line, from 1, of the statement that makes a value; of what it would be in, if there is no such value.

        tomllib tells no places. But the text up to a line's end is a TOML file too, unless the line is in the middle
        of a value: the statement begins behind the longest beginning of the file that lacks the value.
        """
        while place and not _has(self.values, place):
            place = place[:-1]
        if not place:
            return 1
        without = 0
        for count in range(1, len(self._lines) + 1):
            try:
                values = tomllib.loads("".join(self._lines[:count]))
            except tomllib.TOMLDecodeError:
                continue
            if _has(values, place):
                break
            without = count
        return without + 1

    def line_of_text(self, place: Place, number: int) -> int:
        """The line of the ``number``-th line of a text in several lines."""
        first = self.line(place)
        opens = self._lines[first - 1].rstrip().endswith(('"""', "'''"))
        return first + number - (not opens)

    def error(self, place: Place, text: str) -> ExperimentError:
        """The error ``FILE:LINE: text`` for a value."""
        return ExperimentError(f"{self.path}:{self.line(place)}: {text}")


def _has(values: Any, place: Place) -> bool:
    for step in place:
        if isinstance(step, int):
            if not isinstance(values, Sequence) or len(values) <= step:
                return False
        elif not isinstance(values, Mapping) or step not in values:
            return False
        values = values[step]
    return True


def show(place: Place) -> str:
    """A place as in TOML's own words: ``nic.ring``, ``flow[2].rate`` (arrays count from 1)."""
    text = ""
    for step in place:
        text += f"[{step + 1}]" if isinstance(step, int) else f"{'.' * bool(text)}{step}"
    return text
