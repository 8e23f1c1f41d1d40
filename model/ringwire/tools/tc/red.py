"""What tc computes from the words that describe RED: the average's weight, the slope, the table of idle times.

After tc/tc_red.c of iproute2 6.1; the kinds red, sfq, gred and choke have this in common.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from math import log

from ringwire.qdisc.psched import xmit_ticks
from ringwire.qdisc.red_law import MAX_SHIFT, STAB_SIZE, RedSpec
from ringwire.tools.tc.errors import said
from ringwire.tools.tc.output import Output
from ringwire.tools.words import Word

DEFAULT_RATE_BPS = 1_250_000
"""10 Mbit/s, in bytes a second."""
DEFAULT_PROBABILITY = 0.02
LARGE_WLOG = 10
"""From here on tc warns of the burst."""
MAX_STAB = 31
FLAGS = ("ecn", "harddrop", "adaptive", "nodrop")
"""In the order they are shown in."""
_LEADING_NUMBER = re.compile(r"\s*[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class RedLine:
    """The words of a line: thresholds in bytes, ``burst`` in packets of ``avpkt`` bytes, a rate in bytes a second."""

    qth_min: int
    qth_max: int
    burst: int
    avpkt: int
    probability: float = DEFAULT_PROBABILITY
    rate_Bps: int = DEFAULT_RATE_BPS


def usual_burst(qth_min: int, qth_max: int, avpkt: int) -> int:
    """Packets, where the line does not say: that of Floyd's recommendations. All of 32 bits, as tc counts."""
    per_packet = 3 * avpkt & 0xFFFF_FFFF
    return (2 * qth_min + qth_max & 0xFFFF_FFFF) // per_packet if per_packet else 0


def evaluate(line: RedLine, word: Word, name: str, remarks: str = "", *, stab: bool = True) -> RedSpec:
    """What is sent to the kernel, or an error that begins with tc's ``remarks`` so far; ``name`` is a kind's, RED."""
    if not line.avpkt:
        # tc itself dies of a division by zero
        raise said(word, f"{remarks}{name}: failed to calculate EWMA constant.")
    wlog = eval_ewma(line.qth_min, line.burst, line.avpkt)
    if wlog is None:
        if line.burst + 1 - line.qth_min / line.avpkt < 1:
            least = 1 + line.qth_min // line.avpkt
            remarks += f"tc_red_eval_ewma() burst {line.burst} is too small ? Try burst {least}\n"
        raise said(word, f"{remarks}{name}: failed to calculate EWMA constant.")
    if wlog >= LARGE_WLOG:
        remarks += f"{name}: WARNING. Burst {line.burst} seems to be too large.\n"
    plog = eval_p(line.qth_min, line.qth_max, line.probability)
    if plog is None:
        raise said(word, f"{remarks}{name}: failed to calculate probability.")
    spec = RedSpec(line.qth_min, line.qth_max, wlog, plog, max_p=max_p(line.probability))
    if not stab:
        return spec
    damping = eval_idle_damping(wlog, line.avpkt, line.rate_Bps)
    if damping is None:
        raise said(word, f"{remarks}{name}: failed to calculate idle damping table.")
    return replace(spec, scell_log=damping[0], stab=damping[1])


def parse_probability(text: str) -> float:
    """As tc takes it: whatever follows the number is not looked at, nor whether it is between 0 and 1."""
    number = _LEADING_NUMBER.match(text)
    if number is None:
        raise ValueError("not a number")
    return float(number.group())


def show_flags(out: Output, *flags: str) -> None:
    """The flags that are set; all of them in JSON."""
    for name in FLAGS:
        out.item(name, f"{name} " if name in flags else "", name in flags)


def show_probability(out: Output, probability: float) -> None:
    """Six digits, in JSON too."""
    out.item("probability", f"probability {probability:g} ", float(f"{probability:g}"))


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
