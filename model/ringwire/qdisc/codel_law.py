"""CoDel: packets are dropped at the head once every packet has waited too long for a whole interval (RFC 8289).

What codel and fq_codel share. Times are Linux's: units of 1.024 us in 32 bits that wrap around. After
include/net/codel.h and codel_impl.h of Linux 6.12; K. Nichols and V. Jacobson, "Controlling Queue Delay", 2012.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from ringwire.qdisc.base import AnyQdisc, psched_mtu
from ringwire.qdisc.ecn import set_ce
from ringwire.qdisc.psched import U32
from ringwire.skb import Skb

SHIFT = 10
"""Nanoseconds to the law's unit of time."""
NEVER = 0x7FFF_FFFF
"""``ce_threshold`` that is not in use."""
HALF = 0x8000_0000
"""A difference of two times from here on is negative."""
U64 = 0xFFFF_FFFF_FFFF_FFFF

Pop: TypeAlias = Callable[[], Skb | None]
"""Takes the first packet off a queue, and off its owner's counts."""

REC_SHIFT = 16
"""Bits that the stored reciprocal square root lacks of 32."""
REC_ONE = 0xFFFF
"""Of count 1."""
REENTRY = 16
"""Intervals since the last drop within which dropping resumes at the old pace."""

MIN_MTU = 256
"""Bytes, also of a quantum."""
MAX_MTU = 1 << 20

DEFAULT_TARGET_US = 5_000
DEFAULT_INTERVAL_US = 100_000
_NS_PER_US = 1000


def from_us(us: int) -> int:
    """Microseconds of a ``tc`` line as the law counts."""
    return us * _NS_PER_US >> SHIFT


def to_us(time: int) -> int:
    """What ``tc`` shows: at times one less than was given."""
    return (time << SHIFT) // _NS_PER_US & U32


def newton_step(rec_inv_sqrt: int, count: int) -> int:
    """A better approximation of ``1 / sqrt(count)``, 16 bits behind the point, from the one before."""
    inverse = rec_inv_sqrt << REC_SHIFT
    value = ((3 << 32) - count * (inverse * inverse >> 32) & U64) >> 2
    return ((value * inverse & U64) >> 31 & U32) >> REC_SHIFT


def control_law(time: int, interval: int, rec_inv_sqrt: int) -> int:
    """When to drop next: ``interval / sqrt(count)`` after ``time``."""
    return time + (interval * (rec_inv_sqrt << REC_SHIFT) >> 32) & U32


def pace(interval: int, count: int) -> tuple[int, int]:
    """(reciprocal square root, time to the next drop) once dropping has counted up to ``count``."""
    rec_inv_sqrt = REC_ONE
    for number in range(2, count + 1):
        rec_inv_sqrt = newton_step(rec_inv_sqrt, number)
    return rec_inv_sqrt, control_law(0, interval, rec_inv_sqrt)


class CodelState:
    """Where one queue under the law stands."""

    __slots__ = ("count", "drop_next", "dropping", "first_above", "last_count", "ldelay", "rec_inv_sqrt")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """As if nothing had come yet."""
        self.count = 0
        """Drops since dropping began, or so."""
        self.last_count = 0
        """``count`` when it began."""
        self.dropping = False
        self.rec_inv_sqrt = 0
        self.first_above = 0
        """When the delay will have been above target for an interval; 0 = it is not above."""
        self.drop_next = 0
        self.ldelay = 0
        """How long the last packet waited."""


class LawParams(Protocol):
    """Times in microseconds; what is None was not given."""

    @property
    def target(self) -> int | None: ...
    @property
    def ce_threshold(self) -> int | None: ...
    @property
    def interval(self) -> int | None: ...
    @property
    def ecn(self) -> bool | None: ...


