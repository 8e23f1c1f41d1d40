"""An experiment, read from its file: the rig, the flows, and what is measured of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ringwire.experiment import keys
from ringwire.experiment.entries import Entry, read_entries, shared_kinds
from ringwire.experiment.reader import Overrides, Reader, literal
from ringwire.experiment.results import SERIES
from ringwire.experiment.rigtables import BqlKnobs, blaming_settings, folder_of, read_rig
from ringwire.experiment.tomlfile import ExperimentError, TomlFile
from ringwire.registry import LoadError, load_file
from ringwire.rig.config import Rig
from ringwire.tools.commands import Commands, ScriptError

MIN_DURATION_NS, MAX_DURATION_NS = 1_000, 86_400 * 1_000_000_000
MAX_INTERVAL_NS = 3_600 * 1_000_000_000
DEFAULT_DRAIN_NS = 10_000_000_000
DEFAULT_ROWS = 20_000
BINS = 1000
"""Intervals of a run, unless the file says how long they are."""

_TOP = ("title", "duration", "warmup", "drain", "seed", "folder", "link", "nic", "host", "setup", "probes", "flow")


@dataclass(frozen=True, slots=True)
class Probes:
    """What is measured, and how finely."""

    series: tuple[str, ...] = tuple(SERIES)
    interval_ns: int = 0
    """Of the time series, to begin with: it doubles when a run outgrows them. 0: a thousandth of the run."""
    rows: int = DEFAULT_ROWS
    """Packets of a flow that ``latency`` has at the most: every n-th, n doubling as needed."""


@dataclass(frozen=True, slots=True)
class Source:
    """What an experiment is made of; travels to a simulator's process, where it is read again."""

    path: Path
    text: str
    overrides: Overrides = ()
    load: tuple[str, ...] = ()
    """Files of a user's with further kinds of flows."""

    def settled(self) -> Source:
        """The same, for a process in another folder."""
        return replace(self, path=self.path.resolve(), load=tuple(str(Path(name).resolve()) for name in self.load))


@dataclass(frozen=True, slots=True)
class Experiment:
    """One experiment. Times in nanoseconds of simulated time since the traffic began."""

    source: Source
    folder: Path
    """Beside which the files are that it names."""
    names_files: bool
    """There may be such files."""
    title: str
    duration_ns: int
    warmup_ns: int
    """Packets written before count in no figure."""
    drain_ns: int
    """How long the packets that are left when flows have stopped may take, at the most."""
    seed: int
    rig: Rig
    bql: BqlKnobs
    then: str
    """Lines for the end, once the traffic is over."""
    probes: Probes
    entries: tuple[Entry, ...]

    @property
    def interval_ns(self) -> int:
        """Of the time series."""
        return self.probes.interval_ns or max(1000, -(-self.duration_ns // BINS))


def read_experiment(source: Source, trying: bool = True) -> Experiment:
    """Read an experiment and, unless it was done before, try its rig and lines on a null device.

    :class:`ExperimentError` names the first thing that is wrong.
    """
    for name in source.load:
        try:
            load_file(name)
        except LoadError as error:
            raise ExperimentError(f"--load {error}") from None
    shared = sorted(shared_kinds())
    reader = Reader(TomlFile(source.path, source.text), source.overrides, ("flow", *shared))
    reader.refuse_unknown((), reader.values, (*_TOP, *shared))
    for name in shared:
        if not isinstance(reader.at((name,), []), list):
            raise reader.error((name,), f"{name} is not an array of tables; needed: [[{name}]]")
    duration_ns = _duration(reader)
    rig, bql = read_rig(reader)
    entries = read_entries(reader, rig, duration_ns)
    experiment = Experiment(
        source=source,
        folder=folder_of(reader),
        names_files=bool(rig.driver or rig.select_queue or any(hasattr(entry.flow, "folder") for entry in entries)),
        title=reader.value(("title",), keys.text) if "title" in reader.values else source.path.stem,
        duration_ns=duration_ns,
        warmup_ns=reader.time(("warmup",), 0, 0, duration_ns - 1),
        drain_ns=reader.time(("drain",), DEFAULT_DRAIN_NS, 0, MAX_DURATION_NS),
        seed=rig.seed,
        rig=rig,
        bql=bql,
        then=reader.at(("setup", "then"), ""),
        probes=_probes(reader, duration_ns),
        entries=entries,
    )
    if trying:
        with blaming_settings(reader):
            dev = rig.try_out()
        try:
            Commands([dev]).run_script(experiment.then)
        except ScriptError as error:
            raise reader.error_in_text(("setup", "then"), error.number, str(error.cause)) from None
    return experiment


def _duration(reader: Reader) -> int:
    if "duration" not in reader.values:
        raise reader.error((), 'duration is missing; needed: how long traffic runs, such as duration = "100ms"')
    return reader.time(("duration",), 0, MIN_DURATION_NS, MAX_DURATION_NS)


# -- what is measured


def _probes(reader: Reader, duration_ns: int) -> Probes:
    def series(value: Any) -> tuple[str, ...]:
        allowed = ", ".join(SERIES)
        if not isinstance(value, list):
            raise ValueError(f"not a list; allowed: of {allowed}")
        for name in value:
            if name not in SERIES:
                raise ValueError(f"no series {literal(name)}; allowed: {allowed}")
        return tuple(value)

    def rows(value: Any) -> int:
        count = keys.number(value)
        if not 2 <= count <= 1 << 20:
            raise ValueError(f"allowed: 2 to {1 << 20}")
        return count

    read = reader.table(("probes",), {"series": series, "interval": keys.time_ns, "rows": rows})
    interval_ns = reader.time(("probes", "interval"), 0, 1000, MAX_INTERVAL_NS)
    return Probes(read.get("series", tuple(SERIES)), interval_ns, read.get("rows", DEFAULT_ROWS))
