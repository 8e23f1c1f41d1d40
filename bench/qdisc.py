"""What a discipline costs a packet, enqueue plus dequeue, and whether many classes or flows cost more than a few.

CPU time in microseconds, without driver and device; ratios are of figures of one run. Simulated time goes on by a
microsecond a packet, so that a discipline's rates are met without waiting.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

from bench.row import Row
from ringwire.netdev import NetDevice
from ringwire.qdisc.classify import Match
from ringwire.skb import Skb
from ringwire.tools.tc import Tc
from tests.frames import UDP, Frame

SIZE = 1000
BETWEEN_NS = 1_000
"""8 Gb/s of these packets."""
PACKETS = 10_000
RUNS = 3
"""The best of these counts: others share the machine."""
FEW, MANY = 10, 10_000
DEEP = 2
"""Packets that each class or flow has waiting."""
FIFO_US, ANY_US = 3.0, 12.0
RATIO_GOAL = 2.0
ADD = "tc qdisc add dev eth0 root handle 1:"
CLASS = "tc class add dev eth0 parent"
FILTER = "tc filter add dev eth0 parent 1: protocol ip prio 1"


class Clock:
    """Stands still until it is set; nothing comes by itself, but for what ``wanted_ns`` says a discipline waits for."""

    def __init__(self) -> None:
        self.ns = 10**9
        self.wanted_ns = 0

    def now_ns(self) -> int:
        return self.ns

    def call_at(self, when_ns: int, fn: Callable[[], None]) -> Clock:
        return self

    def cancel(self) -> None:
        pass

    def armed(self, expires_ns: int, slack_ns: int) -> None:
        self.wanted_ns = expires_ns


def hashes(count: int) -> Iterator[dict[str, Any]]:
    """Packets of so many flows, none with the hash of another."""
    return ({"hash": (number << 32) // count} for number in range(count))


def classids(count: int) -> Iterator[dict[str, Any]]:
    """Packets for so many classes, 1:2 the first."""
    return ({"priority": 0x10000 + 2 + number} for number in range(count))


def priorities(count: int) -> Iterator[dict[str, Any]]:
    return ({"priority": number % 16} for number in range(count))


def stamped(count: int) -> Iterator[dict[str, Any]]:
    """Packets with launch times after the measurement's end, which is less than etf's ``delta`` ahead."""
    return ({"tstamp": 15 * 10**8} for _ in range(count))


def each_class(words: str, above: str = "") -> Callable[[int], Iterator[str]]:
    """A line for each class; ``{share}`` is an even share of 5 Gb/s, bit/s. ``above``: of a class over all of them."""

    def lines(count: int) -> Iterator[str]:
        if above:
            yield f"{CLASS} 1: classid 1:1 {above}"
        parent = "1:1" if above else "1:"
        for number in range(count):
            yield f"{CLASS} {parent} classid 1:{number + 2:x} {words.format(share=5 * 10**9 // count)}"

    return lines


def none(count: int) -> Iterator[str]:
    return iter(())


@dataclass(frozen=True)
class Subject:
    """A discipline under load."""

    line: str
    """Kind and parameters."""
    packets: Callable[[int], Iterator[dict[str, Any]]] = hashes
    """Fields of one packet for each class or flow."""
    more: Callable[[int], Iterator[str]] = none
    """Further lines, for so many classes."""
    name: str = ""
    """If it is not the kind."""
    goal: float = ANY_US
    many: bool = False
    """It has as many classes or flows as one likes."""
    inside: int = 0
    """Packets that wait in all of them together; 0: ``DEEP`` in each."""
    arrive: int = 1
    """Packets that come for each that leaves: with more it is over its limit."""
    queues: int = 1


AVERAGE = "bandwidth 10gbit avpkt 1000"
SUBJECTS = [
    *(Subject(f"{kind} limit 100000000", goal=FIFO_US) for kind in ("pfifo", "bfifo", "pfifo_head_drop")),
    Subject("pfifo_fast", priorities, goal=FIFO_US),
    Subject("tbf rate 10gbit burst 100k limit 1m"),
    Subject("red limit 400000 min 30000 max 90000 avpkt 1000 burst 55 ecn"),
    Subject("gred setup DPs 4 default 0 grio"),
    Subject("codel"),
    Subject("pie"),
    Subject(f"choke limit 1000 min 100 max 300 {AVERAGE}"),
    Subject("sfb limit 100000 max 90000 target 80000", many=True),
    Subject("cbs idleslope 9000000 sendslope -1000000 hicredit 1514 locredit -1514"),
    Subject("etf clockid CLOCK_TAI delta 1000000000 skip_sock_check", stamped),
    Subject("prio", priorities),
    Subject("ets strict 4 quanta 3000 3000 3000 3000", priorities),
    Subject("dsmark indices 16", priorities),
    Subject("multiq", queues=8),
    Subject("taprio num_tc 1 map 0 queues 1@0 base-time 0 sched-entry S 1 1000000 clockid CLOCK_TAI", queues=2),
    Subject("sfq limit 65000 flows 20000 divisor 65536 headdrop", many=True),
    Subject("fq limit 100000", many=True),
    Subject("fq_codel limit 100000 flows 65536 target 10s interval 20s", many=True),
    Subject(
        "fq_codel limit 10000 flows 65536 target 10s interval 20s",
        many=True,
        inside=10_000,
        arrive=2,
        name="fq_codel/over-limit",
    ),
    Subject("drr", classids, each_class("drr quantum 1514"), many=True),
    Subject("qfq", classids, each_class("qfq weight 1 maxpkt 2048"), many=True),
    Subject("htb", classids, each_class("htb rate {share} ceil 10gbit quantum 1514", "htb rate 10gbit"), many=True),
    Subject("hfsc", classids, each_class("hfsc sc rate {share}", "hfsc ls rate 10gbit"), many=True),
    Subject(
        f"cbq {AVERAGE}",
        classids,
        each_class(
            "cbq bandwidth 10gbit rate {share} allot 1514 prio 5 avpkt 1000",
            "cbq bandwidth 10gbit rate 10gbit allot 1514 prio 5 avpkt 1000",
        ),
        many=True,
    ),
]
FILTERS = {
    "u32": "u32 match ip dport 1009 0xffff flowid 1:2",
    "flow/map": "handle 1 flow map key dst and 0xf baseclass 1:2",
    "flow/hash": "handle 1 flow hash keys src,dst,proto,proto-src,proto-dst divisor 16 baseclass 1:2",
    "fw": "handle 6 fw classid 1:2",
    "basic": "basic match 'cmp(u16 at 2 layer transport eq 1009)' classid 1:2",
    "flower": "flower ip_proto udp dst_port 1009 classid 1:2",
    "matchall": "matchall classid 1:2",
}


def rows() -> Iterator[Row]:
    """Each discipline with ten classes or flows, the ratio to it of ten thousand, and what a filter's verdict costs."""
    for subject in SUBJECTS:
        few = min(us_a_packet(subject, FEW) for _ in range(RUNS))
        name = f"qdisc/{subject.name or subject.line.split()[0]}"
        yield Row(name, few, "us/packet", "lower", goal=subject.goal)
        if subject.many:
            many = min(us_a_packet(subject, MANY) for _ in range(RUNS))
            yield Row(f"{name}/{MANY}-to-{FEW}", many / few, "x", "lower", goal=RATIO_GOAL)
    for name, rest in FILTERS.items():
        cost_us = min(us_a_verdict(rest) for _ in range(RUNS))
        yield Row(f"qdisc/filter/{name}", cost_us, "us/packet", "lower")


