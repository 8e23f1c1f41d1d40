"""etf: packets leave at the time they name, earliest first; a device may keep to it more exactly than a timer.

After net/sched/sch_etf.c of Linux 6.12.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from typing import ClassVar

from ringwire.qdisc.base import XMIT_SUCCESS, Qdisc
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.offload import EtfOffload, transmit_queue
from ringwire.qdisc.strict_watchdog import StrictWatchdog
from ringwire.skb import Skb
from ringwire.sock import Clock


@dataclass(frozen=True, slots=True)
class EtfParams:
    """``delta`` in ns: how long before its time a packet is given to the device."""

    clockid: Clock | None = None
    delta: int = 0
    offload: bool = False
    deadline_mode: bool = False
    """A packet is to leave before its time, and as soon as possible."""
    skip_sock_check: bool = False
    """Packets may come from sockets that did not ask for launch times (SO_TXTIME)."""


class Etf(Qdisc[EtfParams]):
    """What comes late, or has become late in here, is dropped. All clocks show the model's time."""

    kind: ClassVar[str] = "etf"
    params_type = EtfParams

    def setup(self) -> None:
        self.watchdog = StrictWatchdog(self)
        self._made = False
        self._by_time: list[tuple[int, int, Skb]] = []
        """A heap; equal times in order of arrival."""
        self._arrivals = 0
        self._last = 0
        """Time of the packet that left last."""

    def change(self, params: EtfParams) -> None:
        if self._made:
            raise QdiscError("EINVAL", "Change operation not supported by specified qdisc")
        if params.clockid is None:
            raise QdiscError("EOPNOTSUPP", "Dynamic clockids are not supported")
        if params.clockid != Clock.TAI:
            raise QdiscError("EINVAL", "Invalid clockid. CLOCK_TAI must be used")
        if params.delta < 0:
            raise QdiscError("EINVAL", "Delta must be positive")
        self.queue = transmit_queue(self.dev, self.parent_id)
        if params.offload:
            self.dev.offloads.enable(
                self,
                EtfOffload(self.queue, deadline_mode=params.deadline_mode),
                "Specified device does not support ETF offload",
                "Specified device failed to setup ETF hardware offload",
            )
        self._params = params
        self._delta = params.delta
        self._deadline_mode = params.deadline_mode
        self._made = True

    def params(self) -> EtfParams:
        return self._params

    def clear(self) -> None:
        # the latest first, as Linux's deferred frees come out
        for _, _, skb in sorted(self._by_time, reverse=True):
            self.dev.drop(skb)
        self._by_time.clear()
        self._last = 0
        self.watchdog.cancel()

    def destroy(self) -> None:
        super().destroy()
        if self._params.offload:
            self.dev.offloads.disable(self, EtfOffload(self.queue, enable=False))

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        if not self._valid(skb):
            _report(skb, "EINVAL")
            return self.refuse(skb, to_free)
        self._arrivals += 1
        heappush(self._by_time, (skb.tstamp, self._arrivals, skb))
        self.qlen += 1
        self.backlog += skb.pkt_len
        self._rearm()
        return XMIT_SUCCESS

    def _valid(self, skb: Skb) -> bool:
        """Whether the packet is for this clock and mode, and is not late nor before one that has left."""
        if not self._params.skip_sock_check:
            sk = skb.sk
            if sk is None or sk.txtime_clock is not self._params.clockid or sk.deadline_mode != self._deadline_mode:
                return False
        return skb.tstamp >= self.dev.now_ns() and skb.tstamp >= self._last

    def peek(self) -> Skb | None:
        return self._by_time[0][2] if self._by_time else None

    def dequeue_peeked(self) -> Skb | None:
        return self.dequeue()

    def dequeue(self) -> Skb | None:
        if not self._by_time:
            return None
        time = self._by_time[0][0]
        now = self.dev.now_ns()
        skb: Skb | None = None
        if time < now:
            self._drop_expired(now)
        elif self._deadline_mode or now > time - self._delta:
            skb = heappop(self._by_time)[2]
            self.qlen -= 1
            self.backlog -= skb.pkt_len
            self.count_sent(skb)
            self._last = time
            if self._deadline_mode:
                skb.tstamp = now
        self._rearm()
        return skb

    def _drop_expired(self, now: int) -> None:
        """Drop all packets whose time has come, not only those whose time is over."""
        expired: list[Skb] = []
        while self._by_time and self._by_time[0][0] <= now:
            skb = heappop(self._by_time)[2]
            _report(skb, "ECANCELED")
            self.qlen -= 1
            self.backlog -= skb.pkt_len
            self.drops += 1
            self.overlimits += 1
            expired.append(skb)
        while expired:
            self.dev.drop(expired.pop())

    def _rearm(self) -> None:
        if self._by_time:
            self.watchdog.schedule(self._by_time[0][0] - self._delta)
        else:
            self.watchdog.cancel()


def _report(skb: Skb, errno: str) -> None:
    """Tell the socket, if it wants to know."""
    if skb.sk is not None and skb.sk.on_txtime_error is not None:
        skb.sk.on_txtime_error(skb, errno)
