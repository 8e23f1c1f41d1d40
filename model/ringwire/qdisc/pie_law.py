"""PIE: drops at random, with a probability that follows the queueing delay and where it is heading (RFC 8033).

Times are scheduler ticks of 64 ns, probabilities parts of :data:`MAX_PROB`. After net/sched/sch_pie.c and
include/net/pie.h of Linux 6.12. As there, and unlike RFC 8033, a long overload takes the probability beyond 1.
"""

from __future__ import annotations

from collections.abc import Callable

from ringwire.qdisc.psched import NS_PER_S, TICK_NS, U32

MAX_PROB = (1 << 56) - 1
U64 = 0xFFFF_FFFF_FFFF_FFFF
TICKS_PER_S = NS_PER_S // TICK_NS
GAIN_SHIFT = 4
"""``alpha`` and ``beta`` are sixteenths."""
BURST_TICKS = 150_000_000 // TICK_NS
"""How long a queue that was idle may grow without drops."""
HIGH_DELAY_TICKS = 250_000_000 // TICK_NS
"""Delay above which the probability grows faster."""
STEP = MAX_PROB // 50
"""2 %: the most that it grows at once, above 10 %."""
ACCUMULATED_LEAST = MAX_PROB // 100 * 85
"""Sum of probabilities since the last drop before which there is none."""
ACCUMULATED_MOST = MAX_PROB // 2 * 17
"""Sum at which a drop is sure."""
MEASURED = 16384
"""Bytes over which the drain rate is measured, and which must be queued for that."""
RATE_SHIFT = 8
NOT_MEASURING = -1
NO_TIME = -1


class Pie:
    """Parameters and state of the controller for one queue."""

    __slots__ = (
        "accumulated",
        "alpha",
        "avg_dq_rate",
        "beta",
        "burst",
        "bytemode",
        "delay",
        "delay_old",
        "dq_count",
        "dq_rate_estimator",
        "dq_time",
        "prob",
        "target",
    )

    def __init__(self) -> None:
        self.target = 15_000_000 // TICK_NS
        self.alpha = 2
        self.beta = 20
        self.bytemode = False
        """Small packets are dropped less often."""
        self.dq_rate_estimator = False
        """Delay is computed from the drain rate instead of the packets' time stamps."""
        self.prob = 0
        self.delay = self.delay_old = 0
        self.restart()

    def restart(self) -> None:
        """A new cycle of measurement, with a new burst allowance; probability and delay stay."""
        self.burst = BURST_TICKS
        self.accumulated = 0
        self.avg_dq_rate = 0
        """Bytes a tick, times 256."""
        self.dq_count = NOT_MEASURING
        self.dq_time = NO_TIME

    def drop_early(self, backlog: int, size: int, mtu: int, random_u32: Callable[[], int]) -> bool:
        """Whether to drop (or mark) the packet of ``size`` bytes that comes; RFC 8033, 4.1 and 5.1."""
        if self.burst > 0:
            return False
        if self.delay < self.target // 2 and self.prob < MAX_PROB // 5:
            return False
        if backlog < 2 * mtu:
            return False
        prob = size * (self.prob // mtu) if self.bytemode and size <= mtu else self.prob
        self.accumulated = self.accumulated + prob & U64 if prob else 0
        if self.accumulated < ACCUMULATED_LEAST:
            return False
        if self.accumulated >= ACCUMULATED_MOST:
            return True
        if (random_u32() | random_u32() << 32) >> 8 < prob:
            self.accumulated = 0
            return True
        return False

    def departed(self, now: int, enqueued: int, size: int, backlog: int) -> None:
        """A packet has left ``backlog`` bytes behind: learn the delay and use up burst allowance."""
        if self.dq_rate_estimator:
            elapsed = self._measure(now, size, backlog)
        else:
            self.delay = now - enqueued if backlog else 0
            elapsed = 0 if self.dq_time == NO_TIME else now - self.dq_time
            self.dq_time = now
        if elapsed:
            self.burst = max(self.burst - elapsed, 0)

    def _measure(self, now: int, size: int, backlog: int) -> int:
        """Drain rate over the last :data:`MEASURED` bytes; the time these took, or 0 until they are through."""
        if backlog >= MEASURED and self.dq_count == NOT_MEASURING:
            self.dq_time = now
            self.dq_count = 0
        if self.dq_count == NOT_MEASURING:
            return 0
        self.dq_count += size
        if self.dq_count < MEASURED:
            return 0
        elapsed = now - self.dq_time & U32
        if not elapsed:
            return 0
        rate = (self.dq_count << RATE_SHIFT & U32) // elapsed
        average = self.avg_dq_rate
        self.avg_dq_rate = average - (average >> 3) + (rate >> 3) if average else rate
        if backlog < MEASURED:
            self.dq_count = NOT_MEASURING
        else:
            self.dq_count = 0
            self.dq_time = now
        return elapsed

    def update(self, backlog: int) -> None:
        """The periodic step: a new probability; RFC 8033, 4.2 and 5.2 to 5.5."""
        if self.dq_rate_estimator:
            delay_old = self.delay_old = self.delay
            delay = (backlog << RATE_SHIFT & U32) // self.avg_dq_rate if self.avg_dq_rate else 0
        else:
            delay, delay_old = self.delay, self.delay_old
        may_decay = bool(delay) or not backlog

        alpha, beta = self._gains()
        delta = alpha * (delay - self.target) + beta * (delay - delay_old)
        if delta > STEP and self.prob >= MAX_PROB // 10:
            delta = MAX_PROB // 100 * 2
        if delay > HIGH_DELAY_TICKS:
            delta += STEP
        self.prob += delta
        if self.prob > U64:
            self.prob = MAX_PROB
            may_decay = False
        elif self.prob < 0:
            self.prob = 0
        if not delay and not delay_old and may_decay:
            self.prob -= self.prob // 64

        self.delay = delay
        half = self.target // 2
        calm = delay < half and self.delay_old < half and not self.prob
        if calm and (not self.dq_rate_estimator or self.avg_dq_rate):
            self.restart()
        if not self.dq_rate_estimator:
            self.delay_old = delay

    def _gains(self) -> tuple[int, int]:
        """Change of probability a tick of delay above target, and a tick that it grew: less, the lower it is."""
        unit = MAX_PROB // TICKS_PER_S
        alpha, beta = self.alpha * unit >> GAIN_SHIFT, self.beta * unit >> GAIN_SHIFT
        if self.prob < MAX_PROB // 10:
            alpha >>= 1
            beta >>= 1
            power = 100
            while power <= 1_000_000 and self.prob < MAX_PROB // power:
                alpha >>= 2
                beta >>= 2
                power *= 10
        return alpha, beta
