"""Random Early Detection: an averaged queue length, and whom it marks. What red, sfq, gred and choke have in common.

After include/net/red.h of Linux 6.12; Floyd and Jacobson, "Random Early Detection Gateways for Congestion Avoidance"
(1993), and Floyd, Gummadi and Shenker, "Adaptive RED" (2001).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.psched import U32

if TYPE_CHECKING:
    from ringwire.qdisc.device import QdiscDevice, Timer

DONT_MARK = 0
PROB_MARK = 1
"""Between the thresholds the lot fell on this packet."""
HARD_MARK = 2
"""The average is at the upper threshold or above."""

STAB_SIZE = 256
NO_STAB = bytes(STAB_SIZE)
MAX_SHIFT = 32
NS_PER_US = 1000
ADAPT_PERIOD_NS = 500_000_000

_ONE_PERCENT = (2**32 + 50) // 100
_MAX_P_LEAST = _ONE_PERCENT
_MAX_P_MOST = 50 * _ONE_PERCENT


@dataclass(frozen=True, slots=True)
class RedSpec:
    """What a ``tc`` line comes to (struct tc_red_qopt, its table and max_P); thresholds in bytes, or in packets."""

    qth_min: int = 0
    qth_max: int = 0
    wlog: int = 0
    """The average's weight is 2 ** -wlog."""
    plog: int = 0
    """The marking probability's slope is 2 ** -plog; only used if ``max_p`` is 0."""
    scell_log: int = 0
    """An entry of ``stab`` stands for 2 ** scell_log microseconds."""
    stab: bytes | None = None
    """By how much the average is shifted right after so long an idle time."""
    max_p: int = 0
    """Marking probability at the upper threshold, of 2 ** 32."""

    def check(self) -> None:
        """QdiscError if the kernel would refuse it (red_check_params)."""
        largest = max(self.qth_min.bit_length(), self.qth_max.bit_length())
        if (
            largest + self.wlog >= MAX_SHIFT
            or self.scell_log >= MAX_SHIFT
            or self.qth_max < self.qth_min
            or (self.stab is not None and max(self.stab) >= MAX_SHIFT)
        ):
            raise QdiscError("EINVAL")


class RedVars:
    """One queue's average, and how long ago it last marked."""

    __slots__ = ("idle_since_ns", "qR", "qavg", "qcount")

    def __init__(self) -> None:
        self.qavg = 0
        """Average queue length, times 2 ** wlog."""
        self.qcount = -1
        """Packets since the last one marked; -1: the average was not between the thresholds."""
        self.qR = 0
        """The lot drawn: how far the count goes until the next mark."""
        self.idle_since_ns: int | None = None

    def restart(self) -> None:
        """Forget all but the lot (red_restart)."""
        self.idle_since_ns = None
        self.set()

    def set(self) -> None:
        """New parameters: the average of before means nothing under them (red_set_vars)."""
        self.qavg = 0
        self.qcount = -1


class RedParms:
    """The parameters in force, in the units that a packet is judged in."""

    __slots__ = (
        "_delta",
        "_per_packet",
        "_qth_max",
        "_qth_min",
        "_scell_max",
        "_target_max",
        "_target_min",
        "max_p",
        "scell_log",
        "spec",
        "stab",
        "wlog",
    )

    def __init__(self, spec: RedSpec, stab: bytes = NO_STAB) -> None:
        """``stab`` holds if the specification has none (red_set_parms keeps the table of before)."""
        self.spec = spec
        self.wlog = spec.wlog
        self.scell_log = spec.scell_log
        self.stab = stab if spec.stab is None else spec.stab
        self._scell_max = 255 << spec.scell_log
        self._qth_min = spec.qth_min << spec.wlog
        self._qth_max = spec.qth_max << spec.wlog
        delta = self._delta = max(spec.qth_max - spec.qth_min, 1)
        self.max_p = spec.max_p or (U32 >> spec.plog if spec.plog < MAX_SHIFT else U32) * delta & U32
        """Marking probability at the upper threshold; adaptive RED changes it."""
        self._per_packet = max(self.max_p // delta, 1)
        self._target_min = spec.qth_min + delta // 5 * 2
        self._target_max = spec.qth_min + delta // 5 * 3

    @property
    def per_packet(self) -> int:
        """``max_p`` per byte (or packet) between the thresholds: a lot is a random number divided by this."""
        return self._per_packet

    def average(self, state: RedVars, backlog: int, now_ns: int) -> int:
        """The average with the queue's length at this moment, or after an idle time (red_calc_qavg)."""
        if state.idle_since_ns is not None:
            return self.average_after_idle(state, now_ns)
        return state.qavg + backlog - (state.qavg >> self.wlog)

    def average_after_idle(self, state: RedVars, now_ns: int) -> int:
        """The average as if small packets had been sent meanwhile: by table, for short times linearly."""
        assert state.idle_since_ns is not None
        idle_us = min((now_ns - state.idle_since_ns) // NS_PER_US, self._scell_max)
        qavg = state.qavg
        shift = self.stab[idle_us >> self.scell_log]
        if shift:
            return qavg >> shift
        decay = qavg * idle_us >> self.scell_log
        return qavg - decay if decay < qavg >> 1 else qavg >> 1

    def action(self, state: RedVars, qavg: int, random_u32: Callable[[], int]) -> int:
        """DONT_MARK, PROB_MARK or HARD_MARK for the packet at hand (red_action)."""
        if qavg < self._qth_min:
            state.qcount = -1
            return DONT_MARK
        if qavg >= self._qth_max:
            state.qcount = -1
            return HARD_MARK
        state.qcount += 1
        if not state.qcount:
            state.qR = random_u32() // self._per_packet
        elif (qavg - self._qth_min >> self.wlog) * state.qcount >= state.qR:
            state.qcount = 0
            state.qR = random_u32() // self._per_packet
            return PROB_MARK
        return DONT_MARK

    def adapt(self, state: RedVars, now_ns: int) -> None:
        """Move ``max_p`` so that the average stays near the middle of its range (red_adaptative_algo)."""
        qavg = state.qavg if state.idle_since_ns is None else self.average_after_idle(state, now_ns)
        qavg >>= self.wlog
        if qavg > self._target_max and self.max_p <= _MAX_P_MOST:
            self.max_p += min(_MAX_P_LEAST, self.max_p // 4)
        elif qavg < self._target_min and self.max_p >= _MAX_P_LEAST:
            self.max_p = self.max_p // 10 * 9
        self._per_packet = max((self.max_p + self._delta // 2) // self._delta, 1)


class Adapter:
    """The timer of adaptive RED."""

    __slots__ = ("_adapt", "_dev", "_timer")

    def __init__(self, dev: QdiscDevice, adapt: Callable[[], None]) -> None:
        self._dev = dev
        self._adapt = adapt
        self._timer: Timer | None = None

    def start(self) -> None:
        """Adapt every half a second, from half a second on."""
        self.stop()
        self._timer = self._dev.call_at(self._dev.now_ns() + ADAPT_PERIOD_NS, self._fire)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fire(self) -> None:
        self._timer = None
        self._adapt()
        self.start()
