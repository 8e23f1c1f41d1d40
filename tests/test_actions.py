"""Actions: verdicts, metering, marks, redirection, and sharing by index."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringwire.action import Action, ActionDevice
from ringwire.action.registry import ACTIONS
from ringwire.netdev import dev_queue_xmit
from ringwire.qdisc import XMIT_SUCCESS
from ringwire.qdisc.classify import OK, PIPE, REPEAT, SHOT, UNSPEC
from ringwire.qdisc.options import NoParams
from ringwire.skb import Skb
from ringwire.tools.tc import Tc, TcError
from tests.filter_bench import FilterBench, frame, marked
from tests.stack_bench import StackBench, super_packet

S = 1_000_000_000


def bench_of(actions: str) -> FilterBench:
    return FilterBench(f"matchall classid 1:1 {actions}")


def packets_through(bench: FilterBench, *arrivals: tuple[int, int]) -> list[int]:
    """Verdicts of packets (ns, length) that arrive in order."""
    verdicts = []
    for when, length in arrivals:
        bench.bench.pass_ns(when - bench.bench.timeline.now_ns)
        verdicts.append(bench.classify(Skb(len=length, pkt_len=length))[0])
    return verdicts


def counts(bench: FilterBench, kind: str) -> list[int]:
    """Bytes, packets, drops and overlimits of a kind's first action."""
    action = bench.bench.dev.net.actions.of_kind(kind)[0]
    return [action.bytes, action.packets, action.drops, action.overlimits]


# -- verdicts


def test_verdicts_end_the_actions_and_pipe_goes_on() -> None:
    for word, verdict in (("ok", OK), ("pass", OK), ("drop", SHOT), ("pipe", PIPE), ("continue", UNSPEC)):
        assert bench_of(f"action pipe action {word} action skbedit mark 1").classify(frame())[0] == verdict
    bench = bench_of("action skbedit mark 3 action ok action skbedit mark 4")
    skb = frame()
    bench.classify(skb)
    assert skb.mark == 3


def test_a_jump_goes_to_the_action_of_that_number() -> None:
    skb = frame()
    bench = bench_of("action jump 2 action skbedit mark 1 action skbedit priority 1:5")
    assert bench.classify(skb)[0] == PIPE
    assert (skb.mark, skb.priority) == (0, 0x10005)
    assert bench_of("action pipe action jump 1").classify(frame())[0] == OK, "round and round, until it is stopped"
    nowhere = bench_of("action jump 0 action drop")
    assert nowhere.classify(frame())[0] == OK and counts(nowhere, "gact")[1] == 1


def test_one_in_so_many_packets_ends_otherwise() -> None:
    bench = bench_of("action drop random determ pass 4")
    assert [bench.classify(frame())[0] for _ in range(8)] == [SHOT, SHOT, SHOT, OK] * 2
    bench = bench_of("action pass random netrand drop 10")
    dropped = [bench.classify(frame())[0] for _ in range(2000)].count(SHOT)
    assert 150 < dropped < 250
    assert counts(bench, "gact") == [2000 * 54, 2000, dropped, 0]


def test_a_goto_leads_to_another_chain_and_its_absence_to_no_match() -> None:
    bench = bench_of("action goto chain 7")
    assert bench.classify(frame())[0] == UNSPEC
    bench.run(f"filter add {bench.place} chain 7 prio 1 matchall classid 1:9")
    assert bench.classid(frame()) == 9


def test_a_trapped_packet_is_taken_and_freed() -> None:
    bench = bench_of("action trap")
    bench.bench.dev.tx_queues[0].stop()
    assert dev_queue_xmit(frame(), bench.bench.dev) == XMIT_SUCCESS
    assert (len(bench.bench.dropped), bench.bench.dev.qdisc.drops, bench.bench.dev.qdisc.qlen) == (1, 0, 0)


# -- police


