"""A discipline of one's own, from a file: examples/shortest_first.py in front of the device. Worlds: RTL and twin."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from click.testing import CliRunner

from ringwire.cli import cli
from ringwire.replay import ReplayConfig, ReplayError, replay
from tests.captures import pcap, stamped, wire_frames
from tests.frames import UDP, Frame

EXAMPLE = str(Path(__file__).parent.parent / "examples" / "shortest_first.py")
PACKETS, GONE_EARLY = 120, 40


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    draw = random.Random(1)
    frames = [Frame(protocol=UDP, payload=bytes(draw.randint(400, 1400))).build() for _ in range(PACKETS)]
    capture = tmp_path / "mixed.pcap"
    capture.write_bytes(pcap(stamped(frames)))
    return capture


@pytest.mark.parametrize("sim", ["twin", "verilator"])
def test_the_shortest_packet_that_waits_leaves_first(sim: str, mixed: Path, tmp_path: Path) -> None:
    out = tmp_path / "wire.pcap"
    report = replay(
        ReplayConfig(
            mixed,
            sim=sim,
            line_rate_bps=10**9,
            sndbuf=1 << 20,
            load=(EXAMPLE,),
            qdisc="shortest limit 200",
            afterwards=("tc -s qdisc show",),
        ),
        out,
    )
    assert report.ok and report.measured.problems == []
    assert report.measured.printed.startswith("qdisc shortest 8001: dev eth0 root refcnt 2 limit 200p \n")
    assert f" {PACKETS} pkt (dropped 0," in report.measured.printed
    sizes = [len(frame) for _, frame in wire_frames(out)]
    assert len(sizes) == PACKETS
    waited = sizes[GONE_EARLY:]
    assert waited == sorted(waited), "all are there before the first forty have left"


def test_a_full_one_drops_and_the_replay_says_so(mixed: Path) -> None:
    report = replay(
        ReplayConfig(mixed, sim="twin", line_rate_bps=10**9, pace="capture", load=(EXAMPLE,), qdisc="shortest limit 30")
    )
    assert report.ok
    assert report.measured.dropped_packets > 10


def test_tc_takes_its_lines() -> None:
    lines = ("qdisc add dev eth0 root handle 1: shortest limit 5", "qdisc show dev eth0")
    done = CliRunner().invoke(cli, ["tc", "--load", EXAMPLE, *lines])
    assert (done.exit_code, done.stdout) == (0, "qdisc shortest 1: root refcnt 2 limit 5p \n")


def test_a_file_that_is_not_there_is_named(mixed: Path) -> None:
    with pytest.raises(ReplayError, match=r"^--load gone\.py: No such file or directory$"):
        ReplayConfig(mixed, load=("gone.py",))
