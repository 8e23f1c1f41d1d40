"""The catalogue of bugs: each that is put in is found and named, and where none is nothing is said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ringwire.checks import Watch
from ringwire.checks.names import MEANINGS
from ringwire.conformance import RULES, Report, Rule, conformance, conformance_on_rtl, on_twin
from ringwire.conformance.bench import Bench
from ringwire.driver.ringwire import RingwireDriver
from ringwire.faults import BUGS, CLASSES, FAULTS, Fault, Where
from ringwire.host.world import drive
from ringwire.nic.registers import RtlFault, Stat
from ringwire.nic.twin import Twin
from ringwire.nic.twin_queue import TwinQueue
from ringwire.nic.twin_world import WireFrame
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
    named_first(report, fault)


def named_first(report: Report, fault: Fault) -> None:
    """Of all that a report names, what the fault is called comes first; and so it does in each rule that shows it."""
    assert report.bugs and report.bugs[0] == fault.says, "\n".join(report.problems)
    assert set(report.bugs) <= MEANINGS.keys()
    for verdict in report.verdicts:
        bugs = [finding.bug for finding in verdict.findings]
        assert fault.says not in bugs or bugs[0] == fault.says, verdict.problems
    number = CLASSES[fault.says].number
    assert number == fault.bug
    assert f"class {number} of docs/bugs.md: {fault.says}: {BUGS[number - 1].title}" in report.lines()


@pytest.mark.parametrize("config", [{}, {"mod_ns": 20_000}])
def test_settings_that_a_fault_needs_do_no_harm_by_themselves(config: dict[str, int]) -> None:
    harmless = Fault("none", 0, "", Where.STACK, lambda dev: None, config)
    assert conformance(RingwireDriver, RULES, harmless).problems == []


# -- in the RTL

DATA_W = 64
"""A model that is soon built."""
SHOWN_BY = {
    "completes-early": "in-order",
    "read-clears": "monitored",
    "write-back-waits": "write-back",
    "stale-mss": "offloads",
    "short-fifo": "offloads",
    "reads-32": "in-order",
    "hang": "in-order",
    "cut-through": "fragments",
}
"""A rule for each fault that can be put into the RTL."""


def rule(name: str) -> Rule:
    return next(rule for rule in RULES if rule.name == name)


@pytest.mark.parametrize("name", SHOWN_BY)
def test_a_fault_of_the_rtl_is_found_and_named(name: str) -> None:
    fault = FAULTS[name]
    named_first(conformance_on_rtl(fault=fault, rules=[rule(SHOWN_BY[name])], data_w=DATA_W), fault)


def test_every_fault_that_the_rtl_has_is_in_the_catalogue() -> None:
    assert {fault.rtl for fault in FAULTS.values()} - {None} == set(RtlFault) - {RtlFault.NONE}
    assert {name for name, fault in FAULTS.items() if fault.rtl is not None} == SHOWN_BY.keys()


def test_rtl_built_for_faults_keeps_every_rule_while_none_is_switched_on() -> None:
    none = Fault("none", 0, "", Where.DEVICE, None, rtl=RtlFault.NONE)
    report = conformance_on_rtl(fault=none, data_w=DATA_W)
    assert report.problems == []
    assert {verdict.outcome for verdict in report.verdicts} == {"kept"}


# -- in a replay


def failing(**config: object) -> str:
    try:
        return "\n".join(replay(ReplayConfig(REAL_MIX, **config)).measured.problems)  # type: ignore[arg-type]
    except ReplayFailed as error:
        return str(error)


ON_TWIN = (
    "bql-reset-early",
    "doorbell-reordered",
    "stale-mss",
    "unmap-early",
    "parked",
    "interrupt-lost",
    "read-clears",
)
ON_RTL = ("bql-reset-early", "drop-without-doorbell", "address-32", "interrupt-lost")
IN_RTL = ("stale-mss", "read-clears", "cut-through")


@pytest.mark.parametrize("name", ON_TWIN)
def test_a_replay_names_a_fault_on_the_twin(name: str) -> None:
    assert first_name(failing(sim="twin", fault=name)) == FAULTS[name].says


@pytest.mark.parametrize("name", ON_RTL)
def test_a_replay_names_a_fault_on_the_rtl(name: str) -> None:
    assert first_name(failing(fault=name)) == FAULTS[name].says


@pytest.mark.parametrize("name", IN_RTL)
def test_a_replay_names_a_fault_of_the_rtl(name: str) -> None:
    assert first_name(failing(fault=name, width=DATA_W)) == FAULTS[name].says


@pytest.mark.parametrize("name", ["mss-zero", "unmap-early", "false-full", "address-32", "reads-32"])
def test_packets_that_the_device_gives_up_are_lost_and_no_frame_is_blamed_for_them(name: str) -> None:
    bugs = replay(ReplayConfig(REAL_MIX, sim="twin", fault=name)).bugs
    assert bugs[0] == FAULTS[name].says and bugs[-1] == "frame-lost"
    assert set(bugs[1:-1]) <= {"read-error"}


async def nothing(bench: Bench) -> None: ...


def seen(*numbers: int) -> list[str]:
    """What the watch says of a wire on which five frames leave in this order, number 9 being none of them."""

    async def test() -> list[str]:
        bench = on_twin(RingwireDriver, Rule("wire", "", nothing))
        await bench.up()
        for number in range(5):
            bench.send(Skb(len=100, data=(bytes((number,)) * 100,)))
        await bench.all_done()
        frames = list(bench.wire())
        other = WireFrame(frames[-1].start_ps, 0, b"other" * 20)
        bench.watch.frames([other if number == 9 else frames[number] for number in numbers])
        bench.watch.finish()
        return bench.watch.findings.lines()

    return drive(test())


def test_what_is_wrong_with_the_order_of_frames_is_told() -> None:
    lost = "frame-lost: queue 0 has {} frames given to the driver that are not on the wire"
    late = "frame-differs: queue 0 sent a frame behind others that come after it (frame {} of the wire)"
    other = "frame-differs: queue 0 sent 0x6f for {} at byte 0 of a frame of 100 bytes (frame {} of the wire)"
    assert seen(0, 1, 2, 3, 4) == []
    assert seen(0, 3, 4) == [lost.format(2)]
    assert seen(0, 2, 1, 3, 4) == [late.format(3)]
    assert seen(0, 9, 2, 3, 4) == [other.format("0x01", 2)]
    assert seen(0, 9, 1, 2, 3, 4) == [other.format("0x01", 2)]
    assert seen(0, 2, 9, 4) == [other.format("0x03", 3), lost.format(1)]
    assert seen(0, 0, 1, 2, 3, 4)[0].startswith("frame-differs: queue 0 sent 0x00 for 0x01 at byte 0 ")
    assert seen(0, 1, 2, 3, 4, 9) == [
        "frame-unexpected: queue 0 sent a frame that the driver was never given (frame 6 of the wire)"
    ]


def first_name(problems: str) -> str:
    """The first name of a bug in what a replay says, be it a report or the exception that ended it."""
    return next((word for word in re.findall(r"([a-z0-9-]+): ", problems) if word in MEANINGS), "")


def test_a_replays_report_has_the_numbers_of_the_classes() -> None:
    report = replay(ReplayConfig(REAL_MIX, sim="twin", fault="stale-mss"))
    assert report.measured.problems[0].startswith("stale-mss: queue 0 sent ")
    assert "class 14 of docs/bugs.md: MSS context that is out of date" in report.verdict().splitlines()
    assert report.as_json()["classes"] == {"stale-mss": 14}
    assert replay(ReplayConfig(REAL_MIX, sim="twin")).as_json()["bugs"] == []


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"fault": "gremlins"}, "--fault gremlins: no such fault; there are bql-reset-early, "),
        ({"fault": "id-sticks"}, "--fault id-sticks: it is in the twin alone; add --sim twin"),
        ({"fault": "wake-missed", "driver": "x:Y"}, r"--driver|leave --driver away"),
    ],
)
def test_a_fault_that_is_not_there_is_refused(config: dict[str, str], says: str) -> None:
    with pytest.raises(ReplayError, match=says):
        ReplayConfig(Path("in.pcap"), **config)  # type: ignore[arg-type]


@pytest.mark.parametrize("watchdog_ms", [1, 50, 1000, 5000])
def test_a_hang_is_named_whatever_the_watchdog_does_about_it(watchdog_ms: int) -> None:
    """The first reset does not end; a watchdog that is slow comes after the hang was found."""
    problems = failing(sim="twin", fault="hang", watchdog_ms=watchdog_ms)
    assert problems.startswith("BugFound: tx-hang: queue 0 hangs: "), problems


class Halts(Twin):
    """Picks no frame any more, so that it can be reset again and again."""

    def _may_send(self, queue: TwinQueue) -> bool:
        return self.stats[Stat.TX_FRAMES] < 40 and super()._may_send(queue)


def test_a_hang_that_resets_do_not_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAULTS, "halt", Fault("halt", 24, "tx-hang", Where.DEVICE, Halts))
    problems = failing(sim="twin", fault="halt", watchdog_ms=500)
    assert "tx-hang: queue 0 hangs: it has been reset, is not idle, and no frame left for 1000 ms" in problems


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
        bench = on_twin(RingwireDriver, Rule("paused", "", nothing, {"tx_timeout_ms": 60_000}))
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


def test_a_pause_that_outlasts_the_watchdog_is_no_hang() -> None:
    async def test() -> None:
        bench = on_twin(RingwireDriver, Rule("paused", "", nothing, {"tx_timeout_ms": 100}))
        await bench.up()
        for pause_ns in (400_000_000, 2_500_000_000):
            bench.world.flow_control(True)
            for _ in range(40):
                bench.send(Skb(len=1000, data=(bench.bytes(1000),)))
            await bench.world.pause(pause_ns)
            bench.world.flow_control(False)
            await bench.all_done()
        assert bench.txq.trans_timeout > 2
        await bench.close_books()
        assert bench.watch.findings.lines() == []

    drive(test())
