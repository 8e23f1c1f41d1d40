"""What bounds a sender in its own host: send buffer, small queues, super-packet sizes, pacing."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from ringwire.host.cpu import HostCosts
from ringwire.netdev import TxQueue
from ringwire.netdev.sysctl import TCP_LIMIT_OUTPUT_BYTES
from ringwire.qdisc import qdisc_class
from ringwire.qdisc.fifo import PacketLimit
from ringwire.skb import Skb
from ringwire.traffic.tcp import TcpFlow
from ringwire.transport import pacing
from ringwire.transport.pacing import PacingStatus
from ringwire.transport.packet import HEAD_TRUESIZE
from ringwire.transport.path import Path
from ringwire.transport.sendbuffer import SendBuffer
from ringwire.transport.sender import Sender
from tests.tcp_bench import GBIT, MS, SECOND, TcpBench, TwinBench

MSS = 1448


def sender_of(flow: TcpFlow) -> Sender:
    assert flow.sender is not None
    return flow.sender


def each_event(bench: TcpBench, check: Callable[[], None], duration_ns: int) -> None:
    """Run, and look after every event."""
    end_ns = bench.timeline.now_ns + duration_ns
    while (when_ns := bench.timeline.next_ns()) is not None and when_ns <= end_ns:
        bench.timeline.run_until(when_ns)
        check()


# -- the send buffer


def test_a_write_is_charged_as_linux_does_a_head_for_each_packet() -> None:
    buffer = SendBuffer(10_000)
    assert buffer.write(3_000, 4_000, 7) == 3_000
    assert (buffer.used, buffer.unsent, buffer.head, buffer.head_written_ns) == (HEAD_TRUESIZE + 3_000, 3_000, 3_000, 7)
    assert buffer.write(3_000, 4_000, 8) == 1_000, "the packet is full"
    assert buffer.write(2_000, 4_000, 9) == 2_000
    assert buffer.used == 2 * HEAD_TRUESIZE + 6_000 and not buffer.full
    buffer.take(2_896)
    assert (buffer.head, buffer.head_written_ns) == (4_000 - 2_896, 7)
    assert buffer.used == 3 * HEAD_TRUESIZE + 6_000, "what is cut off is a packet of its own"
    assert buffer.write(9_999, 9_999, 10) == 7_999, "a packet that is begun may overfill the buffer"
    assert buffer.full and buffer.write(1, 9_999, 11) == 0


@pytest.mark.parametrize(("used", "writeable"), [(6_667, True), (6_668, False), (0, True), (12_000, False)])
def test_a_writer_goes_on_when_a_third_of_the_buffer_is_free(used: int, writeable: bool) -> None:
    buffer = SendBuffer(10_000)
    buffer.used = used
    assert buffer.writeable is writeable


def test_the_buffer_grows_with_the_window_up_to_its_bound() -> None:
    buffer = SendBuffer()
    assert buffer.size == 16_384
    buffer.expand(MSS, 10, 3)
    # twice ten packets of 4,096 and 256 bytes: what a new connection has on every Linux host
    assert buffer.size == 87_040
    buffer.expand(MSS, 100, 3)
    assert buffer.size == 870_400
    buffer.expand(MSS, 10, 3)
    assert buffer.size == 870_400
    buffer.expand(MSS, 10_000, 3)
    assert buffer.size == 4_194_304
    fixed = SendBuffer(50_000)
    fixed.expand(MSS, 100, 3)
    assert fixed.size == 50_000


def test_the_application_waits_and_what_is_written_stays_bounded() -> None:
    flow = TcpFlow(sndbuf_bytes=100_000, path=Path(delay_ns=20 * MS))
    bench = TcpBench(flow).start()
    peaks: list[int] = []

    def check() -> None:
        if flow.sender is not None:
            sender = flow.sender
            unacknowledged = sum(segment.truesize for segment in sender.board.segments)
            heads = len(sender.buffer._chunks) * HEAD_TRUESIZE
            assert sender.buffer.used == unacknowledged + sender.buffer.unsent + heads
            peaks.append(sender.buffer.used)

    each_event(bench, check, SECOND // 2)
    goal = 65_160
    assert 90_000 < max(peaks) < 100_000 + goal + HEAD_TRUESIZE + 25 * HEAD_TRUESIZE
    # a window of the buffer in each round trip of 40 ms, and not what the link could carry
    assert 12 * 60_000 < flow.totals()["delivered_bytes"] < 12 * 170_000


# -- TCP Small Queues


@pytest.mark.parametrize("rate_bps", [100 * 10**6, GBIT])
@pytest.mark.parametrize("limit", [1 << 20, 10_000])
def test_small_queues_bound_what_is_below_the_socket_at_every_moment(rate_bps: int, limit: int) -> None:
    flow = TcpFlow(limit_output_bytes=limit, path=Path(delay_ns=MS), hystart=False, rcv_window_bytes=1 << 22)
    bench = TcpBench(flow, rate_bps=rate_bps).start()
    allowed = 0
    peak = 0

    def sending(skb: Skb) -> None:
        """What was below when this packet was decided on was within the limit, or was one packet at most."""
        nonlocal allowed, peak
        sender = flow.sender
        if sender is None or skb.destructor is None:
            return
        before = sender.wmem - skb.truesize
        bound = pacing.small_queue_limit(flow.sk.pacing_rate or 0, 10, PacingStatus.NONE, limit, skb.truesize, 0)
        assert before <= bound or len(sender.board.segments) < 2
        allowed, peak = max(allowed, bound), max(peak, sender.wmem)

    bench.env.on_send = sending
    bench.run(60 * MS if rate_bps == GBIT else 300 * MS)
    sender = sender_of(flow)
    assert sender.small_queue_waits > 20 and peak > 0
    # one more than the limit, and two in any case
    largest = 65_160 + HEAD_TRUESIZE
    assert peak <= max(allowed + largest, 2 * largest)
    assert flow.totals()["goodput_bps"] > 0.8 * rate_bps * MSS / 1538, "and the link is full"


@pytest.mark.parametrize(("own", "sysctl", "limit"), [(None, 1, 1), (None, 0, 1), (20_000, 1, 20_000), (0, 1, None)])
def test_the_limit_is_the_hosts_unless_the_flow_has_its_own(own: int | None, sysctl: int, limit: int | None) -> None:
    flow = TcpFlow(limit_output_bytes=own, path=Path(delay_ns=MS))
    bench = TcpBench(flow)
    bench.dev.net.sysctls[TCP_LIMIT_OUTPUT_BYTES] = sysctl
    bench.start().run(20 * MS)
    assert sender_of(flow).settings.limit_output_bytes == limit


def test_without_small_queues_the_window_lies_in_the_qdisc() -> None:
    peaks = {}
    for limit in (0, 1 << 20):
        flow = TcpFlow(limit_output_bytes=limit, path=Path(delay_ns=MS), hystart=False)
        bench = TcpBench(flow, rate_bps=100 * 10**6).start()
        peak = 0

        def check() -> None:
            nonlocal peak
            peak = max(peak, bench.dev.qdisc.backlog)  # noqa: B023

        each_event(bench, check, 150 * MS)
        peaks[limit] = peak
    assert peaks[0] > 5 * peaks[1 << 20] > 0


def test_a_drop_in_the_own_qdisc_reduces_and_nothing_is_lost_by_it() -> None:
    flow = TcpFlow(limit_output_bytes=0, path=Path(delay_ns=MS), total_bytes=3_000_000, hystart=False)
    bench = TcpBench(flow, rate_bps=100 * 10**6)
    bench.dev.set_qdisc(qdisc_class("pfifo")(bench.dev, PacketLimit(4)))
    bench.start().run_until(lambda: bool(flow.finished_ns))
    totals = flow.totals()
    assert totals["local_drops"] > 0 and totals["retransmits"] == 0 and totals["rto"] == 0
    assert sender_of(flow).recovery.local_reductions > 0
    assert totals["delivered_bytes"] == 3_000_000 and sender_of(flow).wmem == 0


def test_a_host_that_takes_nothing_is_tried_again_after_half_a_second() -> None:
    flow = TcpFlow(path=Path(delay_ns=MS), total_bytes=1_000)
    bench = TcpBench(flow)
    tries: list[int] = []

    def refuse(skb: Skb) -> int | None:
        if skb.len <= 74:
            return None
        tries.append(bench.timeline.now_ns)
        if len(tries) < 4:
            skb.free()
            return 1
        return None

    bench.env.on_send = refuse
    bench.start().run_until(lambda: bool(flow.finished_ns))
    assert [later - tries[0] for later in tries] == [0, 500 * MS, 1_000 * MS, 1_500 * MS]


def test_what_is_still_in_the_host_is_not_sent_again() -> None:
    """A queue that stands still for a second: probe and timeouts come, but the packet has not left yet."""
    flow = TcpFlow(path=Path(delay_ns=MS), total_bytes=MSS)
    bench = TcpBench(flow)
    held: list[Skb] = []

    def hold(skb: Skb) -> int | None:
        if skb.len <= 74:
            return None
        held.append(skb)
        return 0

    bench.env.on_send = hold
    bench.start().run(SECOND)
    sender = sender_of(flow)
    assert len(held) == 1 and sender.busy_retransmits >= 2 and sender.retransmits == 0
    assert sender.recovery.timeouts == 2 and sender.wmem == held[0].truesize
    held[0].free()
    bench.run(MS)
    assert len(held) == 2 and sender.retransmits == 1, "it has left: now it is"


# -- super-packets


@pytest.mark.parametrize(
    ("delay_ns", "rate_bps", "expected"),
    [(20 * MS, 50 * 10**6, {2, 3, 4, 5}), (20 * MS, 5 * 10**6, {2})],
)
def test_a_super_packet_is_a_millisecond_of_the_rate_on_a_long_path(
    delay_ns: int, rate_bps: int, expected: set[int]
) -> None:
    """The rate is 1.2 times the window a round trip: at 50 Mb/s five segments a millisecond; two are the least."""
    flow = TcpFlow(path=Path(delay_ns=delay_ns, rate_bps=rate_bps, limit_packets=200))
    bench = TcpBench(flow)
    bench.start().run(500 * MS)
    bench.env.keep = True
    bench.run(300 * MS)
    sizes = {skb.gso_segs for _, _, skb in bench.env.sent if skb.gso_size}
    assert sizes <= expected and max(sizes) == max(expected & sizes)


def test_on_a_short_path_super_packets_are_as_large_as_they_may_be() -> None:
    """Below 512 us of round trip the device's own largest is added to what the rate gives."""
    flow = TcpFlow(path=Path(delay_ns=20_000), rcv_window_bytes=1 << 22)
    bench = TcpBench(flow, rate_bps=10 * GBIT)
    bench.start().run(5 * MS)
    bench.env.keep = True
    bench.run(3 * MS)
    sizes = [skb.gso_segs for _, _, skb in bench.env.sent]
    assert max(sizes) == 45 and sum(size == 45 for size in sizes) > len(sizes) // 4
    assert max(skb.len for _, _, skb in bench.env.sent) == 45 * MSS + 66 < 65_536


