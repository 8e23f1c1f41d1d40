"""cbq: the estimator, sleep and borrowing, rounds by weight and priority, split nodes, and classes under change.

Expectations are worked out by hand from Floyd and Van Jacobson (1995) and net/sched/sch_cbq.c of Linux 6.2; what tc
computes is what iproute2 6.1 was seen to send.
"""

from __future__ import annotations

import pytest

from ringwire.qdisc import XMIT_BYPASS, XMIT_SUCCESS
from ringwire.qdisc.cbq import Cbq, CbqParams
from ringwire.qdisc.cbq_class import CbqClass, CbqClassParams, rate_table
from ringwire.qdisc.classify import RECLASSIFY, SHOT
from ringwire.tools import tc
from ringwire.tools.tc import ClassCommand, QdiscCommand, TcError
from tests.shaper_bench import Always, ShaperBench

ROOT = "qdisc add dev t0 root handle 1: cbq bandwidth 10mbit avpkt 1000"
LIMITED = "cbq bandwidth 10mbit avpkt 1000 allot 1514"
SECOND = 10**9


def cls_line(minor: int, words: str, parent: int = 0) -> str:
    return f"class add dev t0 parent 1:{parent:x} classid 1:{minor:x} {LIMITED} {words}"


def cbq(bench: ShaperBench) -> Cbq:
    root = bench.dev.qdisc
    assert isinstance(root, Cbq)
    return root


def cls_of(bench: ShaperBench, minor: int) -> CbqClass:
    return cbq(bench).by_id[0x10000 | minor]


def refused(bench: ShaperBench, line: str) -> str:
    with pytest.raises(TcError) as caught:
        bench.run(line)
    return caught.value.printed


def link_of(words: str) -> CbqParams:
    command = tc.parse(f"qdisc add dev t0 root handle 1: cbq {words}")
    assert isinstance(command, QdiscCommand) and isinstance(command.request.params, CbqParams)
    return command.request.params


def class_of(words: str, action: str = "add") -> CbqClassParams:
    command = tc.parse(f"class {action} dev t0 parent 1: classid 1:5 cbq {words}")
    assert isinstance(command, ClassCommand) and isinstance(command.request.params, CbqClassParams)
    return command.request.params


def test_a_link_as_tc_sends_it() -> None:
    params = link_of("bandwidth 10mbit avpkt 1000")
    assert params.table is not None and params.link is not None
    table = rate_table(params.table)
    assert (table[:6], table[-1]) == ((93, 187, 296, 390, 500, 593), 25593)
    assert (params.link.maxidle, params.link.ewma, params.link.avpkt, params.link.flags) == (12500, 5, 1000, None)
    params = link_of("bandwidth 100mbit avpkt 1000 cell 8 ewma 6 mpu 64 overhead 4")
    assert params.table is not None and params.link is not None
    table = rate_table(params.table)
    assert (table[:6], table[-1]) == ((78,) * 6, 2546)
    assert (params.link.maxidle, params.link.ewma, params.table.cell_log) == (1250, 6, 3)


@pytest.mark.parametrize(
    ("words", "idle_times", "round_", "flags"),
    [
        (
            "bandwidth 10mbit rate 1mbit allot 1514 cell 8 weight 100kbit prio 5 maxburst 20 avpkt 1000 bounded",
            (3193093, None, None, 5),
            (5, 1514, 12800),
            1,
        ),
        (
            "bandwidth 10mbit rate 1mbit allot 1514 prio 5 maxburst 20 minburst 4 avpkt 1000 isolated minidle 100",
            (3193093, 3200, 472234, 5),
            (5, 1514, 125000),
            2,
        ),
        ("rate 1mbit allot 1514", (None, None, None, None), (8, 1514, 1), None),
        ("rate 1mbit allot 1514 prio 8 weight 5kbit bounded sharing ewma 3", (None, None, None, 3), (8, 1514, 640), 1),
        ("rate 1mbit avpkt 1000", (None, None, None, None), (8, 1500, 1), 0),
        ("bandwidth 10mbit rate 1mbit avpkt 1000 minburst 1 prio 1", (None, None, 3625, 5), (1, 1500, 125000), 0),
    ],
)
def test_a_class_as_tc_sends_it(
    words: str, idle_times: tuple[int | None, ...], round_: tuple[int, int, int], flags: int | None
) -> None:
    params = class_of(words)
    assert (params.maxidle, params.minidle, params.offtime, params.ewma) == idle_times
    assert (params.prio, params.allot, params.weight, params.flags) == (*round_, flags)


