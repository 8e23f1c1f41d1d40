"""``make soak``: how far a run goes, and what it says when something is wrong."""

from __future__ import annotations

from random import Random

import pytest

from scripts import soak
from tests.datapath.worlds import TWIN
from tests.steady import steady


@pytest.mark.parametrize("seed", range(1, 4))
def test_several_cpus_and_every_setting_of_the_driver_on_the_twin(seed: int) -> None:
    steady(TWIN, 1_500, seed, queues=(1, 4)[seed % 2])


def test_several_cpus_and_every_setting_of_the_driver_on_the_rtl() -> None:
    steady("verilator", 600, 8, queues=4)


class Log:
    """Works that note how much of them is done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **environment: str) -> None:
        self.done: list[tuple[str, int, int]] = []
        monkeypatch.setattr(soak, "WORKS", (
            soak.Work(self.of("anything")),
            soak.Work(self.of("twin"), TWIN, 1000),
            soak.Work(self.of("rtl"), soak.RTL, 30),
            soak.Work(self.of("resets"), soak.RESETS, 2),
        ))  # fmt: skip
        for name in ("MINUTES", "PACKETS", "SEED"):
            monkeypatch.setenv(name, environment.get(name, ""))

    def of(self, name: str) -> soak.Do:
        def work(sim: str, seed: int, random: Random, size: int) -> str:
            self.done.append((name, seed, size))
            return "nothing"

        return work


def test_without_time_a_round_does_everything_once(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(monkeypatch, MINUTES="0", SEED="7")
    assert soak.main() == 0
    assert log.done == [("anything", 7, 0), ("twin", 7, 1000), ("rtl", 7, 30), ("resets", 7, 2)]


def test_packets_are_counted_until_there_are_enough(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = Log(monkeypatch, PACKETS="2500")
    assert soak.main() == 0
    rounds = [[(name, size) for name, seed, size in log.done if seed == wanted] for wanted in (1, 2, 3)]
    assert rounds == [[("twin", 1000), ("rtl", 30), ("resets", 1)], [("twin", 1000), ("rtl", 30)], [("twin", 1000)]]
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("soak, 3 rounds: 3,000 packets on the twin, 60 on the RTL, 1 resets without a fault, ")


def test_a_fault_ends_it_with_what_repeats_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Log(monkeypatch, PACKETS="10", SEED="4")

    def fails(sim: str, seed: int, random: Random, size: int) -> str:
        raise AssertionError("skb-lost: queue 0 has 1 packets that the driver never freed")

    monkeypatch.setattr(soak, "WORKS", (soak.Work(fails, TWIN, 10),))
    assert soak.main() == 1
    assert capsys.readouterr().out == (
        "seed 4: fails on icarus: FAILED: skb-lost: queue 0 has 1 packets that the driver never freed\n"
        "to repeat: make soak MINUTES=0 SEED=4 PACKETS=10\n"
    )


def test_every_work_that_counts_reaches_its_goal() -> None:
    goals = soak.Goals(0, 10_000_000)
    assert goals.wanted == {TWIN: 10_000_000, soak.RTL: 200_000, soak.RESETS: 1_000}
    sizes = {name: sum(work.size for work in soak.WORKS if work.counts == name) for name in goals.wanted}
    assert sizes == {TWIN: 200_000, soak.RTL: 5_000, soak.RESETS: 1_000}
