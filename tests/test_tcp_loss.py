"""Losses on the wire, scripted and random: what is sent again, when, and nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringwire.traffic.tcp import TcpFlow
from ringwire.transport.packet import read_segment
from ringwire.transport.path import Path
from ringwire.transport.ranges import Ranges
from ringwire.transport.receiver import Ack, Receiver
from ringwire.transport.recovery import State
from ringwire.transport.sender import Sender
from tests.tcp_bench import MS, SECOND, TcpBench

MSS = 1448


class Wire:
    """Loses the first frames of some data segments, by number from 0, and notes what is sent again."""

    def __init__(
        self, lose: Collection[int] = (), again: Collection[int] = (), handshake: Collection[int] = ()
    ) -> None:
        self.lose = set(lose)
        self.again = set(again)
        """Segments whose second frame is lost as well."""
        self.handshake = set(handshake)
        """Frames without data that are lost, by number."""
        self.bare = 0
        self.isn = 0
        self.seen: dict[int, int] = {}
        self.resent: list[int] = []
        """Segments sent again, in order."""
        self.first_ns: dict[int, int] = {}
        """When each segment's first frame has ended on the wire."""
        self.bench: TcpBench | None = None
        self.resent_ns: list[int] = []

    def __call__(self, number: int, frame: bytes) -> int | None:
        read = read_segment(frame)
        assert read is not None
        seq, flags, payload = read[:3]
        if flags & 2:
            self.isn = seq
        if not payload:
            self.bare += 1
            return None if self.bare - 1 in self.handshake else 0
        first = seq - self.isn - 1 & 0xFFFFFFFF
        index = first // MSS
        count = self.seen[index] = self.seen.get(index, 0) + 1
        assert self.bench is not None
        now_ns = self.bench.timeline.now_ns
        if count > 1:
            self.resent.append(index)
            self.resent_ns.append(now_ns)
        self.first_ns.setdefault(index, now_ns)
        return None if (index in self.lose and count == 1) or (index in self.again and count == 2) else 0


def run(wire: Wire, segments: int = 200, **fields: object) -> tuple[TcpFlow, TcpBench]:
    """A transfer of so many full segments, to its end."""
    options: dict[str, object] = {"path": Path(delay_ns=10 * MS), "hystart": False, "write_bytes": 45 * MSS}
    options |= {"rcv_window_bytes": 1 << 24} | fields
    flow = TcpFlow(total_bytes=segments * MSS, **options)  # type: ignore[arg-type]
    bench = wire.bench = TcpBench(flow, tamper=wire)
    bench.env.keep = True
    bench.start().run_until(lambda: bool(flow.finished_ns or flow.failed))
    assert not flow.failed
    return flow, bench


def ends(flow: TcpFlow) -> tuple[Sender, Receiver]:
    assert flow.sender is not None and flow.receiver is not None
    return flow.sender, flow.receiver


def check_balance(flow: TcpFlow) -> None:
    """Everything has arrived once, and nothing is left of it."""
    sender, receiver = ends(flow)
    board = sender.board
    assert receiver.next == 1 + (flow.total_bytes or 0) and not receiver.held
    assert (board.packets_out, board.sacked_out, board.lost_out, board.retrans_out) == (0, 0, 0, 0)
    assert not board.segments and not list(board.oldest_first())
    assert (sender.buffer.used, sender.buffer.unsent, sender.wmem) == (0, 0, 0)


@pytest.mark.parametrize(
    "lose",
    [{30}, {20, 21, 22}, {30, 40, 50}, set(range(40, 60)), {0}, {1}, {199}, {197, 198, 199}, set(range(190, 200))],
    ids=str,
)
@pytest.mark.parametrize("congestion", ["reno", "cubic"])
def test_exactly_what_was_lost_is_sent_again_and_once(lose: set[int], congestion: str) -> None:
    wire = Wire(lose)
    flow, _ = run(wire, congestion=congestion)
    check_balance(flow)
    assert sorted(wire.resent) == sorted(lose)
    assert flow.totals()["retransmits"] == len(lose) and flow.totals()["duplicate_bytes"] == 0


