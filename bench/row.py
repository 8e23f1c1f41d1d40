"""One measured figure, and how figures are written down."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """A figure beside what it is judged by. None where there is nothing to say.

    ``bound`` is what can't be beaten, ``goal`` what this design must reach, ``peer`` the best figure known of another
    design of the kind; all in ``unit``.
    """

    id: str
    value: float
    unit: str
    better: Literal["lower", "higher"]
    bound: float | None = None
    goal: float | None = None
    peer: tuple[str, float] | None = None

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None without one."""
        if self.goal is None:
            return None
        return self.value <= self.goal if self.better == "lower" else self.value >= self.goal

    def as_json(self) -> dict[str, Any]:
        """The row as ``bench.json`` has it."""
        return {
            "id": self.id,
            "value": self.value,
            "unit": self.unit,
            "better": self.better,
            "bound": self.bound,
            "goal": self.goal,
            "peer": None if self.peer is None else {"name": self.peer[0], "value": self.peer[1]},
        }


def write_json(path: Path, rows: Sequence[Row]) -> None:
    """Write ``{"rows": [...]}``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"rows": [row.as_json() for row in rows]}, indent=1) + "\n")


def table(rows: Sequence[Row]) -> Table:
    """The rows for a terminal."""
    out = Table("measured", "value", "unit", "bound", "goal", "", "peer")
    for column in out.columns:
        column.no_wrap = True
    for column in out.columns[1:2] + out.columns[3:5]:
        column.justify = "right"
    verdict = {None: "", True: "[green]reached[/]", False: "[red]missed[/]"}
    for row in rows:
        peer = "" if row.peer is None else f"{row.peer[0]} {figure(row.peer[1])}"
        out.add_row(
            row.id, figure(row.value), row.unit, figure(row.bound), figure(row.goal), verdict[row.reached], peer
        )
    return out


def figure(value: float | None) -> str:
    """A number with three or so significant digits; empty for None."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
