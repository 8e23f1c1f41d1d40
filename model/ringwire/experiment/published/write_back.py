"""A device that gathers completions before it writes them, and byte queue limits that learn from what is written."""

from __future__ import annotations

from collections.abc import Iterator

from ringwire.experiment.published.moderation import LATE_US, SPARSE, WIRE, wait_us
from ringwire.experiment.published.study import Figure, Run, Settings, Study, bql_limit, flow, sparse_median_us
from ringwire.experiment.results import Results

US = 1000
FRAME, FRAME_US, OWN_US = 1514, 8 * 1538 / 1000, 8 * (SPARSE + WIRE) / 1000
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

FAST: Settings = (
    ("link.rate", "10gbit"),
    ("duration", "20ms"),
    ("warmup", "6ms"),
    ("flow.sparse.pattern", "constant"),
    ("flow.sparse.pps", 10_000),
)
PROMPT: tuple[str, object] = ("host.cost.interrupt_delay", "1us")
MODERATED: tuple[str, object] = ("nic.tx_usecs", 50)
TEN_US = FRAME_US / 10


def about(value: float) -> tuple[float, float]:
    """Within 3% of what is expected."""
    return 0.97 * value, 1.03 * value


def longest_gap_us(results: Results) -> float:
    """On the wire, from the first frame on."""
    return float(results.summary["totals"]["longest gap ns"]) / US


def interrupts_per_s(results: Results) -> float:
    """Over the whole run."""
    return float(results.summary["totals"]["interrupts"] * 1e9 / results.summary["simulated_ns"])


def bulk_mbps(results: Results) -> float:
    """What was on the wire of it after the warm-up."""
    return float(flow(results, "bulk")["rate_bps"]) / 1e6


def fast(
    what: str,
    setting: tuple[str, object],
    limits: tuple[tuple[float, float], tuple[float, float]],
    medians: tuple[tuple[float, float], tuple[float, float]],
    interrupts: tuple[float, float],
    whys: tuple[str, str],
) -> Iterator[Figure]:
    """Where the rule has one by one, or eight: interrupts a second if it is one, and both beside each other."""
    one = Run("moderation", (*FAST, setting))
    eight = Run("moderation", (*one.settings, *EIGHT.settings))
    above = interrupts[0] > 100_000
    why = f"{'above' if above else 'below'} the rule's 100,000"
    yield Figure(f"{what}, one by one: interrupts", "a second", one, interrupts_per_s, interrupts, why=why, digits=0)
    for name, run, limit, median, why in zip(
        ("one by one", "eight at a time"), (one, eight), limits, medians, whys, strict=True
    ):
        yield Figure(f"{what}, {name}: limit", "bytes", run, bql_limit, limit, why=why, digits=0)
        yield Figure(f"{what}, {name}: sparse median", "us", run, sparse_median_us, median, why=why, digits=2)


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
        "for good. The last rows are the rule's two sides: at 10 Gbit/s with interrupts after 1 us, four times its "
        "100,000, eight at a time triple the limit and the wait. With interrupts 50 us apart each reports six times "
        "eight, and gathering costs nothing once limits have grown."
    ),
    figures=(
        Figure(
            "limit, one by one",
            "bytes",
            EACH,
            bql_limit,
            (2 * FRAME, 2 * FRAME + 2 * SPARSE),
            why="two frames, and sparse packets among them",
            digits=0,
        ),
        Figure(
            "limit, eight at a time",
            "bytes",
            EIGHT,
            bql_limit,
            (2 * LUMP, 2 * LUMP),
            why="twice eight frames",
            digits=0,
        ),
        Figure(
            "sparse median, one by one",
            "us",
            EACH,
            sparse_median_us,
            about(wait_us(1, FRAME_US, LATE_US, OWN_US)),
            why="two frames",
        ),
        Figure(
            "sparse median, eight at a time",
            "us",
            EIGHT,
            sparse_median_us,
            about(wait_us(GATHERED, FRAME_US, LATE_US, OWN_US)),
            why="eight to sixteen frames in the ring, and the one on the wire",
        ),
        Figure(
            "interrupts, one by one",
            "a second",
            EACH,
            interrupts_per_s,
            (0.99e6 / FRAME_US, 1e6 / FRAME_US),
            why="each frame",
            digits=0,
        ),
        Figure(
            "interrupts, eight at a time",
            "a second",
            EIGHT,
            interrupts_per_s,
            (0.98e6 / FRAME_US / GATHERED, 1e6 / FRAME_US / GATHERED),
            why="each eighth, but for the first three milliseconds",
            digits=0,
        ),
        Figure(
            "longest gap on the wire, eight at a time",
            "us",
            EIGHT,
            longest_gap_us,
            (1000 * TIMER_MS + 6, 1000 * TIMER_MS + 7),
            why="the timer, the interrupt's 5 us, and the way out again",
        ),
        Figure(
            "a send buffer of two packets, one by one",
            "Mbit/s",
            EACH_SMALL,
            bulk_mbps,
            (PAIR_BITS / (2 * FRAME_US + 7), PAIR_BITS / (2 * FRAME_US + 6)),
            why="two packets each 24.6 us that they take, and some 6.6 us for the interrupt and the way out",
        ),
        Figure(
            "the same, eight at a time",
            "Mbit/s",
            EIGHT_SMALL,
            bulk_mbps,
            (PAIR_BITS / (1000 * TIMER_MS + FRAME_US + 7), PAIR_BITS / (1000 * TIMER_MS + 6)),
            why="two packets each time that the timer expires",
        ),
        *fast(
            "10 Gbit/s",
            PROMPT,
            ((4 * FRAME, 4 * FRAME + SPARSE), (2 * LUMP, 2 * LUMP)),
            ((4.6, 4.8), about(wait_us(GATHERED, TEN_US, 1.7, OWN_US / 10))),
            (400_000, 410_000),
            ("two frames an interrupt", "twice eight frames, three times the wait: why ixgbe has one by one here"),
        ),
        *fast(
            "10 Gbit/s, tx-usecs 50",
            MODERATED,
            ((92 * FRAME, 92 * FRAME + 2 * SPARSE), (96 * FRAME, 96 * FRAME)),
            ((84, 87), (81, 84)),
            (17_000, 18_000),
            ("46 frames an interrupt", "48, six times eight, and no longer a wait: why it has eight here"),
        ),
    ),
)