def test_a_policer_lets_its_burst_pass_and_then_its_rate() -> None:
    # 8 Mbit/s is 1000 bytes a millisecond; the burst is three packets, which tc turns into 1000 * 64 ns ticks a ms
    bench = bench_of("action police rate 8mbit burst 3000 conform-exceed drop/pipe")
    assert packets_through(bench, *[(0, 1000)] * 5) == [PIPE] * 3 + [SHOT] * 2
    assert packets_through(bench, (999_999, 1000), (1_000_000, 1000), (1_000_000, 1000)) == [SHOT, PIPE, SHOT]
    assert packets_through(bench, *[(S, 1000)] * 4) == [PIPE] * 3 + [SHOT]
    assert counts(bench, "police") == [12_000, 12, 5, 5]


def test_what_exceeds_is_reclassified_unless_the_line_says_otherwise() -> None:
    bench = FilterBench("u32 match u32 0 0 police rate 8kbit burst 1000 flowid 1:1")
    bench.add("matchall classid 1:2", prio=2)
    assert bench.classid(frame(payload=bytes(900))) == 1
    assert bench.classify(frame(payload=bytes(900)))[0] == SHOT, "again and again, and then it is dropped"
    assert counts(bench, "police")[1] == 1 + 17
    old = FilterBench("u32 match u32 0 0 police rate 8kbit burst 1000 continue flowid 1:1")
    old.add("matchall classid 1:2", prio=2)
    assert [old.classid(frame(payload=bytes(900))) for _ in range(2)] == [1, 2]


def test_packets_longer_than_the_mtu_exceed_and_by_default_it_is_2040_bytes() -> None:
    bench = bench_of("action police rate 1gbit burst 1m conform-exceed drop/ok")
    assert packets_through(bench, (0, 2040), (0, 2041)) == [OK, SHOT]
    cells = bench_of("action police rate 1gbit burst 1m/16 conform-exceed drop/ok")
    assert packets_through(cells, (0, 4080), (0, 4081)) == [OK, SHOT]
    wide = bench_of("action police rate 1gbit burst 1m mtu 9000 conform-exceed drop/ok")
    assert packets_through(wide, (0, 9000), (0, 9001)) == [OK, SHOT]
    skb = super_packet(20_000, 1448)
    skb.pkt_len = skb.len
    assert wide.classify(skb)[0] == OK, "each segment counts"
    assert counts(wide, "police")[1] == 2 + 14
    only = bench_of("action police mtu 100 conform-exceed drop/ok")
    assert packets_through(only, (0, 100), (0, 101)) == [OK, SHOT]


def test_a_peak_rate_needs_tokens_of_both_buckets() -> None:
    # 8 Mbit/s peak: a packet of 1000 bytes each ms, however full the other bucket is
    bench = bench_of("action police rate 4mbit burst 10k peakrate 8mbit mtu 1000 conform-exceed drop/ok")
    assert packets_through(bench, (0, 1000), (500_000, 1000), (1_000_000, 1000)) == [OK, SHOT, OK]
    assert packets_through(bench, (1_100_000, 100)) == [OK]


def test_two_policers_mark_three_colours() -> None:
    # RFC 2698: beyond the peak red, beyond the committed rate yellow, else green
    bench = bench_of(
        "action police rate 16mbit burst 4000 conform-exceed drop/pipe"
        " action police rate 8mbit burst 2000 conform-exceed ok/pipe action skbedit mark 1"
    )
    colours = []
    for _ in range(6):
        skb = Skb(len=1000, pkt_len=1000)
        verdict = bench.classify(skb)[0]
        colours.append("red" if verdict == SHOT else "green" if skb.mark else "yellow")
    assert colours == ["green"] * 2 + ["yellow"] * 2 + ["red"] * 2


def test_overhead_and_atm_cells_are_charged() -> None:
    # 1000 + 8 bytes are 21 cells, 1113 bytes: the burst has room for two of them, and for no cell more
    bench = bench_of("action police rate 8mbit burst 2240 overhead 8 linklayer atm conform-exceed drop/ok")
    assert packets_through(bench, (0, 1000), (0, 1000), (0, 40)) == [OK, OK, SHOT]
    least = bench_of("action police rate 8mbit burst 1000 mpu 500 conform-exceed drop/ok")
    assert packets_through(least, *[(0, 10)] * 3) == [OK, OK, SHOT]


