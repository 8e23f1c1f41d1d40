"""flower: named fields of the headers, each under a mask; after net/sched/cls_flower.c of Linux 6.12.

Filters with the same masks share a table, so that ten thousand of them cost a packet what one does; tables are asked
in the order of their first filters. Only port ranges are compared one filter after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import ClassVar

from ringwire.action import ActionSpec, Pipeline
from ringwire.filter.base import Filter
from ringwire.filter.dissect import FIRST_FRAGMENT, FRAGMENT, Fields, dissect
from ringwire.qdisc.classify import OK, UNSPEC, Match
from ringwire.qdisc.errors import QdiscError
from ringwire.skb import Skb


@dataclass(frozen=True, slots=True)
class FlowerParams:
    """``keys``: (field of :class:`Fields`, value, mask); ``ranges``: (``dport`` or ``sport``, least, most)."""

    keys: tuple[tuple[str, int, int], ...] = ()
    ranges: tuple[tuple[str, int, int], ...] = ()
    indev: str = ""
    classid: int = 0
    eth_type: int = 0
    """As the line says it: the outermost tag's, if there are tags."""
    actions: tuple[ActionSpec, ...] = ()


class _Node:
    __slots__ = ("classid", "handle", "key", "masked", "params", "pipeline", "ranges")

    def __init__(
        self, handle: int, params: FlowerParams, masked: _Masked, key: tuple[int, ...], pipeline: Pipeline | None
    ) -> None:
        self.handle, self.params, self.masked, self.key, self.pipeline = handle, params, masked, key, pipeline
        self.classid = params.classid
        self.ranges = params.ranges


WHOLE = {
    "dst_mac": 48, "src_mac": 48, "n_proto": 16, "vlan_tpid": 16, "vlan_next": 16, "cvlan_tpid": 16, "vlan_id": 12,
    "cvlan_id": 12, "vlan_prio": 3, "cvlan_prio": 3, "vlans": 8, "version": 8, "ip_proto": 8, "tos": 8, "ttl": 8,
    "src": 32, "dst": 32, "sport": 16, "dport": 16, "tcp_flags": 12, "type": 8, "code": 8, "ctl": 2,
    "iif": 32,
}  # fmt: skip
"""Bits of a field; a mask of so many ones needs no masking. IPv6 addresses are masked, which does no harm."""


class _Masked:
    """All filters that look at the same bits of the same fields."""

    __slots__ = ("_masks", "_values", "by_key", "fields", "ranged")

    def __init__(self, fields: tuple[tuple[str, int], ...], ranged: tuple[str, ...]) -> None:
        self.fields = fields
        self.ranged = ranged
        """Ports of which ranges are compared."""
        self.by_key: dict[tuple[int, ...], list[_Node]] = {}
        """Masked values -> filters: one, or several with different ranges, in order of making."""
        self._values = _getter([name for name, _ in fields])
        whole = all(mask == (1 << WHOLE[name]) - 1 for name, mask in fields)
        self._masks = None if whole else [mask for _, mask in fields]

    def find(self, packet: Fields) -> _Node | None:
        key = self._values(packet)
        if self._masks is not None:
            key = tuple([value & mask for value, mask in zip(key, self._masks, strict=True)])
        there = self.by_key.get(key)
        if there is None:
            return None
        if not self.ranged:
            return there[0]
        for node in there:
            if all(least <= getattr(packet, name) <= most for name, least, most in node.ranges):
                return node
        return None


def _getter(names: list[str]) -> Callable[[Fields], tuple[int, ...]]:
    """What gives a packet's fields as a tuple."""
    if len(names) > 1:
        return attrgetter(*names)
    if not names:
        return lambda packet: ()
    get = attrgetter(names[0])
    return lambda packet: (get(packet),)


class Flower(Filter[FlowerParams]):
    """Filters by handle, from 1 on."""

    kind: ClassVar[str] = "flower"
    params_type = FlowerParams

    def setup(self) -> None:
        self.by_handle: dict[int, _Node] = {}
        self.masks: dict[tuple[tuple[tuple[str, int], ...], tuple[str, ...]], _Masked] = {}
        self.free = 1
        """No handle below it is free."""

    def classify(self, skb: Skb, match: Match) -> int:
        packet = dissect(skb)
        for masked in self.masks.values():
            node = masked.find(packet)
            if node is not None:
                verdict = node.pipeline.run(skb, self.dev) if node.pipeline is not None else OK
                match.classid = node.classid
                return verdict
        return UNSPEC

    def change(self, handle: int, params: FlowerParams) -> None:
        fields = {name: (value & mask, mask) for name, value, mask in params.keys}
        if params.indev:
            indev = self.dev.net.device(params.indev)
            if indev is None:
                raise QdiscError("ENODEV", "Network device not found")
            fields["iif"] = indev.ifindex, 0xFFFF_FFFF
        for name, least, most in params.ranges:
            if least >= most:
                which = "destination" if name == "dport" else "source"
                raise QdiscError("EINVAL", f"Invalid {which} port range (min must be strictly smaller than max)")
        names = sorted(fields)
        mask_key = tuple((name, fields[name][1]) for name in names)
        ranged = tuple(name for name, _, _ in params.ranges)
        key = tuple(fields[name][0] for name in names)
        there = self.by_handle.get(handle)
        masked = self.masks.get((mask_key, ranged))
        same = masked.by_key.get(key, []) if masked is not None else []
        if any(node.ranges == params.ranges and node is not there for node in same):
            raise QdiscError("EEXIST")
        pipeline = self.bind(params.actions)
        if there is not None:
            # the table stays in its place if it is the same
            self._take_out(there, keep=masked)
            self.release(there.pipeline)
        if masked is None:
            masked = self.masks[mask_key, ranged] = _Masked(mask_key, ranged)
        node = _Node(handle or self._free(), params, masked, key, pipeline)
        masked.by_key.setdefault(key, []).append(node)
        self.by_handle[node.handle] = node

    def _free(self) -> int:
        while self.free in self.by_handle:
            self.free += 1
        return self.free

    def _take_out(self, node: _Node, keep: _Masked | None = None) -> None:
        masked = node.masked
        there = masked.by_key[node.key]
        there.remove(node)
        if not there:
            del masked.by_key[node.key]
        if not masked.by_key and masked is not keep:
            del self.masks[masked.fields, masked.ranged]

    def delete(self, handle: int) -> None:
        node = self.by_handle.pop(handle)
        self._take_out(node)
        self.release(node.pipeline)
        self.free = min(self.free, handle)

    def filters(self) -> Iterator[tuple[int, FlowerParams]]:
        for handle in sorted(self.by_handle):
            yield handle, self.by_handle[handle].params

    def has(self, handle: int) -> bool:
        return handle in self.by_handle

    def actions(self, handle: int) -> Pipeline | None:
        return self.by_handle[handle].pipeline


def control_flags(fragment: bool | None, first: bool | None) -> tuple[int, int] | None:
    """(value, mask) of ``ctl`` for what is said of fragments; None if nothing is."""
    value = mask = 0
    for said, bit in ((fragment, FRAGMENT), (first, FIRST_FRAGMENT)):
        if said is not None:
            mask |= bit
            value |= bit if said else 0
    return (value, mask) if mask else None
