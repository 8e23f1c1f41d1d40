"""The two worlds keep the same promises: one programme of cocotb tests runs in both, on both simulators."""

from __future__ import annotations

import pytest

from ringwire.cosim.run import SimulationFailed
from tests import cosim_jobs as puppet
from tests.sim import SIMULATORS, WORLDS, cocotb_tests, run_module

MODULE = "tb.tests.test_world"
STABLE = {
    "axi_ar_stable": puppet.AR_CHANGES,
    "axi_aw_stable": puppet.AW_CHANGES,
    "axi_w_stable": puppet.W_CHANGES,
    "axis_stable": puppet.TDATA_CHANGES,
}


@pytest.mark.parametrize("sim", SIMULATORS)
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("test", cocotb_tests(MODULE))
def test_world(sim: str, world: str, test: str) -> None:
    run_module(MODULE, test, sim=sim, world=world, rtl=puppet.PUPPET, limit_s=120)


@pytest.mark.parametrize("sim", SIMULATORS)
@pytest.mark.parametrize("world", WORLDS)
def test_one_simulator_runs_several_tests_each_from_reset(sim: str, world: str) -> None:
    run_module(MODULE, sim=sim, world=world, data_w=64, rtl=puppet.PUPPET, limit_s=240)


@pytest.mark.parametrize("sim", SIMULATORS)
@pytest.mark.parametrize("rule", STABLE)
def test_what_changes_while_a_hostile_bus_stalls_fails_the_run(sim: str, rule: str) -> None:
    environment = {"RINGWIRE_BROKEN_RULE": str(STABLE[rule])}
    with pytest.raises(SimulationFailed, match=rf"CHECK {rule}: .* at \d+ ps"):
        run_module("tb.tests.breaking", sim=sim, world="hostile", rtl=puppet.PUPPET, environment=environment)


def test_a_modules_tests_are_found_without_importing_it() -> None:
    assert cocotb_tests("tb.tests.breaking") == ["test_break_a_rule"]
    with pytest.raises(ValueError, match=r"no @cocotb\.test"):
        cocotb_tests("tb.worlds")
