"""Results as a run leaves them, from a seeded generator: bulk flows beside sparse ones behind BQL.

The shapes are those of a real run (a limit that hunts, an inflight that saws below it, a window that grows and is cut,
latencies with a long tail), the numbers are made up.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ringwire.experiment.results import Results, Table

MS = 1_000_000
STAGES = ("doorbell", "descriptor fetch", "header read", "payload reads", "segments on the wire", "completion write")


def make_results(seed: int = 1, flows: int = 2, queues: int = 1, samples: int = 500, duration_ms: int = 200) -> Results:
    """A run of ``flows`` flows, the even ones sparse, with ``samples`` rows per flow or queue in each series."""
    random = np.random.default_rng(seed)
    names = [f"probe{i // 2 + 1}" if i % 2 == 0 else f"bulk{i // 2 + 1}" for i in range(flows)]
    time_ns = np.linspace(0, duration_ms * MS, samples, endpoint=False).astype(np.int64)
    series: dict[str, Table] = {
        "latency": _stack([_latency(random, time_ns, name, i % queues) for i, name in enumerate(names)]),
        "throughput": _stack([_throughput(random, time_ns, name, flows) for name in names]),
        "flow": _stack([_state(random, time_ns, name) for name in names if name.startswith("bulk")]),
        "bql": _stack([_bql(random, time_ns, queue) for queue in range(queues)]),
        "ring": _stack([_ring(random, time_ns, queue) for queue in range(queues)]),
        "qdisc": _stack([_qdisc(random, time_ns, queue) for queue in range(queues)]),
        "interrupts": _stack([_interrupts(random, time_ns, queue) for queue in range(queues)]),
        "wire": {
            "time_ns": time_ns,
            "utilisation": np.clip(0.97 + 0.02 * random.standard_normal(samples), 0, 1),
            "longest_gap_ns": random.exponential(3_000, samples),
        },
        "tso": _tso(),
        "path": _path(random, time_ns),
    }
    return Results(_summary(names, queues, series, duration_ms, seed), {k: v for k, v in series.items() if v})


def _stack(tables: list[Table]) -> Table:
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]} if tables else {}


def _latency(random: np.random.Generator, time_ns: np.ndarray[Any, Any], name: str, queue: int) -> Table:
    bulk = name.startswith("bulk")
    size = len(time_ns)
    shares = {
        "socket_ns": random.exponential(400_000 if bulk else 800, size),
        "qdisc_ns": random.gamma(2, 300_000 if bulk else 4_000, size),
        "ring_ns": random.gamma(3, 9_000, size),
        "nic_ns": 700 + random.exponential(200, size),
        "wire_ns": np.full(size, 12_144 if bulk else 672),
    }
    whole = {column: values.astype(np.int64) for column, values in shares.items()}
    return {
        "time_ns": time_ns,
        "flow": np.full(size, name, object),
        "queue": np.full(size, queue),
        "bytes": np.full(size, 1514 if bulk else 64),
        **whole,
        "total_ns": sum(whole.values()),  # type: ignore[dict-item]
    }


def _throughput(random: np.random.Generator, time_ns: np.ndarray[Any, Any], name: str, flows: int) -> Table:
    rate = 940e6 / max(flows // 2, 1) if name.startswith("bulk") else 512e3
    noise = 1 + 0.05 * random.standard_normal(len(time_ns))
    return {"time_ns": time_ns, "flow": np.full(len(time_ns), name, object), "rate_bps": rate * noise}


def _state(random: np.random.Generator, time_ns: np.ndarray[Any, Any], name: str) -> Table:
    """Congestion window: slow start, then a saw; and the round trip that it makes."""
    steps = np.arange(len(time_ns))
    cwnd = np.minimum(10 * 2 ** (steps / 20), 80 + (steps + random.integers(100)) % 120)
    rtt_ns = 4 * MS + cwnd * 12_144
    return {
        "time_ns": np.concatenate([time_ns, time_ns]),
        "flow": np.full(2 * len(time_ns), name, object),
        "name": np.repeat(np.array(["cwnd_packets", "srtt_ns"], object), len(time_ns)),
        "value": np.concatenate([cwnd, rtt_ns]),
    }


def _bql(random: np.random.Generator, time_ns: np.ndarray[Any, Any], queue: int) -> Table:
    steps = np.arange(len(time_ns))
    limit = 1514 * (2 + (steps // 37 + queue) % 5)
    inflight = np.minimum((steps * 1514) % (limit + 1514), limit + 1514)
    return {
        "time_ns": time_ns,
        "queue": np.full(len(time_ns), queue),
        "limit_bytes": limit,
        "inflight_bytes": inflight,
        "starved": (random.random(len(time_ns)) < 0.02).astype(np.int64),
    }


def _ring(random: np.random.Generator, time_ns: np.ndarray[Any, Any], queue: int) -> Table:
    descriptors = random.integers(0, 12, len(time_ns))
    return {
        "time_ns": time_ns,
        "queue": np.full(len(time_ns), queue),
        "descriptors": descriptors,
        "bytes": descriptors * 1514,
    }


def _qdisc(random: np.random.Generator, time_ns: np.ndarray[Any, Any], queue: int) -> Table:
    packets = (60 + 40 * np.sin(time_ns / (30 * MS) + queue) + random.integers(0, 9, len(time_ns))).astype(np.int64)
    return {
        "time_ns": time_ns,
        "queue": np.full(len(time_ns), queue),
        "backlog_bytes": packets * 1514,
        "backlog_packets": packets,
        "drops": random.poisson(0.1, len(time_ns)),
        "marks": random.poisson(0.3, len(time_ns)),
    }


def _interrupts(random: np.random.Generator, time_ns: np.ndarray[Any, Any], queue: int) -> Table:
    interrupts = 20 + random.poisson(8, len(time_ns))
    return {
        "time_ns": time_ns,
        "queue": np.full(len(time_ns), queue),
        "interrupts": interrupts,
        "packets": interrupts + random.poisson(20, len(time_ns)),
    }


def _path(random: np.random.Generator, time_ns: np.ndarray[Any, Any]) -> Table:
    """A buffer that fills, and empties in the middle."""
    frames = (60 * (np.arange(len(time_ns)) * 2 / len(time_ns) % 1)).astype(np.int64)
    return {
        "time_ns": time_ns,
        "path": np.full(len(time_ns), "dsl", object),
        "backlog_bytes": frames * 1514,
        "backlog_frames": frames,
        "drops": np.where(frames > 55, 1, 0),
        "marks": random.poisson(0.3, len(time_ns)),
    }


def _tso() -> Table:
    begin_ns = np.array([0, 300, 900, 1_100, 2_000, 524_000]) + 12_345_678
    end_ns = np.array([300, 900, 1_100, 500_000, 526_000, 526_600]) + 12_345_678
    return {"stage": np.array(STAGES, object), "begin_ns": begin_ns, "end_ns": end_ns}


def _summary(names: list[str], queues: int, series: dict[str, Table], duration_ms: int, seed: int) -> dict[str, Any]:
    latency = series["latency"]
    rows = []
    for name in names:
        total = latency["total_ns"][latency["flow"] == name]
        p50, p95, p99 = (float(value) for value in np.quantile(total, [0.5, 0.95, 0.99]))
        rate = series["throughput"]["rate_bps"][series["throughput"]["flow"] == name]
        rows.append(
            {"flow": name, "kind": "tcp" if name.startswith("bulk") else "voip", "packets": len(total)}
            | {"rate_bps": float(rate.mean()), "drops": 3, "marks": 9, "latency_p50_ns": p50, "latency_p95_ns": p95}
            | {"latency_p99_ns": p99, "latency_max_ns": float(total.max())}
        )
    return {
        "title": "Bulk beside sparse flows, 1 Gbit/s",
        "seed": seed,
        "partial": False,
        "simulated_ns": duration_ms * MS,
        "wall_s": 2.5,
        "setup": {"device": "twin", "line rate": "1Gbit/s", "ring": "256", "qdisc": "fq_codel", "bql": "on"},
        "totals": {"frames": 16_254, "bytes": 24_608_556, "wire utilisation": 0.9712},
        "flows": rows,
        "queues": [
            {"queue": queue, "frames": 16_254, "bytes": 24_608_556, "interrupts": 9_000, "packets_per_interrupt": 1.8}
            | {"bql_limit_bytes": 4_542, "drops": 3, "requeues": 0}
            for queue in range(queues)
        ],
        "paths": [{"path": "dsl", "frames": 16_254, "drops": 40, "marks": 9, "losses": 0, "backlog_most_frames": 59}],
        "printed": "qdisc fq_codel 0: dev eth0 root refcnt 2 limit 10240p\n",
        "problems": [],
    }
