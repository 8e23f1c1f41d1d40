"""A device on a timeline with a driver whose ring tests fill and complete by hand."""

from __future__ import annotations

from collections import deque
from typing import Any

from ringwire.host.cpu import Cpus, HostCosts
from ringwire.host.timeline import Timeline
from ringwire.netdev import NETDEV_TX_BUSY, NETDEV_TX_OK, NetDevice, TxQueue
from ringwire.skb import CsumFlag, GsoType, Skb

HDR_LEN = 54
"""Headers of :func:`super_packet`: Ethernet, IPv4, TCP without options."""


def super_packet(payload: int, mss: int = 1448, ident: int = 0) -> Skb:
    """A TCP super-packet of figures only; lengths in bytes."""
    return Skb(
        len=HDR_LEN + payload,
        id=ident,
        gso_type=GsoType.TCPV4,
        gso_size=mss,
        hdr_len=HDR_LEN,
        gso_segs=-(-payload // mss),
        csum_flags=CsumFlag.NEEDS_CSUM,
    )


class RingDriver:
    """Holds packets in rings of ``size`` slots; notes what it was handed and which doorbells it rang."""

    def __init__(self, size: int = 64, queues: int = 1, busy: bool = False) -> None:
        self.size = size
        self.busy = busy
        """Refuse at a full ring instead of stopping the queue ahead of it."""
        self.rings: list[deque[Skb]] = [deque() for _ in range(queues)]
        self.unannounced = [0] * queues
        """Packets behind the last doorbell."""
        self.sent: list[Skb] = []
        self.refusals = 0

    def ndo_start_xmit(self, skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        ring = self.rings[txq.index]
        if len(ring) >= self.size:
            txq.stop()
            self.refusals += 1
            self.unannounced[txq.index] = 0
            return NETDEV_TX_BUSY
        ring.append(skb)
        self.sent.append(skb)
        if not self.busy and len(ring) == self.size:
            txq.stop()
        self.unannounced[txq.index] += 1
        if txq.sent(skb.len, xmit_more):
            self.unannounced[txq.index] = 0
        return NETDEV_TX_OK

    def complete(self, txq: TxQueue, count: int) -> None:
        """Clean up to ``count`` packets, as a poll does."""
        ring = self.rings[txq.index]
        txq.dev.local_bh_disable()
        done = [ring.popleft() for _ in range(min(count, len(ring)))]
        for skb in done:
            skb.free()
        txq.completed(len(done), sum(skb.len for skb in done))
        if txq.stopped and len(ring) < self.size:
            txq.wake()
        txq.dev.local_bh_enable()


class StackBench:
    """A device, its driver and the timeline they live on; host work takes no time."""

    def __init__(self, size: int = 64, busy: bool = False, **device: Any) -> None:
        self.timeline = Timeline()
        self.cpus = Cpus(self.timeline, 1, HostCosts.free())
        self.driver = RingDriver(size, device.get("num_tx_queues", 1), busy)
        self.dev = NetDevice(self.cpus[0], self.driver, **device)
        self.txq = self.dev.tx_queues[0]
        self.dropped: list[Skb] = []
        self.dev.on_drop = self.dropped.append

    def settle(self) -> None:
        """Run what is due now."""
        self.timeline.run_until(self.timeline.now_ns)

    def pass_ns(self, duration_ns: int) -> None:
        self.timeline.run_until(self.timeline.now_ns + duration_ns)

    def drain(self) -> None:
        """Complete whatever comes until all rings stay empty."""
        for _ in range(100_000):
            self.settle()
            if not any(self.driver.rings):
                return
            for txq in self.dev.tx_queues:
                self.driver.complete(txq, self.driver.size)
        raise AssertionError("the rings don't drain")
