"""``make coverage``'s reader of what Verilator writes."""

from __future__ import annotations

from collections import Counter

from scripts.coverage import Point, left_out, lines, of_any_copy, points, share


def written(kind: str, line: int, count: int, what: str = "", more: str = "") -> str:
    fields = f"\1f\2/anywhere/rtl/rw_fifo.sv\1l\2{line}\1n\x027\1t\2{kind}\1o\2{what}{more}\1h\2top.fifo"
    return f"C '{fields}' {count}\n"


def test_a_block_counts_for_each_of_its_lines_and_instances_add_up() -> None:
    text = "# SystemC::Coverage-3\n" + written("line", 3, 4, "block", "\1S\x023,5-6") + written("line", 5, 0, "else")
    found: Counter[Point] = Counter()
    for point, count in points(text + text):
        found[point] += count
    assert found == {Point("rw_fifo.sv", line, "line", ""): 8 for line in (3, 5, 6)}


def test_sides_of_a_branch_and_values_of_an_expression_are_apart() -> None:
    text = written("branch", 8, 2, "if") + written("branch", 8, 0, "else") + written("expr", 9, 1, "(a==1) => 1")
    found = dict(points(text))
    assert found[Point("rw_fifo.sv", 8, "branch", "else (column 7)")] == 0
    assert found[Point("rw_fifo.sv", 9, "expr", "(a==1) => 1 (column 7)")] == 1


def test_what_is_not_the_device_is_left_out() -> None:
    assert not list(points(written("line", 3, 4).replace("/rtl/", "/tb/")))


def test_shares_and_checks() -> None:
    assert list(lines("3,7-9")) == [3, 7, 8, 9]
    assert share([1, 0, 5, 0]) == 50 and share([]) == 100
    assert {file for file, _ in left_out()} >= {"rw_fifo.sv", "rw_pacer.sv", "rw_csr.sv"}


def test_what_a_copy_of_a_loop_reaches_counts_for_all() -> None:
    assert of_any_copy("(run[3]==1 && on[3]==0) => 0", "may[q] = run[q] && on[q]") == "(run[k]==1 && on[k]==0) => 0"
    assert of_any_copy("(off[1]==0) => 0", "off[1] && off[2]") == "(off[1]==0) => 0"
    assert of_any_copy("((count_reg[4'h0]) != 5'h0)==1", "count_reg[q] != '0") == "((count_reg[k]) != 0)==1"
    assert of_any_copy("((sel_reg != 32'sh4)==0) => 0", "sel_reg != q") == "((sel_reg != k)==0) => 0"
