"""Cycles a packet, doorbell to wire, and what a frame costs to simulate. Worlds: the fast one, on both simulators."""

from __future__ import annotations

import pytest

from scripts.sim import ROOT
from tests.datapath import stages, timing
from tests.datapath.stages import STAGES
from tests.datapath.timing import Load, Single
from tests.datapath.worlds import FAST, Place, run, worlds

LATENCIES = pytest.mark.parametrize("latency_ns", [0, 1000], ids=["0us", "1us"])


@worlds("icarus")
@LATENCIES
@pytest.mark.parametrize(("length", "bound"), [(60, 1.5), (1514, 24.5)])
def test_cycles_a_packet_of_a_full_ring_stay_within_bounds(
    sim: Place, length: int, bound: float, latency_ns: int
) -> None:
    """On Verilator tests/test_rtl_rates.py knows more of it."""
    cycles = run(sim, timing.cycles_per_packet, Load(length, 100), latency_ns=latency_ns)
    assert cycles <= bound, f"{cycles} cycles a packet of {length} bytes"


@worlds(*FAST)
def test_a_doorbell_reaches_the_wire_within_40_cycles(sim: Place) -> None:
    cycles = run(sim, timing.doorbell_to_wire, 60, latency_ns=0)
    assert cycles <= 40, f"{cycles} cycles"


@worlds("icarus")
def test_each_stage_takes_the_cycles_that_the_documents_say(sim: Place) -> None:
    page = (ROOT / "docs" / "performance.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[1:4]] for line in page.splitlines()]
    written = {row[0]: (row[1], row[2]) for row in rows if row[0:1] and row[0] in dict(STAGES)}
    wide, narrow = (run(sim, stages.account, 60, data_w=data_w, latency_ns=0) for data_w in (512, 64))
    assert written == {name: (str(wide[name]), str(narrow[name])) for name, _ in STAGES}


@worlds(*FAST)
@pytest.mark.parametrize("data_w", [512, 64])
@pytest.mark.parametrize("single", [Single(60), Single(1514), Single(1514, 10**9)], ids=str)
def test_a_frame_s_end_reaches_the_host_within_20_cycles(sim: Place, single: Single, data_w: int) -> None:
    assert run(sim, timing.wire_to_interrupt, single, data_w=data_w, latency_ns=0) <= 20
    late = run(sim, timing.wire_to_interrupt, single, data_w=data_w, latency_ns=1_000)
    assert late <= 20 + 250


@worlds(*FAST)
@LATENCIES
@pytest.mark.parametrize(("data_w", "bound"), [(512, 80), (64, 450)])
def test_edges_simulated_for_a_frame_stay_within_bounds(sim: Place, data_w: int, bound: int, latency_ns: int) -> None:
    frames = 100 if sim == "verilator" else 20
    loads = [Load(1514, frames, rate_bps=rate_bps) for rate_bps in (10**9, 5 * 10**6)]
    edges = run(sim, timing.edges_per_frame, loads, data_w=data_w, latency_ns=latency_ns)
    assert max(edges) <= bound, f"{edges} clock edges a frame at 1 Gb/s and 5 Mb/s"
