"""The same ``tc`` lines, carried out by iproute2 and the kernel in a network namespace, and by the model."""

from __future__ import annotations

from pathlib import Path

from ringwire.tools.tc import Tc
from tests.stack_bench import StackBench
from tests.tool_lab import Said, compare, modelled, real

LINES = """
tc qdisc add dev t0 root handle 1 tbf rate 1mbit burst 2000 limit 3000
tc qdisc add dev t0 root tbf rate 1mbit burst 2000 limit 3000
tc qdisc add dev t0 root handle 2: pfifo
tc qdisc change dev t0 root handle 2: pfifo
tc qdisc replace dev t0 root handle 1: pfifo
tc qdisc del dev t0 root handle 2:
tc qdisc del dev t0 root pfifo
tc qdisc del dev t0 handle 1:
tc qdisc del dev t0 parent 7:1
tc qdisc add dev t0 parent 2:1 handle 10: pfifo
tc qdisc add dev t0 parent 1:1 handle 10: stab overhead 4 pfifo
tc qdisc add dev t0 parent 1:1 handle 10: pfifo limit 30
tc qdisc add dev t0 parent 10:1 pfifo
tc qdisc add dev t0 parent 1:2 pfifo
tc qdisc replace dev t0 parent 1:1 noqueue
tc qdisc replace dev t0 parent 1:1 handle 1: tbf rate 1mbit burst 2000 limit 3000
tc qdisc show dev t0
tc -s -d qdisc show dev t0
tc -j -s -d qdisc show dev t0
tc -j qdisc show dev t0 root
tc -p -j -s qdisc show dev t0
tc qdisc show dev t0 root
tc -s class show dev t0
tc class show dev t0 parent 1:
tc class show dev t0 root
tc class add dev t0 parent 1: classid 1:1 tbf
tc class add dev t0 parent 1: classid 1g drr
tc class del dev t0 classid 1:1
tc class del dev t0 classid 10:1
tc filter add dev t0 parent 9: protocol ip prio 1
tc filter add dev t0 parent 1: protocol ip prio 1
tc filter del dev t0 parent 10: prio 7
tc filter show dev t0
tc qdisc change dev t0 parent 1:1 pfifo limit 40
tc qdisc replace dev t0 parent 1:1 handle 11: bfifo
tc qdisc show dev t0
tc qdisc del dev t0 parent 1:1
tc qdisc del dev t0 parent 1:1
tc qdisc show dev t0 invisible
tc qdisc add dev t0 ingress
tc qdisc add dev t0 clsact
tc qdisc show dev t0 ingress
tc qdisc del dev t0 clsact
tc qdisc del dev t0 ingress
tc qdisc add dev t0 clsact
tc qdisc show dev t0
tc qdisc del dev t0 clsact
tc qdisc replace dev t0 root handle 4: stab linklayer adsl tsize 100 overhead -4 tbf rate 1mbit burst 5k latency 5ms
tc -d qdisc show dev t0
tc -d -j qdisc show dev t0
tc qdisc change dev t0 root tbf rate 10mbit burst 5k/8 latency 5ms overhead 4 mpu 64 linklayer atm
tc -d qdisc show dev t0
tc qdisc replace dev t0 root handle 5: tbf rate 1mbit buffer 5k limit 9000 peakrate 1500kbit minburst 2k
tc -d qdisc show dev t0
tc qdisc show dev t0
tc qdisc replace dev t0 root tbf rate 1mbit burst 5k limit 4k peakrate 1mbit mtu 1500
tc qdisc replace dev t0 root tbf rate 1mbit latency 5ms
tc qdisc replace dev t0 root tbf rate 1mbit burst 5k latency 5ms limit 4k
tc qdisc replace dev t0 root tbf rate 1mbix burst 5k limit 4k
tc qdisc replace dev t0 root tbf rate 1mbit burst 5k limit 4k foo
tc qdisc replace dev t0 root prio bands x
tc qdisc replace dev t0 root prio bands 3 1 2
tc qdisc replace dev t0 root prio bands 3 priomap 1 2 x
tc qdisc replace dev t0 root prio bands 3 priomap 1 2 5
tc qdisc replace dev t0 root ets
tc qdisc replace dev t0 root ets bands 3 strict 4
tc qdisc replace dev t0 root ets bands 3 quanta 1 x
tc qdisc replace dev t0 root drr foo
tc qdisc replace dev t0 root pfifo limt 4
tc qdisc replace dev t0 root pfifo limit 4x
tc qdisc replace dev t0 root pfifo limit
tc qdisc replace dev t0 root pfifo_fast limit 4
tc qdisc replace dev t0 root noqueue foo
tc qdisc replace dev t0 root handle g: pfifo
tc qdisc replace dev t0 root root pfifo
tc qdisc replace dev t0 root parent 1:1 pfifo
tc qdisc replace dev t0 root handle 1: handle 2: pfifo
tc qdisc replace dev t0 parent 1:10000 pfifo
tc qdisc replace dev t0 root stab overhead x pfifo
tc qdisc replace dev t0 root stab pfifo
tc qdisc replace dev nosuch root pfifo
tc qdisc replace root pfifo
tc qdisc show dev t0 foo
tc qdisc foo dev t0
tc foo
tc -x qdisc
tc qdisc del dev t0 root
""".strip().splitlines()


def without_usage(said: Said) -> Said:
    """What was said before tc explains the syntax."""
    return said._replace(error=said.error.partition("Usage:")[0])


def test_lines_do_and_print_what_iproute2_and_the_kernel_do(tmp_path: Path) -> None:
    wanted = real(tmp_path, "ip tuntap add dev t0 mode tap; ip link set t0 up", LINES, "tc")
    bench = StackBench(name="t0")
    compare(LINES, [without_usage(said) for said in wanted], modelled(Tc([bench.dev]).run, LINES))
