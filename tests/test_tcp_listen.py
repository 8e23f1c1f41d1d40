"""Connection set-up: SYN queue and accept queue, cookies, and a flood."""

from __future__ import annotations

from typing import Any

import pytest

from ringwire.host.timeline import Timeline
from ringwire.traffic.flow import FLOWS
from ringwire.traffic.synflood import SynFlood
from ringwire.traffic.tcp import TcpFlow
from ringwire.transport.listen import Listener
from ringwire.transport.path import Path
from ringwire.transport.timers import FarClock
from tests.tcp_bench import MS, SECOND, TcpBench


class Server:
    """A listener whose clients a test plays."""

    def __init__(self, **fields: Any) -> None:
        self.timeline = Timeline()
        self.far = FarClock(TimelineClock(self.timeline), 0)
        self.listener = Listener(**fields)
        self.answers: list[tuple[int, object]] = []

    def syn(self, peer: object, now_ns: int = 0) -> None:
        self.far.run_until(now_ns)
        self.listener.syn(now_ns, self.far, peer, lambda at_ns: self.answers.append((at_ns, peer)))

    def ack(self, peer: object, now_ns: int = 0) -> bool | None:
        self.far.run_until(now_ns)
        return self.listener.ack(now_ns, peer)


class TimelineClock:
    """A timeline as a clock."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.call_at = timeline.call_at

    def now_ns(self) -> int:
        return self.timeline.now_ns


def test_a_handshake_leaves_the_syn_queue_for_the_accept_queue() -> None:
    server = Server(accept_interval_ns=SECOND)
    server.syn("a")
    assert (server.listener.syn_queue, server.answers) == (1, [(0, "a")])
    assert server.ack("a", 5) is True
    # the application takes it at once, and the next one a second later
    assert (server.listener.syn_queue, server.listener.accept_queue(5)) == (0, 0)
    server.syn("b", 10)
    assert server.ack("b", 20) is True
    assert server.listener.accept_queue(SECOND + 4) == 1 and server.listener.accept_queue(SECOND + 5) == 0


def test_the_backlog_is_bounded_by_somaxconn_and_takes_one_more() -> None:
    server = Server(backlog=100, somaxconn=3, accept_interval_ns=1000 * SECOND, tcp_syncookies=0)
    taken = []
    for peer in range(8):
        server.syn(peer, peer)
        taken.append(server.ack(peer, peer))
    # the first is accepted at once, four wait; from then on SYNs are dropped, so the last ACKs belong to nothing
    assert taken == [True] * 5 + [None] * 3
    assert (server.listener.listen_overflows, server.listener.listen_drops) == (3, 3)


@pytest.mark.parametrize("abort", [False, True])
def test_a_third_packet_that_finds_the_accept_queue_full_is_dropped_or_reset(abort: bool) -> None:
    server = Server(backlog=1, accept_interval_ns=1000 * SECOND, tcp_abort_on_overflow=abort)
    server.syn(0)
    assert server.ack(0) is True  # is accepted
    server.syn(1)
    assert server.ack(1) is True
    server.syn(2)
    server.syn(3)
    # the SYN queue holds as many as the backlog says: the second of them gets a cookie
    assert server.listener.syncookies_sent == 1
    assert server.ack(2) is True
    assert server.ack(3) is False, "the cookie is good, but there is no room; nothing is said"
    server.listener.tcp_syncookies = 0
    server.listener.backlog = 2
    server.listener._accepting.pop()
    server.listener.backlog = 1
    server.syn(4)
    server.listener._accepting.append(1 << 60)
    assert server.ack(4) is (None if abort else False)
    assert server.listener.syn_queue == (0 if abort else 1)
    assert server.listener.listen_overflows == server.listener.listen_drops == 2


@pytest.mark.parametrize("backlog", [4, 100])
def test_syn_acks_are_sent_again_after_one_three_seven_seconds_and_so_on(backlog: int) -> None:
    server = Server(backlog=backlog)
    server.syn("a")
    server.timeline.run_until(200 * SECOND)
    times = [at_ns // SECOND for at_ns, _ in server.answers]
    assert times == [0, 1, 3, 7, 15, 31]
    assert (server.listener.syn_queue, server.listener.expired, server.listener.syn_ack_retransmits) == (0, 1, 5)


def test_a_queue_that_is_half_full_of_old_requests_gives_them_up_earlier() -> None:
    server = Server(backlog=20, tcp_syncookies=0)
    for peer in range(11):
        server.syn(peer)
    server.timeline.run_until(SECOND)
    assert server.listener.syn_ack_retransmits == 11, "all are young: none is given up"
    server.timeline.run_until(200 * SECOND)
    # none is young any more: those beyond half of the queue have two retries, or three, not five
    assert server.listener.syn_ack_retransmits < 11 * 5
    assert server.listener.expired == 11
    last = max(at_ns // SECOND for at_ns, peer in server.answers if peer == 0)
    assert last == 3


def test_a_full_syn_queue_sends_cookies_or_drops() -> None:
    server = Server(backlog=4, tcp_syncookies=1)
    for peer in range(6):
        server.syn(peer)
    assert (server.listener.syncookies_sent, server.listener.syn_queue, len(server.answers)) == (2, 4, 6)
    assert server.ack(5) is True and server.listener.syncookies_received == 1
    assert server.ack("stranger", 121 * SECOND) is None, "so long after the last cookie none is believed"
    none = Server(backlog=4, tcp_syncookies=0)
    for peer in range(6):
        none.syn(peer)
    assert (none.listener.req_q_full_drop, none.listener.listen_drops, len(none.answers)) == (2, 2, 4)
    always = Server(tcp_syncookies=2)
    always.syn("a")
    assert (always.listener.syncookies_sent, always.listener.syn_queue) == (1, 0)
    assert always.ack("a") is True


def test_without_cookies_the_last_quarter_of_the_syn_backlog_is_for_known_peers() -> None:
    server = Server(backlog=4096, tcp_max_syn_backlog=16, tcp_syncookies=0)
    for peer in range(20):
        server.syn(peer)
    assert (server.listener.syn_queue, server.listener.listen_drops) == (13, 7)


def test_a_syn_that_comes_again_is_answered_again_and_held_once() -> None:
    server = Server()
    server.syn("a")
    server.syn("a", 500 * MS)
    assert (server.listener.syn_queue, server.answers) == (1, [(0, "a"), (500 * MS, "a")])


@pytest.mark.parametrize(
    ("field", "value"),
    [("backlog", -1), ("tcp_syncookies", 3), ("accept_interval_ns", -1), ("tcp_synack_retries", 256)],
)
def test_a_listener_that_cannot_be_is_refused(field: str, value: int) -> None:
    with pytest.raises(ValueError, match=rf"{field} {value}(ns)?; allowed: 0(ns)? to"):
        Listener(**{field: value})  # type: ignore[arg-type]


def flooded(cookies: int, **flood: Any) -> tuple[TcpFlow, SynFlood, TcpBench]:
    """A connection that begins half a second into a flood."""
    path, listener = Path(delay_ns=MS), Listener(backlog=128, tcp_syncookies=cookies)
    flow = TcpFlow(total_bytes=14_480, path=path, listener=listener)
    attack = SynFlood(rate_pps=2_000, path=path, listener=listener, **flood)
    bench = TcpBench(attack, flow).start(0, 500 * MS)
    return flow, attack, bench


def test_under_a_flood_cookies_let_a_connection_in_at_once() -> None:
    flow, attack, bench = flooded(1)
    bench.run_until(lambda: bool(flow.finished_ns))
    assert flow.connect_ns < 3 * MS
    totals = attack.totals()
    assert totals["SyncookiesSent"] >= 1_000 - 128 and totals["SyncookiesRecv"] == 1
    assert totals["ListenDrops"] == totals["ListenOverflows"] == 0
    assert totals["established"] == 1 and attack.state()["syn_queue"] == 128


def test_under_a_flood_without_cookies_a_connection_has_to_wait_until_it_is_over() -> None:
    flow, attack, bench = flooded(0, packets=3_000)
    bench.run_until(lambda: bool(flow.finished_ns))
    # 128 requests fill the queue at once, and each is given up after seconds; the flood is over after 1.5
    assert flow.connect_ns > 2 * SECOND
    totals = attack.totals()
    assert totals["syns"] == 3_000 + flow._attempt.syns and totals["SyncookiesSent"] == 0
    assert totals["TCPReqQFullDrop"] == totals["ListenDrops"] > 2_500


def test_a_flood_is_evenly_spaced_or_poisson_and_from_many_addresses() -> None:
    even, chance = SynFlood(rate_pps=3_000, packets=300), SynFlood(rate_pps=3_000, packets=300, poisson=True)
    for flood in (even, chance):
        bench = TcpBench(flood)
        bench.env.keep = True
        bench.start().run(SECOND)
        times = [when for when, _, _ in bench.env.sent]
        assert len(times) == 300
        if flood is even:
            assert times == [-(-index * SECOND // 3_000) for index in range(300)]
        else:
            assert 0.07 * SECOND < times[-1] < 0.13 * SECOND and len(set(times)) == 300
        assert len({skb.linear()[26:30] for _, _, skb in bench.env.sent}) > 290
        assert len({skb.hash for _, _, skb in bench.env.sent}) > 290
    assert FLOWS.find("syn-flood") is SynFlood


@pytest.mark.parametrize(
    ("field", "value"),
    [("rate_pps", 0), ("packets", 0), ("sources", "fd00::/8"), ("sources", "x"), ("destination", "y")],
)
def test_a_flood_that_cannot_be_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{field}.*allowed"):
        SynFlood(**{field: value})  # type: ignore[arg-type]


def test_nobody_answers_and_the_client_gives_up_after_ten_more_syns() -> None:
    flow = TcpFlow(total_bytes=1, path=Path(delay_ns=MS))
    bench = TcpBench(flow, tamper=lambda number, frame: None)
    bench.env.keep = True
    bench.start().run(200 * SECOND)
    assert [when // SECOND for when, _, _ in bench.env.sent] == [0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67]
    assert flow.failed == "no answer to SYN" and bench.timeline.next_ns() is None


@pytest.mark.parametrize("abort", [False, True])
def test_a_full_accept_queue_resets_or_lets_the_client_try_until_there_is_room(abort: bool) -> None:
    """Three at once for an application that is busy for five seconds: one is accepted, one waits, one is too many."""
    listener = Listener(backlog=0, accept_interval_ns=5 * SECOND, tcp_syncookies=0, tcp_abort_on_overflow=abort)
    listener.backlog = 1 << 30
    flows = [
        TcpFlow(name=str(port), source_port=port, listener=listener, path=Path(delay_ns=MS), total_bytes=10)
        for port in (1, 2, 3)
    ]
    bench = TcpBench(*flows)
    bench.env.keep = True
    bench.start().run_until(lambda: listener.syns == 3)
    listener.backlog = 0
    bench.run(60 * SECOND)
    assert [flow.failed for flow in flows] == ["", "", "connection reset" if abort else ""]
    finished_s = [flow.finished_ns // SECOND for flow in flows]
    assert finished_s[:2] == [0, 0]
    assert (finished_s[2] == 0) if abort else (finished_s[2] >= 5)
    # the client believes that it is connected: it sends its data again and again, and an ACK for each SYN-ACK
    packets = [skb for _, length, skb in bench.env.sent if skb.sk is flows[2].sk and length != 74]
    assert listener.listen_overflows == (1 if abort else len(packets) - 1)
    assert listener.syn_ack_retransmits == (0 if abort else 2)
