"""When packets that a discipline holds back are on the wire: tbf's bucket, fq's pacing and departure times."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ringwire.host.world import World
from ringwire.sock import Sock
from tests.control.bench import between, same
from tests.driver_bench import MS
from tests.queueing.load import SIZE, Flow, LoadBench, S, Seen
from tests.queueing.sharing import ROOT

MBIT = 1_000_000
LEAVES_LATER = 3_000
"""How much later one packet may leave host and device after it was given out than another, ns: an interrupt may have
the CPU, a memory read may wait."""


@dataclass(frozen=True)
class Bucket:
    """A token bucket under bulk. Bits a second, bytes."""

    rate: int = 100 * MBIT
    burst: int = 5_000
    peak: int = 0
    size: int = SIZE
    window: int = 40 * MS

    @property
    def line(self) -> str:
        """As tc is told."""
        peak = f" peakrate {self.peak}bit mtu {self.size}" if self.peak else ""
        return f"{ROOT} tbf rate {self.rate}bit burst {self.burst} limit 200000{peak}"


async def bucket(world: World, config: Bucket) -> list[Seen]:
    """What is on the wire. AssertionError if it is more than the bucket lets out in any time, or less than its rate."""
    bench = await LoadBench(world, [config.line]).up()
    bench.backlog(Flow(5001, end=config.window, size=config.size))
    seen = await bench.finish(config.window)
    conforms(seen, config.rate, config.burst)
    if config.peak:
        conforms(seen, config.peak, config.size)
    frames = [frame for frame in seen if MS <= frame.start_ns < config.window]
    took = frames[-1].start_ns - frames[0].start_ns
    got = sum(frame.size for frame in frames[:-1]) * 8 * S / took
    between(round(got), round(config.rate * 0.999), round(config.rate * 1.001), "bit/s over the window")
    return seen


def conforms(seen: Sequence[Seen], rate: int, burst: int) -> None:
    """AssertionError if between any two frames, with both, there is more than the bucket and what flows into it."""
    most = burst + rate * LEAVES_LATER / (8 * S)
    total, lowest = 0, 0.0
    """Bytes so far; the least by which they were above what the rate had given."""
    for number, frame in enumerate(seen):
        given = rate * (frame.start_ns - seen[0].start_ns) / (8 * S)
        lowest = min(lowest, total - given)
        total += frame.size
        more = total - given - lowest
        assert more <= most, f"frame {number}: {more:.0f} bytes, allowed: {most:.0f}"


# -- fq


@dataclass(frozen=True)
class Paced:
    """Backlogged flows whose sockets have pacing rates, bit/s."""

    rates: tuple[int, ...] = (10 * MBIT, 33 * MBIT, 200 * MBIT)
    window: int = 40 * MS


def paced_port(number: int) -> int:
    return 5001 + number


async def paced(world: World, config: Paced) -> None:
    """Each flow's frames are as far apart as its rate says, from the first to any other.

    But for the slack of fq's timer, frames of the others that were given out before, and host and device.
    """
    slack = 1_000
    bench = await LoadBench(world, [f"{ROOT} fq quantum {SIZE} initial_quantum {SIZE} timer_slack {slack}"]).up()
    flows = [
        Flow(paced_port(number), end=config.window, fields={"sk": Sock(max_pacing_rate=rate // 8)})
        for number, rate in enumerate(config.rates)
    ]
    bench.backlog(*flows)
    seen = await bench.finish(config.window)
    for number, rate in enumerate(config.rates):
        starts = [frame.start_ns for frame in seen if frame.port == paced_port(number)]
        late = [start - starts[0] - at * SIZE * 8 * S / rate for at, start in enumerate(starts)]
        assert len(starts) >= rate * config.window // (SIZE * 8 * S)
        others = (len(flows) - 1) * (SIZE + 24) * 8
        between(int(max(late)), 0, slack + others + LEAVES_LATER, f"ns that a frame at {rate} bit/s was late")
        between(int(min(late)), -others - LEAVES_LATER, 0, f"ns that a frame at {rate} bit/s was early")


async def departed(world: World, count: int) -> list[float]:
    """Packets with departure times (EDT) of their own, in fq: none leaves before; returns how much later each does."""
    bench = await LoadBench(world, [f"{ROOT} fq timer_slack 0"]).up()
    draw = random.Random(1)
    due = [MS + number * 20_000 + draw.randrange(5_000) for number in range(count)]
    flow = Flow(5001, size=300)
    for when in due:
        bench.at(when - 500_000, partial(bench.emit, flow, tstamp=bench.begin_ns + when))
    seen = await bench.finish(due[-1] + MS)
    same([frame.number for frame in seen], list(range(count)), "packets on the wire: ")
    return [frame.start_ns - when for frame, when in zip(seen, due, strict=True)]
