"""What a sweep tells: figures, intervals, box plots, page, command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from click.testing import CliRunner

from ringwire.experiment import sweep as sweep_module
from ringwire.experiment.commands_report import sweep_command
from ringwire.experiment.report import page as page_module
from ringwire.experiment.report.render import columns, document
from ringwire.experiment.sweep.boxes import box_plots
from ringwire.experiment.sweep.figures import Swept, figures, interval, write_tables
from ringwire.experiment.sweep.grid import Grid
from ringwire.experiment.sweep.page import sweep_page
from ringwire.experiment.sweep.point import Outcome
from tests import sweep_points
from tests.synthetic_results import make_results

LATENCY = "flows.probe.latency_p50_ns"


def ran(grid: Grid, folder: Path) -> Swept:
    outcomes = []
    for point in grid.points():
        own = folder / "points" / point.name
        own.mkdir(parents=True)
        outcomes.append(Outcome(point, own, sweep_points.model(point.settings, own).summary))
    return Swept.of(grid, outcomes)


def a_grid(seeds: int = 4, figures: tuple[str, ...] = (), title: str = "Rings") -> Grid:
    values: dict[str, list[object]] = {"nic.ring": [64, 256, 1024], "nic.bql": [True, False], "device": ["twin"]}
    return Grid(title, Path("x.toml"), "", values, range(1, seeds + 1), figures)


def test_figures_are_all_numbers_of_a_summary_by_where_they_stand() -> None:
    found = figures(make_results(queues=2, samples=20).summary)
    assert found["totals.frames"] == 16_254 and found["queues.1.bql_limit_bytes"] == 4_542
    assert found["flows.bulk1.drops"] == 3
    assert not any(name.endswith(("kind", "flow", ".queue")) for name in found)
    assert figures({}) == {}


def test_the_interval_is_students() -> None:
    # by the book: mean 5, standard deviation 1.58, t(0.975, 4) = 2.776
    ends = interval(np.array([3.0, 4.0, 5.0, 6.0, 7.0]))
    assert ends == pytest.approx((5 - 2.776445 * 1.581139 / 5**0.5, 5 + 2.776445 * 1.581139 / 5**0.5), rel=1e-6)
    assert interval(np.array([1.0])) is None
    assert interval(np.array([2.0, 2.0])) == (2.0, 2.0)


def test_boxes_are_the_quartiles_of_the_seeds_of_each_combination(tmp_path: Path) -> None:
    swept = ran(a_grid(figures=(LATENCY,)), tmp_path)
    (plot,) = box_plots(swept)
    boxes = columns(plot.data["figure_0_boxes"])
    assert list(zip(boxes["x"], boxes["key"], strict=True)) == [
        (f"ring {ring}", bql) for ring in (64, 256, 1024) for bql in ("on", "off")
    ]
    values = [outcome.summary["flows"][0]["latency_p50_ns"] / 1e9 for outcome in swept.outcomes[4:8]]
    assert boxes["median"][1] == pytest.approx(np.median(values), rel=1e-5)
    assert (boxes["low"][1], boxes["high"][1]) == pytest.approx((min(values), max(values)), rel=1e-5)
    means = columns(plot.data["figure_0_means"])
    assert means["mean"][1] == pytest.approx(np.mean(values), rel=1e-5)
    assert min(values) > means["begin"][1] > 0.9 * means["mean"][1] and max(values) < means["end"][1]
    assert len(plot.data["figure_0_seeds"]["value"]) == 24
    scale = document(plot, (0, 0))["layer"][0]["encoding"]["y"]["scale"]
    assert scale["type"] == "log"
    assert set(means["slot"]).isdisjoint(boxes["slot"])  # they stand beside each other
    assert "95% confidence interval (Student's t over seeds)" in plot.caption


def test_an_axis_follows_values_that_are_near_each_other_and_says_so(tmp_path: Path) -> None:
    swept = ran(a_grid(figures=("totals.frames", LATENCY)), tmp_path)
    for spread, zero in ((0.001, False), (0.5, True), (0.0, True)):
        near = [{"totals.frames": 1000 * (1 + spread * (i % 2)), LATENCY: 1.0} for i, _ in enumerate(swept.outcomes)]
        plot = box_plots(replace(swept, figures=near))[0]
        y = document(plot, (0, 0))["layer"][0]["encoding"]["y"]
        assert (y["scale"]["zero"], "not from 0" in y["title"]) == (zero, not zero)


def test_a_legend_has_no_values_without_data(tmp_path: Path) -> None:
    swept = ran(a_grid(figures=(LATENCY,)), tmp_path)
    some = [
        found if outcome.point.settings["nic.bql"] else {}
        for outcome, found in zip(swept.outcomes, swept.figures, strict=True)
    ]
    (plot,) = box_plots(replace(swept, figures=some))
    assert [key.name for key in plot.keys] == ["on"]
    assert len(set(columns(plot.data["figure_0_boxes"])["slot"])) == 1


def test_one_seed_has_boxes_without_an_interval_and_failed_points_none(tmp_path: Path) -> None:
    swept = ran(a_grid(seeds=1, figures=(LATENCY,)), tmp_path)
    failed = Outcome(swept.outcomes[0].point, tmp_path, reason="no")
    (plot,) = box_plots(Swept.of(swept.grid, [failed, *swept.outcomes[1:]]))
    assert "figure_0_means" not in plot.data and len(plot.data["figure_0_boxes"]["x"]) == 5
    assert box_plots(Swept.of(swept.grid, [failed] * 6)) == []


def test_without_a_choice_the_usual_figures_are_plotted(tmp_path: Path) -> None:
    swept = ran(a_grid(seeds=2), tmp_path)
    usual = ["totals.wire utilisation", LATENCY, "flows.probe.rate_bps", "queues.0.bql_limit_bytes"]
    assert swept.plotted == usual
    assert swept.unknown == []
    other = Swept.of(a_grid(seeds=2, figures=(LATENCY, "flows.bulk.rate")), swept.outcomes)
    assert (other.plotted, other.unknown) == ([LATENCY], ["flows.bulk.rate"])


def test_the_table_has_a_row_a_point_with_settings_and_figures(tmp_path: Path) -> None:
    swept = ran(a_grid(seeds=2), tmp_path)
    write_tables(swept, tmp_path)
    rows = pyarrow.parquet.read_table(tmp_path / "sweep.parquet").to_pylist()
    assert len(rows) == 12
    assert {name: rows[3][name] for name in ("nic.ring", "nic.bql", "device", "seed", "status", "totals.frames")} == {
        "nic.ring": 64, "nic.bql": False, "device": "twin", "seed": 2, "status": "ok", "totals.frames": 6400
    }  # fmt: skip
    assert rows[3]["folder"] == f"points/{swept.outcomes[3].point.name}"


def test_values_of_several_kinds_are_texts_in_the_table(tmp_path: Path) -> None:
    grid = Grid("mixed", Path("x.toml"), "", {"qdisc": ["pfifo", 3, ["a", "b"], True]}, [1], ())
    write_tables(Swept.of(grid, [Outcome(point, tmp_path, reason="no") for point in grid.points()]), tmp_path)
    column = pyarrow.parquet.read_table(tmp_path / "sweep.parquet")["qdisc"].to_pylist()
    assert column == ["pfifo", "3", '["a", "b"]', "on"]


def test_the_page_tells_failures_means_and_where_the_points_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "vega", lambda: "/* vega */")
    swept = ran(a_grid(seeds=2, figures=(LATENCY,), title="<i>Rings</i> & more"), tmp_path)
    (swept.outcomes[1].folder / "report.html").touch()
    bad = Outcome(swept.outcomes[0].point, swept.outcomes[0].folder, reason="ValueError: <script>")
    swept = Swept.of(swept.grid, [bad, *swept.outcomes[1:]])
    text = sweep_page(tmp_path, swept, box_plots(swept))
    assert "&lt;i&gt;Rings&lt;/i&gt; &amp; more" in text and "ValueError: &lt;script&gt;" in text
    assert "1 of 12 points failed" in text
    name = swept.outcomes[1].point.name.replace(",", "%2C").replace("=", "%3D")
    assert f'href="./points/{name}/report.html"' in text
    assert text.count(" ± ") == 5 + 1  # of six combinations one has a single seed; and the caption
    assert text.count(">failed</a>") == 1


def test_the_command_makes_tables_plots_and_page_and_exits_by_how_it_went(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_module, "vega", lambda: "/* vega */")
    monkeypatch.setattr(sweep_module, "experiment", lambda grid: sweep_points.fragile)
    file = tmp_path / "rings.toml"
    file.write_text(f'base = "sparse-and-bulk"\nseeds = 2\nfigures = ["{LATENCY}"]\n[grid]\nnic.ring = [64, 128]\n')
    run = CliRunner().invoke(sweep_command, [str(file), "--jobs", "2"])
    out = tmp_path / "rings"
    assert (run.exit_code, run.stdout) == (0, f"{out / 'sweep.html'}\n"), run.output
    assert {path.name for path in out.iterdir()} == {"points", "plots", "sweep.csv", "sweep.parquet", "sweep.html"}
    assert {path.name for path in (out / "plots").iterdir()} == {"figure_0.png", "figure_0.svg"}
    record = json.loads(next(iter(out.glob("points/*ring=64*seed=1*/point.json"))).read_text())
    assert record["settings"] == {"nic.ring": 64, "seed": 1}
    monkeypatch.setattr(sweep_module, "try_grid", lambda grid, path: None)
    file.write_text(file.read_text().replace("64, 128", "1, 64"))
    run = CliRunner().invoke(sweep_command, [str(file), "--jobs", "1"])
    assert run.exit_code == 1 and run.stderr.count("ValueError: nic.ring = 1: at least 64") == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("none.toml", "No such file"),
        ("grid.toml --jobs 0", "0 is not in the range"),
        ("grid.toml --jobs 2 --cluster tcp://x:1", "--jobs is for this machine"),
        ("grid.toml --out grid.toml", "it is no folder"),
        ("grid.toml --cluster nonsense://x", "--cluster nonsense://x"),
    ],
)
def test_the_command_refuses_what_makes_no_sense(
    words: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("grid.toml").write_text("base = 'bql'\n")
    run = CliRunner().invoke(sweep_command, words.split())
    assert run.exit_code == 2 and said in run.stderr