def test_packets_can_be_metered_by_number() -> None:
    bench = bench_of("action police pkts_rate 1000 pkts_burst 2 conform-exceed drop/ok")
    assert packets_through(bench, *[(0, 9000)] * 3, (1_000_000, 64), (1_000_000, 64)) == [OK, OK, SHOT, OK, SHOT]


def test_a_measured_rate_is_what_avrate_looks_at() -> None:
    bench = FilterBench()
    line = f"filter add {bench.place.replace('protocol', 'estimator 250ms 1sec protocol')} prio 1 matchall"
    bench.run(f"{line} action police avrate 8mbit conform-exceed drop/ok")
    # 500 bytes a ms is 4 Mbit/s, and then three times as much
    verdicts = packets_through(bench, *[(at * 1_000_000, 500) for at in range(2000)])
    assert set(verdicts) == {OK}
    verdicts = packets_through(bench, *[((2000 + at) * 1_000_000, 1500) for at in range(3000)])
    assert verdicts[0] == OK and set(verdicts[-500:]) == {SHOT}
    rate = int(bench.run("-s filter show dev eth0").partition("\trate ")[2].partition("Kbit")[0])
    assert 11_500 < rate <= 12_000
    bench.bench.pass_ns(3600 * S)
    assert "\trate 0bit 0pps\t" in bench.run("-s filter show dev eth0")


@settings(max_examples=50)
@given(
    arrivals=st.lists(st.tuples(st.integers(0, 3_000_000), st.integers(60, 1514)), min_size=1, max_size=60),
    rate=st.integers(1, 100),
    burst=st.integers(1600, 20_000),
)
def test_what_conforms_never_is_more_than_burst_and_rate(
    arrivals: list[tuple[int, int]], rate: int, burst: int
) -> None:
    bench = bench_of(f"action police rate {rate}mbit burst {burst} conform-exceed drop/ok")
    now, passed = 0, []
    for gap, length in arrivals:
        now += gap
        if packets_through(bench, (now, length)) == [OK]:
            passed.append((now, length))
    for at, (begin, _) in enumerate(passed):
        total = 0
        for when, length in passed[at:]:
            total += length
            # bytes times 8000 are nanoseconds at 1 Mbit/s
            assert total * 8000 <= rate * (when - begin + len(passed)) + burst * 8000
    count, dropped = counts(bench, "police")[1], counts(bench, "police")[2]
    assert count == len(arrivals) == dropped + len(passed)


# -- skbedit


def test_skbedit_sets_priority_mark_and_dscp() -> None:
    bench = bench_of("action skbedit priority 1:7 mark 0x5/0xf")
    skb = marked(0xAB)
    bench.classify(skb)
    assert (skb.priority, skb.mark) == (0x10007, 0xA5)
    bench = bench_of("action skbedit inheritdsfield")
    skb = frame(tos=0xB8)
    bench.classify(skb)
    assert skb.priority == 46
    six = FilterBench("matchall action skbedit inheritdsfield", protocol="ipv6")
    skb = frame(version=6, tos=0x48)
    six.classify(skb)
    assert skb.priority == 18


def test_skbedit_chooses_the_transmit_queue_on_the_way_out() -> None:
    bench = StackBench(name="eth0", num_tx_queues=4)
    run = Tc([bench.dev]).run
    run("qdisc add dev eth0 clsact")
    run("filter add dev eth0 egress prio 1 handle 5 fw action skbedit queue_mapping 3")
    run("filter add dev eth0 egress prio 2 handle 6 fw action skbedit queue_mapping 4")
    hash_of_2 = 2 << 30
    for mark in (5, 0, 6):
        dev_queue_xmit(Skb(len=100, mark=mark, hash=hash_of_2), bench.dev)
    bench.drain()
    assert [skb.queue_mapping for skb in bench.driver.sent] == [3, 2, 2], "there is no queue 4"


