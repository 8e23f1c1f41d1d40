"""The RTL and its twin agree on offloads: bytes, order, completions, counters."""

from __future__ import annotations

from typing import Any

import pytest

from tests.control import offload_mix
from tests.control.bench import same
from tests.control.offload_mix import Mix
from tests.datapath.worlds import TWIN, Place, place, run, seed, worlds

WIDTHS = pytest.mark.parametrize("width", [64, 128, 256, 512])


@worlds("verilator")
@WIDTHS
@pytest.mark.parametrize("number", range(4))
def test_any_mix_of_requests_has_the_same_outcome_on_rtl_and_twin(sim: Place, width: int, number: int) -> None:
    agree(sim, width, Mix(100 * seed() + number))


@worlds("verilator")
@pytest.mark.parametrize("width", [64, 512])
def test_a_memory_that_takes_a_read_at_a_time_changes_nothing_but_the_pace(sim: Place, width: int) -> None:
    agree(sim, width, Mix(100 * seed(), packets=30), max_reads=1)


@worlds("icarus")
@WIDTHS
def test_a_short_mix_of_requests_has_the_same_outcome_on_rtl_and_twin(sim: Place, width: int) -> None:
    agree(sim, width, Mix(100 * seed(), packets=4))


def agree(sim: Place, width: int, config: Mix, max_reads: int = 512) -> None:
    """Run a mix on both and compare all that is recorded."""
    knobs: dict[str, Any] = {"queues": 4, "data_w": width, "max_reads": max_reads}
    rtl, twins = (run(where, offload_mix.record, config, **knobs) for where in (sim, place(TWIN)))
    same(rtl, twins, f"RTL against the twin, mix {config.seed}: ")
