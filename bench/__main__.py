"""``python -m bench [FILE]``: run every measurement, write ``build/bench.json`` (or FILE), print the table."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from bench import engine, limits, simulation, stack
from bench.row import Row, figure, table, write_json

MEASUREMENTS = (engine.rows, limits.rows, simulation.rows, stack.rows)
TABLE_WIDTH = 130
DEFAULT_FILE = Path(__file__).resolve().parent.parent / "build" / "bench.json"


def main(argv: list[str]) -> int:
    path = Path(argv[0]) if argv else DEFAULT_FILE
    note = Console(stderr=True)
    found: list[Row] = []
    for measure in MEASUREMENTS:
        for row in measure():
            note.print(f"{row.id}: {figure(row.value)} {row.unit}", highlight=False)
            found.append(row)
    write_json(path, found)
    # whole names, also where the terminal is narrow or there is none
    Console(width=max(Console().width, TABLE_WIDTH)).print(table(found))
    missed = [row.id for row in found if row.reached is False]
    if missed:
        note.print(f"goals missed: {', '.join(missed)}", highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
