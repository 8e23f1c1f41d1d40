"""Byte queue limits: how many bytes the stack lets stand in one transmit queue.

The arithmetic is that of Linux's dynamic queue limits (lib/dynamic_queue_limits.c as of 6.12): 32-bit counters that
wrap, a limit that grows as soon as the queue is found starved and shrinks by the least slack seen over a hold time.
The knobs are those of ``/sys/class/net/<dev>/queues/tx-<n>/byte_queue_limits/`` (net/core/net-sysfs.c).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

U32 = 0xFFFF_FFFF
HALF = 0x8000_0000
"""Differences of wrapping counters are positive below this."""

MAX_OBJECT = U32 // 16
"""Largest number of bytes that may be queued at once."""
MAX_LIMIT = U32 // 2 - MAX_OBJECT
"""Largest limit: twice any inflight count still fits a signed 32-bit difference."""

WORD_JIFFIES = 64
HISTORY_WORDS = 4
"""The stall detector looks back over this many words of 64 jiffies, the one being filled included."""
STALL_THRS_MIN, STALL_THRS_MAX = 4, HISTORY_WORDS // 2 * WORD_JIFFIES


KNOBS = ("hold_time", "inflight", "limit", "limit_max", "limit_min", "stall_cnt", "stall_max", "stall_thrs")
"""The files of a ``byte_queue_limits`` folder."""


class BqlOvercompletion(Exception):
    """More bytes were completed than are in flight: a driver counted a packet twice, or reset in mid-flight."""


class KnobError(ValueError):
    """A sysfs write that Linux refuses; ``errno`` is the error's name."""

    def __init__(self, errno: str, knob: str, text: str, wanted: str) -> None:
        super().__init__(f"byte_queue_limits/{knob}: {text.strip()!r}: {errno}, expected {wanted}")
        self.errno = errno


