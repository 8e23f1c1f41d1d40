"""Experiments on the RTL: what the twin gives, with and without jumps of the clock, and what is left of a run that ends
early.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ringwire.experiment import job
from ringwire.experiment.results import Results
from ringwire.experiment.run import Stop, run_experiment
from ringwire.experiment.scenario import Source, read_experiment
from ringwire.experiment.shipped import find
from ringwire.pcap import read_capture
from tests.experiments import FREE, experiment, flow, packets, run

TEXT = """
duration = "2ms"
[link]
rate = "1gbit"
[nic]
device = "twin"
tx_usecs = "20us"
[setup]
lines = "tc qdisc replace dev eth0 root fq_codel"
[[flow]]
kind = "udp"
name = "bulk"
sndbuf = "100k"
[[flow]]
kind = "probe"
interval = "100us"
[[flow]]
kind = "pcap"
name = "super"
file = "super.pcap"
start = "500us"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.captures import pcap, stamped
    from tests.frames import Frame

    made = tmp_path_factory.mktemp("rtl")
    frames = [Frame(payload=bytes(range(256)) * 60, flags=0x18, ports=(4000 + n, 80)).build() for n in range(3)]
    (made / "super.pcap").write_bytes(pcap(stamped(frames)))
    return made


@pytest.fixture(scope="module")
def on_rtl(folder: Path) -> Results:
    return run(TEXT, folder, nic__device="verilator")


def wire(out: Path) -> list[tuple[int, bytes]]:
    return [(frame.time_ns, bytes(frame.data)) for frame in read_capture(out)]


def figures(results: Results) -> dict[str, Any]:
    """Without what belongs to the wall's clock, and to the clock's edges."""
    summary: dict[str, Any] = json.loads(json.dumps(results.summary))
    del summary["wall_s"], summary["totals"]["frames per wall s"], summary["totals"]["clock edges"]
    return summary


def test_the_rtl_gives_each_packet_the_twins_latency_within_a_few_edges(on_rtl: Results, folder: Path) -> None:
    on_twin = run(TEXT, folder)
    for name in ("bulk", "probe", "super"):
        rtl, twin = flow(on_rtl, name), flow(on_twin, name)
        assert (rtl["drops"], twin["drops"]) == (0, 0)
        assert rtl["sent"] == pytest.approx(twin["sent"], rel=0.02)
        assert rtl["latency_p50_ns"] == pytest.approx(twin["latency_p50_ns"], rel=0.05)
        assert rtl["ring_mean_ns"] == pytest.approx(twin["ring_mean_ns"], rel=0.1)
        assert rtl["wire_mean_ns"] == pytest.approx(twin["wire_mean_ns"], abs=4)
    # alone on the way, nothing differs but the pipeline
    first, expected = packets(on_rtl, "bulk")[0], packets(on_twin, "bulk")[0]
    assert (first["socket_ns"], first["qdisc_ns"]) == (expected["socket_ns"], expected["qdisc_ns"])
    assert 0 <= first["ring_ns"] - expected["ring_ns"] <= 100
    assert 0 <= first["nic_ns"] - expected["nic_ns"] <= 150


def test_with_jumps_and_without_the_same_comes_out(on_rtl: Results, folder: Path) -> None:
    with_jumps = run(TEXT, folder, nic__device="verilator")
    frames = wire(folder / "out" / "wire.pcap")
    without = run(TEXT, folder, nic__device="verilator", nic__jump="off")
    assert figures(without) == figures(with_jumps) == figures(on_rtl)
    assert wire(folder / "out" / "wire.pcap") == frames
    for name, table in on_rtl.series.items():
        for column, values in table.items():
            np.testing.assert_array_equal(values, without.series[name][column], err_msg=f"{name}.{column}")
    assert without.summary["totals"]["clock edges"] > 4 * on_rtl.summary["totals"]["clock edges"]


