"""sfq: turns and shares, who loses when it is full, RED within a flow, filters, perturbation and what tc shows."""

from __future__ import annotations

import pytest

from ringwire.qdisc import XMIT_BYPASS, XMIT_CN, XMIT_DROP, XMIT_SUCCESS
from ringwire.qdisc.perturb import Perturbation
from ringwire.qdisc.sfq import Sfq
from ringwire.skb import Skb
from ringwire.tools.tc import Tc, TcError
from tests.stack_bench import StackBench

S = 1_000_000_000


def made(words: str = "") -> tuple[StackBench, Sfq, Tc]:
    bench = StackBench(name="eth0")
    tc = Tc([bench.dev])
    tc.run(f"tc qdisc add dev eth0 root handle 1: sfq {words}")
    sfq = bench.dev.qdisc
    assert isinstance(sfq, Sfq)
    return bench, sfq, tc


def put(sfq: Sfq, ident: int, flow: int, length: int = 1000, tos: int = 0) -> tuple[int, list[int]]:
    """(return code, packets dropped)"""
    to_free: list[Skb] = []
    rc = sfq.enqueue(Skb(len=length, pkt_len=length, id=ident, priority=0x10000 | flow, tos=tos), to_free)
    return rc, [skb.id for skb in to_free]


def take(sfq: Sfq, count: int) -> list[int]:
    return [skb.id if (skb := sfq.dequeue()) else 0 for _ in range(count)]


def test_flows_take_turns_of_a_quantum_of_bytes() -> None:
    _, sfq, _ = made("quantum 2000")
    for ident in range(1, 7):
        put(sfq, ident, 1, 1000)
    for ident in range(11, 14):
        put(sfq, ident, 2, 1500)
    # 2000 bytes of 1; 3000 of 2, which overdraws 1000, so that it has 1000 in the next round
    assert take(sfq, 10) == [1, 2, 11, 12, 3, 4, 13, 5, 6, 0]


def test_a_new_flow_waits_for_its_turn_and_an_emptied_one_forgets_what_it_owed() -> None:
    _, sfq, _ = made("quantum 1000")
    put(sfq, 1, 1, 5000), put(sfq, 2, 2, 900)
    assert take(sfq, 1) == [1]
    put(sfq, 3, 1, 900)
    assert take(sfq, 3) == [2, 3, 0]


def test_when_full_the_longest_flow_loses_its_last_packet() -> None:
    _, sfq, _ = made("limit 4")
    for ident, flow in ((1, 1), (2, 1), (3, 1), (4, 2)):
        assert put(sfq, ident, flow) == (XMIT_SUCCESS, [])
    assert put(sfq, 5, 3) == (XMIT_SUCCESS, [3])
    assert put(sfq, 6, 3) == (XMIT_CN, [6]), "of two with two packets the one that got there last"
    assert put(sfq, 7, 2) == (XMIT_CN, [7])
    assert (sfq.qlen, sfq.drops) == (4, 3)


def test_headdrop_takes_the_oldest_of_the_longest_flow() -> None:
    _, sfq, _ = made("limit 4 headdrop depth 3")
    for ident in (1, 2, 3):
        put(sfq, ident, 1)
    assert put(sfq, 4, 1, 700) == (XMIT_CN, [1]), "a flow too deep"
    assert sfq.backlog == 2700
    put(sfq, 5, 2)
    assert put(sfq, 6, 2) == (XMIT_SUCCESS, [2])
    assert sorted(take(sfq, 5)) == [0, 3, 4, 5, 6]


def test_a_flow_too_deep_loses_what_comes_without_headdrop() -> None:
    _, sfq, _ = made("depth 2")
    assert [put(sfq, ident, 1)[0] for ident in (1, 2, 3)] == [XMIT_SUCCESS, XMIT_SUCCESS, XMIT_DROP]


def test_with_one_packet_each_the_flow_whose_turn_it_is_loses() -> None:
    _, sfq, _ = made("limit 3 flows 4")
    assert sfq.params().flows == 3, "no more flows than packets"
    _, sfq, _ = made("limit 2 flows 3 depth 1")
    put(sfq, 1, 1), put(sfq, 2, 2)
    assert put(sfq, 3, 3) == (XMIT_DROP, [3]), "no flow is free"
    assert [cls.classid for cls in sfq.classes()] == [0x10001, 0x10002]


def test_flows_beyond_the_number_of_flows_are_dropped() -> None:
    _, sfq, _ = made("flows 2")
    assert [put(sfq, flow, flow)[0] for flow in (1, 2, 3, 1)] == [0, 0, XMIT_DROP, 0]
    assert take(sfq, 1) == [1]
    assert put(sfq, 4, 3)[0] == XMIT_DROP, "flow 1 has one more packet"
    assert take(sfq, 2) == [1, 2]
    assert put(sfq, 5, 3)[0] == XMIT_SUCCESS


