"""What every queueing discipline is: a queue with Linux's entry points, statistics and flags.

A discipline subclasses :class:`Qdisc`, names its ``kind`` and gives ``enqueue`` and ``dequeue``; that makes it known
to ``tc`` lines and to devices (see :mod:`ringwire.qdisc`). Its parameters are a dataclass whose fields are made with
:func:`option`, so that a front end can read and print them without knowing the discipline.
After include/net/sch_generic.h and net/sched/sch_generic.c of Linux 6.12.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeAlias, TypeVar

from ringwire.qdisc.classify import FilterBlock, no_blocks
from ringwire.qdisc.device import QdiscDevice, Timer
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.options import NoParams, option, shown
from ringwire.qdisc.registry import QDISCS
from ringwire.qdisc.stab import SizeTable
from ringwire.skb import Skb

if TYPE_CHECKING:
    from ringwire.qdisc.classful import QdiscClass

__all__ = ["NoParams", "QdiscDevice", "Timer", "option", "shown"]

# What enqueue returns.
XMIT_SUCCESS = 0
XMIT_DROP = 1
XMIT_CN = 2
"""Congestion: the packet was taken, but another of its flow was dropped."""
XMIT_MASK = 0xFFFF
"""The part that the sender sees; the rest is between disciplines."""
XMIT_STOLEN = 0x1_0000
"""A filter's action has taken the packet: it counts as no drop above."""
XMIT_BYPASS = 0x2_0000
"""No class was found for the packet: who returns this has counted the drop."""

# Qdisc.flags: plain integers, because they are tested for every packet.
NOLOCK = 1
"""Runs without the root lock; MISSED and DRAINING say whether work is left."""
CAN_BYPASS = 2
"""Work-conserving: a packet that finds it empty may go straight to the driver."""
ONETXQUEUE = 4
"""All packets go to one transmit queue: nothing is dequeued while that is stopped, and BQL bounds the batch."""
NOQUEUE = 8
"""Never queues: packets go to the driver or are dropped."""
MQROOT = 16
"""Only holds one discipline per transmit queue."""

# Qdisc.state
SCHEDULED = 1
MISSED = 2
DRAINING = 4
NOT_EMPTY = MISSED | DRAINING
"""A lockless discipline counts as empty when neither is set, whatever its length."""

ROOT_ID = 0xFFFF_FFFF
"""``parent_id`` of a root discipline."""


@dataclass(frozen=True, slots=True)
class QdiscStats:
    """What ``tc -s qdisc`` counts. ``packets`` counts the segments of super-packets, ``qlen`` does not."""

    bytes: int = 0
    packets: int = 0
    drops: int = 0
    overlimits: int = 0
    requeues: int = 0
    qlen: int = 0
    backlog: int = 0


P = TypeVar("P")


