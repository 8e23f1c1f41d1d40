"""Points for tests of sweeps: what an experiment would do, in an instant. A module, for other processes import it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ringwire.experiment.results import Results


def model(settings: Mapping[str, object], folder: Path) -> Results:
    """A latency that grows with the ring, unless BQL is on, and varies a little with the seed."""
    seed, ring = int(str(settings["seed"])), int(str(settings.get("nic.ring", 256)))
    noise = np.random.default_rng(seed).normal(0, 0.01)
    latency_ns = (43_800 if settings.get("nic.bql", False) else 12_144 * ring) * (1 + noise)
    summary = {
        "title": "point",
        "seed": seed,
        "partial": False,
        "totals": {"frames": 100 * ring, "wire utilisation": 0.97},
        "flows": [{"flow": "probe", "kind": "voip", "latency_p50_ns": latency_ns, "rate_bps": 512_000.0}],
        "queues": [{"queue": 0, "bql_limit_bytes": 3028}],
    }
    with (folder / "ran").open("a") as file:
        file.write("once\n")
    return Results(summary)


def fragile(settings: Mapping[str, object], folder: Path) -> Results:
    """Rings of 1 can't be, rings of 2 kill their process, rings of 3 end early, rings of 4 exit."""
    ring = settings["nic.ring"]
    if ring == 1:
        raise ValueError("nic.ring = 1:\nat least 64")
    if ring == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    if ring == 4:
        raise SystemExit(7)
    results = model(settings, folder)
    if ring == 3:
        results.summary["partial"] = True
    return results


def endless(settings: Mapping[str, object], folder: Path) -> Results:
    """Ring 64 is done at once; others wait for a signal, and say if they could clean up."""
    if settings["nic.ring"] != 64:
        (folder / "waiting").touch()
        try:
            while True:
                time.sleep(0.05)
        finally:
            (folder / "cleaned").touch()
    return model(settings, folder)
