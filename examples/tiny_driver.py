"""A whole driver for one queue, as small as it can be: ringwire replay IN.pcap --out OUT.pcap --driver THIS:TinyDriver

It sends every fragment from a mapping of its own, asks for a report of each packet, and cleans up in the interrupt.
"""

from __future__ import annotations

from collections import deque

from ringwire.driver.config import DriverConfig
from ringwire.driver.port import DevicePort
from ringwire.netdev import NETDEV_TX_BUSY, NETDEV_TX_OK, Feature, NetDevice, TxQueue
from ringwire.nic.descriptors import DescFlag, pack_data, unpack_completion
from ringwire.nic.pacer import byte_time
from ringwire.nic.registers import GLOBAL_OFFSETS, RING_ALIGN, queue_register
from ringwire.skb import Skb


class TinyDriver:
    """What ``ringwire replay --driver`` makes and calls."""

    def __init__(self, port: DevicePort, dev: NetDevice, config: DriverConfig) -> None:
        self.port, self.txq, self.config = port, dev.tx_queues[0], config
        self.entries = config.ring_entries
        self.ring = port.memory.alloc_coherent(16 * self.entries, RING_ALIGN)
        self.completions = port.memory.alloc_coherent(16 * self.entries, RING_ALIGN)
        self.in_flight: deque[tuple[Skb, list[int]]] = deque()
        self.tail = self.rung = self.consumed = 0
        self.free = self.entries - 1  # one descriptor stays empty, or a full ring would look like an empty one
        self.up = False
        dev.features = Feature.SG  # checksums and segmentation are left to the stack
        dev.driver = self
        port.on_interrupt(0, self.interrupt)

    def open(self) -> None:
        """Tell the device the line rate and where the rings are; let the queue run."""
        unit = byte_time(self.config.line_rate_bps)
        self.port.write(GLOBAL_OFFSETS["BYTE_TIME_LO"], unit & 0xFFFFFFFF)
        self.port.write(GLOBAL_OFFSETS["BYTE_TIME_HI"], unit >> 32)
        self.port.write(GLOBAL_OFFSETS["CTRL"], 1)
        for name, memory in (("RING", self.ring), ("CPL", self.completions)):
            self.port.write(queue_register(f"{name}_LO", 0), memory.addr & 0xFFFFFFFF)
            self.port.write(queue_register(f"{name}_HI", 0), memory.addr >> 32)
        self.port.write(queue_register("RING_LOG2", 0), self.entries.bit_length() - 1)
        self.port.write(queue_register("CTRL", 0), 1)
        self.port.write(queue_register("CPL_ARM", 0), 0)
        self.up = True

    def ndo_start_xmit(self, skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        """Put a packet on the ring; the doorbell waits while more follow at once."""
        fragments = [fragment for fragment in skb.data if fragment]
        if len(fragments) > self.free:
            txq.stop()
            self.doorbell()
            return NETDEV_TX_BUSY
        addrs = []
        for number, fragment in enumerate(fragments, 1):
            addrs.append(self.port.memory.map(fragment))
            flags = DescFlag.EOP | DescFlag.REPORT if number == len(fragments) else DescFlag(0)
            at = 16 * self.tail
            self.ring.mem[at : at + 16] = pack_data(addrs[-1], len(fragment), flags)
            self.tail = (self.tail + 1) % self.entries
        self.free -= len(fragments)
        self.in_flight.append((skb, addrs))
        if txq.sent(skb.len, xmit_more):
            self.doorbell()
        return NETDEV_TX_OK

    def doorbell(self) -> None:
        """Tell the device of what it does not know yet."""
        if self.rung != self.tail:
            self.rung = self.tail
            self.port.dma_wmb()  # the device must find what the doorbell tells of
            self.port.write(queue_register("TAIL", 0), self.tail)

    def interrupt(self) -> None:
        """Free what the device has reported, tell BQL, wake the queue, and arm the next interrupt."""
        packets = size = 0
        while self.completed():
            skb, addrs = self.in_flight.popleft()
            for addr in addrs:
                self.port.memory.unmap(addr)
            self.free += len(addrs)
            packets, size = packets + 1, size + skb.len
            skb.free()
        self.txq.completed(packets, size)
        self.port.write(queue_register("CPL_ARM", 0), self.consumed)
        if self.txq.stopped:
            self.txq.wake()

    def completed(self) -> bool:
        """Take the next completion, if there is one: its phase is that of this pass over the ring."""
        at = self.consumed % self.entries
        phase = unpack_completion(self.completions.mem, 16 * at).phase
        if phase != 1 - self.consumed // self.entries % 2:
            return False
        self.consumed = (self.consumed + 1) % 65536
        return True

    def describe(self) -> str:
        """What one wants to know of a queue that is stuck."""
        return f"tiny: tail {self.tail}, device told {self.rung}, {len(self.in_flight)} in flight, {self.free} free"
