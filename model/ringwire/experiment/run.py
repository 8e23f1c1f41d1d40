"""From an experiment's file to a folder of results."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from ringwire.experiment import ownfiles
from ringwire.experiment.asrun import as_run
from ringwire.experiment.flent import write_flent
from ringwire.experiment.job import Work
from ringwire.experiment.results import Results
from ringwire.experiment.scenario import Experiment
from ringwire.experiment.tomlfile import ExperimentError
from ringwire.places import BuildError
from ringwire.rig.run import RunFailed, run_on

JOB = "ringwire.experiment.job.run"


class ExperimentFailed(ExperimentError):
    """A run began and went wrong."""

    began = True


class Stop:
    """Ends runs early, which then hand over what they have: in this process, and in a simulator's."""

    def __init__(self) -> None:
        self.asked = False
        self._files: list[Path] = []

    def ask(self) -> None:
        """End the runs that are under way, soon."""
        self.asked = True
        for file in self._files:
            file.touch()

    def enter(self, file: Path) -> None:
        """A run has begun that looks whether there is this file."""
        self._files.append(file)

    def leave(self, file: Path) -> None:
        self._files.remove(file)


def run_experiment(
    experiment: Experiment,
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
    stop: Stop | None = None,
) -> Results:
    """Run an experiment; its results are in ``folder`` then, as :mod:`ringwire.experiment.results` says, and here.

    ``progress`` is told simulated ns and frames on the wire. :class:`ExperimentError`, one line, if it can't be run or
    fails; nothing is left then. A run that showed what it must not has it among its summary's ``problems``.
    """
    stop = Stop() if stop is None else stop
    source = experiment.source.settled()

    def tell(text: str) -> None:
        simulated_ns, frames = text.split()
        if progress is not None:
            progress(int(simulated_ns), int(frames))

    target = prepare(folder)
    try:
        beside = tempfile.TemporaryDirectory(prefix=".ringwire-", dir=target.parent)
    except OSError as error:
        raise ExperimentError(f"--out {folder}: {error.strerror}") from None
    with beside as name:
        work_folder = Path(name).resolve()
        wire, file = work_folder / "wire.pcap", work_folder / "stop"
        stop.enter(file)
        try:
            lookahead_ns = min(entry.flow.lookahead_ns for entry in experiment.entries)
            results: Results = run_on(
                experiment.rig, JOB, Work(source, wire, file), tell, wake_on_frame=lookahead_ns == 0
            )
        except BuildError as error:
            raise ExperimentError(str(error)) from error
        except RunFailed as error:
            raise ExperimentFailed(str(error)) from error
        finally:
            stop.leave(file)
        _leave(results, experiment, wire, target)
    return results


def prepare(folder: Path) -> Path:
    """Where results go: a folder that can be made, or one in which nothing is in the way but what a run has left."""
    target = folder.resolve()
    if target.exists() and not target.is_dir():
        raise ExperimentError(f"--out {folder}: not a folder")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        foreign = ownfiles.foreign(target)
    except OSError as error:
        raise ExperimentError(f"--out {folder}: {error.strerror}") from None
    if foreign is not None:
        name = foreign.relative_to(target)
        raise ExperimentError(
            f"--out {folder}: {name} is there and no run has left it; name another folder, or move it"
        )
    return target


def _leave(results: Results, experiment: Experiment, wire: Path, target: Path) -> None:
    try:
        flent = f"{experiment.source.path.stem}.flent.gz"
        ownfiles.remove(target)  # of a run before
        ownfiles.claim(target, ("wire.pcap", "experiment.toml", flent))
        results.save(target)
        shutil.move(wire, target / "wire.pcap")
        (target / "experiment.toml").write_text(as_run(experiment), encoding="utf-8")
        write_flent(results, target / flent)
    except OSError as error:
        raise ExperimentError(f"--out {target}: {error.strerror}") from None
