"""ringwire's driver on the twin: every packet sent or failed exactly once, whatever happens on the way."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ringwire.driver.config import STOP_FREE, WAKE_FREE, ConfigError, DriverConfig
from ringwire.driver.recovery import DeviceStuck
from ringwire.driver.ringwire import ProbeError, RingwireDriver
from ringwire.driver.tx_ring import CompletionError
from ringwire.host.cpu import HostCosts
from ringwire.host.world import drive
from ringwire.netdev import NETDEV_TX_BUSY, NETDEV_TX_OK, NetDevice, dev_queue_xmit
from ringwire.nic.descriptors import Status, pack_completion
from ringwire.nic.pacer import byte_time
from ringwire.nic.registers import GLOBAL_OFFSETS, MAX_FRAME, Stat, queue_register
from ringwire.nic.twin import TwinConfig
from ringwire.nic.twin_world import TwinWorld
from ringwire.skb import CsumFlag, GsoType
from tests.control.bench import sent
from tests.driver_bench import MS, CountedSkb, DriverBench, Storm, storm


def twin(
    config: DriverConfig | None = None,
    queues: int = 1,
    cpus: int = 1,
    costs: HostCosts | None = None,
    seed: int = 1,
) -> DriverBench[TwinWorld]:
    """A driver on the twin."""
    world = TwinWorld(TwinConfig(queues=queues), cpus=cpus, costs=costs, wake_on_frame=True)
    return DriverBench(world, config, queues, seed)


def run(test: Coroutine[Any, Any, None]) -> None:
    drive(test)


# -- finding and setting up


@pytest.mark.parametrize(
    ("register", "value", "said"),
    [
        ("ID", 0, "ID reads 0x00000000, not 0x52574e43"),
        ("ID", 0xFFFFFFFF, "ID reads 0xffffffff"),
        ("VERSION", 0x00020001, "version 2.1 is not 1.x"),
        ("CAPS", 1 | 64 << 8 | 64 << 16, "has 1 queues, not 2"),
    ],
)
def test_another_device_is_not_driven(register: str, value: int, said: str) -> None:
    bench = twin(queues=2)
    bench.world.device._values[register] = value
    with pytest.raises(ProbeError, match=said):
        drive(bench.up())


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({"ring_entries": 100}, "power of two of entries, 64 to 32768, not 100"),
        ({"ring_entries": 32}, "not 32"),
        ({"ring_entries": 65536}, "not 65536"),
        ({"ring_entries": 0}, "not 0"),
        ({"ring_entries": -64}, "not -64"),
        ({"line_rate_bps": -1}, "line_rate_bps is 0 to"),
        ({"mod_ns": 1 << 31}, "mod_ns is 0 to 2147483647, not 2147483648"),
        ({"mod_frames": 40_000, "mod_ns": 1}, "mod_frames is 0 to 32767"),
        ({"mod_frames": 2}, "mod_frames needs mod_ns"),
        ({"cpl_threshold": 17}, "cpl_threshold is 1 to 16, not 17"),
        ({"cpl_threshold": 0}, "not 0"),
        ({"cpl_threshold": 2}, "cpl_threshold needs cpl_timer_ns"),
        ({"report_every": 0}, "report_every"),
        ({"budget": 0}, "budget"),
    ],
)
def test_settings_that_cannot_work_are_refused_in_a_line(knobs: dict[str, int], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        DriverConfig(**knobs)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_an_mtu_beyond_the_device_is_refused() -> None:
    world = TwinWorld()
    dev = NetDevice(world.cpus, mtu=MAX_FRAME - 13)
    with pytest.raises(ConfigError, match=f"MTU {MAX_FRAME - 13}"):
        RingwireDriver(world.port(), dev)


@pytest.mark.parametrize("head_write_back", [False, True])
def test_the_device_is_set_up_as_configured(head_write_back: bool) -> None:
    async def test() -> None:
        config = DriverConfig(
            ring_entries=2048,
            line_rate_bps=3_000_000_000,
            read_latency_ns=1500,
            mod_ns=5000,
            mod_frames=7,
            cpl_threshold=3,
            cpl_timer_ns=900,
            head_write_back=head_write_back,
            complete_at_fetch=True,
        )
        bench = await twin(config, queues=2).up()
        device = bench.world.device
        assert device.refused == 0
        names = ("CTRL", "BYTE_TIME_LO", "BYTE_TIME_HI", "COMMIT_BOUND")
        found = {name: device.read(GLOBAL_OFFSETS[name]) for name in names}
        unit = byte_time(3_000_000_000)
        bound = 675 + 1514 + 24 + 462  # 3/10 of a frame: at 10 Gb/s it would be all of it
        assert found == {
            "CTRL": 3,
            "BYTE_TIME_LO": unit & 0xFFFFFFFF,
            "BYTE_TIME_HI": unit >> 32,
            "COMMIT_BOUND": bound,
        }
        addresses = set()
        for queue in range(2):
            read = {
                name: device.read(queue_register(name, queue))
                for name in ("CTRL", "RING_LOG2", "MOD_NS", "MOD_FRAMES", "CPL_THRESHOLD", "CPL_TIMER_NS", "IRQ_MASK")
            }
            assert read == {
                "CTRL": 1,
                "RING_LOG2": 11,
                "MOD_NS": 5000,
                "MOD_FRAMES": 7,
                "CPL_THRESHOLD": 3,
                "CPL_TIMER_NS": 900,
                "IRQ_MASK": 0,
            }
            assert device.queues[queue].completer.armed
            assert (device.queues[queue].completer.head_addr is not None) == head_write_back
            addresses |= {device.read(queue_register(name, queue)) for name in ("RING_LO", "CPL_LO")}
        assert len(addresses) == 4

    run(test())


def test_without_a_line_rate_the_pacer_is_open_and_nothing_bounds_what_is_committed() -> None:
    async def test() -> None:
        bench = await twin().up()
        assert bench.world.device.read(GLOBAL_OFFSETS["CTRL"]) == 0b101
        assert bench.world.device.read(GLOBAL_OFFSETS["COMMIT_BOUND"]) == 0

    run(test())


def test_packets_wait_while_the_device_is_being_opened_and_are_dropped_before() -> None:
    async def test() -> None:
        bench = twin()
        assert bench.send(100).freed and bench.dev.tx_dropped == 1
        bench.skbs.clear()
        bench.driver.open()
        for _ in range(5):
            bench.send(100)
        assert bench.dev.qdisc.qlen == 5
        await bench.world.run(lambda: bench.driver.up, MS, "the driver to be up")
        await bench.all_done()
        assert bench.wire() == bench.frames()
        bench.check()

    run(test())


# -- packets


@pytest.mark.parametrize(
    "sizes",
    [
        (1,),
        (60,),
        (14, 46),
        (54, 1460),
        (0, 60, 0),
        (7,) * 64,
        (7,) * 65,
        (16384,),
        (16640,),
        (100, 16540),
        (16385, 255),
        (3,) * 300,
    ],
)
def test_a_packet_leaves_whole_however_it_is_cut(sizes: tuple[int, ...]) -> None:
    async def test() -> None:
        bench = await twin(DriverConfig(ring_entries=128)).up()
        before, skb, after = bench.skb(99), bench.skb(*sizes), bench.skb(98)
        for each in (before, skb, after):
            assert bench.xmit(each) == NETDEV_TX_OK
        await bench.all_done()
        assert bench.wire() == bench.frames()
        bench.check()

    run(test())


@pytest.mark.parametrize(
    ("sizes", "fields"),
    [
        ((), {}),
        ((0, 0), {}),
        ((MAX_FRAME + 1,), {}),
        ((16384, 16384), {}),
        ((300,), {"csum_flags": CsumFlag.NEEDS_CSUM, "csum_start": 256, "csum_offset": 0}),
        ((100,), {"csum_flags": CsumFlag.NEEDS_CSUM, "csum_start": 90, "csum_offset": 9}),
        ((5000,), {"gso_size": 1000, "gso_type": GsoType.TCPV4, "hdr_len": 54}),
    ],
)
def test_a_packet_that_can_never_be_sent_is_dropped_and_counted(sizes: tuple[int, ...], fields: dict[str, Any]) -> None:
    async def test() -> None:
        bench = await twin().up()
        assert bench.xmit(bench.skb(*sizes, **fields)) == NETDEV_TX_OK
        assert bench.driver.statistics()["tx0_dropped"] == 1
        assert bench.skbs[0].freed == 1
        assert bench.driver.rings[0].doorbells == 0
        await bench.world.pause(MS)
        assert bench.wire() == []
        bench.check()

    run(test())


def test_the_stack_does_what_the_device_cannot() -> None:
    async def test() -> None:
        bench = await twin().up()
        bench.dev.set_features({"tx-vlan-hw-insert": False})
        bench.send(100, vlan_tci=5)
        bench.send(300, csum_flags=CsumFlag.NEEDS_CSUM, csum_start=256, csum_offset=2)
        await bench.all_done()
        assert [len(frame) for frame in bench.wire()] == [104, 300]
        bench.check()

    run(test())


def test_every_phase_of_the_ring_is_passed_with_packets_across_its_end() -> None:
    async def test() -> None:
        bench = await twin(DriverConfig(ring_entries=64)).up()
        starts = set()
        for _ in range(3 * 64):
            starts.add(bench.driver.rings[0]._next)
            bench.send(20, 30, 40)
            if len(bench.skbs) % 5 == 0:
                await bench.all_done()
        await bench.all_done()
        assert starts == set(range(64))
        assert bench.wire() == bench.frames()
        bench.check()

    run(test())


def test_the_wires_time_stamp_comes_back_to_those_who_ask() -> None:
    async def test() -> None:
        bench = await twin(DriverConfig(line_rate_bps=10**9, report_every=8)).up()
        for number in range(9):
            bench.xmit(bench.skb(300, wants_timestamp=number % 2 == 1), more=number < 8)
        await bench.all_done()
        starts = [frame.start_ps for frame in bench.world.wire]
        stamps = [start * 65536 // 1000 / 65536 if n % 2 else 0.0 for n, start in enumerate(starts)]
        assert [skb.wire_ns for skb in bench.skbs] == stamps
        bench.check()

    run(test())


def test_a_packet_with_a_time_stamp_counts_as_a_report() -> None:
    async def test() -> None:
        bench = await twin(DriverConfig(report_every=3)).up()
        for number in range(4):
            bench.xmit(bench.skb(300, wants_timestamp=number == 0), more=number < 3)
        await bench.all_done()
        assert bench.world.device.queues[0].completer.visible == 2
        bench.check()

    run(test())


@pytest.mark.parametrize("knob", ["complete_at_fetch", "head_write_back"])
def test_where_there_are_no_wire_times_none_are_handed_out(knob: str) -> None:
    async def test() -> None:
        bench = await twin(DriverConfig(**{knob: True})).up()
        bench.send(100, wants_timestamp=True)
        await bench.all_done()
        assert bench.skbs[0].wire_ns == 0.0
        bench.check()

    run(test())


# -- doorbells


def test_one_doorbell_tells_of_a_whole_batch() -> None:
    async def test() -> None:
        bench = await twin().up()
        for number in range(10):
            bench.xmit(bench.skb(100), more=number < 9)
        assert bench.driver.rings[0].doorbells == 1
        await bench.all_done()
        assert bench.world.device.stats[Stat.DOORBELLS] == 1
        bench.check()

    run(test())


@pytest.mark.parametrize("report_every", [1, 3, 100])
def test_the_doorbell_is_rung_when_the_last_of_a_batch_is_dropped(report_every: int) -> None:
    async def test() -> None:
        bench = await twin(DriverConfig(report_every=report_every)).up()
        for _ in range(4):
            bench.xmit(bench.skb(100), more=True)
        assert bench.driver.rings[0].doorbells == 0
        bench.xmit(bench.skb(MAX_FRAME + 1), more=False)
        await bench.all_done()
        assert len(bench.wire()) == 4
        bench.check()

    run(test())


def test_the_doorbell_is_rung_when_the_queue_stops_or_is_full_inside_a_batch() -> None:
    async def test() -> None:
        bench = await twin(DriverConfig(ring_entries=64)).up()
        taken = 0
        while bench.driver.rings[0].free >= STOP_FREE:
            assert bench.driver.rings[0].doorbells == 0
            bench.xmit(bench.skb(100), more=True)
            taken += 1
        assert taken == 63 - STOP_FREE + 1
        assert bench.driver.rings[0].doorbells == 1
        assert bench.dev.tx_queues[0].stopped
        await bench.world.pause(MS)
        assert not bench.dev.tx_queues[0].stopped
        assert bench.driver.rings[0].free == 63

        for _ in range(4):
            bench.xmit(bench.skb(100), more=True)
        big = bench.skb(*[10] * 61)
        assert bench.xmit(big, more=False) == NETDEV_TX_BUSY
        assert bench.dev.tx_queues[0].stopped
        await bench.world.pause(MS)
        assert len(bench.wire()) == taken + 4
        assert bench.xmit(big) == NETDEV_TX_OK
        await bench.all_done()
        bench.check()

    run(test())


@pytest.mark.parametrize("report_every", [2, 7, 1000])
@pytest.mark.parametrize("head_write_back", [False, True])
def test_however_few_reports_are_asked_for_every_packet_is_reclaimed(report_every: int, head_write_back: bool) -> None:
    async def test() -> None:
        config = DriverConfig(report_every=report_every, head_write_back=head_write_back)
        bench = await twin(config).up()
        for batch in (1, 2, 3, 6, 7, 8, 13, 14, 15, 40):
            for number in range(batch):
                bench.xmit(bench.skb(100), more=number < batch - 1)
            await bench.all_done()
        device = bench.world.device
        reports = device.queues[0].completer.visible
        assert reports == sum(-(-batch // report_every) for batch in (1, 2, 3, 6, 7, 8, 13, 14, 15, 40))
        assert bench.wire() == bench.frames()
        bench.check()

    run(test())


def test_a_packet_that_finds_no_memory_is_dropped_without_a_trace() -> None:
    async def test() -> None:
        bench = await twin().up()
        memory = bench.world.memory
        bench.xmit(bench.skb(100), more=True)
        top, memory._top = memory._top, memory._brk
        bench.xmit(bench.skb(90, 5000, 9000))
        memory._top = top
        assert bench.driver.statistics()["tx0_dropped"] == 1
        await bench.all_done()
        assert bench.wire() == bench.frames()[:1]
        bench.check()

    run(test())


# -- stop, wake, polling


def test_a_stopped_queue_wakes_at_the_threshold_and_not_before() -> None:
    async def test() -> None:
        bench = await twin(DriverConfig(ring_entries=64, line_rate_bps=10**8)).up()
        ring, txq = bench.driver.rings[0], bench.dev.tx_queues[0]
        while not txq.stopped:
            bench.xmit(bench.skb(1514))
        free = []

        def stopped() -> bool:
            free.append(ring.free)
            return not txq.stopped

        await bench.world.run(stopped, 100 * MS, "the wake")
        assert free[0] < STOP_FREE
        assert max(free[:-1]) == WAKE_FREE - 1
        assert free[-1] == WAKE_FREE
        await bench.all_done()
        bench.check()

    run(test())


@pytest.mark.parametrize("packets", [96, 100])
def test_a_poll_takes_no_more_than_its_budget_and_comes_back_for_the_rest(packets: int) -> None:
    async def test() -> None:
        config = DriverConfig(ring_entries=256, mod_ns=100_000, mod_frames=200, budget=16)
        bench = await twin(config).up()
        for number in range(packets):
            bench.xmit(bench.skb(60), more=number < packets - 1)
        reads = bench.count_reads()
        done: list[int] = []
        ring = bench.driver.rings[0]

        def watch() -> bool:
            if not done or ring.in_flight != done[-1]:
                done.append(ring.in_flight)
            return ring.in_flight == 0

        await bench.world.run(watch, MS, "all of them")
        assert all(0 < before - after <= 16 for before, after in pairwise(done))
        await bench.all_done()
        assert ring.polls == 7
        assert bench.world.interrupts == 1
        assert bench.world.device.queues[0].completer.consumed == packets
        assert reads == [], "nothing here is slow-path business"
        bench.check()

    run(test())


@pytest.mark.parametrize(
    ("mod_ns", "mod_frames", "expected"), [(0, 0, 40), (20_000, 0, 20), (200_000, 10, 4), (30_000, 0, 14)]
)
def test_moderation_saves_interrupts_and_loses_nothing(mod_ns: int, mod_frames: int, expected: int) -> None:
    """A frame takes 12.3 us on this wire, far longer than a poll."""

    async def test() -> None:
        bench = await twin(DriverConfig(mod_ns=mod_ns, mod_frames=mod_frames, line_rate_bps=10**9)).up()
        for number in range(40):
            bench.xmit(bench.skb(1514), more=number < 39)
        await bench.all_done()
        assert bench.world.interrupts == expected
        bench.driver.set_coalesce(0, 0)
        for _ in range(3):
            bench.send(60)
            await bench.all_done()
        assert bench.world.interrupts == expected + 3
        bench.check()

    run(test())


def test_packets_are_reclaimed_once_a_masked_interrupt_is_let_through() -> None:
    async def test() -> None:
        bench = await twin().up()
        mask = queue_register("IRQ_MASK", 0)
        bench.world.port().write(mask, 1)
        for _ in range(20):
            bench.send(100)
        await bench.world.pause(10 * MS)
        assert bench.driver.rings[0].in_flight > 0
        bench.world.port().write(mask, 0)
        await bench.all_done()
        assert bench.wire() == bench.frames()
        bench.check()

    run(test())


def test_each_queues_interrupts_and_polls_run_on_its_own_cpu() -> None:
    async def test() -> None:
        bench = twin(queues=2, cpus=2)
        await bench.up()
        busy = [cpu.busy_ns for cpu in (bench.world.cpus[0], bench.world.cpus[1])]
        bench.send(100, hash=0xFFFFFFFF)
        assert bench.skbs[0].queue_mapping == 1
        await bench.all_done()
        after = [cpu.busy_ns for cpu in (bench.world.cpus[0], bench.world.cpus[1])]
        assert after[0] == busy[0]
        assert after[1] > busy[1] + bench.world.cpus.costs.interrupt_ns
        bench.check()

    run(test())


def test_work_is_charged_to_the_cpu_as_the_costs_say() -> None:
    async def test() -> None:
        costs = replace(
            HostCosts.free(), xmit_ns=100, doorbell_ns=7, interrupt_ns=1000, poll_ns=200, completion_ns=30, read_ns=10
        )
        bench = await twin(DriverConfig(mod_ns=50_000), costs=costs).up()
        cpu = bench.world.cpus[0]

        def send() -> None:
            for number in range(3):
                bench.xmit(bench.skb(60), more=number < 2)

        before = cpu.busy_ns
        cpu.call_at(bench.world.timeline.now_ns, send)
        await bench.all_done()
        assert cpu.busy_ns - before == 3 * 100 + 7 + 1000 + 200 + 3 * 30 + 7

    run(test())


# -- errors and recovery


def test_an_error_completion_fails_its_packet_by_name_and_the_others_are_sent() -> None:
    async def test() -> None:
        bench = await twin(DriverConfig(report_every=4)).up()
        memory = bench.world.memory
        for number in range(7):
            bench.xmit(bench.skb(200), more=True)
            if number in (2, 5):
                memory.forbid(list(bench.driver.rings[0].pending())[-1][2][0])
        bench.xmit(bench.skb(200))
        await bench.all_done()
        found = bench.driver.statistics()
        errors = {name: count for name, count in found.items() if "error" in name and count}
        assert errors == {"tx0_error_read": 2}
        assert (found["tx0_packets"], found["tx0_bytes"]) == (6, 1200)
        assert bench.wire() == [frame for n, frame in enumerate(bench.frames()) if n not in (2, 5)]
        bench.check()

    run(test())


def test_a_completion_that_no_packet_ends_at_is_called_out() -> None:
    async def test() -> None:
        bench = await twin().up()
        ring = bench.driver.rings[0]
        bench.xmit(bench.skb(100, 100))
        bench.world.device.queues[0].enabled = False
        ring._completions[:16] = pack_completion(0, 1, Status.OK, 0, 1, 1)
        with pytest.raises(CompletionError, match=r"eth0 tx-0: .* a completion up to 1, where no packet ends"):
            ring.poll(64)

    run(test())


@pytest.mark.parametrize("head_write_back", [False, True])
@pytest.mark.parametrize(("fragments", "head", "sent"), [(1, 8, 8), (3, 6, 2)])
def test_a_queue_whose_descriptors_cannot_be_read_is_reset_and_goes_on(
    fragments: int, head: int, sent: int, head_write_back: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The read that fails is of descriptors 8 to 11: between packets, or inside one."""

    async def test() -> None:
        bench = await twin(DriverConfig(head_write_back=head_write_back)).up()
        ring = bench.driver.rings[0]
        bad = ring._ring_memory.addr + 8 * 16
        bench.world.memory.forbid(bad)
        for number in range(12):
            bench.xmit(bench.skb(*[100] * fragments), more=number < 11)
        with caplog.at_level(logging.WARNING):
            await bench.all_done()
        assert f"transmit queue failed: eth0 tx-0: head {head}, tail {12 * fragments}" in caplog.text
        assert ring.errors[Status.DESC_READ] == 1
        assert ring.forgotten == 12 - sent
        assert bench.wire() == bench.frames()[:sent]
        bench.world.memory.allow(bad)
        bench.send(100)
        await bench.all_done()
        assert len(bench.wire()) == sent + 1
        bench.check()

    run(test())


