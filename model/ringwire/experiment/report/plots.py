"""All plots of a run, in the order in which a page shows them, and what could not be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ringwire.experiment.report import flows, paths, queues, wire
from ringwire.experiment.report.chart import Described, LeftOut, Plot, Run
from ringwire.experiment.results import Results

DESCRIBED: tuple[Described, ...] = (*flows.PLOTS, *queues.PLOTS, *wire.PLOTS, *paths.PLOTS)


@dataclass(frozen=True, slots=True)
class Drawn:
    """``left_out``: title and reason of each plot that there is no data for."""

    plots: Sequence[Plot]
    left_out: Sequence[tuple[str, str]]
    span_s: tuple[float, float]


def draw(results: Results) -> Drawn:
    """Describe every plot that the results have data for."""
    run = Run.of(results)
    plots: list[Plot] = []
    left_out: list[tuple[str, str]] = []
    for described in DESCRIBED:
        try:
            made = described.build(run)
        except LeftOut as reason:
            left_out.append((described.title, str(reason)))
        else:
            for each in [made] if isinstance(made, Plot) else made:
                if isinstance(each, Plot):
                    plots.append(each)
                else:
                    left_out.append((described.title, str(each)))
    return Drawn(plots, left_out, run.span_s)
