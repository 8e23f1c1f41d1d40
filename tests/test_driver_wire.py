"""The driver and byte queue limits on a wire that is paused, limited, or changed below them. Worlds: RTL and twin."""

from __future__ import annotations

import pytest

from ringwire.host.cpu import HostCosts
from tests.datapath.worlds import TWIN, Place, run, worlds
from tests.driver_bench import MS
from tests.driver_scenarios import GBIT, MaxRate, Pause, S, changed, max_rate, paused, paused_beyond_the_watchdog

BOTH = worlds("verilator", TWIN)


@BOTH
@pytest.mark.parametrize(
    ("config", "limit"),
    [
        (Pause(MS), 2 * 1514),
        (Pause(2 * S), 2 * 1514),
        (Pause(MS, mod_ns=50_000), 10 * 1514),
        (Pause(MS, rate_bps=10 * GBIT, frames=300), 3 * 1514),
    ],
    ids=["short", "longer than the hold time", "moderated", "10 Gb/s"],
)
def test_byte_queue_limits_stay_what_they_are_in_a_pause(sim: Place, config: Pause, limit: int) -> None:
    assert run(sim, paused, config, costs=HostCosts())[0] == pytest.approx(limit, abs=1514)


@BOTH
@pytest.mark.parametrize("seconds", [3, 9])
def test_a_pause_that_outlasts_the_watchdog_is_survived(sim: Place, seconds: int) -> None:
    run(sim, paused_beyond_the_watchdog, seconds * S, costs=HostCosts())


@BOTH
@pytest.mark.parametrize(
    ("config", "frames"),
    [(MaxRate(8, 1000), 1000), (MaxRate(7, 1514), 578), (MaxRate(100, 20, 10 * MS), 2083)],
    ids=["8 Mbit/s", "7 Mbit/s", "short frames"],
)
def test_tx_maxrate_is_exact_to_a_frame(sim: Place, config: MaxRate, frames: int) -> None:
    assert run(sim, max_rate, config, costs=HostCosts()) == frames


LINES = [
    "ethtool -G eth0 tx 64",
    "ethtool -L eth0 tx 2",
    "ethtool -G eth0 tx 1024",
    "ethtool -L eth0 tx 4",
    "ip link set eth0 carrier off",
    "ip link set eth0 carrier on",
    "ethtool --set-priv-flags eth0 head-writeback on",
    "ethtool -C eth0 adaptive-tx on",
    "ethtool -L eth0 tx 1",
    "ip link set eth0 down",
    "ip link set eth0 up",
    "ethtool -L eth0 tx 3",
]


@BOTH
def test_rings_queues_and_links_change_under_traffic(sim: Place) -> None:
    run(sim, changed, LINES, queues=4, cpus=2, costs=HostCosts())
