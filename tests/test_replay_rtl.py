"""The replay on the RTL: the kernel's frames, the same on both simulators, at every width and number of queues."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ringwire.cosim.build import SIMULATORS
from ringwire.nic.registers import DATA_WIDTHS
from ringwire.replay import ReplayConfig, ReplayReport, replay
from tests.captures import REAL_MIX, REAL_MIX_WIRE, Stamped, flows, pcap, stamped, wire_frames
from tests.frames import UDP, Frame

SMALL = [
    *(Frame(protocol=UDP, payload=bytes((n,)) * (18 + 37 * n), ports=(4000 + n, 7)).build() for n in range(12)),
    Frame(payload=bytes(4000), flags=0x18).build(),
    Frame(version=6, payload=bytes(range(256)) * 12, ports=(50000, 80)).build(),
    bytes(12) + b"\x08\x06" + bytes(28),
]
"""A dozen short flows, two super-packets and a frame without IP."""

SHAPES = [
    *(("icarus", width, queues) for width in DATA_WIDTHS for queues in (1, 4, 16)),
    *(("verilator", width, queues) for width, queues in ((64, 1), (128, 4), (256, 4), (512, 1), (512, 4))),
]
"""Verilator takes a while to build each, so there only those that other tests have as well."""


def on_rtl(sim: str, capture: Path, out: Path, **knobs: Any) -> ReplayReport:
    report = replay(ReplayConfig(capture, sim=sim, **knobs), out)
    assert report.measured.problems == []
    return report


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    capture = tmp_path_factory.mktemp("small") / "small.pcap"
    capture.write_bytes(pcap(stamped(SMALL)))
    return capture


@pytest.fixture(scope="session")
def small_on_twin(small: Path) -> list[Stamped]:
    out = small.with_name("twin.pcap")
    replay(ReplayConfig(small, sim="twin"), out)
    return wire_frames(out)


@pytest.mark.parametrize("sim", SIMULATORS)
@pytest.mark.parametrize("tso", [False, True], ids=["software", "device"])
def test_the_wire_carries_what_a_kernel_made_of_the_capture(sim: str, tso: bool, tmp_path: Path) -> None:
    out = tmp_path / "wire.pcap"
    report = on_rtl(sim, REAL_MIX, out, tso=tso, csum=tso)
    assert report.measured.frames == 924
    assert flows(wire_frames(out)) == flows(wire_frames(REAL_MIX_WIRE))
    assert report.measured.simulated_cycles


@pytest.mark.parametrize(("sim", "width", "queues"), SHAPES)
def test_every_width_and_number_of_queues_carries_traffic(
    sim: str, width: int, queues: int, small: Path, small_on_twin: list[Stamped], tmp_path: Path
) -> None:
    out = tmp_path / "wire.pcap"
    on_rtl(sim, small, out, width=width, queues=queues)
    assert flows(wire_frames(out)) == flows(small_on_twin)


def test_a_seed_gives_the_same_file_on_both_simulators_and_without_jumps(small: Path, tmp_path: Path) -> None:
    knobs: dict[str, Any] = {"seed": 7, "tx_usecs": 5, "tx_frames": 4, "line_rate_bps": 10**10, "mem_latency_ns": 700}
    files = []
    for name, sim, jump in (("v", "verilator", True), ("i", "icarus", True), ("n", "verilator", False)):
        files.append(tmp_path / f"{name}.pcap")
        report = on_rtl(sim, small, files[-1], jump=jump, **knobs)
        if not jump:
            assert report.measured.simulated_cycles == pytest.approx(report.measured.simulated_ns / 4, rel=0.01)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert files[0].read_bytes() == files[2].read_bytes()


def test_waves_are_recorded_on_request(small: Path, tmp_path: Path) -> None:
    waves = tmp_path / "folder" / "waves"
    on_rtl("icarus", small, tmp_path / "wire.pcap", waves=waves)
    assert waves.with_suffix(".fst").stat().st_size > 10_000
