"""Capture files: against dpkt as an independent reader and writer, and byte by byte where dpkt has no opinion."""

from __future__ import annotations

import io
import os
import resource
import struct
from decimal import Decimal
from pathlib import Path

import dpkt  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringwire.pcap import MAX_FRAME, CapturedFrame, CaptureError, PcapWriter, read_capture, read_stream

FRAMES = [(1_700_000_000_123_456_789, bytes(range(60))), (1_700_000_001_000_000_000, b"\xaa" * 1514), (5, b"\x01" * 14)]


def read(data: bytes) -> list[CapturedFrame]:
    return list(read_stream(io.BytesIO(data), "x.pcap"))


def pcap(
    records: bytes = b"",
    *,
    order: str = "<",
    magic: int = 0xA1B2C3D4,
    version: tuple[int, int] = (2, 4),
    network: int = 1,
) -> bytes:
    return struct.pack(order + "IHHiIII", magic, *version, 0, 0, 65535, network) + records


def record(seconds: int, fraction: int, data: bytes, length: int | None = None, *, order: str = "<") -> bytes:
    return struct.pack(order + "IIII", seconds, fraction, len(data), len(data) if length is None else length) + data


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + size + body + size


def section(order: str = "<", version: tuple[int, int] = (1, 0)) -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, *version, -1), order)


def option(code: int, value: bytes, order: str = "<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def interface(order: str = "<", linktype: int = 1, snaplen: int = 0, options: bytes = b"") -> bytes:
    return block(1, struct.pack(order + "HHI", linktype, 0, snaplen) + options, order)


def enhanced(
    ticks: int, data: bytes, *, number: int = 0, length: int | None = None, order: str = "<", options: bytes = b""
) -> bytes:
    length = len(data) if length is None else length
    head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), length)
    return block(6, head + data + bytes(-len(data) % 4) + options, order)


