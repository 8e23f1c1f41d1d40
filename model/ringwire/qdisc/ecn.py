"""Explicit Congestion Notification: marking a packet instead of dropping it (RFC 3168, RFC 8311).

After INET_ECN_set_ce in include/net/inet_ecn.h of Linux 6.12. The mark goes into the packet's bytes, where it has any,
and IPv4's checksum is corrected as in RFC 1624.
"""

from __future__ import annotations

from ringwire.packet import ETH_P_IP, ETH_P_IPV6, VLAN_TYPES
from ringwire.skb import Skb

ECN_MASK = 3
NOT_ECT = 0
CE = 3


def set_ce(skb: Skb) -> bool:
    """Mark the packet; False if its sender does not take part, True also if it was marked before."""
    ecn = skb.tos & ECN_MASK
    if ecn == NOT_ECT:
        return False
    if ecn != CE:
        if skb.data and not _mark_bytes(skb):
            return False
        skb.tos |= CE
    return True


def _mark_bytes(skb: Skb) -> bool:
    """Set both bits in the outer IP header; False if there is none."""
    # the headers end in the first fragment nearly always
    whole = len(skb.data) == 1 or len(skb.data[0]) >= 64
    first = bytearray(skb.data[0] if whole else skb.linear())
    ethertype, l3 = _network_header(first)
    if ethertype == ETH_P_IP and len(first) >= l3 + 20:
        added = (first[l3 + 1] | CE) - first[l3 + 1]
        first[l3 + 1] += added
        # the checksum is the inverted sum: what is added to the header is taken from it
        checksum = (first[l3 + 10] << 8 | first[l3 + 11]) - added
        if checksum < 0:
            checksum += 0xFFFF
        first[l3 + 10], first[l3 + 11] = checksum >> 8, checksum & 0xFF
    elif ethertype == ETH_P_IPV6 and len(first) >= l3 + 40:
        first[l3 + 1] |= CE << 4
    else:
        return False
    skb.data = (bytes(first), *skb.data[1:]) if whole else (bytes(first),)
    return True


def _network_header(frame: bytearray) -> tuple[int, int]:
    """(Ethertype behind VLAN tags, where its header begins)."""
    at = 12
    while len(frame) >= at + 2:
        ethertype = frame[at] << 8 | frame[at + 1]
        if ethertype not in VLAN_TYPES:
            return ethertype, at + 2
        at += 4
    return 0, at
