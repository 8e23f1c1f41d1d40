"""Segmentation and checksums in software: what Linux does with a packet that the device won't finish.

:func:`segment` gives the frames that Linux's own GSO gives, byte for byte (net/core/gso.c, net/ipv4/tcp_offload.c,
net/ipv4/udp_offload.c, net/ipv4/af_inet.c, net/ipv6/ip6_offload.c), and :func:`complete_checksum` those of
skb_checksum_help (net/core/dev.c). Both share the payload with their input: a segment's data is a header of its
own and a view of the payload.

Per segment only a handful of header fields change, so each checksum is a constant of the super-packet, plus the
changing fields, plus the sum of the payload. The payload's sums are taken for all segments at once by numpy.
"""

from __future__ import annotations

import struct

import google_crc32c

from ringwire.packet import (
    CHECKSUM_OFFSET,
    ETH_P_IP,
    ETH_P_IPV6,
    IPPROTO_HOPOPTS,
    IPPROTO_TCP,
    IPPROTO_UDP,
    IPV6_HLEN,
    TCP_HLEN,
    UDP_HLEN,
    HeaderCut,
    HeaderError,
    Headers,
    checksum,
    parse_headers,
    parse_packet,
    piecewise_sums,
    pseudo_header_sum,
    sum16,
)
from ringwire.skb import CsumFlag, GsoType, Skb, Tunnel, linear_truesize
from ringwire.tunnel import Outer

UDP_MAX_SEGMENTS = 128
"""Most datagrams of one USO request (include/linux/udp.h)."""
GSO_SIZE_MAX = 65534
"""65535 means something else to Linux (GSO_BY_FRAGS) and is refused."""

_NEEDS_CSUM = CsumFlag.NEEDS_CSUM
_NEEDS_CRC32C = CsumFlag.NEEDS_CRC32C
_CSUM_NONE = CsumFlag.NONE

_TCP_CWR = 0x80
_TCP_FIN_PSH = 0x09
_IPV4_DF = 0x40
"""In the first byte of the fragment field."""
_IPV4_MORE_FRAGMENTS = 0x2000
_JUMBO_HEADER = bytes((IPPROTO_TCP, 0, 0xC2, 4))
"""Start of a hop-by-hop header of 8 bytes that holds the jumbo payload option alone and precedes TCP."""
_JUMBO_HLEN = 8
_GRO_LEGACY_MAX_SIZE = 65536
"""Up to this many bytes from the IP header on, Linux looks for no jumbo payload option."""

_SERVES = {
    GsoType.NONE: frozenset[tuple[int, int]](),
    GsoType.TCPV4: frozenset({(4, IPPROTO_TCP)}),
    GsoType.TCPV6: frozenset({(6, IPPROTO_TCP)}),
    GsoType.UDP: frozenset({(4, IPPROTO_UDP)}),
    GsoType.UDP_L4: frozenset({(4, IPPROTO_UDP), (6, IPPROTO_UDP)}),
}
"""IP version and protocol of the packets that a request is for."""

_put16 = struct.Struct("!H").pack_into
_put32 = struct.Struct("!I").pack_into


def _word(data: bytes | bytearray | memoryview, offset: int) -> int:
    return data[offset] << 8 | data[offset + 1]


class GsoError(Exception):
    """Linux refuses the request and drops the packet; the text is one line."""


