"""The device of a link equalizer: hands each packet to the next of its slaves that can take one.

``TeqlMaster(clock, [eth0, eth1])`` makes ``teql0`` for a host with these two devices; ``tc qdisc add dev eth0 root
teql0`` makes a slave of one (of ``teql3``: ``root teql3``), and ``ip link set teql0 up`` starts it. After
net/sched/sch_teql.c of Linux 6.12. Packets have their link header already, so no neighbour is looked for.
"""

from __future__ import annotations

from collections.abc import Iterable

from ringwire.netdev.device import Clock, NetDevice
from ringwire.netdev.errors import DeviceError
from ringwire.netdev.ethtool_ops import LinkStats
from ringwire.netdev.features import Feature
from ringwire.netdev.namespace import Namespace
from ringwire.netdev.queue import ANY_XOFF, TxQueue
from ringwire.netdev.xmit import NETDEV_TX_BUSY, NETDEV_TX_OK
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.teql import Teql
from ringwire.skb import Skb

TX_QUEUE_LEN = 100


class TeqlMaster:
    """Driver and device of ``teql0``; ``dev`` is down until it has slaves and is set up."""

    def __init__(
        self, clock: Clock, devices: Iterable[NetDevice], name: str = Teql.kind, net: Namespace | None = None
    ) -> None:
        self.slaves: list[Teql] = []
        """In turn; the first is the next."""
        self.tx_packets = self.tx_bytes = self.tx_errors = self.tx_dropped = 0
        self.dev = NetDevice(clock, self, name=name, tx_queue_len=TX_QUEUE_LEN, features=Feature.NONE, net=net)
        self.dev.is_up = False
        self.dev.max_mtu = 65535
        self.dev.tx_queues[0].stop()
        self.dev.ndo_open, self.dev.ndo_stop = self._open, self.dev.tx_queues[0].stop
        self.dev.ndo_change_mtu = self._change_mtu
        self.serve(devices)

    def serve(self, devices: Iterable[NetDevice]) -> None:
        """Let these devices become slaves."""
        for device in devices:
            device.equalizers[self.dev.name] = self

    # -- the device

    def _open(self) -> None:
        if not self.slaves:
            raise DeviceError("ENODEV", "up", "a device that has teql0 as its root")
        self.dev.mtu = min(slave.dev.mtu for slave in self.slaves)
        self.dev.tx_queues[0].wake()

    def _change_mtu(self, mtu: int) -> None:
        if any(mtu > slave.dev.mtu for slave in self.slaves):
            raise ValueError("no more than any slave's")

    def link_stats(self) -> LinkStats:
        """ip -s link."""
        return LinkStats(self.tx_packets, self.tx_bytes, self.tx_errors, self.tx_dropped)

    def ndo_start_xmit(self, skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        """Give the packet to the first slave, from the one whose turn it is on, that takes it."""
        busy = False
        for turn, slave in enumerate(self.slaves):
            device = slave.dev
            assert isinstance(device, NetDevice)
            slave_txq = device.tx_queues[0]
            if device.qdisc.for_queue(0) is not slave:  # what the queue has while the device is up
                continue
            if slave_txq.state & ANY_XOFF or not device.is_up:
                busy = True
                continue
            length = skb.pkt_len
            if not slave_txq.state and device.start_xmit(skb, slave_txq, False) == NETDEV_TX_OK:
                self.slaves = self.slaves[turn + 1 :] + self.slaves[: turn + 1]
                self.tx_packets += 1
                self.tx_bytes += length
                return NETDEV_TX_OK
            if txq.xmit_stopped:
                busy = True
        if busy:
            txq.stop()
            return NETDEV_TX_BUSY
        if self.slaves:
            self.tx_errors += 1
        self.tx_dropped += 1
        self.dev.drop(skb)
        return NETDEV_TX_OK

    # -- what slaves say

    def join(self, slave: Teql) -> None:
        """Behind the one whose turn it is."""
        device, own = slave.dev, self.dev
        if device.hard_header_len > own.hard_header_len:
            raise QdiscError("EINVAL")
        if device is own:
            raise QdiscError("ELOOP")
        if not self.slaves:
            own.mtu = device.mtu
        elif device.mtu < own.mtu:
            if own.is_up:
                raise QdiscError("EINVAL")
            own.mtu = device.mtu
        self.slaves.insert(1, slave)

    def leave(self, slave: Teql) -> None:
        """Without slaves, what waits at the master is dropped."""
        if slave in self.slaves:
            self.slaves.remove(slave)
            if not self.slaves:
                self.dev.tx_queues[0].qdisc.reset()

    def ready(self, slave: Teql) -> None:
        """It is this one's turn, and there is room."""
        if slave in self.slaves:
            at = self.slaves.index(slave)
            self.slaves = self.slaves[at:] + self.slaves[:at]
        if self.dev.is_up:
            self.dev.tx_queues[0].wake()
