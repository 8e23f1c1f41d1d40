"""Runs: every packet is accounted for, flows hear of their frames in time, and the same seed gives the same bytes."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ringwire.experiment import job
from ringwire.experiment.results import SERIES, Results
from ringwire.experiment.run import ExperimentFailed, Stop, run_experiment
from ringwire.experiment.scenario import Source, read_experiment
from ringwire.host.world import Stuck
from ringwire.pcap import read_capture
from ringwire.skb import Skb
from ringwire.traffic.datagrams import Datagrams
from ringwire.traffic.flow import Environment
from tests.experiments import FREE, experiment, flow, packets, run

FRAME_NS, WIRE_NS = 8 * (1514 + 4), 8 * (1514 + 24)
SERVER = FREE.replace('cost = "free"', "")
BULK = '[[flow]]\nkind = "udp"\nname = "bulk"\nsndbuf = "208k"\n'
PROBE = '[[flow]]\nkind = "probe"\ninterval = "50us"\n'
FLOOD = '[[flow]]\nkind = "udp"\nname = "flood"\nrate = "2gbit"\n'
SHORT_QUEUE = '[setup]\nlines = "tc qdisc replace dev eth0 root pfifo limit 10"\n'


# -- accounts


def conserved(results: Results) -> None:
    """Packets in, packets out."""
    totals = results.summary["totals"]
    for row in (*results.summary["flows"], None):
        names = (
            ("packets", "sent", "drops", "left")
            if row
            else ("packets", "packets sent", "packets dropped", "packets left")
        )
        handed, sent, dropped, left = ((row or totals)[name] for name in names)
        assert handed == sent + dropped + left > 0


def test_what_finds_the_queue_full_is_dropped_and_counted_where_it_was(tmp_path: Path) -> None:
    results = run(SERVER + SHORT_QUEUE + FLOOD + PROBE, tmp_path)
    conserved(results)
    flood = flow(results, "flood")
    assert flood["drops"] > 50
    assert flood["left"] == 0
    dropped = sum(row["drops"] for row in results.summary["flows"])
    assert results.summary["queues"][0]["drops"] == dropped == results.summary["totals"]["packets dropped"]
    assert results.series["qdisc"]["drops"].sum() == dropped
    assert results.series["qdisc"]["backlog_packets"].max() == 10
    assert results.summary["totals"]["frames"] == flood["frames"] + flow(results, "probe")["frames"]
    assert results.series["interrupts"]["packets"].sum() == results.summary["totals"]["packets sent"]
    assert results.series["interrupts"]["interrupts"].sum() == results.summary["totals"]["interrupts"]


def test_what_a_discipline_keeps_for_itself_is_left_and_no_fault(tmp_path: Path) -> None:
    lines = '[setup]\nlines = "tc qdisc replace dev eth0 root tbf rate 1mbit burst 2k limit 100k"\n'
    results = run('drain = "1us"\n' + SERVER + lines + FLOOD, tmp_path)
    conserved(results)
    assert flow(results, "flood")["left"] > 50


def test_an_interface_that_is_down_is_named(tmp_path: Path) -> None:
    text = SERVER + '[setup]\nlines = "ip link set eth0 down"\n' + PROBE
    results = run_experiment(experiment(text), tmp_path / "out")
    assert results.summary["problems"] == ["eth0 is down, nothing can leave; needed: ip link set eth0 up"]
    assert flow(results, "probe")["drops"] == 20


def test_rate_and_utilisation_are_those_of_the_wire(tmp_path: Path) -> None:
    results = run(SERVER + BULK, tmp_path, warmup="100us")
    assert flow(results, "bulk")["rate_bps"] == pytest.approx(1e9 * 1514 / 1538, rel=0.01)
    totals = results.summary["totals"]
    assert totals["wire utilisation"] == pytest.approx(totals["frames"] * WIRE_NS / results.summary["simulated_ns"])
    assert results.series["wire"]["utilisation"][50:900].mean() == pytest.approx(1.0, abs=0.02)
    rates = results.series["throughput"]["rate_bps"]
    width_ns = results.series["throughput"]["time_ns"][1]
    assert rates[:-1].sum() * width_ns / 1e9 == pytest.approx(8 * flow(results, "bulk")["bytes"], abs=8 * 1514)


def test_a_packet_written_before_the_warm_up_is_over_counts_in_no_latency(tmp_path: Path) -> None:
    results = run(FREE + PROBE, tmp_path, warmup="501us")
    assert flow(results, "probe")["packets"] == 20
    assert len(packets(results, "probe")) == 9
    assert min(packet["time_ns"] for packet in packets(results, "probe")) > 550_000


def test_flows_begin_and_end_when_they_are_told(tmp_path: Path) -> None:
    text = FREE + PROBE + 'start = "200us"\nstop = "400us"\n'
    times = [packet["time_ns"] - packet["total_ns"] for packet in packets(run(text, tmp_path), "probe")]
    assert times == [200_000, 250_000, 300_000, 350_000]


def test_frames_that_leave_with_ce_are_marks(tmp_path: Path) -> None:
    lines = '[setup]\nlines = "tc qdisc replace dev eth0 root fq_codel ce_threshold 100us"\n'
    results = run(SERVER + lines + BULK + "tos = 1\n" + PROBE, tmp_path)
    bulk = flow(results, "bulk")
    assert 0 < bulk["marks"] < bulk["frames"]
    assert flow(results, "probe")["marks"] == 0
    assert results.summary["queues"][0]["marks"] == bulk["marks"]


def test_a_flow_goes_to_the_queue_that_it_names_and_others_as_they_would(tmp_path: Path) -> None:
    text = SERVER + "".join(f'[[flow]]\nkind = "probe"\nname = "p{queue}"\nqueue = {queue}\n' for queue in (0, 1, 3))
    results = run(text + '[[flow]]\nkind = "probe"\nname = "free"\n', tmp_path, nic__queues="4", host__cpus="2")
    for queue in (0, 1, 3):
        assert {packet["queue"] for packet in packets(results, f"p{queue}")} == {queue}
    assert len({packet["queue"] for packet in packets(results, "free")}) == 1


# -- lookahead


@dataclass
class Listener(Datagrams):
    """Sends 20 frames and notes when it hears of each."""

    kind = "test-listener"

    ahead_ns: int = 0
    heard: list[tuple[int, int, int]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        made[self.name] = self

    @property
    def lookahead_ns(self) -> int:
        return self.ahead_ns

    def start(self, env: Environment) -> None:
        self.env = env
        for turn in range(20):
            env.clock.call_at(env.now_ns() + 30_000 * turn, self.write)

    def write(self) -> None:
        self.env.send(self, self.datagram(1514))

    def arrived(self, skb: Skb, frame: bytes, end_ns: int) -> None:
        assert len(frame) == skb.len == 1514
        self.heard.append((self.env.now_ns(), end_ns, int.from_bytes(frame[42:50], "big")))


made: dict[str, Listener] = {}


@pytest.mark.parametrize("ahead_ns", [0, 100, 7_000, 1_000_000])
def test_a_flow_hears_of_each_frame_once_it_has_ended_and_within_its_lookahead(ahead_ns: int, tmp_path: Path) -> None:
    text = SERVER + f'[[flow]]\nkind = "test-listener"\nname = "l"\nahead = {ahead_ns}\n'
    results = run(text, tmp_path)
    heard = made["l"].heard
    assert [number for _, _, number in heard] == list(range(20))
    for now_ns, end_ns, _ in heard:
        assert end_ns <= now_ns <= end_ns + ahead_ns
    begin_ns = heard[0][1] - packets(results, "l")[0]["time_ns"]
    ends = [packet["time_ns"] for packet in packets(results, "l")]
    assert [end_ns - begin_ns for _, end_ns, _ in heard] == pytest.approx(ends, abs=1)


# -- the same again


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    text = SERVER + PROBE + '[[flow]]\nkind = "udp"\nname = "u"\nrate = "50mbit"\npattern = "poisson"\n'
    text = text.replace("[host]", '[host]\njitter = "2us"')
    files = []
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        folder = tmp_path / name
        folder.mkdir()
        results = run(text, folder, seed=seed)
        results.summary["wall_s"] = results.summary["totals"]["frames per wall s"] = 0.0
        results.save(folder / "out")
        names = [path for path in sorted((folder / "out").rglob("*")) if path.is_file()]
        files.append({path.relative_to(folder / "out"): path.read_bytes() for path in names})
    assert files[0] == files[1]
    wire = Path("wire.pcap")
    assert files[0][wire] != files[2][wire]


def test_jitter_makes_jobs_late_and_nothing_else(tmp_path: Path) -> None:
    plain = run(FREE + PROBE, tmp_path)
    late = run(FREE.replace("[host]", '[host]\njitter = "5us"') + PROBE, tmp_path)
    assert flow(late, "probe")["latency_mean_ns"] > flow(plain, "probe")["latency_mean_ns"] + 1000
    assert flow(late, "probe")["latency_max_ns"] < flow(plain, "probe")["latency_max_ns"] + 15_000
    assert flow(late, "probe")["sent"] == 20
    # so late that set-up and the last look at the statistics, of one job after the other, take many milliseconds
    later = run(FREE.replace("[host]", '[host]\njitter = "400us"') + PROBE, tmp_path)
    assert later.summary["problems"] == [] and flow(later, "probe")["sent"] > 0


# -- early ends and failures


def test_a_run_that_is_stopped_keeps_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "TELL_S", 0.0)
    monkeypatch.setattr(job, "LOOK_S", 0.0)
    stop = Stop()

    def advanced(simulated_ns: int, frames: int) -> None:
        if frames >= 100:
            stop.ask()

    made = experiment(SERVER + BULK, duration="10s")
    results = run_experiment(made, tmp_path / "out", advanced, stop)
    assert results.summary["partial"]
    assert results.summary["problems"] == []
    assert 100 <= results.summary["totals"]["frames"] < 1000
    conserved(results)
    again = Results.load(tmp_path / "out")
    assert again.summary == results.summary
    frames = list(read_capture(tmp_path / "out" / "wire.pcap"))
    assert len(frames) == results.summary["totals"]["frames"]


def test_a_flow_that_fails_is_named_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Listener) -> None:
        raise Stuck("of purpose")

    monkeypatch.setattr(Listener, "write", fail)
    with pytest.raises(ExperimentFailed, match="Stuck: of purpose"):
        run(FREE + '[[flow]]\nkind = "test-listener"\n', tmp_path)
    assert list(tmp_path.iterdir()) == []


# -- what is left


def test_a_run_leaves_its_file_its_figures_its_series_the_wire_and_a_file_for_flent(tmp_path: Path) -> None:
    results = run(SERVER + BULK + PROBE, tmp_path)
    out = tmp_path / "out"
    assert (out / "experiment.toml").read_text() == 'title = "test"\n' + SERVER + BULK + PROBE
    assert json.loads((out / "summary.json").read_text()) == results.summary
    for name, table in results.series.items():
        assert tuple(table) == SERIES[name]
        assert (out / "series" / f"{name}.csv").stat().st_size and (out / "series" / f"{name}.parquet").stat().st_size
    assert set(results.series) == {"latency", "throughput", "bql", "ring", "qdisc", "interrupts", "wire"}
    frames = list(read_capture(out / "wire.pcap"))
    assert len(frames) == results.summary["totals"]["frames"]
    ends = [packet["time_ns"] for packet in packets(results, "bulk")]
    starts = [frame.time_ns for frame in frames if len(frame.data) == 1514]
    assert starts == [end_ns - FRAME_NS for end_ns in ends]


def leftovers(out: Path) -> dict[str, bytes]:
    """All that a run leaves but its own file and what the wall's clock has a part in."""
    files = {path.name: path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}
    summary = json.loads(files.pop("summary.json"))
    summary["wall_s"] = summary["totals"]["frames per wall s"] = 0.0
    del files["experiment.toml"], files[".ringwire-files"]
    return {re.sub(r".*\.flent", "flent", name): data for name, data in files.items()} | {
        "summary": json.dumps(summary).encode()
    }


