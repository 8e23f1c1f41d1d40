"""What every queueing discipline is: a queue with Linux's entry points, statistics and flags.

A discipline subclasses :class:`Qdisc`, names its ``kind`` and gives ``enqueue`` and ``dequeue``; that makes it known
to ``tc`` lines and to devices (see :mod:`ringwire.qdisc`). Its parameters are a dataclass whose fields are made with
:func:`option`, so that a front end can read and print them without knowing the discipline.
After include/net/sch_generic.h and net/sched/sch_generic.c of Linux 6.12.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar

from ringwire.qdisc.registry import register
from ringwire.skb import Skb

# What enqueue returns.
XMIT_SUCCESS = 0
XMIT_DROP = 1
XMIT_CN = 2
"""Congestion: the packet was taken, but another of its flow was dropped."""

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


class Timer(Protocol):
    """A pending ``call_at``."""

    def cancel(self) -> None: ...


class QdiscDevice(Protocol):
    """What a discipline uses of its device."""

    mtu: int
    hard_header_len: int
    tx_queue_len: int
    num_tx_queues: int
    default_qdisc: str
    """Kind that each queue of a multi-queue root gets (sysctl net.core.default_qdisc)."""
    watchdog_armed: Callable[[int, int], None] | None
    """Told (expiry, slack in ns) whenever a discipline asks for its watchdog."""

    tx_dropped: int
    """Packets that were dropped where no discipline counts them."""

    def now_ns(self) -> int: ...
    def call_at(self, when_ns: int, fn: Callable[[], None]) -> Timer: ...
    def schedule(self, qdisc: AnyQdisc) -> None:
        """Have the root discipline run in the transmit softirq."""
        ...

    def drop(self, skb: Skb) -> None:
        """Free a packet that will not be sent."""
        ...


def option(unit: str, *, shown: str | None = None, default: Any = None) -> Any:
    """A parameter: the unit ``tc`` reads it in, and the one it is printed in ("" = not printed)."""
    return field(default=default, metadata={"unit": unit, "shown": unit if shown is None else shown})


def shown(unit: str, *, default: Any = None) -> Any:
    """A parameter that is printed but can't be set."""
    return field(default=default, metadata={"shown": unit})


@dataclass(frozen=True, slots=True)
class NoParams:
    """Parameters of a discipline that has none."""


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

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "kind" in cls.__dict__:
            register(cls)

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
        self.stab: Callable[[int], int] | None = None
        """Size table of a root discipline: length in bytes -> what is charged."""

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

    def children(self) -> Iterator[tuple[int, AnyQdisc]]:
        """(minor number of the class, its discipline) of a classful one."""
        return iter(())

    def graft(self, minor: int, child: AnyQdisc) -> AnyQdisc:
        """Put a discipline under a class and give back the one that was there."""
        raise ValueError(f"{self.kind} has no classes")

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
        """Tell the disciplines above that packets and bytes have left this one by themselves."""
        if not packets and not size:
            return
        qdisc: AnyQdisc = self
        while qdisc.parent is not None and not qdisc.parent.flags & MQROOT:
            parent = qdisc.parent
            if qdisc.qlen == 0 and packets:
                parent.qlen_notify(qdisc.parent_id & 0xFFFF)
            parent.qlen -= packets
            parent.backlog -= size
            parent.drops += packets
            qdisc = parent


AnyQdisc: TypeAlias = Qdisc[Any]


def psched_mtu(dev: QdiscDevice) -> int:
    """Largest packet of the device with its link header, bytes."""
    return dev.mtu + dev.hard_header_len
