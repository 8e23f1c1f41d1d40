"""The engine at its bus's limit. World: the fast one on Verilator; shorter on Icarus."""

from __future__ import annotations

from itertools import product
from random import Random
from typing import Any

import pytest

from ringwire.nic.pacer import wire_bytes
from tests.datapath import rates
from tests.datapath.rates import FEW, MANY, PORTS, SOME, Load, Rate, Shape
from tests.datapath.refill import Kept, Refill, pool_beats, refilled
from tests.datapath.worlds import FAST, Place, run, seed, worlds

GBIT = 10**9
LINE = 100 * GBIT
SMALL = 60
FRAMES_PER_S = 148_809_523
"""Of 60 bytes, 84 with all that belongs to them, at 100 Gb/s."""
EACH_PORT = pytest.mark.parametrize("port", PORTS)


def measured(sim: Place, load: Load, **knobs: Any) -> list[tuple[Shape, Rate]]:
    """Each shape and its rate."""
    return list(zip(load.shapes, run(sim, rates.measure, load, **knobs), strict=True))


# -- frames of 60 bytes


@worlds("verilator")
@pytest.mark.parametrize("latency_ns", [0, 250, 1000])
@pytest.mark.parametrize(("queues", "frames"), [(1, 9_000), (16, 1_600)])
def test_rings_kept_full_of_small_frames_cost_a_beat_and_a_quarter(
    sim: Place, queues: int, frames: int, latency_ns: int
) -> None:
    kept: Kept = run(sim, refilled, Refill(frames=frames, queues=queues), queues=queues, latency_ns=latency_ns)
    assert kept.cycles <= 1.01 * 1.25


@worlds("verilator")
@pytest.mark.parametrize("latency_ns", [0, 250, 1000])
@pytest.mark.parametrize(("queues", "frames"), [(1, 9_000), (16, 1_600)])
def test_rings_kept_full_of_small_frames_fill_a_hundred_gigabits(
    sim: Place, queues: int, frames: int, latency_ns: int
) -> None:
    """Every start is judged to the clock."""
    load = Refill(frames=frames, queues=queues, rate_bps=LINE)
    kept: Kept = run(sim, refilled, load, queues=queues, latency_ns=latency_ns)
    assert int(kept.per_s) == FRAMES_PER_S == LINE // (8 * wire_bytes(SMALL))
    assert kept.late <= pool_beats(queues)


@worlds("verilator")
@pytest.mark.parametrize("latency_ns", [0, 1000])
def test_a_ring_kept_full_of_full_frames_costs_their_beats(sim: Place, latency_ns: int) -> None:
    assert run(sim, refilled, Refill(frames=3_000, length=1514), latency_ns=latency_ns).cycles <= 24.5


@worlds("verilator")
@pytest.mark.parametrize("every", [1, 8])
def test_a_ring_of_256_costs_its_round_trip(sim: Place, every: int) -> None:
    kept: Kept = run(sim, refilled, Refill(8, 6_000, every), latency_ns=1_000)
    assert kept.trip / 255 <= kept.cycles <= 1.05 * kept.trip / 255


@worlds(*FAST)
def test_hundred_gigabits_are_exact(sim: Place) -> None:
    frames = 1000 if sim == "verilator" else 100
    ((_, rate),) = measured(sim, Load([Shape(frames=frames)], LINE, exact=True), latency_ns=500)
    assert rate.cycles <= 1.68 * (1 + 1 / frames)


# -- any offset, any split


def splits(random: Random, lengths: tuple[int, ...], header: int, frames: int) -> list[Shape]:
    """Header and page, each at some offset: the first and the last of a line, and others."""
    offsets = [0, 1, 63, *random.sample(range(2, 63), 3)]
    return [
        Shape(length, one, header, other, frames=frames)
        for length, one, other in product(lengths, offsets, offsets)
        if one != other or one in (0, 63)
    ]


@worlds("verilator")
def test_every_offset_costs_what_is_read(sim: Place) -> None:
    load = Load([Shape(offset=offset, frames=200) for offset in range(64)], middle=True, warm=4_000)
    for shape, rate in measured(sim, load, latency_ns=0):
        assert rate.cycles <= 1.02 * shape.cycles(64), f"{shape}: {rate}"


@worlds("verilator")
@pytest.mark.parametrize("header", [1, 14, 34, 59])
def test_two_fragments_anywhere_cost_what_is_read(sim: Place, header: int) -> None:
    load = Load(splits(Random(seed()), (60,), header, 200), middle=True, warm=4_000)
    for shape, rate in measured(sim, load, latency_ns=0):
        assert rate.cycles <= 1.02 * shape.cycles(64), f"{shape}: {rate}"


