"""Behind the wire: a flow's way along a path, to the other end; and lines for the end of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringwire.experiment.tomlfile import ExperimentError
from tests.experiments import FREE, experiment, flow, packets, run

DSL = '[[path]]\nname = "dsl"\ndelay = "100us"\nrate = "10mbit"\n'


def test_a_packet_is_followed_through_the_bottleneck_to_the_other_end(tmp_path: Path) -> None:
    text = FREE + DSL + '[[flow]]\nkind = "probe"\ninterval = "200us"\nsize = 101\npath = "dsl"\n'
    results = run(text, tmp_path)
    row = flow(results, "probe")
    times = [packet["total_ns"] for packet in packets(results, "probe")]
    assert row["arrived"] == row["sent"] == len(times) == 5
    behind_ns = 100_000 + 8 * (101 + 24) * 100
    # frames end between nanoseconds
    assert 0 <= row["end_to_end_max_ns"] - max(times) - behind_ns <= 1
    assert 0 <= row["end_to_end_mean_ns"] - row["latency_mean_ns"] - behind_ns <= 1


@pytest.mark.parametrize("kind", ["udp", "tcp"])
def test_flows_that_share_a_bottleneck_wait_for_each_other(kind: str, tmp_path: Path) -> None:
    bulk = {"udp": "rate = '20mbit'\n", "tcp": "rcv_window = '64k'\nhystart = false\n"}[kind]
    text = FREE + DSL + f'[[flow]]\nkind = "{kind}"\nname = "bulk"\npath = "dsl"\n{bulk}'
    text += '[[flow]]\nkind = "probe"\nstart = "300ms"\npath = "dsl"\n'
    results = run(text, tmp_path, duration='"301ms"')
    probe = flow(results, "probe")
    frame_ns = 8 * (1514 + 24) * 100
    # what came at 20 Mbit/s for 300 ms less what has left; or a window less what is on its way elsewhere
    before = {"udp": 300_000_000 / (8 * 1514 * 50) - 300_000_000 / frame_ns, "tcp": 45}[kind]
    assert (before - 3) * frame_ns < probe["end_to_end_max_ns"] < (before + 1) * frame_ns
    assert probe["latency_max_ns"] < 50_000, "on the wire there was hardly anything before it"
    assert flow(results, "bulk")["arrived"] > 0


def test_what_a_bottleneck_has_no_room_for_does_not_arrive(tmp_path: Path) -> None:
    text = FREE + DSL + 'limit_packets = 3\n[[flow]]\nkind = "udp"\nrate = "1gbit"\npackets = 9\npath = "dsl"\n'
    results = run(text, tmp_path)
    row = flow(results, "udp")
    assert (row["sent"], row["arrived"], row["lost"]) == (9, 3, 6)
    assert results.summary["paths"] == [
        {"path": "dsl", "frames": 9, "drops": 6, "marks": 0, "losses": 0, "backlog_most_frames": 3}
    ]
    series = results.series["path"]
    assert (sum(series["drops"]), max(series["backlog_frames"]), max(series["backlog_bytes"])) == (6, 3, 3 * 1514)


def test_a_path_on_which_nothing_can_wait_or_get_lost_has_no_row(tmp_path: Path) -> None:
    results = run(FREE + '[[flow]]\nkind = "probe"\npath = { delay = "1us" }\n', tmp_path)
    assert results.summary["paths"] == [] and "path" not in results.series
    assert flow(results, "probe")["lost"] == 0


def test_a_modem_takes_the_ethernet_header_off_and_sends_cells(tmp_path: Path) -> None:
    text = (
        FREE + DSL + 'linklayer = "atm"\noverhead = -4\nmpu = 0\n[[flow]]\nkind = "probe"\nsize = 101\npath = "dsl"\n'
    )
    row = flow(run(text, tmp_path), "probe")
    assert 0 <= row["end_to_end_max_ns"] - row["latency_max_ns"] - (100_000 + 3 * 53 * 800) <= 1


@pytest.mark.parametrize(("size", "allowed"), [("overhead", "-64 to 1024"), ("mpu", "0 to 9216")])
def test_sizes_below_what_they_may_be_are_refused(size: str, allowed: str) -> None:
    with pytest.raises(ExperimentError, match=rf"x.toml:\d+: path\[1\].{size} -65; allowed: {allowed}"):
        experiment(FREE + DSL + f'{size} = -65\n[[flow]]\nkind = "probe"\npath = "dsl"\n')


def test_packets_of_the_warm_up_do_not_count(tmp_path: Path) -> None:
    text = FREE + DSL + '[[flow]]\nkind = "probe"\ninterval = "200us"\npath = "dsl"\n'
    row = flow(run(text, tmp_path, warmup='"500us"'), "probe")
    assert (row["packets"], row["arrived"], row["lost"], row["measured"]) == (5, 5, 0, 2)


def test_a_flow_of_which_nothing_was_measured_has_no_latency(tmp_path: Path) -> None:
    text = FREE + DSL + '[[flow]]\nkind = "probe"\nstop = "100us"\npath = "dsl"\n'
    row = flow(run(text, tmp_path, warmup='"500us"'), "probe")
    assert row["packets"] == row["arrived"] == 1
    times = [value for name, value in row.items() if name.endswith("_ns")]
    assert len(times) > 10 and set(times) == {None}


def test_what_gets_lost_follows_from_the_seed(tmp_path: Path) -> None:
    text = FREE + '[[flow]]\nkind = "probe"\ninterval = "2us"\npath = { loss = 0.5 }\n'
    arrived = [flow(run(text, tmp_path, seed=seed), "probe")["arrived"] for seed in ("1", "1", "2")]
    assert arrived[0] == arrived[1] != arrived[2]
    assert all(200 < count < 300 for count in arrived)


def test_a_flow_without_a_path_is_not_followed(tmp_path: Path) -> None:
    row = flow(run(FREE + '[[flow]]\nkind = "probe"\n', tmp_path), "probe")
    assert "arrived" not in row and "end_to_end_p50_ns" not in row


def test_a_path_that_is_not_there_is_refused() -> None:
    with pytest.raises(
        ExperimentError, match=r'x.toml:\d+: flow\[1\].path = "wan": no path of that name; there are dsl'
    ):
        experiment(FREE + DSL + '[[flow]]\nkind = "probe"\npath = "wan"\n')


# -- lines for the end

THEN = FREE + "[setup]\nthen = '''\ntc -s qdisc show\n{}\n'''\n" + '[[flow]]\nkind = "probe"\nsize = 100\n'


def test_lines_for_the_end_see_what_was_sent(tmp_path: Path) -> None:
    assert " Sent 100 bytes 1 pkt" in run(THEN.format(""), tmp_path).summary["printed"]


def test_a_bad_line_for_the_end_is_named_before_the_run() -> None:
    with pytest.raises(ExperimentError, match=r"x.toml:12: .*nothing"):
        experiment(THEN.format("tc qdisc show nothing"))
