"""A device that breaks a rule of its buses ends the run, in both simulators, with a line that names the rule."""

from __future__ import annotations

import pytest

from ringwire.cosim.build import SIMULATORS
from ringwire.cosim.run import SimulationFailed
from tests import cosim_jobs as puppet

Steps = list[tuple[str, tuple[int, ...]]]


FULL_OF_WRITES: Steps = [("read", (0,)), ("pause", (101_000,)), *[("write", (0,))] * 260]
"""More writes than memory has answered, so that the next one waits."""
FILL: Steps = [("read", (0, 64, 4)), ("pause", (3_000,))]
"""Gives the puppet bytes to send and to write."""


def breaking(rule: int, *steps: tuple[str, tuple[int, ...]]) -> Steps:
    return [("set", (puppet.BREAK, rule)), *steps]


READ: tuple[str, tuple[int, ...]] = ("read", (0, 4, 4))
WRITE: tuple[str, tuple[int, ...]] = ("write", (0, 4))
FRAME: tuple[str, tuple[int, ...]] = ("frame", (200,))
LAST_BEAT_OF_PAGE = 4096 - 64

RULES: dict[str, Steps] = {
    "axi_ar_stable": breaking(puppet.AR_CHANGES, READ),
    "axi_ar_page": [("read", (LAST_BEAT_OF_PAGE, 2))],
    "axi_ar_size": breaking(puppet.AR_SIZE, READ),
    "axi_ar_burst": breaking(puppet.AR_BURST, READ),
    "axi_ar_lock": breaking(puppet.AR_LOCK, READ),
    "axi_aw_lock": breaking(puppet.AW_LOCK, WRITE),
    "axi_rready": breaking(puppet.RREADY_FALLS, READ),
    "axi_aw_stable": FULL_OF_WRITES + breaking(puppet.AW_CHANGES),
    "axi_aw_page": [("write", (LAST_BEAT_OF_PAGE, 2))],
    "axi_aw_size": breaking(puppet.AW_SIZE, WRITE),
    "axi_aw_burst": breaking(puppet.AW_BURST, WRITE),
    "axi_w_matched": breaking(puppet.W_EARLY, WRITE),
    "axi_w_last": breaking(puppet.W_LAST, WRITE),
    "axis_no_gap": breaking(puppet.TVALID_FALLS, FRAME),
    "axis_keep": breaking(puppet.TKEEP_HOLE, FRAME),
    "axis_partial": breaking(puppet.TKEEP_PARTIAL, FRAME),
    "axis_error": breaking(puppet.TUSER_ERROR, FRAME),
    "axis_user": breaking(puppet.TUSER_CHANGES, FRAME),
    "axis_runt": [("frame", (59,))],
    "axis_long": [("frame", (16645,))],
    "axil_b_matched": breaking(puppet.B_STRAY),
    "axil_r_matched": breaking(puppet.R_STRAY),
}
UNKNOWNS: dict[str, Steps] = {
    "axis_data_known": breaking(puppet.UNKNOWN_DATA, FRAME),
    "axis_known": breaking(puppet.UNKNOWN_VALID),
    "axil_b_matched": breaking(puppet.B_UNKNOWN),
    "axi_w_known": [WRITE],  # of a buffer that nothing was read into
}


@pytest.mark.parametrize("sim", SIMULATORS)
@pytest.mark.parametrize("rule", RULES)
def test_a_broken_rule_fails_the_run_by_name(sim: str, rule: str) -> None:
    latency_ns = 100_000 if rule == "axi_aw_stable" else 100
    steps = FILL + RULES[rule] if rule.startswith("axis_") else RULES[rule]
    heard: list[str] = []
    with pytest.raises(SimulationFailed, match=rf"CHECK \S*{rule}: .* at \d+ ps"):
        puppet.on_puppet(sim, puppet.break_rule, steps, max_reads=1, latency_ns=latency_ns, progress=heard.append)
    assert heard == [], "the run went on behind the broken rule"


@pytest.mark.parametrize("rule", UNKNOWNS)
def test_unknown_bits_on_a_bus_fail_the_run_where_the_simulator_knows_them(rule: str) -> None:
    with pytest.raises(SimulationFailed, match=rf"CHECK \S*{rule}: .* at \d+ ps"):
        puppet.on_puppet("icarus", puppet.break_rule, UNKNOWNS[rule])


@pytest.mark.parametrize("sim", SIMULATORS)
def test_the_largest_legal_burst_and_frame_pass_every_checker(sim: str) -> None:
    steps: Steps = [*FILL, ("write", (0, 64)), ("frame", (60,)), ("pause", (1_000,)), ("frame", (16644,))]
    puppet.on_puppet(sim, puppet.break_rule, steps)
