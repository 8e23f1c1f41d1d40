"""How a capture's packets enter the stack: behind a socket buffer that waits, or at the capture's times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from ringwire.netdev import NetDevice, dev_queue_xmit
from ringwire.rig.host import TaskClock
from ringwire.skb import Skb
from ringwire.sock import Clock, Sock

Packets = Iterable[tuple[int, Skb]]
"""(time stamp in ns, packet), in the order to be sent."""


class Source(Protocol):
    """Where packets come from."""

    packets: int
    """Handed over so far."""

    @property
    def idle(self) -> bool:
        """Whether all of them have been handed over."""
        ...


class PacedSource:
    """Sends each packet at its time stamp, counted from ``first_ns``; nothing waits for room.

    ``start_ns`` is the simulated time of ``first_ns``. A time stamp before its predecessor's means at once. With
    ``ahead_ns`` each packet is handed over that much earlier, and its time is the departure time that it names: its
    socket has SO_TXTIME with CLOCK_TAI, as etf and taprio ask for, and is of many flows (it has no peer).
    """

    def __init__(
        self,
        dev: NetDevice,
        clock: TaskClock,
        packets: Packets,
        syscall_ns: int,
        destructor: Callable[[Skb], None],
        first_ns: int,
        ahead_ns: int = 0,
    ) -> None:
        self.start_ns = clock.now_ns() + ahead_ns
        self.packets = 0
        self._dev = dev
        self._clock = clock
        self._rest: Iterator[tuple[int, Skb]] = iter(packets)
        self._syscall_ns = syscall_ns
        self._destructor = destructor
        self._next: Skb | None = None
        self._first_ns = first_ns
        self._ahead_ns = ahead_ns
        self._sk = Sock(connected=False, txtime_clock=Clock.TAI) if ahead_ns else None
        first = next(self._rest, None)
        if first is not None:
            self._schedule(*first)

    @property
    def idle(self) -> bool:
        return self._next is None

    def _schedule(self, stamp_ns: int, skb: Skb) -> None:
        self._next = skb
        due_ns = self.start_ns + stamp_ns - self._first_ns
        if self._ahead_ns:
            skb.tstamp = max(due_ns, 1)  # 0 would be none
            skb.sk = self._sk
        self._clock.call_at(due_ns - self._ahead_ns, self._send)

    def _send(self) -> None:
        skb, self._next = self._next, None
        assert skb is not None
        skb.destructor = self._destructor
        following = next(self._rest, None)
        self.packets += 1
        self._dev.charge(self._syscall_ns)
        dev_queue_xmit(skb, self._dev)
        if following is not None:
            self._schedule(*following)
