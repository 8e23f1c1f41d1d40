"""Lines of a shell on sysfs and ``/proc/sys``: patterns, redirections and tee, as bash and coreutils have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringwire.host.cpu import Cpus
from ringwire.host.timeline import Timeline
from ringwire.netdev import NetDevice
from ringwire.tools.commands import Commands
from ringwire.tools.refusal import Refused
from ringwire.tools.shell import Shell
from ringwire.tools.words import CommandError
from tests.stack_bench import RingDriver, StackBench
from tests.tool_lab import compare, modelled, real

NET = "/sys/class/net"
BQL = f"{NET}/ifb5/queues/tx-0/byte_queue_limits"
CORE = "/proc/sys/net/core"

PATTERNS = f"""
cat {BQL}/*
cat {BQL}/limit*
cat {BQL}/limit_m[ai]? {NET}/ifb5/mt?
cat {NET}/ifb5/queues/tx-*/tx_timeout
cat {NET}/ifb5/queues/tx-[!0]/tx_timeout
cat {NET}/ifb5/queues/tx-*
cat {BQL}/nothing*
cat {NET}/ifb*/mtu {NET}/*5/tx_queue_len
cat {NET}/ifb5/mt* {NET}/nothing*/mtu
echo 3000 | tee {BQL}/limit_min
cat {BQL}/limit_min
echo 5000 | tee {NET}/ifb5/queues/tx-*/byte_queue_limits/limit_min
cat {NET}/ifb5/queues/tx-*/byte_queue_limits/limit_min
echo 1400|tee {NET}/ifb5/mtu
echo -n 1401 | tee --append {NET}/ifb5/mtu
echo 1402 | tee -a {NET}/ifb5/mtu {NET}/ifb5/tx_queue_len
cat {NET}/ifb5/mtu {NET}/ifb5/tx_queue_len
echo 1403 | tee {NET}/ifb5/mtu > /dev/null
echo 1404 | tee {NET}/ifb5/mtu >/dev/null
cat {NET}/ifb5/mtu
echo x | tee {NET}/ifb5/mtu {NET}/ifb5/tx_queue_len
echo 1400 | tee {NET}/ifb5/nothing
echo 1400 | tee {NET}/ifb5/queues
echo 1400 | tee {NET}/ifb5/queues/tx-0/tx_timeout
echo 1400 | tee {NET}/ifb5/nothing {NET}/ifb5/mtu
echo 1400 | tee {NET}/nothing*/mtu
echo 1400 | tee -x {NET}/ifb5/mtu
echo 1400 | tee --nothing {NET}/ifb5/mtu
echo 1400 | tee
echo 1400 | nothing
echo 1405 > {NET}/ifb5/mt*
echo 1406 >> {NET}/ifb5/mtu
cat {NET}/ifb5/mtu
echo 1400 > {NET}/ifb5/queues/tx-*/tx_maxrate
echo 1400 > {NET}/ifb5/nothing*
echo 3 > /dev/null
echo 3 > {CORE}/nothing
echo 3 > {CORE}
echo 3 > /proc/sys/nothing/x
echo 3 | tee {CORE}/nothing
cat {CORE}
cat {CORE}/nothing
""".strip().splitlines()


def test_lines_do_and_print_what_those_of_bash_do(tmp_path: Path) -> None:
    wanted = real(tmp_path, "ip link add ifb5 numtxqueues 4 type ifb", PATTERNS)
    if wanted[9].status:
        pytest.skip("this kernel's ifb has no byte queue limits")
    dev = NetDevice(Cpus(Timeline()), RingDriver(8, 4), name="ifb5", num_tx_queues=4, tx_queue_len=32)
    got = modelled(Shell([dev]).run, PATTERNS)
    compare(PATTERNS, wanted, got)


def test_what_a_host_has_is_a_file_as_well() -> None:
    dev = StackBench().dev
    run = Commands([dev]).run
    assert run(f"cat {CORE}/default_qdisc {CORE}/dev_weight*") == "pfifo_fast\n64\n1\n"
    assert run(f"echo fq_codel > {CORE}/default_qdisc") == ""
    assert (dev.default_qdisc, dev.qdisc.kind) == ("fq_codel", "fq_codel")
    assert run(f"echo fq | sudo tee {CORE}/default_qdisc") == "fq\n"
    assert run("sysctl net.core.default_qdisc") == "net.core.default_qdisc = fq\n"
    assert run("echo 65536 | sudo tee /proc/sys/net/ipv4/tcp_limit_output_bytes > /dev/null") == ""
    assert dev.net.sysctls["net.ipv4.tcp_limit_output_bytes"] == 65536


def test_the_weight_is_what_one_run_of_a_discipline_may_pull() -> None:
    dev = StackBench().dev
    run = Commands([dev]).run
    assert run("sudo sysctl -w net.core.dev_weight=16") == "net.core.dev_weight = 16\n"
    assert dev.dev_tx_weight == 16
    run(f"echo 3 > {CORE}/dev_weight_tx_bias")
    assert dev.dev_tx_weight == 48


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (f"echo fifo > {CORE}/default_qdisc",
         "column 6: 'fifo': bash: echo: write error: No such file or directory (allowed: bfifo, "),
        (f"echo 0 > {CORE}/dev_weight",
         "column 6: '0': bash: echo: write error: Invalid argument (allowed: 1 to 2147483647)"),
        (f"echo x | sudo tee {CORE}/dev_weight",
         f"column 6: 'x': tee: {CORE}/dev_weight: Invalid argument (allowed: 1 to 2147483647)"),
        ("echo 1 > /proc/sys/net/core/wmem_max",
         "column 10: '/proc/sys/net/core/wmem_max': bash: /proc/sys/net/core/wmem_max: No such file or directory "
         "(allowed: /proc/sys/net/core/default_qdisc, /proc/sys/net/core/dev_weight, "),
        (f"echo 1 > {NET}/eth0/queues/tx-*/tx_maxrate",
         f"column 10: '{NET}/eth0/queues/tx-*/tx_maxrate': bash: {NET}/eth0/queues/tx-*/tx_maxrate: ambiguous redirect "
         f"(allowed: {NET}/eth0/queues/tx-0/tx_maxrate, {NET}/eth0/queues/tx-1/tx_maxrate)"),
        (f"echo 1 | sudo dd of={NET}/eth0/mtu", "column 15: 'dd': bash: dd: command not found (allowed: tee)"),
        ("echo 1 |", "column 9: tee and a file expected at the end of the line"),
        (f"cat {NET}/eth0/mtu | head", "column 29: '|': nothing was expected here"),
        (f"echo 1 > {NET}/eth0/mtu | tee x", "column 8: '>': nothing was expected here"),
        ("sysctl net.core.dev_weight=x",
         "column 8: 'net.core.dev_weight=x': setting key \"net.core.dev_weight\": Invalid argument; allowed: 1 to 214"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_refused_with_the_word_and_its_column(line: str, error: str) -> None:
    dev = StackBench(num_tx_queues=2).dev
    with pytest.raises(CommandError) as caught:
        Commands([dev]).run(line)
    assert str(caught.value).startswith(error)
    assert (dev.mtu, dev.dev_tx_weight, dev.default_qdisc) == (1500, 64, "pfifo_fast")


def test_tee_writes_what_it_can() -> None:
    dev = StackBench().dev
    with pytest.raises(Refused) as caught:
        Commands([dev]).run(f"echo 1400 | tee {NET}/eth0/nonsense {NET}/eth0/mtu")
    assert (dev.mtu, caught.value.output) == (1400, "1400\n")
    assert caught.value.printed == f"tee: {NET}/eth0/nonsense: Permission denied"
