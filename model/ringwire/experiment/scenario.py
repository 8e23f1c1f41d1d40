"""An experiment, read from its file: the rig, the flows, and what is measured of them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ringwire.bql import MAX_LIMIT
from ringwire.experiment import keys
from ringwire.experiment.entries import Entry, read_entries, shared_kinds
from ringwire.experiment.reader import Overrides, Reader, literal, short
from ringwire.experiment.results import SERIES
from ringwire.experiment.tomlfile import ExperimentError, Place, TomlFile, show
from ringwire.host.cpu import HostCosts
from ringwire.registry import LoadError, load_file
from ringwire.rig.config import Rig, SettingError
from ringwire.rig.plugin import resolved
from ringwire.tools.commands import Commands, ScriptError
from ringwire.traffic.datagrams import check

MIN_DURATION_NS, MAX_DURATION_NS = 1_000, 86_400 * 1_000_000_000
MAX_HOLD_NS = 3_600 * 1_000_000_000
MAX_INTERVAL_NS = 3_600 * 1_000_000_000
DEFAULT_DRAIN_NS = 10_000_000_000
DEFAULT_ROWS = 20_000
BINS = 1000
"""Intervals of a run, unless the file says how long they are."""

_TOP = ("title", "duration", "warmup", "drain", "seed", "link", "nic", "host", "setup", "probes", "flow")
_LINK: dict[str, tuple[str, keys.Parser]] = {
    "rate": ("line_rate_bps", keys.rate_bps),
    "width": ("width", keys.number),
    "clock": ("clock_mhz", keys.clock_mhz),
    "mtu": ("mtu", keys.size),
    "latency": ("mem_latency_ns", keys.time_ns),
    "jitter": ("mem_jitter_ns", keys.time_ns),
    "stalls": ("read_stalls", keys.real),
}
_NIC: dict[str, tuple[str, keys.Parser]] = {
    "device": ("sim", keys.text),
    "queues": ("queues", keys.number),
    "ring": ("ring", keys.number),
    "txqueuelen": ("txqueuelen", keys.number),
    "tx_usecs": ("tx_usecs", lambda value: value if isinstance(value, int) else keys.time_us(value)),
    "tx_frames": ("tx_frames", keys.number),
    "completion_threshold": ("cpl_threshold", keys.number),
    "completion_timer": ("cpl_timer_ns", keys.time_ns),
    "report_every": ("report_every", keys.number),
    "napi_budget": ("napi_budget", keys.number),
    "watchdog": ("watchdog_ms", keys.time_ms),
    "tso": ("tso", keys.switch),
    "csum": ("csum", keys.switch),
    "driver": ("driver", keys.text),
    "select_queue": ("select_queue", keys.text),
    "jump": ("jump", keys.switch),
}
_HOST: dict[str, tuple[str, keys.Parser]] = {"cpus": ("cpus", keys.number)}
_PLACES: dict[str, Place] = {
    **{field: ("link", key) for key, (field, _) in _LINK.items()},
    **{field: ("nic", key) for key, (field, _) in _NIC.items()},
    **{field: ("host", key) for key, (field, _) in _HOST.items()},
    "seed": ("seed",),
    "setup": ("setup", "lines"),
}
"""Where each setting of the rig stands in a file."""


@dataclass(frozen=True, slots=True)
class BqlKnobs:
    """What of ``byte_queue_limits`` is set for every queue; None: as it is. Bytes, and milliseconds."""

    limit_min_bytes: int | None = None
    limit_max_bytes: int | None = None
    hold_ns: int | None = None

    def __post_init__(self) -> None:
        for name, most in (("limit_min_bytes", MAX_LIMIT), ("limit_max_bytes", MAX_LIMIT), ("hold_ns", MAX_HOLD_NS)):
            value = getattr(self, name)
            if value is not None:
                check(name, value, 0, most)


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
    reader = Reader(TomlFile(source.path, source.text), source.overrides)
    shared = {name for name in reader.values if name not in _TOP and isinstance(reader.values[name], list)}
    reader.refuse_unknown((), reader.values, (*_TOP, *(shared & shared_kinds())))
    duration_ns = _duration(reader)
    rig, bql = _rig(reader)
    experiment = Experiment(
        source=source,
        title=reader.value(("title",), keys.text) if "title" in reader.values else source.path.stem,
        duration_ns=duration_ns,
        warmup_ns=reader.time(("warmup",), 0, 0, duration_ns - 1),
        drain_ns=reader.time(("drain",), DEFAULT_DRAIN_NS, 0, MAX_DURATION_NS),
        seed=rig.seed,
        rig=rig,
        bql=bql,
        then=reader.at(("setup", "then"), ""),
        probes=_probes(reader, duration_ns),
        entries=read_entries(reader, rig, duration_ns),
    )
    if trying:
        with _blaming_settings(reader):
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


# -- the rig


def _rig(reader: Reader) -> tuple[Rig, BqlKnobs]:
    settings: dict[str, Any] = {}
    tables: tuple[tuple[str, dict[str, tuple[str, keys.Parser]], dict[str, keys.Parser]], ...] = (
        ("link", _LINK, {}),
        ("nic", _NIC, {"bql": keys.anything}),
        ("host", _HOST, {"cost": keys.anything, "jitter": keys.time_ns}),
    )
    for table, known, more in tables:
        read = reader.table((table,), {key: parse for key, (_, parse) in known.items()} | more)
        settings |= {known[key][0]: value for key, value in read.items() if key in known}
    settings["setup"] = reader.table(("setup",), {"lines": keys.text, "then": keys.text}).get("lines", "")
    if "seed" in reader.values:
        settings["seed"] = reader.value(("seed",), keys.number)
    settings["costs"] = _costs(reader)
    on, knobs = _bql(reader)
    for name in ("driver", "select_queue"):
        if name in settings:
            settings[name] = _beside(reader, settings[name])
    with _blaming_settings(reader):
        rig = Rig(bql=on, **settings)
    return rig, knobs


def _beside(reader: Reader, name: str) -> str:
    """``FILE.py:Name`` with the file looked for beside the experiment's."""
    where, colon, attribute = name.rpartition(":")
    return f"{reader.file.path.parent / where}{colon}{attribute}" if where.endswith(".py") else resolved(name)