def test_change_sends_only_what_it_names() -> None:
    assert class_of("prio 3 allot 1514", "change") == CbqClassParams(has_wrr=True, prio=3, allot=1514)
    assert class_of("bounded", "change") == CbqClassParams(has_lss=True, flags=1)
    masks = class_of("split 1:0 defmap c0/ff", "change")
    assert (masks.split, masks.defmap, masks.defchange) == (0x10000, 0xC0, 0xFF)


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        ("rate 1mbit", 'CBQ: "allot" is required to set WRR parameters.'),
        ("rate x", 'Illegal "rate"'),
        ("foo", 'What is "foo"?'),
        ("rate 1mbit prio 9", '"prio" must be number in the range 1...8'),
        ("rate 1mbit maxburst 5", "CBQ: avpkt is required for max/minburst."),
        ("rate 1mbit maxburst 5 avpkt 1000", "CBQ: bandwidth&rate are required for max/minburst."),
        ("cell 7", "cell must be 2^n"),
        ("split x", "Invalid split node ID."),
        ("defmap x", "Invalid defmap, should be MASK32[/MASK]"),
    ],
)
def test_errors_are_in_tcs_words(words: str, printed: str) -> None:
    with pytest.raises(TcError) as caught:
        class_of(words)
    assert caught.value.printed == printed


def test_lines_are_printed_as_the_guides_show_them() -> None:
    bench = ShaperBench(ROOT, cls_line(1, "rate 6mbit weight 0.6mbit prio 8 cell 8 maxburst 20 bounded"))
    assert bench.run("-s qdisc show dev t0") == (
        "qdisc cbq 1: root refcnt 2 rate 10Mbit (bounded,isolated) prio no-transmit\n"
        " Sent 0 bytes 0 pkt (dropped 0, overlimits 0 requeues 0) \n"
        " backlog 0b 0p requeues 0\n"
        "  borrowed 0 overactions 0 avgidle 12500 undertime 0\n"
    )
    assert bench.run("-d class show dev t0 classid 1:1") == (
        "class cbq 1:1 parent 1: rate 6Mbit linklayer ethernet cell 8b (bounded) prio no-transmit/8 "
        "weight 629144bit allot 1514b \nlevel 0 ewma 5 avpkt 1000b maxidle 473us \n"
    )


def test_a_bounded_class_sleeps_from_packet_to_packet() -> None:
    bench = ShaperBench(ROOT, cls_line(1, "rate 1mbit prio 5 bounded"))
    bench.put(1, 1000, 3)
    assert bench.minors(1) == [1]
    bench.clock.ns += 800_000
    # the first packet ended a long idle time, which leaves 12,500 ticks, the link's maxidle
    assert bench.minors(1) == [1]
    bench.clock.ns += 800_000
    now = bench.clock.ns // 64
    # the second: idle 12,500 - 125,000; avgidle 12,500 - 112,500 - 390 = -100,390. It is over its limit for that less
    # a 32nd, and the packet's own 112,500 more; asleep it is forgiven the first
    assert bench.minors(1) == [0]
    assert cls_of(bench, 1).avgidle == -100_390
    assert bench.watchdog_ns == (now + 112_500) * 64
    bench.clock.ns = bench.watchdog_ns
    assert bench.minors(1) == [1]
    stats = cls_of(bench, 1)
    assert (stats.overlimits, stats.overactions, bench.dev.qdisc.overlimits) == (1, 1, 1)


