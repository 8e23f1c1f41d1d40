"""Tables of flows, queues and paths: one for each theme, narrow enough for paper, with the name in front."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ringwire.experiment.report.text import Grid, grid

COLUMNS = 9
"""Of a table, at most, besides the name: what fits on an upright sheet."""
_Row = Mapping[str, object]

_FLOWS = (
    ("Flows: packets and rate", "kind|packets|sent|drops|left|frames|bytes|marks|rate_bps"),
    ("Flows: latency, from the socket to the end of the frame", "measured|latency_.*"),
    ("Flows: mean time in each part of it", "(socket|qdisc|ring|nic|wire)_mean_ns"),
    ("Flows: end to end, over the path", "arrived|lost|end_to_end_.*"),
    ("Flows: connections", "(connect|finished|srtt|goodput)_.*|failed|(written|delivered)_bytes|acks|delayed_acks"),
    (
        "Flows: losses and congestion",
        "retransmits|fast_recoveries|rto|tail_loss_probes|ecn_reductions|ce_marks|duplicate_bytes"
        "|out_of_order_segments",
    ),
    ("Flows: more", ".*"),
)
_QUEUES = (
    ("Queues: packets and interrupts", "packets|frames|bytes|interrupts|packets_per_interrupt|drops|marks|requeues"),
    ("Queues: byte queue limits and watchdog", ".*"),
)


@dataclass(frozen=True, slots=True)
class Captioned:
    caption: str
    grid: Grid


def of_flows(rows: Sequence[_Row]) -> list[Captioned]:
    return list(_themed([_none(row, "connect_ns", "finished_ns") for row in rows], "flow", _FLOWS))


def of_queues(rows: Sequence[_Row]) -> list[Captioned]:
    return list(_themed(rows, "queue", _QUEUES))


def of_paths(rows: Sequence[_Row]) -> list[Captioned]:
    return [Captioned("Paths: behind the wire", grid(rows))] if rows else []


def _none(row: _Row, *names: str) -> _Row:
    """The row with "none" for what is 0 for want of a value."""
    return {name: None if name in names and not value else value for name, value in row.items()}


def _themed(rows: Sequence[_Row], key: str, themes: Sequence[tuple[str, str]]) -> Iterator[Captioned]:
    """A name goes to the first theme whose pattern it matches, and a row to the themes of which it has something."""
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if name != key]
    for caption, pattern in themes:
        mine = [name for name in names if re.fullmatch(pattern, name, re.DOTALL)]
        names = [name for name in names if name not in mine]
        for part in parted(mine):
            told = [row for row in rows if any(name in row for name in part)]
            yield Captioned(caption, grid([{name: row.get(name) for name in (key, *part)} for row in told]))


def parted(names: Sequence[str], most: int = COLUMNS) -> list[Sequence[str]]:
    """As few parts as can be, about equally long, of ``most`` at the most."""
    size = math.ceil(len(names) / max(math.ceil(len(names) / most), 1))
    return [names[at : at + size] for at in range(0, len(names), max(size, 1))]
