"""fq where no trace looks: sockets, rates, bands, collection, change. After net/sched/sch_fq.c of Linux 6.12."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringwire.qdisc import XMIT_DROP, XMIT_SUCCESS
from ringwire.qdisc.fq import FAST_PATH, Fq
from ringwire.qdisc.fq_params import BANDS
from ringwire.skb import Skb
from ringwire.sock import Sock
from ringwire.tools.tc import Tc, TcError
from tests.stack_bench import StackBench

S = 1_000_000_000
START = 5 * S


def made(options: str = "") -> tuple[StackBench, Fq, Callable[[str], str]]:
    bench = StackBench(name="eth0")
    bench.pass_ns(START)
    bench.txq.stop()  # the discipline's timer finds nothing to do: the tests dequeue
    run = Tc([bench.dev]).run
    run(f"tc qdisc add dev eth0 root handle 1: fq {options}")
    assert isinstance(bench.dev.qdisc, Fq)
    return bench, bench.dev.qdisc, run


def put(fq: Fq, length: int = 1000, **fields: object) -> int:
    to_free: list[Skb] = []
    rc = fq.enqueue(Skb(len=length, pkt_len=length, **fields), to_free)  # type: ignore[arg-type]
    for skb in to_free:
        fq.dev.drop(skb)
    return rc


def drain(fq: Fq) -> list[Skb]:
    return list(iter(fq.dequeue, None))


def fill_fast_path(fq: Fq) -> None:
    """From now on packets go to flows, as long as none of these leaves."""
    for _ in range(FAST_PATH):
        put(fq, id=-1)


def test_what_is_due_goes_ahead_until_eight_wait_then_flows_take_turns_by_quantum() -> None:
    _, fq, _ = made("quantum 2000 initial_quantum 2000")
    fill_fast_path(fq)
    for ident in range(12):
        put(fq, hash=ident // 4, id=ident)
    out = [skb.id for skb in drain(fq)]
    assert out[:FAST_PATH] == [-1] * FAST_PATH
    # new flows first, two packets each; then what is left, as old flows
    assert out[FAST_PATH:] == [0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11]


def test_a_socket_is_one_flow_whatever_its_hashes_and_others_are_not() -> None:
    _, fq, _ = made()
    fill_fast_path(fq)
    tcp, udp = Sock(tcp=True), Sock(connected=False)
    for ident in range(4):
        put(fq, hash=ident, sk=tcp, id=ident)
        put(fq, hash=ident, sk=udp, id=ident + 10)
    assert len(fq.flows) == 5
    assert (tcp.paced_by_fq, udp.paced_by_fq) == (True, False)


def test_a_paced_socket_sends_its_first_credit_and_then_keeps_its_rate() -> None:
    bench, fq, _ = made()
    sk = Sock(pacing_rate=1_000_000, max_pacing_rate=1_000_000)
    for ident in range(40):
        put(fq, sk=sk, id=ident)
    assert len(drain(fq)) == 16, "15140 bytes of credit, and what the last one overdraws"
    # a delay is for 3028 bytes at least, and there is a packet too many when credit is left over
    assert fq.watchdog.expires_ns == START + 3_028_000
    counts = []
    for _ in range(5):
        bench.pass_ns(fq.watchdog.expires_ns - bench.dev.now_ns())
        counts.append(len(drain(fq)))
    # credit -860, +3028 = 2168: three of them leave -832, then 2196 - 3000 = -804, ...
    assert counts == [3, 3, 3, 3, 3]


def test_a_slow_socket_sends_packet_by_packet() -> None:
    bench, fq, _ = made()
    sk = Sock(pacing_rate=50_000, max_pacing_rate=50_000)
    for ident in range(3):
        put(fq, 500, sk=sk, id=ident)
    sent = []
    for _ in range(3):
        sent += [(skb.id, bench.dev.now_ns() - START) for skb in drain(fq)]
        bench.pass_ns(fq.watchdog.expires_ns - bench.dev.now_ns())
    assert sent == [(0, 0), (1, 10_000_000), (2, 20_000_000)]


def test_the_lesser_of_maxrate_and_the_sockets_own_rate_counts_and_a_second_is_the_longest_pause() -> None:
    bench, fq, _ = made("maxrate 8kbit")
    for ident in range(2):
        put(fq, sk=Sock(pacing_rate=500, max_pacing_rate=500) if ident else None, hash=7, id=ident)
    assert len(drain(fq)) == 2
    put(fq, hash=7)
    assert drain(fq) == []
    assert fq.watchdog.expires_ns == START + S
    assert "pkts_too_long 1" in Tc([bench.dev]).run("tc -s qdisc show dev eth0"), "1000 s of 500 bytes a second"


def test_nopacing_keeps_no_rate() -> None:
    _, fq, run = made("maxrate 8kbit nopacing")
    sk = Sock(pacing_rate=500, max_pacing_rate=500)
    for _ in range(5):
        put(fq, sk=sk)
    assert len(drain(fq)) == 5
    assert not sk.paced_by_fq
    assert " nopacing quantum " in run("tc qdisc show dev eth0")
    assert '"pacing":false' in run("tc -j qdisc show dev eth0")


def test_departure_times_are_kept_within_a_flow_out_of_order_and_beyond_the_horizon() -> None:
    bench, fq, run = made("horizon 1s horizon_cap")
    for ident, after in enumerate((300, 100, 200, 5 * S, 300)):
        put(fq, hash=1, id=ident, tstamp=START + after)
    assert drain(fq) == []
    order = []
    for _ in range(4):
        bench.pass_ns(fq.watchdog.expires_ns - bench.dev.now_ns())
        order += [(skb.id, bench.dev.now_ns() - START) for skb in drain(fq)]
    assert order == [(1, 100), (2, 200), (0, 300), (4, 300), (3, S)], "those of equal times in order of arrival"
    assert "  horizon_caps 1" in run("tc -s qdisc show dev eth0")
    assert '"horizon_cap":null' in run("tc -j qdisc show dev eth0")


def test_a_packet_that_waited_for_longer_than_ce_threshold_is_marked() -> None:
    bench, fq, run = made("ce_threshold 1ms")
    fill_fast_path(fq)
    for ident, tos in enumerate((0, 1, 2, 3)):
        put(fq, hash=1, id=ident, tos=tos)
    bench.pass_ns(1_000_000)
    for _ in range(FAST_PATH + 2):
        fq.dequeue()
    bench.pass_ns(1)
    assert [skb.tos for skb in drain(fq)] == [3, 3]
    assert "ce_mark 2" in run("tc -s qdisc show dev eth0"), "counted although the last was marked before"
    assert " ce_threshold 1ms " in run("tc qdisc show dev eth0")


def test_limits_of_a_flow_and_of_each_band() -> None:
    bench, fq, run = made("limit 4 flow_limit 3 maxrate 1mbit")
    assert [put(fq, hash=1) for _ in range(5)] == [XMIT_SUCCESS] * 3 + [XMIT_DROP] * 2
    assert [put(fq, hash=2) for _ in range(2)] == [XMIT_SUCCESS, XMIT_DROP], "band 1 has four packets"
    assert put(fq, hash=3, priority=6) == XMIT_SUCCESS, "band 0 has none"
    assert (fq.drops, len(bench.dropped)) == (3, 3)
    assert "flows_plimit 2" in run("tc -s qdisc show dev eth0")


def test_bands_share_by_weights() -> None:
    _, fq, run = made("maxrate 1mbit nopacing flow_limit 100000 limit 100000 weights 40000 20000 20000")
    # a flow is in the band of its packet before: one of band 0 comes first in each
    for ident, priority in enumerate((6, 0, 1)):
        for _ in range(400):
            put(fq, hash=ident, priority=priority)
    drained = [fq.dequeue() for _ in range(400)]
    counts = Counter(skb.priority for skb in drained if skb is not None)
    assert counts[6] / 400 == pytest.approx(0.5, abs=0.06)
    assert counts[0] / 400 == pytest.approx(0.25, abs=0.06)
    assert " weights 40000 20000 20000 \n" in run("tc qdisc show dev eth0")
    bands = "bands 3 priomap 0 1 2 0 1 2 0 1 2 0 1 2 0 1 2 0"
    run(f"tc qdisc change dev eth0 root fq {bands}")
    assert f" {bands} weights" in run("tc qdisc show dev eth0")


def test_a_flow_that_rests_for_three_seconds_is_collected_when_it_is_met() -> None:
    bench, fq, run = made("buckets 2 maxrate 1mbit nopacing initial_quantum 1000")
    for flow in range(20):
        put(fq, hash=flow)
    # the last one has to wait for a turn of the old flows, in which these are found empty
    for _ in range(2):
        put(fq, 1500, hash=20)
    bench.pass_ns(S)
    assert len(drain(fq)) == 22
    assert "flows 21 (inactive 21 throttled 0)" in run("tc -s qdisc show dev eth0")
    bench.pass_ns(3 * S + 10_000_000)
    put(fq, hash=100)
    gone = fq.flows.collected
    assert 1 <= gone <= 8 and len(fq.flows) == 22 - gone
    run("tc qdisc change dev eth0 root fq buckets 64")
    assert len(fq.flows) == 2, "new buckets take no flow along that rests"
    assert "flows 2 (inactive 1 throttled 0)" in run("tc -s qdisc show dev eth0")
    assert "gc 20" in run("tc -s qdisc show dev eth0")


def test_a_flow_that_comes_back_has_a_quantum_again_only_after_the_refill_delay() -> None:
    bench, fq, _ = made("quantum 1000 initial_quantum 1000 maxrate 1mbit nopacing refill_delay 10ms")
    for flow, (wait_ms, credit) in enumerate(((1, 200), (20, 1000))):
        put(fq, 800, hash=flow)
        for _ in range(2):
            put(fq, 1500, hash=flow + 50)
        bench.pass_ns(1000)
        assert len(drain(fq)) == 3, "the other's second packet comes after all old flows were looked at"
        bench.pass_ns(wait_ms * 1_000_000)
        put(fq, 100, hash=flow)
        found = fq.flows.get(flow << 1 | 1)
        assert found is not None and found.credit == credit
        bench.pass_ns(1000)
        drain(fq)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("quantum x", 'Illegal "quantum"'),
        ("foo", 'What is "foo"?'),
        ("bands 4 priomap 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0", "Error: sch_fq: FQ only supports 3 bands."),
        (
            "bands 3 priomap 0 0 3 0 0 0 0 0 0 0 0 0 0 0 0 0",
            "Error: sch_fq: FQ priomap field 2 maps to a too high band 3.",
        ),
        ("bands 3 priomap 0 1", "Not enough elements in priomap"),
        ("weights 20000 20000 100", "Error: sch_fq: Weight 100 less that minimum allowed 16384."),
        ("buckets 1000000", "RTNETLINK answers: Invalid argument"),
    ],
)
def test_what_is_refused(options: str, said: str) -> None:
    _, fq, run = made()
    before = fq.params()
    with pytest.raises(TcError) as caught:
        run(f"tc qdisc change dev eth0 root fq {options}")
    assert caught.value.printed == said
    assert fq.params() == before


operations = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(60, 3000), st.integers(0, 7), st.integers(0, 3)),
        st.tuples(st.just("get"), st.just(0), st.just(0), st.just(0)),
        st.tuples(st.just("peek"), st.just(0), st.just(0), st.just(0)),
        st.tuples(st.just("time"), st.integers(1, 10_000_000), st.just(0), st.just(0)),
        st.tuples(st.just("limit"), st.integers(1, 20), st.just(0), st.just(0)),
    ),
    max_size=120,
)
SOCKETS = (None, None, {"connected": False}, {"tcp": True, "pacing_rate": 300_000}, {"max_pacing_rate": 100_000})


@pytest.mark.parametrize("options", ["limit 12 flow_limit 5", "maxrate 2mbit", "horizon 2ms nopacing"])
@given(ops=operations)
def test_each_packet_leaves_is_dropped_or_is_inside_exactly_once(
    options: str, ops: list[tuple[str, int, int, int]]
) -> None:
    bench, fq, run = made(options)
    sockets = [None if each is None else Sock(**each) for each in SOCKETS]
    inside: dict[int, int] = {}
    for ident, (what, value, flow, stamp) in enumerate(ops):
        before = len(bench.dropped)
        to_free: list[Skb] = []
        if what == "put":
            tstamp = bench.dev.now_ns() + (stamp - 1) * 1_000_000 if stamp else 0
            inside[ident] = value
            skb = Skb(len=value, pkt_len=value, id=ident, hash=flow, tstamp=tstamp, priority=flow + stamp)
            skb.sk = sockets[flow % len(sockets)]
            fq.enqueue(skb, to_free)
        elif what == "time":
            bench.pass_ns(value)
        elif what == "peek":
            fq.peek()
        elif what == "limit":
            run(f"tc qdisc change dev eth0 root fq limit {value}")
        else:
            out = fq.dequeue_peeked()
            if out is not None:
                to_free.append(out)
                assert out.tstamp <= bench.dev.now_ns()
        for skb in [*to_free, *bench.dropped[before:]]:
            del inside[skb.id]
        if fq.requeued:
            continue  # a packet that was peeked at is in no flow
        assert (fq.qlen, fq.backlog) == (len(inside), sum(inside.values()))
        assert fq._inactive == sum(not each.qlen for each in fq.flows.in_order())
        bands = Counter(band for flow in fq.flows.in_order() for _, band, _ in (*flow.ready, *flow.early))
        assert fq._band_packets == [bands[band] for band in range(BANDS)]
    fq.reset()
    assert (fq.qlen, fq.backlog, len(fq.flows), fq.dequeue()) == (0, 0, 0, None)


@given(lengths=st.lists(st.integers(60, 1514), min_size=30, max_size=80), mbit=st.sampled_from([1, 5, 20]))
def test_a_flow_keeps_to_maxrate_and_uses_it(lengths: list[int], mbit: int) -> None:
    bench, fq, _ = made(f"maxrate {mbit}mbit")
    for length in lengths:
        put(fq, length, hash=1)
    rate, sent = mbit * 125_000, 0
    while fq.qlen:
        sent += sum(skb.len for skb in drain(fq))
        elapsed = bench.dev.now_ns() - START
        assert sent <= rate * elapsed / S + fq.initial_quantum + fq.quantum + 1514
        assert sent >= rate * elapsed / S - 3 * fq.quantum - 1514
        if fq.qlen:
            bench.pass_ns(max(0, fq.watchdog.expires_ns - bench.dev.now_ns()))
