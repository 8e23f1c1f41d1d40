"""Frames for tests, built and checked the long way round: nothing here uses the code under test."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

TCP, UDP, GRE = 6, 17, 47
MACS = bytes.fromhex("020000000002020000000001")


def words_sum(data: bytes) -> int:
    """RFC 1071, word by word: the folded sum, not inverted."""
    total = 0
    for at in range(0, len(data), 2):
        total += data[at] << 8 | (data[at + 1] if at + 1 < len(data) else 0)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@dataclass
class Frame:
    """What a frame is to hold; :meth:`build` makes it."""

    version: int = 4
    protocol: int = TCP
    payload: bytes = b""
    vlans: tuple[tuple[int, int], ...] = ()
    """(ethertype, tag control) from the outside in."""
    ip_options: bytes = b""
    extensions: tuple[tuple[int, bytes], ...] = ()
    """IPv6: (header number, header), the first byte of each is filled in."""
    l4_options: bytes = b""
    source: bytes = b""
    destination: bytes = b""
    final: bytes = b""
    """Destination of the pseudo-header where it differs (routing header)."""
    ports: tuple[int, int] = (40000, 5201)
    seq: int = 1000
    ack: int = 2000
    flags: int = 0x10
    reserved: int = 0
    urgent: int = 0
    ident: int = 7
    fragment: int = 0x4000
    tos: int = 0
    flow_label: int = 0
    checksum: int | None = None
    """None: the pseudo-header sum."""
    ip_len: int | None = None
    """The field's value where it is not the right one."""
    udp_len: int | None = None
    trailer: bytes = b""

    def __post_init__(self) -> None:
        size = 4 if self.version == 4 else 16
        self.source = self.source or bytes(range(10, 10 + size))
        self.destination = self.destination or bytes(range(60, 60 + size))

    @property
    def l3(self) -> int:
        return 14 + 4 * len(self.vlans)

    @property
    def l4(self) -> int:
        if self.version == 4:
            return self.l3 + 20 + len(self.ip_options)
        return self.l3 + 40 + sum(len(header) for _, header in self.extensions)

    @property
    def l4_hlen(self) -> int:
        return 8 if self.protocol == UDP else 20 + len(self.l4_options)

    @property
    def payload_at(self) -> int:
        return self.l4 + self.l4_hlen

    @property
    def csum_offset(self) -> int:
        return 6 if self.protocol == UDP else 16

    def pseudo(self, length: int) -> bytes:
        # IPv6's form serves IPv4 too: the words are the same, and BIG TCP needs the longer length.
        return self.source + (self.final or self.destination) + struct.pack("!II", length, self.protocol)

    def l4_bytes(self) -> bytes:
        length = self.l4_hlen + len(self.payload)
        check = words_sum(self.pseudo(length)) if self.checksum is None else self.checksum
        if self.protocol == UDP:
            udp_len = length if self.udp_len is None else self.udp_len
            return struct.pack("!HHHH", *self.ports, udp_len, check) + self.payload
        if self.protocol != TCP:
            return self.payload
        return (
            struct.pack("!HHII", *self.ports, self.seq, self.ack)
            + struct.pack("!BBHHH", self.l4_hlen // 4 << 4 | self.reserved, self.flags, 500, check, self.urgent)
            + self.l4_options
            + self.payload
        )

    def build(self) -> bytes:
        l4 = self.l4_bytes()
        kinds = [*(kind for kind, _ in self.vlans), 0x0800 if self.version == 4 else 0x86DD]
        link = MACS + struct.pack("!H", kinds[0])
        for (_, tag), kind in zip(self.vlans, kinds[1:], strict=True):
            link += struct.pack("!HH", tag, kind)
        if self.version == 4:
            hlen = 20 + len(self.ip_options)
            length = hlen + len(l4) if self.ip_len is None else self.ip_len
            head = struct.pack(
                "!BBHHHBBH", 0x40 | hlen // 4, self.tos, length, self.ident, self.fragment, 64, self.protocol, 0
            )
            head += self.source + self.destination + self.ip_options
            check = 0xFFFF - words_sum(head)
            return link + head[:10] + struct.pack("!H", check) + head[12:] + l4 + self.trailer
        numbers = [*(number for number, _ in self.extensions), self.protocol]
        chain = b""
        for (_, header), following in zip(self.extensions, numbers[1:], strict=True):
            chain += bytes((following,)) + header[1:]
        length = len(chain) + len(l4) if self.ip_len is None else self.ip_len
        first = 6 << 28 | self.tos << 20 | self.flow_label
        head = struct.pack("!IHBB", first, length, numbers[0], 64) + self.source + self.destination
        return link + head + chain + l4 + self.trailer

    def completed(self, zero: int) -> Frame:
        """This frame with its checksum complete; a checksum of 0 is written as ``zero``."""
        l4 = replace(self, checksum=0).l4_bytes()
        return replace(self, checksum=0xFFFF - words_sum(self.pseudo(len(l4)) + l4) or zero)


@dataclass(frozen=True)
class Shell:
    """What a tunnel puts around a frame; IP in IP where ``outer`` has the protocol of neither UDP nor GRE."""

    outer: Frame
    """Its headers but for what follows from what is inside; a UDP checksum of 0 stays."""
    middle: bytes = b""
    """What lies between the outer IP or UDP header and what is inside: a VXLAN or GRE header, say."""
    ethernet: bool = False
    """The frame is inside from its Ethernet header on, not from its IP header on."""

    @property
    def kind(self) -> str:
        if self.outer.protocol == UDP:
            return "UDP" if self.outer.checksum == 0 else "UDP_CSUM"
        if self.outer.protocol == GRE:
            return "GRE_CSUM" if self.middle[0] & 0x80 else "GRE"
        return "IPIP"

    def inner_l3(self, inner: Frame) -> int:
        """Where the inner IP header begins in the whole frame."""
        before = self.outer.l4 + (8 if self.outer.protocol == UDP else 0) + len(self.middle)
        return before + (inner.l3 if self.ethernet else 0)

    def around(self, inner: Frame) -> Frame:
        """The whole frame; an outer UDP checksum is the pseudo-header's sum if not said otherwise, GRE's as said."""
        content = self.middle + inner.build()[0 if self.ethernet else inner.l3 :]
        protocol = self.outer.protocol if self.kind != "IPIP" else {4: 4, 6: 41}[inner.version]
        return replace(self.outer, protocol=protocol, payload=content)

    def finished(self, whole: Frame) -> Frame:
        """The whole frame, complete inside, with its outer checksum right."""
        if self.kind == "UDP_CSUM":
            return whole.completed(0xFFFF)
        if self.kind == "GRE_CSUM":
            blank = whole.payload[:4] + bytes(2) + whole.payload[6:]
            check = struct.pack("!H", 0xFFFF - words_sum(blank))
            return replace(whole, payload=blank[:4] + check + blank[6:])
        return whole


def balanced(frame: Frame, at: int = 0) -> Frame:
    """``frame`` with two bytes of its payload, at an even place, chosen so that its checksum comes to 0."""
    blank = replace(frame, payload=frame.payload[:at] + b"\0\0" + frame.payload[at + 2 :])
    check = blank.completed(0).checksum
    assert check is not None and at % 2 == 0
    return replace(blank, payload=blank.payload[:at] + struct.pack("!H", check) + blank.payload[at + 2 :])