def segment(skb: Skb, *, complete: bool = True) -> list[Skb]:
    """Cut a packet that asks for it into the packets that go on the wire, in order.

    ``complete=False`` leaves the checksums to the device: each segment's field holds its pseudo-header sum and
    NEEDS_CSUM is set. UDP fragments (``GsoType.UDP``) are completed in any case, as no device can.

    All segments have the input's ``id``, ``hash``, ``priority``, ``pkt_len`` and so on: Linux copies the control
    block too, and a qdisc that charges segments singly (TBF) sets ``pkt_len`` anew. What is owed to the sender
    (destructor, its truesize, a time stamp) goes to the last one, but the stamp of UDP's segments to the first; the
    input owns nothing afterwards.
    A packet that fits one segment comes back itself, as an ordinary packet. A packet without data is cut by its
    figures (``len``, ``hdr_len``, ``gso_size``).

    Of a packet in a tunnel the inner one is cut; each segment has the outer headers, brought up to date.

    Raises :class:`GsoError` where Linux refuses, for IP fragments and UFO over IPv6, whose segments Linux numbers
    at random, for UFO, complete checksums and BIG TCP in a tunnel, and for segments longer than their IP length can
    tell; the input's bytes are then as they were.
    """
    if not 1 <= skb.gso_size <= GSO_SIZE_MAX:
        raise GsoError(f"gso_size {skb.gso_size}; allowed: 1 to {GSO_SIZE_MAX}")
    if not skb.data:
        return _cut_figures(skb)
    headers = headers_of(skb)
    outer = _outer_of(skb, headers)
    _check_request(skb, headers, outer)
    if skb.len - _believed_header(skb, headers) <= skb.gso_size:
        return [_as_ordinary(skb, complete)]
    ufo = skb.gso_type == GsoType.UDP
    to_cut = skb.len - (headers.l4 if ufo else headers.payload)
    if to_cut <= skb.gso_size:
        raise GsoError(f"{to_cut} bytes to cut, which is no more than gso_size {skb.gso_size}")
    segments = _cut_fragments(skb, headers) if ufo else _cut_stream(skb, headers, outer, complete)
    return _hand_over(skb, segments)


def complete_checksum(skb: Skb) -> None:
    """Put in the checksum that a packet still needs, in place; nothing to do where it needs none.

    The sum runs from ``csum_start`` to the end of the frame and includes the field, which holds the pseudo-header
    sum. A result of 0 is sent as 0xffff whatever the protocol, as skb_checksum_help does. A CRC32c is made as
    skb_crc32c_csum_help does.

    Raises :class:`GsoError` where the field lies outside the frame.
    """
    if skb.csum_flags == _CSUM_NONE:
        return
    if skb.data:
        skb.data = with_checksum(skb)
    skb.csum_flags = _CSUM_NONE


def with_checksum(skb: Skb) -> tuple[bytes | memoryview, ...]:
    """The fragments of a packet with the checksum that it asks for; it stays as it is. As :func:`complete_checksum`."""
    make = _with_crc32c if skb.csum_flags is _NEEDS_CRC32C else completed
    return make(skb.data, skb.len, skb.csum_start, skb.csum_offset)


def completed(
    data: tuple[bytes | memoryview, ...], length: int, start: int, offset: int
) -> tuple[bytes | memoryview, ...]:
    """The fragments of a frame of ``length`` bytes with the checksum of :func:`complete_checksum` in its field."""
    field = start + offset
    if field + 2 > length:
        raise GsoError(f"checksum field at byte {field} of a frame of {length} bytes")
    if len(data[0]) < field + 2:
        data = (b"".join(data),)
    first = data[0]
    total = sum16(first[start:])
    odd = (len(first) - start) & 1
    for fragment in data[1:]:
        # A fragment that starts at an odd place has the bytes of all its words swapped.
        total += sum16(fragment) << 8 if odd else sum16(fragment)
        odd ^= len(fragment) & 1
    check = 0xFFFF - total % 0xFFFF
    return (b"".join((first[:field], check.to_bytes(2, "big"), first[field + 2 :])), *data[1:])


def _with_crc32c(
    data: tuple[bytes | memoryview, ...], length: int, start: int, offset: int
) -> tuple[bytes | memoryview, ...]:
    """The frame in one piece; its field, which holds zero, gets the CRC32c from ``start`` on (RFC 9260, appendix A)."""
    field = start + offset
    if field + 4 > length:
        raise GsoError(f"CRC32c field at byte {field} of a frame of {length} bytes")
    frame = b"".join(data)
    crc = google_crc32c.value(frame[start:])
    return (b"".join((frame[:field], crc.to_bytes(4, "little"), frame[field + 4 :])),)


def headers_of(skb: Skb) -> Headers:
    """A packet's headers, in a tunnel those inside; all headers then lie in its first fragment.

    Raises :class:`GsoError` where there are none.
    """
    try:
        try:
            return _parse(skb)
        except HeaderCut:
            skb.data = (skb.linear(),)
            return _parse(skb)
    except HeaderError as error:
        raise GsoError(str(error)) from None


