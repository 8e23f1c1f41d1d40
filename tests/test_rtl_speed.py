"""Cycles a packet, doorbell to wire, and what a frame costs to simulate. Worlds: the fast one, on both simulators."""

from __future__ import annotations

import pytest

from tests.datapath import timing
from tests.datapath.timing import Load
from tests.datapath.worlds import FAST, Place, run, worlds

LATENCIES = pytest.mark.parametrize("latency_ns", [0, 1000], ids=["0us", "1us"])


@worlds(*FAST)
@LATENCIES
@pytest.mark.parametrize(("length", "bound"), [(60, 2.5), (1514, 26)])
def test_cycles_a_packet_of_a_full_ring_stay_within_bounds(
    sim: Place, length: int, bound: float, latency_ns: int
) -> None:
    frames = 1023 if sim == "verilator" else 100
    cycles = run(sim, timing.cycles_per_packet, Load(length, frames), latency_ns=latency_ns)
    assert cycles <= bound, f"{cycles} cycles a packet of {length} bytes"


@worlds("verilator")
@LATENCIES
@pytest.mark.parametrize(("length", "bound"), [(60, 2.5), (1514, 26)])
def test_cycles_a_packet_stay_within_bounds_while_the_ring_is_refilled(
    sim: Place, length: int, bound: float, latency_ns: int
) -> None:
    cycles = run(sim, timing.cycles_per_packet, Load(length, 5000), latency_ns=latency_ns)
    assert cycles <= bound, f"{cycles} cycles a packet of {length} bytes"


@worlds(*FAST)
def test_a_doorbell_reaches_the_wire_within_40_cycles(sim: Place) -> None:
    cycles = run(sim, timing.doorbell_to_wire, 60, latency_ns=0)
    assert cycles <= 40, f"{cycles} cycles"


@worlds(*FAST)
@LATENCIES
@pytest.mark.parametrize(("data_w", "bound"), [(512, 100), (64, 450)])
def test_edges_simulated_for_a_frame_stay_within_bounds(sim: Place, data_w: int, bound: int, latency_ns: int) -> None:
    frames = 100 if sim == "verilator" else 20
    loads = [Load(1514, frames, rate_bps=rate_bps) for rate_bps in (10**9, 5 * 10**6)]
    edges = run(sim, timing.edges_per_frame, loads, data_w=data_w, latency_ns=latency_ns)
    assert max(edges) <= bound, f"{edges} clock edges a frame at 1 Gb/s and 5 Mb/s"
