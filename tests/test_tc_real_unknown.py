"""Kinds that neither the kernel nor the model has: what iproute2 and the kernel say of them, and what we say."""

from __future__ import annotations

from pathlib import Path

from ringwire.tools.tc import Tc
from tests.stack_bench import StackBench
from tests.test_tc_real import without_usage
from tests.tool_lab import compare, modelled, real

ANYWHERE = """
tc qdisc {} dev t0 root foo
tc qdisc {} dev t0 root foo limit 10
tc qdisc {} dev t0 root foo help
tc qdisc {} dev t0 root handle 7: foo
tc qdisc {} dev t0 root handle 7:1 foo
tc qdisc {} dev t0 root stab overhead 4 foo
tc qdisc {} dev t0 parent 7:1 foo
tc qdisc {} dev t0 parent 1:7 foo
tc qdisc {} dev t0 handle 7: foo
tc qdisc {} dev t0 foo
tc qdisc {} dev t0 ingress foo
tc qdisc {} dev nosuch root foo
tc qdisc {} dev nosuch root foo limit 10
tc class {} dev t0 root foo
tc class {} dev t0 parent 1: classid 1:1 foo
tc class {} dev t0 parent 1: classid 1:1 foo rate 10
tc class {} dev t0 parent 1: classid 1:1 pfifo
tc class {} dev nosuch parent 1: classid 1:1 foo
tc filter {} dev t0 foo
tc filter {} dev t0 parent 1: foo
tc filter {} dev t0 parent 7: foo
tc filter {} dev t0 parent 1: prio 1 foo
tc filter {} dev t0 parent 1: prio 1 handle 1 foo
tc filter {} dev t0 parent 1: prio 1 handle g foo
tc filter {} dev t0 parent 1: prio 1 handle 1 foo x
tc filter {} dev t0 parent 1: protocol ip prio 1 foo
tc filter {} dev t0 parent 1: protocol ip prio 1 foo x
tc filter {} dev t0 protocol ip prio 1 foo
tc filter {} dev nosuch parent 1: prio 1 foo
""".strip().splitlines()
ACTIONS = ("add", "change", "replace", "del")


def everywhere() -> list[str]:
    return [line.format(action) for action in ACTIONS for line in ANYWHERE]


LINES = [
    *everywhere(),
    "tc qdisc link dev t0 root foo",
    "tc qdisc link dev t0 root foo limit 10",
    "tc qdisc add dev t0 root handle 1: htb",
    *(line for line in everywhere() if " root foo" not in line or " del " in line),
    "tc filter add dev t0 parent 1: protocol ip prio 1 u32 match u32 0 0 classid 1:1",
    *(line for line in everywhere() if "tc filter" in line),
    "tc filter add dev t0 parent 1: protocol ipv6 prio 1 foo",
    "tc filter del dev t0 parent 1: protocol ip prio 2 foo",
    "tc filter del dev t0 parent 1: chain 3",
    "tc filter del dev t0 parent 1: chain 3 prio 1",
    "tc filter del dev t0 parent 1:",
    "tc filter del dev t0 parent 1: prio 1",
    "tc qdisc show dev t0",
    "tc filter show dev t0",
    # a new discipline takes the other's place, once there is one
    "tc qdisc add dev t0 root foo",
    "tc qdisc link dev t0 root foo",
]


def test_unknown_kinds_are_refused_as_iproute2_and_the_kernel_refuse_them(tmp_path: Path) -> None:
    wanted = real(tmp_path, "ip tuntap add dev t0 mode tap; ip link set t0 up", LINES, "tc")
    bench = StackBench(name="t0")
    got = modelled(Tc([bench.dev]).run, LINES)
    compare(LINES, [without_usage(said) for said in wanted], [without_usage(said) for said in got])
