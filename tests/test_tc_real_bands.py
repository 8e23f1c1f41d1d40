"""pfifo_fast, alone and below mq, and prio: what iproute2 and the kernel print, and what the model prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringwire.tools.tc import Tc
from tests.stack_bench import StackBench
from tests.tool_lab import compare, modelled, real

SHOWN = ("", "-s ", "-d ", "-j ", "-s -j ", "-p -j ")
UNKNOWN = "Error: Specified qdisc kind is unknown.\n"


def shown(dev: str) -> list[str]:
    return [f"tc {switches}qdisc show dev {dev}" for switches in SHOWN]


PFIFO_FAST = [
    "tc qdisc add dev t0 root pfifo_fast limit 4",
    "tc qdisc add dev t0 root handle 7: pfifo_fast",
    *shown("t0"),
    "tc qdisc add dev t0 root handle 8: pfifo_fast",
    "tc qdisc change dev t0 root handle 7: pfifo_fast",
    "tc qdisc replace dev t0 root handle 8: pfifo_fast",
    "tc -j qdisc show dev t0 root",
    "tc qdisc del dev t0 root pfifo",
    "tc qdisc del dev t0 root pfifo_fast",
    "tc qdisc replace dev m0 root handle 1: mq",
    "tc qdisc replace dev m0 parent 1:1 handle 11: pfifo_fast",
    *shown("m0"),
    "tc -j qdisc show dev m0 parent 1:1",
]
PRIO = [
    "tc qdisc replace dev t0 root handle 1: prio",
    *shown("t0"),
    "tc qdisc replace dev t0 root handle 2: prio bands 4 priomap 3 3 2 2 1 1 0 0",
    *shown("t0"),
    "tc -s class show dev t0",
]
SETUP = """
ip tuntap add dev t0 mode tap; ip link set t0 up
ip tuntap add dev m0 mode tap multi_queue; ip link set m0 up
"""


@pytest.mark.parametrize("lines", [PFIFO_FAST, PRIO], ids=["pfifo_fast", "prio"])
def test_bands_are_shown_as_iproute2_shows_those_of_the_kernel(lines: list[str], tmp_path: Path) -> None:
    wanted = real(tmp_path, SETUP, lines, "tc")
    if wanted[0].error == UNKNOWN:
        pytest.skip("the kernel has no such discipline")
    bench = StackBench(name="t0")
    several = StackBench(name="m0", num_tx_queues=4)
    several.dev.set_real_num_tx_queues(1)
    compare(lines, wanted, modelled(Tc([bench.dev, several.dev]).run, lines))


def test_the_json_of_both_ends_with_multiqueue() -> None:
    run = Tc([StackBench(name="t0").dev]).run
    for kind in ("pfifo_fast", "prio"):
        run(f"tc qdisc replace dev t0 root {kind}")
        assert ',1,1,1],"multiqueue":false}}]' in run("tc -j qdisc show dev t0")
        assert run("tc qdisc show dev t0").endswith(" 1 1 1\n")
