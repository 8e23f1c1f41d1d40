"""Interrupts of the RTL: one for each arming, none lost, none early, moderated, and masked."""

from __future__ import annotations

from tests.control import interrupt
from tests.control.bench import each
from tests.datapath.worlds import FAST, HOSTILE, TWIN, Place, run, worlds


@worlds(*FAST, TWIN)
def test_no_arming_at_any_edge_round_a_completion_loses_its_interrupt(sim: Place) -> None:
    run(sim, each, (interrupt.arm_race, [(0, 0), (1, 0), (0, 300), (8, 300)]), latency_ns=100)


@worlds(*FAST, TWIN)
def test_arming_beyond_a_completion_that_has_no_response_yet_waits_for_the_next(sim: Place) -> None:
    run(sim, interrupt.arm_ahead, latency_ns=100)


@worlds(*FAST, TWIN)
def test_an_interrupt_fires_once_for_each_arming_and_at_once_if_it_is_behind(sim: Place) -> None:
    run(sim, interrupt.one_shot)


@worlds(*FAST, TWIN)
def test_a_masked_interrupt_is_held_and_fires_when_it_is_unmasked(sim: Place) -> None:
    run(sim, each, (interrupt.masked, [50_000, 3_000_000_000]))


@worlds(*FAST, TWIN)
def test_masking_at_any_edge_round_a_completion_loses_no_interrupt(sim: Place) -> None:
    run(sim, interrupt.mask_race, latency_ns=100)


@worlds(*FAST, TWIN)
def test_moderation_gathers_by_frames_by_time_and_by_both(sim: Place) -> None:
    run(sim, each, (interrupt.moderated, [(5, 0), (0, 20_000), (1, 20_000), (5, 20_000), (20, 300)]))


@worlds(*FAST, TWIN)
def test_errors_are_not_moderated(sim: Place) -> None:
    run(sim, interrupt.errors_hurry)


@worlds(*FAST)
def test_an_interrupt_never_overtakes_the_write_response_of_what_it_announces(sim: Place) -> None:
    run(sim, interrupt.after_the_response, latency_ns=2_000)


@worlds(*FAST)
def test_an_interrupt_never_overtakes_a_write_response_that_is_late(sim: Place) -> None:
    run(sim, interrupt.after_the_response, latency_ns=2_000, jitter_ns=2_000)


@worlds(*FAST, TWIN)
def test_a_consumed_count_beyond_what_there_is_is_refused_and_reported(sim: Place) -> None:
    run(sim, interrupt.refused)


@worlds(*FAST, *HOSTILE, TWIN)
def test_software_that_works_on_interrupts_alone_gets_every_completion(sim: Place) -> None:
    packets = 15 if sim.world == "hostile" else 150 if sim != "icarus" else 60
    run(sim, interrupt.nothing_lost, (4, packets, 4), queues=4, jitter_ns=300)


@worlds(*FAST)
def test_sixteen_queues_have_an_interrupt_each(sim: Place) -> None:
    run(sim, interrupt.nothing_lost, (16, 60 if sim == "verilator" else 10, 1), queues=16)
