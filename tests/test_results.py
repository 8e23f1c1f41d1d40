"""Published numbers: the shortest scenarios are run on the RTL, and the page is what they give."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from ringwire.cli import main
from ringwire.experiment import published
from ringwire.experiment.published import STUDIES
from ringwire.experiment.published import document as document_module
from ringwire.experiment.published import run as run_module
from ringwire.experiment.published.document import NOT_HELD, block, cells, command, document, is_held, numbers, row
from ringwire.experiment.published.run import Ran, run_one
from ringwire.experiment.published.study import Breakdown, Column, Figure, Run, Study
from ringwire.experiment.results import Results
from ringwire.experiment.scenario import Source, read_experiment
from ringwire.experiment.shipped import find

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
        assert f"| {' | '.join(row(figure, results))} | " in page, "make results writes it anew"


def test_the_page_says_of_every_figure_what_the_code_does_and_ours_is_held() -> None:
    sections = PAGE.read_text(encoding="utf-8").split("\n## ")[1:]
    assert len(sections) == len(STUDIES)
    for study, section in zip(STUDIES, sections, strict=True):
        title, text, source, table, *_ = section.split("\n\n")
        assert (title, text) == (study.title, study.text)
        assert source == f"Study: `{study.key}`. Source: {study.source}."
        rows = [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in table.splitlines()[2:]]
        for figure, found in zip(study.figures, rows, strict=True):
            ours, unit = re.fullmatch(r"(-?[\d,]+(?:\.\d+)?) (.+)", found[2]).groups()  # type: ignore[union-attr]
            value = float(ours.replace(",", ""))
            assert unit == figure.unit
            expected = [*cells(figure, f"{value:,.{figure.digits}f} {unit}", value), numbers(study, figure)]
            # the difference is of ours before it was rounded
            assert found[:3] + found[4:] == expected[:3] + expected[4:], "make results writes it anew"
            half = 0.5 / 10**figure.digits
            assert figure.held[0] - half <= value <= figure.held[1] + half, found
            if figure.published:
                step = 100 * half / abs(figure.published)
                assert abs(float(found[3].rstrip("%")) - 100 * (value / figure.published - 1)) <= step + 0.0501
            else:
                assert found[3] == ""


def test_the_page_names_the_command_of_each_run() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for study in STUDIES:
        for number, run in enumerate(study.runs, 1):
            line = command(run)
            assert f"\n{line}  # {number}\n" in page
            ringwire, verb, scenario, *words = shlex.split(line)
            assert (ringwire, verb, scenario) == ("ringwire", "run", run.scenario)
            assert words[::2] == ["--set"] * len(run.settings)
            typed = tuple((key, value) for key, _, value in (word.partition("=") for word in words[1::2]))
            as_typed, as_meant = (read_experiment(Source(*find(scenario), given)) for given in (typed, run.settings))
            assert repr(replace(as_typed, source=as_meant.source)) == repr(as_meant)
            assert as_meant.rig.sim == "verilator"


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
    assert "| more | 10.0 ms | 10.5 ms | +5.0% | 10.0 to 11.0 | slow | 1 - 2 |\n" in page
    assert page.endswith(
        "| run | wait, ms | again | run |\n|---|--:|--:|--:|\n"
        "| slow | 12.5 | 12 | 1 |\n| other | 1,234.5 | 1,234 | 3 |\n\n"
        "```sh\nringwire run bql --set link.rate=1mbit  # 1\nringwire run bql  # 2\n"
        "ringwire run moderation  # 3\n```\n"
    )
    assert NOT_HELD not in page
    Console(width=80).print(block(study, results))
    assert capsys.readouterr().out == (
        "title\n  more\n      published 10.0 ms, ours 10.5 ms, difference +5.0%, held 10.0 to 11.0\n      slow\n"
        "  slow\n      wait, ms: 12.5; again: 12\n  other\n      wait, ms: 1,234.5; again: 1,234\n"
    )


def test_what_is_not_held_and_what_was_wrong_is_said_at_the_top_of_the_page() -> None:
    run = Run("bql")
    figure = Figure("more", "ms", run, lambda found: 10.5, (11.0, 12.0))
    page = document((Study("key", "title", "source", "text", (figure,)),), {run: Results({})}, ["bql: a frame is lost"])
    head = page[: page.index("\n## ")]
    assert "**bql: a frame is lost**" in head and f"**{NOT_HELD}: title: more**" in head


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
    assert f"**{NOT_HELD}: {wrong.title}: {figure.what}**" in page.read_text()


def twins(monkeypatch: pytest.MonkeyPatch, **settings: object) -> tuple[Study, Run]:
    """The first study is all that there is: its first figure, on the twin, with these settings."""
    figure = STUDIES[0].figures[0]
    run = replace(figure.run, settings=(("nic.device", "twin"), *settings.items()))
    study = replace(STUDIES[0], figures=(replace(figure, run=run),))
    monkeypatch.setattr(published, "STUDIES", (study,))
    return study, run


def test_a_problem_that_a_run_shows_is_told_and_ends_the_command_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, run = twins(monkeypatch)
    good = Ran({run: Results({"problems": []})})
    bad = Ran({run: Results({"problems": ["frame 7 is not what was sent"]})})
    monkeypatch.setattr(document_module, "is_held", lambda figure, results: True)
    monkeypatch.setattr(document_module, "value", lambda figure, results: 304.8)
    page = tmp_path / "page.md"
    codes = []
    for ran in (good, bad):
        monkeypatch.setattr(run_module, "run_studies", lambda *given, ran=ran: ran)
        try:
            main(["results", "--folder", str(tmp_path), "--write", str(page)])
        except SystemExit as ended:
            codes.append(ended.code)
    assert codes == [0, 1]
    line = f"{run.name}: frame 7 is not what was sent"
    assert capsys.readouterr().err == f"ringwire: {line}\n"
    assert f"**{line}**" in page.read_text()


def test_a_run_that_fails_is_named_and_the_others_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    study, good = twins(monkeypatch)
    bad = replace(good, settings=(("nic.device", "twin"), ("nic.ring", 63)))
    figure = study.figures[0]
    study = replace(study, figures=(figure, replace(figure, what="another", run=bad)))
    monkeypatch.setattr(published, "STUDIES", (study,))
    page = tmp_path / "page.md"
    with pytest.raises(SystemExit) as ended:
        main(["results", "--folder", str(tmp_path), "--jobs", "1", "--write", str(page)])
    assert ended.value.code == 1
    told = capsys.readouterr()
    assert "ours 304.800 ms" in told.out and "ours failed" in told.out
    assert f"ringwire: {bad.name}: " in told.err and "nic.ring" in told.err
    assert not page.exists() and f"--write {page}: not written, since runs have failed" in told.err


def test_ctrl_c_says_what_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    twins(monkeypatch)

    def interrupted(studies: object, folder: Path, jobs: int, tell: Callable[[object], None]) -> Ran:
        tell(None)
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module, "run_studies", interrupted)
    with pytest.raises(SystemExit) as ended:
        main(["results", "--folder", str(tmp_path)])
    assert ended.value.code == 130
    assert f"ringwire: interrupted; the 1 of 1 runs that are done are in {tmp_path}\n" in capsys.readouterr().err
