"""``ringwire report`` and ``ringwire sweep``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
from rich.console import Console

FAILED, INTERRUPTED = 1, 130


@click.command("report")
@click.argument("folder", type=click.Path(path_type=Path))
def report_command(folder: Path) -> None:
    """Make plots and page of a run's results again.

    FOLDER is what a run has left. In it are made plots/NAME.png and .svg, and report.html, which is one file that opens
    from disk.
    """
    # Altair and what belongs to it take a second to load, which other commands need not wait for
    from ringwire.experiment.report import ReportError, write_report

    try:
        page = write_report(folder)
    except ReportError as error:
        raise click.UsageError(str(error)) from None
    click.echo(page)


@click.command("sweep")
@click.argument("file", metavar="GRID.toml", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Where to.  [GRID, beside GRID.toml]")
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Points side by side.  [one a CPU]")
@click.option("--cluster", default="", metavar="ADDRESS", help="A Dask scheduler, tcp://HOST:PORT, instead.")
def sweep_command(file: Path, out: Path | None, jobs: int | None, cluster: str) -> None:
    """Run an experiment over a grid of settings and seeds.

    GRID.toml names the experiment, the keys that vary with their values, and the seeds; docs/report.md describes it.
    FOLDER gets a folder a point, sweep.csv and .parquet with a row a point, box plots, and sweep.html. Points that are
    there already, from the same settings, are not run again. The exit code is 1 if a point failed.
    """
    from ringwire.experiment.sweep import ClusterError, GridError, read_grid, sweep, try_grid
    from ringwire.experiment.sweep.progress import SweepProgress

    if cluster and jobs is not None:
        raise click.UsageError("--jobs is for this machine; a cluster has its own workers")
    try:
        grid = read_grid(file)
        try_grid(grid, file)
    except GridError as error:
        raise click.UsageError(str(error)) from None
    out = out or file.with_suffix("")
    if out.exists() and not out.is_dir():
        raise click.UsageError(f"--out {out}: it is no folder")
    with SweepProgress(len(grid), Console(stderr=True)) as progress:
        try:
            swept = sweep(grid, out, jobs or os.cpu_count() or 1, cluster, tell=progress.tell)
        except ClusterError as error:
            raise click.UsageError(str(error)) from None
        except KeyboardInterrupt:
            done = f"{progress.done} of {len(grid)} points are done"
            click.echo(f"ringwire: interrupted; {done}, the same command does the rest", err=True)
            sys.exit(INTERRUPTED)
    click.echo(out / "sweep.html")
    for outcome in swept.failed:
        click.echo(f"ringwire: {outcome.folder.name}: {outcome.reason}", err=True)
    if swept.unknown:
        click.echo(f"ringwire: no point has the figures {', '.join(swept.unknown)}", err=True)
    if swept.failed or swept.unknown:
        sys.exit(FAILED)