# Reading pcap


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "unit"), [(0xA1B2C3D4, 1000), (0xA1B23C4D, 1)])
def test_both_resolutions_and_byte_orders_are_read(order: str, magic: int, unit: int) -> None:
    records = b"".join(record(t // 10**9, t % 10**9 // unit, data, order=order) for t, data in FRAMES)
    assert read(pcap(records, order=order, magic=magic)) == [(t - t % unit, data, len(data)) for t, data in FRAMES]


@pytest.mark.parametrize("nano", [False, True])
def test_what_dpkt_writes_is_read(tmp_path: Path, nano: bool) -> None:
    path = tmp_path / "dpkt.pcap"
    frames = [(t - t % (1 if nano else 1000), data) for t, data in FRAMES]
    with path.open("wb") as stream:
        writer = dpkt.pcap.Writer(stream, nano=nano)
        for t, data in frames:
            writer.writepkt(data, Decimal(t) / 10**9)
    assert list(read_capture(path)) == [(t, data, len(data)) for t, data in frames]


def test_a_file_without_frames_is_empty() -> None:
    assert read(pcap()) == []
    assert read(section()) == []
    assert read(section() + interface()) == []


def test_a_frame_cut_by_the_capture_says_how_long_it_was() -> None:
    for data in (pcap(record(1, 0, b"abcd", 1514)), section() + interface() + enhanced(10**6, b"abcd", length=1514)):
        assert read(data) == [(10**9, b"abcd", 1514)]


def test_frames_are_handed_out_as_they_are_read() -> None:
    frames = read_stream(io.BytesIO(pcap(record(1, 0, b"first") + b"rubbish")), "x.pcap")
    assert next(frames).data == b"first"
    with pytest.raises(CaptureError):
        next(frames)


@pytest.mark.parametrize(("held", "left"), [(b"frameFCS!", b"frame"), (b"frameFC", b"frame"), (b"fra", b"fra")])
def test_a_declared_fcs_is_left_out(held: bytes, left: bytes) -> None:
    files = [pcap(record(0, 0, held, 9), network=0x2400_0001)]
    # Writers differ on whether the option counts bytes or bits.
    files += [
        section() + interface(options=option(13, unit)) + enhanced(0, held, length=9) for unit in (b"\4", b"\x20")
    ]
    for data in files:
        assert read(data) == [(0, left, 5)]


def test_an_undeclared_fcs_length_takes_nothing_off() -> None:
    assert read(pcap(record(0, 0, b"frame"), network=0x2000_0001)) == [(0, b"frame", 5)]
    assert read(pcap(record(0, 0, b"frame"), network=0x0400_0001)) == [(0, b"frame", 5)]


# Reading pcapng


def test_what_dpkt_writes_as_pcapng_is_read(tmp_path: Path) -> None:
    path = tmp_path / "dpkt.pcapng"
    with path.open("wb") as stream:
        writer = dpkt.pcapng.Writer(stream)
        for t, data in FRAMES:
            writer.writepkt_time(data, t / 10**9)
    got = list(read_capture(path))
    assert [(data, length) for _, data, length in got] == [(data, len(data)) for _, data in FRAMES]
    assert all(abs(frame.time_ns - t) <= 1000 for frame, (t, _) in zip(got, FRAMES, strict=True))


@pytest.mark.parametrize("order", ["<", ">"])
def test_dpkt_agrees_on_a_pcapng_in_either_byte_order(order: str) -> None:
    options = option(2, b"eth0", order) + option(9, b"\x09", order) + option(0, b"", order)
    frames = [(t, data) for t, data in FRAMES if t > 1000]
    data = section(order) + interface(order, options=options)
    data += b"".join(enhanced(t, frame, order=order) for t, frame in frames)
    theirs = [(frame, float(t)) for t, frame in dpkt.pcapng.Reader(io.BytesIO(data))]
    assert [(frame.data, frame.time_ns / 10**9) for frame in read(data)] == theirs


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("resolution", "time_ns"),
    [
        (None, 10**15 * 1000),
        (0x06, 10**15 * 1000),
        (0x09, 10**15),
        (0x03, 10**15 * 10**6),
        (0x00, 10**15 * 10**9),
        (0x0C, 10**12),
        (0x80, 10**15 * 10**9),
        (0x9E, 10**15 * 10**9 >> 30),
        (0xFF, 0),
    ],
)
def test_every_time_stamp_resolution_is_understood(order: str, resolution: int | None, time_ns: int) -> None:
    options = b"" if resolution is None else option(9, bytes((resolution,)), order)
    data = section(order) + interface(order, options=options) + enhanced(10**15, b"abc", order=order)
    assert read(data) == [(time_ns, b"abc", 3)]


@pytest.mark.parametrize("order", ["<", ">"])
def test_time_stamp_offset_and_other_options_are_understood(order: str) -> None:
    options = (
        option(2, b"eth0", order)
        + option(3, b"odd", order)
        + option(14, struct.pack(order + "q", -7), order)
        + option(9, b"\x09", order)
        + option(0, b"", order)
        + b"junk"
    )
    data = section(order) + interface(order, options=options) + enhanced(8 * 10**9 + 1, b"abc", order=order)
    assert read(data) == [(10**9 + 1, b"abc", 3)]


def test_sections_and_interfaces_keep_their_own_ways() -> None:
    nano, milli = option(9, b"\x09"), option(9, b"\x03", ">")
    data = (
        section()
        + interface()
        + interface(options=nano)
        + enhanced(3, b"a", number=1)
        + enhanced(3, b"bb", number=0)
        + section(">")
        + interface(">", options=milli)
        + enhanced(3, b"ccc", order=">")
        + section()
        + interface()
        + enhanced(3, b"dddd")
    )
    assert [(t, frame) for t, frame, _ in read(data)] == [
        (3, b"a"),
        (3000, b"bb"),
        (3_000_000, b"ccc"),
        (3000, b"dddd"),
    ]


def test_blocks_that_hold_no_frames_are_passed_over() -> None:
    others = block(4, bytes(4)) + block(5, bytes(12)) + block(10, bytes(8)) + block(0xBAD, b"abcdefgh") + block(99, b"")
    data = (
        section(version=(1, 2)) + others + interface() + others + enhanced(1, b"abc", options=option(1, b"hi")) + others
    )
    assert read(data) == [(1000, b"abc", 3)]


@pytest.mark.parametrize("order", ["<", ">"])
def test_simple_packets_have_the_time_of_the_frame_before(order: str) -> None:
    simple = block(3, struct.pack(order + "I", 5) + b"hello", order)
    data = section(order) + interface(order) + simple + enhanced(7, b"abc", order=order) + simple
    assert read(data) == [(0, b"hello", 5), (7000, b"abc", 3), (7000, b"hello", 5)]


def test_a_simple_packet_is_cut_at_its_interfaces_snaplen() -> None:
    data = section() + interface(snaplen=3) + block(3, struct.pack("<I", 5) + b"hel")
    assert read(data) == [(0, b"hel", 5)]


@pytest.mark.parametrize("order", ["<", ">"])
def test_obsolete_packet_blocks_are_read(order: str) -> None:
    head = struct.pack(order + "HHIIII", 1, 9, 1, 2, 3, 100)
    data = section(order) + interface(order) + interface(order, options=option(9, b"\x09", order))
    assert read(data + block(2, head + b"abc", order)) == [((1 << 32) + 2, b"abc", 100)]


# Faults

GOOD_NG = section() + interface()
FAULTS = {
    "empty file": (b"", "byte 0: file ends within the magic number, 0 bytes of 4"),
    "text": (b"hello world", "byte 0: magic number 68656c6c; allowed: those of pcap and pcapng"),
    "modified pcap": (pcap(magic=0xA1B2CD34), "magic number 34cdb2a1; allowed"),
    "cut file header": (pcap()[:23], "byte 0: file ends within the file header, 19 bytes of 20"),
    "old version": (pcap(version=(2, 3)), "pcap version 2.3; allowed: 2.4"),
    "wifi": (pcap(network=105), "byte 0: link type 105; allowed: 1, Ethernet"),
    "loopback": (pcap(network=0), "link type 0; allowed: 1"),
    "cut packet header": (
        pcap(record(1, 0, b"abc") + bytes(15)),
        "byte 43, packet 2: file ends within a packet header, 15 bytes of 16",
    ),
    "cut packet": (pcap(record(1, 0, b"abc")[:-1]), "byte 24, packet 1: file ends within the packet, 2 bytes of 3"),
    "microseconds": (
        pcap(record(1, 10**6, b"abc")),
        "byte 24, packet 1: fraction of a second 1000000; allowed: below 1000000",
    ),
    "nanoseconds": (
        pcap(record(1, 10**9, b"abc"), magic=0xA1B23C4D),
        "fraction of a second 1000000000; allowed: below 1000000000",
    ),
    "huge packet": (
        pcap(struct.pack("<IIII", 1, 0, 0xFFFFFFFF, 0xFFFFFFFF)),
        "packet 1: captured length 4294967295; allowed: up to 262144",
    ),
    "more than there was": (
        pcap(record(1, 0, b"abc", 2)),
        "packet 1: captured length 3; allowed: up to the original length, 2",
    ),
    "byte order": (
        section()[:8] + b"abcd" + section()[12:],
        "byte 0: byte-order magic 61626364; allowed: 4d3c2b1a and 1a2b3c4d",
    ),
    "next version": (section(version=(2, 0)), "pcapng version 2.0; allowed: 1.x"),
    "short section": (block(0x0A0D0D0A, struct.pack("<I", 0x1A2B3C4D)), "block with 4 bytes of content; allowed: 16"),
    "cut block type": (GOOD_NG + b"\6\0", "byte 48: file ends within a block, 2 bytes of 4"),
    "cut block head": (GOOD_NG + enhanced(1, b"abc")[:9], "byte 48: file ends within a block, 5 bytes of 8"),
    "cut block": (GOOD_NG + enhanced(1, b"abc")[:-1], "byte 48, packet 1: file ends within a block, 23 bytes of 24"),
    "short block": (
        GOOD_NG + struct.pack("<III", 99, 8, 8),
        "byte 48: block length 8; allowed: multiples of 4 from 12",
    ),
    "uneven block": (GOOD_NG + struct.pack("<IIHI", 99, 14, 0, 14), "block length 14; allowed: multiples of 4"),
    "huge block": (GOOD_NG + struct.pack("<III", 99, 1 << 31, 0), "block length 2147483648; allowed: .* to 16777216"),
    "lengths differ": (
        GOOD_NG + struct.pack("<IIII", 6, 16, 0, 20),
        "byte 48, packet 1: block length 16 at its start, 20 at its end; allowed: twice the same",
    ),
    "no interface": (section() + enhanced(1, b"abc"), "byte 28, packet 1: interface 0; allowed: .*, 0"),
    "unknown interface": (GOOD_NG + enhanced(1, b"abc", number=1), "packet 1: interface 1; allowed: .*, 1"),
    "interface of another section": (
        GOOD_NG + section() + enhanced(1, b"abc"),
        "packet 1: interface 0; allowed: .*, 0",
    ),
    "simple packet without interface": (section() + block(3, bytes(4)), "packet 1: interface 0"),
    "no Ethernet": (section() + interface(linktype=113), "byte 28: link type 113; allowed: 1, Ethernet"),
    "second interface no Ethernet": (GOOD_NG + interface(linktype=101), "byte 48: link type 101"),
    "short interface": (section() + block(1, bytes(4)), "block with 4 bytes of content; allowed: 8 or more"),
    "short packet": (GOOD_NG + block(6, bytes(16)), "packet 1: block with 16 bytes of content; allowed: 20 or more"),
    "captured beyond the block": (
        GOOD_NG + block(6, struct.pack("<IIIII", 0, 0, 0, 9, 9) + bytes(8)),
        "packet 1: captured length 9; allowed: up to 8",
    ),
    "simple beyond the block": (
        GOOD_NG + block(3, struct.pack("<I", 9) + bytes(8)),
        "packet 1: captured length 9; allowed: up to 8",
    ),
    "captured more than there was": (
        GOOD_NG + enhanced(1, b"abcd", length=3),
        "packet 1: captured length 4; allowed: up to the original length, 3",
    ),
    "option beyond the block": (
        section() + interface(options=struct.pack("<HH", 2, 40)),
        "byte 28: interface option 2 of 40 bytes; allowed: 40, within the block",
    ),
    "resolution of two bytes": (
        section() + interface(options=option(9, b"ab")),
        "interface option 9 of 2 bytes; allowed: 1",
    ),
    "short offset": (section() + interface(options=option(14, b"ab")), "interface option 14 of 2 bytes; allowed: 8"),
}


@pytest.mark.parametrize(("data", "why"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_told_in_one_line_with_its_place(data: bytes, why: str) -> None:
    with pytest.raises(CaptureError, match=why) as caught:
        read(data)
    assert str(caught.value).startswith("x.pcap: byte ")
    assert "\n" not in str(caught.value)


def test_frames_before_a_fault_are_counted() -> None:
    good = b"".join(record(n, 0, b"abc") for n in range(9))
    with pytest.raises(CaptureError, match=f"byte {24 + 9 * 19}, packet 10: "):
        read(pcap(good + bytes(4)))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_file_gives_frames_or_a_capture_error(data: st.DataObject) -> None:
    whole = data.draw(
        st.sampled_from(
            (
                pcap(record(1, 2, b"abcdef") * 3),
                section() + interface(options=option(9, b"\x09")) + enhanced(9, b"abcdef") * 2 + block(5, bytes(8)),
                section(">") + interface(">") + block(3, struct.pack(">I", 4) + b"abcd", ">"),
            )
        )
    )
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for at in data.draw(st.lists(st.integers(0, max(len(damaged) - 1, 0)), max_size=4)):
        if damaged:
            damaged[at] = data.draw(st.integers(0, 255))
    try:
        for frame in read(bytes(damaged)):
            assert len(frame.data) <= min(frame.length, MAX_FRAME)
    except CaptureError as error:
        assert "\n" not in str(error)


def test_a_file_that_cant_be_opened_is_a_capture_error(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"no\.pcap: No such file or directory"):
        list(read_capture(tmp_path / "no.pcap"))
    with pytest.raises(CaptureError, match="Is a directory"):
        list(read_capture(tmp_path))


# Writing


def test_dpkt_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "out.pcap"
    with PcapWriter(path) as writer:
        for t, data in FRAMES:
            writer.write(t, data)
    with path.open("rb") as stream:
        reader = dpkt.pcap.Reader(stream)
        assert reader.datalink() == dpkt.pcap.DLT_EN10MB
        assert [(int(t * 10**9), data) for t, data in reader] == FRAMES
    assert list(read_capture(path)) == [(t, data, len(data)) for t, data in FRAMES]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, (1 << 32) * 10**9 - 1), st.binary(max_size=200), st.integers(0, 99))))
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, frames: list[tuple[int, bytes, int]]
) -> None:
    path = tmp_path_factory.mktemp("pcap") / "out.pcap"
    expected = [CapturedFrame(t, data, len(data) + more) for t, data, more in frames]
    with PcapWriter(path) as writer:
        for frame in expected:
            writer.write(frame.time_ns, memoryview(frame.data), frame.length)
    assert list(read_capture(path)) == expected


