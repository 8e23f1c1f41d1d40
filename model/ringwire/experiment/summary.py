"""Sums a run up: the tables that :class:`ringwire.experiment.results.Results` describes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np

from ringwire.bql import MAX_LIMIT
from ringwire.experiment.bins import Bins
from ringwire.experiment.histogram import Histogram
from ringwire.experiment.packets import SHARES, FlowFigures, Row
from ringwire.experiment.probes import PathProbe, QueueProbe, marks_of
from ringwire.experiment.results import SERIES, Results, Table
from ringwire.qdisc.base import AnyQdisc
from ringwire.replay.report import show_time
from ringwire.rig.values import show_rate

if TYPE_CHECKING:
    from ringwire.experiment.job import Run

PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
NS_PER_S = 1_000_000_000


def make_results(run: Run) -> Results:
    """What came out of a run."""
    wanted = run.experiment.probes.series
    series = {name: make(run) for name, make in _SERIES.items() if name in wanted}
    return Results(_summary(run), {name: table for name, table in series.items() if len(table[SERIES[name][0]])})


# -- the summary


def _summary(run: Run) -> dict[str, Any]:
    experiment = run.experiment
    return {
        "title": experiment.title,
        "seed": experiment.seed,
        "partial": run.partial,
        "simulated_ns": run.end_ns - run.begin_ns,
        "wall_s": run.wall_s,
        "setup": _setup(run),
        "totals": _totals(run),
        "flows": [_flow(run, figures) for figures in run.figures],
        "queues": [_queue(probe, run.tap.counts.get(probe.txq.index, 0), qdisc) for probe, qdisc in own_queues(run)],
        "paths": [_path(probe) for probe in run.probes.paths],
        "printed": run.host.printed,
        "problems": run.problems,
    }


def _setup(run: Run) -> dict[str, str]:
    """What was set, name: text, in the order of a packet's way."""
    rig, experiment = run.experiment.rig, run.experiment
    knobs = experiment.bql
    limits = [
        f"{name} {value}"
        for name, value in (("min", knobs.limit_min_bytes), ("max", knobs.limit_max_bytes), ("hold ns", knobs.hold_ns))
        if value is not None
    ]
    moderation = f"{rig.tx_usecs} us" + (f", {rig.tx_frames} frames" if rig.tx_frames else "")
    return {
        "device": rig.sim,
        "line rate": f"{show_rate(rig.line_rate_bps)}bit/s",
        "data path": f"{rig.width} bits at {rig.clock_mhz:g} MHz",
        "memory latency": f"{rig.mem_latency_ns} ns",
        "queues": str(rig.queues),
        "ring": str(run.host.driver.config.ring_entries if hasattr(run.host.driver, "config") else rig.ring),
        "moderation": moderation,
        "bql": "off" if not rig.bql else ", ".join(limits) or "on",
        "tso": "on" if rig.tso else "off",
        "qdisc": run.host.dev.qdisc.kind,
        **({} if rig.bulk is None else {"packets dequeued at once": f"at most {rig.bulk}"}),
        "cpus": str(rig.cpus),
        "duration": show_time(experiment.duration_ns),
    }


def _totals(run: Run) -> dict[str, Any]:
    probes, figures = run.probes, run.figures
    span_ps = (run.end_ns - run.begin_ns) * 1000
    interrupts = sum(run.tap.counts.values())
    packets, sent = sum(flow.packets for flow in figures), sum(flow.sent for flow in figures)
    dropped = sum(flow.dropped for flow in figures)
    totals: dict[str, Any] = {
        "frames": probes.frames,
        "bytes": probes.bytes,
        "packets": packets,
        "packets sent": sent,
        "packets dropped": dropped,
        "packets left": packets - sent - dropped,
        "wire utilisation": probes.busy_total_ps / span_ps if span_ps else 0.0,
        "longest gap ns": int(probes.longest_gap_ps) // 1000,
        "interrupts": interrupts,
        "packets per interrupt": sum(probe.packets for probe in probes.queues) / interrupts if interrupts else 0.0,
        "frames per wall s": probes.frames / run.wall_s if run.wall_s else 0.0,
    }
    if run.edges is not None:
        totals["clock edges"] = run.edges
    return totals


