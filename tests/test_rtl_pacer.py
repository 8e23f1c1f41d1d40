"""The pacer's schedule is exact. Worlds: as each test names them."""

from __future__ import annotations

import pytest

from tests.control.bench import same
from tests.datapath import pacing
from tests.datapath.pacing import Rates
from tests.datapath.worlds import FAST, TWIN, Place, run, worlds

MBIT, GBIT = 10**6, 10**9
SLOW = (MBIT, 5 * MBIT, GBIT)
CLOCKS = {"250 MHz": (4000, 100 * GBIT), "156.25 MHz": (6400, 40 * GBIT), "322.27 MHz": (3103, 100 * GBIT)}
"""Period in ps and fastest rate that 512 bits can sustain; the last is 322.265625 MHz on a grid of picoseconds."""
EACH_CLOCK = pytest.mark.parametrize("clock", CLOCKS)
FRAMES = {"verilator": 60, "icarus": 10, "twin": 60}
"""At each rate."""


@worlds(*FAST, TWIN)
@EACH_CLOCK
def test_a_backlogged_wire_keeps_its_exact_schedule_at_any_rate(sim: Place, clock: str) -> None:
    period_ps, fastest = CLOCKS[clock]
    rates = Rates((*SLOW, 10 * GBIT, 25 * GBIT, fastest), FRAMES[sim])
    run(sim, pacing.schedule, rates, period_ps=period_ps, latency_ns=0)


@worlds(*FAST)
def test_a_backlogged_wire_keeps_its_exact_schedule_on_a_narrow_bus(sim: Place) -> None:
    rates = Rates((*SLOW, 10 * GBIT), FRAMES[sim], beat_bytes=8)
    run(sim, pacing.schedule, rates, data_w=64, period_ps=6400, latency_ns=0)


@worlds("verilator", TWIN)
@pytest.mark.parametrize("latency_ns", [0, 1_000])
@pytest.mark.parametrize(("data_w", "period_ps", "rate"), [(64, 6400, 10 * GBIT), (512, 4000, 100 * GBIT)])
def test_what_the_driver_lets_be_committed_is_enough_for_the_wire(
    sim: Place, data_w: int, period_ps: int, rate: int, latency_ns: int
) -> None:
    rates = Rates((100 * MBIT, GBIT, 5 * GBIT // 2, 5 * GBIT, rate), 60, data_w // 8, bounded=True)
    run(sim, pacing.schedule, rates, data_w=data_w, period_ps=period_ps, latency_ns=latency_ns)


@worlds(*FAST, TWIN)
@pytest.mark.parametrize("data_w", [64, 512])
def test_wire_times_add_up_to_the_last_bit(sim: Place, data_w: int) -> None:
    run(sim, pacing.exact, pacing.EDGES if sim.name != "icarus" else pacing.EDGES[::7], data_w=data_w)


@worlds(*FAST, TWIN)
@EACH_CLOCK
def test_frames_are_never_closer_than_their_wire_time(sim: Place, clock: str) -> None:
    rates = Rates((*SLOW, 25 * GBIT, 100 * GBIT), FRAMES[sim], gaps=True)
    run(sim, pacing.schedule, rates, period_ps=CLOCKS[clock][0], latency_ns=100)


@worlds(*FAST)
@pytest.mark.parametrize("data_w", [64, 512])
@pytest.mark.parametrize("length", [60, 1514])
def test_with_the_pacer_open_frames_follow_each_other_without_a_gap(sim: Place, length: int, data_w: int) -> None:
    beats = -(-length // (data_w // 8))
    times = run(sim, pacing.opened, length, data_w=data_w)
    want = [times[0][0] + 4000 * beats * number for number in range(len(times))]
    same([start for start, _ in times], want, "start of frame ")
    same([end - start for start, end in times], [4000 * (beats - 1)] * len(times), "length of frame ")


@worlds(*FAST, TWIN)
@pytest.mark.parametrize(
    ("bound", "length", "ahead"),
    [(0, 1514, 43), (0, 4096, 17), (1, 1514, 1), (1538, 1514, 1), (1539, 1514, 2), (10_000, 1514, 7)],
)
def test_no_more_is_committed_ahead_of_the_wire_than_its_bound(sim: Place, bound: int, length: int, ahead: int) -> None:
    reads = run(sim, pacing.committed, (bound, length))
    same(reads, [min(ahead + number, 60) for number in range(len(reads))], "frames read during frame ")
