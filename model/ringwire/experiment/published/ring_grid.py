"""Ring, byte queue limits, discipline and TCP Small Queues: a grid of what a probe waits for behind a bulk sender."""

from __future__ import annotations

from functools import partial

from ringwire.experiment.published.study import Breakdown, Column, Figure, Run, Settings, Study, flow, near
from ringwire.experiment.results import Results

US = 1000
FRAME_US = 8 * 1538 / 1000
"""A frame of 1514 bytes on the wire, with preamble, FCS and gap."""
STOP, WAKE = 21, 42
"""Free descriptors with less of which the driver stops a queue, and with which it wakes it."""
PUBLISHED_US = {64: 777.0, 256: 3050.0, 1024: 12_180.0}
"""Without byte queue limits, by the ring's length."""
PUBLISHED_LIMITED_US = 43.8
SINGLE: Settings = (("host.bulk", 1),)
"""As ns-3, and Linux before 3.18."""
TIMES = {
    # ring: until all is full, for how long probes are sent then, and what the last of them takes
    "fq_codel": {64: ("10ms", "40ms", "2ms"), 256: ("10ms", "40ms", "4ms"), 1024: ("20ms", "50ms", "14ms")},
    "pfifo_fast": {64: ("28ms", "44ms", "10ms"), 256: ("32ms", "48ms", "12ms"), 1024: ("52ms", "68ms", "18ms")},
}
"""pfifo_fast's begin when CUBIC has lost packets for the first time and its window has come down to 0.7: the queue is
then as short as it ever is again."""
SMALL_TIMES: Settings = (("warmup", "5ms"), ("duration", "35ms"))
SETTLED: Settings = (("warmup", "200ms"), ("duration", "300ms"))
"""With super-packets, whose window grows for that long."""
NO_OFFLOADS = "ethtool -K eth0 tso off gso off sg off\n"
NO_SMALL_QUEUES: Settings = (
    ("flow.bulk.limit_output", 0),
    ("flow.bulk.hystart", False),
    ("flow.bulk.rcv_window", "32m"),
    ("flow.bulk.wmem_max", "32m"),
)
"""Nothing keeps the sender back but the discipline's drops."""


def times(warmup: str, duration: str, drain: str) -> Settings:
    """Of a run."""
    return (("warmup", warmup), ("duration", duration), ("drain", drain))


def cell(discipline: str, ring: int, limits: bool, small_queues: bool, more: Settings = ()) -> Run:
    """A cell of the grid."""
    span = SMALL_TIMES if small_queues else (*NO_SMALL_QUEUES, *times(*TIMES[discipline][ring]))
    settings: Settings = (
        ("setup.lines", f"{NO_OFFLOADS}tc qdisc replace dev eth0 root {discipline}"),
        ("nic.ring", ring),
        ("nic.bql", "on" if limits else "off"),
    )
    return Run("ring-grid", (*settings, *span, *more))


# -- a device's queue as ns-3 has it: so many packets, and one on the wire

NS3_MTU = 1464
NS3_FRAME = NS3_MTU + 14
"""1,502 bytes on the wire with preamble, FCS and gap: of 1,500 and PPP's head, as published times grow by 11.878 us a
place, which are those of 82.2 such frames and a probe in a millisecond."""
NS3_MEAN = (82.2 * NS3_FRAME + 64) / 83.2
"""Bytes of a packet in the queue, one of 83.2 being a probe."""


def ns3(places: int) -> Run:
    """A queue of so many packets in all: limits that don't move, in a ring that is never full."""
    limit = round(places * NS3_MEAN)
    ring = 1 << (places + WAKE).bit_length()
    settings: Settings = (
        ("link.mtu", NS3_MTU),
        ("nic.ring", ring),
        ("nic.bql.limit_min", limit),
        ("nic.bql.limit_max", limit),
    )
    span = TIMES["fq_codel"][1024 if places > 256 + 1 else 256]
    return Run("ring-grid", (*settings, *SINGLE, *NO_SMALL_QUEUES, *times(*span)))


