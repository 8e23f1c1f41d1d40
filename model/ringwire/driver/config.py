"""What ringwire's driver can be told: the knobs of ``ethtool -G`` and ``-C``, and those for experiments."""

from __future__ import annotations

from dataclasses import dataclass

from ringwire.host.napi import WEIGHT
from ringwire.nic.registers import MAX_CPL_THRESHOLD, MAX_RING_LOG2, MIN_RING_LOG2

MAX_SKB_FRAGS = 17
STOP_FREE = MAX_SKB_FRAGS + 4
"""Free descriptors below which a queue is stopped: room for any packet of the stack, as Intel's drivers reckon."""
WAKE_FREE = 2 * STOP_FREE

TX_TIMEOUT_MS = 5000
MAX_NS = (1 << 31) - 1
MAX_MOD_FRAMES = (1 << 15) - 1
MAX_RATE_BPS = 1_000_000_000_000


class ConfigError(ValueError):
    """A setting that the device or the driver refuses."""


class BusyError(ConfigError):
    """A setting that can't be changed just now."""

    errno = "EBUSY"


@dataclass(frozen=True, slots=True)
class DriverConfig:
    """Times in nanoseconds, rates in bit/s."""

    ring_entries: int = 256
    """Descriptors of each queue's ring (ethtool -G tx): a power of two, 64 to 32,768; one stays empty."""
    line_rate_bps: int = 0
    """The wire's rate; 0 leaves it to the MAC behind the device."""
    read_latency_ns: int = 1000
    """Host memory's latency, which what is committed to the wire has to cover."""
    mod_ns: int = 0
    """Interrupt this long after a completion at the latest (ethtool -C tx-usecs)."""
    mod_frames: int = 0
    """... or after this many (tx-frames), if it is above 1. With neither, each completion interrupts."""
    adaptive_tx: bool = False
    """The driver chooses ``mod_ns`` by the load (ethtool -C adaptive-tx), queue by queue."""
    cpl_threshold: int = 1
    """Completions that the device gathers before it writes them."""
    cpl_timer_ns: int = 0
    """... or for how long."""
    report_every: int = 1
    """Have the device report each n-th packet of a batch, and always the last."""
    head_write_back: bool = False
    """Reports as one head record instead of completions. There are no time stamps then."""
    complete_at_fetch: bool = False
    """Packets count as done once the device holds them, not once they have left. There are no time stamps then."""
    budget: int = WEIGHT
    """Completions that one poll may take."""
    tx_timeout_ms: int = TX_TIMEOUT_MS
    """A queue that is stopped for longer is stuck, and reset (netdev->watchdog_timeo); looked at on whole seconds."""

    def __post_init__(self) -> None:
        log2 = self.ring_entries.bit_length() - 1
        if self.ring_entries != 1 << max(log2, 0) or not MIN_RING_LOG2 <= log2 <= MAX_RING_LOG2:
            raise ConfigError(
                f"a ring has a power of two of entries, {1 << MIN_RING_LOG2} to {1 << MAX_RING_LOG2}, "
                f"not {self.ring_entries}"
            )
        for name, most in (
            ("line_rate_bps", MAX_RATE_BPS),
            ("read_latency_ns", MAX_NS),
            ("mod_ns", MAX_NS),
            ("mod_frames", MAX_MOD_FRAMES),
            ("cpl_timer_ns", MAX_NS),
        ):
            if not 0 <= getattr(self, name) <= most:
                raise ConfigError(f"{name} is 0 to {most}, not {getattr(self, name)}")
        if not 1 <= self.cpl_threshold <= MAX_CPL_THRESHOLD:
            raise ConfigError(f"cpl_threshold is 1 to {MAX_CPL_THRESHOLD}, not {self.cpl_threshold}")
        if self.report_every < 1 or self.budget < 1 or self.tx_timeout_ms < 1:
            raise ConfigError("report_every, budget and tx_timeout_ms are at least 1")
        if self.mod_frames > 1 and not (self.mod_ns or self.adaptive_tx):
            raise ConfigError("mod_frames needs mod_ns: the last packets of a burst would never be reclaimed")
        if self.cpl_threshold > 1 and not self.cpl_timer_ns:
            raise ConfigError("cpl_threshold needs cpl_timer_ns: the last packets of a burst would never be reclaimed")

    @property
    def ring_log2(self) -> int:
        return self.ring_entries.bit_length() - 1
