"""Pages of one file each, that open from disk: data, plots, style and Vega are all in them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

import vl_convert
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ringwire import __version__
from ringwire.experiment.report.chart import Plot
from ringwire.experiment.report.overview import overview
from ringwire.experiment.report.plots import Drawn
from ringwire.experiment.report.render import LOOK, columns, document, without_legends
from ringwire.experiment.report.tables import of_flows, of_paths, of_queues
from ringwire.experiment.report.text import pairs, si
from ringwire.experiment.results import Results
from ringwire.places import cache_root

_PACKAGE = "ringwire.experiment.report"


def render(template: str, title: str, plots: Sequence[Plot], span_s: tuple[float, float], **values: Any) -> str:
    """A whole page. Text of any kind is safe in it: the template escapes, and data is JSON without a ``<``."""
    environment = Environment(
        loader=PackageLoader(_PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    strip = values.pop("strip", None)
    page = {
        "span": span_s,
        "look": LOOK,
        "plots": [_plot(plot, span_s) for plot in plots],
        "overview": _plot(strip, span_s) if strip else None,
    }
    return environment.get_template(template).render(
        title=title,
        page=page,
        version=__version__,
        css=Markup(_resource("page.css")),
        js=Markup(_resource("page.js")),
        vega=Markup(vega()) if plots else "",
        **values,
    )


def run_page(folder: Path, results: Results, drawn: Drawn) -> str:
    """``report.html`` of a run; ``folder`` is where it will lie, for the links to the files beside it."""
    summary = results.summary
    timelines = [plot for plot in drawn.plots if plot.timeline]
    return render(
        "report.html.j2",
        str(summary.get("title") or folder.name),
        drawn.plots,
        drawn.span_s,
        strip=overview(results, drawn.span_s) if timelines else None,
        subtitle=_subtitle(summary),
        banners=_banners(summary),
        setup=pairs(summary.get("setup") or {}),
        totals=pairs(summary.get("totals") or {}),
        tables=[
            *of_flows(summary.get("flows") or []),
            *of_queues(summary.get("queues") or []),
            *of_paths(summary.get("paths") or []),
        ],
        printed=str(summary.get("printed") or ""),
        still=[plot for plot in drawn.plots if not plot.timeline],
        timelines=timelines,
        left_out=drawn.left_out,
        files=list_files(folder),
    )


def _plot(plot: Plot, span_s: tuple[float, float]) -> dict[str, Any]:
    return {
        "name": plot.name,
        "timeline": plot.timeline,
        "spec": without_legends(document(plot, span_s)),
        "data": {name: columns(table) for name, table in plot.data.items()},
    }


def _subtitle(summary: Mapping[str, Any]) -> str:
    said = []
    if (simulated_ns := summary.get("simulated_ns")) is not None:
        said.append(f"{si(simulated_ns / 1e9, 's')} simulated")
    if (wall_s := summary.get("wall_s")) is not None:
        said.append(f"in {si(wall_s, 's', 3)}")
    if (seed := summary.get("seed")) is not None:
        said.append(f"seed {seed}")
    return ", ".join(said)


def _banners(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    made = []
    if summary.get("partial"):
        made.append({"kind": "warn", "title": "Partial: the run was ended before its time.", "lines": []})
    if problems := summary.get("problems"):
        made.append({"kind": "bad", "title": f"{len(problems)} problem{'s' * (len(problems) > 1)}", "lines": problems})
    return made


def list_files(folder: Path) -> list[dict[str, str]]:
    """What lies in the folder and in ``series/``, with links that work from the page."""
    found = [path for path in [*folder.glob("*"), *folder.glob("series/*")] if path.is_file()]
    names = sorted(path.relative_to(folder).as_posix() for path in found if not path.name.startswith("."))
    return [
        {"name": name, "href": "./" + quote(name), "size": si((folder / name).stat().st_size, "B", 3)}
        for name in names
        if name not in ("report.html", "sweep.html")
    ]


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False, suffix=".tmp") as file:
        beside = Path(file.name)
        try:
            file.write(text)
            file.close()
            beside.chmod(0o644)  # as any other file, and not for its owner alone
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise


@cache
def vega() -> str:
    """Vega, Vega-Lite and vega-embed as one script, which vl-convert takes seconds to put together: kept on disk."""
    kept = cache_root() / f"vega-{version('vl-convert-python')}.js"
    try:
        return kept.read_text(encoding="utf-8")
    except OSError:
        bundle = str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")).replace("</script", "<\\/script")
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_text(kept, bundle)
    except OSError:
        pass  # a cache that can't be written costs time only
    return bundle


def _resource(name: str) -> str:
    return (files(_PACKAGE) / "templates" / name).read_text(encoding="utf-8")
