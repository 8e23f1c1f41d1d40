"""Byte queue limits against recorded traces: every step, every field of the state."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import pytest

from ringwire.bql import Dql
from tests.conformance import vectors
from tests.conformance.tally import Tally

FIELDS = {
    "limit",
    "adj_limit",
    "num_queued",
    "num_completed",
    "prev_ovlimit",
    "prev_num_queued",
    "prev_last_obj_cnt",
    "last_obj_cnt",
    "lowest_slack",
    "slack_start_time",
    "avail",
    "stall_cnt",
    "stall_max",
}
KNOBS = {"min_limit": "limit_min", "max_limit": "limit_max", "hold_time": "hold_time", "limit": "limit"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    cases = [
        (stem, scenario["name"], (stem, scenario))
        for stem, document in vectors.load("dql", metafunc.config)
        for scenario in document["scenarios"]
    ]
    vectors.parametrize(metafunc, "stem, scenario", cases)


def test_every_step_leaves_the_recorded_state(stem: str, scenario: dict[str, Any], tally: Tally) -> None:
    unknown = set(scenario["fields"]) - FIELDS
    assert not unknown, f"no model of the fields {sorted(unknown)}"
    jiffies = scenario["init"]["jiffies"]
    dql = Dql(lambda: jiffies, hz=1000, hold_time=scenario["init"]["hold_time"])
    read = attrgetter(*(field for field in scenario["fields"] if field != "avail"))
    place = scenario["fields"].index("avail")

    def state() -> list[int]:
        values = list(read(dql))
        values.insert(place, dql.avail())
        return values

    compare(scenario["fields"], "at the start", scenario["state0"], state())
    for number, (op, expected) in enumerate(scenario["steps"]):
        match op:
            case ["q", count]:
                dql.queued(count)
            case ["q_refused", count]:
                refused = dql.refused
                dql.queued(count)
                assert dql.refused == refused + 1
            case ["c", count]:
                dql.completed(count)
            case ["j", now]:
                jiffies = now
            case ["cfg", "stall_thrs", value]:
                dql.set_stall_thrs(value)
            case ["cfg", knob, value]:
                dql.store(KNOBS[knob], str(value))
            case ["reset"]:
                dql.reset()
            case ["counters", value]:
                dql.num_queued = dql.num_completed = dql.prev_num_queued = value
                dql.adj_limit = (dql.limit + value) % 2**32
            case _:
                pytest.fail(f"step {number}: unknown operation {op}")
        got = state()
        if got != expected:
            compare(scenario["fields"], f"after step {number} {op}", expected, got)
    tally.add(stem, scenarios=1, operations=len(scenario["steps"]))


def compare(fields: list[str], when: str, expected: list[int], got: list[int]) -> None:
    difference = vectors.difference(fields, expected, got)
    assert difference is None, f"{when}: {difference}"
