"""Knobs of a replay that need more than one queue, one CPU, or the fast pace."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ringwire.driver.config import DriverConfig
from ringwire.driver.ringwire import RingwireDriver
from ringwire.host.world import HostPort
from ringwire.netdev import NetDevice
from ringwire.replay import ReplayConfig, ReplayError, ReplayFailed, ReplayReport, replay
from ringwire.replay.packets import read_packets, write_packets
from ringwire.skb import Skb
from ringwire.traffic.capture import Capture
from tests.captures import REAL_MIX, REAL_MIX_WIRE, Stamped, flows, pcap, stamped, wire_frames
from tests.frames import UDP, Frame

HERE = __name__
GBIT = 1_000_000_000
XPS = "".join(f"echo {1 << cpu:x} > /sys/class/net/eth0/queues/tx-{cpu}/xps_cpus\n" for cpu in range(2))


def udp(size: int, number: int = 0, port: int = 7) -> bytes:
    """A datagram that no other is like."""
    frame = Frame(protocol=UDP, payload=number.to_bytes(4, "big") * (size // 4), ports=(4000, port))
    return frame.completed(0xFFFF).build()


def port_of(frame: bytes | memoryview) -> int:
    return int.from_bytes(frame[36:38], "big")


# -- functions that choose queues


def second(dev: NetDevice, skb: Skb) -> int:
    return dev.real_num_tx_queues - 1


def by_port(dev: NetDevice, skb: Skb) -> int:
    return port_of(skb.data[0]) % 2


def beyond(dev: NetDevice, skb: Skb) -> int:
    return 99


def below(dev: NetDevice, skb: Skb) -> int:
    return -1


def words(dev: NetDevice, skb: Skb) -> str:
    return "tx-1"


def fails(dev: NetDevice, skb: Skb) -> int:
    raise KeyError("no such flow")


@pytest.fixture(scope="module")
def mix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty datagrams to odd and even ports."""
    capture = tmp_path_factory.mktemp("mix") / "mix.pcap"
    capture.write_bytes(pcap(stamped([udp(100, n, 7 + n % 5) for n in range(30)])))
    return capture


def sent(report: ReplayReport) -> list[int]:
    """Packets of each queue, as ``ethtool -S`` has them."""
    lines = report.measured.printed.split()
    count = report.config.queues
    return [int(lines[lines.index(f"tx{queue}_packets:") + 1]) for queue in range(count)]


@pytest.mark.parametrize(
    ("name", "expected"), [("second", [0, 30]), ("by_port", [12, 18]), ("beyond", [30, 0])], ids=str
)
def test_a_function_of_ones_own_chooses_the_queue(name: str, expected: list[int], mix: Path) -> None:
    config = ReplayConfig(mix, sim="twin", queues=2, select_queue=f"{HERE}:{name}", afterwards=("ethtool -S eth0",))
    report = replay(config)
    assert report.ok and sent(report) == expected


@pytest.mark.parametrize("sim", ["twin", "verilator"])
def test_the_function_may_be_in_a_file(sim: str, mix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text("def pick(dev, skb):\n    return skb.len % 2\n")
    monkeypatch.chdir(tmp_path)
    config = ReplayConfig(mix, sim=sim, queues=2, select_queue="mine.py:pick", afterwards=("ethtool -S eth0",))
    assert sent(replay(config)) == [30, 0]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("below", "below chose queue -1 for a packet; allowed: 0 to 1"),
        ("words", "words chose queue 'tx-1' for a packet; allowed: 0 to 1"),
        ("fails", "KeyError: 'no such flow'"),
    ],
)
def test_a_function_that_gives_no_queue_is_named(name: str, says: str, mix: Path) -> None:
    with pytest.raises(ReplayFailed) as caught:
        replay(ReplayConfig(mix, sim="twin", queues=2, select_queue=f"{HERE}:{name}"))
    assert says in str(caught.value) and "\n" not in str(caught.value)


# -- several CPUs


def test_packets_are_dealt_out_to_cpus_by_flow(tmp_path: Path) -> None:
    packets = list(write_packets(tmp_path / "packets", Capture(REAL_MIX), 3))
    shares = [list(read_packets(tmp_path / "packets", cpu)) for cpu in range(3)]
    assert [len(share) for share in shares] == [sum(skb.hash % 3 == cpu for _, skb in packets) for cpu in range(3)]
    assert all(skb.hash % 3 == cpu for cpu, share in enumerate(shares) for _, skb in share)
    assert sorted(time for share in shares for time, _ in share) == sorted(time for time, _ in packets)


