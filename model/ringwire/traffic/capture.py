"""Packets out of a capture: what a host would have handed to its device.

A capture taken on a sending host shows packets before segmentation and checksum offload, one taken elsewhere
shows frames from the wire. Both are turned into packets that ask for what is missing, so that the wire carries
right checksums whatever the capture held:

* TCP and UDP get a checksum field with the pseudo-header sum and NEEDS_CSUM. A UDP checksum of 0 over IPv4 says
  that there is none (RFC 768) and stays.
* A TCP packet longer than the MTU is a super-packet: its mss is the MTU less its IP and TCP headers. Bytes behind
  the IP packet belong to no segment and are dropped.
* Bytes behind an IP packet of any other size (padding, a trailer) stay. Its checksum is completed here, since a
  device sums to the frame's end.
* IP fragments, frames shorter than their IP packet and protocols other than TCP and UDP pass untouched.

A UDP datagram longer than the MTU is refused: a host would have fragmented it before its device saw it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from ringwire.gso import complete_checksum
from ringwire.packet import (
    CHECKSUM_OFFSET,
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
    tos_to_priority,
)
from ringwire.pcap import CapturedFrame, CaptureError, read_capture
from ringwire.skb import CsumFlag, GsoType, Skb, linear_truesize

MIN_MTU = 68
"""RFC 791: what every link must carry."""
GSO_MAX_SIZE = 65_536
"""Linux's default gso_max_size, bytes with the Ethernet header."""

_TCP_CWR = 0x80


@dataclass(slots=True)
class CaptureCounts:
    """Frames of a capture, each in one of the kinds; and, apart from these, those with a trailer."""

    tcp: int = 0
    tcp_super: int = 0
    """TCP over the MTU: to be segmented."""
    udp: int = 0
    udp_without_checksum: int = 0
    fragments: int = 0
    """Untouched: first or later IP fragments."""
    truncated: int = 0
    """Untouched: cut by the capture's snap length, or shorter than their IP packet."""
    malformed: int = 0
    """Untouched: headers that contradict themselves."""
    other: int = 0
    """Untouched: neither TCP nor UDP over IP."""
    trailers: int = 0
    """Frames of any TCP or UDP kind with bytes behind what their checksum covers; not a kind of its own."""

    @property
    def frames(self) -> int:
        return (
            self.tcp
            + self.tcp_super
            + self.udp
            + self.udp_without_checksum
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
    elif headers.protocol not in CHECKSUM_OFFSET or not headers.destination:
        counts.other += 1
    elif headers.payload > end:
        counts.malformed += 1
    elif headers.protocol == IPPROTO_UDP:
        _take_udp(skb, headers, end, counts, mtu)
    elif end - headers.l3 > mtu:
        _take_super(skb, headers, end, counts, mtu)
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


def _take_udp(skb: Skb, headers: Headers, end: int, counts: CaptureCounts, mtu: int) -> None:
    data, l4 = skb.data[0], headers.l4
    if end - headers.l3 > mtu:
        raise CaptureError(f"UDP datagram in an IP packet of {end - headers.l3} bytes; allowed: up to the MTU, {mtu}")
    length = data[l4 + 4] << 8 | data[l4 + 5]
    if not UDP_HLEN <= length <= end - l4:
        counts.malformed += 1
    elif headers.version == 4 and data[l4 + 6 : l4 + 8] == b"\0\0":
        counts.udp_without_checksum += 1
    else:
        counts.udp += 1
        _ask_checksum(skb, headers, l4 + length, counts)


def _take_super(skb: Skb, headers: Headers, end: int, counts: CaptureCounts, mtu: int) -> None:
    data = skb.data[0]
    mss = mtu - (headers.payload - headers.l3)
    if mss <= 0:
        raise CaptureError(
            f"TCP packet over the MTU with headers of {headers.payload - headers.l3} bytes; "
            f"allowed: less than the MTU, {mtu}"
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
    data = skb.data[0]
    skb.csum_flags = CsumFlag.NEEDS_CSUM
    skb.csum_start, skb.csum_offset = headers.l4, CHECKSUM_OFFSET[headers.protocol]
    field = headers.l4 + skb.csum_offset
    pseudo = pseudo_header_sum(data, headers, end - headers.l4) or 0xFFFF
    skb.data = (b"".join((data[:field], pseudo.to_bytes(2, "big"), data[field + 2 : end])),)
    if end < len(data):
        counts.trailers += 1
        skb.len = end
        complete_checksum(skb)
        skb.data, skb.len = (skb.data[0] + data[end:],), len(data)
