"""A discipline's timer, for packets that may not go yet (qdisc_watchdog in net/sched/sch_api.c)."""

from __future__ import annotations

from ringwire.qdisc.base import AnyQdisc, Timer


class Watchdog:
    """Runs a discipline's root again once a packet may go."""

    __slots__ = ("_qdisc", "_timer", "expires_ns")

    def __init__(self, qdisc: AnyQdisc) -> None:
        self._qdisc = qdisc
        self._timer: Timer | None = None
        self.expires_ns = 0

    def schedule(self, expires_ns: int, slack_ns: int = 0) -> None:
        """Fire at ``expires_ns``; a pending timer that fires at most ``slack_ns`` later is left alone."""
        dev = self._qdisc.dev
        if dev.watchdog_armed is not None:
            dev.watchdog_armed(expires_ns, slack_ns)
        if self._timer is not None:
            if 0 <= self.expires_ns - expires_ns <= slack_ns:
                return
            self._timer.cancel()
        self.expires_ns = expires_ns
        self._timer = dev.call_at(expires_ns, self._fire)

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        self._qdisc.dev.schedule(self._qdisc.root)