LINES = r'''[setup]
lines = """
# a "word" and a \\
tc qdisc replace dev eth0 root fq_codel
"""
'''
CHANGED = {
    "duration": "700us",
    "seed": "5",
    "nic__ring": "64",
    "nic__bql": '{ limit_max = "20k", hold = "1ms" }',
    "host__jitter": "2us",
    "flow__bulk__tos": "8",
    "probes__series": '["wire", "throughput"]',
}


@pytest.mark.parametrize("settings", [{}, CHANGED], ids=["as it stands", "changed from outside"])
def test_what_was_run_can_be_run_again_by_the_file_that_it_leaves(settings: dict[str, str], tmp_path: Path) -> None:
    from tests.captures import pcap, stamped
    from tests.frames import Frame

    (tmp_path / "one.pcap").write_bytes(pcap(stamped([Frame(payload=bytes(900)).build()])))
    capture = '[[flow]]\nkind = "pcap"\nname = "one"\nfile = "one.pcap"\n'
    first = run(SERVER + LINES + BULK + PROBE + capture, tmp_path, **settings)
    path = tmp_path / "out" / "experiment.toml"
    again = run_experiment(read_experiment(Source(path, path.read_text())), tmp_path / "again")
    assert again.summary["title"] == "test"
    assert leftovers(tmp_path / "again") == leftovers(tmp_path / "out")
    assert flow(first, "one")["sent"] == 1
    # which leaves the same file
    assert (tmp_path / "again" / "experiment.toml").read_text() == path.read_text()


