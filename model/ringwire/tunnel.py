"""Tunnels: a packet within a packet, and what the outer headers say of it.

VXLAN (RFC 7348), Geneve (RFC 8926), GRE (RFC 2784, 2890) and IP in IP (RFC 2003, 4213, 2473). What a tunnel puts
between its own UDP or GRE header and the inner packet is the same in every segment and is not looked at.
"""

from __future__ import annotations

import struct

from ringwire.packet import (
    CHECKSUM_OFFSET,
    ETH_P_IP,
    ETH_P_IPV6,
    IPPROTO_GRE,
    IPPROTO_IPIP,
    IPPROTO_IPV6,
    IPPROTO_UDP,
    IPV6_HLEN,
    UDP_HLEN,
    HeaderError,
    Headers,
    checksum,
    parse_ethernet,
    parse_headers,
    parse_packet,
    pseudo_header_sum,
    sum16,
    word,
)
from ringwire.skb import Tunnel

VXLAN_PORT, GENEVE_PORT = 4789, 6081

_ETH_P_TEB = 0x6558
_VXLAN_HLEN, _VXLAN_HAS_ID = 8, 0x0800
_GENEVE_HLEN, _GENEVE_VERSION = 8, 0xC000
_GRE_CSUM, _GRE_KEY = 0x8000, 0x2000
_GRE_CSUM_OFFSET = 4
_CARRIERS = {
    Tunnel.UDP: (IPPROTO_UDP,),
    Tunnel.UDP_CSUM: (IPPROTO_UDP,),
    Tunnel.GRE: (IPPROTO_GRE,),
    Tunnel.GRE_CSUM: (IPPROTO_GRE,),
    Tunnel.IPIP: (IPPROTO_IPIP, IPPROTO_IPV6),
}
"""Protocols that the outer IP header may name."""

_put16 = struct.Struct("!H").pack_into


class Outer:
    """The headers around a tunnel's inner packet, which change with its length.

    Raises :class:`HeaderError` if the outer headers in ``frame`` are not those of such a tunnel.
    """

    def __init__(self, frame: bytes | bytearray | memoryview, tunnel: Tunnel, inner: Headers) -> None:
        headers = parse_headers(frame)
        if headers.protocol not in _CARRIERS[tunnel] or headers.fragment:
            raise HeaderError(f"tunnel {tunnel.name} in a packet of protocol {headers.protocol}")
        begin = headers.l4 + {IPPROTO_UDP: UDP_HLEN, IPPROTO_GRE: _GRE_CSUM_OFFSET}.get(headers.protocol, 0)
        if tunnel is Tunnel.GRE_CSUM:
            begin += 4
        if inner.l3 < begin:
            raise HeaderError(f"inner IP header at byte {inner.l3}; the tunnel's own headers end at byte {begin}")
        self.headers = headers
        """The outer ones."""
        self._tunnel = tunnel
        self._frame = frame
        self._ident = word(frame, headers.l3 + 4)

    def put(self, head: bytearray, inner_l4: int, length: int, number: int, inner_sum: int) -> None:
        """Fill in the outer headers of a segment, which has all its headers in ``head``.

        ``length`` is the frame's, ``number`` what the IPv4 id grows by. ``inner_sum`` is the sum modulo 65535 of
        all from ``inner_l4`` on. That is complete once the inner checksum is, so it is the negative of the inner
        pseudo-header's sum and no byte of payload needs to be read.
        """
        headers, tunnel = self.headers, self._tunnel
        l3, l4 = headers.l3, headers.l4
        if headers.version == 4:
            _put16(head, l3 + 2, length - l3)
            _put16(head, l3 + 4, self._ident + number & 0xFFFF)
            _put16(head, l3 + 10, 0)
            _put16(head, l3 + 10, checksum(head[l3:l4]))
        else:
            _put16(head, l3 + 4, length - l3 - IPV6_HLEN)
        if tunnel in (Tunnel.UDP, Tunnel.UDP_CSUM):
            _put16(head, l4 + 4, length - l4)
        if tunnel is Tunnel.UDP_CSUM:
            at = l4 + CHECKSUM_OFFSET[IPPROTO_UDP]
            pseudo = pseudo_header_sum(self._frame, headers, length - l4)
        elif tunnel is Tunnel.GRE_CSUM:
            at, pseudo = l4 + _GRE_CSUM_OFFSET, 0
        else:
            return
        _put16(head, at, 0)
        # What starts at an odd place has the bytes of all its words swapped.
        total = pseudo + sum16(head[l4:inner_l4]) + (inner_sum << 8 if (inner_l4 - l4) & 1 else inner_sum)
        _put16(head, at, -total % 0xFFFF or (0xFFFF if tunnel is Tunnel.UDP_CSUM else 0))


def find_tunnel(frame: bytes | memoryview, headers: Headers) -> tuple[Tunnel, Headers] | None:
    """The tunnel that a frame goes through by its outer ``headers``, and the headers of the IP packet inside.

    UDP tells tunnels by the destination port. None if there is no tunnel, nothing of IP in it, or if what is in
    it is cut or contradicts itself.
    """
    try:
        found = _look_inside(frame, headers)
        if found is None:
            return None
        tunnel, ethertype, l3 = found
        inner = parse_packet(frame, ethertype, l3)
    except HeaderError:
        return None
    return (tunnel, inner) if inner.version else None


def _look_inside(frame: bytes | memoryview, headers: Headers) -> tuple[Tunnel, int, int] | None:
    """The tunnel, the inner packet's ethertype and where it begins."""
    protocol, l4 = headers.protocol, headers.l4
    if headers.fragment:
        return None
    if protocol in (IPPROTO_IPIP, IPPROTO_IPV6):
        return Tunnel.IPIP, ETH_P_IP if protocol == IPPROTO_IPIP else ETH_P_IPV6, l4
    if protocol == IPPROTO_GRE:
        flags = word(frame, l4)
        # A sequence number is not the same in every segment; Linux cuts no such packets either.
        if flags & ~(_GRE_CSUM | _GRE_KEY):
            return None
        tunnel = Tunnel.GRE_CSUM if flags & _GRE_CSUM else Tunnel.GRE
        return tunnel, *_behind(frame, word(frame, l4 + 2), l4 + 4 + 4 * flags.bit_count())
    if protocol == IPPROTO_UDP:
        tunnel = Tunnel.UDP_CSUM if word(frame, l4 + 6) else Tunnel.UDP
        port, begin = word(frame, l4 + 2), l4 + UDP_HLEN
        if port == VXLAN_PORT and word(frame, begin) & _VXLAN_HAS_ID:
            return tunnel, *parse_ethernet(frame, begin + _VXLAN_HLEN)
        if port == GENEVE_PORT and word(frame, begin) & _GENEVE_VERSION == 0:
            options = 4 * (frame[begin] & 0x3F)
            return tunnel, *_behind(frame, word(frame, begin + 2), begin + _GENEVE_HLEN + options)
    return None


def _behind(frame: bytes | memoryview, ethertype: int, begin: int) -> tuple[int, int]:
    """The packet's ethertype and place, where the tunnel may hold an Ethernet frame."""
    return parse_ethernet(frame, begin) if ethertype == _ETH_P_TEB else (ethertype, begin)
