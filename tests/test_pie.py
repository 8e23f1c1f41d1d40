"""pie against RFC 8033: the controller's steps, when it may drop, and that it holds its target."""

from __future__ import annotations

import pytest

from ringwire.qdisc import XMIT_DROP, XMIT_SUCCESS
from ringwire.qdisc.pie import PieParams, PieQdisc
from ringwire.qdisc.pie_law import ACCUMULATED_LEAST, ACCUMULATED_MOST, BURST_TICKS, MAX_PROB, TICKS_PER_S, Pie
from ringwire.skb import Skb
from tests.stack_bench import StackBench

MS = 1_000_000
MTU = 1514


def ticks(ms: float) -> int:
    return int(ms * TICKS_PER_S / 1000)


def law(prob: float, delay_ms: float = 0, delay_old_ms: float = 0) -> Pie:
    made = Pie()
    made.prob = int(prob * MAX_PROB)
    made.delay, made.delay_old = ticks(delay_ms), ticks(delay_old_ms)
    return made


def after_step(prob: float, delay_ms: float, delay_old_ms: float, backlog: int = 100_000) -> float:
    made = law(prob, delay_ms, delay_old_ms)
    made.update(backlog)
    return made.prob / MAX_PROB


# RFC 8033, section 4.2: p = alpha * (delay - target) + beta * (delay - delay_old), alpha 1/8 and beta 5/4 a second,
# scaled down while the probability is low.
@pytest.mark.parametrize(
    ("prob", "scale"),
    [(0.2, 1), (0.05, 2), (0.005, 8), (0.0005, 32), (0.00005, 128), (0.000005, 512), (0.0000005, 2048)],
)
def test_the_probability_follows_delay_and_its_trend(prob: float, scale: int) -> None:
    rise = (0.125 * 0.015 + 1.25 * 0.010) / scale
    assert after_step(prob, 30, 20) == pytest.approx(prob + rise, rel=1e-4)
    fall = (0.125 * 0.005 + 1.25 * 0.010) / scale
    assert after_step(prob, 10, 20) == pytest.approx(max(prob - fall, 0), rel=1e-4, abs=1e-9)


def test_it_grows_by_no_more_than_two_percent_once_above_ten() -> None:
    assert after_step(0.11, 100, 20) == pytest.approx(0.13, rel=1e-6)
    assert after_step(0.09, 100, 20) == pytest.approx(0.09 + (0.125 * 0.085 + 1.25 * 0.08) / 2, rel=1e-4)


def test_delays_over_a_quarter_of_a_second_add_two_percent() -> None:
    assert after_step(0.2, 251, 251) == pytest.approx(0.2 + 0.02 + 0.02, rel=1e-6)
    assert after_step(0.2, 249, 249) == pytest.approx(0.2 + 0.02, rel=1e-6)


def test_without_delay_twice_it_decays_by_one_64th_as_well() -> None:
    lowered = 0.5 - 0.125 * 0.015
    assert after_step(0.5, 0, 0, backlog=0) == pytest.approx(lowered * 63 / 64, rel=1e-6)
    assert after_step(0.5, 0, 0, backlog=1) == pytest.approx(lowered, rel=1e-6), "too little behind it to know"


def test_calm_gives_back_the_burst_allowance() -> None:
    made = law(0, 2, 2)
    made.burst = 0
    made.update(3000)
    assert made.burst == BURST_TICKS
    busy = law(0.3, 2, 2)
    busy.burst = 0
    busy.update(3000)
    assert busy.burst == 0


def never() -> int:
    raise AssertionError("a lot was drawn")


def ready(prob: float) -> Pie:
    """A controller that may drop."""
    made = law(prob, 20, 20)
    made.burst = 0
    return made


def test_no_early_drop_in_a_burst_at_low_delay_or_with_two_packets() -> None:
    bursting = ready(0.9)
    bursting.burst = 1
    assert not bursting.drop_early(100_000, 1000, MTU, never)
    calm = ready(0.19)
    calm.delay = ticks(7.4)
    assert not calm.drop_early(100_000, 1000, MTU, never) and not calm.accumulated
    likely = ready(0.21)
    likely.delay = ticks(7.4)
    assert not likely.drop_early(100_000, 1000, MTU, never) and likely.accumulated
    short = ready(0.9)
    assert not short.drop_early(2 * MTU - 1, 1000, MTU, never) and not short.accumulated
    assert short.drop_early(2 * MTU, 1000, MTU, lambda: 0)


