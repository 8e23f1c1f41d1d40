"""Launch times and traffic classes that disciplines hand to the device, end to end. Worlds: as each test names them."""

from __future__ import annotations

from typing import Any

import pytest

from ringwire.host.cpu import HostCosts
from tests.datapath.worlds import TWIN, Place, run, worlds
from tests.queueing import handover
from tests.queueing.handover import HIGH, QUEUES, Classes, Gates, Launches
from tests.queueing.load import GBIT, SIZE, wire_ns
from tests.queueing.pacing import LEAVES_LATER

HOST: dict[str, Any] = {"costs": HostCosts()}
EDGE_NS = 4
"""The clock's period."""


@worlds("verilator", TWIN)
@pytest.mark.parametrize("line_bps", [GBIT, 100 * GBIT])
def test_etf_hands_launch_times_over_and_packets_leave_at_them_to_the_clock_edge(sim: Place, line_bps: int) -> None:
    late = run(sim, handover.launched, Launches(line_bps=line_bps), **HOST)
    assert all(0 <= each <= 2 * EDGE_NS for each in late), late


@worlds("verilator", TWIN)
def test_among_other_traffic_a_packet_is_launched_in_time_or_not_at_all(sim: Place) -> None:
    """In time: picked before its launch, it waits for one frame on the wire and one picked before it at most."""
    config = Launches(others=60)
    late = run(sim, handover.launched, config, queues=QUEUES, **HOST)
    assert config.count // 2 < len(late) < config.count
    assert all(0 <= each <= 2 * wire_ns(SIZE) for each in late), late


@worlds("verilator", TWIN)
def test_mqprio_has_the_device_serve_the_higher_class_first(sim: Place) -> None:
    alone, both = run(sim, handover.classes, Classes("hw 1"), queues=QUEUES, **HOST)
    assert alone[0] > 980 and both[0] == 0 and both[1] > 980


@worlds("verilator", TWIN)
def test_mqprio_in_software_leaves_the_devices_queues_alike(sim: Place) -> None:
    alone, both = run(sim, handover.classes, Classes("hw 0"), queues=QUEUES, **HOST)
    assert alone[0] > 980 and abs(both[0] / both[1] - 1) < 0.01


@worlds("verilator", TWIN)
def test_mqprio_has_the_device_share_and_limit_by_rates(sim: Place) -> None:
    """A frame more or less may begin in the time that is looked at."""
    rates = "hw 1 mode channel shaper bw_rlimit min_rate 600mbit 200mbit max_rate"
    alone, both = run(sim, handover.classes, Classes(f"{rates} 0 0"), queues=QUEUES, **HOST)
    assert alone[0] > 980 and abs(both[0] / both[1] / 3 - 1) < 0.01, "3:1"
    limited = Classes(f"{rates} 0 100mbit")
    alone, both = run(sim, handover.classes, limited, queues=QUEUES, **HOST)
    assert abs(both[1] - 100) <= limited.frame_mbps and both[0] > 880


@worlds("verilator", TWIN)
@pytest.mark.parametrize("assisted", [False, True], ids=["gates in software", "launch times"])
def test_taprio_keeps_each_frame_within_a_window_of_its_class(sim: Place, assisted: bool) -> None:
    """To the clock edge where the device launches them; else a frame ends later by its way from taprio to the wire."""
    frames = run(sim, handover.gated, Gates(assisted=assisted), queues=QUEUES, **HOST)
    assert all(frame.window == (frame.port == HIGH) for frame in frames)
    late = [frame for frame in frames if frame.over > (EDGE_NS if assisted else LEAVES_LATER)]
    assert not late
