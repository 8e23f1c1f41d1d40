"""TCP packets as bytes: what a sender hands to the stack, and what of a frame the other end reads.

Ethernet, IPv4 (RFC 791) or IPv6 (RFC 8200), TCP (RFC 9293) with time stamps (RFC 7323), so that an MTU of 1500 leaves
1448 bytes of payload over IPv4 and 1428 over IPv6. A packet is made by one ``pack`` of its header, in front of a shared
buffer of zeros: the payload's bytes say nothing, sequence numbers do. The TCP checksum is left to the device.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from ipaddress import ip_address
from struct import Struct

from ringwire.packet import ETH_P_IP, ETH_P_IPV6, IPPROTO_TCP, flow_hash, sum16
from ringwire.skb import CsumFlag, GsoType, Skb

ETH_HLEN = 14
TCP_HLEN = 32
"""Header with time stamps."""
SYN_HLEN = 40
"""Header of a SYN: MSS, SACK permitted, time stamps, window scale."""
MIN_FRAME = 60
SEQ = 0xFFFFFFFF
ECT_0, CE = 2, 3
"""ECN field of the IP header (RFC 3168)."""
GSO_LEGACY_MAX = 65_536
"""What an IP length can tell."""
MAX_TCP_HEADER = 320
"""Room that Linux leaves before the payload (x86-64), which a super-packet's size counts."""
FRAGMENT = 16_384
"""Bytes of one fragment of the payload: what a descriptor can name."""
HEAD_TRUESIZE = 960
"""Memory of a packet of the write queue beside its payload: sk_buff and a head of 704 bytes (tcp_stream_alloc_skb)."""

_ETHERNET = Struct("!6s6sH")
_HEADER_4 = Struct("!14sBBHHHBBH8sIIIHHHHIII")
_HEADER_6 = Struct("!14sIHBB32sIIIHHHHIII")
_READ_4 = Struct("!xBH5xB14xI4xBB10xII")
_READ_6 = Struct("!IHB37xI4xBB10xII")
"""From the IP header on: TOS, length, protocol; sequence, header words, flags, time stamp and its echo."""
_DONT_FRAGMENT = 0x4000
_TTL = 64
_NOP_NOP_TIMESTAMPS = 0x0101080A
_ZEROS = memoryview(bytes(FRAGMENT))


class Flag(IntFlag):
    """Of the TCP header."""

    FIN = 1
    SYN = 2
    RST = 4
    PSH = 8
    ACK = 16
    ECE = 64
    CWR = 128


# Plain integers for what every packet meets.
ACK, PSH_ACK, CWR, SYN = int(Flag.ACK), int(Flag.PSH | Flag.ACK), int(Flag.CWR), int(Flag.SYN)
_NEEDS_CSUM = CsumFlag.NEEDS_CSUM


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Addresses of a connection: both IPv4 or both IPv6. ValueError names what can't be."""

    source: str = "10.0.0.1"
    destination: str = "10.0.0.2"
    source_port: int = 40_000
    destination_port: int = 5_001
    source_mac: str = "02:00:00:00:00:01"
    destination_mac: str = "02:00:00:00:00:02"

    def __post_init__(self) -> None:
        versions = set()
        for name in ("source", "destination"):
            text = getattr(self, name)
            try:
                versions.add(ip_address(text).version)
            except ValueError:
                raise ValueError(f"{name} {text!r}; allowed: an IPv4 or IPv6 address") from None
        if len(versions) > 1:
            raise ValueError(
                f"source {self.source!r} and destination {self.destination!r}; allowed: both IPv4 or both IPv6"
            )
        for name in ("source_port", "destination_port"):
            port = getattr(self, name)
            if not 1 <= port <= 65_535:
                raise ValueError(f"{name} {port}; allowed: 1 to 65535")
        for name in ("source_mac", "destination_mac"):
            text = getattr(self, name)
            try:
                octets = bytes.fromhex(text.replace(":", ""))
            except ValueError:
                octets = b""
            if len(octets) != 6:
                raise ValueError(f"{name} {text!r}; allowed: six octets in hex, as 02:00:00:00:00:01")

    @property
    def version(self) -> int:
        return ip_address(self.source).version

    def packed(self) -> tuple[bytes, bytes]:
        """Both addresses."""
        return ip_address(self.source).packed, ip_address(self.destination).packed

    def ethernet(self) -> bytes:
        macs = (bytes.fromhex(mac.replace(":", "")) for mac in (self.destination_mac, self.source_mac))
        return _ETHERNET.pack(*macs, ETH_P_IP if self.version == 4 else ETH_P_IPV6)


