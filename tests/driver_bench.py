"""A driver under load in any world, with each packet's fate on record."""

from __future__ import annotations

import random
from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ringwire.checks import Watch, read_statistics
from ringwire.driver.config import DriverConfig
from ringwire.driver.ringwire import RingwireDriver
from ringwire.driver.tx_ring import TxRing
from ringwire.host.world import World
from ringwire.netdev import NetDevice, dev_queue_xmit
from ringwire.nic.registers import GLOBAL_OFFSETS
from ringwire.skb import Skb
from tests.control.bench import sent, take_faults
from tests.raw_queue import read

MS = 1_000_000
W = TypeVar("W", bound=World)


class CountedSkb(Skb):
    """A packet that knows how often it was freed."""

    __slots__ = ("freed",)

    def __init__(self, *values: Any, **fields: Any) -> None:
        super().__init__(*values, **fields)
        self.freed = 0

    def free(self) -> None:
        self.freed += 1
        super().free()


class DriverBench(Generic[W]):
    """A device and its driver in a world. Queue n's interrupts run on CPU n, as far as there are so many."""

    def __init__(self, world: W, config: DriverConfig | None = None, queues: int = 1, seed: int = 1) -> None:
        self.world = world
        cpus = world.cpus
        self.watch = Watch(world)
        self.dev = NetDevice(cpus, num_tx_queues=queues, costs=cpus.costs, charge=cpus.charge)
        ports = [world.port(queue % len(cpus)) for queue in range(queues)]
        self.driver = RingwireDriver(world.port(), self.dev, config, ports)
        self.watch.attach(self.dev)
        world.on_stuck.append(self.driver.describe)
        self.draw = random.Random(seed)
        self.skbs: list[CountedSkb] = []

    async def up(self) -> DriverBench[W]:
        """Open the driver and wait for it."""
        self.driver.open()
        await self.world.run(lambda: self.driver.up, MS, "the driver to be up")
        await self.world.pause(2_000)
        return self

    def skb(self, *sizes: int, **fields: Any) -> CountedSkb:
        """A packet of fragments of these sizes, whose bytes are its own."""
        data = tuple(self.draw.randbytes(size) for size in sizes)
        skb = CountedSkb(sum(sizes), data, id=len(self.skbs), **fields)
        self.skbs.append(skb)
        return skb

    def send(self, *sizes: int, **fields: Any) -> CountedSkb:
        """Through the stack."""
        skb = self.skb(*sizes, **fields)
        dev_queue_xmit(skb, self.dev)
        return skb

    def xmit(self, skb: Skb, more: bool = False, queue: int = 0) -> int:
        """Straight to the driver, as the stack's last step does it."""
        return self.driver.ndo_start_xmit(skb, self.dev.tx_queues[queue], more)

    def count_reads(self) -> list[int]:
        """Registers that are read from now on."""
        reads: list[int] = []
        post_read = self.world.post_read

        def note(due_ps: int, register: int, answer: Callable[[int, int], None]) -> None:
            reads.append(register)
            post_read(due_ps, register, answer)

        self.world.post_read = note  # type: ignore[method-assign]
        return reads

    async def all_done(self, limit_ns: int = 2000 * MS) -> None:
        """Wait until every packet has come to its end, and the device has heard of it."""
        await self.world.run(lambda: all(skb.freed for skb in self.skbs), limit_ns, "every packet's end")
        await self.world.pause(50_000)

    def check(self) -> None:
        """The books are balanced: nothing lost, nothing twice, nothing left."""
        assert [skb.id for skb in self.skbs if skb.freed != 1] == []
        for ring in self.driver.rings:
            assert ring.in_flight == 0
            assert ring.free == ring.config.ring_entries - 1
            assert ring.txq.dql.num_queued == ring.txq.dql.num_completed
            assert not ring.txq.xmit_stopped
        self.world.memory.check_balance()

    async def close_books(self, allowed: Set[str] = frozenset()) -> None:
        """The watch has found nothing, but for what is allowed."""
        stats = await read_statistics(self.world)
        self.watch.frames(sent(self.world))
        self.watch.finish(stats, take_faults(self.world))
        assert self.watch.findings.bugs <= allowed, self.watch.findings.lines()

    def wire(self, queue: int = 0) -> list[bytes]:
        """What has left of a queue."""
        return [frame.data for frame in sent(self.world, queue)]

    def frames(self, queue: int = 0) -> list[bytes]:
        """What the wire should carry of all its packets."""
        return [skb.linear().ljust(60, b"\0") for skb in self.skbs if skb.queue_mapping == queue]


UNREADABLE = frozenset({"use-after-unmap", "read-error", "frame-differs", "frame-unexpected", "frame-lost"})
"""What packets that the device can't read look like."""


@dataclass(frozen=True)
class Storm:
    """Random bursts from random CPUs, with or without trouble."""

    config: DriverConfig
    faults: bool = False
    """Unreadable packets, queue resets, changes of rings and moderation."""
    seed: int = 1
    bursts: int = 25


