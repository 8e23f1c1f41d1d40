"""The files of a device and its queues: what they hold, what they take, and how a shell reports it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringwire.host.cpu import Cpus
from ringwire.host.timeline import Timeline
from ringwire.netdev import NetDevice, TxQueue, dev_queue_xmit
from ringwire.netdev.errors import DeviceError
from ringwire.qdisc.registry import qdisc_class
from ringwire.skb import Skb
from ringwire.tools import sysfs
from ringwire.tools.refusal import Refused
from ringwire.tools.shell import Shell
from ringwire.tools.words import CommandError
from tests.stack_bench import RingDriver, StackBench
from tests.tool_lab import compare, modelled, real

NET = "/sys/class/net"
BQL = "queues/tx-0/byte_queue_limits"
NUMBERS = ["10", "max", "-1", "+5", "99999999999", "1879048192", "1879048193", "4294967295", "4294967296"]
NUMBERS += ["40", "500", "512", "513", "abc", "", "' 7'", "'7 '", "0x10", "007", "010", "1 2"]
LENGTHS = ["1400", "-1", "100000", "x", "", "0x100", "0400", "4294967295", "4294967296", "18446744073709551616", "+7"]
LENGTHS += [
    "0",
    "60",
    "'1 2'",
    "'1 '",
    "08",
    "0x",
    "4294968696",
    "8589936092",
    "-n 9",
    "0X1f",
    "65535",
    "65536",
    "67",
    "68",
]


def test_every_file_of_a_new_device() -> None:
    assert sysfs.values(StackBench(num_tx_queues=2, hz=250).dev) == {
        "carrier": "1",
        "mtu": "1500",
        "tx_queue_len": "1000",
    } | {
        f"queues/tx-{queue}/{name}": text
        for queue in range(2)
        for name, text in {
            "traffic_class": "0",
            "tx_maxrate": "0",
            "tx_timeout": "0",
            "xps_cpus": "0",
            "byte_queue_limits/hold_time": "1000",
            "byte_queue_limits/inflight": "0",
            "byte_queue_limits/limit": "0",
            "byte_queue_limits/limit_max": "1879048192",
            "byte_queue_limits/limit_min": "0",
            "byte_queue_limits/stall_cnt": "0",
            "byte_queue_limits/stall_max": "0",
            "byte_queue_limits/stall_thrs": "0",
        }.items()
    }


def test_a_single_queue_has_neither_xps_nor_classes() -> None:
    found = sysfs.values(StackBench().dev)
    assert "queues/tx-0/tx_timeout" in found
    assert not {"queues/tx-0/xps_cpus", "queues/tx-0/traffic_class"} & found.keys()


def test_what_is_written_acts_at_the_next_completion() -> None:
    bench = StackBench()
    run = Shell([bench.dev]).run
    path = f"{NET}/eth0/{BQL}"
    bench.txq.sent(3000)
    assert run(f"cat {path}/inflight {path}/limit") == "3000\n0\n"
    assert run(f"echo 100000 > {path}/limit_min") == ""
    assert run(f"cat {path}/limit_min {path}/limit") == "100000\n0\n"
    assert bench.txq.xmit_stopped
    bench.txq.completed(2, 3000)
    assert run(f"cat {path}/limit") == "100000\n"
    bench.txq.dql.stall_max = 7
    run(f"echo whatever > {path}/stall_max")
    assert bench.txq.dql.stall_max == 0


def test_a_files_queue_is_the_one_in_its_path() -> None:
    dev = StackBench(num_tx_queues=3).dev
    sysfs.write(dev, "queues/tx-2/byte_queue_limits/limit_min", "7")
    assert [txq.dql.min_limit for txq in dev.tx_queues] == [0, 0, 7]
    dev.tx_queues[1].trans_timeout = 4
    assert sysfs.read(dev, "queues/tx-1/tx_timeout") == "4\n"
    sysfs.write(dev, "tx_queue_len", "3\n")
    assert dev.tx_queue_len == 3
    with pytest.raises(DeviceError, match="tx_timeout: Permission denied") as caught:
        sysfs.write(dev, "queues/tx-1/tx_timeout", "0")
    assert caught.value.errno == "EACCES" and dev.tx_queues[1].trans_timeout == 4


def test_queues_that_are_not_in_use_have_no_files() -> None:
    dev = StackBench(num_tx_queues=3).dev
    dev.set_real_num_tx_queues(2)
    with pytest.raises(DeviceError, match="allowed: queues/tx-0, queues/tx-1") as caught:
        sysfs.read(dev, "queues/tx-2/tx_timeout")
    assert caught.value.errno == "ENOENT"
    assert not any("tx-2" in path for path in sysfs.values(dev))


def test_a_drivers_rate_limit_is_asked_and_may_refuse() -> None:
    dev = StackBench(num_tx_queues=2).dev
    with pytest.raises(DeviceError) as refused:
        sysfs.write(dev, "queues/tx-1/tx_maxrate", "x")
    assert refused.value.errno == "EOPNOTSUPP"
    told: list[tuple[int, int]] = []

    def limit(txq: TxQueue, mbps: int) -> None:
        if mbps > 1000:
            raise ValueError("up to 1000")
        told.append((txq.index, mbps))

    dev.ndo_set_tx_maxrate = limit
    sysfs.write(dev, "queues/tx-1/tx_maxrate", "250\n")
    with pytest.raises(DeviceError, match="up to 1000"):
        sysfs.write(dev, "queues/tx-1/tx_maxrate", "2500\n")
    with pytest.raises(DeviceError, match="Numerical result out of range"):
        sysfs.write(dev, "queues/tx-1/tx_maxrate", "4294967296\n")
    assert told == [(1, 250)] and sysfs.read(dev, "queues/tx-1/tx_maxrate") == "250\n"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (f"echo x > {NET}/eth0/{BQL}/limit", "column 6: 'x': bash: echo: write error: Invalid argument (allowed: 0"),
        (f"echo 3 >{NET}/eth0/{BQL}/stall_thrs", "column 6: '3': bash: echo: write error: Numerical result out of range"
         " (allowed: 0 or 4 to 128, ms)"),
        (f"echo 3 > {NET}/eth0/{BQL}/stall_cnt", f"column 10: '{NET}/eth0/{BQL}/stall_cnt': bash: {NET}/eth0/{BQL}/st"),
        (f"echo 9 > {NET}/eth0/mtu", "column 6: '9': bash: echo: write error: Invalid argument (allowed: 68 and up)"),
        (f"echo > {NET}/eth0/mtu", f"column 8: '{NET}/eth0/mtu': bash: echo: write error: Invalid argument"),
        (f"echo 9 > {NET}/eth1/mtu", f"column 10: '{NET}/eth1/mtu': bash: {NET}/eth1/mtu: No such file or directory"
         f" (allowed: {NET}/eth0)"),
        (f"cat {NET}/eth0/queues/tx-1/tx_timeout", "column 5: '"),
        ("cat", "column 4: a file expected at the end of the line"),
        ("echo 5", "column 7: > and a file expected at the end of the line"),
        ("echo 5 >", "column 9: a file expected at the end of the line"),
        (f"echo 5 > {NET}/eth0/mtu 3", "column 34: '3': nothing was expected here"),
        ("dd if=x", "column 1: 'dd': bash: dd: command not found (allowed: cat and echo)"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_refused_with_the_word_and_its_column(line: str, error: str) -> None:
    dev = StackBench().dev
    before = sysfs.values(dev)
    with pytest.raises(CommandError) as caught:
        Shell([dev]).run(line)
    assert str(caught.value).startswith(error) and "\n" not in str(caught.value)
    assert sysfs.values(dev) == before


def test_cat_prints_what_it_can() -> None:
    dev = StackBench().dev
    with pytest.raises(Refused) as caught:
        Shell([dev]).run(f"cat {NET}/eth0/mtu {NET}/eth0/nonsense {NET}/eth0/tx_queue_len")
    assert caught.value.output == "1500\n1000\n"
    assert caught.value.printed == f"cat: {NET}/eth0/nonsense: No such file or directory"


def test_the_kernel_looks_at_32_bits_of_a_longer_number() -> None:
    dev = StackBench().dev
    run = Shell([dev]).run
    run(f"echo {(2 << 32) + 1400} > {NET}/eth0/mtu")
    assert dev.mtu == 1400
    with pytest.raises(Refused, match="Invalid argument"):
        run(f"echo {(1 << 32) - 1} > {NET}/eth0/mtu")
    dev.set_qdisc(qdisc_class("noqueue")(dev))
    run(f"echo 0xffffffff > {NET}/eth0/tx_queue_len")
    assert (dev.tx_queue_len, run(f"cat {NET}/eth0/tx_queue_len")) == (0xFFFF_FFFF, "-1\n")


def test_a_folder_takes_no_new_files() -> None:
    for path, said in (("mtus", "Permission denied"), ("queues/tx-3/mtu", "No such file or directory")):
        with pytest.raises(Refused) as caught:
            Shell([StackBench().dev]).run(f"echo 1 > {NET}/eth0/{path}")
        assert caught.value.printed == f"bash: {NET}/eth0/{path}: {said}"


def test_a_shorter_queue_drops_what_is_queued() -> None:
    bench = StackBench(size=1)
    run = Shell([bench.dev]).run
    bench.txq.stop()
    for ident in range(3):
        bench.dev.tx_queues[0].qdisc.enqueue(Skb(len=100, id=ident), [])
    run(f"echo 2 > {NET}/eth0/tx_queue_len")
    assert len(bench.dropped) == 3 and bench.dev.qdisc.qlen == 0


def test_byte_queue_limits_take_and_show_what_the_kernels_do(tmp_path: Path) -> None:
    lines = []
    for knob in ("limit", "limit_min", "limit_max", "hold_time", "stall_thrs", "stall_max", "stall_cnt", "inflight"):
        # above 2^31 ms the kernel's conversion to jiffies has a meaning of its own
        for text in [each for each in NUMBERS if knob != "hold_time" or each != "4294967295"]:
            lines += [f"echo {text} > {NET}/ifb5/{BQL}/{knob}", f"cat {NET}/ifb5/{BQL}/{knob}"]
    lines += [f"echo -n 5 > {NET}/ifb5/{BQL}/limit_min", f"echo -n max >{NET}/ifb5/{BQL}/limit_max"]
    lines += [f"cat {NET}/ifb5/{BQL}/limit_min {NET}/ifb5/{BQL}/limit_max {NET}/ifb5/{BQL}/limits"]
    lines += [f"cat {NET}/ifb5/{BQL}", f"echo 1 > {NET}/ifb5/{BQL}", f"cat {NET}/ifb5/queues/tx-9/tx_timeout"]
    lines += [f"echo 1 > {NET}/ifb5/{BQL}/limits", f"echo 1 > {NET}/ifb5/queues/tx-9/xps_cpus"]
    jiffy = f"echo 1 > {NET}/ifb5/{BQL}/hold_time; cat {NET}/ifb5/{BQL}/hold_time"
    wanted = real(tmp_path, "ip link add ifb5 numtxqueues 4 type ifb", [jiffy, *lines])
    if wanted[0].status:
        pytest.skip("this kernel's ifb has no byte queue limits")
    dev = NetDevice(Cpus(Timeline()), RingDriver(8, 4), name="ifb5", num_tx_queues=4, hz=1000 // int(wanted[0].output))
    compare(lines, wanted[1:], modelled(Shell([dev]).run, lines))


def test_a_queues_other_files_are_as_the_kernels(tmp_path: Path) -> None:
    lines = []
    for queue in ("ifb5/queues/tx-0", "tap0/queues/tx-0"):
        for name in ("tx_timeout", "traffic_class", "tx_maxrate"):
            lines += [f"cat {NET}/{queue}/{name}", f"echo 1 > {NET}/{queue}/{name}"]
    lines += [f"cat {NET}/tap0/queues/tx-0/xps_cpus", f"echo 1 > {NET}/tap0/queues/tx-0/xps_cpus"]
    lines += [f"echo x > {NET}/tap0/queues/tx-0/xps_cpus", f"echo x > {NET}/tap0/queues/tx-0/tx_maxrate"]
    setup = "ip link add ifb5 numtxqueues 4 type ifb; ip tuntap add dev tap0 mode tap"
    wanted = real(tmp_path, setup, lines)
    clock = Cpus(Timeline())
    several = NetDevice(clock, RingDriver(8, 4), name="ifb5", num_tx_queues=4)
    one = NetDevice(clock, RingDriver(8), name="tap0")
    compare(lines, wanted, modelled(Shell([several, one]).run, lines))


def test_the_carrier_is_that_of_a_device_that_is_up(tmp_path: Path) -> None:
    texts = ["1", "2", "x", "-1", "0x", "18446744073709551616", "0"]
    files = [f"{NET}/{name}/carrier" for name in ("rw0", "tap0")]
    lines = [line for file in files for text in texts for line in (f"echo {text} > {file}", f"cat {file}")]
    # the kernel's tap has no carrier that can come back
    up = [f"cat {files[0]}", f"echo 0 > {files[0]}", f"cat {files[1]}", f"echo 0 > {files[1]}", f"cat {files[1]}"]
    setup = "ip link add name rw0 type veth peer name rw1; ip tuntap add dev tap0 mode tap"
    start = "ip link set rw0 up; ip link set rw1 up; ip link set tap0 up"
    wanted = real(tmp_path, setup, [*lines, start, *up])
    devices = [NetDevice(Cpus(Timeline()), RingDriver(), name=name) for name in ("rw0", "tap0")]
    tap = devices[1]
    tap.ndo_change_carrier = lambda on: tap.carrier_on() if on else tap.carrier_off()
    for dev in devices:
        dev.is_up = False
    run = Shell(devices).run
    compare(lines, wanted[: len(lines)], modelled(run, lines))
    for dev in devices:
        dev.is_up = True
    tap.carrier = False
    compare(up, wanted[-len(up) :], modelled(run, up))


def test_a_carrier_that_goes_drops_what_comes() -> None:
    bench = StackBench()
    dev, run = bench.dev, Shell([bench.dev]).run
    dev.ndo_change_carrier = lambda on: dev.carrier_on() if on else dev.carrier_off()
    run(f"echo 0 > {NET}/eth0/carrier")
    dev_queue_xmit(Skb(len=100), dev)
    assert (run(f"cat {NET}/eth0/carrier"), dev.tx_dropped, len(bench.driver.sent)) == ("0\n", 1, 0)
    run(f"echo 7 > {NET}/eth0/carrier")
    dev_queue_xmit(Skb(len=100), dev)
    assert (run(f"cat {NET}/eth0/carrier"), dev.tx_dropped, len(bench.driver.sent)) == ("1\n", 1, 1)


def test_lengths_are_read_and_refused_as_by_the_kernel(tmp_path: Path) -> None:
    lines = []
    for name in ("mtu", "tx_queue_len"):
        for text in LENGTHS:
            lines += [f"echo {text} > {NET}/rw0/{name}", f"cat {NET}/rw0/{name}"]
    wanted = real(tmp_path, "ip link add name rw0 type veth peer name rw1", lines)
    dev = NetDevice(Cpus(Timeline()), RingDriver(), name="rw0")
    dev.max_mtu = 65535
    dev.set_qdisc(qdisc_class("noqueue")(dev))
    compare(lines, wanted, modelled(Shell([dev]).run, lines))
