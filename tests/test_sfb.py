"""sfb: bins, the marking probability of a flow, unresponsive flows and their rate, the changing hash, tc's text."""

from __future__ import annotations

import pytest

from ringwire.netdev.tree import qdiscs
from ringwire.qdisc import XMIT_BYPASS, XMIT_CN, XMIT_DROP, XMIT_SUCCESS
from ringwire.qdisc.sfb import Sfb
from ringwire.qdisc.sfb_bins import MAX_PROB, Bins
from ringwire.skb import Skb
from ringwire.tools.tc import Tc, TcError
from tests.stack_bench import StackBench

S = 1_000_000_000


def made(words: str = "") -> tuple[StackBench, Sfb, Tc]:
    bench = StackBench(name="eth0", tx_queue_len=200)
    tc = Tc([bench.dev])
    tc.run(f"tc qdisc add dev eth0 root handle 1: sfb {words}")
    sfb = bench.dev.qdisc
    assert isinstance(sfb, Sfb)
    return bench, sfb, tc


def put(sfb: Sfb, flow: int, tos: int = 0, ident: int = 0) -> int:
    return sfb.enqueue(Skb(len=100, pkt_len=100, hash=flow, tos=tos, id=ident), [])


def test_each_level_gives_a_bin_by_four_bits_of_the_hash() -> None:
    bins = Bins(0)
    bins.add(0x87654321)
    bins.add(0x87654320)
    assert [index for index, qlen in enumerate(bins._qlen) if qlen] == [0, 1, 18, 35, 52, 69, 86, 103, 120]
    assert bins.summary() == (2, 0, 0)
    bins.remove(0x87654321)
    bins.remove(0x87654321)
    assert bins.learn(0x87654320, 5, 10, 1) == (0, 0), "none falls below 0"


