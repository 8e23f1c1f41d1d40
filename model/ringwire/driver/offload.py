"""What a packet asks of the device, in the device's words; and what of it the device can't do."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from ringwire.gso import GsoError, complete_checksum, headers_of, jumbo_hlen
from ringwire.netdev.features import GSO_FEATURES, HW_CSUM, VLAN_TX
from ringwire.nic.descriptors import DescFlag, SegType, pack_offload
from ringwire.nic.registers import MAX_BUFFER, MAX_DATAGRAM, MAX_DESCRIPTORS, MAX_HEADER, MAX_MSS, MAX_PAYLOAD
from ringwire.packet import (
    CHECKSUM_OFFSET,
    ETH_HLEN,
    IPPROTO_TCP,
    IPPROTO_UDP,
    IPV6_HLEN,
    Headers,
    pseudo_header_sum,
)
from ringwire.skb import CsumFlag, GsoType, Skb

Pieces = tuple[bytes | memoryview, ...]

MAX_OFFSET = 255
"""Largest offset that a descriptor can name."""
_GSO = int(GSO_FEATURES)
_NEEDS_CRC32C = CsumFlag.NEEDS_CRC32C
_CSUM, _VLAN = int(DescFlag.CSUM), int(DescFlag.VLAN)
_KINDS = {
    (GsoType.TCPV4, 4, IPPROTO_TCP): SegType.TCP4,
    (GsoType.TCPV6, 6, IPPROTO_TCP): SegType.TCP6,
    (GsoType.UDP_L4, 4, IPPROTO_UDP): SegType.UDP4,
    (GsoType.UDP_L4, 6, IPPROTO_UDP): SegType.UDP6,
    (GsoType.UDP, 4, IPPROTO_UDP): SegType.UFO4,
}


class Order(NamedTuple):
    """A packet as the device is to get it."""

    data: Pieces
    offload: bytes | None
    """The descriptor before the data."""
    flags: int
    """Of the first data descriptor."""
    wishes: int
    """Bits 96 to 127 of the first data descriptor: CSUM_START, CSUM_OFFSET, VLAN_TCI."""
    length: int
    """Bytes of all its frames before tags are inserted, which is what byte queue limits count."""
    segments: int
    """Frames that it becomes."""


def features_check(skb: Skb, features: int, most: int = MAX_DESCRIPTORS) -> int:
    """ndo_features_check: which of ``features`` (bits of ``Feature``) the device has for this packet.

    ``most`` is how many descriptors a packet may have.
    """
    if skb.gso_size and features & _GSO and not _can_cut(skb, most):
        features &= ~_GSO
    if skb.csum_flags and not can_complete(skb):
        features &= ~(HW_CSUM | _GSO)
    if skb.vlan_tci is not None and skb.len < ETH_HLEN:
        features &= ~VLAN_TX
    return features


def make_order(skb: Skb, csum_partial: bool = False, launch: int = 0, drop_late: bool = False) -> Order:
    """What to ask of the device for a packet; its bytes change only where the device wants them otherwise.

    ``csum_partial`` leaves checksums to a device behind. ``launch`` is when it is to leave, 48.16 fixed point ns, 0 for
    as soon as it may; with ``drop_late`` not at all after that. :class:`GsoError` for what :func:`features_check`
    denies.
    """
    drop_late = drop_late and launch != 0
    if skb.csum_flags and not can_complete(skb):
        raise GsoError(f"checksum at {skb.csum_start} + {skb.csum_offset} of {skb.len} bytes is beyond the device")
    csum = skb.csum_flags and not csum_partial
    flags = (_CSUM if csum else 0) | (0 if skb.vlan_tci is None else _VLAN)
    wishes = skb.csum_start | skb.csum_offset << 8 if csum else 0
    if skb.vlan_tci is not None:
        wishes |= skb.vlan_tci << 16
    whole = pack_offload(SegType.NONE, 0, 0, 0, 0, launch=launch, drop_late=drop_late) if launch else None
    if not skb.gso_size:
        return Order(skb.data, whole, flags, wishes, skb.len, 1)
    headers = headers_of(skb)
    kind = _kind(skb, headers)
    if kind is None:
        raise GsoError(f"gso_type {skb.gso_type.name}, gso_size {skb.gso_size}: the device can't cut such a packet")
    data, jumbo = _fit_header(skb, headers, kind)
    l4 = headers.l4 - jumbo
    header_len = l4 if kind is SegType.UFO4 else headers.payload - jumbo
    length = skb.len - jumbo
    segments = -((header_len - length) // skb.gso_size)
    if segments <= 1:
        return Order(skb.data, whole, flags, wishes, skb.len, 1)
    offload = pack_offload(
        kind,
        skb.gso_size,
        header_len,
        headers.l3,
        l4,
        id_fixed=skb.gso_fixed_id,
        csum_partial=csum_partial,
        launch=launch,
        drop_late=drop_late,
    )
    return Order(data, offload, flags & ~_CSUM, wishes & 0xFFFF0000, length + (segments - 1) * header_len, segments)


def can_complete(skb: Skb) -> bool:
    """Whether a descriptor can say where the packet's checksum is."""
    start, offset = skb.csum_start, skb.csum_offset
    if skb.csum_flags is _NEEDS_CRC32C:
        return False
    return start <= MAX_OFFSET and offset <= MAX_OFFSET and start + offset + 2 <= skb.len