def _flow(run: Run, figures: FlowFigures) -> dict[str, Any]:
    measured_ns = min(run.end_ns, run.packets.measure_to_ns) - run.packets.measure_from_ns
    latency = figures.latency
    row: dict[str, Any] = {
        "flow": figures.name,
        "kind": figures.kind,
        "packets": figures.packets,
        "sent": figures.sent,
        "drops": figures.dropped,
        "left": figures.packets - figures.sent - figures.dropped,
        "frames": figures.frames,
        "bytes": figures.bytes,
        "marks": figures.marks,
        "rate_bps": 8 * figures.measured_bytes * NS_PER_S / measured_ns if measured_ns > 0 else 0.0,
        "measured": latency.count,
        **_spread("latency", latency),
    }
    for name, total_ns in zip(SHARES, figures.shares_ns, strict=True):
        row[f"{name}_mean_ns"] = total_ns / latency.count if latency.count else None
    flow = next(flow for name, flow in run.probes.flows if name == figures.name)
    if any(entry.flow is flow and entry.way is not None for entry in run.experiment.entries):
        row |= {"arrived": figures.arrived, "lost": figures.lost, **_spread("end_to_end", figures.end_to_end)}
    return row | dict(flow.totals())


def _spread(name: str, times: Histogram) -> dict[str, float | None]:
    """Mean, percentiles and maximum; None where nothing was measured."""
    if not times.count:
        return dict.fromkeys(f"{name}_{what}_ns" for what in ("mean", *PERCENTILES, "max"))
    return {
        f"{name}_mean_ns": times.mean,
        **{f"{name}_{percentile}_ns": times.percentile(share) for percentile, share in PERCENTILES.items()},
        f"{name}_max_ns": float(times.most),
    }


def own_queues(run: Run) -> list[tuple[QueueProbe, AnyQdisc | None]]:
    """Each queue with its discipline; None where it shares that of a queue before it."""
    seen: list[AnyQdisc] = []
    found: list[tuple[QueueProbe, AnyQdisc | None]] = []
    for probe in run.probes.queues:
        qdisc = probe.txq.qdisc
        found.append((probe, None if any(qdisc is other for other in seen) else qdisc))
        seen.append(qdisc)
    return found


def _queue(probe: QueueProbe, interrupts: int, qdisc: AnyQdisc | None) -> dict[str, Any]:
    dql = probe.txq.dql
    row: dict[str, Any] = {
        "queue": probe.txq.index,
        "packets": probe.packets,
        "frames": probe.frames,
        "bytes": probe.bytes,
        "interrupts": interrupts,
        "packets_per_interrupt": probe.packets / interrupts if interrupts else 0.0,
        "bql_limit_bytes": dql.limit if dql.limit < MAX_LIMIT else None,
        "bql_limit_most_bytes": probe.limit_most or None,
        "starved": probe.starved,
        "starved_ns": probe.starved_ns,
        "timeouts": probe.txq.trans_timeout,
    }
    if qdisc is not None:
        row |= {"drops": qdisc.drops, "marks": marks_of(qdisc), "requeues": qdisc.requeues}
    return row


def _path(probe: PathProbe) -> dict[str, Any]:
    path = probe.path
    return {
        "path": probe.name,
        "frames": path.frames,
        "drops": path.drops,
        "marks": path.marks,
        "losses": path.losses,
        "backlog_most_frames": probe.backlog_most,
    }


# -- the series


def _latency(run: Run) -> Table:
    flows = [(figures.name, row) for figures in run.figures for row in figures.rows.rows]
    flows.sort(key=lambda each: each[1].time_ns)
    columns: dict[str, Any] = {"time_ns": np.array([row.time_ns for _, row in flows], np.int64)}
    columns["flow"] = np.array([name for name, _ in flows], object)
    for name in Row._fields[1:]:
        columns[name] = np.array([getattr(row, name) for _, row in flows], np.int64)
    return columns


def _throughput(run: Run) -> Table:
    rows: list[tuple[int, str, float]] = []
    end_ns = run.end_ns - run.begin_ns
    for figures in run.figures:
        bins = figures.throughput
        for time_ns, width_ns, bits in _spans(bins, end_ns):
            rows.append((time_ns, figures.name, (bits or 0.0) * NS_PER_S / width_ns))
    return _table("throughput", rows)


def _flow_states(run: Run) -> Table:
    rows = [
        (time_ns, flow, name, value)
        for (flow, name), bins in run.probes.states.items()
        for time_ns, _, value in _spans(bins)
        if value is not None
    ]
    return _table("flow", rows)


