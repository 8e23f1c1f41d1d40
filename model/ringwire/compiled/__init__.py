"""The model in C: what ``ringwire compile`` has built is imported in place of the Python files it was made of.

It behaves as they do, and runs faster: on the twin two to three times. A build belongs to one version of the sources:
after any change the Python files are what runs, until the next ``ringwire compile``. Drivers, disciplines and
flows of users stay Python and derive from compiled classes as from others.

``RINGWIRE_COMPILED=0`` imports Python, whatever is there; ``1`` insists on what is compiled.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

from ringwire.places import PACKAGE, BuildError, cache_root

VARIABLE = "RINGWIRE_COMPILED"
MANIFEST = "manifest.json"
"""Of a build: the digest of its sources, and the file of each module by name."""


def build_folder() -> Path:
    """Where the build for this Python is, if there is one."""
    return cache_root() / f"compiled-{sys.implementation.cache_tag}"


def source_files() -> list[Path]:
    """All of the package's Python files, sorted."""
    return sorted(PACKAGE.rglob("*.py"))


def digest() -> str:
    """Of the package as it is now."""
    hashed = hashlib.sha256(sys.version.encode())
    for path in source_files():
        hashed.update(f"{path.relative_to(PACKAGE)}\0".encode() + path.read_bytes() + b"\0")
    return hashed.hexdigest()


def modules() -> dict[str, str] | None:
    """File names in :func:`build_folder` by module, if what is there was made of the sources as they are."""
    try:
        manifest = json.loads((build_folder() / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, BuildError):
        return None
    if manifest["digest"] != digest():
        return None
    found: dict[str, str] = manifest["modules"]
    return found


class _Finder(MetaPathFinder):
    """Finds compiled modules before others are looked for."""

    def __init__(self, folder: Path, files: dict[str, str]) -> None:
        self._folder = folder
        self._files = files

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        name = self._files.get(fullname)
        return None if name is None else spec_from_file_location(fullname, self._folder / name)


def in_use() -> bool:
    """Whether this process runs compiled code."""
    return any(isinstance(finder, _Finder) for finder in sys.meta_path)


def use() -> None:
    """Import compiled modules from here on, if there are any of these sources and nobody has asked for Python's."""
    choice = os.environ.get(VARIABLE, "")
    if choice == "0" or in_use():
        return
    if (files := modules()) is not None:
        sys.meta_path.insert(0, _Finder(build_folder(), files))
    elif choice == "1":
        said = f"{VARIABLE}=1, and no build of these sources in {build_folder()}: run `{VARIABLE}=0 ringwire compile`"
        print(f"ringwire: {said}", file=sys.stderr)
        raise SystemExit(2)  # nothing is imported yet that could say so in one line
