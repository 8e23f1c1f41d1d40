"""Where the cycles between a doorbell and a frame's first beat go: when each stage hands on. World: Icarus."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.simtime import get_sim_time
from cocotb.triggers import RisingEdge

from ringwire.cosim.world import SimulatedWorld
from ringwire.host.world import World
from tests.control.bench import period_ps
from tests.datapath.lanes import ByteStore, Lane, judge
from tests.raw_queue import start

STAGES = (
    ("register write", "s_axil_awvalid"),
    ("registers: doorbell", "db_valid"),
    ("prefetch: request", "req_valid"),
    ("descriptor read", "m_axi_arvalid"),
    ("memory: descriptor", "r_desc"),
    ("scan: summary", "sum_pop"),
    ("scheduler: job", "job_valid"),
    ("walker: fragment", "frag_valid"),
    ("payload read", "stat_read"),
    ("memory: payload", "r_payload"),
    ("gather: frame is whole", "frame_valid"),
    ("sequence: record", "whole_valid"),
    ("edit: record", "ready_valid"),
    ("egress: frame", "info_valid"),
    ("pacer: first beat", "m_axis_tvalid"),
)
"""What a stage does, and the signal of ``ringwire_tx`` that says so; in order."""


async def account(world: World, length: int) -> dict[str, int]:
    """For a frame of this length that is alone in the device: cycles from the register write to each stage's output.

    The edge that takes the output is one later.
    """
    assert isinstance(world, SimulatedWorld)
    store = ByteStore(world, 1 << 14)
    lane = Lane(world)
    start(world)
    lane.go()
    await world.pause(1_000)
    device = world.dut.dut
    times: dict[str, int] = {}

    async def watch(name: str, signal: Any) -> None:
        await RisingEdge(signal)
        times[name] = int(get_sim_time("ps"))

    for name, signal in STAGES:
        cocotb.start_soon(watch(name, getattr(device, signal)))
    lane.send(*store.cut([(0, length)]))
    await lane.drain()
    await judge(world, [lane])
    first = times[STAGES[0][0]]
    return {name: (times[name] - first) // period_ps(world) for name, _ in STAGES}