def test_without_gso_every_packet_is_one_frame() -> None:
    flow = TcpFlow(path=Path(delay_ns=MS), total_bytes=500_000)
    bench = TcpBench(flow)
    bench.dev.gso = False
    bench.env.keep = True
    bench.start().run_until(lambda: bool(flow.finished_ns))
    assert max(skb.len for _, _, skb in bench.env.sent) == 1514
    assert all(not skb.gso_size for _, _, skb in bench.env.sent)


# -- pacing


def test_a_socket_with_a_pacing_rate_keeps_to_it_by_its_own_timer() -> None:
    flow = TcpFlow(path=Path(delay_ns=MS), max_pacing_rate_bps=80_000_000)
    bench = TcpBench(flow)
    bench.start().run(100 * MS)
    bench.env.keep = True
    bench.run(500 * MS)
    sent = [(now_ns, skb) for now_ns, _, skb in bench.env.sent if skb.len > 66]
    payload = sum(skb.len - 66 for _, skb in sent)
    assert abs(payload * 8 / (80e6 * 0.5) - 1) < 0.01
    for (earlier_ns, before), (later_ns, _) in pairwise(sent):
        gap_ns = (before.len - 66) * SECOND // 10_000_000
        assert later_ns - earlier_ns >= gap_ns // 2, "the credit for being late is half of a gap at most"
    assert sender_of(flow).pacing_status == PacingStatus.NEEDED


