"""``make sim``: replay the bundled capture through stack, driver and RTL, then run the testbenches on one simulator.

The settings come from the environment, as make exports them: SIM, T, WAVES, SEED, QUEUES, WIDTH.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn
from xml.etree import ElementTree

from rich.console import Console

from ringwire.cli import TERMINATED, Terminated, end_cleanly_on_sigterm
from ringwire.cosim.build import SIMULATORS
from ringwire.nic.registers import DATA_WIDTHS, QUEUE_COUNTS
from ringwire.progress import ProgressBar
from ringwire.replay import ReplayConfig, ReplayError, replay

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "sim"
JUNIT = BUILD / "junit.xml"
CAPTURE = ROOT / "model" / "ringwire" / "data" / "real_mix.pcap"
BAD_SETTING = 2
GRACE_S = 30
NOTHING_SELECTED = 5
"""pytest's exit code."""


def main() -> int:
    sim = choice("SIM", SIMULATORS) or "verilator"
    width = int(choice("WIDTH", DATA_WIDTHS) or 512)
    queues = int(choice("QUEUES", QUEUE_COUNTS) or 1)
    waves = choice("WAVES", (0, 1)) == "1"
    seed = number("SEED", 1)
    check_expression(os.environ.get("T", ""))
    BUILD.mkdir(parents=True, exist_ok=True)

    console = Console(stderr=True)
    config = ReplayConfig(
        CAPTURE, sim=sim, width=width, queues=queues, seed=seed, tso=False, waves=BUILD / "replay" if waves else None
    )
    out = BUILD / "wire.pcap"
    console.print(f"replay of {CAPTURE.name} on {sim}, {width} bits, queues: {queues}, seed: {seed}", highlight=False)
    with ProgressBar(sim, console) as progress:
        report = replay(config, out, progress)

    code = run_testbenches(sim)
    if code == NOTHING_SELECTED:
        fail(f"T={os.environ['T']}: no testbench on {sim} matches; allowed: parts of their names with and, or, not")
    counted = count_results(JUNIT)
    if code:
        report.measured.problems.append(f"testbenches: {counted}")
    files = [out, JUNIT, *(sorted(BUILD.glob("replay.*")) if waves else ())]
    named = "\n".join(str(path.relative_to(ROOT)) for path in files)
    Console().print(report.table(("testbenches", counted), ("files", named)))
    return not report.ok


def run_testbenches(sim: str) -> int:
    """pytest on everything that drives the RTL on this simulator; pytest's exit code."""
    JUNIT.unlink(missing_ok=True)
    words = [sys.executable, "-m", "pytest", "-p", "tests.benches", "-q", "-n", "2", "--dist", "worksteal"]
    words += ["--junitxml", str(JUNIT), "-o", "junit_suite_name=testbenches"]
    if os.environ.get("T"):
        words += ["-k", os.environ["T"]]
    tests = subprocess.Popen(words, cwd=ROOT, env=os.environ | {"SIM": sim})
    try:
        return tests.wait()
    except BaseException:
        # pytest ends its simulators on SIGINT, but not if it is killed
        tests.send_signal(signal.SIGINT)
        tests.wait(GRACE_S)
        raise


def count_results(junit: Path) -> str:
    """``87 passed, 1 failed`` of a JUnit file."""
    if not junit.is_file():
        return "did not run"
    suites = ElementTree.parse(junit).getroot().iter("testsuite")
    total = failed = 0
    for suite in suites:
        total += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
    return f"{total - failed:,} passed" + (f", {failed:,} failed" if failed else "")


def choice(name: str, allowed: Sequence[object]) -> str:
    """A setting that is one of a few; empty if it is not given."""
    value = os.environ.get(name, "")
    if value and value not in map(str, allowed):
        fail(f"{name}={value}; allowed: {', '.join(map(str, allowed))}")
    return value


def number(name: str, default: int) -> int:
    """A setting that is a number from 0 on."""
    value = os.environ.get(name, "") or str(default)
    if not (value.isascii() and value.isdigit() and int(value) < 1 << 32):
        fail(f"{name}={value}; allowed: 0 to {(1 << 32) - 1}")
    return int(value)


def check_expression(text: str) -> None:
    """Whether pytest can read T: names with and, or, not and parentheses."""
    words = re.findall(r"[()]|[^\s()]+", text)
    try:
        compile(" ".join(word if word in ("and", "or", "not", "(", ")") else "x" for word in words) or "x", "T", "eval")
    except SyntaxError:
        fail(f"T={text}: not an expression; allowed: parts of names with and, or, not and parentheses")


def run_script(main: Callable[[], int]) -> NoReturn:
    """End with what ``main`` returns; one line if it can't be done or is interrupted."""
    end_cleanly_on_sigterm()
    try:
        sys.exit(main())
    except ReplayError as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail("interrupted")
    except Terminated:
        sys.exit(TERMINATED)


def fail(text: str) -> NoReturn:
    print(f"make: {text}", file=sys.stderr)
    sys.exit(BAD_SETTING)


if __name__ == "__main__":
    run_script(main)
