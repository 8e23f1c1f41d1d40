"""report.html in a real browser: it opens from disk, draws every plot, and its time lines move together."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page, sync_playwright

from ringwire.experiment.report.page import run_page, write_text
from ringwire.experiment.report.plots import Drawn, draw
from ringwire.experiment.sweep.boxes import box_plots
from ringwire.experiment.sweep.page import sweep_page
from tests.experiments import run
from tests.synthetic_results import make_results
from tests.test_sweep_page import a_grid, ran

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PATIENCE_MS = 120_000
PAPER = 718
"""Width of an upright A4 sheet within margins of a centimetre, in CSS pixels."""
TWO_OF_EACH = """
duration = "40ms"
[nic]
device = "twin"
queues = 2
[[path]]
name = "wan"
delay = "1ms"
rate = "50mbit"
[[flow]]
kind = "tcp"
name = "cubic"
path = "wan"
[[flow]]
kind = "tcp"
name = "reno"
congestion = "reno"
path = "wan"
[[flow]]
kind = "udp"
rate = "10mbit"
"""
NASTY = "<img src='http://192.0.2.1/x' onerror=alert(1)>&\""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium")

DOMAINS = """() => Object.fromEntries([...ringwire.charts].filter(([, chart]) => chart.timeline)
    .map(([name, chart]) => [name, chart.view.scale("x").domain()]))"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments, timeout=PATIENCE_MS)
        yield made
        made.close()


class Seen:
    """A page with what it said and asked for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.messages: list[str] = []
        self.requests: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda message: self.messages.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.messages.append(str(error)))
        page.on("dialog", self._dialog)
        page.on("request", lambda request: self.requests.append(request.url))

    def _dialog(self, dialog: Dialog) -> None:
        self.messages.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def settled(self, expression: str) -> None:
        self.page.wait_for_function(expression)

    def domains(self) -> dict[str, list[float]]:
        made: dict[str, list[float]] = self.page.evaluate(DOMAINS)
        return made


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Drawn]:
    results = make_results(flows=3, queues=2, samples=200)
    # a flow whose name would do harm
    for table in results.series.values():
        if "flow" in table:
            table["flow"][table["flow"] == "probe2"] = NASTY
    results.summary["title"] = NASTY
    drawn = draw(results)
    path = tmp_path_factory.mktemp("run") / "report.html"
    write_text(path, run_page(path.parent, results, drawn))
    return path, drawn


@pytest.fixture(scope="module")
def seen(browser: Browser, report: tuple[Path, Drawn]) -> Iterator[Seen]:
    context = browser.new_context(viewport={"width": 1100, "height": 800})
    made = Seen(context.new_page())
    made.page.goto(report[0].as_uri())
    made.page.wait_for_selector("body[data-drawn]")
    yield made
    context.close()


def test_every_plot_is_drawn_from_disk_without_a_word_or_a_request(seen: Seen, report: tuple[Path, Drawn]) -> None:
    path, drawn = report
    sizes: dict[str, list[float]] = seen.page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("figure")].map((figure) => {
            const {width, height} = figure.querySelector(".chart canvas").getBoundingClientRect();
            return [figure.id, [width, height]];
        }))"""
    )
    assert set(sizes) == {f"plot-{plot.name}" for plot in drawn.plots} and len(sizes) == 18
    assert all(width > 900 and height > 80 for width, height in sizes.values()), sizes
    # something other than axes is on each of them
    for plot in drawn.plots:
        marks = f"ringwire.charts.get({plot.name!r}).view.scenegraph().root.bounds"
        assert seen.page.evaluate(f"(() => {{ const b = {marks}; return (b.x2 - b.x1) * (b.y2 - b.y1) }})()") > 0
    assert seen.page.evaluate("document.querySelector('.strip canvas').getBoundingClientRect().width") > 700
    assert (seen.messages, seen.requests) == ([], [path.as_uri()])


