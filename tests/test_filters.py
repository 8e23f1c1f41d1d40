"""The contract between disciplines and filters: order, protocols, verdicts, requests and their errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from ringwire.filter import Filter
from ringwire.filter.registry import FILTERS
from ringwire.netdev import dev_queue_xmit
from ringwire.qdisc import XMIT_BYPASS, XMIT_DROP, XMIT_STOLEN, XMIT_SUCCESS, QdiscError, option
from ringwire.qdisc.classify import (
    ETH_P_8021Q,
    ETH_P_IP,
    GOTO_CHAIN,
    OK,
    RECLASSIFY,
    SHOT,
    STOLEN,
    UNSPEC,
    Match,
    skb_protocol,
)
from ringwire.skb import Skb
from ringwire.tools.tc import Tc, TcError
from tests.stack_bench import StackBench


@dataclass(frozen=True, slots=True)
class Params:
    classid: int = option("classid", default=0)
    verdict: int = option("number", default=OK)
    mark: int | None = option("number")


@pytest.fixture(autouse=True)
def kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two kinds of filter that match everything."""
    FILTERS.kinds()
    monkeypatch.setattr(FILTERS, "classes", dict(FILTERS.classes))

    class Every(Filter[Params]):
        kind = "test_every"
        params_type = Params

        def setup(self) -> None:
            self.there: dict[int, Params] = {}

        def change(self, handle: int, params: Params) -> None:
            if params.mark == 99:
                raise QdiscError("EINVAL", "Ninety-nine is too many")
            self.there[handle or len(self.there) + 1] = params

        def delete(self, handle: int) -> None:
            del self.there[handle]

        def filters(self) -> Iterator[tuple[int, Params]]:
            return iter(self.there.items())

        def classify(self, skb: Skb, match: Match) -> int:
            for params in self.there.values():
                if params.mark is None or params.mark == skb.mark:
                    match.classid = params.classid
                    skb.mark += params.verdict == RECLASSIFY
                    return params.verdict
            return UNSPEC

    type("Other", (Every,), {"kind": "test_other"})


def made(*lines: str, root: str = "prio") -> tuple[StackBench, Callable[[str], str]]:
    bench = StackBench(name="eth0")
    run = Tc([bench.dev]).run
    for line in (f"qdisc add dev eth0 root handle 1: {root}", *lines):
        run(line)
    bench.dev.tx_queues[0].stop()
    return bench, run


def lengths(bench: StackBench) -> list[int]:
    return [child.qlen for _, child in bench.dev.qdisc.children()]


def enqueue(bench: StackBench, **fields: int) -> tuple[int, int]:
    """(return code, packets dropped)."""
    to_free: list[Skb] = []
    return bench.dev.qdisc.enqueue(Skb(len=100, pkt_len=100, **fields), to_free), len(to_free)  # type: ignore[arg-type]


def test_the_lowest_priority_number_is_asked_first_whatever_the_order_of_adding() -> None:
    bench, run = made(
        "filter add dev eth0 parent 1: prio 20 test_every classid 1:3",
        "filter add dev eth0 parent 1: prio 10 test_every classid 1:1 mark 7",
    )
    enqueue(bench, mark=7)
    enqueue(bench, mark=8)
    assert lengths(bench) == [1, 0, 1]
    run("filter add dev eth0 parent 1: test_every classid 1:2")
    enqueue(bench, mark=7)
    assert lengths(bench) == [2, 0, 1], "one without a priority comes late"
    run("filter add dev eth0 parent 1: test_every classid 1:2")
    assert [word for word in run("filter show dev eth0 parent 1:").split() if word.isdigit() and int(word) > 9] == [
        *("10", "10", "20", "20", "49151", "49151", "49152", "49152")
    ]


def test_only_filters_of_the_packets_protocol_are_asked() -> None:
    bench, _ = made("filter add dev eth0 parent 1: protocol ipv6 prio 1 test_every classid 1:1")
    enqueue(bench)
    assert lengths(bench) == [0, 1, 0]
    header = bytes(12) + b"\x86\xdd"
    assert skb_protocol(Skb(len=14, data=(header,))) == 0x86DD
    assert skb_protocol(Skb(len=14, data=(header[:13], header[13:]))) == 0x86DD
    assert skb_protocol(Skb(len=14, data=(header,), vlan_tci=5)) == ETH_P_8021Q
    assert skb_protocol(Skb(len=100)) == ETH_P_IP


@pytest.mark.parametrize("root", ["prio", "ets bands 3", "drr"])
def test_verdicts_that_are_no_class_end_the_enqueue(root: str) -> None:
    bench, run = made(root=root)
    run(f"filter add dev eth0 parent 1: prio 1 test_every verdict {SHOT}")
    assert enqueue(bench) == (XMIT_SUCCESS | XMIT_BYPASS, 1)
    assert bench.dev.qdisc.drops == 1
    run(f"filter replace dev eth0 parent 1: prio 1 handle 1 test_every verdict {STOLEN}")
    assert enqueue(bench) == (XMIT_SUCCESS | XMIT_STOLEN, 0)
    assert (bench.dev.qdisc.drops, bench.dev.qdisc.qlen) == (1, 0)


def test_reclassify_begins_again_and_not_for_ever() -> None:
    bench, run = made(
        f"filter add dev eth0 parent 1: prio 1 test_every mark 0 verdict {RECLASSIFY}",
        "filter add dev eth0 parent 1: prio 2 test_every classid 1:3",
    )
    enqueue(bench)
    assert lengths(bench) == [0, 0, 1]
    run(f"filter replace dev eth0 parent 1: prio 1 handle 1 test_every verdict {RECLASSIFY}")
    assert enqueue(bench) == (XMIT_SUCCESS | XMIT_BYPASS, 1)


