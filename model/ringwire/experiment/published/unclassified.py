"""Packets that no filter classifies: htb passes them by all of its classes, drr drops them."""

from __future__ import annotations

import re
from collections.abc import Callable

from ringwire.experiment.published.study import Figure, Run, Study, flow
from ringwire.experiment.results import Results

HTB = Run("unclassified")
FLOOD = Run("unclassified", (("flow.other.rate", "200mbit"),))
DRR = Run(
    "unclassified",
    (
        (
            "setup.lines",
            "tc qdisc add dev eth0 root handle 1: drr\n"
            "tc class add dev eth0 parent 1: classid 1:10 drr\n"
            "tc filter add dev eth0 parent 1: protocol ip prio 1 u32 match ip dport 5001 0xffff flowid 1:10",
        ),
    ),
)
LINE_MBPS = 100 * 1514 / 1538
NEAR = "to the frame that is on the wire at the end"


def mbps(name: str) -> Callable[[Results], float]:
    """What of a flow was on the wire after the warm-up."""
    return lambda results: float(flow(results, name)["rate_bps"]) / 1e6


def direct(results: Results) -> float:
    """htb's ``direct_packets_stat``, as a share of the packets that no filter matched, in percent."""
    found = re.search(r"direct_packets_stat (\d+)", results.summary["printed"])
    row = flow(results, "other")
    return 100 * int(found[1]) / (row["packets"] - row["drops"]) if found else 0.0


def dropped(results: Results) -> float:
    """Share of the packets that no filter matched, in percent."""
    row = flow(results, "other")
    return float(100 * row["drops"] / row["packets"])


UNCLASSIFIED = Study(
    key="unclassified",
    title="What no filter classifies",
    source='M. A. Brown, Traffic Control HOWTO (htb: "at hardware speed"); tc-drr(8)',
    text=(
        "Two flows at 100 Mbit/s, of which a filter puts one into a class. An htb without `default` sends the other "
        "directly: unshaped, before all classes, which get nothing while there is more than the line carries. drr has "
        "no class for it and drops it."
    ),
    figures=(
        Figure(
            "htb, class of 10 Mbit/s, 30 offered: sent",
            "Mbit/s",
            HTB,
            mbps("classified"),
            (9.95, 10.0),
            None,
            f"10: the class's rate, {NEAR}",
        ),
        Figure(
            "htb, unclassified, 30 offered: sent",
            "Mbit/s",
            HTB,
            mbps("other"),
            (29.95, 30.0),
            None,
            f"30: unshaped, {NEAR}",
        ),
        Figure("of these counted in direct_packets_stat", "%", HTB, direct, (100, 100), None, "all: no class saw them"),
        Figure(
            "htb, unclassified, 200 offered: sent",
            "Mbit/s",
            FLOOD,
            mbps("other"),
            (LINE_MBPS - 0.1, LINE_MBPS + 0.1),
            None,
            "98.4, at hardware speed: 1514 bytes of 1538",
        ),
        Figure(
            "htb, class of 10 Mbit/s beside it: sent",
            "Mbit/s",
            FLOOD,
            mbps("classified"),
            (0, 0),
            None,
            "0: what is sent directly goes first",
        ),
        Figure(
            "drr, classified, 30 offered: sent",
            "Mbit/s",
            DRR,
            mbps("classified"),
            (29.95, 30.0),
            None,
            f"30: drr shapes nothing, {NEAR}",
        ),
        Figure("drr, unclassified: dropped", "%", DRR, dropped, (100, 100), None, "all, as tc-drr(8) says"),
    ),
)
