"""fq's parameters and what it counts."""

from __future__ import annotations

from dataclasses import dataclass

from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.options import option, shown

BANDS = 3
DEFAULT_WEIGHTS = (9 << 16, 3 << 16, 1 << 16)
MIN_WEIGHT = 16384
MIN_QUANTUM, MAX_QUANTUM = 256, 1 << 20
DEFAULT_BUCKETS_LOG, MAX_BUCKETS_LOG = 10, 18
NS_PER_US = 1000
US_PER_S = 1_000_000


@dataclass(frozen=True, slots=True)
class FqParams:
    """Limits in packets (``limit`` of each band), quanta and weights in bytes, times in us but for ``timer_slack``."""

    limit: int | None = option("number", shown="packets")
    flow_limit: int | None = option("number", shown="packets")
    buckets: int | None = option("number")
    orphan_mask: int | None = option("number")
    pacing: bool | None = option("flag", negative="nopacing")
    quantum: int | None = option("number", shown="size")
    initial_quantum: int | None = option("number", shown="size")
    maxrate: int | None = option("link_rate")
    defrate: int | None = option("link_rate", shown="")
    """Read and ignored, as Linux does."""
    low_rate_threshold: int | None = option("rate")
    refill_delay: int | None = option("time")
    ce_threshold: int | None = option("time")
    timer_slack: int | None = option("time_ns")
    horizon: int | None = option("time")
    horizon_drop: bool | None = option("flag", negative="horizon_cap")
    bands: int | None = option("number", shown="")
    """Three; the word comes before ``priomap``."""
    priomap: tuple[int, ...] | None = option("numbers")
    weights: tuple[int, ...] | None = option("numbers")

    def validate(self) -> None:
        """QdiscError if one can't be."""
        if self.bands not in (None, BANDS):
            raise QdiscError("EINVAL", f"sch_fq: FQ only supports {BANDS} bands")
        if self.priomap is not None:
            for priority, band in enumerate(self.priomap):
                if band >= BANDS:
                    raise QdiscError("EINVAL", f"sch_fq: FQ priomap field {priority} maps to a too high band {band}")
        for weight in self.weights or ():
            if weight < MIN_WEIGHT:
                raise QdiscError("EINVAL", f"sch_fq: Weight {weight} less that minimum allowed {MIN_WEIGHT}")
        if self.initial_quantum is not None and self.initial_quantum > MAX_QUANTUM:
            raise QdiscError("ERANGE")


@dataclass(frozen=True, slots=True)
class FqStats:
    """Counts since the beginning but for the flows; times in ns. Zeros that tc leaves out are None."""

    flows: int = shown("number", default=0)
    inactive_flows: int = shown("number", default=0)
    throttled_flows: int = shown("number", default=0)
    next_packet_delay: int | None = shown("time_ns")
    gc: int = shown("number", default=0)
    throttled: int = shown("number", default=0)
    latency: int | None = shown("time_ns")
    ce_mark: int | None = shown("number")
    flows_plimit: int | None = shown("number")
    pkts_too_long: int | None = shown("number")
    horizon_drops: int | None = shown("number")
    horizon_caps: int | None = shown("number")


def clamp_quantum(quantum: int) -> int:
    """As Linux bounds it."""
    return max(MIN_QUANTUM, min(quantum, MAX_QUANTUM))
