"""Plots as Vega-Lite documents and as PNG and SVG files, made without a browser or a network by vl-convert."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import vl_convert

from ringwire.experiment.report.chart import BEGIN, END, HEIGHT, PICKED, WIDTH, Plot
from ringwire.experiment.results import Table

VEGALITE = "6.4"
SCALE = 2
"""Pixels of a PNG for each of the plot's."""

_FONT = "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', 'Liberation Sans', Arial, sans-serif"
LOOK: Mapping[str, Any] = {
    "font": _FONT,
    "axis": {
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titleFontWeight": "normal",
        "titlePadding": 8,
        "gridColor": "#8888",
        "gridOpacity": 0.35,
        "domainColor": "#888",
        "tickColor": "#888",
        "labelOverlap": True,
    },
    "legend": {"labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal", "labelLimit": 220},
    "title": {"anchor": "start", "fontSize": 14, "subtitleFontSize": 11, "offset": 10},
    "view": {"stroke": None},
}
"""Vega-Lite's config, for files and page alike."""


def document(plot: Plot, span_s: tuple[float, float]) -> dict[str, Any]:
    """A plot's Vega-Lite document, without its data and without a size."""
    made: dict[str, Any] = plot.chart.to_dict()
    made.pop("config", None)
    # names are drawn as they are, never as an expression or a field
    made["params"] = [{"name": PICKED, "value": []}]
    if plot.timeline:
        made["params"] += [{"name": BEGIN, "value": span_s[0]}, {"name": END, "value": span_s[1]}]
    return made


def without_legends(document: dict[str, Any]) -> dict[str, Any]:
    """For the page, which has legends of its own that wrap and can be pressed."""
    for view in document.get("layer", [document]):
        for channel in ("color", "strokeDash"):
            if channel in view["encoding"]:
                view["encoding"][channel]["legend"] = None
    return document


def columns(table: Table) -> dict[str, list[Any]]:
    """A data set for JSON: times to the nanosecond, other numbers to six digits."""
    made: dict[str, list[Any]] = {}
    for name, column in table.items():
        values = np.asarray(column)
        if not np.issubdtype(values.dtype, np.floating):
            made[name] = values.tolist()
        elif name == "time_s":
            made[name] = np.round(values, 9).tolist()
        else:
            made[name] = [float(f"{value:.6g}") for value in values.tolist()]
    return made


def rows(table: Table) -> list[dict[str, Any]]:
    """A data set as Vega takes it."""
    as_columns = columns(table)
    return [dict(zip(as_columns, row, strict=True)) for row in zip(*as_columns.values(), strict=True)]


def svg(plot: Plot, span_s: tuple[float, float], subtitle: str) -> str:
    """The plot as an SVG file, with data, legend and title."""
    made = document(plot, span_s) | {
        "datasets": {name: rows(table) for name, table in plot.data.items()},
        "width": WIDTH,
        "title": {"text": plot.title, "subtitle": subtitle} if subtitle else {"text": plot.title},
        "background": "white",
        "config": LOOK,
    }
    made.setdefault("height", HEIGHT)
    return str(vl_convert.vegalite_to_svg(made, vl_version=VEGALITE))


def write_files(plot: Plot, span_s: tuple[float, float], folder: Path, subtitle: str = "") -> None:
    """Write ``NAME.svg`` and ``NAME.png``."""
    folder.mkdir(parents=True, exist_ok=True)
    picture = svg(plot, span_s, subtitle)
    (folder / f"{plot.name}.svg").write_text(picture, encoding="utf-8")
    (folder / f"{plot.name}.png").write_bytes(vl_convert.svg_to_png(picture, scale=SCALE))
