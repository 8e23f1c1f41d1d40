"""A packet right behind a super-packet of 64 KiB that the device cuts."""

from __future__ import annotations

from ringwire.experiment.published.study import Figure, Run, Study, begins_ns
from ringwire.experiment.results import Results

SEGMENTS = 45
WIRE_US = SEGMENTS * 8 * 1538 / 1000
"""At 1 Gbit/s, each frame with preamble, FCS and gap."""
CLOCK_US = 0.004


def wait_us(results: Results) -> float:
    """From the super-packet's first frame to the packet behind it."""
    return (begins_ns(results, "last")[0] - begins_ns(results, "bulk")[-1]) / 1000


SUPER_PACKET = Study(
    key="super-packet",
    title="A packet behind one of 64 KiB",
    source="E. Dumazet, pkt_sched: avoid requeues if possible (Linux 1abbe1394a84, 2012)",
    text=(
        "What a large packet costs one of priority that can't pass it any more, at 1 Gbit/s: its own time on the wire. "
        "How many of them byte queue limits leave in front is above: two and a half."
    ),
    figures=(
        Figure(
            "its transmission begins later by",
            "us",
            Run("super-packet"),
            wait_us,
            (WIRE_US - CLOCK_US, WIRE_US + CLOCK_US),
            published=500.0,
            why="500 is rounded: 65,536 bytes take 524 us, and 45 frames of 1,538 bytes on the wire 553.68 us",
            digits=2,
        ),
    ),
)
