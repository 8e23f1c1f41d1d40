"""A capture through stack, driver and device: what leaves on the wire, when, and what the report says of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import astuple
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ringwire.host.memory import HostMemory
from ringwire.host.world import drive
from ringwire.nic.twin import TwinConfig
from ringwire.nic.twin_world import TwinWorld, WireFrame
from ringwire.replay import ReplayConfig, ReplayError, ReplayReport, replay
from ringwire.replay.job import Job, run
from ringwire.replay.packets import BATCH, read_packets, write_packets
from ringwire.replay.report import Measured
from ringwire.replay.survey import survey
from ringwire.rig.run import Device
from ringwire.skb import CsumFlag, Skb
from tests.captures import REAL_MIX, REAL_MIX_WIRE, flows, pcap, pcapng, stamped, wire_frames
from tests.frames import UDP, Frame

NS_A_BYTE_AT_1G = 8


def on_twin(capture: Path, out: Path | None = None, **knobs: Any) -> ReplayReport:
    report = replay(ReplayConfig(capture, sim="twin", **knobs), out)
    assert report.measured.problems == []
    return report


def udp(size: int, seq: int = 0) -> bytes:
    """A datagram of ``size`` bytes that holds its number, its checksum complete."""
    return Frame(protocol=UDP, payload=seq.to_bytes(2, "big") + bytes(size - 2), ident=seq).completed(0xFFFF).build()


# -- the bundled capture


@pytest.fixture(scope="module")
def real_mix(tmp_path_factory: pytest.TempPathFactory) -> tuple[ReplayReport, Path]:
    out = tmp_path_factory.mktemp("replay") / "wire.pcap"
    return on_twin(REAL_MIX, out), out


def test_the_wire_carries_what_a_kernel_made_of_the_capture(real_mix: tuple[ReplayReport, Path]) -> None:
    expected, got = flows(wire_frames(REAL_MIX_WIRE)), flows(wire_frames(real_mix[1]))
    assert sum(map(len, got.values())) == 924
    assert list(got) == list(expected)
    for flow, frames in expected.items():
        assert got[flow] == frames


def test_the_report_says_what_happened(real_mix: tuple[ReplayReport, Path]) -> None:
    report, out = real_mix
    frames = wire_frames(out)
    found = report.measured
    assert (found.packets, found.frames, found.dropped_packets, found.dropped_frames) == (166, 924, 0, 0)
    assert found.bytes == sum(len(frame) for _, frame in frames)
    # a super-packet of up to four buffers, and its request
    assert 166 <= found.descriptors <= 166 + 37 * 4
    assert 0 < found.interrupts <= 924
    assert found.bql_limit is not None and found.bql_limit > 1514
    assert 0.1 < found.wire_utilisation <= 1
    assert found.simulated_ns > frames[-1][0] - frames[0][0]
    counts = report.survey.counts
    assert (counts.tcp_super, counts.frames, report.survey.untouched) == (37, 166, 24)
    assert report.ok


def test_wire_times_are_in_order_and_start_near_zero(real_mix: tuple[ReplayReport, Path]) -> None:
    times = [time_ns for time_ns, _ in wire_frames(real_mix[1])]
    assert times == sorted(times)
    assert times[0] < 100_000


def test_tshark_finds_no_bad_checksum_and_nothing_malformed(real_mix: tuple[ReplayReport, Path]) -> None:
    assert shutil.which("tshark"), "tshark is not installed: apt-get install tshark"
    complaints = wireshark_complaints(real_mix[1])
    assert [text for text in complaints if not is_valid_tcp_ffff(text)] == []


def wireshark_complaints(path: Path, above: tuple[str, ...] = ("tcp", "udp")) -> list[str]:
    """A line for each frame with a bad checksum or that is malformed; what is ``above`` these is data to it."""
    above = tuple(word for name in above for word in ("-d", f"{name}.port==0-65535,data"))
    checks = [word for name in ("ip", "tcp", "udp") for word in ("-o", f"{name}.check_checksum:TRUE")]
    checks += ["-o", "sctp.checksum:CRC 32c"]
    kinds = ("ip", "tcp", "udp", "sctp", "gre")
    bad = " || ".join(f"any {name}.checksum.status == 0" for name in kinds) + " || _ws.malformed"
    fields = [word for name in ("frame.number", "tcp.checksum", "udp.checksum") for word in ("-e", name)]
    done = subprocess.run(
        ["tshark", "-r", path, *above, *checks, "-Y", bad, "-T", "fields", *fields],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.splitlines()


def is_valid_tcp_ffff(line: str) -> bool:
    """0xffff where Wireshark would have 0x0000: Linux's checksum completion sends that, and it verifies."""
    return "0xffff" in line.split("\t")


