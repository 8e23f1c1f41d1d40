"""The same traffic with Python and without: the same simulation, at a speed of the same order."""

from __future__ import annotations

import pytest

from ringwire.cosim.build import SIMULATORS, Design
from ringwire.cosim.harness import Traffic, with_python, without_python
from ringwire.cosim.run import SimulationFailed
from ringwire.cosim.world import WorldSettings

SHARE = 0.4
"""Of the harness's speed that a run under Python keeps, at least."""


@pytest.mark.parametrize("sim", SIMULATORS)
@pytest.mark.parametrize("byte_time", [0, 80 << 40])
def test_python_changes_nothing_of_what_is_simulated_and_costs_little(byte_time: int, sim: str) -> None:
    """At the bus's own speed, and at 100 Mb/s, where the clock stands still most of the time."""
    frames = (20_000 if byte_time == 0 else 2_000) if sim == "verilator" else 100
    traffic = Traffic(frames=frames, byte_time=byte_time)
    design, settings = Design(sim), WorldSettings(jitter_ns=300)
    bare, woken = without_python(traffic, design, settings), with_python(traffic, design, settings)
    assert (woken.edges, woken.skipped, woken.frames) == (bare.edges, bare.skipped, bare.frames)
    assert bare.frames == traffic.frames
    if byte_time == 0:
        assert woken.edges_per_s > SHARE * bare.edges_per_s
    else:
        assert bare.skipped > 10 * bare.edges


def test_trouble_in_the_harness_is_told() -> None:
    with pytest.raises(SimulationFailed, match="host memory is too small for the traffic"):
        without_python(Traffic(frames=1, ring_log2=15), Design("icarus"), WorldSettings(memory_bytes=1 << 16))