def test_the_file_for_flent_has_the_layout_that_flent_reads(tmp_path: Path) -> None:
    results = run(SERVER + BULK + PROBE, tmp_path)
    data: dict[str, Any] = json.loads(gzip.decompress((tmp_path / "out" / "test.flent.gz").read_bytes()))
    assert data["version"] == 4
    assert set(data) == {"version", "metadata", "x_values", "results", "raw_values"}
    assert data["metadata"]["NAME"] == "tcp_1up"
    assert data["metadata"]["TIME"] == data["metadata"]["T0"] == "1970-01-01T00:00:00.000000Z"
    for values in data["results"].values():
        assert len(values) == len(data["x_values"])
    assert set(data["raw_values"]) == set(data["results"])
    probe = [value["val"] for value in data["raw_values"]["Ping (ms) ICMP"]]
    assert probe == [packet["total_ns"] / 1e6 for packet in packets(results, "probe")]
    mean = sum(data["results"]["bulk (Mbits/s)"][50:-50]) / (len(data["x_values"]) - 100)
    assert mean == pytest.approx(984, rel=0.03)


def test_only_the_series_that_were_asked_for_are_kept(tmp_path: Path) -> None:
    results = run(SERVER + '[probes]\nseries = ["wire", "bql"]\ninterval = "100us"\n' + PROBE, tmp_path)
    assert set(results.series) == {"wire", "bql"}
    assert results.series["wire"]["time_ns"].tolist()[:3] == [0, 100_000, 200_000]


