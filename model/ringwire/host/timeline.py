"""The host's events on the one clock of the world: simulated nanoseconds as integers."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush


class Event:
    """A pending call. Cancelling one that has run, or twice, does nothing."""

    __slots__ = ("fn", "when_ns")

    def __init__(self, when_ns: int, fn: Callable[[], None]) -> None:
        self.when_ns = when_ns
        self.fn: Callable[[], None] | None = fn

    def cancel(self) -> None:
        self.fn = None


class Timeline:
    """Events in order of time, those of equal time in order of their insertion.

    ``now_ns`` is the time of the event that is running, else the time reached. It never goes back: an event asked for
    in the past runs at ``now_ns``.
    """

    __slots__ = ("_heap", "_inserted", "now_ns")

    def __init__(self, now_ns: int = 0) -> None:
        self.now_ns = now_ns
        self._heap: list[tuple[int, int, Event]] = []
        self._inserted = 0

    def call_at(self, when_ns: int, fn: Callable[[], None]) -> Event:
        """Run ``fn`` at ``when_ns``, or now if that has passed."""
        if when_ns < self.now_ns:
            when_ns = self.now_ns
        event = Event(when_ns, fn)
        self._inserted += 1
        heappush(self._heap, (when_ns, self._inserted, event))
        return event

    def next_ns(self) -> int | None:
        """Time of the earliest pending event, None when there is none."""
        heap = self._heap
        while heap:
            if heap[0][2].fn is not None:
                return heap[0][0]
            heappop(heap)
        return None

    def run_until(self, now_ns: int) -> None:
        """Run every event up to and including ``now_ns``, those that they add as well; then it is ``now_ns``."""
        heap = self._heap
        while heap and heap[0][0] <= now_ns:
            when_ns, _, event = heappop(heap)
            fn, event.fn = event.fn, None
            if fn is not None:
                self.now_ns = when_ns
                fn()
        if now_ns > self.now_ns:
            self.now_ns = now_ns
