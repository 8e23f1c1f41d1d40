"""Completions of the RTL: what they say, when they come, how they are gathered, and that their ring can't overflow."""

from __future__ import annotations

import pytest

from tests.control import completion, offloads
from tests.control.bench import each
from tests.datapath.worlds import FAST, HOSTILE, TWIN, Place, run, worlds


@worlds(*FAST, TWIN)
def test_index_time_flags_and_phase_are_right_over_several_passes_of_the_ring(sim: Place) -> None:
    run(sim, each, (completion.passes, [(6, 4, 11), (7, 2, 11)]))


@worlds(*FAST)
@pytest.mark.parametrize(("data_w", "queues"), [(64, 1), (128, 4), (256, 4)])
def test_completions_are_right_at_every_width(sim: Place, data_w: int, queues: int) -> None:
    run(sim, completion.passes, (6, 3 if sim == "verilator" else 2, 5), data_w=data_w, queues=queues)


@worlds(*FAST, TWIN)
def test_completions_gather_up_to_the_threshold_or_until_the_timer(sim: Place) -> None:
    run(sim, each, (completion.threshold, [(threshold, 4) for threshold in range(1, 17)]))


@worlds(*FAST, TWIN)
def test_a_completion_comes_after_the_fcs_has_ended_on_the_wire(sim: Place) -> None:
    run(sim, each, (completion.on_the_wire, [1_000_000_000, 100_000_000_000]))


@worlds(*FAST, TWIN)
def test_completion_at_fetch_does_not_wait_for_the_wire(sim: Place) -> None:
    run(sim, completion.at_fetch)


@worlds(*FAST, TWIN)
def test_a_packet_that_is_cut_has_one_completion_with_its_segments(sim: Place) -> None:
    run(sim, each, (offloads.one_completion_a_packet, [(4, 130, False), (4, 130, True)]), queues=4)


@worlds(*FAST, TWIN)
def test_a_queue_whose_completions_are_not_consumed_stops_before_its_ring_overflows(sim: Place) -> None:
    run(sim, each, (completion.full_ring, [(0, 0, 6), (12, 0, 6), (3, 1, 6), (0, 2, 7), (1, 3, 6)]), queues=4)


@worlds(*FAST, TWIN)
def test_queues_that_stand_leave_descriptor_storage_to_others(sim: Place) -> None:
    run(sim, completion.hoard, 2, queues=4)


@worlds(*FAST, TWIN)
@pytest.mark.parametrize("at_fetch", [False, True])
@pytest.mark.parametrize("told", [False, True])
def test_completion_slots_come_back(sim: Place, at_fetch: bool, told: bool) -> None:
    run(sim, completion.slots_come_back, (4, at_fetch, told), queues=4)


@worlds(*FAST, TWIN)
def test_events_of_a_queue_use_completion_slots_and_give_them_back(sim: Place) -> None:
    run(sim, completion.events_take_slots, 150 if sim == "verilator" else 40)


@worlds(*FAST, *HOSTILE, TWIN)
def test_head_write_back_counts_an_error_only_when_the_ring_has_it(sim: Place) -> None:
    configs = [(1, 6, 1), (7, 6, 7)] if sim.world != "hostile" else [(4, 3, 1)]
    run(sim, each, (completion.head_record, configs))


@worlds("verilator")
@pytest.mark.parametrize(("data_w", "queues"), [(64, 1), (128, 4)])
def test_head_write_back_puts_its_record_where_it_belongs_on_narrow_buses(sim: Place, data_w: int, queues: int) -> None:
    run(sim, each, (completion.head_record, [(1, 6, 1), (7, 6, 7)]), data_w=data_w, queues=queues)


@worlds(*FAST, *HOSTILE)
def test_the_half_with_the_phase_is_written_last_on_64_bits(sim: Place) -> None:
    count = 130 if sim.name == "verilator" else 24 if sim == "verilator" else 10
    run(sim, completion.phase_last, count, data_w=64)


@worlds(*FAST, "verilator-hostile", TWIN)
def test_completions_of_a_queue_keep_its_order(sim: Place) -> None:
    run(sim, completion.order, (10 if sim.world == "hostile" else 60, 3), queues=4)