def test_drops_are_spread() -> None:
    """RFC 8033, section 5.4: none before the probabilities sum up to 0.85, a sure one at 8.5."""
    made = ready(0.1)
    assert not any(made.drop_early(100_000, 1000, MTU, never) for _ in range(8))
    assert made.accumulated < ACCUMULATED_LEAST
    draws = [made.drop_early(100_000, 1000, MTU, lambda: 0xFFFF_FFFF) for _ in range(77)]
    assert not any(draws[:76]) and draws[76] and made.accumulated >= ACCUMULATED_MOST


def test_the_lot_is_compared_in_56_bits() -> None:
    for high, dropped in ((0x7FFF_FFFF, True), (0x8000_0000, False)):
        made = ready(0.5)
        made.accumulated = ACCUMULATED_LEAST
        lots = iter((0, high))
        assert made.drop_early(100_000, 1000, MTU, lambda lots=lots: next(lots)) is dropped  # type: ignore[misc]
        assert (made.accumulated == 0) is dropped


def test_bytemode_spares_small_packets() -> None:
    made = ready(0.5)
    made.bytemode = True
    made.drop_early(100_000, MTU // 2, MTU, never)
    assert made.accumulated / MAX_PROB == pytest.approx(0.25, rel=1e-6)
    made.drop_early(100_000, 3 * MTU, MTU, lambda: 0xFFFF_FFFF)
    assert made.accumulated / MAX_PROB == pytest.approx(0.75, rel=1e-6), "a super-packet counts as any"


def test_the_drain_rate_estimates_the_delay() -> None:
    made = Pie()
    made.dq_rate_estimator = True
    # 1,500 bytes a millisecond: 11 packets are the first to make up 16,384 bytes
    for number in range(12):
        made.departed(ticks(number), 0, 1500, 30_000)
    assert made.avg_dq_rate == 11 * 1500 * 256 // ticks(10)
    assert made.burst == BURST_TICKS - ticks(10)
    made.update(30_000)
    assert made.delay == pytest.approx(ticks(30_000 / 1650), rel=0.02)
    for number in range(11, 22):
        made.departed(ticks(10 + (number - 10) * 2), 0, 1500, 1000)
    slower = 11 * 1500 * 256 // ticks(20)
    assert made.avg_dq_rate == pytest.approx(11 * 1500 * 256 / ticks(10) * 7 / 8 + slower / 8, rel=0.03)
    assert made.dq_count == -1, "less than that is left"


def pie(params: PieParams | None = None, hz: int = 1000) -> tuple[PieQdisc, StackBench]:
    bench = StackBench(hz=hz)
    return PieQdisc(bench.dev, params), bench


def test_the_delay_is_what_the_last_packet_waited_unless_it_left_nothing_behind() -> None:
    qdisc, bench = pie()
    for _ in range(2):
        qdisc.enqueue(Skb(len=1000, pkt_len=1000), [])
    bench.pass_ns(7 * MS)
    qdisc.dequeue()
    assert qdisc.xstats().delay == 7000
    qdisc.dequeue()
    assert qdisc.xstats().delay == 0


def test_burst_allowance_is_used_up_by_time_between_departures() -> None:
    qdisc, bench = pie()
    for _ in range(100):
        qdisc.enqueue(Skb(len=1000, pkt_len=1000), [])
    bench.pass_ns(100 * MS)
    for _ in range(20):
        qdisc.dequeue()
        bench.pass_ns(7 * MS)
    assert qdisc.law.burst == BURST_TICKS - 19 * ticks(7)


@pytest.mark.parametrize(("hz", "tupdate", "shown"), [(1000, 15_000, 15_000), (100, 15_000, 20_000), (250, 1, 4000)])
def test_steps_are_whole_jiffies_from_half_a_second_on(hz: int, tupdate: int, shown: int) -> None:
    qdisc, bench = pie(PieParams(tupdate=tupdate), hz=hz)
    assert qdisc.params().tupdate == shown
    steps = []
    qdisc.law.prob = MAX_PROB // 2
    for _ in range(1000):
        before = qdisc.law.prob
        bench.pass_ns(MS)
        if qdisc.law.prob != before:
            steps.append(bench.timeline.now_ns // MS)
    assert steps[:3] == [500, 500 + shown // 1000, 500 + 2 * shown // 1000]


def test_a_destroyed_one_steps_no_more() -> None:
    qdisc, bench = pie()
    qdisc.destroy()
    qdisc.law.prob = MAX_PROB // 2
    bench.pass_ns(2000 * MS)
    assert qdisc.law.prob == MAX_PROB // 2


@pytest.mark.parametrize(("prob", "marked"), [(0.0999, True), (0.1001, False)])
def test_marks_replace_drops_up_to_ten_percent(prob: float, marked: bool) -> None:
    qdisc, _ = pie(PieParams(ecn=True))
    for _ in range(5):
        qdisc.enqueue(Skb(len=1000, pkt_len=1000), [])
    qdisc.law = ready(prob)
    qdisc.law.accumulated = ACCUMULATED_MOST
    skb = Skb(len=1000, pkt_len=1000, tos=1)
    assert qdisc.enqueue(skb, []) == (XMIT_SUCCESS if marked else XMIT_DROP)
    assert (skb.tos, qdisc.ecn_mark, qdisc.dropped) == ((3, 1, 0) if marked else (1, 0, 1))
    qdisc.law.accumulated = ACCUMULATED_MOST
    assert qdisc.enqueue(Skb(len=1000, pkt_len=1000), []) == XMIT_DROP, "no ECN"


def test_a_full_queue_drops_and_a_lower_limit_drops_the_oldest() -> None:
    qdisc, bench = pie(PieParams(limit=4))
    codes = [qdisc.enqueue(Skb(len=100, pkt_len=100, id=ident), []) for ident in range(5)]
    assert codes == [XMIT_SUCCESS] * 4 + [XMIT_DROP]
    qdisc.law.accumulated = 5
    qdisc.enqueue(Skb(len=100, pkt_len=100), [])
    assert not qdisc.law.accumulated, "a drop is a drop: the next one is not due yet"
    assert (qdisc.overlimit, qdisc.dropped, qdisc.maxq, qdisc.pkts_in) == (2, 2, 3, 4)
    qdisc.change(PieParams(limit=1))
    assert [skb.id for skb in bench.dropped] == [2, 1, 0]
    assert (qdisc.qlen, qdisc.backlog, qdisc.drops) == (1, 100, 5)


@pytest.mark.parametrize("estimator", [False, True])
def test_under_twice_the_load_the_link_is_busy_and_the_delay_is_the_target(estimator: bool) -> None:
    """10 Mbit/s carry 1,000 packets of 1,250 bytes a second; in five seconds the load rises from that to 2,000."""
    qdisc, bench = pie(PieParams(dq_rate_estimator=estimator))
    bench.pass_ns(500 * MS)
    delays = []
    due = 0.0
    for ms in range(10_000):
        bench.pass_ns(MS)
        due += 1 + min(ms / 5000, 1)
        while due >= 1:
            due -= 1
            qdisc.enqueue(Skb(len=1250, pkt_len=1250), [])
        skb = qdisc.dequeue()
        assert skb is not None
        if ms > 6000:
            delays.append(bench.timeline.now_ns - skb.enqueued_ns)
    assert sum(delays) / len(delays) / MS == pytest.approx(15, abs=4)


def test_as_in_linux_a_long_overload_takes_the_probability_beyond_one() -> None:
    made = law(0.99, 300, 300)
    for _ in range(10):
        made.update(100_000)
    assert made.prob / MAX_PROB == pytest.approx(0.99 + 10 * 0.04, rel=1e-3)
    assert not made.drop_early(2 * MTU - 1, 1000, MTU, never)