def _parse(skb: Skb) -> Headers:
    frame = skb.data[0]
    if skb.tunnel is Tunnel.NONE:
        return parse_headers(frame)
    if len(frame) <= skb.inner_l3:
        raise HeaderCut(f"inner IP header at byte {skb.inner_l3}, the frame ends at byte {len(frame)}")
    return parse_packet(frame, ETH_P_IPV6 if frame[skb.inner_l3] >> 4 == 6 else ETH_P_IP, skb.inner_l3)


def _outer_of(skb: Skb, headers: Headers) -> Outer | None:
    """The headers around the inner ones, if the packet is in a tunnel; :class:`GsoError` if they are not a tunnel's."""
    if skb.tunnel is Tunnel.NONE:
        return None
    try:
        return Outer(skb.data[0], skb.tunnel, headers)
    except HeaderError as error:
        raise GsoError(str(error)) from None


def _check_request(skb: Skb, headers: Headers, outer: Outer | None) -> None:
    kind = skb.gso_type
    if (headers.version, headers.protocol) not in _SERVES[kind]:
        raise GsoError(f"gso_type {kind.name} on IP version {headers.version}, protocol {headers.protocol}")
    if headers.fragment:
        raise GsoError("segmentation of an IP fragment")
    if skb.csum_flags is _NEEDS_CRC32C:
        raise GsoError(f"gso_type {kind.name} with a CRC32c")
    if skb.csum_flags == _CSUM_NONE:
        if kind == GsoType.UDP_L4 or outer is not None:
            raise GsoError(f"{'USO' if outer is None else 'segmentation in a tunnel'} without NEEDS_CSUM")
    elif (skb.csum_start, skb.csum_offset) != (headers.l4, CHECKSUM_OFFSET[headers.protocol]):
        raise GsoError(
            f"checksum asked for at {skb.csum_start} + {skb.csum_offset}; "
            f"the headers say {headers.l4} + {CHECKSUM_OFFSET[headers.protocol]}"
        )
    if kind == GsoType.UDP_L4 and skb.len - headers.payload > UDP_MAX_SEGMENTS * skb.gso_size:
        raise GsoError(f"USO of more than {UDP_MAX_SEGMENTS} datagrams")
    ip = outer.headers if outer is not None else headers
    if outer is not None and (kind == GsoType.UDP or skb.len - ip.l3 > 0xFFFF):
        raise GsoError(f"gso_type {kind.name}, {skb.len - ip.l3} bytes in a tunnel; allowed: TCP, USO, 65535 bytes")
    if skb.gso_fixed_id and any(
        each.version == 4 and not skb.data[0][each.l3 + 6] & _IPV4_DF for each in (ip, headers)
    ):
        raise GsoError("a fixed id for IPv4 packets that may be fragmented")
    # IPv4's length counts from its header on, IPv6's from behind the fixed one.
    start = ip.l3 + (0 if ip.version == 4 else IPV6_HLEN + jumbo_hlen(skb, headers))
    if headers.payload + skb.gso_size - start > 0xFFFF and skb.len - start > 0xFFFF:
        raise GsoError(f"gso_size {skb.gso_size} makes segments of more than 65535 bytes")


def jumbo_hlen(skb: Skb, headers: Headers) -> int:
    """Length of the hop-by-hop header that marks BIG TCP over IPv6 (RFC 2675) and is taken out; 0: there is none.

    The size of the packet and the header's bytes tell, not the IPv6 length (include/net/ipv6.h).
    """
    if headers.version != 6 or skb.len - headers.l3 <= _GRO_LEGACY_MAX_SIZE:
        return 0
    frame, option = skb.data[0], headers.l3 + IPV6_HLEN
    found = frame[headers.l3 + 6] == IPPROTO_HOPOPTS and frame[option : option + 4] == _JUMBO_HEADER
    return _JUMBO_HLEN if found else 0