def test_the_file_appears_whole_when_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "out.pcap"
    path.write_bytes(b"before")
    writer = PcapWriter(path)
    writer.write(1, bytes(60))
    assert path.read_bytes() == b"before"
    (temporary,) = set(tmp_path.iterdir()) - {path}
    assert temporary.parent == path.parent
    writer.close()
    writer.close()
    assert list(tmp_path.iterdir()) == [path]
    assert list(read_capture(path)) == [(1, bytes(60), 60)]
    writer.discard()
    assert path.exists()


def test_an_error_leaves_nothing_half_written(tmp_path: Path) -> None:
    path = tmp_path / "out.pcap"
    path.write_bytes(b"before")
    with pytest.raises(ZeroDivisionError), PcapWriter(path) as writer:
        writer.write(1, bytes(60))
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"before"


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "out.pcap"
    with PcapWriter(path) as outer, PcapWriter(path) as inner:
        outer.write(1, b"outer")
        inner.write(2, b"inner")
    assert list(read_capture(path)) == [(1, b"outer", 5)]
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "file.pcap", tmp_path / "link.pcap"
    link.symlink_to(target)
    with PcapWriter(link) as writer:
        writer.write(1, bytes(60))
    assert link.is_symlink() and len(list(read_capture(target))) == 1


