"""What ended a run, in a line: and where code of a user's has raised, be it a driver, a discipline or a flow."""

from __future__ import annotations

import os
import sysconfig
import traceback
from pathlib import Path
from types import FrameType

_OURS = {
    *("ringwire", "altair", "click", "cocotb", "cocotb_tools", "cocotbext"),
    *("dask", "distributed", "jinja2", "jsonschema", "narwhals", "numpy", "pyarrow", "rich", "scipy", "tornado"),
    *("vl_convert",),
}
"""Packages that no user wrote: this one, and what it stands on."""
_PYTHON = sysconfig.get_path("stdlib") + os.sep


class UserError(Exception):
    """Code of a user's has raised; the text says what, and where."""


def told(error: BaseException) -> str:
    """``KeyError: 'oops' (mine.py, line 12, in poll)``: the place only if it was in code of a user's."""
    return f"{error}" if isinstance(error, UserError) else f"{type(error).__name__}: {error}{place(error)}"


def place(error: BaseException) -> str:
    """`` (mine.py, line 12, in poll)``: the last step of a user's code before an exception; empty if there is none."""
    steps = [
        (frame.f_code.co_filename, line, frame.f_code.co_name)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if _of_a_user(frame)
    ]
    if not steps:
        return ""
    file, line, function = steps[-1]
    where = f"in {function}" if function != "<module>" else "at the top level"
    return f" ({as_seen_from_here(file)}, line {line}, {where})"


def in_one_line(text: str) -> str:
    """Its lines with semicolons between them."""
    return "; ".join(" ".join(line.split()) for line in text.splitlines() if line.strip())


def as_seen_from_here(text: str) -> str:
    """With the names of files in this folder relative to it."""
    return text.replace(f"{Path.cwd()}{os.sep}", "")


def out_of_simulator(text: str) -> str:
    """What a run in a simulator has failed of; which simulator matters only if no user's code has raised."""
    before, mark, after = text.partition(f"{UserError.__name__}: ")
    return as_seen_from_here(after if mark else before)


def _of_a_user(frame: FrameType) -> bool:
    file, package = frame.f_code.co_filename, str(frame.f_globals.get("__name__", "")).partition(".")[0]
    of_python = file.startswith("<") or (file.startswith(_PYTHON) and "site-packages" not in file)
    return not of_python and package not in _OURS
