"""Which files of a folder ringwire has left there: only these are removed, or written over by another run."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

LIST = ".ringwire-files"
"""Their names, one a line, relative to the folder."""
FOLDERS = ("series", "plots")
NAMES = ("summary.json", "experiment.toml", "wire.pcap", "report.html", "*.flent.gz")


def foreign(folder: Path) -> Path | None:
    """A file that a run would remove or write over, and that none has left there."""
    own = _listed(folder)
    taken = (path for pattern in (*NAMES, *(f"{name}/*" for name in FOLDERS)) for path in sorted(folder.glob(pattern)))
    return next((path for path in taken if path.relative_to(folder).as_posix() not in own), None)


def claim(folder: Path, names: Iterable[str]) -> None:
    """These are to be written now."""
    _write(folder, _listed(folder) | set(names))


def remove(folder: Path, within: str = "") -> None:
    """Remove what is ringwire's, or only what lies in a folder of this one."""
    own = _listed(folder)
    gone = {name for name in own if name.startswith(f"{within}/" if within else "")}
    for name in gone:
        (folder / name).unlink(missing_ok=True)
    if gone:
        _write(folder, own - gone)


def _listed(folder: Path) -> set[str]:
    try:
        names = (folder / LIST).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return set()
    # whatever the list says, nothing else is ringwire's
    return {name for name in names if _may_be_ours(PurePosixPath(name))}


def _may_be_ours(name: PurePosixPath) -> bool:
    if len(name.parts) == 1:
        return any(name.match(pattern) for pattern in NAMES)
    return len(name.parts) == 2 and name.parts[0] in FOLDERS and name.parts[1] != ".."


def _write(folder: Path, names: set[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / LIST).write_text("".join(f"{name}\n" for name in sorted(names)), encoding="utf-8")
