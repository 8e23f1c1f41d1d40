"""Sweeps: side by side, resumable, and one bad point loses no other; here and on a cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pyarrow.csv
import pytest
from distributed import LocalCluster

from ringwire.experiment.sweep.figures import Swept, write_tables
from ringwire.experiment.sweep.grid import Grid, read_grid
from ringwire.experiment.sweep.point import Outcome, RunPoint, experiment
from ringwire.experiment.sweep.progress import time_left
from ringwire.experiment.sweep.run import ClusterError, executor, run_sweep
from ringwire.experiment.sweep.workers import WorkerDied, Workers
from tests import sweep_points

ROOT = Path(__file__).parent.parent
PATIENCE_S = 240


def a_grid(folder: Path, grid: str = '"nic.ring" = [64, 256]', seeds: str = "2") -> Grid:
    (folder / "scenario.toml").write_text("duration = '1s'\n[[flow]]\nkind = 'probe'\n")
    (folder / "grid.toml").write_text(f'base = "scenario.toml"\nseeds = {seeds}\n[grid]\n{grid}\n')
    return read_grid(folder / "grid.toml")


@pytest.fixture
def threads() -> Iterator[Executor]:
    """Any executor does; this one is there at once."""
    with ThreadPoolExecutor(2) as made:
        yield made


def swept(grid: Grid, out: Path, made: Executor, run_point: RunPoint = sweep_points.model) -> list[Outcome]:
    told: list[Outcome] = []
    outcomes = run_sweep(grid, out, made, run_point, told.append)
    assert sorted(outcome.point.name for outcome in told) == sorted(outcome.point.name for outcome in outcomes)
    return outcomes


def test_every_point_runs_once_in_a_folder_of_its_own(tmp_path: Path, threads: Executor) -> None:
    grid = a_grid(tmp_path)
    outcomes = swept(grid, tmp_path / "out", threads)
    assert [outcome.point.settings for outcome in outcomes] == [point.settings for point in grid.points()]
    assert all(outcome.reason == "" and not outcome.again for outcome in outcomes)
    assert len({outcome.folder for outcome in outcomes}) == 4
    assert all((outcome.folder / "summary.json").exists() for outcome in outcomes)


def test_what_is_there_is_not_run_again_and_new_points_are(tmp_path: Path, threads: Executor) -> None:
    swept(a_grid(tmp_path), tmp_path / "out", threads)
    outcomes = swept(a_grid(tmp_path, '"nic.ring" = [64, 256, 1024]'), tmp_path / "out", threads)
    assert [outcome.again for outcome in outcomes] == [True] * 4 + [False] * 2
    assert {(outcome.folder / "ran").read_text() for outcome in outcomes} == {"once\n"}
    assert outcomes[0].summary["flows"][0]["latency_p50_ns"] > 0


@pytest.mark.parametrize("harm", ["other base", "no summary", "half a summary", "partial", "other settings"])
def test_what_is_not_whole_or_from_something_else_is_run_again(harm: str, tmp_path: Path, threads: Executor) -> None:
    grid = a_grid(tmp_path, '"nic.ring" = [64]', "1")
    (before,) = swept(grid, tmp_path / "out", threads)
    summary = before.folder / "summary.json"
    if harm == "other base":
        (tmp_path / "scenario.toml").write_text("duration = '2s'\n")
        grid = read_grid(tmp_path / "grid.toml")
    elif harm == "no summary":
        summary.unlink()
    elif harm == "half a summary":
        summary.write_text(summary.read_text()[:50])
    elif harm == "partial":
        summary.write_text(summary.read_text().replace("false", "true"))
    else:
        (before.folder / "point.json").write_text("{}")
    (before.folder / "stale").touch()
    (after,) = swept(grid, tmp_path / "out", threads)
    assert (after.again, after.reason) == (False, "")
    # and nothing of the old run is left in its folder
    assert not (after.folder / "stale").exists()
    (last,) = swept(grid, tmp_path / "out", threads)
    assert last.again


def test_failed_points_lose_no_other_and_tell_why(tmp_path: Path) -> None:
    grid = a_grid(tmp_path, '"nic.ring" = [1, 2, 3, 4, 64, 128]', "1")
    with executor(2) as made:
        outcomes = swept(grid, tmp_path / "out", made, sweep_points.fragile)
    assert [outcome.reason for outcome in outcomes] == [
        "ValueError: nic.ring = 1: at least 64",
        "WorkerDied: its process died of signal 9",
        "it was ended before its time",
        "SystemExit: 7",
        "",
        "",
    ]
    write_tables(Swept.of(grid, outcomes), tmp_path)
    table = pyarrow.csv.read_csv(tmp_path / "sweep.csv").to_pylist()
    assert [row["status"] for row in table] == ["failed"] * 4 + ["ok"] * 2
    assert table[5]["flows.probe.latency_p50_ns"] == outcomes[5].summary["flows"][0]["latency_p50_ns"]
    assert table[0]["flows.probe.latency_p50_ns"] is None and table[0]["reason"].startswith("ValueError")


def test_failed_points_are_tried_again(tmp_path: Path, threads: Executor) -> None:
    grid = a_grid(tmp_path, '"nic.ring" = [1]', "1")
    (failed,) = swept(grid, tmp_path / "out", threads, sweep_points.fragile)
    assert failed.reason
    (again,) = swept(grid, tmp_path / "out", threads)
    assert (again.reason, again.again) == ("", False)


def test_a_point_that_leaves_nothing_here_has_failed(tmp_path: Path, threads: Executor) -> None:
    class Elsewhere(Executor):
        """A worker whose disk is another one: what it wrote is not here."""

        def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
            run_point, point, folder, digest = args
            return threads.submit(fn, run_point, point, folder.parent.parent / "elsewhere", digest)

    (outcome,) = swept(a_grid(tmp_path, "", "1"), tmp_path / "out", Elsewhere())
    assert outcome.reason == "it ran, but its folder is not here: do cluster and sweep share a disk?"


def test_the_same_points_run_on_a_dask_cluster(tmp_path: Path) -> None:
    grid = a_grid(tmp_path, '"nic.ring" = [1, 64]', "2")
    cluster = LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None)  # type: ignore[no-untyped-call]
    with cluster, executor(1, cluster.scheduler_address) as made:
        outcomes = swept(grid, tmp_path / "out", made, sweep_points.fragile)
    assert [bool(outcome.reason) for outcome in outcomes] == [True, True, False, False]
    with executor(1) as made:
        resumed = swept(grid, tmp_path / "out", made)
    assert [outcome.again for outcome in resumed] == [False, False, True, True]


def test_an_address_without_a_cluster_is_refused() -> None:
    with pytest.raises(ClusterError, match="--cluster nonsense://x"), executor(1, "nonsense://x"):
        pass


def test_a_worker_process_is_kept_from_call_to_call_and_replaced_when_it_dies() -> None:
    with Workers(1) as workers:
        first = workers.submit(os.getpid).result(PATIENCE_S)
        assert workers.submit(os.getpid).result(PATIENCE_S) == first != os.getpid()
        with pytest.raises(WorkerDied, match="ended with 3"):
            workers.submit(os._exit, 3).result(PATIENCE_S)
        assert workers.submit(os.getpid).result(PATIENCE_S) not in (first, os.getpid())
        with pytest.raises(ZeroDivisionError):
            workers.submit(divmod, 1, 0).result(PATIENCE_S)


def test_an_error_ends_the_processes_and_begins_no_other_call(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    with pytest.raises(ZeroDivisionError), Workers(1) as workers:
        first = workers.submit(time.sleep, 20)
        second = workers.submit(begun.touch)
        workers.submit(divmod, 1, 1)
        raise ZeroDivisionError
    assert second.cancelled() and not begun.exists()
    with pytest.raises(WorkerDied):
        first.result(PATIENCE_S)


def test_leaving_by_an_exception_ends_the_processes_and_drops_what_waits(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="enough"), executor(1) as made:
        running = made.submit(sweep_points.endless, {"nic.ring": 1, "seed": 1}, tmp_path)
        waiting = made.submit(os.getpid)
        wait_for(tmp_path / "waiting")
        raise RuntimeError("enough")
    assert isinstance(running.exception(PATIENCE_S), WorkerDied)
    assert waiting.cancelled() and (tmp_path / "cleaned").exists()


def wait_for(path: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} never came"
        time.sleep(0.05)


MAIN = """
import sys
from ringwire.experiment import sweep
from tests import sweep_points
sweep.experiment = lambda grid: sweep_points.endless
from ringwire.cli import main
if __name__ == "__main__":
    main(sys.argv[1:])
