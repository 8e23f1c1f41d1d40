"""Queueing disciplines against recorded traces: every packet, return code, drop, timer and the final statistics."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from ringwire.netdev import NetDevice
from ringwire.qdisc import XMIT_DROP, XMIT_MASK
from ringwire.skb import GsoType, Skb
from tests.conformance import replay, vectors
from tests.conformance.tally import Tally


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    replay.generate(metafunc, "qdisc")


def test_every_operation_gives_what_was_recorded(stem: str, scenario: dict[str, Any], tally: Tally) -> None:
    clock = replay.ReplayClock(scenario["t0"])
    dev = NetDevice(
        clock,
        name="DEV",
        mtu=scenario["dev"]["mtu"],
        tx_queue_len=scenario["dev"]["txqueuelen"],
        hz=100,
    )
    params = replay.KernelParams(dev)
    dropped: list[int] = []
    draws: deque[int] = deque()
    armed = (0, 0)

    def on_drop(skb: Skb) -> None:
        dropped.append(skb.id)

    def watchdog_armed(expires_ns: int, slack_ns: int) -> None:
        nonlocal armed
        armed = (expires_ns, slack_ns)

    dev.on_drop = on_drop
    dev.random_u32 = draws.popleft
    dev.watchdog_armed = watchdog_armed
    for line in scenario["tc"]:
        params.run(line)

    for number, op in enumerate(scenario["ops"]):
        clock.time_ns = op[1]
        dropped.clear()
        armed = (0, 0)
        root = dev.tx_queues[0].qdisc
        match op:
            case ["E", _, ident, _, _, _, _, _, _, rc, drops, *rnd]:
                draws.extend(rnd[0] if rnd else ())
                skb = make_packet(op, scenario["truesize"])
                if root.stab is not None:
                    skb.pkt_len = root.stab(skb.pkt_len)
                to_free: list[Skb] = []
                fields = ["rc", "drops"]
                got_rc = root.enqueue(skb, to_free) & XMIT_MASK
                lost = [each.id for each in to_free if each is skb or each.id != ident]
                if got_rc == XMIT_DROP and skb not in to_free:
                    # of a super-packet that was cut, the recordings note only the loss of the whole
                    lost.append(ident)
                got: list[object] = [got_rc, sorted(dropped + lost)]
                expected = [rc, sorted(drops)]
            case ["D", _, ident, ecn, pkt_len, expires, slack, drops, *rnd]:
                draws.extend(rnd[0] if rnd else ())
                fields = ["id", "ecn", "pkt_len", "watchdog expiry", "watchdog slack", "drops"]
                expected = [ident, ecn, pkt_len, expires, slack, drops]
                sent = root.dequeue()
                got = [sent.id, sent.tos & 3, sent.pkt_len] if sent else [0, 0, 0]
                got += [*armed, list(dropped)]
                if root.kind == "etf":
                    # what has expired is dropped from its tree's end: the recordings' order means nothing
                    expected[-1], got[-1] = sorted(drops), sorted(dropped)
            case ["T", _, line, drops]:
                fields = ["drops"]
                expected = [drops]
                params.run(line, op[1])
                got = [list(dropped)]
            case _:
                pytest.fail(f"operation {number} {op}: no model of this")
        difference = vectors.difference(fields, expected, got)
        assert difference is None, f"operation {number} {op[:8]}: {difference}"
        assert not draws, f"operation {number} {op[:8]}: random numbers {list(draws)} were not drawn"
    params.check(scenario["kernel_params"])
    replay.check_final(scenario, dev)
    tally.add(stem, scenarios=1, operations=len(scenario["ops"]))


def make_packet(op: list[Any], truesize: dict[str, int]) -> Skb:
    """The packet of an "E" operation: its figures only."""
    _, _, ident, length, priority, skb_hash, tos, tstamp, gso_size = op[:9]
    skb = Skb(
        len=length,
        id=ident,
        priority=priority,
        hash=skb_hash,
        tos=tos,
        tstamp=tstamp,
        truesize=truesize[str(length)],
        pkt_len=length,
    )
    if gso_size:
        skb.gso_type, skb.gso_size, skb.hdr_len = GsoType.TCPV4, gso_size, replay.GSO_HDR_LEN
        skb.gso_segs = -(-(length - skb.hdr_len) // gso_size)
        skb.pkt_len += (skb.gso_segs - 1) * skb.hdr_len
    return skb
