"""How far a sweep is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from ringwire.experiment.sweep.point import Outcome

LINE_S = 10.0
"""Between two lines where there is no terminal."""


class SweepProgress:
    """Counts points; the time left follows from those that were run this time. Use it as a context."""

    def __init__(self, total: int, console: Console) -> None:
        self._total, self._console = total, console
        self._known = self._ran = self._failed = 0
        self._began_s = self._next_line_s = time.monotonic()
        self._bar: Progress | None = None
        if console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console, transient=True
            )
            self._task = self._bar.add_task("", total=total)

    @property
    def done(self) -> int:
        """Points whose results are there."""
        return self._known + self._ran - self._failed

    def tell(self, outcome: Outcome) -> None:
        if outcome.again:
            self._known += 1
        else:
            self._ran += 1
        self._failed += bool(outcome.reason)
        text = self._text()
        if self._bar is not None:
            self._bar.update(self._task, description=text, completed=self._known + self._ran)
        elif time.monotonic() >= self._next_line_s and not outcome.again:
            self._next_line_s = time.monotonic() + LINE_S
            self._console.print(f"ringwire: {self._known + self._ran} of {self._total} points, {text}", highlight=False)

    def _text(self) -> str:
        failed = f"{self._failed} failed, " if self._failed else ""
        left = self._total - self._known - self._ran
        if not self._ran:
            return f"{failed}{self._known} there already"
        return failed + time_left((time.monotonic() - self._began_s) / self._ran * left)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


def time_left(seconds: float) -> str:
    """In the largest units that matter."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s left"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s left"
    return f"{whole // 3600} h {whole % 3600 // 60} min left"