# -- figures


def mean_us(results: Results) -> float:
    """Of the probe, from its write to the end of its frame."""
    return float(flow(results, "probe")["latency_mean_ns"]) / US


def longest_us(results: Results) -> float:
    """Of the probe."""
    return float(flow(results, "probe")["latency_max_ns"]) / US


def share_us(share: str, results: Results) -> float:
    """What of that it is in one place."""
    return float(flow(results, "probe")[f"{share}_mean_ns"]) / US


def most_in_ring(results: Results) -> float:
    """Descriptors, of which a frame has one."""
    return float(max(results.series["ring"]["descriptors"]))


def interrupts_a_ms(results: Results) -> float:
    """Of the whole run."""
    return float(results.summary["totals"]["interrupts"]) * 1_000_000 / float(results.summary["simulated_ns"])


def name(discipline: str, ring: int, limits: bool) -> str:
    """A cell's."""
    return f"{discipline}, ring {ring:,}, {'limits' if limits else 'no limits'}"


def held(us: float) -> tuple[float, float]:
    """A mean."""
    return near(us, 0.03)


def as_published() -> tuple[Figure, ...]:
    """Queues as ns-3 has them."""
    us = {64: 775.1, 256: 3048.2, 1024: 12_174.7}
    queues = tuple(
        Figure(
            f"fq_codel, one packet at once, queue of {places:,}: probe",
            "us",
            ns3(places + 1),
            mean_us,
            near(us[places], 0.01),
            PUBLISHED_US[places],
            "as many packets, and one on the wire, met half-way",
        )
        for places in PUBLISHED_US
    )
    limited = Figure(
        "fq_codel, one packet at once, queue of 3: probe",
        "us",
        ns3(4),
        mean_us,
        near(42.2, 0.01),
        PUBLISHED_LIMITED_US,
        "ns-3 tells its limits of a packet when it begins on the wire: three are left, and the one on the wire on top",
    )
    return (*queues, limited)


def single() -> tuple[Figure, ...]:
    """The driver's ring, with packets one by one."""
    us = {64: 396.2, 256: 2732.3, 1024: 12_071.4}
    run = {ring: cell("fq_codel", ring, False, False, SINGLE) for ring in us}
    probes = tuple(
        Figure(
            f"fq_codel, one packet at once, ring {ring:,}, no limits: probe",
            "us",
            run[ring],
            mean_us,
            held(us[ring]),
            PUBLISHED_US[ring],
            f"a frame is a descriptor; the driver stops with {ring - STOP} in the ring and goes on with "
            f"{ring - WAKE - 1}: the probe waits for half of these 22 and, being first then, for what is in the ring",
        )
        for ring in us
    )
    most = Figure(
        "the most in the ring of 64",
        "descriptors",
        run[64],
        most_in_ring,
        (64 - STOP, 64 - STOP),
        64.0,
        "with less than 21 free the driver stops its queue; ns-3's stops when it is full",
        0,
    )
    return (*probes, most)


def grid(small_queues: bool, us: dict[tuple[str, int, bool], float], why: dict[tuple[str, bool], str]) -> list[Figure]:
    """Linux as it is today, with or without small queues."""
    return [
        Figure(
            f"{name(*at)}{', small queues' if small_queues else ''}: probe",
            "us",
            cell(*at, small_queues),
            mean_us,
            held(us[at]),
            None if at[0] != "fq_codel" or small_queues else PUBLISHED_LIMITED_US if at[2] else PUBLISHED_US[at[1]],
            why[at[0], at[2]],
        )
        for at in us
    ]


