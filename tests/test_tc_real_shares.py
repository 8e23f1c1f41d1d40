"""Rates in percent of a device's speed, and what is shown without a device: the real tool's words and ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringwire.tools.tc import Tc
from tests.stack_bench import StackBench
from tests.test_tc_real import without_usage
from tests.tool_lab import Said, compare, modelled, real

KINDS = {"tbf": "rate 10% burst 5k limit 5k", "fq": "maxrate 10%", "red": "limit 100k avpkt 1000 bandwidth 10%"}
SHARES = ("10%", "33.3%", "100%", "101%", "-1%", "%", "x%", "10.5%", ".5%", "10%x", "10%%", "1.2.3%", "0%", "1e1%")
WRONG = """
tc qdisc replace dev t0 root red limit 100k avpkt 1000 bandwidth 101%
tc qdisc replace dev t0 root choke limit 100 avpkt 1000 bandwidth 101%
tc qdisc replace dev t0 root gred vq 1 limit 60k min 15k max 45k avpkt 1k bandwidth 101%
tc qdisc replace dev t0 root fq maxrate 101%
tc qdisc replace dev t0 root fq defrate 101%
tc qdisc replace dev t0 root fq low_rate_threshold 10%
tc qdisc replace dev t0 root cbq bandwidth 101% avpkt 1000
tc qdisc replace dev t0 root mqprio num_tc 2 shaper bw_rlimit min_rate 10% 10%
tc qdisc replace dev t0 root tbf rate 10% burst 5k limit 5k peakrate 500% mtu 2000
tc qdisc replace dev t0 root tbf rate 10% burst 5k limit 5k overhead 10%
tc qdisc replace root tbf rate 10% burst 5k limit 5k
tc qdisc replace dev nosuch root tbf rate 10% burst 5k limit 5k
tc qdisc replace dev lo root tbf rate 10% burst 5k limit 5k
tc class add dev t0 parent 1: classid 1:3 hfsc ls m1 101% d 5ms m2 20%
tc class add dev t0 parent 1: classid 1:3 hfsc ls rate 101%
tc class add dev t0 parent 1: classid 1:3 cbq rate 101%
tc class add dev t0 parent 1: classid 1:3 cbq bandwidth 101%
tc class add parent 1: classid 1:3 htb rate 10% dev t0
tc class add dev lo parent 1: classid 1:3 htb rate 1mbit ceil 10%
tc filter add dev t0 parent 1: protocol ip prio 2 u32 match u32 0 0 police rate 10% burst 10k
""".strip().splitlines()
LINES = [
    "cat /sys/class/net/t0/speed",
    "tc qdisc add dev t0 root handle 1: htb",
    *(
        line
        for share in SHARES
        for line in (
            f"tc class replace dev t0 parent 1: classid 1:1 htb rate {share}",
            f"tc class replace dev t0 parent 1: classid 1:2 htb rate 1mbit ceil {share}",
            "tc class show dev t0 classid 1:1",
        )
    ),
    *WRONG,
    "tc filter add dev t0 parent 1: protocol ip prio 1 u32 match u32 0 0 classid 1:1",
    *(
        f"tc {switches}{subject} show"
        for subject in ("class", "filter")
        for switches in ("", "-j ", "-s ", "-s -p -j ")
    ),
    *(f"tc {switches}class show dev t0 classid 1:1" for switches in ("-j ", "-d -j ", "-p -j ")),
    "tc qdisc replace dev t0 root handle 5: tbf rate 10% burst 5k limit 5k peakrate 50% mtu 2000",
    "tc -d qdisc show dev t0",
    "tc -j class show dev t0",
]


def test_shares_of_the_speed_are_read_and_refused_as_iproute2_reads_and_refuses_them(tmp_path: Path) -> None:
    wanted = real(tmp_path, "ip tuntap add dev t0 mode tap; ip link set t0 up", LINES, "tc")[1:]
    dev = StackBench(name="t0").dev
    dev.speed_mbps = int((tmp_path / "0.out").read_text())
    tc = Tc([dev, StackBench(name="lo").dev])

    def run(line: str) -> str:
        printed = tc.run(line)
        warnings, tc.warnings[:] = list(tc.warnings), []
        return printed + "".join(f"{warning}\n" for warning in warnings)

    wanted = [said if said.status else Said(said.output + said.error, "", 0) for said in map(without_usage, wanted)]
    compare(LINES[1:], wanted, [without_usage(said) for said in modelled(run, LINES[1:])])


@pytest.mark.parametrize("kind", KINDS)
def test_a_share_is_of_the_speed_of_the_device_that_is_named(kind: str) -> None:
    fast, slow = StackBench(name="t0").dev, StackBench(name="t1").dev
    fast.speed_mbps, slow.speed_mbps = 10_000, 100
    run = Tc([fast, slow]).run
    for dev in (fast, slow):
        run(f"tc qdisc replace dev {dev.name} root {kind} {KINDS[kind]}")
        other = KINDS[kind].replace("10%", f"{dev.speed_mbps // 10}mbit")
        share = dev.qdisc.params()
        run(f"tc qdisc replace dev {dev.name} root {kind} {other}")
        assert dev.qdisc.params() == share