def test_offtime_makes_it_sleep_longer_and_minidle_forgives() -> None:
    bench = ShaperBench(ROOT, cls_line(1, "rate 1mbit prio 5 bounded minburst 4 minidle 1000"))
    bench.put(1, 1000, 3)
    for _ in range(2):
        assert bench.minors(1) == [1]
        bench.clock.ns += 800_000
    now = bench.clock.ns // 64
    assert bench.minors(1) == [0]
    # avgidle does not fall below -1000 x 32; the sleep is 112,500 ticks and offtime
    assert cls_of(bench, 1).avgidle == -32_000
    assert bench.watchdog_ns == (now + 112_500 + 472_234) * 64


def test_bounded_classes_keep_to_their_rates() -> None:
    bench = ShaperBench(
        ROOT,
        cls_line(1, "rate 2mbit prio 5 maxburst 20 bounded"),
        cls_line(2, "rate 500kbit prio 3 maxburst 20 bounded"),
    )
    bench.drain(SECOND, {1: 1000, 2: 1000})
    assert bench.rates(8 * SECOND, {1: 1000, 2: 1000}) == pytest.approx({1: 2, 2: 0.5}, rel=0.03)


def test_classes_that_borrow_share_the_link_by_weight() -> None:
    bench = ShaperBench(
        ROOT,
        cls_line(1, "rate 1mbit weight 300kbit prio 5"),
        cls_line(2, "rate 1mbit weight 100kbit prio 5"),
    )
    bench.drain(SECOND, {1: 1000, 2: 1000})
    assert bench.rates(8 * SECOND, {1: 1000, 2: 1000}) == pytest.approx({1: 7.5, 2: 2.5}, rel=0.03)
    assert cls_of(bench, 1).borrows > 0 and cls_of(bench, 0).borrows > 0


def test_a_bounded_agency_lends_what_it_has() -> None:
    bench = ShaperBench(
        ROOT,
        cls_line(1, "rate 4mbit weight 400kbit prio 8 bounded"),
        cls_line(0x11, "rate 3mbit weight 300kbit prio 5", 1),
        cls_line(0x12, "rate 1mbit weight 100kbit prio 5", 1),
    )
    bench.drain(SECOND, {0x12: 1000})
    assert bench.rates(8 * SECOND, {0x12: 1000}) == pytest.approx({0x12: 4}, rel=0.05)
    rates = bench.rates(8 * SECOND, {0x11: 1000, 0x12: 1000})
    assert sum(rates.values()) == pytest.approx(4, rel=0.05)
    assert rates[0x11] == pytest.approx(3 * rates[0x12], rel=0.1)


def test_an_isolated_class_does_not_count_above() -> None:
    bench = ShaperBench(
        ROOT,
        cls_line(1, "rate 4mbit prio 8 bounded"),
        cls_line(0x11, "rate 1mbit prio 5 bounded isolated", 1),
        cls_line(0x12, "rate 1mbit prio 5 bounded", 1),
    )
    bench.drain(SECOND, {0x11: 1000, 0x12: 1000})
    # one packet may still be on the wire, and is not in the estimates yet
    assert abs(cls_of(bench, 1).bytes - bench.sent[0x12]) <= 1000
    assert cls_of(bench, 1).bytes < bench.sent.total() * 0.6


def test_priorities_are_strict_among_those_that_may_send() -> None:
    bench = ShaperBench(
        ROOT, cls_line(1, "rate 5mbit prio 2 maxburst 20"), cls_line(2, "rate 5mbit prio 1 maxburst 20")
    )
    bench.put(1, 1000, 3)
    bench.put(2, 1000, 3)
    assert bench.minors(6) == [2, 2, 2, 1, 1, 1]


