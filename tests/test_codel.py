"""codel and fq_codel beyond their traces: the law's times (RFC 8289), flows' turns (RFC 8290), who pays, counts."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import ClassVar

import pytest

from ringwire.qdisc import XMIT_CN, XMIT_SUCCESS
from ringwire.qdisc.base import CAN_BYPASS
from ringwire.qdisc.classify import ETH_P_ALL, OK, STOLEN, UNSPEC, Match
from ringwire.qdisc.codel import CodelParams, CodelQdisc
from ringwire.qdisc.codel_law import REC_ONE, CodelState, drop_next_us, from_us, newton_step, pace, to_us
from ringwire.qdisc.fq_codel import FqCodel, FqCodelParams
from ringwire.skb import Skb
from ringwire.tools.tc import Tc, TcError
from tests.stack_bench import StackBench

MS = 1_000_000
ECT0, CE = 2, 3


def codel(params: CodelParams | None = None) -> tuple[CodelQdisc, StackBench]:
    bench = StackBench()
    return CodelQdisc(bench.dev, params, handle=0x10000), bench


def fq_codel(params: FqCodelParams | None = None) -> tuple[FqCodel, StackBench]:
    bench = StackBench()
    return FqCodel(bench.dev, params, handle=0x10000), bench


def lengths(qdisc: FqCodel) -> list[int]:
    """Packets in each flow."""
    return [len(flow.queue) if flow else 0 for flow in qdisc.flows]


def packet(ident: int = 0, flow: int = 0, length: int = 1000, tos: int = 0, truesize: int = 2304) -> Skb:
    """``flow`` is fq_codel's flow number, by the priority that names it."""
    priority = 0x10000 | flow + 1
    return Skb(len=length, pkt_len=length, id=ident, priority=priority, tos=tos, truesize=truesize)


def put(qdisc: CodelQdisc | FqCodel, skbs: Iterable[Skb]) -> list[int]:
    """Return codes."""
    return [qdisc.enqueue(skb, []) for skb in skbs]


def take_every_ms(qdisc: CodelQdisc | FqCodel, bench: StackBench, since: int, until: int) -> list[int]:
    """Dequeue once a millisecond; those at which something was dropped or marked."""
    eventful = []
    for ms in range(since, until + 1):
        bench.pass_ns(ms * MS - bench.timeline.now_ns)
        before = len(bench.dropped)
        skb = qdisc.dequeue()
        if len(bench.dropped) > before or (skb is not None and skb.tos & 3 == CE):
            eventful.append(ms)
    return eventful


# Delay is above target from the first packet on, at 10 ms, so that the first drop is due once 110 ms are past. The
# next is 97,654 units of 1.024 us later (100.0 ms), then 48,829 (50.0), 54,931 (56.2), 47,635 (48.8), 43,116 (44.2):
# the recorded reciprocal square roots of 1 to 5, which begin badly.
DROP_TIMES_MS = [111, 211, 261, 318, 367, 411]


@pytest.mark.parametrize("tos", [0, ECT0])
def test_drops_come_an_interval_after_the_delay_rose_and_then_ever_faster(tos: int) -> None:
    qdisc, bench = codel(CodelParams(ecn=bool(tos)))
    put(qdisc, (packet(ident, tos=tos) for ident in range(600)))
    assert take_every_ms(qdisc, bench, 10, 420) == DROP_TIMES_MS
    assert (qdisc.drops, qdisc.law.ecn_marks) == ((0, 6) if tos else (6, 0))
    assert qdisc.xstats().count == 6 and qdisc.xstats().dropping


def test_packets_that_cannot_be_marked_are_dropped_although_ecn_is_on() -> None:
    qdisc, bench = codel(CodelParams(ecn=True))
    put(qdisc, (packet(ident) for ident in range(300)))
    assert take_every_ms(qdisc, bench, 10, 150) == [111]
    assert [skb.id for skb in bench.dropped] == [101]


