"""Plots of the device: how busy the wire is, and the way of one super-packet."""

from __future__ import annotations

from functools import partial

import altair as alt
import numpy as np

from ringwire.experiment.report.chart import (
    SECONDS,
    SHARE,
    Described,
    Plot,
    Rows,
    Run,
    merged,
    time_x,
    value_x,
    value_y,
)
from ringwire.experiment.report.palette import COLOURS
from ringwire.experiment.report.thin import steps


def wire(run: Run) -> list[Plot]:
    table = run.table("wire")
    levels = run.levels(table, 1)
    busy = Rows()
    for level, each in enumerate(levels.of):
        share = steps(each.means(table["time_ns"], table["utilisation"]))
        busy.add(time_s=each.corners / 1e9, utilisation=share, level=level)
    intervals = run.intervals(table, 1)
    gap = np.zeros(len(intervals.begin))
    np.maximum.at(gap, intervals.slot(table["time_ns"]), table["longest_gap_ns"] / 1e9)
    most = max(1.0, float(busy.table["utilisation"].max()))
    utilisation = (
        alt.Chart(alt.NamedData("wire"))
        .transform_filter(levels.shown)
        .mark_area(interpolate="step-after", clip=True, color=COLOURS[0], opacity=0.35, line={"strokeWidth": 1.4})
        .encode(x=time_x(), y=value_y("utilisation", "utilisation", SHARE, domain=[0, most]))
    )
    gaps = (
        alt.Chart(alt.NamedData("wire_gaps"))
        .mark_line(interpolate="step-after", strokeWidth=1.4, clip=True, color=COLOURS[5])
        .encode(x=time_x(), y=value_y("gap_s", "longest gap", SECONDS))
    )
    return [
        Plot(
            "wire",
            "Wire utilisation",
            "Share of the time in which the wire carries frames with their preamble, check sequence and gap.",
            utilisation,
            {"wire": busy.table},
            timeline=True,
            note=levels.note,
        ),
        Plot(
            "wire_gaps",
            "Longest gap on the wire",
            "The longest time without a frame in each interval, beyond the gap that Ethernet asks for.",
            gaps,
            {"wire_gaps": {"time_s": intervals.corners / 1e9, "gap_s": steps(gap)}},
            timeline=True,
            note=merged(intervals, "longest"),
        ),
    ]


def tso(run: Run) -> Plot:
    table = run.table("tso")
    order = np.argsort(table["begin_ns"], kind="stable")
    zero = table["begin_ns"][order[0]]
    begin, end = ((table[column][order] - zero) / 1e9 for column in ("begin_ns", "end_ns"))
    stages = [str(stage) for stage in table["stage"][order]]
    data = {"tso": {"stage": np.array(stages, object), "begin_s": begin, "end_s": end, "took_s": end - begin}}
    names = list(dict.fromkeys(stages))
    # room on the right for how long the last ones take
    last = float(end.max()) * 1.12 or 1e-9
    sliver = f"datum.took_s < {last / 200}"
    across = partial(value_x, title="time since it began", unit=SECONDS, nice=False, domain=[0, last])
    # each of the segments has a line
    base = (
        alt.Chart(alt.NamedData("tso"), height=max(12, min(26, 640 // len(names))) * len(names))
        .transform_calculate(tip=SECONDS.tip("took_s"), tip_begin=SECONDS.tip("begin_s"))
        .encode(
            x=across("begin_s"),
            y=alt.Y("stage", type="nominal", sort=names, title=None, axis=alt.Axis(labelLimit=320)),
            tooltip=["stage:N", alt.Tooltip("tip_begin:N", title="begins at"), alt.Tooltip("tip:N", title="takes")],
        )
    )
    chart = alt.layer(
        base.mark_bar(color=COLOURS[0], height=alt.RelativeBandSize(0.6)).encode(x2="end_s"),
        base.transform_filter(sliver).mark_tick(
            color=COLOURS[5], opacity=1, thickness=4, height=alt.RelativeBandSize(0.8)
        ),
        base.mark_text(align="left", dx=6, fontSize=10, color="#808080").encode(x=across("end_s"), text="tip:N"),
    )
    caption = (
        "One super-packet from its doorbell to its interrupt, and how long each stage takes. Stages overlap: the first "
        "segment is on the wire while payload of later ones is still being read. A red mark is a stage that is too "
        "short to be drawn to scale."
    )
    return Plot("tso", "The way of one super-packet", caption, chart, data)


PLOTS = (Described("Wire utilisation and gaps", wire), Described("The way of one super-packet", tso))
