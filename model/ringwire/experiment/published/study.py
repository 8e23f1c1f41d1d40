"""What a study is: published figures, the runs that give ours, and what is held of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from ringwire.experiment.results import Results

MOST_NAME = 120
"""Characters of a folder's name, before what tells two apart that are the same so far."""
Settings = tuple[tuple[str, object], ...]


@dataclass(frozen=True, slots=True)
class Run:
    """A shipped scenario with some keys set otherwise."""

    scenario: str
    settings: Settings = ()

    @property
    def name(self) -> str:
        """Of its folder."""
        whole = ",".join((self.scenario, *(f"{key}={value}" for key, value in self.settings)))
        plain = re.sub(r"[\s/-]+", "-", whole)
        return (
            plain if plain == whole and len(plain) <= MOST_NAME else f"{plain[:MOST_NAME]},{crc32(whole.encode()):08x}"
        )


@dataclass(frozen=True, slots=True)
class Figure:
    """One number."""

    what: str
    """What it is, with what is set."""
    unit: str
    run: Run
    ours: Callable[[Results], float]
    held: tuple[float, float]
    """Ours lies between these, or something has changed; both included."""
    published: float | None = None
    """None: there is none to compare with."""
    why: str = ""
    """What makes the difference, or why there is none."""
    digits: int = 1
    """Behind the point."""
    than: Run | None = None
    """Ours is by how much it is more than in this run; None: it is what it is."""

    @property
    def runs(self) -> tuple[Run, ...]:
        """What ours comes from."""
        return (self.run,) if self.than is None else (self.run, self.than)

    def value(self, results: Mapping[Run, Results]) -> float:
        """Ours, out of the results of at least its runs."""
        base = 0.0 if self.than is None else self.ours(results[self.than])
        return self.ours(results[self.run]) - base


@dataclass(frozen=True, slots=True)
class Column:
    """What a breakdown shows of each run."""

    what: str
    """With its unit."""
    ours: Callable[[Results], float]
    digits: int = 1


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Runs side by side, to look up; nothing is held of it: what a study says is a figure."""

    title: str
    """Head of the runs' names."""
    rows: tuple[tuple[str, Run], ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Study:
    """Figures that belong together."""

    key: str
    title: str
    source: str
    """Who published them."""
    text: str
    """What is asked, and what the answer is."""
    figures: tuple[Figure, ...]
    breakdown: Breakdown | None = None

    @property
    def runs(self) -> tuple[Run, ...]:
        """All runs that it needs, each once."""
        shown = () if self.breakdown is None else tuple(run for _, run in self.breakdown.rows)
        return tuple(dict.fromkeys((*(run for figure in self.figures for run in figure.runs), *shown)))


def near(value: float, share: float = 0.02) -> tuple[float, float]:
    """Where a figure lies that is not derived but was found: what is drawn has a seed, so that nothing strays."""
    return value * (1 - share), value * (1 + share)


# -- figures out of results


def flow(results: Results, name: str) -> Mapping[str, Any]:
    """A flow's row of the summary."""
    return next(row for row in results.summary["flows"] if row["flow"] == name)


def queue(results: Results, index: int = 0) -> Mapping[str, Any]:
    """A queue's row of the summary."""
    return next(row for row in results.summary["queues"] if row["queue"] == index)


def bql_limit(results: Results) -> float:
    """What byte queue limits had settled at in the end, bytes."""
    return float(queue(results)["bql_limit_bytes"])


def most_in_ring(results: Results) -> float:
    """Bytes."""
    return float(max(results.series["ring"]["bytes"]))


def sparse_median_us(results: Results) -> float:
    """Of the sparse flow's packets, from their write to the end of their frame."""
    return float(flow(results, "sparse")["latency_p50_ns"]) / 1000


def begins_ns(results: Results, name: str) -> list[int]:
    """When each packet of a flow, in the series ``latency``, began to leave."""
    series = results.series["latency"]
    mine = series["flow"] == name
    return [int(value) for value in (series["time_ns"] - series["wire_ns"])[mine]]
