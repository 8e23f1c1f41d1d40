"""``ringwire run``, ``list`` and ``new``, as users type them."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from ringwire.cli import main
from ringwire.experiment.shipped import names
from tests.captures import REAL_MIX
from tests.experiments import FREE

PROBE = '[[flow]]\nkind = "probe"\n'
SCENARIO_NAMES = names()


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def ringwire(*words: str) -> int:
    """Exit code of a command."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    return int(ended.value.code or 0)


def test_new_writes_an_example_that_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert ringwire("new", "mine.toml") == 0
    assert ringwire("run", "mine.toml", "--set", "duration=3ms", "--set", "warmup=1ms") == 0
    out = capsys.readouterr().out
    assert "One bulk sender and a probe: twin, 1Gbit/s" in out
    assert "results/mine" in out
    assert (Path("results") / "mine" / "summary.json").exists()
    assert (Path("results") / "mine" / "mine.flent.gz").exists()
    assert (Path("results") / "mine" / "report.html").stat().st_size > 100_000
    assert (Path("results") / "mine" / "plots" / "latency_cdf.png").exists()


def test_new_does_not_write_over_a_file_unless_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.toml").write_text("precious")
    assert ringwire("new", "mine.toml") == 2
    assert "mine.toml: it is there already; another name, or --force" in capsys.readouterr().err
    assert Path("mine.toml").read_text() == "precious"
    assert ringwire("new", "--force", "mine.toml") == 0


def test_every_key_of_the_example_that_is_commented_out_can_be_put_in() -> None:
    assert ringwire("new", "mine.toml") == 0
    lines = Path("mine.toml").read_text().splitlines()
    offered = [line[2:] for line in lines if line.startswith("# ") and " = " in line]
    assert len(offered) > 8
    opened = "\n".join(line[2:] if line.startswith("# ") and " = " in line else line for line in lines)
    Path("open.toml").write_text(opened.replace('device = "twin"', 'device = "icarus"'))
    from ringwire.experiment.scenario import Source, read_experiment
    from ringwire.experiment.shipped import find

    made = read_experiment(Source(*find("open.toml")))
    assert (made.rig.mem_jitter_ns, made.rig.read_stalls, made.rig.costs.jitter_ns) == (200, 0.1, 1000)
    assert made.probes.series == ("latency", "throughput", "bql")


@pytest.mark.parametrize("name", SCENARIO_NAMES)
def test_each_shipped_scenario_runs_by_its_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        ringwire("run", name, "--set", "duration=4ms", "--set", "warmup=0", "--device", "twin", "--no-report", "--json")
        == 0
    )
    summary = json.loads(capsys.readouterr().out)
    assert summary["problems"] == []
    assert all(row["sent"] > 0 for row in summary["flows"])
    assert (Path("results") / name / "wire.pcap").exists()


def test_list_shows_scenarios_flows_with_their_keys_and_disciplines(capsys: pytest.CaptureFixture[str]) -> None:
    assert ringwire("list") == 0
    out = capsys.readouterr().out
    for word in (*SCENARIO_NAMES, "udp", "voip", "game", "probe", "pcap", "sndbuf", "fq_codel", "kind, name, start"):
        assert word in out
    assert ringwire("list", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["scenarios"]) == set(SCENARIO_NAMES)
    assert "folder" not in found["flows"]["pcap"]