def _costs(reader: Reader) -> HostCosts:
    place: Place = ("host", "cost")
    value = reader.at(place, "server")
    bases = {"server": HostCosts(), "free": HostCosts.free()}
    if isinstance(value, dict):
        names = [field.name for field in fields(HostCosts) if field.name != "jitter_ns"]
        read = reader.table(place, {"base": keys.text} | {short(name): keys.time_ns for name in names})
        base = read.pop("base", "server")
        place = (*place, "base")
        single = {key if key.endswith("_ns") else f"{key}_ns": value for key, value in read.items()}
    else:
        base, single = value, {}
    if not isinstance(base, str) or base not in bases:
        raise reader.error(place, f"{show(place)} = {literal(base)}; allowed: server, free, or a table of single costs")
    if "jitter" in reader.at(("host",), {}):
        single["jitter_ns"] = reader.value(("host", "jitter"), keys.time_ns)
    return replace(bases[base], **single)


def _bql(reader: Reader) -> tuple[bool, BqlKnobs]:
    place = ("nic", "bql")
    value = reader.at(place, True)
    if isinstance(value, dict):
        made: BqlKnobs = reader.make(BqlKnobs, place, {})
        return True, made
    try:
        return keys.switch(value), BqlKnobs()
    except ValueError:
        raise reader.error(
            place, f"{show(place)} = {literal(value)}; allowed: on, off, {{limit_min, limit_max, hold}}"
        ) from None


class _blaming_settings:
    """Inside, what a rig refuses is told with its place in the file."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, SettingError):
            return
        place = _PLACES[error.field]
        if isinstance(error.cause, ScriptError):
            raise self._reader.error_in_text(place, error.cause.number, str(error.cause.cause)) from None
        raise self._reader.error(place, error.text(lambda field: show(_PLACES.get(field, (field,))))) from None


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
