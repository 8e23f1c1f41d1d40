"""Who gets how much of a wire of 1 Gb/s: classes of htb, bands of prio."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from ringwire.host.world import World
from tests.control.bench import between, same
from tests.driver_bench import MS
from tests.queueing.load import SIZE, Flow, LoadBench, Seen, rates, wire_ns

ROOT = "tc qdisc add dev eth0 root handle 1:"


def to_class(port: int, classid: str) -> str:
    """A line that sends what goes to a UDP port to a class."""
    return f"tc filter add dev eth0 parent 1: protocol ip prio 1 u32 match ip dport {port} 0xffff flowid {classid}"


WITHIN = 0.01


# -- htb


@dataclass(frozen=True)
class Tree:
    """Three classes, 1:10 to 1:30, below one of 1 Gb/s: what tc is told of each, and which of them have traffic."""

    classes: tuple[str, str, str]
    backlogged: tuple[int, ...] = (10, 20, 30)
    stab: str = ""
    overhead: int = 0
    """Bytes of a frame that the rates count besides its own."""
    warm: int = 10 * MS
    """Until bursts are spent and byte queue limits have learnt."""
    window: int = 40 * MS


async def shared(world: World, tree: Tree) -> list[Seen]:
    """What is on the wire of the three flows, each with a class of its own."""
    lines = [
        f"{ROOT} {tree.stab} htb default 30",
        "tc class add dev eth0 parent 1: classid 1:1 htb rate 1gbit burst 3k cburst 3k",
    ]
    for minor, words in zip((10, 20, 30), tree.classes, strict=True):
        lines.append(f"tc class add dev eth0 parent 1:1 classid 1:{minor} htb {words} burst 3k cburst 3k")
        lines.append(to_class(5000 + minor, f"1:{minor}"))
    bench = await LoadBench(world, lines).up()
    end = tree.warm + tree.window
    bench.backlog(*(Flow(5000 + minor, end=end) for minor in tree.backlogged))
    return await bench.finish(end)


def shares(seen: Iterable[Seen], tree: Tree) -> dict[int, float]:
    """What each class has of the wire once the bursts are spent, Mbit/s."""
    found = rates(seen, tree.warm, tree.warm + tree.window, tree.overhead)
    return {port - 5000: rate for port, rate in found.items()}


def judge_shares(seen: Iterable[Seen], tree: Tree, want: Mapping[int, float]) -> None:
    """AssertionError unless each class has its rate, Mbit/s, within 1 %."""
    got = shares(seen, tree)
    same(sorted(got), sorted(want), "classes on the wire: ")
    for minor, rate in want.items():
        assert abs(got[minor] / rate - 1) <= WITHIN, f"class 1:{minor}: expected {rate} Mbit/s, got {got[minor]:.2f}"


# -- prio


TOP, MIDDLE, LOW = 5001, 5002, 5003


@dataclass(frozen=True)
class Stairs:
    """Bulk in the lowest band, then in the middle one too, then in the top one; they end in the opposite order."""

    step: int = 4 * MS
    bands: tuple[str, str, str] = ("1:1", "1:2", "1:3")
    """Of the three flows, TOP first."""


async def starved(world: World, stairs: Stairs) -> list[Seen]:
    """What is on the wire. AssertionError unless a flow is on it as soon as it has packets, and the wire never idle.

    What had left the discipline is before it: byte queue limits' worth and the packet that goes beyond, and a frame
    that was on the wire.
    """
    lines = [f"{ROOT} prio", *map(to_class, (TOP, MIDDLE, LOW), stairs.bands)]
    bench = await LoadBench(world, lines).up()
    step = stairs.step
    begins = {LOW: 0, MIDDLE: step, TOP: 2 * step}
    bench.backlog(*(Flow(port, begin, 5 * step - begin) for port, begin in begins.items()))
    limits: list[int] = []
    bench.at(step, lambda: limits.append(bench.dev.tx_queues[0].dql.limit))
    bench.at(2 * step, lambda: limits.append(bench.dev.tx_queues[0].dql.limit))
    seen = await bench.finish(5 * step)
    for port, limit in zip((MIDDLE, TOP), limits, strict=True):
        first = next(frame for frame in seen if frame.port == port)
        ahead = (limit // SIZE + 2) * wire_ns(SIZE)
        between(int(first.start_ns - begins[port]), 0, ahead, f"first frame of {port} after it is there, ns")
    no_gap(seen)
    return seen


def turns(seen: Iterable[Seen]) -> list[int]:
    """The flows in the order in which they have the wire, each as long as no other has."""
    return [port for port, _ in groupby(frame.port for frame in seen)]


def no_gap(seen: Sequence[Seen]) -> None:
    """AssertionError unless the wire is busy from the 100th frame to the last, to 8 ns a frame."""
    settled = seen[100:]
    took = settled[-1].start_ns - settled[0].start_ns
    want = sum(wire_ns(frame.size) for frame in settled[:-1])
    between(int(took), want - len(settled), want + 8 * len(settled), "the wire's time for all frames, ns")