def test_tshark_would_find_a_bad_checksum(tmp_path: Path) -> None:
    frame = bytearray(wire_frames(REAL_MIX_WIRE)[0][1])
    frame[-1] ^= 1
    (tmp_path / "bad.pcap").write_bytes(pcap(stamped([bytes(frame)])))
    assert len(wireshark_complaints(tmp_path / "bad.pcap")) == 1


def test_one_seed_gives_one_file(tmp_path: Path) -> None:
    first, second = tmp_path / "1.pcap", tmp_path / "2.pcap"
    on_twin(REAL_MIX, first, seed=5)
    on_twin(REAL_MIX, second, seed=5)
    assert first.read_bytes() == second.read_bytes()


# -- any capture

MIX = [
    udp(18, 1),
    Frame(payload=bytes(5000), flags=0x18).build(),
    Frame(version=6, payload=bytes(range(256)) * 16).build(),
    Frame(protocol=UDP, version=6, payload=b"x" * 1000).build(),
    udp(1400, 2),
]


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(lambda frames: pcap(frames), id="microseconds"),
        pytest.param(lambda frames: pcap(frames, order=">"), id="microseconds-big-endian"),
        pytest.param(lambda frames: pcap(frames, nanoseconds=True), id="nanoseconds"),
        pytest.param(lambda frames: pcap(frames, nanoseconds=True, order=">"), id="nanoseconds-big-endian"),
        pytest.param(lambda frames: pcapng(frames), id="pcapng"),
        pytest.param(lambda frames: pcapng(frames, order=">"), id="pcapng-big-endian"),
    ],
)
def test_the_form_of_a_capture_makes_no_difference(form: Callable[..., bytes], tmp_path: Path) -> None:
    capture, out = tmp_path / "in", tmp_path / "out.pcap"
    capture.write_bytes(form(stamped(MIX)))
    report = on_twin(capture, out)
    frames = [frame for _, frame in wire_frames(out)]
    assert [len(frame) for frame in frames] == [60, 1514, 1514, 1514, 674, 1514, 1514, 1290, 1062, 1442]
    assert report.survey.counts.tcp_super == 2
    assert wireshark_complaints(out) == []


@pytest.mark.parametrize("queues", [1, 4])
@pytest.mark.parametrize("qdisc", ["", "pfifo", "bfifo", "pfifo_head_drop", "pfifo_fast", "pfifo limit 200"])
def test_every_qdisc_lets_all_pass_behind_a_socket_that_waits(qdisc: str, queues: int, tmp_path: Path) -> None:
    out = tmp_path / "out.pcap"
    report = on_twin(REAL_MIX, out, qdisc=qdisc, queues=queues)
    assert report.measured.dropped_frames == 0
    assert flows(wire_frames(out)) == flows(wire_frames(REAL_MIX_WIRE))


