"""Packets out of a capture: what a host would have handed to its device.

A capture taken on a sending host shows packets before segmentation and checksum offload, one taken elsewhere
shows frames from the wire. Both are turned into packets that ask for what is missing, so that the wire carries
right checksums whatever the capture held:

* TCP and UDP get a checksum field with the pseudo-header sum and NEEDS_CSUM. A UDP checksum of 0 over IPv4 says
  that there is none (RFC 768) and stays.
* A TCP packet longer than the MTU is a super-packet: its mss is the MTU less its IP and TCP headers. Bytes behind
  the IP packet belong to no segment and are dropped.
* Of TCP and UDP in a tunnel (VXLAN, Geneve, GRE, IP in IP) that holds for the inner packet, whose mss leaves room
  for the outer headers. A checksum that an outer header holds is made anew as well.
* SCTP gets its CRC32c from software: no device here makes it.
* Bytes behind an IP packet of any other size (padding, a trailer) stay. Its checksum is completed here, since a
  device sums to the frame's end.
* IP fragments, frames shorter than their IP packet and other protocols pass untouched.

A UDP datagram longer than the MTU is refused: a host would have fragmented it before its device saw it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from ringwire.gso import complete_checksum
from ringwire.packet import (
    CHECKSUM_OFFSET,
    IPPROTO_SCTP,
    IPPROTO_TCP,
    IPPROTO_UDP,
    IPV6_HLEN,
    UDP_HLEN,
    HeaderCut,
    HeaderError,
    Headers,
    frame_flow_hash,
    parse_headers,
    pseudo_header_sum,
    sum16,
    tos_to_priority,
    word,
)
from ringwire.pcap import CapturedFrame, CaptureError, read_capture
from ringwire.skb import CsumFlag, GsoType, Skb, linear_truesize
from ringwire.tunnel import Outer, find_tunnel

MIN_MTU = 68
"""RFC 791: what every link must carry."""
GSO_MAX_SIZE = 65_536
"""Linux's default gso_max_size, bytes with the Ethernet header."""

_SCTP_HLEN, _SCTP_CSUM_OFFSET = 12, 8
_TCP_CWR = 0x80


@dataclass(slots=True)
class CaptureCounts:
    """Frames of a capture, each in one of the kinds; and, apart from these, those with a trailer."""

    tcp: int = 0
    tcp_super: int = 0
    """TCP over the MTU, maybe in a tunnel: to be segmented."""
    udp: int = 0
    udp_without_checksum: int = 0
    tunnelled: int = 0
    """TCP and UDP in a tunnel, but for super-packets and UDP without checksum."""
    sctp: int = 0
    fragments: int = 0
    """Untouched: first or later IP fragments."""
    truncated: int = 0
    """Untouched: cut by the capture's snap length, or shorter than their IP packet."""
    malformed: int = 0
    """Untouched: headers that contradict themselves."""
    other: int = 0
    """Untouched: neither TCP, UDP nor SCTP over IP."""
    trailers: int = 0
    """Frames of any kind of TCP, UDP or SCTP with bytes behind what their checksum covers; not a kind of its own."""

    @property
    def frames(self) -> int:
        return (
            self.tcp
            + self.tcp_super
            + self.udp
            + self.udp_without_checksum
            + self.tunnelled
            + self.sctp
            + self.fragments
            + self.truncated
            + self.malformed
            + self.other
        )


