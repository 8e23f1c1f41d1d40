"""docs/qdisc.md: its examples work, and its tables name what there is, what is not, and how each is judged."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.qdisc import SUBJECTS
from ringwire.action.registry import ACTIONS
from ringwire.filter.registry import FILTERS
from ringwire.netdev import dev_queue_xmit
from ringwire.qdisc.registry import QDISCS
from ringwire.registry import Registry
from ringwire.skb import Skb
from ringwire.tools.tc import Tc
from tests.conformance.vectors import DEFAULT_FOLDER, read
from tests.stack_bench import StackBench

PAGE = Path(__file__).parent.parent / "docs" / "qdisc.md"


TABLES: dict[str, Registry[Any]] = {"discipline": QDISCS, "filter": FILTERS, "action": ACTIONS}


def rows(noun: str) -> Iterator[tuple[list[str], str]]:
    """(kinds, how they are judged) of each row of the table of what there is."""
    text = PAGE.read_text(encoding="utf-8").partition(f"\n| {noun} | what it is | judged by |\n")[2]
    for line in text.partition("\n\n")[0].splitlines()[1:]:
        kinds, _, judged = line.strip("| ").split(" | ")
        yield re.findall("`(.*?)`", kinds), judged


def left_out(noun: str) -> list[str]:
    (line,) = re.findall(rf"\n\| {noun}s \| (.*) \|", PAGE.read_text(encoding="utf-8"))
    return re.findall("`(.*?)`", line.partition(" (")[0])


def kinds_that_ship(noun: str) -> list[str]:
    registry = TABLES[noun]
    return [kind for kind in registry.kinds() if registry.find(kind).__module__.startswith("ringwire.")]


@pytest.mark.parametrize("noun", TABLES)
def test_the_page_names_every_kind_there_is_and_those_that_there_are_not(noun: str) -> None:
    named = [kind for kinds, _ in rows(noun) for kind in kinds]
    assert sorted(named) == kinds_that_ship(noun)
    assert not set(left_out(noun)) & set(named)
    assert noun != "discipline" or "cake" in left_out(noun)


def test_disciplines_are_called_recorded_where_there_are_recordings() -> None:
    configured = "\n".join(
        line
        for path in (*DEFAULT_FOLDER.glob("qdisc_*.json.gz"), DEFAULT_FOLDER / "stack_public.json.gz")
        for scenario in read(path)["scenarios"]
        for line in scenario["tc"]
    )
    wanted = {kind: bool(re.search(rf"qdisc .*[0-9:] {kind}\b|root {kind}\b", configured)) for kind in QDISCS.kinds()}
    said = {kind: judged.startswith("recorded") for kinds, judged in rows("discipline") for kind in kinds}
    assert {kind: wanted[kind] for kind in said} == said


def test_the_page_gives_a_cost_within_its_goal_for_each_discipline_that_is_measured() -> None:
    text = PAGE.read_text(encoding="utf-8").partition("\n| | us | ten thousand to ten |\n")[2].partition("\n\n")[0]
    measured = set()
    for line in text.splitlines()[1:]:
        names, cost, ratio = (cell.strip() for cell in line.strip("|").split("|"))
        kinds = names.removesuffix(" over its limit").split(", ")
        measured.update(kinds)
        assert max(map(float, re.findall(r"[0-9.]+", cost))) <= (3 if "pfifo" in kinds else 12), line
        assert max(map(float, re.findall(r"[0-9.]+", ratio)), default=0) <= 2, line
    assert measured == {subject.line.split()[0] for subject in SUBJECTS}


@pytest.fixture
def examples(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    for registry in (QDISCS, FILTERS, ACTIONS):
        registry.kinds()
        monkeypatch.setattr(registry, "classes", dict(registry.classes))
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


def test_the_action_of_the_page_works_with_tc_lines_alone(examples: ModuleType) -> None:
    bench = StackBench(name="eth0")
    run = Tc([bench.dev]).run
    run("tc qdisc add dev eth0 root handle 1: prio")
    run("tc filter add dev eth0 parent 1: prio 1 matchall action every keep 3 action skbedit mark 1")
    bench.dev.tx_queues[0].stop()
    packets = [Skb(len=100, id=ident) for ident in range(6)]
    for skb in packets:
        dev_queue_xmit(skb, bench.dev)
    assert [skb.id for skb in bench.dropped] == [0, 1, 3, 4]
    assert [skb.mark for skb in packets] == [0, 0, 1, 0, 0, 1]
    run("tc actions add action every keep 4 index 7")
    assert run("tc -s actions ls action every") == (
        "total acts 2\n"
        "\n\taction order 0: every keep 3 \n\t index 1 ref 1 bind 1\n"
        "\tAction statistics:\n\tSent 600 bytes 6 pkt (dropped 4, overlimits 0 requeues 0) \n"
        "\tbacklog 0b 0p requeues 0\n\tnot_in_hw\n\tused_hw_stats disabled\n"
        "\n\taction order 1: every keep 4 \n\t index 7 ref 1 bind 0\n"
        "\tAction statistics:\n\tSent 0 bytes 0 pkt (dropped 0, overlimits 0 requeues 0) \n"
        "\tbacklog 0b 0p requeues 0\n\tnot_in_hw\n\tused_hw_stats disabled\n"
    )
