"""Lines of any tool, one after the other."""

from __future__ import annotations

import pytest

from ringwire.nic.twin import TwinConfig
from ringwire.nic.twin_world import TwinWorld
from ringwire.tools.commands import Commands, ScriptError, commands, without_comment
from ringwire.tools.refusal import Refused
from ringwire.tools.words import CommandError
from tests.driver_bench import DriverBench
from tests.stack_bench import StackBench

SCRIPT = """\
# a 10 Gb/s server
sudo ip link set dev eth0 mtu 9000 txqueuelen 500

ethtool -G eth0 tx 1024   # rings
/usr/sbin/ethtool -K eth0 tx-tcp6-segmentation off
tc qdisc replace dev eth0 root handle 1: pfifo limit 3
echo 3000 > /sys/class/net/eth0/queues/tx-0/byte_queue_limits/limit_min
cat /sys/class/net/eth0/mtu
ethtool -K eth0 tso on rxhash on
  tc qdisc show dev eth0
"""


def test_a_script_reaches_every_tool() -> None:
    bench = DriverBench(TwinWorld(TwinConfig()))
    printed = Commands([bench.dev]).run_script(SCRIPT)
    assert printed == (
        "9000\nActual changes:\ntx-tcp6-segmentation: on\nrx-hashing: off [requested on]\n"
        "qdisc pfifo 1: root refcnt 2 limit 3p\n"
    )
    assert (bench.dev.tx_queue_len, bench.driver.config.ring_entries) == (500, 1024)
    assert bench.dev.tx_queues[0].dql.min_limit == 3000


def test_an_error_names_line_and_column_and_what_came_before_is_done() -> None:
    dev = StackBench().dev
    with pytest.raises(ScriptError) as caught:
        Commands([dev]).run_script("\nip link set eth0 mtu 2000\n  sudo ip link set eth0 mtu 5 # too small\nip link")
    assert str(caught.value) == ("line 3, column 29: '5': Error: mtu less than device minimum. (allowed: 68 and up)")
    assert caught.value.number == 3 and isinstance(caught.value.cause, Refused)
    assert dev.mtu == 2000


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("frobnicate eth0", "column 1: 'frobnicate': no such tool; there are tc, ethtool, ip, sysctl, cat, echo"),
        ("  tc qdisc replace dev eth0 root pfifo limit 4x", "column 46: '4x': pfifo: Illegal value for \"limit\""),
        ("/sbin/tc qdisc replace dev eth0 root pfifo limit 4x", "column 50: '4x': pfifo: Illegal value for \"limit\""),
        ("sudo tc qdisc replace dev eth0 root pfifo limit 4x", "column 49: '4x': pfifo: Illegal value for \"limit\""),
        ("sudo /bin/cat /sys/x", "column 15: '/sys/x': cat: /sys/x: No such file or directory"),
    ],
)
def test_columns_are_those_of_the_line_as_it_was_written(line: str, error: str) -> None:
    with pytest.raises(CommandError) as caught:
        Commands([StackBench().dev]).run(line)
    assert str(caught.value).startswith(error)


def test_comments_begin_a_word() -> None:
    run = Commands([StackBench().dev]).run
    assert run("") == run("   ") == run("# ip link set eth0 down") == run("\t#") == ""
    assert without_comment("echo a#b > c #d # e") == "echo a#b > c"
    assert list(commands("#\n\nip link\n")) == [(3, "ip link")]
