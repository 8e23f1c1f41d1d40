"""Ring, byte queue limits, discipline and TCP Small Queues: a grid of what a probe waits for behind a bulk sender."""

from __future__ import annotations

from functools import partial

from ringwire.experiment.published.study import Breakdown, Column, Figure, Run, Settings, Study, flow
from ringwire.experiment.results import Results

US = 1000
FRAME_US = 8 * 1538 / 1000
"""A frame of 1514 bytes on the wire, with preamble, FCS and gap."""
STOP, WAKE = 21, 42
"""Free descriptors with less of which the driver stops a queue, and with which it wakes it."""
BATCH = 65
"""Packets that a discipline gives at once, if limits let it."""
TXQUEUELEN = 1000
BETA = 0.7
"""What CUBIC leaves of its window after a loss (RFC 9438)."""
PATH = 16
"""Frames of the window that may be behind the wire or not acknowledged yet: two round trips of 100 us."""
PUBLISHED_US = {64: 777.0, 256: 3050.0, 1024: 12_180.0}
"""Without byte queue limits, by the ring's length."""
PUBLISHED_LIMITED_US = 43.8
TIMES = {
    # discipline, ring: until all is full, for how long probes are sent then, and what the last of them takes
    ("fq_codel", 64): ("5ms", "19ms", "2ms"),
    ("fq_codel", 256): ("6ms", "20ms", "4ms"),
    ("fq_codel", 1024): ("15ms", "29ms", "14ms"),
    ("pfifo_fast", 64): ("20ms", "34ms", "13ms"),
    ("pfifo_fast", 256): ("22ms", "36ms", "16ms"),
    ("pfifo_fast", 1024): ("32ms", "46ms", "25ms"),
}
NO_OFFLOADS = "ethtool -K eth0 tso off gso off sg off\n"
NO_SMALL_QUEUES: Settings = (
    ("flow.bulk.limit_output", 0),
    ("flow.bulk.hystart", False),
    ("flow.bulk.rcv_window", "32m"),
    ("flow.bulk.wmem_max", "32m"),
)
"""Nothing keeps the sender back but the discipline's drops."""


def cell(discipline: str, ring: int, limits: bool, small_queues: bool) -> Run:
    """A cell of the grid."""
    settings: Settings = (
        ("setup.lines", f"{NO_OFFLOADS}tc qdisc replace dev eth0 root {discipline}"),
        ("nic.ring", ring),
        ("nic.bql", "on" if limits else "off"),
    )
    if not small_queues:
        warmup, duration, drain = TIMES[discipline, ring]
        settings = (*settings, *NO_SMALL_QUEUES, ("warmup", warmup), ("duration", duration), ("drain", drain))
    return Run("ring-grid", settings)


def mean_us(results: Results) -> float:
    """Of the probe, from its write to the end of its frame."""
    return float(flow(results, "probe")["latency_mean_ns"]) / US


def share_us(share: str, results: Results) -> float:
    """What of that it is in one place."""
    return float(flow(results, "probe")[f"{share}_mean_ns"]) / US


def interrupts_a_ms(results: Results) -> float:
    """Of the whole run."""
    return float(results.summary["totals"]["interrupts"]) * 1_000_000 / float(results.summary["simulated_ns"])


def name(discipline: str, ring: int, limits: bool) -> str:
    """A cell's."""
    return f"{discipline}, ring {ring:,}, {'limits' if limits else 'no limits'}"


def held(discipline: str, ring: int, limits: bool) -> tuple[float, float]:
    """Where the mean without small queues lies, us, by what there is room for."""
    if limits:
        low, high = 2 * FRAME_US, 3 * FRAME_US + 2  # 2 us: host and device
    else:
        parked = BATCH - (WAKE - STOP)
        low, high = (ring - 1 - WAKE) * FRAME_US, (ring - STOP + parked) * FRAME_US
    if discipline == "pfifo_fast":
        low, high = (BETA * TXQUEUELEN - PATH) * FRAME_US, high + TXQUEUELEN * FRAME_US
    return low, high


def why(discipline: str, limits: bool) -> str:
    """What makes the number."""
    if discipline == "pfifo_fast":
        return "1,000 frames in the discipline, 700 after CUBIC's first loss; and the ring"
    if limits:
        return "two frames in the limit and one beyond, the first met half-way; published is a frame more"
    return (
        "a frame is a descriptor; 21 stay free, which shortens a ring of 64 most; but the batch of 65 frames that the "
        "discipline gives where no limit bounds it does not fit, and what is left of it waits in front of the probe"
    )


GRID = [
    (discipline, ring, limits)
    for discipline in ("fq_codel", "pfifo_fast")
    for ring in PUBLISHED_US
    for limits in (False, True)
]
FQ = "tc qdisc replace dev eth0 root fq_codel"
DEVICE: tuple[tuple[str, Settings], ...] = (
    ("limits, moderation 50 us", (("nic.tx_usecs", 50), *NO_SMALL_QUEUES)),
    ("limits, moderation 125 us", (("nic.tx_usecs", 125), *NO_SMALL_QUEUES)),
    ("limits, TSO", (("setup.lines", FQ), *NO_SMALL_QUEUES)),
    ("limits, TSO, small queues", (("setup.lines", FQ),)),
    ("limits, TSO, small queues, moderation 125 us", (("setup.lines", FQ), ("nic.tx_usecs", 125))),
    ("no limits, TSO, small queues", (("setup.lines", FQ), ("nic.bql", "off"))),
)
"""fq_codel, ring 256."""

RING_GRID = Study(
    key="ring-grid",
    title="Ring, limits and discipline",
    source="simulations with ns-3, whose byte queue limits are by P. Imputato and S. Avallone",
    text=(
        "A probe of 64 bytes each millisecond beside one bulk TCP connection at 1 Gbit/s; means. First as published: "
        "no offloads and no TCP Small Queues, which ns-3 has not. Then what only a whole path shows. Where the probe "
        "waits: with fq_codel in the ring, which limits make three frames long; pfifo_fast has 700 frames and more in "
        "front of it whatever the ring, and limits move the ring's share to the discipline. With small queues, as "
        "Linux has them, nothing is longer than the 0.7 ms that they leave, and a ring of 256 is as good as one of "
        "1,024. What byte queue limits leave is three times as long with a moderation of 50 us, seven times with 125 "
        "us, and 46 times with super-packets; small queues make the latter less than half."
    ),
    figures=tuple(
        Figure(
            f"{name(*at)}: probe",
            "us",
            cell(*at, small_queues=False),
            mean_us,
            held(*at),
            None if at[0] != "fq_codel" else PUBLISHED_LIMITED_US if at[2] else PUBLISHED_US[at[1]],
            why(at[0], at[2]),
        )
        for at in GRID
    ),
    breakdown=Breakdown(
        "mean of the probe",
        (
            *((name(*at), cell(*at, small_queues=False)) for at in GRID),
            *((f"{name(*at)}, small queues", cell(*at, small_queues=True)) for at in GRID),
            *((f"fq_codel, ring 256, {what}", Run("ring-grid", settings)) for what, settings in DEVICE),
        ),
        (
            Column("us in all", mean_us),
            Column("discipline", partial(share_us, "qdisc")),
            Column("ring", partial(share_us, "ring")),
            Column("NIC", partial(share_us, "nic")),
            Column("interrupts a ms", interrupts_a_ms),
        ),
    ),
)
