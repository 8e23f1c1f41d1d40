"""A timer for disciplines that wait until a time is over, not until it has come.

The kernel's timers are always a little late, and etf and cbs rely on that: at the very moment that they ask for, etf
still holds its packet back, and cbs's credit, cut off to whole bytes, is one short. A simulated timer is exact.
"""

from __future__ import annotations

from ringwire.qdisc.watchdog import Watchdog


class StrictWatchdog(Watchdog):
    """Fires a nanosecond after the time that it is asked for."""

    __slots__ = ()

    def schedule(self, expires_ns: int, slack_ns: int = 0) -> None:
        dev = self._qdisc.dev
        if dev.watchdog_armed is not None:
            dev.watchdog_armed(expires_ns, slack_ns)
        if self._timer is not None:
            if 0 <= self.expires_ns - expires_ns <= slack_ns:
                return
            self._timer.cancel()
        self.expires_ns = expires_ns
        self._timer = dev.call_at(expires_ns + 1, self._fire)
