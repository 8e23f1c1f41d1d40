"""The same small programme for the puppet of tests/puppet in whatever world it is given."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import Timer

from ringwire.cosim.hostmem import READ, WRITE
from tb.worlds import is_hostile, start_world
from tests import cosim_jobs as puppet
from tests.cosim_jobs import Puppet

BURST = 16


@cocotb.test()
async def test_what_is_read_can_be_written_and_sent(dut: Any) -> None:
    """Bytes go from memory into the device, back to another place, and out on the wire, whatever the buses do."""
    world = await start_world(dut)
    device = Puppet(world)
    width = world.beat_bytes
    turns = 4
    for turn in range(turns):
        offset = turn * BURST * width
        device.read(offset, beats=BURST)
        await world.pause(5_000)
        device.write(32768 + offset, beats=BURST)
        await world.pause(5_000)
        device.frame(BURST * width - 1, queue=5 * turn)
        await world.pause(5_000)
    size = turns * BURST * width
    assert device.memory.mem[32768 : 32768 + size] == device.memory.mem[:size]
    sent = bytes(device.memory.mem[:size])
    parts = [sent[i * BURST * width : (i + 1) * BURST * width - 1] for i in range(turns)]
    assert [frame.data for frame in world.capture.frames] == parts
    assert [frame.queue for frame in world.capture.frames] == [5 * turn for turn in range(turns)]
    device.set(puppet.IRQ, 0)
    await device.interrupted()
    world.finish()


@cocotb.test()
async def test_five_hundred_reads_wait_at_once(dut: Any) -> None:
    """Memory holds as many reads as it may, and none is lost."""
    hostility = None
    if is_hostile():
        from tb.hostile import Hostility

        hostility = Hostility(max_latency_ns=50_000)
    world = await start_world(dut, hostility=hostility, latency_ns=20_000, max_reads=512)
    device = Puppet(world)
    device.read(0, bursts=1000)
    peak = 0
    while await device.get(puppet.BEATS) < 1000:
        in_flight = world.count("reads") - world.count("read_beats")
        peak = max(peak, world.memory_model.peak_reads if is_hostile() else in_flight)  # type: ignore[attr-defined]
        await world.pause(1_000)
    assert peak == 512
    world.finish()


@cocotb.test()
async def test_a_test_may_end_between_clock_edges(dut: Any) -> None:
    """The next one, in the same simulator, must not notice."""
    world = await start_world(dut, jumps=False)
    await world.pause(20_000)
    await Timer(3 * world.settings.period_ps // 4, "ps")


@cocotb.test()
async def test_time_starts_at_zero(dut: Any) -> None:
    world = await start_world(dut)
    await world.pause(100)
    assert 100_000 <= world.now_ps() <= 104_000
    world.finish()


@cocotb.test()
async def test_a_read_does_not_wait_for_the_other_ids_reads(dut: Any) -> None:
    """Beats of a later read of one id come before the last of an earlier one of the other."""
    world = await start_world(dut, latency_ns=1_000)
    device = Puppet(world)
    overtook = False
    for _ in range(20):  # as a hostile bus draws it, nearly every second one does
        if overtook:
            break
        device.read(0, beats=14, bursts=2)
        await world.pause(900 if is_hostile() else 40)
        device.read(0, beats=4, id=1)
        await world.pause(6_000)
        order = f"{await device.get(puppet.ORDER):032b}"
        assert order.count("1") == 4
        overtook = not order.endswith("1111")
    assert overtook
    world.finish()


@cocotb.test()
async def test_errors_are_injected_and_faults_named(dut: Any) -> None:
    world = await start_world(dut)
    device = Puppet(world)
    addr = device.memory.addr
    device.read(0, beats=4)
    await world.pause(5_000)
    world.inject(READ, addr, count=1)
    world.inject(WRITE, addr + 4096, count=1)
    for _ in range(2):
        device.read(0)
        await world.pause(5_000)
        device.write(4096)
        await world.pause(5_000)
    assert (await device.get(puppet.READ_ERRORS), await device.get(puppet.WRITE_ERRORS)) == (1, 1)
    world.memory.forbid(addr + 8192)
    device.read(8192)
    await world.pause(5_000)
    device.write(8192)
    await world.pause(5_000)
    assert (await device.get(puppet.READ_ERRORS), await device.get(puppet.WRITE_ERRORS)) == (2, 2)
    assert await device.get(puppet.NO_REGISTER) == 0xFFFFFFFF
    named = [(fault.kind, fault.addr) for fault in world.faults]
    assert named == [("read", addr + 8192), ("write", addr + 8192), ("register read", puppet.NO_REGISTER)]
    world.faults.clear()
    world.finish()
