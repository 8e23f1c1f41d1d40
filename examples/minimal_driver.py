"""A whole driver for one queue, without offloads and without a reset; docs/driver.md walks through it."""

from collections import deque

from ringwire.driver.config import STOP_FREE, WAKE_FREE, DriverConfig
from ringwire.driver.port import DevicePort
from ringwire.host.napi import Napi
from ringwire.netdev import NETDEV_TX_BUSY, NETDEV_TX_OK, Feature, NetDevice, TxQueue
from ringwire.nic.descriptors import CplFlag, DescFlag, pack_data, unpack_completion
from ringwire.nic.pacer import byte_time
from ringwire.nic.registers import GLOBAL_OFFSETS, MAX_BUFFER, MAX_FRAME, RING_ALIGN, queue_register
from ringwire.skb import Skb


class MinimalDriver:
    def __init__(self, port: DevicePort, dev: NetDevice, config: DriverConfig) -> None:
        self.port, self.txq, self.config, self.entries = port, dev.tx_queues[0], config, config.ring_entries
        self.ring, self.completions = (port.memory.alloc_coherent(16 * self.entries, RING_ALIGN) for _ in range(2))
        self.in_flight: deque[tuple[Skb, list[int]]] = deque()
        self.tail = self.rung = self.consumed = 0
        self.free = self.entries - 1  # one descriptor stays empty, or a full ring would look like an empty one
        self.up, dev.features, dev.driver = False, Feature.SG, self
        self.napi = Napi(port, self.poll, config.budget)
        port.on_interrupt(0, self.napi.schedule)

    def open(self) -> None:
        """Tell the device the line's rate, where the rings are and how to batch, and let it run."""
        config, rate = self.config, byte_time(self.config.line_rate_bps)
        for name, value in (("BYTE_TIME_LO", rate & 0xFFFFFFFF), ("BYTE_TIME_HI", rate >> 32), ("CTRL", 1)):
            self.port.write(GLOBAL_OFFSETS[name], value)
        for name, value in (
            ("RING_LO", self.ring.addr & 0xFFFFFFFF), ("RING_HI", self.ring.addr >> 32),
            ("CPL_LO", self.completions.addr & 0xFFFFFFFF), ("CPL_HI", self.completions.addr >> 32),
            ("RING_LOG2", self.entries.bit_length() - 1), ("MOD_NS", config.mod_ns), ("MOD_FRAMES", config.mod_frames),
            ("CPL_THRESHOLD", config.cpl_threshold), ("CPL_TIMER_NS", config.cpl_timer_ns), ("CTRL", 1), ("CPL_ARM", 0),
        ):  # fmt: skip
            self.port.write(queue_register(name, 0), value)
        self.up = True

    def ndo_start_xmit(self, skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        """Put a packet on the ring; the doorbell waits while more follow at once."""
        pieces = [part[at : at + MAX_BUFFER] for part in skb.data for at in range(0, len(part), MAX_BUFFER)]
        busy = len(pieces) > self.free
        if busy:
            txq.stop()
        elif not pieces or skb.len > MAX_FRAME:
            txq.dev.drop(skb)
        else:
            addrs = [self.port.memory.map(piece) for piece in pieces]
            wishes = DescFlag.REPORT | DescFlag.TSTAMP if skb.wants_timestamp else DescFlag.REPORT
            for addr, piece in zip(addrs, pieces, strict=True):
                flags = wishes | DescFlag.EOP if addr == addrs[-1] else wishes
                self.ring.mem[16 * self.tail : 16 * self.tail + 16] = pack_data(addr, len(piece), flags)
                self.tail = (self.tail + 1) % self.entries
            self.free -= len(pieces)
            self.in_flight.append((skb, addrs))
            xmit_more = not txq.sent(skb.len, xmit_more)
            if self.free < STOP_FREE:
                txq.stop()
        if not xmit_more or txq.stopped:  # also for a packet that was dropped: those before it wait for a doorbell
            self.doorbell()
        return NETDEV_TX_BUSY if busy else NETDEV_TX_OK

    def doorbell(self) -> None:
        if self.rung != self.tail:
            self.rung = self.tail
            self.port.dma_wmb()  # the device must find what the doorbell tells of
            self.port.write(queue_register("TAIL", 0), self.tail)

    def poll(self, budget: int) -> int:
        """Free what the device has reported, tell BQL, wake the queue; arm the interrupt if that was all."""
        done = size = 0
        while done < budget:
            report = unpack_completion(self.completions.mem, 16 * (self.consumed % self.entries))
            if report.phase != 1 - self.consumed // self.entries % 2:  # of an earlier pass over the ring
                break
            skb, addrs = self.in_flight.popleft()
            for addr in addrs:
                self.port.memory.unmap(addr)
            if report.flags & CplFlag.TSTAMP:
                skb.stamp(report.time / 65536)
            self.consumed, self.free = (self.consumed + 1) % 65536, self.free + len(addrs)
            done, size = done + 1, size + skb.len
            skb.free()
        self.txq.completed(done, size)
        if self.txq.stopped and self.free >= WAKE_FREE:
            self.txq.wake()
        if done < budget:
            self.napi.complete()  # before the interrupt may come again
        self.port.write(queue_register("CPL_ARM" if done < budget else "CPL_CONSUMED", 0), self.consumed)
        return done

    def describe(self) -> str:
        return f"minimal: tail {self.tail}, device told {self.rung}, {len(self.in_flight)} in flight, {self.free} free"
