"""``make coverage``: which lines, branches and expressions of the RTL the testbenches reach on Verilator.

Runs them with models that count, adds up all runs and instances, and prints a table by module and what was never
reached. ``build/coverage/report.json`` has all of it. Ends with 1 if a testbench fails, or below 98% of the lines or
95% of the branches. Checks (``RW_CHECK``) are left out: that their other branch is never taken is what they are for; so
are lists of unused inputs. Of a loop's copies, one for each queue or byte, what one reaches counts for all.
``python -m scripts.coverage ARGUMENTS``: only the tests that pytest chooses by these.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from ringwire.cosim.build import COVERAGE_VARIABLE
from scripts.sim import ROOT, run_script

FOLDER = ROOT / "build" / "coverage"
RUNS, REPORT = FOLDER / "runs", FOLDER / "report.json"
TESTBENCHES = ("tests/conformance/test_gso_device.py", "tests/test_driver_rtl.py", "tests/test_replay_rtl.py")
WITHOUT = "not icarus"
WANTED = {"line": 98.0, "branch": 95.0, "expr": 0.0}
"""%; expressions are shown, and judged by whoever reads them."""
PAUSE_S = 2.0
MOST_LINES = 4
"""Of an expression."""


class Point(NamedTuple):
    """What a counter stands for."""

    file: str
    line: int
    kind: str
    """line, branch or expr."""
    what: str
    """Which side of a branch, which values of an expression; empty for a line."""


def points(text: str) -> Iterator[tuple[Point, int]]:
    """What Verilator wrote of a run, one count for each line of a block."""
    for data, count in re.findall(r"^C '(.*)' (\d+)$", text, re.MULTILINE):
        field: dict[str, str] = dict(part.split("\x02", 1) for part in data.split("\x01") if part)
        file = Path(field["f"])
        if file.parent.name != "rtl" or file.suffix != ".sv":
            continue
        kind = field["t"]
        if kind != "line":
            at = int(field["l"])
            source = "".join(source_lines(file.name)[at - 1 : at + MOST_LINES - 1])
            what = of_any_copy(field["o"], source)
            yield Point(file.name, at, kind, f"{what} (column {field['n']})"), int(count)
        for line in lines(field.get("S", field["l"])) if kind in ("line", "branch") else ():
            yield Point(file.name, line, "line", ""), int(count)


def of_any_copy(what: str, source: str) -> str:
    """The same for all copies of a loop: one for a queue is one for all. A number that the source has itself stays.

    A loop's variable is an index or a signed number in them; other numbers are as wide as a parameter may have it.
    """
    what = re.sub(r"\[\d+(:\d+)?\]|\[\d+'s?h[0-9a-f]+\]", lambda found: found[0] if found[0] in source else "[k]", what)
    return re.sub(r"\b\d+'h([0-9a-f]+)", r"\1", re.sub(r"\b\d+'sh[0-9a-f]+", "k", what))


@cache
def source_lines(name: str) -> list[str]:
    return (ROOT / "rtl" / name).read_text().splitlines()


def lines(text: str) -> Iterator[int]:
    """Of ``3,7-9``: 3, 7, 8, 9."""
    for part in text.split(","):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def left_out() -> set[tuple[str, int]]:
    """(file, line) of each check, and of what names inputs that are not used."""
    result = set()
    for path in (ROOT / "rtl").glob("*.sv"):
        text = path.read_text()
        for found in re.finditer(r"`RW_CHECK(?=\()|\bwire\s+unused\b[^;]*;", text):
            end = closing(text, found.end()) if found[0] == "`RW_CHECK" else found.end()
            first, last = (text.count("\n", 0, at) + 1 for at in (found.start(), end))
            result |= {(path.name, line) for line in range(first, last + 1)}
    return result


def closing(text: str, opening: int) -> int:
    """Where the bracket closes that opens at ``opening``."""
    depth = 0
    for at in range(opening, len(text)):
        depth += (text[at] == "(") - (text[at] == ")")
        if not depth:
            return at
    return len(text)


def measure(console: Console, arguments: list[str]) -> tuple[Counter[Point], int]:
    """Run the testbenches; how often each point was reached, and pytest's exit code."""
    shutil.rmtree(RUNS, ignore_errors=True)
    RUNS.mkdir(parents=True)
    benches = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "tests").glob("test_rtl_*.py"))]
    benches = [path for path in benches if "mutants" not in path] + list(TESTBENCHES)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "worksteal", "-p", "no:cacheprovider"]
    command += arguments or [*benches, "-k", WITHOUT]
    found: Counter[Point] = Counter()
    skip = left_out()
    with (FOLDER / "pytest.log").open("w") as log:
        child = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, COVERAGE_VARIABLE: str(RUNS)}, stdout=log, stderr=log
        )
        runs = 0
        try:
            with console.status("testbenches") as status:
                over = False
                while not over:
                    over = child.poll() is not None
                    for path in RUNS.glob("*.dat"):
                        if not over and time.time() - path.stat().st_mtime < PAUSE_S:
                            continue  # it may still be written
                        for point, count in points(path.read_text(errors="replace")):
                            if (point.file, point.line) not in skip:
                                found[point] += count
                        path.unlink()
                        runs += 1
                    status.update(f"testbenches: {runs} runs of a simulator")
                    if not over:
                        time.sleep(PAUSE_S)
        finally:
            child.terminate()
    console.print(f"{runs} runs of a simulator; their log is {FOLDER.relative_to(ROOT) / 'pytest.log'}")
    return found, child.returncode


def share(counts: list[int]) -> float:
    """% of them that are not 0."""
    return 100 * sum(map(bool, counts)) / len(counts) if counts else 100.0


def main() -> int:
    console = Console(highlight=False, emoji=False)
    found, failed = measure(console, sys.argv[1:])
    if not found:
        console.print(f"make: no run left its coverage: see {FOLDER.relative_to(ROOT) / 'pytest.log'}")
        return 1
    by_file: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    missed: defaultdict[str, list[str]] = defaultdict(list)
    for point, count in sorted(found.items()):
        by_file[point.file, point.kind].append(count)
        by_file["all", point.kind].append(count)
        if not count:
            missed[point.kind].append(f"{point.file}:{point.line} {point.what}".rstrip())
    table = Table("module", *(f"{kind} %" for kind in WANTED))
    for file in [*sorted({point.file for point in found}), "all"]:
        shares = [share(by_file[file, kind]) for kind in WANTED]
        table.add_row(file.removesuffix(".sv"), *(f"{value:.1f}" for value in shares), end_section=file == "all")
    console.print(table)
    for kind in ("line", "branch"):
        for name in missed[kind]:
            console.print(f"never: {kind} {name}")
    total = {kind: share(by_file["all", kind]) for kind in WANTED}
    REPORT.write_text(json.dumps({"share": total, "never": missed}, indent=1) + "\n")
    console.print(f"{len(missed['expr'])} values of expressions were never seen: {REPORT.relative_to(ROOT)}")
    low = [f"{kind} {total[kind]:.1f}%, at least {WANTED[kind]:g}%" for kind in WANTED if total[kind] < WANTED[kind]]
    for text in low:
        console.print(f"make: coverage of {text} is wanted")
    if failed:
        console.print(f"make: testbenches failed: see {FOLDER.relative_to(ROOT) / 'pytest.log'}")
    return 1 if low or failed else 0


if __name__ == "__main__":
    run_script(main)
