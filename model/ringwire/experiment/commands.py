"""``ringwire run``, ``list`` and ``new``."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click
from rich.console import Console

from ringwire.experiment.shipped import find
from ringwire.experiment.tomlfile import ExperimentError

if TYPE_CHECKING:
    from ringwire.experiment.run import Stop
    from ringwire.progress import TimeBar

FAILED, INTERRUPTED = 1, 130
TEMPLATE = resources.files("ringwire.experiment") / "template.toml"

_EPILOG = """\b
Examples:
  ringwire new mine.toml
  ringwire run mine.toml
  ringwire run bql --device verilator --set nic.bql=off --out results/no-bql
  ringwire run mine.toml --load bursts.py --seed 7 --json
"""


@click.command("run", epilog=_EPILOG)
@click.argument("file", metavar="FILE.toml|NAME")
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Results.  [results/NAME]")
@click.option("--device", metavar="NAME", help="verilator, icarus, or twin: no simulator.")
@click.option("--set", "settings", metavar="KEY=VALUE", multiple=True, help="Another value: nic.ring=1024. Repeatable.")
@click.option("--seed", type=int, metavar="N", help="Of all that is random.")
@click.option("--load", metavar="FILE.py", multiple=True, help="Further kinds of flows, of your own. Repeatable.")
@click.option("--no-report", is_flag=True, help="Without plots and page, which take a second or two.")
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON.")
def run_command(
    file: str,
    out: Path | None,
    device: str | None,
    settings: tuple[str, ...],
    seed: int | None,
    load: tuple[str, ...],
    no_report: bool,
    as_json: bool,
) -> None:
    """Run an experiment: a file, or a shipped scenario by its name (ringwire list).

    It leaves a folder: report.html and its plots, summary.json, each series as CSV and Parquet, the wire as pcap, and a
    file for flent. The exit code is 0 only if nothing was wrong on the way. Ctrl-C ends a run early; what it has
    measured so far is kept.
    """
    # numpy, Arrow and the RTL's tools take a second to load, which other commands need not wait for
    from ringwire.experiment.run import Stop, run_experiment
    from ringwire.experiment.scenario import Source, read_experiment
    from ringwire.experiment.show import show_summary
    from ringwire.progress import TimeBar

    path, text = find(file)
    overrides = [pair(setting) for setting in settings]
    overrides += [("nic.device", device)] if device is not None else []
    overrides += [("seed", str(seed))] if seed is not None else []
    experiment = read_experiment(Source(path, text, tuple(overrides), load))
    folder = Path("results") / path.stem if out is None else out
    stop = Stop()
    with TimeBar(experiment.rig.sim, experiment.duration_ns, Console(stderr=True)) as bar, stopping(stop, bar):
        results = run_experiment(experiment, folder, bar.advanced, stop)
    if not no_report:
        from ringwire.experiment.report import write_report

        try:
            write_report(folder, results)
        except KeyboardInterrupt:
            said = f"{folder} has the results, and no page of them: ringwire report {folder} makes it"
            click.echo(f"ringwire: interrupted; {said}", err=True)
            sys.exit(INTERRUPTED)
    if as_json:
        click.echo(json.dumps(results.summary, indent=1))
    else:
        click.echo(results.summary["printed"], nl=False)
        show_summary(results, Console(), str(folder))
    if results.summary["partial"]:
        sys.exit(INTERRUPTED)
    if results.summary["problems"]:
        sys.exit(FAILED)


@click.command("list")
@click.option("--load", metavar="FILE.py", multiple=True, help="Further kinds of flows, of your own. Repeatable.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_command(load: tuple[str, ...], as_json: bool) -> None:
    """What there is: scenarios, kinds of flows and their keys, disciplines."""
    from ringwire.experiment.listing import listing
    from ringwire.registry import LoadError, load_file

    try:
        for name in load:
            load_file(name)
    except LoadError as error:
        raise ExperimentError(f"--load {error}") from None
    found = listing()
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    for title, entries in found.items():
        click.echo(f"{title}:")
        for name, what in entries.items():
            click.echo(f"  {name:18}{what}".rstrip())


@click.command("new")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE.toml")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
def new_command(file: Path, force: bool) -> None:
    """Write an experiment to begin with: complete, with a comment on every key."""
    if file.exists() and not force:
        raise ExperimentError(f"{file}: it is there already; another name, or --force")
    try:
        file.write_text(TEMPLATE.read_text(encoding="utf-8"), encoding="utf-8")
    except OSError as error:
        raise ExperimentError(f"{file}: {error.strerror}") from None
    click.echo(f"{file}; run it with: ringwire run {file}")


def pair(setting: str) -> tuple[str, str]:
    """Both sides of ``KEY=VALUE``."""
    key, equals, value = setting.partition("=")
    if not equals or not key:
        raise ExperimentError(f"--set {setting}: not of the form KEY=VALUE")
    return key.strip(), value.strip()


@contextmanager
def stopping(stop: Stop, bar: TimeBar) -> Iterator[None]:
    """Inside, the first Ctrl-C or SIGTERM asks a run to hand over what it has; before it runs, and the second time,
    they end it at once.
    """
    before = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, frame: FrameType | None) -> None:
        if not stop.asked and bar.begun:
            stop.ask()
            return
        handler = before[number]
        if callable(handler):
            handler(number, frame)
        raise KeyboardInterrupt

    for number in before:
        signal.signal(number, ask)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
