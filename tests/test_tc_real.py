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
tc qdisc add dev t0 ingress bogus
tc qdisc add dev t0 clsact bogus
tc qdisc add ingress dev t0
tc qdisc add dev t0 clsact handle ffff:
tc qdisc add dev t0 ingress handle
tc qdisc add dev t0 ingress handle ffff:
tc qdisc del dev t0 ingress handle 7:
tc qdisc add dev t0 root dsmark bogus
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
tc qdisc replace dev t0 root fq limit x
tc qdisc replace dev t0 root fq foo
tc qdisc replace dev t0 root fq quantum 1k
tc qdisc replace dev t0 root fq maxrate 100gbit
tc qdisc replace dev t0 root fq timer_slack 5s
tc qdisc replace dev t0 root fq horizon
tc qdisc replace dev t0 root etf foo
tc qdisc replace dev t0 root etf o off
tc qdisc replace dev t0 root etf delta 5 delta 6
tc qdisc replace dev t0 root etf delta x
tc qdisc replace dev t0 root etf clockid CLOCK_NONE
tc qdisc replace dev t0 root etf clockid tai clockid tai
tc qdisc replace dev t0 root etf d d
tc qdisc replace dev t0 root etf skip_sock_check skip_sock_check
tc qdisc replace dev t0 root cbs foo
tc qdisc replace dev t0 root cbs h 5 hi 6
tc qdisc replace dev t0 root cbs idleslope 1.5
tc qdisc replace dev t0 root cbs offload 256
tc qdisc replace dev t0 root cbs locredit
tc qdisc replace dev t0 root mqprio foo
tc qdisc replace dev t0 root mqprio num_tc 0x2
tc qdisc replace dev t0 root mqprio num_tc 2 map 0 1 x
tc qdisc replace dev t0 root mqprio num_tc 1 queues 1@0 1@1
tc qdisc replace dev t0 root mqprio hw 0 mode dcb
tc qdisc replace dev t0 root mqprio hw x
tc qdisc replace dev t0 root mqprio mode foo
tc qdisc replace dev t0 root mqprio shaper foo
tc qdisc replace dev t0 root mqprio shaper bw_rlimit
tc qdisc replace dev t0 root mqprio num_tc 2 shaper bw_rlimit min_rate 1mbit
tc qdisc replace dev t0 root mqprio min_rate 1mbit
tc qdisc replace dev t0 root taprio foo
tc qdisc replace dev t0 root taprio num_tc x
tc qdisc replace dev t0 root taprio sched-entry R 1 100
tc qdisc replace dev t0 root taprio sched-entry S x 100
tc qdisc replace dev t0 root taprio sched-entry S 1
tc qdisc replace dev t0 root taprio clockid foo
tc qdisc replace dev t0 root taprio clockid TAI clockid TAI
tc qdisc replace dev t0 root taprio cycle-time 5 cycle-time 5
tc qdisc replace dev t0 root taprio flags 1 flags 1
tc qdisc replace dev t0 root taprio txtime-delay 5 txtime-delay 7
tc qdisc replace dev t0 root multiq foo
tc qdisc replace dev t0 root teql0
tc qdisc replace dev t0 root teql0 foo
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
    got = modelled(Tc([bench.dev]).run, LINES)
    compare(LINES, [without_usage(said) for said in wanted], [without_usage(said) for said in got])
