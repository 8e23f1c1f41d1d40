"""A packet behind a full ring: the arithmetic that byte queue limits were written for."""

from __future__ import annotations

from ringwire.experiment.published.study import Figure, Run, Study, begins_ns
from ringwire.experiment.results import Results

MS = 1_000_000


def wait_ms(results: Results) -> float:
    """From the first bulk frame's begin to the last packet's."""
    return (begins_ns(results, "last")[0] - begins_ns(results, "bulk")[0]) / MS


RING_DELAY = Study(
    key="ring-delay",
    title="127 frames before one",
    source="D. Siemon, Queueing in the Linux Network Stack (2013)",
    text=(
        "A ring of 128 descriptors at 5 Mbit/s is full of 127 frames of 1500 bytes when one of 500 bytes comes. The "
        "article counts frames without what the wire adds; in the first row frames are 1500 bytes with preamble, FCS "
        "and gap, the second adds those 24 bytes."
    ),
    figures=(
        Figure(
            "its transmission begins after",
            "ms",
            Run("ring-delay"),
            wait_ms,
            (304.8, 304.8 + 1e-3),
            published=304.8,
            why="the same arithmetic; the pacer adds less than a clock in all",
            digits=3,
        ),
        Figure(
            "the same with 1500 and 500 bytes without what the wire adds",
            "ms",
            Run("ring-delay", (("flow.bulk.size", 1500), ("flow.last.size", 500))),
            wait_ms,
            (309.6768, 309.6768 + 1e-3),
            published=304.8,
            why="127 times preamble 8, FCS 4 and gap 12 bytes",
            digits=3,
        ),
    ),
)