def test_a_kind_that_is_loaded_is_listed_and_run(capsys: pytest.CaptureFixture[str]) -> None:
    Path("own_for_cli.py").write_text(
        "from dataclasses import dataclass\n"
        "from ringwire.traffic.probe import Probe\n\n\n"
        '@dataclass\nclass Own(Probe):\n    kind = "test-own"\n'
    )
    Path("x.toml").write_text(FREE + '[[flow]]\nkind = "test-own"\n')
    assert ringwire("run", "x.toml") == 2
    assert "no kind of flow 'test-own'" in capsys.readouterr().err
    assert ringwire("run", "x.toml", "--load", "own_for_cli.py", "--no-report") == 0
    assert ringwire("list", "--load", "own_for_cli.py") == 0
    assert "test-own" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "nowhere"], "nowhere: no such file, and no scenario of that name; there are "),
        (["run", "nowhere.toml"], "nowhere.toml: no such file, and no scenario of that name; there are "),
        (["run", "bql", "--set", "x"], "--set x: not of the form KEY=VALUE"),
        (["run", "bql", "--set", "nic.rings=64"], "--set nic.rings=64: no key nic.rings; allowed: device, "),
        (
            ["run", "bql", "--device", "qemu"],
            "--set nic.device=qemu: nic.device qemu; allowed: verilator, icarus, twin",
        ),
        (
            ["run", "bql", "--set", "setup.lines=ip link set eth0 mtu 1400\ntc qdisc add dev eth0 root pfifi"],
            "--set setup.lines, line 2: column 28: 'pfifi': ",
        ),
        (["run", "bql", "--seed", "-1"], "--set seed=-1: seed -1; allowed: 0 to 4294967295"),
        (["run", "bql", "--load", "nowhere.py"], "--load nowhere.py: No such file or directory"),
        (["list", "--load", "nowhere.py"], "--load nowhere.py: No such file or directory"),
        (["run", "bql", "--out", "file"], "--out file: not a folder"),
        (["run", "bql", "--out", "/proc/x"], "--out /proc/x: No such file or directory"),
        (["results", "--write", "nowhere/x.md"], "--write nowhere/x.md: it can't be written"),
        (["results", "--write", "."], "--write .: a folder; needed: a file"),
        (["results", "--folder", "file/x"], "--folder file/x: Not a directory"),
        (["results", "--folder", "file"], "--folder file: File exists"),
        (["run", "bad.toml"], "bad.toml:2: no key colour; allowed: title, duration, "),
        (["new", "no/such/folder.toml"], "no/such/folder.toml: No such file or directory"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_and_nothing_is_left(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("file").write_text("")
    Path("bad.toml").write_text('duration = "1ms"\ncolour = 1\n')
    before = sorted(Path.cwd().iterdir())
    assert ringwire(*words) == 2
    err = capsys.readouterr().err
    assert err.startswith("ringwire: " + says)
    assert err.count("\n") == 1
    assert sorted(Path.cwd().iterdir()) == before


@pytest.mark.parametrize("name", ["report.html", "plots/mine.png", "series/own.csv", "wire.pcap", "x.flent.gz"])
def test_a_file_that_no_run_has_left_is_neither_removed_nor_written_over(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("x.toml").write_text(FREE + PROBE)
    file = Path("out") / name
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    assert ringwire("run", "x.toml", "--out", "out") == 2
    assert f"--out out: {name} is there and no run has left it" in capsys.readouterr().err
    assert [path for path in Path("out").rglob("*") if path.is_file()] == [file] and file.read_text() == "mine"


def test_a_run_takes_the_place_of_one_before_and_leaves_other_files_alone() -> None:
    Path("x.toml").write_text(FREE + PROBE)
    assert ringwire("run", "x.toml", "--out", "out") == 0
    assert (Path("out") / "plots" / "latency_cdf.png").exists() and (Path("out") / "series" / "ring.csv").exists()
    (Path("out") / "notes.txt").write_text("mine")
    assert ringwire("run", "x.toml", "--out", "out", "--no-report", "--set", 'probes.series=["wire"]') == 0
    assert {path.stem for path in (Path("out") / "series").iterdir()} == {"wire"}
    assert not (Path("out") / "report.html").exists() and not any((Path("out") / "plots").iterdir())
    assert (Path("out") / "notes.txt").read_text() == "mine"


def test_a_list_of_files_that_is_not_a_runs_removes_nothing_else() -> None:
    Path("x.toml").write_text(FREE + PROBE)
    Path("out").mkdir()
    for name in ("mine.txt", "out/notes.txt"):
        Path(name).write_text("mine")
    lines = ["../mine.txt", "notes.txt", "", ".", "plots/../notes.txt", str(Path("mine.txt").resolve()), "\xff"]
    (Path("out") / ".ringwire-files").write_bytes("\n".join(lines).encode("latin-1"))
    assert ringwire("run", "x.toml", "--out", "out", "--no-report") == 0
    assert Path("mine.txt").read_text() == (Path("out") / "notes.txt").read_text() == "mine"


def test_a_capture_that_breaks_off_is_bad_input_and_no_fault_of_the_device(capsys: pytest.CaptureFixture[str]) -> None:
    Path("cut.pcap").write_bytes(REAL_MIX.read_bytes()[:3000])
    Path("x.toml").write_text(FREE + '[[flow]]\nkind = "pcap"\nfile = "cut.pcap"\n')
    assert ringwire("run", "x.toml") == 2
    err = capsys.readouterr().err
    assert re.match(r"ringwire: x.toml:\d+: flow\[1\].file cut.pcap: byte \d+, packet \d+: file ends within", err)
    assert err.count("\n") == 1


def test_no_digit_gets_lost_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    path = '[[path]]\nname = "a path with a long name"\nrate = "1mbit"\n'
    Path("x.toml").write_text(
        FREE + path + PROBE + 'path = "a path with a long name"\nname = "a probe with a long name"\n'
    )
    assert ringwire("run", "x.toml", "--no-report") == 0
    out = capsys.readouterr().out
    assert "…" not in out and "a path with a long name" in out and re.search(r"a probe with a long name +\d", out)


def test_a_run_that_shows_a_fault_ends_with_1_and_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    Path("x.toml").write_text(FREE + '[setup]\nlines = "ip link set eth0 down"\n' + PROBE)
    assert ringwire("run", "x.toml", "--no-report") == 1
    assert "eth0 is down" in capsys.readouterr().out


def test_a_run_that_breaks_ends_with_1_and_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    Path("broken_for_cli.py").write_text(
        "from dataclasses import dataclass\n"
        "from ringwire.traffic.probe import Probe\n\n\n"
        '@dataclass\nclass Broken(Probe):\n    kind = "test-broken"\n\n    def next_size(self):\n        1 / 0\n'
    )
    Path("x.toml").write_text(FREE + '[[flow]]\nkind = "test-broken"\n')
    assert ringwire("run", "x.toml", "--load", "broken_for_cli.py") == 1
    err = capsys.readouterr().err
    assert err.startswith("ringwire: ZeroDivisionError") and err.count("\n") == 1
    assert not Path("results/x").exists()


def test_what_lines_print_comes_before_the_tables(capsys: pytest.CaptureFixture[str]) -> None:
    Path("x.toml").write_text(FREE + '[setup]\nlines = """\ntc qdisc show dev eth0\n"""\n' + PROBE)
    assert ringwire("run", "x.toml", "--no-report") == 0
    assert capsys.readouterr().out.startswith("qdisc pfifo_fast 0: root")


def test_the_command_needs_no_numbers_library_to_say_what_it_is() -> None:
    import subprocess

    code = "import sys, ringwire.cli; print('pyarrow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
