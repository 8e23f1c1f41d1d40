"""A packet of priority against disciplines that give several packets at once."""

from __future__ import annotations

import re

from ringwire.experiment.published.study import Figure, Run, Settings, Study, flow, near
from ringwire.experiment.results import Results

US = 1000
FRAME = 1514
FRAME_US = 8 * (FRAME + 24) / 100
"""On the wire at 100 Mbit/s, with preamble, FCS and gap."""
FIRST = 8
"""Packets at once in the first version of the patch."""
COMMON: Settings = (("link.rate", "100mbit"), ("setup.then", "ethtool -S eth0"))
SHORT: Settings = (*COMMON, ("duration", "120ms"), ("warmup", "10ms"), ("flow.bulk.sndbuf", "100k"))
LATE: Settings = (*SHORT, ("host.cost.interrupt_delay", "988us"))
NO_LIMITS: Settings = (
    *COMMON,
    ("nic.bql", "off"),
    ("flow.bulk.sndbuf", "2m"),
    ("flow.sparse.pps", 250),
    ("duration", "640ms"),
    ("warmup", "40ms"),
)
TWO_QUEUES: Settings = (
    *SHORT,
    ("nic.queues", 2),
    ("flow.bulk.queue", 0),
    ("flow.sparse.queue", 0),
    ("setup.lines", "tc qdisc replace dev eth0 root pfifo_fast"),
)
"""One discipline over two queues, of which one is used."""


def mean_us(results: Results) -> float:
    """Of the sparse flow, which passes all others in the discipline, from its write to the end of its frame."""
    return float(flow(results, "sparse")["latency_mean_ns"]) / US


def packets_a_doorbell(results: Results) -> float:
    """Of the whole run: what the driver was given at once."""
    printed = re.search(r"tx0_doorbells: (\d+)", results.summary["printed"])
    if printed is None:
        raise ValueError("nothing was printed of doorbells")
    return float(results.summary["totals"]["packets"]) / int(printed[1])


def run(settings: Settings, most: int | None) -> Run:
    """A run with so many packets at once at the most; None: as Linux does it."""
    return Run("moderation", settings if most is None else (*settings, ("host.bulk", most)))


def delays(
    name: str, settings: Settings, single: float, more: tuple[float, float], why: tuple[str, str, str], most: str
) -> tuple[Figure, Figure, Figure]:
    """A packet of priority where one is given at once, us; and by how much it is later with batches."""
    alone = run(settings, 1)
    none = (-0.5, 0.5)
    held = tuple(near(value, 0.05) if value else none for value in more)
    return (
        Figure(f"{name}, one at once", "us", alone, mean_us, near(single), why=why[0]),
        Figure(f"{name}, 8: more by", "us", run(settings, FIRST), mean_us, held[0], 240.0, why[1], than=alone),
        Figure(f"{name}, {most}: more by", "us", run(settings, None), mean_us, held[1], why=why[2], than=alone),
    )


def batch(most: int | None, held: tuple[float, float], why: str) -> Figure:
    """What a batch was, with interrupts that are late."""
    what = "as Linux" if most is None else f"{most} at once"
    return Figure(
        f"limits, interrupts 988 us late, {what}", "packets a batch", run(LATE, most), packets_a_doorbell, held, why=why
    )


BULK_DEQUEUE = Study(
    key="bulk-dequeue",
    title="Batches of a discipline against a packet of priority",
    source="J. D. Brouer, qdisc: bulk dequeue support (Linux 5772e9a3463b, 2014)",
    text=(
        "Since Linux 3.18 a discipline of one queue gives several packets at once, as many as byte queue limits "
        "have room for. At 100 Mbit/s two frames' time (0.24 ms) more were measured for a packet of priority with "
        "batches of 8; the message suspects scheduling, since the effect came and went, and bounds batches no more. "
        "Each setting is run with one packet at once, as before (`host.bulk=1`), with 8, and as Linux does it now. "
        "Here it is not the batches: with limits they cost nothing, since single packets follow each other until "
        "the limit is passed as well, by a frame at the most either way. That batches are made shows in packets a "
        "doorbell. They cost where limits don't bound them: what of a batch does not fit the ring, or is given "
        "beyond the limit of one queue of several, is parked in front of all others. With 8 that is four frames on "
        "average, so that 0.24 ms are no more than what such a batch may cost; where it was measured there were limits."
    ),
    figures=(
        *delays(
            "limits, prompt interrupts",
            SHORT,
            269.0,
            (0, 0),
            (
                "half a frame until an interrupt, and one and a half in the ring",
                "an interrupt reports a frame, and one follows it: the 240 us are not the batch's",
                "the same",
            ),
            "as Linux",
        ),
        *delays(
            "limits, interrupts 988 us late",
            LATE,
            1705.0,
            (0, 0),
            (
                "an interrupt reports 9 frames, limits are twice that: half of 9 until an interrupt, and 9 in the ring",
                "single packets refill the ring at the same moment",
                "the same",
            ),
            "as Linux",
        ),
        batch(1, (1.0, 1.0), "each has a doorbell of its own"),
        batch(FIRST, near(5.28, 0.05), "an interrupt makes room for nine: eight and one; and sparse packets"),
        batch(None, near(9.71, 0.05), "nine and a sparse packet at times"),
        *delays(
            "no limits, ring 256",
            NO_LIMITS,
            26_812.0,
            (467, 3967),
            (
                "213 descriptors are in the ring when the queue goes on; then the packet comes first",
                "22 descriptors are free then: of the last batch 1, 3, 5 or 7 are left and parked, four on average",
                "of a batch of 65, 43 are left, and 22 of them at a time go first",
            ),
            "up to 65",
        ),
        *delays(
            "one discipline over two queues",
            TWO_QUEUES,
            371.0,
            (396, 441),
            (
                "the frame that meets the stopped queue is parked",
                "of eight packets, one by one, half are still parked when it comes; limits don't bound such a batch",
                "the same of nine, which is what Linux gives here",
            ),
            "9",
        ),
    ),
)
