"""The flows of an experiment, read from its ``[[flow]]`` tables: what each is, and when, where and how it is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ringwire.experiment import keys
from ringwire.experiment.reader import Reader, field_readers, literal
from ringwire.experiment.rigtables import folder_of
from ringwire.experiment.tomlfile import Place, show
from ringwire.rig.config import Rig
from ringwire.sock import Sock
from ringwire.traffic.flow import FLOWS, Flow, UnknownFlow
from ringwire.transport.path import Path

COMMON_KEYS = ("kind", "name", "start", "stop", "queue", "cpu", "path")
"""Keys of every ``[[flow]]``, beside those of its kind; a kind with a path of its own reads that itself."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A flow and when, where and how it is run."""

    flow: Flow
    kind: str
    start_ns: int
    stop_ns: int
    cpu: int
    queue: int | None
    path: Path | None
    """Behind the wire, of a flow that has none of its own."""

    @property
    def way(self) -> Path | None:
        """What its frames go along behind the wire, whoever sees to that."""
        own = getattr(self.flow, "path", None)
        return own if isinstance(own, Path) else self.path


def lossy_paths(entries: Sequence[Entry]) -> list[tuple[str, Path]]:
    """The paths on which frames can wait or be lost, each once: by its own name or that of the flow that has it."""
    found: list[tuple[str, Path]] = []
    for entry in entries:
        way = entry.way
        if way is not None and (way.rate_bps is not None or way.loss) and all(way is not path for _, path in found):
            found.append((way.name or entry.flow.name, way))
    return found


def shared_kinds() -> set[str]:
    """Names of the tables that flows may share: those of the classes that fields of theirs hold."""
    return {Path.__name__.lower()} | {
        reader.__name__.lower()
        for kind in FLOWS.kinds()
        for reader in field_readers(FLOWS.find(kind)).values()
        if isinstance(reader, type)
    }


def read_entries(reader: Reader, rig: Rig, duration_ns: int) -> tuple[Entry, ...]:
    """All flows, in the file's order. ExperimentError."""
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
    beside: dict[str, Any] = {"name": name, "folder": str(folder_of(reader))}
    has_path = "path" in field_readers(cls)
    flow: Flow = reader.make(cls, place, beside, [key for key in COMMON_KEYS if key != "path" or not has_path])
    flow.name = name
    if not hasattr(flow, "sk"):
        flow.sk = Sock()
    start_ns = reader.time((*place, "start"), 0, 0, duration_ns)
    return Entry(
        flow=flow,
        kind=kind,
        start_ns=start_ns,
        stop_ns=reader.time((*place, "stop"), duration_ns, start_ns, duration_ns),
        cpu=_index(reader, (*place, "cpu"), rig.cpus, len(names) - 1) or 0,
        queue=_index(reader, (*place, "queue"), rig.queues, None),
        path=None if has_path or "path" not in table else reader.shared(Path, (*place, "path")),
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
