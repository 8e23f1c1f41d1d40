"""Runs what studies need, side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, field
from pathlib import Path

from ringwire.experiment.published.study import Run, Study
from ringwire.experiment.results import Results
from ringwire.experiment.run import run_experiment
from ringwire.experiment.scenario import Source, read_experiment
from ringwire.experiment.shipped import find
from ringwire.experiment.sweep.workers import WorkerDied, Workers
from ringwire.experiment.tomlfile import ExperimentError


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of runs."""

    results: dict[Run, Results] = field(default_factory=dict)
    failed: dict[Run, str] = field(default_factory=dict)
    """Of those that gave none: why, in a line."""

    @property
    def problems(self) -> list[str]:
        """What was wrong, a line each: runs that failed, and what the others showed that they must not."""
        lines = [f"{run.name}: {why}" for run, why in self.failed.items()]
        return lines + [
            f"{run.name}: {text}" for run, made in self.results.items() for text in made.summary["problems"]
        ]


def run_studies(
    studies: Sequence[Study], folder: Path, jobs: int, tell: Callable[[Run], None] = lambda run: None
) -> Ran:
    """Run all that they need, each in a folder of its own below ``folder``; ``tell`` hears of each that has ended."""
    runs = list(dict.fromkeys(run for study in studies for run in study.runs))
    ran = Ran()
    with Workers(jobs) as workers:
        running = {workers.submit(run_one, run, folder / run.name): run for run in runs}
        for future in as_completed(running):
            run = running[future]
            try:
                future.result()
                ran.results[run] = Results.load(folder / run.name)
            except (ExperimentError, WorkerDied) as error:
                ran.failed[run] = str(error)
            tell(run)
    return ran


def run_one(run: Run, folder: Path) -> None:
    """Run a scenario and leave its results. Called in a worker process."""
    run_experiment(read_experiment(Source(*find(run.scenario), run.settings)), folder)