class PacketMaker:
    """Makes the packets of one connection. Lengths in bytes.

    ``dscp`` is the upper six bits of TOS or traffic class; ``queue`` fields (priority, mark, VLAN) are the flow's.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        *,
        dscp: int = 0,
        priority: int = 0,
        mark: int = 0,
        vlan_tci: int | None = None,
        mss: int | None = None,
    ) -> None:
        self.version = endpoints.version
        source, destination = endpoints.packed()
        ports = endpoints.source_port << 16 | endpoints.destination_port
        self.hash = flow_hash(IPPROTO_TCP, source, destination, ports.to_bytes(4, "big"))
        self.l4 = ETH_HLEN + (20 if self.version == 4 else 40)
        self.header = self.l4 + TCP_HLEN
        """Bytes before the payload."""
        self.mss = mss or 0
        """Bytes of payload of a full segment."""
        self._priority, self._mark, self._vlan_tci, self._tos = priority, mark, vlan_tci, dscp << 2
        self._ethernet, self._addresses, self._ports = endpoints.ethernet(), source + destination, ports
        self._pseudo = sum16(self._addresses) + IPPROTO_TCP
        self._ip_id = 0
        self._ip_sum = 0x4500 + _DONT_FRAGMENT + (_TTL << 8) + IPPROTO_TCP + sum16(self._addresses)
        self._gso_type = GsoType.TCPV4 if self.version == 4 else GsoType.TCPV6

    def make(self, seq: int, payload: int, ack: int, flags: int, window: int, stamp: int, echo: int, ecn: int) -> Skb:
        """A segment, or a super-packet if ``payload`` is more than the MSS. ``stamp`` and ``echo``: time stamps, ms."""
        length = TCP_HLEN + payload
        head = self._pack(length, 0x8000 | flags, seq, ack, window, stamp, echo, ecn, payload)
        if payload <= FRAGMENT:
            data: tuple[bytes | memoryview, ...] = (head, _ZEROS[:payload]) if payload else (head,)
        else:
            whole, rest = divmod(payload, FRAGMENT)
            data = (head, *(_ZEROS,) * whole, _ZEROS[:rest]) if rest else (head, *(_ZEROS,) * whole)
        skb = self._skb(self.header + payload, data, self._tos | ecn, HEAD_TRUESIZE + payload)
        mss = self.mss
        if payload > mss > 0:
            skb.gso_type, skb.gso_size, skb.gso_segs = self._gso_type, mss, -(-payload // mss)
            skb.hdr_len = self.header
            skb.gso_ecn = flags & CWR != 0
        return skb

    def make_syn(self, seq: int, flags: int, window: int, mss: int, scale: int, stamp: int) -> Skb:
        """The first segment, which offers an MSS, SACK, time stamps and a window scale."""
        options = bytes((2, 4, *mss.to_bytes(2, "big"), 4, 2, 8, 10)) + stamp.to_bytes(4, "big") + bytes(4)
        options += bytes((1, 3, 3, scale))
        head = self._pack(SYN_HLEN, (SYN_HLEN // 4) << 12 | flags, seq, 0, window, 0, 0, 0, 0)
        head = head[: self.l4 + 20] + options
        return self._skb(len(head), (head,), self._tos, HEAD_TRUESIZE)

    def _pack(
        self,
        length: int,
        words_and_flags: int,
        seq: int,
        ack: int,
        window: int,
        stamp: int,
        echo: int,
        ecn: int,
        data: int,
    ) -> bytes:
        pseudo = (self._pseudo + length) % 0xFFFF
        if self.version == 4:
            total = 20 + length
            tos = self._tos | ecn
            ident = self._ip_id
            segments = -(-data // self.mss) if data > self.mss > 0 else 1
            self._ip_id = ident + segments & 0xFFFF
            checksum = (0xFFFF - (self._ip_sum + tos + total + ident) % 0xFFFF) % 0xFFFF
            return _HEADER_4.pack(
                self._ethernet, 0x45, tos, total, ident, _DONT_FRAGMENT, _TTL, IPPROTO_TCP, checksum, self._addresses,
                self._ports, seq & SEQ, ack & SEQ, words_and_flags, window, pseudo, 0, _NOP_NOP_TIMESTAMPS, stamp, echo,
            )  # fmt: skip
        return _HEADER_6.pack(
            self._ethernet, 6 << 28 | (self._tos | ecn) << 20 | self.hash & 0xFFFFF, length, IPPROTO_TCP, _TTL,
            self._addresses, self._ports, seq & SEQ, ack & SEQ, words_and_flags, window, pseudo, 0,
            _NOP_NOP_TIMESTAMPS, stamp, echo,
        )  # fmt: skip

    def _skb(self, length: int, data: tuple[bytes | memoryview, ...], tos: int, truesize: int) -> Skb:
        return Skb(
            length,
            data,
            0,
            _NEEDS_CSUM,
            self.l4,
            16,
            priority=self._priority,
            hash=self.hash,
            mark=self._mark,
            tos=tos,
            vlan_tci=self._vlan_tci,
            truesize=truesize,
        )


def read_segment(frame: bytes) -> tuple[int, int, int, int, int, int] | None:
    """(seq, flags, payload bytes, ECN field, time stamp, its echo) of such a frame, None if it is malformed.

    A tag in front is passed over; lengths must fit: header, IP length and frame. A SYN's time stamps stand elsewhere.
    """
    l3 = ETH_HLEN if frame[12] != 0x81 else ETH_HLEN + 4
    room = len(frame) - l3
    if room < _READ_4.size:
        return None
    if frame[l3] == 0x45:
        tos, total, protocol, seq, words, flags, stamp, echo = _READ_4.unpack_from(frame, l3)
        payload = total - 20 - (words >> 4 << 2)
    elif frame[l3] >> 4 == 6 and room >= _READ_6.size:
        first, total, protocol, seq, words, flags, stamp, echo = _READ_6.unpack_from(frame, l3)
        tos = first >> 20
        payload = total - (words >> 4 << 2)
        total += 40
    else:
        return None
    if payload < 0 or words < 0x50 or total > room or protocol != IPPROTO_TCP:
        return None
    return seq, flags, payload, tos & 3, stamp, echo