@pytest.mark.parametrize("fault", ["interrupt lost", "doorbell lost"])
def test_the_watchdog_names_the_stuck_queue_and_a_reset_brings_it_back(
    fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        bench = await twin(queues=2).up()
        ring = bench.driver.rings[1]
        completer = bench.world.device.queues[1].completer
        if fault == "interrupt lost":
            completer.armed = False
        else:
            ring._tail_register = 0x0FC
        for _ in range(4):
            bench.send(1000, hash=0xFFFFFFFF)
        with caplog.at_level(logging.WARNING):
            await bench.world.run(lambda: bool(caplog.records), 20_000 * MS, "the watchdog")
        text = caplog.records[0].getMessage()
        assert text.startswith("transmit queue timed out: eth0 tx-1: head 0, tail ")
        assert "in flight" in text and "BQL" in text and "descriptors free" in text
        assert bench.dev.tx_queues[1].trans_timeout == 1
        ring._tail_register = queue_register("TAIL", 1)
        await bench.all_done()
        bench.send(500, hash=0xFFFFFFFF)
        bench.send(400, hash=0)
        await bench.all_done()
        assert bench.wire(1)[-1] == bench.frames(1)[-1]
        assert bench.wire(0) == bench.frames(0)
        assert bench.dev.tx_queues[0].trans_timeout == 0
        bench.check()

    run(test())


@pytest.mark.parametrize("mod_ns", [0, 500 * MS])
@pytest.mark.parametrize("head_write_back", [False, True])
def test_a_queue_whose_completions_cannot_be_written_is_reset_and_goes_on(
    head_write_back: bool, mod_ns: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        bench = await twin(DriverConfig(head_write_back=head_write_back, mod_ns=mod_ns)).up()
        ring, memory = bench.driver.rings[0], bench.world.memory
        target = ring._head_memory if ring._head_memory is not None else ring._completion_memory
        memory.forbid(target.addr)
        for _ in range(3):
            bench.send(1000)
        with caplog.at_level(logging.WARNING):
            await bench.world.run(lambda: bool(caplog.records), 10 * MS, "a word of the failure")
        assert "transmit queue failed: eth0 tx-0: head 0, tail" in caplog.text
        assert bench.world.interrupts == 1, "no storm of interrupts that announce nothing"
        memory.allow(target.addr)
        bench.send(500)
        await bench.all_done()
        assert bench.wire()[-1] == bench.frames()[-1]
        bench.check()

    run(test())


def test_an_interrupt_that_announces_nothing_is_not_the_last() -> None:
    async def test() -> None:
        bench = await twin().up()
        bench.world.interrupt(bench.world.timeline.now_ns * 1000, 0)
        bench.world.device.queues[0].completer.armed = False
        await bench.world.pause(100_000)
        bench.send(100)
        await bench.all_done(MS)
        bench.check()

    run(test())


def test_a_reset_that_never_ends_is_called_out() -> None:
    async def test() -> None:
        bench = await twin().up()
        bench.send(100)
        bench.world.device.queues[0].in_flight += 1
        bench.driver.reset_queue(0)
        with pytest.raises(DeviceStuck, match=r"eth0 tx-0: .*its reset has not ended in 60000000000 ns"):
            await bench.world.pause(80_000 * MS)

    run(test())


def test_a_drained_reset_loses_nothing_and_one_in_a_hurry_accounts_for_all() -> None:
    async def outcome(drain_ns: int) -> tuple[int, int]:
        bench = await twin(DriverConfig(line_rate_bps=10**8)).up()
        for number in range(20):
            bench.xmit(bench.skb(1000), more=number < 19)
        await bench.world.pause(300_000)
        bench.driver.reset_queue(0, drain_ns)
        bench.driver.reset_queue(0, drain_ns)
        bench.send(100)
        await bench.all_done()
        bench.check()
        found = bench.driver.statistics()
        assert found["tx0_packets"] == len(bench.wire())
        return len(bench.wire()), found["tx0_error_aborted"] + found["tx0_forgotten"]

    async def test() -> None:
        assert await outcome(100 * MS) == (21, 0)
        sent, lost = await outcome(0)
        assert sent + lost == 21
        assert lost >= 10

    run(test())


def test_rings_change_their_size_under_load() -> None:
    async def test() -> None:
        bench = await twin(DriverConfig(line_rate_bps=10**9), queues=2).up()
        for entries in (64, 4096, 256):
            for _ in range(100):
                bench.send(700, 300, hash=bench.draw.getrandbits(32))
            await bench.world.pause(100_000)
            bench.driver.set_ring(entries, drain_ns=0 if entries == 64 else 100 * MS)
            bench.send(60)
            await bench.all_done()
            assert [ring.free for ring in bench.driver.rings] == [entries - 1] * 2
            bench.check()
        with pytest.raises(ConfigError, match="not 100"):
            bench.driver.set_ring(100)
        found = bench.driver.statistics()
        assert sum(found[f"tx{queue}_{kind}"] for queue in (0, 1) for kind in ("forgotten", "error_aborted")) > 0
        assert bench.world.device.refused == 0

    run(test())


def test_a_closed_device_gives_everything_back_and_can_be_opened_again() -> None:
    async def test() -> None:
        bench = await twin(DriverConfig(line_rate_bps=10**9), queues=2).up()
        for _ in range(2):
            for _ in range(50):
                bench.send(1000, hash=bench.draw.getrandbits(32))
            bench.driver.close()
            await bench.world.run(lambda: not bench.driver.up, 100 * MS, "the driver to be down")
            assert bench.world.memory.live == bench.world.memory.allocated == 0
            assert all(txq.stopped for txq in bench.dev.tx_queues)
            await bench.up()
            await bench.all_done()
            bench.check()
        with pytest.raises(ConfigError, match="is up"):
            bench.driver.open()

    run(test())


def test_closing_during_a_reset_or_a_probe_ends_closed() -> None:
    async def test() -> None:
        bench = await twin().up()
        bench.send(100)
        bench.driver.reset_queue(0)
        bench.driver.close()
        await bench.world.run(lambda: not bench.driver.up, 100 * MS, "the driver to be down")
        assert bench.world.memory.allocated == 0
        bench.driver.open()
        bench.driver.close()
        await bench.world.pause(MS)
        assert not bench.driver.up
        assert bench.world.memory.allocated == 0

    run(test())


# -- everything at once

CONFIGS = st.builds(
    lambda knobs, moderation, batching: DriverConfig(**knobs, **moderation, **batching),
    st.fixed_dictionaries(
        {
            "ring_entries": st.sampled_from([64, 128, 256]),
            "line_rate_bps": st.sampled_from([0, 10**8, 10**9, 10**10, 10**11]),
            "report_every": st.sampled_from([1, 2, 5, 64]),
            "head_write_back": st.booleans(),
            "complete_at_fetch": st.booleans(),
            "budget": st.sampled_from([1, 4, 64]),
        }
    ),
    st.sampled_from([{}, {"mod_ns": 30_000}, {"mod_ns": 100_000, "mod_frames": 16}, {"mod_ns": 700, "mod_frames": 3}]),
    st.sampled_from([{}, {"cpl_threshold": 4, "cpl_timer_ns": 3_000}, {"cpl_threshold": 16, "cpl_timer_ns": 50_000}]),
)


@given(CONFIGS, st.integers(0, 2**32), st.booleans(), st.integers(1, 2))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_happens_each_packet_ends_once_and_the_books_balance(
    config: DriverConfig, seed: int, faults: bool, cpus: int
) -> None:
    world = TwinWorld(TwinConfig(queues=2), cpus=cpus, wake_on_frame=True)
    run(storm(world, Storm(config, faults=faults, seed=seed)))


def test_two_runs_of_one_seed_are_the_same_run() -> None:
    async def once() -> tuple[Any, ...]:
        bench = await twin(DriverConfig(line_rate_bps=10**10, ring_entries=64), queues=2, seed=7).up()
        for _ in range(300):
            bench.send(bench.draw.randint(60, 1514), hash=bench.draw.getrandbits(32))
        await bench.all_done()
        return bench.world.wire, bench.driver.statistics(), bench.world.timeline.now_ns, bench.world.interrupts

    assert drive(once()) == drive(once())


def test_the_driver_uses_the_narrow_port_and_nothing_else_of_the_world() -> None:
    """A port that offers no more than DevicePort and the two things a charged port adds."""

    class NarrowPort:
        def __init__(self, world: TwinWorld) -> None:
            port = world.port()
            self.memory, self.costs, self.charge = port.memory, port.costs, port.charge
            self.now_ns, self.call_at, self.write = port.now_ns, port.call_at, port.write
            self.read, self.on_interrupt = port.read, port.on_interrupt
            self.dma_wmb = port.dma_wmb

    async def test() -> None:
        world = TwinWorld()
        dev = NetDevice(world.cpus)
        driver = RingwireDriver(NarrowPort(world), dev)
        driver.open()
        await world.run(lambda: driver.up, MS, "the driver to be up")
        skbs = [CountedSkb(100, (bytes(100),)) for _ in range(50)]
        for skb in skbs:
            dev_queue_xmit(skb, dev)
        done: Callable[[], bool] = lambda: all(skb.freed for skb in skbs)  # noqa: E731
        await world.run(done, 10 * MS, "all packets")
        assert len(world.wire) == 50

    run(test())


def test_a_frame_that_is_not_padded_is_called_out() -> None:
    async def test() -> None:
        bench = await twin().up()
        bench.send(40)
        await bench.all_done()
        (frame,) = sent(bench.world)
        bench.watch.frames([frame._replace(data=frame.data[:40])])
        assert bench.watch.findings.bugs == {"underrun"}

    drive(test())
