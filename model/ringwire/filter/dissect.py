"""The fields of a packet that flower and flow compare, read from its bytes.

After net/core/flow_dissector.c of Linux 6.12. What can't be read is 0, as it is there.
"""

from __future__ import annotations

from ringwire.packet import (
    ETH_HLEN,
    ETH_P_IP,
    ETH_P_IPV6,
    IPPROTO_DSTOPTS,
    IPPROTO_FRAGMENT,
    IPPROTO_GRE,
    IPPROTO_HOPOPTS,
    IPPROTO_IPIP,
    IPPROTO_IPV6,
    IPPROTO_ROUTING,
    IPPROTO_SCTP,
    IPPROTO_TCP,
    IPPROTO_UDP,
    IPV4_HLEN,
    IPV6_HLEN,
    TCP_HLEN,
    VLAN_TYPES,
)
from ringwire.qdisc.classify import ETH_P_8021Q
from ringwire.skb import Skb

IPPROTO_ICMP = 1
IPPROTO_AH = 51
IPPROTO_ICMPV6 = 58
_PORTS_AT = {IPPROTO_TCP: 0, IPPROTO_UDP: 0, 33: 0, 50: 0, IPPROTO_SCTP: 0, 136: 0, IPPROTO_AH: 4}
"""TCP, UDP, DCCP, ESP (its SPI), SCTP, UDP-Lite; AH (its SPI): proto_ports_offset."""
_TEB = 0x6558
FRAGMENT = 1
FIRST_FRAGMENT = 2
MAX_HEADERS = 15
"""Headers within one another that are looked at (MAX_FLOW_DISSECT_HDRS)."""


class Fields:
    """What was found. Addresses and MACs are numbers, the first byte highest."""

    # what most packets don't have costs nothing as an attribute of the class
    iif = dst_mac = src_mac = n_proto = ip_proto = tos = ttl = 0
    vlans = vlan_id = vlan_prio = vlan_tpid = vlan_next = 0
    cvlan_id = cvlan_prio = cvlan_tpid = 0
    version = src = dst = ctl = 0
    sport = dport = tcp_flags = type = code = 0


def dissect(skb: Skb, inside: bool = False) -> Fields:
    """Read a packet; ``inside``: the innermost packet of IP-in-IP and GRE instead of the outermost."""
    fields = Fields()
    fields.iif = skb.iif
    data = skb.data
    frame = data[0] if len(data) == 1 else b"".join(data)
    if len(frame) < ETH_HLEN:
        fields.n_proto = ETH_P_IP if not frame else 0
        return fields
    fields.dst_mac = int.from_bytes(frame[:6], "big")
    fields.src_mac = int.from_bytes(frame[6:12], "big")
    proto, at = frame[12] << 8 | frame[13], ETH_HLEN
    if skb.vlan_tci is not None:
        _tag(fields, skb.vlan_tci, ETH_P_8021Q, proto)
    while proto in VLAN_TYPES and len(frame) >= at + 4:
        tpid, tci = proto, frame[at] << 8 | frame[at + 1]
        proto = frame[at + 2] << 8 | frame[at + 3]
        at += 4
        _tag(fields, tci, tpid, proto)
    fields.n_proto = proto
    for _ in range(MAX_HEADERS):
        if proto == ETH_P_IP:
            at = _ipv4(fields, frame, at)
        elif proto == ETH_P_IPV6:
            at = _ipv6(fields, frame, at)
        else:
            break
        inner = _inner(fields, frame, at) if inside and at else None
        if inner is None:
            break
        proto, at = inner
        fields.n_proto = proto
    return fields


def _tag(fields: Fields, tci: int, tpid: int, following: int) -> None:
    fields.vlans += 1
    if fields.vlans == 1:
        fields.vlan_id, fields.vlan_prio, fields.vlan_tpid, fields.vlan_next = tci & 0xFFF, tci >> 13, tpid, following
    elif fields.vlans == 2:
        fields.cvlan_id, fields.cvlan_prio, fields.cvlan_tpid = tci & 0xFFF, tci >> 13, tpid