def test_zooming_one_time_line_zooms_all_and_a_double_click_shows_everything_again(seen: Seen) -> None:
    begin, end = 0.0, 0.2
    assert len(seen.domains()) == 15
    assert all(domain == [begin, end] for domain in seen.domains().values())
    chart = seen.page.locator("#plot-bql .chart")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    seen.page.mouse.move(box["x"] + box["width"] * 0.4, y)
    seen.page.mouse.down()
    seen.page.mouse.move(box["x"] + box["width"] * 0.6, y, steps=3)
    seen.page.mouse.up()
    seen.settled(f"Object.values(({DOMAINS})()).every(([a, b]) => a > 0.05 && b < 0.15)")
    zoomed = seen.domains()
    assert len({tuple(domain) for domain in zoomed.values()}) == 1
    low, high = zoomed["wire"]
    assert 0.02 < high - low < 0.06
    # with Shift the picture follows the hand
    seen.page.keyboard.down("Shift")
    seen.page.mouse.move(box["x"] + box["width"] * 0.5, y)
    seen.page.mouse.down()
    seen.page.mouse.move(box["x"] + box["width"] * 0.7, y, steps=3)
    seen.page.mouse.up()
    seen.page.keyboard.up("Shift")
    seen.settled(f"Object.values(({DOMAINS})()).every(([a, b]) => a < {low} - 0.004)")
    panned = seen.domains()["latency"]
    assert panned[1] - panned[0] == pytest.approx(high - low)
    seen.page.mouse.dblclick(box["x"] + box["width"] * 0.5, y)
    seen.settled(f"Object.values(({DOMAINS})()).every(([a, b]) => a === {begin} && b === {end})")
    assert seen.messages == []


def test_the_pointer_is_where_the_axis_says(seen: Seen) -> None:
    chart = seen.page.locator("#plot-interrupts .chart")
    chart.scroll_into_view_if_needed()
    label = chart.locator("svg text", has_text="100 ms").bounding_box()
    assert label is not None
    seen.page.mouse.move(label["x"] + label["width"] / 2, label["y"] - 50)
    said = seen.page.locator(".controls output").text_content()
    assert said is not None and said.startswith("at ") and said.endswith(" ms")
    assert float(said.split()[1]) == pytest.approx(100, abs=0.3)
    lines = seen.page.locator(".cursor:not([hidden])")
    assert lines.count() > 1


def test_the_wheel_scrolls_the_page_and_zooms_with_ctrl(seen: Seen) -> None:
    chart = seen.page.locator("#plot-backlog .chart")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    assert box is not None
    seen.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 60)
    before = seen.page.evaluate("scrollY")
    seen.page.mouse.wheel(0, -200)
    seen.settled(f"scrollY < {before}")
    assert all(domain == [0.0, 0.2] for domain in seen.domains().values())
    seen.page.keyboard.down("Control")
    seen.page.mouse.wheel(0, -200)
    seen.page.keyboard.up("Control")
    seen.settled(f"Object.values(({DOMAINS})()).every(([a, b]) => b - a < 0.19)")
    seen.page.locator("[data-zoom=all]").click()
    seen.settled(f"Object.values(({DOMAINS})()).every(([a, b]) => b - a === 0.2)")


def test_the_strip_selects_a_window_and_obeys_keys(seen: Seen) -> None:
    strip = seen.page.locator(".strip")
    strip.scroll_into_view_if_needed()
    box = strip.bounding_box()
    assert box is not None
    seen.page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 15)
    seen.page.mouse.down()
    seen.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 15, steps=3)
    seen.page.mouse.up()
    seen.settled(f"Object.values(({DOMAINS})()).every(([a, b]) => a > 0.02 && b < 0.12)")
    before = seen.domains()["bql"]
    window = seen.page.locator(".window").bounding_box()
    assert window is not None and window["width"] == pytest.approx(box["width"] * 0.2, rel=0.1)
    strip.focus()
    seen.page.keyboard.press("ArrowRight")
    seen.settled(f"({DOMAINS})().bql[0] > {before[0]}")
    seen.page.keyboard.press("0")
    seen.settled(f"Object.values(({DOMAINS})()).every(([a, b]) => b - a === 0.2)")


def test_a_name_in_a_legend_is_brought_out_in_every_plot(seen: Seen) -> None:
    seen.page.locator("#plot-latency_cdf [data-pick=bulk1]").click()
    seen.settled("[...ringwire.charts.values()].every((chart) => chart.view.signal('picked').join() === 'bulk1')")
    assert seen.page.locator("[data-pick=bulk1][aria-pressed=true]").count() > 3
    seen.page.locator("#plot-latency_cdf [data-pick=bulk1]").click()
    seen.settled("[...ringwire.charts.values()].every((chart) => chart.view.signal('picked').length === 0)")
    assert seen.messages == []


