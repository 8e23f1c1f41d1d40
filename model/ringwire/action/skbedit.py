"""skbedit: change what the stack notes of a packet, not its bytes; after net/sched/act_skbedit.c of Linux 6.12."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ringwire.action.base import Action, ActionDevice
from ringwire.packet import HeaderError, parse_ethernet
from ringwire.qdisc.classify import PIPE, SHOT
from ringwire.qdisc.errors import QdiscError
from ringwire.skb import Skb

U32 = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class SkbeditParams:
    """What is None stays as it is in the packet."""

    priority: int | None = None
    queue_mapping: int | None = None
    mark: int | None = None
    mask: int | None = None
    """Bits of the mark that change; None: all."""
    ptype: int | None = None
    """A packet type, which nothing here looks at."""
    inheritdsfield: bool = False
    """The priority is the packet's DSCP."""
    verdict: int = PIPE


class Skbedit(Action[SkbeditParams]):
    """Priority, transmit queue and mark."""

    kind: ClassVar[str] = "skbedit"
    params_type = SkbeditParams

    def change(self, dev: ActionDevice, params: SkbeditParams) -> None:
        if params == SkbeditParams(verdict=params.verdict):
            raise QdiscError("EINVAL")
        self._params = params
        self.keep = ~U32 if params.mark is None else ~(U32 if params.mask is None else params.mask)
        self.mark = (params.mark or 0) & ~self.keep

    def params(self) -> SkbeditParams:
        return self._params

    def act(self, skb: Skb, dev: ActionDevice) -> int:
        params = self._params
        if params.priority is not None:
            skb.priority = params.priority
        if params.inheritdsfield:
            dscp = _dscp(skb)
            if dscp is None:
                self.drops += 1
                return SHOT
            skb.priority = dscp if dscp >= 0 else skb.priority
        if params.queue_mapping is not None and params.queue_mapping < dev.real_num_tx_queues:
            skb.queue_mapping = params.queue_mapping
            dev.keep_queue = True
        if params.mark is not None:
            skb.mark = skb.mark & self.keep | self.mark
        return params.verdict


def _dscp(skb: Skb) -> int | None:
    """The upper six bits of the DS field; -1 if it is no IP, None if the header is cut."""
    if not skb.data:
        return skb.tos >> 2
    frame = skb.linear()
    try:
        ethertype, l3 = parse_ethernet(frame)
    except HeaderError:
        return -1
    if ethertype == 0x0800:
        return frame[l3 + 1] >> 2 if len(frame) >= l3 + 20 else None
    if ethertype == 0x86DD:
        return (frame[l3] << 8 | frame[l3 + 1]) >> 6 & 0x3F if len(frame) >= l3 + 40 else None
    return -1
