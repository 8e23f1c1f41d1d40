"""Queues that are reset, resized, added and removed under traffic, and links that come and go: no packet twice or lost.

Worlds: the twin, but where a test names others.
"""

from __future__ import annotations

import logging
import re

import pytest

from ringwire.driver.config import ConfigError, DriverConfig
from ringwire.host.cpu import HostCosts
from ringwire.host.world import drive
from ringwire.netdev import NetDevice
from ringwire.nic.registers import queue_register
from ringwire.nic.twin import TwinConfig
from ringwire.nic.twin_world import TwinWorld
from ringwire.tools.ethtool import Ethtool
from tests.datapath.worlds import TWIN, Place, run, seed, worlds
from tests.driver_bench import MS, DriverBench, Resets, reset_storm

GBIT = 1_000_000_000
S = 1000 * MS


def twin(config: DriverConfig | None = None, queues: int = 1) -> DriverBench[TwinWorld]:
    return DriverBench(TwinWorld(TwinConfig(queues=queues), wake_on_frame=True), config, queues)


@worlds("verilator", TWIN)
@pytest.mark.parametrize("head_write_back", [False, True])
def test_thirty_resets_under_load_and_each_packet_ends_once(sim: Place, head_write_back: bool) -> None:
    config = DriverConfig(ring_entries=64, line_rate_bps=GBIT, head_write_back=head_write_back)
    run(sim, reset_storm, Resets(config, 30, seed()), queues=4, cpus=2, costs=HostCosts())


# -- the transmit timeout


