"""gred: virtual queues by tc_index, their averages apart, summed (RIO) or shared (WRED), and what tc shows."""

from __future__ import annotations

import pytest

from ringwire.qdisc import XMIT_CN, XMIT_DROP, XMIT_SUCCESS
from ringwire.qdisc.gred import Gred, Vq
from ringwire.skb import Skb
from ringwire.tools.tc import Tc, TcError
from tests.stack_bench import StackBench

MS = 1_000_000
VQ = "limit 60000 min 5000 max 20000 avpkt 1000 burst 10 bandwidth 10mbit"


def made(setup: str = "vqs 4 default 2", **queues: str) -> tuple[StackBench, Gred, Tc]:
    """Queues by name ("q0"), with words beyond the usual."""
    bench = StackBench(name="eth0", tx_queue_len=100)
    tc = Tc([bench.dev])
    tc.run(f"tc qdisc add dev eth0 root handle 1: gred setup {setup}")
    for name, words in queues.items():
        tc.run(f"tc qdisc change dev eth0 root handle 1: gred vq {name[1:]} {VQ} {words}")
    gred = bench.dev.qdisc
    assert isinstance(gred, Gred)
    bench.dev.random_u32 = lambda: 0
    return bench, gred, tc


def vq(gred: Gred, index: int) -> Vq:
    return next(each for each in gred.virtual_queues() if each.index == index)


def load(gred: Gred, index: int, average: int) -> None:
    """Have an average, bytes."""
    vq(gred, index).state.qavg = average << vq(gred, index).parms.wlog
    vq(gred, index).state.idle_since_ns = None


def put(gred: Gred, tc_index: int, length: int = 1000, tos: int = 0) -> int:
    return gred.enqueue(Skb(len=length, pkt_len=length, tc_index=tc_index, tos=tos), [])


def test_a_packet_is_in_the_queue_that_its_index_names_or_in_the_default_one() -> None:
    _, gred, _ = made(q0="", q2="")
    for index in (0x10, 0x12, 0x11, 0x1F):
        put(gred, index)
    assert [vq(gred, index).packets for index in (0, 2)] == [1, 3]
    assert [skb.tc_index for _ in range(4) if (skb := gred.dequeue())] == [0x10, 0x12, 0x12, 0x12]
    assert gred.dequeue() is None


def test_without_a_default_queue_packets_pass_up_to_the_limit_of_the_whole() -> None:
    _, gred, _ = made("vqs 4 default 2 limit 2500", q0="")
    assert [put(gred, 1), put(gred, 9), put(gred, 1)] == [XMIT_SUCCESS, XMIT_SUCCESS, XMIT_DROP]
    assert (gred.drops, vq(gred, 0).packets, vq(gred, 0).limit) == (1, 0, 2500)


def test_queues_have_averages_and_limits_of_their_own() -> None:
    _, gred, _ = made(q0="", q1="")
    for _ in range(70):
        vq(gred, 0).state.qavg = 0
        rc = put(gred, 0)
    assert (rc, vq(gred, 0).backlog, vq(gred, 0).pdrop, gred.drops) == (XMIT_DROP, 60000, 10, 10)
    assert put(gred, 1) == XMIT_SUCCESS
    assert vq(gred, 1).state.qavg == 0


@pytest.mark.parametrize(
    ("setup", "words", "average", "tos", "outcome"),
    [
        ("", "", 12000, 2, "prob_drop"),
        ("", "ecn", 12000, 2, "prob_mark"),
        ("", "ecn", 12000, 0, "prob_drop"),
        ("", "ecn", 30000, 2, "forced_mark"),
        ("", "ecn harddrop", 30000, 2, "forced_drop"),
        ("ecn", "ecn", 30000, 1, "forced_mark"),
        ("", "", 30000, 2, "forced_drop"),
    ],
)
def test_marked_or_dropped_as_the_flags_say(setup: str, words: str, average: int, tos: int, outcome: str) -> None:
    _, gred, _ = made(f"vqs 4 default 2 {setup}", q0=words)
    load(gred, 0, average)
    put(gred, 0, tos=0)
    one = vq(gred, 0)
    one.prob_drop = one.forced_drop = gred.drops = gred.overlimits = 0
    load(gred, 0, average)
    rc = put(gred, 0, tos=tos)
    names = ("prob_drop", "prob_mark", "forced_drop", "forced_mark", "pdrop")
    assert {name: getattr(one, name) for name in names} == {name: int(name == outcome) for name in names}
    assert (rc, gred.overlimits) == (XMIT_CN if "drop" in outcome else XMIT_SUCCESS, 1)
    assert gred.drops == ("drop" in outcome)


