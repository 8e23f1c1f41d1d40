"""docs/qdisc.md: its examples are a discipline and a filter that work."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from ringwire.filter import registry as filters
from ringwire.netdev import dev_queue_xmit
from ringwire.qdisc import registry as qdiscs
from ringwire.skb import Skb
from ringwire.tools.tc import Tc
from tests.stack_bench import StackBench

PAGE = Path(__file__).parent.parent / "docs" / "qdisc.md"


@pytest.fixture
def examples(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    qdiscs.kinds(), filters.kinds()
    monkeypatch.setattr(qdiscs, "_classes", dict(qdiscs._classes))
    monkeypatch.setattr(filters, "_classes", dict(filters._classes))
    module = ModuleType("examples")
    monkeypatch.setitem(__import__("sys").modules, "examples", module)
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), module.__dict__)
    yield module


def test_the_discipline_of_the_page_works_with_tc_lines_alone(examples: ModuleType) -> None:
    bench = StackBench(name="eth0")
    run = Tc([bench.dev]).run
    run("tc qdisc add dev eth0 root handle 1: lifo limit 3 oldest")
    run("tc qdisc change dev eth0 root handle 1: lifo newest")
    bench.dev.tx_queues[0].stop()
    for ident in range(4):
        dev_queue_xmit(Skb(len=100, id=ident), bench.dev)
    assert [skb.id for skb in bench.dropped] == [3]
    assert run("tc -s qdisc show dev eth0") == (
        "qdisc lifo 1: root refcnt 2 limit 3p newest \n"
        " Sent 0 bytes 0 pkt (dropped 1, overlimits 0 requeues 0) \n"
        " backlog 300b 3p requeues 0\n"
        " deepest 3 \n"
    )
    assert '"options":{"limit":3,"newest":true}' in run("tc -j qdisc show dev eth0")
    out = bench.dev.qdisc.dequeue()
    assert out is not None and out.id == 2


def test_the_filter_of_the_page_works_with_tc_lines_alone(examples: ModuleType) -> None:
    bench = StackBench(name="eth0")
    run = Tc([bench.dev]).run
    run("tc qdisc add dev eth0 root handle 1: prio")
    run("tc filter add dev eth0 parent 1: protocol ip prio 1 length above 1000 classid 1:3")
    bench.dev.tx_queues[0].stop()
    for ident, length in enumerate((1500, 100)):
        dev_queue_xmit(Skb(len=length, id=ident, priority=6), bench.dev)
    assert [child.qlen for _, child in bench.dev.qdisc.children()] == [1, 0, 1]
    assert run("tc filter show dev eth0") == (
        "filter parent 1: protocol ip pref 1 length chain 0 \n"
        "filter parent 1: protocol ip pref 1 length chain 0 handle 0x1 above 1000 classid 1:3 \n"
    )
