"""Has the puppet of tests/puppet break one rule, named in the environment, while every channel stalls."""

from __future__ import annotations

import os
from typing import Any

import cocotb

from tb.worlds import start_world
from tests import cosim_jobs as puppet
from tests.cosim_jobs import Puppet

RULE_VARIABLE = "RINGWIRE_BROKEN_RULE"


@cocotb.test()
async def test_break_a_rule(dut: Any) -> None:
    world = await start_world(dut)
    device = Puppet(world)
    device.read(0, beats=64)
    await world.pause(10_000)
    device.set(puppet.BREAK, int(os.environ[RULE_VARIABLE]))
    device.frame(1024)
    for _ in range(16):
        device.write(0, beats=16)
        await world.pause(10_000)
    device.read(0, bursts=16)
    await world.pause(10_000)