def at_line_rate(bench: ShaperBench, count: int) -> list[int]:
    """The classes of the next packets, one each 800 us, as the link takes packets of 1000 bytes."""
    minors = []
    for _ in range(count):
        minors += bench.minors(1)
        bench.clock.ns += 800_000
    return minors


def test_nobody_borrows_while_another_is_under_its_limit() -> None:
    bench = ShaperBench(ROOT, cls_line(1, "rate 5mbit prio 2"), cls_line(2, "rate 5mbit prio 1"))
    bench.put(1, 1000, 3)
    bench.put(2, 1000, 3)
    # 1:2 is over its limit after two packets, until 12,878 ticks after the second, of which a packet takes 12,500
    assert at_line_rate(bench, 6) == [2, 2, 1, 1, 2, 1]


def test_arrivals_for_a_class_under_its_limit_end_the_others_borrowing() -> None:
    bench = ShaperBench(
        ROOT,
        cls_line(1, "rate 3mbit prio 2 maxburst 10"),
        cls_line(2, "rate 3mbit prio 1 maxburst 10"),
        tx_queue_len=5,
    )
    sent = []
    for _ in range(3000):
        bench.put(1)
        bench.put(2)
        sent += at_line_rate(bench, 1)
    # 1:1 has its 3 of 10 Mbit/s, and what is left goes by priority
    assert sent.count(1) == pytest.approx(900, rel=0.05)
    assert sent.count(2) == 3000 - sent.count(1)


def test_a_class_with_more_to_send_sets_the_level_up_to_which_is_lent() -> None:
    bench = ShaperBench(ROOT, cls_line(1, "rate 3mbit prio 2 maxburst 10"))
    bench.put(1, 1000, 4)
    rounds = cbq(bench)._rounds
    assert rounds.toplevel == 0, "a packet came for a leaf under its limit"
    rounds.toplevel = 8
    assert at_line_rate(bench, 2) == [1, 1]
    assert rounds.toplevel == 0


def test_the_watchdog_waits_for_the_first_that_could_lend() -> None:
    bench = ShaperBench(
        ROOT,
        cls_line(1, "rate 4mbit prio 8 bounded"),
        cls_line(0x11, "rate 1mbit prio 5", 1),
    )
    bench.put(0x11, 1000, 9)
    sent = at_line_rate(bench, 4)
    assert 0 in sent and bench.dev.qdisc.qlen
    bench.minors(sent.count(0))
    agency, leaf = cls_of(bench, 1), cls_of(bench, 0x11)
    assert bench.clock.ns < agency.undertime * 64 < leaf.undertime * 64
    assert bench.watchdog_ns == agency.undertime * 64


def test_a_round_gives_each_its_quantum() -> None:
    bench = ShaperBench(
        ROOT,
        cls_line(1, "rate 1mbit weight 200 prio 5 maxburst 50"),
        cls_line(2, "rate 1mbit weight 100 prio 5 maxburst 50"),
    )
    # 200 x 1514 x 2 / 300 and half of it
    assert [cbq(bench).quantum(cls_of(bench, minor)) for minor in (1, 2)] == [2018, 1009]
    bench.put(1, 500, 9)
    bench.put(2, 500, 9)
    # a class goes on while it has bytes left, and owes what it took too much
    assert bench.minors(10) == [1, 1, 1, 1, 1, 2, 2, 2, 1, 1]
    silly = ShaperBench(ROOT, cls_line(1, "rate 1mbit weight 1 prio 8"))
    assert cbq(silly).quantum(cls_of(silly, 1)) == 751, "no part of the link's own weight: half the MTU and one"


