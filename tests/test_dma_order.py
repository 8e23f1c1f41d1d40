"""The driver where the device sees its writes late, and doorbells are late or lost; and one without its barrier."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ringwire.driver.config import DriverConfig
from ringwire.host.cpu import HostCosts
from ringwire.host.posted import UnreliableWrites
from ringwire.host.weak_memory import WeakMemory
from ringwire.host.world import World, drive
from ringwire.nic.registers import Stat, queue_register
from ringwire.nic.twin import TwinConfig
from ringwire.nic.twin_world import TwinWorld
from ringwire.replay import ReplayConfig, replay
from tests.captures import REAL_MIX
from tests.control.bench import take_faults
from tests.datapath.worlds import TWIN, Place, run, seed, worlds
from tests.driver_bench import MS, DriverBench, Storm, storm

GBIT = 1_000_000_000
DOORBELLS = {queue_register("TAIL", queue) for queue in range(4)}
DEVICE: dict[str, Any] = {"queues": 4, "cpus": 2, "costs": HostCosts(), "dma_order_ns": 2000}


def weak_world(queues: int = 1, seed: int = 1) -> TwinWorld:
    return TwinWorld(TwinConfig(queues=queues), WeakMemory.create(seed=seed), wake_on_frame=True)


def test_what_software_writes_is_visible_at_a_barrier_and_else_some_time_later_word_by_word() -> None:
    world = weak_world()
    memory = world.memory
    ring = memory.alloc_coherent(64)
    ring.mem[:] = b"\1" * 64
    assert memory.device_read(ring.addr, 64) == bytes(64)
    memory.dma_wmb()
    assert memory.device_read(ring.addr, 64) == b"\1" * 64
    memory.device_write(ring.addr, b"\2" * 16)
    assert bytes(ring.mem[:17]) == b"\2" * 16 + b"\1"
    ring.mem[16:] = b"\3" * 48
    memory.map(b"a packet")
    seen = set()
    for _ in range(200):
        drive(world.pause(200))
        seen.add(memory.device_read(ring.addr + 16, 48))
    assert len(seen) > 2
    assert all(set(words[at : at + 8]) in ({1}, {3}) for words in seen for at in range(0, 48, 8))
    assert memory.device_read(ring.addr, 64) == bytes(ring.mem)
    memory.free(ring)


def test_a_delay_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="delay_ns is at least 1, not 0"):
        WeakMemory.create(delay_ns=0)


@worlds("verilator", TWIN)
@pytest.mark.parametrize(
    "config",
    [DriverConfig(ring_entries=64, line_rate_bps=10 * GBIT), DriverConfig(head_write_back=True, report_every=4)],
    ids=["completions", "head write-back"],
)
@pytest.mark.parametrize("faults", [False, True], ids=["healthy", "resets"])
def test_the_driver_is_right_where_its_writes_are_seen_late(sim: Place, config: DriverConfig, faults: bool) -> None:
    run(sim, storm, Storm(config, faults=faults, seed=seed()), **DEVICE)


async def without_barrier(world: World, count: int) -> int:
    """Send packets one by one with a driver that has no barrier before its doorbell; how many did not get through."""
    bench = await DriverBench(world).up()
    bench.driver.rings[0].port.dma_wmb = lambda: None  # type: ignore[method-assign]
    for _ in range(count):
        bench.send(200)
        await world.pause(5000)
    take_faults(world)
    found = bench.driver.statistics()
    return count - found["tx0_packets"]


@worlds("verilator", TWIN)
def test_a_driver_without_its_barrier_is_caught(sim: Place) -> None:
    assert run(sim, without_barrier, 40, dma_order_ns=2000) > 10
    assert run(sim, without_barrier, 40) == 0


@pytest.mark.parametrize("sim", ["twin", "verilator"])
def test_a_replay_where_writes_are_seen_late_and_doorbells_are_late_shows_nothing(sim: str) -> None:
    config = ReplayConfig(REAL_MIX, sim=sim, dma_order_ns=2_000, doorbell_delay=0.3)
    assert replay(config).measured.problems == []


def test_a_replay_in_which_doorbells_get_lost_says_so() -> None:
    problems = replay(ReplayConfig(REAL_MIX, sim="twin", doorbell_loss=0.2)).measured.problems
    assert problems[0].startswith("doorbell-lost: queue 0 was told index ")
    assert re.fullmatch(r"doorbell-lost: \d+ doorbells were rung, and the device has heard \d+", problems[1])


@pytest.mark.parametrize("weak", [False, True])
def test_late_doorbells_lose_nothing(weak: bool) -> None:
    async def test() -> None:
        world = weak_world(2) if weak else TwinWorld(TwinConfig(queues=2), wake_on_frame=True)
        writes = world.bus = UnreliableWrites(world.bus, DOORBELLS, delay=0.5, delay_ns=30_000)
        await storm(world, Storm(DriverConfig(ring_entries=64, line_rate_bps=GBIT), faults=True))
        assert writes.delayed > 10
        assert writes.lost == 0

    drive(test())


def test_a_lost_doorbell_is_made_good_by_the_next_and_without_one_by_the_watchdog() -> None:
    async def test() -> None:
        world = TwinWorld(wake_on_frame=True)
        writes = world.bus = UnreliableWrites(world.bus, DOORBELLS)
        bench = await DriverBench(world).up()
        writes.lose = 1.0
        first = bench.send(1000)
        await world.pause(MS)
        assert (first.freed, writes.lost) == (0, 1)
        writes.lose = 0.0
        bench.xmit(bench.skb(1000))
        await bench.all_done()
        assert bench.wire() == bench.frames()
        writes.lose = 1.0
        for _ in range(4):
            bench.send(1000)
        await world.run(lambda: bench.dev.tx_queues[0].trans_timeout == 1, 20_000 * MS, "the watchdog")
        writes.lose = 0.0
        await bench.all_done()
        assert bench.driver.statistics()["tx0_forgotten"] >= 1
        assert world.device.stats[Stat.DOORBELLS] >= 2
        bench.check()

    drive(test())
