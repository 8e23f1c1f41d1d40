"""Super-packets leave at the line's rate, without a gap. Worlds: the fast one, on both simulators."""

from __future__ import annotations

from typing import Any

import pytest

from tests.datapath.supers import Supers, back_to_back, most_at_first
from tests.datapath.worlds import Place, run, worlds

RATES = {512: (10**11, 4000), 64: (10**10, 6400)}
"""Width: line rate in bit/s, clock period in ps."""


@worlds("verilator")
@pytest.mark.parametrize("latency_ns", [0, 500, 1000])
@pytest.mark.parametrize("mss", [536, 1448])
@pytest.mark.parametrize(("data_w", "queues"), [(512, 1), (512, 4), (64, 1), (64, 4)])
def test_super_packets_keep_to_the_lines_schedule(
    sim: Place, data_w: int, queues: int, mss: int, latency_ns: int
) -> None:
    rate_bps, period_ps = RATES[data_w]
    load = Supers(mss, rate_bps, queues=queues)
    knobs: dict[str, Any] = {"data_w": data_w, "queues": queues, "latency_ns": latency_ns, "period_ps": period_ps}
    paced = run(sim, back_to_back, load, **knobs)
    assert abs(paced.behind) <= 1
    # a beat of 512 bits holds four descriptors, and frames leave it time for them
    lost = most_at_first(load, data_w // 8, latency_ns * 1000 // period_ps) if data_w == 64 else 0
    assert paced.at_first <= 1 + lost


@worlds("icarus")
@pytest.mark.parametrize("data_w", [64, 512])
def test_a_super_packet_keeps_to_the_lines_schedule(sim: Place, data_w: int) -> None:
    rate_bps, period_ps = RATES[data_w]
    load = Supers(1448, rate_bps, payload=10_000, packets=2)
    paced = run(sim, back_to_back, load, data_w=data_w, period_ps=period_ps)
    assert paced.behind <= 1 and paced.at_first <= 1


@worlds("verilator")
@pytest.mark.parametrize(("mss", "bound"), [(536, 10), (1448, 24)])
def test_a_segment_costs_the_beats_it_has_on_the_wire(sim: Place, mss: int, bound: int) -> None:
    assert run(sim, back_to_back, Supers(mss), latency_ns=1000).cycles <= bound
