"""ingress's and clsact's filters for packets that come in; after sch_handle_ingress in net/core/dev.c of Linux 6.12."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringwire.qdisc.classify import GONE, OK, RECLASSIFY, SHOT, Match
from ringwire.qdisc.ingress import MIN_INGRESS
from ringwire.skb import Skb

if TYPE_CHECKING:
    from ringwire.netdev.device import NetDevice


def receive(skb: Skb, dev: NetDevice) -> bool:
    """netif_receive_skb: past the filters to ``dev.on_receive``; False if it was dropped."""
    if not dev.is_up:
        dev.drop(skb)
        return False
    skb.iif = dev.ifindex
    qdisc = dev.ingress
    if qdisc is not None:
        skb.at_ingress = True
        skb.pkt_len = skb.len - dev.hard_header_len
        qdisc.count_sent(skb)
        match = Match()
        verdict = qdisc.block(MIN_INGRESS).classify(skb, match)
        if verdict == SHOT:
            qdisc.drops += 1
            dev.drop(skb)
            return False
        if verdict in GONE:
            return True
        if verdict in (OK, RECLASSIFY):
            skb.tc_index = match.classid & 0xFFFF
        skb.at_ingress = False
    if dev.on_receive is not None:
        dev.on_receive(skb)
    else:
        skb.free()
    return True
