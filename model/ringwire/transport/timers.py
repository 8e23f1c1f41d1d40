"""Timers: one that is set again with every acknowledgement, and a clock of the far end that is told of things late."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Protocol


class Clock(Protocol):
    """Time and calls in simulated nanoseconds; what :class:`ringwire.netdev.device.Clock` is, as far as needed."""

    def now_ns(self) -> int: ...
    def call_at(self, when_ns: int, fn: Callable[[], None]) -> object: ...


class Timer:
    """Calls ``fn`` at the time that it was last set to. To set it later costs nothing: the call pending is reused."""

    __slots__ = ("_call_at", "_fn", "_now_ns", "_wake_ns", "due_ns")

    def __init__(self, clock: Clock, fn: Callable[[], None]) -> None:
        self.due_ns: int | None = None
        """When it will expire, None: it is not set."""
        self._fn = fn
        self._now_ns = clock.now_ns
        self._call_at = clock.call_at
        self._wake_ns: int | None = None
        """The earliest call pending."""

    def set(self, due_ns: int) -> None:
        self.due_ns = due_ns
        if self._wake_ns is None or self._wake_ns > due_ns:
            self._wake_at(due_ns)

    def cancel(self) -> None:
        self.due_ns = None

    def _wake_at(self, due_ns: int) -> None:
        self._wake_ns = due_ns
        self._call_at(due_ns, lambda: self._wake(due_ns))

    def _wake(self, wake_ns: int) -> None:
        if wake_ns != self._wake_ns:
            return  # an earlier call has taken its place
        self._wake_ns = None
        due_ns = self.due_ns
        if due_ns is None:
            return
        if due_ns > self._now_ns():
            self._wake_at(due_ns)
        else:
            self.due_ns = None
            self._fn()


class FarClock:
    """Time behind the wire, where things are worked out when a frame is told of and not when they happen.

    A host hears of a frame up to ``lag_ns`` after it arrived there, since nothing comes back from it before. So what is
    due at some time there is done with the first frame told of that is later, by :meth:`run_until`, and at the latest
    ``lag_ns`` after its time: then every frame that was earlier has been told. All that is done gets the exact time.
    """

    __slots__ = ("_clock", "_count", "lag_ns", "pending")

    def __init__(self, clock: Clock, lag_ns: int) -> None:
        self.lag_ns = lag_ns
        self._clock = clock
        self.pending: list[tuple[int, int, Callable[[int], None]]] = []
        """(time in ns, number, what is due), a heap; while it is empty :meth:`run_until` need not be called."""
        self._count = 0

    def call_at(self, when_ns: int, fn: Callable[[int], None]) -> None:
        """Have ``fn(when_ns)`` done in order of time."""
        self._count += 1
        heappush(self.pending, (when_ns, self._count, fn))
        self._clock.call_at(when_ns + self.lag_ns, lambda: self.run_until(when_ns))

    def run_until(self, now_ns: int) -> None:
        """Do all that is due by ``now_ns``."""
        pending = self.pending
        while pending and pending[0][0] <= now_ns:
            when_ns, _, fn = heappop(pending)
            fn(when_ns)
