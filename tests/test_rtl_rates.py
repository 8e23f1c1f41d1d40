"""The engine at its bus's limit. World: the fast one on Verilator; shorter on Icarus."""

from __future__ import annotations

import pytest

from tests.datapath import rates
from tests.datapath.rates import Load, Shape
from tests.datapath.worlds import FAST, Place, run, worlds

GBIT = 10**9
SMALL = 60


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
        *(Shape(SMALL, offset) for offset in range(64)),
        *(Shape(SMALL, offset, header) for offset in (0, 2, 31, 63) for header in (1, 14, 34, 59)),
        *(Shape(1514, offset, 66, frames=200) for offset in (0, 2, 10, 63)),
    ]
    for shape, spent in zip(shapes, cycles(sim, *shapes), strict=True):
        assert spent <= 1.05 * shape.cycles(64), shape


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
    assert rate.wire_cycles == 1.68 and rate.cycles <= 1.68 * (1 + 1 / frames)
