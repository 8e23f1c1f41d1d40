"""The same traffic with Python and without: what cocotb and the woken host cost, and how fast the model itself is.

``tb/traffic.c`` keeps one queue full of equal frames. A job lets it run under cocotb, where Python is woken as often as
by a driver; ``tb/harness.h`` runs it with the same model, flags, memory and checkers, and nothing of Python.
"""

from __future__ import annotations

import re
import subprocess
import time
from ctypes import c_uint32, c_uint64
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

from ringwire.cosim.build import Design, harness_command, random_reset
from ringwire.cosim.run import SimulationFailed, run_job
from ringwire.cosim.world import FastWorld, WorldError, WorldSettings, control_words
from ringwire.host.cpu import HostCosts

NO_TIMER_NS = 10**12
"""Further off than any run is long."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Equal frames on one queue, as fast as the device takes them."""

    frames: int = 100_000
    frame_bytes: int = 1514
    ring_log2: int = 10
    report_every: int = 32
    """One completion, and so at most one waking of the host, for so many frames."""
    byte_time: int = 0
    """Of the wire, units of 2^-40 ns; 0: as fast as the bus."""


class Speed(NamedTuple):
    """What a run simulated, and the CPU time that its process took: what else the machine does counts little."""

    edges: int
    skipped: int
    frames: int
    seconds: float

    @property
    def edges_per_s(self) -> float:
        return self.edges / self.seconds


def with_python(traffic: Traffic, design: Design, settings: WorldSettings, limit_s: float = 600.0) -> Speed:
    """Run the traffic under cocotb, on a host that answers an interrupt at once, as the harness does."""
    settings = replace(settings, costs=HostCosts.free())
    speed: Speed = run_job(f"{__name__}.traffic_job", traffic, design=design, settings=settings, limit_s=limit_s)
    return speed


def without_python(traffic: Traffic, design: Design, settings: WorldSettings, limit_s: float = 600.0) -> Speed:
    """Run the traffic in the harness. SimulationFailed if it does not end well."""
    words = {**control_words(settings), **asdict(traffic)}
    words["count"] = words.pop("frames")  # which is a counter's name there
    words |= {"memory_bytes": settings.memory_bytes, "capture_bytes": settings.capture_bytes}
    command = [*harness_command(design), *(f"{name}={int(value)}" for name, value in words.items())]
    command += random_reset(design, settings.seed)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired:
        raise SimulationFailed(f"harness on {design.folder_name}: not finished after {limit_s:g} s") from None
    last = (done.stdout.strip().splitlines() or done.stderr.strip().splitlines() or ["no output"])[-1]
    counts = re.fullmatch(r"(\d+) (\d+) (\d+) (\d+\.\d+)", last)
    if done.returncode or counts is None:
        raise SimulationFailed(f"harness on {design.folder_name}: {last}", done.stdout + done.stderr)
    edges, skipped, frames, seconds = counts.groups()
    return Speed(int(edges), int(skipped), int(frames), float(seconds))


async def traffic_job(world: FastWorld, traffic: Traffic) -> Speed:
    """The job of ``with_python``."""
    world.capture.keeps = False
    start = world.hostmem.function("hm_traffic_start", c_uint64, c_uint32, c_uint32, c_uint32, c_uint64)
    step = world.hostmem.function("hm_traffic_step")
    if start(traffic.frames, traffic.frame_bytes, traffic.ring_log2, traffic.report_every, traffic.byte_time):
        raise WorldError("host memory is too small for the traffic")
    begin = time.process_time()
    while not (done := step()):
        await world.advance(world.timeline.now_ns + NO_TIMER_NS)
    seconds = time.process_time() - begin
    if done < 0:
        raise WorldError("a completion tells of an error")
    return Speed(world.edges, world.count("skipped_edges"), world.count("frames"), seconds)
