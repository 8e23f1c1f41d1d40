"""What the README says is so: its experiment, its files, its commands."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from ringwire.replay import ReplayConfig, replay
from tests.captures import REAL_MIX

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
EXPERIMENT = [
    tuple(float(cell.replace(",", "").replace("%", "")) for cell in line.strip("|").split("|"))
    for line in README.partition("## An experiment")[2].partition("\n## ")[0].splitlines()
    if re.match(r"\| \d", line)
]
"""Rows of (tx-usecs, BQL limit with a ring of 64, and of 1024, packets an interrupt, utilisation in %)."""


def make(*words: str) -> subprocess.CompletedProcess[str]:
    """Run make as a user would, in an environment that is set up."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--no-print-directory", "-o", ".venv/.ready", *words]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("sim", ["verilator"])
def test_the_experiment_gives_what_the_readme_prints(sim: str) -> None:
    assert [row[0] for row in EXPERIMENT] == [0, 50, 125]
    for tx_usecs, limit, limit_with_a_long_ring, frames_per_interrupt, utilisation in EXPERIMENT:
        rings = [(64, limit), (1024, limit_with_a_long_ring)]
        for ring, expected in rings if tx_usecs == 50 else rings[:1]:
            config = ReplayConfig(REAL_MIX, sim=sim, line_rate_bps=10**9, tso=False, ring=ring, tx_usecs=int(tx_usecs))
            report = replay(config)
            assert report.measured.bql_limit == pytest.approx(expected, rel=0.02)
            assert report.frames_per_interrupt == pytest.approx(frames_per_interrupt, rel=0.05)
            assert 100 * report.measured.wire_utilisation == pytest.approx(utilisation, abs=2)


def test_every_path_in_the_readme_is_there() -> None:
    named = re.findall(r"\]\(([\w/.]+)\)|`((?:model|tests|examples|docs|rtl|tb|bench)/[\w/.]*)`", README)
    paths = {one or other for one, other in named}
    assert len(paths) > 8
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


def test_every_target_in_the_readme_is_one_of_makes() -> None:
    for target in set(re.findall(r"make (\w+)", README)):
        assert make("-n", target).returncode == 0


def test_make_help_lists_every_target_and_setting() -> None:
    text = make("help").stdout
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^(\w+):", makefile, re.MULTILINE)
    settings = re.findall(r"^KNOWN := (.*)", makefile, re.MULTILINE)[0].split()
    assert [word for word in targets if f"make {word} " not in text and word != "help"] == []
    assert [word for word in settings if f"{word}=" not in text] == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("sim SIM=foo", "SIM=foo; allowed: verilator, icarus"),
        ("sim WIDTH=100", "WIDTH=100; allowed: 64, 128, 256, 512"),
        ("sim QUEUES=3", "QUEUES=3; allowed: 1, 2, 4, 8, 16"),
        ("sim WAVES=yes", "WAVES=yes; allowed: 0, 1"),
        ("sim SEED=x", "SEED=x; allowed: 0 to"),
        ("sim T=(", "T=(: not an expression"),
        ("soak MINUTES=-1", "MINUTES=-1; allowed: 0 to"),
        ("soak PACKETS=many", "PACKETS=many; allowed: 0 to"),
        ("sim SIMULATOR=icarus", "SIMULATOR=: no such setting; there are"),
    ],
)
def test_make_refuses_a_setting_that_makes_no_sense_in_one_line(words: str, says: str) -> None:
    done = make(*words.split())
    lines = [line for line in done.stderr.splitlines() if not re.search(r"Error \d", line)]
    assert done.returncode != 0
    assert len(lines) == 1 and says in lines[0]
