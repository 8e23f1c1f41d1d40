"""What every plot is made of: named data, axes in SI units, one look, and keys that the page can bring out.

A plot is described once, as an Altair chart over named data sets. The files get it with the data in it and a legend
(:mod:`.render`); the page gets chart and data apart, draws the legend itself and moves ``from`` and ``to``, the ends of
the time axis that all time lines share (``page.js``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import altair as alt
import numpy as np

from ringwire.experiment.report.palette import Key, Palette
from ringwire.experiment.report.text import si
from ringwire.experiment.report.thin import Array, Intervals, select
from ringwire.experiment.results import SERIES, Results, Table

BEGIN, END, PICKED = "t_begin", "t_end", "picked"
"""Signals that the page sets: the window of time, and the names that are brought out."""

WIDTH, HEIGHT = 760, 240
ROWS = 5_000
"""Points that a plot shows, at most: what a browser moves fluently. Some six a pixel, to have more to zoom into."""
INTERVALS = 400
"""Intervals of what is averaged over time, while much of a run is shown: one for two pixels."""
FAINT = 0.1
TICKS = 5
"""Of an axis of values, about; a line at its greatest value is inside the axis, not on its edge."""


AnyChart = alt.Chart | alt.LayerChart | alt.FacetChart


class LeftOut(Exception):
    """There is nothing to draw; the text says why."""


@dataclass(frozen=True, slots=True)
class Plot:
    """One picture: ``name`` is its file's, ``data`` the columns of each named data set that ``chart`` mentions."""

    name: str
    title: str
    caption: str
    chart: AnyChart
    data: Mapping[str, Table]
    keys: Sequence[Key] = ()
    timeline: bool = False
    note: str = ""
    """What was left away for the sake of size; "" if nothing."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run's results as plots want them: sorted by time, finite, with one palette for flows and one for queues."""

    results: Results
    flows: Palette
    queues: Palette
    span_s: tuple[float, float]

    @classmethod
    def of(cls, results: Results) -> Run:
        named = [str(row.get("flow")) for row in results.summary.get("flows", [])]
        queues: set[int] = set()
        end_ns = float(results.summary.get("simulated_ns") or 0)
        for name, table in results.series.items():
            if "flow" in table:
                named += sorted({str(flow) for flow in table["flow"]})
            if "queue" in table:
                queues |= {int(queue) for queue in np.unique(table["queue"])}
            if name != "tso" and "time_ns" in table and len(table["time_ns"]):
                end_ns = max(end_ns, float(np.max(table["time_ns"])))
        return cls(results, Palette(named), Palette(queue_name(queue) for queue in sorted(queues)), (0, end_ns / 1e9))

    def table(self, series: str, maybe: tuple[str, ...] = ()) -> dict[str, Array]:
        """A series, in order of time and without rows that are not numbers, but in columns that ``maybe`` are none.

        LeftOut if nothing is left.
        """
        table = self.results.series.get(series)
        if table is None:
            raise LeftOut(f"the run has no series {series}")
        missing = [column for column in SERIES[series] if column not in table]
        if missing:
            raise LeftOut(f"series {series} has no column {', '.join(missing)}")
        good = np.ones(len(table[SERIES[series][0]]), bool)
        for column in SERIES[series]:
            if column not in maybe and np.issubdtype(np.asarray(table[column]).dtype, np.floating):
                good &= np.isfinite(table[column])
        index = np.flatnonzero(good)
        if not len(index):
            raise LeftOut(f"series {series} is empty")
        if "time_ns" in table:
            index = index[np.argsort(np.asarray(table["time_ns"])[index], kind="stable")]
        return select({column: table[column] for column in SERIES[series]}, index)

    def intervals(self, table: Mapping[str, Array], lines: int, most: int = ROWS) -> Intervals:
        """Of what is counted, in ns: as many as a plot with so many lines can have, or ``most``."""
        # a line of steps has a point more than there are steps
        return Intervals.of(table["time_ns"], self.span_s[1] * 1e9, max(min(most, ROWS // lines - 1), 100))

    def levels(self, table: Mapping[str, Array], lines: int) -> Levels:
        """Of what is averaged: coarse ones, and fine ones if there can be more."""
        coarse = self.intervals(table, lines, INTERVALS)
        fine = self.intervals(table, lines)
        return Levels((coarse, fine) if fine.merged < coarse.merged else (coarse,), self.span_s[1] - self.span_s[0])


@dataclass(frozen=True, slots=True)
class Levels:
    """Intervals for the whole of a run, and finer ones to zoom into; rows say in ``level`` to which they belong."""

    of: Sequence[Intervals]
    span_s: float

    @property
    def shown(self) -> str:
        """A Vega expression: whether a row's level is the one to show, which is the fine one if it has the room."""
        if len(self.of) == 1:
            return "true"
        room = self.span_s * INTERVALS / len(self.of[1].begin)
        return f"datum.level === ({END} - {BEGIN} > {room} ? 0 : 1)"

    @property
    def note(self) -> str:
        said = merged(self.of[0])
        if len(self.of) > 1:
            fine = self.of[1].merged
            said += f" Zoomed in, it is that of {'one' if fine == 1 else fine}."
        return said


Builder = Callable[[Run], "Plot | Sequence[Plot | LeftOut]"]


@dataclass(frozen=True, slots=True)
class Described:
    """A builder with the title that stands in the page when there is no such plot."""

    title: str
    build: Builder


def queue_name(queue: int) -> str:
    """As sysfs has it."""
    return f"tx-{queue}"


def queue_names(queues: Array) -> Array:
    return np.array([queue_name(int(queue)) for queue in queues], object)


# scales and axes


@dataclass(frozen=True, slots=True)
class Unit:
    """How numbers are written: with an SI prefix before ``symbol``."""

    symbol: str = ""
    format: str = "~s"

    @property
    def label(self) -> str:
        """A Vega expression for a tick's label: "12 ms" where d3 writes "12m"."""
        if self.format != "~s":
            return "datum.label"
        # most ticks of a logarithmic axis have no label
        return (
            f"datum.label && replace(datum.label, /([a-zA-Zµ]?)$/, ' $1{self.symbol}')"
            if self.symbol
            else "datum.label"
        )

    def tip(self, name: str) -> str:
        """A Vega expression for a tooltip's text."""
        return f"replace(format(datum['{name}'], '.4~s'), /([a-zA-Zµ]?)$/, ' $1{self.symbol}')"


SECONDS, BYTES, BITRATE, HERTZ = Unit("s"), Unit("B"), Unit("bit/s"), Unit("/s")
COUNT, SHARE, NUMBER = Unit(), Unit(format="~%"), Unit(format="~g")

_SUFFIXES = {
    "_ns": (SECONDS, 1e-9),
    "_us": (SECONDS, 1e-6),
    "_ms": (SECONDS, 1e-3),
    "_s": (SECONDS, 1.0),
    "_bytes": (BYTES, 1.0),
    "_bps": (BITRATE, 1.0),
    "_packets": (COUNT, 1.0),
}


def unit_of(name: str) -> tuple[str, Unit, float]:
    """What a name says: ``srtt_ns`` is an "srtt" in seconds, of which each is 1e-9."""
    for suffix, (unit, scale) in _SUFFIXES.items():
        if name.endswith(suffix):
            text = name if unit is COUNT else name[: -len(suffix)]
            return text.replace("_", " "), unit, scale
    return name.replace("_", " "), SHARE if name.endswith("utilisation") else NUMBER, 1.0


def time_x(field_name: str = "time_s") -> alt.X:
    """The time axis that all time lines share."""
    scale = alt.Scale(domainMin=alt.ExprRef(BEGIN), domainMax=alt.ExprRef(END), nice=False, zero=False)
    axis = alt.Axis(format="~s", labelExpr=SECONDS.label, tickCount=8, labelFlush=True)
    return alt.X(field_name, type="quantitative", scale=scale, axis=axis, title="simulated time")


def value_x(field_name: str, title: str, unit: Unit, **scale: Any) -> alt.X:
    return alt.X(field_name, type="quantitative", title=title, axis=_axis(unit), scale=alt.Scale(**scale))


def value_y(field_name: str, title: str, unit: Unit, stack: bool = False, **scale: Any) -> alt.Y:
    return alt.Y(
        field_name,
        type="quantitative",
        title=title,
        axis=_axis(unit),
        scale=alt.Scale(**{"zero": True, **({} if "domain" in scale else {"nice": TICKS}), **scale}),
        stack="zero" if stack else None,
    )


def log_x(field_name: str, title: str, unit: Unit, values: Array) -> alt.X:
    axis, scale = _log(unit, values)
    return alt.X(field_name, type="quantitative", title=title, axis=axis, scale=scale)


def log_y(field_name: str, title: str, unit: Unit, values: Array) -> alt.Y:
    axis, scale = _log(unit, values)
    return alt.Y(field_name, type="quantitative", title=title, axis=axis, scale=scale)


def _axis(unit: Unit) -> alt.Axis:
    return alt.Axis(format=unit.format, labelExpr=unit.label, tickCount=TICKS)


def _log(unit: Unit, values: Array) -> tuple[alt.Axis, alt.Scale]:
    """A logarithmic axis for positive values, with ticks at 1, 2 and 5 of each decade, or at 1 if there are many."""
    low, high = float(np.min(values)) * 0.95, float(np.max(values)) * 1.05
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if len(decades) <= 5 else (1,)
    # from the text, because 5 * 10**-6 is not quite 5e-06
    ticks = [float(f"{step}e{decade}") for decade in decades for step in steps]
    axis = alt.Axis(format=unit.format, labelExpr=unit.label, values=[tick for tick in ticks if low <= tick <= high])
    return axis, alt.Scale(type="log", domain=[low, high], nice=False)


# keys


def by_key(field_name: str, keys: Sequence[Key], title: str) -> dict[str, Any]:
    """Colour and dash of lines by the name in a column; what is not picked is faint while something is."""
    names = [key.name for key in keys]
    legend = alt.Legend(title=title, symbolType="stroke", symbolStrokeWidth=2)
    return {
        "color": by_colour(field_name, keys, title),
        "strokeDash": alt.StrokeDash(
            field_name,
            type="nominal",
            scale=alt.Scale(domain=names, range=[list(key.dash) for key in keys]),
            legend=legend,
        ),
        "opacity": picked(field_name),
    }


def by_colour(field_name: str, keys: Sequence[Key], title: str) -> alt.Color:
    scale = alt.Scale(domain=[key.name for key in keys], range=[key.colour for key in keys])
    return alt.Color(field_name, type="nominal", scale=scale, legend=alt.Legend(title=title, symbolOpacity=1))


def picked(field_name: str, full: float = 1.0) -> Any:
    test = f"length({PICKED}) == 0 || indexof({PICKED}, datum['{field_name}']) >= 0"
    return alt.when(test).then(alt.value(full)).otherwise(alt.value(FAINT))


# data


@dataclass(slots=True)
class Rows:
    """Gathers a data set from parts of several lines."""

    parts: list[Mapping[str, Any]] = field(default_factory=list)

    def add(self, **columns: Any) -> None:
        """Columns of one length; a single value stands for a whole column."""
        length = max(len(column) for column in columns.values() if isinstance(column, np.ndarray))
        self.parts.append(
            {
                name: column if isinstance(column, np.ndarray) else np.full(length, column, object)
                for name, column in columns.items()
            }
        )

    @property
    def table(self) -> Table:
        if not self.parts:
            return {}
        return {name: np.concatenate([part[name] for part in self.parts]) for name in self.parts[0]}

    def __len__(self) -> int:
        return sum(len(next(iter(part.values()))) for part in self.parts)


def shown(kept: int, of: int, what: str) -> str:
    """The note of a plot that shows only some of what there is."""
    if kept >= of:
        return ""
    return f"Drawn are {kept:,} of {of:,} {what}: the first, last, least and greatest of each short interval."


def merged(intervals: Intervals, what: str = "mean") -> str:
    """The note of a plot whose intervals are longer than the series' own."""
    if intervals.merged == 1:
        return ""
    width = si(float(intervals.width[0]) / 1e9, "s", 3)
    return f"Each step is the {what} over {intervals.merged} intervals of the series, {width} together."
