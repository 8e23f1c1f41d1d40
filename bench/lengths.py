"""``python -m bench.lengths [STEP]``: the share of a 100 Gb/s line that frames of each length get, against the limits.

Every length from 60 to 9,000, or every STEP-th, at 250 and 322.27 MHz. Writes ``docs/lengths.svg`` and
``build/lengths.csv``.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import track

from bench.limits import BUS_BOUND, LINE_BPS, VERILATOR
from ringwire.nic.pacer import wire_bytes
from scripts.sim import ROOT, fail
from tests.datapath import rates
from tests.datapath.rates import FEW, MANY, Load, Rate, Shape
from tests.datapath.worlds import run

SHORTEST, LONGEST = 60, 9_000
TOGETHER = 64
"""Lengths in one run of the simulator."""
PERIODS_PS = {"250 MHz": 4000, "322.27 MHz": 3103}
ZOOM = 300
CURVE, TABLE = ROOT / "docs" / "lengths.svg", ROOT / "build" / "lengths.csv"


def measured(lengths: Sequence[int], clock: str) -> list[Rate]:
    """The rate of each length."""
    found: list[Rate] = []
    for at in track(range(0, len(lengths), TOGETHER), clock, console=Console(stderr=True)):
        shapes = [Shape(length, frames=MANY if length < BUS_BOUND else FEW) for length in lengths[at : at + TOGETHER]]
        load = Load(shapes, LINE_BPS[512], middle=True)
        found += run(VERILATOR, rates.measure, load, period_ps=PERIODS_PS[clock])
    return found


def line_cycles(length: int, clock: str) -> float:
    """Clock cycles of a frame on the line."""
    return wire_bytes(length) * 8e12 / LINE_BPS[512] / PERIODS_PS[clock]


def draw(lengths: Sequence[int], found: dict[str, list[Rate]]) -> None:
    """The curve: all lengths, and the short ones again."""
    mpl.rcParams |= {"svg.hashsalt": "ringwire", "font.size": 9, "font.family": "sans-serif"}
    figure = Figure(figsize=(9, 6.2), layout="constrained")
    whole, zoom = figure.subplots(2, 1)
    for axes in (whole, zoom):
        for clock, colour in zip(PERIODS_PS, ("tab:blue", "tab:orange"), strict=True):
            shares = [
                100 * line_cycles(length, clock) / rate.cycles
                for length, rate in zip(lengths, found[clock], strict=True)
            ]
            axes.plot(lengths, shares, ".", ms=3, color=colour, label=f"measured at {clock}")
        bound = [
            min(100, 100 * line_cycles(n, "250 MHz") / rate.bus_cycles)
            for n, rate in zip(lengths, found["250 MHz"], strict=True)
        ]
        axes.plot(lengths, bound, lw=0.8, color="black", label="line and bus allow, 250 MHz")
        axes.set(ylabel="% of 100 Gb/s", ylim=(75, 102))
        axes.grid(alpha=0.3)
    whole.set(xscale="log", xlim=(SHORTEST, LONGEST), xticks=[], xlabel="")
    whole.set_xticks(
        [64, 128, 256, 512, 1024, 1514, 4096, 9000], labels=["64", "128", "256", "512", "1024", "1514", "4096", "9000"]
    )
    whole.minorticks_off()
    whole.legend(loc="lower right")
    zoom.set(xlim=(SHORTEST, ZOOM), xlabel="bytes of a frame, without FCS")
    figure.savefig(CURVE, metadata={"Date": None})


def main() -> int:
    try:
        step = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    except ValueError:
        step = 0
    if step < 1:
        fail(f"STEP is {sys.argv[1]}; allowed: a whole number from 1")
    lengths = sorted({*range(SHORTEST, LONGEST + 1, step), *range(SHORTEST, ZOOM, min(step, 4))})
    found = {clock: measured(lengths, clock) for clock in PERIODS_PS}
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    with Path(TABLE).open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["clock", "length", "cycles", "bus_cycles", "wire_cycles", "share"])
        for clock, values in found.items():
            for length, rate in zip(lengths, values, strict=True):
                rows.writerow([clock, length, rate.cycles, rate.bus_cycles, rate.wire_cycles, rate.share()])
    draw(lengths, found)
    for clock, values in found.items():
        worst = min(zip(lengths, values, strict=True), key=lambda each: each[1].share())
        print(f"{clock}: {len(lengths)} lengths; worst {worst[0]} bytes, {100 * worst[1].share():.3f}% of the bound")
    return 0


if __name__ == "__main__":
    sys.exit(main())
