"""Published numbers: the shortest scenarios are run on the RTL, and the page is what they give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ringwire.cli import main
from ringwire.experiment import published
from ringwire.experiment.published import STUDIES
from ringwire.experiment.published.document import document, is_held, row
from ringwire.experiment.published.run import run_one
from ringwire.experiment.results import Results

PAGE = Path(__file__).parents[1] / "docs" / "results.md"
SHORT = ("ring-delay", "bql-limit")


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


def test_the_command_says_which_studies_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["results", "nothing"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "ringwire: no study 'nothing'; there are ring-delay, bql-limit, moderation\n"


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
    assert page.read_text() == document((wrong,), results) and "| 304.800 ms | 304.800 ms |" in page.read_text()
