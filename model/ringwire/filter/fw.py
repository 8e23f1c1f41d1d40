"""fw: the packet's mark chooses the filter, or without filters the class; after net/sched/cls_fw.c of Linux 6.12."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ringwire.action import ActionSpec, Pipeline
from ringwire.filter.base import Filter
from ringwire.qdisc.classify import OK, UNSPEC, Match
from ringwire.qdisc.errors import QdiscError
from ringwire.skb import Skb

U32 = 0xFFFF_FFFF
BUCKETS = 256


@dataclass(frozen=True, slots=True)
class FwParams:
    """``options`` is False of a line that says nothing behind ``fw``: marks are class ids then."""

    classid: int = 0
    mask: int | None = None
    """Bits of the mark that count, the same for all filters of a priority; None: the line doesn't say."""
    indev: str = ""
    actions: tuple[ActionSpec, ...] = ()
    options: bool = True


class _Node:
    __slots__ = ("classid", "ifindex", "params", "pipeline")

    def __init__(self, params: FwParams, classid: int, ifindex: int, pipeline: Pipeline | None) -> None:
        self.params, self.classid, self.ifindex, self.pipeline = params, classid, ifindex, pipeline


class Fw(Filter[FwParams]):
    """A filter's handle is the mark it is for."""

    kind: ClassVar[str] = "fw"
    params_type = FwParams

    def setup(self) -> None:
        self.by_mark: dict[int, _Node] = {}
        self.mask: int | None = None
        """None until the first filter is made: until then marks are class ids."""

    def classify(self, skb: Skb, match: Match) -> int:
        if self.mask is None:
            mark = skb.mark
            if mark and (not mark >> 16 or mark >> 16 == self.block.owner.handle >> 16):
                match.classid = mark
                return OK
            return UNSPEC
        node = self.by_mark.get(skb.mark & self.mask)
        if node is None or (node.ifindex and node.ifindex != skb.iif):
            return UNSPEC
        verdict = node.pipeline.run(skb, self.dev) if node.pipeline is not None else OK
        if verdict != UNSPEC:
            match.classid = node.classid
        return verdict

    def change(self, handle: int, params: FwParams) -> None:
        if not params.options:
            if handle:
                raise QdiscError("EINVAL")
            return
        there = self.by_mark.get(handle)
        if not handle:
            raise QdiscError("EINVAL")
        mask = U32 if params.mask is None else params.mask
        if self.mask is not None and mask != self.mask:
            raise QdiscError("EINVAL")
        ifindex = there.ifindex if there is not None else 0
        pipeline = self.bind(params.actions)
        if params.indev:
            indev = self.dev.net.device(params.indev)
            if indev is None:
                self.release(pipeline)
                raise QdiscError("ENODEV", "Network device not found")
            ifindex = indev.ifindex
        classid = params.classid or (there.classid if there is not None else 0)
        self.mask = mask
        self.by_mark[handle] = _Node(params, classid, ifindex, pipeline)
        if there is not None:
            self.release(there.pipeline)

    def delete(self, handle: int) -> None:
        self.release(self.by_mark.pop(handle).pipeline)

    def filters(self) -> Iterator[tuple[int, FwParams]]:
        """By bucket, the youngest of a bucket first."""
        marks = list(self.by_mark)
        marks.reverse()
        marks.sort(key=_bucket)
        for mark in marks:
            yield mark, self.by_mark[mark].params

    def has(self, handle: int) -> bool:
        return handle in self.by_mark

    def actions(self, handle: int) -> Pipeline | None:
        return self.by_mark[handle].pipeline

    def classid(self, handle: int) -> int:
        return self.by_mark[handle].classid

    def class_ids(self) -> Iterator[int]:
        for node in self.by_mark.values():
            if node.classid:
                yield node.classid


def _bucket(mark: int) -> int:
    mark ^= mark >> 16
    return (mark ^ mark >> 8) % BUCKETS
