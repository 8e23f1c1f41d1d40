"""Box plots over a grid: quartiles and range of the seeds, each seed, and the mean with its confidence interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np

from ringwire.experiment.report.chart import WIDTH, Plot, Rows, Unit, by_colour, log_y, picked, unit_of, value_y
from ringwire.experiment.report.palette import Key, Palette
from ringwire.experiment.sweep.figures import CONFIDENCE, Swept, interval, named
from ringwire.experiment.sweep.grid import show

LOG_FROM = 20
"""Greatest by least from which the axis is logarithmic."""
NEAR = 0.3
"""Span of the values, by the greatest, up to which the axis does not begin at 0."""
BOX = 18
"""Pixels, at most."""
NO_COLOUR = "all points"


def box_plots(swept: Swept) -> list[Plot]:
    """A plot for each figure."""
    return [plot for number, name in enumerate(swept.plotted) if (plot := _box_plot(swept, number, name)) is not None]


def _axes(swept: Swept) -> tuple[list[str], str]:
    """Which keys are spread along the axis, and which is told by colour: of two or more the one with fewest values."""
    keys = swept.varied
    if len(keys) < 2:
        return keys, ""
    colour = min(reversed(keys), key=lambda key: len(swept.grid.values[key]))
    return [key for key in keys if key != colour], colour


def _box_plot(swept: Swept, number: int, name: str) -> Plot | None:
    along, colour = _axes(swept)
    subject, last = named(name)
    text, unit, scale = unit_of(last)
    boxes, means, seeds = Rows(), Rows(), Rows()
    order: list[str] = []
    palette = Palette(show(value) for value in swept.grid.values[colour]) if colour else Palette([NO_COLOUR])
    samples = swept.samples(name)
    keys = palette.of(show(settings[colour]) if colour else NO_COLOUR for settings, _ in samples)
    places = _Places(len({_label(settings, along) for settings, _ in samples}), keys)
    for settings, values in samples:
        values = values * scale
        place = {"x": _label(settings, along), "key": show(settings[colour]) if colour else NO_COLOUR}
        order.append(place["x"])
        low, q1, median, q3, high = (np.array([value]) for value in np.quantile(values, (0, 0.25, 0.5, 0.75, 1)))
        slot = places.of(place["key"])
        boxes.add(low=low, q1=q1, median=median, q3=q3, high=high, slot=slot, **place)
        seeds.add(value=values, slot=slot, **place)
        if (ends := interval(values)) is not None:
            begin, end = (np.array([value]) for value in ends)
            means.add(
                begin=begin, mean=np.array([np.mean(values)]), end=end, slot=places.of(place["key"], mean=True), **place
            )
    if not boxes:
        return None
    stem = f"figure_{number}"
    data = {f"{stem}_boxes": boxes.table, f"{stem}_seeds": seeds.table}
    if means:
        data[f"{stem}_means"] = means.table
    title = f"{subject}: {text}" if subject else text
    chart = _layers(stem, order, colour, places, (text, unit), data)
    caption = (
        f"{name}. Box: the middle half of the seeds, with their median; whiskers: all of them; dots: each. "
        f"Diamond and bar: mean with its {CONFIDENCE:.0%} confidence interval (Student's t over seeds)"
        + ("." if means else ", which takes two seeds or more.")
    )
    return Plot(stem, f"{title}" + (f", by {colour}" if colour else ""), caption, chart, data, keys if colour else ())


def _label(settings: Mapping[str, object], keys: list[str]) -> str:
    """A tick's label: a line for each key."""
    return "\n".join(f"{key.rpartition('.')[2]} {show(settings[key])}" for key in keys) or "seeds"


@dataclass(frozen=True, slots=True)
class _Places:
    """Where in the band of a tick the boxes stand, side by side, and right of each its mean; from 0 to 1."""

    ticks: int
    keys: Sequence[Key]

    @property
    def box(self) -> float:
        """Width of a box in pixels."""
        return max(3.0, min(BOX, 0.3 * WIDTH / self.ticks / len(self.keys)))

    def of(self, name: str, mean: bool = False) -> float:
        centre = ([key.name for key in self.keys].index(name) + 0.5) / len(self.keys)
        aside = 0.6 * self.box * self.ticks / (0.8 * WIDTH)
        return centre + (aside if mean else -aside)


def _layers(
    stem: str, order: list[str], colour: str, places: _Places, axis: tuple[str, Unit], data: Mapping[str, Any]
) -> alt.LayerChart | alt.FacetChart:
    title, unit = axis
    means = data.get(f"{stem}_means", {"begin": np.zeros(0), "end": np.zeros(0)})
    values = np.concatenate([data[f"{stem}_seeds"]["value"], means["begin"], means["end"]])
    low, high = float(values.min()), float(values.max())
    logarithmic = low > 0 and high > LOG_FROM * low
    near = low < high and high - low < NEAR * max(abs(low), abs(high))

    def y(field: str) -> alt.Y:
        if logarithmic:
            return log_y(field, title, unit, values)
        return value_y(field, f"{title} (not from 0)", unit, zero=False) if near else value_y(field, title, unit)

    labels = alt.Axis(labelAngle=0, labelExpr="split(datum.label, '\\n')", labelLimit=200)
    x = alt.X("x", type="nominal", sort=list(dict.fromkeys(order)), title=None, axis=labels)
    place: dict[str, Any] = {
        "x": x,
        "xOffset": alt.XOffset("slot", type="quantitative", scale=alt.Scale(domain=[0, 1])),
        "color": by_colour("key", places.keys, colour) if colour else alt.value(places.keys[0].colour),
    }
    boxes = alt.Chart(alt.NamedData(f"{stem}_boxes"))
    layers = [
        boxes.mark_rule(strokeWidth=1.5).encode(y=y("low"), y2="high", opacity=picked("key"), **place),
        boxes.mark_bar(size=places.box, stroke=None).encode(y=y("q1"), y2="q3", opacity=picked("key", 0.4), **place),
        boxes.mark_tick(width=places.box, thickness=3).encode(y=y("median"), opacity=picked("key"), **place),
        alt.Chart(alt.NamedData(f"{stem}_seeds"))
        .mark_circle(size=22)
        .encode(y=y("value"), opacity=picked("key", 0.9), **place),
    ]
    if f"{stem}_means" in data:
        of_means = alt.Chart(alt.NamedData(f"{stem}_means"))
        layers += [
            of_means.mark_rule(strokeWidth=2).encode(y=y("begin"), y2="end", opacity=picked("key"), **place),
            of_means.mark_point(shape="diamond", filled=True, size=60).encode(
                y=y("mean"), opacity=picked("key"), **place
            ),
        ]
    return alt.layer(*layers)
