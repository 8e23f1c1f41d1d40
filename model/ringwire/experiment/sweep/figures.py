"""What a sweep tells of its points: a row each, and what repeated seeds say together."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from ringwire.experiment.sweep.grid import Grid, show
from ringwire.experiment.sweep.point import Outcome

CONFIDENCE = 0.95
MOST_PLOTS = 24
_USUAL = ("latency_p50_ns", "latency_p99_ns", "rate_bps", "bql_limit_bytes")


def figures(summary: Mapping[str, Any]) -> dict[str, float]:
    """Every number of a summary by where it stands: ``flows.probe.latency_p50_ns``, ``queues.0.frames``."""
    made = dict(_numbers("totals", summary.get("totals") or {}))
    for part, key in (("flows", "flow"), ("queues", "queue")):
        for row in summary.get(part) or []:
            made |= _numbers(f"{part}.{row.get(key)}", {name: value for name, value in row.items() if name != key})
    return made


def _numbers(before: str, values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            yield f"{before}.{name}", value


def named(figure: str) -> tuple[str, str]:
    """A figure as it is shown: ``flows.probe.latency_p50_ns`` is "latency_p50_ns" of "probe"; totals are of ""."""
    subject, _, name = figure.rpartition(".")
    part, _, of = subject.partition(".")
    return (f"tx-{of}" if part == "queues" else of), name


@dataclass(frozen=True, slots=True)
class Swept:
    """A sweep's outcomes with their figures by name; ``names`` in order of first appearance."""

    grid: Grid
    outcomes: Sequence[Outcome]
    figures: Sequence[Mapping[str, float]]
    names: Sequence[str]

    @classmethod
    def of(cls, grid: Grid, outcomes: Sequence[Outcome]) -> Swept:
        found = [figures(outcome.summary) for outcome in outcomes]
        return cls(grid, outcomes, found, list(dict.fromkeys(name for each in found for name in each)))

    @property
    def failed(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.reason]

    @property
    def unknown(self) -> list[str]:
        """Figures that the file asks for and no point has."""
        return [name for name in self.grid.figures if name not in self.names] if self.names else []

    @property
    def plotted(self) -> list[str]:
        """What the file asks for, or what most want to see."""
        if self.grid.figures:
            return [name for name in self.grid.figures if name in self.names]
        usual = [name for name in self.names if name.endswith(_USUAL) or name == "totals.wire utilisation"]
        return (usual or list(self.names))[:MOST_PLOTS]

    @property
    def varied(self) -> list[str]:
        """Keys of the grid that have more than one value; all of them if none has."""
        return [key for key, values in self.grid.values.items() if len(values) > 1] or list(self.grid.values)

    def samples(self, name: str) -> list[tuple[Mapping[str, object], np.ndarray[Any, Any]]]:
        """Each combination of the grid's values, with what its seeds gave for a figure, if they did."""
        groups: dict[tuple[str, ...], tuple[Mapping[str, object], list[float]]] = {}
        for outcome, found in zip(self.outcomes, self.figures, strict=True):
            settings = {key: outcome.point.settings[key] for key in self.grid.values}
            group = groups.setdefault(tuple(show(value) for value in settings.values()), (settings, []))
            if name in found and math.isfinite(found[name]):
                group[1].append(found[name])
        return [(settings, np.array(values, float)) for settings, values in groups.values() if values]


def interval(values: np.ndarray[Any, Any]) -> tuple[float, float] | None:
    """Ends of the confidence interval of the mean, by Student's t over independent seeds. None for a single one."""
    if len(values) < 2:
        return None
    # it takes a second to load, and every worker process loads this package
    from scipy import stats

    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * stats.sem(values))
    mean = float(np.mean(values))
    return mean - half, mean + half


def write_tables(swept: Swept, out: Path) -> None:
    """``sweep.csv`` and ``sweep.parquet``: a row a point with its settings, what became of it, and all its figures."""
    columns: dict[str, pa.Array] = {}
    for key in [*swept.grid.values, "seed"]:
        columns[key] = _column([outcome.point.settings[key] for outcome in swept.outcomes])
    columns["status"] = pa.array(["failed" if outcome.reason else "ok" for outcome in swept.outcomes])
    columns["reason"] = pa.array([outcome.reason for outcome in swept.outcomes])
    columns["folder"] = pa.array([f"points/{outcome.point.name}" for outcome in swept.outcomes])
    for name in swept.names:
        columns[name] = _column([found.get(name) for found in swept.figures])
    table = pa.table(columns)
    pyarrow.csv.write_csv(table, out / "sweep.csv")
    pyarrow.parquet.write_table(table, out / "sweep.parquet")


def _column(values: Iterable[object]) -> pa.Array:
    """As it is if all are of a kind, else as text."""
    values = list(values)
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float}:
        return pa.array(
            [None if value is None else value for value in values], pa.float64() if float in kinds else None
        )
    if kinds in ({bool}, {str}):
        return pa.array(values)
    return pa.array([show(value) for value in values])
