"""Packets at the limits of what the rules of offloads allow (docs/offloads.md), and beyond them.

A packet is its descriptors, 16 bytes each; data descriptors have an address that a world may exchange.
"""

from __future__ import annotations

from ringwire.nic.descriptors import DescFlag, SegType, Status, pack_data, pack_offload
from ringwire.nic.registers import MAX_BUFFER, MAX_FRAME
from tests.raw_queue import EOP, REPORT, TSTAMP

CSUM, VLAN = DescFlag.CSUM, DescFlag.VLAN
END = EOP | REPORT
L3, L4 = 14, 34


def offload(
    kind: int = SegType.TCP4,
    mss: int = 100,
    header: int = 54,
    l3: int = 14,
    l4: int = 34,
    flags: int = 0,
    **wishes: int,
) -> bytes:
    """A request to cut TCP over IPv4, unless said otherwise."""
    return pack_offload(kind, mss, header, l3, l4, flags=flags, **wishes)  # type: ignore[arg-type]


def data(length: int = 100, flags: int = 0, start: int = 0, offset: int = 0, tci: int = 0) -> bytes:
    """A data descriptor."""
    return pack_data(0x1000, length, flags, start, offset, tci)


LAST = data(200, EOP)
ASKS_WELL = [
    offload(),
    offload(mss=1),
    offload(mss=16383),
    offload(SegType.TCP4, l3=14, l4=74, header=134),
    offload(SegType.TCP4, l3=22, l4=42, header=102, id_fixed=True, csum_partial=True),
    offload(SegType.TCP6, l3=14, l4=54, header=74),
    offload(SegType.TCP6, l3=16, l4=216, header=256),
    offload(SegType.UDP4, l4=34, header=42),
    offload(SegType.UDP6, l3=14, l4=54, header=62),
    offload(SegType.UFO4, mss=8, l4=34, header=34),
    offload(SegType.UFO4, mss=16376, l3=160, l4=220, header=220),
    offload(flags=REPORT | TSTAMP),
    offload(SegType.NONE, 0, 0, 0, 0),
    offload(SegType.NONE, 0, 0, 0, 0, launch=1),
    offload(launch=0x1234567),
]
ASKS_BADLY = [
    offload(mss=0),
    offload(mss=16384),
    offload(mss=65535),
    offload(l3=13, l4=33, header=53),
    offload(l3=12, l4=32, header=52),
    offload(l3=15, l4=35, header=55),
    offload(l4=30, header=50),
    offload(l4=36, header=56),
    offload(l4=78, header=98),
    offload(l3=34, l4=34, header=54),
    offload(l3=40, l4=34, header=54),
    offload(SegType.TCP6, l4=50, header=70),
    offload(SegType.UDP6, l4=50, header=58),
    offload(SegType.TCP6, l4=56, header=76),
    offload(header=50),
    offload(header=56),
    offload(header=98),
    offload(header=34),
    offload(header=20),
    offload(SegType.TCP6, l3=16, l4=220, header=260),
    offload(SegType.UDP4, header=54),
    offload(SegType.UDP4, header=34),
    offload(SegType.UFO4, mss=8, header=42),
    offload(SegType.UFO4, mss=12, header=34),
    offload(SegType.UFO4, mss=0, header=34),
    # nothing but the type is wrong
    *(offload(type_, mss=8, l4=34, header=header) for type_ in (6, 7) for header in (34, 42, 54)),
    *(offload(SegType.NONE, mss=8, l4=34, header=header) for header in (34, 42, 54)),
    offload(SegType.NONE, 1, 0, 0, 0),
    offload(SegType.NONE, 0, 1, 0, 0),
    offload(SegType.NONE, 0, 0, 1, 0),
    offload(SegType.NONE, 0, 0, 0, 1),
    offload(SegType.NONE, 0, 0, 0, 0, id_fixed=True),
    offload(SegType.NONE, 0, 0, 0, 0, csum_partial=True),
    offload()[:15] + bytes((offload()[15] | 0x40,)),
    offload()[:15] + bytes((offload()[15] | 0x80,)),
]

