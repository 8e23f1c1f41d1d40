"""How far a replay is, for whoever waits for it: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ringwire.replay.report import show_time
from ringwire.replay.run import Progress as Listener
from ringwire.replay.survey import Survey

PATIENCE_S = 2.0
"""What ends before is not worth a word."""
LINE_S = 10.0
"""Between two lines where there is no terminal."""


class ProgressBar(Listener):
    """Shows itself once a run has taken :data:`PATIENCE_S`; use it as a context."""

    def __init__(self, sim: str, console: Console) -> None:
        self._sim = sim
        self._console = console
        self._total: int | None = None
        self._frames = self._simulated_ns = 0
        self._lock = threading.Lock()
        self._timer = threading.Timer(PATIENCE_S, self._begin)
        self._timer.daemon = True
        self._bar: Progress | None = None
        self._shown = self._ended = False
        self._next_line_s = 0.0

    def surveyed(self, found: Survey) -> None:
        self._total = found.frames

    def advanced(self, frames: int, simulated_ns: int) -> None:
        with self._lock:
            self._frames, self._simulated_ns = frames, simulated_ns
            if self._shown and not self._ended:
                self._update()

    def _begin(self) -> None:
        with self._lock:
            if self._ended:
                return
            self._shown = True
            if self._console.is_terminal:
                columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
                self._bar = Progress(*columns, console=self._console, transient=True)
                self._task = self._bar.add_task("", total=None)
                self._bar.start()
            self._update()

    def _update(self) -> None:
        """The state of things. Before the first frame the simulator's model is being built or loaded."""
        what = f"{show_time(self._simulated_ns)} simulated" if self._frames else f"{self._sim}: making ready"
        if self._bar is not None:
            self._bar.update(
                self._task, description=what, completed=self._frames, total=self._total if self._frames else None
            )
        elif time.monotonic() >= self._next_line_s:
            self._next_line_s = time.monotonic() + LINE_S
            done = f"{self._frames:,} of {self._total:,} frames, " if self._frames and self._total else ""
            self._console.print(f"ringwire: {done}{what} ...", highlight=False)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            self._ended = True
            if self._bar is not None:
                self._bar.stop()
