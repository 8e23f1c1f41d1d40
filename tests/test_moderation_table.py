"""Limits and waits against interrupt moderation: an event model has the predicted table with interrupts that are held
apart, and what the RTL gives with interrupts so long after the first frame that has ended.

Bulk without end, sparse packets that pass it, interrupts that come late, a ring of 256, dynamic queue limits.
"""

from __future__ import annotations

import heapq
from collections import deque
from itertools import count
from statistics import median
from typing import Literal

import pytest

from ringwire.bql import Dql
from ringwire.experiment.published.moderation import CELLS, FAST, LATE_US, SPARSE, Cell, Link

Kind = Literal["held apart", "after the first"]
RING = 256


def model(
    kind: Kind,
    link: Link,
    size: int,
    usecs: float,
    late_us: float,
    *,
    ms: int,
    sparse_pps: int = 1000,
    bql: bool = True,
) -> tuple[int, float]:
    """(largest limit, median of a sparse packet's way to its end in us)."""
    now_us = 0.0
    number = count()
    events: list[tuple[float, int, str]] = []
    dql = Dql(lambda: int(now_us / 1000))
    bulk = (size, -1.0)
    ring: deque[tuple[int, float]] = deque()
    """(bytes, when it came): the first is on the wire."""
    waiting: deque[tuple[int, float]] = deque()
    ended: list[int] = []
    pending, interrupted_us, largest = False, -usecs, 0
    ways_us: list[float] = []

    def at(time_us: float, what: str) -> None:
        heapq.heappush(events, (time_us, next(number), what))

    def begin() -> None:
        at(now_us + link.frame_us(ring[0][0]), "end")

    at(0, "sparse")
    while events[0][0] < 1000 * ms:
        now_us, _, what = heapq.heappop(events)
        if what == "sparse":
            waiting.append((SPARSE, now_us))
            at(now_us + 1e6 / sparse_pps, "sparse")
        elif what == "end":
            length, came_us = ring.popleft()
            ended.append(length)
            if length == SPARSE:
                ways_us.append(now_us - came_us)
            if ring:
                begin()
            if not pending:
                pending = True
                at(
                    (max(now_us, interrupted_us + usecs) if kind == "held apart" else now_us + usecs) + late_us,
                    "report",
                )
        else:
            dql.completed(sum(ended))
            ended.clear()
            pending, interrupted_us, largest = False, now_us, max(largest, dql.limit)
        while (not bql or dql.avail() >= 0) and len(ring) + len(ended) < RING:
            ring.append(waiting.popleft() if waiting else bulk)
            dql.queued(ring[-1][0])
            if len(ring) == 1:
                begin()
    return largest, median(ways_us[len(ways_us) // 4 :])


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_interrupts_held_apart_give_the_predicted_cells(cell: Cell) -> None:
    limit, way_us = model("held apart", cell.link, cell.size, cell.usecs, 5, ms=100 if cell.link is FAST else 500)
    assert limit == cell.limit
    assert way_us == pytest.approx(cell.median_us, rel=0.02)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)
def test_interrupts_after_the_first_frame_give_what_the_rtl_does(cell: Cell) -> None:
    limit, way_us = model(
        "after the first", cell.link, cell.size, cell.usecs, LATE_US, ms=100, sparse_pps=cell.link.sparse_pps
    )
    for figure, value in zip(cell.figures(), (limit, way_us), strict=True):
        assert figure.held[0] <= value <= figure.held[1], figure.what


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.usecs == 0][:3], ids=lambda cell: cell.name)
def test_a_ring_of_256_gives_the_predicted_waits_without_limits(cell: Cell) -> None:
    expected = {1514: {100: 28_300, 1000: 3110}, 1506: {100: 28_200}}[cell.size][cell.link.mbps]
    _, way_us = model("held apart", cell.link, cell.size, 0, 5, ms=500, bql=False)
    assert way_us == pytest.approx(expected, rel=0.005)
