"""Runs what studies need, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import as_completed
from pathlib import Path

from ringwire.experiment.published.study import Run, Study
from ringwire.experiment.results import Results
from ringwire.experiment.run import run_experiment
from ringwire.experiment.scenario import Source, read_experiment
from ringwire.experiment.shipped import find
from ringwire.experiment.sweep.workers import Workers


def run_studies(
    studies: Sequence[Study], folder: Path, jobs: int, tell: Callable[[Run], None] = lambda run: None
) -> Mapping[Run, Results]:
    """Results of all their runs, each in a folder of its own below ``folder``; ``tell`` hears of each that is done.

    ExperimentError from a run that failed.
    """
    runs = list(dict.fromkeys(run for study in studies for run in study.runs))
    with Workers(jobs) as workers:
        running = {workers.submit(run_one, run, folder / run.name): run for run in runs}
        for future in as_completed(running):
            future.result()
            tell(running[future])
    return {run: Results.load(folder / run.name) for run in runs}


def run_one(run: Run, folder: Path) -> None:
    """Run a scenario and leave its results. Called in a worker process."""
    run_experiment(read_experiment(Source(*find(run.scenario), run.settings)), folder)
