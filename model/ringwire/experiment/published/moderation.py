"""Byte queue limits against interrupt moderation, and what a sparse flow feels of it."""

from __future__ import annotations

from dataclasses import dataclass

from ringwire.experiment.published.study import (
    Breakdown,
    Column,
    Figure,
    Run,
    Settings,
    Study,
    queue,
    sparse_median_us,
)
from ringwire.experiment.results import Results

SPARSE, WIRE = 110, 24
"""Bytes of a sparse packet, and what the wire adds to each frame."""
LATE_US = 5.7
"""From a frame's end to its interrupt: 5 us of the host, and the device's way to memory."""
SPREAD = 0.028
"""Of a median about what the frames in the ring make of it: some 250 packets, and bins of the histogram."""


@dataclass(frozen=True, slots=True)
class Link:
    """A rate, and its runs: bulk, and sparse packets at equal distances.

    So there is one of them in the ring at the most, as in the prediction: limits count sparse packets too.
    """

    rate: str
    mbps: int
    ms: int
    """How long a run is; limits are held for a quarter of that."""
    sparse_pps: int = 1000

    def frame_us(self, size: int) -> float:
        """Of a frame with what the wire adds."""
        return 8 * (size + WIRE) / self.mbps

    def run(self, size: int, *settings: tuple[str, object]) -> Run:
        """One run; figures are of what comes after limits have fallen once."""
        common: Settings = (
            ("link.rate", self.rate),
            ("duration", f"{self.ms}ms"),
            ("warmup", f"{3 * self.ms // 8}ms"),
            ("flow.bulk.size", size),
            ("flow.sparse.pattern", "constant"),
            ("flow.sparse.pps", self.sparse_pps),
        )
        return Run("moderation", (*common, *settings))


def held(ms: int) -> tuple[str, object]:
    """How long limits are held before they fall."""
    return "nic.bql", f'{{ hold = "{ms}ms" }}'


SLOW, MIDDLE, FAST = Link("100mbit", 100, 1200), Link("1gbit", 1000, 400), Link("10gbit", 10_000, 40, 10_000)
NEW_WAIT = "refuted: tx-usecs begins with a frame's end here, so that each interrupt, and what it lets in, is later"


def wait_us(frames: int, frame_us: float, left_us: float, own_us: float) -> float:
    """What a sparse packet takes on average, if each interrupt reports so many frames.

    It waits for the next interrupt, half of their time, and then for those in the ring, one more than are reported,
    less what has left of the first of them since the last that is reported has ended; and then for its own end.
    """
    return (1.5 * frames + 1) * frame_us - left_us + own_us


