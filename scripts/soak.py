"""``make soak``: random traffic on random devices until MINUTES have passed, a seed a round; the first failure ends it.

The settings come from the environment, as make exports them: MINUTES, SEED (the first one). A round repeats by itself.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from ringwire.cosim.run import SimulationFailed
from ringwire.cosim.warm import keep_simulators
from ringwire.driver.config import DriverConfig
from ringwire.host.cpu import HostCosts
from ringwire.replay import ReplayConfig, ReplayError, ReplayFailed, replay
from scripts.sim import CAPTURE, number, run_script
from tests.captures import REAL_MIX_WIRE, flows, wire_frames
from tests.control import offload_mix, super_search
from tests.control.bench import same
from tests.datapath.mix import Mix, mix
from tests.datapath.worlds import TWIN, place, run
from tests.driver_bench import Resets, reset_storm
from tests.healthy import healthy

SHAPES = ((512, 1), (512, 4), (64, 1), (128, 16), (256, 4))
"""(width, queues) of the models that the tests build anyway."""
VERILATOR_FRAMES, ICARUS_FRAMES = 20_000, 300
ICARUS_EVERY = 4
RESETS = 1000
HEALTHY_TWIN, HEALTHY_RTL = 200_000, 5_000
"""Packets a round."""
SEARCHES = 5
"""Of hypothesis, 800 super-packets each."""
RATES_BPS = (0, 10**8, 10**9, 10**10)


class Wrong(Exception):
    """A round showed what it must not."""


def main() -> int:
    minutes, first = number("MINUTES", 10), number("SEED", 1)
    end_s = time.monotonic() + 60 * minutes
    for seed in count(first):
        random = Random(seed)
        sim = "icarus" if seed % ICARUS_EVERY == 0 else "verilator"
        for work in (
            random_mix,
            random_offloads,
            random_supers,
            random_replay,
            healthy_on_twin,
            healthy_on_rtl,
            many_resets,
        ):
            begin_s = time.monotonic()
            name = f"seed {seed}: {work.__name__} on {sim}"
            try:
                what = work(sim, seed, random)
            except (SimulationFailed, ReplayError, ReplayFailed, Wrong, AssertionError) as error:
                said = "\n".join((str(error), *getattr(error, "__notes__", ())))
                print(f"{name}: FAILED: {said}\nto repeat: make soak MINUTES=0 SEED={seed}", flush=True)
                return 1
            print(f"{name}: {what}: ok, {time.monotonic() - begin_s:.1f} s", flush=True)
        if time.monotonic() >= end_s:
            print(f"soak: {seed - first + 1} rounds without a fault", flush=True)
            return 0
    return 0


def random_mix(sim: str, seed: int, random: Random) -> str:
    """Frames of every length, split and alignment on every queue, with random moderation and memory."""
    width, queues = random.choice(SHAPES)
    frames = VERILATOR_FRAMES if sim == "verilator" else ICARUS_FRAMES
    config = Mix(frames, seed, queues, random.randint(6, 9), random.choice(RATES_BPS))
    knobs: dict[str, Any] = {
        "latency_ns": random.choice((0, 200, 1000, 2000)),
        "jitter_ns": random.choice((0, 50, 500)),
    }
    run(place(sim), mix, config, queues=queues, data_w=width, seed=seed, limit_s=3600, **knobs)
    return f"{width} bits, {queues} queues, {config.rate_bps} bit/s, {knobs}"


def random_offloads(sim: str, seed: int, random: Random) -> str:
    """Packets with any request, legal or not, on four queues: what becomes of them on the RTL and on its twin."""
    width, packets = random.choice((64, 128, 256, 512)), 200 if sim == "verilator" else 10
    config = offload_mix.Mix(seed, packets)
    rtl, twins = (run(place(where), offload_mix.record, config, queues=4, data_w=width) for where in (sim, TWIN))
    same(rtl, twins, "RTL against the twin: ")
    return f"{width} bits, {packets} packets a queue"


def random_supers(sim: str, seed: int, random: Random) -> str:
    """Super-packets of every shape, each other than those of any other round: RTL, twin and software cut them alike."""
    first, searches = SEARCHES * seed, range(SEARCHES)
    with keep_simulators():
        agreed = set().union(*(super_search.search(first + number, place("verilator")) for number in searches))
    return f"{len(agreed)} super-packets on 64 and 512 bits"


def random_replay(sim: str, seed: int, random: Random) -> str:
    """The bundled capture through the whole stack; its flows must come out as they always do."""
    width, queues = random.choice(SHAPES)
    pick: Callable[[Any], Any] = random.choice
    knobs: dict[str, Any] = {
        "line_rate_bps": pick((0, 10**9, 5 * 10**9)),
        "ring": pick((64, 128, 256, 1024)),
        "qdisc": pick(("", "pfifo", "bfifo", "pfifo_fast")),
        "tso": pick((True, False)),
        "csum": pick((True, True, False)),
        "bql": pick((True, False)),
        "mem_latency_ns": pick((0, 200, 1000, 2000)),
        "tx_usecs": pick((0, 5, 50)),
        "cpl_threshold": pick((1, 4, 16)),
        "free_host": pick((True, False)),
    }
    config = ReplayConfig(CAPTURE, sim=sim, width=width, queues=queues, seed=seed, **knobs)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "wire.pcap"
        report = replay(config, out)
        if not report.ok:
            raise Wrong("; ".join(report.measured.problems))
        if flows(wire_frames(out)) != flows(wire_frames(REAL_MIX_WIRE)):
            raise Wrong("the wire does not carry the kernel's frames")
    return f"{width} bits, {queues} queues, {knobs}"


def healthy_on_twin(sim: str, seed: int, random: Random) -> str:
    """Random traffic on the twin: fifty rounds are ten million packets in which the watch must see nothing wrong."""
    return healthy(TWIN, HEALTHY_TWIN, seed, queues=random.choice((1, 2, 4, 16)))


def healthy_on_rtl(sim: str, seed: int, random: Random) -> str:
    """The same on the RTL."""
    width, queues = random.choice(SHAPES)
    return healthy("verilator", HEALTHY_RTL, seed, width, queues)


def many_resets(sim: str, seed: int, random: Random) -> str:
    """Queues reset under load on the twin, each packet accounted for exactly once."""
    config = DriverConfig(
        ring_entries=64,
        line_rate_bps=random.choice((10**8, 10**9, 10**10)),
        report_every=random.choice((1, 4)),
        head_write_back=random.choice((False, True)),
        mod_ns=random.choice((0, 20_000)),
    )
    packets = run(place(TWIN), reset_storm, Resets(config, RESETS, seed), queues=2, cpus=2, costs=HostCosts())
    return f"{RESETS} resets on the twin, {packets} packets, {config.line_rate_bps} bit/s"


if __name__ == "__main__":
    run_script(main)
