"""One transmit queue of ringwire's driver: from packets to descriptors, and from completions back.

Everything here runs for every packet, so it keeps to local names, plain integers and packed bytes.

``xmit`` and ``poll`` may run on two CPUs at once, without a lock between them. So each index has one writer: ``xmit``
alone moves ``_next``, ``poll`` alone moves ``_clean``, and what is free follows from both. The slots from ``_clean`` to
``_next`` are the poll's, the others are xmit's. The two meet where a queue is stopped or woken, and there each side
writes its own word, passes a full barrier, and only then reads the other's: one of them sees that there is room.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Protocol

from ringwire.driver.config import STOP_FREE, WAKE_FREE, DriverConfig
from ringwire.driver.dump import PacketInFlight, RingState
from ringwire.driver.offload import Order, can_complete, make_order
from ringwire.driver.port import DevicePort
from ringwire.driver.queue_knobs import QueueKnobs
from ringwire.gso import GsoError
from ringwire.host.barrier import smp_mb
from ringwire.host.cpu import HostCosts
from ringwire.host.memory import OutOfMemory
from ringwire.host.napi import Napi
from ringwire.netdev import NETDEV_TX_BUSY, NETDEV_TX_OK, TxQueue
from ringwire.nic.descriptors import COMPLETION_BYTES, DESCRIPTOR_BYTES, CplFlag, DescFlag, Status
from ringwire.nic.registers import (
    MAX_BUFFER,
    MAX_DESCRIPTORS,
    MAX_FRAME,
    RING_ALIGN,
    TIME_FRACTION_BITS,
    queue_register,
)
from ringwire.skb import CsumFlag, Skb

_EOP = int(DescFlag.EOP)
_EOP_REPORT = int(DescFlag.EOP | DescFlag.REPORT)
_EOP_STAMP = int(DescFlag.EOP | DescFlag.REPORT | DescFlag.TSTAMP)
_STAMPED = int(CplFlag.TSTAMP)
_NO_CSUM = CsumFlag.NONE
_CSUM = int(DescFlag.CSUM)
_COUNT = 0xFFFF
_STAMPS_A_NS = 1 << TIME_FRACTION_BITS
_HEAD_BYTES = 8
_SEGMENTS = 0xFFFFF
"""Of a completion's last word."""
_FLAGS_AT = 10
"""Offset of a descriptor's flags; those of data descriptors are all in the first byte."""
_put_descriptor = struct.Struct("<QHHI").pack_into
_get_completion = struct.Struct("<QHBBI").unpack_from
Posted = tuple[Skb, int, list[int], int, int, int]
"""A packet in flight: the skb, the ring index behind its last descriptor, what is mapped of it, its frames' bytes and
number, and when it was posted, in ns."""
_NOTHING = Order((), None, 0, 0, 0, 0)
_get_head = struct.Struct("<HH").unpack_from


class ChargedPort(DevicePort, Protocol):
    """A port that also lets a driver say what its own work costs the CPU."""

    @property
    def costs(self) -> HostCosts: ...
    @property
    def charge(self) -> Charge: ...


class Charge(Protocol):
    """Lets the CPU that is running spend some time."""

    def __call__(self, cost_ns: int, /) -> None: ...


class CompletionError(Exception):
    """The device reports what it can't have done: its rings and the driver's no longer tell the same story."""


