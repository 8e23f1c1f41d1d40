"""What is done in software for a device that can't: segmentation, checksums, tags, linear buffers."""

from __future__ import annotations

import pytest

from ringwire.netdev import Feature, dev_queue_xmit
from ringwire.qdisc import XMIT_SUCCESS
from ringwire.skb import CsumFlag, GsoType, Skb
from tests.stack_bench import HDR_LEN, StackBench, super_packet

SOFTWARE = Feature.SG | Feature.HW_CSUM


def test_segmentation_is_left_to_a_device_that_can() -> None:
    bench = StackBench()
    dev_queue_xmit(super_packet(14_480), bench.dev)
    assert [skb.len for skb in bench.driver.sent] == [HDR_LEN + 14_480]
    assert bench.dev.qdisc.stats().packets == 10
    assert bench.dev.qdisc.stats().bytes == 10 * HDR_LEN + 14_480


@pytest.mark.parametrize(
    ("features", "ecn", "whole"),
    [
        (Feature.ALL, False, True),
        (Feature.ALL & ~Feature.TSO, False, False),
        (Feature.ALL & ~Feature.TSO6, False, True),
        (Feature.ALL & ~Feature.TSO_ECN, False, True),
        (Feature.ALL & ~Feature.TSO_ECN, True, False),
        (Feature.ALL & ~Feature.SG, False, False),
        (Feature.ALL & ~Feature.HW_CSUM, False, False),
    ],
)
def test_segmentation_in_software_where_a_feature_is_missing(features: Feature, ecn: bool, whole: bool) -> None:
    bench = StackBench(features=features)
    skb = super_packet(3000)
    skb.gso_ecn = ecn
    dev_queue_xmit(skb, bench.dev)
    lengths = [each.len for each in bench.driver.sent]
    assert lengths == ([3054] if whole else [1502, 1502, 158])


@pytest.mark.parametrize(
    ("kind", "feature"),
    [
        (GsoType.TCPV4, Feature.TSO),
        (GsoType.TCPV6, Feature.TSO6),
        (GsoType.UDP_L4, Feature.USO),
        (GsoType.UDP, Feature.UFO),
    ],
)
def test_each_kind_of_super_packet_has_its_feature(kind: GsoType, feature: Feature) -> None:
    for features, pieces in ((feature | SOFTWARE, 1), (Feature.ALL & ~feature, 3)):
        bench = StackBench(features=features)
        skb = super_packet(3000)
        skb.gso_type = kind
        dev_queue_xmit(skb, bench.dev)
        assert len(bench.driver.sent) == pieces


def test_super_packets_beyond_the_devices_bounds_are_segmented() -> None:
    bench = StackBench()
    dev_queue_xmit(super_packet(65_535 - HDR_LEN), bench.dev)
    assert len(bench.driver.sent) == 1
    bench.drain()
    dev_queue_xmit(super_packet(65_536 - HDR_LEN), bench.dev)
    bench.drain()
    assert len(bench.driver.sent) == 1 + 46
    bench.dev.gso_max_segs = 2
    dev_queue_xmit(super_packet(3 * 1448), bench.dev)
    bench.drain()
    assert len(bench.driver.sent) == 1 + 46 + 3


def test_a_packet_that_cant_be_segmented_is_dropped_alone() -> None:
    bench = StackBench(features=SOFTWARE)
    bad = super_packet(3000, ident=7)
    bad.hdr_len = bad.len
    bad.gso_segs = 2
    assert dev_queue_xmit(bad, bench.dev) == XMIT_SUCCESS
    dev_queue_xmit(super_packet(3000, ident=8), bench.dev)
    assert [skb.id for skb in bench.dropped] == [7] and bench.dev.tx_dropped == 1
    assert [skb.id for skb in bench.driver.sent] == [8, 8, 8]


def test_features_go_off_together() -> None:
    dev = StackBench(features=Feature.ALL & ~Feature.SG).dev
    assert dev.features == Feature.HW_CSUM | Feature.VLAN_TX | Feature.USO
    dev.features = Feature.ALL
    assert dev.features == Feature.ALL


def test_a_driver_may_refuse_features_for_a_packet() -> None:
    bench = StackBench()
    bench.dev.features_check = lambda skb, features: features & ~Feature.TSO if skb.hdr_len > 100 else features
    long_header = super_packet(3000)
    long_header.hdr_len = 254
    long_header.len = 3254
    dev_queue_xmit(long_header, bench.dev)
    bench.drain()
    dev_queue_xmit(super_packet(3000), bench.dev)
    assert [skb.len for skb in bench.driver.sent] == [1702, 1702, 358, 3054]


def test_a_tag_is_written_into_the_frame_where_the_device_has_no_insertion() -> None:
    frame = bytes(range(12)) + b"\x08\x00" + bytes(50)
    bench = StackBench(features=Feature.ALL & ~Feature.VLAN_TX)
    skb = Skb(len=64, data=(frame[:5], frame[5:]), vlan_tci=0xE064, csum_flags=CsumFlag.NEEDS_CSUM, csum_start=34)
    dev_queue_xmit(skb, bench.dev)
    (sent,) = bench.driver.sent
    assert sent.linear() == frame[:12] + b"\x81\x00\xe0\x64" + frame[12:]
    assert (sent.len, sent.vlan_tci, sent.csum_start) == (68, None, 38)
    with_insertion = StackBench()
    dev_queue_xmit(Skb(len=64, data=(frame,), vlan_tci=5), with_insertion.dev)
    assert (with_insertion.driver.sent[0].len, with_insertion.driver.sent[0].vlan_tci) == (64, 5)


def test_checksums_and_fragments_are_settled_where_the_device_has_no_part_for_them() -> None:
    frame = bytes(34) + bytes.fromhex("04d200350014") + b"\x12\x34" + b"payload!"
    skb = Skb(
        len=len(frame),
        data=(frame[:40], frame[40:]),
        csum_flags=CsumFlag.NEEDS_CSUM,
        csum_start=34,
        csum_offset=6,
    )
    bench = StackBench(features=Feature.NONE)
    dev_queue_xmit(skb, bench.dev)
    (sent,) = bench.driver.sent
    assert len(sent.data) == 1 and not sent.csum_flags
    words = sent.linear()[34:]
    total = sum(int.from_bytes(words[at : at + 2], "big") for at in range(0, len(words), 2))
    # The field held the pseudo-header's sum 0x1234; with the right checksum in its place all sums to 0xffff.
    assert (total + 0x1234) % 0xFFFF == 0


def test_segments_for_a_device_with_checksums_but_no_segmentation_keep_their_requests() -> None:
    asked: list[bool] = []
    bench = StackBench(features=SOFTWARE)
    segment = bench.dev.segment

    def noting(skb: Skb, complete: bool) -> list[Skb]:
        asked.append(complete)
        return segment(skb, complete)

    bench.dev.segment = noting
    dev_queue_xmit(super_packet(3000), bench.dev)
    bench.dev.features = Feature.NONE
    dev_queue_xmit(super_packet(3000), bench.dev)
    bench.drain()
    assert asked == [False, True]


def test_all_features_are_all_features() -> None:
    assert int(Feature.ALL) == sum(Feature)