@pytest.mark.parametrize("sim", ["twin", "verilator"])
def test_xps_gives_each_cpu_a_queue(sim: str, tmp_path: Path) -> None:
    on_cpu_0 = sum(skb.hash % 2 == 0 for _, skb in Capture(REAL_MIX))
    out = tmp_path / "wire.pcap"
    config = ReplayConfig(REAL_MIX, sim=sim, queues=2, cpus=2, tso=False, setup=XPS, afterwards=("ethtool -S eth0",))
    report = replay(config, out)
    assert report.ok, report.measured.problems
    frames = Counter(skb.hash % 2 for _, skb in Capture(REAL_MIX) for _ in range(max(1, skb.gso_segs)))
    assert 0 < on_cpu_0 < 166 and sent(report) == [frames[0], frames[1]]
    assert flows(wire_frames(out)) == flows(wire_frames(REAL_MIX_WIRE)), "the order within a flow is kept"


def test_a_mask_beyond_the_cpus_there_are_is_refused() -> None:
    assert ReplayConfig(REAL_MIX, queues=2, cpus=2, setup=XPS).cpus == 2
    with pytest.raises(ReplayError, match=r"line 2, .*Value too large for defined data type .*CPUs 0 to 0"):
        ReplayConfig(REAL_MIX, queues=2, setup=XPS)


seen: list[list[int]] = []


class Spread(RingwireDriver):
    """Notes the CPU of each queue's polls."""

    def __init__(self, port: HostPort, dev: NetDevice, config: DriverConfig, queue_ports: list[HostPort]) -> None:
        super().__init__(port, dev, config, queue_ports)
        seen.append([queue_port._cpu.index for queue_port in queue_ports])


def test_queues_interrupt_cpus_in_turn_and_a_driver_of_ones_own_is_told(mix: Path) -> None:
    seen.clear()
    assert replay(ReplayConfig(mix, sim="twin", queues=4, cpus=3, driver=f"{HERE}:Spread")).ok
    assert seen == [[0, 1, 2, 0]] * 2


