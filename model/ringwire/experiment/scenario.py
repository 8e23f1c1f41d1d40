"""An experiment, read from its file: the rig, the flows, and what is measured of them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ringwire.bql import MAX_LIMIT
from ringwire.experiment import keys
from ringwire.experiment.reader import Overrides, Reader, field_readers, literal, short
from ringwire.experiment.results import SERIES
from ringwire.experiment.tomlfile import ExperimentError, Place, TomlFile, show
from ringwire.host.cpu import HostCosts
from ringwire.registry import LoadError, load_file
from ringwire.rig.config import Rig, SettingError
from ringwire.rig.plugin import resolved
from ringwire.sock import Sock
from ringwire.tools.commands import ScriptError
from ringwire.traffic.datagrams import check
from ringwire.traffic.flow import FLOWS, Flow, UnknownFlow

MIN_DURATION_NS, MAX_DURATION_NS = 1_000, 86_400 * 1_000_000_000
MAX_HOLD_NS = 3_600 * 1_000_000_000
MAX_INTERVAL_NS = 3_600 * 1_000_000_000
DEFAULT_DRAIN_NS = 10_000_000_000
DEFAULT_ROWS = 20_000
BINS = 1000
"""Intervals of a run, unless the file says how long they are."""
COMMON_KEYS = ("kind", "name", "start", "stop", "queue", "cpu")
"""Keys of every ``[[flow]]``, beside those of its kind."""

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
class Entry:
    """A flow and when, where and how it is run."""

    flow: Flow
    kind: str
    start_ns: int
    stop_ns: int
    cpu: int
    queue: int | None


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
    reader.refuse_unknown((), reader.values, (*_TOP, *(shared & _shared_kinds())))
    duration_ns = _duration(reader)
    rig, bql = _rig(reader)
    experiment = Experiment(
        source=source,
        title=reader.value(("title",), keys.text) if "title" in reader.values else source.path.stem,
        duration_ns=duration_ns,
        warmup_ns=_time(reader, ("warmup",), 0, 0, duration_ns - 1),
        drain_ns=_time(reader, ("drain",), DEFAULT_DRAIN_NS, 0, MAX_DURATION_NS),
        seed=rig.seed,
        rig=rig,
        bql=bql,
        probes=_probes(reader, duration_ns),
        entries=_entries(reader, rig, duration_ns),
    )
    if trying:
        with _blaming_settings(reader):
            rig.try_out()
    return experiment


def _duration(reader: Reader) -> int:
    if "duration" not in reader.values:
        raise reader.error((), 'duration is missing; needed: how long traffic runs, such as duration = "100ms"')
    return _time(reader, ("duration",), 0, MIN_DURATION_NS, MAX_DURATION_NS)


def _time(reader: Reader, place: Place, default: int, low: int, high: int) -> int:
    """A time between two others, in ns."""
    if reader.at(place) is None:
        return default

    def read(value: Any) -> int:
        time_ns: int = keys.time_ns(value)
        if not low <= time_ns <= high:
            raise ValueError(f"allowed: {show_ns(low)} to {show_ns(high)}")
        return time_ns

    found: int = reader.value(place, read)
    return found


def show_ns(time_ns: int) -> str:
    """A time as a file has it, exact."""
    for unit, scale in (("s", 10**9), ("ms", 10**6), ("us", 10**3)):
        if time_ns % scale == 0 and time_ns:
            return f"{time_ns // scale}{unit}"
    return f"{time_ns}ns"


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
    settings["setup"] = reader.table(("setup",), {"lines": keys.text}).get("lines", "")
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
    interval_ns = _time(reader, ("probes", "interval"), 0, 1000, MAX_INTERVAL_NS)
    return Probes(read.get("series", tuple(SERIES)), interval_ns, read.get("rows", DEFAULT_ROWS))


# -- flows


def _shared_kinds() -> set[str]:
    """Names of the tables that flows may share: those of the classes that fields of theirs hold."""
    return {
        reader.__name__.lower()
        for kind in FLOWS.kinds()
        for reader in field_readers(FLOWS.find(kind)).values()
        if isinstance(reader, type)
    }


def _entries(reader: Reader, rig: Rig, duration_ns: int) -> tuple[Entry, ...]:
    tables = reader.at(("flow",), [])
    if not isinstance(tables, list) or not tables:
        raise reader.error(("flow",), "no [[flow]]: nothing would be sent; ringwire list shows which kinds there are")
    entries: list[Entry] = []
    names: set[str] = set()
    for index, table in enumerate(tables):
        place: Place = ("flow", index)
        if not isinstance(table, dict):
            raise reader.error(place, f"{show(place)} is not a table; needed: [[flow]]")
        entry = _entry(reader, place, table, rig, duration_ns, names)
        entries.append(entry)
    return tuple(entries)


def _entry(reader: Reader, place: Place, table: dict[str, Any], rig: Rig, duration_ns: int, names: set[str]) -> Entry:
    if "kind" not in table:
        raise reader.error(place, f"{show((*place, 'kind'))} is missing; there are {', '.join(FLOWS.kinds())}")
    kind = reader.value((*place, "kind"), keys.text)
    try:
        cls: type[Any] = FLOWS.find(kind)
    except UnknownFlow as error:
        raise reader.error((*place, "kind"), f"{show((*place, 'kind'))}: {error}") from None
    name = reader.value((*place, "name"), keys.text) if "name" in table else _free_name(kind, names)
    if name in names or not name:
        raise reader.error((*place, "name"), f"{show((*place, 'name'))} = {literal(name)}: needed: a name of its own")
    names.add(name)
    beside: dict[str, Any] = {"name": name, "folder": str(reader.file.path.parent)}
    flow: Flow = reader.make(cls, place, beside, COMMON_KEYS)
    flow.name = name
    if not hasattr(flow, "sk"):
        flow.sk = Sock()
    start_ns = _time(reader, (*place, "start"), 0, 0, duration_ns)
    return Entry(
        flow=flow,
        kind=kind,
        start_ns=start_ns,
        stop_ns=_time(reader, (*place, "stop"), duration_ns, start_ns, duration_ns),
        cpu=_index(reader, (*place, "cpu"), rig.cpus, len(names) - 1) or 0,
        queue=_index(reader, (*place, "queue"), rig.queues, None),
    )


def _free_name(kind: str, names: set[str]) -> str:
    """The kind, with a number if there is one of that name."""
    number = 1
    while (name := kind if number == 1 else f"{kind}-{number}") in names:
        number += 1
    return name


def _index(reader: Reader, place: Place, count: int, default: int | None) -> int | None:
    if reader.at(place) is None:
        return None if default is None else default % count

    def read(value: Any) -> int:
        found = keys.number(value)
        if not 0 <= found < count:
            raise ValueError(f"allowed: 0 to {count - 1}")
        return found

    found: int = reader.value(place, read)
    return found
