"""The ringwire command: results, and one line with cause and cure for everything that can't be done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ringwire import cli
from ringwire.replay import run as replay_run
from tests.captures import REAL_MIX, pcap, pcapng, stamped, wire_frames
from tests.frames import UDP, Frame

Output = tuple[int, str, str]
"""Exit code, stdout, stderr."""
Ringwire = Callable[..., Output]


@pytest.fixture
def ringwire(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ringwire:
    """Runs the command in this process."""
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)

    def run(*words: object) -> Output:
        with pytest.raises(SystemExit) as ended:
            cli.main([str(word) for word in words])
        captured = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, captured.out, captured.err

    return run


@pytest.fixture
def refused(ringwire: Ringwire, tmp_path: Path) -> Callable[..., str]:
    """Replays and expects a refusal: exit code 2, one line, no file. Returns the line."""
    folder = tmp_path / "out"
    folder.mkdir()

    def run(capture: Path, *words: object, code: int = 2) -> str:
        got, out, err = ringwire("replay", capture, "--out", folder / "wire.pcap", *words)
        assert (got, out) == (code, "")
        assert err.startswith("ringwire: ")
        assert err.count("\n") == 1 and err.endswith("\n")
        assert "Traceback" not in err
        assert list(folder.iterdir()) == []
        return err

    return run


UDP_FRAME = Frame(protocol=UDP, payload=bytes(100)).build()


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "in.pcap"
    path.write_bytes(pcap(stamped([UDP_FRAME] * 3)))
    return path


# -- results


def test_replay_prints_a_table_and_writes_the_wire(ringwire: Ringwire, tmp_path: Path) -> None:
    out = tmp_path / "wire.pcap"
    code, stdout, stderr = ringwire("replay", REAL_MIX, "--out", out, "--sim", "twin")
    assert (code, stderr) == (0, "")
    rows = [
        "frames", "bytes", "drops", "wire utilisation", "BQL limit reached", "interrupts", "packets an interrupt",
        "descriptors", "simulated time", "cycles a wall second", "frames a wall second", "verdict",
    ]  # fmt: skip
    for row in rows:
        assert f" {row} " in stdout
    assert "924" in stdout
    assert len(wire_frames(out)) == 924


def test_json_is_the_only_thing_on_stdout(ringwire: Ringwire, tmp_path: Path) -> None:
    code, stdout, _ = ringwire("replay", REAL_MIX, "--out", tmp_path / "wire.pcap", "--sim", "twin", "--json")
    report = json.loads(stdout)
    assert (code, report["verdict"], report["problems"]) == (0, "ok", [])
    assert (report["frames"], report["packets"], report["dropped_frames"]) == (924, 166, 0)
    assert report["capture"]["tcp_super"] == 37
    assert report["config"]["line_rate_bps"] == 100_000_000_000
    assert report["cycles_per_wall_s"] is None


def test_every_option_reaches_the_replay(ringwire: Ringwire, capture: Path, tmp_path: Path) -> None:
    given = {
        "--sim": "twin", "--mtu": 1400, "--line-rate": "2G", "--width": 128, "--clock": "200MHz", "--queues": 4,
        "--ring": 512, "--qdisc": "pfifo limit 9", "--txqueuelen": 77, "--bql": "off", "--tso": "off",
        "--csum": "off", "--pace": "launch",
        "--sndbuf": "100k", "--tx-usecs": 3, "--tx-frames": 5, "--cpl-threshold": 2, "--cpl-timer": 900,
        "--report-every": 3, "--napi-budget": 7, "--watchdog": 900, "--weights": "0,64,3000,100",
        "--priorities": "0,1,7,2", "--select-queue": "tests.test_replay_knobs:second", "--cpus": 3, "--late": "drop",
        "--mem-latency": 321, "--host": "free", "--seed": 11, "--driver": "ringwire.driver.ringwire:RingwireDriver",
        "--dma-order": 150, "--lose-doorbells": 1e-9, "--delay-doorbells": 0.5,
        "--fault": "stale-mss",  # which these frames do not show
    }  # fmt: skip
    words = [word for option, value in given.items() for word in (option, value)]
    code, stdout, _ = ringwire("replay", capture, "--out", tmp_path / "wire.pcap", "--json", "--no-jump", *words)
    assert code == 0
    assert json.loads(stdout)["config"] == {
        "capture": str(capture), "sim": "twin", "mtu": 1400, "line_rate_bps": 2 * 10**9, "width": 128,
        "clock_mhz": 200.0, "queues": 4, "ring": 512, "qdisc": "pfifo limit 9", "txqueuelen": 77, "bql": False,
        "tso": False, "csum": False,
        "report_every": 3, "napi_budget": 7, "watchdog_ms": 900, "weights": [0, 64, 3000, 100],
        "priorities": [0, 1, 7, 2], "select_queue": "tests.test_replay_knobs:second", "cpus": 3, "drop_late": True,
        "pace": "launch", "sndbuf": 102_400, "tx_usecs": 3, "tx_frames": 5, "cpl_threshold": 2, "cpl_timer_ns": 900,
        "mem_latency_ns": 321, "free_host": True, "seed": 11, "jump": False,
        "driver": "ringwire.driver.ringwire:RingwireDriver", "fault": "stale-mss",
        "dma_order_ns": 150, "doorbell_loss": 1e-9, "doorbell_delay": 0.5,
    }  # fmt: skip


def test_rates_are_read_as_tc_reads_them(ringwire: Ringwire, capture: Path, tmp_path: Path) -> None:
    for text, bps in {
        "100G": 10**11,
        "10gbit": 10**10,
        "5mbit": 5 * 10**6,
        "2.5G": 2_500_000_000,
        "1gbps": 8 * 10**9,
        "1000001": 1_000_001,
    }.items():
        out = ("--out", tmp_path / "wire.pcap", "--sim", "twin", "--json", "--line-rate", text)
        code, stdout, _ = ringwire("replay", capture, *out)
        assert (code, json.loads(stdout)["config"]["line_rate_bps"]) == (0, bps)


def test_an_older_file_is_replaced_as_a_whole(ringwire: Ringwire, capture: Path, tmp_path: Path) -> None:
    out = tmp_path / "wire.pcap"
    out.write_bytes(b"old" * 1000)
    assert ringwire("replay", capture, "--out", out, "--sim", "twin")[0] == 0
    assert len(wire_frames(out)) == 3


def test_a_failed_verdict_is_exit_code_1_and_names_the_problem(
    ringwire: Ringwire, capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = replay_run._measure

    def measure_badly(*arguments: Any) -> Any:
        measured = measure(*arguments)
        measured.problems.append("tx-0: 3 packets never completed")
        return measured

    monkeypatch.setattr(replay_run, "_measure", measure_badly)
    code, stdout, _ = ringwire("replay", capture, "--out", tmp_path / "wire.pcap", "--sim", "twin")
    assert code == 1
    assert "FAILED" in stdout and "tx-0: 3 packets never completed" in stdout


@pytest.mark.parametrize("words", [["--help"], [], ["replay", "--help"], ["--version"]])
def test_help_is_on_stdout(words: list[str], ringwire: Ringwire) -> None:
    code, stdout, stderr = ringwire(*words)
    assert (code, stderr) == (0, "")
    assert stdout


def test_help_names_every_option_of_the_job(ringwire: Ringwire) -> None:
    _, stdout, _ = ringwire("replay", "--help")
    for option in (
        "--out", "--sim", "--mtu", "--line-rate", "--width", "--queues", "--ring", "--qdisc", "--bql",
        "--tso", "--csum", "--pace", "--seed", "--json", "--clock", "--mem-latency", "--sndbuf", "--txqueuelen",
        "--report-every", "--napi-budget", "--watchdog", "--weights", "--priorities", "--select-queue", "--cpus",
        "--late",
        "--waves", "--no-jump", "--cpl-threshold", "--tx-usecs", "--tx-frames", "--dma-order", "--lose-doorbells",
        "--delay-doorbells",
    ):  # fmt: skip
        assert f"{option} " in stdout


# -- options that make no sense


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--bogus", "No such option '--bogus'"),
        ("--sim foo", "--sim foo; allowed: verilator, icarus, twin"),
        ("--mtu 67", "--mtu 67; allowed: 68 to 16626"),
        ("--mtu 16627", "--mtu 16627; allowed: 68 to 16626"),
        ("--mtu x", "'x' is not a valid integer"),
        ("--ring 100", "--ring 100; allowed: 64, 128, 256"),
        ("--ring 32", "--ring 32; allowed: 64, 128, 256"),
        ("--ring 65536", "--ring 65536; allowed: 64, 128, 256"),
        ("--width 100", "--width 100; allowed: 64, 128, 256, 512"),
        ("--queues 3", "--queues 3; allowed: 1, 2, 4, 8, 16"),
        ("--queues 0", "--queues 0; allowed: 1, 2, 4, 8, 16"),
        ("--line-rate 200G", "512 bits at 250 MHz carry 128G; lower it, or raise --width or --clock"),
        ("--line-rate 25G --width 64", "64 bits at 156.25 MHz carry 10G"),
        ("--line-rate 10q", "'10q': not a rate"),
        ("--line-rate 0", "allowed: 1M or more"),
        ("--line-rate 500kbit", "--line-rate 500kbit/s; allowed: 1M to 1T"),
        ("--line-rate 10", "--line-rate 10bit/s; allowed: 1M to 1T"),
        ("--clock 100", "512 bits at 100 MHz carry 51.2G"),
        ("--clock fast", "'fast': not a frequency"),
        ("--qdisc nope", "'nope': Error: Specified qdisc kind is unknown. (allowed: bfifo"),
        ("--qdisc bfifo:limit", "Specified qdisc kind is unknown"),
        ("--qdisc=", "'--qdisc': '': there is nothing in it; leave the option away for the default"),
        ("--driver=", "'--driver': '': there is nothing in it"),
        ("--select-queue= --queues 2", "'--select-queue': '': there is nothing in it"),
        ("--bql maybe", "'maybe' is not one of 'on', 'off'"),
        ("--tso maybe", "'maybe' is not one of 'on', 'off'"),
        ("--csum 1", "'1' is not one of 'on', 'off'"),
        ("--pace slow", "--pace slow; allowed: fast, capture, launch"),
        ("--late drop", "--late drop: nothing is late at the pace fast; add --pace launch"),
        ("--late maybe", "'maybe' is not one of 'send', 'drop'"),
        ("--report-every 0", "--report-every 0; allowed: 1 to 1024"),
        ("--napi-budget 1025", "--napi-budget 1025; allowed: 1 to 1024"),
        ("--watchdog 0", "--watchdog 0 ms; allowed: 1 to 3600000 ms"),
        ("--cpus 65", "--cpus 65; allowed: 1 to 64"),
        ("--weights 100,x --queues 2", "'100,x': not numbers with commas between them, one a queue"),
        ("--weights 100 --queues 2", "--weights 100: 1 for --queues 2; needed: one a queue"),
        ("--weights 63,0 --queues 2", "--weights: a weight is 0 or 64 to 262143 bytes, not 63"),
        ("--priorities 0,8 --queues 2", "--priorities: a priority is 0 to 7, not 8"),
        (
            "--priorities 1 --driver examples.minimal_driver:MinimalDriver",
            "--priorities: the driver has no set_priority",
        ),
        (
            "--pace launch --driver examples.minimal_driver:MinimalDriver",
            "--pace launch: the driver has no set_launch_t",
        ),
        ("--select-queue tests.test_replay_knobs:second", "there is one queue to choose; add --queues"),
        (
            "--select-queue tests.test_replay_knobs --queues 2",
            "'tests.test_replay_knobs': not of the form package.module:",
        ),
        ("--select-queue tests.test_replay_knobs:nobody --queues 2", "tests.test_replay_knobs has no function nobody"),
        ("--select-queue nowhere.py:pick --queues 2", "nowhere.py: FileNotFoundError"),
        ("--sndbuf 1q", "'1q': not a size"),
        ("--txqueuelen 0", "--txqueuelen 0; allowed: 1 to"),
        ("--tx-frames 8", "add --tx-usecs"),
        ("--cpl-threshold 17", "--cpl-threshold 17; allowed: 1 to 16"),
        ("--mem-latency -1", "--mem-latency -1 ns; allowed: 0 to"),
        ("--seed -1", "--seed -1; allowed: 0 to"),
        ("--waves x --sim twin", "--waves: the twin has no signals"),
        ("extra", "Got unexpected extra argument"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    words: str, says: str, refused: Callable[..., str], capture: Path
) -> None:
    assert says in refused(capture, *words.split())


@pytest.mark.parametrize("words", [["replay"], ["replay", "x.pcap"], ["nonsense"], ["--nonsense"]])
def test_an_incomplete_command_points_at_its_help(words: list[str], ringwire: Ringwire) -> None:
    code, stdout, stderr = ringwire(*words)
    assert (code, stdout, stderr.count("\n")) == (2, "", 1)
    assert "--help" in stderr


def test_a_qdisc_parameter_that_is_wrong_is_named(refused: Callable[..., str], capture: Path) -> None:
    illegal, unknown = refused(capture, "--qdisc", "pfifo limit x"), refused(capture, "--qdisc", "pfifo burst 3")
    assert '\'x\': pfifo: Illegal value for "limit": "x" (not a size (units: ' in illegal
    assert "'burst': pfifo: unknown parameter \"burst\" (allowed: limit)" in unknown


# -- captures that can't be replayed

WHOLE = pcap(stamped([UDP_FRAME] * 3))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(WHOLE[:-5], "packet 3: file ends within the packet", id="cut-in-a-packet"),
        pytest.param(WHOLE[: 24 + 7], "packet 1: file ends within a packet header", id="cut-in-a-packet-header"),
        pytest.param(WHOLE[:10], "file ends within the file header", id="cut-in-the-file-header"),
        pytest.param(b"", "file ends within the magic number", id="empty"),
        pytest.param(WHOLE[:24], "holds no packet", id="no-packet"),
        pytest.param(b"PK\x03\x04" * 20, "magic number 504b0304", id="another-format"),
        pytest.param(pcap([], linktype=101), "link type 101; allowed: 1, Ethernet", id="not-ethernet"),
        pytest.param(pcapng(stamped([UDP_FRAME]))[:-9], "file ends within a block", id="pcapng-cut"),
        pytest.param(
            pcap(stamped([Frame(payload=bytes(65_500), ip_len=0).build()])),
            "packet 1: frame of 65554 bytes; allowed: up to gso_max_size, 65536",
            id="above-gso-max-size",
        ),
        pytest.param(
            pcap(stamped([UDP_FRAME, Frame(protocol=UDP, payload=bytes(1473)).build()])),
            "packet 2: UDP datagram in an IP packet of 1501 bytes; allowed: up to the MTU, 1500",
            id="udp-over-mtu",
        ),
    ],
)
def test_a_capture_that_can_not_be_replayed_is_refused(
    content: bytes, says: str, refused: Callable[..., str], tmp_path: Path
) -> None:
    path = tmp_path / "bad.pcap"
    path.write_bytes(content)
    line = refused(path, "--sim", "twin")
    assert says in line
    assert str(path) in line
    assert "allowed:" in line or "needed:" in line or "nothing to replay" in line


def test_a_capture_that_is_not_there_is_named(refused: Callable[..., str], tmp_path: Path) -> None:
    assert "nowhere.pcap: No such file or directory" in refused(tmp_path / "nowhere.pcap")
    assert "Is a directory" in refused(tmp_path)


# -- where the wire is to go


def test_an_output_that_can_not_be_written_is_named(ringwire: Ringwire, capture: Path, tmp_path: Path) -> None:
    for out, says in (
        (tmp_path / "no" / "wire.pcap", "No such file or directory"),
        (tmp_path, "not a regular file"),
        (Path("/dev/null"), "not a regular file"),
        (capture, "that is the capture itself"),
        (capture / "wire.pcap", "Not a directory"),
    ):
        code, stdout, stderr = ringwire("replay", capture, "--out", out, "--sim", "twin")
        assert (code, stdout, stderr.count("\n")) == (2, "", 1)
        assert f"--out {out}" in stderr and says in stderr
    assert capture.read_bytes() == WHOLE


def test_a_refused_replay_leaves_an_older_file_alone(ringwire: Ringwire, tmp_path: Path) -> None:
    bad, out = tmp_path / "bad.pcap", tmp_path / "wire.pcap"
    bad.write_bytes(WHOLE[:-5])
    out.write_bytes(b"old")
    assert ringwire("replay", bad, "--out", out, "--sim", "twin")[0] == 2
    assert out.read_bytes() == b"old"


# -- tools that are missing


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No program is on PATH, and nothing has been built."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("RINGWIRE_CACHE", str(tmp_path / "cache"))


@pytest.mark.usefixtures("bare_machine")
@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
def test_a_missing_simulator_or_compiler_is_named_with_its_package(
    simulator: str, refused: Callable[..., str], capture: Path
) -> None:
    line = refused(capture, "--sim", simulator)
    assert "is not installed: apt-get install " in line


@pytest.mark.usefixtures("bare_machine")
def test_the_twin_needs_no_tool(ringwire: Ringwire, capture: Path, tmp_path: Path) -> None:
    assert ringwire("replay", capture, "--out", tmp_path / "wire.pcap", "--sim", "twin")[0] == 0


# -- what nobody foresaw


def test_an_unforeseen_error_is_one_line_that_says_how_to_see_more(
    refused: Callable[..., str], capture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(cli.DEBUG_VARIABLE, raising=False)
    monkeypatch.setattr(cli, "replay", None)
    line = refused(capture, code=70)
    assert "internal error: TypeError: 'NoneType' object is not callable; RINGWIRE_DEBUG=1 shows where" in line


def test_with_debug_an_unforeseen_error_keeps_its_traceback(capture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*arguments: object) -> None:
        raise KeyError("the unforeseen")

    monkeypatch.setenv(cli.DEBUG_VARIABLE, "1")
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    monkeypatch.setattr(cli, "replay", explode)
    with pytest.raises(KeyError):
        cli.main(["replay", str(capture), "--out", "x"])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_replay_leaves_nothing_behind(number: signal.Signals, code: int, tmp_path: Path) -> None:
    capture, folder = tmp_path / "long.pcap", tmp_path / "out"
    folder.mkdir()
    super_packet = Frame(payload=bytes(60_000)).build()
    capture.write_bytes(pcap(stamped([super_packet] * 2000)))
    words = ["replay", str(capture), "--out", str(folder / "wire.pcap"), "--sim", "twin"]
    child = subprocess.Popen(
        [sys.executable, "-m", "ringwire", *words],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # tests that a shell runs in the background ignore Ctrl-C, and so would what they start
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not list(folder.iterdir()):
        assert child.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(child.pid, number)
    stdout, stderr = child.communicate(timeout=30)
    assert child.returncode == code
    assert stdout == ""
    assert stderr.splitlines()[-1:] == (["ringwire: interrupted; nothing was written"] if code == 130 else [])
    assert stderr.count("\n") <= 1
    assert list(folder.iterdir()) == []


def test_a_long_replay_says_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ringwire: Ringwire) -> None:
    monkeypatch.setattr("ringwire.progress.PATIENCE_S", 0.0)
    monkeypatch.setattr("ringwire.progress.LINE_S", 0.0)
    monkeypatch.setattr("ringwire.replay.job.PROGRESS_S", 0.0)
    code, stdout, stderr = ringwire("replay", REAL_MIX, "--out", tmp_path / "wire.pcap", "--sim", "twin", "--json")
    assert code == 0
    assert json.loads(stdout)["verdict"] == "ok"
    assert " of 924 frames, " in stderr and "simulated ..." in stderr


def test_output_that_nobody_reads_to_its_end_is_no_error(capture: Path, tmp_path: Path) -> None:
    words = f"{sys.executable} -m ringwire replay {capture} --out {tmp_path}/o.pcap --sim twin | true"
    done = subprocess.run(["sh", "-c", words], capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
