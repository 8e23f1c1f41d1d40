"""The catalogue of bugs: each that is put in is found and named, and where none is nothing is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringwire.checks import Watch
from ringwire.conformance import RULES, conformance
from ringwire.conformance.bench import Bench
from ringwire.driver.config import DriverConfig
from ringwire.driver.ringwire import RingwireDriver
from ringwire.faults import BUGS, FAULTS, Fault, Where
from ringwire.host.world import drive
from ringwire.replay import ReplayConfig, ReplayError, ReplayFailed, replay
from ringwire.skb import Skb
from tests.captures import REAL_MIX
from tests.stack_bench import StackBench


def test_there_is_a_fault_for_each_of_the_26_classes() -> None:
    assert [bug.number for bug in BUGS] == list(range(1, 27))
    assert {fault.bug for fault in FAULTS.values()} == set(range(1, 27))
    assert all(fault.text for fault in FAULTS.values())


def test_ringwires_own_driver_keeps_every_rule() -> None:
    report = conformance(RingwireDriver)
    assert report.problems == []
    assert {verdict.outcome for verdict in report.verdicts} == {"kept"}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_found_and_named(fault: Fault) -> None:
    report = conformance(RingwireDriver, fault=fault)
    assert not report.ok
    assert fault.says in report.bugs, "\n".join(report.problems)


@pytest.mark.parametrize("config", [{}, {"mod_ns": 20_000}])
def test_settings_that_a_fault_needs_do_no_harm_by_themselves(config: dict[str, int]) -> None:
    harmless = Fault("none", 0, "", Where.STACK, lambda dev: None, config)
    assert conformance(RingwireDriver, RULES, harmless).problems == []


# -- in a replay


def failing(**config: object) -> str:
    try:
        return "\n".join(replay(ReplayConfig(REAL_MIX, **config)).measured.problems)  # type: ignore[arg-type]
    except ReplayFailed as error:
        return str(error)


@pytest.mark.parametrize("name", ["bql-reset-early", "stale-mss", "unmap-early", "parked", "interrupt-lost"])
def test_a_replay_names_a_fault_on_the_twin(name: str) -> None:
    assert f"{FAULTS[name].says}: " in failing(sim="twin", fault=name)


@pytest.mark.parametrize("name", ["bql-reset-early", "drop-without-doorbell", "address-32", "interrupt-lost"])
def test_a_replay_names_a_fault_on_the_rtl(name: str) -> None:
    assert f"{FAULTS[name].says}: " in failing(fault=name)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"fault": "gremlins"}, "--fault gremlins: no such fault; there are bql-reset-early, "),
        ({"fault": "hang"}, "--fault hang: it is in the twin; add --sim twin"),
        ({"fault": "wake-missed", "driver": "x:Y"}, r"--driver|leave --driver away"),
    ],
)
def test_a_fault_that_is_not_there_is_refused(config: dict[str, str], says: str) -> None:
    with pytest.raises(ReplayError, match=says):
        ReplayConfig(Path("in.pcap"), **config)  # type: ignore[arg-type]


# -- without a device


def test_the_null_device_is_watched_too() -> None:
    bench = StackBench()
    watch = Watch()
    watch.attach(bench.dev)
    for ident in range(3):
        bench.dev.start_xmit(Skb(len=100, id=ident), bench.dev.tx_queues[0], False)
    watch.finish()
    assert watch.findings.lines() == ["skb-lost: queue 0 has 3 packets that the driver never freed"]


def test_a_packet_that_ends_twice_is_named() -> None:
    bench = StackBench()
    watch = Watch()
    watch.attach(bench.dev)
    skb = Skb(len=100, id=7)
    bench.dev.start_xmit(skb, bench.dev.tx_queues[0], False)
    bench.driver.complete(bench.dev.tx_queues[0], 1)
    skb.free()
    skb.free()
    watch.finish()
    assert [line.partition(" (")[0] for line in watch.findings.lines()] == [
        "skb-twice: queue 0 freed packet 7 a second time"
    ]


def test_a_link_partner_may_stop_the_wire_for_as_long_as_it_likes() -> None:
    async def test() -> None:
        bench = Bench(RingwireDriver, DriverConfig(tx_timeout_ms=60_000))
        await bench.up()
        bench.world.flow_control(True)
        for _ in range(3):
            bench.send(Skb(len=1000, data=(bench.bytes(1000),)))
        await bench.world.pause(3_000_000_000)
        assert bench.freed == 0
        bench.world.flow_control(False)
        await bench.all_done()
        await bench.close_books()
        assert bench.watch.findings.lines() == []

    drive(test())
