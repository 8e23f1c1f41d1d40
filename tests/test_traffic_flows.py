"""Kinds of flows: when they send, how much, and what their frames are, as the wire shows them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import fmean, pstdev

import pytest

from ringwire.packet import checksum, parse_headers, pseudo_header_sum
from ringwire.pcap import read_capture
from ringwire.skb import CsumFlag
from ringwire.traffic.flow import FLOWS, Flow, UnknownFlow
from ringwire.traffic.game import Game
from ringwire.traffic.probe import Probe
from ringwire.traffic.udp import AGAIN_NS, Udp
from ringwire.traffic.voip import Voip
from tests.captures import pcap, stamped
from tests.experiments import FREE, experiment, flow, packets, run
from tests.frames import UDP, Frame


def written(folder: Path, text: str, name: str, **settings: str) -> list[int]:
    """When a flow's packets were written, ns since the beginning."""
    results = run(FREE + text, folder, **settings)
    return [packet["time_ns"] - packet["total_ns"] for packet in packets(results, name)]


def gaps(times: list[int]) -> list[int]:
    return [after - before for before, after in pairwise(times)]


# -- frames


@pytest.mark.parametrize(("source", "destination"), [("10.0.0.1", "10.0.0.2"), ("fd00::1", "fd00::2")])
@pytest.mark.parametrize("size", [60, 64, 101, 1514])
@pytest.mark.parametrize("csum", ["on", "off"])
def test_datagrams_leave_with_right_checksums_whoever_makes_them(
    source: str, destination: str, size: int, csum: str, tmp_path: Path
) -> None:
    if source.startswith("fd") and size < 62:
        size = 62
    text = f'[[flow]]\nkind = "udp"\npps = 100000\npackets = 3\nsize = {size}\ntos = 0x68\n'
    text += f'source = "{source}"\ndestination = "{destination}"\nsport = 1234\ndport = 53\n'
    run(FREE + text, tmp_path, nic__csum=csum)
    frames = [bytes(frame.data) for frame in read_capture(tmp_path / "out" / "wire.pcap")]
    assert len(frames) == 3
    for frame in frames:
        headers = parse_headers(frame)
        assert len(frame) == headers.l3 + headers.ip_len == size
        assert headers.tos == 0x68
        assert frame[headers.l4 : headers.l4 + 4] == (1234).to_bytes(2, "big") + (53).to_bytes(2, "big")
        if headers.version == 4:
            assert checksum(frame[14:34]) == 0
        covered = pseudo_header_sum(frame, headers, size - headers.l4).to_bytes(2, "big") + frame[headers.l4 :]
        assert checksum(covered) == 0
    if size >= 70:  # there is room for their numbers
        assert len(set(frames)) == 3


def test_filters_see_the_fields_that_a_flow_sets() -> None:
    flow = Udp(name="a", rate_bps=1000, tos=0xB8, mark=7, priority=None, size_bytes=100)
    skb = flow.datagram(100)
    assert (skb.tos, skb.mark, skb.priority, skb.csum_flags) == (0xB8, 7, 4, CsumFlag.NEEDS_CSUM)
    assert Udp(rate_bps=1000, priority=3, tos=0xB8).datagram(100).priority == 3
    assert Udp(rate_bps=1000, source="fd00::1", destination="fd00::2", tos=0xB8).datagram(100).priority == 0


def test_flows_of_other_names_have_other_ports_and_hashes_and_the_same_ones_in_every_run() -> None:
    one, other = Udp(rate_bps=1000, name="one"), Udp(rate_bps=1000, name="other")
    assert one.sport != other.sport
    assert one.datagram(100).hash != other.datagram(100).hash
    assert one.sport == Udp(rate_bps=1000, name="one").sport
    assert one.sport is not None and 32_768 <= one.sport < 65_536


# -- UDP