def test_with_rio_a_queue_feels_those_of_better_priority_unless_they_are_idle() -> None:
    _, gred, _ = made("vqs 4 default 2 grio", q0="prio 1", q1="prio 2", q2="prio 3")
    assert not gred.wred
    load(gred, 0, 15000)
    load(gred, 2, 15000)
    assert put(gred, 1) == XMIT_SUCCESS, "the first between the thresholds only draws"
    assert put(gred, 1) == XMIT_CN
    for index in (0, 1, 2):
        load(gred, index, 4000)
    assert [put(gred, 0), put(gred, 0)] == [XMIT_SUCCESS] * 2, "nobody is better"
    vq(gred, 0).state.idle_since_ns = 0
    load(gred, 1, 4000)
    assert [put(gred, 1), put(gred, 1)] == [XMIT_SUCCESS] * 2
    for index, average in enumerate((4000, 4000, 13000)):
        load(gred, index, average)
    # 13000 falls by a sixteenth first
    assert put(gred, 2) == XMIT_CN, "4000 + 4000 + 12187 is above 20000"
    assert vq(gred, 2).forced_drop == 1


def test_without_grio_priorities_mean_nothing() -> None:
    _, gred, _ = made(q0="prio 1", q1="prio 2")
    assert [one.prio for one in gred.virtual_queues()] == [8, 8]
    assert not gred.wred
    load(gred, 0, 50000)
    assert [put(gred, 1), put(gred, 1)] == [XMIT_SUCCESS] * 2


def test_a_priority_left_out_is_the_default_queues() -> None:
    _, gred, _ = made("vqs 4 default 2 grio", q0="", q2="prio 5", q1="")
    assert [one.prio for one in gred.virtual_queues()] == [8, 5, 5]
    assert gred.wred, "two of the same priority"


def test_queues_of_one_priority_share_one_average_of_the_whole() -> None:
    bench, gred, tc = made("vqs 4 default 2 grio", q0="prio 3", q1="prio 3")
    assert gred.wred
    for _ in range(3):
        put(gred, 0)
    put(gred, 1)
    # sixteen times the average: 0, 1000, 1000+2000-62, 2938+3000-183
    assert vq(gred, 1).state.qavg == 5755
    assert gred.backlog_of(vq(gred, 0)) == 4000
    for _ in range(4):
        gred.dequeue()
    bench.pass_ns(10 * MS)
    assert gred.average_of(vq(gred, 0)) == gred.average_of(vq(gred, 1)) < 5755 >> 4
    put(gred, 0)
    assert vq(gred, 0).state.idle_since_ns is None
    tc.run(f"tc qdisc change dev eth0 root handle 1: gred vq 1 {VQ} prio 4")
    assert not gred.wred


def test_the_idle_time_begins_with_the_last_packet_of_a_queue() -> None:
    bench, gred, _ = made(q0="", q1="")
    put(gred, 0), put(gred, 1)
    bench.pass_ns(MS)
    gred.dequeue()
    assert vq(gred, 0).state.idle_since_ns == MS
    assert vq(gred, 1).state.idle_since_ns is None
    put(gred, 0)
    assert vq(gred, 0).state.idle_since_ns is None


def test_fewer_queues_leave_packets_of_those_that_are_gone() -> None:
    _, gred, tc = made(q0="", q3="")
    put(gred, 3), put(gred, 0)
    tc.run("tc qdisc change dev eth0 root handle 1: gred setup vqs 1 default 0")
    assert [one.index for one in gred.virtual_queues()] == [0]
    assert (gred.qlen, gred.limit) == (2, 100 * 1514)
    assert [skb.tc_index for _ in range(2) if (skb := gred.dequeue())] == [3, 0]
    assert (gred.qlen, gred.backlog, vq(gred, 0).backlog) == (0, 0, 0)


def test_flags_of_the_whole_are_all_queues() -> None:
    _, gred, tc = made(q0="")
    tc.run("tc qdisc change dev eth0 root handle 1: gred setup vqs 4 default 2 ecn")
    assert vq(gred, 0).flags.ecn
    tc.run("tc qdisc change dev eth0 root handle 1: gred setup vqs 4 default 2")
    assert not vq(gred, 0).flags.ecn


