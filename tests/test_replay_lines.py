"""Lines of tc, ethtool, ip and sysfs around a replay: what they set holds, what they show is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.minimal_driver import MinimalDriver
from ringwire.driver.config import DriverConfig
from ringwire.driver.port import DevicePort
from ringwire.netdev import NetDevice
from ringwire.replay import ReplayConfig, ReplayError, replay
from tests.captures import REAL_MIX

SETUP = """\
# two queues, one of them slow
sudo tc qdisc replace dev eth0 root handle 1: mq
ethtool -G eth0 tx 128
ethtool -C eth0 tx-usecs 20
echo 100 > /sys/class/net/eth0/queues/tx-1/tx_maxrate
ip link set dev eth0 txqueuelen 500
cat /sys/class/net/eth0/queues/tx-1/tx_maxrate
"""


@pytest.mark.parametrize("sim", ["twin", "verilator"])
def test_lines_are_carried_out_before_the_first_packet_and_after_the_last(sim: str, tmp_path: Path) -> None:
    lines = ("ethtool -g eth0", "tc -s qdisc show dev eth0")
    report = replay(ReplayConfig(REAL_MIX, sim=sim, queues=2, setup=SETUP, afterwards=lines), tmp_path / "wire.pcap")
    assert report.ok, report.measured.problems
    printed = report.measured.printed
    assert printed.startswith("100\n")
    assert "TX:\t\t128" in printed.partition("Current hardware settings")[2]
    # after the last packet: all of them are counted
    sent = [int(line.split()[1]) for line in printed.splitlines() if line.startswith(" Sent ")]
    assert len(sent) == 3 and sent[0] == sent[1] + sent[2] > 1_000_000
    # the slow queue needs its time: 8 bits a byte at 100 Mbit/s
    assert report.measured.simulated_ns == pytest.approx(sent[2] * 80, rel=0.02)


@pytest.mark.parametrize(
    ("setup", "said"),
    [
        ("\n\nethtool -G eth0 tx 100\n", "--config line 3, column 20: '100': "),
        ("tc qdisc add dev eth1 root pfifo", "--config line 1, column 18: 'eth1': "),
        ("reboot", "--config line 1, column 1: 'reboot': no such tool; there are tc, "),
        ("echo 2000000 > /sys/class/net/eth0/queues/tx-0/tx_maxrate", "tx_maxrate is 0 to 1000000 Mbit/s, not 2000000"),
    ],
)
def test_a_line_that_can_not_be_carried_out_is_named_before_anything_is_built(setup: str, said: str) -> None:
    with pytest.raises(ReplayError) as refused:
        ReplayConfig(REAL_MIX, setup=setup)
    assert said in str(refused.value) and "\n" not in str(refused.value)


def test_so_is_one_for_the_end() -> None:
    with pytest.raises(ReplayError, match=r"--then 'tc -s qdisc shaw': column 13: 'shaw'"):
        ReplayConfig(REAL_MIX, afterwards=("tc -s qdisc shaw",))


PACKETS = 166
"""Of the capture."""


@pytest.mark.parametrize(
    ("setup", "said"),
    [
        ("ip link set eth0 down", "eth0 was down: 166 packets were dropped; needed: ip link set eth0 up"),
        (
            "ip link set eth0 down\nethtool -G eth0 tx 64",
            "eth0 was down: 166 packets were dropped; needed: ip link set",
        ),
        (
            "ip link set eth0 carrier off",
            "eth0 was without a carrier: 166 packets were dropped; needed: ip link set eth",
        ),
        ("echo 0 > /sys/class/net/eth0/carrier", "eth0 was without a carrier: 166 packets were dropped; needed: "),
    ],
)
def test_an_interface_that_is_left_down_drops_all_and_the_verdict_says_so(setup: str, said: str) -> None:
    report = replay(ReplayConfig(REAL_MIX, sim="twin", setup=setup, afterwards=("ip -s link show eth0",)))
    assert not report.ok and len(report.measured.problems) == 1
    assert report.measured.problems[0].startswith(said)
    assert (report.measured.frames, report.measured.dropped_packets) == (0, PACKETS)
    assert report.measured.printed.splitlines()[-1].split()[:4] == ["0", "0", "0", str(PACKETS)], "TX: dropped"
    assert ("UP" in report.measured.printed.partition(">")[0]) == ("down" not in setup)


@pytest.mark.parametrize("sim", ["twin", "verilator"])
def test_an_interface_that_goes_down_and_comes_up_again_is_as_before(sim: str) -> None:
    setup = "ip link show\nip link set eth0 down\nethtool -G eth0 tx 64\nip link set eth0 up\n"
    setup += "ip link set eth0 carrier off\nip link set eth0 carrier on\nip link show\n"
    lines = ("ip link set eth0 down", "ip link show", "ip link set eth0 up", "ip link set eth0 carrier off", "ip link")
    report = replay(ReplayConfig(REAL_MIX, sim=sim, queues=2, setup=setup, afterwards=lines))
    assert report.ok, report.measured.problems
    flags = [line.partition("<")[2].partition(">")[0] for line in report.measured.printed.splitlines()[::2]]
    up = "BROADCAST,MULTICAST,UP"
    assert flags == [f"{up},LOWER_UP", f"{up},LOWER_UP", "BROADCAST,MULTICAST", f"NO-CARRIER,{up}"]
    assert report.measured.frames == 924


class OpensOnce(MinimalDriver):
    """Has the stack's hook for ``ip link set up`` as well as the replay's."""

    def __init__(self, port: DevicePort, dev: NetDevice, config: DriverConfig) -> None:
        super().__init__(port, dev, config)
        dev.ndo_open = self.open

    def open(self) -> None:
        assert not self.up, "opened twice"
        super().open()


def test_a_driver_of_ones_own_is_opened_after_the_lines_unless_they_leave_it_down() -> None:
    driver = f"{__name__}:OpensOnce"
    report = replay(ReplayConfig(REAL_MIX, sim="twin", driver=driver, setup="ip link set eth0 down"))
    assert report.measured.problems == ["eth0 was down: 166 packets were dropped; needed: ip link set eth0 up"]
    setup = "ip link set eth0 down\nip link set eth0 up"
    assert replay(ReplayConfig(REAL_MIX, sim="twin", driver=driver, setup=setup)).ok
    with pytest.raises(ReplayError, match="column 26: 'off': RTNETLINK answers: Operation not supported"):
        ReplayConfig(REAL_MIX, driver=driver, setup="ip link set eth0 carrier off")