def test_only_files_are_written(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=f"{os.devnull}: not a regular file"):
        PcapWriter(os.devnull)
    with pytest.raises(CaptureError, match="not a regular file"):
        PcapWriter(tmp_path)
    with pytest.raises(CaptureError, match="No such file or directory"):
        PcapWriter(tmp_path / "none" / "out.pcap")


def test_what_the_format_cant_hold_is_refused(tmp_path: Path) -> None:
    with PcapWriter(tmp_path / "out.pcap") as writer:
        for t in (-1, (1 << 32) * 10**9):
            with pytest.raises(CaptureError, match=f"time {t} ns; allowed: 0 to"):
                writer.write(t, b"")
        with pytest.raises(CaptureError, match="frame of 262145 bytes; allowed: up to 262144"):
            writer.write(0, bytes(MAX_FRAME + 1))
    assert list(read_capture(tmp_path / "out.pcap")) == []


@pytest.mark.parametrize("size", [20_000, 100])
def test_a_full_disk_is_a_capture_error_and_leaves_nothing(tmp_path: Path, size: int) -> None:
    writer = PcapWriter(tmp_path / "out.pcap")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50, before[1]))
    try:
        # The smaller frame stays in the buffer until the file is closed.
        with pytest.raises(CaptureError, match=r"out\.pcap: File too large"), writer:
            writer.write(0, bytes(size))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
