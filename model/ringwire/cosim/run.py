"""Runs Python against the simulated RTL, in a process of its own: cocotb test modules, and jobs.

A job is a function named by its dotted path: ``async def job(world, config)``. It is given a running ``FastWorld`` and
whatever picklable configuration the caller wants; what it returns comes back to the caller. ``world.progress(text)``
inside it reaches the caller at once.
"""

from __future__ import annotations

import importlib
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cocotb_tools.config
import find_libpython

from ringwire.cosim import launch, warm
from ringwire.cosim.build import TOP, Built, Design, build
from ringwire.cosim.hostmem import library_environment
from ringwire.cosim.world import DATA_W_VARIABLE, PROGRESS_MARK, QUEUES_VARIABLE, WorldSettings
from ringwire.places import BuildError, cache_root

JOB_VARIABLE = "RINGWIRE_JOB"
JOB_MODULE = "ringwire.cosim.job"
DEFAULT_LIMIT_S = 600.0
RESULTS = "results.xml"


class SimulationFailed(Exception):
    """A run in the simulator failed. The message is one line; ``details`` has what else is known."""

    def __init__(self, reason: str, details: str = "") -> None:
        super().__init__(reason)
        self.details = details


@dataclass(frozen=True, slots=True)
class Run:
    """How to run a cocotb module on a design."""

    design: Design
    module: str
    """Dotted name of the module with the ``@cocotb.test`` functions."""
    test_filter: str | None = None
    """Regular expression of the tests to run; None: all."""
    seed: int = 1
    modules: tuple[str, ...] = ()
    """What a kept simulator is to import before the run. With it, ``module`` begins with ``warm.wait_for_run()``."""
    limit_s: float = DEFAULT_LIMIT_S
    """Wall-clock seconds after which the run is ended as failed."""
    environment: Mapping[str, str] = field(default_factory=dict)
    results: Path | None = None
    """Where to keep the JUnit file."""
    waves: Path | None = None
    """Where to keep the waves, if the design records them: a path without its suffix."""


def simulate(run: Run, progress: Callable[[str], None] | None = None) -> None:
    """Build what is needed and run it. SimulationFailed, naming the first cause, unless every test passed."""
    built = build(run.design)
    runs = cache_root() / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=run.module.rpartition(".")[2] + "-", dir=runs))
    try:
        _simulate(run, built, folder, progress)
    finally:
        _keep(run, folder)
        shutil.rmtree(folder, ignore_errors=True)


def run_job(
    function: str,
    config: Any = None,
    *,
    design: Design | None = None,
    settings: WorldSettings | None = None,
    limit_s: float = DEFAULT_LIMIT_S,
    progress: Callable[[str], None] | None = None,
    waves: Path | None = None,
    modules: tuple[str, ...] = (),
) -> Any:
    """Run ``function`` (a dotted name) with ``config`` in the fast world and return what it returns.

    A kept simulator imports ``modules`` beforehand, beside the function's own.

    SimulationFailed names the first cause if it raised, if a checker did, or after
    ``limit_s`` seconds.
    """
    design = Design() if design is None else design
    with tempfile.TemporaryDirectory(prefix="ringwire-job-") as name:
        folder = Path(name)
        (folder / "request").write_bytes(pickle.dumps((function, config, settings)))
        seed = 1 if settings is None else settings.seed
        simulate(
            Run(
                design,
                JOB_MODULE,
                seed=seed,
                modules=(function.rpartition(".")[0], *modules),
                limit_s=limit_s,
                environment={JOB_VARIABLE: name, "COCOTB_REWRITE_ASSERTION_FILES": "", "COCOTB_LOG_LEVEL": "WARNING"},
                waves=waves,
            ),
            progress,
        )
        return pickle.loads((folder / "result").read_bytes())


def named(dotted: str) -> Callable[..., Any]:
    """The function of this name: how jobs travel, since compiled functions can't be pickled."""
    module, _, name = dotted.rpartition(".")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def _simulate(run: Run, built: Built, folder: Path, progress: Callable[[str], None] | None) -> None:
    kept = run.modules and warm.shelf() is not None and not run.design.waves
    kept = kept and run.design.coverage is None and not run.design.training
    output, timed_out = (_watch_kept if kept else _watch)(run, built, folder, progress or _nobody)
    reason = f"not finished after {run.limit_s:g} s" if timed_out else _reason(output, folder / RESULTS)
    if reason is not None:
        raise SimulationFailed(f"{run.module} on {run.design.folder_name}: {reason}", "".join(output[-200:]))


def _nobody(text: str) -> None:
    """Hears progress that nobody asked for."""


def _launch(run: Run, built: Built, folder: Path, **environment: str) -> subprocess.Popen[str]:
    """Start the launcher, and with it the simulator, in ``folder``. Its stdin has to stay open."""
    design = run.design
    wave = folder / "waves.fst"
    options: list[str] = []
    plusargs = built.plusargs(run.seed)
    if design.sim == "icarus":
        plusargs += [f"+dumpfile_path={wave}", "-fst"] if design.waves else ["-none"]
    elif design.waves:
        options = ["--trace", "--trace-file", str(wave)]
    around = {
        "OPENBLAS_NUM_THREADS": "1",  # numpy's threads would only be in the simulator's way
        **run.environment,
        **os.environ,  # what the user has set goes before what a run asks for, a level of logging for example
        **environment,
        **built.environment,
        **library_environment(built.library),
        **_cocotb(run),
        DATA_W_VARIABLE: str(design.data_w),
        QUEUES_VARIABLE: str(design.queues),
        "COCOTB_RESULTS_FILE": str(folder / RESULTS),
    }
    return subprocess.Popen(
        [sys.executable, "-I", launch.__file__, *built.command(), *options, *plusargs],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=around,
        text=True,
        errors="replace",
        start_new_session=True,
    )


