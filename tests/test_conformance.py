"""The conformance suite: what it says of drivers, good and bad, and how it is run."""

from __future__ import annotations

import ast
import inspect
import json
import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from examples import minimal_driver
from examples.minimal_driver import MinimalDriver
from ringwire.cli import cli
from ringwire.conformance import RULES, check, conformance
from ringwire.driver.config import WAKE_FREE, DriverConfig
from ringwire.driver.port import DevicePort
from ringwire.driver.ringwire import RingwireDriver
from ringwire.faults import FAULTS
from ringwire.host.napi import Napi
from ringwire.netdev import NETDEV_TX_OK, NetDevice, TxQueue
from ringwire.nic.registers import queue_register
from ringwire.skb import Skb

EXAMPLE = "examples.minimal_driver:MinimalDriver"


def test_the_example_keeps_every_rule_but_has_no_reset() -> None:
    check(MinimalDriver)
    outcomes = {verdict.rule.name: verdict.outcome for verdict in conformance(MinimalDriver).verdicts}
    assert [name for name, outcome in outcomes.items() if outcome != "kept"] == ["reset"]


def test_the_example_is_short() -> None:
    """Some eighty lines of code: without blank lines, docstrings and imports."""
    tree = ast.parse(Path(minimal_driver.__file__).read_text())
    lines = {
        number
        for node in ast.walk(tree)
        if isinstance(node, ast.stmt) and not isinstance(node, ast.ImportFrom | ast.ClassDef | ast.FunctionDef)
        for number in range(node.lineno, (node.end_lineno or 0) + 1)
        if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    }
    functions = sum(isinstance(node, ast.ClassDef | ast.FunctionDef) for node in ast.walk(tree))
    assert len(lines) + functions <= 80


