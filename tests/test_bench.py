"""Measurements end with the verdict on their goals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from bench import __main__ as bench
from bench import experiments, lengths, qdisc, tcp_cost
from bench.row import Row
from ringwire.netdev import NetDevice
from ringwire.qdisc.registry import kinds, qdisc_class
from tests.datapath.rates import Rate

REACHED = [
    Row("fast", 1.4, "cycles", "lower", goal=1.5),
    Row("told", 7, "cycles", "lower"),
    Row("all", 3, "x", "higher", goal=3),
]
MISSED = [Row("slow", 1.6, "cycles", "lower", goal=1.5), Row("few", 99.8, "%", "higher", goal=99.9)]


@pytest.mark.parametrize(("rows", "status"), [(REACHED, 0), (REACHED + MISSED, 1)])
def test_a_bench_fails_where_a_goal_is_missed_and_says_which(
    rows: list[Row], status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured() -> Iterator[Row]:
        yield from rows

    monkeypatch.setattr(bench, "MEASUREMENTS", (measured,))
    assert bench.main([str(tmp_path / "bench.json")]) == status
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("missed")]
    assert said == ["missed: slow: 1.6 cycles, goal 1.5", "missed: few: 99.8 %, goal 99.9"][: 2 * status]


def test_no_digit_is_lost_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    name = "a/very/long/name/" * 5
    bench.show([Row(name, 12_345_678, "frames/s", "higher", goal=1, peer=("somebody", 1234.0))], Console(width=80))
    line = next(line for line in capsys.readouterr().out.splitlines() if name in line)
    assert all(cell in line for cell in ("12,345,678", "frames/s", "reached", "somebody 1,234"))


@pytest.mark.parametrize(
    ("port", "share", "status"),
    [
        ("512 bits, 250 MHz", 0.9991, 0),
        ("512 bits, 250 MHz", 0.9989, 1),
        ("64 bits, 156.25 MHz", 0.9951, 0),
        ("64 bits, 156.25 MHz", 0.994, 1),
    ],
)
def test_a_length_that_gets_less_than_it_must_fails_the_sweep(
    port: str, share: float, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {port: [Rate(10, 9, 10), Rate(10 / share, 9, 10)]}
    assert lengths.judge([60, 77], found) == status
    assert ("77 bytes" in capsys.readouterr().err) == bool(status)


WITHOUT_QUEUE = {"clsact", "ingress", "mq", "mqprio", "noqueue"}
"""Kinds that hold no packets of their own."""
NOT_WORTH_IT = {"plug", "teql0"}
"""They are for other ends than speed."""


def test_every_kind_of_discipline_is_measured() -> None:
    measured = {subject.line.split()[0] for subject in qdisc.SUBJECTS}
    assert measured == {kind for kind in kinds() if qdisc_class(kind).__module__.startswith("ringwire.")} - (
        WITHOUT_QUEUE | NOT_WORTH_IT
    )


@pytest.mark.parametrize("subject", qdisc.SUBJECTS, ids=lambda subject: subject.name or subject.line.split()[0])
def test_what_is_measured_is_packets_that_come_and_go(subject: qdisc.Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qdisc, "PACKETS", 100)
    made: list[NetDevice] = []
    device = qdisc.device

    def noted(lines: Iterable[str], queues: int = 1) -> tuple[NetDevice, qdisc.Clock]:
        dev, clock = device(lines, queues)
        made.append(dev)
        return dev, clock

    monkeypatch.setattr(qdisc, "device", noted)
    assert qdisc.us_a_packet(subject, qdisc.FEW) > 0
    stats = made[0].qdisc.stats()
    come = 100 + (subject.inside or qdisc.DEEP * qdisc.FEW)
    assert stats.packets + stats.drops + stats.qlen == come
    assert stats.packets >= 90 // subject.arrive, "nearly each time one comes, one leaves"
    assert (stats.drops > 0) == (subject.arrive > 1)


@pytest.mark.parametrize("rest", qdisc.FILTERS.values(), ids=qdisc.FILTERS)
def test_a_filter_that_is_measured_can_be_made(rest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qdisc, "PACKETS", 100)
    assert qdisc.us_a_verdict(rest) > 0


@pytest.mark.parametrize("device", experiments.GOALS)
def test_an_experiment_that_is_measured_is_a_full_wire_and_a_probe(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experiments, "MARK", 50)
    found = experiments.measure(
        device, "fq_codel", "gso off", (("duration", "10ms"), ("flow.bulk.initial_cwnd", "400"))
    )
    assert found.frames > 300
    assert found.frames_per_s > 0 < found.cpu_s
    if device == "twin":  # the other one's process does not know of the patch
        first, second, *_ = found.memory
        assert 10_000_000 < first <= 1.5 * second


@pytest.mark.parametrize("tso", [True, False])
def test_a_flow_that_is_measured_sends(tso: bool) -> None:
    assert 0.1 < tcp_cost.us_a_frame(tso) < 10_000