@pytest.mark.parametrize("width", [64, 128, 256, 512])
def test_every_width_carries_the_capture_at_its_usual_rate(width: int, tmp_path: Path) -> None:
    out = tmp_path / "out.pcap"
    report = on_twin(REAL_MIX, out, width=width)
    assert report.config.line_rate_bps == {64: 10, 128: 25, 256: 50, 512: 100}[width] * 10**9
    assert flows(wire_frames(out)) == flows(wire_frames(REAL_MIX_WIRE))


@pytest.mark.parametrize("mtu", [1300, 4000, 9000])
def test_the_mtu_bounds_every_segment(mtu: int, tmp_path: Path) -> None:
    out = tmp_path / "out.pcap"
    on_twin(REAL_MIX, out, mtu=mtu)
    sizes = {len(frame) for _, frame in wire_frames(out)}
    assert max(sizes) == mtu + 14


@pytest.mark.parametrize("csum", [True, False])
@pytest.mark.parametrize("tso", [True, False])
def test_offloads_make_no_difference_to_the_wire(tso: bool, csum: bool, tmp_path: Path) -> None:
    out = tmp_path / "out.pcap"
    report = on_twin(REAL_MIX, out, tso=tso, csum=csum)
    assert flows(wire_frames(out)) == flows(wire_frames(REAL_MIX_WIRE))
    assert (report.measured.descriptors < report.measured.frames) == (tso and csum)
    asked = {name: report.as_json()["config"][name] for name in ("tso", "csum")}
    assert asked == {"tso": tso, "csum": csum}


def test_without_bql_nothing_but_the_ring_stops_the_queue(tmp_path: Path) -> None:
    capture = tmp_path / "in.pcap"
    capture.write_bytes(pcap(stamped([udp(1400, n) for n in range(300)])))
    knobs: dict[str, Any] = {"line_rate_bps": 10**9, "free_host": True, "sndbuf": 1 << 24}
    limited, open_ended = on_twin(capture, **knobs), on_twin(capture, bql=False, **knobs)
    assert limited.measured.bql_limit == 2 * 1442
    assert open_ended.measured.bql_limit is None
    assert open_ended.measured.doorbells < limited.measured.doorbells


def test_frames_are_spaced_by_the_line_rate(tmp_path: Path) -> None:
    capture, out = tmp_path / "in.pcap", tmp_path / "out.pcap"
    capture.write_bytes(pcap(stamped([udp(size, size) for size in (18, 100, 1000, 1400) * 20])))
    report = on_twin(capture, out, line_rate_bps=10**9)
    frames = wire_frames(out)
    for (before_ns, frame), (after_ns, _) in pairwise(frames):
        assert after_ns - before_ns >= (max(60, len(frame)) + 24) * NS_A_BYTE_AT_1G - 4
    assert report.measured.wire_utilisation > 0.95


@pytest.mark.parametrize(
    ("knobs", "least_ns", "most_ns"),
    [
        ({}, 0, 5_000),
        ({"free_host": True}, 0, 2_500),
        ({"tx_usecs": 50}, 50_000, 56_000),
        ({"cpl_threshold": 4, "cpl_timer_ns": 30_000}, 30_000, 36_000),
        ({"mem_latency_ns": 10_000}, 30_000, 40_000),
        ({"line_rate_bps": 10**7}, 1_000_000, 1_400_000),
    ],
    ids=["as-it-is", "free-host", "moderated", "gathered", "slow-memory", "slow-wire"],
)
def test_a_knob_does_to_one_packets_time_what_it_should(
    knobs: dict[str, Any], least_ns: int, most_ns: int, tmp_path: Path
) -> None:
    capture = tmp_path / "in.pcap"
    capture.write_bytes(pcap(stamped([udp(1400)])))
    assert least_ns <= on_twin(capture, **knobs).measured.simulated_ns <= most_ns


# -- the capture's own pace