@pytest.mark.parametrize(("words", "head"), [("", False), ("headdrop", True)])
def test_red_marks_within_a_flow(words: str, head: bool) -> None:
    bench, sfq, _ = made(f"limit 100 redflowlimit 60000 min 2000 max 20000 burst 3 avpkt 1000 ecn {words}")
    bench.dev.random_u32 = lambda: 0
    for ident in range(1, 9):
        put(sfq, ident, 1, tos=2)
    out = [skb for _ in range(9) if (skb := sfq.dequeue())]
    marked = [skb.id for skb in out if skb.tos == 3]
    # four times the average: 1000, 2750, 5063, 7798, 10849: the sixth is the first above 8000
    assert marked == ([1] if head else [7, 8]), "a head that is marked already is marked again"
    stats = sfq.red_stats
    assert (stats.prob_mark, stats.prob_mark_head) == ((0, 2) if head else (2, 0))
    assert (sfq.overlimits, stats.prob_drop) == (2, 0)
    put(sfq, 9, 2)
    assert put(sfq, 10, 2)[0] == XMIT_SUCCESS


def test_red_drops_within_a_flow_that_can_not_be_marked() -> None:
    bench, sfq, tc = made("limit 100 redflowlimit 60000 min 2000 max 4000 burst 3 avpkt 1000 ecn harddrop")
    bench.dev.random_u32 = lambda: 0
    for ident in range(1, 30):
        put(sfq, ident, 1, tos=0)
    for ident in range(1, 30):
        put(sfq, ident, 2, length=2000, tos=2)
    stats = sfq.red_stats
    assert stats.forced_drop and stats.prob_drop and not stats.forced_mark
    assert sfq.drops == stats.forced_drop + stats.prob_drop
    assert sfq.overlimits == sfq.drops + stats.prob_mark
    text = tc.run("tc -s qdisc show dev eth0")
    assert f"\n  prob_mark {stats.prob_mark} prob_mark_head 0 prob_drop {stats.prob_drop}\n  forced_mark 0 " in text


def test_filters_choose_the_bucket_and_without_a_match_there_is_none() -> None:
    _, sfq, tc = made("divisor 16")

    class Fake:
        chains = True
        verdict = 0

        def classify(self, skb: Skb, match: object) -> int:
            sfq.match.classid = skb.mark
            return self.verdict

    fake = Fake()
    sfq.filters = fake  # type: ignore[assignment]
    to_free: list[Skb] = []
    rcs = [sfq.enqueue(Skb(len=9, pkt_len=9, mark=mark), to_free) for mark in (0x10005, 16, 17, 0x10000)]
    assert rcs == [XMIT_SUCCESS, XMIT_SUCCESS, XMIT_SUCCESS | XMIT_BYPASS, XMIT_SUCCESS | XMIT_BYPASS]
    fake.verdict = -1
    assert sfq.enqueue(Skb(len=9, pkt_len=9), to_free) == XMIT_SUCCESS | XMIT_BYPASS
    assert [cls.classid for cls in sfq.classes()] == [0x10005, 0x10010]
    assert (sfq.drops, len(to_free)) == (3, 3)
    assert put(sfq, 1, 3)[0] == XMIT_SUCCESS, "a priority comes first"
    assert tc.run("tc class show dev eth0").count("class sfq") == 3


def test_perturbation_spreads_flows_anew_and_keeps_their_packets() -> None:
    bench, sfq, _ = made("perturb 10 divisor 8")
    flows = [Skb(len=100, pkt_len=100, id=ident, hash=1000 + ident % 20) for ident in range(60)]
    for skb in flows:
        sfq.enqueue(skb, [])
    before = [cls.classid for cls in sfq.classes()]
    counted = (sfq.qlen, sfq.backlog)
    assert counted == (60, 6000)
    bench.pass_ns(10 * S)
    assert (sfq.qlen, sfq.backlog) == counted
    bench.pass_ns(10 * S)
    stats = [cls.stats() for cls in sfq.classes()]
    assert sum(each.qlen for each in stats) == 60 and sum(each.backlog for each in stats) == 6000
    out = take(sfq, 61)
    assert sorted(out[:60]) == list(range(60)) and out[60] == 0
    assert len({skb.id for skb in flows}) == 60 and before
    for flow in range(20):
        assert [ident for ident in out if ident % 20 == flow and ident < 60][:1] == [flow]


def test_perturbation_drops_what_finds_no_room() -> None:
    bench, sfq, _ = made("perturb 10 depth 3 divisor 2 limit 6")
    sfq.enqueue(Skb(len=100, pkt_len=100, priority=0x10001), [])
    for _ in range(2):
        sfq.enqueue(Skb(len=100, pkt_len=100, priority=0x10001), [])
        sfq.enqueue(Skb(len=100, pkt_len=100, priority=0x10002), [])
    bench.pass_ns(10 * S)
    assert (sfq.qlen, sfq.backlog, len(bench.dropped)) == (3, 300, 2), "all are one flow by their hash"
    sfq.destroy()
    bench.pass_ns(100 * S)
    assert len(bench.dropped) == 5


