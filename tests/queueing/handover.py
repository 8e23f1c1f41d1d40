"""What disciplines leave to the device or say to it: launch times (etf, taprio), traffic classes (mqprio, taprio)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from ringwire.host.world import World
from tests.control.bench import same
from tests.driver_bench import MS
from tests.queueing.load import GBIT, SIZE, Flow, LoadBench, Seen, rates, wire_ns
from tests.queueing.sharing import ROOT

LOW, HIGH = 5001, 5002
"""Ports of the two flows; the second one's packets have priority 1."""
OFFLOAD = "etf clockid CLOCK_TAI delta 100000 offload skip_sock_check"
CLASSES = "num_tc 2 map 0 1 queues 1@0 1@1"
QUEUES = 4
"""Of the device, more than are used."""


def flow(port: int, begin: int = 0, end: int = 0, size: int = SIZE) -> Flow:
    return Flow(port, begin, end, size, {"priority": int(port == HIGH)})


# -- etf


@dataclass(frozen=True)
class Launches:
    """Packets with launch times, handed over out of order."""

    count: int = 40
    line_bps: int = GBIT
    size: int = 300
    others: int = 0
    """Frames a millisecond of another queue and a lower traffic class."""


async def launched(world: World, config: Launches) -> list[float]:
    """How much later than its time each packet is on the wire, ns. AssertionError unless in order of the times.

    Where others may be on the wire at that time, it may have been late when its turn came: then it is dropped.
    """
    if config.others:
        lines = [f"{ROOT} mqprio {CLASSES} hw 1", f"tc qdisc replace dev eth0 parent 1:2 {OFFLOAD}"]
    else:
        lines = [f"{ROOT} {OFFLOAD}"]
    bench = await LoadBench(world, lines, QUEUES if config.others else 1, config.line_bps).up()
    draw = random.Random(2)
    due = [2 * MS + number * 100_000 + draw.randrange(50_000) for number in range(config.count)]
    high, low = flow(HIGH, size=config.size), flow(LOW)
    for when in draw.sample(due, config.count):
        bench.at(0, partial(bench.emit, high, tstamp=bench.begin_ns + when))
    if config.others:
        bench.excuse_late()
        bench.send_at(low, sorted(draw.randrange(due[-1]) for _ in range(config.others * due[-1] // MS)))
    seen = [frame for frame in await bench.finish(due[-1]) if frame.port == HIGH]
    launch = {number: skb.tstamp - bench.begin_ns for number, skb in enumerate(bench.of(HIGH))}
    times = [launch[frame.number] for frame in seen]
    same(times, sorted(times), "packets by their times: ")
    assert config.others or len(seen) == config.count
    return [frame.start_ns - launch[frame.number] for frame in seen]


# -- mqprio


@dataclass(frozen=True)
class Classes:
    """Two classes with a queue each, both backlogged: the lower all the time, the higher in the middle of it."""

    options: str
    step: int = 8 * MS

    @property
    def window(self) -> int:
        """What is looked at of each step: its end."""
        return self.step * 3 // 4

    @property
    def frame_mbps(self) -> float:
        """What one frame in the window is."""
        return SIZE * 8000 / self.window


async def classes(world: World, config: Classes) -> tuple[list[float], list[float]]:
    """Mbit/s of (the lower, the higher) class while it is alone, and while both are backlogged."""
    bench = await LoadBench(world, [f"{ROOT} mqprio {CLASSES} {config.options}"], QUEUES).up()
    step = config.step
    bench.backlog(flow(LOW, 0, 3 * step), flow(HIGH, step, 2 * step))
    seen = await bench.finish(3 * step)
    same({(frame.port, frame.queue) for frame in seen}, {(LOW, 0), (HIGH, 1)}, "flows and their queues: ")
    found = []
    for end in (step, 2 * step):
        got = rates(seen, end - config.window, end)
        found.append([got.get(port, 0.0) for port in (LOW, HIGH)])
    return found[0], found[1]


# -- taprio


@dataclass(frozen=True)
class Gates:
    """Two classes whose gates are open in turn. Windows in ns, of class 0 and of class 1."""

    windows: tuple[int, int] = (300_000, 200_000)
    assisted: bool = False
    """Each packet is given a launch time in a window of its class, which etf below hands to the device."""
    cycles: int = 20
    a_cycle: int = 5
    """Packets that each class is given in one, at any time."""


class Placed(NamedTuple):
    """A frame among the windows."""

    port: int
    window: int
    """The class in whose window it begins."""
    over: float
    """How far its end is beyond the window's, ns; below 0 it is through."""


async def gated(world: World, config: Gates) -> list[Placed]:
    """Where the frames are. AssertionError unless each flow has its own queue.

    The size table has the windows count what a frame takes of the wire. Launches follow each other without a gap, so
    that the next is to be in the device before one is done: byte queue limits, which are learnt, are told so.
    """
    bench = await LoadBench(world, [], QUEUES).up()
    cycle = sum(config.windows)
    begin, end = 2 * cycle, (2 + config.cycles) * cycle
    entries = " ".join(f"sched-entry S {1 << tc} {length}" for tc, length in enumerate(config.windows))
    assist = " flags 1 txtime-delay 50000" if config.assisted else ""
    base = bench.begin_ns + begin
    bench.run(f"{ROOT} stab overhead 24 taprio {CLASSES} base-time {base} {entries} clockid CLOCK_TAI{assist}")
    if config.assisted:
        for queue in range(2):
            bench.run(f"tc qdisc replace dev eth0 parent 1:{queue + 1} {OFFLOAD}")
            bench.run(f"echo 100000 > /sys/class/net/eth0/queues/tx-{queue}/byte_queue_limits/limit_min")
    draw = random.Random(3)
    for port in (LOW, HIGH):
        bench.send_at(flow(port), sorted(draw.randrange(begin, end) for _ in range(config.a_cycle * config.cycles)))
    seen = await bench.finish(end)
    same({(frame.port, frame.queue) for frame in seen}, {(LOW, 0), (HIGH, 1)}, "flows and their queues: ")
    return [placed(frame, begin, config.windows) for frame in seen]


def placed(frame: Seen, base: int, windows: tuple[int, int]) -> Placed:
    """Where a frame is, in windows that repeat from ``base`` on."""
    at = (frame.start_ns - base) % sum(windows)
    window = int(at >= windows[0])
    return Placed(frame.port, window, at + wire_ns(frame.size) - sum(windows[: window + 1]))