def test_a_filter_may_go_on_to_another_chain() -> None:
    bench, run = made(
        f"filter add dev eth0 parent 1: prio 1 test_every verdict {GOTO_CHAIN | 5}",
        "filter add dev eth0 parent 1: chain 5 prio 1 test_every classid 1:1",
    )
    enqueue(bench)
    assert lengths(bench) == [1, 0, 0]
    run("filter del dev eth0 parent 1: chain 5")
    enqueue(bench)
    assert lengths(bench) == [1, 1, 0]


def test_a_class_that_a_filter_names_cant_be_deleted() -> None:
    bench, run = made("class add dev eth0 parent 1: classid 1:1 drr", root="drr")
    run("filter add dev eth0 parent 1: prio 1 test_every classid 1:1")
    with pytest.raises(TcError) as caught:
        run("class del dev eth0 classid 1:1")
    assert caught.value.printed == "Error: DRR class is in use."
    assert enqueue(bench) == (XMIT_SUCCESS, 0)
    run("filter del dev eth0 parent 1: prio 1")
    run("class del dev eth0 classid 1:1")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("filter add dev eth0 parent 9: prio 1 test_every", "Error: Parent Qdisc doesn't exists."),
        ("filter add dev eth0 parent 1:9 prio 1 test_every", "Error: Specified class doesn't exist."),
        ("filter add dev eth0 parent 1: protocol ip prio 3 test_every",
         "Error: Protocol mismatch for filter with specified priority."),
        ("filter add dev eth0 parent 1: prio 4", "Error: Filter kind and protocol must be specified."),
        ("filter change dev eth0 parent 1: protocol ip prio 4 test_every",
         "Error: Need both RTM_NEWTFILTER and NLM_F_CREATE to create a new filter."),
        ("filter add dev eth0 parent 1: prio 3 test_other",
         "Error: Specified filter kind does not match existing one."),
        ("filter add dev eth0 parent 1: prio 3 handle 1 test_every", "Error: Filter already exists."),
        ("filter add dev eth0 parent 1: prio 4 test_every mark 99", "Error: Ninety-nine is too many."),
        ("filter del dev eth0 parent 1: prio 4", "Error: Filter with specified priority/protocol not found."),
        ("filter del dev eth0 parent 1: prio 3 handle 9 test_every", "Error: Specified filter handle not found."),
        ("filter del dev eth0 parent 1: prio 3 test_other",
         "Error: Specified filter kind does not match existing one."),
        ("filter del dev eth0 parent 1: protocol ip",
         "Error: Cannot flush filters with protocol, handle or kind set."),
        ("filter del dev eth0 parent 1: chain 4 prio 1", "Error: Cannot find specified filter chain."),
    ],
)  # fmt: skip
def test_requests_are_refused_in_the_kernels_words(line: str, error: str) -> None:
    _, run = made("filter add dev eth0 parent 1: prio 3 test_every classid 1:1")
    before = run("filter show dev eth0")
    with pytest.raises(TcError) as caught:
        run(line)
    assert caught.value.printed == f"{error}\nWe have an error talking to the kernel"
    assert (caught.value.status, run("filter show dev eth0")) == (2, before)


def test_filters_are_listed_with_their_place_or_without() -> None:
    _, run = made("filter add dev eth0 parent 1: protocol ip prio 3 test_every classid 1:1 mark 5")
    assert run("filter show dev eth0") == (
        "filter parent 1: protocol ip pref 3 test_every chain 0 \n"
        "filter parent 1: protocol ip pref 3 test_every chain 0 handle 0x1 classid 1:1 verdict 0 mark 5 \n"
    )
    assert run("filter show dev eth0 parent 1:").startswith("filter protocol ip pref 3 test_every chain 0 \n")
    assert run("-j filter show dev eth0") == (
        '[{"parent":"1:","protocol":"ip","pref":3,"kind":"test_every","chain":0},'
        '{"parent":"1:","protocol":"ip","pref":3,"kind":"test_every","chain":0,'
        '"options":{"fh":1,"classid":65537,"verdict":0,"mark":5}}]\n'
    )
    run("filter del dev eth0 parent 1:")
    assert run("filter show dev eth0") == ""


def test_clsacts_egress_filters_see_packets_before_the_root_does() -> None:
    bench, run = made(
        "qdisc add dev eth0 clsact", f"filter add dev eth0 egress prio 1 test_every verdict {SHOT} mark 1"
    )
    assert dev_queue_xmit(Skb(len=100, mark=1), bench.dev) == XMIT_DROP
    run(f"filter replace dev eth0 egress prio 1 handle 1 test_every verdict {STOLEN} mark 1")
    assert dev_queue_xmit(Skb(len=100, mark=1), bench.dev) == XMIT_SUCCESS
    run("filter replace dev eth0 egress prio 1 handle 1 test_every classid :8")
    skb = Skb(len=100)
    assert dev_queue_xmit(skb, bench.dev) == XMIT_SUCCESS
    assert (skb.tc_index, bench.dev.qdisc.qlen, len(bench.dropped)) == (8, 1, 1)
    shown = run("-s qdisc show dev eth0 clsact")
    assert " Sent 300 bytes 3 pkt (dropped 1, " in shown


def test_only_a_verdict_of_ok_notes_the_class_on_the_way_out() -> None:
    bench, run = made("qdisc add dev eth0 clsact")
    run("filter add dev eth0 egress prio 1 matchall classid :8 action skbedit mark 1")
    skb = Skb(len=100)
    assert dev_queue_xmit(skb, bench.dev) == XMIT_SUCCESS
    assert (skb.mark, skb.tc_index) == (1, 0)