def _bql(run: Run) -> Table:
    """A row for what was the least in an interval, and one for the most if that differs. No limit is nan."""
    rows: list[tuple[float, ...]] = []
    for probe in run.probes.queues:
        least_limits, most_limits = probe.bins["limit_least"], probe.bins["limit_most"]
        least_inflight, most_inflight = probe.bins["inflight_least"], probe.bins["inflight_most"]
        _align(least_limits, most_limits, least_inflight, most_inflight, probe.bins["starved"])
        starved = probe.bins["starved"].values
        for index, inflight in enumerate(least_inflight.values):
            if inflight is None:
                continue
            low = _at(least_limits.values, index) if least_limits.values else nan
            high = _at(most_limits.values, index) if most_limits.values else nan
            most_of = most_inflight.values[index]
            time_ns, width_ns = index * least_inflight.width_ns, least_inflight.width_ns
            rows.append((time_ns, probe.txq.index, low, inflight, _at(starved, index)))
            if most_of is not None and (low < high or inflight != most_of):
                rows.append((time_ns + width_ns // 2, probe.txq.index, high, most_of, 0))
    return _table("bql", rows)


def _per_queue(series: str, names: Sequence[str], run: Run) -> Table:
    """A series whose columns are bins of a queue."""
    rows: list[tuple[float, ...]] = []
    for probe in run.probes.queues:
        bins = [probe.bins[name] for name in names]
        _align(*bins)
        width_ns = bins[0].width_ns
        for index, values in enumerate(zip_longest(*(each.values for each in bins))):
            if any(value is not None for value in values):
                rows.append((index * width_ns, probe.txq.index, *(value or 0 for value in values)))
    return _table(series, rows)


def _paths(run: Run) -> Table:
    rows: list[tuple[Any, ...]] = []
    for probe in run.probes.paths:
        bins = [probe.bins[name] for name in SERIES["path"][2:]]
        _align(*bins)
        width_ns = bins[0].width_ns
        for index, values in enumerate(zip_longest(*(each.values for each in bins))):
            if any(value is not None for value in values):
                rows.append((index * width_ns, probe.name, *(value or 0 for value in values)))
    return _table("path", rows)


def _wire(run: Run) -> Table:
    busy, gaps = run.probes.busy_ps, run.probes.gaps_ps
    _align(busy, gaps)
    rows = [
        (time_ns, min(1.0, (value or 0.0) / (width_ns * 1000)), _at(gaps.values, index) / 1000)
        for index, (time_ns, width_ns, value) in enumerate(_spans(busy, run.end_ns - run.begin_ns))
    ]
    return _table("wire", rows)


def _tso(run: Run) -> Table:
    return _table("tso", run.supers.stages)


_SERIES = {
    "latency": _latency,
    "throughput": _throughput,
    "flow": _flow_states,
    "bql": _bql,
    "ring": lambda run: _per_queue("ring", ("descriptors", "ring_bytes"), run),
    "qdisc": lambda run: _per_queue("qdisc", ("backlog_bytes", "backlog_packets", "drops", "marks"), run),
    "interrupts": lambda run: _per_queue("interrupts", ("interrupts", "packets"), run),
    "path": _paths,
    "wire": _wire,
    "tso": _tso,
}


def _spans(bins: Bins, end_ns: int | None = None) -> list[tuple[int, int, float | None]]:
    """(begin, width, value) of each bin; the last one's width is what of it has passed by ``end_ns``."""
    width_ns = bins.width_ns
    spans = []
    for index, value in enumerate(bins.values):
        begin_ns = index * width_ns
        passed_ns = width_ns if end_ns is None else min(width_ns, max(end_ns - begin_ns, 1))
        spans.append((begin_ns, passed_ns, value))
    return spans


def _align(*bins: Bins) -> None:
    """Make them equally wide."""
    width_ns = max(each.width_ns for each in bins)
    for each in bins:
        each.coarsen_to(width_ns)


def _at(values: Sequence[float | None], index: int) -> float:
    return (values[index] or 0) if index < len(values) else 0


_TEXT = frozenset({"flow", "name", "path", "stage"})
_REAL = frozenset({"limit_bytes", "rate_bps", "value", "utilisation", "longest_gap_ns"})


def _table(series: str, rows: Sequence[Sequence[Any]]) -> Mapping[str, Any]:
    """Columns of rows."""
    columns = list(zip(*rows, strict=True)) or [()] * len(SERIES[series])
    kinds = {name: object if name in _TEXT else np.float64 if name in _REAL else np.int64 for name in SERIES[series]}
    return {name: np.array(values, kinds[name]) for name, values in zip(SERIES[series], columns, strict=True)}
