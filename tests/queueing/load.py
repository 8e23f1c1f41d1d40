"""Flows of UDP datagrams through tc's lines, driver and device, and what of them is on the wire."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, NamedTuple

from ringwire.driver.config import DriverConfig
from ringwire.host.cpu import Level
from ringwire.host.world import PS_PER_NS, World
from ringwire.netdev import NETDEV_TX_OK, TxQueue, dev_queue_xmit
from ringwire.nic.descriptors import Status
from ringwire.skb import Skb
from ringwire.socket import Socket
from ringwire.tools.commands import Commands
from tests.control.bench import sent
from tests.driver_bench import MS, CountedSkb, DriverBench
from tests.frames import UDP, Frame

GBIT = 1_000_000_000
S = 1_000_000_000
SIZE = 1514
OVERHEAD = 24
"""Preamble, FCS and gap: bytes of the wire that a frame takes besides its own."""
PORT_AT, NUMBER_AT = 36, 42
"""In a frame: the UDP destination port, and the number that its sender gave it."""
SNDBUF = 60_000
"""Some 26 full-sized packets: refilled at half, so that a flow which has more to send is never without."""


def wire_ns(size: int, line_bps: int = GBIT) -> int:
    """How long a frame of ``size`` bytes has the wire to itself."""
    return -(-(max(size, 60) + OVERHEAD) * 8 * S // line_bps)


@dataclass(frozen=True)
class Flow:
    """Datagrams to one port. A backlogged one has always more to send, from ``begin`` to ``end``."""

    port: int
    begin: int = 0
    end: int = 0
    size: int = SIZE
    fields: dict[str, Any] = field(default_factory=dict)
    """Of its packets, as Skb has them."""


class Seen(NamedTuple):
    """A frame on the wire."""

    start_ns: float
    """Since the traffic began."""
    port: int
    number: int
    size: int
    queue: int


@cache
def template(port: int, size: int) -> bytes:
    """A datagram with room for its number."""
    return Frame(protocol=UDP, ports=(port, port), payload=bytes(size - NUMBER_AT), checksum=0).build()


class LoadBench(DriverBench[World]):
    """The stack over a device of ``line_bps``, set up by lines of tc. ``sent_ns``: when each packet met the stack."""

    def __init__(
        self, world: World, lines: Iterable[str], queues: int = 1, line_bps: int = GBIT, **config: Any
    ) -> None:
        super().__init__(world, DriverConfig(line_rate_bps=line_bps, **config), queues)
        self.run = Commands([self.dev]).run
        self.lines = lines
        self.sent_ns: dict[tuple[int, int], int] = {}
        self.begin_ns = 0
        """Of the traffic."""
        self._counts: dict[int, int] = {}

    async def up(self) -> LoadBench:
        """Open the driver, carry the lines out, and begin."""
        await super().up()
        for line in self.lines:
            self.run(line)
        await self.world.pause(2_000)
        self.begin_ns = self.world.timeline.now_ns
        return self

    def now(self) -> int:
        """Since the traffic began."""
        return self.dev.now_ns() - self.begin_ns

    def packet(self, flow: Flow, **fields: Any) -> CountedSkb:
        """The next of a flow: whole Ethernet, IPv4 and UDP headers, no UDP checksum, its number, zeros."""
        number = self._counts.get(flow.port, 0)
        self._counts[flow.port] = number + 1
        frame = template(flow.port, flow.size)
        data = frame[:NUMBER_AT] + number.to_bytes(8, "big") + frame[NUMBER_AT + 8 :]
        own = {"hash": random.Random(flow.port).getrandbits(32), **flow.fields, **fields}
        skb = CountedSkb(len(data), (data,), id=len(self.skbs), **own)
        self.skbs.append(skb)
        self.sent_ns[flow.port, number] = self.now()
        return skb

    def backlog(self, *flows: Flow) -> None:
        """Keep these flows backlogged, each behind a socket."""

        def packets(flow: Flow) -> Iterator[CountedSkb]:
            while self.now() < flow.end:
                yield self.packet(flow)

        for flow in flows:
            self.at(flow.begin, partial(Socket(self.dev, SNDBUF).send, packets(flow)))

    def at(self, when: int, work: Callable[[], None]) -> None:
        """Have the host do something, when interrupts leave it time to."""
        self.world.cpus[0].call_at(self.begin_ns + when, work, Level.TASK)

    def emit(self, flow: Flow, **fields: Any) -> None:
        """Hand the next packet of a flow to the stack."""
        dev_queue_xmit(self.packet(flow, **fields), self.dev)

    def send_at(self, flow: Flow, times: Iterable[int]) -> None:
        """One packet of a flow at each of these times."""
        for when in times:
            self.at(when, partial(self.emit, flow))

    def excuse_late(self) -> None:
        """The device may drop packets that it has late."""
        below = self.dev.start_xmit

        def xmit(skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
            rc = below(skb, txq, xmit_more)
            if rc == NETDEV_TX_OK:
                self.watch.excuse(Status.LATE, skb)
            return rc

        self.dev.start_xmit = xmit

    def of(self, port: int) -> list[CountedSkb]:
        """The packets of a flow so far, by their numbers."""
        return [skb for skb, (its, _) in zip(self.skbs, self.sent_ns, strict=True) if its == port]

    async def finish(self, after: int) -> list[Seen]:
        """Let ``after`` pass, wait for the last packet's end, balance the books; what was on the wire."""
        await self.world.pause(self.begin_ns + after - self.world.timeline.now_ns)
        await self.all_done(1000 * MS)
        self.check()
        await self.close_books()
        return self.seen()

    def seen(self) -> list[Seen]:
        """What is on the wire so far."""
        return [
            Seen(
                frame.start_ps / PS_PER_NS - self.begin_ns,
                int.from_bytes(frame.data[PORT_AT : PORT_AT + 2], "big"),
                int.from_bytes(frame.data[NUMBER_AT : NUMBER_AT + 8], "big"),
                len(frame.data),
                frame.queue,
            )
            for frame in sent(self.world)
        ]

    def delays(self, seen: Iterable[Seen], port: int) -> list[float]:
        """Of each packet of a flow, from the stack to its first beat on the wire."""
        return [frame.start_ns - self.sent_ns[port, frame.number] for frame in seen if frame.port == port]


def rates(seen: Iterable[Seen], begin: int, end: int, overhead: int = 0) -> dict[int, float]:
    """Mbit/s of each port between two times, a frame counted with ``overhead``."""
    sums: dict[int, int] = {}
    for frame in seen:
        if begin <= frame.start_ns < end:
            sums[frame.port] = sums.get(frame.port, 0) + frame.size + overhead
    return {port: total * 8000 / (end - begin) for port, total in sums.items()}
