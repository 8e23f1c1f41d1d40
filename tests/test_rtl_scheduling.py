"""Whose frame is next, and when: weights, rate limits, launch times and flow control, on the RTL and on its twin."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.control import scheduling
from tests.control.scheduling import GBIT, Launch, Limited, Weighted
from tests.datapath.worlds import FAST, TWIN, Place, run, worlds

ALL = worlds(*FAST, TWIN)
BOTH_WIDTHS = pytest.mark.parametrize("width", [64, 512])
SHARES = [
    Weighted((1514, 1514, 1514, 1514), (1514, 3028, 4542, 15140)),
    Weighted((60, 1514, 9000, 300), (1000, 1000, 1000, 1000), frames=100),
    Weighted((60, 61, 64, 1000), (64, 65, 127, 262143)),
    Weighted((40, 100, 60, 60), (600, 600, 0, 600)),
    Weighted((300, 300, 300, 300), (300, 900, 300, 900), (2, 2, 5, 5)),
    Weighted((1000, 500, 200, 100), (10_000, 5_000, 2_500, 1_250), cut=True, frames=200),
]


@ALL
@pytest.mark.parametrize("config", SHARES, ids=range(len(SHARES)))
def test_backlogged_queues_share_the_wire_by_their_weights(sim: Place, config: Weighted) -> None:
    if sim == "icarus":  # which takes 30 ms for a frame
        config = replace(config, frames=min(config.frames, 40))
    run(sim, scheduling.weighted, config, queues=4)


@worlds("verilator", TWIN)
def test_weights_hold_on_64_bits(sim: Place) -> None:
    run(sim, scheduling.weighted, SHARES[0], queues=4, data_w=64)


@worlds("verilator", TWIN)
@pytest.mark.parametrize("rate", [1_000_000, 100_000_000])
def test_a_limited_queue_has_its_rate_over_a_second(sim: Place, rate: int) -> None:
    frames = rate // (8 * 1000)
    run(sim, scheduling.limited, Limited((rate,), (1000,), 10 * GBIT, frames + 1), latency_ns=300)


@worlds("icarus")
def test_a_limited_queue_has_its_rate_over_some_frames(sim: Place) -> None:
    run(sim, scheduling.limited, Limited((100_000_000,), (1000,), 10 * GBIT, 60), latency_ns=300)


@ALL
@pytest.mark.parametrize(("size", "rate"), [(60, 10_000_000), (1514, 100_000_000)])
def test_limits_hold_beside_a_queue_that_takes_all_it_can(sim: Place, size: int, rate: int) -> None:
    """Each turn of the other queue is a frame of 1514 bytes: faster than one a turn no limited queue can be."""
    frames = 12 if sim == "icarus" else 300
    sizes = (1514, size, size, size)
    run(sim, scheduling.limited, Limited((0, rate, rate // 2, rate * 2), sizes, GBIT, frames), queues=4)


@worlds("verilator", TWIN)
def test_high_limits_hold(sim: Place) -> None:
    run(sim, scheduling.limited, Limited((20 * GBIT, 40 * GBIT), (1514, 1514), 100 * GBIT, 2_000, 20_000), queues=2)


LAUNCHES = [
    Launch((1, 500, 500, 10_001, 1_000_000, 777)),
    Launch((100, 0, 0, 5_000, 0, 701), 10 * GBIT),
    Launch((6_000, 9_999, 9_998), cut=7),
    Launch((6_000, 1_700, 1_701), lead=900),
    Launch((100_000, 100_001), lead=50_000),
    Launch((10_000, *(100,) * 39), size=60, lead=50_000),  # more than are kept between scheduler and pacer
]


@ALL
@BOTH_WIDTHS
@pytest.mark.parametrize("config", LAUNCHES, ids=range(len(LAUNCHES)))
def test_a_packet_leaves_at_its_launch_time(sim: Place, width: int, config: Launch) -> None:
    run(sim, scheduling.launched, config, data_w=width, latency_ns=200)


@worlds("verilator", TWIN)
@pytest.mark.parametrize("queue", range(4))
def test_each_queue_has_launch_times_of_its_own(sim: Place, queue: int) -> None:
    run(sim, scheduling.launched, Launch((1, 501, 10_001, 700, 99_999), queue=queue), queues=4, data_w=64)


@ALL
@pytest.mark.parametrize("period_ps", [4000, 3103, 500])  # at 500, each bit of a ns shows
def test_a_launch_is_at_a_clock_edge_of_any_clock(sim: Place, period_ps: int) -> None:
    run(sim, scheduling.launched, Launch((97, 3001, 1009, 1013)), period_ps=period_ps, latency_ns=100)


@ALL
@BOTH_WIDTHS
def test_a_launch_far_ahead_is_waited_for(sim: Place, width: int) -> None:
    run(sim, scheduling.far, range(34, 64), queues=4, data_w=width)


@ALL
@BOTH_WIDTHS
def test_what_is_late_is_sent_or_dropped(sim: Place, width: int) -> None:
    run(sim, scheduling.late, 4, queues=4, data_w=width)


@ALL
def test_other_queues_pass_one_that_waits_for_its_launch(sim: Place) -> None:
    run(sim, scheduling.others_pass, 4, queues=4)


@ALL
@BOTH_WIDTHS
def test_a_launch_time_goes_with_its_packet(sim: Place, width: int) -> None:
    run(sim, scheduling.failed_launches, data_w=width)


@ALL
def test_a_launched_packet_has_the_stamp_of_its_launch(sim: Place) -> None:
    run(sim, scheduling.stamps)


@ALL
@pytest.mark.parametrize("line", [GBIT, 100 * GBIT])
def test_no_frame_starts_in_a_pause(sim: Place, line: int) -> None:
    run(sim, scheduling.paused, line, queues=2)


@ALL
@pytest.mark.parametrize("line", [GBIT, 10 * GBIT])
def test_pfc_stops_a_priority(sim: Place, line: int) -> None:
    run(sim, scheduling.priority_paused, line, queues=4)


@ALL
def test_a_queue_that_is_held_can_be_reset(sim: Place) -> None:
    run(sim, scheduling.reset_while_held, queues=2)
