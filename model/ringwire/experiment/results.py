"""What an experiment leaves: a folder of plain files, and the same in memory.

::

    experiment.toml      as it was run, to be run again
    summary.json         what was set and what came out: see Results.summary
    series/NAME.csv      each series, and as series/NAME.parquet
    wire.pcap            what was on the wire
    NAME.flent.gz        for flent's plots
    plots/NAME.png, .svg
    report.html          all of it in one page
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from ringwire.experiment import ownfiles

Table = Mapping[str, "np.ndarray[Any, Any]"]
"""Columns of equal length by name; names end in their unit: ``time_ns``, ``backlog_bytes``, ``rate_bps``."""

SERIES: Mapping[str, tuple[str, ...]] = {
    # per packet, of flows that are not bulk; of bulk a sample. The five shares sum to total_ns.
    "latency": (
        "time_ns",
        "flow",
        "queue",
        "bytes",
        "socket_ns",
        "qdisc_ns",
        "ring_ns",
        "nic_ns",
        "wire_ns",
        "total_ns",
    ),
    "throughput": ("time_ns", "flow", "rate_bps"),
    "flow": ("time_ns", "flow", "name", "value"),
    "bql": ("time_ns", "queue", "limit_bytes", "inflight_bytes", "starved"),
    "ring": ("time_ns", "queue", "descriptors", "bytes"),
    "qdisc": ("time_ns", "queue", "backlog_bytes", "backlog_packets", "drops", "marks"),
    "interrupts": ("time_ns", "queue", "interrupts", "packets"),
    "wire": ("time_ns", "utilisation", "longest_gap_ns"),
    # buffers of bottlenecks behind the wire, as frames found them
    "path": ("time_ns", "path", "backlog_bytes", "backlog_frames", "drops", "marks"),
    # the way of one super-packet; stages overlap
    "tso": ("stage", "begin_ns", "end_ns"),
}
"""Columns of each series. A run has those that were asked for; ``flow`` holds what flows tell of themselves (cwnd)."""


@dataclass(slots=True)
class Results:
    """One run's results.

    ``summary``::

        {"title": str, "seed": int, "partial": bool, "simulated_ns": int, "wall_s": float,
         "setup": {"device": "verilator", "line rate": "1Gbit/s", ...},       # name: text, in order
         "totals": {"frames": int, "bytes": int, "wire utilisation": float, ...},
         "flows": [{"flow": str, "kind": str, "packets": int, "rate_bps": float, "drops": int, "marks": int,
                    "latency_p50_ns": float, "latency_p95_ns": float, "latency_p99_ns": float,
                    "latency_max_ns": float, ...}],
         "queues": [{"queue": int, "frames": int, "bytes": int, "interrupts": int, "packets_per_interrupt": float,
                     "bql_limit_bytes": int, "drops": int, "requeues": int, ...}],
         "paths": [{"path": str, "frames": int, "drops": int, "marks": int, "losses": int, "backlog_most_frames": int}],
         "printed": str, "problems": [str]}
    """

    summary: dict[str, Any]
    series: dict[str, Table] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write summary and series into a folder, which is made if need be."""
        (folder / "series").mkdir(parents=True, exist_ok=True)
        tables = (f"series/{name}.{suffix}" for name in self.series for suffix in ("csv", "parquet"))
        ownfiles.claim(folder, ("summary.json", *tables))
        for name, columns in self.series.items():
            table = pa.table(dict(columns))
            pyarrow.csv.write_csv(table, folder / "series" / f"{name}.csv")
            pyarrow.parquet.write_table(table, folder / "series" / f"{name}.parquet")
        (folder / "summary.json").write_text(json.dumps(self.summary, indent=1) + "\n")

    @classmethod
    def load(cls, folder: Path) -> Results:
        """Read what :meth:`save` has written. OSError or ValueError if it is not there, or is not that."""
        summary = json.loads((folder / "summary.json").read_text())
        if not isinstance(summary, dict):
            raise ValueError(f"{folder / 'summary.json'}: not an object")
        series: dict[str, Table] = {}
        for path in sorted((folder / "series").glob("*.parquet")):
            table = pyarrow.parquet.read_table(path)
            series[path.stem] = {column: table[column].to_numpy(zero_copy_only=False) for column in table.column_names}
        return cls(summary, series)
