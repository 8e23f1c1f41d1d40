"""All points of a grid, side by side, on this machine or on a Dask cluster: the same way through any executor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future, as_completed
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ringwire.experiment.sweep.grid import Grid
from ringwire.experiment.sweep.point import Outcome, RunPoint, finished, one_line, run
from ringwire.experiment.sweep.workers import Workers

CONNECT_S = 10
POINTS = "points"
"""The folder of the points' folders."""


class ClusterError(RuntimeError):
    """The cluster can't be used; the text is one line."""


def run_sweep(
    grid: Grid, out: Path, executor: Executor, run_point: RunPoint, tell: Callable[[Outcome], None]
) -> list[Outcome]:
    """Run every point that is not there yet; their outcomes in the grid's order, told of as they come."""
    outcomes: dict[int, Outcome] = {}
    running: dict[Future[Outcome], int] = {}

    def came(number: int, outcome: Outcome) -> None:
        outcomes[number] = outcome
        tell(outcome)

    # all that is known before the first new one: what is left to do is known then
    points = [(point, (out / POINTS / point.name).resolve()) for point in grid.points()]
    for number, (point, folder) in enumerate(points):
        if (before := finished(point, folder, grid.base_digest)) is not None:
            came(number, before)
    for number, (point, folder) in enumerate(points):
        if number not in outcomes:
            running[executor.submit(run, run_point, point, folder, grid.base_digest)] = number
    for future in as_completed(running):
        number = running[future]
        point, folder = points[number]
        try:
            outcome = future.result()
        except (Exception, CancelledError) as error:
            # the process died, or the cluster lost it
            outcome = Outcome(point, folder, reason=one_line(error))
        if not outcome.reason and finished(point, folder, grid.base_digest) is None:
            outcome = replace(outcome, reason="it ran, but its folder is not here: do cluster and sweep share a disk?")
        came(number, outcome)
    return [outcomes[number] for number in range(len(points))]


@contextmanager
def executor(jobs: int, cluster: str = "") -> Iterator[Executor]:
    """Processes of this machine, or the workers of a Dask cluster. Left by an exception, it drops what runs."""
    if cluster:
        with _cluster(cluster) as made:
            yield made
        return
    with Workers(jobs) as workers:
        yield workers


@contextmanager
def _cluster(address: str) -> Iterator[Executor]:
    try:
        from distributed import Client
    except ImportError:
        raise ClusterError("--cluster needs Dask: pip install 'ringwire[cluster]'") from None
    connect: Any = Client  # it has no types
    try:
        client = connect(address, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        raise ClusterError(f"--cluster {address}: {one_line(error)}") from None
    with client:
        made = client.get_executor(pure=False)
        try:
            yield made
        finally:
            made.shutdown(wait=False)  # which cancels what has not begun
