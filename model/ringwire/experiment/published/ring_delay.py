"""A packet behind a full ring: the arithmetic that byte queue limits were written for."""

from __future__ import annotations

from ringwire.experiment.published.study import Figure, Run, Settings, Study, begins_ns, flow
from ringwire.experiment.results import Results

MS = 1_000_000
FRAME_MS = 2.4
"""1500 bytes at 5 Mbit/s."""
BEGIN_MS = 0.1
"""When the last packet is written, after the first of the bulk."""
CLOCKS = 1e-3
"""The pacer adds less than a clock in all; ms."""
GAP_MS = 20 * 8 / 5000
"""Gap and preamble, after which the next frame begins."""
HOST_MS = 0.002
"""From the end of a frame to the next one that limits let down: the device, and the interrupt."""
LIMITS: Settings = (("nic.bql", "on"),)
SMALL_RING: Settings = (("nic.ring", 128),)
PRIORITY: Settings = (("flow.last.priority", 6),)
"""Band 0 of pfifo_fast, before all others."""


def wait_ms(results: Results) -> float:
    """From the first bulk frame's begin to the last packet's."""
    return (begins_ns(results, "last")[0] - begins_ns(results, "bulk")[0]) / MS


def discipline_ms(results: Results) -> float:
    """How long the last packet is in the discipline."""
    return float(flow(results, "last")["qdisc_mean_ns"]) / MS


def ring_ms(results: Results) -> float:
    """How long it is in the ring, until it begins on the wire."""
    row = flow(results, "last")
    return float(row["ring_mean_ns"] + row["nic_mean_ns"]) / MS


def most_in_ring(results: Results) -> float:
    """Descriptors."""
    return float(max(results.series["ring"]["descriptors"]))


RING = Run("ring-delay")
LIMITED = Run("ring-delay", LIMITS)

RING_DELAY = Study(
    key="ring-delay",
    title="127 frames before one",
    source="D. Siemon, Queueing in the Linux Network Stack (2013)",
    text=(
        "127 frames of 1500 bytes are in the ring of a port of 5 Mbit/s when a packet of 500 bytes comes. The article "
        "has them in a ring of 128 descriptors; this driver, as Intel's, stops its queue with less than 21 free, so "
        "that 127 need a ring of 256. No discipline can help: the packet waits in the ring, whatever its priority. "
        "With byte queue limits it waits as long, but in the discipline, where one of priority passes all others. "
        "The article counts frames without what the wire adds; here frames are 1500 bytes with preamble, FCS and gap, "
        "except in the last row."
    ),
    figures=(
        Figure(
            "its transmission begins after",
            "ms",
            RING,
            wait_ms,
            (127 * FRAME_MS, 127 * FRAME_MS + CLOCKS),
            published=304.8,
            why="the same arithmetic; the pacer adds less than a clock in all",
            digits=3,
        ),
        Figure(
            "of that in the ring",
            "ms",
            RING,
            ring_ms,
            (127 * FRAME_MS - BEGIN_MS, 127 * FRAME_MS - BEGIN_MS + HOST_MS),
            why="all from when it is written, 0.1 ms after the first frame",
            digits=3,
        ),
        Figure(
            "the most in the ring, the packet with it",
            "descriptors",
            RING,
            most_in_ring,
            (128, 128),
            128.0,
            why="127 frames and the packet",
            digits=0,
        ),
        Figure(
            "the same of priority",
            "ms",
            Run("ring-delay", PRIORITY),
            wait_ms,
            (127 * FRAME_MS, 127 * FRAME_MS + CLOCKS),
            why="a ring knows of no priority",
            digits=3,
        ),
        Figure(
            "byte queue limits: begins after",
            "ms",
            LIMITED,
            wait_ms,
            (127 * FRAME_MS, 127 * FRAME_MS + HOST_MS),
            why="127 frames are before it, wherever they are",
            digits=3,
        ),
        Figure(
            "byte queue limits: of that in the discipline",
            "ms",
            LIMITED,
            discipline_ms,
            (125 * FRAME_MS - BEGIN_MS - GAP_MS, 125 * FRAME_MS - BEGIN_MS - GAP_MS + HOST_MS),
            why="until the 125th frame has ended and leaves two before it",
            digits=3,
        ),
        Figure(
            "byte queue limits, of priority: begins after",
            "ms",
            Run("ring-delay", (*LIMITS, *PRIORITY)),
            wait_ms,
            (2 * FRAME_MS, 2 * FRAME_MS + HOST_MS),
            why="two frames, which were in the ring",
            digits=3,
        ),
        Figure(
            "ring of 128: the most in it",
            "descriptors",
            Run("ring-delay", (*SMALL_RING, *PRIORITY)),
            most_in_ring,
            (107, 107),
            128.0,
            why="with 20 of 127 free the driver has stopped the queue; the other 20 frames are in the discipline",
            digits=0,
        ),
        Figure(
            "ring of 128, of priority: begins after",
            "ms",
            Run("ring-delay", (*SMALL_RING, *PRIORITY)),
            wait_ms,
            (108 * FRAME_MS, 108 * FRAME_MS + HOST_MS),
            why="107 frames, and one that was handed down when the queue had stopped, and is parked before all others",
            digits=3,
        ),
        Figure(
            "1500 and 500 bytes without what the wire adds: begins after",
            "ms",
            Run("ring-delay", (("flow.bulk.size", 1500), ("flow.last.size", 500))),
            wait_ms,
            (309.6768, 309.6768 + CLOCKS),
            published=304.8,
            why="127 times preamble 8, FCS 4 and gap 12 bytes",
            digits=3,
        ),
    ),
)