def test_a_loss_in_the_middle_costs_no_timeout_and_half_of_renos_window() -> None:
    wire = Wire({100})
    flow, _ = run(wire, 2000, congestion="reno")
    sender, _ = ends(flow)
    assert (sender.recovery.fast_recoveries, sender.recovery.timeouts, sender.timer.probes) == (1, 0, 0)
    assert wire.resent == [100]
    check_balance(flow)


def test_the_window_is_half_after_recovery_and_prr_brings_it_there() -> None:
    wire = Wire({100})
    flow = TcpFlow(congestion="reno", path=Path(delay_ns=10 * MS), rcv_window_bytes=1 << 24, write_bytes=45 * MSS)
    bench = wire.bench = TcpBench(flow, tamper=wire)
    bench.start().run_until(lambda: bool(wire.resent))
    sender, _ = ends(flow)
    recovery, window = sender.recovery, sender.window
    assert recovery.state == State.RECOVERY
    before, target = recovery._reducing_from, window.ssthresh
    assert target == before // 2
    seen = []
    while recovery.state == State.RECOVERY:
        seen.append((recovery.prr_out, recovery.prr_delivered, sender.board.in_flight))
        bench.timeline.run_until(bench.timeline.next_ns() or 0)
    for out, delivered, in_flight in seen:
        if in_flight > target:  # in proportion
            assert out <= -(-target * delivered // before) + 1
    assert seen[-1][1] > 0.9 * before, "a window has arrived"
    assert window.cwnd == target
    assert recovery.ecn_reductions == 0 and wire.resent == [100]


def sends(wire: Wire) -> list[tuple[int, int, int]]:
    """(time in ns, first segment, segments) of each packet with data that was handed to the stack."""
    assert wire.bench is not None
    found = []
    for now_ns, length, skb in wire.bench.env.sent[2:]:
        seq = int.from_bytes(skb.linear()[38:42], "big")
        found.append((now_ns, (seq - wire.isn - 1 & 0xFFFFFFFF) // MSS, (length - 66) // MSS))
    return found


def test_the_first_retransmission_leaves_with_the_third_sack() -> None:
    wire = Wire({20})
    run(wire, limit_output_bytes=0)
    again = [now_ns for now_ns, first, count in sends(wire) if (first, count) == (20, 1)]
    # the acknowledgement of the third segment behind the hole is back a round trip after its frame
    assert again == [wire.first_ns[23] + 20 * MS]


def test_with_fewer_sacks_rack_waits_a_quarter_of_the_round_trip() -> None:
    wire = Wire({6})
    flow, _ = run(wire, segments=9)
    sender, _ = ends(flow)
    packets = sends(wire)
    assert [(first, count) for _, first, count in packets] == [(0, 2), (2, 2), (4, 2), (6, 2), (8, 1), (6, 1)]
    (lost_ns, _, _), (last_ns, _, _), (again_ns, _, _) = packets[3:]
    round_trip_ns = wire.first_ns[8] + 20 * MS - last_ns
    window_ns = (sender.rtt.min_us >> 2) * 1000
    assert again_ns == lost_ns + round_trip_ns + window_ns + 2 * MS, "two jiffies are the timer's own"
    assert (sender.recovery.fast_recoveries, sender.recovery.timeouts, sender.timer.probes) == (1, 0, 0)


def test_a_lost_tail_is_probed_for_after_two_round_trips() -> None:
    wire = Wire({9})
    flow, _ = run(wire, segments=20, write_bytes=10 * MSS, write_interval_ns=SECOND)
    sender, _ = ends(flow)
    assert wire.resent == [9]
    assert sender.timer.probes == 1 and sender.recovery.timeouts == 0
    # what follows is acknowledged: the hole that the probe has filled was a loss, and the window is reduced for it
    assert sender.window.ssthresh == 7 and sender.recovery.fast_recoveries == 0
    check_balance(flow)


@pytest.mark.parametrize(("segments", "wait_ms"), [(1, 220), (2, 42)])
def test_a_probe_waits_longer_where_the_receiver_may(segments: int, wait_ms: int) -> None:
    """Two round trips and two jiffies; one segment may be held back for a second one, so the timeout comes first."""
    wire = Wire({0, 1})
    flow, _ = run(wire, segments=segments)
    packets = sends(wire)
    assert packets[1][0] - packets[0][0] == wait_ms * MS
    assert packets[1][1:] == (segments - 1, 1), "the last one"
    assert ends(flow)[0].timer.probes == 1


def test_a_probe_of_what_was_not_lost_costs_no_window() -> None:
    """The tail is only late: the probe comes twice, which the receiver says (DSACK)."""

    class Late(Wire):
        def __call__(self, number: int, frame: bytes) -> int | None:
            late = super().__call__(number, frame)
            return 300 * MS if 9 in self.seen and not self.resent else late

    wire = Late()
    flow, _ = run(wire, segments=20, write_bytes=10 * MSS, write_interval_ns=SECOND)
    sender, receiver = ends(flow)
    assert wire.resent == [9] and sender.timer.probes == 1
    # what is acknowledged after it would tell of a loss otherwise
    assert sender.window.ssthresh > 1000 and receiver.duplicate_bytes == MSS


def test_a_lost_retransmission_is_found_by_what_was_sent_after_it() -> None:
    wire = Wire({100, 101}, again={100})
    flow, _ = run(wire, segments=1000)
    assert wire.resent == [100, 101, 100]
    sender, _ = ends(flow)
    assert sender.recovery.timeouts == 0
    # that 101 has come before 100 is not the path's doing
    assert not sender.board.reordered and sender.board.reordering == 3
    check_balance(flow)


def test_silence_times_out_and_doubles() -> None:
    """All frames from the 20th on are lost for three seconds: probes and timeouts, each twice as far from the last."""

    class Silence(Wire):
        begun_ns = 0

        def __call__(self, number: int, frame: bytes) -> int | None:
            verdict = super().__call__(number, frame)
            assert self.bench is not None
            now_ns = self.bench.timeline.now_ns
            if 20 in self.seen and not self.begun_ns:
                self.begun_ns = now_ns
            return None if self.begun_ns and now_ns < self.begun_ns + 3 * SECOND else verdict

    wire = Silence()
    flow, _ = run(wire, segments=400)
    sender, _ = ends(flow)
    assert sender.recovery.timeouts == 4
    assert sender.window.ssthresh >= 14, "reduced once, not with each timeout"
    heads = [when for index, when in zip(wire.resent, wire.resent_ns, strict=True) if index == min(wire.resent)]
    gaps = [later - earlier for earlier, later in pairwise(heads)]
    assert len(heads) == 4
    for first, second in pairwise(gaps):
        assert abs(second - 2 * first) < 50_000, gaps
    check_balance(flow)


def test_a_path_that_stays_dead_ends_the_connection() -> None:
    flow = TcpFlow(total_bytes=100 * MSS, path=Path(delay_ns=MS))
    bench = TcpBench(flow, tamper=lambda number, frame: 0 if number < 40 else None).start()
    bench.run(2000 * SECOND)
    sender, _ = ends(flow)
    assert sender.failed and sender.recovery.timeouts == 15
    assert bench.timeline.next_ns() is None, "nothing is left to happen"
    assert flow.totals()["failed"] and flow.failed == "no acknowledgement"


def test_reordering_on_the_way_is_not_taken_for_loss_for_long() -> None:
    """Each tenth frame is late by less than a quarter of a round trip: once it is known, nothing is sent again."""

    class Late(Wire):
        def __call__(self, number: int, frame: bytes) -> int | None:
            super().__call__(number, frame)
            return 2 * MS if number % 10 == 9 else 0

    wire = Late()
    flow, _ = run(wire, segments=1000)
    assert len(wire.resent) <= 3
    sender, receiver = ends(flow)
    assert sender.board.reordered and receiver.out_of_order > 50
    check_balance(flow)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 1 << 30),
    loss=st.sampled_from([0.01, 0.05, 0.2]),
    late=st.sampled_from([0.0, 0.05, 0.3]),
    congestion=st.sampled_from(["reno", "cubic"]),
    window=st.sampled_from([None, 8_000, 100_000]),
    interval=st.sampled_from([0, 3 * MS]),
    gso=st.booleans(),
)
def test_every_byte_arrives_once_and_in_order_whatever_the_wire_does(
    seed: int, loss: float, late: float, congestion: str, window: int | None, interval: int, gso: bool
) -> None:
    random = Random(seed)

    def tamper(number: int, frame: bytes) -> int | None:
        if random.random() < loss:
            return None
        return random.randrange(5 * MS) if random.random() < late else 0

    flow = TcpFlow(
        total_bytes=random.randint(1, 150_000),
        write_bytes=random.choice((700, 5_000, 131_072)),
        write_interval_ns=interval,
        congestion=congestion,
        rcv_window_bytes=window,
        path=Path(delay_ns=2 * MS),
    )
    bench = TcpBench(flow, tamper=tamper)
    bench.dev.gso = gso
    bench.start().run_until(lambda: bool(flow.finished_ns or flow.failed), 4000 * SECOND)
    if flow.failed:
        assert flow.failed == "no answer to SYN" and loss == 0.2
        return
    check_balance(flow)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=30), st.integers(0, 70))
