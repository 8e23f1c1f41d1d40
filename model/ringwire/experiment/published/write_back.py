"""A device that gathers completions before it writes them, and byte queue limits that learn from what is written."""

from __future__ import annotations

from ringwire.experiment.published.study import Figure, Run, Study, bql_limit, flow, sparse_median_us
from ringwire.experiment.results import Results

US = 1000
FRAME, FRAME_US = 1514, 8 * 1538 / 1000
"""At 1 Gbit/s."""
GATHERED = 8
TIMER_MS = 1
LUMP = GATHERED * FRAME
EACH = Run(
    "moderation", (("link.rate", "1gbit"), ("flow.bulk.size", FRAME), ("duration", "100ms"), ("nic.tx_usecs", 0))
)
EIGHT = Run("moderation", (("nic.completion_threshold", GATHERED), ("nic.completion_timer", f"{TIMER_MS}ms")))
PAIR_BITS = 2 * 8 * FRAME
SMALL = ("flow.bulk.sndbuf", 4608)
EACH_SMALL = Run("moderation", (SMALL,))
EIGHT_SMALL = Run("moderation", (*EIGHT.settings, SMALL))


def longest_gap_us(results: Results) -> float:
    """On the wire, from the first frame on."""
    return float(results.summary["totals"]["longest gap ns"]) / US


def interrupts_per_s(results: Results) -> float:
    """Over the whole run."""
    return float(results.summary["totals"]["interrupts"] * 1e9 / results.summary["simulated_ns"])


def bulk_mbps(results: Results) -> float:
    """What was on the wire of it after the warm-up."""
    return float(flow(results, "bulk")["rate_bps"]) / 1e6


WRITE_BACK = Study(
    key="write-back",
    title="Completions eight at a time",
    source="the comment on WTHRESH in ixgbe_configure_tx_ring (Linux)",
    text=(
        "ixgbe has its device write completions back eight at a time, but one by one where interrupts are not "
        "moderated, for fear of false hangs, or are more than 100,000 a second while there are byte queue limits. "
        "Why, at 1 Gbit/s: limits begin with a packet, the device waits for seven more that the limit keeps back, and "
        "nothing moves until its timer (1 ms here) or the watchdog ends that. It happens again until the limit lets "
        "eight packets in. Then the limit is twice what is reported at once, as with moderated interrupts, and a "
        "sparse packet waits for that. A sender that has less than eight packets in flight goes at the timer's pace "
        "for good."
    ),
    figures=(
        Figure(
            "limit, one by one",
            "bytes",
            EACH,
            bql_limit,
            (2 * FRAME, 3 * FRAME),
            why="two frames, and sparse packets among them",
            digits=0,
        ),
        Figure(
            "limit, eight at a time",
            "bytes",
            EIGHT,
            bql_limit,
            (LUMP, 2 * LUMP),
            why="twice eight frames",
            digits=0,
        ),
        Figure("sparse median, one by one", "us", EACH, sparse_median_us, (FRAME_US, 3 * FRAME_US), why="two frames"),
        Figure(
            "sparse median, eight at a time",
            "us",
            EIGHT,
            sparse_median_us,
            (GATHERED * FRAME_US, 17 * FRAME_US),
            why="eight to sixteen frames in the ring, and the one on the wire",
        ),
        Figure(
            "interrupts, one by one",
            "a second",
            EACH,
            interrupts_per_s,
            (0.95e6 / FRAME_US, 1e6 / FRAME_US),
            why="each frame",
            digits=0,
        ),
        Figure(
            "interrupts, eight at a time",
            "a second",
            EIGHT,
            interrupts_per_s,
            (0.95e6 / FRAME_US / GATHERED, 1e6 / FRAME_US / GATHERED),
            why="each eighth, but for the first three milliseconds",
            digits=0,
        ),
        Figure(
            "longest gap on the wire, eight at a time",
            "us",
            EIGHT,
            longest_gap_us,
            (1000 * TIMER_MS, 1000 * TIMER_MS + 10),
            why="the timer, the interrupt's 5 us, and the way out again",
        ),
        Figure(
            "a send buffer of two packets, one by one",
            "Mbit/s",
            EACH_SMALL,
            bulk_mbps,
            (PAIR_BITS / (2 * FRAME_US + 8), PAIR_BITS / (2 * FRAME_US)),
            why="two packets each 24.6 us that they take, and some 6.6 us for the interrupt and the way out",
        ),
        Figure(
            "the same, eight at a time",
            "Mbit/s",
            EIGHT_SMALL,
            bulk_mbps,
            (PAIR_BITS / (1000 * TIMER_MS + 2 * FRAME_US + 8), PAIR_BITS / (1000 * TIMER_MS)),
            why="two packets each time that the timer expires",
        ),
    ),
)
