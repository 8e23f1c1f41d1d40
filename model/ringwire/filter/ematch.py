"""Extended matches: comparisons of a packet's bytes and of what is noted of it, joined by and, or, not.

A sequence ends as soon as its result is certain, so that ``a or b and c`` is ``a or (b and c)`` and ``a and b or c``
is ``a and (b or c)``. After net/sched/ematch.c and em_*.c of Linux 6.12.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ringwire.action import ActionDevice
from ringwire.filter.frame import Packet
from ringwire.qdisc.classify import skb_protocol

LINK, NETWORK, TRANSPORT = 0, 1, 2
"""Layers whose header an offset counts from."""
EQ, GT, LT = "eq", "gt", "lt"
U32 = 0xFFFF_FFFF


class Ematch(ABC):
    """One test; its kind's name is what ``tc`` calls it."""

    kind: ClassVar[str]

    @abstractmethod
    def matches(self, packet: Packet, dev: ActionDevice) -> bool: ...


@dataclass(frozen=True, slots=True)
class Term:
    """A test or a sequence in brackets, and how it is joined with the next: "and", "or", "" for the last one."""

    test: Ematch | tuple[Term, ...]
    inverted: bool = False
    relation: str = ""


def matches(terms: Sequence[Term], packet: Packet, dev: ActionDevice) -> bool:
    """The result of a sequence; ``terms`` is not empty."""
    result = False
    for term in terms:
        test = term.test
        found = matches(test, packet, dev) if isinstance(test, tuple) else test.matches(packet, dev)
        result = found != term.inverted
        if result == (term.relation == "or"):
            break
    return result


def compare(left: int, operand: str, right: int) -> bool:
    return left == right if operand == EQ else left > right if operand == GT else left < right


def layer_offset(packet: Packet, layer: int) -> int:
    """Where a layer's header begins."""
    if layer == LINK:
        return 0
    return packet.l3 if layer == NETWORK else packet.l4


@dataclass(frozen=True, slots=True)
class Cmp(Ematch):
    """``cmp``: 1, 2 or 4 bytes against a number. ``trans`` swaps the bytes of what is meant to be swapped already."""

    kind: ClassVar[str] = "cmp"
    size: int
    offset: int
    layer: int
    mask: int
    trans: bool
    operand: str
    value: int

    def matches(self, packet: Packet, dev: ActionDevice) -> bool:
        found = packet.number(layer_offset(packet, self.layer) + self.offset, self.size)
        if found is None:
            return False
        if self.trans:
            found = int.from_bytes(found.to_bytes(self.size, "big"), "little")
        return compare(found & self.mask if self.mask else found, self.operand, self.value)


@dataclass(frozen=True, slots=True)
class U32Match(Ematch):
    """``u32``: four bytes of the network header under a mask.

    ``nexthdr`` has no effect: only u32's own filters could say where the next header is.
    """

    kind: ClassVar[str] = "u32"
    value: int
    mask: int
    offset: int
    nexthdr: bool

    def matches(self, packet: Packet, dev: ActionDevice) -> bool:
        found = packet.number(packet.l3 + self.offset, 4)
        return found is not None and not (found ^ self.value) & self.mask


@dataclass(frozen=True, slots=True)
class Nbyte(Ematch):
    """``nbyte``: bytes at a place."""

    kind: ClassVar[str] = "nbyte"
    needle: bytes
    offset: int
    layer: int

    def matches(self, packet: Packet, dev: ActionDevice) -> bool:
        begin = layer_offset(packet, self.layer) + self.offset
        return begin >= 0 and packet.frame[begin : begin + len(self.needle)] == self.needle


@dataclass(frozen=True, slots=True)
class Operand:
    """A side of ``meta``: what is noted of the packet, by name, shifted and masked, or a number or text."""

    name: str = ""
    number: int = 0
    text: str | None = None
    shift: int = 0
    mask: int = 0
    """0: all bits."""

    def read(self, packet: Packet, dev: ActionDevice) -> int | None:
        """None: the packet has no such thing."""
        if not self.name:
            return self.number
        value = META[self.name](packet, dev)
        if value is None:
            return None
        value >>= self.shift
        return value & self.mask if self.mask else value


def _vlan(packet: Packet, dev: ActionDevice) -> int | None:
    """The tag that is noted beside the packet, else the first one in it."""
    if packet.skb.vlan_tci is not None:
        return packet.skb.vlan_tci
    return packet.number(14, 2) if packet.l3 > 14 else None


def _protocol(packet: Packet, dev: ActionDevice) -> int:
    """As it lies in memory: on a little-endian machine IPv4 is 8, not 0x800."""
    return int.from_bytes(skb_protocol(packet.skb).to_bytes(2, "big"), "little")


META: dict[str, Callable[[Packet, ActionDevice], int | None]] = {
    "random": lambda packet, dev: dev.random_u32(),
    "dev": lambda packet, dev: dev.ifindex,
    "priority": lambda packet, dev: packet.skb.priority,
    "protocol": _protocol,
    "pkt_len": lambda packet, dev: packet.skb.len - (dev.hard_header_len if packet.skb.at_ingress else 0),
    "nf_mark": lambda packet, dev: packet.skb.mark,
    "fwmark": lambda packet, dev: packet.skb.mark,
    "tc_index": lambda packet, dev: packet.skb.tc_index,
    "vlan": _vlan,
}
"""What there is; sockets, routes and the load average are not."""


@dataclass(frozen=True, slots=True)
class Meta(Ematch):
    """``meta``: what the stack notes of the packet."""

    kind: ClassVar[str] = "meta"
    left: Operand
    operand: str
    right: Operand

    def matches(self, packet: Packet, dev: ActionDevice) -> bool:
        if self.left.text is not None or self.right.text is not None:
            return self._texts(dev)
        left, right = self.left.read(packet, dev), self.right.read(packet, dev)
        return left is not None and right is not None and compare(left, self.operand, right)

    def _texts(self, dev: ActionDevice) -> bool:
        """A device's name against a text, the last ``shift`` characters left out; the longer one is greater."""
        sides = []
        for side in (self.left, self.right):
            text = dev.name if side.name else side.text or ""
            sides.append(text[: -side.shift] if 0 < side.shift < len(text) else text)
        left, right = sides
        if self.operand == EQ:
            return left == right
        key_left, key_right = (len(left), left), (len(right), right)
        return key_left > key_right if self.operand == GT else key_left < key_right
