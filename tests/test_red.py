"""RED: the averaged length, whom it marks, and the discipline red; expectations are worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringwire.netdev.tree import qdiscs
from ringwire.qdisc import XMIT_CN, XMIT_DROP, XMIT_SUCCESS
from ringwire.qdisc.ecn import set_ce
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.red import Red
from ringwire.qdisc.red_law import DONT_MARK, HARD_MARK, PROB_MARK, RedParms, RedSpec, RedVars
from ringwire.skb import Skb
from ringwire.tools.tc import Tc, TcError
from ringwire.tools.tc.red import eval_ewma, eval_idle_damping, eval_p, max_p, usual_burst
from tests.conformance.kernel_params.red import reciprocal_value
from tests.frames import UDP, Frame, words_sum
from tests.stack_bench import StackBench

MS = 1_000_000
SPEC = RedSpec(1000, 3000, wlog=1, max_p=2**31, scell_log=10, stab=bytes([0, 0, 1, 2] + [31] * 252))
LINE = "tc qdisc {} dev eth0 root handle 1: red limit 60000 min 5000 max 20000 avpkt 1000 bandwidth 10mbit {}"


def lots(*numbers: int) -> list[int]:
    """Draws of a queue of :data:`SPEC`, as the numbers they come to: 2**31 // 2000 is a packet's share."""
    return [number * (2**31 // 2000) for number in reversed(numbers)]


def test_the_average_moves_by_its_weight_towards_the_length_at_each_arrival() -> None:
    parms, state = RedParms(SPEC), RedVars()
    averages = []
    for backlog in (1000, 1000, 0, 500):
        state.qavg = parms.average(state, backlog, 0)
        averages.append(state.qavg)
    # of twice the average: 0+1000, 1000+1000-500, 1500-750, 750+500-375
    assert averages == [1000, 1500, 750, 875]


def test_after_an_idle_time_the_average_is_shifted_by_the_table_or_falls_linearly_by_half_at_most() -> None:
    parms, state = RedParms(SPEC), RedVars()
    state.qavg, state.idle_since_ns = 4000, 1 * MS
    us = {0: 4000, 512: 2000, 1023: 2000, 256: 3000, 2048: 2000, 3072: 1000, 4096: 0, 10**9: 0}
    assert {idle: parms.average(state, 77, 1 * MS + idle * 1000) for idle in us} == us


def test_marks_come_once_the_count_times_the_excess_reaches_the_lot() -> None:
    parms, state = RedParms(SPEC), RedVars()
    draws = lots(1500, 400)
    # an average of 1500: 500 above the threshold; three of them reach 1500, one reaches 400
    actions = [parms.action(state, 3000, draws.pop) for _ in range(4)]
    assert actions == [DONT_MARK, DONT_MARK, DONT_MARK, PROB_MARK]
    assert (state.qcount, state.qR, draws) == (0, 400, [])
    assert parms.action(state, 3000, lots(9).pop) == PROB_MARK


def test_below_the_thresholds_and_above_the_count_begins_anew() -> None:
    parms, state = RedParms(SPEC), RedVars()
    assert [parms.action(state, qavg, lots(7).pop) for qavg in (1999, 2000)] == [DONT_MARK, DONT_MARK]
    assert (state.qcount, state.qR) == (0, 7)
    assert [parms.action(state, qavg, list[int]().pop) for qavg in (6000, 1999)] == [HARD_MARK, DONT_MARK]
    assert state.qcount == -1


def test_adaptive_red_moves_the_probability_by_a_percent_up_and_a_tenth_down() -> None:
    parms, state = RedParms(RedSpec(1000, 3000, wlog=1, max_p=2**30)), RedVars()
    percent = 42949673
    state.qavg = 2 * 2201  # the middle is 1800 to 2200
    parms.adapt(state, 0)
    assert (parms.max_p, parms.per_packet) == (2**30 + percent, round((2**30 + percent) / 2000))
    for qavg in (2 * 1800, 2 * 2200):
        state.qavg = qavg
        parms.adapt(state, 0)
    assert parms.max_p == 2**30 + percent
    state.qavg = 2 * 1799
    parms.adapt(state, 0)
    assert parms.max_p == (2**30 + percent) // 10 * 9
    small = RedParms(RedSpec(1000, 3000, wlog=1, max_p=percent - 1))
    small.adapt(state, 0)
    assert small.max_p == percent - 1, "less than a percent does not get less"
    state.qavg = 6000
    small.adapt(state, 0)
    assert small.max_p == percent - 1 + (percent - 1) // 4


def test_without_a_probability_the_slope_decides() -> None:
    assert RedParms(RedSpec(1000, 3000, plog=20)).max_p == 4095 * 2000
    assert RedParms(RedSpec(1000, 1000, plog=32)).max_p == 2**32 - 1
    assert RedParms(RedSpec(0, 2**20, wlog=1, plog=31)).per_packet == 1


@pytest.mark.parametrize(
    "spec",
    [
        RedSpec(2**20, 2**21, wlog=10),
        RedSpec(2**21, 2**20),
        RedSpec(1, 2, scell_log=32),
        RedSpec(1, 2, stab=bytes([32] + [0] * 255)),
    ],
)
def test_parameters_out_of_range_are_refused(spec: RedSpec) -> None:
    RedSpec(2**20, 2**21 - 1, wlog=10, scell_log=31, stab=bytes([31] * 256)).check()
    with pytest.raises(QdiscError):
        spec.check()


@given(st.integers(0, 2**32 - 1), st.integers(1, 2**32 - 1))
def test_a_division_is_what_the_recorded_multiplication_does(number: int, divisor: int) -> None:
    multiplier, first, second = reciprocal_value(divisor)
    high = number * multiplier >> 32
    assert high + (number - high >> first) >> second == number // divisor


def test_tcs_arithmetic_at_its_edges() -> None:
    assert (eval_ewma(5000, 4, 1000), eval_ewma(5000, 5, 1000)) == (None, 1), "1 is the least sum there is"
    assert (eval_p(5, 5, 0.1), eval_p(6, 5, 0.1), eval_p(0, 100, 0)) == (0, None, None)
    assert eval_p(0, 1024, 1) == 11, "1/1024 doubles eleven times until it is more than 1"
    assert eval_idle_damping(4, 1000, 2 * 10**9) == (0, bytes(255) + b"\x1f"), "no whole microsecond a packet"
    assert eval_idle_damping(31, 10**9, 1) is None
    assert (max_p(0.5), max_p(1), max_p(2.25)) == (2**31, 0, 2**30)
    assert usual_burst(5000, 15000, 1000) == 8
    damping = eval_idle_damping(1, 1500, 1_250_000)
    # a packet takes 1200 us, or 18750 ticks, and is worth ln 2: 2048 of them 0.0757
    assert damping is not None and damping[0] == 11
    assert [damping[1][index] for index in (0, 13, 14, 26, 27, 254, 255)] == [0, 0, 1, 1, 2, 19, 31]


# -- the discipline


def made(words: str = "") -> tuple[StackBench, Red, Tc]:
    bench = StackBench(name="eth0")
    tc = Tc([bench.dev])
    tc.run(LINE.format("add", words))
    red = bench.dev.qdisc
    assert isinstance(red, Red)
    bench.dev.random_u32 = lambda: 0
    return bench, red, tc


def put(red: Red, tos: int = 0, length: int = 1000) -> tuple[int, int]:
    """(return code, ECN field afterwards)"""
    skb = Skb(len=length, pkt_len=length, tos=tos)
    return red.enqueue(skb, []), skb.tos & 3


def load(red: Red, average: int) -> None:
    """Have an average, bytes."""
    red._state.qavg = average << red.parms.wlog
    red._state.idle_since_ns = None


@pytest.mark.parametrize(
    ("words", "average", "plain", "capable"),
    [
        ("", 12000, (XMIT_CN, 0), (XMIT_CN, 2)),
        ("", 30000, (XMIT_CN, 0), (XMIT_CN, 2)),
        ("ecn", 12000, (XMIT_CN, 0), (XMIT_SUCCESS, 3)),
        ("ecn", 30000, (XMIT_CN, 0), (XMIT_SUCCESS, 3)),
        ("ecn harddrop", 12000, (XMIT_CN, 0), (XMIT_SUCCESS, 3)),
        ("ecn harddrop", 30000, (XMIT_CN, 0), (XMIT_CN, 2)),
        ("ecn nodrop", 12000, (XMIT_SUCCESS, 0), (XMIT_SUCCESS, 3)),
        ("ecn nodrop", 30000, (XMIT_SUCCESS, 0), (XMIT_SUCCESS, 3)),
        ("ecn harddrop nodrop", 30000, (XMIT_CN, 0), (XMIT_CN, 2)),
    ],
)
def test_marked_dropped_or_queued_as_the_flags_say(
    words: str, average: int, plain: tuple[int, int], capable: tuple[int, int]
) -> None:
    _, red, _ = made(words)
    load(red, average)
    put(red)
    load(red, average)
    assert put(red) == plain
    load(red, average)
    assert put(red, tos=2) == capable
    stats = red.xstats()
    assert stats.marked == (capable[1] == 3)
    assert red.overlimits >= 2
    assert red.drops == stats.early + stats.pdrop


def test_a_full_inner_queue_drops_the_packet_itself() -> None:
    _, red, _ = made()
    assert [put(red, length=20000)[0] for _ in range(4)] == [XMIT_SUCCESS] * 3 + [XMIT_DROP]
    assert (red.xstats().pdrop, red.drops, red.qlen) == (1, 1, 3)


def test_the_idle_time_begins_when_a_dequeue_finds_nothing() -> None:
    bench, red, _ = made()
    put(red)
    load(red, 4000)
    assert red.dequeue() is not None
    bench.pass_ns(50 * MS)
    assert red.dequeue() is None
    put(red)
    assert red._state.qavg == 4000 << red.parms.wlog, "no time has passed since then"
    assert red._state.idle_since_ns is None
    bench.pass_ns(5000 * MS)
    put(red)
    assert red._state.qavg == (4000 << red.parms.wlog) + 1000 - 4000, "busy again"


def test_a_change_puts_a_new_queue_inside_and_forgets_the_average() -> None:
    bench, red, tc = made()
    put(red), put(red)
    tc.run("tc qdisc add dev eth0 parent 1:1 handle 2: pfifo")
    assert (red.qlen, len(bench.dropped)) == (0, 2)
    put(red)
    load(red, 9000)
    tc.run(LINE.format("change", "ecn").replace("20000", "30000"))
    assert (red.qlen, red.backlog, len(bench.dropped), red._state.qavg) == (0, 0, 3, 0)
    assert [each.kind for each in qdiscs(bench.dev, hidden=True)] == ["red", "bfifo"]
    assert red._state.idle_since_ns == bench.dev.now_ns()


def test_adaptive_red_adapts_twice_a_second_until_it_is_told_not_to() -> None:
    bench, red, tc = made("adaptive probability 0.1")
    seen = []
    for _ in range(3):
        seen.append(red.parms.max_p)
        load(red, 19000)
        bench.pass_ns(500 * MS)
    percent = 42949673
    assert seen == [max_p(0.1) + step * percent for step in range(3)]
    tc.run(LINE.format("change", "probability 0.1"))
    load(red, 19000)
    bench.pass_ns(5000 * MS)
    assert red.parms.max_p == max_p(0.1)
    tc.run(LINE.format("change", "adaptive"))
    tc.run("tc qdisc del dev eth0 root")
    before = red.parms.max_p
    load(red, 19000)
    bench.pass_ns(5000 * MS)
    assert red.parms.max_p == before, "deleted"


def test_what_a_change_takes_out_is_ended() -> None:
    bench, red, tc = made()
    tc.run(LINE.format("add", "adaptive probability 0.1").replace("root handle 1:", "parent 1:1 handle 2:"))
    inner = red.inner
    assert isinstance(inner, Red)
    tc.run(LINE.format("change", ""))
    load(inner, 19000)
    bench.pass_ns(5000 * MS)
    assert inner.parms.max_p == max_p(0.1)


def test_shown_as_iproute2_shows_it() -> None:
    bench, red, tc = made("ecn adaptive harddrop nodrop probability 0.3")
    load(red, 12000)
    put(red), put(red, tos=1)
    assert tc.run("tc qdisc show dev eth0") == (
        "qdisc red 1: root refcnt 2 limit 60000b min 5000b max 20000b ecn harddrop adaptive nodrop \n"
    )
    assert tc.run("tc -s -d qdisc show dev eth0") == (
        "qdisc red 1: root refcnt 2 limit 60000b min 5000b max 20000b"
        " ecn harddrop adaptive nodrop ewma 4 probability 0.3 Scell_log 14\n"
        " Sent 0 bytes 0 pkt (dropped 0, overlimits 1 requeues 0) \n"
        " backlog 2000b 2p requeues 0\n"
        "  marked 1 early 0 pdrop 0 other 0 \n"
    )
    assert (
        '"options":{"limit":60000,"min":5000,"max":20000,"ecn":true,"harddrop":true,"adaptive":true,"nodrop":true,'
        '"ewma":4,"probability":0.3,"Scell_log":14},"bytes":0'
    ) in tc.run("tc -s -d -j qdisc show dev eth0")
    assert '"marked":1,"early":0,"pdrop":0,"other":0}' in tc.run("tc -s -j qdisc show dev eth0")
    tc.run(LINE.format("change", "probability 1"))
    assert '"ecn":false' in tc.run("tc -j qdisc show dev eth0")
    # a probability of 1 does not fit: the slope counts, 2**-14 a byte
    assert " probability 0.915524 Scell_log 14" in tc.run("tc -d qdisc show dev eth0")
    assert bench.dev.qdisc is red


def test_defaults_are_those_of_floyds_recommendations() -> None:
    _, red, tc = made()
    tc.run("tc qdisc change dev eth0 root red limit 60000 avpkt 1000")
    assert "limit 60000b min 5000b max 15000b ewma 3" in tc.run("tc -d qdisc show dev eth0")
    tc.run("tc qdisc change dev eth0 root red limit 60000 min 4000 avpkt 1000 adaptative")
    assert "min 4000b max 12000b adaptive" in tc.run("tc -d qdisc show dev eth0")
    assert red.params().limit == 60000


def test_nodrop_needs_ecn_and_then_nothing_has_changed() -> None:
    _, red, tc = made()
    put(red)
    with pytest.raises(TcError) as caught:
        tc.run(LINE.format("change", "nodrop"))
    assert caught.value.printed == "Error: nodrop mode is only meaningful with ECN."
    assert red.qlen == 1


# -- marks in the packet's bytes


@pytest.mark.parametrize("codepoint", [1, 2])
@pytest.mark.parametrize("vlans", [(), ((0x8100, 5), (0x88A8, 6))])
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("pieces", [1, 2])
def test_a_mark_is_written_into_the_bytes(
    codepoint: int, vlans: tuple[tuple[int, int], ...], version: int, pieces: int
) -> None:
    def built(tos: int) -> bytes:
        return Frame(version, UDP, b"payload", tos=tos, vlans=vlans).build()

    frame = built(0xB8 | codepoint)
    data = (frame,) if pieces == 1 else (frame[:20], frame[20:])
    skb = Skb(len=len(frame), data=data, tos=0xB8 | codepoint)
    assert set_ce(skb)
    assert skb.tos == 0xBB
    assert skb.linear() == built(0xBB)


@given(st.integers(0, 0xFFFF), st.sampled_from([1, 2]))
def test_the_checksum_stays_right_whatever_it_was(ident: int, codepoint: int) -> None:
    frame = Frame(4, UDP, b"", tos=codepoint, ident=ident).build()
    skb = Skb(len=len(frame), data=(frame,), tos=codepoint)
    set_ce(skb)
    assert words_sum(skb.linear()[14:34]) == 0xFFFF


@pytest.mark.parametrize("checksum", [0, 1, 2, 0xFFFE])
def test_the_checksum_stays_right_where_it_wraps(checksum: int) -> None:
    ident = 5000
    there = int.from_bytes(Frame(4, UDP, b"", tos=1, ident=ident).build()[24:26], "big")
    frame = Frame(4, UDP, b"", tos=1, ident=(ident + there - checksum) % 0xFFFF).build()
    assert int.from_bytes(frame[24:26], "big") == checksum
    skb = Skb(len=len(frame), data=(frame,), tos=1)
    set_ce(skb)
    assert words_sum(skb.linear()[14:34]) == 0xFFFF


def test_what_is_not_ip_or_does_not_take_part_is_not_marked() -> None:
    arp = bytes(12) + b"\x08\x06" + bytes(28)
    assert not set_ce(Skb(len=42, data=(arp,), tos=2))
    assert not set_ce(Skb(len=42, data=(bytes(12) + b"\x08\x00" + bytes(9),), tos=2))
    assert not set_ce(Skb(len=42, tos=0xB8))
    assert set_ce(Skb(len=42, tos=3))
