"""One transmit queue of the twin: its registers, its descriptors, and the packets that wait for their turn."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from typing import Protocol

from ringwire.host.memory import DmaFault
from ringwire.nic.builder import REPORT, TSTAMP, Packet, PacketBuilder, Segment
from ringwire.nic.completer import Completer, Surroundings
from ringwire.nic.descriptors import DESCRIPTOR_BYTES, CplFlag, Status
from ringwire.nic.pacer import FINE, MIN_FRAME
from ringwire.nic.registers import (
    MAX_CPL_THRESHOLD,
    MAX_RING_LOG2,
    MAX_WEIGHT,
    MIN_RING_LOG2,
    MIN_WEIGHT,
    QUEUE_REGISTERS,
    RING_ALIGN,
    Access,
    Register,
    Stat,
)

EVENT_SLOTS = 4
"""Slots of the completion ring that packets leave free for events of the queue itself; these leave one."""
_DESCRIPTOR = struct.Struct("<QHHBBH")
# Plain values for what every frame meets.
_OK, _NO_FLAGS, _STAMPED = Status.OK, CplFlag(0), CplFlag.TSTAMP
_DESC_FETCHED, _DOORBELLS = int(Stat.DESC_FETCHED), int(Stat.DOORBELLS)
_LEGAL = {
    "Q_CTRL": 3,
    "Q_RING_LO": -RING_ALIGN,
    "Q_CPL_LO": -RING_ALIGN,
    "Q_HEAD_LO": -7,
    "Q_IRQ_MASK": 1,
    "Q_MOD_FRAMES": 0x7FFF,
    "Q_MOD_NS": 0x7FFFFFFF,
    "Q_CPL_TIMER_NS": 0x7FFFFFFF,
    "Q_PRIORITY": 7,
    "Q_BYTE_TIME_HI": 0x3FFFFF,
}
"""Bits that may be set in a register, where not all may."""


class QueueHost(Surroundings, Protocol):
    """What a queue needs of its device."""

    read_latency_ps: int
    on_fetch: Callable[[int, int, int], None] | None
    prefetch: int
    """Descriptors a queue may hold that are fetched and not on their way yet."""

    def stamp(self) -> int:
        """The time input: 48.16 fixed point ns."""
        ...

    def schedule(self) -> None:
        """There may be packets to send."""
        ...

    def abort(self, queue: int) -> None:
        """Kill this queue's packets that are on their way and have not begun to leave."""
        ...


