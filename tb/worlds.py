"""How a cocotb test gets its world: the one that its run was asked for."""

from __future__ import annotations

import os
from typing import Any

import cocotb

from ringwire.cosim.world import FastWorld, SimulatedWorld, WorldSettings

WORLD_VARIABLE = "RINGWIRE_WORLD"
"""Environment variable: ``fast`` (the default) or ``hostile``."""


def is_hostile() -> bool:
    """Whether this run's buses are models."""
    return os.environ.get(WORLD_VARIABLE, "fast") == "hostile"


async def start_world(dut: Any, *, hostility: Any = None, **knobs: Any) -> SimulatedWorld:
    """Reset the device and start a world with these ``WorldSettings``; the run's seed unless one is given.

    ``hostility`` (a ``tb.hostile.Hostility``) counts in the hostile world only.
    """
    settings = WorldSettings(**{"seed": cocotb.RANDOM_SEED % (1 << 64), **knobs})
    if not is_hostile():
        return FastWorld(dut, settings)
    from tb.hostile import HostileWorld

    return await HostileWorld.start(dut, settings, hostility)