def _cocotb(run: Run) -> dict[str, str]:
    """What cocotb finds its Python, the design and the tests by."""
    return {
        "GPI_USERS": _gpi_users(),
        "PYGPI_PYTHON_BIN": sys.executable,
        "PYTHONPATH": _python_path(),
        "TOPLEVEL_LANG": "verilog",
        "COCOTB_TOPLEVEL": TOP,
        "COCOTB_TEST_MODULES": run.module,
        "COCOTB_RANDOM_SEED": str(run.seed),
        # in Verilator a value that is written is seen at once
        **({"COCOTB_TRUST_INERTIAL_WRITES": "1"} if run.design.sim == "verilator" else {}),
        **({} if run.test_filter is None else {"COCOTB_TEST_FILTER": run.test_filter}),
    }


@cache
def _gpi_users() -> str:
    """The libraries that the simulator's side of cocotb starts: Python, then cocotb in it."""
    libpython = os.environ.get("LIBPYTHON_LOC") or find_libpython.find_libpython()
    if libpython is None:
        raise BuildError(f"{sys.executable} has no shared libpython for cocotb; name one with LIBPYTHON_LOC=path")
    return f"{libpython};{cocotb_tools.config.pygpi_entry_point()}"


def _python_path() -> str:
    """Where modules are found from here, the working folder first; the simulator will stand in another."""
    return os.pathsep.join(dict.fromkeys(str(Path(entry).absolute()) for entry in ("", *sys.path)))


def _watch_kept(run: Run, built: Built, folder: Path, progress: Callable[[str], None]) -> tuple[list[str], bool]:
    """Run in a fork of a kept simulator; its output, and whether it had to be ended for taking too long."""
    shelf = warm.shelf()
    assert shelf is not None
    made_ns = max(file.stat().st_mtime_ns for file in built.folder.iterdir())
    key = repr((str(built.folder), made_ns, run.module, run.test_filter, run.seed, _python_path()))
    asked = {
        "modules": run.modules,
        "folder": str(folder),
        "environment": {**run.environment, "COCOTB_RESULTS_FILE": str(folder / RESULTS)},
    }
    output: list[str] = []

    def start(own: Path, socket: str) -> subprocess.Popen[str]:
        return _launch(run, built, own, **{warm.SOCKET_VARIABLE: socket})

    try:
        kept = shelf.take(key, lambda: warm.Kept(start))
    except warm.WarmError as error:
        return str(error).splitlines(keepends=True), False
    timed_out = False
    try:
        timed_out = not kept.run(asked, run.limit_s, lambda line: _sort(line, output, progress))
    except warm.WarmError as error:
        kept.ended = True
        output.append(str(error))
    except BaseException:  # it may be in the middle of the run, and the next would wait behind it
        kept.ended = True
        raise
    finally:
        if kept.ended:
            shelf.drop(key)
    return output, timed_out


def _sort(line: str, output: list[str], progress: Callable[[str], None]) -> None:
    if line.startswith(PROGRESS_MARK):
        progress(line[len(PROGRESS_MARK) :].strip())
    else:
        output.append(line)


def _watch(run: Run, built: Built, folder: Path, progress: Callable[[str], None]) -> tuple[list[str], bool]:
    """Run in a simulator of its own; its output, and whether it had to be ended for taking too long."""
    child = _launch(run, built, folder)
    assert child.stdin is not None and child.stdout is not None
    timed_out = threading.Event()

    def end() -> None:
        timed_out.set()
        _end(child)

    timer = threading.Timer(run.limit_s, end)
    timer.start()
    output: list[str] = []
    try:
        for line in child.stdout:
            _sort(line, output, progress)
        child.wait()
    finally:
        timer.cancel()
        if child.poll() is None:
            _end(child)
        child.stdin.close()
        child.stdout.close()
    return output, timed_out.is_set()


def _end(child: subprocess.Popen[str]) -> None:
    """End the launcher and the simulator that it started: they are a session of their own."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    child.wait()


def _reason(output: list[str], results: Path) -> str | None:
    """Why a run failed, None if it did not: a checker's words, a test's exception, or the simulator's last line."""
    for line in output:
        if found := re.search(r"CHECK failed: (.+)", line):
            return f"CHECK {found.group(1).strip()}"
    if not results.is_file():
        said = [line.strip() for line in output if re.search(r"error|unable|fatal", line, re.IGNORECASE)]
        last = (said or [line.strip() for line in output if line.strip()] or ["no output"])[-1]
        return f"the simulator ended early: {last}"
    passed = 0
    for case in ElementTree.parse(results).getroot().iter("testcase"):
        for kind in ("failure", "error"):
            element = case.find(kind)
            if element is not None:
                message = element.get("message") or element.get("error_msg") or "no message"
                return f"{case.get('name')}: {element.get('type') or kind}: {message.strip().splitlines()[0]}"
        passed += case.find("skipped") is None
    return None if passed else "no test ran"


def _keep(run: Run, folder: Path) -> None:
    """Save what the caller asked for from a run's folder, also if it failed."""
    if run.results is not None and (folder / "results.xml").is_file():
        run.results.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(folder / "results.xml", run.results)
    if run.waves is None:
        return
    wave = folder / "waves.fst"
    if wave.is_file():
        run.waves.parent.mkdir(parents=True, exist_ok=True)
        with wave.open("rb") as file:
            is_vcd = file.read(1) in b"$"
        shutil.move(wave, run.waves.with_name(run.waves.name + (".vcd" if is_vcd else ".fst")))
