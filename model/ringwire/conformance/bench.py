"""One driver in a world of one queue, under a watch: what every rule works with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from ringwire.bql import MAX_LIMIT
from ringwire.checks import read_statistics
from ringwire.driver.config import DriverConfig
from ringwire.faults import Fault, watch_under
from ringwire.host.cpu import HostCosts
from ringwire.host.world import HostPort, World
from ringwire.netdev import NETDEV_TX_BUSY, NetDevice, TxQueue, dev_queue_xmit
from ringwire.netdev.tree import waiting
from ringwire.nic.frame import Frame
from ringwire.rig.plugin import ReplayDriver
from ringwire.skb import Skb

DriverFactory = Callable[[HostPort, NetDevice, DriverConfig], ReplayDriver]
MEMORY_BYTES = 16 << 20
MTU = 9000
SETUP_LIMIT_NS = 1_000_000
LIMIT_NS = 3_000_000_000
"""For the packets of a rule to end: a hang is named after 1 to 2 s."""
SETTLE_NS = 100_000
RATE_BPS = 10_000_000_000
_LENGTHS_TOLD = 6


class Broken(Exception):
    """A rule that the watch does not know of is not kept; the text says how."""


class Bench:
    """A device of one queue, its driver, and every packet that was handed to it."""

    def __init__(
        self,
        world: World,
        wire: Callable[[], Sequence[Frame]],
        factory: DriverFactory,
        config: DriverConfig,
        fault: Fault | None = None,
        take_faults: Callable[[], Sequence[tuple[str, int]]] = list,
    ) -> None:
        """``wire()``: all frames that have left so far. ``take_faults()``: (kind, address) of accesses that were
        answered with an error, as far as host memory does not know of them. A fault of the device is in it already.
        """
        self.world = world
        self.wire = wire
        self.watch = watch_under(self.world, fault)
        self._take_faults = take_faults
        self.config = config
        port = self.world.port()
        costs: HostCosts = self.world.cpus.costs
        self.dev = NetDevice(port, mtu=MTU, tx_queue_len=10_000, costs=costs, charge=port.charge)
        self.txq = self.dev.tx_queues[0]
        self.driver = factory(port, self.dev, config)
        if fault is not None and fault.stack is not None:
            fault.stack(self.dev)
        self.dev.on_drop = self._note_drop
        self._xmit, self.dev.start_xmit = self.dev.start_xmit, self._offer
        self.watch.attach(self.dev)
        self.world.on_stuck += (self.driver.describe, lambda: waiting(self.dev))
        self.draw = Random(1)
        self.skbs: list[Skb] = []
        self.freed = 0
        self.freed_at: list[int] = []
        """Time on the world's clock at which each packet ended."""
        self.spare: set[Skb] = set()
        """Packets that need not be sent."""
        self.resetting = False
        """What a reset comes over may be lost, on the ring and above it; what the driver is just offered may not."""
        self._offered: Skb | None = None
        self._dropped: list[int] = []
        """Lengths of packets that had to be sent and were dropped."""

    # -- the course of a rule

    async def up(self) -> None:
        """Open the driver and wait for it."""
        self.driver.open()
        await self.world.run(lambda: self.driver.up, SETUP_LIMIT_NS, "the driver to be up")
        await self.world.pause(2_000)

    async def all_done(self) -> None:
        """Wait until each packet has come to its end."""
        await self.world.run(lambda: self.freed >= len(self.skbs), LIMIT_NS, "every packet's end")

    async def running(self) -> None:
        """Wait until the queue takes packets."""
        await self.world.run(lambda: not self.txq.xmit_stopped, LIMIT_NS, "the queue to be woken")

    async def close_books(self) -> None:
        """Let the last interrupt pass; then the watch compares what is left."""
        await self.world.pause(SETTLE_NS)
        stats = await read_statistics(self.world)
        self.watch.frames(self.wire())
        self.watch.finish(stats, self._take_faults())
        self.require(not self._dropped, f"dropped {_lengths(self._dropped)} that must be sent")

    # -- packets

    def own(self, skb: Skb) -> Skb:
        """Count a packet; its end will be counted too."""
        skb.id = len(self.skbs)
        skb.destructor = self._ended
        self.skbs.append(skb)
        return skb

    def _ended(self, skb: Skb) -> None:
        self.freed += 1
        self.freed_at.append(self.world.timeline.now_ns)

    def _offer(self, skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        """Stands before the driver, behind the watch."""
        self._offered = skb
        try:
            return self._xmit(skb, txq, xmit_more)
        finally:
            self._offered = None

    def _note_drop(self, skb: Skb) -> None:
        """Whoever drops it: the driver, or the stack because of what the driver has said of its device."""
        if skb not in self.spare and (skb is self._offered or not self.resetting):
            self._dropped.append(skb.len)

    def bytes(self, size: int) -> bytes:
        """Random ones."""
        return self.draw.randbytes(size)

    def send(self, skb: Skb) -> Skb:
        """Through the stack, which does what the driver says its device can't."""
        dev_queue_xmit(self.own(skb), self.dev)
        return skb

    def xmit(self, skb: Skb, more: bool = False) -> int:
        """Straight to the driver, as the stack's last step does it."""
        rc = self.dev.start_xmit(self.own(skb), self.txq, more)
        if rc == NETDEV_TX_BUSY:
            self.skbs.pop()
        return rc

    def lift_limits(self) -> None:
        """Byte queue limits that nothing reaches."""
        dql = self.txq.dql
        dql.min_limit = dql.limit = dql.adj_limit = MAX_LIMIT

    def require(self, kept: bool, text: str) -> None:
        """Broken unless it holds."""
        if not kept:
            raise Broken(text)


def _lengths(dropped: list[int]) -> str:
    """``3 packets of 1513, 1514, 9014 bytes``, ``20 packets of 1014 to 9014 bytes``."""
    sizes = sorted(set(dropped))
    told = ", ".join(map(str, sizes)) if len(sizes) <= _LENGTHS_TOLD else f"{sizes[0]} to {sizes[-1]}"
    return f"{len(dropped)} packet{'s' if len(dropped) > 1 else ''} of {told} bytes"
