"""The engine at its bus's limit. World: the fast one on Verilator; shorter on Icarus."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from tests.datapath import rates
from tests.datapath.rates import FEW, MANY, Load, Refill, Shape
from tests.datapath.worlds import FAST, Place, run, seed, worlds

GBIT = 10**9
SMALL = 60


PERIODS_PS = {"250 MHz": 4000, "322.27 MHz": 3103}
BUS_BOUND = 200
"""The line is the limit of all frames that are longer."""


def cycles(sim: Place, *shapes: Shape, queues: int = 1, latency_ns: int = 0, data_w: int = 512) -> list[float]:
    """Of each shape, with the pacer open."""
    load = Load(shapes, queues=queues)
    return [rate.cycles for rate in run(sim, rates.measure, load, queues=queues, latency_ns=latency_ns, data_w=data_w)]


@worlds("verilator")
@pytest.mark.parametrize("latency_ns", [0, 250, 1000])
@pytest.mark.parametrize("queues", [1, 16])
def test_small_frames_cost_no_more_than_a_cycle_and_a_half(sim: Place, queues: int, latency_ns: int) -> None:
    (spent,) = cycles(sim, Shape(frames=1000 // queues), queues=queues, latency_ns=latency_ns)
    assert spent <= 1.5


@worlds("verilator")
def test_every_offset_and_split_costs_what_is_read(sim: Place) -> None:
    shapes = [
        *(Shape(SMALL, offset, frames=MANY) for offset in (0, 1, 4, 5, 31, 63)),
        *(Shape(SMALL, offset, header, frames=MANY) for offset in (0, 31, 63) for header in (1, 14, 59)),
        *(Shape(1514, offset, 66, frames=FEW) for offset in (0, 2, 10, 63)),
    ]
    for shape, rate in zip(shapes, run(sim, rates.measure, Load(shapes, middle=True)), strict=True):
        assert rate.cycles <= 1.01 * shape.cycles(64), shape


@worlds("verilator")
@pytest.mark.parametrize("every", [1, 8])
def test_a_ring_of_256_costs_its_round_trip(sim: Place, every: int) -> None:
    trip, spent = run(sim, rates.refilled, Refill(log2=8, every=every), latency_ns=1_000)
    assert trip / 255 <= spent <= 1.05 * trip / 255


def some_lengths() -> list[int]:
    """Those where the bus is the limit, those around a beat's end, and others at random."""
    edges = [64 * beats + more for beats in (3, 8, 23, 64, 140) for more in (0, 1)]
    others = Random(seed()).sample(range(60, 9_000), 24)
    return [60, 64, 65, 66, 80, 88, 89, 128, 129, 134, 138, 139, *edges, 1514, 8_999, 9_000, *others]


@worlds("verilator")
@pytest.mark.parametrize("clock", PERIODS_PS)
def test_every_length_leaves_at_what_line_and_bus_allow(sim: Place, clock: str) -> None:
    shapes = [Shape(length, frames=MANY if length < BUS_BOUND else FEW) for length in some_lengths()]
    load = Load(shapes, 100 * GBIT, middle=True)
    for shape, rate in zip(shapes, run(sim, rates.measure, load, period_ps=PERIODS_PS[clock]), strict=True):
        assert rate.share() >= 0.999, f"{shape.length} bytes: {rate}"
        if clock == "322.27 MHz":
            assert rate.wire_cycles > rate.bus_cycles


@worlds("verilator")
@pytest.mark.parametrize("rate_bps", [0, 100 * GBIT])
def test_a_mix_leaves_at_what_line_and_bus_allow(sim: Place, rate_bps: int) -> None:
    shapes = [Shape(most, shortest=60, frames=MANY) for most in (64, 200, 1514)]
    for shape, rate in zip(shapes, run(sim, rates.measure, Load(shapes, rate_bps, middle=True)), strict=True):
        assert rate.share() >= 0.999, f"{shape}: {rate}"


@worlds("verilator")
@pytest.mark.parametrize("latency_ns", [0, 500])
def test_ten_gigabits_on_eight_bytes(sim: Place, latency_ns: int) -> None:
    shapes = [Shape(length, frames=MANY if length < BUS_BOUND else FEW) for length in some_lengths()]
    load = Load(shapes, 10 * GBIT, middle=True)
    for shape, rate in zip(
        shapes, run(sim, rates.measure, load, data_w=64, period_ps=6_400, latency_ns=latency_ns), strict=True
    ):
        assert rate.share() >= 0.995 and rate.wire_cycles > rate.bus_cycles, f"{shape.length} bytes: {rate}"


@worlds("verilator")
def test_ten_gigabits_from_anywhere_at_200_mhz(sim: Place) -> None:
    shapes = [Shape(length, offset, 14, frames=MANY) for length in (60, 65, 90) for offset in (0, 1, 2)]
    shapes += [Shape(length, offset, 66, frames=FEW) for length in (300, 1514) for offset in (0, 3, 7)]
    load = Load(shapes, 10 * GBIT, middle=True)
    for shape, rate in zip(shapes, run(sim, rates.measure, load, data_w=64, period_ps=5_000), strict=True):
        assert rate.share() >= 0.999, f"{shape}: {rate}"


@worlds("verilator")
@pytest.mark.parametrize("stalls", [0.0, 0.3])
@pytest.mark.parametrize(("latency_ns", "jitter_ns"), [(0, 0), (200, 1_800)])
def test_an_uneven_memory_costs_what_it_holds_back(sim: Place, latency_ns: int, jitter_ns: int, stalls: float) -> None:
    shapes = [Shape(length, frames=MANY if length < 1000 else 300) for length in (60, 64, 200, 1514, 9000)]
    shapes.append(Shape(1514, shortest=60, frames=MANY))
    for rate_bps in (0, 100 * GBIT):
        load = Load(shapes, rate_bps, middle=True)
        knobs: dict[str, Any] = {"latency_ns": latency_ns, "jitter_ns": jitter_ns, "read_stalls": stalls}
        for shape, rate in zip(shapes, run(sim, rates.measure, load, **knobs), strict=True):
            assert rate.share(stalls) >= 0.97, f"{shape}: {rate}"


@worlds("verilator")
def test_full_frames_cost_their_beats(sim: Place) -> None:
    shapes = [Shape(1514, offset, frames=200) for offset in range(64)]
    aligned, *others = cycles(sim, *shapes)
    assert aligned <= 24.5 and max(others) <= 25.5


@worlds("verilator")
def test_checksums_and_completions_cost_nothing(sim: Place) -> None:
    lengths = (60, 64, 65, 200, 1514, 9000)
    plain, csum, told, both = (
        cycles(sim, *(Shape(length, csum=csum, every=every, frames=200) for length in lengths))
        for csum, every in ((False, 32), (True, 32), (False, 1), (True, 1))
    )
    assert csum == plain
    for length, without, *costs in zip(lengths, plain, told, both, strict=True):
        assert max(costs) <= without + 0.02, f"{length} bytes"


@worlds(*FAST)
def test_hundred_gigabits_are_exact(sim: Place) -> None:
    frames = 1000 if sim == "verilator" else 100
    load = Load([Shape(frames=frames)], 100 * GBIT, exact=True)
    (rate,) = run(sim, rates.measure, load, latency_ns=500)
    assert rate.cycles <= 1.68 * (1 + 1 / frames)