class Capture:
    """The packets of a capture file, in its order: an iterable of (time stamp in ns, :class:`Skb`).

    ``mtu`` and ``gso_max_size`` are bytes, the latter with the Ethernet header. A packet's ``id`` is the number of
    its frame in the file, from 1. ``counts`` says what was found, so far, in the latest iteration.

    Raises :class:`CaptureError`: at once for an MTU below 68; when iterated for a bad file, and for a frame that no
    host would hand to a device: longer than ``gso_max_size``, UDP over the MTU, or a super-packet whose headers
    leave no room in the MTU.
    """

    def __init__(self, path: str | os.PathLike[str], *, mtu: int = 1500, gso_max_size: int = GSO_MAX_SIZE) -> None:
        if mtu < MIN_MTU:
            raise CaptureError(f"MTU {mtu}; allowed: {MIN_MTU} or more")
        self.path = path
        self.mtu = mtu
        self.gso_max_size = gso_max_size
        self.counts = CaptureCounts()

    def __iter__(self) -> Iterator[tuple[int, Skb]]:
        self.counts = counts = CaptureCounts()
        for number, frame in enumerate(read_capture(self.path), 1):
            try:
                skb = packet_of(frame, counts, mtu=self.mtu, gso_max_size=self.gso_max_size)
            except CaptureError as error:
                raise CaptureError(f"{self.path}: packet {number}: {error}") from None
            skb.id = number
            yield frame.time_ns, skb


def packet_of(frame: CapturedFrame, counts: CaptureCounts, *, mtu: int = 1500, gso_max_size: int = GSO_MAX_SIZE) -> Skb:
    """The packet that one captured frame stands for; raises :class:`CaptureError` as :class:`Capture` does."""
    data = frame.data
    if len(data) > gso_max_size:
        raise CaptureError(f"frame of {len(data)} bytes; allowed: up to gso_max_size, {gso_max_size}")
    skb = Skb(len=len(data), data=(data,), truesize=linear_truesize(len(data)))
    try:
        headers = parse_headers(data)
    except HeaderError as error:
        if isinstance(error, HeaderCut):
            counts.truncated += 1
        else:
            counts.malformed += 1
        return skb
    skb.hash = frame_flow_hash(data, headers)
    skb.tos = headers.tos
    # As in Linux, an IPv6 traffic class does not set the priority.
    skb.priority = tos_to_priority(headers.tos) if headers.version == 4 else 0

    end = headers.l3 + (headers.ip_len or _unstated_ip_len(data, headers, mtu))
    if len(data) < frame.length or len(data) < end:
        counts.truncated += 1
    elif headers.fragment:
        counts.fragments += 1
    elif _take_tunnelled(skb, headers, end, counts, mtu):
        pass
    elif headers.protocol == IPPROTO_SCTP and end - headers.l4 >= _SCTP_HLEN:
        counts.sctp += 1
        _ask(skb, CsumFlag.NEEDS_CRC32C, headers.l4, _SCTP_CSUM_OFFSET, bytes(4), end, counts)
    elif headers.protocol not in CHECKSUM_OFFSET or not headers.destination:
        counts.other += 1
    elif headers.payload > end:
        counts.malformed += 1
    elif headers.protocol == IPPROTO_UDP:
        _take_udp(skb, headers, end, counts, mtu)
    elif end - headers.l3 > mtu:
        _take_super(skb, headers.l3, headers, end, counts, mtu)
    else:
        counts.tcp += 1
        _ask_checksum(skb, headers, end, counts)
    return skb


def _unstated_ip_len(data: bytes, headers: Headers, mtu: int) -> int:
    """Length of an IP packet that states none: the rest of the frame for a super-packet (BIG TCP), else nothing."""
    rest = len(data) - headers.l3
    if headers.protocol != IPPROTO_TCP or rest <= mtu:
        return 0
    return rest if headers.version == 4 or rest - IPV6_HLEN > 0xFFFF else 0


