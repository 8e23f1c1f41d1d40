"""``python -m bench.lengths [STEP]``: the share of the line that frames of each length get, against the limits.

Every length from 60 to 9,000, or every STEP-th, on each port of ``tests.datapath.rates``. Writes ``docs/lengths.svg``
and ``build/lengths.csv``; exit code 1 where a length gets less than it must. ``python -m bench`` measures every length.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import track

from bench.row import Row
from ringwire.cosim.warm import keep_simulators
from ringwire.nic.pacer import wire_bytes
from scripts.sim import ROOT, fail
from tests.datapath import rates
from tests.datapath.rates import PORTS, Load, Port, Rate
from tests.datapath.worlds import place, run

SHORTEST, LONGEST = 60, 9_000
TOGETHER = 64
"""Lengths in one run of the simulator."""
GOALS = dict(zip(PORTS, (99.9, 99.9, 99.5), strict=True))
"""% of what line and bus allow."""
COLOURS = ("lightsteelblue", "tab:orange", "tab:green")
ZOOM = 300
WORST_OF = 32
"""Longer frames are drawn as the worst of so many lengths."""
CURVE, TABLE = ROOT / "docs" / "lengths.svg", ROOT / "build" / "lengths.csv"
VERILATOR = place("verilator")


def measured(lengths: Sequence[int], name: str) -> list[Rate]:
    """The rate of each length on a port."""
    port, found = PORTS[name], list[Rate]()
    for at in track(range(0, len(lengths), TOGETHER), name, console=Console(stderr=True)):
        load = Load([port.aligned(length) for length in lengths[at : at + TOGETHER]], port.rate_bps, middle=True)
        found += run(VERILATOR, rates.measure, load, **port.knobs)
    return found


def rows() -> Iterator[Row]:
    """For each port, the worst of all lengths."""
    lengths = range(SHORTEST, LONGEST + 1)
    for name in PORTS:
        worst = min(rate.share() for rate in measured(lengths, name))
        where = name.replace(" bits, ", "b/").replace(" ", "")
        yield Row(f"lengths/{where}/60-9000B", 100 * worst, "% of bound", "higher", bound=100, goal=GOALS[name])


def allowed(length: int, port: Port, bus_cycles: float) -> float:
    """% of the line that bus and line allow."""
    return min(100.0, 100 * wire_bytes(length) * 8e12 / port.rate_bps / port.period_ps / bus_cycles)


def curve(lengths: Sequence[int], found: Sequence[Rate], port: Port) -> tuple[list[int], list[float]]:
    """Lengths, and their % of the line; of long ones the worst of every few."""
    shares = [rate.share() * allowed(n, port, rate.bus_cycles) for n, rate in zip(lengths, found, strict=True)]
    groups: dict[int, list[int]] = {}
    for at, length in enumerate(lengths):
        groups.setdefault(length if length <= ZOOM else length // WORST_OF * WORST_OF, []).append(at)
    worst = [min(group, key=shares.__getitem__) for group in groups.values()]
    return [lengths[at] for at in worst], [shares[at] for at in worst]


def draw(lengths: Sequence[int], found: dict[str, list[Rate]]) -> None:
    """The curve: all lengths, and the short ones again."""
    mpl.rcParams |= {"svg.hashsalt": "ringwire", "font.size": 9, "font.family": "sans-serif"}
    figure = Figure(figsize=(9, 6.2), layout="constrained")
    whole, zoom = figure.subplots(2, 1)
    slowest = next(iter(PORTS))
    for axes in (whole, zoom):
        # most have the whole line: those drawn first are the widest, so that all are seen
        for size, colour, (name, port) in zip((8, 5.5, 3), COLOURS, reversed(PORTS.items()), strict=True):
            axes.plot(*curve(lengths, found[name], port), ".", ms=size, mew=0, color=colour, label=name)
        bound = [allowed(n, PORTS[slowest], rate.bus_cycles) for n, rate in zip(lengths, found[slowest], strict=True)]
        at = [n for n, length in enumerate(lengths) if length <= ZOOM] + [-1]
        where, label = [lengths[n] for n in at], f"line and bus allow, {slowest}"
        axes.plot(where, [bound[n] for n in at], lw=0.6, color="black", label=label)
        axes.set(ylabel="% of the line", ylim=(75, 102))
        axes.grid(alpha=0.3)
    whole.set(xscale="log", xlim=(SHORTEST, LONGEST), xticks=[], xlabel="")
    ticks = (64, 128, 256, 512, 1024, 1514, 4096, 9000)
    whole.set_xticks(ticks, labels=[str(tick) for tick in ticks])
    whole.minorticks_off()
    whole.legend(loc="lower right", markerscale=1.2)
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
    with keep_simulators():
        found = {name: measured(lengths, name) for name in PORTS}
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    with Path(TABLE).open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["port", "length", "cycles", "bus_cycles", "wire_cycles", "share"])
        for name, values in found.items():
            for length, rate in zip(lengths, values, strict=True):
                table.writerow([name, length, rate.cycles, rate.bus_cycles, rate.wire_cycles, rate.share()])
    draw(lengths, found)
    return judge(lengths, found)


def judge(lengths: Sequence[int], found: dict[str, list[Rate]]) -> int:
    """Say what was found; 1 if a length got less than it must."""
    status = 0
    for name, values in found.items():
        worst = min(zip(lengths, values, strict=True), key=lambda each: each[1].share())
        print(f"{name}: {len(lengths)} lengths; worst {worst[0]} bytes, {100 * worst[1].share():.3f}% of the bound")
        short = [length for length, rate in zip(lengths, values, strict=True) if 100 * rate.share() < GOALS[name]]
        if short:
            print(f"{name}: below {GOALS[name]}%: {', '.join(map(str, short))} bytes", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