def _can_cut(skb: Skb, most: int) -> bool:
    """Whether the device takes this super-packet."""
    # one descriptor for the request, and maybe one more for a header that had to be changed
    if not skb.data or sum(-(-len(fragment) // MAX_BUFFER) for fragment in skb.data) + 2 > most:
        return False
    try:
        return _kind(skb, headers_of(skb)) is not None
    except GsoError:
        return False


def _kind(skb: Skb, headers: Headers) -> SegType | None:
    """How the device cuts a super-packet; None if it can't."""
    kind = _KINDS.get((skb.gso_type, headers.version, headers.protocol))
    if kind is None or skb.tunnel or headers.fragment or skb.gso_size > MAX_MSS:
        return None
    if skb.csum_flags and (skb.csum_start, skb.csum_offset) != (headers.l4, CHECKSUM_OFFSET[headers.protocol]):
        return None
    jumbo = jumbo_hlen(skb, headers)
    ufo = kind is SegType.UFO4
    if ufo and skb.gso_size & 7:
        return None
    header_len = (headers.l4 if ufo else headers.payload) - jumbo
    payload = skb.len - jumbo - header_len
    if headers.l4 - jumbo > MAX_OFFSET or header_len > MAX_HEADER or payload > (MAX_DATAGRAM if ufo else MAX_PAYLOAD):
        return None
    return kind


def _fit_header(skb: Skb, headers: Headers, kind: SegType) -> tuple[Pieces, int]:
    """The packet's bytes with the header as the device wants it, and by how much that is shorter than it was."""
    jumbo = jumbo_hlen(skb, headers)
    if kind is SegType.UFO4:
        # the UDP header is payload of the first fragment, so its checksum must be there
        completed = replace(skb, destructor=None)
        complete_checksum(completed)
        return completed.data, 0
    if skb.csum_flags and not jumbo:
        return skb.data, 0
    first = skb.data[0]
    head = bytearray(first[: headers.payload])
    if not skb.csum_flags:
        # The device starts from the pseudo-header's sum, not from a checksum that is complete. Linux takes the address
        # in the IP header for it, even where a routing header has hops left.
        headers.destination = headers.l3 + (16 if headers.version == 4 else 24)
        at = headers.l4 + CHECKSUM_OFFSET[headers.protocol]
        head[at : at + 2] = pseudo_header_sum(head, headers, skb.len - headers.l4).to_bytes(2, "big")
    if jumbo:
        option = headers.l3 + IPV6_HLEN
        head[headers.l3 + 6] = head[option]
        del head[option : option + jumbo]
    rest = memoryview(first)[headers.payload :]
    return tuple(piece for piece in (bytes(head), rest, *skb.data[1:]) if len(piece)), jumbo
