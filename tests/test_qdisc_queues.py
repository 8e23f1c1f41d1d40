"""Disciplines over several transmit queues or devices (mqprio, multiq, teql), and what the device does for them.

After net/sched/sch_mqprio.c, sch_multiq.c and sch_teql.c of Linux 6.12.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringwire.driver.config import DriverConfig
from ringwire.host.world import drive
from ringwire.netdev import NETDEV_TX_OK, NetDevice, TxQueue, dev_queue_xmit
from ringwire.netdev.errors import DeviceError
from ringwire.netdev.teql import TeqlMaster
from ringwire.nic.registers import queue_register
from ringwire.nic.twin import TwinConfig
from ringwire.nic.twin_world import TwinWorld
from ringwire.qdisc import XMIT_DROP, XMIT_SUCCESS, AnyQdisc, kinds
from ringwire.qdisc.traffic_classes import TrafficClasses
from ringwire.skb import Skb
from ringwire.tools.tc import Tc, TcError
from tests.driver_bench import DriverBench
from tests.stack_bench import RingDriver, StackBench

THIRDS = [0, 1 << 32 - 2, (1 << 32) - 1]
"""Hashes that select the first, a middle and the last of some queues."""


def made(*lines: str, queues: int = 4) -> tuple[StackBench, Callable[[str], str]]:
    bench = StackBench(name="eth0", num_tx_queues=queues)
    run = Tc([bench.dev]).run
    for line in lines:
        run(line)
    return bench, run


def refused(run: Callable[[str], str], line: str) -> str:
    with pytest.raises(TcError) as caught:
        run(line)
    return caught.value.printed


def put(qdisc: AnyQdisc, queue: int, ident: int = 0, length: int = 100) -> int:
    to_free: list[Skb] = []
    rc = qdisc.enqueue(Skb(len=length, pkt_len=length, queue_mapping=queue, id=ident), to_free)
    for skb in to_free:
        qdisc.dev.drop(skb)
    return rc


# -- mqprio

MQPRIO = "tc qdisc add dev eth0 root handle 1: mqprio num_tc 2 map 0 0 1 1 queues 1@0 3@1 hw 0"


def test_a_priority_goes_to_the_queues_of_its_class() -> None:
    bench, run = made(MQPRIO)
    pick = bench.dev.pick_queue
    assert [pick(Skb(len=60, priority=0, hash=each)) for each in THIRDS] == [0, 0, 0]
    assert [pick(Skb(len=60, priority=2 + 16, hash=each)) for each in THIRDS] == [1, 1, 3]
    for priority in (0, 2, 2):
        dev_queue_xmit(Skb(len=100, priority=priority, hash=1 << 31), bench.dev)
        bench.drain()
    text = run("tc -s class show dev eth0")
    assert "class mqprio 1:ffe1 root \n Sent 200 bytes 2 pkt" in text
    assert "class mqprio 1:1 parent 1:ffe0 \n Sent 100 bytes 1 pkt" in text
    assert "class mqprio 1:3 parent 1:ffe1 \n Sent 200 bytes 2 pkt" in text
    assert run("tc qdisc show dev eth0 root") == (
        "qdisc mqprio 1: root tc 2 map 0 0 1 1 0 0 0 0 0 0 0 0 0 0 0 0 \n"
        "             queues:(0:0) (1:3) \n"
        "             mode:dcb\n"
        "             shaper:dcb\n"
    )
    assert '"queues":[[0,0],[1,3]],"mode":"dcb"' in run("tc -j qdisc show dev eth0 root")


def test_steering_by_cpu_stays_within_the_class_and_starts_anew() -> None:
    bench, run = made()
    bench.dev.set_xps_cpus(0, [0])
    run(MQPRIO)
    assert not bench.dev.xps
    for queue in (0, 2, 3):
        bench.dev.set_xps_cpus(queue, [0])
    pick = bench.dev.pick_queue
    assert [pick(Skb(len=60, priority=2, hash=each)) for each in THIRDS] == [2, 2, 3]
    assert pick(Skb(len=60, priority=0, hash=THIRDS[2])) == 0


def test_fewer_queues_in_use_take_classes_away() -> None:
    bench, run = made(MQPRIO)
    bench.dev.set_real_num_tx_queues(3)
    assert "tc 2 map 0 0 0 0 0 " in run("tc qdisc show dev eth0 root"), "class 1 has lost a queue"
    bench.dev.set_real_num_tx_queues(4)
    run("tc qdisc replace dev eth0 root handle 2: mqprio num_tc 2 map 0 1 queues 3@0 1@3 hw 0")
    bench.dev.set_real_num_tx_queues(2)
    assert bench.dev.traffic_classes is None
    assert bench.dev.pick_queue(Skb(len=60, priority=1, hash=THIRDS[2])) == 1


def test_mqprio_ends_without_a_trace_and_one_that_replaces_it_keeps_its_own() -> None:
    bench, run = made(MQPRIO)
    run("tc qdisc replace dev eth0 root handle 2: mqprio num_tc 4 map 0 1 2 3 queues 1@0 1@1 1@2 1@3 hw 0")
    assert bench.dev.traffic_classes is not None and len(bench.dev.traffic_classes.queues) == 4
    run("tc qdisc replace dev eth0 parent 2:1 handle 3: pfifo limit 5")
    run("tc qdisc del dev eth0 parent 2:1")
    run("tc qdisc del dev eth0 root")
    assert bench.dev.traffic_classes is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            "num_tc 2 map 0 1 queues 1@0 1@0 hw 0",
            "Error: sch_mqprio_lib: TC 0 queues 1@0 overlap with TC 1 queues 1@0.",
        ),
        ("num_tc 2 map 0 1 queues 1@0 hw 0", "Error: sch_mqprio_lib: No queues for TC 1."),
        (
            "num_tc 1 map 0 queues 5@0 hw 0",
            "Error: sch_mqprio_lib: Queues 5:0 for TC 0 exceed the 4 TX queues available.",
        ),
        (
            "num_tc 1 map 0 1 queues 1@0 hw 0",
            "Error: Invalid traffic class in priority to traffic class mapping.",
        ),
        ("num_tc 17 map 0 hw 0", "Error: Number of traffic classes is outside valid range."),
        ("num_tc 2 map 0 1", "Error: Device does not support hardware offload."),
        (
            "num_tc 1 queues 1@0 1@1",
            "queues count/offset pair count 2 can not be higher than given num_tc 1",
        ),
        ("hw 0 mode dcb", 'Error: argument "mode" is wrong: unknown argument'),
        ("mode foo", "Illegal mode (foo)"),
        ("shaper bw_rlimit", "Incomplete shaper arguments"),
        ("num_tc 2 shaper bw_rlimit min_rate 1mbit", "Incomplete arguments, min_rate values expected"),
        ("num_tc x", 'Illegal "num_tc"'),
    ],
)
def test_mqprio_refuses(options: str, said: str) -> None:
    bench, run = made("tc qdisc add dev eth0 root handle 1: pfifo")
    assert refused(run, f"tc qdisc replace dev eth0 root handle 2: mqprio {options}") == said
    assert bench.dev.traffic_classes is None


def test_mqprio_is_a_root_over_several_queues_that_is_not_changed() -> None:
    _, run = made("tc qdisc add dev eth0 root handle 1: prio", queues=1)
    assert refused(run, "tc qdisc add dev eth0 parent 1:1 mqprio hw 0") == (
        "RTNETLINK answers: Operation not supported"
    )
    _, run = made(MQPRIO)
    assert refused(run, "tc qdisc change dev eth0 root handle 1: mqprio hw 0") == (
        "Error: Change operation not supported by specified qdisc."
    )


# -- multiq

MULTIQ = "tc qdisc add dev eth0 root handle 1: multiq"


def test_multiq_serves_its_bands_in_turns_but_not_those_whose_queue_is_stopped() -> None:
    bench, run = made(MULTIQ)
    root = bench.dev.qdisc
    for ident in range(8):
        put(root, ident % 4, ident)
    bench.dev.tx_queues[2].stop()
    out = [skb.id for skb in iter(root.dequeue, None)]
    assert out == [1, 3, 0, 5, 7, 4]
    assert (root.qlen, root.backlog) == (2, 200)
    assert "\n backlog 0b 2p requeues 0\n" in run("tc -s qdisc show dev eth0"), "Linux counts no bytes here"
    assert root.peek() is None
    bench.dev.tx_queues[2].start()
    assert [skb.id for skb in iter(root.dequeue, None)] == [2, 6]
    assert "qdisc multiq 1: root refcnt 5 bands 4/4 \n" in run("tc qdisc show dev eth0")
    assert refused(run, "tc qdisc add dev eth0 root multiq foo") == 'What is "foo"?'


def test_multiq_has_as_many_bands_as_there_are_queues_in_use_when_it_is_changed() -> None:
    bench, run = made(MULTIQ)
    root = bench.dev.qdisc
    for queue in range(4):
        put(root, queue)
    bench.dev.set_real_num_tx_queues(2)
    assert root.qlen == 0, "taking queues away empties the discipline, for it serves all of them"
    for queue in range(4):
        put(root, queue, queue)
    run("tc qdisc change dev eth0 root multiq")
    assert (root.qlen, root.backlog) == (2, 200)
    assert " bands 2/4 \n" in run("tc qdisc show dev eth0")
    assert run("tc class show dev eth0").count("class multiq") == 2
    put(root, 3, 9)
    assert sorted(skb.id for skb in iter(root.dequeue, None)) == [0, 1, 9], "others go to the first band"


def test_multiq_needs_queues() -> None:
    _, run = made(queues=1)
    assert refused(run, MULTIQ) == "RTNETLINK answers: Operation not supported"


@given(
    ops=st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.integers(0, 3)),
            st.tuples(st.sampled_from(["get", "peek", "change"]), st.just(0)),
            st.tuples(st.sampled_from(["stop", "start", "graft"]), st.integers(0, 3)),
        ),
        max_size=80,
    )
)
def test_multiq_counts_what_it_holds(ops: list[tuple[str, int]]) -> None:
    bench, run = made(MULTIQ)
    root, inside = bench.dev.qdisc, set[int]()
    bench.dev.schedule = lambda qdisc: None  # type: ignore[method-assign]
    for ident, (what, queue) in enumerate(ops):
        before = len(bench.dropped)
        if what == "put":
            inside.add(ident)
            put(root, queue, ident, 60 + ident)
        elif what == "get":
            out = root.dequeue_peeked()
            if out is not None:
                inside.remove(out.id)
            else:
                # work-conserving: nothing comes only if all that waits is for stopped queues
                assert all(not child.qlen or bench.dev.tx_stopped(at - 1) for at, child in root.children())
        elif what == "peek":
            root.peek()
        elif what == "change":
            run("tc qdisc change dev eth0 root multiq")
        elif what == "graft":
            run(f"tc qdisc replace dev eth0 parent 1:{queue + 1} pfifo limit 2")
        else:
            getattr(bench.dev.tx_queues[queue], what)()
        inside -= {skb.id for skb in bench.dropped[before:]}
        assert (root.qlen, root.backlog) == (len(inside), sum(60 + each for each in inside))
        assert root.qlen == sum(child.qlen for _, child in root.children())


# -- teql


class PlainDriver(RingDriver):
    """Without byte queue limits."""

    def ndo_start_xmit(self, skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        self.rings[0].append(skb)
        self.sent.append(skb)
        if len(self.rings[0]) == self.size:
            txq.stop()
        return NETDEV_TX_OK

    def complete(self, txq: TxQueue, count: int) -> None:
        for _ in range(min(count, len(self.rings[0]))):
            self.rings[0].popleft().free()
        txq.wake()


def equalized(*sizes: int) -> tuple[StackBench, list[NetDevice], list[RingDriver], TeqlMaster, Callable[[str], str]]:
    """teql0 over devices with rings of these sizes."""
    bench = StackBench()
    drivers: list[RingDriver] = [PlainDriver(size) for size in sizes]
    devices = [NetDevice(bench.cpus[0], driver, name=f"eth{n}") for n, driver in enumerate(drivers)]
    for device in devices:
        device.on_drop = bench.dropped.append
    master = TeqlMaster(bench.cpus[0], devices)
    master.dev.on_drop = bench.dropped.append
    run = Tc([*devices, master.dev]).run
    for device in devices:
        run(f"tc qdisc add dev {device.name} root teql0")
    return bench, devices, drivers, master, run


def test_packets_go_to_the_slaves_in_turns() -> None:
    bench, devices, drivers, master, _ = equalized(8, 8, 8)
    master.dev.open()
    bench.settle()
    for ident in range(6):
        assert dev_queue_xmit(Skb(len=100, id=ident), master.dev) == 0
    turns = [[skb.id for skb in driver.sent] for driver in drivers]
    assert sorted(turns) == [[0, 3], [1, 4], [2, 5]]
    assert master.link_stats().tx_packets == 6
    devices[2].schedule(devices[2].qdisc)
    bench.settle()
    dev_queue_xmit(Skb(len=100, id=6), master.dev)
    assert drivers[2].sent[-1].id == 6, "one that asks for more is next"


def test_a_master_of_another_name_has_slaves_of_its_own_kind() -> None:
    bench, other = StackBench(name="eth0"), StackBench(name="eth1")
    master = TeqlMaster(bench.cpus[0], [bench.dev, other.dev], "teql3")
    run = Tc([bench.dev, other.dev, master.dev]).run
    run("tc qdisc add dev eth0 root teql3")
    run("tc qdisc add dev eth1 root teql3")
    assert run("tc qdisc show dev eth0") == "qdisc teql3 8001: root refcnt 2 \n"
    assert "teql3" not in kinds()
    master.dev.open()
    bench.settle()
    for ident in range(2):
        dev_queue_xmit(Skb(len=100, id=ident), master.dev)
    assert [len(each.driver.sent) for each in (bench, other)] == [1, 1]


def test_a_slave_that_has_room_again_wakes_the_master_and_is_next() -> None:
    bench, devices, drivers, master, _ = equalized(2, 2)
    master.dev.open()
    bench.settle()
    for ident in range(10):
        dev_queue_xmit(Skb(len=100, id=ident), master.dev)
    assert [len(driver.rings[0]) for driver in drivers] == [2, 2]
    assert master.dev.tx_queues[0].stopped and master.dev.qdisc.qlen == 6
    for _ in range(4):
        drivers[1].complete(devices[1].tx_queues[0], 2)
        bench.settle()
    assert [len(driver.sent) for driver in drivers] == [2, 8]
    assert [skb.id for skb in drivers[1].sent[2:]] == [4, 5, 6, 7, 8, 9]


def test_a_slaves_own_packets_go_first() -> None:
    bench, devices, drivers, master, run = equalized(1)
    master.dev.open()
    bench.settle()
    for ident in range(3):
        dev_queue_xmit(Skb(len=100, id=ident), master.dev)
    for ident in range(10, 13):
        dev_queue_xmit(Skb(len=100, id=ident), devices[0])
    assert devices[0].qdisc.qlen == 3
    for _ in range(6):
        drivers[0].complete(devices[0].tx_queues[0], 1)
        bench.settle()
    assert [skb.id for skb in drivers[0].sent] == [0, 10, 11, 12, 1, 2]
    assert "qdisc teql0 8001: root refcnt 2 \n Sent 300 bytes 3 pkt" in run("tc -s qdisc show dev eth0")


def test_teql_holds_tx_queue_len_packets_of_its_own() -> None:
    _, devices, _, _, run = equalized(1)
    devices[0].tx_queues[0].stop()
    devices[0].tx_queue_len = 2
    assert [put(devices[0].qdisc, 0) for _ in range(3)] == [XMIT_SUCCESS, XMIT_SUCCESS, XMIT_DROP]
    assert "(dropped 1, overlimits 0 requeues 0) \n backlog 0b 2p" in run("tc -s qdisc show dev eth0")


def test_slaves_come_and_go() -> None:
    bench, devices, drivers, master, run = equalized(4, 4)
    assert refused(run, "tc qdisc add dev teql0 root teql0") == "Error: Specified qdisc kind is unknown."
    devices[0].mtu = 1000
    run("tc qdisc del dev eth0 root")
    master.dev.open()
    bench.settle()
    assert master.dev.mtu == 1500
    assert refused(run, "tc qdisc add dev eth0 root teql0") == "RTNETLINK answers: Invalid argument"
    with pytest.raises(DeviceError):
        master.dev.set_mtu(1501)
    for ident in range(3):
        dev_queue_xmit(Skb(len=100, id=ident), master.dev)
    assert [len(driver.sent) for driver in drivers] == [0, 3]
    devices[1].close()
    dev_queue_xmit(Skb(len=100, id=4), master.dev)
    assert master.dev.qdisc.qlen == 1, "a slave that is down may come back"
    run("tc qdisc del dev eth1 root")
    assert [skb.id for skb in bench.dropped] == [4]
    with pytest.raises(DeviceError):
        TeqlMaster(bench.cpus[0], []).dev.open()


def test_without_a_master_the_kind_is_unknown() -> None:
    _, run = made(queues=1)
    assert refused(run, "tc qdisc add dev eth0 root teql0") == "Error: Specified qdisc kind is unknown."
    assert refused(run, "tc qdisc add dev eth0 root teql0 foo") == (
        'Unknown qdisc "teql0", hence option "foo" is unparsable'
    )


# -- the device's offloads, on the twin


def twin(queues: int, line_rate_bps: int = 0) -> tuple[DriverBench[TwinWorld], Callable[[str], str]]:
    bench = DriverBench(
        TwinWorld(TwinConfig(queues=queues), wake_on_frame=True), DriverConfig(line_rate_bps=line_rate_bps), queues
    )
    return bench, Tc([bench.dev]).run


def run_async(test: Coroutine[Any, Any, None]) -> None:
    drive(test)


def registers(bench: DriverBench[TwinWorld], name: str) -> list[int]:
    return [bench.world.device.read(queue_register(name, queue)) for queue in range(bench.dev.num_tx_queues)]


def test_mqprio_gives_the_devices_queues_their_classes_priorities() -> None:
    async def test() -> None:
        bench, run = twin(4)
        await bench.up()
        run("tc qdisc add dev eth0 root handle 1: mqprio num_tc 2 map 0 1 queues 1@0 3@1 hw 1")
        await bench.world.pause(2000)
        assert registers(bench, "PRIORITY") == [0, 1, 1, 1]
        run("tc qdisc replace dev eth0 root handle 2: mqprio num_tc 4 map 0 1 2 3 hw 1")
        await bench.world.pause(2000)
        assert registers(bench, "PRIORITY") == [0, 1, 2, 3], "the device chooses; the end of the old one undoes nothing"
        assert bench.dev.traffic_classes == TrafficClasses((0, 1, 2, 3) + (0,) * 12, ((0, 1), (1, 1), (2, 1), (3, 1)))
        run("tc qdisc del dev eth0 root")
        await bench.world.pause(2000)
        assert registers(bench, "PRIORITY") == [0, 0, 0, 0]
        assert bench.dev.traffic_classes is None

    run_async(test())


def test_mqprio_shares_the_wire_by_rates() -> None:
    async def test() -> None:
        bench, run = twin(2, line_rate_bps=1_000_000_000)
        await bench.up()
        run(
            "tc qdisc add dev eth0 root handle 1: mqprio num_tc 2 map 0 1 queues 1@0 1@1 hw 1 mode channel"
            " shaper bw_rlimit min_rate 100mbit 300mbit max_rate 0 400mbit"
        )
        await bench.world.pause(2000)
        assert registers(bench, "WEIGHT") == [1514, 3 * 1514]
        assert [txq.maxrate_mbps for txq in bench.dev.tx_queues] == [0, 400]
        assert registers(bench, "BYTE_TIME_HI") == [0, 20 << 8]
        assert "\tmin_rate:100Mbit 300Mbit \tmax_rate:0bit 400Mbit \n" in run("tc qdisc show dev eth0")

    run_async(test())


def test_what_the_device_has_not_is_refused() -> None:
    async def test() -> None:
        bench, run = twin(4, line_rate_bps=1_000_000_000)
        await bench.up()
        for line, said in (
            ("cbs idleslope 5000 sendslope -5000 hicredit 1 locredit -1 offload 1", "failed to setup cbs hardware"),
            ("taprio num_tc 1 map 0 queues 4@0 sched-entry S 1 10000 flags 2", "Device failed to setup taprio offload"),
            ("mqprio num_tc 9 map 0", "Error: 9 traffic classes can't share 4 queues."),
            (
                "mqprio num_tc 1 map 0 queues 4@0 mode channel shaper bw_rlimit max_rate 10mbit",
                "max_rate needs a class with one queue",
            ),
            ("mqprio num_tc 1 map 0 shaper bw_rlimit max_rate 10mbit", "RTNETLINK answers: Invalid argument"),
        ):
            assert said in refused(run, f"tc qdisc replace dev eth0 root handle 2: {line}")
        assert registers(bench, "PRIORITY") == registers(bench, "WEIGHT") == [0] * 4

    run_async(test())


@pytest.mark.parametrize("deadline", [False, True])
def test_etf_hands_launch_times_to_the_device(deadline: bool) -> None:
    async def test() -> None:
        bench, run = twin(1, line_rate_bps=10_000_000_000)
        await bench.up()
        mode = " deadline_mode" if deadline else ""
        run(f"tc qdisc add dev eth0 root handle 1: etf clockid TAI delta 100000 offload skip_sock_check{mode}")
        now = bench.dev.now_ns()
        times = [now + 500_000, now + 300_000, now + 400_000]
        # in deadline mode a packet has left before the next one comes, and times may not go back
        for time in sorted(times) if deadline else times:
            bench.send(200, tstamp=time)
        await bench.all_done()
        bench.check()
        starts = [frame.start_ps / 1000 for frame in bench.world.wire]
        assert len(starts) == 3
        if deadline:
            assert all(start < now + 20_000 for start in starts), "at once"
        else:
            assert all(0 <= start - time <= 8 for start, time in zip(starts, sorted(times), strict=True))
        run("tc qdisc del dev eth0 root")
        late = bench.send(200, tstamp=1)
        await bench.all_done()
        assert late.freed and len(bench.world.wire) == 4, "without etf a time stamp means nothing to the device"

    run_async(test())


def test_etf_below_mq_asks_for_its_own_queue() -> None:
    async def test() -> None:
        bench, run = twin(2)
        await bench.up()
        run("tc qdisc add dev eth0 root handle 1: mq")
        run("tc qdisc add dev eth0 parent 1:2 handle 2: etf clockid TAI offload skip_sock_check")
        assert [ring.launches for ring in bench.driver.rings] == [False, True]
        run("tc qdisc replace dev eth0 parent 1:2 handle 3: etf clockid TAI offload deadline_mode skip_sock_check")
        assert [(ring.launches, ring.drops_late) for ring in bench.driver.rings] == [(False, False), (True, False)]
        run("tc qdisc del dev eth0 parent 1:2")
        assert [ring.launches for ring in bench.driver.rings] == [False, False]

    run_async(test())
