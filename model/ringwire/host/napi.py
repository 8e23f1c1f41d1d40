"""NAPI: after an interrupt, a queue is polled in softirqs until there is nothing left to do (net/core/dev.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

WEIGHT = 64


class Softirqs(Protocol):
    """A CPU, or a driver's port, that runs work later."""

    def now_ns(self) -> int: ...
    def call_at(self, when_ns: int, fn: Callable[[], None]) -> object: ...


class Napi:
    """Polls one queue. ``poll(budget)`` returns how much it did.

    Less than the budget means that it is done: it has called :meth:`complete`, and then told the device to interrupt
    again. In the other order an interrupt that comes at once would find the poll scheduled, and be lost. With the
    budget used up it runs again behind the other work that its CPU has.
    """

    __slots__ = ("_cpu", "_disabled", "_poll", "_scheduled", "weight")

    def __init__(self, cpu: Softirqs, poll: Callable[[int], int], weight: int = WEIGHT) -> None:
        self.weight = weight
        self._cpu = cpu
        self._poll = poll
        self._scheduled = False
        self._disabled = False

    def schedule(self) -> None:
        """napi_schedule: poll soon, once however often asked."""
        if not self._scheduled and not self._disabled:
            self._scheduled = True
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
        elif self._poll(self.weight) >= self.weight:
            self._cpu.call_at(self._cpu.now_ns(), self._run)