@dataclass(frozen=True, slots=True)
class Cell:
    """One of the table: the limit and the sparse flow's median that were predicted, and what has become of them."""

    link: Link
    size: int
    usecs: int
    limit: int
    median_us: float
    why_limit: str
    why_median: str

    @property
    def run(self) -> Run:
        """With limits that fall three times."""
        return self.link.run(self.size, ("nic.tx_usecs", self.usecs), held(self.link.ms // 4))

    @property
    def name(self) -> str:
        return f"{self.link.rate}, {self.size} bytes, {self.usecs} us"

    @property
    def frames(self) -> int:
        """Of an interrupt: the first, and those that end until it comes."""
        return 1 + int((self.usecs + LATE_US) / self.link.frame_us(self.size))

    def figures(self) -> tuple[Figure, Figure]:
        """The limit is twice what an interrupt reports, and sparse packets among it."""
        n, frame_us = self.frames, self.link.frame_us(self.size)
        left_us = self.usecs + LATE_US - (n - 1) * frame_us
        median = wait_us(n, frame_us, left_us, self.link.frame_us(SPARSE))
        least = 2 * n * self.size
        most = least + (2 * SPARSE if n > 1 else SPARSE)
        return (
            Figure(
                f"{self.name}: limit", "bytes", self.run, largest_limit, (least, most), self.limit, self.why_limit, 0
            ),
            Figure(
                f"{self.name}: sparse median",
                "us",
                self.run,
                sparse_median_us,
                ((1 - SPREAD) * median, (1 + SPREAD) * median),
                self.median_us,
                self.why_median,
            ),
        )


def largest_limit(results: Results) -> float:
    """Bytes. Each time that limits are held no longer they fall below what is needed, and rise again at once."""
    return float(queue(results)["bql_limit_most_bytes"])


def frames_an_interrupt(results: Results) -> float:
    """Sparse ones too."""
    return float(results.summary["totals"]["packets per interrupt"])


def utilisation(results: Results) -> float:
    """Of the wire, from the first packet's write to the last one's end, in percent."""
    return 100 * float(results.summary["totals"]["wire utilisation"])


def fall(results: Results) -> float:
    """By how much the limit fell when it was held no longer, at the most, bytes."""
    rows = results.series["bql"]["limit_bytes"]
    later = rows[len(rows) // 2 :]
    return float(later.max() - later.min())


CELLS = (
    Cell(SLOW, 1514, 0, 3028, 313, "confirmed: two frames", "confirmed: two and a half frames, and its own"),
    Cell(
        SLOW,
        1514,
        50,
        3028,
        313,
        "confirmed but for a sparse packet: an interrupt reports a frame, and one that has ended with it",
        NEW_WAIT,
    ),
    Cell(
        SLOW,
        1514,
        125,
        4652,
        379,
        "refuted: each interrupt reports two frames; held 125 us apart, it is one and now and then two",
        "refuted: as the limit is",
    ),
    Cell(SLOW, 1506, 0, 3012, 312, "confirmed: two frames", "confirmed: as with 1514 bytes"),
    Cell(MIDDLE, 1514, 0, 3138, 26.8, "confirmed: two frames and a sparse packet", "confirmed: as at 100 Mbit/s"),
    Cell(
        MIDDLE,
        1514,
        50,
        13_736,
        90,
        "refuted: each interrupt reports five frames; held 50 us apart, it is four or five",
        "refuted: 8.5 frames, less the half that has left by the interrupt",
    ),
    Cell(
        MIDDLE,
        1514,
        125,
        33_418,
        215,
        "confirmed: eleven frames an interrupt, either way",
        "confirmed but for 3%: more of a frame has left by the interrupt than if they are held apart",
    ),
    Cell(
        FAST,
        1514,
        0,
        15_140,
        10.5,
        "confirmed: five frames an interrupt, and a sparse packet",
        "confirmed but for 5%: an interrupt is 0.7 us later, the device's way to memory, and more of a frame has left",
    ),
    Cell(
        FAST,
        1514,
        50,
        136_370,
        82.7,
        "confirmed but for a frame an interrupt: 46, since the device's 0.7 us let one more end",
        "confirmed but for that frame",
    ),
)
"""Predicted by a model of 90 lines: dynamic queue limits, a serializer, interrupts 5 us late, a ring of 256; sparse
packets of 110 bytes pass the others in the discipline."""


def without(link: Link, size: int, median_us: float, held: tuple[float, float]) -> Figure:
    """The same without limits."""
    why = "confirmed: up to 235 packets in the ring, and what it had no room for of 65 that are given at once"
    run = link.run(size, ("nic.bql", "off"))
    return Figure(
        f"{link.rate}, {size} bytes, no limits: sparse median", "us", run, sparse_median_us, held, median_us, why
    )


def held_for(ms: int) -> tuple[Figure, Figure]:
    """A cell again, limits held for another time."""
    cell = next(cell for cell in CELLS if (cell.link, cell.usecs) == (MIDDLE, 50))
    run = MIDDLE.run(cell.size, ("nic.tx_usecs", cell.usecs), held(ms))
    why = "confirmed: it does not matter how long limits are held"
    limit, median = cell.figures()
    name = f"{cell.name}, held {ms} ms"
    return (
        Figure(f"{name}: limit", "bytes", run, largest_limit, limit.held, None, why, 0),
        Figure(f"{name}: sparse median", "us", run, sparse_median_us, median.held, None, why),
    )


SHORT = Run(
    "moderation",
    (
        ("link.rate", "10gbit"),
        ("duration", "20ms"),
        ("flow.bulk.size", 1514),
        ("nic.tx_usecs", 50),
        ("flow.sparse.pattern", "constant"),
    ),
)
"""Whose utilisation was the lowest that was predicted."""

MODERATION = Study(
    key="moderation",
    title="Byte queue limits against interrupt moderation",
    source="predicted by a model of 90 lines",
    text=(
        "The limit is the largest that there was. The prediction's rule holds: it is twice what one interrupt reports, "
        "whole frames and a sparse packet, so that moderation, not the ring, sets what waits in front of a sparse "
        "packet. What moderation is differs. The prediction holds interrupts apart, as ITR of Intel's devices does: "
        "one comes at once if the last is long enough ago. Here, as `ethtool` has tx-usecs, it comes so long after the "
        "first frame that has ended since. The two agree where moderation is off or much longer than a frame, and "
        "differ where it is about a frame or has 4 or 5 of them an interrupt; a model of either kind (in the tests) "
        "gives the table's figures and ours. A sparse packet waits for the next interrupt and for the frames that the "
        "limit has let in: of n frames an interrupt, 1.5 n + 1 less what has left by then of the first that is not "
        "reported. How long limits are held does not matter: when that is over they fall below what is needed, and the "
        "next interrupt has them rise again. The wire is busy for more than 99.4% of the time, but for the first 0.3 "
        "ms at 10 Gbit/s, in which limits grow to 46 frames an interrupt: in a run of 20 ms that is more than "
        "predicted. Sparse packets come once a millisecond, the only rate with which a ring of 256 takes 28.3 ms at "
        "100 Mbit/s; ten times as often at 10 Gbit/s."
    ),
    figures=(
        *(figure for cell in CELLS for figure in cell.figures()),
        without(SLOW, 1514, 28_300, (28_000, 29_000)),
        without(SLOW, 1506, 28_200, (27_900, 28_900)),
        without(MIDDLE, 1514, 3110, (3090, 3150)),
        *held_for(1000),
        *held_for(10),
        Figure(
            "10gbit, 1514 bytes, 50 us, 20 ms: utilisation",
            "%",
            SHORT,
            utilisation,
            (98.5, 98.7),
            99.4,
            "refuted: limits grow for 0.28 ms until the wire is always busy; counted as queued, bytes were sent before",
        ),
    ),
    breakdown=Breakdown(
        "with limits",
        tuple((cell.name, cell.run) for cell in CELLS),
        (
            Column("packets an interrupt", frames_an_interrupt, 2),
            Column("utilisation, %", utilisation, 2),
            Column("the limit falls by, bytes", fall, 0),
        ),
    ),
)
