"""``ringwire compile`` and ``ringwire tune``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console

from ringwire.compiled.build import compile_model
from ringwire.cosim.run import SimulationFailed
from ringwire.nic.registers import DATA_WIDTHS, QUEUE_COUNTS
from ringwire.places import BuildError
from ringwire.replay.config import ReplayError


@click.command("compile", short_help="Build the model in C: twice as fast and more without the RTL.")
def compile_command() -> None:
    """Build the model in C with mypyc; from then on every command runs that.

    Results are the same to the byte, on the twin in a third of the time, on the RTL in four fifths. A build is for
    one version of the sources: once they are changed the Python files are what runs, until this is called again.
    Drivers, disciplines and flows of your own stay Python. RINGWIRE_COMPILED=0 in the environment runs Python.
    """
    _build("compile", compile_model)


@click.command("tune", short_help="Build the device on Verilator for its traffic: a fifth faster.")
@click.option("--width", type=click.Choice(list(map(str, DATA_WIDTHS))), default="512", help="Data path, bits.  [512]")
@click.option("--queues", type=click.Choice(list(map(str, QUEUE_COUNTS))), default="1", help="Transmit queues.  [1]")
def tune_command(width: str, queues: str) -> None:
    """Build the device on Verilator, guided by what a run of it does (gcc's profile): a fifth faster, and no different.

    It takes two builds and some traffic, a minute or two, and holds until RTL, testbench or tools change.
    """
    from ringwire.compiled.tuning import tune  # brings the numbers libraries of experiments

    _build("tune", lambda tell: tune(int(width), int(queues), tell))


def _build(name: str, make: Callable[[Callable[[str], None]], Path]) -> None:
    console = Console(stderr=True)
    try:
        with console.status(f"{name} ...") as status:
            folder = make(lambda text: status.update(f"{name}: {text}"))
    except (BuildError, SimulationFailed) as error:
        raise ReplayError(str(error)) from error
    console.print(f"{name}: done, {folder}", soft_wrap=True)
