"""The transmit watchdog: a queue that stays stopped for too long has lost its completions (dev_watchdog)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringwire.netdev.queue import TxQueue
from ringwire.qdisc.base import Timer

if TYPE_CHECKING:
    from ringwire.netdev.device import NetDevice

TIMEOUT_S = 5
NS_PER_S = 1_000_000_000


class TxWatchdog:
    """Looks at a device's queues about every ``timeout`` jiffies, on whole seconds.

    The first queue found stopped (by driver or byte limits) for longer is reported through the device's
    ``tx_timeout`` with all queues frozen; a device without carrier is left alone.
    """

    __slots__ = ("_dev", "_timer", "timeout")

    def __init__(self, dev: NetDevice) -> None:
        self._dev = dev
        self._timer: Timer | None = None
        self.timeout = TIMEOUT_S * dev.hz
        """In jiffies."""

    def start(self) -> None:
        """Begin to look, when the device comes up."""
        self.stop()
        self._look_after(self._dev.jiffies())

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_after(self, since: int) -> None:
        """Look again one timeout after the jiffy ``since``, rounded to a whole second where that is not past.

        The next jiffy is the earliest.
        """
        hz, now = self._dev.hz, self._dev.jiffies()
        due = since + self.timeout
        rest = due % hz
        rounded = due - rest if rest < hz // 4 else due - rest + hz
        due = max(rounded if rounded > now else due, now + 1)
        self._timer = self._dev.call_at(-(-due * NS_PER_S // hz), self._look)

    def _look(self) -> None:
        dev = self._dev
        self._timer = None
        now = oldest = dev.jiffies()
        stuck: TxQueue | None = None
        if dev.carrier:
            for txq in dev.tx_queues:
                if txq.xmit_stopped:
                    since = txq.trans_start_ns * dev.hz // NS_PER_S
                    if now > since + self.timeout:
                        stuck = txq
                        break
                    oldest = min(oldest, since)
            if stuck is not None:
                self._report(stuck)
        self._look_after(oldest)

    def _report(self, stuck: TxQueue) -> None:
        stuck.trans_timeout += 1
        dev = self._dev
        for txq in dev.tx_queues:
            txq.freeze()
        if dev.tx_timeout is not None:
            dev.tx_timeout(stuck)
        for txq in dev.tx_queues:
            txq.unfreeze()
