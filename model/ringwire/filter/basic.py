"""basic: a list of filters, each an expression of extended matches; after net/sched/cls_basic.c of Linux 6.12."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ringwire.action import ActionSpec, Pipeline
from ringwire.filter.base import Filter
from ringwire.filter.ematch import Term, matches
from ringwire.filter.frame import Packet
from ringwire.qdisc.classify import OK, UNSPEC, Match
from ringwire.qdisc.errors import QdiscError
from ringwire.skb import Skb


@dataclass(frozen=True, slots=True)
class BasicParams:
    classid: int = 0
    terms: tuple[Term, ...] = ()
    """None at all: every packet matches."""
    actions: tuple[ActionSpec, ...] = ()
    options: bool = True
    """False of a line that says nothing behind ``basic``."""


class _Node:
    __slots__ = ("asked", "hits", "params", "pipeline")

    def __init__(self, params: BasicParams, pipeline: Pipeline | None) -> None:
        self.params, self.pipeline, self.asked, self.hits = params, pipeline, 0, 0


class Basic(Filter[BasicParams]):
    """Filters are asked in the order they were made in."""

    kind: ClassVar[str] = "basic"
    params_type = BasicParams

    def setup(self) -> None:
        self.by_handle: dict[int, _Node] = {}
        self.free = 1
        """No handle below it is free."""

    def classify(self, skb: Skb, match: Match) -> int:
        packet: Packet | None = None
        for node in self.by_handle.values():
            node.asked += 1
            params = node.params
            if params.terms:
                if packet is None:
                    packet = Packet(skb)
                if not matches(params.terms, packet, self.dev):
                    continue
            node.hits += 1
            verdict = node.pipeline.run(skb, self.dev) if node.pipeline is not None else OK
            if verdict != UNSPEC:
                match.classid = params.classid
                return verdict
        return UNSPEC

    def change(self, handle: int, params: BasicParams) -> None:
        if not params.options:
            raise QdiscError("EINVAL")
        there = self.by_handle.get(handle)
        pipeline = self.bind(params.actions)
        self.by_handle[handle or self._free()] = _Node(params, pipeline)
        if there is not None:
            self.release(there.pipeline)

    def _free(self) -> int:
        while self.free in self.by_handle:
            self.free += 1
        return self.free

    def delete(self, handle: int) -> None:
        self.release(self.by_handle.pop(handle).pipeline)
        self.free = min(self.free, handle)

    def filters(self) -> Iterator[tuple[int, BasicParams]]:
        for handle, node in self.by_handle.items():
            yield handle, node.params

    def has(self, handle: int) -> bool:
        return handle in self.by_handle

    def actions(self, handle: int) -> Pipeline | None:
        return self.by_handle[handle].pipeline

    def counts(self, handle: int) -> tuple[int, int]:
        """How often a filter was asked, and how often it matched."""
        node = self.by_handle[handle]
        return node.asked, node.hits
