"""``sweep.html``: what a sweep found, in the style of a run's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from ringwire.experiment.report.chart import Plot
from ringwire.experiment.report.page import list_files, render
from ringwire.experiment.report.tables import parted
from ringwire.experiment.report.text import Cell, Column, Grid, heading, number
from ringwire.experiment.sweep.figures import Swept, interval, named
from ringwire.experiment.sweep.grid import show

MEANS = 5
"""Columns of a table of means, about, of which each is wide."""


def sweep_page(out: Path, swept: Swept, plots: Sequence[Plot]) -> str:
    """The page; ``out`` is where it will lie."""
    grid = swept.grid
    return render(
        "sweep.html.j2",
        grid.title,
        plots,
        (0.0, 0.0),
        subtitle=f"{len(swept.outcomes):,} points, {len(grid.seeds)} seed{'s' * (len(grid.seeds) > 1)} each",
        banners=_banners(swept),
        varied=[(key, ", ".join(show(value) for value in values)) for key, values in grid.values.items()]
        + [("seed", ", ".join(str(seed) for seed in grid.seeds))],
        tables=_means(swept),
        points=_points(out, swept),
        still=plots,
        files=list_files(out),
    )


def _banners(swept: Swept) -> list[dict[str, Any]]:
    made = []
    if failed := swept.failed:
        lines = [f"{outcome.point.name}: {outcome.reason}" for outcome in failed]
        made.append({"kind": "bad", "title": f"{len(failed)} of {len(swept.outcomes)} points failed", "lines": lines})
    if swept.unknown:
        made.append({"kind": "warn", "title": "No point has these figures", "lines": swept.unknown})
    return made


def _means(swept: Swept) -> list[Grid]:
    """Of each combination the mean over its seeds, and half the width of its confidence interval."""
    return [_means_of(swept, names) for names in parted(swept.plotted, max(MEANS - len(swept.varied), 2))]


def _means_of(swept: Swept, names: Sequence[str]) -> Grid:
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for name in names:
        for settings, values in swept.samples(name):
            row = rows.setdefault(tuple(show(settings[key]) for key in swept.varied), {})
            ends = interval(values)
            row[name] = number(name, float(np.mean(values)))
            if ends is not None:
                row[name] += f" ± {number(name, (ends[1] - ends[0]) / 2)}"
    columns = [*(Column(key, False) for key in swept.varied), *(Column(_short(name), True) for name in names)]
    cells = [[Cell(text) for text in (*key, *(row.get(name, "-") for name in names))] for key, row in rows.items()]
    return Grid(columns, cells)


def _points(out: Path, swept: Swept) -> Grid:
    columns = [*(Column(key, False) for key in swept.grid.values), Column("seed", True), Column("", False)]
    rows = []
    for outcome in swept.outcomes:
        settings: Mapping[str, object] = outcome.point.settings
        page = outcome.folder / "report.html"
        target = page if page.is_file() else outcome.folder
        href = f"./points/{quote(outcome.point.name)}" + ("/report.html" if target is page else "/")
        link = Cell("failed" if outcome.reason else "report" if target is page else "folder", href)
        rows.append([*(Cell(show(settings[key])) for key in swept.grid.values), Cell(str(outcome.point.seed)), link])
    return Grid(columns, rows)


def _short(name: str) -> str:
    """A figure as a column's heading."""
    subject, last = named(name)
    return f"{subject}: {heading(last)}" if subject else heading(last)
