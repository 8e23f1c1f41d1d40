"""From a configuration to a report: the world that was asked for is made, and the wire's file put in its place."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ringwire.cosim.build import BuildError, Design
from ringwire.cosim.run import SimulationFailed, run_job
from ringwire.cosim.world import WorldSettings
from ringwire.faults import fault_named
from ringwire.host.memory import DEFAULT_SIZE, HostMemory
from ringwire.host.weak_memory import WeakMemory
from ringwire.host.world import drive
from ringwire.nic.registers import MAX_BUFFER
from ringwire.nic.twin import Twin, TwinConfig
from ringwire.nic.twin_world import TwinWorld, WireFrame
from ringwire.replay import job
from ringwire.replay.config import ReplayConfig, ReplayError, ReplayFailed
from ringwire.replay.plugin import resolved
from ringwire.replay.report import Measured, ReplayReport
from ringwire.replay.survey import Survey, survey

JOB = "ringwire.replay.job.in_simulator"
MOST_MEMORY = 1 << 30
WALL_LIMIT_S = 30 * 86_400.0
"""A replay has no limit of its own on the wall's clock: simulated time has, and Ctrl-C works."""


class Progress:
    """What a replay tells while it runs; a front end shows it."""

    def surveyed(self, found: Survey) -> None:
        """The capture can be replayed, and this is what there is to do."""

    def advanced(self, frames: int, simulated_ns: int) -> None:
        """So many frames are on the wire."""


def replay(config: ReplayConfig, out: Path | None = None, progress: Progress | None = None) -> ReplayReport:
    """Replay a capture; its wire goes to the pcap file ``out``, which appears whole or not at all.

    :class:`ReplayError`, one line, if that is not possible. A replay that went through but showed what it must not
    is reported, not raised: see ``ReplayReport.ok``.
    """
    progress = Progress() if progress is None else progress
    if out is not None:
        _check_out(out, config.capture)

    def tell(text: str) -> None:
        frames, simulated_ns = text.split()
        progress.advanced(int(frames), int(simulated_ns))

    with tempfile.TemporaryDirectory(prefix="ringwire-replay-") as folder:
        packets = Path(folder).resolve() / "packets"
        found = survey(config, packets)
        progress.surveyed(found)
        return ReplayReport(config, found, _measure(job.Job(config, found, packets, None), out, tell))


def _check_out(out: Path, capture: Path) -> None:
    if out.exists() and not out.is_file():
        raise ReplayError(f"--out {out}: not a regular file")
    if out.exists() and capture.exists() and out.samefile(capture):
        raise ReplayError(f"--out {out}: that is the capture itself; name another file")


def _measure(work: job.Job, out: Path | None, tell: Callable[[str], None]) -> Measured:
    """Run the replay; the wire is written beside ``out`` and takes its place at the end."""
    run = _on_twin if work.config.sim == "twin" else _on_rtl
    if out is None:
        return run(work, tell)
    target = out.resolve()
    try:
        with tempfile.TemporaryDirectory(prefix=".ringwire-", dir=target.parent) as folder:
            written = Path(folder) / "wire.pcap"
            measured = run(replace(work, out=written), tell)
            written.replace(target)
            return measured
    except OSError as error:
        raise ReplayError(f"--out {out}: {error.strerror or error}") from None


def _on_twin(work: job.Job, tell: Callable[[str], None]) -> Measured:
    config = work.config
    frames: list[WireFrame] = []

    def take() -> list[WireFrame]:
        taken = frames.copy()
        frames.clear()
        return taken

    fault = fault_named(config.fault)
    order_ns = surroundings(config)["dma_order_ns"]
    memory = (
        WeakMemory.create(memory_bytes(config), seed=config.seed, delay_ns=order_ns)
        if order_ns
        else HostMemory.create(memory_bytes(config), seed=config.seed)
    )
    world = TwinWorld(
        TwinConfig(
            queues=config.queues,
            data_bits=config.width,
            clock_ps=config.period_ps,
            read_latency_ns=config.mem_latency_ns,
            write_latency_ns=config.mem_latency_ns,
        ),
        memory,
        config.cpus,
        config.costs,
        on_frame=lambda start_ps, queue, data: frames.append(WireFrame(start_ps, queue, data)),
        device=Twin if fault is None else fault.twin,
    )
    try:
        return drive(job.run(world, work, job.Device(take, None, list, tell)))
    except Exception as error:
        # what a driver does wrong has many names; in the simulator's process they end in SimulationFailed
        raise ReplayFailed(f"{type(error).__name__}: {error}") from error


def _on_rtl(work: job.Job, tell: Callable[[str], None]) -> Measured:
    config = work.config
    fault = fault_named(config.fault)
    settings = WorldSettings(
        period_ps=config.period_ps,
        jumps=config.jump,
        latency_ns=config.mem_latency_ns,
        seed=config.seed,
        memory_bytes=memory_bytes(config),
        cpus=config.cpus,
        costs=config.costs,
        **surroundings(config),
    )
    # the simulator runs in a folder of its own
    settled = replace(config, driver=resolved(config.driver), select_queue=resolved(config.select_queue))
    try:
        measured = run_job(
            JOB,
            replace(work, config=settled),
            design=Design(
                sim=config.sim,
                data_w=config.width,
                queues=config.queues,
                parameters={} if fault is None else fault.parameters,
                waves=config.waves is not None,
            ),
            settings=settings,
            limit_s=WALL_LIMIT_S,
            progress=tell,
            waves=config.waves,
        )
    except BuildError as error:
        raise ReplayError(str(error)) from error
    except SimulationFailed as error:
        raise ReplayFailed(str(error)) from error
    assert isinstance(measured, Measured)
    return measured


def surroundings(config: ReplayConfig) -> dict[str, Any]:
    """Settings of the world: what was asked for, or else what a fault needs."""
    fault = fault_named(config.fault)
    settings = {"dma_order_ns": 0} if fault is None else {"dma_order_ns": 0, **fault.world}
    return {**settings, "dma_order_ns": config.dma_order_ns or settings["dma_order_ns"]}


def memory_bytes(config: ReplayConfig) -> int:
    """Host memory that full rings of full-sized packets fit in."""
    place = 2 * ((MAX_BUFFER if config.tso else config.mtu) + 64)
    needed = config.queues * config.ring * place
    size = DEFAULT_SIZE
    while size < needed and size < MOST_MEMORY:
        size *= 2
    return size
