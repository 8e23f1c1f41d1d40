"""choke from its paper and sch_choke.c: who is set against whom, when RED decides, holes, and a fair share."""

from __future__ import annotations

from collections import Counter, deque
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringwire.qdisc import XMIT_CN, XMIT_DROP, XMIT_SUCCESS
from ringwire.qdisc.choke import Choke, ChokeParams, flow_of, random_below
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.red_law import RedSpec
from ringwire.skb import Skb
from tests.frames import UDP, Frame
from tests.stack_bench import StackBench

STAB = bytes([*[0] * 255, 31])
HALF = 0x8000_1000
"""A lot in the middle; exactly there, some ceilings would have it drawn again."""


def choke(
    limit: int = 100, least: int = 5, most: int = 20, ecn: bool = False, max_p: int = 2**32 // 50
) -> tuple[Choke, StackBench]:
    """A weight of 1/2, so that the average follows the queue closely."""
    bench = StackBench()
    spec = RedSpec(qth_min=least, qth_max=most, wlog=1, scell_log=10, stab=STAB, max_p=max_p)
    return Choke(bench.dev, ChokeParams(limit, spec, ecn)), bench


def fill(qdisc: Choke, count: int, flow: int = 0) -> None:
    """Packets of flows of their own, or of one, which are let in; the average is 0 then."""
    least, qdisc._qth_min = qdisc._qth_min, 1 << 40
    for ident in range(count):
        assert qdisc.enqueue(packet(flow or 1000 + ident, ident), []) == XMIT_SUCCESS
    qdisc._qth_min = least
    qdisc._state.qavg = 0


def packet(flow: int, ident: int = 0, tos: int = 0) -> Skb:
    return Skb(len=1000, pkt_len=1000, hash=flow, id=ident, tos=tos)


def draw(bench: StackBench, *lots: int) -> None:
    bench.dev.random_u32 = deque(lots).popleft


def test_a_short_queue_is_left_alone() -> None:
    qdisc, bench = choke()
    draw(bench)
    fill(qdisc, 8, flow=7)
    # the average becomes 8 / 2 = 4 packets
    assert qdisc.enqueue(packet(7), []) == XMIT_SUCCESS
    assert qdisc._state.qavg >> 1 == 4


def test_a_packet_meets_one_of_its_own_flow_and_both_go() -> None:
    qdisc, bench = choke()
    fill(qdisc, 12)
    draw(bench, HALF)
    to_free: list[Skb] = []
    mate = packet(1006, 99)
    assert qdisc.enqueue(mate, to_free) == XMIT_CN
    assert [skb.id for skb in to_free] == [6, 99]
    assert (qdisc.qlen, qdisc.backlog, qdisc.drops, qdisc.xstats().matched) == (11, 11_000, 2, 1)
    assert [skb.id for skb in iter(qdisc.dequeue, None)] == [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11]


def test_a_packet_that_meets_another_flow_faces_the_law() -> None:
    qdisc, bench = choke()
    fill(qdisc, 12)
    draw(bench, HALF, 0xFFFF_FFFF)
    assert qdisc.enqueue(packet(1), []) == XMIT_SUCCESS
    assert qdisc._state.qcount == 0 and qdisc._state.qR == 0xFFFF_FFFF // (2**32 // 50 // 15)


@pytest.mark.parametrize(("ecn", "tos", "rc"), [(False, 2, XMIT_CN), (True, 0, XMIT_CN), (True, 2, XMIT_SUCCESS)])
def test_above_the_upper_threshold_all_others_are_dropped_or_marked(ecn: bool, tos: int, rc: int) -> None:
    qdisc, bench = choke(ecn=ecn)
    fill(qdisc, 50)
    draw(bench, HALF)
    skb = packet(1, tos=tos)
    assert qdisc.enqueue(skb, []) == rc
    assert qdisc.overlimits == 1
    stats = qdisc.xstats()
    assert (stats.marked, stats.early) == ((1, 0) if rc == XMIT_SUCCESS else (0, 1))
    assert skb.tos == (3 if rc == XMIT_SUCCESS else tos)


def test_holes_are_drawn_again_and_after_three_the_first_packet_is_taken() -> None:
    qdisc, bench = choke()
    fill(qdisc, 12)
    draw(bench, HALF)
    assert qdisc.enqueue(packet(1006), []) == XMIT_CN
    # the hole is the seventh of twelve places: lots between 6/12 and 7/12 meet it
    draw(bench, HALF, HALF + 1, 0x1000)
    assert qdisc._draw() == 0
    draw(bench, HALF, HALF, HALF + 2**29)
    assert qdisc._draw() == 7
    draw(bench, HALF, HALF, HALF)
    assert qdisc._draw() == 0
    assert qdisc.dequeue() is not None
    draw(bench, HALF, HALF + 2**29)
    assert qdisc._draw() == 7, "the hole is the sixth of eleven places now"


