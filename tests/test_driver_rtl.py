"""ringwire's driver on the RTL: under random load and trouble, as on the twin. Worlds: as each test names them."""

from __future__ import annotations

from typing import Any

import pytest

from ringwire.driver.config import DriverConfig
from ringwire.host.cpu import HostCosts
from tests.datapath.worlds import HOSTILE, TWIN, Place, run, seed, worlds
from tests.driver_bench import Storm, storm

GBIT = 1_000_000_000
CONFIGS = {
    "each packet reported": DriverConfig(ring_entries=64, line_rate_bps=10 * GBIT),
    "moderated and batched": DriverConfig(
        ring_entries=64, mod_ns=20_000, mod_frames=8, cpl_threshold=4, cpl_timer_ns=3_000, budget=4
    ),
    "head write-back": DriverConfig(line_rate_bps=GBIT, head_write_back=True, report_every=4),
    "complete at fetch": DriverConfig(ring_entries=128, line_rate_bps=100 * GBIT, complete_at_fetch=True),
}
DEVICE: dict[str, Any] = {"queues": 4, "cpus": 2, "costs": HostCosts()}


@worlds("verilator", TWIN)
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_every_packet_is_sent_once_and_in_order(sim: Place, config: DriverConfig) -> None:
    run(sim, storm, Storm(config, seed=seed()), **DEVICE)


@worlds("verilator", TWIN)
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_with_resets_and_unreadable_packets_each_ends_once_and_the_books_balance(
    sim: Place, config: DriverConfig
) -> None:
    run(sim, storm, Storm(config, faults=True, seed=seed()), **DEVICE)


@worlds("icarus", *HOSTILE)
def test_a_short_storm_ends_well(sim: Place) -> None:
    config = DriverConfig(ring_entries=64, line_rate_bps=100 * GBIT)
    run(sim, storm, Storm(config, faults=True, seed=seed(), bursts=2), **DEVICE)
