"""What a TCP sender can be set to: socket options and sysctls, by their names, with Linux 6.12's defaults."""

from __future__ import annotations

from dataclasses import dataclass

from ringwire.ranges import check
from ringwire.transport import sendbuffer
from ringwire.transport.congestion.base import INITIAL_WINDOW
from ringwire.transport.rtt import RTO_MIN_US

LIMIT_OUTPUT_BYTES = 1 << 20
"""sysctl net.ipv4.tcp_limit_output_bytes."""


@dataclass(frozen=True, slots=True)
class TcpSettings:
    """Of one connection. ValueError for what can't be."""

    congestion: str = "cubic"
    initial_cwnd: int = INITIAL_WINDOW
    """Segments (``ip route ... initcwnd``)."""
    ecn: bool = False
    """sysctl net.ipv4.tcp_ecn on both sides."""
    nodelay: bool = False
    """TCP_NODELAY: no Nagle."""
    sndbuf: int | None = None
    """Bytes of truesize (twice of what SO_SNDBUF is told); None: from ``wmem_default`` up to ``wmem_max``."""
    wmem_default: int = sendbuffer.WMEM_DEFAULT
    wmem_max: int = sendbuffer.WMEM_MAX
    max_pacing_rate: int | None = None
    """SO_MAX_PACING_RATE, bytes a second."""
    limit_output_bytes: int | None = LIMIT_OUTPUT_BYTES
    """TCP Small Queues; None: without."""
    pacing_shift: int = 10
    """A super-packet, and what a socket has below it, is 2^-shift seconds of the pacing rate, about 1 ms."""
    min_tso_segs: int = 2
    tso_rtt_log: int = 9
    tso_win_divisor: int = 3
    """sysctl net.ipv4.tcp_tso_win_divisor: a super-packet may wait for more as long as it is less of the window."""
    rto_min_us: int = RTO_MIN_US
    hystart: bool = True
    slow_start_after_idle: bool = True

    def __post_init__(self) -> None:
        for name, low, high in (
            ("initial_cwnd", 1, 10_000),
            ("sndbuf", 4608, 1 << 31),
            ("wmem_default", 4608, 1 << 31),
            ("wmem_max", 4608, 1 << 31),
            ("max_pacing_rate", 1000, 0xFFFFFFFE),
            ("limit_output_bytes", 1, 1 << 31),
            ("pacing_shift", 0, 31),
            ("min_tso_segs", 1, 255),
            ("tso_rtt_log", 0, 31),
            ("tso_win_divisor", 0, 1000),
            ("rto_min_us", 1000, 120_000_000),
        ):
            check(name, getattr(self, name), low, high)
