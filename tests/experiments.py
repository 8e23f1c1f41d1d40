"""Experiments for tests: made of TOML text, run on the twin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ringwire.experiment.results import Results
from ringwire.experiment.run import run_experiment
from ringwire.experiment.scenario import Experiment, Source, read_experiment

PATH = Path("x.toml")
FREE = """
duration = "1ms"
[link]
rate = "1gbit"
[nic]
device = "twin"
[host]
cost = "free"
"""
"""A host whose work takes no time, 1 Gb/s: to be followed by flows."""


def experiment(text: str, path: Path = PATH, **settings: str) -> Experiment:
    """Read one; ``nic__ring="64"`` is ``--set nic.ring=64``."""
    overrides = tuple((key.replace("__", "."), value) for key, value in settings.items())
    return read_experiment(Source(path, text, overrides))


def run(text: str, folder: Path, **settings: str) -> Results:
    """Run one, in a folder; it must show no problem."""
    results = run_experiment(experiment(text, folder / "test.toml", **settings), folder / "out")
    assert results.summary["problems"] == []
    return results


def flow(results: Results, name: str) -> dict[str, Any]:
    """A flow's row of the summary."""
    row: dict[str, Any] = next(row for row in results.summary["flows"] if row["flow"] == name)
    return row


def packets(results: Results, name: str) -> list[dict[str, Any]]:
    """A flow's packets, as the series ``latency`` has them."""
    table = results.series["latency"]
    rows = zip(*(column.tolist() for column in table.values()), strict=True)
    return [row for row in (dict(zip(table, values, strict=True)) for values in rows) if row["flow"] == name]
