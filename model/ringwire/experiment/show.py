"""A run's summary for a terminal."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ringwire.experiment.results import Results
from ringwire.replay.report import show_time


def show_summary(results: Results, console: Console, where: str) -> None:
    """Print the tables of flows and queues, the totals, and what was wrong."""
    summary = results.summary
    totals, setup = summary["totals"], summary["setup"]
    console.print(f"{summary['title']}: {setup['device']}, {setup['line rate']}", style="bold", highlight=False)
    console.print(_flows(summary["flows"]))
    console.print(_queues(summary["queues"]))
    shown = {
        "frames": f"{totals['frames']:,}",
        "packets": f"{totals['packets']:,} ({totals['packets dropped']:,} dropped, {totals['packets left']:,} left)",
        "wire utilisation": f"{totals['wire utilisation']:.1%}, longest gap {show_time(totals['longest gap ns'])}",
        "simulated": show_time(summary["simulated_ns"]),
        "frames a wall second": f"{totals['frames per wall s']:,.0f}",
        "results": where,
    }
    verdict = "\n".join(("FAILED", *summary["problems"])) if summary["problems"] else "ok"
    if summary["partial"]:
        verdict += "; ended early, results are partial"
    table = Table(show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in shown.items():
        table.add_row(name, value)
    table.add_row("verdict", verdict, style="red" if summary["problems"] else "green")
    console.print(table)


def _flows(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), title="latency: write to end of FCS")
    table.add_column("flow")
    for name in ("packets", "drops", "marks", "Mbit/s", "p50", "p95", "p99", "max"):
        table.add_column(name, justify="right")
    followed = any("arrived" in row for row in rows)
    if followed:
        for name in ("arrived", "path's end: p50", "max"):
            table.add_column(name, justify="right")
    for row in rows:
        times = [show_time(row[f"latency_{name}_ns"]) for name in ("p50", "p95", "p99", "max")]
        counts = [f"{row[name]:,}" for name in ("packets", "drops", "marks")]
        behind = []
        if followed and "arrived" in row:
            behind = [f"{row['arrived']:,}", *(show_time(row[f"end_to_end_{name}_ns"]) for name in ("p50", "max"))]
        table.add_row(row["flow"], *counts, f"{row['rate_bps'] / 1e6:.4g}", *times, *behind)
    return table


def _queues(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("queue", "frames", "interrupts", "per irq", "BQL limit", "starved", "drops", "requeues"):
        table.add_column(name, justify="right")
    for row in rows:
        limit = row["bql_limit_bytes"]
        table.add_row(
            str(row["queue"]),
            f"{row['frames']:,}",
            f"{row['interrupts']:,}",
            f"{row['packets_per_interrupt']:.2f}",
            "off" if limit is None else f"{limit:,}",
            f"{row['starved']:,}",
            f"{row.get('drops', 0):,}",
            f"{row.get('requeues', 0):,}",
        )
    return table
