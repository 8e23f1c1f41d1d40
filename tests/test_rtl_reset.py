"""Queues of the RTL disabled, drained, enabled again and reset, while they and others are at work."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.control import reset
from tests.control.bench import each
from tests.control.reset import Resets
from tests.datapath.worlds import FAST, HOSTILE, TWIN, Place, run, worlds

OPEN = Resets(30, 1)
SLOW = Resets(12, 2, rate_bps=1_000_000_000, span_ns=40_000, batch=12)
BOUNDED = Resets(12, 3, rate_bps=10_000_000_000, bound=3076, span_ns=20_000)
SMALL = Resets(15, 4, rate_bps=100_000_000_000, queues=4, sizes=(60,), errors=0)
FETCHED = Resets(12, 5, rate_bps=10_000_000_000, at_fetch=True, errors=0)
HARD = Resets(8, 6, sizes=(60, 200), batch=20)


def fewer(sim: Place, *configs: Resets) -> list[Resets]:
    """On the slow simulator, a third of the resets."""
    return [replace(config, count=config.count // 3) if sim == "icarus" else config for config in configs]


@worlds(*FAST, TWIN)
def test_at_a_reset_under_load_every_packet_meets_one_end(sim: Place) -> None:
    run(sim, each, (reset.under_load, fewer(sim, OPEN, SLOW, BOUNDED, SMALL)), queues=4)


@worlds(*FAST, TWIN)
@pytest.mark.parametrize("latency_ns", [0, 2_000])
def test_at_a_reset_every_packet_meets_one_end_whatever_the_memory(sim: Place, latency_ns: int) -> None:
    run(sim, each, (reset.under_load, fewer(sim, OPEN)), queues=4, latency_ns=latency_ns, jitter_ns=latency_ns)


@worlds(*HOSTILE)
def test_at_a_reset_on_hostile_buses_every_packet_meets_one_end(sim: Place) -> None:
    run(sim, reset.under_load, HARD, queues=4)


@worlds("verilator-hostile")
def test_a_queue_on_hostile_buses_that_is_disabled_comes_to_rest_and_goes_on_without_loss(sim: Place) -> None:
    run(sim, reset.drain, HARD, queues=4)


@worlds(*FAST, TWIN)
def test_at_a_reset_with_completion_at_fetch_every_packet_is_told_of_once(sim: Place) -> None:
    run(sim, each, (reset.under_load, fewer(sim, FETCHED)), queues=4)


@worlds(*FAST, TWIN)
def test_a_queue_that_is_disabled_comes_to_rest_and_goes_on_without_loss(sim: Place) -> None:
    run(sim, each, (reset.drain, fewer(sim, OPEN, SLOW, BOUNDED)), queues=4)


@worlds(*FAST, TWIN)
def test_a_packet_without_its_end_holds_up_its_own_queue_only(sim: Place) -> None:
    run(sim, each, (reset.half_posted, [(3, 1), (3, 40), (3, 63)] if sim != "icarus" else [(3, 63)]), queues=4)


@worlds(*FAST, TWIN)
@pytest.mark.parametrize("queues", [1, 4])
def test_resets_give_the_storage_of_prefetched_descriptors_back(sim: Place, queues: int) -> None:
    run(sim, reset.prefetched, (queues, 6 if sim != "icarus" else 2), queues=queues)


@worlds(*FAST)
def test_a_reset_waits_for_as_many_frames_as_can_be_in_flight(sim: Place) -> None:
    run(sim, reset.all_in_flight, 1 if sim == "icarus" else 4, queues=4, data_w=64)


@worlds(*FAST, TWIN)
def test_a_queue_can_be_reset_in_every_state(sim: Place) -> None:
    run(sim, reset.of_every_state)


@worlds(*FAST, TWIN)
def test_a_reset_flushes_what_is_gathered_and_refuses_what_would_disturb_it(sim: Place) -> None:
    run(sim, reset.meanwhile)