def test_full_bins_mark_more_and_empty_ones_less_and_the_least_of_a_flows_bins_counts() -> None:
    bins = Bins(0)
    for _ in range(3):
        bins.add(0x11111111)
    assert [bins.learn(0x11111111, 3, 100, 30) for _ in range(2)] == [(3, 100), (3, 200)]
    assert bins.learn(0x11111112, 3, 100, 30) == (0, 0), "one bin of its own is empty"
    assert bins.learn(0x11111111, 4, 100, 30) == (3, 200), "on the way between nothing changes"
    for _ in range(3):
        bins.remove(0x11111111)
    # the seven bins that both have in common were raised to 300
    assert bins.learn(0x11111111, 3, 100, 30) == (0, 170)
    assert bins.summary() == (0, 270, (7 * 270 + 170) // 128)
    bins.add(0)
    assert bins.learn(0, 1, 70000, 30) == (1, MAX_PROB)


def test_lengths_are_those_of_the_packets_inside() -> None:
    _, sfb, _ = made("max 5")
    outcomes = [put(sfb, flow=7) for _ in range(7)]
    assert outcomes == [XMIT_SUCCESS] * 5 + [XMIT_CN] * 2
    assert (sfb.xstats().maxqlen, sfb.xstats().bucketdrop, sfb.overlimits, sfb.drops) == (5, 2, 2, 2)
    assert put(sfb, flow=8) == XMIT_SUCCESS
    for _ in range(6):
        assert sfb.dequeue() is not None
    assert sfb.dequeue() is None
    assert (sfb.xstats().maxqlen, sfb.qlen, sfb.backlog) == (0, 0, 0)


def test_marks_follow_the_probability_and_half_way_up_drops_begin() -> None:
    bench, sfb, _ = made("target 1 increment 0.25 max 100")
    lots: list[int] = []
    bench.dev.random_u32 = lots.pop
    lots.append(0)
    assert put(sfb, 7, tos=2) == XMIT_SUCCESS, "nothing is as low as a probability of 0"
    quarter = 16384
    lots += [quarter]
    assert put(sfb, 7, tos=2) == XMIT_SUCCESS
    assert (sfb.xstats().maxprob, sfb.xstats().marked) == (quarter, 0)
    # half: not above it yet
    lots += [2 * quarter - 1]
    assert put(sfb, 7, tos=2) == XMIT_SUCCESS
    assert sfb.xstats().marked == 1
    # three quarters: (49152 - 32767) * 2 = 32770
    lots += [32769]
    assert (put(sfb, 7, tos=2), sfb.xstats().earlydrop) == (XMIT_CN, 1)
    for _ in range(2):
        sfb._bins[0]._prob = [3 * quarter - quarter] * 128
        lots += [32768 | 7 << 16]
        put(sfb, 7, tos=0)
    assert sfb.xstats().earlydrop == 3, "what can't be marked is dropped"
    sfb._bins[0]._prob = [2 * quarter] * 128
    lots += [32770]
    assert (put(sfb, 7, tos=1), sfb.xstats().marked, lots) == (XMIT_SUCCESS, 2, [])


def test_unresponsive_flows_share_a_rate_in_packets() -> None:
    bench, sfb, _ = made("target 1 increment 1 max 1000 penalty_rate 10 penalty_burst 3 limit 1000")
    bench.dev.random_u32 = lambda: 65535
    assert put(sfb, 7) == XMIT_SUCCESS
    outcomes = [put(sfb, 7) for _ in range(5)]
    assert outcomes == [XMIT_SUCCESS] * 3 + [XMIT_CN] * 2
    assert (sfb.xstats().penaltydrop, sfb.overlimits) == (2, 2)
    bench.pass_ns(S // 5)
    assert [put(sfb, 7) for _ in range(3)] == [XMIT_SUCCESS, XMIT_SUCCESS, XMIT_CN], "two in a fifth of a second"
    bench.pass_ns(100 * S)
    assert [put(sfb, 7) for _ in range(4)].count(XMIT_SUCCESS) == 3, "no more than the burst"
    sfb.change(sfb.params().__class__(target=1, increment=MAX_PROB, penalty_rate=0))
    put(sfb, 7)
    assert put(sfb, 7) == XMIT_CN


def test_the_hash_changes_and_the_bins_to_come_know_the_unresponsive() -> None:
    bench, sfb, _ = made("target 2 increment 1 max 1000 rehash 1000 db 200 penalty_rate 1000 penalty_burst 1000")
    bench.dev.random_u32 = lambda: 65535
    for _ in range(3):
        put(sfb, 7)
    assert sfb._bins[1].summary() == (0, 0, 0)
    bench.pass_ns(9 * S // 10)
    for _ in range(4):
        put(sfb, 7)
    assert sfb._bins[1].summary()[:2] == (4, MAX_PROB)
    put(sfb, 8)
    assert sfb._bins[1].summary()[0] == 4, "others are not known there"
    first, second = sfb._bins[0].perturbation.key, sfb._bins[1].perturbation.key
    bench.pass_ns(2 * S // 10)
    put(sfb, 7)
    assert sfb._slot == 1
    assert (sfb._bins[0].perturbation.key != first, sfb._bins[1].perturbation.key) == (True, second)
    while sfb.dequeue() is not None:
        pass
    assert [bins.summary()[0] for bins in sfb._bins] == [0, 0], "each packet leaves the bins it came to"


def test_limits_of_the_whole_and_of_the_discipline_inside() -> None:
    bench, sfb, tc = made("limit 3")
    assert [put(sfb, flow) for flow in range(5)] == [XMIT_SUCCESS] * 3 + [XMIT_CN] * 2
    assert (sfb.xstats().queuedrop, sfb.drops) == (2, 2)
    tc.run("tc qdisc add dev eth0 parent 1:1 handle 2: pfifo limit 1")
    assert (sfb.qlen, [put(sfb, flow) for flow in range(2)]) == (0, [XMIT_SUCCESS, XMIT_DROP])
    assert sfb.xstats().childdrop == 1
    tc.run("tc qdisc change dev eth0 root sfb limit 9")
    assert [each.kind for each in qdiscs(bench.dev, hidden=True)] == ["sfb", "pfifo"]
    assert (sfb.qlen, sfb.xstats().maxqlen, sfb.inner.params().limit) == (0, 0, 9)


def test_filters_name_the_flow() -> None:
    _, sfb, _ = made()

    class Fake:
        chains = True
        verdict = 0

        def classify(self, skb: Skb, match: object) -> int:
            sfb.match.classid = skb.mark
            return self.verdict

    fake = Fake()
    sfb.filters = fake  # type: ignore[assignment]
    for flow in (1, 2, 3):
        sfb.enqueue(Skb(len=9, pkt_len=9, hash=flow, mark=0x10005), [])
    assert sfb.xstats().maxqlen == 3
    fake.verdict = -1
    assert sfb.enqueue(Skb(len=9, pkt_len=9), []) == XMIT_SUCCESS | XMIT_BYPASS
    assert (sfb.drops, sfb.qlen) == (1, 3)


def test_reset_and_delete_empty_the_bins() -> None:
    bench, sfb, tc = made()
    for _ in range(9):
        put(sfb, 1)
    sfb.reset()
    assert (sfb.qlen, sfb.backlog, sfb.xstats().maxqlen, len(bench.dropped)) == (0, 0, 0, 9)
    assert tc.run("tc class show dev eth0") == ""


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("", "limit 200p max 25p target 20p"),
        ("target 10", "limit 200p max 12p target 10p"),
        ("max 10", "limit 200p max 10p target 8p"),
        ("max 10 target 3 limit 50", "limit 50p max 10p target 3p"),
    ],
)
def test_defaults_go_by_what_is_given(words: str, shown: str) -> None:
    _, _, tc = made(words)
    assert shown in tc.run("tc qdisc show dev eth0")


def test_shown_as_iproute2_shows_it() -> None:
    bench, sfb, tc = made()
    bench.dev.random_u32 = lambda: 65535
    put(sfb, 1)
    sfb._bins[0]._prob[5] = 8
    assert tc.run("tc -s qdisc show dev eth0") == (
        "qdisc sfb 1: root refcnt 2 rehash 600s db 60s limit 200p max 25p target 20p"
        " increment 0.000503548 decrement 4.57771e-05 penalty_rate 10pps penalty_burst 20p \n"
        " Sent 0 bytes 0 pkt (dropped 0, overlimits 0 requeues 0) \n"
        " backlog 100b 1p requeues 0\n"
        "  earlydrop 0 penaltydrop 0 bucketdrop 0 queuedrop 0 childdrop 0 marked 0\n"
        "  maxqlen 1 maxprob 0.000122072 avgprob 0\n"
    )
    assert (
        '"options":{"rehash":600000000,"db":60000000,"limit":200,"max":25,"target":20,"increment":0.000503548,'
        '"decrement":4.57771e-05,"penalty_rate":10,"penalty_burst":20}'
    ) in tc.run("tc -j qdisc show dev eth0")


def test_filters_are_the_disciplines_not_the_class() -> None:
    _, _, tc = made()
    with pytest.raises(TcError):
        tc.run("tc filter add dev eth0 parent 1:1 protocol ip prio 1 matchall")
