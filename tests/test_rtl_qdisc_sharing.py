"""htb and prio end to end, from lines of tc to the time stamps of a wire of 1 Gb/s. Worlds: as each test names them.

A frame of 1,514 bytes takes 1,538 of the wire, which so carries 984.4 Mb/s of what htb counts.
"""

from __future__ import annotations

from typing import Any

import pytest

from ringwire.host.cpu import HostCosts
from tests.control.bench import same
from tests.datapath.worlds import TWIN, Place, place, run, worlds
from tests.queueing import sharing
from tests.queueing.load import SIZE
from tests.queueing.sharing import LOW, MIDDLE, TOP, Stairs, Tree, judge_shares, shares, turns

HOST: dict[str, Any] = {"costs": HostCosts()}
FREE = "ceil 1gbit"
BY_QUANTUM = (
    f"rate 500mbit {FREE} quantum 4542",
    f"rate 300mbit {FREE} quantum 3028",
    f"rate 150mbit {FREE} quantum 1514",
)

CASES = {
    # 984.4 - 950 = 34.4 to share, 3:2:1
    "each has its rate, and what is left goes by quantum": (
        Tree(BY_QUANTUM),
        {10: 500 + 17.2, 20: 300 + 11.5, 30: 150 + 5.7},
    ),
    "what is left goes to the first by prio": (
        Tree((f"rate 500mbit {FREE} prio 1", f"rate 300mbit {FREE} prio 1", f"rate 150mbit {FREE} prio 0")),
        {10: 500, 20: 300, 30: 150 + 34.4},
    ),
    # 984.4 - 450 = 534.4 to share, 2:1 until 1:20 is at its ceil
    "what an idle class leaves is borrowed up to ceils": (
        Tree(
            (f"rate 500mbit {FREE}", "rate 300mbit ceil 600mbit quantum 3028", f"rate 150mbit {FREE} quantum 1514"),
            backlogged=(20, 30),
        ),
        {20: 600, 30: 384.4},
    ),
    "ceils bind though the wire is idle": (
        Tree(("rate 500mbit", "rate 300mbit ceil 320mbit quantum 3028", "rate 150mbit ceil 155mbit quantum 1514")),
        {10: 500, 20: 320, 30: 155},
    ),
    # 1000 - 950 = 50 to share, 3:2:1
    "with stab the rates are the wire's own": (
        Tree(
            (
                f"rate 500mbit {FREE} quantum 4614",
                f"rate 300mbit {FREE} quantum 3076",
                f"rate 150mbit {FREE} quantum 1538",
            ),
            stab="stab overhead 24",
            overhead=24,
        ),
        {10: 500 + 25, 20: 300 + 16.7, 30: 150 + 8.3},
    ),
}


@worlds("verilator", TWIN)
@pytest.mark.parametrize(("tree", "want"), CASES.values(), ids=CASES)
def test_classes_share_the_wire_as_rates_and_ceils_say(sim: Place, tree: Tree, want: dict[int, float]) -> None:
    judge_shares(run(sim, sharing.shared, tree, **HOST), tree, want)


@worlds("verilator", TWIN)
def test_a_band_starves_while_one_above_it_is_backlogged_and_is_served_afterwards(sim: Place) -> None:
    seen = run(sim, sharing.starved, Stairs(), **HOST)
    same(turns(seen), [LOW, MIDDLE, TOP, MIDDLE, LOW], "flows on the wire, in turn: ")


def test_the_twin_shares_the_wire_as_the_rtl_does_to_a_few_frames() -> None:
    """Not frame by frame: where two classes may send within the same nanoseconds, some of them decide."""
    tree = Tree(BY_QUANTUM)
    rtl, twin = (shares(run(place(sim), sharing.shared, tree, **HOST), tree) for sim in ("verilator", TWIN))
    frame = SIZE * 8000 / tree.window
    assert all(abs(twin[minor] - rate) <= 3 * frame for minor, rate in rtl.items()), (rtl, twin)


def test_the_twin_has_the_same_frames_of_bands_within_a_microsecond() -> None:
    rtl, twin = (run(place(sim), sharing.starved, Stairs(), **HOST) for sim in ("verilator", TWIN))
    same([frame[1:] for frame in twin], [frame[1:] for frame in rtl], "frames of the twin: ")
    apart = max(abs(one.start_ns - other.start_ns) for one, other in zip(twin, rtl, strict=True))
    assert apart <= 1_000
