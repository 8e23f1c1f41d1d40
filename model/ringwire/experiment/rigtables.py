"""The tables of an experiment's file that say what it runs on: ``[link]``, ``[nic]``, ``[host]`` and ``[setup]``."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ringwire.bql import MAX_LIMIT
from ringwire.experiment import keys
from ringwire.experiment.reader import Reader, literal, short
from ringwire.experiment.tomlfile import Place, show
from ringwire.host.cpu import HostCosts
from ringwire.ranges import check
from ringwire.rig.config import Rig, SettingError
from ringwire.rig.plugin import resolved
from ringwire.tools.commands import ScriptError

MAX_HOLD_NS = 3_600 * 1_000_000_000

_LINK: dict[str, tuple[str, keys.Parser]] = {
    "rate": ("line_rate_bps", keys.line_rate_bps),
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
    "tx_usecs": ("tx_usecs", keys.whole_us),
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
_HOST: dict[str, tuple[str, keys.Parser]] = {"cpus": ("cpus", keys.number), "bulk": ("bulk", keys.number)}
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
        if (self.limit_min_bytes or 0) > (MAX_LIMIT if self.limit_max_bytes is None else self.limit_max_bytes):
            raise ValueError(f"limit_min_bytes {self.limit_min_bytes}: more than limit_max {self.limit_max_bytes}")


def folder_of(reader: Reader) -> Path:
    """Where the files lie that an experiment names: ``folder``, or beside its own file."""
    beside = reader.file.path.parent
    return beside / reader.value(("folder",), keys.text) if "folder" in reader.values else beside


def read_rig(reader: Reader) -> tuple[Rig, BqlKnobs]:
    """The rig that a file asks for, and what it sets of byte queue limits. ExperimentError."""
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
    with blaming_settings(reader):
        rig = Rig(bql=on, **settings)
    return rig, knobs


def _beside(reader: Reader, name: str) -> str:
    """``FILE.py:Name`` with the file looked for beside the experiment's."""
    where, colon, attribute = name.rpartition(":")
    return f"{folder_of(reader) / where}{colon}{attribute}" if where.endswith(".py") else resolved(name)


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


class blaming_settings:
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
