"""Runs Python against the simulated RTL, in a process of its own: cocotb test modules, and jobs.

A job is a function named by its dotted path: ``async def job(world, config)``. It is given a running ``FastWorld`` and
whatever picklable configuration the caller wants; what it returns comes back to the caller. ``world.progress(text)``
inside it reaches the caller at once.
"""

from __future__ import annotations

import json
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
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ringwire.cosim.build import TOP, Built, Design, build, cache_root
from ringwire.cosim.hostmem import library_environment
from ringwire.cosim.world import DATA_W_VARIABLE, PROGRESS_MARK, QUEUES_VARIABLE, WorldSettings

JOB_VARIABLE = "RINGWIRE_JOB"
JOB_MODULE = "ringwire.cosim.job"
DEFAULT_LIMIT_S = 600.0


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
) -> Any:
    """Run ``function`` (a dotted name) with ``config`` in the fast world and return what it returns.

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
                limit_s=limit_s,
                environment={JOB_VARIABLE: name, "COCOTB_REWRITE_ASSERTION_FILES": "", "COCOTB_LOG_LEVEL": "WARNING"},
                waves=waves,
            ),
            progress,
        )
        return pickle.loads((folder / "result").read_bytes())


def _simulate(run: Run, built: Built, folder: Path, progress: Callable[[str], None] | None) -> None:
    design = run.design
    results = folder / "results.xml"
    test_args, plusargs = built.test_args, built.plusargs(run.seed)
    if design.waves:
        wave = folder / "waves.fst"
        if design.sim == "icarus":
            plusargs = [*plusargs, f"+dumpfile_path={wave}"]
        else:
            test_args = [*test_args, "--trace-file", str(wave)]
    request = {
        "sim": design.sim,
        "test_module": run.module,
        "hdl_toplevel": TOP,
        "hdl_toplevel_lang": "verilog",
        "build_dir": str(built.folder),
        "test_dir": str(folder),
        "results_xml": str(results),
        "test_filter": run.test_filter,
        "seed": run.seed,
        "test_args": test_args,
        "plusargs": plusargs,
        "waves": design.waves,
        "extra_env": {
            DATA_W_VARIABLE: str(design.data_w),
            QUEUES_VARIABLE: str(design.queues),
            **library_environment(built.library),
            **run.environment,
        },
    }
    environment = {name: value for name, value in os.environ.items() if name not in ("WAVES", "GUI")}
    # numpy's threads would only be in the simulator's way
    environment.setdefault("OPENBLAS_NUM_THREADS", "1")
    environment["PYTHONPATH"] = os.pathsep.join(entry for entry in sys.path if entry)
    output, timed_out = _watch(request, environment, run.limit_s, progress)
    reason = f"not finished after {run.limit_s:g} s" if timed_out else _reason(output, results)
    if reason is not None:
        raise SimulationFailed(f"{run.module} on {design.folder_name}: {reason}", "".join(output[-200:]))


def _watch(
    request: Mapping[str, Any], environment: Mapping[str, str], limit_s: float, progress: Callable[[str], None] | None
) -> tuple[list[str], bool]:
    """Run the launcher; its output, and whether it had to be ended for taking too long."""
    child = subprocess.Popen(
        [sys.executable, "-m", "ringwire.cosim.launch"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    assert child.stdin is not None and child.stdout is not None
    timed_out = threading.Event()

    def end() -> None:
        timed_out.set()
        _end(child)

    timer = threading.Timer(limit_s, end)
    timer.start()
    output: list[str] = []
    try:
        child.stdin.write(json.dumps(dict(request)) + "\n")
        child.stdin.flush()
        for line in child.stdout:
            if line.startswith(PROGRESS_MARK):
                if progress is not None:
                    progress(line[len(PROGRESS_MARK) :].strip())
            else:
                output.append(line)
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
