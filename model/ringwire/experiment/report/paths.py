"""Plots of what stands behind the wire: the buffers of paths' bottlenecks."""

from __future__ import annotations

import altair as alt

from ringwire.experiment.report.chart import (
    BYTES,
    ROWS,
    Described,
    Plot,
    Rows,
    Run,
    by_key,
    shown,
    time_x,
    value_y,
)
from ringwire.experiment.report.palette import Key, Palette
from ringwire.experiment.report.queues import dropped
from ringwire.experiment.report.thin import extremes, groups


def backlog(run: Run) -> Plot:
    table = run.table("path")
    palette = Palette(map(str, table["path"]))
    labels = palette.labels(table["path"])
    rows = Rows()
    parts = groups(labels)
    for label, index in parts:
        time, value = table["time_ns"][index] / 1e9, table["backlog_bytes"][index]
        keep = extremes(time, value, ROWS // len(parts))
        rows.add(time_s=time[keep], value=value[keep], path=label)
    keys = [Key(key.name, key.colour, key.dash) for key in palette.of(labels)]
    chart = (
        alt.Chart(alt.NamedData("path_backlog"))
        .mark_line(interpolate="step-after", strokeWidth=1.4, clip=True)
        .encode(x=time_x(), y=value_y("value", "in the buffer", BYTES), **by_key("path", keys, "path"))
    )
    caption = (
        "Bytes in the buffer of each path's bottleneck, the frame that comes included; the most that a frame found in "
        "each interval."
    )
    note = shown(len(rows), len(labels), "samples")
    data = {"path_backlog": rows.table}
    return Plot("path_backlog", "Buffer of the bottleneck", caption, chart, data, keys, True, note)


def drops(run: Run) -> Plot:
    what = "frames that found a buffer full, or were marked in it"
    named = "path_drops", "Drops and marks on the path", "frames", what
    return dropped(run, "path", named, "all paths", "no bottleneck has dropped or marked a frame")


PLOTS = (
    Described("Buffer of the bottleneck", backlog),
    Described("Drops and marks on the path", drops),
)
