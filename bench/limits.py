"""How near the engine is to what its bus and its line allow: the worst of many shapes of traffic, in % of the bound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from random import Random
from typing import Any

from bench.row import Row
from ringwire.driver.ringwire import commit_bound
from ringwire.nic.pacer import wire_bytes
from tests.control.fairness import Wait, waits
from tests.datapath import rates
from tests.datapath.rates import FEW, MANY, SOME, Load, Shape
from tests.datapath.refill import WARM, Refill, refilled
from tests.datapath.timing import Single, wire_to_interrupt
from tests.datapath.worlds import place, run

VERILATOR = place("verilator")
LINE_BPS = {512: 10**11, 64: 10**10}
FULL_LINE_NS = 500
IRQ_GOAL = 20
SLOW_BPS = 10**9
RING_LOG2, ROUND_TRIP_NS = 8, 1_000
WARM_LONG = 400
"""Frames of 1,514 bytes in whose time the device gets as far ahead as it does."""
ANY_OFFSET_CYCLES = 25.5
"""Of 1,514 bytes, at most."""
HEADERS = (1, 34, 59)
"""Lengths of a first fragment of which some pairs of offsets are tried; of 14 all are."""


@dataclass(frozen=True)
class Limit:
    """Traffic that is to leave at a share of what bus and line allow, %."""

    name: str
    runs: Sequence[Sequence[Shape]]
    """What one run of the simulator sends, and the next."""
    goal: float
    rate_bps: int = 0
    """0: the pacer is open, and the bus is all that limits."""
    stalls: float = 0.0
    warm: int = 0
    """Of ``Load``."""
    knobs: Mapping[str, Any] = field(default_factory=dict)
    """Of ``run``."""


def pairs(count: int) -> list[tuple[int, int]]:
    """Offsets of two fragments in a line: the first and the last, and others at random."""
    return [
        *product((0, 63), repeat=2),
        *zip(*(Random(seed).choices(range(64), k=count) for seed in (1, 2)), strict=True),
    ]


def limits() -> Iterator[Limit]:
    """All of them."""
    at_once = {"latency_ns": 0}
    small = [Shape(offset=offset, frames=200) for offset in range(64)]
    yield Limit("512b/60B/offsets", [small], 95, warm=WARM, knobs=at_once)
    every = [[Shape(60, one, 14, other, frames=150) for other in range(64)] for one in range(64)]
    some = [[Shape(60, one, header, other, frames=150) for one, other in pairs(60)] for header in HEADERS]
    yield Limit("512b/60B/two-fragments", [*every, *some], 95, warm=WARM, knobs=at_once)
    split = [Shape(1514, one, 66, other, frames=60) for one, other in pairs(60)]
    yield Limit("512b/1514B/two-fragments", [split], 95, warm=WARM_LONG, knobs=at_once)
    mixes = [Shape(most, shortest=60, frames=MANY) for most in (200, 1514, 9000)]
    for clock, period_ps in (("250MHz", 4000), ("322MHz", 3103)):
        for latency_ns in (0, 1000):
            knobs = {"period_ps": period_ps, "latency_ns": latency_ns}
            yield Limit(f"512b/{clock}/{latency_ns}ns/mix", [mixes], 99.9, LINE_BPS[512], knobs=knobs)
    both = [Shape(length, csum=True, every=1, frames=MANY) for length in (60, 128, 200, 1514)]
    yield Limit("512b/checksums-completions", [both], 99.9, LINE_BPS[512])
    narrow = {"data_w": 64, "period_ps": 5000, "latency_ns": FULL_LINE_NS}
    eight = list(product(range(8), repeat=2))
    anywhere = [Shape(60, one, 14, other, frames=SOME) for one, other in eight]
    anywhere += [Shape(length, one, 14, other, frames=SOME) for length in (65, 90) for one, other in eight[::9]]
    anywhere += [Shape(length, one, 66, other, frames=FEW) for length in (300, 1514) for one, other in eight]
    yield Limit("64b/200MHz/two-fragments", [anywhere], 100, LINE_BPS[64], knobs=narrow)
    uneven = [Shape(length, frames=MANY) for length in (60, 64, 200, 1514)]
    for name, stalls, knobs in (
        ("200-2000ns", 0.0, {"latency_ns": 200, "jitter_ns": 1800}),
        ("stalls", 0.3, {"latency_ns": FULL_LINE_NS}),
        ("200-2000ns-stalls", 0.3, {"latency_ns": 200, "jitter_ns": 1800}),
    ):
        yield Limit(f"512b/{name}", [uneven], 97, LINE_BPS[512], stalls, knobs={**knobs, "read_stalls": stalls})


def rows() -> Iterator[Row]:
    """By simulation with Verilator in the fast world; each is the worst of its shapes."""
    for limit in limits():
        shares = []
        for shapes in limit.runs:
            load = Load(shapes, limit.rate_bps, middle=True, warm=limit.warm)
            shares += [rate.share(limit.stalls) for rate in run(VERILATOR, rates.measure, load, **limit.knobs)]
        yield Row(f"limits/{limit.name}", 100 * min(shares), "% of bound", "higher", bound=100, goal=limit.goal)
    others = [Shape(1514, offset, frames=60) for offset in range(1, 64)]
    load = Load(others, middle=True, warm=WARM_LONG)
    worst = max(rate.cycles for rate in run(VERILATOR, rates.measure, load, latency_ns=0))
    name = "limits/512b/1514B/offsets/cycles"
    yield Row(name, worst, "cycles/packet", "lower", bound=25.25, goal=ANY_OFFSET_CYCLES)
    kept = run(VERILATOR, refilled, Refill(RING_LOG2, 6_000, every=1), latency_ns=ROUND_TRIP_NS)
    bound = kept.trip / (2**RING_LOG2 - 1)
    name = f"limits/512b/60B/ring-{2**RING_LOG2}/{ROUND_TRIP_NS}ns/cycles"
    yield Row(name, kept.cycles, "cycles/packet", "lower", bound=bound, goal=1.05 * bound)
    committed = commit_bound(SLOW_BPS, ROUND_TRIP_NS, wire_bytes(1514))
    for bulk in ("frames", "segments"):
        wait = Wait(committed, range(100), 40, bulk=3, priority=1, cut=bulk == "segments")
        waited = run(VERILATOR, waits, wait, queues=4, latency_ns=ROUND_TRIP_NS)
        yield Row(f"limits/512b/1G/strict-priority/{bulk}/waits-for", waited, "bulk frames", "lower", goal=2)
    for width in LINE_BPS:
        for single in (Single(60), Single(1514, 10**9)):
            value = run(VERILATOR, wire_to_interrupt, single, data_w=width, latency_ns=0)
            name = f"limits/{width}b/{single.length}B/{'paced' if single.rate_bps else 'open'}/wire-to-interrupt"
            yield Row(name, value, "cycles", "lower", goal=IRQ_GOAL)
