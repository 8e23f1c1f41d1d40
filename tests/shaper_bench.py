"""A discipline in front of a serial link, under a clock of its own: what tests of shapers measure with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import ClassVar

from ringwire.netdev import NetDevice
from ringwire.qdisc.classify import OK, Match
from ringwire.skb import Skb
from ringwire.tools.tc import Tc

BITS_NS = 8 * 10**9
"""Bits of a byte, nanoseconds of a second."""


class _Timer:
    def cancel(self) -> None:
        pass


class _Clock:
    def __init__(self) -> None:
        self.ns = 10**9

    def now_ns(self) -> int:
        return self.ns

    def call_at(self, when_ns: int, fn: Callable[[], None]) -> _Timer:
        return _Timer()


class Always:
    """A filter that says one verdict of every packet."""

    kind: ClassVar[str] = "always"
    protocol = 3
    prio = 1

    def __init__(self, classid: int = 0, verdict: int = OK) -> None:
        self.classid = classid
        self.verdict = verdict

    def classify(self, skb: Skb, match: Match) -> int:
        match.classid = self.classid
        return self.verdict

    def class_ids(self) -> Iterable[int]:
        return (self.classid,)

    def destroy(self) -> None:
        pass


class ShaperBench:
    """``run`` is tc; the link takes packets one after the other at ``bps``, and idles until the watchdog's time."""

    def __init__(self, *lines: str, bps: int = 10**7, tx_queue_len: int = 1000) -> None:
        self.clock = _Clock()
        self.dev = NetDevice(self.clock, name="t0", tx_queue_len=tx_queue_len)
        self.tc = Tc([self.dev])
        self.run = self.tc.run
        self.bps = bps
        self.dropped: list[Skb] = []
        self.dev.on_drop = self.dropped.append
        self.dev.watchdog_armed = self._armed
        self.watchdog_ns = 0
        self.sent: Counter[int] = Counter()
        """Bytes by the minor number of the packet's priority."""
        self._next_id = 0
        for line in lines:
            self.run(line)

    def _armed(self, expires_ns: int, slack_ns: int) -> None:
        self.watchdog_ns = expires_ns

    def put(self, minor: int, size: int = 1000, count: int = 1, priority: int | None = None) -> int:
        """Enqueue packets for class 1:minor; the last return code."""
        rc = 0
        for _ in range(count):
            self._next_id += 1
            to_free: list[Skb] = []
            skb = Skb(
                len=size, pkt_len=size, id=self._next_id, priority=0x10000 | minor if priority is None else priority
            )
            rc = self.dev.qdisc.enqueue(skb, to_free)
            self.dropped += to_free
        return rc

    def get(self) -> Skb | None:
        self.watchdog_ns = 0
        return self.dev.qdisc.dequeue()

    def minors(self, count: int) -> list[int]:
        """Classes of the next packets at this very moment, 0 where there is none."""
        return [0 if (skb := self.get()) is None else skb.priority & 0xFFFF for _ in range(count)]

    def drain(self, duration_ns: int, offered: dict[int, int] | None = None) -> Counter[int]:
        """Send for some time; bytes by class. Classes of ``offered`` (minor -> packet size) always have packets."""
        end = self.clock.ns + duration_ns
        before = self.sent.copy()
        for minor, size in (offered or {}).items():
            self.put(minor, size, 2)
        while self.clock.ns < end:
            skb = self.get()
            if skb is None:
                self.clock.ns = min(self.watchdog_ns or end, end)
                continue
            minor = skb.priority & 0xFFFF
            self.sent[minor] += skb.pkt_len
            if offered and minor in offered:
                self.put(minor, offered[minor])
            self.clock.ns += skb.pkt_len * BITS_NS // self.bps
        return self.sent - before

    def rates(self, duration_ns: int, offered: dict[int, int]) -> dict[int, float]:
        """Mbit/s by class."""
        sent = self.drain(duration_ns, offered)
        return {minor: sent[minor] * 8e3 / duration_ns for minor in offered}
