"""Descriptor rings wrap at every phase. Worlds: as each test names them."""

from __future__ import annotations

import pytest

from tests.datapath import ring
from tests.datapath.ring import Phases
from tests.datapath.worlds import FAST, HOSTILE, TWIN, Place, run, worlds

MOST = {"verilator": 9, "icarus": 3, "verilator-hostile": 2, "icarus-hostile": 2, "twin": 9}
"""Descriptors of the largest packet."""


@worlds(*FAST, *HOSTILE, TWIN)
def test_packets_start_and_doorbells_ring_at_every_index_of_a_full_ring(sim: Place) -> None:
    run(sim, ring.every_phase, Phases(MOST[sim.name]), queues=4)


@worlds(*FAST, TWIN)
def test_packets_start_and_doorbells_ring_at_every_index_of_an_empty_ring(sim: Place) -> None:
    run(sim, ring.every_phase, Phases(3, one_at_a_time=True), latency_ns=100)


@worlds("verilator", TWIN)
def test_counters_of_descriptors_and_completions_run_over_on_the_largest_ring(sim: Place) -> None:
    run(sim, ring.largest, 70_000)


@worlds("verilator")
@pytest.mark.parametrize("which", ring.ACROSS_4_GIB)
@pytest.mark.parametrize("data_w", [64, 512])
def test_a_ring_may_lie_across_4_gib(sim: Place, data_w: int, which: str) -> None:
    run(sim, ring.across_4_gib, which, data_w=data_w, **ring.ACROSS_4_GIB[which])
