"""Ethertypes by name, as iproute2 knows them; after lib/ll_proto.c of iproute2 6.1."""

from __future__ import annotations

from ringwire.qdisc.classify import ETH_P_ALL
from ringwire.tools.units import parse_u16

PROTOCOLS = {
    "all": ETH_P_ALL,
    "ip": 0x0800,
    "ipv4": 0x0800,
    "arp": 0x0806,
    "ipv6": 0x86DD,
    "802.1Q": 0x8100,
    "802.1ad": 0x88A8,
    "mpls_uc": 0x8847,
    "mpls_mc": 0x8848,
    "ppp_disc": 0x8863,
    "ppp_ses": 0x8864,
}
PROTOCOL_NAMES = {number: name for name, number in PROTOCOLS.items() if name != "ipv4"}


def parse_protocol(text: str) -> int:
    """An Ethertype by name or number."""
    for name, number in PROTOCOLS.items():
        if text.lower() == name.lower():
            return number
    return parse_u16(text)


def format_protocol(protocol: int) -> str:
    """Its name, or ``[number]``."""
    return PROTOCOL_NAMES.get(protocol, f"[{protocol}]")
