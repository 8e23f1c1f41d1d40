"""``ringwire sweep``: an experiment over a grid of settings and seeds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ringwire.experiment.sweep.figures import Swept
from ringwire.experiment.sweep.grid import Grid, GridError, read_grid, try_grid
from ringwire.experiment.sweep.point import Outcome, RunPoint, experiment
from ringwire.experiment.sweep.run import ClusterError, executor, run_sweep


def sweep(
    grid: Grid,
    out: Path,
    jobs: int = 1,
    cluster: str = "",
    run_point: RunPoint | None = None,
    tell: Callable[[Outcome], None] = lambda outcome: None,
) -> Swept:
    """Run what is not there yet and write tables, plots and page of all into ``out``.

    ``tell`` hears of each point. Raises ClusterError if there is no cluster at the address.
    """
    # only now, because a worker process that unpickles a point imports this package too
    from ringwire.experiment.report.page import write_text
    from ringwire.experiment.report.render import write_files
    from ringwire.experiment.sweep.boxes import box_plots
    from ringwire.experiment.sweep.figures import write_tables
    from ringwire.experiment.sweep.page import sweep_page

    out.mkdir(parents=True, exist_ok=True)
    with executor(jobs, cluster) as made:
        swept = Swept.of(grid, run_sweep(grid, out, made, run_point or experiment(grid), tell))
    write_tables(swept, out)
    plots = box_plots(swept)
    for plot in plots:
        write_files(plot, (0.0, 0.0), out / "plots", grid.title)
    write_text(out / "sweep.html", sweep_page(out, swept, plots))
    return swept


__all__ = ["ClusterError", "Grid", "GridError", "Outcome", "RunPoint", "Swept", "read_grid", "sweep", "try_grid"]