WITHOUT = grid(
    False,
    {
        ("fq_codel", 64, False): 780.9,
        ("fq_codel", 64, True): 30.4,
        ("fq_codel", 256, False): 3117.0,
        ("fq_codel", 256, True): 30.4,
        ("fq_codel", 1024, False): 12_465.0,
        ("fq_codel", 1024, True): 30.4,
        ("pfifo_fast", 64, False): 8915.0,
        ("pfifo_fast", 64, True): 8488.0,
        ("pfifo_fast", 256, False): 10_557.0,
        ("pfifo_fast", 256, True): 8490.0,
        ("pfifo_fast", 1024, False): 17_130.0,
        ("pfifo_fast", 1024, True): 8505.0,
    },
    {
        ("fq_codel", False): "not for ns-3's reason: the ring holds less, and up to 43 frames of a batch of 65 are "
        "parked in front of the probe and go 22 at a time",
        (
            "fq_codel",
            True,
        ): "two frames in the limit and one beyond, the first met half-way; ns-3 does not count the one on the wire",
        ("pfifo_fast", False): "0.7, which CUBIC leaves of its window, of 1,000 frames and those in the ring",
        ("pfifo_fast", True): "0.7, which CUBIC leaves of its window, of 1,000 frames, whatever the ring",
    },
)
FULL = Run(
    "ring-grid",
    (
        ("setup.lines", f"{NO_OFFLOADS}tc qdisc replace dev eth0 root pfifo_fast"),
        *NO_SMALL_QUEUES,
        *times("0", "16ms", "14ms"),
    ),
)
"""Until the discipline is full for the first time."""
WITH = grid(
    True,
    {
        (discipline, ring, limits): 30.7 if (discipline, limits) == ("fq_codel", True) else 725.0
        for discipline in ("fq_codel", "pfifo_fast")
        for ring in PUBLISHED_US
        for limits in (False, True)
    }
    | {("fq_codel", 64, False): 596.2},
    {
        (
            "fq_codel",
            False,
        ): "59 frames are all that small queues leave; in a ring of 64 are 43, and the rest of a batch is parked",
        ("fq_codel", True): "three frames in the ring, as without small queues; the probe passes the rest",
        ("pfifo_fast", False): "59 frames, in the ring or, what does not fit it, in the discipline",
        ("pfifo_fast", True): "the same, but for three in the discipline: it is small queues that bound them",
    },
)
FQ = "tc qdisc replace dev eth0 root fq_codel"
DEVICE: tuple[tuple[str, Settings, float, str], ...] = (
    (
        "limits, moderation 50 us",
        (("nic.tx_usecs", 50), *NO_SMALL_QUEUES, *SMALL_TIMES),
        104.0,
        "an interrupt reports five frames, and limits are twice that: three times as long as without moderation",
    ),
    (
        "limits, moderation 125 us",
        (("nic.tx_usecs", 125), *NO_SMALL_QUEUES, *SMALL_TIMES),
        213.2,
        "eleven frames an interrupt: seven times as long",
    ),
    (
        "limits, TSO",
        (("setup.lines", FQ), *NO_SMALL_QUEUES, *times("5ms", "105ms", "5ms")),
        1387.9,
        "two super-packets and a half of 554 us: 45 times as long",
    ),
    (
        "limits, TSO, small queues",
        (("setup.lines", FQ), *SETTLED),
        1644.0,
        "small queues leave three and more of these: the pacing rate is more than what is sent; and bulk, which is "
        "empty at times, is as new to fq_codel as the probe, which can't pass it then",
    ),
    (
        "limits, TSO, small queues, moderation 125 us",
        (("setup.lines", FQ), ("nic.tx_usecs", 125), *SETTLED),
        1490.0,
        "moderation is little beside a super-packet, and less is left when an interrupt is late",
    ),
    (
        "no limits, TSO, small queues",
        (("setup.lines", FQ), ("nic.bql", "off"), *SETTLED),
        1688.3,
        "the same, all in the ring: three super-packets",
    ),
)
"""fq_codel, ring 256."""


def device() -> list[Figure]:
    """What a simulation without a device can't have."""
    return [
        Figure(
            f"fq_codel, ring 256, {what}: probe",
            "us",
            Run("ring-grid", settings),
            mean_us,
            held(us),
            why=why,
        )
        for what, settings, us, why in DEVICE
    ]


