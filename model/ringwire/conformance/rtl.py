"""Runs a driver through the rules on the RTL: each rule is a run of the simulator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ringwire.conformance.bench import MEMORY_BYTES, Bench
from ringwire.conformance.report import Report, Verdict
from ringwire.conformance.rules import RULES, Rule
from ringwire.conformance.suite import driver_config, driver_of, judge, world_settings
from ringwire.cosim.build import Design
from ringwire.cosim.run import SimulationFailed, run_job
from ringwire.cosim.warm import keep_simulators, shelf
from ringwire.cosim.world import FastWorld, WorldSettings
from ringwire.faults import Fault
from ringwire.rig.plugin import driver_factory, resolved
from ringwire.whose import as_seen_from_here


@dataclass(frozen=True, slots=True)
class Case:
    """One rule for one driver; travels to the simulator's process."""

    driver: str
    """As ``driver_factory`` takes it."""
    rule: Rule
    fault: Fault | None


async def in_simulator(world: FastWorld, case: Case) -> Verdict:
    """A rule as a job of the simulator's process."""
    fault = case.fault
    if fault is not None:
        fault.switch_on(world)

    def take_faults() -> list[tuple[str, int]]:
        taken = [(found.kind, found.addr) for found in world.faults]
        world.faults.clear()
        return taken

    factory = driver_of(driver_factory(case.driver), fault)
    bench = Bench(world, lambda: world.wire, factory, driver_config(case.rule, fault), fault, take_faults)
    verdict = await judge(bench, case.rule)
    take_faults()
    return verdict


def conformance_on_rtl(
    driver: str = "",
    rules: Iterable[Rule] = RULES,
    fault: Fault | None = None,
    sim: str = "verilator",
    data_w: int = 512,
) -> Report:
    """As ``conformance``, for the driver of that name, ringwire's own for an empty one. BuildError without a model."""
    parameters = {} if fault is None else fault.parameters
    design = Design(sim, data_w, parameters=parameters)
    driver = resolved(driver)

    def run(rule: Rule) -> Verdict:
        settings = WorldSettings(memory_bytes=MEMORY_BYTES, **world_settings(rule, fault))
        try:
            verdict = run_job(f"{__name__}.in_simulator", Case(driver, rule, fault), design=design, settings=settings)
        except SimulationFailed as error:
            return Verdict(rule, (), (str(error),))
        assert isinstance(verdict, Verdict)
        return replace(verdict, others=tuple(map(as_seen_from_here, verdict.others)))

    if shelf() is not None:
        return Report(tuple(map(run, rules)))
    with keep_simulators():
        return Report(tuple(map(run, rules)))
