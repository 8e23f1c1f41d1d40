"""The rules of offloads on the RTL: what is accepted leaves as the twin has it; the rest is refused for its reason."""

from __future__ import annotations

from typing import Any

import pytest

from ringwire.nic.descriptors import Status
from tests.control import offloads
from tests.control.bench import same
from tests.control.offload_rules import ACCEPTED, ASKS_BADLY, ASKS_WELL, LAST, REFUSED, data
from tests.datapath.worlds import TWIN, Place, place, run, worlds

WIDTHS = pytest.mark.parametrize("width", [64, 512])


@worlds("twin", "verilator", "icarus")
@WIDTHS
def test_every_rule_holds_on_the_rtl(sim: Place, width: int) -> None:
    packets = [
        *((Status.OK, [raw, data(10), data(1000), LAST]) for raw in ASKS_WELL),
        *((Status.BAD_OFFLOAD, [raw, data(10), LAST]) for raw in ASKS_BADLY),
        *REFUSED.values(),
        *((Status.OK, descriptors) for descriptors in ACCEPTED.values()),
    ]
    descriptors = [packet for _, packet in packets]
    got, frames = run(sim, offloads.verdicts, descriptors, data_w=width)
    verdicts = [status for packet, _ in packets for status in (packet, Status.OK)]
    same([status for _, status, _ in got], verdicts, "status of packet ")
    if sim.name != TWIN:
        want, want_frames = run(place(TWIN), offloads.verdicts, descriptors, data_w=width)
        same(got, want, "RTL against the twin: ")
        same(frames, want_frames, "frames, RTL against the twin: ")


@worlds("verilator", "icarus")
@WIDTHS
def test_as_many_packets_are_cut_at_once_as_there_are_header_slots(sim: Place, width: int) -> None:
    run(sim, offloads.open_at_once, (4, 3, width // 8), queues=4, data_w=width)


@worlds("verilator")
@WIDTHS
def test_the_largest_packet_may_have_any_number_of_segments(sim: Place, width: int) -> None:
    """43,691: what counts segments or bytes in 16 bits comes round, or ends too early."""
    run(sim, offloads.largest, (4, 6), queues=4, data_w=width)


@worlds("verilator", "icarus")
@WIDTHS
@pytest.mark.parametrize("rate_bps", [0, 10**9])
def test_headers_do_not_meet_in_their_slots(sim: Place, width: int, rate_bps: int) -> None:
    knobs: dict[str, Any] = {"queues": 4, "data_w": width, "latency_ns": 1000}
    got, want = (run(where, offloads.slots, (4, 30, rate_bps), **knobs) for where in (sim, place(TWIN)))
    same(got, want, "RTL against the twin: ")


@worlds("verilator", "icarus")
@WIDTHS
def test_sums_carry_the_most_and_the_least(sim: Place, width: int) -> None:
    got, want = (run(where, offloads.posts, offloads.EXTREMES, data_w=width) for where in (sim, place(TWIN)))
    same(got, want, "RTL against the twin: ")


@worlds("verilator", "icarus")
@WIDTHS
def test_the_fields_of_a_header_may_lie_anywhere(sim: Place, width: int) -> None:
    places = offloads.PLACES if sim.name != "icarus" else offloads.PLACES[::13]
    got, want = (run(where, offloads.posts, places, data_w=width) for where in (sim, place(TWIN)))
    same(got, want, "RTL against the twin: ")


@worlds("verilator", "icarus")
@WIDTHS
@pytest.mark.parametrize("mss", [64, 536, 1448])
def test_a_packet_that_is_cut_is_read_once(sim: Place, width: int, mss: int) -> None:
    run(sim, offloads.read_once, (mss, width // 8), data_w=width)


@worlds("verilator")
@pytest.mark.parametrize("width", [64, 512])
@pytest.mark.parametrize("at_fetch", [False, True])
def test_a_reset_forgets_the_packet_that_is_being_cut(sim: Place, width: int, at_fetch: bool) -> None:
    run(sim, offloads.closing, (4, 1, at_fetch), queues=4, data_w=width)


@worlds("verilator", "icarus")
@WIDTHS
def test_a_reset_closes_a_packet_that_has_not_begun(sim: Place, width: int) -> None:
    run(sim, offloads.closed_unbegun, 3, queues=4, data_w=width)


@worlds("verilator", "icarus")
@WIDTHS
def test_a_packet_that_can_not_be_read_is_given_up(sim: Place, width: int) -> None:
    run(sim, offloads.given_up, 2, queues=4, data_w=width)


@worlds("verilator", "icarus")
@WIDTHS
@pytest.mark.parametrize("mss", [97, 100])
def test_what_follows_a_segment_that_could_not_be_read_does_not_leave(sim: Place, width: int, mss: int) -> None:
    config = (mss, [(0, 1, 3), (), (1, 2), (4, 5)])
    got, want = (run(where, offloads.unreadable, config, queues=4, data_w=width) for where in (sim, place(TWIN)))
    same(got, want, "frames of queue, RTL against the twin: ")
