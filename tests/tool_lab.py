"""The real ethtool, ip and sysfs, in a network namespace of their own: what they print is what the model should."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from ringwire.tools.refusal import Refused


class Said(NamedTuple):
    """What a command printed, and how it ended."""

    output: str
    error: str
    status: int


def real(folder: Path, setup: str, lines: Sequence[str], *tools: str) -> list[Said]:
    """Run the set-up, then each line; skips the test where that is not possible."""
    for tool in ("unshare", "ip", *tools):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool} here to compare with")
    if os.geteuid() != 0:
        pytest.skip("root is needed for a network namespace")
    (folder / "setup").write_text(f"set -e\nmount -t sysfs sysfs /sys\n{setup}\n")
    script = [f"bash {folder}/setup >{folder}/setup.log 2>&1 || exit 77"]
    for number, line in enumerate(lines):
        (folder / f"{number}.sh").write_text(line + "\n")
        place = f"{folder}/{number}"
        script.append(f'bash -c "$(cat {place}.sh)" >{place}.out 2>{place}.err; echo $? >{place}.rc')
    done = subprocess.run(["unshare", "-nm", "bash", "-c", "\n".join(script)], capture_output=True, text=True)
    if done.returncode == 77:
        pytest.skip(f"no such devices here: {(folder / 'setup.log').read_text().strip()}")
    if not (folder / f"{len(lines) - 1}.rc").exists():
        pytest.skip(f"no namespace: {done.stderr.strip()}")
    return [
        Said(
            (folder / f"{number}.out").read_text(),
            re.sub(r"(?m)^bash: line \d+: ", "bash: ", (folder / f"{number}.err").read_text()),
            int((folder / f"{number}.rc").read_text()),
        )
        for number in range(len(lines))
    ]


def modelled(run: Callable[[str], str], lines: Sequence[str]) -> list[Said]:
    """What the model prints for the same lines."""
    return [_said(run, line) for line in lines]


def _said(run: Callable[[str], str], line: str) -> Said:
    try:
        return Said(run(line), "", 0)
    except Refused as refused:
        assert "\n" not in str(refused) and str(refused).startswith("column ")
        return Said(refused.output, refused.printed and refused.printed + "\n", refused.status)


def compare(lines: Sequence[str], wanted: Sequence[Said], found: Sequence[Said]) -> None:
    """AssertionError with the lines that are answered otherwise."""
    pairs = zip(lines, wanted, found, strict=True)
    different = [f"{line}\n  real: {want}\n  here: {have}" for line, want, have in pairs if want != have]
    assert not different, "\n".join(different)
