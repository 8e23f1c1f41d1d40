"""Runs a driver through the rules on the twin: which it keeps, and which bugs it has."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ringwire.conformance.bench import MEMORY_BYTES, RATE_BPS, Bench, Broken, DriverFactory
from ringwire.conformance.report import Report, Verdict
from ringwire.conformance.rules import RULES, NotAsked, Rule
from ringwire.driver.config import DriverConfig
from ringwire.faults import Fault
from ringwire.host.memory import HostMemory
from ringwire.host.weak_memory import WeakMemory
from ringwire.host.world import drive
from ringwire.nic.twin import Twin, TwinConfig
from ringwire.nic.twin_world import TwinWorld
from ringwire.whose import told


def conformance(factory: DriverFactory, rules: Iterable[Rule] = RULES, fault: Fault | None = None) -> Report:
    """Run a driver through ``rules``, each in a world of its own, with a fault in it if one is given."""
    return Report(tuple(drive(judge(on_twin(factory, rule, fault), rule)) for rule in rules))


def check(factory: DriverFactory) -> None:
    """For tests of a driver's own: AssertionError, with every problem in it, unless it keeps all rules."""
    report = conformance(factory)
    assert report.ok, "\n".join(report.problems)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """The rules have queues reset on purpose; nobody needs to be warned of it."""
    log = logging.getLogger("ringwire.driver")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


async def judge(bench: Bench, rule: Rule) -> Verdict:
    """Run one rule."""
    problems: list[str] = []
    skipped = ""

    async def work() -> None:
        await bench.up()
        await rule.work(bench)

    with _without_warnings():
        for step in (work, bench.close_books):
            try:
                await step()
            except NotAsked as error:
                skipped = str(error)
            except Broken as error:
                problems.append(str(error))
            except SystemExit as error:
                problems.append(f"what ran in this world called exit({error.code!r})")
            except Exception as error:
                bench.watch.findings.blame(error)
                problems.append(" ".join(told(error).split()))
    return Verdict(rule, tuple(bench.watch.findings.ranked()), tuple(problems), skipped)


def on_twin(factory: DriverFactory, rule: Rule, fault: Fault | None = None) -> Bench:
    """A bench for a rule, with the twin as the device."""
    order_ns = world_settings(rule, fault).get("dma_order_ns", 0)
    memory = WeakMemory.create(MEMORY_BYTES, delay_ns=order_ns) if order_ns else HostMemory.create(MEMORY_BYTES)
    world = TwinWorld(TwinConfig(), memory, device=Twin if fault is None else fault.twin)
    return Bench(world, lambda: world.wire, driver_of(factory, fault), driver_config(rule, fault), fault)


def world_settings(rule: Rule, fault: Fault | None) -> dict[str, Any]:
    """Those of :class:`ringwire.cosim.world.WorldSettings` that rule and fault need."""
    return {**rule.world, **({} if fault is None else fault.world)}


def driver_of(factory: DriverFactory, fault: Fault | None) -> DriverFactory:
    """The driver, or the one that has the fault in it."""
    return factory if fault is None or fault.driver is None else fault.driver


def driver_config(rule: Rule, fault: Fault | None) -> DriverConfig:
    """Settings of the driver that rule and fault need."""
    settings: dict[str, Any] = {"line_rate_bps": RATE_BPS, "read_latency_ns": 500, **rule.config}
    return DriverConfig(**(settings if fault is None else {**settings, **fault.config}))