class Codel:
    """The law's parameters, and what it counts, for one discipline; drops are always reported, as since Linux 6.15."""

    __slots__ = (
        "ce_marks",
        "ce_mask",
        "ce_selector",
        "ce_threshold",
        "ecn",
        "ecn_marks",
        "interval",
        "lost",
        "lost_bytes",
        "max_packet",
        "mtu",
        "target",
    )

    def __init__(self, owner: AnyQdisc, ecn: bool) -> None:
        self.target = from_us(DEFAULT_TARGET_US)
        self.interval = from_us(DEFAULT_INTERVAL_US)
        self.ce_threshold = NEVER
        self.ce_selector = 0
        self.ce_mask = 0
        """Above ``ce_threshold`` only packets are marked whose TOS under this mask is ``ce_selector``; 0 = all."""
        self.ecn = ecn
        self.mtu = min(max(psched_mtu(owner.dev), MIN_MTU), MAX_MTU)
        """Bytes: nothing is dropped while no more than this is queued."""

        self.max_packet = 0
        self.ecn_marks = 0
        self.ce_marks = 0
        self.lost = 0
        """Dropped packets that the disciplines above don't know of yet (:meth:`report`)."""
        self.lost_bytes = 0

    def change(self, params: LawParams) -> None:
        if params.target is not None:
            self.target = from_us(params.target)
        if params.interval is not None:
            self.interval = from_us(params.interval)
        if params.ce_threshold is not None:
            self.ce_threshold = from_us(params.ce_threshold)
        if params.ecn is not None:
            self.ecn = params.ecn

    def peek(self, owner: AnyQdisc, take: Pop) -> Skb | None:
        """What ``owner`` will give next; what ``take`` took for it is among its ``requeued``."""
        # The packet is put back before the drops are reported: its queue must not seem empty to those above.
        requeued = owner.requeued
        if not requeued:
            skb = take()
            if skb is not None:
                requeued.append(skb)
                owner.qlen += 1
                owner.backlog += skb.pkt_len
            if self.lost:
                self.report(owner)
        return requeued[0] if requeued else None

    def dequeue(self, owner: AnyQdisc, state: CodelState, pop: Pop) -> Skb | None:
        """The queue's next packet that may go; those before it are dropped."""
        skb = pop()
        if skb is None:
            state.first_above = 0
            state.dropping = False
            return None
        now = owner.dev.now_ns() >> SHIFT & U32
        over = self._over(owner, state, skb, now)
        if state.dropping:
            if not over:
                state.dropping = False
            elif now - state.drop_next & U32 < HALF:
                skb = self._drop_on(owner, state, pop, skb, now)
        elif over:
            skb = self._begin(owner, state, pop, skb, now)
        if skb is not None and 0 < state.ldelay - self.ce_threshold & U32 < HALF:
            self._mark_late(skb)
        return skb

    def report(self, owner: AnyQdisc) -> None:
        """Tell the disciplines above what was dropped."""
        packets, size = self.lost, self.lost_bytes
        self.lost = self.lost_bytes = 0
        owner.tree_reduce_backlog(packets, size)

    def _over(self, owner: AnyQdisc, state: CodelState, skb: Skb | None, now: int) -> bool:
        """Whether packets have waited too long for an interval, this one included."""
        if skb is None:
            state.first_above = 0
            return False
        delay = state.ldelay = now - (skb.enqueued_ns >> SHIFT) & U32
        if skb.pkt_len > self.max_packet:
            self.max_packet = skb.pkt_len
        if delay - self.target & U32 >= HALF or owner.backlog <= self.mtu:
            state.first_above = 0
            return False
        if not state.first_above:
            state.first_above = now + self.interval & U32
            return False
        return 0 < now - state.first_above & U32 < HALF

    def _drop_on(self, owner: AnyQdisc, state: CodelState, pop: Pop, skb: Skb, now: int) -> Skb | None:
        """The next drop is due, and more if it was due long ago: drop until one is due later."""
        current: Skb | None = skb
        while state.dropping and now - state.drop_next & U32 < HALF:
            state.count += 1
            state.rec_inv_sqrt = newton_step(state.rec_inv_sqrt, state.count)
            assert current is not None
            if self.ecn and set_ce(current):
                self.ecn_marks += 1
                state.drop_next = control_law(state.drop_next, self.interval, state.rec_inv_sqrt)
                break
            self._drop(owner, current)
            current = pop()
            if self._over(owner, state, current, now):
                state.drop_next = control_law(state.drop_next, self.interval, state.rec_inv_sqrt)
            else:
                state.dropping = False
        return current

    def _begin(self, owner: AnyQdisc, state: CodelState, pop: Pop, skb: Skb, now: int) -> Skb | None:
        """The first drop, at a pace that depends on how lately there was one."""
        current: Skb | None = skb
        if self.ecn and set_ce(skb):
            self.ecn_marks += 1
        else:
            self._drop(owner, skb)
            current = pop()
            self._over(owner, state, current, now)
        state.dropping = True
        more = state.count - state.last_count & U32
        if more > 1 and (now - state.drop_next) - REENTRY * self.interval & U32 >= HALF:
            state.count = more
            state.rec_inv_sqrt = newton_step(state.rec_inv_sqrt, more)
        else:
            state.count = 1
            state.rec_inv_sqrt = REC_ONE
        state.last_count = state.count
        state.drop_next = control_law(now, self.interval, state.rec_inv_sqrt)
        return current

    def _drop(self, owner: AnyQdisc, skb: Skb) -> None:
        self.lost += 1
        self.lost_bytes += skb.pkt_len
        owner.drops += 1
        owner.dev.drop(skb)

    def _mark_late(self, skb: Skb) -> None:
        if (not self.ce_mask or skb.tos & self.ce_mask == self.ce_selector) and set_ce(skb):
            self.ce_marks += 1


def drop_next_us(state: CodelState, now_ns: int) -> int:
    """Microseconds to the next drop, negative if it is overdue, 0 if none is planned."""
    if not state.dropping:
        return 0
    left = state.drop_next - (now_ns >> SHIFT) & U32
    return to_us(left) if left < HALF else -to_us(-left & U32)
