"""Results as a data file of flent 2.x, whose plots then work on them: JSON in format version 4, compressed.

The file is of flent's test ``tcp_1up``, whose plots show two series: ``TCP upload`` is here the sum of all flows, and
``Ping (ms) ICMP`` the mean one-way latency of the flow that sends least. Beside them each flow has a series of its own
for rate and latency. flent reads rates in Mbit/s, times in s and ms; its time 0 is the beginning of the traffic, on
the first of January 1970.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np

from ringwire.experiment.results import Results

VERSION = 4
TEST = "tcp_1up"
TOTAL, PING = "TCP upload", "Ping (ms) ICMP"
_EPOCH = "1970-01-01T00:00:00.000000Z"
_MBIT = 1e6
_MS = 1e6
"""Nanoseconds."""

Raw = list[dict[str, float]]


def flent_data(results: Results) -> dict[str, Any]:
    """The file's content. Times of ``x_values`` are those of the throughput's intervals."""
    throughput, latency = results.series.get("throughput", {}), results.series.get("latency", {})
    times_ns = np.unique(throughput.get("time_ns", np.array([0], np.int64)))
    step_ns = int(times_ns[1] - times_ns[0]) if len(times_ns) > 1 else max(results.summary["simulated_ns"], 1)
    series: dict[str, list[float | None]] = {}
    raw: dict[str, Raw] = {}
    for row in results.summary["flows"]:
        name = row["flow"]
        if throughput:
            mine = throughput["flow"] == name
            rates = dict(zip(throughput["time_ns"][mine].tolist(), throughput["rate_bps"][mine].tolist(), strict=True))
            series[f"{name} (Mbits/s)"] = [rates.get(time_ns, 0.0) / _MBIT for time_ns in times_ns.tolist()]
        if latency:
            mine = latency["flow"] == name
            when, values = latency["time_ns"][mine], latency["total_ns"][mine] / _MS
            series[f"{name} latency (ms)"] = _means(when, values, times_ns, step_ns)
            pairs = zip(when.tolist(), values.tolist(), strict=True)
            raw[f"{name} latency (ms)"] = [{"t": time_ns / 1e9, "val": value} for time_ns, value in pairs]
    rates_of_all = [values for name, values in series.items() if name.endswith("(Mbits/s)")]
    series[TOTAL] = [sum(value or 0.0 for value in values) for values in zip(*rates_of_all, strict=True)]
    sparse = min(results.summary["flows"], key=lambda row: row["bytes"])["flow"]
    if latency:
        series[PING] = series[f"{sparse} latency (ms)"]
        raw[PING] = raw[f"{sparse} latency (ms)"]
    series = {name: values or [None] * len(times_ns) for name, values in series.items()}
    for name, values in series.items():
        if name not in raw:
            pairs = zip(times_ns.tolist(), values, strict=True)
            raw[name] = [{"t": time_ns / 1e9, "val": value} for time_ns, value in pairs if value is not None]
    length_s = results.summary["simulated_ns"] / 1e9
    return {
        "version": VERSION,
        "metadata": {
            "NAME": TEST,
            "TITLE": results.summary["title"],
            "TIME": _EPOCH,
            "T0": _EPOCH,
            "LENGTH": length_s,
            "TOTAL_LENGTH": length_s,
            "STEP_SIZE": step_ns / 1e9,
            "HOST": "ringwire",
            "HOSTS": ["ringwire"],
            "LOCAL_HOST": "ringwire",
            "NOTE": ", ".join(f"{name} {value}" for name, value in results.summary["setup"].items()),
            "IP_VERSION": 4,
            "TEST_PARAMETERS": {},
            "SERIES_META": {
                name: {"UNITS": "ms" if name == PING or name.endswith("(ms)") else "Mbits/s"} for name in series
            },
        },
        "x_values": [time_ns / 1e9 for time_ns in times_ns.tolist()],
        "results": series,
        "raw_values": raw,
    }


def _means(when: Any, values: Any, times_ns: Any, step_ns: int) -> list[float | None]:
    """The mean of the values in each interval, None where there are none."""
    index = np.clip(np.searchsorted(times_ns, when, "right") - 1, 0, len(times_ns) - 1)
    counts = np.bincount(index, minlength=len(times_ns))
    sums = np.bincount(index, values, minlength=len(times_ns))
    pairs = zip(sums.tolist(), counts.tolist(), strict=True)
    return [total / count if count else None for total, count in pairs]


def write_flent(results: Results, path: Path) -> None:
    """Write ``NAME.flent.gz``; the same results give the same bytes."""
    text = json.dumps(flent_data(results), sort_keys=True)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
