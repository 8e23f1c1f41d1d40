"""Where the parts of a packet lie that filters look at, and reading numbers from its bytes."""

from __future__ import annotations

from ringwire.packet import ETH_HLEN, VLAN_TYPES
from ringwire.skb import Skb

_IP, _IPV6 = 0x0800, 0x86DD


class Packet:
    """A packet's bytes: ``l3`` is where the network header begins, behind Ethernet's and all tags.

    A packet of figures only has no bytes at all. Offsets below are those of Linux's ``skb_header_pointer``: from the
    frame's start.
    """

    __slots__ = ("frame", "l3", "skb")

    def __init__(self, skb: Skb) -> None:
        self.skb = skb
        data = skb.data
        self.frame: bytes | memoryview = data[0] if len(data) == 1 else b"".join(data)
        self.l3 = network_offset(self.frame)

    @property
    def l4(self) -> int:
        """Where the transport header begins, behind IP's options (skb_transport_offset); ``l3`` if it isn't IP."""
        frame, l3 = self.frame, self.l3
        ethertype = self.number(l3 - 2, 2)
        if ethertype == _IP and l3 < len(frame):
            return l3 + 4 * (frame[l3] & 15)
        return l3 + 40 if ethertype == _IPV6 else l3

    def number(self, offset: int, size: int) -> int | None:
        """``size`` bytes as a number, the first one highest; None where the packet has none."""
        if offset < 0 or offset + size > len(self.frame):
            return None
        return int.from_bytes(self.frame[offset : offset + size], "big")


def network_offset(frame: bytes | memoryview) -> int:
    """First byte behind the Ethernet header and its tags."""
    l3 = ETH_HLEN
    while len(frame) >= l3 + 4 and (frame[l3 - 2] << 8 | frame[l3 - 1]) in VLAN_TYPES:
        l3 += 4
    return l3
