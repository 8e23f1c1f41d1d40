"""One point: run, kept in a folder of its own, and found there again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ringwire.experiment.results import Results
from ringwire.experiment.sweep.grid import Grid, Point

RunPoint = Callable[[Mapping[str, object], Path], Results]
"""Runs an experiment with some keys set otherwise, and leaves its files in a folder."""

RECORD = "point.json"
"""What the folder's run was asked for; written before it begins, so that what is there belongs to it."""


def experiment(grid: Grid) -> RunPoint:
    """What runs a point: the experiment that the grid is based on."""
    return partial(_run_experiment, grid.base, grid.text)


def _run_experiment(base: Path, text: str, settings: Mapping[str, object], folder: Path) -> Results:
    # only now: whoever plans a sweep need not load what runs it
    from ringwire.experiment.report import write_report
    from ringwire.experiment.run import run_experiment
    from ringwire.experiment.scenario import Source, read_experiment

    results = run_experiment(read_experiment(Source(base, text, tuple(settings.items()))), folder)
    write_report(folder, results)
    return results


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a point. ``reason`` is one line if it failed, "" if not."""

    point: Point
    folder: Path
    summary: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    again: bool = False
    """It was there already."""


def finished(point: Point, folder: Path, base_digest: str) -> Outcome | None:
    """The point's result from an earlier sweep, if it is whole and was run with the same settings."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if record != _record(point, base_digest) or not isinstance(summary, dict) or summary.get("partial"):
        return None
    return Outcome(point, folder, summary, again=True)


def run(run_point: RunPoint, point: Point, folder: Path, base_digest: str) -> Outcome:
    """Run a point; whatever goes wrong in it is its reason. Called in a worker process, here or on a cluster."""
    try:
        if (folder / RECORD).exists():
            shutil.rmtree(folder)  # of a run that was not finished, or was another one
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RECORD).write_text(json.dumps(_record(point, base_digest), indent=1) + "\n", encoding="utf-8")
        results = run_point(point.settings, folder)
        if not (folder / "summary.json").exists():
            results.save(folder)
    except (Exception, SystemExit) as error:
        return Outcome(point, folder, reason=one_line(error))
    if results.summary.get("partial"):
        return Outcome(point, folder, reason="it was ended before its time")
    return Outcome(point, folder, results.summary)


def one_line(error: BaseException) -> str:
    """An exception as a reason."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _record(point: Point, base_digest: str) -> dict[str, Any]:
    # through JSON, so that it compares equal to what was read
    made: dict[str, Any] = json.loads(json.dumps({"settings": dict(point.settings), "base": base_digest}))
    return made
