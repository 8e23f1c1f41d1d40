"""Where things are: the hardware's sources, and what is built and kept."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
CACHE_VARIABLE = "RINGWIRE_CACHE"
"""Environment variable: folder for builds and runs instead of ``build/sim`` or the user's cache."""


class BuildError(Exception):
    """Something can't be built; one line says why and what helps."""


def hardware_root() -> Path:
    """The folder that holds ``rtl/`` and ``tb/``: the checkout's, or the installed package's."""
    for root in (PACKAGE.parents[1], PACKAGE / "_hw"):
        if (root / "rtl").is_dir() and (root / "tb").is_dir():
            return root
    raise BuildError(f"neither {PACKAGE.parents[1]} nor {PACKAGE / '_hw'} has rtl/ and tb/: install ringwire again")


def cache_root() -> Path:
    """Where builds and runs go: ``build/sim`` in a checkout, else the user's cache."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen).absolute()
    if (root := hardware_root()).name != "_hw":
        return root / "build" / "sim"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ringwire"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until no other process builds in ``folder``, and keep others from it meanwhile."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
