"""The line-rate pacer's arithmetic: exact times of frames on a wire, seen at the edges of a clock.

Two scales meet here. Clock edges and the world's time are picoseconds; the device knows time as its time input gives
it, in units of 2^-16 ns, and keeps its schedule in units of 2^-40 ns, which the byte time register has. The schedule
of a backlogged wire is a sum of byte times: a frame starts at the first edge at which its turn has come, and what an
edge costs is not carried to the next frame.
"""

from __future__ import annotations

from dataclasses import dataclass

from ringwire.nic.registers import BYTE_TIME_FRACTION_BITS, TIME_FRACTION_BITS

MIN_FRAME = 60
"""Bytes that a frame is padded to; FCS not counted."""
FCS = 4
WIRE_OVERHEAD = 24
"""Preamble and start 8, FCS 4, inter-frame gap 12."""
FINE = BYTE_TIME_FRACTION_BITS - TIME_FRACTION_BITS
"""Bits between the time input's unit and the schedule's."""


def byte_time(rate_bps: int) -> int:
    """BYTE_TIME for a line rate, rounded up: units of 2^-40 ns."""
    if rate_bps < 1:
        raise ValueError(f"a line rate is at least 1 bit/s, not {rate_bps}")
    return -((-8_000_000_000 << BYTE_TIME_FRACTION_BITS) // rate_bps)


def wire_bytes(length: int) -> int:
    """What a frame of ``length`` bytes takes of the wire: preamble, padding, FCS and inter-frame gap with it."""
    return (length if length > MIN_FRAME else MIN_FRAME) + WIRE_OVERHEAD


@dataclass(frozen=True, slots=True)
class ClockGrid:
    """A clock whose edges lie at ``phase_ps`` + k * ``period_ps``, and the time input that is read at them."""

    period_ps: int
    phase_ps: int = 0

    def at_or_after(self, time_ps: int) -> int:
        """The first edge not before ``time_ps``."""
        return time_ps + (self.phase_ps - time_ps) % self.period_ps

    def edge_of_stamp(self, stamp: int) -> int:
        """The first edge at which the time input is ``stamp`` (2^-16 ns) or later."""
        return self.at_or_after(-(-stamp * 1000 >> TIME_FRACTION_BITS))

    @staticmethod
    def stamp(time_ps: int) -> int:
        """The time input at ``time_ps``, rounded down to 2^-16 ns."""
        return (time_ps << TIME_FRACTION_BITS) // 1000


class Pacer:
    """Says when frames start on the wire. ``byte_time`` 0 leaves only the bus's own rate."""

    __slots__ = ("_bus_free_ps", "_due", "_due_ps", "_grid", "_width", "byte_time", "open")

    def __init__(self, grid: ClockGrid, bus_bytes: int) -> None:
        self.byte_time = 0
        self.open = False
        self._grid = grid
        self._width = bus_bytes
        self._due = 0
        self._due_ps = grid.edge_of_stamp(0)
        """The first edge at which the wire is free."""
        self._bus_free_ps = 0

    def earliest_ps(self, ready_ps: int) -> int:
        """The edge at which a frame that is ready at ``ready_ps`` may start."""
        edge = self._grid.at_or_after(ready_ps if ready_ps > self._bus_free_ps else self._bus_free_ps)
        return edge if self.open or edge > self._due_ps else self._due_ps

    def begin(self, start_ps: int, length: int) -> tuple[int, int]:
        """Start a frame at the edge that ``earliest_ps`` gave.

        Returns when its FCS ends on the wire and when the next frame may start, in ps. A frame that starts at the edge
        of its turn carries the schedule on from the turn itself, a later one starts it anew.
        """
        size = length if length > MIN_FRAME else MIN_FRAME
        beats = -(-size // self._width)
        self._bus_free_ps = free_ps = start_ps + beats * self._grid.period_ps
        if self.open:
            return free_ps, free_ps
        start = self._grid.stamp(start_ps) << FINE
        turn = self._due if start_ps == self._due_ps else start
        self._due = due = turn + (size + WIRE_OVERHEAD) * self.byte_time
        self._due_ps = due_ps = self._grid.edge_of_stamp(-(-due >> FINE))
        end_ps = _to_ps(start + (size + FCS) * self.byte_time)
        return end_ps if end_ps > free_ps else free_ps, due_ps if due_ps > free_ps else free_ps


def _to_ps(fine: int) -> int:
    """2^-40 ns to ps, rounded up."""
    return -(-fine * 1000 >> BYTE_TIME_FRACTION_BITS)
