"""UDP datagrams as a socket hands them to the stack: whole frames, with the checksum left to whoever makes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from zlib import crc32

from ringwire.packet import IPPROTO_UDP, flow_hash, sum16, tos_to_priority
from ringwire.ranges import check
from ringwire.skb import CsumFlag, Skb, linear_truesize
from ringwire.traffic.flow import Flow

ETH_HLEN, IPV4_HLEN, IPV6_HLEN, UDP_HLEN = 14, 20, 40, 8
SOURCE_MAC, DESTINATION_MAC = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
FIRST_PORT = 32_768
"""Of those that Linux gives to sockets by itself (net.ipv4.ip_local_port_range)."""
_TTL = 64
_DONT_FRAGMENT = 0x4000
_CSUM_OFFSET = 6
NUMBER_BYTES = 8
"""The payload begins with the datagram's number, as far as there is room."""


@dataclass
class Datagrams(Flow):
    """Where datagrams go and how filters see them; the fields are keys of the flows that send some. ValueError."""

    name: str = ""
    source: str = "10.0.0.1"
    destination: str = "10.0.0.2"
    sport: int | None = None
    """None: one that follows from the flow's name."""
    dport: int = 5001
    tos: int = 0
    """IPv4 TOS byte or IPv6 traffic class; the low two bits are ECN."""
    priority: int | None = None
    """SO_PRIORITY; None: what IPv4's TOS byte gives."""
    mark: int = 0
    """SO_MARK."""
    _sent: int = field(default=0, init=False, repr=False)
    _headers: dict[int, tuple[bytes, bytes]] = field(default_factory=dict, init=False, repr=False)
    """By payload length: the frame up to the payload, and what follows the number."""

    def __post_init__(self) -> None:
        try:
            self._from, self._to = ip_address(self.source), ip_address(self.destination)
        except ValueError as error:
            at = "destination" if _is_address(self.source) else "source"
            raise ValueError(f"{at} {getattr(self, at)}: {error}; allowed: IPv4 and IPv6 addresses") from None
        if self._from.version != self._to.version:
            raise ValueError(f"destination {self.destination}: of another version than source {self.source}")
        if self.sport is None:
            self.sport = FIRST_PORT + crc32(self.name.encode()) % (0x1_0000 - FIRST_PORT)
        check("sport", self.sport, 1, 0xFFFF)
        check("dport", self.dport, 1, 0xFFFF)
        check("tos", self.tos, 0, 0xFF)
        check("mark", self.mark, 0, 0xFFFF_FFFF)
        if self.priority is not None:
            check("priority", self.priority, 0, 0xFFFF_FFFF)
        self._port = self.sport
        ports = self.sport.to_bytes(2, "big") + self.dport.to_bytes(2, "big")
        self._hash = flow_hash(IPPROTO_UDP, self._from.packed, self._to.packed, ports)
        if self.priority is not None:
            self._priority = self.priority
        else:
            self._priority = tos_to_priority(self.tos) if self._from.version == 4 else 0

    @property
    def l4(self) -> int:
        """Where the UDP header begins."""
        return ETH_HLEN + (IPV4_HLEN if self._from.version == 4 else IPV6_HLEN)

    def datagram(self, frame_bytes: int) -> Skb:
        """The next datagram, as a frame of so many bytes without FCS: at least the headers."""
        number, self._sent = self._sent, self._sent + 1
        payload = frame_bytes - self.l4 - UDP_HLEN
        made = self._headers.get(payload)
        if made is None:
            made = self._headers[payload] = self._make(payload)
        head, rest = made
        stamp = number.to_bytes(NUMBER_BYTES, "big")
        return Skb(
            len=frame_bytes,
            data=(b"".join((head, stamp if payload >= NUMBER_BYTES else stamp[NUMBER_BYTES - payload :], rest)),),
            csum_flags=CsumFlag.NEEDS_CSUM,
            csum_start=self.l4,
            csum_offset=_CSUM_OFFSET,
            hash=self._hash,
            priority=self._priority,
            mark=self.mark,
            tos=self.tos,
            truesize=linear_truesize(frame_bytes),
        )

    def _make(self, payload: int) -> tuple[bytes, bytes]:
        udp_bytes = UDP_HLEN + payload
        source, destination = self._from.packed, self._to.packed
        pseudo = (sum16(source + destination) + IPPROTO_UDP + udp_bytes) % 0xFFFF or 0xFFFF
        udp = b"".join(value.to_bytes(2, "big") for value in (self._port, self.dport, udp_bytes, pseudo))
        if self._from.version == 4:
            ip = b"".join(
                (
                    bytes((0x45, self.tos)),
                    (IPV4_HLEN + udp_bytes).to_bytes(2, "big"),
                    bytes(2),
                    _DONT_FRAGMENT.to_bytes(2, "big"),
                    bytes((_TTL, IPPROTO_UDP)),
                )
            )
            check_sum = 0xFFFF - sum16(ip + source + destination)
            ip += check_sum.to_bytes(2, "big")
            ethertype = b"\x08\x00"
        else:
            ip = (6 << 28 | self.tos << 20).to_bytes(4, "big") + udp_bytes.to_bytes(2, "big")
            ip += bytes((IPPROTO_UDP, _TTL))
            ethertype = b"\x86\xdd"
        head = b"".join((DESTINATION_MAC, SOURCE_MAC, ethertype, ip, source, destination, udp))
        return head, bytes(max(0, payload - NUMBER_BYTES))


def _is_address(text: str) -> bool:
    try:
        return isinstance(ip_address(text), (IPv4Address, IPv6Address))
    except ValueError:
        return False
