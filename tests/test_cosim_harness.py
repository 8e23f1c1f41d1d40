"""The same traffic with Python and without: the same simulation, at a speed of the same order."""

from __future__ import annotations

import pytest

from ringwire.cosim.build import SIMULATORS, Design
from ringwire.cosim.harness import Traffic, with_python, without_python
from ringwire.cosim.run import SimulationFailed
from ringwire.cosim.world import WorldSettings

SHARES = {"verilator": 0.5, "icarus": 0.6}
"""Of the harness's speed that a run under Python keeps, at least: edges in a second of CPU time."""
RUNS = 2
"""Of each the best counts, in turns: the rest of the machine takes caches and clock from either."""


@pytest.mark.parametrize("sim", SIMULATORS)
@pytest.mark.parametrize("byte_time", [0, 80 << 40])
def test_python_changes_nothing_of_what_is_simulated_and_costs_little(byte_time: int, sim: str) -> None:
    """At the bus's own speed, and at 100 Mb/s, where the clock stands still most of the time."""
    frames = (10_000 if byte_time == 0 else 2_000) if sim == "verilator" else 100
    traffic = Traffic(frames=frames, byte_time=byte_time)
    design, settings = Design(sim), WorldSettings(jitter_ns=300)
    pairs = [
        (without_python(traffic, design, settings), with_python(traffic, design, settings))
        for _ in range(RUNS if byte_time == 0 else 1)
    ]
    for bare, woken in pairs:
        assert (woken.edges, woken.skipped, woken.frames) == (bare.edges, bare.skipped, bare.frames)
        assert bare.frames == traffic.frames
    if byte_time == 0:
        bare_speed, speed = (
            max(speeds) for speeds in zip(*((b.edges_per_s, w.edges_per_s) for b, w in pairs), strict=True)
        )
        assert speed >= SHARES[sim] * bare_speed
    else:
        assert pairs[0][0].skipped > 10 * pairs[0][0].edges


def test_trouble_in_the_harness_is_told() -> None:
    with pytest.raises(SimulationFailed, match="host memory is too small for the traffic"):
        without_python(Traffic(frames=1, ring_log2=15), Design("icarus"), WorldSettings(memory_bytes=1 << 16))
