"""What a run shows: ``plots/*.png``, ``plots/*.svg`` and ``report.html``, from its results."""

from __future__ import annotations

import json
from pathlib import Path

from ringwire.experiment import ownfiles
from ringwire.experiment.report.page import run_page, write_text
from ringwire.experiment.report.plots import draw
from ringwire.experiment.report.render import write_files
from ringwire.experiment.results import Results


class ReportError(ValueError):
    """There are no results where they were said to be; the text is one line."""


def write_report(folder: Path, results: Results | None = None) -> Path:
    """Make plots and page in a results folder, from ``results`` or else from what is in it; the page's path."""
    if results is None:
        results = load(folder)
    ownfiles.remove(folder, "plots")  # of a run before, which may have had others
    drawn = draw(results)
    pictures = (f"plots/{plot.name}.{suffix}" for plot in drawn.plots for suffix in ("png", "svg"))
    ownfiles.claim(folder, ("report.html", *pictures))
    subtitle = str(results.summary.get("title") or "")
    for plot in drawn.plots:
        write_files(plot, drawn.span_s, folder / "plots", subtitle)
    page = folder / "report.html"
    write_text(page, run_page(folder, results, drawn))
    return page


def load(folder: Path) -> Results:
    """The results in a folder. ReportError says what is wrong with it."""
    if not folder.is_dir():
        raise ReportError(f"{folder}: no such folder")
    try:
        return Results.load(folder)
    except FileNotFoundError:
        raise ReportError(f"{folder}: no summary.json in it; a run's results have one") from None
    except json.JSONDecodeError as error:
        raise ReportError(f"{folder / 'summary.json'}: not JSON: {error}") from None
    except (OSError, ValueError) as error:
        raise ReportError(f"{folder}: {error}") from None


__all__ = ["ReportError", "load", "write_report"]
