"""The path and the receiver: delays, the bottleneck's buffer, marks, acknowledgements, and flows that share it."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringwire.host.timeline import Timeline
from ringwire.traffic.tcp import TcpFlow
from ringwire.transport.packet import CWR
from ringwire.transport.path import Path
from ringwire.transport.receiver import Ack, Receiver
from ringwire.transport.timers import FarClock, Timer
from tests.tcp_bench import GBIT, MS, SECOND, TcpBench

MSS = 1448
FRAME = 1514


class TimelineClock:
    """A timeline as a clock."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        self.call_at = self.timeline.call_at

    def now_ns(self) -> int:
        return self.timeline.now_ns


# -- the path


def test_a_bottleneck_sends_frames_one_after_the_other_without_rounding_errors() -> None:
    """At 100 Mb/s a full frame takes 123.04 us, as it does on a wire: 1538 bytes."""
    path = Path(delay_ns=1_000, rate_bps=100_000_000)
    random = Random(1)
    times = [path.forward(0, FRAME, 0, random) for _ in range(1000)]
    assert times == [(1_000 + 123_040 * (index + 1), 0) for index in range(1000)]
    odd = Path(delay_ns=0, rate_bps=7_000_003, limit_packets=None)
    assert [odd.forward(0, FRAME, 0, random) for _ in range(2000)][-1] == (
        -(-2000 * 1538 * 8 * SECOND // 7_000_003),
        0,
    )
    assert odd.forward(10**13, 10, 0, random) == (10**13 + -(-84 * 8 * SECOND // 7_000_003), 0), "short frames count 60"


@pytest.mark.parametrize(("size", "count"), [(54, 2), (100, 2), (101, 3), (1514, 32), (1540, 32), (1541, 33)])
@pytest.mark.parametrize("linklayer", ["atm", "adsl"])
def test_an_atm_bottleneck_sends_whole_cells(size: int, count: int, linklayer: str) -> None:
    path = Path(delay_ns=0, rate_bps=1_000_000, linklayer=linklayer, overhead_bytes=-4, mpu_bytes=0)
    assert path.forward(0, size, 0, Random(1)) == (count * 53 * 8_000, 0)


def test_a_buffer_holds_as_many_frames_or_bytes_as_it_says() -> None:
    random = Random(1)
    path = Path(delay_ns=0, rate_bps=1_000_000, limit_packets=5)
    assert [path.forward(0, FRAME, 0, random) is None for _ in range(8)] == [False] * 5 + [True] * 3
    first_ns = 1538 * 8 * 1000
    assert path.forward(first_ns - 1, FRAME, 0, random) is None
    assert path.forward(first_ns, FRAME, 0, random) == (6 * first_ns, 0), "the first has left"
    assert (path.frames, path.drops) == (10, 4)
    small = Path(delay_ns=0, rate_bps=1_000_000, limit_packets=None, limit_bytes=3 * FRAME)
    assert [small.forward(0, size, 0, random) is None for size in (FRAME, FRAME, FRAME - 60, 61, 60)] == [
        False,
        False,
        False,
        True,
        False,
    ]


def test_marks_begin_at_the_threshold_and_only_where_the_sender_takes_part() -> None:
    random = Random(1)
    path = Path(delay_ns=0, rate_bps=1_000_000, ecn_threshold_bytes=2 * FRAME)
    fates = [path.forward(0, FRAME, ecn, random) for ecn in (2, 2, 2, 0, 1, 3)]
    assert [fate[1] for fate in fates if fate is not None] == [2, 2, 3, 0, 3, 3]
    assert path.marks == 2, "one came marked"


def test_random_loss_is_the_share_that_was_asked_for() -> None:
    path, random = Path(loss=0.1), Random(5)
    lost = [path.forward(0, FRAME, 0, random) for _ in range(10_000)].count(None)
    assert lost == path.losses and 900 < lost < 1_100


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(14, 9000)), max_size=50), st.integers(10**6, 10**10))
def test_frames_leave_a_path_in_order_and_never_too_fast(gaps: list[tuple[int, int]], rate: int) -> None:
    path, random = Path(delay_ns=5, rate_bps=rate, limit_packets=20), Random(1)
    now_ns = last_ns = 0
    for gap_ns, size in gaps:
        now_ns += gap_ns
        fate = path.forward(now_ns, size, 0, random)
        if fate is not None:
            took_ns = (max(size, 60) + 24) * 8 * SECOND / rate
            assert fate[0] >= now_ns + 5 + took_ns and fate[0] >= last_ns + took_ns - 1
            last_ns = fate[0]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("delay_ns", -1),
        ("rate_bps", 0),
        ("limit_packets", 0),
        ("limit_bytes", 100),
        ("loss", 1.0),
        ("mpu_bytes", -1),
        ("linklayer", "fddi"),
    ],
)
def test_a_path_that_cannot_be_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{field} {value}(ns)?; allowed: "):
        Path(**{field: value})  # type: ignore[arg-type]


