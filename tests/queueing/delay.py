"""How long a packet of a sparse flow waits behind bulk, at 1 Gb/s."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import NamedTuple

from ringwire.host.world import World
from tests.driver_bench import MS
from tests.queueing.load import GBIT, OVERHEAD, SIZE, Flow, LoadBench, S
from tests.queueing.sharing import ROOT

SPARSE = Flow(6000, size=200)
QUANTUM = SIZE


@dataclass(frozen=True)
class Sparse:
    """A packet of 200 bytes each millisecond or so: some before bulk flows begin, the others among these."""

    qdisc: str
    bulk: int = 4
    mod_ns: int = 0
    """Of interrupts: what byte queue limits let into the ring grows with it."""
    alone: int = 5
    among: int = 30


class Waited(NamedTuple):
    """From the stack to the first beat on the wire, ns."""

    alone: list[float]
    among: list[float]
    bound: list[int]
    """What each of the latter may have waited: what was in the ring, as byte queue limits allow, and one quantum."""


async def waited(world: World, config: Sparse) -> Waited:
    """Bulk of some flows, and what a sparse one sees of it.

    A packet of a flow that was idle is the next that fq_codel gives out. So all that is ahead of it has left the
    discipline: at most byte queue limits' bytes and the packet that went beyond them, which is a quantum, and the wire
    takes its own overhead for each frame. Its own way through host and device is what it takes alone.
    """
    bench = await LoadBench(world, [f"{ROOT} {config.qdisc}"], mod_ns=config.mod_ns).up()
    draw = random.Random(1)
    times = [MS * (number + 1) + draw.randrange(-200_000, 200_000) for number in range(config.alone + config.among)]
    begin, end = config.alone * MS + 300_000, times[-1] + MS
    bench.backlog(*(Flow(5001 + number, begin, end) for number in range(config.bulk)))
    limits: list[int] = []
    bench.send_at(SPARSE, times)
    for when in times[config.alone :]:
        bench.at(when, lambda: limits.append(bench.dev.tx_queues[0].dql.limit))
    seen = await bench.finish(end)
    waits = bench.delays(seen, SPARSE.port)
    alone, among = waits[: config.alone], waits[config.alone :]
    own = int(max(alone)) + 1
    bound = [own + (limit + QUANTUM) * (SIZE + OVERHEAD) * 8 * S // (SIZE * GBIT) for limit in limits]
    return Waited(alone, among, bound)
