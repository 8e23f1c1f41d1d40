"""TCP Small Queues: how long what one bulk sender has in the discipline and the ring takes."""

from __future__ import annotations

from ringwire.experiment.published.study import Figure, Run, Settings, Study, near
from ringwire.experiment.results import Results

MS = 1_000_000
FRAME_BITS = 8 * 1538
"""On the wire, with preamble, FCS and gap."""
SEGMENTS = 45
TRUESIZE = 1448 + 960
"""Memory of a packet of one frame, which is what small queues count."""
SUPER_TRUESIZE = SEGMENTS * 1448 + 960
LIMIT = 131_072
"""tcp_limit_output_bytes when small queues came."""
WMEM_MAX = 4 << 20
TXQUEUELEN = 1000
FREED_AT_ONCE = 16
"""Slots of pfifo_fast's array that are free again only together."""
IN_RING = 3
"""Frames of 1514 bytes that byte queue limits let in."""
HOST_US = 5
"""From a packet's end to the next one's being handed down: the device, the interrupt, NAPI, the tasklet."""
FRAMES: Settings = (("nic.tso", False), ("setup.lines", "ethtool -K eth0 gso off"))
"""No super-packets, neither of the device's nor of the stack's."""
TODAY: Settings = (
    ("flow.bulk.limit_output", 1 << 20),
    ("flow.bulk.pacing_shift", 10),
    ("flow.bulk.hystart", True),
)
"""Linux 6.12's defaults."""


def most_ms(results: Results) -> float:
    """The longest that one of its packets waits from the stack to its first byte on the wire."""
    series = results.series["latency"]
    return float(max(series["qdisc_ns"] + series["ring_ns"] + series["nic_ns"])) / MS


def backlog_bytes(results: Results) -> float:
    """The most in the discipline."""
    return float(max(results.series["qdisc"]["backlog_bytes"]))


def frames_ms(frames: float, rate_mbps: int) -> float:
    """How long so many frames are on the wire."""
    return frames * FRAME_BITS / (1000 * rate_mbps)


def run(rate_mbps: int, *settings: tuple[str, object]) -> Run:
    """A run at 1000 or 100 Mbit/s, each long enough for the queue to be as full as it gets."""
    return Run("small-queues", (("link.rate", f"{rate_mbps}mbit"), *settings))


def times(duration: str, warmup: str, drain: str) -> Settings:
    """Of a run."""
    return (("duration", duration), ("warmup", warmup), ("drain", drain))


def limited(rate_mbps: int, published: float) -> tuple[Figure, Figure]:
    """With small queues of 128 KiB: with and without super-packets."""
    slack = HOST_US / 1000
    slow = times("80ms", "10ms", "12ms") if rate_mbps == 100 else ()
    one, many = frames_ms(SEGMENTS, rate_mbps), frames_ms(LIMIT // TRUESIZE, rate_mbps)
    what = f"{rate_mbps} Mbit/s, 128 KiB"
    return (
        Figure(
            f"{what}, TSO",
            "ms",
            run(rate_mbps, *slow),
            most_ms,
            (one - slack, one),
            published,
            "two super-packets: the second is handed down when the first has left, and waits for the other",
            3,
        ),
        Figure(
            f"{what}, no TSO",
            "ms",
            run(rate_mbps, *slow, *FRAMES),
            most_ms,
            (many - slack, many),
            published,
            "55 frames of 2,408 bytes of memory are the first to pass 131,072; one waits for 54",
            3,
        ),
    )


WITHOUT = ("flow.bulk.limit_output", 0)
UNBOUNDED = run(1000, WITHOUT, *times("45ms", "10ms", "40ms"))
SUPERS = WMEM_MAX // SUPER_TRUESIZE

SMALL_QUEUES = Study(
    key="small-queues",
    title="TCP Small Queues",
    source="E. Dumazet, tcp: TCP Small Queues (Linux 46d3ceabd8d9, 2012)",
    text=(
        "One bulk sender, pfifo_fast; the longest that one of its packets waits in discipline and ring. Published are "
        "bounds, less than 1 ms at 1 Gbit/s and less than 8 ms at 100 Mbit/s, and what it had been. All four are "
        "confirmed with the limit of 128 KiB, each with super-packets and without. Without small queues the send "
        "buffer of 4 MiB bounds a sender of super-packets, and 1,000 packets in the discipline one of frames. Today "
        "the limit is a millisecond of the pacing rate: at 100 Mbit/s far less is queued than then, but at 1 Gbit/s "
        "with super-packets more than a millisecond, once the window has grown for some tenths of a second."
    ),
    figures=(
        *limited(1000, 1.0),
        *limited(100, 8.0),
        Figure(
            "1000 Mbit/s, without, TSO",
            "ms",
            UNBOUNDED,
            most_ms,
            (frames_ms(SEGMENTS * (SUPERS - 2), 1000), frames_ms(SEGMENTS * (SUPERS + 1), 1000)),
            50.0,
            "63 super-packets fill the send buffer; 50 ms would be 6 MB, more than what was backlogged there too",
            1,
        ),
        Figure(
            "of that in the discipline",
            "bytes",
            UNBOUNDED,
            backlog_bytes,
            (WMEM_MAX - 5 * SUPER_TRUESIZE, WMEM_MAX),
            4e6,
            "4 MiB of memory less heads, and what is in the ring; the message has no digits behind 4 MB",
            0,
        ),
        Figure(
            "100 Mbit/s, without, no TSO",
            "ms",
            run(100, WITHOUT, *times("140ms", "10ms", "130ms"), *FRAMES),
            most_ms,
            (frames_ms(TXQUEUELEN - FREED_AT_ONCE, 100), frames_ms(TXQUEUELEN + IN_RING, 100)),
            132.0,
            "1,000 frames in the discipline, less up to 15 slots that are freed with the next ones, and 3 in the ring; "
            "the 72 frames more there may be those of its ring, which the message does not describe",
        ),
        Figure(
            "1000 Mbit/s, Linux 6.12, TSO",
            "ms",
            run(1000, *TODAY, *times("400ms", "200ms", "3ms")),
            most_ms,
            near(2.214),
            why="2^-10 s of the pacing rate, which is 1.3 to 2.4 Gbit/s as round trips vary: up to five super-packets, "
            "of which one waits for four",
            digits=2,
        ),
        Figure(
            "100 Mbit/s, Linux 6.12, no TSO",
            "ms",
            run(100, *TODAY, *times("60ms", "20ms", "2ms"), *FRAMES),
            most_ms,
            near(1.107),
            why="2^-10 s of 1.9 times the goodput, as in slow start, are 21,700 bytes: ten frames of 2,408 bytes "
            "are the first to pass that, and one waits for nine",
            digits=2,
        ),
    ),
)
