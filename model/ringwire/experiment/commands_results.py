"""``ringwire results``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
from rich.console import Console

from ringwire.experiment.tomlfile import ExperimentError

FAILED, INTERRUPTED = 1, 130


@click.command("results")
@click.argument("names", metavar="[STUDY]...", nargs=-1)
@click.option("--folder", type=click.Path(path_type=Path), default=Path("results/published"), help="For the runs.")
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Runs side by side.  [one a CPU]")
@click.option("--write", type=click.Path(path_type=Path), metavar="FILE", help="All of it as Markdown.")
def results_command(names: tuple[str, ...], folder: Path, jobs: int | None, write: Path | None) -> None:
    """Run published scenarios and compare: published, ours, difference, why.

    All of them take some minutes. The exit code is 1 if a run fails or shows what it must not, or a figure does not lie
    where it is held to.
    """
    from ringwire.experiment.published import STUDIES
    from ringwire.experiment.published.document import block, document, is_held
    from ringwire.experiment.published.run import run_studies

    there = {study.key: study for study in STUDIES}
    for name in names:
        if name not in there:
            raise ExperimentError(f"no study {name!r}; there are {', '.join(there)}")
    if write is not None:
        _check_page(write, names)
    _make_folder(folder)
    studies = [there[name] for name in dict.fromkeys(names or there)]
    done = 0
    total = len({run for study in studies for run in study.runs})

    def tell(run: object) -> None:
        nonlocal done
        done += 1
        click.echo(f"ringwire: {done} of {total} runs are done", err=True)

    try:
        ran = run_studies(studies, folder, jobs or os.cpu_count() or 1, tell)
    except KeyboardInterrupt:
        click.echo(f"ringwire: interrupted; the {done} of {total} runs that are done are in {folder}", err=True)
        sys.exit(INTERRUPTED)
    console = Console()
    for study in studies:
        console.print(block(study, ran.results))
    for problem in ran.problems:
        click.echo(f"ringwire: {problem}", err=True)
    if write is not None and ran.failed:
        click.echo(f"ringwire: --write {write}: not written, since runs have failed", err=True)
    elif write is not None:
        write.write_text(document(studies, ran.results, ran.problems), encoding="utf-8")
    held = all(is_held(figure, ran.results) for study in studies for figure in study.figures)
    if ran.problems or not held:
        sys.exit(FAILED)


def _check_page(page: Path, names: tuple[str, ...]) -> None:
    """The page can be written, which is known before all the runs."""
    if names:
        raise ExperimentError(f"--write {page}: the page has all studies; leave {' '.join(names)} away")
    if page.is_dir():
        raise ExperimentError(f"--write {page}: a folder; needed: a file")
    if not os.access(page if page.exists() else page.parent, os.W_OK):
        raise ExperimentError(f"--write {page}: it can't be written")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExperimentError(f"--folder {folder}: {error.strerror}") from None
