"""The RTL and its behavioural twin agree: bytes, order, completions, counters, and when frames start."""

from __future__ import annotations

import pytest

from tests.control import twin, upheaval
from tests.control.bench import between, same
from tests.control.twin import Preposted, Schedule
from tests.control.upheaval import Upheaval
from tests.datapath.worlds import FAST, TWIN, Place, place, run, seed, worlds

GBIT = 1_000_000_000


@worlds("verilator")
@pytest.mark.parametrize("number", range(6))
def test_a_random_schedule_has_the_same_bytes_completions_and_counters_on_rtl_and_twin(sim: Place, number: int) -> None:
    agree(sim, Schedule(100 * seed() + number, 12))


@worlds("icarus")
@pytest.mark.parametrize("number", range(3))
def test_a_short_schedule_has_the_same_bytes_completions_and_counters_on_rtl_and_twin(sim: Place, number: int) -> None:
    agree(sim, Schedule(100 * seed() + number, 3))


@worlds(*FAST)
@pytest.mark.parametrize("number", range(2))
def test_a_queue_that_stands_in_error_is_the_same_on_rtl_and_twin(sim: Place, number: int) -> None:
    agree(sim, Schedule(100 * seed() + 50 + number, 4, broken_ring=True))


@worlds("verilator")
@pytest.mark.parametrize("number", range(4))
def test_random_resets_and_settings_leave_the_same_frames_and_ends_on_rtl_and_twin(sim: Place, number: int) -> None:
    agree_in_upheaval(sim, Upheaval(100 * seed() + number, 12))


@worlds("icarus")
def test_a_few_random_resets_and_settings_leave_the_same_frames_and_ends_on_rtl_and_twin(sim: Place) -> None:
    agree_in_upheaval(sim, Upheaval(100 * seed(), 2))


def agree_in_upheaval(sim: Place, config: Upheaval) -> None:
    """Run a schedule with resets on both, and compare what does not depend on when they came."""
    rtl, twins = (run(where, upheaval.record, config, queues=config.queues) for where in (sim, place(TWIN)))
    upheaval.agree(rtl, twins, f"RTL against the twin, schedule {config.seed}: ")


def agree(sim: Place, config: Schedule) -> None:
    """Run a schedule on both and compare all that is recorded."""
    rtl, twins = (run(where, twin.record, config, queues=4) for where in (sim, place(TWIN)))
    same(rtl, twins, f"RTL against the twin, schedule {config.seed}: ")


@worlds(*FAST)
@pytest.mark.parametrize("rate_bps", [10 * GBIT, 25 * GBIT, 100 * GBIT])
@pytest.mark.parametrize("sizes", [(1514,), (60, 1514, 590)], ids=["1514", "mixed"])
def test_a_preposted_ring_leaves_at_the_same_times_on_rtl_and_twin(
    sim: Place, rate_bps: int, sizes: tuple[int, ...]
) -> None:
    config = Preposted(rate_bps, sizes, 60 if sim == "icarus" else 250)
    rtl, twins = (run(where, twin.preposted, config) for where in (sim, place(TWIN)))
    same([data for _, data in rtl], [data for _, data in twins], "frames")
    first = rtl[0][0] - twins[0][0]
    for number, ((mine, _), (other, _)) in enumerate(zip(rtl, twins, strict=True)):
        between(mine - first - other, -4000, 4000, f"start of frame {number} after the first, against the twin's, ps")
