"""clsact's filters for packets that leave; after sch_handle_egress in net/core/dev.c of Linux 6.12."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringwire.qdisc.base import XMIT_DROP, XMIT_SUCCESS
from ringwire.qdisc.classify import GONE, OK, RECLASSIFY, SHOT, UNSPEC, Match
from ringwire.skb import Skb

if TYPE_CHECKING:
    from ringwire.netdev.device import NetDevice


def handle_egress(skb: Skb, dev: NetDevice) -> int:
    """Ask the filters; UNSPEC if the packet goes on its way, else what dev_queue_xmit returns: it is gone."""
    block, qdisc = dev.egress_filters, dev.ingress
    assert block is not None and qdisc is not None
    qdisc.count_sent(skb)
    match = Match()
    verdict = block.classify(skb, match)
    if verdict == SHOT:
        qdisc.drops += 1
        dev.drop(skb)
        return XMIT_DROP
    if verdict in GONE:
        return XMIT_SUCCESS
    if verdict in (OK, RECLASSIFY):
        skb.tc_index = match.classid & 0xFFFF
    return UNSPEC