def test_under_fq_packets_carry_their_departure_times_and_leave_at_them() -> None:
    flow = TcpFlow(path=Path(delay_ns=10 * MS), max_pacing_rate_bps=40_000_000)
    bench = TcpBench(flow)
    bench.dev.set_qdisc(qdisc_class("fq")(bench.dev))
    given: list[tuple[int, Skb]] = []
    xmit = bench.dev.start_xmit

    def noted(skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        given.append((bench.timeline.now_ns, skb))
        return xmit(skb, txq, xmit_more)

    bench.dev.start_xmit = noted
    bench.start().run(300 * MS)
    bench.env.keep = True
    given.clear()
    bench.run(500 * MS)
    assert sender_of(flow).pacing_status == PacingStatus.FQ and flow.sk.paced_by_fq
    ahead = [skb.tstamp - now_ns for now_ns, _, skb in bench.env.sent if skb.len > 66]
    assert max(ahead) > 0 and min(ahead) >= 0, "they are handed over before their time"
    slack_ns = 10_000
    late = [now_ns - skb.tstamp for now_ns, skb in given if skb.len > 66]
    assert min(late) >= 0 and sorted(late)[len(late) // 2] <= slack_ns
    payload = sum(skb.len - 66 for _, skb in given)
    assert abs(payload * 8 / (40e6 * 0.5) - 1) < 0.02


# -- with the real driver


def test_a_bulk_flow_fills_the_twins_wire_within_its_small_queue() -> None:
    flow = TcpFlow(path=Path(delay_ns=100_000), total_bytes=2_000_000, rcv_window_bytes=1 << 20)
    bench = TwinBench(flow, costs=HostCosts())
    peak = 0
    send = bench.env.send

    def watched(sender: TcpFlow, skb: Skb, written_ns: int | None = None) -> int:
        nonlocal peak
        rc = send(sender, skb, written_ns)
        peak = max(peak, sender_of(flow).wmem if flow.sender is not None else 0)
        return rc

    bench.env.send = watched  # type: ignore[method-assign,assignment]
    bench.run_until(lambda: bool(flow.finished_ns))
    totals = flow.totals()
    assert totals["goodput_bps"] > 0.85 * GBIT and totals["retransmits"] == 0
    assert peak < (1 << 18)
    assert sender_of(flow).wmem == 0 and bench.dev.tx_queues[0].dql.inflight == 0


# -- small writes


@pytest.mark.parametrize(("nodelay", "expected"), [(True, [100] * 20), (False, [100, 600, 700, 600])])
def test_small_writes_wait_for_the_one_before_unless_told_not_to(nodelay: bool, expected: list[int]) -> None:
    """A hundred bytes each 3 ms over a round trip of 20 ms: what gathers meanwhile goes in one packet."""
    path = Path(delay_ns=10 * MS)
    flow = TcpFlow(
        total_bytes=2_000, write_bytes=100, write_interval_ns=3 * MS, nodelay=nodelay, quick_acks=100, path=path
    )
    bench = TcpBench(flow)
    bench.env.keep = True
    bench.start().run_until(lambda: bool(flow.finished_ns))
    assert [skb.len - 66 for _, _, skb in bench.env.sent[2:]] == expected
