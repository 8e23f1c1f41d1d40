"""htb's lines carried out by iproute2 and the kernel, and by the model; and those of kinds that only tc knows here."""

from __future__ import annotations

from pathlib import Path

from ringwire.tools.tc import Tc
from tests.stack_bench import StackBench
from tests.tool_lab import Said, compare, modelled, real

LINES = """
tc qdisc add dev t0 root handle 1: htb default 30
tc class add dev t0 parent 1: classid 1:1 htb rate 10mbit
tc class add dev t0 parent 1:1 classid 1:10 htb rate 1kbit ceil 5mbit prio 9
tc class add dev t0 parent 1:99 classid 1:20 htb rate 100gbit ceil 200gbit burst 5k/16 overhead 10 linklayer atm mpu 60
tc class add dev t0 root htb rate 1mbit
tc class add dev t0 parent 1: htb rate 1mbit
tc class add dev t0 parent 1: classid 1:5 htb
tc class add dev t0 parent 1: classid 1:5 htb rate
tc class add dev t0 parent 1: classid 1:5 htb rate 1x
tc class add dev t0 parent 1: classid 1:5 htb rate 1mbit rate 2mbit
tc class add dev t0 parent 1: classid 1:5 htb rate 1mbit cei 2mbit
tc class add dev t0 parent 1: classid 1:5 htb ceil 1mbit
tc class add dev t0 parent 1: classid 1:5 htb rate 1mbit cmaxburst 4x
tc class add dev t0 parent 1: classid 1:5 htb rate 1mbit linklayer foo
tc class add dev t0 parent 1: classid 1:5 htb rate 1mbit prio 0x3
tc class add dev t0 parent 1: classid 1:5 htb rate 1mbit mpu 70000
tc class add dev t0 parent 1: classid 1:5 htb rate 1mbit p 3 q 9000 b 2k m 1500
tc class add dev t0 parent 1: classid 2:5 htb rate 1mbit
tc class add dev t0 parent 1: classid 1:6 htb rate 1bit
tc class del dev t0 classid 1:1
tc class del dev t0 classid 1:77
tc class change dev t0 parent 1:7 classid 1:10 htb rate 2mbit
tc qdisc change dev t0 root handle 1: htb default 10
tc qdisc replace dev t0 root handle 1: htb
tc qdisc add dev t0 parent 1:1 pfifo
tc qdisc add dev t0 parent 1:10 handle 10: pfifo limit 5
tc class show dev t0
tc -d class show dev t0
tc -s -d class show dev t0
tc -s qdisc show dev t0
tc -s -d -j qdisc show dev t0
tc qdisc replace dev t0 root handle 2: htb r2q x
tc qdisc replace dev t0 root handle 2: htb default 1g
tc qdisc replace dev t0 root handle 2: htb direct_qlen -1
tc qdisc replace dev t0 root handle 2: htb offload
tc qdisc replace dev t0 root handle 2: htb foo
tc qdisc replace dev t0 root handle 2: htb debug 123 r2q 0 de ffff0010 direct_qlen 7
tc -d qdisc show dev t0
tc -j qdisc show dev t0
tc class add dev t0 parent 2: classid 2:1 htb rate 1mbit
tc class add dev t0 parent 2:1 classid 2:2 htb rate 1mbit
tc class add dev t0 parent 2:2 classid 2:3 htb rate 1mbit
tc class add dev t0 parent 2:3 classid 2:4 htb rate 1mbit
tc class add dev t0 parent 2:4 classid 2:5 htb rate 1mbit
tc class add dev t0 parent 2:5 classid 2:6 htb rate 1mbit
tc class add dev t0 parent 2:6 classid 2:7 htb rate 1mbit
tc class add dev t0 parent 2:7 classid 2:8 htb rate 1mbit
tc class add dev t0 parent 2:8 classid 2:9 htb rate 1mbit
tc class del dev t0 classid 2:8
tc -s -d class show dev t0
tc qdisc replace dev t0 root handle 3: htb
tc qdisc show dev t0
tc -j qdisc show dev t0
tc qdisc replace dev t0 root handle 7: hfsc default x
tc qdisc replace dev t0 root handle 7: hfsc default 1 default 2
tc qdisc replace dev t0 root handle 7: hfsc foo
tc qdisc replace dev t0 root handle 7: qfq foo
tc qdisc replace dev t0 root handle 7: cbq foo
tc qdisc replace dev t0 root handle 7: cbq
tc qdisc replace dev t0 root handle 7: cbq bandwidth 10mbit
tc qdisc replace dev t0 root handle 7: cbq bandwidth 10mbit avpkt 1000 cell 7
tc qdisc replace dev t0 root handle 7: cbq bandwidth 10mbit avpkt 1000 ewma 32
tc qdisc replace dev t0 root handle 7: cbq bandwidth x
tc qdisc replace dev t0 root handle 7: cbq avpkt x
tc class add dev t0 parent 3: classid 3:5 hfsc
tc class add dev t0 parent 3: classid 3:5 hfsc foo
tc class add dev t0 parent 3: classid 3:5 hfsc rt
tc class add dev t0 parent 3: classid 3:5 hfsc rt m1
tc class add dev t0 parent 3: classid 3:5 hfsc rt m1 1x
tc class add dev t0 parent 3: classid 3:5 hfsc rt m1 1mbit
tc class add dev t0 parent 3: classid 3:5 hfsc rt m1 1mbit d 5ms
tc class add dev t0 parent 3: classid 3:5 hfsc rt m1 1mbit d 5x m2 1mbit
tc class add dev t0 parent 3: classid 3:5 hfsc rt m1 1mbit d 5ms foo
tc class add dev t0 parent 3: classid 3:5 hfsc rt umax 1500 rate 1mbit
tc class add dev t0 parent 3: classid 3:5 hfsc rt umax 1500 dmax 5ms
tc class add dev t0 parent 3: classid 3:5 hfsc rt umax x
tc class add dev t0 parent 3: classid 3:5 hfsc rt m2 0bit
tc class add dev t0 parent 3: classid 3:5 hfsc ul rate 1mbit
tc class add dev t0 parent 3: classid 3:5 hfsc rt rate 1mbit ul m2 1mbit
tc class add dev t0 parent 3: classid 3:5 qfq foo
tc class add dev t0 parent 3: classid 3:5 qfq weight x
tc class add dev t0 parent 3: classid 3:5 qfq maxpkt 1k
tc class add dev t0 parent 3: classid 3:5 cbq
tc class add dev t0 parent 3: classid 3:5 cbq foo
tc class add dev t0 parent 3: classid 3:5 cbq rate x
tc class add dev t0 parent 3: classid 3:5 cbq rate 1mbit
tc class add dev t0 parent 3: classid 3:5 cbq rate 1mbit prio 9
tc class add dev t0 parent 3: classid 3:5 cbq rate 1mbit allot x
tc class add dev t0 parent 3: classid 3:5 cbq rate 1mbit ewma 40
tc class add dev t0 parent 3: classid 3:5 cbq rate 1mbit maxburst 5
tc class add dev t0 parent 3: classid 3:5 cbq rate 1mbit maxburst 5 avpkt 1000
tc class change dev t0 parent 3: classid 3:5 cbq prio 3
tc class add dev t0 parent 3: classid 3:5 cbq split x
tc class add dev t0 parent 3: classid 3:5 cbq defmap x
tc qdisc del dev t0 root
""".strip().splitlines()


def without_usage(said: Said) -> Said:
    """What was said before tc explains the syntax; its class show never prints JSON."""
    return said._replace(error=said.error.partition("Usage:")[0])


def in_order(said: Said) -> Said:
    """Blocks sorted: the kernel shows classes by their hash."""
    return said._replace(output="\nclass ".join(sorted(f"\n{said.output}".split("\nclass "))))


def test_lines_do_and_print_what_iproute2_and_the_kernel_do(tmp_path: Path) -> None:
    wanted = real(tmp_path, "ip tuntap add dev t0 mode tap; ip link set t0 up", LINES, "tc")
    bench = StackBench(name="t0")
    tc = Tc([bench.dev])

    def run(line: str) -> str:
        """A line, and its warning as a part of what it prints."""
        before = len(tc.warnings)
        printed = tc.run(line)
        return printed + "".join(f"{warning}\n" for warning in tc.warnings[before:])

    # on success there is nothing on the error output but warnings
    wanted = [said if said.status else Said(said.output + said.error, "", 0) for said in map(without_usage, wanted)]
    compare(LINES, [in_order(said) for said in wanted], [in_order(said) for said in modelled(run, LINES)])
