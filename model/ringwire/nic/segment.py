"""What leaves for what a packet asks: segments behind headers of their own, completed checksums, inserted tags.

The rules are those of ``docs/offloads.md``, followed byte by byte; nothing here looks at what a header says of itself.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from ringwire.nic.descriptors import SegType
from ringwire.nic.registers import MAX_HEADER, MAX_MSS
from ringwire.packet import (
    CHECKSUM_OFFSET,
    ETH_HLEN,
    IPPROTO_TCP,
    IPPROTO_UDP,
    IPV4_HLEN,
    IPV6_HLEN,
    TCP_HLEN,
    UDP_HLEN,
    checksum,
    sum16,
)

TAG_AT = 12
"""A tag goes behind the two MAC addresses."""
TAG_BYTES = 4
_TPID = b"\x81\x00"
_MAX_IPV4_HLEN = _MAX_TCP_HLEN = 60
_IPV4_MORE_FRAGMENTS = 0x2000
_TCP_FIN_PSH, _TCP_CWR = 0x09, 0x80

_IPV4 = (SegType.TCP4, SegType.UDP4, SegType.UFO4)
_TCP = (SegType.TCP4, SegType.TCP6)

_put16 = struct.Struct("!H").pack_into
_put32 = struct.Struct("!I").pack_into
_get16 = struct.Struct("!H").unpack_from
_get32 = struct.Struct("!I").unpack_from


class Request(NamedTuple):
    """What an offload descriptor asks for; the fields of ``OFFLOAD_LAYOUT``."""

    kind: SegType
    mss: int
    header_len: int
    l3: int
    l4: int
    id_fixed: bool = False
    csum_partial: bool = False
    launch: int = 0
    """48.16 fixed point ns; 0: none."""
    drop_late: bool = False


def parse_request(launch: int, mss: int, l3: int, l4: int, last: int) -> Request | None:
    """The request of an offload descriptor whose fields are these, ``last`` its upper 16 bits; None if it can't be.

    One of kind NONE is legal where all else of the cut is 0: it asks for a launch time, or for nothing.
    """
    kind, header_len = last >> 9 & 7, last & 0x1FF
    drop_late = bool(last >> 14 & 1)
    if last >> 15 or kind > SegType.UFO4 or (drop_late and not launch):
        return None
    cut = SegType(kind), mss, header_len, l3, l4, bool(last >> 12 & 1), bool(last >> 13 & 1)
    request = Request(*cut, launch, drop_late)
    if kind == SegType.NONE:
        return request if not any(cut) else None
    return request if _can_be(request) else None


def _can_be(request: Request) -> bool:
    kind, mss, header_len, l3, l4 = request[:5]
    l3_len, l4_len = l4 - l3, header_len - l4
    if not 1 <= mss <= MAX_MSS or l3 & 1 or l3 < ETH_HLEN or l3_len & 3 or header_len > MAX_HEADER:
        return False
    if kind in _IPV4:
        if not IPV4_HLEN <= l3_len <= _MAX_IPV4_HLEN:
            return False
    elif l3_len < IPV6_HLEN:
        return False
    if kind in _TCP:
        return TCP_HLEN <= l4_len <= _MAX_TCP_HLEN and not l4_len & 3
    if kind is SegType.UFO4:
        return l4_len == 0 and not mss & 7
    return l4_len == UDP_HLEN


def build(request: Request, header: bytes, index: int, payload: bytes, total: int) -> bytes:
    """Segment ``index`` of a packet of ``total`` bytes, ``payload`` being its own part of what is behind the header."""
    kind, mss, header_len, l3, l4 = request[:5]
    head = bytearray(header)
    length = header_len + len(payload)
    first, last = index == 0, header_len + (index + 1) * mss >= total
    if kind in _IPV4:
        _put16(head, l3 + 2, length - l3)
        if kind is SegType.UFO4:
            _put16(head, l3 + 6, (0 if last else _IPV4_MORE_FRAGMENTS) | index * mss >> 3)
        elif not request.id_fixed:
            _put16(head, l3 + 4, _get16(head, l3 + 4)[0] + index & 0xFFFF)
        _put16(head, l3 + 10, 0)
        _put16(head, l3 + 10, checksum(head[l3:l4]))
    else:
        _put16(head, l3 + 4, length - l3 - IPV6_HLEN)
    if kind is SegType.UFO4:
        return bytes(head) + payload
    if kind in _TCP:
        _put32(head, l4 + 4, _get32(head, l4 + 4)[0] + index * mss & 0xFFFFFFFF)
        head[l4 + 13] &= ~((0 if first else _TCP_CWR) | (0 if last else _TCP_FIN_PSH))
        check_at, zero = l4 + CHECKSUM_OFFSET[IPPROTO_TCP], 0
    else:
        _put16(head, l4 + 4, length - l4)
        check_at, zero = l4 + CHECKSUM_OFFSET[IPPROTO_UDP], 0xFFFF
    pseudo = _get16(header, check_at)[0] - (total - l4) + (length - l4)
    if request.csum_partial:
        check = pseudo % 0xFFFF or 0xFFFF
    else:
        _put16(head, check_at, 0)
        # an L4 header has an even length, so the payload's words are those of the segment
        check = -(pseudo + sum16(head[l4:]) + sum16(payload)) % 0xFFFF or zero
    _put16(head, check_at, check)
    return bytes(head) + payload


def complete_checksum(frame: bytes, start: int, offset: int) -> bytes:
    """The frame with the sum from ``start`` on in the field at ``start + offset``, which holds the pseudo-header's."""
    at = start + offset
    check = 0xFFFF - sum16(frame[start:])
    return b"".join((frame[:at], check.to_bytes(2, "big"), frame[at + 2 :]))


def insert_tag(frame: bytes, tci: int) -> bytes:
    """The frame with an 802.1Q tag."""
    return b"".join((frame[:TAG_AT], _TPID, tci.to_bytes(2, "big"), frame[TAG_AT:]))
