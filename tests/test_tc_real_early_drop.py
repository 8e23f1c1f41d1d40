"""tc's own words for wrong lines of red, sfq, gred, sfb and dsmark: the real tool's and ours.

The kernels here have none of these kinds, so only what tc refuses by itself can be compared; see the tests of each
kind for what it prints.
"""

from __future__ import annotations

from pathlib import Path

from ringwire.tools.tc import Tc
from tests.stack_bench import StackBench
from tests.tool_lab import compare, modelled, real

VQ = "gred vq 1 limit 60k min 15k max 45k avpkt 1k"
WRONG = f"""
red
red limit
red limit 60000
red limit 0 avpkt 1k
red limt 4
red limit 4x avpkt 1k
red limit 60k avpkt 1k burst x
red limit 60k avpkt 1k bandwidth 1x
red limit 60k avpkt 1k probability abc
red limit 60k avpkt 1k probability 0
red limit 60k avpkt 1k min 30k max 20k
red limit 60k avpkt 1k min 30k max 20k burst 40
red limit 60k avpkt 1k burst 1 min 50k bandwidth 1mbit
red limit 1g avpkt 1k min 1g burst 2000000
sfq limit 1
sfq limit 4k
sfq depth x
sfq quantum x
sfq perturb 1s
sfq divisor
sfq foo
sfq min 4
sfq harddrop
sfq redflowlimit 1000 min 500 max 400
sfq redflowlimit 1000 min 5 max 4000
sfq redflowlimit 60000 burst 1
sfq redflowlimit 60000 probability 0
gred
gred ecn
gred foo
gred setup
gred setup foo
gred setup vqs
gred setup vqs x
gred setup vqs 17
gred setup vqs 4
gred setup DPs 0 default 0
gred setup default 1
gred setup vqs 3 default 3
gred setup vqs 3 default x
gred limit 3 setup
gred vq x
gred vq 16
gred DP 16
gred vq 1
{VQ} burst 1
{VQ} burst 1 bandwidth 1mbit
{VQ} probability 0
{VQ} prio
sfb rehash 1x
sfb limit 4k
sfb increment 2
sfb increment -1
sfb decrement x
sfb penalty_rate 3pps
sfb target
sfb foo
dsmark
dsmark indices 0
dsmark indices 3x
dsmark indices
dsmark indices 8 default_index x
dsmark foo
""".strip().splitlines()
CLASSES = """
dsmark foo
dsmark mask
dsmark mask 0xzz
sfq
sfb
gred
red
""".strip().splitlines()


def test_what_tc_refuses_is_refused_in_its_words(tmp_path: Path) -> None:
    lines = [f"tc qdisc replace dev t0 root handle 1: {line}" for line in WRONG]
    lines += [f"tc class change dev t0 parent 1: classid 1:1 {line}" for line in CLASSES]
    wanted = real(tmp_path, "ip tuntap add dev t0 mode tap; ip link set t0 up", lines, "tc")
    bench = StackBench(name="t0")
    found = modelled(Tc([bench.dev]).run, lines)
    compare(lines, [said._replace(error=said.error.partition("Usage:")[0]) for said in wanted], found)