def test_split_nodes_spread_priorities() -> None:
    bench = ShaperBench(
        ROOT,
        cls_line(1, "rate 1mbit prio 5 split 1:0 defmap 0"),
        cls_line(2, "rate 1mbit prio 5 split 1:0 defmap c0"),
        cls_line(3, "rate 1mbit prio 5 split 1:0 defmap 3f"),
    )
    for priority, expected in ((6, 2), (7, 2), (0, 3), (5, 3), (9, 3)):
        held = cls_of(bench, expected).qdisc.qlen
        bench.put(0, priority=priority)
        assert cls_of(bench, expected).qdisc.qlen == held + 1, priority
    bench.run("class change dev t0 parent 1: classid 1:1 cbq split 1:0 defmap c0")
    bench.run("class del dev t0 classid 1:2")
    bench.put(0, priority=6)
    assert cls_of(bench, 1).qdisc.qlen == 1
    shown = bench.run("-d class show dev t0 classid 1:3")
    assert shown.endswith("\nsplit 1: defmap 0000003f\n")


def test_without_a_match_the_node_itself_holds_the_packet() -> None:
    bench = ShaperBench(ROOT, cls_line(1, "rate 1mbit prio 5"))
    assert bench.put(0, priority=4) == XMIT_SUCCESS
    assert cls_of(bench, 0).qdisc.qlen == 1
    assert bench.minors(2) == [4, 0]


def test_filters_lead_downwards_and_reclassify_means_best_effort() -> None:
    bench = ShaperBench(
        ROOT,
        cls_line(1, "rate 1mbit prio 8"),
        cls_line(0x11, "rate 1mbit prio 5", 1),
        cls_line(0x12, "rate 1mbit prio 5 split 1:1 defmap 1", 1),
    )
    root = cbq(bench)
    root.block(0x10000).attach(Always(0x10001))
    inner = Always(0x10011)
    root.block(0x10001).attach(inner)
    bench.put(0, priority=0)
    assert cls_of(bench, 0x11).qdisc.qlen == 1
    inner.verdict = RECLASSIFY
    bench.put(0, priority=0)
    assert cls_of(bench, 0x12).qdisc.qlen == 1
    inner.verdict = SHOT
    assert bench.put(0, priority=0) == XMIT_SUCCESS | XMIT_BYPASS
    inner.verdict, inner.classid = 0, 0
    bench.put(0, priority=3)
    assert cls_of(bench, 0x12).qdisc.qlen == 2, "a class id without major number is a priority"
    assert refused(bench, "class del dev t0 classid 1:1") == "RTNETLINK answers: Device or resource busy"


def test_classes_are_made_changed_and_deleted_as_the_kernel_did() -> None:
    bench = ShaperBench(ROOT)
    missing = "Error: One of the following attributes MUST be specified: WRR, rate or link sharing."
    assert refused(bench, "class add dev t0 parent 1: classid 1:1 cbq rate 1mbit allot 1514") == missing
    orphan = cls_line(1, "rate 1mbit prio 5", 9)
    assert refused(bench, orphan) == "Error: Failed to find parentid."
    change = "qdisc change dev t0 root handle 1: cbq bandwidth 1mbit avpkt 1000"
    assert refused(bench, change) == "Error: Change operation not supported by specified qdisc."
    bench.run(f"class add dev t0 parent 1: {LIMITED} rate 1mbit prio 5 bounded")
    assert "class cbq 1:8001 parent 1: " in bench.run("class show dev t0")
    moved = "class change dev t0 parent 1:8001 classid 1:8001 cbq bounded"
    assert refused(bench, moved) == "Error: Invalid parent id."
    bench.put(0x8001, 1000, 5)
    bench.minors(2)
    bench.run(f"class change dev t0 parent 1: classid 1:8001 {LIMITED} rate 5mbit prio 2 borrow")
    assert "rate 5Mbit prio 2" in bench.run("class show dev t0 classid 1:8001")
    assert bench.minors(1) == [0x8001], "it may borrow now"
    bench.run("class del dev t0 classid 1:8001")
    assert (bench.dev.qdisc.qlen, len(bench.dropped)) == (0, 2)
    assert bench.minors(1) == [0]
