"""Plots of queues: byte queue limits, rings, queueing disciplines, interrupts."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np

from ringwire.experiment.report.chart import (
    BEGIN,
    BYTES,
    COUNT,
    END,
    HERTZ,
    NUMBER,
    ROWS,
    Described,
    LeftOut,
    Plot,
    Rows,
    Run,
    Unit,
    by_colour,
    by_key,
    merged,
    picked,
    queue_names,
    shown,
    time_x,
    value_y,
)
from ringwire.experiment.report.palette import COLOURS, Key
from ringwire.experiment.report.text import si
from ringwire.experiment.report.thin import extremes, groups, spread, steps


def bql(run: Run) -> Plot:
    table = run.table("bql", maybe=("limit_bytes",))  # which is none with BQL off
    labels = queue_names(table["queue"])
    limits, inflights, starvations = Rows(), Rows(), Rows()
    parts = groups(labels)
    for label, index in parts:
        time = table["time_ns"][index] / 1e9
        for rows, column in ((limits, "limit_bytes"), (inflights, "inflight_bytes")):
            known = np.flatnonzero(np.isfinite(table[column][index]))
            value = table[column][index][known]
            keep = extremes(time[known], value, ROWS // len(parts) // 2)
            if len(keep):
                rows.add(time_s=time[known][keep], bytes=value[keep], queue=label)
        starved = time[table["starved"][index] > 0]
        if len(starved):
            starvations.add(time_s=starved[spread(starved, ROWS // len(parts))], queue=label)
    keys = run.queues.of(labels)
    x, y, colour = time_x(), value_y("bytes", "in flight, and limit", BYTES), by_colour("queue", keys, "queue")
    layers = [
        alt.Chart(alt.NamedData("bql_inflight"))
        .mark_area(interpolate="step-after", clip=True)
        .encode(x=x, y=y, color=colour, opacity=picked("queue", 0.35)),
    ]
    data = {"bql_inflight": inflights.table}
    if limits:
        data["bql_limit"] = limits.table
        layers.append(
            alt.Chart(alt.NamedData("bql_limit"))
            .mark_line(interpolate="step-after", strokeWidth=1.8, clip=True)
            .encode(x=x, y=y, color=colour, opacity=picked("queue"))
        )
    if starvations:
        data["bql_starved"] = starvations.table
        inside = f"datum.time_s >= {BEGIN} && datum.time_s <= {END}"
        shown_size: Any = alt.when(inside).then(alt.value(70)).otherwise(alt.value(0))
        layers.append(
            alt.Chart(alt.NamedData("bql_starved"))
            # whole ones at the ends of the axis, too: what is outside has no size, and nothing is clipped
            .mark_point(shape="triangle-down", filled=True, color="#D55E00")
            .encode(x=x, y=alt.value(5), opacity=picked("queue"), size=shown_size)
        )
    caption = (
        "Bytes between driver and completion (area), and the limit that dynamic queue limits set for them (line). "
        "A red triangle marks a starvation: the queue ran empty while the stack was held back, so that the limit was "
        "too low."
    )
    if not limits:
        caption = "Bytes between driver and completion. No limit held them: byte queue limits were off."
    note = shown(len(inflights), len(labels), "samples")
    return Plot("bql", "Byte queue limit and inflight", caption, alt.layer(*layers), data, keys, True, note)


def _states(run: Run, name: str, series: str, column: str, titles: tuple[str, str, str], unit: Unit) -> Plot:
    """Lines of what is so at a time, one a queue."""
    title, axis, caption = titles
    table = run.table(series)
    labels = queue_names(table["queue"])
    rows = Rows()
    parts = groups(labels)
    for label, index in parts:
        time, value = table["time_ns"][index] / 1e9, table[column][index]
        keep = extremes(time, value, ROWS // len(parts))
        rows.add(time_s=time[keep], value=value[keep], queue=label)
    keys = run.queues.of(labels)
    chart = (
        alt.Chart(alt.NamedData(name))
        .mark_line(interpolate="step-after", strokeWidth=1.4, clip=True)
        .encode(x=time_x(), y=value_y("value", axis, unit), **by_key("queue", keys, "queue"))
    )
    return Plot(name, title, caption, chart, {name: rows.table}, keys, True, shown(len(rows), len(labels), "samples"))


def ring(run: Run) -> list[Plot]:
    return [
        _states(
            run,
            "ring_descriptors",
            "ring",
            "descriptors",
            ("Ring occupancy, descriptors", "descriptors", "Descriptors that the driver posted and has not got back."),
            COUNT,
        ),
        _states(
            run,
            "ring_bytes",
            "ring",
            "bytes",
            ("Ring occupancy, bytes", "bytes in the ring", "The bytes of the packets in those descriptors."),
            BYTES,
        ),
    ]


def backlog(run: Run) -> Plot:
    caption = "What waits in the queueing discipline, where it can still be sorted, marked and dropped."
    titles = "Backlog of the queueing discipline", "backlog", caption
    return _states(run, "backlog", "qdisc", "backlog_bytes", titles, BYTES)


def drops(run: Run) -> Plot:
    title, what = "Drops and marks", "packets that the queueing discipline dropped, or marked with ECN instead"
    return dropped(run, "qdisc", ("drops", title, "packets", what), "all queues", "nothing was dropped or marked")


def dropped(run: Run, series: str, named: tuple[str, str, str, str], whose: str, none: str) -> Plot:
    """What a series counts as dropped and marked. ``named``: name, title, what is counted, and that in full."""
    name, title, counted, in_full = named
    table = run.table(series)
    keys = [key for key in (Key("drops", COLOURS[5]), Key("marks", COLOURS[0])) if np.any(table[key.name] > 0)]
    if not keys:
        raise LeftOut(none)
    intervals = run.intervals(table, len(keys))
    rows = Rows()
    for key in keys:
        count = intervals.sums(table["time_ns"], table[key.name])
        rows.add(time_s=intervals.corners / 1e9, count=steps(count), what=key.name)
    axis = value_y("count", f"{counted} an interval", COUNT)
    chart = (
        alt.Chart(alt.NamedData(name))
        .mark_line(interpolate="step-after", strokeWidth=1.4, clip=True)
        .encode(x=time_x(), y=axis, color=by_colour("what", keys, "what"))
    )
    width = si(float(intervals.width[0]) / 1e9, "s", 3)
    caption = f"{in_full[0].upper()}{in_full[1:]}, in each interval of {width}; {whose} together."
    return Plot(name, title, caption, chart, {name: rows.table}, keys, True, merged(intervals, "sum"))


def interrupts(run: Run) -> list[Plot]:
    table = run.table("interrupts")
    labels = queue_names(table["queue"])
    levels = run.levels(table, len(set(labels)))
    rates, per_interrupt = Rows(), Rows()
    for level, intervals in enumerate(levels.of):
        for label, index in groups(labels):
            time = table["time_ns"][index]
            count, packets = (intervals.sums(time, table[column][index]) for column in ("interrupts", "packets"))
            rate = steps(count / intervals.width * 1e9)
            rates.add(time_s=intervals.corners / 1e9, value=rate, queue=label, level=level)
            some = np.flatnonzero(count > 0)
            if len(some):
                ratio = packets[some] / count[some]
                per_interrupt.add(time_s=intervals.begin[some] / 1e9, value=ratio, queue=label, level=level)
    keys = run.queues.of(labels)
    made = []
    for name, title, axis, unit, rows, caption in (
        ("interrupts", "Interrupts", "interrupts", HERTZ, rates, "How often each queue interrupts its CPU."),
        (
            "packets_per_interrupt",
            "Packets an interrupt",
            "packets",
            NUMBER,
            per_interrupt,
            "Packets sent for each interrupt of an interval: moderation makes it more, and so does a busy CPU. In a "
            "short interval there may be packets whose interrupt is in the next.",
        ),
    ):
        if rows:
            chart = (
                alt.Chart(alt.NamedData(name))
                .transform_filter(levels.shown)
                .mark_line(interpolate="step-after", strokeWidth=1.4, clip=True)
                .encode(x=time_x(), y=value_y("value", axis, unit), **by_key("queue", keys, "queue"))
            )
            made.append(Plot(name, title, caption, chart, {name: rows.table}, keys, True, levels.note))
    return made


PLOTS = (
    Described("Byte queue limit and inflight", bql),
    Described("Ring occupancy", ring),
    Described("Backlog of the queueing discipline", backlog),
    Described("Drops and marks", drops),
    Described("Interrupts and packets an interrupt", interrupts),
)
