"""Headers, checksums, flow hash and priority."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringwire.packet import (
    HeaderCut,
    HeaderError,
    checksum,
    flow_hash,
    frame_flow_hash,
    parse_headers,
    piecewise_sums,
    pseudo_header_sum,
    sum16,
    tos_to_priority,
)
from ringwire.skb import linear_truesize
from tests.frames import MACS, TCP, UDP, Frame, words_sum

VECTORS = Path(__file__).parent / "data" / "vectors"
PADDING = (60, bytes((0, 0, 1, 4, 0, 0, 0, 0)))
HOP_BY_HOP = (0, bytes((0, 0, 5, 2, 0, 0, 1, 0)))


def routing(kind: int, left: int, *addresses: bytes) -> tuple[int, bytes]:
    return 43, bytes((0, 2 * len(addresses), kind, left, 0, 0, 0, 0)) + b"".join(addresses)


@pytest.mark.parametrize(
    "frame",
    [
        Frame(),
        Frame(protocol=UDP),
        Frame(l4_options=bytes(12)),
        Frame(ip_options=b"\1\1\1\0" * 10),
        Frame(vlans=((0x8100, 5),)),
        Frame(vlans=((0x88A8, 100), (0x8100, 7)), protocol=UDP),
        Frame(version=6),
        Frame(version=6, protocol=UDP),
        Frame(version=6, vlans=((0x8100, 5),), extensions=(HOP_BY_HOP,)),
        Frame(version=6, extensions=(HOP_BY_HOP, routing(0, 0, bytes(16)), PADDING), protocol=UDP),
        Frame(version=6, extensions=((60, bytes((0, 2)) + bytes(22)),), l4_options=bytes(40)),
    ],
    ids=repr,
)
def test_headers_are_found(frame: Frame) -> None:
    frame.payload, frame.tos, frame.trailer = b"abcde", 0xB8, b"xyz"
    data = frame.build()
    for kind in (bytes, bytearray, memoryview):
        headers = parse_headers(kind(data))
        assert (headers.version, headers.protocol) == (frame.version, frame.protocol)
        assert (headers.l3, headers.l4, headers.payload) == (frame.l3, frame.l4, frame.payload_at)
        assert headers.l3 + headers.ip_len == len(data) - len(frame.trailer)
        assert headers.tos == 0xB8
        assert not headers.fragment


@pytest.mark.parametrize(
    "frame",
    [Frame(l4_options=bytes(8)), Frame(version=6, extensions=(HOP_BY_HOP, PADDING)), Frame(vlans=((0x8100, 1),))],
    ids=repr,
)
def test_every_cut_within_the_headers_is_told(frame: Frame) -> None:
    data = frame.build()
    assert parse_headers(data).payload == len(data)
    for end in range(len(data)):
        with pytest.raises(HeaderCut, match="the frame at byte"):
            parse_headers(data[:end])


@pytest.mark.parametrize(
    ("frame", "at", "value", "what"),
    [
        (Frame(), 14, 0x44, "length of 4 words"),
        (Frame(), 14, 0x65, "version 6"),
        (Frame(version=6), 14, 0x45, "version 4"),
        (Frame(), 34 + 12, 0x40, "TCP header length of 4 words"),
    ],
)
def test_impossible_headers_are_refused(frame: Frame, at: int, value: int, what: str) -> None:
    data = bytearray(frame.build())
    data[at] = value
    with pytest.raises(HeaderError, match=what):
        parse_headers(data)


def test_frames_without_ip_have_no_version() -> None:
    for kind in (b"\x08\x06", b"\x88\xcc", b"\x00\x30"):
        headers = parse_headers(MACS + kind)
        assert (headers.version, headers.protocol, headers.l4) == (0, -1, 14)


@pytest.mark.parametrize("fragment", [0x2000, 0x0001, 0x2001, 0x1FFF])
def test_ipv4_fragments_are_told_and_their_payload_is_not_read(fragment: int) -> None:
    headers = parse_headers(Frame(fragment=fragment).build()[:34])
    assert headers.fragment
    assert headers.payload == headers.l4 == 34


@pytest.mark.parametrize("fragment", [0x0000, 0x4000, 0x8000])
def test_dont_fragment_and_reserved_bit_make_no_fragment(fragment: int) -> None:
    assert not parse_headers(Frame(fragment=fragment).build()).fragment


def test_an_ipv6_fragment_header_makes_a_fragment() -> None:
    frame = Frame(version=6, extensions=(HOP_BY_HOP, (44, bytes(8))))
    headers = parse_headers(frame.build()[: frame.l4])
    assert headers.fragment
    assert (headers.protocol, headers.l4, headers.payload) == (TCP, frame.l4, frame.l4)


FINAL = bytes(range(100, 116))
MIDDLE = bytes(range(200, 216))


@pytest.mark.parametrize(
    ("header", "final"),
    [
        (routing(0, 1, FINAL), FINAL),
        (routing(0, 2, MIDDLE, FINAL), FINAL),
        (routing(0, 0, MIDDLE, FINAL), b""),
        (routing(2, 1, FINAL), FINAL),
        (routing(4, 1, FINAL, MIDDLE), FINAL),
    ],
)
def test_pseudo_header_has_the_final_destination(header: tuple[int, bytes], final: bytes) -> None:
    frame = Frame(version=6, extensions=(header,), final=final, payload=b"hello")
    data = frame.build()
    headers = parse_headers(data)
    length = len(data) - frame.l4
    assert pseudo_header_sum(data, headers, length) == words_sum(frame.pseudo(length)) % 0xFFFF


@pytest.mark.parametrize("header", [routing(3, 1, FINAL), routing(253, 1, FINAL), (43, bytes((0, 0, 0, 1)) + bytes(4))])
def test_a_final_destination_that_cant_be_told_is_said_so(header: tuple[int, bytes]) -> None:
    assert parse_headers(Frame(version=6, extensions=(header,)).build()).destination == 0


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("protocol", [TCP, UDP])
def test_pseudo_header_sum_is_that_of_its_bytes(version: int, protocol: int) -> None:
    frame = Frame(version=version, protocol=protocol, payload=b"some payload")
    data = frame.build()
    length = len(data) - frame.l4
    assert pseudo_header_sum(data, parse_headers(data), length) == words_sum(frame.pseudo(length)) % 0xFFFF


def test_big_tcp_states_no_length() -> None:
    assert parse_headers(Frame(ip_len=0).build()).ip_len == 0
    assert parse_headers(Frame(version=6, ip_len=0).build()).ip_len == 0
    assert parse_headers(Frame(version=6, protocol=59, ip_len=0).build()).ip_len == 40


@given(st.binary(max_size=3000), st.integers(0, 3))
def test_sum_is_that_of_rfc_1071(data: bytes, skip: int) -> None:
    for view in (data[skip:], memoryview(data)[skip:], bytearray(data)[skip:]):
        assert sum16(view) == words_sum(bytes(view)) % 0xFFFF


@pytest.mark.parametrize("size", [0, 1, 2, 3, 766, 767, 768, 769, 1448, 9001, 65535])
@pytest.mark.parametrize("octet", [0x00, 0xFF, 0x5A])
def test_sum_has_no_weak_lengths(size: int, octet: int) -> None:
    data = bytes((octet,)) * size
    assert sum16(data) == words_sum(data) % 0xFFFF


@given(st.binary(min_size=1, max_size=4000), st.integers(1, 1500))
def test_sums_of_pieces_are_the_pieces_sums(data: bytes, size: int) -> None:
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    sums = piecewise_sums(memoryview(data), size)
    assert [total % 0xFFFF for total in sums] == [words_sum(piece) % 0xFFFF for piece in pieces]


def test_checksum_of_rfc_1071_example() -> None:
    example = bytes.fromhex("0001f203f4f5f6f7")
    assert checksum(example) == 0xFFFF - 0xDDF2
    assert checksum(example + checksum(example).to_bytes(2, "big")) == 0


def test_priority_of_every_tos_is_that_of_linux() -> None:
    table = json.loads(gzip.decompress((VECTORS / "tables_public.json.gz").read_bytes()))["tables"]["tos_to_priority"]
    assert table["fields"] == ["tos", "skb_priority"]
    assert [[tos, tos_to_priority(tos)] for tos in range(256)] == table["rows"]


def test_truesize_is_that_of_linux_at_every_recorded_length() -> None:
    recorded: dict[int, int] = {}
    for path in VECTORS.glob("qdisc_*_public.json.gz"):
        for scenario in json.loads(gzip.decompress(path.read_bytes()))["scenarios"]:
            recorded |= {int(length): truesize for length, truesize in scenario["truesize"].items()}
    assert len(recorded) > 1000
    assert {length: linear_truesize(length) for length in recorded} == recorded


def test_flow_hash_is_the_same_in_every_process() -> None:
    program = "from ringwire.packet import flow_hash; print(flow_hash(6, b'abcd', b'efgh', b'1234'))"
    others = {
        subprocess.run(
            [sys.executable, "-c", program], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True, timeout=60
        ).stdout
        for seed in ("1", "2")
    }
    assert others == {b"%d\n" % flow_hash(6, b"abcd", b"efgh", b"1234")}
    # Recorded once: results of old runs stay comparable.
    assert flow_hash(6, b"abcd", b"efgh", b"1234") == 0x31405DCE


def test_flow_hash_is_never_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    class Zeros:
        def __init__(self, data: bytes, *, digest_size: int) -> None:
            self.size = digest_size

        def digest(self) -> bytes:
            return bytes(self.size)

    monkeypatch.setattr("ringwire.packet.blake2b", Zeros)
    assert flow_hash(TCP, bytes(4), bytes(4)) == 1


def test_flow_hash_tells_flows_apart_and_packets_of_one_not() -> None:
    base = Frame(payload=b"x")
    same = [base, Frame(payload=b"other", seq=5, flags=0x18, ident=9, tos=8), Frame(vlans=((0x8100, 9),))]
    others = [
        Frame(ports=(40001, 5201)),
        Frame(ports=(40000, 5202)),
        Frame(ports=(5201, 40000)),
        Frame(protocol=UDP),
        Frame(source=bytes(4)),
        Frame(destination=bytes(4)),
        Frame(version=6),
    ]

    def hashed(frame: Frame) -> int:
        data = frame.build()
        return frame_flow_hash(data, parse_headers(data))

    assert len({hashed(frame) for frame in same}) == 1
    assert len({hashed(frame) for frame in (base, *others)}) == 1 + len(others)


def test_all_fragments_of_a_datagram_have_one_hash() -> None:
    parts = [Frame(protocol=UDP, payload=bytes((n,)) * 16, fragment=f) for n, f in enumerate((0x2000, 0x2003, 0x6))]
    data = [part.build() for part in parts]
    assert len({frame_flow_hash(one, parse_headers(one)) for one in data}) == 1


@settings(max_examples=20)
@given(st.integers(2, 64))
def test_flow_hash_spreads_over_queues(queues: int) -> None:
    flows = 4096
    hits = [0] * queues
    for port in range(flows):
        hits[flow_hash(TCP, bytes(4), bytes(4), port.to_bytes(4, "big")) * queues >> 32] += 1
    mean = flows / queues
    assert all(abs(hit - mean) < 6 * mean**0.5 for hit in hits)
