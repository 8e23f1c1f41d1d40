"""From descriptors to packets, and from packets to wire frames: what the device checks before it reads a byte."""

from __future__ import annotations

from collections.abc import Sequence

from ringwire.nic.descriptors import DescFlag, SegType, Status
from ringwire.nic.pacer import wire_bytes
from ringwire.nic.registers import MAX_BUFFER, MAX_DATAGRAM, MAX_DESCRIPTORS, MAX_FRAME, MAX_PAYLOAD
from ringwire.nic.segment import TAG_BYTES, Request, build, complete_checksum, insert_tag, parse_request
from ringwire.packet import ETH_HLEN

EOP = int(DescFlag.EOP)
REPORT = int(DescFlag.REPORT)
TSTAMP = int(DescFlag.TSTAMP)
CSUM = int(DescFlag.CSUM)
VLAN = int(DescFlag.VLAN)
OFFLOAD = int(DescFlag.OFFLOAD)
RESERVED = 0xFFFF & ~(EOP | REPORT | TSTAMP | CSUM | VLAN | OFFLOAD)
_ASKS = RESERVED | CSUM | VLAN
_OK = Status.OK


class Packet:
    """A packet on its way through the device; one that is killed stays in its place until its completion."""

    __slots__ = (
        "_buffer",
        "_offset",
        "buffers",
        "completed",
        "csum",
        "drop_late",
        "end",
        "fetched",
        "flags",
        "forgotten",
        "header",
        "in_pipe",
        "launch",
        "left",
        "length",
        "picked",
        "queue",
        "request",
        "stamp",
        "status",
        "vlan_tci",
    )

    def __init__(self, queue: int) -> None:
        self.queue = queue
        self.buffers: list[tuple[int, int]] = []
        """(address, bytes) of each data descriptor."""
        self.length = 0
        self.flags = 0
        """The flags of all its descriptors together."""
        self.request: Request | None = None
        """How it is to be cut."""
        self.launch = 0
        """When its first frame is to leave, 48.16 fixed point ns; 0: as soon as it may."""
        self.drop_late = False
        """Not at all if its turn comes after that."""
        self.csum: tuple[int, int] | None = None
        """(start, offset) of a checksum to complete."""
        self.vlan_tci: int | None = None
        """Of a tag to insert."""
        self.end = 0
        """Ring index one past its last descriptor."""
        self.status = _OK
        self.header = b""
        """What is repeated before each segment, once it is read."""
        self.picked = 0
        """Wire frames that are, or were, on their way."""
        self.in_pipe = 0
        """Those of them whose turn has not passed."""
        self.fetched = 0
        """Those whose bytes came."""
        self.left = 0
        """Those that began to leave."""
        self.stamp = 0
        """When the first did so."""
        self.completed = False
        """It has been reported to software."""
        self.forgotten = False
        """A reset found it half cut: it is not reported."""
        self._buffer = self._offset = 0

    def kill(self, status: Status) -> None:
        """No more of it will leave, for this reason; a packet is killed for one reason only, the first."""
        if self.status is _OK:
            self.status = status
            self.buffers = []
            self.launch = 0

    @property
    def all_picked(self) -> bool:
        """Nothing of it is left to be picked."""
        if self.status is not _OK or self.request is None:
            return self.picked > 0
        return self.request.header_len + self.picked * self.request.mss >= self.length

    @property
    def next_length(self) -> int:
        """Bytes of the wire frame that is picked next, with a tag that is inserted, without padding."""
        request, tag = self.request, 0 if self.vlan_tci is None else TAG_BYTES
        if request is None:
            return self.length + tag
        return request.header_len + min(request.mss, self._unpicked(request)) + tag

    def next_stored(self, width: int) -> int:
        """Bytes of the frame buffer, whole beats of ``width``, that it takes; headers of segments lie elsewhere."""
        request = self.request
        bare = self.length
        if request is not None:
            bare = request.header_len % width + min(request.mss, self._unpicked(request))
        return -(-bare // width) * width

    def _unpicked(self, request: Request) -> int:
        return self.length - request.header_len - self.picked * request.mss

    def pick(self) -> Segment:
        """Its next wire frame; one without bytes if it is killed."""
        segment = Segment(self, self.picked)
        if self.status is _OK:
            segment.length = length = self.next_length
            segment.wire_bytes = wire_bytes(length)
            request = self.request
            if request is None:
                segment.buffers = self.buffers
            else:
                # the header is read with the first segment only
                header = request.header_len if self.picked == 0 else 0
                segment.buffers = self._take(header + min(request.mss, self._unpicked(request)))
        self.picked += 1
        self.in_pipe += 1
        return segment

    def _take(self, wanted: int) -> list[tuple[int, int]]:
        """The next so many bytes, as (address, bytes)."""
        taken = []
        while wanted:
            addr, length = self.buffers[self._buffer]
            size = min(wanted, length - self._offset)
            taken.append((addr + self._offset, size))
            wanted -= size
            self._offset += size
            if self._offset == length:
                self._buffer += 1
                self._offset = 0
        return taken


class Segment:
    """A wire frame of a packet: the whole of it, or one of those that it is cut into."""

    __slots__ = ("arrived", "buffers", "data", "dead", "index", "length", "packet", "stored", "wire_bytes")

    def __init__(self, packet: Packet, index: int) -> None:
        self.packet = packet
        self.index = index
        self.buffers: Sequence[tuple[int, int]] = ()
        """(address, bytes) of what is read for it."""
        self.length = self.wire_bytes = 0
        """On the wire: without padding, and with all that its time is taken by."""
        self.stored = 0
        """Of the frame buffer, bytes."""
        self.data = b""
        self.dead = packet.status is not _OK
        """It will not leave; its turn passes without bytes."""
        self.arrived = False
        """Its bytes are in the frame buffer."""

    def fill(self, raw: bytes) -> None:
        """Make the frame out of what was read for it."""
        packet = self.packet
        request = packet.request
        if request is not None:
            if self.index == 0:
                packet.header, raw = raw[: request.header_len], raw[request.header_len :]
            raw = build(request, packet.header, self.index, raw, packet.length)
        elif packet.csum is not None:
            raw = complete_checksum(raw, *packet.csum)
        self.data = raw if packet.vlan_tci is None else insert_tag(raw, packet.vlan_tci)


class PacketBuilder:
    """Gathers a queue's descriptors, in order, into packets. The first error seen in a packet kills all of it."""

    __slots__ = ("_count", "_first_data", "_limit", "_packet", "_queue")

    def __init__(self, queue: int) -> None:
        self._queue = queue
        self.reset()

    def reset(self) -> None:
        """Forget a packet of which some descriptors are missing still."""
        self._packet = Packet(self._queue)
        self._count = 0
        self._first_data = True
        self._limit = MAX_FRAME

    @property
    def held(self) -> int:
        """Descriptors of the unfinished packet that are kept; those of a killed one are not."""
        return len(self._packet.buffers)

    def take(
        self, addr: int, length: int, flags: int, csum_start: int, csum_offset: int, vlan_tci: int, end: int
    ) -> Packet | None:
        """Add a descriptor; returns its packet when it was the last. ``end`` is the ring index after it.

        The fields are named as a data descriptor has them; those of an offload descriptor lie in the same bits.
        """
        packet = self._packet
        self._count += 1
        packet.flags |= flags
        if packet.status is _OK:
            if flags & OFFLOAD:
                status = self._offload(flags, parse_request(addr, length, csum_start, csum_offset, vlan_tci))
            else:
                status = self._data(addr, length, flags)
                if self._first_data and status is _OK:
                    self._first_data = False
                    if flags & CSUM:
                        packet.csum = csum_start, csum_offset
                    if flags & VLAN:
                        packet.vlan_tci = vlan_tci
            if status is _OK and flags & EOP:
                status = self._whole()
            if status is not _OK:
                packet.kill(status)
        if not flags & EOP:
            return None
        packet.end = end
        self.reset()
        return packet

    def _offload(self, flags: int, request: Request | None) -> Status:
        if self._count > 1 or flags & (RESERVED | EOP | CSUM | VLAN):
            return Status.BAD_FLAGS
        if request is None:
            return Status.BAD_OFFLOAD
        self._packet.launch, self._packet.drop_late = request.launch, request.drop_late
        if request.kind is not SegType.NONE:
            self._packet.request = request
            self._limit = request.header_len + (MAX_DATAGRAM if request.kind is SegType.UFO4 else MAX_PAYLOAD)
        return _OK

    def _data(self, addr: int, length: int, flags: int) -> Status:
        packet = self._packet
        if flags & _ASKS and (
            flags & RESERVED or not self._first_data or (flags & CSUM and packet.request is not None)
        ):
            return Status.BAD_FLAGS
        if not 0 < length <= MAX_BUFFER:
            return Status.BAD_LENGTH
        packet.buffers.append((addr, length))
        packet.length += length
        if packet.length > self._limit:
            return Status.TOO_LONG
        if self._count == MAX_DESCRIPTORS and not flags & EOP:
            return Status.TOO_MANY_DESC
        return _OK

    def _whole(self) -> Status:
        """What can be told only once all descriptors are there."""
        packet = self._packet
        csum = packet.csum
        if csum is not None and csum[0] + csum[1] + 2 > packet.length:
            return Status.BAD_CSUM
        if packet.request is not None and packet.length <= packet.request.header_len:
            return Status.BAD_OFFLOAD
        if packet.vlan_tci is not None and packet.length < ETH_HLEN:
            return Status.BAD_OFFLOAD
        return _OK
