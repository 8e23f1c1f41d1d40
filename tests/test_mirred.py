"""Redirection between devices, packets that come in, and that none is lost on the way."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ringwire.netdev import dev_queue_xmit
from ringwire.qdisc import XMIT_DROP, XMIT_SUCCESS
from ringwire.skb import Skb
from ringwire.tools.tc import Tc
from tests.filter_bench import frame, marked
from tests.stack_bench import StackBench


def two_devices(*lines: str) -> tuple[StackBench, StackBench]:
    one, two = StackBench(name="eth0"), StackBench(name="eth1")
    run = Tc([one.dev, two.dev]).run
    for line in ("qdisc add dev eth0 clsact", "qdisc add dev eth1 clsact", *lines):
        run(line)
    return one, two


def drain(*benches: StackBench) -> None:
    for bench in benches:
        bench.drain()


def test_packets_are_redirected_and_mirrored() -> None:
    freed: list[int] = []
    one, two = two_devices(
        "filter add dev eth0 egress prio 1 handle 1 fw action mirred egress redirect dev eth1",
        "filter add dev eth0 egress prio 2 handle 2 fw action mirred egress mirror dev eth1",
    )
    for mark in (1, 2):
        skb = Skb(len=100, id=mark, mark=mark, destructor=lambda skb: freed.append(skb.id))
        assert dev_queue_xmit(skb, one.dev) == XMIT_SUCCESS
    drain(one, two)
    assert [skb.id for skb in one.driver.sent] == [2]
    assert [skb.id for skb in two.driver.sent] == [1, 2]
    assert sorted(freed) == [1, 2], "a copy belongs to nobody"


def test_redirection_from_a_discipline_takes_the_packet_out_of_it() -> None:
    one, two = two_devices()
    run = Tc([one.dev, two.dev]).run
    run("qdisc add dev eth0 root handle 1: prio")
    run("filter add dev eth0 parent 1: prio 1 matchall action mirred egress redirect dev eth1")
    one.txq.stop()
    for ident in range(3):
        assert dev_queue_xmit(Skb(len=100, id=ident), one.dev) == XMIT_SUCCESS
    two.drain()
    assert (one.dev.qdisc.qlen, one.dev.qdisc.drops, one.dropped) == (0, 0, [])
    assert [skb.id for skb in two.driver.sent] == [0, 1, 2]


def test_packets_that_come_in_meet_the_filters_and_then_the_user() -> None:
    one, two = two_devices(
        "filter add dev eth0 ingress protocol ip prio 1 u32 match ip protocol 17 0xff action drop",
        "filter add dev eth0 ingress protocol ip prio 2 handle 7 fw action mirred egress redirect dev eth1",
        "filter add dev eth0 ingress protocol ip prio 3 u32 match u32 0 0 indev eth0 flowid :5",
    )
    got: list[Skb] = []
    one.dev.on_receive = got.append
    assert one.dev.receive(frame()) and got[0].tc_index == 5 and got[0].iif == one.dev.ifindex
    assert not one.dev.receive(frame(protocol=17)) and len(one.dropped) == 1
    assert one.dev.receive(marked(7)) and len(two.driver.sent) == 1
    assert len(got) == 1
    run = Tc([one.dev, two.dev]).run
    assert " Sent 108 bytes 3 pkt (dropped 1, " in run("-s qdisc show dev eth0 clsact"), "without the link header"
    run("filter add dev eth1 ingress prio 1 matchall action police rate 8mbit burst 1m mtu 54 conform-exceed drop/ok")
    assert two.dev.receive(frame()) and not two.dev.receive(frame(payload=b"x")), "the MTU is with the link header"
    one.dev.close()
    assert not one.dev.receive(frame())


def test_what_the_target_drops_counts_as_an_overlimit() -> None:
    one, two = two_devices(
        "filter add dev eth0 egress prio 1 matchall action mirred egress redirect dev eth1",
        "filter add dev eth1 egress prio 1 matchall action drop",
    )
    assert dev_queue_xmit(Skb(len=100), one.dev) == XMIT_SUCCESS
    assert (len(two.dropped), one.dev.net.actions.of_kind("mirred")[0].overlimits) == (1, 1)


def test_a_packet_redirected_on_its_way_in_counts_whole_on_its_way_out() -> None:
    one, two = two_devices(
        "filter add dev eth0 ingress prio 1 matchall action mirred egress redirect dev eth1",
        "filter add dev eth1 egress prio 1 matchall action police rate 1gbit burst 1m mtu 54 conform-exceed drop/ok",
    )
    assert one.dev.receive(frame()) and not two.dropped
    assert two.dev.net.actions.of_kind("police")[0].bytes == 54


def test_what_is_mirrored_in_comes_in() -> None:
    one, two = two_devices("filter add dev eth0 egress prio 1 matchall action mirred ingress mirror dev eth1")
    got: list[Skb] = []
    two.dev.on_receive = got.append
    dev_queue_xmit(frame(), one.dev)
    assert len(got) == len(one.driver.sent) == 1 and got[0] is not one.driver.sent[0]


def test_packets_dont_go_round_for_ever() -> None:
    one, two = two_devices(
        "filter add dev eth0 egress prio 1 matchall action mirred egress redirect dev eth1",
        "filter add dev eth1 egress prio 1 matchall action mirred egress redirect dev eth0",
    )
    dev_queue_xmit(Skb(len=100), one.dev)
    assert len(one.dropped) + len(two.dropped) == 1 and not one.driver.sent and not two.driver.sent
    assert one.dev.net.mirred_depth == 0


def test_a_device_that_is_down_takes_nothing() -> None:
    one, two = two_devices(
        "filter add dev eth0 egress prio 1 handle 1 fw action mirred egress redirect dev eth1",
        "filter add dev eth0 egress prio 2 handle 2 fw action mirred egress mirror dev eth1",
    )
    two.dev.close()
    assert dev_queue_xmit(Skb(len=100, mark=1), one.dev) == XMIT_DROP
    assert dev_queue_xmit(Skb(len=100, mark=2), one.dev) == XMIT_SUCCESS
    assert [action.overlimits for action in one.dev.net.actions.of_kind("mirred")] == [1, 1]


@settings(max_examples=40)
@given(packets=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 2_000_000)), max_size=80))
def test_every_packet_leaves_is_dropped_or_is_still_queued(packets: list[tuple[int, int]]) -> None:
    one, two = two_devices(
        "filter add dev eth0 egress prio 1 handle 1 fw action mirred egress redirect dev eth1",
        "filter add dev eth0 egress prio 2 handle 2 fw action trap",
        "filter add dev eth0 egress prio 3 handle 3 fw action police rate 1mbit burst 2k conform-exceed drop/ok",
        "filter add dev eth1 egress prio 4 matchall action police rate 2mbit burst 2k conform-exceed drop/pipe",
        "qdisc add dev eth0 root handle 1: prio",
        "filter add dev eth0 parent 1: prio 1 handle 4 fw action mirred egress redirect dev eth1",
        "filter add dev eth0 parent 1: prio 2 handle 5 fw action drop",
        "filter add dev eth0 parent 1: prio 3 handle 6 fw classid 1:3",
    )
    one.txq.stop()
    for ident, (mark, gap) in enumerate(packets):
        one.pass_ns(gap)
        two.pass_ns(gap)
        dev_queue_xmit(Skb(len=1000, id=ident, mark=mark), one.dev)
    two.drain()
    queued = one.dev.qdisc.qlen
    assert queued == sum(mark in (0, 3, 6, 7) for mark, _ in packets) - sum(skb.mark == 3 for skb in one.dropped)
    ended = [skb.id for skb in (*one.driver.sent, *two.driver.sent, *one.dropped, *two.dropped)]
    assert len(ended) == len(set(ended)) == len(packets) - queued
    one.txq.wake()
    drain(one, two)
    ended = [skb.id for skb in (*one.driver.sent, *two.driver.sent, *one.dropped, *two.dropped)]
    assert sorted(ended) == list(range(len(packets)))