"""


def test_ctrl_c_ends_within_seconds_and_the_same_command_goes_on(tmp_path: Path) -> None:
    a_grid(tmp_path, '"nic.ring" = [64, 128]', "1")
    (tmp_path / "main.py").write_text(MAIN)
    command = [sys.executable, str(tmp_path / "main.py"), "sweep", str(tmp_path / "grid.toml"), "--jobs", "1"]
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'model'}{os.pathsep}{ROOT}"}
    for _ in range(2):
        # in a group of its own, as a terminal has it: all processes of it get the signal
        run = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)
        try:
            second = wait_for_waiting(tmp_path)
            os.killpg(run.pid, signal.SIGINT)
            _, said = run.communicate(timeout=PATIENCE_S)
        finally:
            run.kill()
        assert run.returncode == 130
        assert said.splitlines()[-1] == "ringwire: interrupted; 1 of 2 points are done, the same command does the rest"
        assert (second / "cleaned").exists()
        (second / "waiting").unlink()
    (first,) = (tmp_path / "grid" / "points").glob("nic.ring=64*")
    assert (first / "ran").read_text() == "once\n"


def wait_for_waiting(folder: Path) -> Path:
    end = time.monotonic() + PATIENCE_S
    while not (found := list(folder.glob("grid/points/*/waiting"))):
        assert time.monotonic() < end, "the second point never began"
        time.sleep(0.05)
    return found[0].parent


def test_time_left_is_told_in_units_that_matter() -> None:
    assert [time_left(value) for value in (9.6, 61, 3600 * 25 + 120)] == [
        "10 s left",
        "1 min 1 s left",
        "25 h 2 min left",
    ]


def test_a_grid_runs_the_experiment_that_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grid = a_grid(tmp_path)
    calls: list[object] = []
    monkeypatch.setattr("ringwire.experiment.sweep.point._run_experiment", lambda *given: calls.append(given))
    experiment(grid)({"nic.ring": 64, "seed": 1}, tmp_path / "x")
    assert calls == [(grid.base, grid.text, {"nic.ring": 64, "seed": 1}, tmp_path / "x")]