@pytest.mark.parametrize(("timeout_ms", "after_s"), [(5000, (5, 6)), (1000, (1, 2)), (12_000, (12, 13))])
def test_a_stuck_queue_is_dumped_and_reset_after_the_timeout(
    timeout_ms: int, after_s: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        bench = await twin(DriverConfig(tx_timeout_ms=timeout_ms)).up()
        ring = bench.driver.rings[0]
        ring._tail_register = 0x0FC
        stuck = [bench.send(1000) for _ in range(3)]
        stopped_ns = bench.dev.tx_queues[0].trans_start_ns
        assert bench.dev.tx_queues[0].xmit_stopped
        with caplog.at_level(logging.WARNING):
            await bench.world.run(lambda: len(caplog.records) == 2, 20 * S, "the dump")
        assert after_s[0] * S <= bench.world.timeline.now_ns - stopped_ns <= after_s[1] * S
        ring._tail_register = queue_register("TAIL", 0)
        await bench.all_done()
        assert [skb.freed for skb in stuck] == [1, 1, 1]
        found = bench.driver.statistics()
        assert (found["tx0_resets"], found["tx0_forgotten"], found["tx0_packets"]) == (1, 1, 2)
        assert bench.wire() == bench.frames()[1:], "what waited behind it has had its doorbell"
        assert ring.txq.dql.inflight == 0
        bench.check()
        dump = caplog.records[1].getMessage()
        assert dump.startswith("eth0 tx-0: Tx Unit Hang\n  Tx Queue             <0>\n  TDH                  <0>\n")
        fields = dict(re.findall(r"^  (\S+) +<([0-9a-f]+)>$", dump, re.MULTILINE))
        assert {name: int(fields[name], 16) for name in ("TDT", "next_to_use", "next_to_clean", "FETCHED")} == {
            "TDT": 1,
            "next_to_use": 1,
            "next_to_clean": 0,
            "FETCHED": 0,
        }
        waited = int(fields["jiffies"], 16) - int(fields["time_stamp"], 16)
        assert after_s[0] * 1000 <= waited <= after_s[1] * 1000
        assert re.search(r"  packet of 1000 bytes, slots 0 to 0, posted \d+ us ago\n +0 .* 1000 EOP REPORT  <- ", dump)
        assert "timeouts so far: 1\n" in dump

    drive(test())


def test_a_timeout_below_a_millisecond_is_refused() -> None:
    with pytest.raises(ConfigError, match="tx_timeout_ms"):
        DriverConfig(tx_timeout_ms=0)


# -- rings and queues, changed by the lines that users know


async def under_load(bench: DriverBench[TwinWorld], line: str) -> None:
    """A line of ethtool in the middle of traffic, and more behind it."""
    for _ in range(60):
        bench.send(900, hash=bench.draw.getrandbits(32))
    await bench.world.pause(30_000)
    Ethtool([bench.dev]).run(line)
    for _ in range(20):
        bench.send(300, hash=bench.draw.getrandbits(32))
    await bench.all_done()
    bench.check()


def test_rings_are_resized_under_traffic() -> None:
    async def test() -> None:
        bench = await twin(DriverConfig(line_rate_bps=GBIT), queues=2).up()
        for entries in (64, 1024, 128):
            await under_load(bench, f"ethtool -G eth0 tx {entries}")
            assert [ring.free for ring in bench.driver.rings] == [entries - 1] * 2

    drive(test())


def test_queues_come_and_go_under_traffic() -> None:
    async def test() -> None:
        bench = await twin(DriverConfig(line_rate_bps=GBIT), queues=4).up()
        memory, device = bench.world.memory, bench.world.device
        for count in (1, 3, 2, 4, 1, 4):
            before = len(bench.skbs) + 60
            await under_load(bench, f"ethtool -L eth0 tx {count}")
            await bench.world.pause(20 * MS)
            assert {skb.queue_mapping for skb in bench.skbs[before:]} == set(range(count))
            assert [device.read(queue_register("CTRL", queue)) for queue in range(4)] == [1] * count + [0] * (4 - count)
            assert memory.allocated == 2 * count
        found = bench.driver.statistics()
        assert sum(found[f"tx{queue}_forgotten"] for queue in range(4)) == 0, "what was in flight was let finish"
        assert device.refused == 0
        bench.driver.close()
        await bench.world.run(lambda: not bench.driver.up, 100 * MS, "the driver to be down")
        assert memory.allocated == 0

    drive(test())


def test_a_queue_that_is_wanted_again_before_it_has_gone_stays() -> None:
    async def test() -> None:
        bench = await twin(DriverConfig(line_rate_bps=10**8), queues=2).up()
        for _ in range(4):
            bench.send(1400, hash=0xFFFFFFFF)
        bench.driver.set_channels(1)
        bench.driver.set_channels(2)
        bench.send(500, hash=0xFFFFFFFF)
        await bench.all_done()
        assert bench.wire(1)[-1] == bench.frames(1)[-1]
        bench.driver.set_channels(1)
        bench.driver.set_channels(2)
        bench.driver.set_channels(1)
        bench.driver.close()
        await bench.world.run(lambda: not bench.driver.up, 100 * MS, "the driver to be down")
        assert bench.world.memory.allocated == 0

    drive(test())


# -- the link


@pytest.mark.parametrize("queues", [1, 2])
def test_without_a_link_packets_are_dropped_and_with_it_they_go_on(queues: int) -> None:
    async def test() -> None:
        bench = await twin(DriverConfig(line_rate_bps=10**8), queues).up()
        dev, driver = bench.dev, bench.driver
        for _ in range(50):
            bench.send(1000, hash=bench.draw.getrandbits(32))
        await bench.world.pause(200_000)
        driver.link_down()
        assert dev.qdisc.stats().qlen == 0
        late = bench.send(60)
        assert (late.freed, dev.tx_dropped) == (1, 1)
        await bench.all_done(20 * MS)
        assert all(ring.held for ring in driver.rings)
        await bench.world.pause(20 * S)
        assert [txq.trans_timeout for txq in dev.tx_queues] == [0] * queues
        before = len(bench.world.wire)
        driver.link_up()
        for number in range(30):
            bench.send(200, hash=number << 27)
        await bench.all_done()
        assert len(bench.world.wire) == before + 30
        await bench.world.pause(20 * S)
        assert [txq.trans_timeout for txq in dev.tx_queues] == [0] * queues
        bench.check()

    drive(test())


def test_a_link_that_is_back_before_the_reset_has_ended_and_changes_meanwhile() -> None:
    async def test() -> None:
        bench = await twin(DriverConfig(line_rate_bps=10**8), 2).up()
        for _ in range(20):
            bench.send(1000, hash=bench.draw.getrandbits(32))
        bench.driver.link_down()
        bench.driver.set_ring(64)
        bench.driver.link_up()
        bench.send(100)
        await bench.all_done()
        bench.driver.link_down()
        bench.driver.link_down()
        bench.dev.tx_queue_len = 10
        bench.dev.set_qdisc(bench.dev.make_default_qdisc())
        assert bench.send(100).freed == 1, "another discipline is no link"
        bench.driver.close()
        await bench.world.run(lambda: not bench.driver.up, 100 * MS, "the driver to be down")
        bench.driver.link_up()
        bench.driver.link_up()
        await bench.up()
        last = bench.send(333)
        await bench.all_done()
        assert bench.wire(last.queue_mapping)[-1] == last.linear()
        bench.check()

    drive(test())


def test_a_device_without_a_driver_loses_its_carrier_as_well() -> None:
    world = TwinWorld()
    dev = NetDevice(world.cpus)
    noop = dev.tx_queues[0].qdisc
    dev.carrier_off()
    assert dev.tx_queues[0].qdisc is not noop
    dev.carrier_on()
    assert dev.tx_queues[0].qdisc is noop
