"""report.html: one file, whatever the names in it; and the command that makes it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ringwire.experiment.report import ReportError, load, write_report
from ringwire.experiment.report import page as page_module
from ringwire.experiment.report.chart import Plot
from ringwire.experiment.report.page import run_page, write_text
from ringwire.experiment.report.plots import draw
from ringwire.experiment.report.tables import COLUMNS, of_flows, of_paths, of_queues, parted
from ringwire.experiment.report.text import grid, heading, number, si
from ringwire.experiment.results import Results
from tests.synthetic_results import make_results

ROOT = Path(__file__).parent.parent
NASTY = "</script><script>alert(1)</script><img src=x onerror=alert(2)> & \"double\" 'single' {{ 7*7 }} \\u003c"


class Page(HTMLParser):
    """Elements with their attributes, texts outside scripts, and scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.texts.append(data)


def page_of(results: Results, folder: Path) -> Page:
    return Page(run_page(folder, results, draw(results)))


@pytest.fixture(autouse=True)
def no_vega(monkeypatch: pytest.MonkeyPatch) -> None:
    """These look at the page's own text; Vega itself is the browser test's."""
    monkeypatch.setattr(page_module, "vega", lambda: "/* vega */")


def test_the_page_has_summary_tables_figures_and_links(tmp_path: Path) -> None:
    results = make_results(samples=20)
    results.save(tmp_path)
    (tmp_path / "wire #1.pcap").write_bytes(b"x" * 2000)
    made = page_of(results, tmp_path)
    texts = [text.strip() for text in made.texts if text.strip()]
    for wanted in (
        "Bulk beside sparse flows, 1 Gbit/s",
        "200 ms simulated, in 2.5 s, seed 1",
        "fq_codel",
        "probe1",
        "97.12%",
    ):
        assert wanted in texts, wanted
    assert texts.count("latency p99") == 1 and "bql limit bytes" in texts
    figures = [attributes["id"] for tag, attributes in made.tags if tag == "figure"]
    assert figures == [f"plot-{plot.name}" for plot in [*still(results), *moving(results)]]
    links = {attributes["href"] for tag, attributes in made.tags if tag == "a"}
    assert {"./wire%20%231.pcap", "./series/bql.csv", "./summary.json", "plots/bql.png", "plots/bql.svg"} <= links


def still(results: Results) -> list[Plot]:
    return [plot for plot in draw(results).plots if not plot.timeline]


def moving(results: Results) -> list[Plot]:
    return [plot for plot in draw(results).plots if plot.timeline]


def test_names_and_titles_can_neither_break_the_page_nor_inject_into_it(tmp_path: Path) -> None:
    results = make_results(samples=10)
    for table in results.series.values():
        for column in ("flow", "name", "stage"):
            if column in table:
                table[column][:] = NASTY
    summary = results.summary
    summary |= {"title": NASTY, "printed": NASTY, "problems": [NASTY], "setup": {NASTY: NASTY}, "totals": {NASTY: 1}}
    summary["flows"] = [{"flow": NASTY, NASTY: 3}]
    made = page_of(results, tmp_path)
    assert len(made.scripts) == 3 and not any(tag == "img" for tag, _ in made.tags)
    assert not any(name.startswith("on") for _, attributes in made.tags for name in attributes)
    shown = [text.strip() for text in made.texts]
    assert shown.count(NASTY) >= 6
    data = json.loads(made.scripts[0])
    assert set(data["plots"][0]["data"]["latency_cdf"]["flow"]) == {NASTY}
    assert {attributes["data-pick"] for _, attributes in made.tags if "data-pick" in attributes} == {NASTY, "tx-0"}


def test_a_partial_run_and_its_problems_are_said_first(tmp_path: Path) -> None:
    results = make_results(samples=10)
    results.summary |= {"partial": True, "problems": ["watchdog: queue 0 timed out", "2 frames lost"]}
    text = run_page(tmp_path, results, draw(results))
    banners = text[: text.index("<main>")]
    for wanted in ("Partial", "2 problems", "watchdog: queue 0 timed out"):
        assert wanted in banners
    sound = run_page(tmp_path, make_results(samples=10), draw(results))
    assert 'class="banner' not in sound


def test_what_is_not_shown_is_said(tmp_path: Path) -> None:
    results = make_results(flows=1, samples=10)
    del results.series["tso"]
    texts = " ".join(page_of(results, tmp_path).texts)
    assert "The way of one super-packet : the run has no series tso" in re.sub(r"\s+", " ", texts)


def test_a_page_without_any_series_is_a_page_still(tmp_path: Path) -> None:
    made = page_of(Results({"title": "bare"}, {}), tmp_path)
    assert made.scripts == [] and "bare" in made.texts
    assert sum(tag == "li" for tag, _ in made.tags) == 14


def test_a_long_run_of_many_flows_and_queues_stays_below_six_megabytes(tmp_path: Path) -> None:
    results = make_results(flows=20, queues=16, samples=4_000)
    size = len(run_page(tmp_path, results, draw(results)))
    assert 500_000 < size < 5_000_000  # and Vega, 0.9 MB


