"""From descriptors to packets: what the device checks before it reads a byte of payload."""

from __future__ import annotations

from ringwire.nic.descriptors import DescFlag, Status
from ringwire.nic.registers import MAX_BUFFER, MAX_DESCRIPTORS, MAX_FRAME

EOP = int(DescFlag.EOP)
REPORT = int(DescFlag.REPORT)
TSTAMP = int(DescFlag.TSTAMP)
OFFLOAD = int(DescFlag.OFFLOAD)
RESERVED = 0xFFFF & ~int(EOP | REPORT | TSTAMP | DescFlag.CSUM | DescFlag.VLAN | OFFLOAD)
OFFLOADS = int(DescFlag.CSUM | DescFlag.VLAN | DescFlag.OFFLOAD)


class Packet:
    """A packet on its way through the device; one that is killed stays in its place until its completion."""

    __slots__ = ("arrived", "buffers", "completed", "data", "end", "flags", "length", "queue", "ready_ps", "status")

    def __init__(self, queue: int) -> None:
        self.queue = queue
        self.buffers: list[tuple[int, int]] = []
        """(address, bytes) of each data descriptor."""
        self.length = 0
        self.flags = 0
        """The flags of all its descriptors together."""
        self.end = 0
        """Ring index one past its last descriptor."""
        self.status = Status.OK
        self.data = b""
        self.arrived = False
        self.ready_ps = 0
        """When its bytes are in the frame buffer; meaningful once ``arrived``."""
        self.completed = False
        """It has been reported to software."""

    def kill(self, status: Status) -> None:
        """It will not leave, for this reason; a packet is killed for one reason only, the first."""
        if self.status is Status.OK:
            self.status = status
            self.buffers = []


class PacketBuilder:
    """Gathers a queue's descriptors, in order, into packets. The first error seen in a packet kills all of it."""

    __slots__ = ("_count", "_packet", "_queue")

    def __init__(self, queue: int) -> None:
        self._queue = queue
        self.reset()

    def reset(self) -> None:
        """Forget a packet of which some descriptors are missing still."""
        self._packet = Packet(self._queue)
        self._count = 0

    @property
    def held(self) -> int:
        """Descriptors of the unfinished packet that are kept; those of a killed one are not."""
        return len(self._packet.buffers)

    def take(self, addr: int, length: int, flags: int, end: int) -> Packet | None:
        """Add a descriptor; returns its packet when it was the last. ``end`` is the ring index after it."""
        packet = self._packet
        self._count += 1
        packet.flags |= flags
        if packet.status is Status.OK:
            status = self._check(length, flags)
            if status is Status.OK:
                packet.buffers.append((addr, length))
                packet.length += length
                if packet.length > MAX_FRAME:
                    status = Status.TOO_LONG
            if status is not Status.OK:
                packet.kill(status)
        if not flags & EOP:
            return None
        packet.end = end
        self.reset()
        return packet

    def _check(self, length: int, flags: int) -> Status:
        if self._count > MAX_DESCRIPTORS:
            return Status.TOO_MANY_DESC
        if flags & RESERVED or (flags & OFFLOAD and self._count > 1):
            return Status.BAD_FLAGS
        if flags & OFFLOADS:
            return Status.UNSUPPORTED
        if not 0 < length <= MAX_BUFFER:
            return Status.BAD_LENGTH
        return Status.OK
