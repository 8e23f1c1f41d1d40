"""What a packet must become on the wire, and what a frame that is not that looks like."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ringwire import gso
from ringwire.netdev.validate import push_vlan
from ringwire.nic.pacer import MIN_FRAME
from ringwire.nic.segment import TAG_AT, TAG_BYTES
from ringwire.skb import Skb

Pieces = tuple[bytes | memoryview, ...]
"""A frame's bytes as a packet holds them."""
MANY_BUFFERS = 8
"""Buffers that a frame may have on devices that count them."""


def frames_of(skb: Skb) -> list[Pieces]:
    """The frames that the device is to make of a packet; it stays as it is."""
    if not skb.gso_size and not skb.csum_flags and skb.vlan_tci is None:
        return [skb.data]
    if not skb.gso_size and skb.vlan_tci is None:
        return [gso.with_checksum(skb)]
    made = replace(skb, destructor=None)
    if made.vlan_tci is not None:
        push_vlan(made)
    if made.gso_size:
        return [segment.data for segment in gso.segment(made)]
    gso.complete_checksum(made)
    return [made.data]


def difference(skb: Skb, index: int, want: bytes, got: bytes) -> tuple[str, str]:
    """Class of bugs that made ``got`` of frame ``index`` of a packet, which had to be ``want``; and what is to see.

    Both are padded. What a class looks like is said in the order of how special it is; ``frame-differs`` is the rest.
    """
    if len(want) != len(got):
        return _other_length(skb, index, want, got)
    differing = [at for at, (mine, theirs) in enumerate(zip(want, got, strict=True)) if mine != theirs]
    first = differing[0]
    text = f"sent {got[first]:#04x} for {want[first]:#04x} at byte {first} of a frame of {len(want)} bytes"
    tag = 0 if skb.vlan_tci is None else TAG_BYTES
    if first >= skb.len + tag and not skb.gso_size:
        return "short-frame", f"{text}, which is padding"
    field = skb.csum_start + skb.csum_offset + tag if skb.csum_flags else 0
    if field and set(differing) <= {field, field + 1}:
        before = skb.linear()[field - tag : field - tag + 2]
        if not skb.gso_size and got[field : field + 2] == before:
            return "checksum-limit", f"left the checksum of a frame of {len(want)} bytes undone"
        if any(length & 1 for length in _lengths(skb)[:-1]):
            return "odd-fragment", f"{text}: a checksum over a fragment of odd length"
        return "checksum-wrong", f"{text}, which is the checksum"
    if skb.gso_size:
        l3 = _l3(want)
        if want[l3] >> 4 == 4 and first in (l3 + 4, l3 + 5) and max(differing) <= l3 + 11:
            sent, right = got[l3 + 4 : l3 + 6].hex(), want[l3 + 4 : l3 + 6].hex()
            return "ip-id", f"sent IPv4 id {sent} for {right} in segment {index}"
        if first < skb.hdr_len + tag:
            return "tso-header", f"{text}, in the header of segment {index}"
    return "frame-differs", text


def _other_length(skb: Skb, index: int, want: bytes, got: bytes) -> tuple[str, str]:
    text = f"sent {len(got)} bytes for {len(want)} in frame {index} of a packet"
    untagged = want[:TAG_AT] + want[TAG_AT + TAG_BYTES :]
    if skb.vlan_tci is not None and skb.gso_size and got == untagged.ljust(MIN_FRAME, b"\0"):
        return "tso-vlan", f"sent segment {index} without the tag that every segment must have"
    if len(got) < len(want) and want.startswith(got):
        buffers = list(_buffers(skb, index))
        if len(buffers) > MANY_BUFFERS and len(got) == len(want) - sum(buffers[MANY_BUFFERS:]):
            return "too-many-buffers", f"{text}: it lies in {len(buffers)} buffers"
        return "underrun", f"{text}: it ended in its middle"
    if skb.gso_size:
        return "stale-mss", f"{text} to be cut at MSS {skb.gso_size}"
    return "frame-differs", text


def _l3(frame: bytes) -> int:
    """Where the IP header begins, behind one tag or none."""
    return 18 if frame[12:14] == b"\x81\x00" else 14


def _lengths(skb: Skb) -> list[int]:
    return [len(piece) for piece in skb.data if len(piece)]


def _buffers(skb: Skb, index: int) -> Iterator[int]:
    """Bytes of one frame of a packet in each of the fragments in which they lie."""
    begin, end = 0, skb.len
    if skb.gso_size:
        begin = skb.hdr_len + index * skb.gso_size if index else 0
        end = skb.hdr_len + (index + 1) * skb.gso_size
    at = 0
    for length in _lengths(skb):
        if at < end and at + length > begin:
            yield min(end, at + length) - max(begin, at)
        at += length
