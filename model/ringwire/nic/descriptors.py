"""Descriptors and completions: the records that driver and device exchange in host memory.

All are 16 bytes, little-endian. ``docs/registers.md`` and the generated headers come from the tables here.
"""

from __future__ import annotations

import struct
from enum import IntEnum, IntFlag
from typing import NamedTuple

DESCRIPTOR_BYTES = 16
COMPLETION_BYTES = 16

DATA_LAYOUT: tuple[tuple[str, int, int], ...] = (
    ("ADDR", 0, 64),
    ("LEN", 64, 16),
    ("FLAGS", 80, 16),
    ("CSUM_START", 96, 8),
    ("CSUM_OFFSET", 104, 8),
    ("VLAN_TCI", 112, 16),
)
"""Data descriptor: (field, least significant bit, width).

CSUM_START, CSUM_OFFSET and VLAN_TCI count on a packet's first data descriptor, where its flags ask for them; all
offsets are those of the frame as it lies in memory.
"""

OFFLOAD_LAYOUT: tuple[tuple[str, int, int], ...] = (
    ("LAUNCH", 0, 64),
    ("MSS", 64, 16),
    ("FLAGS", 80, 16),
    ("L3", 96, 8),
    ("L4", 104, 8),
    ("HDR_LEN", 112, 9),
    ("TYPE", 121, 3),
    ("ID_FIXED", 124, 1),
    ("CSUM_PARTIAL", 125, 1),
    ("DROP_LATE", 126, 1),
    ("RESERVED", 127, 1),
)
"""Offload descriptor: has the OFFLOAD flag, and comes before the packet's first data descriptor.

It asks to cut the packet behind its first HDR_LEN bytes into segments of MSS bytes, each behind a copy of the header
that is made right for it. L3 and L4 are where the IP and the TCP or UDP header begin, in bytes from the frame's
start. ID_FIXED keeps the IPv4 id, which else counts up; CSUM_PARTIAL leaves the L4 checksum field at the segment's
pseudo-header sum. The field must hold the pseudo-header sum of the whole packet.

LAUNCH, unless it is 0, is when the packet's first frame is to leave, as a time of the device (48.16 fixed point ns); it
may stand beside TYPE NONE. The packet waits in its queue until LAUNCH_LEAD before, then at the wire. One that is picked
after its launch time is sent at once, or with DROP_LATE not at all; one that is illegal is reported at once.
"""

COMPLETION_LAYOUT: tuple[tuple[str, int, int], ...] = (
    ("TIME", 0, 64),
    ("INDEX", 64, 16),
    ("STATUS", 80, 8),
    ("FLAGS", 88, 8),
    ("SEGMENTS", 96, 20),
    ("RESERVED", 116, 11),
    ("PHASE", 127, 1),
)
"""Completion. TIME is 48.16 fixed point ns of the first beat on the wire; INDEX is the ring index one past the packet's
last descriptor; PHASE is 1 on the first pass over the ring, then alternates, and lies in the half written last."""


HEAD_LAYOUT: tuple[tuple[str, int, int], ...] = (("INDEX", 0, 16), ("COUNT", 16, 16), ("RESERVED", 32, 32))
"""Head write-back record, 8 bytes: INDEX as in a completion, COUNT the reports and errors so far, modulo 65,536."""


class SegType(IntEnum):
    """What an offload descriptor asks for."""

    NONE = 0
    """No segmentation."""
    TCP4 = 1
    TCP6 = 2
    UDP4 = 3
    UDP6 = 4
    UFO4 = 5
    """IPv4 fragments: the header ends with the IP header, MSS is a multiple of 8, no checksum is touched but IPv4's."""


class DescFlag(IntFlag):
    """Flags of a data descriptor; bits not named here must be 0."""

    EOP = 1 << 0
    """Last descriptor of its packet."""
    REPORT = 1 << 1
    """Write a completion for the packet (on any of its descriptors)."""
    TSTAMP = 1 << 2
    """Hand the wire's time stamp back: sets the completion's TSTAMP flag."""
    CSUM = 1 << 3
    """Complete the checksum at csum_start + csum_offset (Linux's generic form)."""
    VLAN = 1 << 4
    """Insert an 802.1Q tag with vlan_tci."""
    OFFLOAD = 1 << 15
    """This is an offload descriptor: it comes before a packet's first data descriptor."""


class CplFlag(IntFlag):
    """Flags of a completion."""

    TSTAMP = 1 << 0
    """TIME is the stamp that the packet asked for."""


