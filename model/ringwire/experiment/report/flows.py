"""Plots of flows: latency, its shares, throughput, and what flows tell of themselves."""

from __future__ import annotations

import altair as alt
import numpy as np

from ringwire.experiment.report.chart import (
    BITRATE,
    ROWS,
    SECONDS,
    SHARE,
    Described,
    LeftOut,
    Plot,
    Rows,
    Run,
    Unit,
    by_colour,
    by_key,
    log_x,
    log_y,
    picked,
    shown,
    time_x,
    unit_of,
    value_x,
    value_y,
)
from ringwire.experiment.report.palette import COLOURS, Key
from ringwire.experiment.report.text import si
from ringwire.experiment.report.thin import Array, extremes, groups, steps

STAGES = ("socket", "qdisc", "ring", "nic", "wire")
AROUND = 0.01
"""A quantile's shares are the means over the packets within so much of its rank."""
CDF_POINTS = 240
INFINITE_SSTHRESH = 1 << 20
"""What a flow tells from here on is that it has none so far."""
CA_STATES = ("Open", "Disorder", "CWR", "Recovery", "Loss")
"""By Linux's names and numbers."""
STATES = {
    "cwnd_packets": ("congestion window, packets", "Packets that congestion control lets be in flight (snd_cwnd)"),
    "ssthresh_packets": (
        "slow start threshold, packets",
        "The window at which slow start ends (snd_ssthresh). A flow has none before its first loss or mark, or until "
        "HyStart finds one, and no line",
    ),
    "srtt_us": ("smoothed round trip time", "A running mean of round trips, to which each adds an eighth (srtt)"),
    "min_rtt_us": ("least round trip time", "The shortest round trip so far (min_rtt)"),
    "rto_us": ("retransmission timeout", "How long a flow waits for an acknowledgement before it sends again (rto)"),
    "pacing_rate_bps": (
        "pacing rate",
        "At what rate fq spaces its packets, and by what TCP sizes super-packets (sk_pacing_rate)",
    ),
    "inflight_packets": (
        "packets in flight",
        "Packets believed to be in the network: sent, less those that are acknowledged selectively or taken for lost, "
        "and retransmitted ones again (tcp_packets_in_flight: packets_out - sacked_out - lost_out + retrans_out)",
    ),
    "inflight_bytes": (
        "bytes outstanding",
        "Bytes sent and not acknowledged cumulatively (snd_nxt - snd_una). Behind a hole they pile up, though what is "
        "acknowledged selectively has left the network: then packets in flight fall while these rise",
    ),
    "unsent_bytes": ("bytes unsent", "Bytes that the application has written and TCP has not sent so far"),
    "wmem_bytes": (
        "memory below TCP",
        "Memory of what TCP has given away and the NIC has not sent, by true size (sk_wmem_alloc): what TCP Small "
        "Queues limit",
    ),
    "wmem_queued_bytes": ("memory of the send queue", "Memory of what is unsent or unacknowledged (sk_wmem_queued)"),
    "sndbuf_bytes": ("send buffer", "What that memory may grow to (sk_sndbuf)"),
    "tso_segments": ("segments of a super-packet", "Segments that TCP puts into one super-packet, at most"),
    "ca_state": (
        "congestion state",
        "State of congestion control: Open; Disorder, with SACK but no loss so far; CWR, reducing after a mark or a "
        "local drop; Recovery, sending again what is lost; Loss, after a retransmission timeout",
    ),
}
"""What is known of flows' own state by name: title, and what it says."""


