"""Super-packets leave at the line's rate, without a gap. Worlds: the fast one, on both simulators."""

from __future__ import annotations

import pytest

from tests.datapath.supers import Supers, back_to_back
from tests.datapath.worlds import Place, run, worlds

RATES = {512: (10**11, 4000), 64: (10**10, 6400)}
"""Width: line rate in bit/s, clock period in ps."""


@worlds("verilator")
@pytest.mark.parametrize("latency_ns", [0, 1000])
@pytest.mark.parametrize("mss", [536, 1448])
@pytest.mark.parametrize(("data_w", "queues"), [(512, 1), (512, 4), (64, 1)])
def test_super_packets_keep_to_the_lines_schedule(
    sim: Place, data_w: int, queues: int, mss: int, latency_ns: int
) -> None:
    rate_bps, period_ps = RATES[data_w]
    load = Supers(mss, rate_bps, queues=queues)
    behind, _ = run(sim, back_to_back, load, data_w=data_w, queues=queues, latency_ns=latency_ns, period_ps=period_ps)
    assert behind <= 1, f"{behind} cycles behind"


@worlds("icarus")
@pytest.mark.parametrize("data_w", [64, 512])
def test_a_super_packet_keeps_to_the_lines_schedule(sim: Place, data_w: int) -> None:
    rate_bps, period_ps = RATES[data_w]
    load = Supers(1448, rate_bps, payload=10_000, packets=2)
    behind, _ = run(sim, back_to_back, load, data_w=data_w, period_ps=period_ps)
    assert behind <= 1, f"{behind} cycles behind"


@worlds("verilator")
@pytest.mark.parametrize(("mss", "bound"), [(536, 10), (1448, 24)])
def test_a_segment_costs_the_beats_it_has_on_the_wire(sim: Place, mss: int, bound: int) -> None:
    _, cycles = run(sim, back_to_back, Supers(mss), latency_ns=1000)
    assert cycles <= bound, f"{cycles} cycles a segment"
