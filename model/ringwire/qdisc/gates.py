"""taprio's schedule: gates of traffic classes that open and close in a cycle (IEEE 802.1Q, 8.6.8.4).

After advance_sched and its like in net/sched/sch_taprio.c of Linux 6.12.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ringwire.qdisc.errors import QdiscError

NEVER = 1 << 63
"""A time that does not come, and a budget that does not end."""
ALL_OPEN = 0xFFFF_FFFF
PS_PER_NS = 1000
MIN_FRAME = 60
"""Bytes: every interval must let one of these out."""
MAX_CYCLE_NS = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class GateParams:
    """A schedule as ``tc`` says it; times in ns, 0 = not given."""

    entries: tuple[tuple[int, int], ...] = ()
    """(Mask of open gates, interval)."""
    base_time: int = 0
    cycle_time: int = 0
    cycle_time_extension: int = 0


NO_GATES = GateParams()


class Entry:
    """One line of the gate control list."""

    __slots__ = ("budget", "closes", "durations", "end", "interval", "mask", "next_txtime")

    def __init__(self, mask: int, interval: int) -> None:
        self.mask = mask
        self.interval = interval
        self.durations: list[int] = []
        """For each class, how long its gate stays open from the start of this entry on."""
        self.end = 0
        self.closes: list[int] = []
        """When each class's gate closes."""
        self.budget: list[int] = []
        """Bytes that each class may still send before that."""
        self.next_txtime = 0
        """When the next packet may be sent that goes in this entry (txtime-assist)."""


class Schedule:
    """A gate control list in time. All times are absolute."""

    def __init__(self, params: GateParams, num_tc: int, ps_per_byte: int) -> None:
        self.params = params
        self.base = params.base_time
        self.extension = params.cycle_time_extension
        self.num_tc = num_tc
        self.ps_per_byte = ps_per_byte
        least = MIN_FRAME * ps_per_byte // PS_PER_NS
        if any(interval < least for _, interval in params.entries):
            raise QdiscError("EINVAL", "Invalid interval for schedule entry")
        self.entries = [Entry(*entry) for entry in params.entries]
        self.length = sum(entry.interval for entry in self.entries)
        self.cycle = params.cycle_time or self.length
        if self.cycle > MAX_CYCLE_NS:
            raise QdiscError("EINVAL", "'cycle_time' is too big")
        if self.cycle < len(self.entries) * least:
            raise QdiscError("EINVAL", "'cycle_time' is too small")
        if not self.entries:
            raise QdiscError("EINVAL", "There should be at least one entry in the schedule")
        self.longest = [0] * num_tc
        """For each class, the longest time that its gate stays open."""
        self._measure_gates()
        self.cycle_end = 0
        self.max_frame: tuple[int, ...] = ()
        """For each class, the longest packet that may come, bytes."""

    def _measure_gates(self) -> None:
        count = len(self.entries)
        for at, entry in enumerate(self.entries):
            for tc in range(self.num_tc):
                duration = 0
                for ahead in range(count):
                    later = self.entries[(at + ahead) % count]
                    if not later.mask >> tc & 1:
                        break
                    duration += later.interval
                entry.durations.append(duration)
                self.longest[tc] = max(self.longest[tc], duration)

    def start_after(self, now: int) -> int:
        """When it begins: at its base time, or with the next cycle if that has passed."""
        if self.base > now:
            return self.base
        return self.base + ((now - self.base) // self.cycle + 1) * self.cycle

    def prepare(self, start: int) -> None:
        """The first entry will begin at ``start``."""
        first = self.entries[0]
        self.cycle_end = start + self.cycle
        first.end = start + first.interval
        self._open(first, start)
        txtime = start
        for entry in self.entries:
            entry.next_txtime = txtime
            txtime += entry.interval

    def _open(self, entry: Entry, start: int) -> None:
        """Note when gates close, and what fits until then; a gate that never closes has no end of either."""
        cycle = self.cycle
        entry.closes = [NEVER if length == cycle else start + length for length in entry.durations]
        entry.budget = [
            NEVER if length == cycle else length * PS_PER_NS // self.ps_per_byte for length in entry.durations
        ]

    def after(self, entry: Entry) -> Entry:
        """The entry that follows, with its times. The last line ends the cycle, and so does the cycle's end."""
        at = self.entries.index(entry) + 1
        if at == len(self.entries) or entry.end == self.cycle_end:
            at = 0
            self.cycle_end += self.cycle
        following = self.entries[at]
        start = entry.end
        following.end = min(start + following.interval, self.cycle_end)
        self._open(following, start)
        return following

    def skip(self, entry: Entry, until: int) -> None:
        """Move the first entry, which is over, ahead by whole rounds: nobody saw them."""
        round_ns = min(self.length, self.cycle)
        rounds = (until - entry.end) // round_ns
        if rounds > 0:
            entry.end += rounds * round_ns
            self.cycle_end += rounds * self.cycle
            self._open(entry, entry.end - min(entry.interval, self.cycle))

    def bound_frames(self, max_sdu: Sequence[int], hard_header_len: int, max_mtu: int, overhead: int | None) -> None:
        """Set ``max_frame``: what the user allows, and what the gates are ever open for.

        ``overhead`` is that of a size table, None without one.
        """
        frames = []
        for tc in range(self.num_tc):
            allowed = max_sdu[tc] or NEVER
            if self.longest[tc] != self.cycle:
                frame = self.longest[tc] * PS_PER_NS // self.ps_per_byte
                if overhead is not None:
                    frame = max(frame - overhead, hard_header_len + 1)
                fits = frame - hard_header_len
                # of a gate that is not open for as long as a header takes, Linux's subtraction wraps: no bound
                if 0 <= fits <= (max_mtu or NEVER):
                    allowed = min(allowed, fits)
            frames.append(NEVER if allowed == NEVER else allowed + hard_header_len)
        self.max_frame = tuple(frames)
