"""What tc computes from the words that describe RED: the average's weight, the slope, the table of idle times.

After tc/tc_red.c of iproute2 6.1; the kinds red, sfq, gred and choke have this in common.
"""

from __future__ import annotations

from math import log

from ringwire.qdisc.psched import xmit_ticks
from ringwire.qdisc.red_law import MAX_SHIFT, STAB_SIZE

DEFAULT_RATE_BPS = 1_250_000
"""10 Mbit/s, in bytes a second."""
DEFAULT_PROBABILITY = 0.02
LARGE_WLOG = 10
"""From here on tc warns of the burst."""
MAX_STAB = 31


def eval_ewma(qth_min: int, burst: int, avpkt: int) -> int | None:
    """Wlog, the smallest with which ``burst`` packets in a row do not lift the average to ``qth_min``; None: none."""
    excess = burst + 1 - qth_min / avpkt
    if excess < 1:
        return None
    weight = 0.5
    for wlog in range(1, MAX_SHIFT):
        if excess <= (1 - (1 - weight) ** burst) / weight:
            return wlog
        weight /= 2
    return None


def eval_p(qth_min: int, qth_max: int, probability: float) -> int | None:
    """Plog, the probability per byte as a power of two; None if there is none."""
    if qth_max == qth_min:
        return 0
    if qth_max < qth_min:
        return None
    slope = probability / (qth_max - qth_min)
    for plog in range(MAX_SHIFT):
        if slope > 1:
            return plog
        slope *= 2
    return None


def eval_idle_damping(wlog: int, avpkt: int, rate_Bps: int) -> tuple[int, bytes] | None:
    """(Scell_log, table) of a line of this rate; None if the times are out of range."""
    ticks = xmit_ticks(rate_Bps, avpkt)
    if not ticks:
        # a packet takes no whole microsecond: tc computes an infinite decay, which x86-64 stores as none
        return 0, bytes([*[0] * (STAB_SIZE - 1), MAX_STAB])
    decay = -log(1 - 1 / (1 << wlog)) / ticks
    for scell_log in range(MAX_SHIFT):
        if MAX_STAB / decay / (1 << scell_log) < 2 * STAB_SIZE:
            break
    else:
        return None
    table = [min(int((index << scell_log) * decay), MAX_STAB) for index in range(STAB_SIZE - 1)]
    return scell_log, bytes([*table, MAX_STAB])


def max_p(probability: float) -> int:
    """The probability as the kernel takes it, of 2 ** 32 and of 32 bits."""
    return int(probability * 2**32) & 0xFFFF_FFFF
