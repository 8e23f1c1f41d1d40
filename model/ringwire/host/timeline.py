"""The host's events on the one clock of the world: simulated nanoseconds as integers."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush


class Event:
    """A pending call. Cancelling one that has run, or twice, does nothing."""

    __slots__ = ("fn",)

    def __init__(self, fn: Callable[[], object]) -> None:
        self.fn: Callable[[], object] | None = fn

    def come(self) -> None:
        """Its time has come, and it has not been cancelled."""
        fn, self.fn = self.fn, None
        if fn is not None:
            fn()

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

    def call_at(self, when_ns: int, fn: Callable[[], object]) -> Event:
        """Run ``fn`` at ``when_ns``, or now if that has passed."""
        event = Event(fn)
        self.add(when_ns, event)
        return event

    def add(self, when_ns: int, event: Event) -> None:
        """Have an event ``come`` at ``when_ns``, or now if that has passed."""
        self._inserted = inserted = self._inserted + 1
        now_ns = self.now_ns
        heappush(self._heap, (when_ns if when_ns > now_ns else now_ns, inserted, event))

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
            if event.fn is not None:
                self.now_ns = when_ns
                event.come()
        if now_ns > self.now_ns:
            self.now_ns = now_ns
