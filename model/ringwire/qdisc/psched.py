"""The packet schedulers' arithmetic of time: a rate as a multiplication, and tc's ticks.

After net/sched/sch_generic.c and include/net/sch_generic.h of Linux 6.12, and tc/tc_core.c of iproute2 6.1.
"""

from __future__ import annotations

from dataclasses import dataclass

NS_PER_S = 1_000_000_000
US_PER_S = 1_000_000
TICK_NS = 64
"""A tick of the netlink messages (PSCHED_SHIFT 6)."""
TICKS_PER_US = 1000 / TICK_NS

U32 = 0xFFFF_FFFF

ETHERNET = 1
"""Link layers: a packet takes its bytes, or whole ATM cells."""
ATM = 2
ATM_CELL = 53
ATM_PAYLOAD = 48


def cells(length: int) -> int:
    """Bytes of the ATM cells that ``length`` bytes fill."""
    return -(-length // ATM_PAYLOAD) * ATM_CELL


def precompute(rate_Bps: int) -> tuple[int, int]:
    """(mult, shift): nanoseconds of ``n`` bytes are ``n * mult >> shift``, without a division."""
    if rate_Bps <= 0:
        return 1, 0
    factor, shift = NS_PER_S, 0
    while True:
        mult = factor // rate_Bps & U32
        if mult >> 31 or factor >> 63:
            return mult, shift
        factor <<= 1
        shift += 1


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate and what a packet is charged in it (tc_ratespec): bytes a second, bytes of overhead, of the least."""

    bytes_per_s: int
    overhead: int = 0
    mpu: int = 0
    linklayer: int = ETHERNET


class RateCfg:
    """psched_ratecfg: turns lengths into nanoseconds."""

    __slots__ = ("_atm", "_plain", "mult", "rate", "shift")

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self.mult, self.shift = precompute(rate.bytes_per_s)
        self._atm = rate.linklayer == ATM
        self._plain = not (self._atm or rate.overhead or rate.mpu)

    def l2t_ns(self, length: int) -> int:
        """Nanoseconds that a packet of ``length`` bytes takes."""
        if self._plain:
            return length * self.mult >> self.shift
        rate = self.rate
        length += rate.overhead
        if length < rate.mpu:
            length = rate.mpu
        if self._atm:
            length = cells(length)
        return length * self.mult >> self.shift


def l2t_ns(rate_Bps: int, overhead: int, mpu: int, linklayer: int, length: int) -> tuple[int, int, int]:
    """(mult, shift, ns) of one packet; link layer 0 counts as Ethernet."""
    cfg = RateCfg(Rate(rate_Bps, overhead, mpu, linklayer))
    return cfg.mult, cfg.shift, cfg.l2t_ns(length)


# -- what tc makes of a burst in bytes, and of the kernel's ticks


def us_to_ticks(us: float) -> int:
    """tc_core_time2tick: of whole microseconds, 32 bits."""
    return int((int(us) & U32) * TICKS_PER_US) & U32


def ticks_to_us(ticks: int) -> int:
    """tc_core_tick2time."""
    return int(ticks / TICKS_PER_US) & U32


def xmit_ticks(rate_Bps: int, size: int) -> int:
    """tc_calc_xmittime: ticks that ``size`` bytes take."""
    return us_to_ticks(US_PER_S * (size / rate_Bps))


def xmit_size(rate_Bps: int, ticks: int) -> int:
    """tc_calc_xmitsize: bytes sent in so many ticks."""
    return int(rate_Bps * float(ticks_to_us(ticks)) / US_PER_S) & U32


def ticks_to_ns(ticks: int) -> int:
    """PSCHED_TICKS2NS."""
    return ticks * TICK_NS


def ns_to_ticks(ns: int) -> int:
    """PSCHED_NS2TICKS, as a 32-bit field of a message holds it."""
    return ns // TICK_NS & U32


def burst_ns(rate_Bps: int, size: int) -> int:
    """Nanoseconds of a burst that tc sends in ticks (htb, police)."""
    return ticks_to_ns(xmit_ticks(rate_Bps, size))
