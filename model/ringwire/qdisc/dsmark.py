"""dsmark: writes the Differentiated Services field of packets on their way out, by ``tc_index``.

As it was in net/sched/sch_dsmark.c until Linux 6.2; Almesberger, Salim and Kuznetsov, "Differentiated Services on
Linux" (1999). A packet's ``tc_index`` comes from its field (``set_tc_index``), from its priority or from filters, and
picks a mask and a value; disciplines inside (gred, prio with tcindex filters) go by it too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from ringwire.qdisc.base import XMIT_BYPASS, XMIT_STOLEN, XMIT_SUCCESS, AnyQdisc, QdiscStats
from ringwire.qdisc.classful import QdiscClass, UserClasses, purge, verdict_rc
from ringwire.qdisc.classify import GONE, OK, SHOT, FilterBlock
from ringwire.qdisc.dsfield import CUT, change_dsfield, get_dsfield
from ringwire.qdisc.ecn import ECN_MASK
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.options import option
from ringwire.skb import Skb

KEEP = 0xFF
"""The mask of an entry that changes nothing, with value 0."""


@dataclass(frozen=True, slots=True)
class DsmarkParams:
    """``indices``, a power of two, is the number of entries; ``default_index`` is for packets without a class."""

    indices: int = 0
    default_index: int | None = None
    set_tc_index: bool = False


@dataclass(frozen=True, slots=True)
class MarkParams:
    """The bits of the field that are kept, and those that are set; 8 bits each."""

    mask: int | None = option("number")
    value: int | None = option("number")


class MarkClass(QdiscClass):
    """An entry, class ``handle:index``, on show; below each of them is the one discipline that there is."""

    __slots__ = ("owner",)

    def __init__(self, owner: Dsmark, index: int) -> None:
        super().__init__(owner.handle | index, owner.handle, owner.inner)
        self.owner = owner

    @property
    def index(self) -> int:
        return self.classid & 0xFFFF

    def stats(self) -> QdiscStats | None:
        return None

    def params(self) -> MarkParams:
        return MarkParams(*self.owner.marks[self.index])


class Dsmark(UserClasses[DsmarkParams, MarkClass]):
    """The discipline inside is a pfifo until another is put below any class; ``1:0`` is usual."""

    kind: ClassVar[str] = "dsmark"
    params_type = DsmarkParams
    class_params_type: ClassVar[type[Any]] = MarkParams

    def setup(self) -> None:
        super().setup()
        self._params: DsmarkParams | None = None
        self.inner = self.default_leaf(self.handle)
        self.marks: list[tuple[int, int]] = []
        """(mask, value) by index."""

    def change(self, params: DsmarkParams) -> None:
        if self._params is not None:
            raise QdiscError("EINVAL", "Change operation not supported by specified qdisc")
        if params.indices.bit_count() != 1:
            raise QdiscError("EINVAL")
        self._params = params
        self.marks = [(KEEP, 0)] * params.indices
        self._default, self._set_tc_index = params.default_index, params.set_tc_index

    def params(self) -> DsmarkParams:
        assert self._params is not None
        return self._params

    # -- classes

    def find_class(self, classid: int) -> MarkClass:
        """Every number means a class, even beyond the entries: a discipline can be put below it."""
        return MarkClass(self, classid & 0xFFFF)

    def classes(self) -> Iterator[MarkClass]:
        """Those that change something."""
        return (MarkClass(self, index) for index, mark in enumerate(self.marks) if mark != (KEEP, 0))

    def children(self) -> Iterator[tuple[int, AnyQdisc]]:
        yield self.inner.parent_id & 0xFFFF, self.inner

    def block(self, classid: int) -> FilterBlock:
        return self.filters

    def make_class(self, classid: int, parent_id: int, params: MarkParams) -> MarkClass:
        raise QdiscError("ENOENT")

    def change_class(self, cls: MarkClass, params: MarkParams) -> None:
        if cls.index >= len(self.marks):
            raise QdiscError("ENOENT")
        mask, value = self.marks[cls.index]
        self.marks[cls.index] = (
            mask if params.mask is None else params.mask,
            value if params.value is None else params.value,
        )

    def delete_class(self, cls: MarkClass) -> None:
        if cls.index >= len(self.marks):
            raise QdiscError("EINVAL")
        self.marks[cls.index] = KEEP, 0

    def graft(self, classid: int, child: AnyQdisc | None) -> AnyQdisc:
        new = self.default_leaf(self.handle) if child is None else self.adopt(child, classid)
        old, self.inner = self.inner, new
        purge(old)
        return old

    # -- packets

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        if self._set_tc_index:
            field = get_dsfield(skb)
            if field == CUT:
                return self.refuse_unclassified(skb, XMIT_SUCCESS | XMIT_BYPASS, to_free)
            skb.tc_index = field & ~ECN_MASK if field >= 0 else 0
        if skb.priority & 0xFFFF_0000 == self.handle:
            skb.tc_index = skb.priority & 0xFFFF
        else:
            # without filters as without a match
            verdict = self.filters.classify(skb, self.match)
            if verdict == OK:
                skb.tc_index = self.match.classid & 0xFFFF
            elif verdict == SHOT or verdict in GONE:
                return self.refuse_unclassified(skb, verdict_rc(verdict), to_free)
            elif self._default is not None:
                skb.tc_index = self._default
        size = skb.pkt_len
        rc = self.inner.enqueue(skb, to_free)
        if rc == XMIT_SUCCESS:
            self.qlen += 1
            self.backlog += size
        elif not rc & XMIT_STOLEN:
            self.drops += 1
        return rc

    def dequeue(self) -> Skb | None:
        skb = self.inner.dequeue_peeked()
        if skb is None:
            return None
        self.qlen -= 1
        self.backlog -= skb.pkt_len
        self.bytes += skb.pkt_len
        self.packets += skb.gso_segs or 1
        mask, value = self.marks[skb.tc_index & len(self.marks) - 1]
        if mask != KEEP or value:
            change_dsfield(skb, mask, value)
        return skb

    def peek(self) -> Skb | None:
        return self.inner.peek()