def test_a_hash_changes_with_the_period_and_is_the_same_in_every_run() -> None:
    one, other = Perturbation(7), Perturbation(7)
    first = [one.hash(value) for value in range(100)]
    assert first == [other.hash(value) for value in range(100)]
    one.renew()
    second = [one.hash(value) for value in range(100)]
    assert not set(first) & set(second)
    assert len({value & 1023 for value in second}) > 80


def test_shown_as_iproute2_shows_it() -> None:
    _, sfq, tc = made("limit 200 redflowlimit 60000 min 4000 max 20000 probability 0.2 ecn headdrop perturb 10")
    put(sfq, 1, 5, 520), put(sfq, 2, 5, 500)
    assert sfq.dequeue()
    assert tc.run("tc qdisc show dev eth0") == (
        "qdisc sfq 1: root refcnt 2 limit 200p quantum 1514b depth 127 headdrop divisor 1024 perturb 10sec"
        " ewma 4 min 4000b max 20000b probability 0.2 ecn \n"
    )
    assert tc.run("tc -s -d qdisc show dev eth0") == (
        "qdisc sfq 1: root refcnt 2 limit 200p quantum 1514b depth 127 headdrop flows 128 divisor 1024 perturb 10sec"
        " ewma 4 min 4000b max 20000b probability 0.2 ecn \n"
        "  prob_mark 0 prob_mark_head 0 prob_drop 0\n"
        "  forced_mark 0 forced_mark_head 0 forced_drop 0\n"
        " Sent 520 bytes 1 pkt (dropped 0, overlimits 0 requeues 0) \n"
        " backlog 500b 1p requeues 0\n"
    )
    assert (
        '"options":{"limit":200,"quantum":1514,"depth":127,"headdrop":true,"flows":128,"divisor":1024,"perturb":10,'
        '"ewma":4,"min":4000,"max":20000,"probability":0.2,"ecn":true,"harddrop":false,"adaptive":false,'
        '"nodrop":false,"prob_mark":0,"prob_mark_head":0,"prob_drop":0,'
        '"forced_mark":0,"forced_mark_head":0,"forced_drop":0},"bytes":520,'
    ) in tc.run("tc -s -d -j qdisc show dev eth0")
    assert tc.run("tc -s class show dev eth0") == (
        "class sfq 1:5 parent 1: \n (dropped 0, overlimits 0 requeues 0) \n backlog 500b 1p requeues 0\n  allot 994\n"
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("tc qdisc change dev eth0 root handle 1: sfq limit 20", "Change operation not supported by specified qdisc"),
        ("tc qdisc replace dev eth0 root handle 2: sfq divisor 3", ""),
        ("tc qdisc replace dev eth0 root handle 2: sfq divisor 131072", ""),
        ("tc qdisc replace dev eth0 root handle 2: sfq quantum 3g", "invalid quantum"),
        ("tc qdisc replace dev eth0 root handle 2: sfq perturb -1", "invalid perturb period"),
        ("tc qdisc replace dev eth0 root handle 2: sfq limit 2 flows 1 depth 1", "invalid limit"),
        ("tc qdisc add dev eth0 parent 1:1 pfifo", "Specified class not found"),
    ],
)
def test_the_kernel_refuses(line: str, words: str) -> None:
    _, sfq, tc = made("limit 50")
    with pytest.raises(TcError) as caught:
        tc.run(line)
    assert caught.value.printed == (f"Error: {words}." if words else "RTNETLINK answers: Invalid argument")
    assert sfq.dev.qdisc is sfq and sfq.params().limit == 50


def test_replace_without_options_leaves_it_as_it_is() -> None:
    _, sfq, tc = made("limit 50")
    put(sfq, 1, 1)
    tc.run("tc qdisc replace dev eth0 root handle 1: sfq")
    assert (sfq.dev.qdisc is sfq, sfq.qlen) == (True, 1)


def test_what_it_drops_is_taken_off_the_counts_above() -> None:
    bench = StackBench(name="eth0")
    tc = Tc([bench.dev])
    tc.run("tc qdisc add dev eth0 root handle 1: prio")
    tc.run("tc qdisc add dev eth0 parent 1:2 handle 2: sfq limit 3 depth 2 headdrop")
    prio = bench.dev.qdisc
    counts = []
    # a flow too deep loses its head; then the longest flow loses for another one, and for itself
    for flow, length in ((1, 100), (1, 200), (1, 300), (2, 400), (3, 500), (3, 600)):
        prio.enqueue(Skb(len=length, pkt_len=length, priority=0x20000 | flow), [])
        counts.append((prio.qlen, prio.backlog))
    assert counts == [(1, 100), (2, 300), (2, 500), (3, 900), (3, 1200), (3, 1300)]
    assert [skb.len for _ in range(4) if (skb := prio.dequeue())] == [300, 400, 600]
