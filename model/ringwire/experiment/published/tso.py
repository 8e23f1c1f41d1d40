"""Super-packets before a sparse packet, and the bursts that they are on the wire."""

from __future__ import annotations

import numpy as np

from ringwire.experiment.published.study import (
    Figure,
    Run,
    Settings,
    Study,
    flow,
    most_in_ring,
    sparse_median_us,
)
from ringwire.experiment.results import Results

US = 1000
SEGMENTS, MSS, HEADERS = 45, 1448, 66
"""Of the largest super-packet, below 64 KiB."""
SUPER = SEGMENTS * (MSS + HEADERS)
"""Bytes that byte queue limits count of it: those of its frames."""
FRAME_US = 8 * (MSS + HEADERS + 24) / 1000
"""At 1 Gbit/s."""
SUPER_US = SEGMENTS * FRAME_US
MORE = 3000
"""Bytes of single and sparse packets that may be among what a limit was learnt from."""
OWN_US = 5
"""A sparse packet's own way and frame, and what the CPU that sends is busy with."""
GAP_NS = 5_000
"""Less than a frame: frames that are no further apart are one burst, with a sparse packet between them or not."""
TEN: Settings = (("link.rate", "10gbit"), ("duration", "12ms"), ("warmup", "3ms"), ("flow.sparse.pps", 5000))
STACK: Settings = (("nic.tso", False),)
SINGLE: Settings = (("setup.lines", "ethtool -K eth0 tso off gso off"),)
PACED: Settings = (("setup.lines", "ethtool -K eth0 tso off gso off\ntc qdisc replace dev eth0 root fq"),)

AUTOSIZED = int(1.2 * 100e6 * MSS / (MSS + HEADERS + 24) / 8 / 1024 / MSS)
"""Segments of a super-packet at 100 Mbit/s: what 120% of the payload's rate is in 2^-10 s."""
BURST_OF: tuple[tuple[str, Settings, int, str], ...] = (
    ("tso on", (), AUTOSIZED, "9: 120% of the payload in 2^-10 s is 13,791 bytes"),
    ("tso off", STACK, AUTOSIZED, "the same, cut by the stack"),
    ("tso and gso off", SINGLE, 2, "what one delayed acknowledgement lets go"),
    ("tso and gso off, fq", PACED, 1, "each paced"),
)
"""What is set, frames of a burst, and why."""


def longest_us(results: Results) -> float:
    """The same, the maximum."""
    return float(flow(results, "sparse")["latency_max_ns"]) / US


def burst_frames(results: Results) -> float:
    """Frames of the bulk flow that follow each other at the wire's rate, the median."""
    rows = results.series["latency"]
    bulk = rows["flow"] == "bulk"
    ends, frames = rows["time_ns"][bulk], -(-(rows["bytes"][bulk] - HEADERS) // MSS)
    begins = ends - rows["wire_ns"][bulk]
    first = np.flatnonzero(np.append(True, begins[1:] - ends[:-1] > GAP_NS))
    return float(np.median(np.add.reduceat(frames, first)))


TSO = Study(
    key="tso",
    title="Super-packets, and a sparse packet among them",
    source="predicted by a model of 90 lines",
    text=(
        "A TCP sender without small queues keeps the device busy with super-packets of 45 frames; sparse packets pass "
        "them in the discipline. Byte queue limits count whole super-packets: two are let in, and a third for the "
        "byte that is left. If the stack cuts them (`tso off`), limits count frames and are as small as ever, but the "
        "rest of a super-packet that has been begun stands before everything else in the discipline, and a sparse "
        "packet waits for up to one. Only single frames (`gso off`) let it through at once. The model's super-packets "
        "have 64,636 bytes at 1 Gbit/s and 64,581 at 10, without the headers that each frame adds; ours have 68,130, "
        "as drivers count them."
    ),
    figures=(
        Figure(
            "1 Gbit/s, tso on: most in the ring",
            "bytes",
            Run("tso"),
            most_in_ring,
            (3 * SUPER, 3 * SUPER + MORE),
            193_908,
            "three",
            digits=0,
        ),
        Figure(
            "1 Gbit/s, tso on: sparse median",
            "us",
            Run("tso"),
            sparse_median_us,
            (2.35 * SUPER_US, 2.5 * SUPER_US),
            1310,
            "two, and what is left of a third",
        ),
        Figure(
            "1 Gbit/s, tso off: sparse longest",
            "us",
            Run("tso", STACK),
            longest_us,
            (SUPER_US - FRAME_US, SUPER_US + FRAME_US),
            None,
            "45 frames of 1538 bytes are 554 us",
        ),
        Figure(
            "1 Gbit/s, tso off: sparse median",
            "us",
            Run("tso", STACK),
            sparse_median_us,
            (0.45 * SUPER_US, 0.52 * SUPER_US),
            None,
            "half of that",
        ),
        Figure(
            "1 Gbit/s, tso and gso off: sparse median",
            "us",
            Run("tso", SINGLE),
            sparse_median_us,
            (2.1 * FRAME_US, 2.25 * FRAME_US),
            26.8,
            "two frames",
        ),
        Figure(
            "10 Gbit/s, tso and gso off: sparse median",
            "us",
            Run("tso", (*TEN, *SINGLE)),
            sparse_median_us,
            (8.2 * FRAME_US / 10, 8.8 * FRAME_US / 10),
            10.5,
            "a limit of ten frames, since an interrupt comes 5 us late",
        ),
    ),
)

BURSTS = Study(
    key="bursts",
    title="Bursts of a flow that is slower than the wire",
    source="the arithmetic of tcp_tso_autosize (Linux)",
    text=(
        "A TCP flow through a bottleneck of 100 Mbit/s leaves a port of 1 Gbit/s in bursts at the wire's rate: a "
        "super-packet at a time, which is what 120% of its rate sends in 2^-10 s, whether the device cuts it or the "
        "stack does. Without super-packets a burst is what an acknowledgement allows, two frames. fq, which paces, "
        "leaves none. A sparse packet that comes to a burst waits for it, though the wire is idle nine tenths of the "
        "time."
    ),
    figures=tuple(
        figure
        for name, settings, count, why in BURST_OF
        for figure in (
            Figure(
                f"{name}: frames in a burst, median",
                "frames",
                Run("bursts", settings),
                burst_frames,
                (count, count),
                None,
                why,
                digits=0,
            ),
            Figure(
                f"{name}: sparse, longest",
                "us",
                Run("bursts", settings),
                longest_us,
                (0.9 * count * FRAME_US, (count + 1) * FRAME_US + OWN_US),
                why=f"{count} of 12.3 us each",
            ),
        )
    ),
)
