"""Frames are put together right from fragments of any length, at any address. Worlds: as each test names them."""

from __future__ import annotations

import pytest

from tests.datapath import fragments
from tests.datapath.fragments import FOUR_GIB, Boundaries, Turns
from tests.datapath.worlds import FAST, HOSTILE, TWIN, Place, run, worlds

WIDTHS = pytest.mark.parametrize("data_w", [64, 512])


@worlds(*FAST)
@WIDTHS
def test_a_fragment_of_each_length_at_each_offset_keeps_its_bytes(sim: Place, data_w: int) -> None:
    lengths = range(1, 131) if sim == "verilator" else (1, 2, 7, 8, 9, 63, 64, 65, 127, 130)
    run(sim, fragments.every_offset, lengths, data_w=data_w)


@worlds(*FAST)
@WIDTHS
def test_a_fragment_is_turned_by_any_number_of_bytes(sim: Place, data_w: int) -> None:
    width = data_w // 8
    run(sim, fragments.every_turn, Turns(width, 1 if sim == "verilator" else width // 8), data_w=data_w)


@worlds(*FAST, *HOSTILE, TWIN)
def test_packets_of_single_bytes_are_put_together(sim: Place) -> None:
    run(sim, fragments.single_bytes, range(1, 65, 9 if sim.world == "hostile" else 1), queues=4)


@worlds(*FAST, TWIN)
@WIDTHS
def test_fragments_touch_and_cross_4_kib_and_4_gib(sim: Place, data_w: int) -> None:
    has_four_gib = run(sim, fragments.boundaries, Boundaries(data_w // 8 + 3), data_w=data_w, **FOUR_GIB)
    assert has_four_gib or sim == TWIN


@worlds(*FAST, TWIN)
@WIDTHS
def test_the_largest_buffers_and_frames_pass_whole(sim: Place, data_w: int) -> None:
    run(sim, fragments.largest, data_w=data_w)


@worlds(*FAST, TWIN)
@WIDTHS
def test_short_frames_are_padded_with_zeros_to_60_bytes(sim: Place, data_w: int) -> None:
    run(sim, fragments.short, data_w=data_w)
