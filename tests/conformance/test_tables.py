"""Small functions against recorded tables: every row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ringwire.netdev import reciprocal_scale
from ringwire.packet import tos_to_priority
from ringwire.qdisc import codel_law, psched
from ringwire.transport import pacing
from tests.conformance import vectors
from tests.conformance.tally import Tally

SUBJECTS: dict[str, tuple[Callable[..., Any], int]] = {
    "codel_inv_sqrt": (codel_law.pace, 2),
    "psched_l2t_ns": (psched.l2t_ns, 3),
    "tos_to_priority": (tos_to_priority, 1),
    "reciprocal_scale": (reciprocal_scale, 1),
    "tcp_tso_autosize": (pacing.tso_autosize, 1),
    "tcp_small_queue_check": (pacing.small_queue_throttled, 1),
    "tcp_update_pacing_rate": (pacing.pacing_rate_of, 1),
}
"""Table name: a function, and how many fields at the end of a row are its result; the others are its arguments."""


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
    function, results = SUBJECTS[name]
    for number, row in enumerate(table["rows"]):
        arguments, expected = row[:-results], row[-results:]
        given = function(*arguments)
        got = list(given) if isinstance(given, tuple) else [given]
        assert got == expected, f"row {number} {arguments}: {table['fields'][-results:]}: {expected=}, {got=}"
    tally.add(stem, scenarios=1, operations=len(table["rows"]))