def device(lines: Iterable[str], queues: int = 1) -> tuple[NetDevice, Clock]:
    """A device with these lines carried out, under a clock of its own."""
    clock = Clock()
    dev = NetDevice(clock, name="eth0", num_tx_queues=queues)
    dev.watchdog_armed = clock.armed
    dev.speed_mbps = 10_000
    run = Tc([dev]).run
    for line in lines:
        run(line)
    return dev, clock


def us_a_packet(subject: Subject, count: int) -> float:
    """With so many classes or flows, each of which has packets waiting, taking turns."""
    inside = subject.inside or DEEP * count
    dev, clock = device([f"{ADD} {subject.line}", *subject.more(count)], subject.queues)
    enqueue, dequeue = dev.qdisc.enqueue, dev.qdisc.dequeue
    to_free: list[Skb] = []
    fields = list(subject.packets(count))
    skbs = [Skb(SIZE, pkt_len=SIZE, truesize=2304, **each) for each in islice(cycle(fields), inside + PACKETS)]
    for skb in skbs[:inside]:
        enqueue(skb, to_free)
    rest, arrive = iter(skbs[inside:]), subject.arrive
    gc.collect()
    gc.disable()
    try:
        begin_s = time.process_time()
        while batch := tuple(islice(rest, arrive)):
            clock.ns += BETWEEN_NS
            for skb in batch:
                enqueue(skb, to_free)
            if dequeue() is None:
                clock.ns = max(clock.ns, clock.wanted_ns)
        return (time.process_time() - begin_s) / PACKETS * 1e6
    finally:
        gc.enable()


def us_a_verdict(rest: str) -> float:
    """Of a filter that has a datagram's bytes before it."""
    dev, _ = device([f"{ADD} prio bands 16", f"{FILTER} {rest}"])
    block, match = dev.qdisc.block(0), Match()
    payload = bytes(SIZE - 42)
    frames = [Frame(protocol=UDP, ports=(7, 1000 + n), payload=payload, checksum=0).build() for n in range(FEW)]
    skbs = [Skb(SIZE, (frame,), pkt_len=SIZE) for frame in frames]
    begin_s = time.process_time()
    for skb in islice(cycle(skbs), PACKETS):
        block.classify(skb, match)
    return (time.process_time() - begin_s) / PACKETS * 1e6
