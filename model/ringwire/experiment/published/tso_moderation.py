"""Byte queue limits against super-packets of 64 KiB: the coarsest things that they can hold back."""

from __future__ import annotations

from ringwire.experiment.published.study import Figure, Run, Settings, Study, bql_limit, flow, near, sparse_median_us
from ringwire.experiment.results import Results

US = 1000
SEGMENTS, FRAME, OVERHEAD = 45, 1514, 24
"""Frames of a super-packet, and bytes of a frame without and of what the wire adds: preamble, FCS and gap."""
SUPER = SEGMENTS * FRAME
"""What byte queue limits count of a super-packet: its frames, each with its header."""
SPARSE = 10 * 110
"""Bytes of the sparse packets that may be in the ring as well."""
QUEUED_THERE = 49
"""Super-packets of 65 kB in the 3,200 kB that were measured."""
DESCRIPTORS = 6
"""Of a super-packet: how to cut it, its header, and 65,160 bytes in pieces of 16 KiB."""
STOP_FREE = 21
"""With less descriptors free the driver stops the queue."""


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
    ours: tuple[int, float],
    why: tuple[str, str],
) -> tuple[Figure, Figure]:
    """The limit, bytes, and the median, us, of one cell of the table: as published, and ours."""
    settings: Settings = (("link.rate", f"{rate_gbps}gbit"), ("nic.tx_usecs", usecs))
    if rate_gbps == 10:
        settings = (*settings, ("duration", "10ms"), ("warmup", "4ms"), ("flow.sparse.pps", 20_000))
    run = Run("tso-moderation", settings)
    what = f"{rate_gbps}gbit, {usecs} us"
    return (
        Figure(f"{what}: limit", "bytes", run, bql_limit, near(ours[0], 0.01), published[0], why[0], 0),
        Figure(f"{what}: sparse median", "us", run, sparse_median_us, near(ours[1]), published[1], why[1]),
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
SINGLE = Run(UNLIMITED.scenario, (*UNLIMITED.settings, ("host.bulk", 1)))
"""One packet at once, as kernels before 3.18."""
AS_THERE = Run(
    "tso-moderation",
    (
        ("nic.bql.limit_min", QUEUED_THERE * SUPER - 1),
        ("nic.bql.limit_max", QUEUED_THERE * SUPER - 1),
        ("nic.ring", 512),
        *SINGLE.settings[1:],
    ),
)
"""As much in the ring as was measured, by limits that don't move."""
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
        "descriptors, so that a ring of 256 holds 40; 167 are in one of 1,024. Nor is the ring all since Linux 3.18: "
        "without limits the discipline gives up to 65 packets at once, and those that do not fit the ring wait in "
        "front of all others, where no priority passes them. Kernels of 2011 gave one at once (`host.bulk=1`); with as "
        "much queued as was measured then, their transactions take as long here."
    ),
    figures=(
        *cell(1, 0, (129_272, 1310), (137_030, 1372), (TWO, HALF_WAY)),
        *cell(1, 50, (129_272, 1310), (137_030, 1339), (TWO, DRAINED)),
        *cell(1, 125, (129_272, 1310), (137_030, 1249), (TWO, DRAINED)),
        *cell(10, 0, (129_162, 126), (137_250, 129.3), (TWO, "two and a half, at a tenth of the time")),
        *cell(
            10,
            45,
            (None, None),
            (163_512, 85.8),
            (
                "an interrupt reports one: two suffice; the rest was learnt in slow start, and stays for a second",
                DRAINED,
            ),
        ),
        *cell(
            10,
            50,
            (193_688, 156),
            (272_740, 215.6),
            ("on the edge: 50 and 5 us are 0.4 less than a super-packet, but the device takes as long to tell", EDGE),
        ),
        *cell(10, 55, (None, None), (272_740, 223.7), ("an interrupt reports two: four suffice", EDGE)),
        Figure(
            "1gbit, no limits, one packet at once, ring of 256: sparse median",
            "ms",
            SINGLE,
            lambda results: sparse_median_us(results) / US,
            near(17.1),
            88.0,
            "the ring holds 40 super-packets, not 168; those that come find 30: the queue is woken with 42 descriptors "
            "free, and sparse packets have some",
        ),
        Figure(
            "1gbit, no limits, as Linux gives packets today: sparse median",
            "ms",
            UNLIMITED,
            lambda results: sparse_median_us(results) / US,
            near(26.8),
            88.0,
            "the ring is the same; what of a batch of 65 does not fit it is parked before the sparse packet",
        ),
        Figure(
            "of that in the ring, mean",
            "ms",
            UNLIMITED,
            ring_ms,
            near(16.9),
            why="30 super-packets of 554 us",
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
            "167 super-packets; sparse packets have a few descriptors, or it were 168",
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
            "40 super-packets here, 49 there: that ring is not told; 256 hold 47 if each takes 5 descriptors, not 6",
        ),
        Figure(
            "1gbit, limits: mean, against 535 transactions a second",
            "ms",
            LIMITED,
            mean_ms,
            near(1.37),
            1000 / 535,
            "one way here; there an answer comes back as well",
            2,
        ),
        Figure(
            "1gbit, 49 super-packets queued, one packet at once: mean, against 36 transactions a second",
            "ms",
            AS_THERE,
            mean_ms,
            near(26.9),
            1000 / 36,
            "as much as was queued there: 48 and a half of 554 us; the answer that comes back is on top",
        ),
        Figure(
            "1gbit, no limits, one packet at once, ring of 256: the same",
            "ms",
            SINGLE,
            mean_ms,
            near(17.3),
            1000 / 36,
            "30 super-packets in the ring instead of 49; kernels of 2011 gave one packet at once",
        ),
    ),
)
