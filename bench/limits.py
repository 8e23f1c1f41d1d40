"""How near the engine is to what its bus and its line allow: the worst of many shapes of traffic, in % of the bound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from bench.row import Row
from ringwire.nic.pacer import wire_bytes
from tests.control.fairness import Wait, waits
from tests.datapath import rates
from tests.datapath.rates import FEW, MANY, Load, Refill, Shape
from tests.datapath.timing import Single, wire_to_interrupt
from tests.datapath.worlds import place, run

VERILATOR = place("verilator")
BUS_BOUND = 200
"""The line is the limit of all frames that are longer."""
LINE_BPS = {512: 10**11, 64: 10**10}
FULL_LINE_NS = 500
IRQ_GOAL = 20
BOUND_BYTES = 2 * wire_bytes(1514)
"""COMMIT_BOUND of a slow wire: two frames."""
RING_LOG2, ROUND_TRIP_NS = 8, 1_000


@dataclass(frozen=True)
class Limit:
    """Traffic that is to leave at a share of what bus and line allow, %."""

    name: str
    shapes: Sequence[Shape]
    goal: float
    rate_bps: int = 0
    """0: the pacer is open, and the bus is all that limits."""
    stalls: float = 0.0
    knobs: Mapping[str, Any] = field(default_factory=dict)
    """Of ``run``."""


def aligned(lengths: Sequence[int]) -> list[Shape]:
    """Frames of each length, from the beginning of a line."""
    return [Shape(length, frames=MANY if length < BUS_BOUND else FEW) for length in lengths]


def lengths() -> list[int]:
    """Every length where the bus may be the limit at 512 bits, those around a beat's end above, and some others."""
    edges = [64 * beats + more for beats in range(4, 140, 8) for more in (0, 1)]
    return sorted({*range(60, 140), *edges, 1514, 9000, *Random(1).sample(range(140, 9_000), 60)})


def limits() -> Iterator[Limit]:
    """All of them."""
    small = [Shape(offset=offset, frames=MANY) for offset in range(64)]
    yield Limit("512b/60B/offsets", small, 95)
    split = [Shape(60, offset, header, frames=MANY) for offset in (0, 2, 31, 63) for header in (1, 14, 34, 59)]
    yield Limit(
        "512b/60B/two-fragments", [*split, *(Shape(1514, offset, 66, frames=MANY) for offset in range(0, 64, 13))], 95
    )
    mixes = [Shape(most, shortest=60, frames=MANY) for most in (200, 1514, 9000)]
    for clock, period_ps in (("250MHz", 4000), ("322MHz", 3103)):
        for latency_ns in (0, 1000):
            knobs = {"period_ps": period_ps, "latency_ns": latency_ns}
            name = f"512b/{clock}/{latency_ns}ns"
            yield Limit(f"{name}/60-9000B", aligned(lengths()), 99.9, LINE_BPS[512], knobs=knobs)
            yield Limit(f"{name}/mix", mixes, 99.9, LINE_BPS[512], knobs=knobs)
    both = [Shape(length, csum=True, every=1, frames=MANY) for length in (60, 128, 200, 1514)]
    yield Limit("512b/checksums-completions", both, 99.9, LINE_BPS[512])
    ten = {"data_w": 64, "period_ps": 6400, "latency_ns": FULL_LINE_NS}
    yield Limit("64b/156MHz/60-9000B", aligned(lengths()), 99.5, LINE_BPS[64], knobs=ten)
    anywhere = [Shape(length, offset, 14, frames=MANY) for length in (60, 65, 90, 300) for offset in range(8)]
    anywhere += [Shape(1514, offset, 66, frames=FEW) for offset in range(8)]
    yield Limit("64b/200MHz/two-fragments", anywhere, 100, LINE_BPS[64], knobs={**ten, "period_ps": 5000})
    uneven = [Shape(length, frames=MANY) for length in (60, 64, 200, 1514)]
    for name, stalls, knobs in (
        ("200-2000ns", 0.0, {"latency_ns": 200, "jitter_ns": 1800}),
        ("stalls", 0.3, {"latency_ns": FULL_LINE_NS}),
        ("200-2000ns-stalls", 0.3, {"latency_ns": 200, "jitter_ns": 1800}),
    ):
        yield Limit(f"512b/{name}", uneven, 97, LINE_BPS[512], stalls, {**knobs, "read_stalls": stalls})


def rows() -> Iterator[Row]:
    """By simulation with Verilator in the fast world; each is the worst of its shapes."""
    for limit in limits():
        load = Load(limit.shapes, limit.rate_bps, middle=True)
        found = run(VERILATOR, rates.measure, load, **limit.knobs)
        worst = min(rate.share(limit.stalls) for rate in found)
        yield Row(f"limits/{limit.name}", 100 * worst, "% of bound", "higher", bound=100, goal=limit.goal)
    trip, spent = run(VERILATOR, rates.refilled, Refill(RING_LOG2), latency_ns=ROUND_TRIP_NS)
    bound = trip / (2**RING_LOG2 - 1)
    name = f"limits/512b/60B/ring-{2**RING_LOG2}/{ROUND_TRIP_NS}ns/cycles"
    yield Row(name, spent, "cycles/packet", "lower", bound=bound, goal=1.05 * bound)
    wait = Wait(BOUND_BYTES, range(100), 12, bulk=3, priority=1)
    waited = run(VERILATOR, waits, wait, queues=4)
    yield Row("limits/512b/1G/strict-priority/waits-for", waited, "bulk frames", "lower", goal=2)
    for width in LINE_BPS:
        for single in (Single(60), Single(1514, 10**9)):
            value = run(VERILATOR, wire_to_interrupt, single, data_w=width, latency_ns=0)
            name = f"limits/{width}b/{single.length}B/{'paced' if single.rate_bps else 'open'}/wire-to-interrupt"
            yield Row(name, value, "cycles", "lower", goal=IRQ_GOAL)