def test_a_constant_rate_is_exact_also_where_a_gap_is_no_whole_number_of_ns(tmp_path: Path) -> None:
    text = '[[flow]]\nkind = "udp"\nname = "u"\nrate = "30mbit"\nsize = 500\n'
    times = written(tmp_path, text, "u")
    assert len(times) == -(-30_000_000 // 4000 // 1000)
    assert times == [round(turn * 1e9 * 4000 / 30e6) for turn in range(len(times))]


def test_poisson_gaps_are_exponential(tmp_path: Path) -> None:
    text = '[[flow]]\nkind = "udp"\nname = "u"\npps = 200000\nsize = 64\npattern = "poisson"\n'
    found = gaps(written(tmp_path, text, "u", duration="10ms"))
    assert fmean(found) == pytest.approx(5000, rel=0.1)
    assert pstdev(found) == pytest.approx(5000, rel=0.15)


def test_bursts_have_their_rate_and_pauses_between(tmp_path: Path) -> None:
    text = '[[flow]]\nkind = "udp"\nname = "u"\npps = 500000\nsize = 64\npattern = "onoff"\non = "40us"\noff = "60us"\n'
    times = written(tmp_path, text, "u", duration="10ms")
    within = [gap for gap in gaps(times) if gap <= 2001]
    pauses = [gap for gap in gaps(times) if gap > 2001]
    assert sum(abs(gap - 2000) <= 1 for gap in within) > 0.95 * len(within)
    assert len(times) == pytest.approx(0.4 * 5000, rel=0.2)
    assert len(pauses) == pytest.approx(100, rel=0.3)


def test_as_many_packets_as_asked_for_are_sent_with_and_without_a_buffer(tmp_path: Path) -> None:
    for knobs in ("pps = 1000000\n", 'sndbuf = "10k"\n', 'pps = 1000000\nsndbuf = "10k"\n'):
        results = run(FREE + f'[[flow]]\nkind = "udp"\nname = "u"\npackets = 17\n{knobs}', tmp_path)
        assert (flow(results, "u")["packets"], flow(results, "u")["sent"]) == (17, 17)


def test_a_full_send_buffer_slows_a_sender_down_and_nothing_is_dropped(tmp_path: Path) -> None:
    text = '[setup]\nlines = "tc qdisc replace dev eth0 root pfifo limit 3"\n'
    text += '[[flow]]\nkind = "udp"\nname = "u"\nrate = "2gbit"\n'
    assert flow(run(FREE + text, tmp_path), "u")["drops"] > 0
    results = run(FREE + text + "sndbuf = 4608\n", tmp_path)
    row = flow(results, "u")
    assert row["drops"] == 0
    assert row["waits"] > 10
    # never more than two packets of 2,304 bytes on their way; the third waits for both
    assert row["socket_mean_ns"] > 0


# -- sparse flows


def test_a_sender_that_finds_the_queue_full_lets_time_pass_where_its_tries_take_none(tmp_path: Path) -> None:
    text = FREE + '[setup]\nlines = "tc qdisc replace dev eth0 root pfifo limit 4"\n'
    results = run(text + '[[flow]]\nkind = "udp"\nsndbuf = "1m"\n', tmp_path)
    bulk = flow(results, "udp")
    tries = 1_000_000 // AGAIN_NS
    assert tries - 10 < bulk["drops"] <= tries and bulk["packets"] == bulk["sent"] + bulk["drops"]


def test_a_call_is_g711_unless_told_otherwise(tmp_path: Path) -> None:
    results = run(FREE + '[[flow]]\nkind = "voip"\nname = "call"\n', tmp_path, duration="100ms")
    found = packets(results, "call")
    assert {packet["bytes"] for packet in found} == {14 + 20 + 8 + 12 + 160}
    assert [packet["time_ns"] - packet["total_ns"] for packet in found] == [20_000_000 * turn for turn in range(5)]
    assert Voip(name="x").datagram(214).tos == 0xB8
    assert Voip(name="g729", codec_bps=8000).next_size() == 14 + 20 + 8 + 12 + 20
    assert Voip(name="v6", source="fd00::1", destination="fd00::2").next_size() == 234


def test_a_game_sends_small_packets_of_many_sizes_near_its_rate(tmp_path: Path) -> None:
    text = '[[flow]]\nkind = "game"\nname = "g"\npps = 10000\njitter = 0.5\n'
    results = run(FREE + text, tmp_path, duration="20ms")
    found = packets(results, "g")
    sizes = {packet["bytes"] for packet in found}
    assert min(sizes) >= 80 and max(sizes) <= 200 and len(sizes) > 50
    between = gaps([packet["time_ns"] - packet["total_ns"] for packet in found])
    assert fmean(between) == pytest.approx(100_000, rel=0.06)
    assert min(between) >= 50_000 - 1 and max(between) <= 150_000 + 1
    assert pstdev(between) > 20_000


def test_a_probe_is_64_bytes_each_millisecond(tmp_path: Path) -> None:
    results = run(FREE + '[[flow]]\nkind = "probe"\n', tmp_path, duration="5ms")
    found = packets(results, "probe")
    assert [packet["time_ns"] - packet["total_ns"] for packet in found] == [1_000_000 * turn for turn in range(5)]
    assert {packet["bytes"] for packet in found} == {64}


def test_what_one_flow_draws_does_not_depend_on_the_others(tmp_path: Path) -> None:
    game = '[[flow]]\nkind = "game"\nname = "g"\npps = 10000\n'
    alone = written(tmp_path, game, "g")
    beside = written(tmp_path, '[[flow]]\nkind = "udp"\npps = 5000\npattern = "poisson"\n' + game, "g")
    assert alone == beside


# -- captures


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    frames = [Frame(protocol=UDP, payload=bytes((n,)) * 100, ports=(4000, 7)).build() for n in range(4)]
    times = [5_000_000_000 + at for at in (0, 100_000, 100_000, 300_000)]
    path = tmp_path / "in.pcap"
    path.write_bytes(pcap(list(zip(times, frames, strict=True))))
    return path


PCAP = '[[flow]]\nkind = "pcap"\nname = "c"\nfile = "in.pcap"\n'


def test_a_capture_is_sent_at_its_own_times(capture: Path, tmp_path: Path) -> None:
    assert written(tmp_path, PCAP, "c") == [0, 100_000, 100_000, 300_000]


def test_a_capture_is_sent_at_another_speed_and_again_from_its_end(capture: Path, tmp_path: Path) -> None:
    assert written(tmp_path, PCAP + "speed = 2\n", "c") == [0, 50_000, 50_000, 150_000]
    looped = written(tmp_path, PCAP + "loop = true\n", "c")
    once = [0, 100_000, 100_000, 300_000]
    assert looped == [*once, *(300_000 + at for at in once), *(600_000 + at for at in once), 900_000]


def test_a_capture_is_sent_as_fast_as_its_buffer_lets_it(capture: Path, tmp_path: Path) -> None:
    results = run(FREE + PCAP + 'pace = "fast"\n', tmp_path)
    assert flow(results, "c")["sent"] == 4
    assert max(packet["time_ns"] for packet in packets(results, "c")) < 20_000
    wire = [bytes(frame.data) for frame in read_capture(tmp_path / "out" / "wire.pcap")]
    assert [frame[42:] for frame in wire] == [bytes(frame.data)[42:] for frame in read_capture(capture)]


def test_a_capture_of_super_packets_is_cut(tmp_path: Path) -> None:
    (tmp_path / "in.pcap").write_bytes(pcap(stamped([Frame(payload=bytes(10_000), flags=0x18).build()])))
    assert flow(run(FREE + PCAP, tmp_path), "c")["frames"] == 7


# -- what there is, and what is refused


def test_kinds_are_found_by_name() -> None:
    for kind, cls in (("udp", Udp), ("voip", Voip), ("game", Game), ("probe", Probe)):
        assert FLOWS.find(kind) is cls
        assert issubclass(cls, Flow)
    with pytest.raises(UnknownFlow, match=r"no kind of flow 'nope' \(there are .*udp"):
        FLOWS.find("nope")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Udp(rate_bps=1, pps=1.0), "pps: there is a rate already"),
        (lambda: Udp(rate_bps=1, size_bytes=41), "size_bytes 41; allowed: 42 to 16640"),
        (lambda: Udp(rate_bps=0), "rate_bps 0; allowed: 1 to"),
        (lambda: Udp(rate_bps=1, tos=256), "tos 256; allowed: 0 to 255"),
        (lambda: Udp(rate_bps=1, dport=0), "dport 0; allowed: 1 to 65535"),
        (lambda: Udp(sndbuf_bytes=100), "sndbuf_bytes 100; allowed: 4608 to"),
        (lambda: Udp(sndbuf_bytes=10_000, pattern="poisson"), "pattern poisson: there is no rate; add rate or pps"),
        (lambda: Udp(rate_bps=1, packets=0), "packets 0; allowed: 1 to"),
        (lambda: Voip(interval_ns=10**9), "interval_ns 1000000000: makes packets of 8000 bytes; allowed: 1 to 1400"),
        (lambda: Game(least_bytes=100, most_bytes=90), "most_bytes 90; allowed: 100 to 16640"),
        (lambda: Game(jitter=2), "jitter 2; allowed: 0 to 1"),
        (lambda: Probe(interval_ns=1), "interval_ns 1ns; allowed: 1us to"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(make: Callable[[], Flow], says: str) -> None:
    with pytest.raises(ValueError) as refused:
        make()
    assert str(refused.value).startswith(says)


def test_a_flow_of_ones_own_is_a_file(tmp_path: Path) -> None:
    own = tmp_path / "bursts_for_test.py"
    own.write_text(OWN)
    from ringwire.experiment.run import run_experiment
    from ringwire.experiment.scenario import Source, read_experiment

    text = FREE + '[[flow]]\nkind = "test-bursts"\nsize = 5\n'
    made = read_experiment(Source(tmp_path / "x.toml", text, (), (str(own),)))
    results = run_experiment(made, tmp_path / "out")
    assert flow(results, "test-bursts")["sent"] == 5
    assert flow(results, "test-bursts")["bursts"] == 1
    assert results.series["flow"]["name"].tolist()[0] == "sent_packets"
    assert experiment(FREE + '[[flow]]\nkind = "test-bursts"\n').entries[0].kind == "test-bursts"


OWN = '''
from dataclasses import dataclass

from ringwire.traffic.datagrams import Datagrams
from ringwire.traffic.flow import Flow


@dataclass
class Bursts(Datagrams):
    """A burst at the beginning."""

    kind = "test-bursts"
    size: int = 3

    def start(self, env):
        self.sent = 0
        for _ in range(self.size):
            env.send(self, self.datagram(200))
            self.sent += 1

    def state(self):
        return {"sent_packets": getattr(self, "sent", 0)}

    def totals(self):
        return {"bursts": 1}
'''
