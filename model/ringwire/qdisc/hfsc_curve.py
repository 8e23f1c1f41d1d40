"""Service curves of hfsc: two straight segments, in integers as Linux computes them.

Times are ticks of 64 ns, work is bytes. After Stoica, Zhang and Ng, "A hierarchical fair service curve algorithm for
link-sharing, real-time and priority services" (SIGCOMM 1997), and net/sched/sch_hfsc.c of Linux 6.12.
"""

from __future__ import annotations

from typing import NamedTuple

from ringwire.qdisc.psched import NS_PER_S, TICK_NS, US_PER_S

TICKS_PER_S = NS_PER_S // TICK_NS
SM_SHIFT = 24
ISM_SHIFT = 14
U64 = 0xFFFF_FFFF_FFFF_FFFF
U32 = 0xFFFF_FFFF
INFINITY = U64


class ServiceCurve(NamedTuple):
    """Bytes a second ``m1`` for ``d_us`` microseconds, then ``m2``."""

    m1: int = 0
    d_us: int = 0
    m2: int = 0


def to_slope(m: int) -> int:
    """Bytes a second as a scaled number of bytes a tick, rounded up."""
    return -(-(m << SM_SHIFT) // TICKS_PER_S)


def to_inverse(m: int) -> int:
    """Bytes a second as a scaled number of ticks a byte, rounded up."""
    return -(-(TICKS_PER_S << ISM_SHIFT) // m) if m else INFINITY


def work_in(ticks: int, slope: int) -> int:
    """Bytes that a slope gives in some time."""
    return ticks * slope >> SM_SHIFT & U64


def time_for(work: int, inverse: int) -> int:
    """Ticks in which a slope gives so many bytes."""
    if not work:
        return 0
    return INFINITY if inverse == INFINITY else work * inverse >> ISM_SHIFT & U64


class Curve:
    """A service curve as it is computed with."""

    __slots__ = ("dx", "dy", "ism1", "ism2", "sm1", "sm2")

    def __init__(self, curve: ServiceCurve) -> None:
        self.sm1, self.ism1 = to_slope(curve.m1), to_inverse(curve.m1)
        self.dx = -(-curve.d_us * TICKS_PER_S // US_PER_S)
        self.dy = work_in(self.dx, self.sm1)
        self.sm2, self.ism2 = to_slope(curve.m2), to_inverse(curve.m2)

    @property
    def convex(self) -> bool:
        """Whether it is not steeper in the beginning."""
        return self.sm1 <= self.sm2

    def shown(self) -> ServiceCurve:
        """What can be read back, rounded."""
        return ServiceCurve(
            self.sm1 * TICKS_PER_S >> SM_SHIFT & U32,
            self.dx * US_PER_S // TICKS_PER_S & U32,
            self.sm2 * TICKS_PER_S >> SM_SHIFT & U32,
        )


class RunningCurve:
    """A curve that begins at a point of time and work, and is lowered to the least of several such."""

    __slots__ = ("curve", "dx", "dy", "ism1", "ism2", "sm1", "sm2", "x", "y")

    def __init__(self, curve: Curve, x: int, y: int) -> None:
        self.curve = curve
        self.x, self.y = x, y
        self.sm1, self.ism1, self.sm2, self.ism2 = curve.sm1, curve.ism1, curve.sm2, curve.ism2
        self.dx, self.dy = curve.dx, curve.dy

    def eligible(self) -> RunningCurve:
        """The curve of eligible times: itself if concave, otherwise a line of the second slope."""
        copy = RunningCurve(self.curve, self.x, self.y)
        if not self.curve.convex:
            copy.dx, copy.dy = self.dx, self.dy
        else:
            copy.dx = copy.dy = 0
        return copy

    def time_of(self, work: int) -> int:
        """When so much work is due."""
        beyond = work - self.y
        if beyond < 0:
            return self.x
        if beyond <= self.dy:
            if not self.dy:
                return self.x + self.dx & U64
            return self.x + time_for(beyond, self.ism1) & U64
        return self.x + self.dx + time_for(beyond - self.dy, self.ism2) & U64

    def work_at(self, time: int) -> int:
        """How much work is due at a time."""
        beyond = time - self.x
        if beyond <= 0:
            return self.y
        if beyond <= self.dx:
            return self.y + work_in(beyond, self.sm1) & U64
        return self.y + self.dy + work_in(beyond - self.dx, self.sm2) & U64

    def lower(self, x: int, y: int) -> None:
        """Become the lesser of itself and the curve that begins at (x, y)."""
        curve = self.curve
        due = self.work_at(x)
        if curve.convex:
            if due >= y:
                self.x, self.y = x, y
            return
        if due <= y:
            return
        if self.work_at(x + curve.dx & U64) >= y + curve.dy:
            self.x, self.y, self.dx, self.dy = x, y, curve.dx, curve.dy
            return
        # they intersect where the new one's first segment meets the second of this one
        dx = (due - y << SM_SHIFT & U64) // (curve.sm1 - curve.sm2 & U32 or 1)
        if self.x + self.dx > x:
            dx += self.x + self.dx - x
        self.x, self.y, self.dx, self.dy = x, y, dx, work_in(dx, curve.sm1)