def test_cpus_share_the_work(tmp_path: Path) -> None:
    """With small packets the host is what takes the time, and two CPUs take little more than half of it."""
    capture = tmp_path / "in.pcap"
    capture.write_bytes(pcap(stamped([udp(20, n, 7 + n % 8) for n in range(800)])))
    taken = [
        replay(ReplayConfig(capture, sim="twin", queues=2, cpus=cpus, setup=XPS[: len(XPS) * cpus // 2])).measured
        for cpus in (1, 2)
    ]
    assert taken[1].simulated_ns < 0.7 * taken[0].simulated_ns


# -- the driver's settings


def test_settings_reach_the_driver() -> None:
    config = ReplayConfig(REAL_MIX, report_every=4, napi_budget=5, watchdog_ms=700).driver_config
    assert (config.report_every, config.budget, config.tx_timeout_ms) == (4, 5, 700)


# -- how queues share the wire


def shares(tmp_path: Path, **knobs: Any) -> list[int]:
    """Queues of the frames, in their order on the wire: two flows without end, a CPU and a queue for each.

    Without byte queue limits, or the device would have two frames of each at a time, and little to choose from.
    """
    capture, out = tmp_path / "in.pcap", tmp_path / "out.pcap"
    by_cpu = {skb.hash % 2: port for port in range(7, 40) for skb in hashed(port, tmp_path)}
    assert by_cpu.keys() == {0, 1}
    capture.write_bytes(pcap(stamped([udp(1000, n, by_cpu[n % 2]) for n in range(400)])))
    report = replay(
        ReplayConfig(capture, sim="twin", queues=2, cpus=2, line_rate_bps=GBIT, setup=XPS, bql=False, **knobs), out
    )
    assert report.ok, report.measured.problems
    return [int(port_of(frame) == by_cpu[1]) for _, frame in wire_frames(out)]


def hashed(port: int, tmp_path: Path) -> list[Skb]:
    """The packet that a datagram to this port becomes."""
    capture = tmp_path / "one.pcap"
    capture.write_bytes(pcap(stamped([udp(1000, 0, port)])))
    return [skb for _, skb in Capture(capture)]


def test_weights_are_shares_and_priorities_go_first(tmp_path: Path) -> None:
    assert sum(shares(tmp_path)[20:220]) == pytest.approx(100, abs=3)
    assert sum(shares(tmp_path, weights=(1042, 3126))[20:220]) == pytest.approx(150, abs=3)
    first = shares(tmp_path, priorities=(0, 5))
    assert sum(first[:205]) >= 198, "but for what was committed before"


# -- launch times


def spaced(count: int, gap_ns: int) -> list[Stamped]:
    return stamped([udp(100, n) for n in range(count)], gap_ns=gap_ns)


@pytest.mark.parametrize("sim", ["twin", "verilator"])
def test_at_the_launch_pace_each_packet_leaves_at_its_time(sim: str, tmp_path: Path) -> None:
    capture, out = tmp_path / "in.pcap", tmp_path / "out.pcap"
    packets = spaced(20, 130_001)
    capture.write_bytes(pcap(packets, nanoseconds=True))
    report = replay(ReplayConfig(capture, sim=sim, pace="launch"), out)
    assert report.ok, report.measured.problems
    left = wire_frames(out)
    assert [frame for _, frame in left] == [frame for _, frame in packets]
    late = [left_ns - stamp_ns for (left_ns, _), (stamp_ns, _) in zip(left, packets, strict=True)]
    assert min(late) >= 0 and max(late) <= 8, "to the clock edge at 250 MHz, or the one behind it"


def test_what_is_late_is_sent_at_once_or_dropped_on_request(tmp_path: Path) -> None:
    capture = tmp_path / "in.pcap"
    capture.write_bytes(pcap(spaced(10, 0), nanoseconds=True))
    found = replay(ReplayConfig(capture, sim="twin", pace="launch"))
    assert found.ok and (found.measured.frames, found.measured.late_packets) == (10, 0)
    config = ReplayConfig(capture, sim="twin", pace="launch", drop_late=True, afterwards=("ethtool -S eth0",))
    found = replay(config)
    assert found.ok, found.measured.problems
    late = found.measured.late_packets
    assert late > 0 and found.measured.frames == 10 - late
    assert f"tx0_error_late: {late}\n" in found.measured.printed
    assert ("dropped late", str(late)) in list(found.rows())


ETF = "etf clockid CLOCK_TAI delta 300000"


@pytest.mark.parametrize("options", ["", " offload", " skip_sock_check", " offload skip_sock_check"])
@pytest.mark.parametrize("by_line", [False, True])
def test_etf_takes_the_packets_of_the_launch_pace(options: str, by_line: bool, tmp_path: Path) -> None:
    capture, out = tmp_path / "in.pcap", tmp_path / "out.pcap"
    packets = spaced(20, 130_001)
    capture.write_bytes(pcap(packets, nanoseconds=True))
    line = f"tc qdisc replace dev eth0 root {ETF}{options}"
    asked: dict[str, Any] = {"setup": line} if by_line else {"qdisc": ETF + options}
    report = replay(ReplayConfig(capture, sim="twin", pace="launch", afterwards=("tc -s qdisc show",), **asked), out)
    assert report.ok, report.measured.problems
    words = report.measured.printed.split()
    for option in ("offload", "skip_sock_check"):
        assert words[words.index(option) + 1] == ("on" if option in options else "off")
    left = wire_frames(out)
    assert [frame for _, frame in left] == [frame for _, frame in packets]
    late = [left_ns - stamp_ns for (left_ns, _), (stamp_ns, _) in zip(left, packets, strict=True)]
    assert min(late) >= 0 and max(late) <= 8, "to the clock edge at 250 MHz, or the one behind it"


def test_etf_drops_what_names_no_time_of_its_clock_and_mode(tmp_path: Path) -> None:
    capture = tmp_path / "in.pcap"
    capture.write_bytes(pcap(spaced(10, 50_000), nanoseconds=True))
    for pace, options in (("capture", ""), ("fast", ""), ("launch", " deadline_mode")):
        found = replay(ReplayConfig(capture, sim="twin", pace=pace, qdisc=ETF + options))
        assert found.ok and found.measured.dropped_packets == 10


def test_what_etfs_offload_has_the_device_drop_is_no_fault(tmp_path: Path) -> None:
    capture = tmp_path / "in.pcap"
    capture.write_bytes(pcap(spaced(60, 0), nanoseconds=True))
    knobs: dict[str, Any] = {"bql": False, "line_rate_bps": 10_000_000}
    found = replay(ReplayConfig(capture, sim="twin", pace="launch", qdisc=f"{ETF} offload", **knobs))
    assert found.ok, found.measured.problems
    assert found.measured.late_packets > 0 and found.measured.frames == 60 - found.measured.late_packets
