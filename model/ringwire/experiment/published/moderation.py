"""Byte queue limits against interrupt moderation, and what a sparse flow feels of it."""

from __future__ import annotations

from ringwire.experiment.published.study import Figure, Run, Settings, Study, bql_limit, sparse_median_us

PREDICTED = {
    # rate, frame: (moderation in us, limit in bytes, sparse median in us) each, and without limits
    ("100mbit", 1514): (((0, 3028, 313), (50, 3028, 313), (125, 4652, 379)), 28_300),
    ("100mbit", 1506): (((0, 3012, 312),), 28_200),
    ("1gbit", 1514): (((0, 3138, 26.8), (50, 13_736, 90), (125, 33_418, 215)), 3_110),
    ("10gbit", 1514): (((0, 15_140, 10.5), (50, 136_370, 82.7)), None),
}
"""By a model of 90 lines: dynamic queue limits, a serializer, interrupts 5 us late, a ring of 256; sparse packets of
110 bytes pass the others in the discipline."""
DURATION = {"100mbit": "400ms", "1gbit": "100ms", "10gbit": "20ms"}


def figures() -> tuple[Figure, ...]:
    """Of each cell of the table: the limit and the median, or the median without limits."""
    made = []
    for (rate, size), (rows, without) in PREDICTED.items():
        common: Settings = (("link.rate", rate), ("flow.bulk.size", size), ("duration", DURATION[rate]))
        cells: list[tuple[str, Run, float | None, float]] = [
            (f"{us} us", Run("moderation", (*common, ("nic.tx_usecs", us))), limit_bytes, median)
            for us, limit_bytes, median in rows
        ]
        if without is not None:
            cells.append(("no limits", Run("moderation", (*common, ("nic.bql", "off"))), None, without))
        for name, run, limit_bytes, median in cells:
            what = f"{rate}, {size} bytes, {name}"
            if limit_bytes is not None:
                held = (0.95 * limit_bytes, 1.35 * limit_bytes)
                made.append(Figure(f"{what}: limit", "bytes", run, bql_limit, held, limit_bytes, digits=0))
            made.append(
                Figure(f"{what}: sparse median", "us", run, sparse_median_us, (0.8 * median, 1.2 * median), median)
            )
    return tuple(made)


MODERATION = Study(
    key="moderation",
    title="Byte queue limits against interrupt moderation",
    source="predicted by a model of 90 lines",
    text=(
        "Confirmed on the RTL: the limit is about twice what one interrupt reports, so that moderation, not the ring, "
        "sets what waits in front of a sparse packet once there are limits. An interrupt reports whole frames, and the "
        "sparse packets among them count as well: hence limits somewhat above the prediction, where both flows had one "
        "size. Sparse packets come at random here, so that they meet the frame on the wire half-way on average."
    ),
    figures=figures(),
)