def test_nothing_is_dropped_while_no_more_than_one_full_packet_is_behind() -> None:
    qdisc, bench = codel(CodelParams(target=1000, interval=10_000))
    put(qdisc, [packet(0, length=1514)])
    for ident in range(1, 40):
        put(qdisc, [packet(ident, length=1514)])
        bench.pass_ns(10 * MS)
        assert qdisc.dequeue() is not None
    assert qdisc.drops == 0 and qdisc.vars.first_above == 0
    put(qdisc, [packet(40), packet(41, length=515)])
    bench.pass_ns(10 * MS)
    qdisc.dequeue()
    assert qdisc.backlog == 1515 and qdisc.vars.first_above, "one byte more"


@pytest.mark.parametrize(("until", "dropped"), [(220, 2), (270, 3), (330, 4)])
def test_a_good_packet_ends_dropping_and_bad_times_soon_after_resume_at_the_old_pace(until: int, dropped: int) -> None:
    qdisc, bench = codel()
    put(qdisc, (packet(ident) for ident in range(600)))
    take_every_ms(qdisc, bench, 10, until)
    assert (qdisc.vars.count, qdisc.vars.last_count) == (dropped, 1)
    while qdisc.dequeue() is not None:
        pass
    assert not qdisc.vars.dropping
    put(qdisc, (packet(ident) for ident in range(600)))
    start = bench.timeline.now_ns // MS + 10
    drops = take_every_ms(qdisc, bench, start, start + 110)
    assert drops == [start + 101]
    # the drops of then but for the one that began it, and a step of approximation for that number
    assert (qdisc.vars.count, qdisc.vars.last_count) == (dropped - 1, dropped - 1)
    assert (qdisc.vars.rec_inv_sqrt == REC_ONE) == (dropped == 2)


def test_long_after_the_last_drop_the_pace_is_forgotten() -> None:
    qdisc, bench = codel()
    put(qdisc, (packet(ident) for ident in range(600)))
    take_every_ms(qdisc, bench, 10, 330)
    while qdisc.dequeue() is not None:
        pass
    bench.pass_ns(1700 * MS)
    put(qdisc, (packet(ident) for ident in range(600)))
    start = bench.timeline.now_ns // MS + 10
    take_every_ms(qdisc, bench, start, start + 110)
    assert (qdisc.vars.count, qdisc.vars.rec_inv_sqrt) == (1, REC_ONE)


def test_a_long_pause_has_several_drops_due_at_once() -> None:
    qdisc, bench = codel()
    put(qdisc, (packet(ident) for ident in range(600)))
    take_every_ms(qdisc, bench, 10, 120)
    before = qdisc.drops
    bench.pass_ns(400 * MS)
    qdisc.dequeue()
    # due at 211, 261, 317, 366, 410, 451, 490 ms; it is 520
    assert qdisc.drops - before == 7


@pytest.mark.parametrize(("selector", "mask", "marked"), [(0, 0, 3), (1, 3, 1), (2, 3, 2)])
def test_above_ce_threshold_packets_are_marked_with_ecn_off(selector: int, mask: int, marked: int) -> None:
    qdisc, bench = fq_codel(
        FqCodelParams(ecn=False, ce_threshold=3000, ce_threshold_selector=selector, ce_threshold_mask=mask)
    )
    put(qdisc, [packet(tos=tos) for tos in (0, 1, 2, 2)])
    bench.pass_ns(2 * MS)
    put(qdisc, [packet(tos=2)])
    bench.pass_ns(2 * MS)
    out = [qdisc.dequeue() for _ in range(5)]
    assert sum(skb is not None and skb.tos == CE for skb in out) == marked == qdisc.xstats().ce_mark
    assert out[-1] is not None and out[-1].tos == 2, "two milliseconds old"


def test_shown_times_lose_up_to_a_microsecond() -> None:
    assert [to_us(from_us(us)) for us in (0, 1, 1000, 5000, 100_000)] == [0, 0, 999, 4999, 99_999]


def test_the_reciprocal_square_root_comes_close_after_some_steps() -> None:
    for count in (50, 200, 600):
        assert pace(97656, count)[0] == pytest.approx(65536 / count**0.5, rel=0.01)
    assert newton_step(REC_ONE, 2) == 32769


def test_time_to_the_next_drop_may_be_past() -> None:
    state = CodelState()
    assert drop_next_us(state, 5 * MS) == 0
    state.dropping, state.drop_next = True, from_us(8000)
    assert drop_next_us(state, 5 * MS) == pytest.approx(3000, abs=2)
    assert drop_next_us(state, 9 * MS) == pytest.approx(-1000, abs=2)


