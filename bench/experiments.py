"""How fast an experiment runs: the shipped scenario ``ring-grid``, longer, on the twin and on the RTL.

One bulk TCP flow at 1 Gb/s, whose packets are frames of 1,514 bytes, and a probe each millisecond; a ring of 256, byte
queue limits; everything that an experiment measures is measured. And the same where TCP hands down super-packets, which
the stack cuts. Wall-clock figures are those of ``summary.json``, from the beginning of the traffic to its end. CPU time
is that of the process that simulates, for machines that have other work as well.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import NamedTuple

from bench.row import Row
from ringwire.experiment import job
from ringwire.experiment.job import Work
from ringwire.experiment.results import Results
from ringwire.experiment.scenario import Source, read_experiment
from ringwire.experiment.shipped import find
from ringwire.host.world import World
from ringwire.nic.frame import Frame
from ringwire.rig.run import Device, run_on

SCENARIO = "ring-grid"
LENGTH = ("duration", "370ms")
"""Some 30,000 frames."""
OFFLOADS = {"": "gso off", "/gso": "gso on"}
QDISCS = ("pfifo_fast", "fq_codel")
GOALS = {"twin": 15_000.0, "verilator": 7_000.0}
BEST_KNOWN = ("ns-3, no hardware in it: 10,000 to", 21_000.0)
RUNS = 3
"""The best of these counts: others share the machine."""
MARK = 25_000
"""Frames until memory is looked at, and again after as many more."""
LONG = (("duration", "620ms"), ("probes.interval", "20us"), ("probes.rows", "500"))
"""Series that are full, and double their interval, long before the first mark."""
GROWTH_GOAL = 1.02
_PAGE = resource.getpagesize()


class Measured(NamedTuple):
    """What one run showed of itself."""

    frames: int
    frames_per_s: float
    cpu_s: float
    memory: list[int]
    """Resident bytes of the process at the marks."""


def rows() -> Iterator[Row]:
    """Frames a second of either discipline on either device, and how much larger a process is after twice as many."""
    for device, goal in GOALS.items():
        for qdisc, (variant, offload) in product(QDISCS, OFFLOADS.items()):
            runs = [measure(device, qdisc, offload, (LENGTH,)) for _ in range(RUNS)]
            name = f"experiments/{qdisc}/{device}{variant}"
            best = max(run.frames_per_s for run in runs)
            yield Row(f"{name}/frames", best, "frames/s", "higher", goal=goal, peer=BEST_KNOWN)
            cpu = max(run.frames / run.cpu_s for run in runs)
            yield Row(f"{name}/frames-by-cpu", cpu, "frames/CPU s", "higher")
    for device in GOALS:
        first, second = measure(device, QDISCS[0], OFFLOADS[""], LONG).memory
        name, unit = f"experiments/memory/{device}", f"x of {MARK:,} frames"
        yield Row(name, second / first, unit, "lower", bound=1, goal=GROWTH_GOAL)


def measure(device: str, qdisc: str, offload: str, settings: Sequence[tuple[str, str]]) -> Measured:
    """Run the scenario once."""
    lines = f"ethtool -K eth0 tso off sg off {offload}\ntc qdisc replace dev eth0 root {qdisc}"
    path, text = find(SCENARIO)
    source = Source(path, text, (("nic.device", device), ("setup.lines", lines), *settings))
    experiment = read_experiment(source)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        work = Work(source, folder / "wire.pcap", folder / "stop")
        measured: Measured = run_on(experiment.rig, "bench.experiments.measuring", work, lambda text: None)
    return measured


@dataclass(slots=True)
class _Memory:
    """Looks at the process when so many frames have been taken."""

    below: Device
    frames: int = 0
    seen: list[int] = field(default_factory=list)

    def take(self) -> Sequence[Frame]:
        taken = self.below.take_frames()
        self.frames += len(taken)
        if self.frames >= MARK * (len(self.seen) + 1):
            self.seen.append(int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE)
        return taken


async def measuring(world: World, device: Device, work: Work) -> Measured:
    """The experiment's job, and what it takes."""
    memory = _Memory(device)
    begin_s = time.process_time()
    results: Results = await job.run(world, replace(device, take_frames=memory.take), work)
    cpu_s = time.process_time() - begin_s
    assert results.summary["problems"] == []
    totals = results.summary["totals"]
    return Measured(totals["frames"], totals["frames per wall s"], cpu_s, memory.seen)
