"""An upload over DSL, with and without a shaper before the modem."""

from __future__ import annotations

from ringwire.experiment.published.study import Figure, Run, Study, flow
from ringwire.experiment.results import Results

MS = 1_000_000
LINE_BPS, SHAPER_BPS = 512_000, 486_000
PACKET, SMALLEST = 32 * 53, 2 * 53
"""Bytes on the line of a full packet, 1500 of IP, and of a probe, 50: cells of 53 bytes for each 48 of that and of
PPPoA's 10, rounded up."""
LINE_MS, SHAPER_MS = 8000 * PACKET / LINE_BPS, 8000 * PACKET / SHAPER_BPS
"""What it takes there, and at the shaper's rate."""
EMPTY_MS = 10 + 8000 * SMALLEST / LINE_BPS
"""A probe's way, if there is nothing else: the path's delay and two cells."""
WINDOW = 65_535 // 1448
"""Full packets of a window without scaling."""
MSS = 1448
LINE_KBPS, SHAPER_KBPS = MSS / PACKET * LINE_BPS / 1000, MSS / PACKET * SHAPER_BPS / 1000
"""Payload that fits."""

NO_SMALL_QUEUES = ("flow.upload.limit_output", 0)
"""A router's discipline sees all that hosts send, one's own what small queues let down."""

UNSHAPED = Run("bufferbloat", (("setup.lines", ""),))
SHAPED = Run("bufferbloat")
FIFO = (
    "setup.lines",
    "tc qdisc add dev eth0 root handle 1: stab linklayer atm overhead -4 htb default 10\n"
    "tc class add dev eth0 parent 1: classid 1:10 htb rate 486kbit\n"
    "tc qdisc add dev eth0 parent 1:10 pfifo limit 1000",
)
BY_BYTES = Run(
    "bufferbloat",
    (
        (
            "setup.lines",
            "tc qdisc add dev eth0 root handle 1: htb default 10\n"
            "tc class add dev eth0 parent 1: classid 1:10 htb rate 486kbit\n"
            "tc qdisc add dev eth0 parent 1:10 fq_codel",
        ),
    ),
)


def median_ms(results: Results) -> float:
    """Of the probe, from its write to the other end of the line."""
    return float(flow(results, "probe")["end_to_end_p50_ns"]) / MS


def longest_ms(results: Results) -> float:
    """The same, the maximum."""
    return float(flow(results, "probe")["end_to_end_max_ns"]) / MS


def goodput_kbps(results: Results) -> float:
    """Payload that the upload's receiver got, from the handshake on."""
    return float(flow(results, "upload")["goodput_bps"]) / 1000


BUFFERBLOAT = Study(
    key="bufferbloat",
    title="An upload, a modem's buffer, and a shaper before it",
    source="J. D. Brouer, Optimization of TCP/IP Traffic Across Shared ADSL (thesis)",
    text=(
        "One TCP upload through a DSL modem of 512 kbit/s fills its buffer with all that the receiver's window "
        "allows, and a probe of 64 bytes, sent every 97 ms, waits behind it; the discipline of the host's 100 Mbit/s "
        "port is empty and has no say. htb at 95% of the line before fq_codel keeps the queue in the host, where the "
        "probe passes it. The shaper alone does not help: with a FIFO in fq_codel's place the queue waits in the host "
        "instead of the modem, all of the window if a router forwards it, and what small queues let down if the "
        "sender is the host itself. Nor does it help if htb does not count cells: 95% of the line in bytes of frames "
        "is 106% of it in cells, and what is too much gathers in the modem."
    ),
    figures=(
        Figure(
            "probe's way, no shaper: median",
            "ms",
            UNSHAPED,
            median_ms,
            (EMPTY_MS + (WINDOW - 2.3) * LINE_MS, EMPTY_MS + (WINDOW - 1.6) * LINE_MS),
            1200,
            "45 packets of 32 cells take 1192 ms; delayed acknowledgements keep 1.3 of them out of the buffer, the 20 "
            "ms there and back up to 1.0, as runs without show",
        ),
        Figure(
            "htb 95% with linklayer atm, fq_codel: median",
            "ms",
            SHAPED,
            median_ms,
            (EMPTY_MS + SHAPER_MS / 2, EMPTY_MS + 0.75 * SHAPER_MS),
            None,
            "half of a packet of 28 ms, or of TCP's smallest super-packet, two of them",
        ),
        Figure(
            "the same: longest",
            "ms",
            SHAPED,
            longest_ms,
            (EMPTY_MS + 1.9 * SHAPER_MS, EMPTY_MS + 2 * SHAPER_MS),
            None,
            "all of a super-packet of two",
        ),
        Figure(
            "the same with a pfifo as leaf: median",
            "ms",
            Run("bufferbloat", (FIFO,)),
            median_ms,
            (EMPTY_MS + 6.5 * SHAPER_MS, EMPTY_MS + 7.5 * SHAPER_MS),
            None,
            "small queues let three super-packets of two down, and one packet is on its way",
        ),
        Figure(
            "pfifo as leaf, without small queues: median",
            "ms",
            Run("bufferbloat", (FIFO, NO_SMALL_QUEUES)),
            median_ms,
            (EMPTY_MS + (WINDOW - 2.3) * SHAPER_MS, EMPTY_MS + (WINDOW - 1.6) * SHAPER_MS),
            None,
            "the window, at the shaper instead of the modem",
        ),
        Figure(
            "fq_codel as leaf, without small queues: median",
            "ms",
            Run("bufferbloat", (NO_SMALL_QUEUES,)),
            median_ms,
            (EMPTY_MS + 0.75 * SHAPER_MS, EMPTY_MS + SHAPER_MS),
            None,
            "as with them, however much waits behind the probe; super-packets are larger a little more often",
        ),
        Figure(
            "htb 95% in bytes, fq_codel: median",
            "ms",
            BY_BYTES,
            median_ms,
            (505, 533),
            None,
            "the line falls behind by 32 kbit a second, until the window or a drop at the shaper ends it",
        ),
        Figure(
            "upload's goodput, no shaper",
            "kbit/s",
            UNSHAPED,
            goodput_kbps,
            (0.98 * LINE_KBPS, 0.99 * LINE_KBPS),
            None,
            "1448 of 1696 bytes, less the slow start",
        ),
        Figure(
            "htb 95% with linklayer atm, fq_codel",
            "kbit/s",
            SHAPED,
            goodput_kbps,
            (0.97 * SHAPER_KBPS, 0.99 * SHAPER_KBPS),
            None,
            "95% of that; two packets in one are charged a cell less, and drops cost some",
        ),
    ),
)