def _believed_header(skb: Skb, headers: Headers) -> int:
    """What Linux takes for headers when it asks whether there is anything to cut (include/linux/virtio_net.h).

    It leaves out TCP options, and without a checksum request the Ethernet header too; what is no more than
    ``gso_size`` by its proper length, but not by this one, is refused later on. UFO cuts the UDP header as well.
    """
    end = headers.l4 if skb.csum_flags != _CSUM_NONE else headers.l4 - headers.l3
    if skb.gso_type == GsoType.UDP:
        return end
    return end + (TCP_HLEN if headers.protocol == IPPROTO_TCP else UDP_HLEN)


def _cut_stream(skb: Skb, headers: Headers, outer: Outer | None, complete: bool) -> list[Skb]:
    """TCP segments, or one UDP datagram a segment."""
    frame, size = skb.data[0], skb.gso_size
    l3, l4 = headers.l3, headers.l4
    ipv4, tcp = headers.version == 4, headers.protocol == IPPROTO_TCP
    head = bytearray(frame[: headers.payload])
    payload = _view(skb, headers.payload)
    if jumbo_hlen(skb, headers):
        option = l3 + IPV6_HLEN
        head[l3 + 6] = head[option]
        del head[option : option + _JUMBO_HLEN]
        l4 -= _JUMBO_HLEN
    l4_hlen = len(head) - l4
    check_at = l4 + CHECKSUM_OFFSET[headers.protocol]

    # The pseudo-header sum less the length that it was made for.
    if skb.csum_flags == _CSUM_NONE:
        # Linux takes the address that stands in the IP header, even where a routing header has hops left.
        headers.destination = l3 + (16 if ipv4 else 24)
        pseudo = pseudo_header_sum(frame, headers, 0)
    else:
        pseudo = _word(head, check_at) - (l4_hlen + len(payload) if tcp else _word(head, l4 + 4))

    # Fields that change are zero in the sums of the headers, and added segment by segment.
    _put16(head, check_at, 0)
    seq = flags = ident = ip_sum = 0
    if tcp:
        seq = int.from_bytes(head[l4 + 4 : l4 + 8], "big")
        flags = head[l4 + 13]
        _put32(head, l4 + 4, 0)
        head[l4 + 13] = 0
    else:
        _put16(head, l4 + 4, 0)
    l4_sum = pseudo + sum16(head[l4:])
    if ipv4:
        ident = _word(head, l3 + 4)
        _put32(head, l3 + 2, 0)
        _put16(head, l3 + 10, 0)
        ip_sum = sum16(head[l3:l4])
    length_at, ip_hlen = (l3 + 2, l4 - l3) if ipv4 else (l3 + 4, l4 - l3 - IPV6_HLEN)

    csum_flags = _CSUM_NONE if complete else _NEEDS_CSUM
    fixed = skb.gso_fixed_id
    segments = []
    last = (len(payload) - 1) // size
    for index, payload_sum in enumerate(piecewise_sums(payload, size) if complete else [0] * (last + 1)):
        part = payload[index * size : index * size + size]
        l4_len = l4_hlen + len(part)
        ip_len = ip_hlen + l4_len
        _put16(head, length_at, ip_len)
        if ipv4:
            number = ident if fixed else (ident + index) & 0xFFFF
            _put16(head, l3 + 4, number)
            _put16(head, l3 + 10, -(ip_sum + ip_len + number) % 0xFFFF)
        if tcp:
            position = (seq + index * size) & 0xFFFFFFFF
            bits = flags & ~((_TCP_CWR if index else 0) | (_TCP_FIN_PSH if index < last else 0))
            _put32(head, l4 + 4, position)
            head[l4 + 13] = bits
            changed = position + bits
        else:
            _put16(head, l4 + 4, l4_len)
            changed = l4_len
        if complete:
            # Linux lets a TCP sum of 0 stand here; for UDP that would mean no checksum (RFC 768).
            check = -(l4_sum + l4_len + changed + payload_sum) % 0xFFFF or (0 if tcp else 0xFFFF)
        else:
            check = (pseudo + l4_len) % 0xFFFF or 0xFFFF
        _put16(head, check_at, check)
        if outer is not None:
            outer.put(head, l4, len(head) + len(part), 0 if fixed else index, -(pseudo + l4_len))
        segments.append(_child(skb, len(head) + len(part), (bytes(head), part), csum_flags, l4, check_at - l4))
    return segments


