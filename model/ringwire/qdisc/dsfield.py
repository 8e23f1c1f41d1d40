"""The Differentiated Services field: IPv4's TOS byte and IPv6's traffic class, in a packet's bytes and figures.

After include/net/dsfield.h of Linux 6.1; RFC 2474. IPv4's checksum is corrected as in RFC 1624.
"""

from __future__ import annotations

from ringwire.packet import ETH_P_IP, ETH_P_IPV6, IPV4_HLEN, IPV6_HLEN, HeaderError, parse_ethernet
from ringwire.skb import Skb

NOT_IP = -1
CUT = -2
"""The IP header is not all there."""
ENOUGH = 64
"""Bytes in which the headers that matter end, two VLAN tags before them."""


def get_dsfield(skb: Skb) -> int:
    """The field of the outermost IP header, NOT_IP or CUT; a packet of figures only counts as IP."""
    if not skb.data:
        return skb.tos
    frame = skb.data[0] if len(skb.data[0]) >= ENOUGH else skb.linear()
    ethertype, l3 = _header(frame)
    if ethertype == ETH_P_IP:
        return frame[l3 + 1] if len(frame) >= l3 + IPV4_HLEN else CUT
    if ethertype == ETH_P_IPV6:
        return (frame[l3] << 4 | frame[l3 + 1] >> 4) & 0xFF if len(frame) >= l3 + IPV6_HLEN else CUT
    return NOT_IP


def change_dsfield(skb: Skb, mask: int, value: int) -> None:
    """Keep the bits in ``mask`` and set those in ``value``; a packet that is not IP is left alone."""
    before = get_dsfield(skb)
    if before < 0:
        return
    after = before & mask | value
    skb.tos = after
    if after == before or not skb.data:
        return
    if len(skb.data[0]) < ENOUGH:
        skb.data = (skb.linear(),)
    frame = bytearray(skb.data[0])
    ethertype, l3 = _header(frame)
    if ethertype == ETH_P_IP:
        frame[l3 + 1] = after
        # the checksum is the inverted sum: what is added to the header is taken from it
        at = l3 + 10
        checksum = (int.from_bytes(frame[at : at + 2], "big") + before - after) % 0xFFFF
        frame[at : at + 2] = checksum.to_bytes(2, "big")
    else:
        frame[l3] = frame[l3] & 0xF0 | after >> 4
        frame[l3 + 1] = frame[l3 + 1] & 0x0F | after << 4 & 0xF0
    skb.data = (bytes(frame), *skb.data[1:])


def _header(frame: bytes | bytearray | memoryview) -> tuple[int, int]:
    """(Ethertype behind VLAN tags, where its header begins)."""
    try:
        return parse_ethernet(frame)
    except HeaderError:
        return 0, 0
