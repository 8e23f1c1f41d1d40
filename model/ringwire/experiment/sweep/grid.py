"""A sweep's file: which experiment, which values of which keys, which seeds.

::

    base = "scenario.toml"              # beside this file; or a shipped scenario's name
    title = "Rings and byte queue limits"
    seeds = 3                           # 1, 2, 3; or a list of seeds
    figures = ["flows.probe.latency_p50_ns", "totals.wire utilisation"]   # which to plot; all are in the table

    [grid]
    "nic.ring" = [64, 256, 1024]        # a key of the experiment with the values that it takes
    "nic.bql" = [true, false]
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ringwire.experiment.scenario import Source, read_experiment
from ringwire.experiment.shipped import find
from ringwire.experiment.tomlfile import ExperimentError

MOST_POINTS = 100_000
MOST_TRIES = 50
"""Combinations of other keys with which a value is tried."""
_KEYS = ("base", "title", "seeds", "figures", "grid")


class GridError(ValueError):
    """A sweep's file can't be used; the text is one line: where, what, and what is allowed."""


@dataclass(frozen=True, slots=True)
class Point:
    """One run of a sweep. ``settings`` are the grid's keys with this point's values, and ``seed``."""

    settings: Mapping[str, object]

    @property
    def seed(self) -> int:
        return int(str(self.settings["seed"]))

    @property
    def name(self) -> str:
        """Its folder's: readable, and different for each setting however long."""
        text = ",".join(f"{key}={show(value)}" for key, value in self.settings.items())
        digest = hashlib.sha256(json.dumps(dict(self.settings), sort_keys=True).encode()).hexdigest()[:8]
        return re.sub(r"[^A-Za-z0-9._=,-]+", "_", text)[:80].strip("_.,") + "-" + digest


@dataclass(frozen=True, slots=True)
class Grid:
    """What to run. ``base`` and ``text`` are the experiment: its file, and what that holds."""

    title: str
    base: Path
    text: str
    values: Mapping[str, Sequence[object]]
    seeds: Sequence[int]
    figures: Sequence[str]

    @property
    def base_digest(self) -> str:
        """Of the experiment's text: a result is of use again only if this is the same."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def __len__(self) -> int:
        count = len(self.seeds)
        for values in self.values.values():
            count *= len(values)
        return count

    def points(self) -> Iterator[Point]:
        """The product of all values and seeds; seeds change fastest."""
        for combination in itertools.product(*self.values.values()):
            for seed in self.seeds:
                yield Point({**dict(zip(self.values, combination, strict=True)), "seed": seed})


def show(value: object) -> str:
    """A value of the grid as text."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return value if isinstance(value, str) else json.dumps(value)