class UsesAllEntries(MinimalDriver):
    """Fills the ring to its last descriptor, so that the tail comes to where it was."""

    def open(self) -> None:
        super().open()
        self.free += 1

    def ndo_start_xmit(self, skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        rc = super().ndo_start_xmit(skb, txq, True)
        txq.start()  # on to the last entry
        if self.free == 0 or not xmit_more:
            txq.stop()
            self.rung = -1
            self.doorbell()
        return rc


class FreesTwice(MinimalDriver):
    """Frees a packet when it is sent, and when it is reported."""

    def ndo_start_xmit(self, skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        rc = super().ndo_start_xmit(skb, txq, xmit_more)
        if rc == NETDEV_TX_OK and self.tail == 20:
            skb.free()
        return rc


class SpinsWhenBusy(MinimalDriver):
    """Is busy without having stopped the queue."""

    def ndo_start_xmit(self, skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        rc = super().ndo_start_xmit(skb, txq, xmit_more)
        txq.start()
        return rc


class NeverArms(MinimalDriver):
    """Has one interrupt and no other."""

    def poll(self, budget: int) -> int:
        port, self.port = self.port, Deaf(self.port)  # type: ignore[assignment]
        done = super().poll(budget)
        self.port = port
        return done


class NeverDone(MinimalDriver):
    """Returns the budget, whatever it has done, and waits for no interrupt."""

    def poll(self, budget: int) -> int:
        napi, self.napi = self.napi, Napi(self.port, self.poll)
        super().poll(budget)
        self.napi = napi
        return budget


class Spins(NeverDone):
    """The same, and no time passes."""

    def poll(self, budget: int) -> int:
        port, self.port = self.port, Mute(self.port)  # type: ignore[assignment]
        super().poll(budget)
        self.port = port
        return budget


class PollsAgain(MinimalDriver):
    """Schedules its next poll as soon as one is done."""

    def poll(self, budget: int) -> int:
        done = super().poll(budget)
        self.napi.schedule()
        return done


class Storms(MinimalDriver):
    """Arms for one completion less than it has taken, so that the device interrupts at once."""

    def poll(self, budget: int) -> int:
        port, self.port = self.port, Behind(self.port)  # type: ignore[assignment]
        done = super().poll(budget)
        self.port = port
        return done


class Behind:
    """A port on which the last completion is kept back."""

    def __init__(self, port: DevicePort) -> None:
        self.memory, self._port = port.memory, port

    def write(self, register: int, value: int) -> None:
        self._port.write(register, value - 1)


class Mute:
    """A port on which nothing is written."""

    def __init__(self, port: DevicePort) -> None:
        self.memory = port.memory

    def write(self, register: int, value: int) -> None: ...


class Deaf:
    """A port on which arming is mere consuming."""

    def __init__(self, port: DevicePort) -> None:
        self.memory, self._port = port.memory, port

    def write(self, register: int, value: int) -> None:
        if register == queue_register("CPL_ARM", 0):
            register = queue_register("CPL_CONSUMED", 0)
        self._port.write(register, value)


class NeverWakes(MinimalDriver):
    """Cleans up and leaves the queue stopped."""

    def poll(self, budget: int) -> int:
        was_stopped = self.txq.stopped
        done = super().poll(budget)
        if was_stopped and self.free >= WAKE_FREE:
            self.txq.stop()
        return done


class ForgetsBytes(MinimalDriver):
    """Tells byte queue limits of nothing that it has sent."""

    def poll(self, budget: int) -> int:
        completed, TxQueue.completed = TxQueue.completed, lambda *_: None  # type: ignore[method-assign]
        try:
            return super().poll(budget)
        finally:
            TxQueue.completed = completed  # type: ignore[method-assign]


class Defaults(MinimalDriver):
    """A ring of 64 entries, of which it does not tell the device: it is the default."""

    def __init__(self, port: DevicePort, dev: NetDevice, config: DriverConfig) -> None:
        super().__init__(Untold(port), dev, replace(config, ring_entries=64))


class Untold:
    """A port that keeps the rings' size to itself."""

    def __init__(self, port: DevicePort) -> None:
        self.port = port

    def __getattr__(self, name: str) -> Any:
        return getattr(self.port, name)

    def write(self, register: int, value: int) -> None:
        if register != queue_register("RING_LOG2", 0):
            self.port.write(register, value)


class NoBarrier(MinimalDriver):
    """Rings, and what the doorbell tells of may still be on its way."""

    def doorbell(self) -> None:
        if self.rung != self.tail:
            self.rung = self.tail
            self.port.write(queue_register("TAIL", 0), self.tail)


class DropsLong(MinimalDriver):
    """Has no use for packets of more than 1000 bytes."""

    def ndo_start_xmit(self, skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        if skb.len <= 1000:
            return super().ndo_start_xmit(skb, txq, xmit_more)
        txq.dev.drop(skb)
        if not xmit_more:
            self.doorbell()
        return NETDEV_TX_OK


class FreesLong(DropsLong):
    """The same, and says nothing of it."""

    def ndo_start_xmit(self, skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        if skb.len <= 1000:
            return super().ndo_start_xmit(skb, txq, xmit_more)
        skb.free()
        if not xmit_more:
            self.doorbell()
        return NETDEV_TX_OK


def test_a_driver_must_send_what_it_is_given() -> None:
    report = conformance(DropsLong)
    broken = {verdict.rule.name: verdict.problems for verdict in report.verdicts if verdict.outcome == "broken"}
    assert broken["every-length"] == [
        "dropped 7 packets of 1513 to 9014 bytes that must be sent",
    ]
    assert broken["priorities"] == ["dropped 60 packets of 1514 bytes that must be sent"]
    assert {"in-order", "fragments", "ring-wrap", "offloads", "many-buffers", "large-buffers"} < broken.keys()
    assert not {"batches", "last-dropped", "error-completion", "time-stamps"} & broken.keys()


class NeverSplits(MinimalDriver):
    """Maps each fragment as it is, of which a descriptor can name 16 KiB."""

    def ndo_start_xmit(self, skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(minimal_driver, "MAX_BUFFER", 1 << 20)
            return super().ndo_start_xmit(skb, txq, xmit_more)


class OfOneBuffer(NeverSplits):
    """The same, and says that its frames are small."""

    def __init__(self, port: DevicePort, dev: NetDevice, config: DriverConfig) -> None:
        super().__init__(port, dev, config)
        dev.max_mtu = 9000


def test_large_buffers_are_tried_without_segmentation_too() -> None:
    large = [rule for rule in RULES if rule.name == "large-buffers"]
    (verdict,) = conformance(NeverSplits, large).verdicts
    assert verdict.outcome == "broken" and "16385" in verdict.problems[-1], verdict.problems
    (verdict,) = conformance(OfOneBuffer, large).verdicts
    assert verdict.outcome == "skipped"
    assert verdict.skipped.startswith("no segmentation, and no MTU of 16626: mtu: ")


class DropsAtReset(RingwireDriver):
    """Has a reset's victims counted as dropped."""

    def ndo_tx_timeout(self, txq: TxQueue) -> None:
        super().ndo_tx_timeout(txq)
        self._dev.carrier_off()
        self._dev.carrier_on()


def test_what_a_reset_comes_over_may_be_dropped() -> None:
    assert conformance(DropsAtReset, [rule for rule in RULES if rule.name == "reset"]).problems == []


def test_a_driver_may_rely_on_the_default_size_of_the_rings() -> None:
    assert conformance(Defaults).problems == []
    fault = FAULTS["tail-not-wrapped"]
    assert fault.says in conformance(Defaults, RULES[:1], fault).bugs


class NeverUp(MinimalDriver):
    def open(self) -> None: ...


class Slips(MinimalDriver):
    def open(self) -> None:
        dict[str, int]()["oops"]


def test_an_exception_of_a_driver_is_named_with_file_and_line() -> None:
    (verdict,) = conformance(Slips, RULES[:1]).verdicts
    line = inspect.getsourcelines(Slips)[1] + 2
    assert verdict.others == (f"KeyError: 'oops' (tests/test_conformance.py, line {line}, in open)",)


def test_a_driver_that_fails_is_blamed_and_warnings_are_as_before() -> None:
    level = logging.getLogger("ringwire.driver").level
    report = conformance(NeverUp, RULES[:2])
    assert [verdict.outcome for verdict in report.verdicts] == ["broken", "broken"]
    assert all("for the driver to be up" in line for line in report.problems)
    assert logging.getLogger("ringwire.driver").level == level


@pytest.mark.parametrize(
    ("driver", "rule", "says"),
    [
        (UsesAllEntries, "busy-stack", "ring-overrun: queue 0 rang for index "),
        (FreesTwice, "in-order", "skb-twice: queue 0 freed packet 19 a second time"),
        (SpinsWhenBusy, "full-ring", "busy-not-stopped: "),
        (NeverArms, "in-order", "not-armed: queue 0 has "),
        (NeverWakes, "busy-stack", "lost-wakeup: queue 0 is stopped with an empty ring"),
        (NoBarrier, "dma-order", "barrier-missing: queue 0 rang for index "),
        (ForgetsBytes, "byte-limits", "bql-stuck: queue 0 is stopped by byte queue limits"),
        (NeverDone, "quiet", "poll-endless: NeverDone.poll took nothing 100 times in a row and was called again"),
        (Spins, "quiet", "poll-endless: Spins.poll took nothing 100 times in a row and was called again at once"),
        (PollsAgain, "quiet", "poll-endless: PollsAgain.poll took nothing 100 times in a row"),
        (Storms, "quiet", " interrupts in 1 ms with nothing left to do"),
        (FreesLong, "every-length", "frame-lost: queue 0 has 7 frames given to the driver that are not on the wire"),
    ],
)
def test_a_broken_driver_fails_the_right_rule(driver: type[MinimalDriver], rule: str, says: str) -> None:
    report = conformance(driver)
    assert not report.ok
    found = next(verdict for verdict in report.verdicts if verdict.rule.name == rule)
    assert says in "\n".join(found.problems), report.problems


def test_the_page_gives_no_number_of_rules_that_would_grow_old() -> None:
    page = (Path(minimal_driver.__file__).parent.parent / "docs" / "driver.md").read_text()
    assert "ringwire conformance mine.py:Mine" in page and not re.search(r"\d+ rules", page)


# -- the command


def test_the_command_says_which_rules_are_kept() -> None:
    result = CliRunner().invoke(cli, ["conformance", EXAMPLE])
    assert result.exit_code == 0
    assert "kept    in-order " in result.output and "skipped reset " in result.output


def test_the_command_fails_for_a_driver_that_has_a_bug_and_names_it() -> None:
    result = CliRunner().invoke(cli, ["conformance", f"{__name__}:FreesTwice", "--json"])
    assert result.exit_code == 1
    report = json.loads(result.output)
    assert report["verdict"] == "failed" and "skb-twice" in report["bugs"]
    assert [rule["rule"] for rule in report["rules"]] == [rule.name for rule in RULES]


def test_ringwires_own_driver_is_judged_with_a_fault_in_it() -> None:
    result = CliRunner().invoke(cli, ["conformance", "--fault", "unmap-twice"])
    assert result.exit_code == 1 and "unmap-twice: unmap of 0x" in result.output


def test_the_command_judges_on_the_rtl_too() -> None:
    result = CliRunner().invoke(cli, ["conformance", "--sim", "icarus", "--fault", "id-sticks"])
    assert "id-sticks: it is in the twin alone" in str(result.exception)


def test_the_faults_are_listed() -> None:
    for command in ("replay", "conformance"):
        result = CliRunner().invoke(cli, [command, "--fault", "list"])
        assert result.exit_code == 0 and "bql-reset-early " in result.output


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere:Driver"], "No module named 'nowhere'"),
        (["tests.test_driver_plugin:Careless"], "ValueError: no such chip"),
        (["tests.test_driver_plugin:Unfinished"], "Unfinished has no up, open, ndo_start_xmit, describe"),
        (["--fault", "id-sticks", "--sim", "icarus"], "--fault id-sticks: it is in the twin alone; add --sim twin"),
        (["--fault", "gremlins"], "--fault gremlins: no such fault"),
        ([EXAMPLE, "--fault", "wake-missed"], "it is in ringwire's own driver"),
    ],
)
def test_what_can_not_be_judged_is_refused(words: list[str], says: str) -> None:
    result = CliRunner().invoke(cli, ["conformance", *words])
    assert says in str(result.exception)
