"""Registers of the RTL: what they reset to, keep, refuse and count."""

from __future__ import annotations

import pytest

from tests.control import registers
from tests.datapath.worlds import FAST, HOSTILE, TWIN, Place, run, worlds


@worlds(*FAST, TWIN)
@pytest.mark.parametrize(("queues", "data_w"), [(1, 512), (4, 512), (1, 64)])
def test_registers_have_their_reset_values_and_capabilities(sim: Place, queues: int, data_w: int) -> None:
    run(sim, registers.reset_values, (queues, data_w), queues=queues, data_w=data_w)


@worlds(*FAST, TWIN)
@pytest.mark.parametrize("queues", [1, 4])
def test_an_address_without_a_register_is_refused(sim: Place, queues: int) -> None:
    run(sim, registers.no_register, queues, queues=queues)


@worlds(*FAST, TWIN)
def test_registers_keep_what_is_legal_and_refuse_what_is_not(sim: Place) -> None:
    run(sim, registers.kept, 4, queues=4)


@worlds(*FAST, TWIN)
def test_read_only_registers_refuse_writes_and_doorbells_read_as_zero(sim: Place) -> None:
    run(sim, registers.not_writable)


@worlds(*HOSTILE)
def test_the_bus_is_answered_with_okay_or_slverr_and_narrow_writes_change_nothing(sim: Place) -> None:
    run(sim, registers.responses)


@worlds(*FAST, TWIN)
def test_configuration_is_refused_while_its_queue_is_at_work(sim: Place) -> None:
    run(sim, registers.while_at_work)


@worlds(*FAST, TWIN)
def test_every_counter_is_exact(sim: Place) -> None:
    run(sim, registers.statistics, queues=4)


@worlds("icarus")
def test_reading_the_lower_half_of_a_counter_latches_the_upper(sim: Place) -> None:
    run(sim, registers.latched)


@worlds(*FAST)
def test_a_line_rate_that_is_changed_counts_for_the_frames_after_it(sim: Place) -> None:
    run(sim, registers.wire_rate_is_kept)
