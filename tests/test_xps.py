"""Transmit packet steering, and which queue a packet gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringwire.host.cpu import Cpus, HostCosts
from ringwire.host.timeline import Timeline
from ringwire.netdev import NetDevice, dev_queue_xmit
from ringwire.netdev.errors import DeviceError
from ringwire.netdev.xps import XpsMap, format_mask, parse_mask
from ringwire.skb import Skb
from ringwire.tools import sysfs
from ringwire.tools.shell import Shell
from tests.stack_bench import RingDriver, StackBench
from tests.tool_lab import compare, modelled, real

QUARTER = 1 << 30
MASKS = ["1", "2", "3", "0", "f", "ff", "10", "ffffffff", "1,1", "x", "1,2,3", "", "00000001", ",1", "1,", "100000000"]
MASKS += ["0x1", "-1", "all", "'1 '", "'1 0'", "0,1", "00000000,1", "2"]


class Host:
    """A device on a host of some CPUs, and packets that are sent from one of them."""

    def __init__(self, cpus: int, queues: int) -> None:
        self.timeline = Timeline()
        self.cpus = Cpus(self.timeline, cpus, HostCosts.free())
        self.dev = NetDevice(self.cpus, RingDriver(1000, queues), num_tx_queues=queues)

    def queue_from(self, cpu: int, value: int = 0) -> int:
        """The queue that a packet with this hash gets, sent on this CPU."""
        skb = Skb(len=100, hash=value)

        def send() -> None:
            dev_queue_xmit(skb, self.dev)

        self.cpus[cpu].call_at(self.timeline.now_ns, send)
        self.timeline.run_until(self.timeline.now_ns)
        return skb.queue_mapping


def test_a_cpus_packets_go_to_its_queue_and_others_by_hash() -> None:
    host = Host(cpus=4, queues=4)
    assert [host.queue_from(1, value * QUARTER) for value in range(4)] == [0, 1, 2, 3]
    host.dev.set_xps_cpus(2, [1])
    assert [host.queue_from(1, value * QUARTER) for value in range(4)] == [2, 2, 2, 2]
    assert [host.queue_from(0, value * QUARTER) for value in range(4)] == [0, 1, 2, 3]
    host.dev.set_xps_cpus(2, [])
    assert not host.dev.xps
    assert [host.queue_from(1, value * QUARTER) for value in range(4)] == [0, 1, 2, 3]


def test_a_device_that_keeps_the_time_of_one_cpu_can_be_told_of_all() -> None:
    host = Host(cpus=2, queues=4)
    assert NetDevice(host.cpus[0], RingDriver(), num_tx_queues=4).xps.num_cpus == 1
    host.dev = NetDevice(host.cpus[0], RingDriver(8, 4), num_tx_queues=4, cpus=host.cpus)
    host.dev.set_xps_cpus(3, [1])
    assert (host.queue_from(0), host.queue_from(1)) == (0, 3)


def test_several_queues_of_a_cpu_share_by_hash_in_the_order_they_were_given() -> None:
    host = Host(cpus=2, queues=4)
    for queue in (3, 0, 2):
        host.dev.set_xps_cpus(queue, [1])
    assert host.dev.xps.queues(1) == [3, 0, 2]
    third = (1 << 32) // 3 + 1
    assert [host.queue_from(1, value * third) for value in range(3)] == [3, 0, 2]
    host.dev.set_xps_cpus(3, [0])
    assert host.dev.xps.queues(1) == [2, 0], "the last one takes the place of the one that left"
    assert host.dev.xps.cpus(3) == {0}


def test_a_hook_is_asked_before_xps_and_a_queue_not_in_use_becomes_the_first() -> None:
    host = Host(cpus=2, queues=4)
    host.dev.set_xps_cpus(2, [0])
    host.dev.select_queue = lambda skb: 3
    assert host.queue_from(0) == 3
    host.dev.set_real_num_tx_queues(3)
    assert host.queue_from(0) == 0
    host.dev.select_queue = None
    assert host.queue_from(0) == 2


def test_fewer_queues_take_their_share_of_hashes_and_of_cpus() -> None:
    host = Host(cpus=2, queues=4)
    for queue in (3, 2, 1):
        host.dev.set_xps_cpus(queue, [0])
    host.dev.set_real_num_tx_queues(2)
    assert [host.queue_from(1, value * QUARTER) for value in range(4)] == [0, 0, 1, 1]
    assert host.dev.xps.queues(0) == [1]
    host.dev.set_real_num_tx_queues(4)
    assert host.dev.xps.queues(0) == [1], "what was taken does not come back"
    for count in (0, 5):
        with pytest.raises(DeviceError, match=r"queues: Invalid argument \(allowed: 1 to 4\)"):
            host.dev.set_real_num_tx_queues(count)


def test_what_waits_for_a_queue_that_goes_is_dropped() -> None:
    bench = StackBench(size=1, num_tx_queues=2)
    for ident in range(8):
        dev_queue_xmit(Skb(len=100, id=ident, hash=ident % 2 << 31), bench.dev)
    bench.dev.set_real_num_tx_queues(1)
    assert {skb.id % 2 for skb in bench.dropped} == {1}
    assert bench.dev.tx_queues[0].qdisc.qlen and not bench.dev.tx_queues[1].qdisc.qlen


def test_a_device_without_several_queues_has_no_xps() -> None:
    dev = StackBench().dev
    with pytest.raises(DeviceError, match="xps_cpus: No such file or directory") as caught:
        dev.set_xps_cpus(0, [0])
    assert caught.value.errno == "ENOENT"
    with pytest.raises(DeviceError):
        sysfs.read(dev, "queues/tx-0/xps_cpus")


@pytest.mark.parametrize(
    ("cpus", "num_cpus", "text"),
    [
        ((), 1, "0"),
        ((0, 1), 2, "3"),
        ((4,), 5, "10"),
        ((31,), 32, "80000000"),
        ((0,), 32, "00000001"),
        ((32, 0), 33, "1,00000001"),
        ((39, 36), 40, "90,00000000"),
        ((64,), 72, "01,00000000,00000000"),
        ((), 64, "00000000,00000000"),
    ],
)
def test_masks_are_as_wide_as_the_host(cpus: tuple[int, ...], num_cpus: int, text: str) -> None:
    assert format_mask(cpus, num_cpus) == text
    assert parse_mask(text + "\n", num_cpus) == set(cpus)


@pytest.mark.parametrize(
    ("text", "num_cpus", "errno"),
    [
        ("4", 2, "EOVERFLOW"),
        ("0,0", 32, "EOVERFLOW"),
        ("000000001", 64, "EOVERFLOW"),
        ("g", 64, "EINVAL"),
        ("1,g", 64, "EINVAL"),
        ("g,1", 32, "EOVERFLOW"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(text: str, num_cpus: int, errno: str) -> None:
    with pytest.raises(DeviceError, match="allowed: a hexadecimal mask of CPUs") as caught:
        parse_mask(text, num_cpus)
    assert caught.value.errno == errno


def test_a_cpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(DeviceError, match="Value too large"):
        XpsMap(2).assign(0, [2])


def test_masks_are_read_and_refused_as_by_the_kernel(tmp_path: Path) -> None:
    path = "/sys/class/net/ifb5/queues/tx-1/xps_cpus"
    lines = [line for mask in MASKS for line in (f"echo {mask} > {path}", f"cat {path}")]
    wanted = real(tmp_path, "ip link add ifb5 numtxqueues 4 type ifb", ["nproc --all", *lines])
    possible = int(wanted.pop(0).output)
    dev = NetDevice(Cpus(Timeline(), possible), RingDriver(8, 4), name="ifb5", num_tx_queues=4)
    compare(lines, wanted, modelled(Shell([dev]).run, lines))