def read_grid(path: Path) -> Grid:
    """Read a sweep's file, or say in one line what is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except OSError as error:
        raise GridError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise GridError(f"{path}: not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise GridError(f"{path}: {error}") from None
    return _Reader(path, text, document).grid()


def try_grid(grid: Grid, path: Path) -> None:
    """GridError for a key or a value that the experiment refuses, and for figures of flows that it does not have.

    A value is refused if it can be with none of the others, of whose combinations the first few are tried: a point that
    can't be is told of when it has failed, and loses no other.
    """
    reader = _Reader(path, path.read_text(encoding="utf-8"), {})
    for key, values in (grid.values or {"": [None]}).items():
        for value in values:
            others = {other: each for other, each in grid.values.items() if other != key}
            refused: list[ExperimentError] = []
            for combination in itertools.islice(itertools.product(*others.values()), MOST_TRIES):
                settings = {**({key: value} if key else {}), **dict(zip(others, combination, strict=True))}
                try:
                    experiment = read_experiment(Source(grid.base, grid.text, tuple(settings.items())))
                    break
                except ExperimentError as error:
                    refused.append(error)
            else:
                named, text = _without_set(str(refused[0]))
                at = named if named in grid.values else key
                raise reader.error(at or "base", text if at else f"base {text}") from None
    flows = [entry.flow.name for entry in experiment.entries]
    for figure in grid.figures:
        of, _, rest = figure.partition(".")
        if of == "flows" and not any(rest.startswith(f"{name}.") for name in flows):
            raise reader.error("figures", f"{figure}: there is no such flow; there are {', '.join(flows)}")


def _without_set(text: str) -> tuple[str, str]:
    """The key of ``--set KEY=VALUE: ...`` and what is said of it; of any other text "", and all of it."""
    found = re.match(r"--set ([^=\s]+)=", text)
    return (found[1], text.removeprefix("--set ")) if found else ("", text)


class _Reader:
    def __init__(self, path: Path, text: str, document: dict[str, Any]) -> None:
        self._path, self._lines, self._document = path, text.splitlines(), document

    def grid(self) -> Grid:
        for key in self._document:
            if key not in _KEYS:
                raise self.error(key, f"unknown key {key}; there are {', '.join(_KEYS)}")
        base, text = self._base()
        made = Grid(
            title=self._text("title", self._path.stem),
            base=base,
            text=text,
            values=self._values(),
            seeds=self._seeds(),
            figures=self._figures(),
        )
        if len(made) > MOST_POINTS:
            raise self.error("grid", f"{len(made):,} points; at most {MOST_POINTS:,}")
        return made

    def _base(self) -> tuple[Path, str]:
        base = self._document.get("base")
        if not isinstance(base, str) or not base:
            raise self.error("base", 'base is the experiment\'s file or a shipped scenario, base = "scenario.toml"')
        beside = (self._path.parent / base).resolve()
        try:
            return find(str(beside) if beside.exists() else base)
        except ExperimentError as error:
            raise self.error("base", f"base {error}") from None

    def _values(self) -> dict[str, Sequence[object]]:
        table = self._document.get("grid", {})
        if not isinstance(table, dict):
            raise self.error("grid", 'grid is a table [grid] of lines like "nic.ring" = [64, 256]')
        made: dict[str, Sequence[object]] = {}
        for key, values in _flat(table):
            if not isinstance(values, list) or not values:
                raise self.error(key, f"{key} is a list of the values that it takes")
            if key == "seed":
                raise self.error(key, "seed is no key of the grid; seeds = [1, 2, 3] says which")
            try:
                texts = [json.dumps(value, sort_keys=True) for value in values]
            except TypeError:
                raise self.error(
                    key, f"{key}: numbers, texts, true, false, lists and tables of them; no times"
                ) from None
            if len(set(texts)) < len(texts):
                raise self.error(key, f"{key}: a value is there twice")
            made[key] = values
        return made

    def _seeds(self) -> Sequence[int]:
        seeds = self._document.get("seeds", 1)
        if isinstance(seeds, int) and not isinstance(seeds, bool) and seeds > 0:
            return range(1, seeds + 1)
        whole = isinstance(seeds, list) and all(type(seed) is int and seed >= 0 for seed in seeds)
        if not whole or not seeds or len(set(seeds)) < len(seeds):
            raise self.error("seeds", "seeds is how many, from 1, or a list of different seeds from 0")
        return list(seeds)

    def _figures(self) -> Sequence[str]:
        figures = self._document.get("figures", [])
        if not isinstance(figures, list) or not all(isinstance(figure, str) for figure in figures):
            raise self.error("figures", 'figures is a list such as ["flows.probe.latency_p50_ns"]')
        return list(dict.fromkeys(figures))

    def _text(self, key: str, default: str) -> str:
        value = self._document.get(key, default)
        if not isinstance(value, str):
            raise self.error(key, f"{key} is a text")
        return value

    def error(self, key: str, text: str) -> GridError:
        """With the line that the key, or its last part, stands on."""
        pattern = re.compile(rf"""^\s*\[?\s*["']?(?:.*\.)?{re.escape(key.rpartition(".")[2])}["']?\s*[\]=.]""")
        for number, line in enumerate(self._lines, 1):
            if pattern.match(line):
                return GridError(f"{self._path}:{number}: {text}")
        return GridError(f"{self._path}: {text}")


def _flat(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Keys with their dots: nic.ring without quotation marks is a table in a table."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value
