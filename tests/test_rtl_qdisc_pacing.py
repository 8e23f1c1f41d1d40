"""tbf and fq end to end: rates and gaps by the wire's own time stamps. Worlds: as each test names them."""

from __future__ import annotations

from typing import Any

import pytest

from ringwire.host.cpu import HostCosts
from tests.datapath.worlds import TWIN, Place, run, worlds
from tests.queueing import pacing
from tests.queueing.pacing import MBIT, Bucket, Paced

HOST: dict[str, Any] = {"costs": HostCosts()}
BUCKETS = [
    Bucket(),
    Bucket(burst=60_000),
    Bucket(burst=20_000, peak=300 * MBIT),
    Bucket(rate=20 * MBIT, burst=2_000, size=300),
]


@worlds("verilator", TWIN)
@pytest.mark.parametrize("config", BUCKETS, ids=range(len(BUCKETS)))
def test_in_any_time_the_wire_has_no_more_than_tbf_lets_out_and_no_less_than_its_rate(
    sim: Place, config: Bucket
) -> None:
    run(sim, pacing.bucket, config, **HOST)


@worlds("verilator", TWIN)
def test_fq_spaces_the_frames_of_each_flow_by_its_rate(sim: Place) -> None:
    run(sim, pacing.paced, Paced(), **HOST)


@worlds("verilator", TWIN)
def test_fq_holds_each_packet_until_its_departure_time(sim: Place) -> None:
    late = run(sim, pacing.departed, 50, **HOST)
    assert all(0 <= each < 3_000 for each in late), late
