"""The limit that byte queue limits settle at when each frame has its own interrupt."""

from __future__ import annotations

from ringwire.experiment.published.study import Figure, Run, Study, bql_limit, most_in_ring


def sized(size: int, *settings: tuple[str, object]) -> Run:
    """Frames of this size."""
    return Run("bql", (("nic.device", "verilator"), ("flow.bulk.size", size), *settings))


BQL_LIMIT = Study(
    key="bql-limit",
    title="What byte queue limits settle at",
    source="D. Siemon, Queueing in the Linux Network Stack (2013)",
    text=(
        "At 100 Mbit/s, without interrupt moderation, the limit is two frames: one on the wire, one behind it. Without "
        "byte queue limits the ring is as full as the driver lets it be."
    ),
    figures=(
        *(
            Figure(
                f"limit, frames of {size} bytes",
                "bytes",
                sized(size),
                bql_limit,
                (2 * size, 2 * size),
                published=3012 if size == 1506 else None,
                why="two frames, exactly",
                digits=0,
            )
            for size in (1506, 1514)
        ),
        Figure(
            "in the ring of 256 without them, frames of 1500 bytes",
            "bytes",
            sized(1500, ("nic.bql", "off"), ("flow.bulk.sndbuf", "800k")),
            most_in_ring,
            (234 * 1500, 235 * 1500),
            published=256 * 1500,
            why="235 frames: the driver stops with 21 descriptors free, in which the largest packet still fits",
            digits=0,
        ),
    ),
)
