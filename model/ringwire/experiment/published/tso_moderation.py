"""Byte queue limits against super-packets of 64 KiB: the coarsest things that they can hold back."""

from __future__ import annotations

from ringwire.experiment.published.study import Figure, Run, Settings, Study, bql_limit, flow, sparse_median_us
from ringwire.experiment.results import Results

US = 1000
SEGMENTS, FRAME, OVERHEAD = 45, 1514, 24
"""Frames of a super-packet, and bytes of a frame without and of what the wire adds: preamble, FCS and gap."""
SUPER = SEGMENTS * FRAME
"""What byte queue limits count of a super-packet: its frames, each with its header."""
SPARSE = 10 * 110
"""Bytes of the sparse packets that may be in the ring as well."""
DESCRIPTORS = 6
"""Of a super-packet: how to cut it, its header, and 65,160 bytes in pieces of 16 KiB."""
STOP_FREE = 21
"""With less descriptors free the driver stops the queue."""
MISSING = 10
"""Super-packets that a ring of 256 may hold less: 3.5 until the queue is woken, 6.5 for forty sparse packets."""
BATCH = 65
"""Packets that the discipline gives at once, if limits let it."""
INTERRUPT_US = 5
STRAY = 0.15
"""Of a median, in super-packets: three standard errors of a hundred packets that come at random."""


def wire_us(rate_gbps: int) -> float:
    """How long a super-packet is on the wire."""
    return 8 * SEGMENTS * (FRAME + OVERHEAD) / (1000 * rate_gbps)


def in_ring(entries: int) -> int:
    """Super-packets that the driver takes until it stops the queue."""
    return (entries - 1 - STOP_FREE) // DESCRIPTORS + 1


def mean_ms(results: Results) -> float:
    """The same, in the mean."""
    return float(flow(results, "sparse")["latency_mean_ns"]) / (1000 * US)


def ring_ms(results: Results) -> float:
    """How long a sparse packet is in the ring, in the mean."""
    row = flow(results, "sparse")
    return float(row["ring_mean_ns"] + row["nic_mean_ns"]) / (1000 * US)


def most_kb(results: Results) -> float:
    """The most in the ring, kB."""
    return float(max(results.series["bql"]["inflight_bytes"])) / 1000


def supers_in_ring(results: Results) -> float:
    """The same, in super-packets."""
    return most_kb(results) * 1000 // SUPER


def cell(
    rate_gbps: int,
    usecs: int,
    published: tuple[float | None, float | None],
    limits: tuple[int, int],
    waits: tuple[float, float],
    why: tuple[str, str],
) -> tuple[Figure, Figure]:
    """The limit and the median of one cell of the table.

    ``limits`` and ``waits`` are the least and the most, in super-packets; late interrupts make a wait shorter.
    """
    settings: Settings = (("link.rate", f"{rate_gbps}gbit"), ("nic.tx_usecs", usecs))
    if rate_gbps == 10:
        settings = (*settings, ("duration", "10ms"), ("warmup", "4ms"), ("flow.sparse.pps", 20_000))
    run = Run("tso-moderation", settings)
    what = f"{rate_gbps}gbit, {usecs} us"
    wire = wire_us(rate_gbps)
    bytes_held = (limits[0] * SUPER, limits[1] * SUPER + SPARSE)
    median_held = (wire * (waits[0] - STRAY) - usecs - INTERRUPT_US, wire * (waits[1] + STRAY))
    return (
        Figure(f"{what}: limit", "bytes", run, bql_limit, bytes_held, published[0], why[0], 0),
        Figure(f"{what}: sparse median", "us", run, sparse_median_us, median_held, published[1], why[1]),
    )


TWO = "two super-packets: 129,052 bytes were predicted, but here each of 45 frames has a header; and sparse packets"
HALF_WAY = "the one on the wire, met half-way, and two behind it; 554 us each, where 524 were predicted"
DRAINED = "the same, less by what the ring drains until a late interrupt"
EDGE = "up to two in the discipline, until the next interrupt, and three in the ring"
LIMITED = Run("tso-moderation", (("link.rate", "1gbit"), ("nic.tx_usecs", 0)))
UNLIMITED = Run(
    "tso-moderation",
    (("nic.bql", "off"), ("duration", "140ms"), ("warmup", "40ms"), ("flow.sparse.stop", "76ms")),
)
"""The ring is full and all is steady at 40 ms; then as long as one batch of the discipline's takes."""
LARGE_RING = Run(
    "tso-moderation",
    (("nic.bql", "off"), ("nic.ring", 1024), ("duration", "110ms"), ("warmup", "100ms"), ("flow.sparse.pps", 100)),
)