class Status(IntEnum):
    """Outcome of a packet, or an event of its queue; each error has a counter (``Stat.ERR_*``) in this order."""

    OK = 0
    BAD_LENGTH = 1
    BAD_FLAGS = 2
    TOO_LONG = 3
    TOO_MANY_DESC = 4
    BAD_OFFLOAD = 5
    READ = 6
    DESC_READ = 7
    BAD_DOORBELL = 8
    ABORTED = 9
    BAD_CSUM = 10
    LATE = 11


STATUS_TEXT = {
    Status.OK: "The packet is sent.",
    Status.BAD_LENGTH: "A descriptor's length is 0 or above 16,384.",
    Status.BAD_FLAGS: "A reserved flag is set; an offload descriptor is not the first or ends its packet; CSUM or VLAN "
    "stand behind the first data descriptor; CSUM stands beside segmentation.",
    Status.TOO_LONG: "The frame is longer than MAX_FRAME; a packet to be cut has more than 262,144 bytes of payload "
    "(UFO4: 65,535).",
    Status.TOO_MANY_DESC: "The packet has more than 64 descriptors.",
    Status.BAD_OFFLOAD: "The offload descriptor asks for what can't be: MSS not 1 to 16,383 (UFO4: a multiple of 8); "
    "L3 odd or below 14; L3 to L4 not a multiple of 4, below 20 (IPv6: 40) or above 60 (IPv4); L4 to HDR_LEN for TCP "
    "not a multiple of 4 from 20 to 60, for UDP not 8, for UFO4 not 0; HDR_LEN above 256; TYPE unknown or, if it "
    "is NONE, another field of the cut not 0; DROP_LATE without LAUNCH; the reserved bit set. Or there is no payload, "
    "or a tag is asked for a frame below 14 bytes.",
    Status.BAD_CSUM: "The checksum field at CSUM_START + CSUM_OFFSET lies outside of the packet.",
    Status.LATE: "Its launch time had passed when its turn came, and DROP_LATE was set.",
    Status.READ: "A payload read failed. Of a packet that is cut, SEGMENTS have left before.",
    Status.DESC_READ: "A descriptor read failed: the queue stands in error until it is reset. "
    "INDEX is the failed descriptor's.",
    Status.BAD_DOORBELL: "A tail beyond the ring was refused. INDEX is the tail that holds.",
    Status.ABORTED: "Dropped by a queue reset before it began to leave.",
}


_DESCRIPTOR = struct.Struct("<QHHBBH")
_COMPLETION = struct.Struct("<QHBBI")


class Completion(NamedTuple):
    """One entry of the completion ring."""

    time: int
    """48.16 fixed point nanoseconds."""
    ring_index: int
    status: Status
    flags: CplFlag
    segments: int
    phase: int


def pack_data(
    addr: int, length: int, flags: int, csum_start: int = 0, csum_offset: int = 0, vlan_tci: int = 0
) -> bytes:
    """A data descriptor's 16 bytes."""
    return _DESCRIPTOR.pack(addr, length, flags, csum_start, csum_offset, vlan_tci)


def pack_offload(
    kind: SegType,
    mss: int,
    header_len: int,
    l3: int,
    l4: int,
    *,
    id_fixed: bool = False,
    csum_partial: bool = False,
    launch: int = 0,
    drop_late: bool = False,
    flags: int = 0,
) -> bytes:
    """An offload descriptor's 16 bytes; the OFFLOAD flag is set. ``launch`` is in units of 2^-16 ns."""
    last = header_len | kind << 9 | id_fixed << 12 | csum_partial << 13 | drop_late << 14
    return _DESCRIPTOR.pack(launch, mss, flags | DescFlag.OFFLOAD, l3, l4, last)


def unpack_data(raw: bytes | memoryview) -> tuple[int, int, int, int, int, int]:
    """(addr, len, flags, csum_start, csum_offset, vlan_tci) of 16 bytes."""
    fields: tuple[int, int, int, int, int, int] = _DESCRIPTOR.unpack(raw)
    return fields


def pack_completion(time: int, ring_index: int, status: int, flags: int, segments: int, phase: int) -> bytes:
    """A completion's 16 bytes; the fields are those of :class:`Completion`."""
    return _COMPLETION.pack(time, ring_index, status, flags, segments | phase << 31)


def unpack_completion(raw: bytes | memoryview, offset: int = 0) -> Completion:
    """The completion at ``offset`` bytes of ``raw``."""
    time, index, status, flags, last = _COMPLETION.unpack_from(raw, offset)
    return Completion(time, index, Status(status), CplFlag(flags), last & 0xFFFFF, last >> 31)
