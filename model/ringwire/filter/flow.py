"""flow: the class is computed from the packet: a hash of some keys, or one key moved and masked.

What Linux takes from sockets, routes and connection tracking is 0 here, or what it falls back to without them. After
net/sched/cls_flow.c of Linux 6.12.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from ringwire.action import ActionSpec, Pipeline
from ringwire.filter.base import Filter
from ringwire.filter.dissect import Fields, dissect
from ringwire.filter.ematch import Term, matches
from ringwire.filter.frame import Packet
from ringwire.filter.jhash import jhash2
from ringwire.qdisc.classify import OK, UNSPEC, Match, skb_protocol
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.psched import NS_PER_S
from ringwire.skb import Skb

U32 = 0xFFFF_FFFF


def _fold(address: int) -> int:
    """An IPv6 address as one word, an IPv4 one as it is."""
    address ^= address >> 64
    return (address ^ address >> 32) & U32


def _protocol(skb: Skb) -> int:
    """As it lies in memory on a little-endian machine."""
    protocol = skb_protocol(skb)
    return (protocol << 8 | protocol >> 8) & 0xFFFF


def _source(skb: Skb, fields: Fields) -> int:
    return _fold(fields.src)


def _destination(skb: Skb, fields: Fields) -> int:
    return _fold(fields.dst) or _protocol(skb)


def _source_port(skb: Skb, fields: Fields) -> int:
    return fields.sport


def _destination_port(skb: Skb, fields: Fields) -> int:
    return fields.dport if fields.sport or fields.dport else _protocol(skb)


KEYS: dict[str, Callable[[Skb, Fields], int]] = {
    "src": _source,
    "dst": _destination,
    "proto": lambda skb, fields: fields.ip_proto,
    "proto-src": _source_port,
    "proto-dst": _destination_port,
    "iif": lambda skb, fields: skb.iif,
    "priority": lambda skb, fields: skb.priority,
    "mark": lambda skb, fields: skb.mark,
    "nfct": lambda skb, fields: 0,
    "nfct-src": _source,
    "nfct-dst": _destination,
    "nfct-proto-src": _source_port,
    "nfct-proto-dst": _destination_port,
    "rt-classid": lambda skb, fields: 0,
    "sk-uid": lambda skb, fields: 0,
    "sk-gid": lambda skb, fields: 0,
    "vlan-tag": lambda skb, fields: fields.vlan_id,
    "rxhash": lambda skb, fields: skb.hash,
}
"""In the order that they are hashed in."""
_OF_SKB = frozenset(("iif", "priority", "mark", "nfct", "rt-classid", "sk-uid", "sk-gid", "rxhash"))


@dataclass(frozen=True, slots=True)
class FlowParams:
    """None: the line doesn't say; a filter that is there keeps what it has."""

    keys: tuple[str, ...] | None = None
    hashing: bool | None = None
    mask: int | None = None
    xor: int | None = None
    rshift: int | None = None
    addend: int | None = None
    divisor: int | None = None
    baseclass: int | None = None
    perturb: int | None = None
    """Seconds after which hashes change."""
    terms: tuple[Term, ...] = ()
    actions: tuple[ActionSpec, ...] = ()
    options: bool = True


class _Node:
    __slots__ = ("changes_ns", "getters", "needs_headers", "params", "pipeline", "seed")

    def __init__(self, params: FlowParams, seed: int, pipeline: Pipeline | None) -> None:
        names = [name for name in KEYS if name in (params.keys or ())]
        self.params, self.pipeline = params, pipeline
        self.getters = [KEYS[name] for name in names]
        self.needs_headers = not _OF_SKB.issuperset(names)
        self.seed = seed
        self.changes_ns = 0


_NO_FIELDS = Fields()


class Flow(Filter[FlowParams]):
    """Filters are asked in the order they were made in."""

    kind: ClassVar[str] = "flow"
    params_type = FlowParams

    def setup(self) -> None:
        self.by_handle: dict[int, _Node] = {}

    def classify(self, skb: Skb, match: Match) -> int:
        for node in self.by_handle.values():
            params = node.params
            if params.terms and not matches(params.terms, Packet(skb), self.dev):
                continue
            fields = dissect(skb, inside=True) if node.needs_headers else _NO_FIELDS
            if params.hashing:
                if params.perturb and self.dev.now_ns() >= node.changes_ns:
                    self._perturb(node)
                classid = jhash2([getter(skb, fields) for getter in node.getters], node.seed)
            else:
                assert params.mask is not None and params.xor is not None
                classid = node.getters[0](skb, fields) & params.mask ^ params.xor
                classid = (classid >> (params.rshift or 0)) + (params.addend or 0) & U32
            if params.divisor:
                classid %= params.divisor
            verdict = node.pipeline.run(skb, self.dev) if node.pipeline is not None else OK
            if verdict != UNSPEC:
                base = params.baseclass or 0
                match.classid = base & 0xFFFF_0000 | base + classid & 0xFFFF
                return verdict
        return UNSPEC

    def _perturb(self, node: _Node) -> None:
        """Linux draws a seed every so often; here the next packet has it drawn."""
        period = (node.params.perturb or 0) * NS_PER_S
        node.seed = self.dev.random_u32()
        node.changes_ns += ((self.dev.now_ns() - node.changes_ns) // period + 1) * period

    def change(self, handle: int, params: FlowParams) -> None:
        if not params.options:
            raise QdiscError("EINVAL")
        there = self.by_handle.get(handle)
        if params.baseclass is not None and not params.baseclass & 0xFFFF:
            raise QdiscError("EINVAL")
        if params.rshift is not None and params.rshift > 31:
            raise QdiscError("ERANGE", "integer out of range")
        if there is None and not (handle and params.keys):
            raise QdiscError("EINVAL")
        new = self._completed(params, there.params if there is not None else None)
        if not new.hashing and (len(new.keys or ()) > 1 or params.perturb is not None):
            raise QdiscError("EINVAL")
        pipeline = self.bind(params.actions)
        node = _Node(new, self.dev.random_u32() if there is None else there.seed, pipeline)
        node.changes_ns = self.dev.now_ns() + (new.perturb or 0) * NS_PER_S
        self.by_handle[handle] = node
        if there is not None:
            self.release(there.pipeline)

    def _completed(self, params: FlowParams, before: FlowParams | None) -> FlowParams:
        """Everything said, by the line, by the filter there is, or by default."""
        if before is None:
            base = params.baseclass or 0
            if not base >> 16:
                base |= self.block.owner.handle
            before = FlowParams(hashing=False, mask=U32, xor=0, rshift=0, addend=0, divisor=0, perturb=0)
            params = replace(params, baseclass=base if base & 0xFFFF else base | 1)
        names = ("keys", "hashing", "mask", "xor", "rshift", "addend", "divisor", "baseclass", "perturb")
        said = {name: getattr(params, name) for name in names if getattr(params, name) is not None}
        new = replace(before, **said, terms=params.terms, actions=params.actions)
        return new if new.hashing else replace(new, perturb=0)

    def delete(self, handle: int) -> None:
        self.release(self.by_handle.pop(handle).pipeline)

    def filters(self) -> Iterator[tuple[int, FlowParams]]:
        for handle, node in self.by_handle.items():
            yield handle, node.params

    def has(self, handle: int) -> bool:
        return handle in self.by_handle

    def actions(self, handle: int) -> Pipeline | None:
        return self.by_handle[handle].pipeline
