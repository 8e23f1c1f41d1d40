"""Queues of the RTL share the wire: a frame of each in turn, and no more frames ahead of a new one than are allowed."""

from __future__ import annotations

import pytest

from ringwire.driver.ringwire import commit_bound
from ringwire.nic.pacer import wire_bytes
from tests.control import fairness
from tests.control.fairness import Shares, Wait
from tests.datapath.worlds import FAST, TWIN, Place, run, worlds

MIXED = (60, 1514, 64, 9000)


@worlds("verilator", TWIN)
@pytest.mark.parametrize("count", [4, 16])
def test_backlogged_queues_have_the_same_share_of_10000_frames(sim: Place, count: int) -> None:
    run(sim, fairness.shares, Shares((60,) * count, 10_000), queues=count, latency_ns=200)


@worlds("icarus")
@pytest.mark.parametrize("count", [4, 16])
def test_backlogged_queues_have_the_same_share_of_1000_frames(sim: Place, count: int) -> None:
    run(sim, fairness.shares, Shares((60,) * count, 1_000), queues=count, latency_ns=200)


@worlds(*FAST, TWIN)
@pytest.mark.parametrize("bound", [(1 << 18) - 1, 1 << 18, 1 << 31, (1 << 32) - 1])
def test_a_bound_that_nothing_reaches_holds_nothing_back(sim: Place, bound: int) -> None:
    run(sim, fairness.shares, Shares((60,) * 2, 100, bound=bound), queues=4)


@worlds("verilator", TWIN)
def test_frames_are_shared_out_not_bytes(sim: Place) -> None:
    run(sim, fairness.shares, Shares(MIXED, 10_000), queues=4, capture_bytes=1 << 26)


@worlds("icarus")
def test_frames_are_shared_out_not_bytes_in_fewer_frames(sim: Place) -> None:
    run(sim, fairness.shares, Shares(MIXED, 200), queues=4)


@worlds(*FAST, TWIN)
def test_with_a_commit_bound_a_frame_waits_for_two_of_a_backlogged_queue_at_most(sim: Place) -> None:
    turns = 3 if sim == "icarus" else 12
    run(sim, fairness.waits, Wait(2 * 1538, range(1, 3), turns), queues=4)


@worlds("verilator", TWIN)
def test_without_a_commit_bound_a_frame_waits_for_a_whole_frame_buffer(sim: Place) -> None:
    run(sim, fairness.waits, Wait(0, range(40, 46), 6), queues=4)


@worlds(*FAST, TWIN)
def test_a_frame_of_a_higher_priority_waits_for_two_frames_of_any_number_of_queues(sim: Place) -> None:
    turns = 3 if sim == "icarus" else 12
    run(sim, fairness.waits, Wait(2 * 1538, range(1, 3), turns, bulk=3, priority=1), queues=4)


@worlds(*FAST, TWIN)
@pytest.mark.parametrize("cut", [False, True], ids=["frames", "segments"])
@pytest.mark.parametrize("latency_ns", [0, 1_000])
def test_with_the_drivers_own_bound_a_frame_of_a_higher_priority_waits_for_two(
    sim: Place, latency_ns: int, cut: bool
) -> None:
    bound = commit_bound(fairness.WAIT_BPS, latency_ns, wire_bytes(1514))
    wait = Wait(bound, range(1, 3), 3 if sim == "icarus" else 24, bulk=3, priority=1, cut=cut)
    run(sim, fairness.waits, wait, queues=4, latency_ns=latency_ns)


@worlds(*FAST, TWIN)
@pytest.mark.parametrize("priorities", [(0, 1, 0, 7), (5, 2, 2, 2), (0, 0, 0, 0), (3, 2, 1, 0)], ids=str)
def test_queues_are_served_by_priority_and_equals_in_turns(sim: Place, priorities: tuple[int, ...]) -> None:
    run(sim, fairness.strict, priorities, queues=4)
