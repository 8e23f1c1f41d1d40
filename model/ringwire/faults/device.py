"""Faults of the device, as twins of a device that has them; ``rtl/rw_faults.sv`` has some of them in the RTL."""

from __future__ import annotations

from ringwire.host.memory import LINE
from ringwire.nic.builder import PacketBuilder, Segment
from ringwire.nic.completer import Completer
from ringwire.nic.descriptors import SegType, Status
from ringwire.nic.pacer import MIN_FRAME
from ringwire.nic.registers import QUEUE_BASE, QUEUE_OFFSETS, QUEUE_STRIDE, Stat
from ringwire.nic.segment import TAG_AT, TAG_BYTES, Request
from ringwire.nic.twin import Twin
from ringwire.packet import ETH_HLEN, checksum

FIFO_BYTES = 1024
"""Frames beyond it leave with their checksum undone, or break off."""
FALSE_FULL = 0x3FC0
"""Buffers of so many bytes fill the memory of a device that counts badly."""
COUNTED_BUFFERS = 8
HANGS_AFTER = 40
EVERY = 7


class CompletesEarly(Twin):
    """Reports a packet when its reads are asked for."""

    def _read_payload(self, segment: Segment) -> None:
        super()._read_payload(segment)
        if segment.packet.all_picked:
            self._finish(segment.packet, self.stamp(), segment.packet.picked)


class ReadClears(Twin):
    """Reading a queue's status takes a pending interrupt with it."""

    def read(self, address: int) -> int:
        value = super().read(address)
        queue, offset = divmod(address - QUEUE_BASE, QUEUE_STRIDE)
        if offset == QUEUE_OFFSETS["STATUS"] and 0 <= queue < len(self.queues):
            completer = self.queues[queue].completer
            if completer.visible != completer.consumed:
                completer.armed = False
        return value


class NeverTimesOut(Completer):
    """Completions that gather wait for enough of them, however long."""

    __slots__ = ()

    def _batch_timeout(self, batch_id: int) -> None: ...


class WriteBackWaits(Twin):
    """The write-back timer does not run, and completions gather by eight."""

    def run_until(self, time_ps: int) -> int:
        for queue in self.queues:
            queue.completer.__class__ = NeverTimesOut
            queue.completer.threshold = EVERY + 1
        return super().run_until(time_ps)


class Reads32(Twin):
    """Reads payload at the lower half of its address."""

    def _read_payload(self, segment: Segment) -> None:
        super()._read_payload(segment)
        segment.buffers = [(addr & 0xFFFFFFFF, length) for addr, length in segment.buffers]


class Hangs(Twin):
    """Stops sending."""

    def _pump(self) -> None:
        if self.stats[Stat.TX_FRAMES] < HANGS_AFTER:
            super()._pump()


class ForgetsChecksum(Twin):
    """Can complete a checksum only if the whole frame fits its FIFO."""

    def _arrived(self, segment: Segment) -> None:
        if segment.length > FIFO_BYTES:
            segment.packet.csum = None
        super()._arrived(segment)


# -- what the packet builder gets wrong


class CachesMss(PacketBuilder):
    """Believes that a queue's MSS is that of its first super-packet."""

    __slots__ = ("_mss",)

    def _offload(self, flags: int, request: Request | None) -> Status:
        if request is not None and request.kind is not SegType.UFO4 and request.mss:
            self._mss = getattr(self, "_mss", request.mss)
            request = request._replace(mss=self._mss)
        return super()._offload(flags, request)


class CountsFull(PacketBuilder):
    """Has no room for a buffer of nearly 16 KiB, though it has."""

    __slots__ = ()

    def _data(self, addr: int, length: int, flags: int) -> Status:
        return Status.READ if length >= FALSE_FULL else super()._data(addr, length, flags)


class WithBuilder(Twin):
    """A twin whose queues have another packet builder."""

    builder: type[PacketBuilder]

    def post_write(self, due_ps: int, address: int, value: int) -> None:
        for index, queue in enumerate(self.queues):
            if type(queue._builder) is PacketBuilder:
                queue._builder = self.builder(index)
        super().post_write(due_ps, address, value)


class StaleMss(WithBuilder):
    """Cuts every super-packet at the MSS of the queue's first one."""

    builder = CachesMss


class FalseFull(WithBuilder):
    """Gives packets with a buffer of nearly 16 KiB up, as if there were no room for it."""

    builder = CountsFull


# -- frames that leave as they must not


class Spoils(Twin):
    """Changes frames as they leave."""

    def _start(self, segment: Segment) -> None:
        segment.data = self.spoil(segment)
        super()._start(segment)

    def spoil(self, segment: Segment) -> bytes:
        """What leaves instead of ``segment.data``."""
        raise NotImplementedError


class HeaderFromOneLine(Spoils):
    """Takes a header from one line of memory only, and it may lie in two."""

    def spoil(self, segment: Segment) -> bytes:
        packet, data = segment.packet, segment.data
        if packet.request is None:
            return data
        begin, end = LINE - packet.buffers[0][0] % LINE, packet.request.header_len
        return data[:begin] + bytes(end - begin) + data[end:] if begin < end else data


class IdSticks(Spoils):
    """The IPv4 id stops at its highest value."""

    def spoil(self, segment: Segment) -> bytes:
        request, data = segment.packet.request, bytearray(segment.data)
        if request is None or request.kind is not SegType.TCP4 or segment.packet.vlan_tci is not None:
            return segment.data
        at = request.l3 + 4
        first = int.from_bytes(segment.packet.header[at : at + 2], "big")
        if first + segment.index > 0xFFFF:
            data[at : at + 2] = b"\xff\xff"
            data[at + 6 : at + 8] = bytes(2)
            data[at + 6 : at + 8] = checksum(data[request.l3 : request.l4]).to_bytes(2, "big")
        return bytes(data)


class OddFragments(Spoils):
    """Adds a fragment that begins at an odd byte into the checksum as if it began at an even one."""

    def spoil(self, segment: Segment) -> bytes:
        packet, data = segment.packet, bytearray(segment.data)
        if packet.csum is not None and any(length & 1 for _, length in packet.buffers[:-1]):
            data[sum(packet.csum)] ^= 0x01
        return bytes(data)


class PadsWithOldBytes(Spoils):
    """Short frames are filled up with what lay in the buffer before."""

    def spoil(self, segment: Segment) -> bytes:
        return segment.data.ljust(MIN_FRAME, b"\x5a")


class TagsFirstOnly(Spoils):
    """Of a packet that is cut the first segment alone is tagged."""

    def spoil(self, segment: Segment) -> bytes:
        packet, data = segment.packet, segment.data
        if packet.request is None or packet.vlan_tci is None or segment.index == 0 or len(data) <= ETH_HLEN:
            return data
        return data[:TAG_AT] + data[TAG_AT + TAG_BYTES :]


class CountsBuffers(Spoils):
    """Sends no more than eight buffers of a frame."""

    def spoil(self, segment: Segment) -> bytes:
        beyond = sum(length for _, length in segment.buffers[COUNTED_BUFFERS:])
        return segment.data[: len(segment.data) - beyond]


class CutsThrough(Spoils):
    """Begins to send before all of a frame is there; every seventh time memory is too slow for that."""

    def spoil(self, segment: Segment) -> bytes:
        slow = self.stats[Stat.TX_FRAMES] % EVERY == EVERY - 1
        return segment.data[:FIFO_BYTES] if slow else segment.data