class TwinQueue:
    """Fetches and checks descriptors; ``ready`` holds the packets whose turn the device decides."""

    __slots__ = (
        "_builder",
        "_byte_time",
        "_credit",
        "_cutting",
        "_device",
        "_epoch",
        "_event_waits",
        "_fetched",
        "_fetching",
        "_held",
        "_next",
        "_taken",
        "_values",
        "_weight",
        "bad_doorbell",
        "completer",
        "enabled",
        "error",
        "halted",
        "head",
        "in_flight",
        "index",
        "mask",
        "priority",
        "ready",
        "resetting",
        "tail",
    )

    def __init__(self, device: QueueHost, index: int) -> None:
        self._device = device
        self.index = index
        self._builder = PacketBuilder(index)
        self._values = {register.name: register.reset for register in QUEUE_REGISTERS}
        self._epoch = 0
        self.enabled = False
        self.priority = 0
        self._weight = 0
        self._byte_time = 0
        self._next = 0
        """When the rate limit lets the next frame go, 2^-40 ns."""
        self.mask = (1 << MIN_RING_LOG2) - 1
        self.ready: deque[Packet] = deque()
        self.completer = Completer(device, index, self._write_failed, self._try_finish_reset)
        self.in_flight = 0
        self._cutting: Packet | None = None
        """The packet of which some segments are on their way and some are still to be picked."""
        self._start_again()

    def _start_again(self) -> None:
        """The state after power-up and after a reset: all indexes 0."""
        self.tail = 0
        self._fetched = 0
        self._taken = 0
        self.head = 0
        self.error = False
        self.halted = False
        self.bad_doorbell = False
        self._event_waits = False
        self.resetting = False
        self._credit = -1
        """What is left of a weighted queue's round, less a byte: below 0 it has had its share."""
        self._forget_descriptors()

    def _forget_descriptors(self) -> None:
        """Drop what is fetched and not taken; it will be asked for again from where packets were last taken."""
        self._epoch += 1
        self._fetching = 0
        self._held = 0
        self._fetched = self._taken
        self._builder.reset()
        self.ready.clear()

    @property
    def idle(self) -> bool:
        """Nothing is in flight and all completions are visible."""
        if self.in_flight or self._fetching or self.resetting or not self.completer.idle:
            return False
        return not self.enabled or self.error or self._taken == self.tail

    # -- descriptors

    def fetch(self) -> None:
        """Ask for posted descriptors, as far as there is room to keep them."""
        if not self.enabled or self.error:
            return
        room = self._device.prefetch - self._held - self._builder.held - self._fetching
        count = min(room, (self.tail - self._fetched) & self.mask)
        if count > 0:
            first = self._fetched
            self._fetched = (first + count) & self.mask
            self._fetching += count
            device = self._device
            if device.on_fetch is not None:
                base = self._values["Q_RING_LO"] | self._values["Q_RING_HI"] << 32
                device.on_fetch(1, device.now_ps, base + first * DESCRIPTOR_BYTES)
            device.after(device.read_latency_ps, self._arrived, self._epoch, first, count)

    def _arrived(self, epoch: int, first: int, count: int) -> None:
        """Descriptors have come: build packets of them."""
        if epoch != self._epoch:
            return
        self._fetching -= count
        if self.error:
            # asked for before the device knew; nothing of the ring beyond a hole may be believed
            return
        entries = self.mask + 1
        until_wrap = min(count, entries - first)
        self._read(first, until_wrap)
        if until_wrap < count and not self.error:
            self._read(0, count - until_wrap)
        self.fetch()
        self._device.schedule()

    def _read(self, first: int, count: int) -> None:
        """Read descriptors that lie together and hand them to the builder, up to the first that can't be read."""
        base = self._values["Q_RING_LO"] | self._values["Q_RING_HI"] << 32
        addr = base + first * DESCRIPTOR_BYTES
        memory = self._device.memory
        failed = False
        try:
            raw = memory.device_read(addr, count * DESCRIPTOR_BYTES)
        except DmaFault as fault:
            failed = True
            raw = memory.device_read(addr, fault.first_bad - addr) if fault.first_bad > addr else b""
        take = self._builder.take
        index = first
        for address, length, flags, csum_start, csum_offset, vlan_tci in _DESCRIPTOR.iter_unpack(raw):
            index = (index + 1) & self.mask
            packet = take(address, length, flags, csum_start, csum_offset, vlan_tci, index)
            if packet is not None:
                self._held += len(packet.buffers)
                self.ready.append(packet)
        self._device.stats[_DESC_FETCHED] += len(raw) // DESCRIPTOR_BYTES
        if failed:
            self.error = True
            self._builder.reset()
            packet = Packet(self.index)
            packet.end = index
            packet.kill(Status.DESC_READ)
            self.ready.append(packet)

    def can_send(self) -> bool:
        """There is a packet, and a completion slot for it. Some slots are kept for events that belong to no packet.

        What has begun goes on, whatever has become of the queue.
        """
        if self._cutting is not None:
            return True
        if not self.ready or not self.enabled or self.halted:
            return False
        return self.mask + 1 - self.completer.used - self.in_flight > EVENT_SLOTS

    @property
    def pressing(self) -> bool:
        """Its turn counts though there is no room: weighted queues share rounds, and packets that fail need no room."""
        if self._weight:
            return True
        packet = self._cutting
        if packet is None:
            if not self.ready:
                return False
            packet = self.ready[0]
        return packet.status is not _OK or packet.drop_late

    def next_packet(self) -> Packet:
        """The packet whose turn it is."""
        return self.ready[0] if self._cutting is None else self._cutting

    # -- whose turn it is: weights, rates and launch times

    def opens(self, lead: int) -> int:
        """From which time on (48.16 ns) rate limit and launch time let the next frame go; ``lead`` in the same unit."""
        stamp = -(-self._next >> FINE) if self._byte_time else 0
        if self._cutting is None and self.ready and (launch := self.ready[0].launch):
            return max(stamp, launch - lead)
        return stamp

    @property
    def in_credit(self) -> bool:
        """It has not had its share of this round."""
        return not self._weight or self._credit >= 0

    def refill(self) -> None:
        """Another round begins; what is left of the last one is lost, what was taken too much is not forgotten."""
        self._credit = self._weight - 1 if self._credit >= 0 else self._credit + self._weight

    def charge(self, length: int) -> None:
        """A frame of so many bytes, without padding, is on its way now."""
        size = length if length > MIN_FRAME else MIN_FRAME
        if self._weight:
            self._credit -= size
        if self._byte_time:
            self._next = max(self._next + size * self._byte_time, self._device.stamp() << FINE)

    def _free_slots(self) -> int:
        """Slots of the completion ring that are neither in use nor promised to a packet on its way."""
        return self.mask + 1 - self.completer.used - self.in_flight

    def pick(self) -> Segment:
        """The next wire frame, on its way from now on."""
        packet = self._cutting
        if packet is None:
            packet = self.ready.popleft()
            self._held -= len(packet.buffers)
            self._taken = packet.end
            self.in_flight += 1
            self.fetch()
        segment = packet.pick()
        self._cutting = None if packet.all_picked else packet
        return segment

    def killed(self, packet: Packet) -> None:
        """A packet of this queue is not to be cut further."""
        if packet is self._cutting:
            self._cutting = None

    # -- completions

    def finish(self, packet: Packet, stamp: int, segments: int) -> None:
        """A packet is done, in ring order: report it if it asks, and in any case if it failed."""
        self.head = packet.end
        if packet.flags & REPORT or packet.status is not _OK:
            flags = _STAMPED if packet.flags & TSTAMP else _NO_FLAGS
            self.completer.add(stamp, packet.end, packet.status, flags, segments, not self.enabled or self.halted)

    def left(self) -> None:
        """A packet is off the device's hands."""
        self.in_flight -= 1
        if not self.enabled or self.halted:
            self.completer.flush()
        if self.resetting:
            self._try_finish_reset()

    def _write_failed(self) -> None:
        self.error = True
        self.halted = True

    # -- reset

    def _reset(self) -> None:
        self.enabled = False
        self.resetting = True
        self._forget_descriptors()
        packet, self._cutting = self._cutting, None
        if packet is not None:
            packet.forgotten = True
        self._device.abort(self.index)
        if packet is not None:
            packet.kill(Status.ABORTED)
            self.in_flight -= packet.in_pipe == 0
        self.completer.flush()
        self._try_finish_reset()

    def _try_finish_reset(self) -> None:
        if self.resetting and self.in_flight == 0 and self.completer.idle:
            self._taken = 0
            self._start_again()
            self.completer.reset()

    # -- registers

    def write(self, register: Register, value: int) -> bool:
        """Software writes a register; False when the device refuses, which leaves it as it was."""
        name = register.name
        if name == "Q_CPL_ARM" or name == "Q_CPL_CONSUMED":
            return self._consumed(value, name == "Q_CPL_ARM")
        if name == "Q_TAIL":
            return self._doorbell(value)
        if register.access is Access.RO or value & ~_LEGAL.get(name, 0xFFFFFFFF):
            return False
        if register.access is Access.CONFIG and (self.enabled or not self.idle):
            return False
        match name:
            case "Q_CTRL":
                return self._control(value)
            case "Q_RING_LOG2" if not MIN_RING_LOG2 <= value <= MAX_RING_LOG2:
                return False
            case "Q_CPL_THRESHOLD" if not 1 <= value <= MAX_CPL_THRESHOLD:
                return False
            case "Q_WEIGHT" if value and not MIN_WEIGHT <= value <= MAX_WEIGHT:
                return False
        self._values[name] = value
        self._apply()
        return True

    def read(self, register: Register) -> int:
        """What software reads."""
        match register.name:
            case "Q_CTRL":
                return self.enabled | self.resetting << 1
            case "Q_STATUS":
                return self.idle | self.error << 1 | self.bad_doorbell << 2
            case "Q_HEAD":
                return self.head
            case "Q_FETCHED":
                return self._fetched
            case "Q_CPL_WRITTEN":
                return self.completer.visible
        return 0 if register.access is Access.WO else self._values[register.name]

    def _apply(self) -> None:
        """The plain registers' values, in the form that is worked with."""
        values = self._values
        completer = self.completer
        self.mask = (1 << values["Q_RING_LOG2"]) - 1
        completer.entries = self.mask + 1
        completer.base = values["Q_CPL_LO"] | values["Q_CPL_HI"] << 32
        head = values["Q_HEAD_LO"] | values["Q_HEAD_HI"] << 32
        completer.head_addr = head - 1 if head & 1 else None
        completer.mod_frames = values["Q_MOD_FRAMES"]
        completer.mod_ns = values["Q_MOD_NS"]
        completer.threshold = values["Q_CPL_THRESHOLD"]
        completer.timer_ns = values["Q_CPL_TIMER_NS"]
        self.priority = values["Q_PRIORITY"]
        self._weight = values["Q_WEIGHT"]
        self._byte_time = values["Q_BYTE_TIME_LO"] | values["Q_BYTE_TIME_HI"] << 32
        completer.set_mask(bool(values["Q_IRQ_MASK"] & 1))
        self._device.schedule()

    def _control(self, value: int) -> bool:
        if self.resetting:
            return False
        enable = bool(value & 1)
        if value & 2:
            self._reset()
        elif enable and not self.enabled:
            self.enabled = True
            self.fetch()
            self._device.schedule()
        elif self.enabled and not enable:
            self.enabled = False
            self._forget_descriptors()
            self.completer.flush()
        return True

    def _doorbell(self, tail: int) -> bool:
        if self.resetting:
            return False
        if tail > self.mask:
            self._bad_doorbell()
            return False
        self._device.stats[_DOORBELLS] += 1
        self.tail = tail
        self.fetch()
        return True

    def _consumed(self, count: int, arm: bool) -> bool:
        accepted = self.completer.consume(count, arm)
        if accepted:
            if self._event_waits:
                self._report_bad_doorbell()
            self._device.schedule()
        else:
            self._bad_doorbell()
        return accepted

    def _bad_doorbell(self) -> None:
        """Note a refused doorbell, and report it; a queue that does not run may have no ring to do so."""
        self.bad_doorbell = True
        self._device.stats[Stat.ERR_BAD_DOORBELL] += 1
        if self.enabled and not self.halted:
            self._report_bad_doorbell()

    def _report_bad_doorbell(self) -> None:
        """Report it once there is a slot; one report stands for all that wait."""
        self._event_waits = self._free_slots() <= 1
        if not self._event_waits:
            stamp, status = self._device.stamp(), Status.BAD_DOORBELL
            self.completer.add(stamp, self.tail, status, _NO_FLAGS, 0, not self.enabled or self.halted)
