"""Kept simulators: a fork of one is as good as a new one, whatever the runs before it have done."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ringwire.cosim import warm
from ringwire.cosim.build import Design
from ringwire.cosim.run import SimulationFailed, run_job
from ringwire.cosim.world import FastWorld, WorldSettings
from tests.cosim_jobs import PUPPET

BOTH = pytest.mark.parametrize("sim", ["verilator", "icarus"])


@pytest.fixture(autouse=True)
def room_for_two() -> Iterator[None]:
    """A shelf of its own for each test."""
    with warm.keep_simulators(most=2):
        yield


def kept() -> list[warm.Kept]:
    shelf = warm.shelf()
    assert shelf is not None
    return list(shelf._kept.values())


async def looks_around(world: FastWorld, path: Path) -> dict[str, Any]:
    """All that could tell a run that another one was before it; then something that the next could tell."""
    begun = world.now_ps()
    await world.pause(1_000)
    seen = {
        "begun": begun,
        "time": world.timeline.now_ns,
        "files": sorted(Path().iterdir()),
        "folder": Path.cwd().name,
        "variable": os.environ.get("LEFT_BEHIND"),
    }
    os.environ["LEFT_BEHIND"] = "1"
    Path("left").write_text("something")
    print("said")
    path.write_text(str(os.getpid()))
    return seen


async def fails(world: FastWorld, how: str) -> None:
    if how == "raise":
        raise RuntimeError("as it should")
    if how == "sleep":
        time.sleep(60)
    os.kill(os.getpid(), signal.SIGKILL)


async def ends_the_simulator(world: FastWorld, _config: None) -> int:
    os.kill(os.getppid(), signal.SIGKILL)
    return 7


async def reports_and_sleeps(world: FastWorld, _config: None) -> None:
    world.progress("begun")
    time.sleep(60)


@BOTH
def test_each_run_is_the_first_one(sim: str, tmp_path: Path) -> None:
    def look() -> dict[str, Any]:
        found: dict[str, Any] = run_job(f"{__name__}.looks_around", tmp_path / "pid", design=Design(sim, rtl=PUPPET))
        assert found.pop("folder").startswith("job-")
        return found | {"pid": (tmp_path / "pid").read_text()}

    first, second = look(), look()
    assert first.pop("pid") != second.pop("pid")
    assert first == second
    assert first["files"] == [] and first["variable"] is None
    assert len(kept()) == 1


@BOTH
@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("raise", "job: RuntimeError: as it should"),
        ("sleep", "not finished after 1 s"),
        ("kill itself", r"the simulator ended early: Killed \(error, signal 9\)"),
    ],
)
def test_the_run_after_one_that_fails_is_not_harmed(sim: str, how: str, says: str, tmp_path: Path) -> None:
    design = Design(sim, rtl=PUPPET)
    run_job(f"{__name__}.looks_around", tmp_path / "pid", design=design)
    with pytest.raises(SimulationFailed, match=says):
        run_job(f"{__name__}.fails", how, design=design, limit_s=1 if how == "sleep" else 60)
    assert run_job(f"{__name__}.looks_around", tmp_path / "pid", design=design)["time"] == 1_000


@BOTH
def test_a_simulator_that_is_gone_is_replaced(sim: str, tmp_path: Path) -> None:
    design = Design(sim, rtl=PUPPET)
    assert run_job(f"{__name__}.ends_the_simulator", design=design) == 7
    assert run_job(f"{__name__}.looks_around", tmp_path / "pid", design=design)["time"] == 1_000


def test_a_run_that_nobody_waits_for_any_more_is_ended(tmp_path: Path) -> None:
    def give_up(text: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_job(f"{__name__}.reports_and_sleeps", design=Design(rtl=PUPPET), progress=give_up)
    assert kept() == []
    design = Design(rtl=PUPPET)
    assert run_job(f"{__name__}.looks_around", tmp_path / "pid", design=design, limit_s=30)["time"] == 1_000


def test_no_more_are_kept_than_was_said_and_none_afterwards(tmp_path: Path) -> None:
    for seed in (1, 2, 3, 2):
        run_job(
            f"{__name__}.looks_around", tmp_path / "pid", design=Design(rtl=PUPPET), settings=WorldSettings(seed=seed)
        )
    assert len(kept()) == 2
    processes = [simulator._process.pid for simulator in kept()]
    shelf = warm.shelf()
    assert shelf is not None
    shelf.close()
    assert not any(Path(f"/proc/{pid}/exe").exists() for pid in processes)


def test_a_simulator_that_does_not_come_up_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringwire.cosim.run.JOB_MODULE", "nowhere.at_all")
    with pytest.raises(SimulationFailed, match="the simulator ended early: ") as caught:
        run_job(f"{__name__}.fails", "raise", design=Design(rtl=PUPPET))
    assert "No module named 'nowhere'" in caught.value.details
    assert kept() == []
