"""Packets for the rules: whole frames, and super-packets as a TCP or UDP socket makes them."""

from __future__ import annotations

import struct
from itertools import pairwise

from ringwire.packet import checksum, parse_headers, pseudo_header_sum
from ringwire.skb import CsumFlag, GsoType, Skb

_MACS = bytes.fromhex("020000000002020000000001")
_TCP, _UDP = 6, 17
_ACK_PSH = 0x18


def plain(data: bytes, *cuts: int) -> Skb:
    """A frame of any bytes, cut into fragments at these places."""
    return Skb(len(data), pieces(data, cuts))


def pieces(data: bytes, cuts: tuple[int, ...]) -> tuple[bytes, ...]:
    """The bytes in fragments."""
    edges = (0, *(cut for cut in cuts if cut < len(data)), len(data))
    return tuple(data[begin:end] for begin, end in pairwise(edges))


def transport(
    payload: bytes,
    *cuts: int,
    mss: int = 0,
    udp: bool = False,
    v6: bool = False,
    ident: int = 1,
    tci: int | None = None,
) -> Skb:
    """A TCP or UDP packet whose checksum is to be made; with ``mss`` a super-packet of such segments."""
    l4_len = (8 if udp else 20) + len(payload)
    protocol = _UDP if udp else _TCP
    if v6:
        l3 = struct.pack("!IHBB", 6 << 28, l4_len, protocol, 64) + bytes(range(10, 42))
    else:
        l3 = struct.pack("!BBHHHBBH", 0x45, 0, 20 + l4_len, ident, 0, 64, protocol, 0) + bytes(range(10, 18))
        l3 = l3[:10] + checksum(l3).to_bytes(2, "big") + l3[12:]
    l4 = struct.pack("!HHHH", 4000, 5201, l4_len, 0)
    if not udp:
        l4 = struct.pack("!HHIIBBHHH", 4000, 5201, 1000, 2000, 0x50, _ACK_PSH, 500, 0, 0)
    frame = bytearray(_MACS + (b"\x86\xdd" if v6 else b"\x08\0") + l3 + l4 + payload)
    headers = parse_headers(frame)
    offset = 6 if udp else 16
    at = headers.l4 + offset
    frame[at : at + 2] = (pseudo_header_sum(frame, headers, l4_len) or 0xFFFF).to_bytes(2, "big")
    skb = Skb(len(frame), pieces(bytes(frame), cuts), vlan_tci=tci)
    skb.csum_flags, skb.csum_start, skb.csum_offset = CsumFlag.NEEDS_CSUM, headers.l4, offset
    if mss:
        skb.gso_type = GsoType.UDP_L4 if udp else GsoType.TCPV6 if v6 else GsoType.TCPV4
        skb.gso_size, skb.gso_segs = mss, -(-len(payload) // mss)
        skb.hdr_len = headers.payload
    return skb