class TxRing:
    """The rings of one queue and the packets in flight on them. Indexes are ring indexes, counts free-running."""

    def __init__(self, port: ChargedPort, txq: TxQueue, budget: int, on_trouble: Callable[[TxRing], None]) -> None:
        """Without memory until ``allocate``. ``budget`` bounds the completions of one poll; one that finds the ring
        ``broken`` or ``silent`` ends with ``on_trouble``.
        """
        self.txq = txq
        self.port = port
        self.napi = Napi(port, self.poll, budget)
        self._on_trouble = on_trouble
        self._charge = port.charge
        self._now_ns = port.now_ns
        self._xmit_ns = port.costs.xmit_ns
        self._poll_ns = port.costs.poll_ns
        self._completion_ns = port.costs.completion_ns
        self._tail_register = queue_register("TAIL", txq.index)
        self._consumed_register = queue_register("CPL_CONSUMED", txq.index)
        self._arm_register = queue_register("CPL_ARM", txq.index)
        self.held = True
        """The queue stays stopped, whatever room there is: it is not set up, or being reset."""
        self.tx_packets = self.tx_bytes = self.dropped = self.forgotten = self.busy = 0
        self.stops = self.wakes = self.doorbells = self.polls = self.resets = 0
        self.errors = dict.fromkeys(Status, 0)
        """Error completions, by status."""
        self.broken = False
        """The device has stopped this queue: it needs a reset."""
        self.silent = False
        """The last poll was for nothing."""
        self.launches = self.drops_late = False
        """Packets with a departure time leave at it; those that are late are dropped."""
        self.knobs = QueueKnobs(port, txq.index)
        self._next = self._rung = self._clean = self._mask = 0
        self._map = port.memory.map
        self._unmap = port.memory.unmap
        self._packets: list[Posted | None] = []
        """Each in the slot of its first descriptor."""

    # -- set-up

    def allocate(self, config: DriverConfig) -> None:
        """Memory for the rings; the queue is reset."""
        memory = self.port.memory
        self.config = config
        entries = config.ring_entries
        self._mask = entries - 1
        self._log2 = config.ring_log2
        self._most = min(MAX_DESCRIPTORS, self._mask)
        self._report_every = config.report_every
        self._ring_memory = memory.alloc_coherent(entries * DESCRIPTOR_BYTES, RING_ALIGN)
        self._completion_memory = memory.alloc_coherent(entries * COMPLETION_BYTES, RING_ALIGN)
        self._head_memory = memory.alloc_coherent(_HEAD_BYTES) if config.head_write_back else None
        self._ring = self._ring_memory.mem
        self._completions = self._completion_memory.mem
        self._packets = [None] * entries
        self._start_again()

    def _start_again(self) -> None:
        """Indexes and counts at 0, as the device has them after a reset."""
        self.broken = False
        self._next = 0
        """Where the next descriptor goes: xmit's."""
        self._rung = 0
        """What the device was last told of it: xmit's."""
        self._clean = 0
        """Up to where packets are done: the poll's."""
        self._unreported = 0
        """Packets since the last one that asked for a report."""
        self._consumed = 0
        self._errors_read = 0
        self._more = False
        self._completions[:] = bytes(len(self._completions))
        if self._head_memory is not None:
            self._head_memory.mem[:] = bytes(_HEAD_BYTES)

    def set_up(self) -> None:
        """Tell the device where the rings are, and let the queue run. It is idle, and disabled so far."""
        write, index = self.port.write, self.txq.index
        head = self._head_memory
        head_addr = head.addr | 1 if head is not None else 0
        for name, addr in (
            ("RING", self._ring_memory.addr),
            ("CPL", self._completion_memory.addr),
            ("HEAD", head_addr),
        ):
            write(queue_register(name + "_LO", index), addr & 0xFFFFFFFF)
            write(queue_register(name + "_HI", index), addr >> 32)
        write(queue_register("RING_LOG2", index), self._log2)
        self.set_moderation(self.config)
        self.knobs.set_turns()
        self.port.dma_wmb()  # the rings are zeroed before the device writes to them
        write(queue_register("CTRL", index), 1)
        self.arm()

    def set_moderation(self, config: DriverConfig) -> None:
        """Batching of completions and interrupts; may change at any time."""
        self.config = config
        self.knobs.set_moderation(config, self.tx_packets, self.tx_bytes)

    def empty(self) -> int:
        """After a queue reset: take the last completions, fail what has none, start again; returns how many failed."""
        self._reap(self._mask + 1)
        lost = list(self.pending())
        self.forgotten += len(lost)
        self.resets += 1
        self._packets = [None] * len(self._packets)
        self.txq.reset()
        self._start_again()
        for skb, _, addrs, _, _, _ in lost:
            for addr in addrs:
                self._unmap(addr)
            skb.free()
        return len(lost)

    def release(self) -> None:
        """Give the memory of a queue that is empty and reset back."""
        for coherent in (self._ring_memory, self._completion_memory, self._head_memory):
            if coherent is not None:
                self.port.memory.free(coherent)

    # -- transmit

    def xmit(self, skb: Skb, xmit_more: bool) -> int:
        """Put a packet on the ring; NETDEV_TX_BUSY if it doesn't fit now. One that can't ever be sent is dropped."""
        self._charge(self._xmit_ns)
        data, offload, flags, wishes, length, segments = skb.data, None, 0, 0, skb.len, 1
        if (
            length > MAX_BUFFER
            or len(data) > self._most
            or skb.gso_size
            or skb.vlan_tci is not None
            or (self.launches and skb.tstamp)
            or (skb.csum_flags is not _NO_CSUM and not can_complete(skb))
        ):
            data, offload, flags, wishes, length, segments = self._make_fit(skb)
        elif skb.csum_flags is not _NO_CSUM:
            flags, wishes = _CSUM, skb.csum_start | skb.csum_offset << 8
        ring, mask, map_ = self._ring, self._mask, self._map
        first = at = self._next
        needed = len(data) + (offload is not None)
        if needed > (self._clean - first - 1 & mask) and not self._stop_until(needed):
            self.busy += 1
            self._flush()
            return NETDEV_TX_BUSY

        addrs: list[int] = []
        if offload is not None:
            ring[at << 4 : (at << 4) + DESCRIPTOR_BYTES] = offload
            at = at + 1 & mask
        try:
            for fragment in data:
                if fragment:
                    addr = map_(fragment)
                    addrs.append(addr)
                    _put_descriptor(ring, at << 4, addr, len(fragment), flags, wishes)
                    flags = wishes = 0
                    at = at + 1 & mask
        except OutOfMemory:
            for addr in addrs:
                self._unmap(addr)
            addrs = []
        if not addrs:
            return self._drop(skb, xmit_more)

        self._unreported += 1
        if skb.wants_timestamp:
            end = _EOP_STAMP
            self._unreported = 0
        elif self._unreported >= self._report_every:
            end = _EOP_REPORT
            self._unreported = 0
        else:
            end = _EOP
        ring[((at - 1 & mask) << 4) + _FLAGS_AT] |= end
        self._packets[first] = (skb, at, addrs, length, segments, self._now_ns())
        self._next = at

        kick = self.txq.sent(length, xmit_more)
        if self._clean - at - 1 & mask < STOP_FREE:
            self._stop_until(WAKE_FREE)
            kick = True
        if kick:
            self._flush()
        return NETDEV_TX_OK

    def _make_fit(self, skb: Skb) -> Order:
        """What to post for a packet that is not of the plain kind: without data if the device can't send it."""
        try:
            launch = skb.tstamp << TIME_FRACTION_BITS if self.launches else 0
            order = make_order(skb, launch=launch, drop_late=self.drops_late)
        except GsoError:
            return _NOTHING
        fragments = [fragment for fragment in order.data if fragment]
        if order.offload is None and sum(map(len, fragments)) > MAX_FRAME:
            return _NOTHING
        pieces = split(fragments)
        if len(pieces) + (order.offload is not None) > self._most:
            pieces = split([b"".join(fragments)])
        return order._replace(data=tuple(pieces))

    def _drop(self, skb: Skb, xmit_more: bool) -> int:
        """Give a packet up; those before it in the batch must not wait for a doorbell that nobody rings."""
        self.dropped += 1
        self.txq.dev.drop(skb)
        if not xmit_more:
            self._flush()
        return NETDEV_TX_OK

    def _stop_until(self, room: int) -> bool:
        """Stop the queue (netif_txq_maybe_stop). True if it goes on after all: by now ``room`` descriptors are free."""
        self.txq.stop()
        # a poll that saw the queue running may have made the room meanwhile, and then nobody else would start it
        smp_mb()
        if self.free < room or self.held:
            self.stops += 1
            return False
        self.txq.start()
        return True

    def _flush(self) -> None:
        """Ring the doorbell for what the device does not know of yet; the last packet of it is always reported."""
        tail = self._next
        if tail == self._rung:
            return
        if self._unreported:
            self._unreported = 0
            self._ring[((tail - 1 & self._mask) << 4) + _FLAGS_AT] |= _EOP_REPORT
        self._rung = tail
        self.doorbells += 1
        self.port.dma_wmb()
        self.port.write(self._tail_register, tail)

    # -- completions

    def poll(self, budget: int) -> int:
        """NAPI: take up to ``budget`` completions. With fewer, the interrupt is armed again.

        An interrupt that announces nothing is suspect, and would come again at once: then it stays disarmed, and
        ``silent`` asks to have a look at the device.
        """
        self.polls += 1
        dev = self.txq.dev
        dev.local_bh_disable()
        done = self._reap(budget)
        self.silent = done == 0 and not self._more
        self._more = done == budget
        if self._more:
            self.port.write(self._consumed_register, self._consumed)
        else:
            adaptive = self.knobs.adaptive
            if adaptive is not None:
                self.knobs.adapt(adaptive, self.tx_packets, self.tx_bytes)
            self.napi.complete()
            if not self.silent:
                self.arm()
        dev.local_bh_enable()
        if self.broken or self.silent:
            self._on_trouble(self)
        return done

    def arm(self) -> None:
        """Have an interrupt when there is more than what was consumed so far."""
        self.port.write(self._arm_register, self._consumed)

    def _reap(self, budget: int) -> int:
        """Take completions, free their packets, account for them, and wake the queue if there is room again."""
        self._done_skbs = self._done_packets = self._done_bytes = self._failed_packets = self._failed_bytes = 0
        done = self._read_completions(budget) if self._head_memory is None else self._read_head()
        packets = self._done_packets
        self._charge(self._poll_ns + self._completion_ns * self._done_skbs)
        txq = self.txq
        if packets:
            self.tx_packets += packets - self._failed_packets
            self.tx_bytes += self._done_bytes - self._failed_bytes
            txq.completed(packets, self._done_bytes)
        smp_mb()  # pairs with the one in _stop_until()
        if txq.stopped and self.free >= WAKE_FREE and not self.held:
            self.wakes += 1
            txq.wake()
        return done

    def _read_completions(self, budget: int) -> int:
        """Take what is new in the completion ring: entries whose phase is that of this pass."""
        mem, mask, log2 = self._completions, self._mask, self._log2
        consumed = self._consumed
        done = 0
        while done < budget:
            stamp, index, status, flags, last = _get_completion(mem, (consumed & mask) << 4)
            if last >> 31 == consumed >> log2 & 1:
                break
            consumed = consumed + 1 & _COUNT
            done += 1
            self._clean_to(index, status, flags, stamp, last & _SEGMENTS)
        self._consumed = consumed
        return done

    def _read_head(self) -> int:
        """Take the head record and, before it, the errors it counts: only they are in the completion ring."""
        assert self._head_memory is not None
        index, count = _get_head(self._head_memory.mem, 0)
        while True:
            at = self._errors_read
            stamp, error_index, status, flags, last = _get_completion(self._completions, (at & self._mask) << 4)
            if last >> 31 == at >> self._log2 & 1:
                break
            self._errors_read = at + 1 & _COUNT
            self._clean_to(error_index, status, flags, stamp, last & _SEGMENTS)
        done: int = count - self._consumed & _COUNT
        # an error later than the record may have led beyond it already
        if index - self._clean & self._mask <= self._next - self._clean & self._mask:
            self._clean_to(index, Status.OK, 0, 0, 0)
        self._consumed = count
        return done

    def _clean_to(self, index: int, status: int, flags: int, stamp: int, segments: int) -> None:
        """Free the packets up to a ring index; status, stamp and segments that left are those of the last of them."""
        if status:
            self.errors[Status(status)] += 1
            if status == Status.DESC_READ:
                self.broken = True
            if status == Status.DESC_READ or status == Status.BAD_DOORBELL:
                return
        packets, unmap = self._packets, self._unmap
        clean = self._clean
        while clean != index:
            packet = packets[clean]
            if packet is None:
                raise CompletionError(f"{self.describe()}: a completion up to {index}, where no packet ends")
            packets[clean] = None
            skb, clean, addrs, length, frames, _ = packet
            for addr in addrs:
                unmap(addr)
            self._done_skbs += 1
            self._done_packets += frames
            self._done_bytes += length
            if clean == index and (status or flags):
                if status:
                    # what left of a packet that failed half-way was segments of full size
                    self._failed_packets += frames - segments
                    self._failed_bytes += length - segments * (skb.hdr_len + skb.gso_size)
                elif flags & _STAMPED and not self.config.complete_at_fetch:
                    skb.stamp(stamp / _STAMPS_A_NS)
            skb.free()
        self._clean = clean

    # -- state

    @property
    def free(self) -> int:
        """Descriptors that xmit may use: all but one, less those of packets in flight."""
        return self._clean - self._next - 1 & self._mask

    @property
    def used(self) -> int:
        """Descriptors of packets in flight."""
        return self._next - self._clean & self._mask

    @property
    def in_flight(self) -> int:
        """Packets that the device has not reported as done."""
        return len(self._packets) - self._packets.count(None)

    def pending(self) -> Iterator[Posted]:
        """These packets, the oldest first."""
        at = self._clean
        while at != self._next and (packet := self._packets[at]) is not None:
            yield packet
            at = packet[1]

    def snapshot(self) -> RingState:
        """All that one looks at when a queue does not move, apart from the device's registers."""
        txq, mask = self.txq, self._mask
        packets = []
        first = self._clean
        for skb, end, _, _, _, posted_ns in self.pending():
            packets.append(PacketInFlight(skb, first, end - 1 & mask, posted_ns))
            first = end
        return RingState(
            name=txq.dev.name,
            queue=txq.index,
            now_ns=self._now_ns(),
            hz=txq.dev.hz,
            stopped_ns=txq.trans_start_ns,
            timeouts=txq.trans_timeout,
            next_to_use=self._next,
            next_to_clean=self._clean,
            told=self._rung,
            consumed=self._consumed,
            entries=mask + 1,
            ring=self._ring,
            completions=self._completions,
            head=None if self._head_memory is None else _get_head(self._head_memory.mem, 0),
            packets=tuple(packets),
            summary=self.describe(),
        )

    def describe(self) -> str:
        """What one wants to know of a queue that is stuck."""
        txq, dql = self.txq, self.txq.dql
        return (
            f"{txq.dev.name} tx-{txq.index}: head {self._clean}, tail {self._next} (device told {self._rung}), "
            f"{self.in_flight} packets in flight, {self.free} of {self._mask} descriptors free, "
            f"{'stopped' if txq.stopped else 'running'}, "
            f"BQL {dql.num_queued - dql.num_completed & 0xFFFFFFFF} of {dql.limit} bytes in flight"
        )


def split(fragments: list[bytes | memoryview]) -> list[bytes | memoryview]:
    """The same bytes in pieces that one descriptor can name."""
    return [fragment[at : at + MAX_BUFFER] for fragment in fragments for at in range(0, len(fragment), MAX_BUFFER)]
