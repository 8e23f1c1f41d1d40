"""Offloads from the stack to the wire on the twin: the same bytes as software makes, the books, the fallbacks."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import fields
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringwire import gso
from ringwire.driver.config import DriverConfig
from ringwire.driver.offload import features_check, make_order
from ringwire.gso import GsoError
from ringwire.host.world import drive
from ringwire.netdev import GSO_FEATURES, NETDEV_TX_OK, Feature, dev_queue_xmit
from ringwire.netdev.features import ETHTOOL_NAMES
from ringwire.netdev.validate import push_vlan
from ringwire.nic.registers import MAX_PAYLOAD, Stat
from ringwire.nic.twin import TwinConfig
from ringwire.nic.twin_world import TwinWorld
from ringwire.skb import CsumFlag, GsoType, Skb, Tunnel
from tests.driver_bench import MS, CountedSkb, DriverBench
from tests.frames import TCP, UDP, Frame
from tests.test_gso import PADDING, frames, jumbo, octets

S = TypeVar("S", bound=Skb)

KINDS = {(4, TCP): GsoType.TCPV4, (6, TCP): GsoType.TCPV6, (4, UDP): GsoType.UDP_L4, (6, UDP): GsoType.UDP_L4}


def run(test: Coroutine[Any, Any, None]) -> None:
    drive(test)


def twin(config: DriverConfig | None = None) -> DriverBench[TwinWorld]:
    return DriverBench(TwinWorld(TwinConfig(), wake_on_frame=True), config)


class OwnedSkb(CountedSkb):
    """A packet that has come to its end with its last segment, whoever made the segments."""

    __slots__ = ()

    def __init__(self, *values: Any, **fields: Any) -> None:
        super().__init__(*values, **fields)
        self.destructor = self._end

    def _end(self, last: Skb) -> None:
        self.freed += 1

    def free(self) -> None:
        Skb.free(self)


def skb_of(frame: Frame, mss: int = 0, cuts: tuple[int, ...] = (), **more: Any) -> OwnedSkb:
    """The packet that asks for ``frame``, cut into segments if ``mss`` is not 0; its bytes divided at ``cuts``."""
    data = frame.build()
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(data)}), len(data)]
    return OwnedSkb(
        len(data),
        tuple(data[begin:end] for begin, end in pairwise(edges)),
        csum_flags=CsumFlag.NEEDS_CSUM,
        csum_start=frame.l4,
        csum_offset=frame.csum_offset,
        gso_size=mss,
        **({"gso_type": KINDS[frame.version, frame.protocol], "hdr_len": frame.payload_at} if mss else {}) | more,
    )


def copied(kind: type[S], skb: Skb) -> S:
    return kind(**{field.name: getattr(skb, field.name) for field in fields(Skb) if field.name != "destructor"})


def by_software(skb: Skb) -> list[bytes]:
    """The frames that software makes of a packet, padded."""
    made = copied(Skb, skb)
    if made.vlan_tci is not None:
        push_vlan(made)
    if made.gso_size:
        return [one.linear().ljust(60, b"\0") for one in gso.segment(made)]
    gso.complete_checksum(made)
    return [made.linear().ljust(60, b"\0")]


async def send(bench: DriverBench[TwinWorld], *skbs: CountedSkb) -> None:
    """Through the stack, and wait for the end of all."""
    for skb in skbs:
        bench.skbs.append(skb)
        dev_queue_xmit(skb, bench.dev)
    await bench.all_done()


# -- the same bytes


@given(st.lists(st.tuples(frames(), st.integers(0, 900), st.lists(st.integers(1, 700), max_size=6)), max_size=8))
@settings(max_examples=60, deadline=None)
def test_the_wire_is_that_of_software_whatever_the_device_does(packets: list[tuple[Frame, int, list[int]]]) -> None:
    async def test() -> None:
        for features in (Feature.ALL, Feature.ALL & ~GSO_FEATURES, Feature.ALL & ~Feature.HW_CSUM, Feature.NONE):
            bench = await twin().up()
            bench.dev.features = features
            wanted = []
            skbs = []
            for number, (frame, size, cuts) in enumerate(packets):
                least = -(-len(frame.payload) // gso.UDP_MAX_SEGMENTS)
                mss = max(size, least) if size and frame.protocol == UDP else size
                # what fits one segment is refused by software where it believes the header shorter
                mss = mss if len(frame.payload) > mss else 0
                tag = {"vlan_tci": 0x6000 | number} if number % 3 == 0 else {}
                skb = skb_of(frame, mss, tuple(cuts), **tag)
                if skb.len <= 16_384 or mss:
                    wanted += by_software(skb)
                    skbs.append(skb)
            await send(bench, *skbs)
            for want, have in zip(wanted, bench.wire(), strict=True):
                assert have == want or equivalent(want, have)
            bench.check()

    run(test())


def equivalent(want: bytes, have: bytes) -> bool:
    """The same, but for a TCP checksum of 0, which may be written as 0xffff."""
    differ = [at for at, (one, other) in enumerate(zip(want, have, strict=True)) if one != other]
    at = differ[0]
    return differ == [at, at + 1] and {want[at : at + 2], have[at : at + 2]} == {b"\0\0", b"\xff\xff"}


def test_udp_fragments_are_those_of_software() -> None:
    async def test() -> None:
        bench = await twin().up()
        skb = skb_of(Frame(protocol=UDP, payload=octets(5001), fragment=0), 1480, (300,), gso_type=GsoType.UDP)
        wanted = by_software(skb)
        await send(bench, skb)
        assert bench.wire() == wanted and len(wanted) == 4
        assert bench.driver.statistics()["tx0_packets"] == 4
        bench.check()

    run(test())


@pytest.mark.parametrize("features", [Feature.ALL, Feature.ALL & ~Feature.TSO_MANGLEID], ids=["device", "software"])
def test_a_fixed_id_stays(features: Feature) -> None:
    async def test() -> None:
        bench = await twin().up()
        bench.dev.features = features
        in_software: list[Skb] = []

        def noting(skb: Skb, complete: bool) -> list[Skb]:
            in_software.append(skb)
            return gso.segment(skb, complete=complete)

        bench.dev.segment = noting
        skb = skb_of(Frame(payload=octets(5000)), 1448, gso_fixed_id=True)
        wanted = by_software(skb)
        await send(bench, skb)
        assert bench.wire() == wanted and {frame[18:20] for frame in wanted} == {b"\0\7"}
        assert len(in_software) == (features != Feature.ALL)
        bench.check()

    run(test())


@pytest.mark.parametrize("cuts", [(), (62,), (30, 60, 100)])
def test_big_tcp_loses_its_jumbo_header(cuts: tuple[int, ...]) -> None:
    frame = Frame(6, payload=octets(200_000), extensions=(jumbo(200_028),), ip_len=0)

    async def test() -> None:
        bench = await twin().up()
        bench.dev.gso_max_size = 524_280
        pieces = tuple(range(10_000, 200_000, 10_000))
        skb = skb_of(frame, 8948, (*cuts, *pieces))
        wanted = by_software(skb)
        await send(bench, skb)
        assert bench.wire() == wanted
        assert bench.world.device.stats[Stat.DESC_FETCHED] <= 24 == len(wanted) + 1, "whole, not cut by software"
        bench.check()

    run(test())


def test_a_complete_checksum_becomes_the_pseudo_header_sum() -> None:
    frame = Frame(payload=octets(3000))
    asked = make_order(skb_of(frame, 1000))
    skb = skb_of(frame.completed(0), 1000)
    skb.csum_flags = CsumFlag.NONE
    complete = make_order(skb)
    assert b"".join(complete.data) == b"".join(asked.data)
    assert complete[1:] == asked[1:]


def test_what_fits_one_segment_is_an_ordinary_packet() -> None:
    skb = skb_of(Frame(payload=octets(1000)), 1000)
    order = make_order(skb)
    assert (order.offload, order.segments, order.length) == (None, 1, skb.len)
    assert order.wishes == 34 | 16 << 8


# -- the books


def test_byte_queue_limits_and_statistics_count_what_is_on_the_wire() -> None:
    async def test() -> None:
        bench = await twin().up()
        queued = []
        for size in (14_480, 1449, 100):
            before = bench.dev.tx_queues[0].dql.num_queued
            await send(bench, skb_of(Frame(payload=octets(size)), 1448))
            queued.append(bench.dev.tx_queues[0].dql.num_queued - before)
        assert queued == [14_480 + 10 * 54, 1449 + 2 * 54, 100 + 54]
        found = bench.driver.statistics()
        assert (found["tx0_packets"], found["tx0_bytes"]) == (13, sum(queued))
        padding = 60 - 55
        assert bench.world.device.stats[:2] == [13, sum(queued) + padding]
        bench.check()

    run(test())


def test_of_a_packet_that_fails_half_way_what_left_counts_as_sent() -> None:
    async def test() -> None:
        bench = await twin().up()
        skb = skb_of(Frame(payload=octets(10_000)), 1000, (54 + 4500,))
        bench.skbs.append(skb)
        map_, mapped = bench.world.memory.map, list[int]()

        def note(data: Any, start: int | None = None) -> int:
            mapped.append(map_(data, start))
            return mapped[-1]

        bench.driver.rings[0]._map = note
        assert bench.xmit(skb) == NETDEV_TX_OK
        bench.world.memory.forbid(mapped[1])
        await bench.all_done()
        assert bench.wire() == by_software(skb)[:4]
        found = bench.driver.statistics()
        assert (found["tx0_packets"], found["tx0_bytes"], found["tx0_error_read"]) == (4, 4 * 1054, 1)
        bench.check()

    run(test())


@pytest.mark.parametrize("report_every", [1, 7])
def test_requests_survive_the_reports_that_are_asked_for_later(report_every: int) -> None:
    async def test() -> None:
        bench = await twin(DriverConfig(ring_entries=64, report_every=report_every)).up()
        skbs = [skb_of(Frame(payload=octets(40 + n)), vlan_tci=n, wants_timestamp=n % 5 == 0) for n in range(200)]
        wanted = [frame for skb in skbs for frame in by_software(skb)]
        await send(bench, *skbs)
        assert bench.wire() == wanted
        assert all(skb.wire_ns for skb in skbs if skb.wants_timestamp)
        bench.check()

    run(test())


@given(st.integers(0, 400_000), st.integers(0, 50_000))
@settings(max_examples=30, deadline=None)
def test_a_reset_among_super_packets_loses_none_of_the_books(after_ns: int, drain_ns: int) -> None:
    async def test() -> None:
        bench = await twin(DriverConfig(line_rate_bps=10_000_000_000)).up()
        when_ns = bench.world.timeline.now_ns + after_ns
        for _ in range(20):
            skb = skb_of(Frame(payload=octets(20_000)), 1448)
            bench.skbs.append(skb)
            dev_queue_xmit(skb, bench.dev)
        bench.world.cpus[0].call_at(when_ns, lambda: bench.driver.reset_queue(0, drain_ns))
        await bench.all_done()
        await bench.world.pause(MS)
        found = bench.driver.statistics()
        assert found["tx0_packets"] <= len(bench.wire()) == bench.world.device.stats[0]
        assert found["tx0_packets"] // 14 + found["tx0_forgotten"] + found["tx0_error_aborted"] == 20
        await send(bench, skb_of(Frame(payload=octets(5000)), 1448))
        assert bench.wire()[-4:] == by_software(skb_of(Frame(payload=octets(5000)), 1448))
        bench.check()

    run(test())


# -- what the device can't do

LONG_HEADER = (PADDING,) * 23


def longer(skb: CountedSkb) -> tuple[CountedSkb, Feature]:
    """A packet with a byte more than its headers can say, and what the device does not do for it."""
    skb.data, skb.len = (*skb.data, b"\0"), skb.len + 1
    return skb, GSO_FEATURES


BEYOND: dict[str, tuple[CountedSkb, Feature]] = {
    "mss": (skb_of(Frame(payload=octets(40_000)), 16_384), GSO_FEATURES),
    "header": (skb_of(Frame(6, payload=octets(4000), extensions=LONG_HEADER), 1000), GSO_FEATURES),
    "payload": (skb_of(Frame(6, payload=octets(MAX_PAYLOAD + 1), ip_len=0), 9000), GSO_FEATURES),
    "datagram": longer(skb_of(Frame(protocol=UDP, payload=octets(65_527), ip_len=0), 1000, gso_type=GsoType.UDP)),
    "descriptors": (skb_of(Frame(payload=octets(4000)), 1000, tuple(range(63))), GSO_FEATURES),
    "checksum start": (
        skb_of(Frame(6, payload=octets(40), extensions=(PADDING,) * 26)),
        GSO_FEATURES | Feature.HW_CSUM,
    ),
    "fragment size": (
        skb_of(Frame(protocol=UDP, payload=octets(4000)), 1001, gso_type=GsoType.UDP),
        GSO_FEATURES,
    ),
    "tunnel": (skb_of(Frame(payload=octets(4000)), 1000, tunnel=Tunnel.UDP, inner_l3=14), GSO_FEATURES),
    "SCTP": (CountedSkb(64, (bytes(64),), csum_flags=CsumFlag.NEEDS_CRC32C), GSO_FEATURES | Feature.HW_CSUM),
    "other protocol": (skb_of(Frame(protocol=UDP, payload=octets(4000)), 1000, gso_type=GsoType.TCPV4), GSO_FEATURES),
    "figures": (CountedSkb(3054, gso_size=1000, gso_type=GsoType.TCPV4, hdr_len=54), GSO_FEATURES),
    "tag": (CountedSkb(13, (bytes(13),), vlan_tci=1), Feature.VLAN_TX),
}


@pytest.mark.parametrize(("skb", "missing"), BEYOND.values(), ids=BEYOND)
def test_what_the_device_can_not_do_is_left_to_software(skb: CountedSkb, missing: Feature) -> None:
    assert features_check(skb, int(Feature.ALL)) == Feature.ALL & ~missing


@pytest.mark.parametrize("name", ["mss", "header", "descriptors", "checksum start"])
def test_what_is_left_to_software_leaves_all_the_same(name: str) -> None:
    async def test() -> None:
        bench = await twin().up()
        bench.dev.mtu = 16_384 + 54 - 14
        skb = copied(OwnedSkb, BEYOND[name][0])
        wanted = by_software(skb)
        await send(bench, skb)
        for want, have in zip(wanted, bench.wire(), strict=True):
            assert have == want or equivalent(want, have)
        bench.check()

    run(test())


AT_THE_LIMIT: dict[str, CountedSkb] = {
    "mss": skb_of(Frame(payload=octets(40_000)), 16_383),
    "header": skb_of(Frame(6, payload=octets(4000), extensions=(PADDING,) * 22, l4_options=b"\1" * 4), 1000),
    "payload": skb_of(Frame(6, payload=octets(MAX_PAYLOAD), ip_len=0), 9000),
    "datagram": skb_of(Frame(protocol=UDP, payload=octets(65_527), ip_len=0), 1000, gso_type=GsoType.UDP),
    "descriptors": skb_of(Frame(payload=octets(4000)), 1000, tuple(range(62))),
    "fragment size": skb_of(Frame(protocol=UDP, payload=octets(4000)), 1000, gso_type=GsoType.UDP),
    "tag": CountedSkb(14, (bytes(14),), vlan_tci=1),
}


@pytest.mark.parametrize("skb", AT_THE_LIMIT.values(), ids=AT_THE_LIMIT)
def test_what_is_just_within_the_limits_is_left_to_the_device(skb: CountedSkb) -> None:
    assert features_check(skb, int(Feature.ALL)) == Feature.ALL
    assert (make_order(skb).offload is not None) == skb.is_gso


def test_an_order_that_can_not_be_is_refused() -> None:
    for name in ("mss", "other protocol", "checksum start", "tunnel", "SCTP"):
        with pytest.raises(GsoError):
            make_order(BEYOND[name][0])


# -- switches


def test_features_are_switched_by_their_names() -> None:
    dev = twin().dev
    assert dev.features == dev.hw_features == Feature.ALL
    dev.set_features({"tx-tcp-segmentation": False, "tx-vlan-hw-insert": False})
    assert dev.features == Feature.ALL & ~Feature.TSO & ~Feature.TSO_MANGLEID & ~Feature.VLAN_TX
    dev.set_features({"tx-checksum-ip-generic": False})
    assert dev.feature_bits == Feature.SG
    dev.set_features({"tx-checksum-ip-generic": True})
    assert dev.features == Feature.ALL & ~Feature.TSO & ~Feature.TSO_MANGLEID & ~Feature.VLAN_TX, (
        "what it took along comes back"
    )
    assert sum(ETHTOOL_NAMES.values()) == Feature.ALL


def test_a_feature_that_is_not_there_is_refused() -> None:
    dev = twin().dev
    dev.hw_features &= ~Feature.USO
    with pytest.raises(ValueError, match="eth0: feature tx-nonsense; allowed: tx-scatter-gather, "):
        dev.set_features({"tx-tcp-segmentation": False, "tx-nonsense": True})
    with pytest.raises(ValueError, match="eth0: feature tx-udp-segmentation on: the device does not have it"):
        dev.set_features({"tx-udp-segmentation": True})
    assert dev.features == Feature.ALL