def test_a_page_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("before")
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "report.html", "a" * 100_000 + "\ud800")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_text() == "before"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("latency_p50_ns", 43_812.4, "43.81 µs"), ("rate_bps", 940_500_000, "940.5 Mbit/s"), ("wall_s", 0.0, "0 s"),
        ("frames", 1234567, "1,234,567"), ("wire utilisation", 0.97123, "97.12%"), ("x", float("nan"), "-"),
        ("x", None, "-"),
        ("packets_per_interrupt", 1.8, "1.8"), ("on", True, "yes"), ("kind", "tcp", "tcp"),
        ("longest gap ns", 1_500, "1.5 µs"), ("frames per wall s", 15_000.0, "15,000"),
        ("latency_ns", float("inf"), "-"), ("frames per wall s", 25_489.4, "25,489"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_their_names_ask(name: str, value: object, text: str) -> None:
    assert number(name, value) == text


def test_a_table_has_a_column_for_every_name_that_any_row_has() -> None:
    made = grid([{"flow": "a", "rate_bps": 1.0}, {"flow": "b", "loss": 0.5}])
    assert [(column.text, column.number) for column in made.columns] == [
        ("flow", False),
        ("rate", True),
        ("loss", True),
    ]
    assert [[cell.text for cell in row] for row in made.rows] == [["a", "1 bit/s", "-"], ["b", "-", "0.5"]]
    assert si(999.96e-9, "s") == "1000 ns" and si(-0.5, "s") == "-500 ms"


def ringwire(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ringwire", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT / "model")


def test_report_makes_the_page_and_a_picture_of_each_plot_twice(tmp_path: Path) -> None:
    results = make_results(samples=8)
    results.series = {name: results.series[name] for name in ("latency", "tso")}
    results.save(tmp_path)
    page = write_report(tmp_path)
    assert page == tmp_path / "report.html"
    names = ("latency", "latency_cdf", "latency_shares", "tso")
    wanted = [f"{name}.{kind}" for name in names for kind in ("png", "svg")]
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == sorted(wanted)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such folder"),
        ({}, "no summary.json"),
        ({"summary.json": "["}, "summary.json: not JSON"),
        ({"summary.json": "[]"}, "not an object"),
        ({"summary.json": "{}", "series/bql.parquet": "no"}, "bql.parquet"),
    ],
)
def test_a_folder_without_results_is_refused_in_one_line(
    content: dict[str, str] | None, said: str, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    for name, text in (content or {}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    if content == {}:
        folder.mkdir()
    with pytest.raises(ReportError, match=re.escape(said)) as refused:
        load(folder)
    assert "\n" not in str(refused.value)


def test_the_command_refuses_with_one_line_and_exit_code_two(tmp_path: Path) -> None:
    run = ringwire("report", tmp_path / "none")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == f"ringwire: {tmp_path / 'none'}: no such folder; see ringwire report --help\n"


def test_the_command_says_where_the_page_is(tmp_path: Path) -> None:
    Results({"title": "bare"}, {}).save(tmp_path)
    run = ringwire("report", tmp_path)
    assert (run.returncode, run.stdout, run.stderr) == (0, f"{tmp_path / 'report.html'}\n", "")
    assert "bare" in (tmp_path / "report.html").read_text()


ROW = {"flow": "a", "kind": "tcp", "packets": 3, "latency_p50_ns": 5.0, "socket_mean_ns": 1.0, "acks": 2, "odd": 1}


def test_a_wide_row_is_in_a_narrow_table_for_each_theme_with_the_name_in_front() -> None:
    many = {f"count{i}": i for i in range(23)}
    made = of_flows([ROW | many, {"flow": "b", "kind": "udp", "packets": 1}])
    seen = [column.text for each in made for column in each.grid.columns[1:]]
    assert sorted(seen) == sorted(heading(name) for name in [*ROW, *many] if name != "flow")
    assert all(each.grid.columns[0].text == "flow" for each in made)
    assert max(len(each.grid.columns) for each in made) <= 1 + COLUMNS
    # a flow is in the tables that have something of it
    rows = {each.caption: [row[0].text for row in each.grid.rows] for each in made}
    assert rows["Flows: packets and rate"] == ["a", "b"] and rows["Flows: connections"] == ["a"]
    assert of_flows([]) == []


def test_what_there_is_none_of_is_no_zero_and_columns_are_told_apart() -> None:
    queue = {"bql_limit_bytes": None, "bql_limit_most_bytes": None, "starved": 0, "starved_ns": 0}
    (made,) = of_queues([{"queue": 0, **queue}])
    assert [column.text for column in made.grid.columns] == [
        "queue", "bql limit bytes", "bql limit most bytes", "times starved", "time starved"
    ]  # fmt: skip
    assert [cell.text for cell in made.grid.rows[0]] == ["0", "-", "-", "0", "0 s"]
    (limited,) = of_queues([{"queue": 0, "bql_limit_bytes": 0, "bql_limit_most_bytes": 0}])
    assert [cell.text for cell in limited.grid.rows[0]] == ["0", "0", "0"]
    (open_still,) = of_flows([{"flow": "a", "connect_ns": 5, "finished_ns": 0}])
    assert [cell.text for cell in open_still.grid.rows[0]] == ["a", "5 ns", "-"]
    assert heading("frames per wall s") == "frames per wall second"


def test_paths_have_a_table_if_there_are_any() -> None:
    assert of_paths([]) == []
    (made,) = of_paths([{"path": "dsl", "frames": 9, "drops": 6}])
    assert [cell.text for cell in made.grid.rows[0]] == ["dsl", "9", "6"]


def test_columns_are_parted_evenly() -> None:
    assert [len(part) for part in parted("abcdefghij")] == [5, 5]
    assert [parted("abc"), parted(""), parted("abcd", 1)] == [["abc"], [], ["a", "b", "c", "d"]]