# -- shared actions


def test_filters_share_an_action_by_its_index() -> None:
    bench = FilterBench()
    bench.run("actions add action police rate 8mbit burst 2000 conform-exceed drop/ok index 5")
    bench.add("handle 1 fw classid 1:1 action police index 5")
    bench.add("handle 2 fw classid 1:2 action police index 5")
    verdicts = [bench.classify(Skb(len=1000, pkt_len=1000, mark=mark))[0] for mark in (1, 2, 1)]
    assert verdicts == [OK, OK, SHOT]
    assert "ref 3 bind 2" in bench.run("actions ls action police")
    for line in ("actions del action police index 5", "actions flush action police"):
        with pytest.raises(TcError):
            bench.run(line)
    bench.run("filter del dev eth0 parent 1: prio 1")
    assert "ref 1 bind 0" in bench.run("actions get action police index 5")
    bench.run("actions flush action police")
    assert bench.run("actions ls action police") == ""


def test_a_flush_stops_at_the_first_action_in_use() -> None:
    bench = FilterBench("matchall action drop index 5")
    bench.run("actions add action drop index 3 action drop index 7")
    bench.run("actions flush action gact")
    shown = bench.run("actions ls action gact")
    assert "index 3" not in shown and "index 5" in shown and "index 7" in shown


def test_a_filter_that_is_refused_leaves_no_action_behind() -> None:
    bench = FilterBench()
    for rest in (
        "matchall action skbedit mark 1 action police avrate 1mbit",
        "u32 match u32 0 0 link 9: action skbedit mark 1",
        "handle 1 fw indev nosuch action skbedit mark 1",
        "flow map key mark action skbedit mark 1",
        "matchall action drop random determ goto chain 3 5",
    ):
        with pytest.raises(TcError):
            bench.add(rest)
    assert not bench.bench.dev.net.actions
    assert bench.run("filter show dev eth0") == ""


def test_an_action_is_changed_for_all_that_share_it() -> None:
    bench = FilterBench("matchall classid 1:1 action drop index 3")
    assert bench.classify(frame())[0] == SHOT
    with pytest.raises(TcError, match="File exists"):
        bench.run("actions add action pass index 3")
    bench.run("actions replace action pass index 3")
    assert bench.classid(frame()) == 1
    assert "cookie ab" not in bench.run("actions ls action gact")
    bench.run("actions change action pass index 3 cookie ab12")
    shown = bench.run("-s -j actions ls action gact")
    assert '"cookie":"ab12"' in shown and '"stats":{"bytes":108,"packets":2,"drops":1,' in shown


def test_ages_are_shown_with_statistics() -> None:
    bench = bench_of("action ok")
    bench.bench.pass_ns(2 * S)
    bench.classify(frame())
    bench.bench.pass_ns(3 * S)
    assert "installed 5 sec used 3 sec firstused 3 sec" in bench.run("-s filter show dev eth0")
    assert bench.run("actions ls action gact since 2000") == ""
    assert "total acts 1" in bench.run("actions ls action gact since 4000")


# -- an action of one's own


def test_an_action_of_ones_own_is_a_class(monkeypatch: pytest.MonkeyPatch) -> None:
    ACTIONS.kinds()
    monkeypatch.setattr(ACTIONS, "classes", dict(ACTIONS.classes))

    class Twice(Action[NoParams]):
        kind = "test_twice"
        params_type = NoParams

        def setup(self, dev: ActionDevice) -> None:
            self.times = 0

        def change(self, dev: ActionDevice, params: NoParams) -> None:
            pass

        def params(self) -> NoParams:
            return NoParams()

        def act(self, skb: Skb, dev: ActionDevice) -> int:
            self.times += 1
            return REPEAT if self.times % 2 else PIPE

    bench = bench_of("action test_twice index 4 action drop")
    assert bench.classify(frame())[0] == SHOT
    assert "\taction order 1: test_twice \n\t index 4 ref 1 bind 1\n" in bench.run("filter show dev eth0")
