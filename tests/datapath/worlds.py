"""Runs a scenario in a world: the fast or the hostile one on either simulator, or the behavioural twin.

A scenario is ``async def scenario(world, config)``. It judges for itself, and returns what is worth comparing. A test
names its worlds with ``worlds``. Environment: ``SEED`` seeds everything random (1), ``WAVES=1`` keeps waves under
``build/sim/waves``.
"""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from ringwire.cosim.build import Design
from ringwire.cosim.run import Run, simulate
from ringwire.cosim.world import WorldSettings
from ringwire.host.weak_memory import WeakMemory
from ringwire.host.world import World, drive
from ringwire.nic.twin import TwinConfig
from ringwire.nic.twin_world import TwinWorld
from ringwire.places import cache_root
from tests.control.bench import HOST

Scenario = Callable[[World, Any], Awaitable[Any]]

SCENARIO_VARIABLE = "RINGWIRE_SCENARIO"
"""Environment variable of ``tb.tests.scenario``: the folder with the request, in which it leaves the result."""
FAST = ("verilator", "icarus")
HOSTILE = ("verilator-hostile", "icarus-hostile")
TWIN = "twin"


class Place(str):
    """A simulator's name, and which world to make on it."""

    __slots__ = ("name", "world")
    name: str
    """As the test named it: verilator, icarus, verilator-hostile, icarus-hostile or twin."""
    world: str
    """fast, hostile or twin."""


def place(name: str) -> Place:
    """The world of that name."""
    sim, _, kind = name.partition("-")
    made = Place(sim)
    made.name = name
    made.world = kind or (TWIN if sim == TWIN else "fast")
    return made


def worlds(*names: str) -> pytest.MarkDecorator:
    """Run a test once in each of these worlds: its ``sim``, which ``run`` takes."""
    return pytest.mark.parametrize("sim", [place(name) for name in names], ids=names)


def seed() -> int:
    """What a run is asked to seed everything with."""
    return int(os.environ.get("SEED") or 1)


def run(
    sim: Place,
    scenario: Scenario,
    config: Any = None,
    *,
    queues: int = 1,
    data_w: int = 512,
    rtl: Path | None = None,
    limit_s: float = 300,
    **knobs: Any,
) -> Any:
    """What the scenario returns. ``knobs`` are those of WorldSettings. SimulationFailed if it or a checker raised."""
    knobs = {"costs": HOST, "seed": seed(), **knobs}
    settings = WorldSettings(**knobs)
    if sim.world == TWIN:
        twin = TwinConfig(queues, data_w, settings.period_ps, 0, settings.latency_ns, settings.latency_ns)
        order_ns = settings.dma_order_ns
        memory = WeakMemory.create(seed=settings.seed, delay_ns=order_ns) if order_ns else None
        world = TwinWorld(twin, memory, settings.cpus, settings.costs)
        return drive(scenario(world, config))  # type: ignore[arg-type]
    waves = os.environ.get("WAVES", "") not in ("", "0")
    design = Design(sim, data_w, queues, bus_models=sim.world == "hostile", waves=waves, rtl=rtl)
    name = f"{scenario.__module__}.{scenario.__qualname__}"
    with tempfile.TemporaryDirectory(prefix="ringwire-scenario-") as folder:
        Path(folder, "request").write_bytes(pickle.dumps((name, config, knobs)))
        environment = {
            SCENARIO_VARIABLE: folder,
            "RINGWIRE_WORLD": sim.world,
            "COCOTB_REWRITE_ASSERTION_FILES": "",
            "COCOTB_LOG_LEVEL": "WARNING",
        }
        kept = cache_root() / "waves" / f"{name}-{design.folder_name}" if waves else None
        module = "tb.tests.scenario"
        simulate(
            Run(
                design,
                module,
                seed=settings.seed,
                modules=(scenario.__module__,),
                limit_s=limit_s,
                environment=environment,
                waves=kept,
            )
        )
        return pickle.loads(Path(folder, "result").read_bytes())
