"""A packet's way to the driver: dev_queue_xmit, the qdisc's run, the batch, the hand-over.

After net/core/dev.c and net/sched/sch_generic.c of Linux 6.12.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from ringwire.netdev.egress import handle_egress
from ringwire.netdev.queue import ANY_XOFF, DRV_XOFF, TxQueue
from ringwire.netdev.validate import gso_segments, validate_xmit_skb_list
from ringwire.qdisc.base import (
    CAN_BYPASS,
    DRAINING,
    MISSED,
    NOLOCK,
    NOQUEUE,
    NOT_EMPTY,
    ONETXQUEUE,
    XMIT_MASK,
    XMIT_SUCCESS,
    AnyQdisc,
)
from ringwire.qdisc.classify import UNSPEC
from ringwire.skb import Skb

if TYPE_CHECKING:
    from ringwire.netdev.device import NetDevice

NETDEV_TX_OK = 0
NETDEV_TX_BUSY = 0x10

SLOW_BULK = 8
"""Packets that a qdisc over several transmit queues gives in addition to the first, if they are for the same one."""


def dev_queue_xmit(skb: Skb, dev: NetDevice) -> int:
    """Send a packet: through the qdisc of its queue, or past it where that is allowed.

    Returns 0, 1 or 2 (taken, dropped, taken at the cost of another), or a negative errno where there is no qdisc.
    A dropped packet is freed.
    """
    dev.bh_disabled += 1
    try:
        skb.pkt_len = skb.len + (gso_segments(skb) - 1) * skb.hdr_len if skb.gso_size else skb.len
        queue = 0
        if dev.egress_filters is not None:
            dev.keep_queue = False
            rc = handle_egress(skb, dev)
            if rc != UNSPEC:
                return rc
            if dev.keep_queue:
                queue = skb.queue_mapping if skb.queue_mapping < dev.real_num_tx_queues else 0
            elif dev.num_tx_queues > 1:
                queue = dev.pick_queue(skb)
        elif dev.num_tx_queues > 1:
            queue = dev.pick_queue(skb)
        skb.queue_mapping = queue
        txq = dev.tx_queues[queue]
        q = txq.qdisc
        flags = q.flags
        if flags & NOQUEUE:
            return _xmit_noqueue(skb, dev, txq)
        if q.stab is not None:
            skb.pkt_len = q.stab(skb.pkt_len)

        lockless = flags & NOLOCK
        if flags & CAN_BYPASS and not q.running and not (q.state & NOT_EMPTY if lockless else q.qlen):
            q.running = True
            try:
                q.count_sent(skb)
                # A locked discipline is asked even when it is empty: some keep state of that.
                if sch_direct_xmit([skb], q, dev, txq, True) and (not lockless or q.state & NOT_EMPTY):
                    _run(q, dev)
            finally:
                q.running = False
            if lockless and q.state & MISSED:
                dev.schedule(q)
            return XMIT_SUCCESS

        to_free: list[Skb] = []
        if dev.enqueue_ns:
            dev.charge(dev.enqueue_ns)
        rc = q.enqueue(skb, to_free) & XMIT_MASK
        qdisc_run(q, dev)
        while to_free:
            dev.drop(to_free.pop())
        return rc
    finally:
        dev.bh_disabled -= 1
        if dev.output_queue and not dev.bh_disabled:
            dev.net_tx_action()


def qdisc_run(q: AnyQdisc, dev: NetDevice) -> None:
    """Let a root discipline send what it can; one runner at a time, a second one only leaves a note."""
    if q.running:
        if q.flags & NOLOCK:
            q.state |= MISSED
        return
    q.running = True
    try:
        _run(q, dev)
    finally:
        q.running = False
    if q.flags & NOLOCK and q.state & MISSED:
        dev.schedule(q)


def _run(q: AnyQdisc, dev: NetDevice) -> None:
    """Batches until the queue is empty, the transmit queue stops, or the quota is used up."""
    quota = dev.dev_tx_weight
    while True:
        if q.requeued:
            # Validated already, and one at a time.
            txq = dev.tx_queues[q.requeued[0].queue_mapping]
            if txq.state:
                _note_stopped(q)
                return
            skbs, validate = [q.take_requeued()], False
        else:
            skbs, validate = dequeue_batch(q, dev, quota), True
            if not skbs:
                return
            txq = dev.tx_queues[skbs[0].queue_mapping]
        packets = len(skbs)
        if not sch_direct_xmit(skbs, q, dev, txq, validate):
            return
        quota -= packets
        if quota <= 0:
            if q.flags & NOLOCK:
                q.state |= MISSED
            else:
                dev.schedule(q)
            return


def dequeue_batch(q: AnyQdisc, dev: NetDevice, quota: int) -> list[Skb]:
    """Packets for one transmit queue, in order; none if there are none or it is stopped.

    A discipline that feeds one queue gives what byte queue limits had room for before the batch, so the last
    packet may overshoot; the quota bounds what follows the first, and ``max_bulk`` what is given in all.
    """
    skbs: list[Skb] = []
    if q.flags & ONETXQUEUE:
        txq = dev.tx_queues[q.txq_index]
        if txq.state:
            _note_stopped(q)
            return skbs
        skb = q.dequeue()
        if skb is not None:
            skbs.append(skb)
            room = txq.dql.avail() - skb.len
            while room > 0 and len(skbs) <= quota and len(skbs) < dev.max_bulk:
                skb = q.dequeue()
                if skb is None:
                    break
                room -= skb.len
                skbs.append(skb)
    else:
        _dequeue_same_queue(q, dev, skbs)
    if dev.dequeue_ns:
        dev.charge(dev.dequeue_ns * len(skbs))
    return skbs


def _dequeue_same_queue(q: AnyQdisc, dev: NetDevice, skbs: list[Skb]) -> None:
    """A first packet and up to eight more for its queue, or ``max_bulk`` in all; one for another queue ends it and
    waits apart."""
    if q.bad_txq:
        if dev.tx_queues[q.bad_txq[0].queue_mapping].state:
            _note_stopped(q)
            return
        skb = q.bad_txq.popleft()
        q.qlen -= 1
        q.backlog -= skb.pkt_len
    else:
        first = q.dequeue()
        if first is None:
            return
        skb = first
    skbs.append(skb)
    while len(skbs) <= SLOW_BULK and len(skbs) < dev.max_bulk:
        following = q.dequeue()
        if following is None:
            return
        if following.queue_mapping != skb.queue_mapping:
            q.bad_txq.append(following)
            q.qlen += 1
            q.backlog += following.pkt_len
            return
        skbs.append(following)


def sch_direct_xmit(skbs: list[Skb], q: AnyQdisc, dev: NetDevice, txq: TxQueue, validate: bool) -> bool:
    """Hand packets to the driver; False if it did not take them all: the rest is back in the qdisc, in front."""
    if validate:
        skbs = validate_xmit_skb_list(skbs, dev)
        if not skbs:
            return True
    if txq.state:
        _note_stopped(q)
        taken = 0
    else:
        taken = dev_hard_start_xmit(skbs, dev, txq)
    if taken == len(skbs):
        return True
    q.requeue(skbs[taken:])
    return False


def dev_hard_start_xmit(skbs: list[Skb], dev: NetDevice, txq: TxQueue) -> int:
    """Call the driver for each packet until it is busy or has stopped the queue; how many it took.

    Byte queue limits don't end a batch.
    """
    start_xmit = dev.start_xmit
    last = len(skbs) - 1
    for index, skb in enumerate(skbs):
        if start_xmit(skb, txq, index < last) != NETDEV_TX_OK:
            return index
        if txq.state & DRV_XOFF:
            return index + 1
    return last + 1


def _note_stopped(q: AnyQdisc) -> None:
    """A run met a stopped queue: whoever wakes that schedules the next run, so no other is missing."""
    q.state = q.state & ~MISSED | DRAINING


def _xmit_noqueue(skb: Skb, dev: NetDevice, txq: TxQueue) -> int:
    """Straight to the driver; what it does not take is dropped."""
    skbs = validate_xmit_skb_list([skb], dev)
    if not skbs:
        return -errno.ENOMEM
    taken = 0 if txq.state & ANY_XOFF else dev_hard_start_xmit(skbs, dev, txq)
    if taken == len(skbs):
        return XMIT_SUCCESS
    dev.tx_dropped += 1
    for rest in skbs[taken:]:
        dev.drop(rest)
    return -errno.ENETDOWN


def reciprocal_scale(value: int, ceiling: int) -> int:
    """Map a 32-bit hash evenly to 0 .. ``ceiling`` - 1."""
    return value * ceiling >> 32