TSO_MODERATION = Study(
    key="tso-moderation",
    title="Byte queue limits against super-packets",
    source=(
        "predicted by a model of 90 lines; the last rows: T. Herbert, byte queue limits (2011), as quoted on netdev in "
        "2024"
    ),
    text=(
        "Bulk is TCP with super-packets of 65,160 bytes that the device cuts. Confirmed at 1 Gbit/s: limits can't go "
        "below two super-packets, with a third as overshoot, and moderation hardly matters, since 125 us are little "
        "beside 554. At 10 Gbit/s one takes 55 us, and it matters on which side of that an interrupt comes: before, it "
        "reports one super-packet and two in the limit suffice; beyond, it reports two, and the limit doubles. The "
        "prediction, with 52 us a packet, was beyond. Refuted without limits: 88 ms are 168 packets, but each takes 6 "
        "descriptors, so that a ring of 256 holds 40; 167 are in one of 1,024. Nor is the ring all: a limit of `max` "
        "has the discipline give 65 packets at once, and those that do not fit the ring wait in front of all others, "
        "where no priority passes them."
    ),
    figures=(
        *cell(1, 0, (129_272, 1310), (2, 2), (2.5, 2.5), (TWO, HALF_WAY)),
        *cell(1, 50, (129_272, 1310), (2, 2), (2.5, 2.5), (TWO, DRAINED)),
        *cell(1, 125, (129_272, 1310), (2, 2), (2.5, 2.5), (TWO, DRAINED)),
        *cell(10, 0, (129_162, 126), (2, 2), (2.5, 2.5), (TWO, "two and a half, at a tenth of the time")),
        *cell(
            10,
            45,
            (None, None),
            (2, 3),
            (2.5, 2.5),
            (
                "an interrupt reports one: two suffice; the rest was learnt in slow start, and stays for a second",
                DRAINED,
            ),
        ),
        *cell(
            10,
            50,
            (193_688, 156),
            (2, 4),
            (2.5, 4),
            ("on the edge: 50 and 5 us are 0.4 less than a super-packet, but the device takes as long to tell", EDGE),
        ),
        *cell(10, 55, (None, None), (4, 4), (4, 4), ("an interrupt reports two: four suffice", EDGE)),
        Figure(
            "1gbit, no limits, ring of 256: sparse median",
            "ms",
            UNLIMITED,
            lambda results: sparse_median_us(results) / US,
            (wire_us(1) * (in_ring(256) - MISSING) / US, wire_us(1) * (in_ring(256) + BATCH) / US),
            88.0,
            "the ring holds 40 super-packets, not 168; up to 65 more wait parked before it",
        ),
        Figure(
            "of that in the ring, mean",
            "ms",
            UNLIMITED,
            ring_ms,
            (wire_us(1) * (in_ring(256) - MISSING) / US, wire_us(1) * in_ring(256) / US),
            why="30 to 40 of 554 us: the queue is woken with 42 descriptors free, and sparse packets have some",
        ),
        Figure(
            "1gbit, no limits, ring of 256: the most in it",
            "super-packets",
            UNLIMITED,
            supers_in_ring,
            (in_ring(256), in_ring(256)),
            why="6 descriptors each, until less than 21 are free",
            digits=0,
        ),
        Figure(
            "1gbit, no limits, ring of 1,024: what it holds takes",
            "ms",
            LARGE_RING,
            lambda results: supers_in_ring(results) * wire_us(1) / US,
            (wire_us(1) * (in_ring(1024) - 3) / US, wire_us(1) * in_ring(1024) / US),
            88.0,
            "168 super-packets; sparse packets have a few of their descriptors",
        ),
        Figure(
            "1gbit, limits: the most queued",
            "kB",
            LIMITED,
            most_kb,
            (3 * SUPER / 1000, (3 * SUPER + SPARSE) / 1000),
            194.0,
            "three super-packets, the third passes the limit; 65 kB each there, 68 here with each frame's header",
        ),
        Figure(
            "1gbit, no limits: the most queued",
            "kB",
            UNLIMITED,
            most_kb,
            (in_ring(256) * SUPER / 1000, (in_ring(256) * SUPER + SPARSE) / 1000),
            3200.0,
            "40 super-packets here, 49 there: that ring and its descriptors are not told",
        ),
        Figure(
            "1gbit, limits: mean, against 535 transactions a second",
            "ms",
            LIMITED,
            mean_ms,
            (wire_us(1) * (2.5 - STRAY) / US, wire_us(1) * (2.5 + STRAY) / US),
            1000 / 535,
            "one way here; there an answer comes back as well",
            2,
        ),
        Figure(
            "1gbit, no limits: mean, against 36 transactions a second",
            "ms",
            UNLIMITED,
            mean_ms,
            (wire_us(1) * (in_ring(256) - MISSING) / US, wire_us(1) * (in_ring(256) + BATCH) / US),
            1000 / 36,
            "not for one reason: 46 to 49 packets of 65 kB were queued there, 40 and those parked are here",
        ),
    ),
)
