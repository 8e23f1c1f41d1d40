"""``sysctl`` lines: what they set, print and refuse."""

from __future__ import annotations

import pytest

from ringwire.host.cpu import Cpus
from ringwire.host.timeline import Timeline
from ringwire.netdev import NetDevice
from ringwire.tools.commands import Commands
from ringwire.tools.words import CommandError


@pytest.fixture
def dev() -> NetDevice:
    return NetDevice(Cpus(Timeline())[0])


def test_a_value_is_set_and_shown(dev: NetDevice) -> None:
    run = Commands([dev]).run
    assert run("sysctl net.ipv4.tcp_limit_output_bytes") == "net.ipv4.tcp_limit_output_bytes = 1048576\n"
    assert run("sysctl -w net.ipv4.tcp_limit_output_bytes=65536") == "net.ipv4.tcp_limit_output_bytes = 65536\n"
    assert dev.net.sysctls["net.ipv4.tcp_limit_output_bytes"] == 65_536
    assert run("sudo sysctl -q net/ipv4/tcp_limit_output_bytes=1") == ""
    assert dev.net.sysctls["net.ipv4.tcp_limit_output_bytes"] == 1


def test_the_default_discipline_is_that_of_devices_which_were_given_none(dev: NetDevice) -> None:
    Commands([dev]).run("sysctl -w net.core.default_qdisc=fq_codel")
    assert (dev.default_qdisc, dev.qdisc.kind) == ("fq_codel", "fq_codel")
    several = NetDevice(Cpus(Timeline())[0], num_tx_queues=2)
    Commands([several]).run("sysctl net.core.default_qdisc=fq")
    assert (several.qdisc.kind, [txq.qdisc.kind for txq in several.tx_queues]) == ("mq", ["fq", "fq"])


def test_a_discipline_that_was_set_stays(dev: NetDevice) -> None:
    commands = Commands([dev])
    commands.run("tc qdisc replace dev eth0 root handle 1: bfifo limit 10000")
    commands.run("sysctl -w net.core.default_qdisc=fq_codel")
    assert dev.qdisc.kind == "bfifo"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("sysctl net.core.wmem=1", "column 8: 'net.core.wmem=1': cannot stat /proc/sys/net/core/wmem: No such file or"),
        ("sysctl -a", "column 8: '-a': no such option here; allowed: -w, -q"),
        ("sysctl", "column 7: a name expected at the end of the line"),
        (
            "sysctl -w net.ipv4.tcp_limit_output_bytes=-1",
            "column 11: 'net.ipv4.tcp_limit_output_bytes=-1': setting key \"net.ipv4.tcp_limit_output_bytes\": "
            "Invalid argument; allowed: 0 to 2147483647",
        ),
        (
            "sysctl net.core.default_qdisc=fifo",
            "column 8: 'net.core.default_qdisc=fifo': setting key \"net.core.default_qdisc\": No such file or "
            "directory; there are bfifo",
        ),
    ],
)
def test_what_is_wrong_is_refused_with_its_column(line: str, says: str, dev: NetDevice) -> None:
    with pytest.raises(CommandError) as refused:
        Commands([dev]).run(line)
    assert str(refused.value).startswith(says)