FIGURES = (
    *as_published(),
    *single(),
    *WITHOUT,
    Figure(
        "pfifo_fast, ring 256, limits: probe, longest until the first loss",
        "us",
        FULL,
        longest_us,
        held(12_156.0),
        why="1,000 frames, less up to 15 whose place is not given back yet; from 700 the queue grows to that again",
    ),
    *WITH,
    *device(),
)
PLACES = (
    ("fq_codel", 256, False, False, "ring", 2832.6, "230 frames, 22 of them of those that were parked"),
    (
        "fq_codel",
        256,
        True,
        False,
        "ring",
        10.9,
        "hardly a frame: of three frames the first is on the wire, one in the NIC",
    ),
    ("pfifo_fast", 256, False, False, "ring", 2711.4, "220 frames"),
    ("pfifo_fast", 256, True, False, "ring", 10.9, "limits move the ring's share to the discipline"),
    ("pfifo_fast", 256, False, True, "qdisc", 0.0, "all is in the ring"),
    ("pfifo_fast", 256, True, True, "qdisc", 700.9, "limits move it to the discipline, here too"),
)
"""Where some of these probes wait."""


def places() -> list[Figure]:
    """What of a mean is in one place."""
    where = {"ring": "in the ring", "qdisc": "in the discipline"}
    return [
        Figure(
            f"{name(discipline, ring, limits)}{', small queues' if small_queues else ''}: {where[share]}",
            "us",
            cell(discipline, ring, limits, small_queues),
            partial(share_us, share),
            held(us),
            why=why,
        )
        for discipline, ring, limits, small_queues, share, us, why in PLACES
    ]


RING_GRID = Study(
    key="ring-grid",
    title="Ring, limits and discipline",
    source="simulations with ns-3, whose byte queue limits are by P. Imputato and S. Avallone",
    text=(
        "A probe of 64 bytes each millisecond beside one bulk TCP connection at 1 Gbit/s; means of 16 to 30 probes. "
        "First as published: queues of so many packets, no limit on what they hold but that, one packet at once "
        "(`host.bulk=1`), no offloads and no TCP Small Queues, which ns-3 has not, and frames of 1,502 bytes with all "
        "that the wire adds: then the figures for 64, 256 and 1,024 agree to less than a hundredth. Then with this "
        "driver's ring, which stops before it is full; then as Linux is today, where the discipline gives up to 65 "
        "packets at once if there are no limits, and what does not fit the ring is parked before the probe: that a "
        "ring of 64 gives 781 us is chance. With fq_codel the probe waits in the ring, which limits make three frames "
        "long. pfifo_fast has 700 to 1,000 frames in front of it whatever the ring: what is run is the least, when "
        "CUBIC has lost packets for the first time and has come down to 0.7 of its window; to fill the queue again "
        "takes it seconds, which are not run, and the longest wait is that before the first loss. Limits move the "
        "ring's share to the discipline. With small queues, as Linux has them, no frame waits longer than the 0.7 ms "
        "that they leave, and a ring of 256 is as good as one of 1,024. What byte queue limits leave is three times as "
        "long with a moderation of 50 us, seven times with 125 us, and 45 times with super-packets; small queues do "
        "not help there, since they leave three of these once the window has grown, which takes 0.2 s."
    ),
    figures=(*FIGURES, *places()),
    breakdown=Breakdown(
        "mean of the probe",
        tuple((figure.what.removesuffix(": probe"), figure.run) for figure in FIGURES if figure.ours is mean_us),
        (
            Column("us in all", mean_us),
            Column("discipline", partial(share_us, "qdisc")),
            Column("ring", partial(share_us, "ring")),
            Column("NIC", partial(share_us, "nic")),
            Column("interrupts a ms", interrupts_a_ms),
        ),
    ),
)