def test_reset_empties_all_queues() -> None:
    bench, gred, _ = made(q0="", q1="")
    put(gred, 0), put(gred, 1), put(gred, 1)
    gred.reset()
    assert (gred.qlen, gred.backlog, len(bench.dropped)) == (0, 0, 3)
    assert [(one.backlog, one.state.qavg) for one in gred.virtual_queues()] == [(0, 0), (0, 0)]


@pytest.mark.parametrize(
    ("setup", "line", "words"),
    [
        ("", f"replace dev eth0 root handle 2: gred vq 1 {VQ}", "virtual queue configuration can't be specified at"),
        ("", f"change dev eth0 root gred vq 4 {VQ}", "virtual queue index above virtual queue count."),
        ("", f"change dev eth0 root gred vq 1 {VQ} min 20m max 30m limit 1g burst 30000", "invalid RED parameters."),
        ("ecn", f"change dev eth0 root gred vq 1 {VQ}", "can't change per-virtual queue RED flags when per-Qdisc"),
        ("", "change dev eth0 root gred setup vqs 4 default 1 ecn", "can't set per-Qdisc RED flags when per-virtual"),
    ],
)
def test_the_kernel_refuses(setup: str, line: str, words: str) -> None:
    _, gred, tc = made(f"vqs 4 default 2 {setup}", q0=setup or "harddrop")
    before = tc.run("tc -s -d qdisc show dev eth0")
    with pytest.raises(TcError) as caught:
        tc.run(f"tc qdisc {line}")
    assert caught.value.printed.startswith(f"Error: {words}")
    assert tc.run("tc -s -d qdisc show dev eth0") == before and gred.dev.qdisc is gred


def test_shown_as_iproute2_shows_it() -> None:
    _, gred, tc = made("vqs 3 default 1 grio limit 60000", q0="prio 2 ecn", q1="prio 3 harddrop probability 0.1")
    put(gred, 0), put(gred, 0, 500), put(gred, 1)
    load(gred, 0, 12000)
    put(gred, 0, tos=2), put(gred, 0, tos=2)
    assert tc.run("tc qdisc show dev eth0") == (
        "qdisc gred 1: root refcnt 2 vqs 3 default 1 grio limit 60000b \n"
        " vq 0 prio 2 limit 60000b min 5000b max 20000b ecn \n"
        " vq 1 prio 3 limit 60000b min 5000b max 20000b harddrop \n"
    )
    text = tc.run("tc -s -d qdisc show dev eth0").splitlines(keepends=True)
    average = 16 * 12000 + 1500 - 12000
    average += 2500 - average // 16
    average += average // 16 - average // 16
    assert text[:6] == [
        "qdisc gred 1: root refcnt 2 vqs 3 default 1 grio limit 60000b \n",
        " vq 0 prio 2 limit 60000b min 5000b max 20000b ecn ewma 4 probability 0.02 Scell_log 14 \n",
        f"  Queue size: average {average // 16}b current 3500b \n",
        "  Dropped packets: forced 0 early 0 pdrop 0 other 0 \n",
        "  Marked packets: forced 0 early 1 \n",
        "  Total packets: 4 (3500b) \n",
    ]
    assert text[6:] == [
        " vq 1 prio 3 limit 60000b min 5000b max 20000b harddrop ewma 4 probability 0.1 Scell_log 14 \n",
        "  Queue size: average 0b current 1000b \n",
        "  Dropped packets: forced 0 early 0 pdrop 0 other 0 \n",
        "  Marked packets: forced 0 early 0 \n",
        "  Total packets: 1 (1000b) \n",
        " Sent 0 bytes 0 pkt (dropped 0, overlimits 1 requeues 0) \n",
        " backlog 4500b 5p requeues 0\n",
    ]
    json = tc.run("tc -j qdisc show dev eth0")
    assert (
        '"options":{"dp_cnt":3,"dp_default":1,"grio":true,"limit":60000,"ecn":false,"harddrop":false,'
        '"adaptive":false,"nodrop":false,"vqs":[{"vq":0,"prio":2,"limit":60000,"min":5000,"max":20000,"ecn":true,'
    ) in json
    json = tc.run("tc -j -s -d qdisc show dev eth0")
    assert (
        '"ewma":4,"probability":0.1,"Scell_log":14,"qave":0,"backlog":1000,"forced_drop":0,"prob_drop":0,'
        '"pdrop":0,"other":0,"forced_mark":0,"prob_mark":0,"packets":1,"bytes":1000}]},"bytes":0,'
    ) in json