def test_the_law_works_across_the_wrap_of_its_clock() -> None:
    qdisc, bench = codel()
    bench.pass_ns((1 << 42) - 50 * MS)
    base = bench.timeline.now_ns
    put(qdisc, (packet(ident) for ident in range(600)))
    drops = []
    for ms in range(10, 421):
        bench.pass_ns(base + ms * MS - bench.timeline.now_ns)
        before = qdisc.drops
        qdisc.dequeue()
        if qdisc.drops > before:
            drops.append(ms)
    assert drops == pytest.approx(DROP_TIMES_MS, abs=1)


def test_a_lower_limit_drops_the_oldest_and_counts_them() -> None:
    qdisc, bench = codel()
    put(qdisc, (packet(ident) for ident in range(10)))
    qdisc.peek()
    qdisc.change(CodelParams(limit=3))
    assert sorted(skb.id for skb in bench.dropped) == list(range(7)), "the one that was peeked at as well"
    assert (qdisc.qlen, qdisc.backlog, qdisc.drops) == (3, 3000, 7)
    assert put(qdisc, [packet(11)]) == [1] and qdisc.xstats().drop_overlimit == 1


def test_only_a_queue_that_can_hold_a_packet_may_be_bypassed() -> None:
    assert codel()[0].flags & fq_codel()[0].flags & CAN_BYPASS
    assert not codel(CodelParams(limit=0))[0].flags & CAN_BYPASS
    assert not fq_codel(FqCodelParams(limit=0))[0].flags & CAN_BYPASS


# -- fq_codel


def order(qdisc: FqCodel, count: int = 1000) -> list[int]:
    out: list[int] = []
    while len(out) < count and (skb := qdisc.dequeue()) is not None:
        out.append(skb.id)
    return out


def test_a_flow_that_comes_new_goes_before_those_that_had_their_turn() -> None:
    qdisc, _ = fq_codel(FqCodelParams(quantum=1000))
    put(qdisc, (packet(ident, flow=0) for ident in range(4)))
    assert order(qdisc, 2) == [0, 1]
    put(qdisc, [packet(10, flow=1), packet(20, flow=2)])
    # flow 0 has used its quantum and is among the old ones by now
    assert order(qdisc) == [10, 20, 2, 3]


