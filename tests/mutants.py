"""The RTL broken on purpose: one line of one module replaced."""

from __future__ import annotations

import shutil
from pathlib import Path

from ringwire.places import cache_root, hardware_root


def broken_rtl(name: str, module: str, line: str, instead: str) -> Path:
    """A folder with the RTL in which one line, of which a module has just one, is another; ``name`` names it."""
    rtl = cache_root() / "mutants" / name.replace(" ", "-")
    shutil.rmtree(rtl, ignore_errors=True)
    shutil.copytree(hardware_root() / "rtl", rtl)
    path = rtl / f"{module}.sv"
    source = path.read_text()
    assert source.count(line) == 1, f"{module} no longer has one line {line!r}"
    path.write_text(source.replace(line, instead))
    return rtl