class Dql:
    """The dynamic queue limit of one transmit queue; byte counts, and times in jiffies.

    A packet of ``n`` bytes is announced with :meth:`queued`, batches of finished ones with :meth:`completed`;
    between them the queue may take more as long as :meth:`avail` is not negative.
    ``jiffies`` is the clock, read only where the algorithm needs the time; ``hz`` its rate.
    """

    __slots__ = (
        "_history",
        "_jiffies",
        "adj_limit",
        "hz",
        "last_obj_cnt",
        "last_reap",
        "limit",
        "lowest_slack",
        "max_limit",
        "min_limit",
        "num_completed",
        "num_queued",
        "prev_last_obj_cnt",
        "prev_num_queued",
        "prev_ovlimit",
        "refused",
        "slack_hold_time",
        "slack_start_time",
        "stall_cnt",
        "stall_max",
        "stall_thrs",
    )

    def __init__(self, jiffies: Callable[[], int], hz: int = 1000, hold_time: int | None = None) -> None:
        """``hold_time`` in jiffies, one second unless given."""
        self._jiffies = jiffies
        self.hz = hz
        self.min_limit = 0
        self.max_limit = MAX_LIMIT
        self.slack_hold_time = hz if hold_time is None else hold_time
        self.adj_limit = 0
        self.stall_thrs = 0
        self.stall_cnt = 0
        self.stall_max = 0
        self.refused = 0
        """Calls of :meth:`queued` above MAX_OBJECT, which count nothing."""
        self.reset()

    def reset(self) -> None:
        """Forget all traffic; the limit falls to ``min_limit``.

        ``adj_limit`` is left as it was, so until the next completion :meth:`avail` grants the old total.
        """
        now = self._jiffies()
        self.limit = self.min_limit
        self.num_queued = 0
        self.num_completed = 0
        self.last_obj_cnt = 0
        self.prev_num_queued = 0
        self.prev_last_obj_cnt = 0
        self.prev_ovlimit = 0
        self.lowest_slack = U32
        self.slack_start_time = now
        self.last_reap = now
        self._history: deque[int] = deque()

    def queued(self, count: int) -> None:
        """``count`` bytes were handed to the device; more than MAX_OBJECT are refused and not counted."""
        if count > MAX_OBJECT:
            self.refused += 1
            return
        self.last_obj_cnt = count
        self.num_queued = (self.num_queued + count) & U32
        if self.stall_thrs:
            self._note_activity()

    def avail(self) -> int:
        """Bytes that may still be queued; 0 still admits a packet, negative means over the limit."""
        left = (self.adj_limit - self.num_queued) & U32
        return left if left < HALF else left - U32 - 1

    @property
    def inflight(self) -> int:
        """Bytes queued and not yet completed."""
        return (self.num_queued - self.num_completed) & U32

    def completed(self, count: int) -> None:
        """``count`` bytes have left; to be called once for a whole batch, since the limit learns from its size."""
        num_queued = self.num_queued
        limit = self.limit
        inflight = (num_queued - self.num_completed) & U32
        if count > inflight:
            raise BqlOvercompletion(
                f"completed {count} bytes with {inflight} in flight"
                f" (queued {num_queued}, completed {self.num_completed}, modulo 2^32)"
            )
        completed = (self.num_completed + count) & U32
        prev_num_queued = self.prev_num_queued
        prev_ovlimit = self.prev_ovlimit
        ovlimit = (inflight - limit) & U32
        if ovlimit >= HALF:
            ovlimit = 0
        inprogress = count != inflight
        # Distance past the previous completion's queue end: not negative once all of that has been completed.
        past_prev = (completed - prev_num_queued) & U32
        all_prev_completed = past_prev < HALF

        if (ovlimit and not inprogress) or (prev_ovlimit and all_prev_completed):
            # Starved: the device ran dry although the stack was held back, so the limit was too small.
            limit = (limit + (past_prev if all_prev_completed else 0) + prev_ovlimit) & U32
            self.slack_start_time = self._jiffies()
            self.lowest_slack = U32
        elif inprogress and prev_num_queued != self.num_completed and not all_prev_completed:
            # Busy all the while: what was left beyond two batches was not needed.
            slack = (limit + prev_ovlimit - 2 * count) & U32
            if slack >= HALF:
                slack = 0
            if prev_ovlimit:
                last = (self.prev_last_obj_cnt - prev_ovlimit) & U32
                if slack < last < HALF:
                    slack = last
            if slack < self.lowest_slack:
                self.lowest_slack = slack
            now = self._jiffies()
            if now > self.slack_start_time + self.slack_hold_time:
                limit = (limit - self.lowest_slack) & U32
                if limit >= HALF:
                    limit = 0
                self.slack_start_time = now
                self.lowest_slack = U32

        if limit < self.min_limit:
            limit = self.min_limit
        elif limit > self.max_limit:
            limit = self.max_limit
        if limit != self.limit:
            self.limit = limit
            ovlimit = 0
        self.adj_limit = (limit + completed) & U32
        self.prev_ovlimit = ovlimit
        self.prev_last_obj_cnt = self.last_obj_cnt
        self.num_completed = completed
        self.prev_num_queued = num_queued
        if self.stall_thrs:
            self._check_stall()

    def _note_activity(self) -> None:
        """Remember that something was queued in this jiffy; older than the look-back is forgotten."""
        now = self._jiffies()
        history = self._history
        if history and history[-1] == now:
            return
        history.append(now)
        oldest = (now // WORD_JIFFIES - HISTORY_WORDS + 1) * WORD_JIFFIES
        while history[0] < oldest:
            history.popleft()

    def _check_stall(self) -> None:
        """A stall: nothing completed for ``stall_thrs``, though something was queued in the first half of it."""
        now = self._jiffies()
        if now >= self.last_reap + self.stall_thrs:
            newest = now - self.stall_thrs // 2
            for when in self._history:
                if when > newest:
                    break
                if when > self.last_reap:
                    self.stall_cnt += 1
                    self.stall_max = max(self.stall_max, (now - when) & 0xFFFF)
                    break
        self.last_reap = now

    # The knobs as sysfs has them: text in, text out, times in milliseconds but for stall_max (jiffies).

    def show(self, knob: str) -> str:
        """The knob's text without newline; :class:`KeyError` names an unknown one."""
        match knob:
            case "limit":
                return str(self.limit)
            case "limit_min":
                return str(self.min_limit)
            case "limit_max":
                return str(self.max_limit)
            case "inflight":
                return str(self.inflight)
            case "hold_time":
                return str(self._to_ms(self.slack_hold_time))
            case "stall_thrs":
                return str(self._to_ms(self.stall_thrs))
            case "stall_max":
                return str(self.stall_max)
            case "stall_cnt":
                return str(self.stall_cnt)
        raise KeyError(f"no byte_queue_limits/{knob}")

    def store(self, knob: str, text: str) -> None:
        """Write a knob. Limits act at the next completion only.

        :class:`KnobError` (EINVAL, ERANGE or EACCES) where Linux refuses.
        """
        match knob:
            case "limit":
                self.limit = self._limit(knob, text)
            case "limit_min":
                self.min_limit = self._limit(knob, text)
            case "limit_max":
                self.max_limit = self._limit(knob, text)
            case "hold_time":
                self.slack_hold_time = self._to_jiffies(_u32(knob, text))
            case "stall_thrs":
                self.set_stall_thrs(self._to_jiffies(_u32(knob, text)))
            case "stall_max":
                self.stall_max = 0
            case "inflight" | "stall_cnt":
                raise KnobError("EACCES", knob, text, "read-only")
            case _:
                raise KeyError(f"no byte_queue_limits/{knob}")

    def set_stall_thrs(self, jiffies: int) -> None:
        """Arm the stall detector (0 = off); the silence that counts begins now."""
        if jiffies and not STALL_THRS_MIN <= jiffies <= STALL_THRS_MAX:
            what = f"0 or {STALL_THRS_MIN}..{STALL_THRS_MAX} jiffies"
            raise KnobError("ERANGE", "stall_thrs", f"{jiffies} jiffies", what)
        if jiffies and not self.stall_thrs:
            self.last_reap = self._jiffies()
        self.stall_thrs = jiffies

    @staticmethod
    def _limit(knob: str, text: str) -> int:
        value = MAX_LIMIT if text.removesuffix("\n") == "max" else _u32(knob, text)
        if value > MAX_LIMIT:
            raise KnobError("EINVAL", knob, text, f"0..{MAX_LIMIT} or max")
        return value

    def _to_jiffies(self, ms: int) -> int:
        return -(-ms * self.hz // 1000)

    def _to_ms(self, jiffies: int) -> int:
        return jiffies * 1000 // self.hz


def _u32(knob: str, text: str) -> int:
    """As kstrtouint does: decimal digits, an optional plus sign and one final newline."""
    digits = text.removesuffix("\n").removeprefix("+")
    if not (digits.isascii() and digits.isdigit()):
        raise KnobError("EINVAL", knob, text, "an unsigned decimal number")
    value = int(digits)
    if value > U32:
        raise KnobError("ERANGE", knob, text, "an unsigned 32-bit number")
    return value