def _cut_fragments(skb: Skb, headers: Headers) -> list[Skb]:
    """IPv4 fragments of one UDP datagram, its checksum complete: ``gso_size`` bytes of header and data each.

    Linux doesn't ask for a multiple of 8; what is then cut off the offset is cut off here too.
    """
    frame, size, l3 = skb.data[0], skb.gso_size, headers.l3
    head = bytearray(frame[: headers.l4])
    body = bytearray(_view(skb, headers.l4))
    check_at = CHECKSUM_OFFSET[IPPROTO_UDP]
    _put16(body, check_at, 0)
    _put16(body, check_at, -(pseudo_header_sum(frame, headers, len(body)) + sum16(body)) % 0xFFFF or 0xFFFF)
    view = memoryview(bytes(body))
    segments = []
    for offset in range(0, len(view), size):
        part = view[offset : offset + size]
        more = _IPV4_MORE_FRAGMENTS if offset + size < len(view) else 0
        _put16(head, l3 + 2, len(head) - l3 + len(part))
        _put16(head, l3 + 6, more | offset >> 3)
        _put16(head, l3 + 10, 0)
        _put16(head, l3 + 10, checksum(head[l3:]))
        segments.append(_child(skb, len(head) + len(part), (bytes(head), part)))
    return segments


def _cut_figures(skb: Skb) -> list[Skb]:
    """Segments of a packet that has lengths only."""
    payload_len = skb.len - skb.hdr_len
    if not 0 < skb.hdr_len < skb.len:
        raise GsoError(f"hdr_len {skb.hdr_len}; allowed: 1 to {skb.len - 1}")
    if payload_len <= skb.gso_size:
        return [_as_ordinary(skb, True)]
    lengths = (min(skb.gso_size, payload_len - done) for done in range(0, payload_len, skb.gso_size))
    return _hand_over(skb, [_child(skb, skb.hdr_len + length, ()) for length in lengths])


def _as_ordinary(skb: Skb, complete: bool) -> Skb:
    skb.gso_type, skb.gso_ecn, skb.gso_fixed_id, skb.gso_size, skb.gso_segs = GsoType.NONE, False, False, 0, 0
    if complete:
        complete_checksum(skb)
    return skb


def _child(
    skb: Skb,
    length: int,
    data: tuple[bytes | memoryview, ...],
    csum_flags: CsumFlag = _CSUM_NONE,
    csum_start: int = 0,
    csum_offset: int = 0,
) -> Skb:
    return Skb(
        len=length,
        data=data,
        id=skb.id,
        csum_flags=csum_flags,
        csum_start=csum_start,
        csum_offset=csum_offset,
        priority=skb.priority,
        hash=skb.hash,
        mark=skb.mark,
        tc_index=skb.tc_index,
        tos=skb.tos,
        vlan_tci=skb.vlan_tci,
        queue_mapping=skb.queue_mapping,
        tstamp=skb.tstamp,
        enqueued_ns=skb.enqueued_ns,
        pkt_len=skb.pkt_len,
        truesize=linear_truesize(length),
        tunnel=skb.tunnel,
        inner_l3=skb.inner_l3,
    )


def _hand_over(skb: Skb, segments: list[Skb]) -> list[Skb]:
    """Give the last segment what is owed to the sender, so that it is settled once, when all has been sent.

    A time stamp is for the last byte of TCP's stream, but for the beginning of UDP's datagrams (tcp_gso_tstamp,
    __udp_gso_segment).
    """
    last = segments[-1]
    last.truesize = skb.truesize
    last.destructor, skb.destructor = skb.destructor, None
    stamped = segments[0] if skb.gso_type is GsoType.UDP_L4 else last
    stamped.wants_timestamp = skb.wants_timestamp
    stamped.on_stamp, skb.on_stamp = skb.on_stamp, None
    return segments


def _view(skb: Skb, start: int) -> memoryview:
    """The packet's bytes from ``start``, which lies in the first fragment; copied only if they are in several."""
    parts = [part for part in (memoryview(skb.data[0])[start:], *skb.data[1:]) if len(part)]
    return memoryview(parts[0] if len(parts) == 1 else b"".join(parts))