def test_a_sweeps_page_draws_its_boxes(browser: Browser, tmp_path: Path) -> None:
    swept = ran(a_grid(seeds=2), tmp_path)
    plots = box_plots(swept)
    write_text(tmp_path / "sweep.html", sweep_page(tmp_path, swept, plots))
    context = browser.new_context()
    made = Seen(context.new_page())
    made.page.goto((tmp_path / "sweep.html").as_uri())
    made.page.wait_for_selector("body[data-drawn]")
    assert made.page.locator("figure .chart canvas").count() == len(plots) == 4
    made.page.emulate_media(media="print")
    assert widest(made, PAPER) <= PAPER
    made.page.locator("[data-pick=off]").first.click()
    made.settled("[...ringwire.charts.values()].every((chart) => chart.view.signal('picked').join() === 'off')")
    assert (made.messages, made.requests) == ([], [(tmp_path / "sweep.html").as_uri()])
    context.close()


def test_on_a_narrow_screen_nothing_sticks_out(browser: Browser, report: tuple[Path, Drawn]) -> None:
    context = browser.new_context(viewport={"width": 400, "height": 800}, color_scheme="dark")
    made = Seen(context.new_page())
    made.page.goto(report[0].as_uri())
    made.page.wait_for_selector("body[data-drawn]")
    assert made.page.evaluate("document.documentElement.scrollWidth") <= 400
    assert made.page.evaluate("document.querySelector('#plot-bql canvas').getBoundingClientRect().width") <= 400
    assert made.messages == []
    context.close()


def widest(seen: Seen, width: int) -> float:
    """How far anything on a page reaches to the right, as wide as a sheet, without its plots being drawn again."""
    right: float = seen.page.evaluate(
        f"""() => {{
            Object.assign(document.body.style, {{width: "{width}px", margin: "0"}});
            const shown = [...document.querySelectorAll("body *")];
            return Math.max(...shown.map((element) => element.getBoundingClientRect().right));
        }}"""
    )
    return right


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose rows of flows have some fifty columns."""
    folder = tmp_path_factory.mktemp("wide")
    results = run(TWO_OF_EACH, folder)
    assert max(map(len, results.summary["flows"])) > 40
    write_text(folder / "report.html", run_page(folder, results, draw(results)))
    return folder / "report.html"


@pytest.mark.parametrize("width", [PAPER, 1300])
def test_all_of_the_page_is_on_the_paper_from_whatever_window(browser: Browser, wide: Path, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900})
    made = Seen(context.new_page())
    made.page.goto(wide.as_uri())
    made.page.wait_for_selector("body[data-drawn]")
    made.page.emulate_media(media="print")
    assert widest(made, PAPER) <= PAPER
    assert made.page.evaluate("document.documentElement.scrollWidth") <= width
    for table in made.page.locator("main table:not(.pairs)").all():
        assert table.evaluate("(table) => table.scrollWidth <= table.parentElement.clientWidth")
    for flow in ("cubic", "reno"):
        assert made.page.locator("main th[scope=row]", has_text=flow).count() > 5
    context.close()


def test_names_stay_and_a_shadow_tells_of_more_where_a_table_is_wider_than_the_screen(
    browser: Browser, wide: Path
) -> None:
    context = browser.new_context(viewport={"width": 400, "height": 800})
    made = Seen(context.new_page())
    made.page.goto(wide.as_uri())
    made.page.wait_for_selector("body[data-drawn]")
    box = made.page.locator(".scroll", has_text="Flows: packets and rate")
    name = box.locator("tbody th").first
    before = name.bounding_box()
    assert box.evaluate("(box) => { box.scrollLeft = 100; return box.scrollLeft; }") == 100
    assert name.bounding_box() == before
    assert "gradient" in box.evaluate("(box) => getComputedStyle(box).backgroundImage")
    context.close()


def test_zoomed_in_averages_are_as_fine_as_the_series(browser: Browser, wide: Path) -> None:
    context = browser.new_context(viewport={"width": 1100, "height": 800})
    made = Seen(context.new_page())
    made.page.goto(wide.as_uri())
    made.page.wait_for_selector("body[data-drawn]")
    levels = "[...new Set(ringwire.charts.get('wire').view.data('data_0').map((row) => row.level))].join()"
    assert made.page.evaluate(levels) == "0"
    made.page.evaluate("ringwire.show(0.01, 0.02)")
    made.settled(f"{levels} === '1'")
    assert made.messages == []
    context.close()
