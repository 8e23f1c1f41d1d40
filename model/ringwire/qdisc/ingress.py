"""ingress and clsact: no queues, but places for filters and policers; after net/sched/sch_ingress.c of Linux 6.12."""

from __future__ import annotations

from typing import ClassVar

from ringwire.qdisc.base import NoParams, Qdisc
from ringwire.qdisc.classify import FilterBlock
from ringwire.qdisc.errors import QdiscError
from ringwire.skb import Skb

INGRESS_ID = 0xFFFF_FFF1
"""``parent_id`` of both."""
HANDLE = 0xFFFF_0000
MIN_INGRESS = 0xFFF2
"""Minor number of the filters for what comes."""
MIN_EGRESS = 0xFFF3
"""Minor number of clsact's filters for what goes."""


class Ingress(Qdisc[NoParams]):
    """Filters for packets that come in."""

    kind: ClassVar[str] = "ingress"
    has_blocks = True

    def setup(self) -> None:
        self.incoming = FilterBlock(self, self.handle | MIN_INGRESS)

    def block(self, classid: int) -> FilterBlock:
        return self.incoming

    def destroy(self) -> None:
        self.incoming.clear()
        super().destroy()

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        raise TypeError(f"{self.kind} queues nothing")

    def dequeue(self) -> Skb | None:
        return None


class Clsact(Ingress):
    """Filters for packets that come in (``ffff:fff2``) and for those that go out (``ffff:fff3``)."""

    kind: ClassVar[str] = "clsact"

    def setup(self) -> None:
        super().setup()
        self.outgoing = FilterBlock(self, self.handle | MIN_EGRESS)

    def block(self, classid: int) -> FilterBlock:
        if classid & 0xFFFF == MIN_INGRESS:
            return self.incoming
        if classid & 0xFFFF == MIN_EGRESS:
            return self.outgoing
        raise QdiscError("EINVAL")

    def destroy(self) -> None:
        self.outgoing.clear()
        super().destroy()