@worlds("verilator")
def test_full_frames_cost_their_beats_at_every_offset(sim: Place) -> None:
    shapes = [Shape(1514, offset, frames=60) for offset in range(64)]
    shapes += splits(Random(seed()), (1514,), 66, 60)
    found = measured(sim, Load(shapes, middle=True, warm=400), latency_ns=0)
    aligned, *others = [rate.cycles for _, rate in found[:64]]
    assert aligned <= 24.5 and max(others) <= 25.5
    for shape, rate in found:
        assert rate.cycles <= 1.01 * shape.cycles(64), f"{shape}: {rate}"


@worlds("verilator")
def test_ten_gigabits_from_anywhere_at_200_mhz(sim: Place) -> None:
    """Two fragments at any pair of offsets: where the bus can't keep up with the line, at the bus's limit."""
    pairs = list(product(range(8), repeat=2))
    shapes = [Shape(60, one, 14, other, frames=SOME) for one, other in pairs]
    shapes += [Shape(length, one, 14, other, frames=SOME) for length in (65, 90) for one, other in pairs[::9]]
    shapes += [Shape(length, one, 66, other, frames=FEW) for length in (300, 1514) for one, other in pairs[::5]]
    found = measured(sim, Load(shapes, 10 * GBIT, middle=True), data_w=64, period_ps=5_000)
    for shape, rate in found:
        assert rate.share() >= 0.9995, f"{shape}: {rate}"
    # the line is full unless two beats of payload more than aligned ones are read
    assert {rate.wire_cycles >= rate.bus_cycles for shape, rate in found if shape.length == 60} == {True, False}


# -- lengths


def some_lengths() -> list[int]:
    """Those where the bus is the limit, those around a beat's end, and others at random."""
    edges = [64 * beats + more for beats in (3, 8, 23, 64, 140) for more in (0, 1)]
    others = Random(seed()).sample(range(60, 9_000), 24)
    return [60, 64, 65, 66, 80, 88, 89, 128, 129, 134, 138, 139, 200, *edges, 1514, 8_999, 9_000, *others]


@worlds("verilator")
@pytest.mark.parametrize("latency_ns", [0, 500])
@EACH_PORT
def test_every_length_leaves_at_what_line_and_bus_allow(sim: Place, port: str, latency_ns: int) -> None:
    device = PORTS[port]
    load = Load([device.aligned(length) for length in some_lengths()], device.rate_bps, middle=True)
    for shape, rate in measured(sim, load, latency_ns=latency_ns, **device.knobs):
        assert rate.share() >= 0.999, f"{shape.length} bytes: {rate}"
        if port != "512 bits, 250 MHz":
            assert rate.wire_cycles > rate.bus_cycles, f"{shape.length} bytes: {rate}"


@worlds("verilator")
@pytest.mark.parametrize(("rate_bps", "period_ps"), [(0, 4000), (LINE, 4000), (LINE, 3103)])
def test_a_mix_leaves_at_what_line_and_bus_allow(sim: Place, rate_bps: int, period_ps: int) -> None:
    shapes = [Shape(most, shortest=60, frames=MANY) for most in (64, 200, 1514)]
    shapes.append(Shape(9_000, shortest=60, frames=SOME))
    for shape, rate in measured(sim, Load(shapes, rate_bps, middle=True), period_ps=period_ps):
        assert rate.share() >= 0.999, f"{shape}: {rate}"


@worlds("verilator")
@pytest.mark.parametrize("rate_bps", [0, LINE])
def test_checksums_and_completions_change_no_rate(sim: Place, rate_bps: int) -> None:
    """Not by a cycle: the same frames start at the same edges."""
    lengths = (60, 64, 65, 200, 1514, 9000, 60)
    plain, *others = (
        run(
            sim,
            rates.starts,
            Load([Shape(length, csum=csum, every=every, frames=200) for length in lengths], rate_bps, warm=2_000),
        )
        for csum, every in ((False, 32), (True, 32), (False, 1), (True, 1))
    )
    assert len(plain) == 2_000 + 200 * len(lengths) and others == [plain] * 3


@worlds("verilator")
@pytest.mark.parametrize("stalls", [0.0, 0.3])
@pytest.mark.parametrize(("latency_ns", "jitter_ns"), [(0, 0), (200, 1_800)])
def test_an_uneven_memory_costs_what_it_holds_back(sim: Place, latency_ns: int, jitter_ns: int, stalls: float) -> None:
    shapes = [Shape(length, frames=MANY if length < 1000 else 300) for length in (60, 64, 200, 1514, 9000)]
    shapes.append(Shape(1514, shortest=60, frames=MANY))
    for rate_bps in (0, LINE):
        load = Load(shapes, rate_bps, middle=True)
        knobs: dict[str, Any] = {"latency_ns": latency_ns, "jitter_ns": jitter_ns, "read_stalls": stalls}
        for shape, rate in measured(sim, load, **knobs):
            assert rate.share(stalls) >= 0.97, f"{shape}: {rate}"