def test_a_shipped_scenario_gives_on_icarus_what_it_gives_on_verilator(tmp_path: Path) -> None:
    path, text = find("two-queues")
    found = []
    for device in ("icarus", "verilator"):
        settings = (("nic.device", device), ("duration", "60us"), ("warmup", "0"), ("flow.bulk.sndbuf", "20k"))
        results = run_experiment(read_experiment(Source(path, text, settings)), tmp_path / device)
        assert results.summary["problems"] == []
        summary = figures(results)
        assert summary["setup"].pop("device") == device
        found.append((summary, wire(tmp_path / device / "wire.pcap")))
    assert found[0] == found[1]
    assert [row["sent"] > 0 for row in found[0][0]["flows"]] == [True, True]


def test_a_super_packets_timeline_is_seen_on_the_bus(on_rtl: Results) -> None:
    table = on_rtl.series["tso"]
    stages = dict(zip(table["stage"], zip(table["begin_ns"], table["end_ns"], strict=True), strict=True))
    [first, *_] = packets(on_rtl, "super")
    assert {"xmit to doorbell", "descriptor fetch", "payload reads", "completion write", "to interrupt"} <= set(stages)
    segments = [span for stage, span in stages.items() if stage.startswith("segment")]
    assert len(segments) == -(-256 * 60 // 1460)
    assert stages["xmit to doorbell"][1] <= stages["descriptor fetch"][0] < stages["payload reads"][0]
    assert segments[0][0] > stages["payload reads"][0]
    assert stages["completion write"][1] >= segments[-1][1] + 500
    assert stages["to free"][1] >= stages["to interrupt"][1] >= stages["completion write"][1]
    assert first["bytes"] == 256 * 60 + 54


def test_a_packet_alone_waits_for_descriptor_and_payload(tmp_path: Path) -> None:
    text = FREE + '[[flow]]\nkind = "udp"\nname = "one"\nsize = 64\npps = 1\n'
    [packet] = packets(run(text, tmp_path, nic__device="verilator"), "one")
    assert (packet["socket_ns"], packet["qdisc_ns"]) == (0, 0)
    assert 500 <= packet["ring_ns"] <= 600
    assert 500 <= packet["nic_ns"] <= 650
    assert packet["wire_ns"] == 8 * (64 + 4)


def test_a_run_that_is_stopped_hands_over_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "TELL_S", 0.0)
    stop = Stop()

    def advanced(simulated_ns: int, frames: int) -> None:
        if frames:
            stop.ask()

    text = FREE + '[[flow]]\nkind = "udp"\nname = "bulk"\nsndbuf = "100k"\n'
    made = experiment(text, duration="1000s", nic__device="verilator", host__cost="server")
    results = run_experiment(made, tmp_path / "out", advanced, stop)
    assert results.summary["partial"]
    assert results.summary["problems"] == []
    totals = results.summary["totals"]
    assert totals["packets"] == totals["packets sent"] + totals["packets left"] > 0
    assert len(wire(tmp_path / "out" / "wire.pcap")) == totals["frames"]


@pytest.mark.parametrize(("device", "number"), [("twin", signal.SIGTERM), ("verilator", signal.SIGINT)])
def test_ctrl_c_and_sigterm_leave_a_partial_result(device: str, number: signal.Signals, tmp_path: Path) -> None:
    path = tmp_path / "long.toml"
    path.write_text(FREE.replace('"1ms"', '"1000s"') + '[[flow]]\nkind = "udp"\nsndbuf = "100k"\n')
    command = [sys.executable, "-m", "ringwire", "run", str(path), "--device", device, "--out", str(tmp_path / "out")]
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    )
    assert child.stderr is not None
    for line in child.stderr:
        if "making ready" not in line:
            break  # it is under way
    child.send_signal(number)
    stdout, stderr = child.communicate(timeout=120)
    assert child.returncode == 130, stderr
    assert "ended early, results are partial" in stdout
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["partial"]
    assert wire(tmp_path / "out" / "wire.pcap")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".ringwire")]
