"""Random mixtures: nothing lost, nothing changed, the same whatever simulates it. Worlds: as each test names them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ringwire.nic.registers import DATA_WIDTHS
from tests.control import offload_mix, upheaval
from tests.control.bench import same
from tests.datapath.mix import Mix, mix
from tests.datapath.worlds import FAST, HOSTILE, TWIN, Place, place, run, seed, worlds
from tests.mutants import broken_rtl

MBIT, GBIT = 10**6, 10**9
RATES = pytest.mark.parametrize("rate_bps", [0, 100 * GBIT], ids=["open", "100G"])


@worlds("verilator", TWIN)
@RATES
def test_20000_random_frames_pass_byte_for_byte_and_in_order(sim: Place, rate_bps: int) -> None:
    run(sim, mix, Mix(20_000, seed(), rate_bps=rate_bps), queues=4, jitter_ns=300)


@worlds("icarus", *HOSTILE)
@RATES
def test_random_frames_pass_byte_for_byte_and_in_order(sim: Place, rate_bps: int) -> None:
    config = Mix(120, seed(), rate_bps=rate_bps, longest=1600, giant=0.01, pauses_ns=500)
    run(sim, mix, config, queues=4, jitter_ns=300)


MEMORIES: dict[str, dict[str, Any]] = {
    "at once": {"latency_ns": 0},
    "slow and uneven": {"latency_ns": 1_000, "jitter_ns": 1_000},
    "few reads": {"max_reads": 2},
    "far": {"dma_base": 0x7EDC_BA98_7654_3000 & -64},
}
"""Knobs of host memory."""


@worlds(*FAST)
@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("data_w", [64, 512])
def test_random_frames_pass_whatever_memory_is_behind(sim: Place, data_w: int, memory: str) -> None:
    frames = 2_000 if sim == "verilator" else 40
    run(sim, mix, Mix(frames, seed(), 1, longest=1600), data_w=data_w, **MEMORIES[memory])


@pytest.mark.parametrize("world", ["fast", "hostile"])
def test_both_simulators_give_the_same_bytes_times_and_interrupts(world: str) -> None:
    config = Mix(80, seed(), rate_bps=100 * GBIT, longest=1600, giant=0.01, pauses_ns=500, bound=4000)
    names = FAST if world == "fast" else HOSTILE
    verilator, icarus = (run(place(name), mix, config, queues=4, latency_ns=300, jitter_ns=400) for name in names)
    same(icarus, verilator, "Icarus beside Verilator: ")


SHORT, LONG = 20, 300
"""Frames of a run that Icarus can do with the clock running, and Verilator."""


@pytest.mark.parametrize(
    ("sim", "rate_bps", "latency_ns", "frames"),
    [
        *(("verilator", rate_bps, latency_ns, LONG) for rate_bps in (0, 100 * GBIT, GBIT) for latency_ns in (0, 1000)),
        ("verilator", 50 * MBIT, 0, SHORT),
        ("icarus", 0, 1000, SHORT),
        ("icarus", 10 * GBIT, 0, SHORT),
    ],
)
def test_a_run_is_the_same_with_the_clock_stopping_and_without(
    sim: str, rate_bps: int, latency_ns: int, frames: int
) -> None:
    config = Mix(frames, seed(), rate_bps=rate_bps, longest=1600, giant=0, pauses_ns=12_000, bound=4000)
    knobs: dict[str, Any] = {"queues": 4, "latency_ns": latency_ns, "jitter_ns": 200}
    jumping, steady = (run(place(sim), mix, config, jumps=jumps, **knobs) for jumps in (True, False))
    same(jumping, steady, "with jumps, beside without: ")


def jobs(share: int) -> dict[str, tuple[Callable[..., Any], Any]]:
    """One of each kind, ``share`` times shorter than Verilator can do; super-packets only for Verilator."""
    slow = Mix(300 // share, seed(), rate_bps=GBIT, longest=1600, giant=0, pauses_ns=12_000, bound=4000)
    found: dict[str, tuple[Callable[..., Any], Any]] = {
        "frames": (mix, Mix(2_000 // share, seed(), rate_bps=100 * GBIT, longest=1600, pauses_ns=500)),
        "slow frames": (mix, slow),
        "resets": (upheaval.record, upheaval.Upheaval(seed(), laps=10 // share)),
    }
    return found if share > 1 else {**found, "super-packets": (offload_mix.record, offload_mix.Mix(seed()))}


@pytest.mark.parametrize(("sim", "data_w", "share"), [("verilator", 64, 1), ("icarus", 512, 10)])
def test_stages_that_sleep_do_what_those_do_that_never_sleep(sim: str, data_w: int, share: int) -> None:
    sleepless = broken_rtl(f"sleepless {data_w}", "rw_clock_gate", "tick = awake !== 1'b0;", "tick = 1'b1;")
    knobs: dict[str, Any] = {"data_w": data_w, "queues": 4, "latency_ns": 300, "jitter_ns": 400}
    for name, (job, config) in jobs(share).items():
        asleep, awake = (run(place(sim), job, config, rtl=rtl, **knobs) for rtl in (None, sleepless))
        same(asleep, awake, f"{name}, asleep, beside never asleep: ")


@worlds("icarus")
@pytest.mark.parametrize("queues", [1, 4, 16])
@pytest.mark.parametrize("data_w", DATA_WIDTHS)
def test_every_width_and_number_of_queues_sends_what_it_was_given(sim: Place, data_w: int, queues: int) -> None:
    run(sim, mix, Mix(40 + 5 * queues, seed(), queues, longest=300, giant=0), data_w=data_w, queues=queues)


@worlds("verilator")
@pytest.mark.parametrize(("data_w", "queues"), [(64, 1), (128, 4), (256, 4), (512, 1), (512, 4)])
def test_each_width_and_each_number_of_queues_sends_what_it_was_given(sim: Place, data_w: int, queues: int) -> None:
    run(sim, mix, Mix(1_000, seed(), queues, longest=2_000), data_w=data_w, queues=queues)