# -- time behind the wire


def test_what_is_due_behind_the_wire_is_done_in_order_of_its_time_however_late_it_is_told() -> None:
    clock = TimelineClock()
    far = FarClock(clock, lag_ns=100)
    done: list[tuple[str, int, int]] = []
    for name, when_ns in (("b", 50), ("a", 20), ("c", 90)):
        far.call_at(when_ns, lambda at_ns, name=name: done.append((name, at_ns, clock.now_ns())))  # type: ignore[misc]
    clock.timeline.run_until(10)
    far.run_until(60)  # a frame that was there at 60 is told of at 10
    assert done == [("a", 20, 10), ("b", 50, 10)]
    clock.timeline.run_until(189)
    assert len(done) == 2
    clock.timeline.run_until(190)
    assert done[2] == ("c", 90, 190) and not far.pending


def test_a_timer_runs_once_at_the_time_that_it_was_last_set_to() -> None:
    clock = TimelineClock()
    ran: list[int] = []
    timer = Timer(clock, lambda: ran.append(clock.now_ns()))
    timer.set(100)
    timer.set(300)
    timer.set(200)
    clock.timeline.run_until(1_000)
    assert ran == [200] and timer.due_ns is None
    timer.set(1_100)
    timer.set(1_050)
    timer.cancel()
    clock.timeline.run_until(2_000)
    timer.set(2_500)
    clock.timeline.run_until(3_000)
    assert ran == [200, 2_500]


# -- the receiver