class Qdisc(ABC, Generic[P]):
    """One queueing discipline on a device, root or child of another.

    ``qlen`` and ``backlog`` (bytes of ``Skb.pkt_len``) count all that it holds, packets that came back from the
    driver included; a subclass keeps them up to date as it takes and gives packets, and counts what leaves with
    :meth:`count_sent`.
    """

    kind: ClassVar[str]
    """Name in ``tc`` lines; a subclass that sets it is registered under it."""
    params_type: ClassVar[type[Any]] = NoParams
    default_flags: ClassVar[int] = 0
    has_blocks: ClassVar[bool] = False
    """Whether filters can be attached to it (:meth:`block`)."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        QDISCS.note(cls)

    def __init__(self, dev: QdiscDevice, params: P | None = None, *, handle: int = 0, parent_id: int = ROOT_ID) -> None:
        """``handle`` and ``parent_id`` are 32-bit ids, major number in the upper half."""
        self.dev = dev
        self.handle = handle
        self.parent_id = parent_id
        self.parent: AnyQdisc | None = None
        self.txq_index = 0
        """The transmit queue it feeds, if that is one only."""
        self.flags = self.default_flags | (ONETXQUEUE if dev.num_tx_queues == 1 else 0)
        self.state = 0
        self.running = False
        self.hidden = False
        """A class's default, which ``tc qdisc show`` leaves out."""
        self.filter_state: dict[str, Any] = {}
        """What the filters of a kind share over all places of this discipline (u32's hash tables)."""
        self.stab: SizeTable | None = None
        """Of a root discipline: length in bytes -> what is charged."""

        self.qlen = 0
        self.backlog = 0
        self.bytes = 0
        self.packets = 0
        self.drops = 0
        self.overlimits = 0
        self.requeues = 0

        self.requeued: deque[Skb] = deque()
        """Ready packets that the driver could not take (gso_skb), or one that was peeked at: next to go."""
        self.bad_txq: deque[Skb] = deque()
        """Packets met while another queue's batch was gathered (skb_bad_txq)."""
        self.setup()
        self.change(self.params_type() if params is None else params)

    # -- what a discipline gives

    def setup(self) -> None:
        """Make the empty queue: once, before the first :meth:`change`."""

    @abstractmethod
    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        """Take a packet; XMIT_SUCCESS, XMIT_DROP or XMIT_CN. What is dropped meanwhile goes to ``to_free``."""

    @abstractmethod
    def dequeue(self) -> Skb | None:
        """The next packet to send, or None; what is dropped meanwhile goes to ``dev.drop`` at once."""

    def peek(self) -> Skb | None:
        """The packet that :meth:`dequeue_peeked` will give, still part of the queue."""
        if not self.requeued:
            skb = self.dequeue()
            if skb is None:
                return None
            self.requeued.append(skb)
            self.qlen += 1
            self.backlog += skb.pkt_len
        return self.requeued[0]

    def dequeue_peeked(self) -> Skb | None:
        """As :meth:`dequeue`, but a packet that was peeked at comes first."""
        return self.take_requeued() if self.requeued else self.dequeue()

    def clear(self) -> None:
        """Empty the queue through ``dev.drop``; part of :meth:`reset`, which corrects the counts."""

    def change(self, params: P) -> None:
        """Take new parameters, at creation and while packets are queued; ValueError if they make no sense."""

    def params(self) -> P:
        """The parameters in force, as ``tc qdisc show`` prints them."""
        params: P = self.params_type()
        return params

    def change_tx_queue_len(self, length: int) -> None:
        """The device's ``tx_queue_len`` has changed (the queue was reset before)."""

    def xstats(self) -> object | None:
        """Figures of its kind, a dataclass of :func:`shown` fields, if ``tc -s`` prints any."""
        return None

    def destroy(self) -> None:
        """It was taken off its device for good: drop what it holds, stop timers, let go of what is outside."""
        self.reset()
        for _, child in self.children():
            child.destroy()

    # -- what a classful one gives besides, see ringwire.qdisc.classful

    def children(self) -> Iterator[tuple[int, AnyQdisc]]:
        """(minor number of the class, its discipline) of a classful one."""
        return iter(())

    def classes(self) -> Iterator[QdiscClass]:
        """Its classes, as ``tc class show`` walks them."""
        return iter(())

    def find_class(self, classid: int) -> QdiscClass | None:
        """The class of this id, whose major number is not looked at."""
        return None

    def graft(self, classid: int, child: AnyQdisc | None) -> AnyQdisc:
        """Put a discipline (None: the default) under a class and give back the one that was there, emptied."""
        raise QdiscError("EOPNOTSUPP")

    def block(self, classid: int) -> FilterBlock:
        """Where filters of a class are attached, or with minor number 0 those of the discipline itself."""
        raise no_blocks()

    def qlen_notify(self, minor: int) -> None:
        """A child has become empty without having been asked to dequeue."""

    # -- what all share

    def for_queue(self, index: int) -> AnyQdisc:
        """The discipline that transmit queue ``index`` runs when this one is the device's root."""
        return self

    def reset(self) -> None:
        """Drop all that is queued, here and below; statistics of the past stay."""
        self.clear()
        for _, child in self.children():
            child.reset()
        for queue in (self.requeued, self.bad_txq):
            while queue:
                self.dev.drop(queue.popleft())
        self.state &= ~NOT_EMPTY
        self.qlen = 0
        self.backlog = 0

    def clear_nolock(self) -> None:
        """Give up running without the lock, as a child of a locked discipline must."""
        self.flags &= ~NOLOCK

    @property
    def root(self) -> AnyQdisc:
        """The discipline that a transmit queue runs, this one or one above."""
        qdisc: AnyQdisc = self
        while qdisc.parent is not None and not qdisc.parent.flags & MQROOT:
            qdisc = qdisc.parent
        return qdisc

    def stats(self) -> QdiscStats:
        return QdiscStats(self.bytes, self.packets, self.drops, self.overlimits, self.requeues, self.qlen, self.backlog)

    def count_sent(self, skb: Skb) -> None:
        """Count a packet that leaves (bstats): its charged length, and each segment of a super-packet."""
        self.bytes += skb.pkt_len
        self.packets += skb.gso_segs or 1

    def refuse(self, skb: Skb, to_free: list[Skb]) -> int:
        """Drop the packet that came: the usual end of an ``enqueue``."""
        to_free.append(skb)
        self.drops += 1
        return XMIT_DROP

    def requeue(self, skbs: list[Skb]) -> None:
        """Take ready packets back from the driver, in order and before all others (dev_requeue_skb)."""
        self.requeued.extendleft(reversed(skbs))
        self.requeues += len(skbs)
        self.qlen += len(skbs)
        for skb in skbs:
            self.backlog += skb.pkt_len
        if self.flags & NOLOCK:
            self.state |= MISSED
        else:
            self.dev.schedule(self)

    def take_requeued(self) -> Skb:
        """The first packet of ``requeued``, no longer counted."""
        skb = self.requeued.popleft()
        self.qlen -= 1
        self.backlog -= skb.pkt_len
        return skb

    def tree_reduce_backlog(self, packets: int, size: int) -> None:
        """Tell the disciplines above that packets and bytes have left this one by themselves; negative: have come."""
        if not packets and not size:
            return
        qdisc: AnyQdisc = self
        while qdisc.parent is not None and not qdisc.parent.flags & MQROOT:
            parent = qdisc.parent
            if qdisc.qlen == 0 and packets:
                parent.qlen_notify(qdisc.parent_id & 0xFFFF)
            parent.qlen -= packets
            parent.backlog -= size
            if packets > 0:
                parent.drops += packets
            qdisc = parent


QDISCS.base = Qdisc


AnyQdisc: TypeAlias = Qdisc[Any]


def psched_mtu(dev: QdiscDevice) -> int:
    """Largest packet of the device with its link header, bytes."""
    return dev.mtu + dev.hard_header_len
