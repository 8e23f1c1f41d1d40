"""``make soak``: random traffic on random devices until MINUTES have passed, a seed a round; the first failure ends it.

With PACKETS it goes on until so many packets have been healthy on the twin, a fiftieth of them on the RTL, and for each
10,000 a queue has been reset under load: PACKETS=10000000 are 10 million, 200,000 and 1,000. Then MINUTES are 0 unless
given, and rounds have nothing else in them.
The settings come from the environment, as make exports them: MINUTES, PACKETS, SEED (the first one). A round repeats by
itself.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from ringwire.cosim.run import SimulationFailed
from ringwire.cosim.warm import keep_simulators
from ringwire.driver.config import DriverConfig
from ringwire.host.cpu import HostCosts
from ringwire.replay import ReplayConfig, ReplayError, ReplayFailed, replay
from scripts.sim import CAPTURE, number, run_script
from tests.captures import REAL_MIX_WIRE, flows, wire_frames
from tests.control import offload_mix, super_search, upheaval
from tests.control.bench import same
from tests.datapath.mix import Mix, mix
from tests.datapath.worlds import TWIN, place, run
from tests.driver_bench import Resets, reset_storm
from tests.healthy import healthy
from tests.steady import steady

SHAPES = ((512, 1), (512, 4), (64, 1), (128, 16), (256, 4))
"""(width, queues) of the models that the tests build anyway."""
VERILATOR_FRAMES, ICARUS_FRAMES = 20_000, 300
ICARUS_EVERY = 4
SEARCHES = 5
"""Of hypothesis, 800 super-packets each."""
RATES_BPS = (0, 10**8, 10**9, 10**10)
RTL, RESETS = "rtl", "resets"
PER_RTL, PER_RESET = 50, 10_000
"""PACKETS for each packet on the RTL, and for each reset."""


class Wrong(Exception):
    """A round showed what it must not."""


Do = Callable[[str, int, Random, int], str]
"""``do(sim, seed, random, size)`` does so much of something, and says with what."""


class Work(NamedTuple):
    """One thing that a round does."""

    do: Do
    counts: str = ""
    """What is counted of it; empty: nothing, it is only done while there is time."""
    size: int = 0
    """Of what is counted, in a round."""


SAY_ALL = (SimulationFailed, ReplayError, ReplayFailed, Wrong, AssertionError)
"""Exceptions whose text says what is wrong."""


class Goals:
    """What is to be reached, and how far it is."""

    def __init__(self, minutes: int, packets: int) -> None:
        self.begin_s = time.monotonic()
        self._end_s = self.begin_s + 60 * minutes
        self.wanted = {TWIN: packets, RTL: -(-packets // PER_RTL), RESETS: -(-packets // PER_RESET)}
        self.done: Counter[str] = Counter()

    @property
    def has_time(self) -> bool:
        return time.monotonic() < self._end_s

    @property
    def missing(self) -> bool:
        """Something is still to be reached."""
        return any(self.done[name] < wanted for name, wanted in self.wanted.items())

    def size(self, work: Work) -> int:
        """How much of it a round does: less where no more is ever wanted."""
        return min(work.size, self.wanted[work.counts] or work.size) if work.counts else 0

    def wants(self, work: Work, first: bool) -> bool:
        """Whether a round does it; without PACKETS the first round does all."""
        everything = self.has_time or (first and not any(self.wanted.values()))
        return everything or (bool(work.counts) and self.done[work.counts] < self.wanted[work.counts])

    def __str__(self) -> str:
        seconds = time.monotonic() - self.begin_s
        parts = [f"{self.done[TWIN]:,} packets on the twin", f"{self.done[RTL]:,} on the RTL"]
        return ", ".join([*parts, f"{self.done[RESETS]:,} resets"]) + f" without a fault, {seconds:,.0f} s"


def main() -> int:
    packets, first = number("PACKETS", 0), number("SEED", 1)
    goals = Goals(number("MINUTES", 0 if packets else 10), packets)
    for seed in count(first):
        sim = "icarus" if seed % ICARUS_EVERY == 0 else "verilator"
        for work in WORKS:
            if not goals.wants(work, seed == first):
                continue
            begin_s = time.monotonic()
            name = f"seed {seed}: {work.do.__name__} on {sim}"
            size = goals.size(work)
            try:
                what = work.do(sim, seed, Random(f"{work.do.__name__} {seed}"), size)
            except Exception as error:  # of a driver in the twin's world, any
                kind = "" if isinstance(error, SAY_ALL) else f"{type(error).__name__}: "
                given = f" PACKETS={packets}" if packets else ""
                said = "\n".join((f"{kind}{error}", *getattr(error, "__notes__", ())))
                print(f"{name}: FAILED: {said}\nto repeat: make soak MINUTES=0 SEED={seed}{given}", flush=True)
                return 1
            goals.done[work.counts] += size
            print(f"{name}: {what}: ok, {time.monotonic() - begin_s:.1f} s", flush=True)
        print(f"soak, {seed - first + 1} rounds: {goals}", flush=True)
        if not goals.has_time and not goals.missing:
            return 0
    return 0


def random_mix(sim: str, seed: int, random: Random, size: int) -> str:
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


def random_offloads(sim: str, seed: int, random: Random, size: int) -> str:
    """Packets with any request, legal or not, on four queues: what becomes of them on the RTL and on its twin."""
    width, packets = random.choice((64, 128, 256, 512)), 200 if sim == "verilator" else 10
    config = offload_mix.Mix(seed, packets)
    rtl, twins = (run(place(where), offload_mix.record, config, queues=4, data_w=width) for where in (sim, TWIN))
    same(rtl, twins, "RTL against the twin: ")
    return f"{width} bits, {packets} packets a queue"


def random_supers(sim: str, seed: int, random: Random, size: int) -> str:
    """Super-packets of every shape, each other than those of any other round: RTL, twin and software cut them alike."""
    first, searches = SEARCHES * seed, range(SEARCHES)
    with keep_simulators():
        agreed = set().union(*(super_search.search(first + number, place("verilator")) for number in searches))
    return f"{len(agreed)} super-packets on 64 and 512 bits"


def random_replay(sim: str, seed: int, random: Random, size: int) -> str:
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


def random_upheaval(sim: str, seed: int, random: Random, size: int) -> str:
    """Doorbells, resets and changes of settings at random: RTL and twin agree on what timing does not decide."""
    config = upheaval.Upheaval(seed, 60 if sim == "verilator" else 3)
    rtl, twins = (run(place(where), upheaval.record, config, queues=config.queues) for where in (sim, TWIN))
    cut = upheaval.agree(rtl, twins, "RTL against the twin: ")
    return f"{config.laps} laps, {cut} of them cut short by a reset where the two had got differently far"


def healthy_on_twin(sim: str, seed: int, random: Random, size: int) -> str:
    """Random traffic on the twin, by the socket or by several CPUs, in which the watch must see nothing wrong."""
    return either(seed)(TWIN, size, seed, queues=random.choice((1, 2, 4, 16)))


def healthy_on_rtl(sim: str, seed: int, random: Random, size: int) -> str:
    """The same on the RTL."""
    width, queues = random.choice(SHAPES)
    return either(seed)("verilator", size, seed, width, queues)


def either(seed: int) -> Callable[..., str]:
    """Captures in a socket, or bursts from every CPU, in turn."""
    return steady if seed % 2 else healthy


def resets_on_twin(sim: str, seed: int, random: Random, size: int) -> str:
    """Queues reset under load, each packet accounted for exactly once, and the watch finds nothing."""
    return many_resets(TWIN, seed, random, size)


def resets_on_rtl(sim: str, seed: int, random: Random, size: int) -> str:
    """The same on the RTL."""
    return many_resets("verilator", seed, random, size)


def many_resets(where: str, seed: int, random: Random, size: int) -> str:
    threshold = random.choice((1, 1, 4, 16))
    config = DriverConfig(
        ring_entries=64,
        line_rate_bps=random.choice((10**8, 10**9, 10**10)),
        report_every=random.choice((1, 4)),
        head_write_back=random.choice((False, True)),
        mod_ns=random.choice((0, 20_000)),
        cpl_threshold=threshold,
        cpl_timer_ns=3_000 if threshold > 1 else 0,
    )
    cpus, order_ns = random.choice((1, 2, 4)), random.choice((0, 1_000))
    knobs: dict[str, Any] = {"queues": 4, "cpus": cpus, "costs": HostCosts(), "dma_order_ns": order_ns}
    packets = run(place(where), reset_storm, Resets(config, size, seed), limit_s=3600, **knobs)
    return f"{size} resets, {packets} packets ended once each, {cpus} CPUs, {config}"


WORKS = (
    Work(random_mix),
    Work(random_offloads),
    Work(random_supers),
    Work(random_upheaval),
    Work(random_replay),
    Work(healthy_on_twin, TWIN, 200_000),
    Work(healthy_on_rtl, RTL, 5_000),
    Work(resets_on_twin, RESETS, 800),
    Work(resets_on_rtl, RESETS, 200),
)


if __name__ == "__main__":
    run_script(main)
