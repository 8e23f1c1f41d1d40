"""Runs a job on a rig: the world that its settings ask for is made, here on the twin or in a simulator's process.

A job is the dotted name of an ``async def job(world, device, work)``. What it returns comes back; on RTL it is pickled
on the way, and so is ``work``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ringwire.checks import BugFound
from ringwire.cosim.build import Design
from ringwire.cosim.run import SimulationFailed, named, run_job
from ringwire.cosim.world import FastWorld, WorldSettings
from ringwire.faults import Fault
from ringwire.host.memory import DEFAULT_SIZE, HostMemory
from ringwire.host.weak_memory import WeakMemory
from ringwire.host.world import Stuck, drive
from ringwire.nic.frame import Frame
from ringwire.nic.registers import MAX_BUFFER
from ringwire.nic.twin import Twin, TwinConfig
from ringwire.nic.twin_world import TwinWorld, WireFrame
from ringwire.rig.config import Rig
from ringwire.whose import UserError, in_one_line, out_of_simulator, place, told

IN_SIMULATOR = f"{__name__}.in_simulator"
MOST_MEMORY = 1 << 30
WALL_LIMIT_S = 30 * 86_400.0
"""A run has no limit of its own on the wall's clock: simulated time has, and Ctrl-C works."""


class RunFailed(Exception):
    """A run began and went wrong; one line."""


@dataclass(frozen=True, slots=True)
class Device:
    """What differs between the worlds."""

    take_frames: Callable[[], Sequence[Frame]]
    """The frames since the last call."""
    edges: Callable[[], int] | None
    """Clock edges simulated so far."""
    faults: Callable[[], Iterable[tuple[str, int]]]
    """(kind, address) of accesses that were answered with an error, as far as host memory does not know of them."""
    progress: Callable[[str], None]
    """Told a line now and then, which reaches whoever waits for the run."""


def run_on(
    rig: Rig,
    job: str,
    work: Any,
    tell: Callable[[str], None],
    *,
    fault: Fault | None = None,
    wake_on_frame: bool = False,
) -> Any:
    """Run ``job`` with ``work`` on the rig, with a fault in it if one is given; what it returns.

    ``tell`` hears its progress. With ``wake_on_frame`` every frame wakes the host. :class:`RunFailed` names the first
    cause if it fails; BuildError if there is no simulator for it.
    """
    run = _on_twin if rig.sim == "twin" else _on_rtl
    return run(rig, job, work, tell, fault, wake_on_frame)


def _on_twin(
    rig: Rig, job: str, work: Any, tell: Callable[[str], None], fault: Fault | None, wake_on_frame: bool
) -> Any:
    frames: list[WireFrame] = []

    def take() -> Sequence[WireFrame]:
        if not frames:
            return ()
        taken = frames.copy()
        frames.clear()
        return taken

    order_ns = surroundings(rig, fault)["dma_order_ns"]
    memory = (
        WeakMemory.create(memory_bytes(rig), seed=rig.seed, delay_ns=order_ns)
        if order_ns
        else HostMemory.create(memory_bytes(rig), seed=rig.seed)
    )
    world = TwinWorld(
        TwinConfig(
            queues=rig.queues,
            data_bits=rig.width,
            clock_ps=rig.period_ps,
            read_latency_ns=rig.mem_latency_ns,
            write_latency_ns=rig.mem_latency_ns,
        ),
        memory,
        rig.cpus,
        rig.costs,
        on_frame=lambda start_ps, queue, data: frames.append(WireFrame(start_ps, queue, data)),
        wake_on_frame=wake_on_frame,
        device=Twin if fault is None else fault.twin,
        seed=rig.seed,
    )
    try:
        return drive(named(job)(world, Device(take, None, list, tell), work))
    except Exception as error:
        # what a driver does wrong has many names; in the simulator's process they end in SimulationFailed
        raise RunFailed(told(error)) from error


def _on_rtl(
    rig: Rig, job: str, work: Any, tell: Callable[[str], None], fault: Fault | None, wake_on_frame: bool
) -> Any:
    settings: dict[str, Any] = {
        "period_ps": rig.period_ps,
        "jumps": rig.jump,
        "latency_ns": rig.mem_latency_ns,
        "jitter_ns": rig.mem_jitter_ns,
        "read_stalls": rig.read_stalls,
        "seed": rig.seed,
        "memory_bytes": memory_bytes(rig),
        "wake_on_frame": wake_on_frame,
        "cpus": rig.cpus,
        "costs": rig.costs,
        **surroundings(rig, fault),
    }
    try:
        return run_job(
            IN_SIMULATOR,
            (job, work, fault),
            design=Design(
                sim=rig.sim,
                data_w=rig.width,
                queues=rig.queues,
                parameters={} if fault is None else fault.parameters,
                waves=rig.waves is not None,
            ),
            settings=WorldSettings(**settings),
            limit_s=WALL_LIMIT_S,
            progress=tell,
            waves=rig.waves,
            modules=(job.rpartition(".")[0],),
        )
    except SimulationFailed as error:
        raise RunFailed(out_of_simulator(str(error))) from error


async def in_simulator(world: FastWorld, request: tuple[str, Any, Fault | None]) -> Any:
    """The job in the simulator's process."""
    job, work, fault = request

    def take_faults() -> list[tuple[str, int]]:
        found = [(fault.kind, fault.addr) for fault in world.faults]
        world.faults.clear()
        return found

    if fault is not None:
        fault.switch_on(world)
    device = Device(world.capture.take, lambda: world.edges, take_faults, world.progress)
    try:
        return await named(job)(world, device, work)
    except Exception as error:
        # from outside nobody sees more than a line, and where it came from
        if place(error):
            raise UserError(in_one_line(told(error))) from error
        if isinstance(error, Stuck | BugFound):
            error.args = (in_one_line(str(error)),)
        raise


def surroundings(rig: Rig, fault: Fault | None) -> dict[str, Any]:
    """Settings of the world: what was asked for, or else what a fault needs."""
    settings = {"dma_order_ns": 0} if fault is None else {"dma_order_ns": 0, **fault.world}
    return {**settings, "dma_order_ns": rig.dma_order_ns or settings["dma_order_ns"]}


def memory_bytes(rig: Rig) -> int:
    """Host memory that full rings of full-sized packets fit in."""
    place = 2 * ((MAX_BUFFER if rig.tso else rig.mtu) + 64)
    needed = rig.queues * rig.ring * place
    size = DEFAULT_SIZE
    while size < needed and size < MOST_MEMORY:
        size *= 2
    return size
