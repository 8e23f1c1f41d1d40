"""The whole transmit stack against recorded traces: return codes, events in order, all queue state after each op."""

from __future__ import annotations

from collections import deque
from typing import Any

import pytest

from ringwire import gso
from ringwire.netdev import NETDEV_TX_BUSY, NETDEV_TX_OK, Feature, NetDevice, TxQueue, dev_queue_xmit
from ringwire.skb import CsumFlag, GsoType, Skb
from ringwire.tools.tc import Tc
from tests.conformance import replay, vectors
from tests.conformance.tally import Tally

QUEUE_FIELDS = [
    "drv_xoff",
    "stack_xoff",
    "ring_used",
    "limit",
    "adj_limit",
    "num_queued",
    "num_completed",
    "prev_ovlimit",
    "lowest_slack",
    "dql_avail",
    "qdisc_qlen",
    "gso_skb_qlen",
]
BQL_KNOBS = {"min": "limit_min", "max": "limit_max"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    replay.generate(metafunc, "stack")


def test_every_operation_leaves_the_recorded_state(stem: str, scenario: dict[str, Any], tally: Tally) -> None:
    stack = Stack(scenario)
    fields = [f"queue {index} {name}" for index in range(stack.dev.num_tx_queues) for name in QUEUE_FIELDS]
    check("at the start", fields, flat(scenario["state0"]), flat(stack.state()))
    for number, op in enumerate(scenario["ops"]):
        expected_rc = got_rc = 0
        stack.clock.time_ns = op[1]
        stack.events.clear()
        match op:
            case ["X", _, _, _, _, _, _, _, expected_rc, events, queues]:
                got_rc = dev_queue_xmit(stack.packet(op), stack.dev)
            case ["C", _, queue, count, events, queues]:
                stack.driver.complete(stack.dev.tx_queues[queue], count)
            case ["G", _, events, queues]:
                stack.dev.schedule(stack.dev.qdisc)
            case ["Y", _, queue, events, queues]:
                stack.dev.tx_queues[queue].reset()
            case _:
                pytest.fail(f"operation {number} {op}: no model of this")
        stack.clock.settle()
        when = f"operation {number} {op[: op.index(events)]}"
        check(when, ["rc"], [expected_rc], [got_rc])
        names = [f"event {index}" for index in range(max(len(events), len(stack.events)))]
        check(when, names, events, stack.events)
        state = stack.state()
        if state != queues:
            check(when, fields, flat(queues), flat(state))
    replay.check_final(scenario, stack.dev)
    tally.add(stem, scenarios=1, operations=len(scenario["ops"]))


def check(when: str, fields: list[str], expected: list[Any], got: list[Any]) -> None:
    difference = vectors.difference(fields, expected, got)
    assert difference is None, f"{when}: {difference}"


def flat(queues: list[list[int]]) -> list[int]:
    return [value for queue in queues for value in queue]


class ScriptedDriver:
    """The recordings' driver: a ring that holds packets until a completion takes them out."""

    def __init__(self, nic: dict[str, Any], events: list[list[object]]) -> None:
        self.size = nic["ring"]
        self.stop_below = nic["stop_thresh"]
        self.wake_from = nic["wake_thresh"]
        self.busy_mode = bool(nic["busy_mode"])
        self.rings: list[deque[Skb]] = [deque() for _ in range(nic["queues"])]
        self.events = events

    def ndo_start_xmit(self, skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        ring = self.rings[txq.index]
        if len(ring) >= self.size:
            txq.stop()
            self.events.append(["busy", txq.index, skb.id])
            return NETDEV_TX_BUSY
        ring.append(skb)
        if not self.busy_mode and self.size - len(ring) < self.stop_below:
            txq.stop()
        door = txq.sent(skb.len, xmit_more)
        stopped, stack_xoff = int(txq.stopped), int(txq.xmit_stopped and bool(txq.state & 2))
        self.events.append(["tx", txq.index, skb.id, skb.len, int(xmit_more), int(door), stopped, stack_xoff])
        return NETDEV_TX_OK

    def complete(self, txq: TxQueue, count: int) -> None:
        ring = self.rings[txq.index]
        done = [ring.popleft() for _ in range(count)]
        size = sum(skb.len for skb in done)
        self.events.append(["c", txq.index, count, size])
        txq.completed(count, size)
        if txq.stopped and self.size - len(ring) >= self.wake_from and count:
            self.events.append(["wake", txq.index])
            txq.wake()


class Stack:
    """A device as a scenario describes it, with all that happens noted in ``events``."""

    def __init__(self, scenario: dict[str, Any]) -> None:
        nic = scenario["nic"]
        self.events: list[list[object]] = []
        self.pieces: set[Skb] = set()
        self.clock = replay.ReplayClock(scenario["t0"])
        self.driver = ScriptedDriver(nic, self.events)
        self.dev = dev = NetDevice(
            self.clock,
            self.driver,
            name="DEV",
            num_tx_queues=nic["queues"],
            mtu=nic["mtu"],
            tx_queue_len=nic["txqueuelen"],
            features=Feature.ALL if nic["tso"] else Feature.SG | Feature.HW_CSUM,
            hz=nic["hz"],
        )
        dev.dev_tx_weight = nic["dev_tx_weight"]
        dev.select_queue = lambda skb: skb.hash % dev.num_tx_queues
        dev.segment = self.segment
        dev.on_drop = self.dropped
        for line in scenario["tc"]:
            Tc([dev]).run(line)
        for txq in dev.tx_queues:
            for knob, value in nic["bql"]:
                if knob == "hold":
                    txq.dql.slack_hold_time = value
                else:
                    txq.dql.store(BQL_KNOBS[knob], str(value))
            txq.reset()
        dev.watchdog_armed = lambda expires_ns, slack_ns: self.events.append(["w", expires_ns])

    def segment(self, skb: Skb, complete: bool) -> list[Skb]:
        self.events.append(["seg", skb.id])
        pieces = gso.segment(skb, complete=complete)
        self.pieces.update(pieces)
        return pieces

    def dropped(self, skb: Skb) -> None:
        """The recordings note no loss of single pieces of a super-packet."""
        if skb not in self.pieces:
            self.events.append(["x", skb.id])

    def packet(self, op: list[Any]) -> Skb:
        """The packet of an "X" operation: its figures only."""
        _, _, ident, length, priority, skb_hash, tos, gso_size = op[:8]
        skb = Skb(len=length, id=ident, priority=priority, hash=skb_hash, tos=tos)
        if gso_size:
            skb.gso_type, skb.gso_size, skb.hdr_len = GsoType.TCPV4, gso_size, replay.GSO_HDR_LEN
            skb.gso_segs = -(-(length - skb.hdr_len) // gso_size)
            skb.csum_flags = CsumFlag.NEEDS_CSUM
        return skb

    def state(self) -> list[list[int]]:
        """The columns QUEUE_FIELDS of every queue."""
        return [
            [
                txq.state & 1,
                txq.state >> 1 & 1,
                len(self.driver.rings[txq.index]),
                txq.dql.limit,
                txq.dql.adj_limit,
                txq.dql.num_queued,
                txq.dql.num_completed,
                txq.dql.prev_ovlimit,
                txq.dql.lowest_slack,
                txq.dql.avail(),
                txq.qdisc.qlen,
                len(txq.qdisc.requeued),
            ]
            for txq in self.dev.tx_queues
        ]
