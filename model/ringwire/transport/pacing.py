"""How much TCP sends at once: TSO autosizing, TCP Small Queues and the pacing rate, as pure functions.

After tcp_tso_autosize, tcp_small_queue_check (net/ipv4/tcp_output.c) and tcp_update_pacing_rate (net/ipv4/tcp_input.c)
of Linux 6.12; integers as there. Rates are bytes a second.
"""

from __future__ import annotations

from enum import IntEnum

NO_RATE_LIMIT = 0xFFFFFFFF
"""A ``max_pacing_rate`` that says: none."""
NO_MIN_RTT = 0xFFFFFFFF
"""A ``min_rtt_us`` that says: not known yet."""
SS_RATIO = 200
"""sysctl net.ipv4.tcp_pacing_ss_ratio, percent: below half of ssthresh, where the window doubles in a round trip."""
CA_RATIO = 120
"""sysctl net.ipv4.tcp_pacing_ca_ratio, percent."""
_RATE_UNIT = (1_000_000 // 100) << 3
"""For ratios in percent and a smoothed round trip in eighths of a microsecond."""
_GSO_SIZE_BITS = 32
"""From this exponent on a round trip is too long for ``gso_max_size >> r`` to be anything."""


class PacingStatus(IntEnum):
    """Who holds packets back until they are due (sk_pacing_status)."""

    NONE = 0
    NEEDED = 1
    """TCP itself, by a timer."""
    FQ = 2
    """The qdisc fq."""


def tso_autosize(
    pacing_rate: int,
    pacing_shift: int,
    min_rtt_us: int,
    tso_rtt_log: int,
    gso_max_size: int,
    gso_max_segs: int,
    mss: int,
    min_tso_segs: int,
) -> int:
    """Segments of a super-packet: what the rate sends in 2^-shift s, and more where the round trip is short.

    Sizes in bytes. ``tso_rtt_log``: what is added halves with each 2^log microseconds of the round trip.
    """
    size = pacing_rate >> pacing_shift
    r = min_rtt_us >> tso_rtt_log
    if r < _GSO_SIZE_BITS:
        size += gso_max_size >> r
    return min(max(min(size, gso_max_size) // mss, min_tso_segs), gso_max_segs)


def small_queue_limit(
    pacing_rate: int, pacing_shift: int, pacing_status: int, limit_output_bytes: int, truesize: int, factor: int
) -> int:
    """Bytes of truesize that a socket may have below it (qdisc and device) before it waits."""
    limit = max(2 * truesize, pacing_rate >> pacing_shift)
    if pacing_status == PacingStatus.NONE:
        limit = min(limit, limit_output_bytes)
    return limit << factor


def small_queue_throttled(
    pacing_rate: int,
    pacing_shift: int,
    pacing_status: int,
    limit_output_bytes: int,
    truesize: int,
    factor: int,
    wmem_alloc: int,
    rtx_queue_len: int,
) -> bool:
    """Whether the next packet, of ``truesize`` bytes, has to wait until an earlier one has left the device.

    ``factor`` is 0, or 1 for a retransmission; ``rtx_queue_len`` is how many packets are sent and not acknowledged:
    with less than two the next one goes, or a device that is slow to complete would stall the flow.
    """
    limit = small_queue_limit(pacing_rate, pacing_shift, pacing_status, limit_output_bytes, truesize, factor)
    return wmem_alloc > limit and rtx_queue_len > 1


def pacing_rate_of(
    mss: int,
    cwnd: int,
    ssthresh: int,
    packets_out: int,
    srtt_us_shl3: int,
    max_pacing_rate: int = NO_RATE_LIMIT,
    ss_ratio: int = SS_RATIO,
    ca_ratio: int = CA_RATIO,
) -> int:
    """What a window in a round trip is as a rate, and some more, so that pacing is not what limits the flow.

    ``srtt_us_shl3`` is in eighths of a microsecond, 0: not known.
    """
    ratio = ss_ratio if cwnd < ssthresh // 2 else ca_ratio
    rate = mss * _RATE_UNIT * ratio * max(cwnd, packets_out)
    if srtt_us_shl3:
        rate //= srtt_us_shl3
    return rate if max_pacing_rate == NO_RATE_LIMIT else min(rate, max_pacing_rate)