def test_the_capture_pace_keeps_the_captures_times(tmp_path: Path) -> None:
    capture, out = tmp_path / "in.pcap", tmp_path / "out.pcap"
    sent = stamped([udp(100 + n, n) for n in range(20)], gap_ns=250_000)
    capture.write_bytes(pcap(sent, nanoseconds=True))
    report = on_twin(capture, out, pace="capture")
    left = wire_frames(out)
    assert [frame for _, frame in left] == [frame for _, frame in sent]
    late = [left_ns - sent_ns for (left_ns, _), (sent_ns, _) in zip(left, sent, strict=True)]
    assert min(late) > 0 and max(late) < 10_000
    assert max(late[1:]) - min(late[1:]) < 100  # the first one waits for the queue to be set up
    assert report.measured.simulated_ns > 19 * 250_000


def test_time_stamps_that_go_back_keep_the_order(tmp_path: Path) -> None:
    capture, out = tmp_path / "in.pcap", tmp_path / "out.pcap"
    sent = stamped([udp(100, n) for n in range(4)])
    sent[2] = (sent[0][0] - 5_000_000_000, sent[2][1])
    capture.write_bytes(pcap(sent, nanoseconds=True))
    on_twin(capture, out, pace="capture")
    assert [frame for _, frame in wire_frames(out)] == [frame for _, frame in sent]


def test_at_the_captures_pace_a_full_qdisc_drops_and_the_rest_is_accounted_for(tmp_path: Path) -> None:
    capture, out = tmp_path / "in.pcap", tmp_path / "out.pcap"
    sent = stamped([udp(1400, n) for n in range(200)], gap_ns=0)
    capture.write_bytes(pcap(sent))
    report = on_twin(capture, out, pace="capture", qdisc="pfifo limit 10", line_rate_bps=10**7)
    found = report.measured
    left = [frame for _, frame in wire_frames(out)]
    assert found.dropped_packets > 100
    assert found.frames + found.dropped_frames == 200
    assert left == [frame for _, frame in sent if frame in left]


def test_a_dropped_super_packet_counts_its_frames(tmp_path: Path) -> None:
    capture = tmp_path / "in.pcap"
    capture.write_bytes(pcap(stamped([Frame(payload=bytes(14480 + 1)).build()] * 8, gap_ns=0)))
    report = on_twin(capture, pace="capture", qdisc="pfifo limit 1", line_rate_bps=10**7)
    found = report.measured
    assert found.dropped_packets > 0
    assert found.dropped_frames == 10 * found.dropped_packets
    assert found.frames == 10 * (8 - found.dropped_packets)


# -- what passes untouched


def test_what_has_nothing_to_complete_passes_as_it_is(tmp_path: Path) -> None:
    arp = bytes(12) + b"\x08\x06" + bytes(range(28))
    fragment = Frame(protocol=UDP, payload=bytes(800), fragment=0x2000, checksum=0x1234).build()
    icmp = Frame(protocol=1, payload=b"\x08\0ping" * 9).build()
    cut = Frame(payload=bytes(1000), checksum=0xABCD).build()[:500]
    capture, out = tmp_path / "in.pcap", tmp_path / "out.pcap"
    capture.write_bytes(pcap(stamped([arp, fragment, icmp, cut])))
    report = on_twin(capture, out)
    assert [frame for _, frame in wire_frames(out)] == [arp.ljust(60, b"\0"), fragment, icmp, cut]
    counts = report.survey.counts
    assert (counts.other, counts.fragments, counts.truncated, report.survey.untouched) == (2, 1, 1, 4)


def test_a_frame_that_no_wire_takes_is_dropped_and_counted(tmp_path: Path) -> None:
    capture, out = tmp_path / "in.pcap", tmp_path / "out.pcap"
    huge = Frame(protocol=1, payload=bytes(20_000)).build()
    capture.write_bytes(pcap(stamped([udp(100, 1), huge, udp(100, 2)])))
    report = on_twin(capture, out)
    assert [len(frame) for _, frame in wire_frames(out)] == [142, 142]
    assert (report.measured.dropped_packets, report.measured.dropped_frames) == (1, 1)