def latency_cdf(run: Run) -> Plot:
    table = run.table("latency")
    labels = run.flows.labels(table["flow"])
    rows = Rows()
    for label, index in groups(labels):
        total = np.sort(np.maximum(table["total_ns"][index], 1)) / 1e9
        # evenly by rank, and the tail's ranks one by one; from 0, so that a single packet is a step, too
        rank = np.linspace(0, len(total) - 1, min(CDF_POINTS, len(total))).astype(int)
        rank = np.unique(np.append(rank, np.arange(max(len(total) - CDF_POINTS // 4, 0), len(total))))
        rows.add(latency_s=np.append(total[0], total[rank]), share=np.append(0, (rank + 1) / len(total)), flow=label)
    keys = run.flows.of(labels)
    chart = (
        alt.Chart(alt.NamedData("latency_cdf"))
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(
            x=log_x("latency_s", "latency, socket to end of frame", SECONDS, rows.table["latency_s"]),
            y=value_y("share", "packets at most as late", SHARE, domain=[0, 1]),
            **by_key("flow", keys, "flow"),
        )
    )
    caption = (
        "For each latency the share of packets that took at most so long, from the write into the socket to the end "
        "of the frame check sequence on the wire. Further left is better; a long foot to the right is a bad tail."
    )
    return Plot("latency_cdf", "Latency, cumulative", caption, chart, {"latency_cdf": rows.table}, keys)


def latency_shares(run: Run) -> Plot:
    table = run.table("latency")
    rows, order = Rows(), []
    flows = run.flows.labels(table["flow"])
    parts = dict(groups(flows))
    for label in (key.name for key in run.flows.of(flows)):
        index = parts[label]
        by_total = index[np.argsort(table["total_ns"][index], kind="stable")]
        for quantile, name in ((0.5, "median"), (0.99, "99th percentile")):
            near = _around(by_total, quantile)
            total = float(np.mean(table["total_ns"][near]))
            bar = f"{label}, {name}: {si(total / 1e9, 's')}"
            order.append(bar)
            for number, stage in enumerate(STAGES):
                mean = float(np.mean(table[f"{stage}_ns"][near]))
                share = np.array([mean / total if total > 0 else 0.0])
                rows.add(share=share, bar=bar, stage=stage, number=number, tip=si(mean / 1e9, "s"))
    keys = [Key(stage, COLOURS[i]) for stage, i in zip(STAGES, (4, 1, 2, 3, 0), strict=True)]
    chart = (
        alt.Chart(alt.NamedData("latency_shares"), height=20 * len(order))
        .mark_bar()
        .encode(
            x=value_x("share", "share of latency", SHARE, domain=[0, 1]),
            y=alt.Y("bar", type="nominal", sort=order, title=None, axis=alt.Axis(labelLimit=320)),
            color=by_colour("stage", keys, "spent in"),
            order=alt.Order("number", type="quantitative"),
            tooltip=["bar:N", "stage:N", alt.Tooltip("tip:N", title="time")],
        )
    )
    caption = (
        "Where the median packet of each flow spends its time, and where the slowest hundredth begins: waiting in the "
        "socket, in the queueing discipline, in the descriptor ring, inside the NIC, and on the wire itself. Each bar "
        "is the mean of the packets within 1 % of that rank."
    )
    return Plot("latency_shares", "Where the latency comes from", caption, chart, {"latency_shares": rows.table}, keys)


def _around(by_total: Array, quantile: float) -> Array:
    last = len(by_total) - 1
    low, high = (round(last * min(max(quantile + side * AROUND, 0), 1)) for side in (-1, 1))
    return by_total[low : high + 1]


def latency(run: Run) -> Plot:
    table = run.table("latency")
    labels = run.flows.labels(table["flow"])
    rows = Rows()
    parts = groups(labels)
    for label, index in parts:
        time, total = table["time_ns"][index] / 1e9, np.maximum(table["total_ns"][index], 1) / 1e9
        keep = extremes(time, total, ROWS // len(parts))
        rows.add(time_s=time[keep], latency_s=total[keep], flow=label)
    keys = run.flows.of(labels)
    chart = (
        alt.Chart(alt.NamedData("latency"))
        .transform_calculate(tip=SECONDS.tip("latency_s"))
        .mark_circle(size=14, clip=True)
        .encode(
            x=time_x(),
            y=log_y("latency_s", "latency", SECONDS, rows.table["latency_s"]),
            color=by_colour("flow", keys, "flow"),
            opacity=picked("flow", 0.7),
            tooltip=["flow:N", alt.Tooltip("tip:N", title="latency")],
        )
    )
    caption = "Latency of single packets, at the time of their last byte on the wire."
    note = shown(len(rows), len(labels), "packets")
    return Plot("latency", "Latency over time", caption, chart, {"latency": rows.table}, keys, True, note)


def throughput(run: Run) -> Plot:
    table = run.table("throughput")
    labels = run.flows.labels(table["flow"])
    levels = run.levels(table, len(set(labels)))
    keys = run.flows.of(labels)
    parts = groups(table["flow"].astype(str))
    rows = Rows()
    for level, intervals in enumerate(levels.of):
        rates: dict[str, Array] = {}
        for _, index in parts:
            label = str(labels[index[0]])
            rates[label] = rates.get(label, 0) + intervals.means(table["time_ns"][index], table["rate_bps"][index])
        for number, key in enumerate(keys):
            rate = steps(rates[key.name])
            rows.add(time_s=intervals.corners / 1e9, rate_bps=rate, flow=key.name, number=number, level=level)
    chart = (
        alt.Chart(alt.NamedData("throughput"))
        .transform_filter(levels.shown)
        .mark_area(interpolate="step-after", clip=True)
        .encode(
            x=time_x(),
            y=value_y("rate_bps", "throughput", BITRATE, stack=True),
            color=by_colour("flow", keys, "flow"),
            order=alt.Order("number", type="quantitative"),
            opacity=picked("flow", 0.85),
        )
    )
    caption = "What each flow has on the wire, one on top of the other: the upper edge is the sum."
    data = {"throughput": rows.table}
    return Plot("throughput", "Throughput by flow", caption, chart, data, keys, True, levels.note)


def flow_state(run: Run) -> list[Plot | LeftOut]:
    table = run.table("flow")
    labels = run.flows.labels(table["flow"])
    plots: list[Plot | LeftOut] = []
    names = groups(table["name"].astype(str))
    for name, of_name in names:
        text, unit, scale = unit_of(str(name))
        title, says = STATES.get(str(name), (text, f"{name}, as each flow tells of itself"))
        of_name = of_name[labels[of_name] != run.flows.others]
        of_name = of_name[~_unset(str(name), table["value"][of_name])]
        if not len(of_name):
            plots.append(LeftOut(f"no flow has set {name}"))
            continue
        rows = Rows()
        parts = groups(labels[of_name])
        for label, index in parts:
            mine = of_name[index]
            time, value = table["time_ns"][mine] / 1e9, table["value"][mine] * scale
            keep = extremes(time, value, ROWS // len(parts) // min(len(names), 4))
            rows.add(time_s=time[keep], value=value[keep], flow=label)
        keys = run.flows.of(labels[of_name])
        stem = "flow_" + "".join(c if c.isascii() and c.isalnum() else "_" for c in str(name))
        chart = (
            alt.Chart(alt.NamedData(stem))
            .mark_line(interpolate="step-after", strokeWidth=1.5, clip=True)
            .encode(x=time_x(), y=_state_y(str(name), title, unit), **by_key("flow", keys, "flow"))
        )
        note = shown(len(rows), len(of_name), "samples")
        plots.append(Plot(stem, f"Flows: {title}", f"{says}.", chart, {stem: rows.table}, keys, True, note))
    return plots


def _unset(name: str, values: Array) -> Array:
    """Which values stand for "none so far"."""
    if name == "ssthresh_packets":
        return values >= INFINITE_SSTHRESH
    if name in ("srtt_us", "min_rtt_us"):
        return values <= 0
    return np.zeros(len(values), bool)


def _state_y(name: str, title: str, unit: Unit) -> alt.Y:
    if name != "ca_state":
        return value_y("value", title, unit)
    axis = alt.Axis(values=list(range(len(CA_STATES))), labelExpr=f"{list(CA_STATES)}[datum.value]")
    # with room above, so that the highest is no edge
    return value_y("value", title, unit, domain=[0, len(CA_STATES) - 0.9]).axis(axis)


PLOTS = (
    Described("Latency, cumulative", latency_cdf),
    Described("Where the latency comes from", latency_shares),
    Described("Throughput by flow", throughput),
    Described("Latency over time", latency),
    Described("Flows' own state", flow_state),
)
