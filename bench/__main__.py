"""``python -m bench [FILE]``: run every measurement, write ``build/bench.json`` (or FILE), print the table.

Exit code 1 when a goal is missed; the last lines say which.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.measure import Measurement

from bench import engine, experiments, lengths, limits, qdisc, simulation, stack, tcp_cost
from bench.row import Row, figure, table, write_json
from ringwire import compiled
from ringwire.cosim.warm import keep_simulators

MEASUREMENTS = (
    engine.rows,
    limits.rows,
    lengths.rows,
    simulation.rows,
    stack.rows,
    qdisc.rows,
    tcp_cost.rows,
    experiments.rows,
)
WIDEST = 1_000
"""Columns that a table may ask for."""
DEFAULT_FILE = Path(__file__).resolve().parent.parent / "build" / "bench.json"


def main(argv: list[str]) -> int:
    path = Path(argv[0]) if argv else DEFAULT_FILE
    note = Console(stderr=True)
    if not compiled.in_use():
        note.print("the model is Python: `ringwire compile` builds it in C, which is faster", highlight=False)
    found: list[Row] = []
    with keep_simulators():
        for measure in MEASUREMENTS:
            for row in measure():
                note.print(f"{row.id}: {figure(row.value)} {row.unit}", highlight=False)
                found.append(row)
    write_json(path, found)
    show(found, Console())
    return judge(found)


def show(rows: Sequence[Row], console: Console) -> None:
    """Print the table as wide as it is: a narrower terminal folds it, and where there is none no digit is lost."""
    whole = table(rows)
    options = console.options.update(max_width=WIDEST)
    console.width = max(console.width, Measurement.get(console, options, whole).maximum)
    console.print(whole)


def judge(rows: Sequence[Row]) -> int:
    """Say which goals are missed; 1 if any is."""
    missed = [row for row in rows if row.reached is False]
    for row in missed:
        said = f"missed: {row.id}: {figure(row.value)} {row.unit}, goal {figure(row.goal)}"
        print(said, file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
