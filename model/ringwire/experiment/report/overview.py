"""The strip above the time lines: the whole run at a glance, in which the window of time is moved."""

from __future__ import annotations

import altair as alt
import numpy as np

from ringwire.experiment.report.chart import INTERVALS, SECONDS, Plot
from ringwire.experiment.report.thin import Intervals, groups, steps
from ringwire.experiment.results import Results

# the first of them that a run has; of what flows or queues have, the sum
_SOURCES = (
    ("throughput", "rate_bps", "flow"),
    ("wire", "utilisation", ""),
    ("qdisc", "backlog_bytes", "queue"),
    ("bql", "inflight_bytes", "queue"),
    ("ring", "bytes", "queue"),
)


def overview(results: Results, span_s: tuple[float, float]) -> Plot:
    """A plot without axes but time's; without a curve if the run has none of these series."""
    time_s, value = np.array(span_s), np.zeros(2)
    for series, column, by in _SOURCES:
        table = results.series.get(series, {})
        if {"time_ns", column, by} - {""} <= set(table) and len(table["time_ns"]):
            intervals = Intervals.of(table["time_ns"], span_s[1] * 1e9, INTERVALS)
            value = np.zeros(len(intervals.begin))
            for _, index in groups(table[by].astype(str)) if by else [("", np.arange(len(table["time_ns"])))]:
                value += intervals.means(table["time_ns"][index], np.nan_to_num(table[column][index].astype(float)))
            time_s, value = intervals.corners / 1e9, steps(value)
            break
    axis = alt.Axis(format="~s", labelExpr=SECONDS.label, tickCount=8, labelFlush=True, title=None)
    chart = (
        alt.Chart(alt.NamedData("overview"), height=34)
        .mark_area(interpolate="step-after", color="#8C8C8C", opacity=0.5)
        .encode(
            x=alt.X("time_s:Q", axis=axis, scale=alt.Scale(domain=list(span_s), nice=False)),
            # an axis that nobody sees, so that the strip lines up with what is below
            y=alt.Y("value:Q", axis=alt.Axis(labels=False, ticks=False, domain=False, grid=False, title=" ")),
        )
    )
    return Plot("overview", "Overview", "", chart, {"overview": {"time_s": time_s, "value": value}})