def _ipv4(fields: Fields, frame: bytes | memoryview, at: int) -> int:
    """Where the transport header is, 0 if nothing behind the IP header is to be looked at."""
    if len(frame) < at + IPV4_HLEN or frame[at] & 15 < 5:
        return 0
    fields.version = 4
    fields.tos, fields.ttl, fields.ip_proto = frame[at + 1], frame[at + 8], frame[at + 9]
    fields.src = int.from_bytes(frame[at + 12 : at + 16], "big")
    fields.dst = int.from_bytes(frame[at + 16 : at + 20], "big")
    fragment = frame[at + 6] << 8 | frame[at + 7]
    if fragment & 0x3FFF:
        fields.ctl = FRAGMENT if fragment & 0x1FFF else FRAGMENT | FIRST_FRAGMENT
        return 0
    at += 4 * (frame[at] & 15)
    _transport(fields, frame, at)
    return at


def _ipv6(fields: Fields, frame: bytes | memoryview, at: int) -> int:
    if len(frame) < at + IPV6_HLEN:
        return 0
    fields.version = 6
    fields.tos = (frame[at] << 8 | frame[at + 1]) >> 4 & 0xFF
    fields.ttl, fields.ip_proto = frame[at + 7], frame[at + 6]
    fields.src = int.from_bytes(frame[at + 8 : at + 24], "big")
    fields.dst = int.from_bytes(frame[at + 24 : at + 40], "big")
    at += IPV6_HLEN
    for _ in range(MAX_HEADERS):
        if fields.ip_proto in (IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS):
            if len(frame) < at + 2:
                return 0
            fields.ip_proto, at = frame[at], at + 8 * (frame[at + 1] + 1)
        elif fields.ip_proto == IPPROTO_FRAGMENT:
            if len(frame) < at + 8:
                return 0
            first = not (frame[at + 2] << 8 | frame[at + 3]) & 0xFFF8
            fields.ip_proto = frame[at]
            fields.ctl = FRAGMENT | FIRST_FRAGMENT if first else FRAGMENT
            return 0
        else:
            break
    _transport(fields, frame, at)
    return at


def _transport(fields: Fields, frame: bytes | memoryview, at: int) -> None:
    protocol = fields.ip_proto
    ports = _PORTS_AT.get(protocol)
    if ports is not None and len(frame) >= at + ports + 4:
        begin = at + ports
        fields.sport = frame[begin] << 8 | frame[begin + 1]
        fields.dport = frame[begin + 2] << 8 | frame[begin + 3]
    if protocol == IPPROTO_TCP:
        if len(frame) >= at + TCP_HLEN and frame[at + 12] >> 4 >= 5:
            fields.tcp_flags = (frame[at + 12] << 8 | frame[at + 13]) & 0x0FFF
    elif protocol in (IPPROTO_ICMP, IPPROTO_ICMPV6) and len(frame) >= at + 8:
        fields.type, fields.code = frame[at], frame[at + 1]


def _inner(fields: Fields, frame: bytes | memoryview, at: int) -> tuple[int, int] | None:
    """Protocol and place of the packet in a tunnel."""
    if fields.ip_proto == IPPROTO_IPIP:
        return ETH_P_IP, at
    if fields.ip_proto == IPPROTO_IPV6:
        return ETH_P_IPV6, at
    if fields.ip_proto != IPPROTO_GRE or len(frame) < at + 4:
        return None
    flags, proto = frame[at] << 8 | frame[at + 1], frame[at + 2] << 8 | frame[at + 3]
    if flags & 0x4007:
        # routing or another version
        return None
    at += 4 + 4 * sum(bool(flags & bit) for bit in (0x8000, 0x2000, 0x1000))
    if proto == _TEB:
        if len(frame) < at + ETH_HLEN:
            return None
        proto, at = frame[at + 12] << 8 | frame[at + 13], at + ETH_HLEN
    return proto, at
