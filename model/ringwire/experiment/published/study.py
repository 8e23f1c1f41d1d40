"""What a study is: published figures, the runs that give ours, and what is held of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ringwire.experiment.results import Results

Settings = tuple[tuple[str, object], ...]


@dataclass(frozen=True, slots=True)
class Run:
    """A shipped scenario with some keys set otherwise."""

    scenario: str
    settings: Settings = ()

    @property
    def name(self) -> str:
        """Of its folder."""
        return ",".join((self.scenario, *(f"{key}={value}" for key, value in self.settings)))


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

    @property
    def runs(self) -> tuple[Run, ...]:
        """All runs that its figures come from, each once."""
        return tuple(dict.fromkeys(figure.run for figure in self.figures))


# -- figures out of results


def flow(results: Results, name: str) -> Mapping[str, Any]:
    """A flow's row of the summary."""
    return next(row for row in results.summary["flows"] if row["flow"] == name)


def queue(results: Results, index: int = 0) -> Mapping[str, Any]:
    """A queue's row of the summary."""
    return next(row for row in results.summary["queues"] if row["queue"] == index)


def begins_ns(results: Results, name: str) -> list[int]:
    """When each packet of a flow, in the series ``latency``, began to leave."""
    series = results.series["latency"]
    mine = series["flow"] == name
    return [int(value) for value in (series["time_ns"] - series["wire_ns"])[mine]]