@pytest.mark.parametrize("seed", range(10))
def test_holes_never_lose_a_packet(seed: int) -> None:
    """Matches without departures between them fill a table of so few places with holes."""
    rng = Random(seed)
    qdisc, bench = choke(limit=7, least=0, most=100)
    bench.dev.random_u32 = lambda: rng.getrandbits(32)
    held: list[int] = []
    for ident in range(300):
        if rng.random() < 0.9:
            to_free: list[Skb] = []
            held.append(ident)
            qdisc.enqueue(packet(rng.randrange(1, 9), ident), to_free)
            for skb in to_free:
                held.remove(skb.id)
        else:
            out = qdisc.dequeue()
            assert (out.id if out else None) == (held.pop(0) if held else None)
        assert (qdisc.qlen, qdisc.backlog) == (len(held), 1000 * len(held))
        assert len(qdisc._table) - qdisc._head <= 7
    assert qdisc.matched > 20


def test_on_its_thresholds_the_average_is_below_the_lower_and_not_above_the_upper() -> None:
    qdisc, bench = choke()
    fill(qdisc, 5)
    qdisc._state.qavg = 5 << 1
    draw(bench)
    assert qdisc.enqueue(packet(1), []) == XMIT_SUCCESS and qdisc._state.qavg == 5 << 1
    qdisc, bench = choke()
    fill(qdisc, 20)
    qdisc._state.qavg = 20 << 1
    draw(bench, HALF, HALF)
    assert qdisc.enqueue(packet(1), []) == XMIT_SUCCESS and qdisc._state.qavg == 20 << 1
    assert not qdisc.overlimits


def test_a_full_queue_drops_at_the_tail() -> None:
    qdisc, bench = choke(limit=4)
    fill(qdisc, 4)
    draw(bench)
    assert qdisc.enqueue(packet(1), []) == XMIT_DROP
    assert qdisc.xstats().pdrop == 1


def test_a_smaller_table_keeps_the_oldest_and_a_limit_within_it_drops_nothing() -> None:
    qdisc, bench = choke(limit=100)
    fill(qdisc, 40)
    spec = qdisc.params().spec
    qdisc.change(ChokeParams(70, spec))
    assert not bench.dropped and qdisc.qlen == 40
    qdisc.change(ChokeParams(10, spec))
    assert [skb.id for skb in bench.dropped] == list(range(39, 14, -1))
    assert (qdisc.qlen, qdisc.backlog, qdisc.drops) == (15, 15_000, 25)
    assert [skb.id for skb in iter(qdisc.dequeue, None)] == list(range(15))


def test_what_the_kernel_refuses() -> None:
    qdisc, bench = choke()
    spec = qdisc.params().spec
    with pytest.raises(QdiscError):
        qdisc.change(ChokeParams(128 * 1024, spec))
    with pytest.raises(QdiscError):
        Choke(bench.dev, ChokeParams(100))
    with pytest.raises(QdiscError):
        qdisc.change(ChokeParams(100, RedSpec(qth_min=9, qth_max=5, wlog=1, stab=STAB)))
    assert qdisc.params() == ChokeParams(100, spec)


def test_the_average_falls_by_the_table_after_an_idle_time() -> None:
    qdisc, bench = choke()
    qdisc._state.qavg = 40
    assert qdisc.dequeue() is None
    bench.pass_ns(255 * 1024 * 1000)
    assert qdisc.enqueue(packet(1), []) == XMIT_SUCCESS
    assert qdisc._state.qavg == 0 and qdisc._state.idle_since_ns is None


@given(st.integers(1, 1 << 17), st.integers(0, 2**32 - 1))
def test_a_draw_is_below_its_ceiling(ceiling: int, lot: int) -> None:
    drawn = random_below(iter((lot, HALF)).__next__, ceiling)
    assert 0 <= drawn < ceiling


def test_a_draw_that_would_favour_some_numbers_is_repeated() -> None:
    # of 2^32 numbers 2^32 % 3 = 1 is one too many for three: the product with remainder 0
    lots = deque((0, 2**31))
    assert random_below(lots.popleft, 3) == 1 and not lots


def test_packets_without_hash_are_compared_by_their_bytes() -> None:
    contents = [Frame(protocol=UDP, payload=b"x" * size) for size in (20, 30)]
    frames = [each.build() for each in (*contents, Frame(protocol=UDP, ports=(7, 8)))]
    flows = [flow_of(Skb(len=len(frame), data=(frame,))) for frame in frames]
    assert flows[0] == flows[1] != flows[2]
    assert flow_of(Skb(len=3, data=(b"abc",))) == flow_of(Skb(len=100)) == 0


def test_an_unresponsive_flow_gets_much_less_than_it_sends() -> None:
    """A flood of ten times the others' rate: RED would leave it ten times as much of the link as each of them."""
    qdisc, _ = choke(limit=200, least=20, most=60)
    rng = Random(1)
    sent: Counter[int] = Counter()
    for step in range(6000):
        flow = 1 if rng.random() < 10 / 20 else rng.randrange(2, 12)
        qdisc.enqueue(packet(flow), [])
        if step % 2 and (skb := qdisc.dequeue()) is not None:
            sent[skb.hash] += 1
    others = sum(count for flow, count in sent.items() if flow != 1) / 10
    assert sent[1] < 4.5 * others
    assert qdisc.xstats().matched > 500
