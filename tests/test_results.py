"""Published numbers: the shortest scenarios are run on the RTL, and the page is what they give."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from ringwire.cli import main
from ringwire.experiment import published
from ringwire.experiment.published import STUDIES
from ringwire.experiment.published.document import document, is_held, row, tables
from ringwire.experiment.published.run import run_one
from ringwire.experiment.published.study import Breakdown, Column, Figure, Run, Study
from ringwire.experiment.results import Results

PAGE = Path(__file__).parents[1] / "docs" / "results.md"
SHORT = ("ring-delay", "bql-limit", "super-packet", "bufferbloat")


@pytest.mark.parametrize("key", SHORT)
def test_the_rtl_gives_what_the_page_says_and_what_was_published(key: str, tmp_path: Path) -> None:
    study = next(study for study in STUDIES if study.key == key)
    page = PAGE.read_text(encoding="utf-8")
    for run in study.runs:
        run_one(run, tmp_path / run.name)
    results = {run: Results.load(tmp_path / run.name) for run in study.runs}
    assert [result.summary["problems"] for result in results.values() if result.summary["problems"]] == []
    for figure in study.figures:
        assert is_held(figure, results), row(figure, results)
        assert f"| {' | '.join(row(figure, results))} |" in page, "make results writes it anew"


def test_the_page_has_all_studies_in_their_order_and_figures_with_their_names() -> None:
    page = PAGE.read_text(encoding="utf-8")
    titles = [line.removeprefix("## ") for line in page.splitlines() if line.startswith("## ")]
    assert titles == [study.title for study in STUDIES]
    for study in STUDIES:
        assert study.text in page
        for figure in study.figures:
            assert f"| {figure.what} | " in page


def test_a_figure_may_be_a_difference_and_runs_may_be_shown_beside(capsys: pytest.CaptureFixture[str]) -> None:
    fast, slow, other = Run("bql"), Run("bql", (("link.rate", "1mbit"),)), Run("moderation")
    results = {run: Results({"wait": wait}) for run, wait in ((fast, 2.0), (slow, 12.5), (other, 1234.5))}

    def wait(found: Results) -> float:
        return float(found.summary["wait"])

    figure = Figure("more", "ms", slow, wait, (10.0, 11.0), 10.0, "slow", than=fast)
    breakdown = Breakdown(
        "run", (("slow", slow), ("other", other)), (Column("wait, ms", wait), Column("again", wait, 0))
    )
    study = Study("key", "title", "source", "text", (figure,), breakdown)
    assert study.runs == (slow, fast, other)
    assert is_held(figure, results) and not is_held(replace(figure, held=(12.0, 13.0)), results)
    page = document((study,), results)
    assert "| more | 10.0 ms | 10.5 ms | +5.0% | 10.0 to 11.0 | slow |\n" in page
    assert page.endswith(
        "| run | wait, ms | again |\n|---|--:|--:|\n| slow | 12.5 | 12 |\n| other | 1,234.5 | 1,234 |\n"
    )
    for table in tables(study, results):
        Console().print(table)
    assert "1,234.5" in capsys.readouterr().out


def test_runs_that_differ_have_folders_that_differ() -> None:
    lines = "ethtool -K eth0 gso off\ntc qdisc replace dev eth0 root "
    runs = [Run("bql", (("setup.lines", lines + word * 50), ("nic.ring", 64))) for word in ("x", "y")]
    runs += [Run("bql", (("setup.lines", text),)) for text in ("a b", "a/b", "a-b")]
    names = [run.name for run in runs]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[\w.,=-]{1,130}", name) for name in names)
    assert runs[-1].name == "bql,setup.lines=a-b"


def test_the_command_says_which_studies_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["results", "nothing"])
    assert ended.value.code == 2
    there = ", ".join(study.key for study in STUDIES)
    assert capsys.readouterr().err == f"ringwire: no study 'nothing'; there are {there}\n"


def test_a_figure_that_is_not_held_ends_the_command_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study = STUDIES[0]
    figure = study.figures[0]
    twin = replace(figure.run, settings=(("nic.device", "twin"),))
    wrong = replace(study, figures=(replace(figure, run=twin, held=(1.0, 2.0)),))
    monkeypatch.setattr(published, "STUDIES", (wrong,))
    page = tmp_path / "page.md"
    with pytest.raises(SystemExit) as ended:
        main(["results", "--folder", str(tmp_path / "runs"), "--jobs", "1", "--write", str(page)])
    assert ended.value.code == 1
    assert "127 frames before one" in capsys.readouterr().out
    results = {twin: Results.load(tmp_path / "runs" / twin.name)}
    assert row(replace(figure, run=twin, published=0.0), results)[3] == "", "nothing has no hundredth parts"
    assert page.read_text() == document((wrong,), results) and "| 304.800 ms | 304.800 ms |" in page.read_text()