# -- from the survey's process to the simulator's


def test_packets_travel_whole(tmp_path: Path) -> None:
    packets = [
        (
            number,
            Skb(number, (bytes(number), b"end"), csum_flags=CsumFlag(number % 2), vlan_tci=number, wire_ns=number / 8),
        )
        for number in range(BATCH + 3)
    ]
    file = tmp_path / "packets"
    assert list(write_packets(file, packets)) == packets
    for _ in range(2):
        assert [(time, astuple(skb)) for time, skb in read_packets(file)] == [(t, astuple(s)) for t, s in packets]


def test_no_room_for_the_packets_is_said(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match=r"nowhere: No such file.*TMPDIR"):
        survey(ReplayConfig(REAL_MIX), tmp_path / "nowhere" / "packets")


# -- the verdict


class TamperedWire:
    """A twin whose wire is not what it sent."""

    def __init__(self, tamper: Callable[[list[WireFrame]], Sequence[WireFrame]]) -> None:
        self._tamper = tamper

    def verdict(self, capture: Path, break_world: Callable[[TwinWorld], None] = lambda world: None) -> Measured:
        config = ReplayConfig(capture, sim="twin")
        memory = HostMemory.create()
        world = TwinWorld(TwinConfig(read_latency_ns=500), memory, costs=config.costs)
        break_world(world)

        def take() -> Sequence[WireFrame]:
            taken, world.wire = self._tamper(world.wire), []
            return taken

        device = Device(take, None, list, lambda text: None)
        with tempfile.TemporaryDirectory() as folder:
            packets = Path(folder) / "packets"
            return drive(run(world, device, Job(config, survey(config, packets), packets, None)))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    capture = tmp_path / "small.pcap"
    capture.write_bytes(pcap(stamped([udp(size, size) for size in range(60, 160)])))
    return capture


def test_an_honest_wire_passes(small: Path) -> None:
    assert TamperedWire(lambda frames: frames).verdict(small).problems == []


@pytest.mark.parametrize(
    ("tamper", "problem"),
    [
        (
            lambda frames: [frame for frame in frames if len(frame.data) != 42 + 60],
            "frame-lost: queue 0 has 1 frames given to the driver that are not on the wire",
        ),
        (
            lambda frames: [frame for frame in frames if len(frame.data) != 42 + 159],
            "frame-lost: queue 0 has 1 frames given to the driver that are not on the wire",
        ),
        (lambda frames: [*frames, *frames[-1:]], "frame-unexpected: |frame-differs: "),
        (lambda frames: frames[::-1], r"frame-differs: queue 0 sent a frame behind others that come after it"),
        (
            lambda frames: [frame._replace(data=frame.data[:-1] + b"\xee") for frame in frames],
            "sent 0xee for 0x00 at byte 101 of a frame of 102 bytes .frame 1 of the wire",
        ),
    ],
    ids=["first-lost", "last-lost", "twice", "out-of-order", "corrupted"],
)
def test_a_wire_that_lies_fails_the_verdict(
    tamper: Callable[[list[WireFrame]], Sequence[WireFrame]], problem: str, small: Path
) -> None:
    problems = TamperedWire(tamper).verdict(small).problems
    assert re.search(problem, "\n".join(problems))


def test_a_dma_fault_fails_the_verdict(small: Path) -> None:
    def break_world(world: TwinWorld) -> None:
        reads = iter(range(10**6))
        read = world.memory.device_read

        def device_read(addr: int, length: int) -> bytes:
            if next(reads) == 50:
                world.memory.forbid(addr, length)
            return read(addr, length)

        world.memory.device_read = device_read  # type: ignore[method-assign]

    problems = TamperedWire(lambda frames: frames).verdict(small, break_world).problems
    assert any("DMA fault" in problem for problem in problems)
    assert any("ERR_" in problem for problem in problems)
