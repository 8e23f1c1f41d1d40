"""The recorded vectors: a folder of gzip'd JSON files, each one ``<what>_<set>.json.gz``.

The folder is ``tests/data/vectors`` or the one named by ``--vectors DIR``; its README describes the formats.
A test module asks for its files with :func:`load` when its tests are generated, so that each scenario is a
test of its own, named after its file and itself. A scenario that the model has no part for is left out by name
(:func:`leave_out`) and the summary says so: it is never silently missing, and never a skipped test.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest

DEFAULT_FOLDER = Path(__file__).parent.parent / "data" / "vectors"
SUFFIX = ".json.gz"

FORMATS: dict[str, tuple[str, tuple[str, ...]]] = {
    "txoracle-dql-1": ("scenarios", ("name", "init", "fields", "state0", "steps")),
    "txoracle-qdisc-1": ("scenarios", ("name", "dev", "tc", "t0", "truesize", "ops", "final")),
    "txoracle-stack-1": ("scenarios", ("name", "nic", "tc", "t0", "state0", "ops", "final")),
    "txoracle-gso-1": ("cases", ("name", "group", "mode", "vnet", "in", "out")),
    "txoracle-tables-1": ("tables", ("fields", "rows")),
}
"""Format name: the key that holds its entries, and what every entry must have."""

left_out_key = pytest.StashKey[dict[tuple[str, str], str]]()
"""(file stem, scenario name) -> why it is not collected."""


class VectorError(Exception):
    """The folder or a file in it can't be used; the text is one line for the user."""


def folder(config: pytest.Config) -> Path:
    """The vectors' folder of this run."""
    named = config.getoption("--vectors")
    return Path(named) if named else DEFAULT_FOLDER


def find(where: Path, pattern: str = "*") -> list[Path]:
    """Files ``<pattern>_*.json.gz`` of a folder, sorted; :class:`VectorError` if there is no such folder."""
    if not where.is_dir():
        raise VectorError(f"{where}: no such folder of vectors")
    return sorted(where.glob(f"{pattern}_*{SUFFIX}"))


@cache
def read(path: Path) -> dict[str, Any]:
    """One file, parsed and checked for the shape its format promises."""
    try:
        document: Any = json.loads(gzip.decompress(path.read_bytes()))
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise VectorError(f"{path}: not a gzip'd JSON file ({error})") from None
    name = document.get("format") if isinstance(document, dict) else None
    if not isinstance(name, str) or name not in FORMATS:
        raise VectorError(f"{path}: format {name!r} is none of {', '.join(FORMATS)}")
    key, needed = FORMATS[name]
    entries = document.get(key)
    if isinstance(entries, dict):
        entries = list(entries.values())
    if not isinstance(entries, list):
        raise VectorError(f"{path}: no list of {key}")
    for number, entry in enumerate(entries):
        missing = [word for word in needed if not isinstance(entry, dict) or word not in entry]
        if missing:
            raise VectorError(f"{path}: entry {number} of {key} has no {', '.join(missing)}")
    return dict(document)


def check_folder(where: Path) -> None:
    """Read every file of a folder, so that a bad one is reported before any test runs."""
    paths = find(where)
    if not paths:
        raise VectorError(f"{where}: no vectors in it (*{SUFFIX})")
    for path in paths:
        read(path)


def load(pattern: str, config: pytest.Config) -> list[tuple[str, dict[str, Any]]]:
    """(file stem, parsed JSON) of every ``<pattern>_*.json.gz`` in the run's folder.

    A folder or file that can't be used is a collection error of one line; a folder that the user named has been
    checked before.
    """
    try:
        return [(path.name.removesuffix(SUFFIX), read(path)) for path in find(folder(config), pattern)]
    except VectorError as error:
        raise pytest.Collector.CollectError(str(error)) from None


def leave_out(config: pytest.Config, stem: str, name: str, reason: str) -> None:
    """Note a scenario that is not collected; the summary lists it with its reason."""
    config.stash.setdefault(left_out_key, {})[stem, name] = reason


def parametrize(metafunc: pytest.Metafunc, arguments: str, cases: Iterable[tuple[str, str, Sequence[object]]]) -> None:
    """One test per (file stem, scenario name, argument values), its id ``stem-name``."""
    listed = list(cases)
    metafunc.parametrize(
        arguments, [values for _, _, values in listed], ids=[f"{stem}-{name}" for stem, name, _ in listed]
    )


def difference(fields: Sequence[str], expected: Sequence[object], got: Sequence[object]) -> str | None:
    """The first field that differs, as text; None if the two agree whole (same length, same values)."""
    for name, want, have in zip(fields, expected, got, strict=False):
        if want != have:
            return f"{name}: expected {want!r}, got {have!r}"
    if len(expected) != len(got) or len(fields) < len(expected):
        return f"fields: expected {len(expected)}, got {len(got)}, named {len(fields)}"
    return None