def test_flows_share_in_quanta_of_bytes() -> None:
    qdisc, _ = fq_codel(FqCodelParams(quantum=1500))
    put(qdisc, (packet(ident, flow=0, length=1500) for ident in range(100, 104)))
    put(qdisc, (packet(ident, flow=1, length=500) for ident in range(200, 212)))
    out = order(qdisc)
    for turns in range(1, 4):
        sent = out[: 4 * turns]
        assert [sum(ident // 100 == flow for ident in sent) for flow in (1, 2)] == [turns, 3 * turns]


def test_a_new_flow_that_runs_empty_waits_once_among_the_old() -> None:
    qdisc, _ = fq_codel(FqCodelParams(quantum=1500))
    put(qdisc, (packet(ident, flow=0, length=1500) for ident in range(3)))
    order(qdisc, 1)
    put(qdisc, [packet(10, flow=1)])
    assert order(qdisc, 2) == [10, 1]
    assert (qdisc.xstats().new_flows_len, qdisc.xstats().old_flows_len) == (0, 2)
    put(qdisc, [packet(11, flow=1)])
    assert qdisc.xstats().new_flow_count == 2, "still listed: it is not new again"
    assert order(qdisc) == [11, 2]
    assert (qdisc.xstats().new_flows_len, qdisc.xstats().old_flows_len) == (0, 0)


def test_the_hash_picks_the_flow_unless_the_priority_names_one() -> None:
    qdisc, _ = fq_codel(FqCodelParams(flows=4))
    skbs = [Skb(len=100, pkt_len=100, hash=n << 30) for n in range(4)]
    skbs.append(Skb(len=100, pkt_len=100, priority=0x10002))
    skbs.append(Skb(len=100, pkt_len=100, priority=0x10005, hash=0xFFFF_FFFF))
    put(qdisc, skbs)
    assert lengths(qdisc) == [1, 2, 1, 2]


def test_the_fattest_flow_pays_half_and_the_first_of_equal_ones() -> None:
    qdisc, bench = fq_codel(FqCodelParams(limit=20, flows=8))
    put(qdisc, (packet(ident, flow=5) for ident in range(10)))
    put(qdisc, (packet(100 + ident, flow=3) for ident in range(10)))
    to_free: list[Skb] = []
    assert qdisc.enqueue(packet(200, flow=1), to_free) == XMIT_SUCCESS
    assert [skb.id for skb in to_free] == [104, 103, 102, 101, 100]
    fattest = qdisc.flows[3]
    assert fattest is not None and fattest.count == 5, "CoDel is told"
    to_free.clear()
    put(qdisc, (packet(300 + ident, flow=1) for ident in range(4)))
    assert qdisc.enqueue(packet(210, flow=5), to_free) == XMIT_CN
    assert len(to_free) == 6 and (qdisc.qlen, qdisc.drops) == (15, 11)
    assert not bench.dropped


def test_no_more_than_drop_batch_packets_go_at_once() -> None:
    qdisc, _ = fq_codel(FqCodelParams(limit=40, drop_batch=4))
    codes = put(qdisc, (packet(ident) for ident in range(41)))
    assert codes == [XMIT_SUCCESS] * 40 + [XMIT_CN]
    assert (qdisc.qlen, qdisc.xstats().drop_overlimit, qdisc.xstats().drop_overmemory) == (37, 4, 0)


def test_memory_is_limited_by_truesize() -> None:
    qdisc, _ = fq_codel(FqCodelParams(memory_limit=10_000))
    assert put(qdisc, (packet(ident, length=60, truesize=2500) for ident in range(5))) == [XMIT_SUCCESS] * 4 + [XMIT_CN]
    stats = qdisc.xstats()
    assert (stats.memory_used, stats.drop_overmemory, stats.drop_overlimit) == (5000, 3, 3)
    order(qdisc)
    assert qdisc.xstats().memory_used == 0


@pytest.mark.parametrize("seed", range(20))
def test_it_is_always_the_fattest_flow_that_pays(seed: int) -> None:
    rng = Random(seed)
    qdisc, _ = fq_codel(FqCodelParams(limit=40, flows=8, drop_batch=3))
    held: list[list[Skb]] = [[] for _ in range(8)]
    for _ in range(400):
        if rng.random() < 0.4:
            skb = qdisc.dequeue()
            if skb is not None:
                held[(skb.priority & 0xFFFF) - 1].remove(skb)
            continue
        flow = min(rng.randrange(8), rng.randrange(8))
        skb = packet(flow=flow, length=rng.choice((60, 500, 1000, 1514)))
        held[flow].append(skb)
        to_free: list[Skb] = []
        rc = qdisc.enqueue(skb, to_free)
        if sum(map(len, held)) > 40:
            sizes = [sum(each.len for each in queue) for queue in held]
            fattest = sizes.index(max(sizes))
            count, size = 0, 0
            while count < 3 and (not count or size < max(sizes) // 2):
                size += held[fattest][count].len
                count += 1
            assert to_free == held[fattest][:count][::-1]
            del held[fattest][:count]
            assert rc == (XMIT_CN if fattest == flow else XMIT_SUCCESS)
        else:
            assert rc == XMIT_SUCCESS and not to_free
        assert [flow.backlog if flow else 0 for flow in qdisc.flows] == [
            sum(each.len for each in queue) for queue in held
        ]
    assert qdisc.drop_overlimit > 20


def tc_bench() -> tuple[StackBench, FqCodel]:
    bench = StackBench(name="eth0")
    bench.dev.tx_queues[0].stop()
    Tc([bench.dev]).run("tc qdisc add dev eth0 root handle 1: fq_codel flows 4 quantum 500")
    qdisc = bench.dev.qdisc
    assert isinstance(qdisc, FqCodel)
    return bench, qdisc


def test_the_number_of_flows_is_fixed_at_creation() -> None:
    bench, qdisc = tc_bench()
    run = Tc([bench.dev]).run
    with pytest.raises(TcError, match="Invalid argument"):
        run("tc qdisc change dev eth0 root fq_codel flows 4 limit 7")
    assert qdisc.limit == 10240
    with pytest.raises(TcError, match="Invalid quantum"):
        run("tc qdisc change dev eth0 root fq_codel quantum 1048577")
    with pytest.raises(TcError, match="Invalid argument"):
        run("tc qdisc replace dev eth0 root handle 2: fq_codel flows 65537")
    run("tc qdisc change dev eth0 root fq_codel quantum 100 drop_batch 0")
    assert (qdisc.quantum, qdisc.drop_batch) == (256, 64)


def test_flows_show_as_classes_while_they_wait_for_their_turn() -> None:
    bench, qdisc = tc_bench()
    put(qdisc, [packet(0, flow=2, length=600), packet(1, flow=2, length=600), packet(2, flow=0)])
    bench.pass_ns(2 * MS)
    qdisc.dequeue()
    assert Tc([bench.dev]).run("tc -s class show dev eth0") == (
        "class fq_codel 1:1 parent 1: \n"
        " (dropped 0, overlimits 0 requeues 0) \n"
        " backlog 1000b 1p requeues 0\n"
        "  deficit 500 count 0 lastcount 0 ldelay 0us\n"
        "class fq_codel 1:3 parent 1: \n"
        " (dropped 0, overlimits 0 requeues 0) \n"
        " backlog 600b 1p requeues 0\n"
        "  deficit -100 count 0 lastcount 0 ldelay 2ms\n"
    )


def test_filters_pick_a_flow_and_what_they_do_not_pick_is_dropped() -> None:
    _, qdisc = tc_bench()
    verdicts = iter([(OK, 0x10003), (OK, 0), (OK, 0x10005), (UNSPEC, 0), (STOLEN, 0)])

    class Fixed:
        kind: ClassVar[str] = "fixed"
        protocol = ETH_P_ALL
        prio = 1

        def classify(self, skb: Skb, match: Match) -> int:
            verdict, match.classid = next(verdicts)
            return verdict

        def class_ids(self) -> tuple[int, ...]:
            return ()

        def destroy(self) -> None:
            return None

    qdisc.block(0x10000).attach(Fixed())
    to_free: list[Skb] = []
    codes = [qdisc.enqueue(Skb(len=100, pkt_len=100), to_free) & 0xFFFF for _ in range(5)]
    assert codes == [XMIT_SUCCESS] * 5
    assert lengths(qdisc) == [0, 0, 1, 0]
    assert (len(to_free), qdisc.drops) == (3, 3), "the stolen one is neither freed nor counted"


def test_a_sparse_flow_waits_no_longer_than_one_packet_of_each_new_flow() -> None:
    qdisc, bench = fq_codel()
    ident = 0
    waits = []
    for step in range(2000):
        put(qdisc, [packet(ident, flow=1 + step % 5, length=1514)])
        if step % 40 == 0:
            put(qdisc, [packet(-step - 1, flow=0, length=100)])
            position = next(place for place, out in enumerate(order(qdisc, 3)) if out < 0)
            waits.append(position)
        elif step % 3 == 0:
            order(qdisc, 1)
        bench.pass_ns(100_000)
    assert max(waits) <= 2 and sum(waits) / len(waits) < 0.6


def test_drops_inside_are_taken_off_the_counts_above() -> None:
    bench = StackBench(name="eth0")
    bench.dev.tx_queues[0].stop()
    run = Tc([bench.dev]).run
    run("tc qdisc add dev eth0 root handle 1: drr")
    run("tc class add dev eth0 parent 1: classid 1:1 drr")
    run("tc qdisc add dev eth0 parent 1:1 handle 10: codel target 1ms interval 10ms")
    drr = bench.dev.qdisc
    inner = next(child for _, child in drr.children())
    for ident in range(30):
        drr.enqueue(Skb(len=1000, pkt_len=1000, id=ident, priority=0x10001), [])
    sent = 0
    while drr.qlen:
        bench.pass_ns(15 * MS)
        sent += drr.dequeue() is not None
        assert (drr.qlen, drr.backlog) == (inner.qlen, inner.backlog)
    assert sent + len(bench.dropped) == 30 and inner.drops == drr.drops == len(bench.dropped) > 3
    drr.enqueue(Skb(len=1000, pkt_len=1000, priority=0x10001), [])
    assert drr.dequeue() is not None, "the class is still served"
