"""How far a run is, for whoever waits for it: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ringwire.replay.report import show_time
from ringwire.replay.run import Progress as Listener
from ringwire.replay.survey import Survey

PATIENCE_S = 2.0
"""What ends before is not worth a word."""
LINE_S = 10.0
"""Between two lines where there is no terminal."""


class Bar:
    """Shows itself once a run has taken :data:`PATIENCE_S`; use it as a context."""

    def __init__(self, sim: str, console: Console, total: int | None = None) -> None:
        """``total`` is how much there is to do, in whatever unit; it may come later."""
        self._sim = sim
        self._console = console
        self._total = total
        self._done = 0
        self._what = ""
        self._lock = threading.Lock()
        self._timer = threading.Timer(PATIENCE_S, self._begin)
        self._timer.daemon = True
        self._bar: Progress | None = None
        self._shown = self._ended = False
        self._next_line_s = 0.0

    @property
    def begun(self) -> bool:
        """The run itself is under way; before, a simulator's model is being built or loaded."""
        return self._done > 0

    def _share(self, done: int, total: int) -> str:
        """How much of it is done, in words."""
        return f"{min(done / total, 1):.0%}"

    def _advance(self, done: int, what: str) -> None:
        """So much is done; ``what`` says it in words."""
        with self._lock:
            self._done, self._what = done, what
            if self._shown and not self._ended:
                self._update()

    def _begin(self) -> None:
        with self._lock:
            if self._ended:
                return
            self._shown = True
            if self._console.is_terminal:
                columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
                self._bar = Progress(*columns, console=self._console, transient=True)
                self._task = self._bar.add_task("", total=None)
                self._bar.start()
            self._update()

    def _update(self) -> None:
        """The state of things. Until something is done the simulator's model is being built or loaded."""
        what = self._what if self._done else f"{self._sim}: making ready"
        if self._bar is not None:
            self._bar.update(
                self._task, description=what, completed=self._done, total=self._total if self._done else None
            )
        elif time.monotonic() >= self._next_line_s:
            self._next_line_s = time.monotonic() + LINE_S
            done = f"{self._share(self._done, self._total)}, " if self._done and self._total else ""
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


class ProgressBar(Bar, Listener):
    """Of a replay, by frames."""

    def _share(self, done: int, total: int) -> str:
        return f"{done:,} of {total:,} frames"

    def surveyed(self, found: Survey) -> None:
        self._total = found.frames

    def advanced(self, frames: int, simulated_ns: int) -> None:
        self._advance(frames, f"{show_time(simulated_ns)} simulated")


class TimeBar(Bar):
    """Of an experiment, by simulated time."""

    def __init__(self, sim: str, duration_ns: int, console: Console) -> None:
        super().__init__(sim, console, duration_ns)

    def advanced(self, simulated_ns: int, frames: int) -> None:
        """So far has the run come."""
        self._advance(max(simulated_ns, 1), f"{show_time(simulated_ns)} simulated, {frames:,} frames")
