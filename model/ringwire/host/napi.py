"""NAPI: after an interrupt, a queue is polled in softirqs until there is nothing left to do (net/core/dev.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

WEIGHT = 64


class Softirqs(Protocol):
    """A CPU, or a driver's port, that runs work later."""

    def now_ns(self) -> int: ...
    def call_at(self, when_ns: int, fn: Callable[[], None]) -> object: ...


class Polls:
    """What there is to know of a host's polls. Who watches them sets both; ports have it as ``polls``."""

    __slots__ = ("on_empty", "progress")

    def __init__(self) -> None:
        self.progress: Callable[[], int] | None = None
        """Changes with each packet and each completion that a poll takes."""
        self.on_empty: Callable[[Napi], None] | None = None
        """Told of each poll that took nothing and has another follow at once; an exception from it ends the polling."""


class Napi:
    """Polls one queue. ``poll(budget)`` returns how much it did.

    Less than the budget means that it is done: it has called :meth:`complete`, and then told the device to interrupt
    again. In the other order an interrupt that comes at once would find the poll scheduled, and be lost. With the
    budget used up it runs again behind the other work that its CPU has.
    """

    __slots__ = ("_again", "_cpu", "_disabled", "_poll", "_polls", "_repolled", "_scheduled", "empty", "weight")

    def __init__(self, cpu: Softirqs, poll: Callable[[int], int], weight: int = WEIGHT) -> None:
        self.weight = weight
        self._cpu = cpu
        self._poll = poll
        self._scheduled = False
        self._disabled = False
        self._again = self._repolled = False
        self._polls: Polls | None = getattr(cpu, "polls", None)
        self.empty = 0
        """Polls in a row, up to now, that took nothing and had another follow at once."""

    @property
    def name(self) -> str:
        """Of the function that polls."""
        return str(getattr(self._poll, "__qualname__", self._poll))

    def schedule(self) -> None:
        """napi_schedule: poll soon, once however often asked."""
        if not self._scheduled and not self._disabled:
            self._scheduled = self._again = True
            self._cpu.call_at(self._cpu.now_ns(), self._run)

    def complete(self) -> None:
        """napi_complete_done: this poll is the last one until the next :meth:`schedule`."""
        self._scheduled = False

    def disable(self) -> None:
        """napi_disable: no poll begins until ``enable``."""
        self._disabled = True

    def enable(self) -> None:
        self._disabled = False

    def _run(self) -> None:
        if self._disabled:
            self._scheduled = False
            return
        self._again = False
        # a poll that an interrupt has called is not looked at: that saves the time
        progress = self._polls.progress if self._repolled and self._polls is not None else None
        before = 0 if progress is None else progress()
        full = self._poll(self.weight) >= self.weight
        self._repolled = full or self._again
        if progress is None or not self._repolled or progress() != before:
            self.empty = 0
        else:
            self._took_nothing()
        if full:
            self._cpu.call_at(self._cpu.now_ns(), self._run)

    def _took_nothing(self) -> None:
        self.empty += 1
        if self._polls is not None and self._polls.on_empty is not None:
            self._polls.on_empty(self)
