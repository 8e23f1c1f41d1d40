"""The replay's own plumbing: bad folders end a run with one line, and the summary says what was compared."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.vectors import difference

USAGE_ERROR = 4
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def replay(pytestconfig: pytest.Config) -> Run:
    """Run the replays of byte queue limits and qdiscs on a folder, in a process of their own."""

    def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
        tests = ["tests/conformance/test_dql.py", "tests/conformance/test_qdisc.py"]
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *tests, "--vectors", str(folder), *options]
        return subprocess.run(
            command, cwd=pytestconfig.rootpath, capture_output=True, text=True, timeout=100, check=False
        )

    return run


def write(path: Path, document: object) -> None:
    path.write_bytes(gzip.compress(json.dumps(document).encode()))


def dql_file() -> dict[str, Any]:
    """A file of two scenarios, each with one packet queued; what the second records is wrong."""
    fields = ["limit", "num_queued", "avail"]
    good = {
        "name": "good",
        "init": {"hold_time": 1000, "jiffies": 5},
        "fields": fields,
        "state0": [0, 0, 0],
        "steps": [[["q", 100], [0, 100, -100]]],
    }
    wrong = dict(good, name="wrong", steps=[[["q", 100], [0, 100, -99]]])
    return {"format": "txoracle-dql-1", "scenarios": [good, wrong]}


def qdisc_file() -> dict[str, Any]:
    """A file whose only scenario asks for a discipline that there is none of."""
    scenario = {
        "name": "strange",
        "dev": {"mtu": 1500, "txqueuelen": 1000},
        "tc": ["qdisc replace dev DEV root handle 1: no_such limit 3"],
        "t0": 0,
        "truesize": {},
        "ops": [],
        "final": "",
    }
    return {"format": "txoracle-qdisc-1", "scenarios": [scenario]}


@pytest.mark.parametrize("options", [(), ("-n", "2")])
def test_the_summary_says_what_agreed_and_what_was_not_collected(
    replay: Run, tmp_path: Path, options: tuple[str, ...]
) -> None:
    write(tmp_path / "dql_mine.json.gz", dql_file())
    write(tmp_path / "qdisc_mine.json.gz", qdisc_file())
    done = replay(tmp_path, *options)
    assert done.returncode == 1
    assert "dql_mine  1 scenarios, 1 operations agree" in done.stdout
    assert "qdisc_mine: 1 not collected ('no_such': no such qdisc): strange" in done.stdout
    assert "test_every_step_leaves_the_recorded_state[dql_mine-wrong]" in done.stdout
    assert "after step 0 ['q', 100]: avail: expected -99, got -100" in done.stdout


@pytest.mark.parametrize("options", [(), ("-n", "2")])
def test_a_missing_folder_is_a_usage_error_of_one_line(replay: Run, tmp_path: Path, options: tuple[str, ...]) -> None:
    done = replay(tmp_path / "none", *options)
    assert (done.returncode, done.stdout.strip()) == (USAGE_ERROR, "")
    assert done.stderr.strip() == f"ERROR: {tmp_path / 'none'}: no such folder of vectors"


def without(document: dict[str, Any], key: str) -> dict[str, Any]:
    del document["scenarios"][0][key]
    return document


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"not gzip", "not a gzip'd JSON file"),
        (gzip.compress(b'{"format":')[:-6], "not a gzip'd JSON file"),
        (gzip.compress(b"[1, 2"), "not a gzip'd JSON file"),
        (gzip.compress(b"[1, 2]"), "format None is none of txoracle-dql-1, "),
        (gzip.compress(b'{"format": "other-1"}'), "format 'other-1' is none of "),
        (gzip.compress(b'{"format": "txoracle-dql-1"}'), "no list of scenarios"),
        (gzip.compress(json.dumps(without(dql_file(), "steps")).encode()), "entry 0 of scenarios has no steps"),
    ],
    ids=["plain", "cut", "half", "list", "foreign", "empty", "incomplete"],
)
def test_a_malformed_file_is_a_usage_error_of_one_line(
    replay: Run, tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "dql_bad.json.gz").write_bytes(content)
    done = replay(tmp_path)
    assert (done.returncode, done.stdout.strip()) == (USAGE_ERROR, "")
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith(f"ERROR: {tmp_path / 'dql_bad.json.gz'}: {reason}")


def test_a_folder_without_vectors_is_a_usage_error(replay: Run, tmp_path: Path) -> None:
    done = replay(tmp_path)
    assert done.returncode == USAGE_ERROR and f"{tmp_path}: no vectors in it (*.json.gz)" in done.stderr


def test_the_first_difference_is_named() -> None:
    assert difference(["a", "b", "c"], [1, 2, 3], [1, 2, 3]) is None
    assert difference(["a", "b", "c"], [1, 2, 3], [1, 5, 6]) == "b: expected 2, got 5"
    assert difference(["a", "b"], [1, 2], [1]) == "fields: expected 2, got 1, named 2"
    assert difference(["a"], [1, 2], [1, 2]) == "fields: expected 2, got 2, named 1"
