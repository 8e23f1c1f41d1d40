"""A run's summary for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from ringwire.experiment.results import Results
from ringwire.replay.report import show_time

SPREAD = ("p50", "p95", "p99", "max")
WIDEST = 1000
"""Characters that a table may take at most."""


def show_summary(results: Results, console: Console, where: str) -> None:
    """Print the tables of flows and queues, the totals, and what was wrong."""
    summary = results.summary
    totals, setup = summary["totals"], summary["setup"]
    console.print(f"{summary['title']}: {setup['device']}, {setup['line rate']}", style="bold", highlight=False)
    for found in (
        *_flows(summary["flows"]),
        *([_paths(summary["paths"])] if summary["paths"] else []),
        _queues(summary["queues"]),
    ):
        _print_whole(console, found)
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


def _flows(rows: list[dict[str, Any]]) -> Iterator[Table]:
    """What they sent and how long that took; of flows with a path, what of it got to the other end and when."""
    sent = _columns("latency: write to end of FCS", "flow", "packets", "drops", "marks", "Mbit/s", *SPREAD)
    for row in rows:
        counts = (f"{row[name]:,}" for name in ("packets", "drops", "marks"))
        sent.add_row(row["flow"], *counts, f"{row['rate_bps'] / 1e6:.4g}", *_spread(row, "latency"))
    yield sent
    followed = [row for row in rows if "arrived" in row]
    if followed:
        there = _columns("write to the path's other end", "flow", "arrived", "lost frames", *SPREAD)
        for row in followed:
            there.add_row(row["flow"], f"{row['arrived']:,}", f"{row['lost']:,}", *_spread(row, "end_to_end"))
        yield there


def _spread(row: dict[str, Any], what: str) -> Iterator[str]:
    for name in SPREAD:
        value = row[f"{what}_{name}_ns"]
        yield "-" if value is None else show_time(value)


def _paths(rows: list[dict[str, Any]]) -> Table:
    table = _columns("behind the wire", "path", "frames", "drops", "marks", "lost at random", "longest queue")
    for row in rows:
        counts = (f"{row[name]:,}" for name in ("frames", "drops", "marks", "losses", "backlog_most_frames"))
        table.add_row(row["path"], *counts)
    return table


def _queues(rows: list[dict[str, Any]]) -> Table:
    table = _columns("queues", "queue", "frames", "interrupts", "per irq", "BQL limit", "starved", "drops", "requeues")
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


def _columns(title: str, name: str, *numbers: str) -> Table:
    """An empty table: what a row is of, and numbers."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), title=title, title_justify="left")
    table.add_column(name, no_wrap=True)
    for number in numbers:
        table.add_column(number, justify="right", no_wrap=True)
    return table


def _print_whole(console: Console, table: Table) -> None:
    """Print a table as wide as it is, which a narrow terminal folds: no digit gets lost."""
    table.width = Measurement.get(console, console.options.update(max_width=WIDEST), table).maximum
    console.print(table, crop=False, no_wrap=True, overflow="ignore")
