"""Errors in the RTL: each has its name in a completion and its counter, harms nobody else, and sends no bad frame."""

from __future__ import annotations

import pytest

from ringwire.nic.descriptors import Status
from tests.control import errors
from tests.control.bench import each
from tests.datapath.worlds import FAST, HOSTILE, TWIN, Place, run, worlds


@worlds(*FAST, TWIN)
def test_a_packet_that_its_descriptors_condemn_is_never_read_or_sent(sim: Place) -> None:
    run(sim, each, (errors.condemned, errors.BY_DESCRIPTOR))


@worlds(*FAST)
def test_condemned_packets_are_the_same_on_64_bits(sim: Place) -> None:
    run(sim, errors.condemned, Status.TOO_MANY_DESC, data_w=64)


@worlds("verilator", TWIN)
def test_condemned_packets_go_around_the_largest_ring(sim: Place) -> None:
    run(sim, errors.around, 0)


@worlds(*FAST, TWIN)
def test_the_largest_legal_packets_are_sent(sim: Place) -> None:
    run(sim, errors.largest)


@worlds(*FAST, TWIN)
def test_a_failed_payload_read_kills_its_packet_whichever_beat_it_was(sim: Place) -> None:
    run(sim, errors.payload_read)


@worlds("verilator")
@pytest.mark.parametrize(("data_w", "queues"), [(64, 1), (256, 4)])
def test_a_failed_payload_read_kills_its_packet_at_other_widths(sim: Place, data_w: int, queues: int) -> None:
    run(sim, errors.payload_read, data_w=data_w, queues=queues)


@worlds("verilator", TWIN)
def test_thousands_of_failed_reads_leave_the_frame_buffer_as_large_as_before(sim: Place) -> None:
    run(sim, each, (errors.read_errors_give_room_back, [(3000, 9000, 0), (2000, 1514, 3076), (1000, 16384, 0)]))


@worlds("icarus")
def test_failed_reads_leave_the_frame_buffer_as_large_as_before(sim: Place) -> None:
    run(sim, errors.read_errors_give_room_back, (120, 3000, 0))


@worlds(*FAST, TWIN)
def test_a_failed_descriptor_read_stops_its_queue_until_a_reset(sim: Place) -> None:
    run(sim, each, (errors.descriptor_read, [0, 4, 21, 32, 61]), queues=4)


@worlds("verilator-hostile")
def test_a_failed_descriptor_read_on_hostile_buses_stops_its_queue_until_a_reset(sim: Place) -> None:
    run(sim, errors.descriptor_read, 13, queues=4)


@worlds(*FAST)
def test_a_failed_descriptor_read_stops_its_queue_on_64_bits(sim: Place) -> None:
    run(sim, errors.descriptor_read, 13, queues=4, data_w=64)


@worlds(*FAST, TWIN)
def test_a_tail_out_of_range_is_refused_and_reported(sim: Place) -> None:
    run(sim, each, (errors.tail_out_of_range, [6, 10]))


@worlds(*FAST, TWIN)
def test_a_completion_that_can_not_be_written_puts_its_queue_in_error(sim: Place) -> None:
    run(sim, each, (errors.completion_write, [0, 20]), queues=4)


@worlds(*FAST)
def test_a_read_of_unmapped_memory_is_named(sim: Place) -> None:
    run(sim, errors.after_unmapping)


@worlds(*FAST, TWIN)
def test_errors_of_every_kind_on_many_queues_are_accounted_for_in_order(sim: Place) -> None:
    run(sim, each, (errors.all_at_once, [1, 2, 3]), queues=4)


@worlds(*HOSTILE)
def test_errors_of_every_kind_on_hostile_buses_are_accounted_for_in_order(sim: Place) -> None:
    run(sim, errors.all_at_once, 1, queues=4)