class FarEnd:
    """A receiver that a test feeds; ``acks`` notes when each acknowledgement left."""

    def __init__(self, **fields: Any) -> None:
        self.clock = TimelineClock()
        self.far = FarClock(self.clock, 0)
        self.acks: list[tuple[int, Ack]] = []
        options: dict[str, Any] = {"window": 1 << 20, "quick_acks": 0} | fields
        self.receiver = Receiver(self.far, lambda at_ns, ack: self.acks.append((at_ns, ack)), 1_000, MSS, **options)

    def segment(self, index: int, now_ns: int = 0, payload: int = MSS, flags: int = 16, ecn: int = 2) -> None:
        self.far.run_until(now_ns)
        seq32 = 1_001 + index * MSS & 0xFFFFFFFF
        self.receiver.segment(now_ns, seq32, payload, flags, ecn, now_ns // MS + 7, 0)

    def said(self) -> list[tuple[int, int, list[tuple[float, float]]]]:
        """(time, segments acknowledged, blocks in segments)."""
        return [
            (at_ns, (ack.ack - 1) // MSS, [((low - 1) / MSS, (high - 1) / MSS) for low, high in ack.blocks])
            for at_ns, ack in self.acks
        ]


def test_every_second_segment_is_acknowledged_and_a_single_one_after_40_ms() -> None:
    end = FarEnd()
    for index in range(5):
        end.segment(index, index)
    assert end.said() == [(1, 2, []), (3, 4, [])]
    end.clock.timeline.run_until(SECOND)
    assert end.said()[2:] == [(4 + 40 * MS, 5, [])]
    assert (end.receiver.acks, end.receiver.delayed_acks) == (3, 1)


def test_the_delay_counts_from_the_first_segment_that_waits() -> None:
    end = FarEnd()
    end.segment(0, 0)
    end.segment(1, 10 * MS)
    end.segment(2, 30 * MS)
    end.clock.timeline.run_until(SECOND)
    assert end.said() == [(10 * MS, 2, []), (70 * MS, 3, [])]


def test_the_first_acknowledgements_are_quick() -> None:
    end = FarEnd(quick_acks=3)
    for index in range(7):
        end.segment(index, index)
    assert end.said() == [(0, 1, []), (1, 2, []), (2, 3, []), (4, 5, []), (6, 7, [])]


def test_without_delay_every_segment_is_acknowledged() -> None:
    end = FarEnd(delayed_ack_ns=0)
    for index in range(3):
        end.segment(index, index)
    assert [ack for _, ack, _ in end.said()] == [1, 2, 3]


def test_holes_are_reported_at_once_the_newest_block_first_and_their_end_as_well() -> None:
    end = FarEnd()
    for now_ns, index in enumerate((0, 2, 4, 6, 8, 5, 1)):
        end.segment(index, now_ns)
    assert end.said() == [
        (1, 1, [(2, 3)]),
        (2, 1, [(4, 5), (2, 3)]),
        (3, 1, [(6, 7), (4, 5), (2, 3)]),
        (4, 1, [(8, 9), (6, 7), (4, 5)]),
        (5, 1, [(4, 7), (8, 9), (2, 3)]),
        (6, 3, [(4, 7), (8, 9)]),
    ]
    assert end.receiver.out_of_order == 5


def test_what_comes_twice_is_reported_first() -> None:
    end = FarEnd()
    for now_ns, index in enumerate((0, 1, 3, 0, 3)):
        end.segment(index, now_ns)
    assert end.said()[2:] == [(3, 2, [(0, 1), (3, 4)]), (4, 2, [(3, 4), (3, 4)])]
    assert end.receiver.duplicate_bytes == 2 * MSS


def test_the_time_stamp_that_is_echoed_is_of_a_segment_in_order() -> None:
    """RFC 7323, section 4.3: one that came out of order says nothing of how long what is acknowledged took."""
    end = FarEnd(quick_acks=9)
    for index, now_ms in ((0, 0), (2, 5), (3, 6), (1, 9)):
        end.segment(index, now_ms * MS)
    assert [ack.echo for _, ack in end.acks] == [7, 7, 7, 9 + 7]


def test_sequence_numbers_may_wrap() -> None:
    acks: list[Ack] = []
    clock = TimelineClock()
    receiver = Receiver(FarClock(clock, 0), lambda _, ack: acks.append(ack), 0xFFFFF000, MSS, quick_acks=0)
    for index in range(8):
        receiver.segment(index, 0xFFFFF001 + index * MSS & 0xFFFFFFFF, MSS, 16, 0, 0, 0)
    assert receiver.next == 1 + 8 * MSS and acks[-1].ack == receiver.next and receiver.duplicate_bytes == 0


def test_marks_are_echoed_until_the_sender_says_that_it_has_reduced() -> None:
    end = FarEnd(ecn=True)
    end.segment(0, 0)
    end.segment(1, 1, ecn=3)
    end.segment(2, 2)
    end.segment(3, 3)
    end.segment(4, 4, flags=16 | CWR)
    end.segment(5, 5)
    end.segment(6, 6)
    assert [(at_ns, ack.ece) for at_ns, ack in end.acks] == [(1, True), (3, True), (4, False), (6, False)]
    deaf = FarEnd(ecn=False)
    deaf.segment(0, 0, ecn=3)
    deaf.segment(1, 1, ecn=3)
    assert [ack.ece for _, ack in deaf.acks] == [False]


def test_the_window_is_fixed_or_follows_the_rate_and_is_never_taken_back() -> None:
    fixed = FarEnd(window=50_000)
    fixed.segment(0)
    fixed.segment(1)
    assert [ack.window for _, ack in fixed.acks] == [50_000]
    fixed.segment(40, 5)
    assert fixed.receiver.held.ranges == [], "beyond the window"
    flow = TcpFlow(path=Path(delay_ns=5 * MS))
    bench = TcpBench(flow, rate_bps=200_000_000).start().run(300 * MS)
    assert flow.receiver is not None
    # a round trip of 10 ms at 200 Mb/s is 250 kB: the window began with 64 kB
    assert 250_000 < flow.receiver.window <= 3_145_728
    bounded = TcpFlow(path=Path(delay_ns=5 * MS), rmem_max_bytes=200_000)
    bench = TcpBench(bounded).start().run(80 * MS)
    assert bounded.receiver is not None and 100_000 - MSS <= bounded.receiver.window <= 100_000
    assert bench.frames > 300


# -- flows over a bottleneck


def test_a_flow_fills_a_bottleneck_and_its_buffer_and_no_more() -> None:
    path = Path(delay_ns=5 * MS, rate_bps=25 * 10**6, limit_packets=30)
    flow = TcpFlow(path=path, congestion="reno", hystart=False)
    bench = TcpBench(flow).start().run(SECOND)
    before = flow.totals()["delivered_bytes"]
    bench.run(SECOND)
    rate = (flow.totals()["delivered_bytes"] - before) * 8
    # a hole that is filled at either end shifts a window's worth
    assert abs(rate / (25e6 * MSS / 1538) - 1) < 0.03
    assert path.drops > 0 and flow.totals()["rto"] == 0
    assert flow.totals()["retransmits"] == path.drops, "no segment is sent again that was not dropped"
    assert flow.totals()["srtt_us"] <= 10_000 + 31 * 1538 * 8 // 25 + 1_000


@pytest.mark.parametrize("congestion", ["reno", "cubic"])
def test_two_flows_share_a_bottleneck_fairly(congestion: str) -> None:
    path = Path(delay_ns=MS, rate_bps=20 * 10**6, limit_packets=20)
    flows = [TcpFlow(name=f"{port}", source_port=port, path=path, congestion=congestion) for port in (1, 2)]
    bench = TcpBench(*flows).start(MS, 2 * MS).run(SECOND)
    before = [flow.totals()["delivered_bytes"] for flow in flows]
    bench.run(2 * SECOND)
    shares = [flow.totals()["delivered_bytes"] - start for flow, start in zip(flows, before, strict=True)]
    fairness = sum(shares) ** 2 / (2 * sum(share**2 for share in shares))
    assert fairness > 0.9, shares
    assert sum(shares) * 8 / 2 > 0.95 * 20e6 * MSS / 1538


def test_with_marks_the_window_is_reduced_once_a_round_trip_and_nothing_is_lost() -> None:
    path = Path(delay_ns=5 * MS, rate_bps=25 * 10**6, limit_packets=400, ecn_threshold_bytes=20 * FRAME)
    flow = TcpFlow(path=path, ecn=True, congestion="reno", hystart=False)
    bench = TcpBench(flow).start()
    cuts: list[int] = []
    was = 0
    while bench.timeline.now_ns < 2 * SECOND:
        bench.timeline.run_until(bench.timeline.next_ns() or 0)
        if flow.sender is not None and flow.sender.recovery.ecn_reductions > was:
            was = flow.sender.recovery.ecn_reductions
            cuts.append(bench.timeline.now_ns)
    totals = flow.totals()
    assert path.drops == totals["retransmits"] == totals["rto"] == 0
    assert totals["ce_marks"] == path.marks > 0
    assert 2 <= len(cuts) < path.marks
    assert all(later - earlier >= 10 * MS for earlier, later in pairwise(cuts))
    assert totals["goodput_bps"] > 0.9 * 25e6 * MSS / 1538


def test_a_flow_that_takes_no_part_in_ecn_is_not_marked() -> None:
    path = Path(delay_ns=MS, rate_bps=50 * 10**6, limit_packets=400, ecn_threshold_bytes=0)
    flow = TcpFlow(path=path)
    TcpBench(flow).start().run(200 * MS)
    assert path.marks == 0 and flow.totals()["ecn_reductions"] == 0


def test_delayed_acknowledgements_are_half_of_the_segments() -> None:
    flow = TcpFlow(path=Path(delay_ns=MS), total_bytes=2_000 * MSS, write_bytes=45 * MSS, rcv_window_bytes=1 << 22)
    TcpBench(flow).start().run_until(lambda: bool(flow.finished_ns))
    # 16 quick ones, and then one for two
    assert flow.totals()["acks"] == 16 + (2_000 - 16) // 2


def test_a_run_is_the_same_every_time() -> None:
    def one() -> list[object]:
        path = Path(delay_ns=2 * MS, rate_bps=GBIT // 10, limit_packets=50, loss=0.001)
        flow = TcpFlow(path=path)
        bench = TcpBench(flow).start().run(300 * MS)
        return [flow.totals(), flow.state(), bench.frames, path.losses]

    assert one() == one()
