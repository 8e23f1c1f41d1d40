"""tc's side of codel, fq_codel, pie, choke and plug: what it says to lines, and what it prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringwire.qdisc.choke import Choke
from ringwire.qdisc.codel import CodelQdisc
from ringwire.qdisc.fq_codel import FqCodel
from ringwire.qdisc.pie import PieQdisc
from ringwire.qdisc.pie_law import MAX_PROB
from ringwire.skb import Skb
from ringwire.tools.tc import Tc
from tests.stack_bench import StackBench
from tests.tool_lab import compare, modelled, real

MS = 1_000_000
# The kernels tests run on have none of these kinds, but tc reads a line before it asks the kernel.
WRONG = """
codel limit
codel limit x
codel limit 4294967296
codel target x
codel foo
fq_codel quantum 1k
fq_codel memory_limit x
fq_codel drop_batch 1k
fq_codel ce_threshold_selector
fq_codel ce_threshold_selector 1
fq_codel ce_threshold_selector x/y
fq_codel ce_threshold_selector x/1
fq_codel ce_threshold_selector 1/256
pie tupdate x
pie alpha 33
pie beta x
pie bytemode nobytemode no_dq_rate_estimator foo
choke
choke bandwidth 10mbit
choke limit 100 bandwidth x
choke limit 100 bandwidth 10mbit min x
choke limit 100 bandwidth 10mbit avpkt x
choke limit 100 bandwidth 10mbit probability x
choke limit 100 bandwidth 10mbit probability 0
choke limit 100 bandwidth 10mbit min 50 max 30
choke limit 100 bandwidth 10mbit max 101
choke limit 1000 bandwidth 10mbit burst 1
choke limit 10 bandwidth 10mbit
choke limit 100 bandwidth 10mbit noecn
plug foo
plug limit
plug limit x
""".strip().splitlines()


def test_wrong_lines_are_answered_as_iproute2_answers_them(tmp_path: Path) -> None:
    lines = [f"tc qdisc add dev t0 root {line}" for line in WRONG]
    wanted = real(tmp_path, "ip tuntap add dev t0 mode tap; ip link set t0 up", lines, "tc")
    wanted = [said._replace(error=said.error.partition("Usage:")[0]) for said in wanted]
    compare(lines, wanted, modelled(Tc([StackBench(name="t0").dev]).run, lines))


def shown(bench: StackBench, options: str = "-s -d") -> str:
    return Tc([bench.dev]).run(f"tc {options} qdisc show dev eth0")


def made(line: str) -> StackBench:
    bench = StackBench(name="eth0")
    bench.dev.tx_queues[0].stop()
    Tc([bench.dev]).run(f"tc qdisc add dev eth0 root handle 1: {line}")
    return bench


NOTHING_SENT = " Sent 0 bytes 0 pkt (dropped 0, overlimits 0 requeues 0) \n backlog 0b 0p requeues 0\n"
NOTHING_SENT_JSON = '"bytes":0,"packets":0,"drops":0,"overlimits":0,"requeues":0,"backlog":0,"qlen":0'


def lines_of(text: str) -> list[str]:
    return text.splitlines()


# What follows was printed by tc of iproute2 6.1 for messages with these figures.


def test_codel_prints() -> None:
    bench = made("codel ecn ce_threshold 3001")
    assert shown(bench) == (
        "qdisc codel 1: root refcnt 2 limit 1000p target 5ms ce_threshold 3ms interval 100ms ecn \n"
        f"{NOTHING_SENT}"
        "  count 0 lastcount 0 ldelay 0us drop_next 0us\n"
        "  maxpacket 0 ecn_mark 0 drop_overlimit 0\n"
    )
    qdisc = bench.dev.qdisc
    assert isinstance(qdisc, CodelQdisc)
    state, law = qdisc.vars, qdisc.law
    state.count, state.last_count, state.ldelay, state.dropping = 3, 2, 4883, True
    law.max_packet, law.ecn_marks, law.ce_marks, qdisc.drop_overlimit = 1514, 8, 9, 7
    bench.pass_ns(1_500_500)
    assert lines_of(shown(bench))[-2:] == [
        "  count 3 lastcount 2 ldelay 5ms dropping drop_next -1.5ms",
        "  maxpacket 1514 ecn_mark 8 drop_overlimit 7 ce_mark 9",
    ]
    assert shown(bench, "-s -j") == (
        '[{"kind":"codel","handle":"1:","root":true,"refcnt":2,'
        '"options":{"limit":1000,"target":4999,"ce_threshold":3000,"interval":99999,"ecn":true},'
        f'{NOTHING_SENT_JSON},"count":3,"lastcount":2,"ldelay":5000,"dropping":true,"drop_next":-1500,'
        '"maxpacket":1514,"ecn_mark":8,"drop_overlimit":7,"ce_mark":9}]\n'
    )


def test_fq_codel_prints() -> None:
    bench = made("fq_codel")
    assert shown(bench) == (
        "qdisc fq_codel 1: root refcnt 2 limit 10240p flows 1024 quantum 1514 target 5ms interval 100ms"
        " memory_limit 32Mb ecn drop_batch 64 \n"
        f"{NOTHING_SENT}"
        "  maxpacket 0 drop_overlimit 0 new_flow_count 0 ecn_mark 0\n"
        "  new_flows_len 0 old_flows_len 0\n"
    )
    bench = made("fq_codel ce_threshold 3001 ce_threshold_selector 0x2/3 limit 0 flows 0 quantum 0 drop_batch 0")
    qdisc = bench.dev.qdisc
    assert isinstance(qdisc, FqCodel)
    qdisc.law.ce_marks, qdisc.memory_used, qdisc.drop_overmemory = 3, 4, 5
    text = lines_of(shown(bench))
    assert text[0] == (
        "qdisc fq_codel 1: root refcnt 2 limit 10240p flows 1024 quantum 1514 target 5ms ce_threshold 3ms"
        " ce_threshold_selector 0x2/0x3 interval 100ms memory_limit 32Mb ecn drop_batch 64 "
    )
    assert text[-2].endswith(" ecn_mark 0 ce_mark 3 memory_used 4 drop_overmemory 5")
    assert shown(bench, "-s -j") == (
        '[{"kind":"fq_codel","handle":"1:","root":true,"refcnt":2,"options":{"limit":10240,"flows":1024,'
        '"quantum":1514,"target":4999,"ce_threshold":3000,"ce_threshold_selector":2,"ce_threshold_mask":3,'
        '"interval":99999,"memory_limit":33554432,"ecn":true,"drop_batch":64},'
        f'{NOTHING_SENT_JSON},"maxpacket":0,"drop_overlimit":0,"new_flow_count":0,"ecn_mark":0,"ce_mark":3,'
        '"memory_used":4,"drop_overmemory":5,"new_flows_len":0,"old_flows_len":0}]\n'
    )


def test_pie_prints() -> None:
    bench = made("pie ecn bytemode dq_rate_estimator target 0 alpha 0")
    qdisc = bench.dev.qdisc
    assert isinstance(qdisc, PieQdisc)
    qdisc.law.avg_dq_rate, qdisc.law.delay = 2048, 1500 * 1000 // 64 + 1
    qdisc.pkts_in, qdisc.dropped, qdisc.overlimit, qdisc.maxq, qdisc.ecn_mark = 10, 11, 12, 13, 14
    assert shown(bench) == (
        "qdisc pie 1: root refcnt 2 limit 1000p target 15ms tupdate 15ms alpha 2 beta 20"
        " ecn bytemode dq_rate_estimator \n"
        f"{NOTHING_SENT}"
        "  prob 0 delay 1.5ms avg_dq_rate 125000000\n"
        "  pkts_in 10 overlimit 12 dropped 11 maxq 13 ecn_mark 14\n"
    )
    for prob, text in ((0, "0"), (MAX_PROB // 2 + 1, "0.5"), (1 << 32, "5.96046e-08"), (MAX_PROB, "1")):
        qdisc.law.prob = prob
        assert f"  prob {text} delay" in shown(bench)
        assert f'"qlen":0,"prob":{text},"delay":1500,"avg_dq_rate":125000000,"pkts_in":10,' in shown(bench, "-s -j")
    Tc([bench.dev]).run("tc qdisc change dev eth0 root pie noecn nobytemode no_dq_rate_estimator tupdate 30ms beta 4")
    assert lines_of(shown(bench))[0].endswith("target 15ms tupdate 30ms alpha 2 beta 4 ")
    assert "avg_dq_rate" not in shown(bench)


def test_choke_prints() -> None:
    bench = made("choke limit 1000 bandwidth 10mbit ecn")
    qdisc = bench.dev.qdisc
    assert isinstance(qdisc, Choke)
    qdisc.marked, qdisc.early, qdisc.pdrop, qdisc.matched = 4, 1, 2, 5
    # burst is (2 * 83 + 250) / 3 packets; Wlog is the least w with 138 + 1 - 83 <= (1 - (1 - 2^-w)^138) * 2^w;
    # Scell_log that with which 31 / (-ln(1 - 2^-6) / 12,500 ticks a packet), 24.6 million, takes less than 512 steps
    assert shown(bench) == (
        "qdisc choke 1: root refcnt 2 limit 1000p min 83p max 250p ecn ewma 6 probability 0.02 Scell_log 16\n"
        f"{NOTHING_SENT}"
        "  marked 4 early 1 pdrop 2 other 0 matched 5\n"
    )
    assert shown(bench, "") == "qdisc choke 1: root refcnt 2 limit 1000p min 83p max 250p ecn \n"
    assert shown(bench, "-s -d -j") == (
        '[{"kind":"choke","handle":"1:","root":true,"refcnt":2,"options":{"limit":1000,"min":83,"max":250,'
        '"ecn":true,"harddrop":false,"adaptive":false,"nodrop":false,"ewma":6,"probability":0.02,"Scell_log":16},'
        f'{NOTHING_SENT_JSON},"marked":4,"early":1,"pdrop":2,"other":0,"matched":5}}]\n'
    )


def test_plug_prints_nothing_of_its_own() -> None:
    bench = made("plug")
    assert shown(bench) == f"qdisc plug 1: root refcnt 2 \n{NOTHING_SENT}"
    assert shown(bench, "-s -j") == (
        '[{"kind":"plug","handle":"1:","root":true,"refcnt":2,"options":{},' + NOTHING_SENT_JSON + "}]\n"
    )


@pytest.mark.parametrize("kind", ["codel", "fq_codel", "pie"])
def test_what_a_change_does_not_name_stays(kind: str) -> None:
    bench = made(f"{kind} limit 7 target 2ms ecn")
    first = bench.dev.qdisc
    bench.dev.qdisc.enqueue(Skb(len=100, pkt_len=100), [])
    run = Tc([bench.dev]).run
    run(f"tc qdisc change dev eth0 root {kind} target 3ms limit 0")
    run(f"tc qdisc replace dev eth0 root handle 1: {kind} noecn")
    assert bench.dev.qdisc is first and first.qlen == 1 and not bench.dropped
    text = lines_of(shown(bench))[0]
    assert " limit 7p " in text and " target 3ms " in text and " ecn " not in text
    run(f"tc qdisc replace dev eth0 root handle 2: {kind}")
    assert bench.dev.qdisc is not first and len(bench.dropped) == 1
