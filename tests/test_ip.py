"""``ip link``: what it shows, what it sets, and how it is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ringwire.driver.config import DriverConfig
from ringwire.host.cpu import Cpus
from ringwire.host.timeline import Timeline
from ringwire.host.world import drive
from ringwire.netdev import NetDevice, dev_queue_xmit
from ringwire.netdev.errors import DeviceError
from ringwire.netdev.ethtool_ops import LinkStats
from ringwire.nic.descriptors import Status
from ringwire.nic.registers import GLOBAL_OFFSETS, MAX_FRAME
from ringwire.nic.twin import TwinConfig
from ringwire.nic.twin_world import TwinWorld
from ringwire.qdisc.registry import qdisc_class
from ringwire.skb import Skb
from ringwire.tools import ip
from ringwire.tools.ip import Ip
from ringwire.tools.refusal import NotModelled, Refused
from ringwire.tools.words import CommandError
from tests.driver_bench import MS, DriverBench
from tests.raw_queue import read
from tests.stack_bench import RingDriver, StackBench
from tests.tool_lab import compare, modelled, real


class CountingDriver(RingDriver):
    """Says what it is told to say."""

    stats = LinkStats(tx_packets=12_345_678, tx_bytes=123_456_789_012, tx_errors=3, tx_dropped=4)

    def link_stats(self) -> LinkStats:
        return self.stats


def test_show() -> None:
    bench = StackBench(num_tx_queues=2)
    run = Ip([bench.dev]).run
    assert run("ip link show dev eth0") == (
        "2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP mode DEFAULT group default qlen 1000\n"
        "    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff\n"
    )
    bench.dev.carrier = False
    assert run("ip link").startswith("2: eth0: <NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1500 qdisc mq state DOWN ")
    run("ip link set eth0 down")
    assert run("ip l ls eth0").startswith("2: eth0: <BROADCAST,MULTICAST> mtu 1500 qdisc mq state DOWN ")


def test_counters_widen_their_columns() -> None:
    dev = NetDevice(Cpus(Timeline()), CountingDriver())
    dev.tx_dropped = 5
    assert Ip([dev]).run("ip -s link show dev eth0").splitlines()[2:] == [
        "    RX:    bytes  packets errors dropped  missed   mcast           ",
        "               0        0      0       0       0       0 ",
        "    TX:    bytes  packets errors dropped carrier collsns           ",
        "    123456789012 12345678      3       9       0       0 ",
    ]
    assert ip.get_stats(dev) == LinkStats(12_345_678, 123_456_789_012, 3, 9)


def test_json_holds_the_same() -> None:
    dev = NetDevice(Cpus(Timeline()), CountingDriver())
    run = Ip([dev]).run
    text = run("ip -j link show dev eth0")
    assert text.startswith('[{"ifindex":2,"ifname":"eth0","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"mtu":1500')
    assert "stats64" not in text
    pretty = run("ip -j -s -p link").splitlines()
    assert pretty[0] == "[ {" and pretty[3] == '        "flags": [ "BROADCAST","MULTICAST","UP","LOWER_UP" ],'
    assert pretty[-6:-3] == [
        '                "dropped": 4,',
        '                "carrier_errors": 0,',
        '                "collisions": 0',
    ]
    assert pretty[-3:] == ["            }", "        }", "    } ]"]
    (found,) = json.loads(run("ip -j -s -p link"))
    assert found["stats64"]["tx"] == {
        "bytes": 123_456_789_012,
        "packets": 12_345_678,
        "errors": 3,
        "dropped": 4,
        "carrier_errors": 0,
        "collisions": 0,
    }
    run("ip link set dev eth0 txqueuelen 0")
    assert "txqlen" not in json.loads(run("ip -j link"))[0] and "qlen" not in run("ip link")


def test_devices_are_numbered_behind_the_loopback() -> None:
    one, two = StackBench(name="one").dev, StackBench(name="two").dev
    run = Ip([one, two]).run
    assert [line.split(":")[0] for line in run("ip link").splitlines()[::2]] == ["2", "3"]
    assert run("ip link show two").startswith("3: two:")


def test_set() -> None:
    bench = StackBench(size=1)
    run = Ip([bench.dev]).run
    for ident in range(4):
        dev_queue_xmit(Skb(len=100, id=ident), bench.dev)
    assert run("ip link set dev eth0 mtu 9000 qlen 7") == ""
    assert (bench.dev.mtu, bench.dev.tx_queue_len) == (9000, 7)
    assert len(bench.dropped) == 3 and bench.dev.qdisc.qlen == 0
    with pytest.raises(Refused, match=r"'-1': RTNETLINK answers: Cannot allocate memory \(allowed: 0 to 268435455\)"):
        run("ip link set eth0 txqueuelen -1")
    assert bench.dev.tx_queue_len == 7
    for ident in range(9):
        dev_queue_xmit(Skb(len=100, id=ident), bench.dev)
    assert bench.dev.qdisc.qlen == 8, "one that came back, and rings of the old size"
    with pytest.raises(DeviceError, match=r"txqueuelen: Numerical result out of range \(allowed: 0 to 4294967295\)"):
        ip.set_txqueuelen(bench.dev, 1 << 32)


def test_a_length_that_one_queue_can_not_have_is_taken_back_from_the_others() -> None:
    dev = StackBench(num_tx_queues=2).dev
    told: list[int] = []
    dev.tx_queues[0].qdisc.change_tx_queue_len = told.append  # type: ignore[assignment]
    with pytest.raises(DeviceError, match="txqueuelen: Cannot allocate memory"):
        ip.set_txqueuelen(dev, 1 << 30)
    assert told == [1 << 30, 1000] and dev.tx_queue_len == 1000


def test_a_driver_may_refuse_an_mtu_within_the_bounds() -> None:
    dev = StackBench().dev

    def change(mtu: int) -> None:
        assert dev.mtu == mtu
        raise ValueError("up to 2000 with small buffers")

    dev.ndo_change_mtu = change
    with pytest.raises(
        Refused, match=r"RTNETLINK answers: Invalid argument \(allowed: up to 2000 with small buffers\)"
    ):
        Ip([dev]).run("ip link set eth0 mtu 3000")
    Ip([dev]).run("ip link set eth0 mtu 1500")
    assert dev.mtu == 1500
    dev.ndo_change_mtu = None
    dev.max_mtu = 9000
    for mtu in (68, 9000):
        Ip([dev]).run(f"ip link set eth0 mtu {mtu}")
        assert dev.mtu == mtu
    for mtu in (67, 9001):
        with pytest.raises(DeviceError, match="allowed: 68 to 9000"):
            dev.set_mtu(mtu)


def test_down_drops_what_is_queued_and_asks_the_driver_once() -> None:
    bench = StackBench(size=1)
    asked: list[str] = []
    bench.dev.ndo_open = lambda: asked.append("open")
    bench.dev.ndo_stop = lambda: asked.append("stop")
    for ident in range(4):
        dev_queue_xmit(Skb(len=100, id=ident), bench.dev)
    run = Ip([bench.dev]).run
    run("ip link set eth0 down")
    run("ip link set eth0 down")
    assert len(bench.dropped) == 3 and not bench.dev.is_up
    dev_queue_xmit(Skb(len=100), bench.dev)
    assert len(bench.dropped) == 4 and bench.dev.tx_dropped == 1, "what comes while it is down is counted"
    run("ip link set eth0 down up")
    run("ip link set eth0 up")
    assert asked == ["stop", "open"] and bench.dev.is_up
    bench.drain()
    dev_queue_xmit(Skb(len=100), bench.dev)
    assert len(bench.driver.sent) == 2


def test_the_parts_of_a_request_are_taken_in_the_kernels_order() -> None:
    dev = StackBench().dev
    dev.max_mtu = 2000
    with pytest.raises(Refused, match="column 40: '3000'"):
        Ip([dev]).run("ip link set eth0 txqueuelen 5 down mtu 3000")
    assert (dev.tx_queue_len, dev.is_up) == (1000, True)


def test_the_driver_comes_up_and_goes_down() -> None:
    async def test() -> None:
        world = TwinWorld(TwinConfig(queues=2))
        bench: DriverBench[TwinWorld] = DriverBench(world, queues=2)
        dev, run = bench.dev, Ip([bench.dev]).run
        assert not dev.is_up
        with pytest.raises(Refused) as caught:
            run(f"ip link set eth0 mtu {MAX_FRAME - 13}")
        assert caught.value.printed == "Error: mtu greater than device maximum."
        assert str(caught.value).endswith(f"(allowed: 68 to {MAX_FRAME - 14})")
        run("ip link set eth0 up")
        assert dev.is_up and dev.is_up != bench.driver.up
        await world.run(lambda: bench.driver.up, MS, "the driver to be up")
        bench.send(1000)
        bench.send(60)
        await bench.all_done()
        assert ip.get_stats(dev) == LinkStats(tx_packets=2, tx_bytes=1060)
        run("ip link set eth0 down")
        with pytest.raises(Refused) as busy:
            run("ip link set eth0 up")
        assert busy.value.printed == "RTNETLINK answers: Device or resource busy" and not dev.is_up
        await world.run(lambda: not bench.driver.up, MS, "the driver to be down")
        run("ip link set eth0 up")
        await world.run(lambda: bench.driver.up, MS, "the driver to be up")
        bench.send(500)
        await bench.all_done()
        bench.check()

    drive(test())


def test_a_new_mtu_moves_the_bound_on_committed_bytes() -> None:
    async def test() -> None:
        world = TwinWorld()
        bench = await DriverBench(world, DriverConfig(line_rate_bps=10**10)).up()
        before = await read(world, GLOBAL_OFFSETS["COMMIT_BOUND"])
        Ip([bench.dev]).run("ip link set eth0 mtu 9000")
        await world.pause(10_000)
        assert await read(world, GLOBAL_OFFSETS["COMMIT_BOUND"]) == before + 2 * 7500

    drive(test())


def test_totals_are_those_of_all_queues() -> None:
    bench = DriverBench(TwinWorld(TwinConfig(queues=2)), queues=2)
    for number, ring in enumerate(bench.driver.rings, start=1):
        ring.tx_packets, ring.tx_bytes, ring.dropped, ring.forgotten = 10 * number, 1000 * number, number, 100 * number
        ring.errors[Status.ABORTED], ring.errors[Status.READ] = number, 10 * number
    assert ip.get_stats(bench.dev) == LinkStats(tx_packets=30, tx_bytes=3000, tx_errors=33, tx_dropped=303)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("ip link set eth0 mtu 60", "column 22: '60': Error: mtu less than device minimum. (allowed: 68 and up)"),
        ("ip link set eth0 mtu", 'column 21: Command line is not complete. Try option "help" (allowed: the value of'),
        ("ip link set eth0 qlen 2147483648", "column 23: '2147483648': Error: argument \"2147483648\" is wrong: Invalid"
         " \"txqueuelen\" value (allowed: 0 to 2147483647)"),
        ("ip link set eth0 mtux 9", "column 18: 'mtux': Error: either \"dev\" is duplicate, or \"mtux\" is a garbage."
         " (allowed: mtu, txqueuelen, qlen, txqlen, carrier, up, down)"),
        ("ip link set eth0 carrier yes", "column 26: 'yes': Error: argument of \"carrier\" must be one of \"off\", \"o"
         "n\", not \"yes\" (allowed: on or off)"),
        ("ip link set eth0 carrier", 'column 25: Command line is not complete. Try option "help" (allowed: the value'),
        ("ip link set eth0 carrier off", "column 26: 'off': RTNETLINK answers: Operation not supported (allowed: noth"),
        ("ip link set eth1 up", "column 13: 'eth1': Cannot find device \"eth1\" (allowed: eth0)"),
        ("ip link set up", "column 15: Not enough information: \"dev\" argument is required."),
        ("ip link set eth0 promisc on", "column 18: 'promisc': not modelled; there is mtu, txqueuelen, qlen, txqlen"),
        ("ip addr", "column 4: 'addr': Object \"addr\" is unknown, try \"ip help\". (allowed: link)"),
        ("ip -x link", "column 4: '-x': Option \"-x\" is unknown, try \"ip -help\". (allowed: -s, -j and -p)"),
        ("ip", "column 3: link expected at the end of the line"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_refused_with_the_word_and_its_column(line: str, error: str) -> None:
    dev = StackBench().dev
    with pytest.raises(CommandError) as caught:
        Ip([dev]).run(line)
    assert str(caught.value).startswith(error) and "\n" not in str(caught.value)
    assert (dev.mtu, dev.tx_queue_len, dev.is_up) == (1500, 1000, True)
    assert isinstance(caught.value, NotModelled) == ("promisc" in line)


LINES = """
ip link show dev tap0
ip -s link show tap0
ip -j link show dev tap0
ip -j -p link show dev tap0
ip -j -p -s link show dev tap0
ip link set dev tap0 txqueuelen 100
ip link set tap0 txqueuelen abc
ip link set tap0 txqueuelen -1
ip link set tap0 txqueuelen 4294967296
ip link set tap0 txqueuelen 4294967295
ip link set tap0 txqueuelen
ip link set tap0 qlen 0x10
ip link set tap0 mtu 100000
ip link set tap0 mtu 60
ip link set tap0 mtu -5
ip link set tap0 mtu x
ip link set tap0 mtu 0500
ip link set tap0 mtu 9000
ip link set tap0 mtu 9000 mtu 3
ip link set tap0 txqueuelen 3 qlen 3
ip link set dev tap0 foo
ip link set dev tap0 dev tap1
ip link set dev
ip link set
ip link set tap0
ip link set tap1 up
ip link show tap1
ip link show tap0 foo
ip link show dev
ip link frob
ip frob
ip -z link
ip link set tap0 mtu 1300 up
ip link show dev tap0
ip -s link show dev tap0
ip l sh tap0
ip link set tap0 carrier
ip link set tap0 carrier maybe
ip link set tap0 carrier off
ip link set tap0 carrier off carrier off
ip link set carrier off
ip link show tap0
ip link set tap0 down
ip link lst tap0
ip link set tap0 txqueuelen 0
ip link show tap0
ip -j link show tap0
""".strip().splitlines()


def test_lines_print_what_iproute2_and_the_kernel_do(tmp_path: Path) -> None:
    setup = "ip tuntap add dev tap0 mode tap; ip link set tap0 address 02:00:00:00:00:01\n"
    setup += "tc qdisc replace dev tap0 root pfifo_fast; echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6"
    wanted = real(tmp_path, setup, LINES, "tc")
    dev = NetDevice(Cpus(Timeline()), RingDriver(), name="tap0")
    dev.max_mtu = 65521
    dev.ndo_change_carrier = lambda on: dev.carrier_on() if on else dev.carrier_off()
    dev.is_up = dev.carrier = False
    dev.set_qdisc(qdisc_class("pfifo_fast")(dev))
    compare(LINES, wanted, modelled(Ip([dev]).run, LINES))
