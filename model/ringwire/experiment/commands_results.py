"""``ringwire results``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
from rich.console import Console

from ringwire.experiment.tomlfile import ExperimentError

FAILED = 1


@click.command("results")
@click.argument("names", metavar="[STUDY]...", nargs=-1)
@click.option("--folder", type=click.Path(path_type=Path), default=Path("results/published"), help="For the runs.")
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Runs side by side.  [one a CPU]")
@click.option("--write", type=click.Path(path_type=Path), metavar="FILE", help="All of it as Markdown.")
def results_command(names: tuple[str, ...], folder: Path, jobs: int | None, write: Path | None) -> None:
    """Run published scenarios and compare: published, ours, difference, why.

    All of them take some minutes. The exit code is 1 if a figure does not lie where it is held to.
    """
    from ringwire.experiment.published import STUDIES
    from ringwire.experiment.published.document import document, is_held, tables
    from ringwire.experiment.published.run import run_studies

    there = {study.key: study for study in STUDIES}
    for name in names:
        if name not in there:
            raise ExperimentError(f"no study {name!r}; there are {', '.join(there)}")
    if write is not None and names:
        raise ExperimentError(f"--write {write}: the page has all studies; leave {' '.join(names)} away")
    if write is not None and not os.access(write.parent, os.W_OK):
        raise ExperimentError(f"--write {write}: {write.parent} is no folder that can be written to")
    studies = [there[name] for name in names or there]
    done = 0
    total = len({run for study in studies for run in study.runs})

    def tell(run: object) -> None:
        nonlocal done
        done += 1
        click.echo(f"ringwire: {done} of {total} runs are done", err=True)

    results = run_studies(studies, folder, jobs or os.cpu_count() or 1, tell)
    console = Console()
    for study in studies:
        for table in tables(study, results):
            console.print(table)
    if write is not None:
        write.write_text(document(studies, results), encoding="utf-8")
    if not all(is_held(figure, results) for study in studies for figure in study.figures):
        sys.exit(FAILED)
