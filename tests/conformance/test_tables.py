"""Small functions against recorded tables: every row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ringwire.netdev import reciprocal_scale
from ringwire.packet import tos_to_priority
from tests.conformance import vectors
from tests.conformance.tally import Tally

SUBJECTS: dict[str, Callable[..., int]] = {
    "tos_to_priority": tos_to_priority,
    "reciprocal_scale": reciprocal_scale,
}
"""Table name: the function whose arguments are a row but its last field, and whose result is that."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    cases = []
    for stem, document in vectors.load("tables", metafunc.config):
        for name, table in document["tables"].items():
            if name in SUBJECTS:
                cases.append((stem, name, (stem, name, table)))
            else:
                vectors.leave_out(metafunc.config, stem, name, "no model of this table's subject")
    vectors.parametrize(metafunc, "stem, name, table", cases)


def test_every_row_gives_the_recorded_result(stem: str, name: str, table: dict[str, Any], tally: Tally) -> None:
    for number, (*arguments, expected) in enumerate(table["rows"]):
        got = SUBJECTS[name](*arguments)
        assert got == expected, f"row {number} {arguments}: {table['fields'][-1]}: {expected=}, {got=}"
    tally.add(stem, scenarios=1, operations=len(table["rows"]))