def _take_tunnelled(skb: Skb, headers: Headers, end: int, counts: CaptureCounts, mtu: int) -> bool:
    """Whether the frame is one of TCP or UDP in a tunnel, with all its lengths right; then it is seen to."""
    data = skb.data[0]
    found = find_tunnel(data, headers)
    if found is None:
        return False
    tunnel, inner = found
    inner_end = inner.l3 + inner.ip_len
    if (
        inner.fragment
        or inner.protocol not in CHECKSUM_OFFSET
        or not inner.destination
        or not inner.payload <= inner_end <= end
        or (headers.protocol == IPPROTO_UDP and word(data, headers.l4 + 4) != end - headers.l4)
    ):
        return False
    if inner.protocol == IPPROTO_UDP:
        _refuse_long_udp(headers, end, mtu)
        inner_end = inner.l4 + word(data, inner.l4 + 4)
        if not inner.payload <= inner_end <= inner.l3 + inner.ip_len or not word(data, inner.l4 + 6):
            return False
    skb.tunnel, skb.inner_l3 = tunnel, inner.l3
    if end - headers.l3 > mtu:
        _take_super(skb, headers.l3, inner, inner_end, counts, mtu)
        return True
    counts.tunnelled += 1
    _ask_checksum(skb, inner, inner_end, counts)
    frame = bytearray(skb.data[0])
    # The inner checksum, once complete, makes this the negative of the pseudo-header's sum.
    pseudo = pseudo_header_sum(data, inner, inner_end - inner.l4)
    inner_sum = -pseudo if skb.csum_flags else sum16(frame[inner.l4 : end])
    Outer(frame, tunnel, inner).put(frame, inner.l4, end, 0, inner_sum)
    skb.data = (bytes(frame),)
    return True


def _refuse_long_udp(headers: Headers, end: int, mtu: int) -> None:
    if end - headers.l3 > mtu:
        raise CaptureError(f"UDP datagram in an IP packet of {end - headers.l3} bytes; allowed: up to the MTU, {mtu}")


def _take_udp(skb: Skb, headers: Headers, end: int, counts: CaptureCounts, mtu: int) -> None:
    data, l4 = skb.data[0], headers.l4
    _refuse_long_udp(headers, end, mtu)
    length = word(data, l4 + 4)
    if not UDP_HLEN <= length <= end - l4:
        counts.malformed += 1
    elif headers.version == 4 and data[l4 + 6 : l4 + 8] == b"\0\0":
        counts.udp_without_checksum += 1
    else:
        counts.udp += 1
        _ask_checksum(skb, headers, l4 + length, counts)


def _take_super(skb: Skb, l3: int, headers: Headers, end: int, counts: CaptureCounts, mtu: int) -> None:
    """A packet of TCP ``headers``, those in the tunnel if there is one; the outermost IP header is at ``l3``."""
    data = skb.data[0]
    mss = mtu - (headers.payload - l3)
    if mss <= 0:
        raise CaptureError(
            f"TCP packet over the MTU with headers of {headers.payload - l3} bytes; allowed: less than the MTU, {mtu}"
        )
    counts.tcp_super += 1
    if end < len(data):
        counts.trailers += 1
        skb.data, skb.len = (data[:end],), end
    _ask_checksum(skb, headers, end, counts)
    skb.gso_type = GsoType.TCPV4 if headers.version == 4 else GsoType.TCPV6
    skb.gso_ecn = bool(data[headers.l4 + 13] & _TCP_CWR)
    skb.gso_size = mss
    skb.gso_segs = -(-(end - headers.payload) // mss)
    skb.hdr_len = headers.payload


def _ask_checksum(skb: Skb, headers: Headers, end: int, counts: CaptureCounts) -> None:
    """Have the TCP or UDP checksum made over the bytes up to ``end``."""
    pseudo = pseudo_header_sum(skb.data[0], headers, end - headers.l4) or 0xFFFF
    field = pseudo.to_bytes(2, "big")
    _ask(skb, CsumFlag.NEEDS_CSUM, headers.l4, CHECKSUM_OFFSET[headers.protocol], field, end, counts)


def _ask(skb: Skb, flag: CsumFlag, start: int, offset: int, value: bytes, end: int, counts: CaptureCounts) -> None:
    """Have a checksum made over the bytes up to ``end``, the field holding ``value``."""
    data, at = skb.data[0], start + offset
    skb.csum_flags, skb.csum_start, skb.csum_offset = flag, start, offset
    skb.data = (b"".join((data[:at], value, data[at + len(value) : end])),)
    if end < len(data):
        counts.trailers += 1
        skb.len = end
        complete_checksum(skb)
        skb.data, skb.len = (skb.data[0] + data[end:],), len(data)
