"""etf, cbs and taprio where no trace looks. After net/sched/sch_etf.c, sch_cbs.c and sch_taprio.c of Linux 6.12."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringwire.netdev import dev_queue_xmit
from ringwire.netdev.tree import find_qdisc
from ringwire.qdisc import XMIT_DROP, XMIT_SUCCESS, AnyQdisc
from ringwire.qdisc.cbs import Cbs
from ringwire.qdisc.taprio import Taprio
from ringwire.skb import Skb
from ringwire.sock import Clock, Sock
from ringwire.tools.tc import Tc, TcError
from tests.stack_bench import StackBench, super_packet

START = 1_000_000
US = 1000
GATES = "num_tc 2 map 0 1 queues 1@0 1@1 clockid CLOCK_TAI base-time 2000000 "
HALVES = GATES + "sched-entry S 1 100000 sched-entry S 2 100000"
"""Of each 200 us, class 0 has the first half and class 1 the second."""
BASE = 2_000_000


def made(
    line: str, queues: int = 1, speed_mbps: int = 0, *, runs: bool = False
) -> tuple[StackBench, Callable[[str], str]]:
    """A device that is made with a line. Unless it ``runs``, timers do nothing: the test dequeues."""
    bench = StackBench(name="eth0", num_tx_queues=queues)
    bench.dev.speed_mbps = speed_mbps
    bench.pass_ns(START)
    if not runs:
        bench.dev.schedule = lambda qdisc: None  # type: ignore[method-assign]
    run = Tc([bench.dev]).run
    run(f"tc qdisc add dev eth0 root handle 1: {line}")
    return bench, run


def put(qdisc: AnyQdisc, length: int = 1000, **fields: object) -> int:
    to_free: list[Skb] = []
    rc = qdisc.enqueue(Skb(len=length, pkt_len=length, **fields), to_free)  # type: ignore[arg-type]
    for skb in to_free:
        qdisc.dev.drop(skb)
    return rc


def pass_to(bench: StackBench, when_ns: int) -> None:
    bench.pass_ns(when_ns - bench.dev.now_ns())


def refused(run: Callable[[str], str], line: str) -> str:
    with pytest.raises(TcError) as caught:
        run(line)
    return caught.value.printed


def drained(qdisc: AnyQdisc) -> list[int]:
    return [skb.id for skb in iter(qdisc.dequeue, None)]


# -- etf

ETF = "etf clockid CLOCK_TAI delta 1000"


def test_etf_takes_packets_of_sockets_with_its_clock_and_mode_only() -> None:
    bench, _ = made(ETF)
    root = bench.dev.qdisc
    good = Sock(txtime_clock=Clock.TAI)
    later = {"tstamp": START + 50 * US}
    assert put(root, sk=good, **later) == XMIT_SUCCESS
    for sk in (
        None,
        Sock(),
        Sock(txtime_clock=Clock.MONOTONIC),
        Sock(txtime_clock=Clock.TAI, deadline_mode=True),
    ):
        assert put(root, sk=sk, **later) == XMIT_DROP


def test_etf_tells_sockets_why_a_packet_was_not_sent() -> None:
    bench, _ = made(ETF)
    root = bench.dev.qdisc
    said: list[tuple[int, str]] = []
    sk = Sock(txtime_clock=Clock.TAI, on_txtime_error=lambda skb, why: said.append((skb.id, why)))
    put(root, sk=sk, id=1, tstamp=START - 1)
    for ident, after in ((2, 10), (3, 20), (4, 30)):
        put(root, sk=sk, id=ident, tstamp=START + after)
    pass_to(bench, START + 20)
    assert root.dequeue() is None, "a call that drops gives nothing"
    assert said == [(1, "EINVAL"), (2, "ECANCELED"), (3, "ECANCELED")]
    assert (root.qlen, root.drops, root.overlimits) == (1, 3, 2)
    sent = root.dequeue()
    assert sent is not None and sent.id == 4
    assert put(root, sk=sk, tstamp=START + 25) == XMIT_DROP, "before one that has left"


def test_etf_gives_a_packet_out_strictly_later_than_delta_before_its_time() -> None:
    bench, _ = made(ETF + " skip_sock_check")
    root = bench.dev.qdisc
    for ident, after in enumerate((5000, 3000, 3000)):
        put(root, id=ident, tstamp=START + after)
    assert drained(root) == []
    pass_to(bench, START + 2000)
    assert drained(root) == []
    pass_to(bench, START + 2001)
    assert drained(root) == [1, 2]
    pass_to(bench, START + 5000)
    assert drained(root) == [0], "at its time it is not late"


def test_the_timers_of_etf_and_cbs_do_not_come_too_early_for_them() -> None:
    bench, _ = made(ETF + " skip_sock_check", runs=True)
    dev_queue_xmit(Skb(len=100, tstamp=START + 5000), bench.dev)
    pass_to(bench, START + 4000)
    assert bench.driver.sent == []
    pass_to(bench, START + 4001)
    assert len(bench.driver.sent) == 1
    # a third of a byte a nanosecond too little: whole bytes never come together at the moment that was asked for
    bench, _ = made("cbs idleslope 7 sendslope -9993 hicredit 0 locredit -2000", runs=True)
    for _ in range(2):
        dev_queue_xmit(Skb(len=1000), bench.dev)
        bench.drain()
    bench.pass_ns(2_000_000_000)
    assert len(bench.driver.sent) == 2


def test_etf_lines() -> None:
    _, run = made(ETF + " skip_sock_check")
    shown = "qdisc etf 1: root refcnt 2 clockid TAI delta 1000 offload off deadline_mode off skip_sock_check on\n"
    assert run("tc qdisc show dev eth0") == shown
    assert '"offload":"off","deadline_mode":"off","skip_sock_check":"on"' in run("tc -j qdisc show dev eth0")
    change = "tc qdisc change dev eth0 root handle 1: etf clockid tai delta 7"
    assert refused(run, change) == "Error: Change operation not supported by specified qdisc."
    for line, said in (
        ("etf", "Error: Dynamic clockids are not supported."),
        ("etf clockid CLOCK_REALTIME", "Error: Invalid clockid. CLOCK_TAI must be used."),
        ("etf clockid CLOCK_TAI delta -1", "Error: Delta must be positive."),
        ("etf clockid CLOCK_TAI offload", "Error: Specified device does not support ETF offload."),
        ("etf clockid TAI clockid TAI", 'etf: duplicate "clockid" specification'),
    ):
        assert refused(run, f"tc qdisc replace dev eth0 root handle 2: {line}") == said
    assert run("tc qdisc show dev eth0") == shown


# -- cbs


def test_cbs_shapes_to_its_idleslope() -> None:
    # 20 Mbit/s of a 100 Mbit/s link: a packet of 1250 bytes takes 100 us and leaves -1000 bytes of credit
    bench, run = made("cbs idleslope 20000 sendslope -80000 hicredit 300 locredit -1200", speed_mbps=100)
    root = bench.dev.qdisc
    assert isinstance(root, Cbs)
    for ident in range(3):
        put(root, 1250, id=ident)
    assert drained(root) == [0] and root.credits == -1000
    assert root.watchdog.expires_ns == START + 100 * US, "its last byte is out"
    pass_to(bench, START + 100 * US)
    assert drained(root) == []
    assert root.watchdog.expires_ns == START + 500 * US, "1000 bytes at 2.5 bytes/us"
    pass_to(bench, START + 500 * US)
    assert drained(root) == [1]
    run("tc qdisc change dev eth0 root handle 1: cbs idleslope 40000 sendslope -60000 hicredit 300 locredit -100")
    pass_to(bench, START + 800 * US)
    assert drained(root) == [2]
    # -1000 and 200 us at 5 bytes/us, and then the lower bound holds
    assert root.credits == -100


def test_cbs_forgets_what_was_saved_up_while_it_was_empty() -> None:
    bench, _ = made("cbs idleslope 20000 sendslope -80000 hicredit 5000 locredit -1200", speed_mbps=100)
    root = bench.dev.qdisc
    assert isinstance(root, Cbs)
    put(root, 1250)
    root.dequeue()
    pass_to(bench, START + 10_000 * US)
    put(root, 1250)
    assert len(drained(root)) == 1
    assert root.credits == 5000 - 1000, "a negative credit grows, however long nothing waited"
    pass_to(bench, START + 20_000 * US)
    put(root, 1250)
    assert root.credits == 0


def test_cbs_lines() -> None:
    bench, run = made("cbs idleslope 20000 sendslope -80000 hicredit 30 locredit -113")
    root = bench.dev.qdisc
    shown = "qdisc cbs 1: root refcnt 2 hicredit 30 locredit -113 sendslope -80000 idleslope 20000 offload 0 \n"
    assert run("tc qdisc show dev eth0") == shown + "qdisc pfifo 0: parent 1: limit 1000p\n"
    put(root)
    run("tc qdisc replace dev eth0 parent 1:1 handle 5: pfifo limit 1")
    assert (root.qlen, root.backlog, len(bench.dropped)) == (0, 0, 1)
    assert [put(root), put(root)] == [XMIT_SUCCESS, XMIT_DROP]
    assert root.drops == 1, "the one that the graft dropped; a refusal counts below only"
    run("tc qdisc del dev eth0 parent 1:1")
    assert run("tc qdisc show dev eth0") == shown + "qdisc pfifo 0: parent 1: limit 1000p\n"
    assert refused(run, "tc qdisc change dev eth0 root cbs offload 1") == (
        "Error: Specified device does not support cbs offload."
    )
    assert refused(run, "tc qdisc change dev eth0 root cbs foo 1") == 'cbs: unknown parameter "foo"'


# -- taprio, in software


def taprio(options: str = HALVES, *, runs: bool = False) -> tuple[StackBench, Taprio, Callable[[str], str]]:
    """At 8 ns a byte."""
    bench, run = made(f"taprio {options}", queues=2, speed_mbps=1000, runs=runs)
    assert isinstance(bench.dev.qdisc, Taprio)
    return bench, bench.dev.qdisc, run


def test_before_the_schedule_begins_all_gates_are_open() -> None:
    _, root, _ = taprio()
    for tc in (0, 1):
        put(root, 1250, priority=tc, queue_mapping=tc, id=tc)
    assert drained(root) == [1, 0], "the higher class first"


def test_a_gate_lets_a_packet_out_that_is_through_before_it_closes() -> None:
    bench, root, _ = taprio()
    for tc in (0, 0, 1):
        put(root, 1250, priority=tc, queue_mapping=tc, id=tc)
    pass_to(bench, BASE + 89_999)
    assert drained(root) == [0, 0]
    put(root, 1250, priority=0, id=5)
    pass_to(bench, BASE + 90_000)
    assert drained(root) == [], "it would end at the very moment"
    assert root.watchdog.expires_ns == BASE + 100_000
    pass_to(bench, BASE + 100_000)
    assert drained(root) == [1]
    pass_to(bench, BASE + 200_000)
    assert drained(root) == [5]


def test_a_window_lets_out_no_more_than_fits_at_link_speed() -> None:
    bench, root, _ = taprio()
    for _ in range(15):
        put(root, 1250, priority=1, queue_mapping=1)
    pass_to(bench, BASE + 100_000)
    assert len(drained(root)) == 10, "12,500 bytes"
    pass_to(bench, BASE + 300_000)
    assert len(drained(root)) == 5


def test_a_gate_that_stays_open_into_the_next_entry_closes_with_that() -> None:
    bench, root, _ = taprio(GATES + "sched-entry S 3 50000 sched-entry S 1 100000 sched-entry S 2 50000")
    pass_to(bench, BASE + 49_000)
    for tc in (0, 1):
        put(root, 1250, priority=tc, queue_mapping=tc, id=tc)
    assert drained(root) == [0], "class 1 closes in 1 us"
    pass_to(bench, BASE + 150_000)
    assert drained(root) == [1]


def test_a_class_that_never_closes_has_no_guard_band_and_no_budget() -> None:
    bench, root, _ = taprio(GATES + "sched-entry S 3 50000 sched-entry S 1 50000")
    pass_to(bench, BASE + 99_999)
    for _ in range(30):
        put(root, 1250, priority=0)
    assert len(drained(root)) == 30


def test_a_long_rest_costs_nothing_and_the_schedule_is_where_it_should_be() -> None:
    bench, root, _ = taprio()
    pass_to(bench, BASE + 1_000_000 * 200_000 + 150_000)
    for tc in (0, 1):
        put(root, 1250, priority=tc, queue_mapping=tc, id=tc)
    assert drained(root) == [1]
    assert root.watchdog.expires_ns == BASE + 1_000_001 * 200_000


def test_cycle_time_cuts_the_last_entries_off() -> None:
    bench, root, _ = taprio(HALVES + " cycle-time 150000")
    put(root, 1250, priority=0)
    pass_to(bench, BASE + 120_000)
    assert drained(root) == []
    assert root.watchdog.expires_ns == BASE + 150_000
    pass_to(bench, BASE + 150_000)
    assert len(drained(root)) == 1
    bench, root, _ = taprio(HALVES + " sched-entry S 2 100000 cycle-time 200000")
    put(root, 1250, priority=0)
    pass_to(bench, BASE + 200_000)
    assert len(drained(root)) == 1, "the third has no time at all"


def test_a_new_schedule_follows_at_its_base_time() -> None:
    bench, root, run = taprio()
    pass_to(bench, BASE + 10_000)
    run(
        "tc qdisc replace dev eth0 root handle 1: taprio clockid CLOCK_TAI base-time 2400000"
        " sched-entry S 2 60000 sched-entry S 1 60000"
    )
    shown = run("tc qdisc show dev eth0")
    assert shown.index("base-time 2000000 cycle-time 200000") < shown.index("base-time 2400000 cycle-time 120000")
    for tc in (0, 1):
        put(root, 1250, priority=tc, queue_mapping=tc, id=tc)
    pass_to(bench, BASE + 250_000)
    assert drained(root) == [0], "the old one goes on"
    pass_to(bench, BASE + 400_000)
    assert drained(root) == [1]
    put(root, 1250, priority=0, id=0)
    assert drained(root) == []
    pass_to(bench, BASE + 460_000)
    assert drained(root) == [0]
    assert "2000000" not in run("tc qdisc show dev eth0")


def test_max_sdu_and_the_gates_bound_what_may_come() -> None:
    # class 1: 20 us at 8 ns a byte are 2500 bytes
    options = GATES + "max-sdu 500 sched-entry S 1 100000 sched-entry S 2 20000"
    bench, root, run = taprio(options)
    put(root, 9000, queue_mapping=0)
    assert root.qlen == 1, "no schedule is in force yet"
    pass_to(bench, BASE)
    rcs = [put(root, length, priority=tc, queue_mapping=tc) for tc in (0, 1) for length in (514, 515, 2500, 2501)]
    assert rcs == [XMIT_SUCCESS, *[XMIT_DROP] * 3, *[XMIT_SUCCESS] * 3, XMIT_DROP]
    assert "max-sdu 500 0 0" in run("tc qdisc show dev eth0")


def test_a_super_packet_that_is_too_long_is_cut() -> None:
    bench, root, _ = taprio(GATES + "sched-entry S 1 100000 sched-entry S 2 20000")
    pass_to(bench, BASE)
    skb = super_packet(4 * 1448)
    skb.priority = skb.queue_mapping = 1
    skb.pkt_len = skb.len + 3 * 54
    assert root.enqueue(skb, []) == XMIT_SUCCESS
    assert (root.qlen, root.backlog) == (4, 4 * 1502)


def test_a_queue_of_a_class_has_its_turn() -> None:
    bench, run = made(
        "taprio num_tc 1 map 0 queues 3@0 clockid CLOCK_TAI sched-entry S 1 1000000", queues=4, speed_mbps=1000
    )
    root = bench.dev.qdisc
    for ident in range(6):
        put(root, queue_mapping=ident % 3, id=ident)
    assert drained(root) == [0, 1, 2, 3, 4, 5]
    run("tc qdisc del dev eth0 root")
    assert bench.dev.traffic_classes is None


def test_packets_leave_by_the_queue_of_their_class_when_their_gate_opens() -> None:
    bench, _, _ = taprio(runs=True)
    pass_to(bench, BASE + 50_000)
    for ident, priority in enumerate((0, 1, 0, 1)):
        dev_queue_xmit(Skb(len=1250, id=ident, priority=priority, hash=12345), bench.dev)
        bench.drain()
    assert [(skb.id, skb.queue_mapping) for skb in bench.driver.sent] == [(0, 0), (2, 0)]
    pass_to(bench, BASE + 99_999)
    assert len(bench.driver.sent) == 2
    pass_to(bench, BASE + 100_000)
    assert [(skb.id, skb.queue_mapping) for skb in bench.driver.sent[2:]] == [(1, 1), (3, 1)]


def test_etf_below_gives_out_what_is_due() -> None:
    bench, root, run = taprio()
    run("tc qdisc replace dev eth0 parent 1:1 handle 5: etf clockid CLOCK_TAI delta 1000 skip_sock_check")
    etf = find_qdisc(bench.dev, 0x50000)
    assert etf is not None and etf.parent is root
    put(root, tstamp=BASE + 20_000, id=7)
    pass_to(bench, BASE + 20_000)
    assert drained(root) == [7]
    assert (root.qlen, etf.qlen) == (0, 0)
    put(root, tstamp=BASE + 30_000)
    run("tc qdisc del dev eth0 parent 1:1")
    assert (root.qlen, root.backlog, len(bench.dropped)) == (0, 0, 1)
    assert put(root) == XMIT_DROP, "a queue without a discipline"


# -- txtime-assist


def test_txtime_assist_says_when_each_packet_is_to_leave() -> None:
    bench, root, _ = taprio(HALVES + " flags 1 txtime-delay 5000")
    times = []

    def sent_at(when_ns: int, priority: int = 1, length: int = 1250, **fields: object) -> int:
        pass_to(bench, when_ns)
        skb = Skb(len=length, pkt_len=length, priority=priority, queue_mapping=priority, **fields)  # type: ignore[arg-type]
        root.enqueue(skb, [])
        return skb.tstamp

    assert sent_at(BASE - 50_000) == BASE - 45_000, "until the schedule begins, at once"
    # class 1 has its gate open from 100 us on, and a packet takes 10 us
    times = [sent_at(BASE + 1000) for _ in range(11)]
    assert times[:10] == [BASE + 100_000 + 10_000 * n for n in range(10)]
    assert times[10] == BASE + 300_000, "the next window"
    assert sent_at(BASE + 1000, priority=0) == BASE + 6000, "its gate is open"
    # later than what was before: in the window, and behind it
    assert sent_at(BASE + 1000, priority=0) == BASE + 16_000
    assert sent_at(BASE + 92_000, priority=0) == BASE + 200_000, "it would not be through in time"
    tcp = Sock(tcp=True)
    assert sent_at(BASE + 92_000, priority=0, sk=tcp, tstamp=BASE + 250_000) == BASE + 250_000
    assert sent_at(BASE + 395_000, priority=0) == BASE + 600_000, "in Linux the very beginning of a window is past"
    assert root.qlen == len(drained(root)), "nothing is held back here"


def test_txtime_assist_drops_what_no_window_is_long_enough_for() -> None:
    bench, root, _ = taprio(GATES + "sched-entry S 1 100000 sched-entry S 2 9000 flags 0x1")
    pass_to(bench, BASE + 1000)
    assert put(root, 1126, priority=1, queue_mapping=1) == XMIT_DROP
    assert put(root, 1125, priority=1, queue_mapping=1) == XMIT_SUCCESS


def test_a_socket_with_launch_times_has_to_name_one_at_which_its_gate_is_open() -> None:
    bench, root, _ = taprio()
    sk = Sock(txtime_clock=Clock.TAI)
    pass_to(bench, BASE)
    rcs = [put(root, 1250, sk=sk, tstamp=BASE + after) for after in (1000, 89_999, 90_000, 150_000, 201_000)]
    assert rcs == [XMIT_SUCCESS, XMIT_SUCCESS, XMIT_DROP, XMIT_DROP, XMIT_SUCCESS]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("", "Error: 'mqprio' configuration is necessary."),
        (HALVES + " flags 2", "Error: The 'clockid' cannot be specified for full offload."),
        (HALVES.replace("clockid CLOCK_TAI", "flags 2"), "Error: Device does not support taprio offload."),
        (HALVES + " flags 3", "Error: TXTIME_ASSIST and FULL_OFFLOAD are mutually exclusive."),
        (
            HALVES + " txtime-delay 7",
            "Error: sch_taprio: txtime-delay can only be set when txtime-assist mode is enabled.",
        ),
        (HALVES.replace("clockid CLOCK_TAI", ""), "Error: Specifying a 'clockid' is mandatory."),
        (GATES, "Error: There should be at least one entry in the schedule."),
        (GATES + "sched-entry S 1 100", "Error: Invalid interval for schedule entry."),
        (HALVES + " cycle-time 900", "Error: 'cycle_time' is too small."),
        (GATES.replace("1@1", "2@1") + "sched-entry S 1 9999", "exceed the 2 TX queues available."),
        (GATES.replace("1@1", "1@0") + "sched-entry S 1 9999", "overlap with TC 1 queues 1@0."),
        (GATES.replace("map 0 1", "map 0 2"), "Invalid traffic class in priority to traffic class mapping."),
        (HALVES + " foo", "Unknown argument"),
        (HALVES + " sched-entry R 1 1000", "Usage: ... taprio ... sched-entry <cmd> <gate mask> <interval>"),
        (HALVES + " clockid CLOCK_TAI", 'taprio: duplicate "clockid" specification'),
    ],
)
def test_taprio_refuses(options: str, said: str) -> None:
    bench, run = made("pfifo", queues=2, speed_mbps=1000)
    assert refused(run, f"tc qdisc replace dev eth0 root handle 2: taprio {options}").endswith(said)
    assert bench.dev.traffic_classes is None
    assert bench.dev.qdisc.kind == "pfifo"


def test_taprio_is_a_root_over_several_queues_and_keeps_its_mode_and_map() -> None:
    _, run = made("pfifo")
    assert refused(run, f"tc qdisc replace dev eth0 root handle 2: taprio {HALVES}") == (
        "Error: sch_taprio: Multi-queue device is required."
    )
    bench, root, run = taprio()
    change = "tc qdisc change dev eth0 root handle 1: taprio "
    assert refused(run, change + HALVES + " flags 1") == (
        "Error: sch_taprio: Changing 'flags' of a running schedule is not supported."
    )
    assert refused(run, change + HALVES.replace("map 0 1", "map 1 0")) == (
        "Error: Changing the traffic mapping of a running schedule is not supported."
    )
    assert refused(run, "tc qdisc add dev eth0 parent 1:1 handle 9: taprio " + HALVES) == (
        "Error: sch_taprio: Can only be attached as root qdisc."
    )
    run("tc qdisc replace dev eth0 root handle 3: taprio " + HALVES)
    assert bench.dev.traffic_classes is not None, "the end of the old one takes nothing from the new"
    assert bench.dev.qdisc is not root


# -- whatever comes

LINES = {
    "etf": ETF + " skip_sock_check",
    "etf-deadline": ETF + " skip_sock_check deadline_mode",
    "cbs": "cbs idleslope 20000 sendslope -80000 hicredit 3000 locredit -1200",
    "taprio": "taprio max-sdu 0 2000 " + HALVES,
    "txtime": "taprio flags 1 txtime-delay 2000 " + HALVES,
}
operations = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(60, 3000), st.integers(0, 1), st.integers(0, 200_000)),
        st.tuples(st.just("get"), st.just(0), st.just(0), st.just(0)),
        st.tuples(st.just("time"), st.integers(1, 100_000), st.just(0), st.just(0)),
        st.tuples(st.just("graft"), st.integers(1, 2), st.just(0), st.just(0)),
    ),
    max_size=80,
)


@pytest.mark.parametrize("kind", LINES)
@given(ops=operations)
def test_each_packet_leaves_is_dropped_or_is_inside_exactly_once(
    kind: str, ops: list[tuple[str, int, int, int]]
) -> None:
    assist = kind == "txtime" or "taprio" in kind
    bench, run = made(LINES[kind], queues=2 if assist else 1, speed_mbps=1000 if assist else 100)
    pass_to(bench, BASE)
    root = bench.dev.qdisc
    inside: dict[int, int] = {}
    for ident, (what, value, queue, stamp) in enumerate(ops):
        before = len(bench.dropped)
        ended: list[Skb] = []
        if what == "put":
            inside[ident] = value
            skb = Skb(len=value, pkt_len=value, id=ident, priority=queue, queue_mapping=queue)
            skb.tstamp = bench.dev.now_ns() + stamp
            root.enqueue(skb, ended)
        elif what == "time":
            bench.pass_ns(value)
        elif what == "graft" and kind != "etf" and root.find_class(value) is not None:
            run(f"tc qdisc replace dev eth0 parent 1:{value} pfifo limit 4")
        else:
            out = root.dequeue()
            if out is not None:
                ended.append(out)
        for skb in [*ended, *bench.dropped[before:]]:
            del inside[skb.id]
        assert (root.qlen, root.backlog) == (len(inside), sum(inside.values()))
        assert root.qlen == sum(child.qlen for _, child in root.children()) or kind.startswith("etf")
    root.reset()
    assert (root.qlen, root.backlog, root.dequeue()) == (0, 0, None)


@given(
    waits=st.lists(st.integers(1, 30_000), min_size=20, max_size=60),
    lengths=st.lists(st.integers(60, 1514), min_size=60, max_size=60),
)
def test_a_packet_leaves_taprio_only_while_its_gate_is_open_until_it_is_out(
    waits: list[int], lengths: list[int]
) -> None:
    bench, root, _ = taprio()
    pass_to(bench, BASE)
    for ident, length in enumerate(lengths):
        put(root, length, priority=ident % 2, queue_mapping=ident % 2, id=ident)
    for wait in waits:
        bench.pass_ns(wait)
        at = (bench.dev.now_ns() - BASE) % 200_000
        for ident in drained(root):
            start = 100_000 * (ident % 2)
            assert start <= at and at + lengths[ident] * 8 < start + 100_000


@given(lengths=st.lists(st.integers(60, 1514), min_size=20, max_size=50))
def test_cbs_keeps_to_its_rate(lengths: list[int]) -> None:
    bench, _ = made("cbs idleslope 20000 sendslope -80000 hicredit 1514 locredit -12000", speed_mbps=100)
    root = bench.dev.qdisc
    assert isinstance(root, Cbs)
    for length in lengths:
        put(root, length)
    sent = 0
    while root.qlen:
        before = bench.dev.now_ns()
        sent += sum(lengths[len(lengths) - root.qlen - 1] for _ in iter(root.dequeue, None))
        elapsed = before - START
        # 2500 bytes/ms and a packet ahead; what a packet takes is cut off to whole bytes
        assert sent <= 2500 * elapsed / 1e6 + 1514 + len(lengths)
        bench.pass_ns(max(1, root.watchdog.expires_ns - before))