def test_ranges_hold_what_was_added_and_report_the_newest_first(parts: Iterable[tuple[int, int]], upto: int) -> None:
    ranges, held = Ranges(), set[int]()
    for start, size in parts:
        span = set(range(start, start + size))
        missing = {seq for low, high in ranges.missing(start, start + size) for seq in range(low, high)}
        assert missing == span - held
        assert ranges.holds(start, start + size) == (span <= held)
        ranges.add(start, start + size)
        held |= span
        assert {seq for low, high in ranges.ranges for seq in range(low, high)} == held
        assert all(high < low for (_, high), (low, _) in pairwise(ranges.ranges))
        blocks = ranges.blocks()
        assert start >= blocks[0][0] and start + size <= blocks[0][1], "the newest first"
        assert len(blocks) <= 3 and len(set(blocks)) == len(blocks) and set(blocks) <= set(ranges.ranges)
    reached = ranges.advance(upto)
    expected = upto
    while expected in held:
        expected += 1
    assert reached == expected
    assert {seq for low, high in ranges.ranges for seq in range(low, high)} == {seq for seq in held if seq > reached}


def test_what_was_sent_twice_says_nothing_of_the_round_trip() -> None:
    """Karn: an acknowledgement without a time stamp that covers a retransmission is no measurement."""
    flow = TcpFlow(total_bytes=10 * MSS, path=Path(delay_ns=10 * MS))
    bench = TcpBench(flow, tamper=lambda number, frame: 0 if number < 2 else None).start()
    bench.run_until(lambda: flow.sender is not None and flow.sender.recovery.timeouts == 1)
    sender, _ = ends(flow)
    before = (sender.rtt.srtt_us, sender.rtt.backoff)
    assert before == (20_000, 1) and bench.timeline.now_ns > 200 * MS
    sender.acknowledged(Ack(1 + 10 * MSS, 1 << 20, 0, 0))
    assert sender.board.packets_out == 0 and (sender.rtt.srtt_us, sender.rtt.backoff) == before