async def storm(world: World, plan: Storm) -> None:
    """Two queues under random load. AssertionError unless each packet ends once and the books balance."""
    bench = await DriverBench(world, plan.config, queues=2, seed=plan.seed).up()
    draw, driver, cpus = bench.draw, bench.driver, len(world.cpus)
    coming = 0
    """Troubles that are planned and have not happened."""

    def burst() -> None:
        for _ in range(draw.choice([1, 1, 2, 8, 40])):
            sizes = [draw.randint(1, 900) for _ in range(draw.choice([1, 1, 2, 2, 3, 18]))]
            bench.send(*sizes, hash=draw.getrandbits(32), wants_timestamp=draw.random() < 0.1)

    def trouble() -> None:
        nonlocal coming
        coming -= 1
        ring = draw.choice(driver.rings)
        match draw.randrange(4):
            case 0 if ring.in_flight:
                world.memory.forbid(draw.choice(draw.choice(list(ring.pending()))[2]))
            case 1:
                driver.reset_queue(ring.txq.index, draw.choice([0, 20_000]))
            case 2:
                driver.set_ring(draw.choice([64, 128]), draw.choice([0, 20_000]))
            case 3:
                driver.set_coalesce(draw.choice([0, 9_000]), 0)

    when = world.timeline.now_ns
    for _ in range(plan.bursts):
        when += draw.choice([0, 500, 5_000, 50_000])
        world.cpus[draw.randrange(cpus)].call_at(when, burst)
        if plan.faults and draw.random() < 0.2:
            coming += 1
            world.cpus[draw.randrange(cpus)].call_at(when + draw.randrange(20_000), trouble)

    def all_over() -> bool:
        for ring in driver.rings:
            check_never_forgotten(ring)
        return world.timeline.now_ns > when and not coming and all(skb.freed for skb in bench.skbs)

    await world.run(all_over, 20_000 * MS, "every packet's end")
    await world.run(lambda: not any(ring.held for ring in driver.rings), 100 * MS, "the last reset")
    while not await read(world, GLOBAL_OFFSETS["STATUS"]):
        await world.pause(10_000)
    bench.check()
    judge(bench, plan)
    await bench.close_books(UNREADABLE if plan.faults else frozenset())


@dataclass(frozen=True)
class Resets:
    """Queues that are reset again and again, and now and then get rings of another size, under load."""

    config: DriverConfig
    resets: int
    seed: int = 1


async def reset_storm(world: World, plan: Resets) -> int:
    """Two queues under load until so many resets have ended. AssertionError unless each packet ends once.

    Returns how many packets there were.
    """
    bench = await DriverBench(world, plan.config, queues=2, seed=plan.seed).up()
    draw, driver, timeline = bench.draw, bench.driver, world.timeline

    def done() -> bool:
        return sum(ring.resets for ring in driver.rings) >= plan.resets

    def burst() -> None:
        for _ in range(draw.choice([1, 2, 5])):
            bench.send(*[draw.randint(1, 700) for _ in range(draw.choice([1, 1, 2]))], hash=draw.getrandbits(32))
        again(draw.randint(500, 8_000), burst)

    def again(in_ns: int, what: Callable[[], None]) -> None:
        if done():
            over.append(what)
        else:
            world.cpus.call_at(timeline.now_ns + in_ns, what)

    def reset() -> None:
        if draw.random() < 0.1:
            driver.set_ring(draw.choice([64, 128]), draw.choice([0, 5_000]))
        else:
            driver.reset_queue(draw.randrange(2), draw.choice([0, 0, 5_000]))
        again(draw.randint(0, 20_000), reset)

    over: list[Callable[[], None]] = []
    world.cpus.call_at(timeline.now_ns, burst)
    world.cpus.call_at(timeline.now_ns, reset)
    await world.run(done, plan.resets * MS, "the resets")
    await world.run(lambda: len(over) == 2, MS, "the last burst")
    await world.run(lambda: not any(ring.held for ring in driver.rings), 100 * MS, "the last reset")
    await bench.all_done()
    bench.check()
    judge(bench, Storm(plan.config, faults=True))
    await bench.close_books()
    return len(bench.skbs)


def check_never_forgotten(ring: TxRing) -> None:
    """A queue that is stopped waits for something that will come."""
    if ring.txq.stopped and not ring.held:
        assert ring.in_flight, f"stopped with an empty ring: {ring.describe()}"
        assert ring._rung == ring._next, f"stopped, and the doorbell not rung: {ring.describe()}"


def judge(bench: DriverBench[Any], plan: Storm) -> None:
    """What the driver says was sent is on the wire, in order; what is not, it has counted as lost."""
    found = bench.driver.statistics()
    total = bench.dev.qdisc.stats().drops
    for queue in range(2):
        prefix = f"tx{queue}_"
        packets = found[prefix + "packets"]
        lost = found[prefix + "dropped"] + found[prefix + "forgotten"]
        lost += sum(count for name, count in found.items() if name.startswith(prefix + "error_"))
        wire, frames = bench.wire(queue), bench.frames(queue)
        rest = iter(frames)
        assert all(frame in rest for frame in wire), "frames left out of order, changed or twice"
        if not plan.faults:
            assert (wire, lost) == (frames, 0)
        if not plan.config.complete_at_fetch:
            # what was sent without a report when a reset came counts as lost
            assert len(wire) >= packets
            assert len(wire) == packets or plan.config.report_every > 1
        total += packets + lost
    assert total == len(bench.skbs)