B = Status
REFUSED: dict[str, tuple[Status, list[bytes]]] = {
    "reserved flag on the offload descriptor": (B.BAD_FLAGS, [offload(flags=1 << 7), LAST]),
    "reserved flag before a bad request": (B.BAD_FLAGS, [offload(mss=0, flags=1 << 14), LAST]),
    "offload second": (B.BAD_FLAGS, [data(), offload(), LAST]),
    "offload twice": (B.BAD_FLAGS, [offload(), offload(), LAST]),
    "offload last": (B.BAD_FLAGS, [offload(flags=EOP)]),
    "offload last, and bad": (B.BAD_FLAGS, [offload(mss=0, flags=EOP)]),
    "offload with CSUM": (B.BAD_FLAGS, [offload(flags=CSUM), LAST]),
    "offload with VLAN": (B.BAD_FLAGS, [offload(flags=VLAN), LAST]),
    "CSUM behind the first data": (B.BAD_FLAGS, [data(), data(100, CSUM | EOP)]),
    "VLAN behind the first data": (B.BAD_FLAGS, [data(), data(100, VLAN | EOP)]),
    "VLAN behind the first data of a cut packet": (B.BAD_FLAGS, [offload(), data(), data(100, VLAN | EOP)]),
    "CSUM in a cut packet": (B.BAD_FLAGS, [offload(), data(200, CSUM | EOP)]),
    "CSUM in a cut packet with a bad length": (B.BAD_FLAGS, [offload(), data(0, CSUM | EOP)]),
    "bad request, then a bad flag": (B.BAD_OFFLOAD, [offload(mss=0), data(100, 1 << 5 | EOP)]),
    "no data byte in the first": (B.BAD_LENGTH, [offload(), data(0), LAST]),
    "length above a buffer": (B.BAD_LENGTH, [offload(), data(MAX_BUFFER + 1), LAST]),
    "too long": (B.TOO_LONG, [data(MAX_BUFFER), data(MAX_FRAME - MAX_BUFFER + 1, EOP)]),
    "too long behind a request for nothing": (
        B.TOO_LONG,
        [offload(SegType.NONE, 0, 0, 0, 0), data(MAX_BUFFER), data(MAX_FRAME - MAX_BUFFER + 1, EOP)],
    ),
    "cut packet too long": (B.TOO_LONG, [offload(), *[data(MAX_BUFFER)] * 16, data(55, EOP)]),
    "datagram too long": (B.TOO_LONG, [offload(SegType.UFO4, 8, 34), *[data(MAX_BUFFER)] * 4, data(34, EOP)]),
    "too long in the descriptor that is one too many": (B.TOO_LONG, [*[data(264)] * 64, data(1, EOP)]),
    "64 and more": (B.TOO_MANY_DESC, [*[data(1)] * 64, data(1, EOP)]),
    "64 with the offload descriptor, and more": (B.TOO_MANY_DESC, [offload(), *[data(1)] * 63, LAST]),
    "bad length in the descriptor that is one too many": (B.BAD_LENGTH, [*[data(1)] * 63, data(0), data(1, EOP)]),
    "a field behind the end": (B.BAD_CSUM, [data(60, CSUM, 34, 125), data(100, EOP)]),
    "a field half behind the end": (B.BAD_CSUM, [data(60, CSUM | EOP, 34, 25)]),
    "a field far behind the end": (B.BAD_CSUM, [data(60, CSUM | EOP, 255, 255)]),
    "no checksum field, and no room for a tag": (B.BAD_CSUM, [data(13, CSUM | VLAN | EOP, 10, 2)]),
    "no payload": (B.BAD_OFFLOAD, [offload(), data(54, EOP)]),
    "not even the header": (B.BAD_OFFLOAD, [offload(), data(53, EOP)]),
    "no room for a tag": (B.BAD_OFFLOAD, [data(12, VLAN), data(1, EOP)]),
}

ACCEPTED: dict[str, list[bytes]] = {
    "largest cut packet": [offload(), *[data(MAX_BUFFER)] * 16, data(54, EOP)],
    "64 in all": [offload(), *[data(2)] * 62, LAST],
    "tag and checksum": [data(14, CSUM | VLAN | EOP, 0, 12, 5)],
    "tag on a cut packet": [offload(), data(54, VLAN, tci=0xFFFF), LAST],
    "a checksum behind a request for nothing": [offload(SegType.NONE, 0, 0, 0, 0), data(60, CSUM | EOP, 0, 58)],
    "fields that are not asked for": [data(60, 0, 255, 255, 1), data(60, EOP, 255, 255, 1)],
    "one byte behind the header": [offload(), data(55, EOP)],
}

CSUM_ENDS = [(start, offset) for start in (0, 1, 14, 34, 127, 128, 255) for offset in (0, 6, 16, 63, 125, 255)]
"""Where a checksum begins, and its field from there: the last byte of each lies in a frame that is long enough."""


def in_two(length: int, start: int, offset: int) -> list[bytes]:
    """A packet of two fragments, whose first byte stands alone."""
    return [data(1, CSUM, start, offset), data(length - 1, EOP)]


REFUSED |= {
    f"a field that ends at byte {start + offset + 2} of one byte less": (
        B.BAD_CSUM,
        [data(start + offset + 1, CSUM | EOP, start, offset)],
    )
    for start, offset in CSUM_ENDS
}
REFUSED |= {
    f"a field that ends at byte {start + offset + 2} of one byte less, in two": (
        B.BAD_CSUM,
        in_two(start + offset + 1, start, offset),
    )
    for start, offset in CSUM_ENDS
    if start + offset
}
ACCEPTED |= {
    f"a field that ends with the frame, {start} + {offset}": [data(start + offset + 2, CSUM | EOP, start, offset)]
    for start, offset in CSUM_ENDS
}
ACCEPTED |= {
    f"a field that ends with the frame, in two, {start} + {offset}": in_two(start + offset + 2, start, offset)
    for start, offset in CSUM_ENDS
}