def test_byte_queue_limits_are_set_lifted_and_seen(tmp_path: Path) -> None:
    fixed = run(SERVER + BULK, tmp_path, nic__bql="{ limit_min = 20000, limit_max = 20000 }")
    assert fixed.summary["queues"][0]["bql_limit_bytes"] == 20_000
    assert fixed.series["bql"]["limit_bytes"].max() == 20_000
    assert fixed.series["bql"]["inflight_bytes"].max() == -(-20_000 // 1514) * 1514
    lifted = run(SERVER + BULK, tmp_path, nic__bql="off")
    assert lifted.summary["queues"][0]["bql_limit_bytes"] is None
    assert lifted.summary["queues"][0]["starved"] == 0
    assert flow(lifted, "bulk")["qdisc_mean_ns"] == 0
    assert lifted.series["ring"]["descriptors"].max() > 80


def test_memory_is_bounded_however_long_a_run_is(tmp_path: Path) -> None:
    text = FREE + '[probes]\nrows = 50\ninterval = "1us"\n' + '[[flow]]\nkind = "probe"\ninterval = "5us"\nsize = 64\n'
    results = run(text, tmp_path, duration="4ms")
    assert flow(results, "probe")["packets"] == 800
    assert 25 <= len(packets(results, "probe")) <= 50
    for name in ("throughput", "bql", "ring", "wire"):
        assert len(results.series[name]["time_ns"]) <= 2 * 2048
    assert results.series["throughput"]["time_ns"][1] == 2000


def test_a_packet_of_which_a_segment_is_dropped_counts_as_dropped_once_and_its_other_frames_as_sent(
    tmp_path: Path,
) -> None:
    from tests.captures import pcap, stamped
    from tests.frames import Frame

    (tmp_path / "super.pcap").write_bytes(pcap(stamped([Frame(payload=bytes(6000), flags=0x18).build()])))
    # tbf cuts what is longer than its burst, and has room for some of the segments
    lines = '[setup]\nlines = "tc qdisc replace dev eth0 root tbf rate 10mbit burst 1600 limit 3100"\n'
    results = run(SERVER + lines + '[[flow]]\nkind = "pcap"\nname = "big"\nfile = "super.pcap"\n', tmp_path)
    row = flow(results, "big")
    assert (row["packets"], row["sent"], row["drops"], row["left"]) == (1, 0, 1, 0)
    assert 0 < row["frames"] == results.summary["totals"]["frames"] < 5
    assert packets_of(results) == 0


def packets_of(results: Results) -> int:
    """Rows of the series ``latency``, which packets that were dropped have none in."""
    table = results.series.get("latency")
    return 0 if table is None else len(table["time_ns"])
