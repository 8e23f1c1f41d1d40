"""A sweep's file: what it means, and what is refused with which words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ringwire.experiment.shipped import find
from ringwire.experiment.sweep.grid import GridError, Point, read_grid, try_grid

GRID = """
base = "scenario.toml"
title = "Rings"
seeds = 2
figures = ["flows.probe.latency_p50_ns"]

[grid]
"nic.ring" = [64, 256]
nic.bql = [true, false]
"""


def written(folder: Path, text: str) -> Path:
    (folder / "scenario.toml").write_text("duration = '1s'\n")
    path = folder / "grid.toml"
    path.write_text(text)
    return path


def test_points_are_the_product_of_all_values_and_seeds(tmp_path: Path) -> None:
    grid = read_grid(written(tmp_path, GRID))
    assert (grid.title, grid.base, len(grid)) == ("Rings", (tmp_path / "scenario.toml").resolve(), 8)
    points = list(grid.points())
    assert points[0].settings == {"nic.ring": 64, "nic.bql": True, "seed": 1}
    assert points[1].settings == {"nic.ring": 64, "nic.bql": True, "seed": 2}
    assert points[-1].settings == {"nic.ring": 256, "nic.bql": False, "seed": 2}
    assert len({point.name for point in points}) == 8


def test_a_base_may_be_a_shipped_scenario_and_seeds_may_be_named(tmp_path: Path) -> None:
    grid = read_grid(written(tmp_path, "seeds = [7, 0]\nbase = 'bql'\n"))
    assert (grid.base, grid.text) == find("bql")
    assert [point.settings for point in grid.points()] == [{"seed": 7}, {"seed": 0}]
    assert grid.title == "grid"


def test_the_digest_follows_the_experiments_text(tmp_path: Path) -> None:
    first = read_grid(written(tmp_path, GRID)).base_digest
    assert read_grid(tmp_path / "grid.toml").base_digest == first
    (tmp_path / "scenario.toml").write_text("duration = '2s'\n")
    assert read_grid(tmp_path / "grid.toml").base_digest != first


def test_a_points_folder_is_readable_and_its_own_however_long_its_settings() -> None:
    lines = "tc qdisc add dev eth0 root fq_codel limit 1000 " * 9
    one = Point({"setup": [lines + "1"], "seed": 1}).name
    other = Point({"setup": [lines + "2"], "seed": 1}).name
    assert one != other and len(one) < 100 and re.fullmatch(r"[A-Za-z0-9._=,-]+", one)
    assert Point({"nic.ring": 64, "nic.bql": True, "seed": 1}).name.startswith("nic.ring=64,nic.bql=on,seed=1-")
    assert Point({"a": 1, "seed": 1}).name != Point({"a": "1", "seed": 1}).name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("base = 'scenario.toml'\nsedes = 3\n", "grid.toml:2: unknown key sedes; there are base, title,"),
        ("base = 'scenario.toml'\n[grid\n", "grid.toml: Expected ']'"),
        ("seeds = 3\n", "grid.toml: base is the experiment's file"),
        ("base = 3\n", "grid.toml:1: base is the experiment's file"),
        ("base = 'none.toml'\n", "grid.toml:1: base none.toml: no such file"),
        ("base = 'scenario.toml'\nseeds = 0\n", "grid.toml:2: seeds is how many"),
        ("base = 'scenario.toml'\nseeds = true\n", "grid.toml:2: seeds is how many"),
        ("base = 'scenario.toml'\nseeds = [1, 1]\n", "grid.toml:2: seeds is how many"),
        ("base = 'scenario.toml'\nseeds = [-1]\n", "grid.toml:2: seeds is how many"),
        ("base = 'scenario.toml'\ngrid = 3\n", "grid.toml:2: grid is a table"),
        ("base = 'scenario.toml'\n[grid]\n'nic.ring' = 64\n", "grid.toml:3: nic.ring is a list"),
        ("base = 'scenario.toml'\n[grid]\nnic.ring = []\n", "grid.toml:3: nic.ring is a list"),
        ("base = 'scenario.toml'\n[grid]\nnic.ring = [64, 64]\n", "grid.toml:3: nic.ring: a value is there twice"),
        ("base = 'scenario.toml'\n[grid]\nseed = [1]\n", "grid.toml:3: seed is no key of the grid"),
        ("base = 'scenario.toml'\n[grid]\nat = [2026-11-30]\n", "grid.toml:3: at: numbers, texts"),
        ("base = 'scenario.toml'\nfigures = 'x'\n", "grid.toml:2: figures is a list"),
        ("base = 'scenario.toml'\ntitle = 1\n", "grid.toml:2: title is a text"),
        ("base = 'scenario.toml'\nseeds = 100001\n", "100,001 points; at most 100,000"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_line_key_and_what_is_allowed(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(GridError) as refused:
        read_grid(written(tmp_path, text))
    assert said in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[grid]\n'nic.rings' = [64]\n", "grid.toml:3: nic.rings=64: no key nic.rings; allowed: device, "),
        ("[grid]\n'nic.bql' = [true]\n'nic.ring' = [64, 100]\n", "grid.toml:4: nic.ring=100: nic.ring 100; allowed: "),
        ("[grid]\n'flow.voip.size' = [64]\n", "grid.toml:3: flow.voip.size=64: no flow 'voip'; there are "),
        ("figures = ['flows.voip.rate_bps']\n", "grid.toml:2: flows.voip.rate_bps: there is no such flow; there are "),
    ],
)  # fmt: skip
def test_what_the_experiment_refuses_is_told_before_anything_runs(text: str, said: str, tmp_path: Path) -> None:
    path = written(tmp_path, "base = 'sparse-and-bulk'\n" + text)
    with pytest.raises(GridError) as refused:
        try_grid(read_grid(path), path)
    assert said in str(refused.value) and "\n" not in str(refused.value)


def test_a_value_that_can_be_with_some_of_the_others_is_not_refused(tmp_path: Path) -> None:
    text = "base = 'two-queues'\n[grid]\n'nic.queues' = [1, 2]\n'flow.probe.queue' = [0, 1]\n"
    path = written(tmp_path, text)
    try_grid(read_grid(path), path)


def test_a_missing_file_and_one_that_is_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GridError, match="No such file"):
        read_grid(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(GridError, match="not UTF-8"):
        read_grid(tmp_path / "binary.toml")
