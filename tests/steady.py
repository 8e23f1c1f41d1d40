"""Long healthy runs of the driver, from several CPUs, with settings that a replay does not have.

Head write-back, gathered reports, rate limits, weights, launch times and weak memory, changed under way where they may
be. The watch must find nothing, and each packet end once. ``healthy`` has the socket and the capture instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from ringwire.bql import MAX_LIMIT
from ringwire.checks import Watch, read_statistics
from ringwire.conformance.packets import plain, transport
from ringwire.cosim.world import SimulatedWorld
from ringwire.driver.config import DriverConfig
from ringwire.driver.ringwire import RingwireDriver
from ringwire.host.cpu import HostCosts
from ringwire.host.world import World
from ringwire.netdev import NetDevice, dev_queue_xmit
from ringwire.nic.frame import Frame
from ringwire.nic.twin_world import TwinWorld
from ringwire.skb import Skb
from tests.control.bench import HOST, take_faults
from tests.datapath.worlds import place, run

MS = 1_000_000
MBIT, GBIT = 10**6, 10**9
TEMPLATES = 300
"""Different packets; which comes when is drawn."""
IN_FLIGHT = 300
"""Packets between the sources and the wire: fewer than any qdisc drops."""
BURST = 24
CHANGES_EVERY = 500
"""Packets, on the average, between two changes of settings."""
TURN = 64
"""Packets after which what is on the wire is looked at."""
LIMIT_NS = 60_000 * MS


@dataclass(frozen=True)
class Steady:
    """So many packets, with settings and traffic from the seed."""

    packets: int
    seed: int
    queues: int
    config: DriverConfig
    bql: bool = True


def steady(sim: str, packets: int, seed: int, width: int = 512, queues: int = 1) -> str:
    """Send so many packets. AssertionError, naming what was found, if anything was; else what was done."""
    random = Random(seed)
    plan = Steady(packets, seed, queues, settings(random, width), random.random() < 0.7)
    knobs: dict[str, Any] = {
        "cpus": random.choice((1, 2, 4)),
        "latency_ns": random.choice((0, 200, 1000, 2000)),
        "jitter_ns": random.choice((0, 0, 300)),
        "read_stalls": random.choice((0.0, 0.0, 0.2)),
        "dma_order_ns": random.choice((0, 0, 1000)),
    }
    costs = random.choice((HOST, HostCosts(), HostCosts()))
    frames = run(place(sim), traffic, plan, queues=queues, data_w=width, seed=seed, costs=costs, limit_s=3600, **knobs)
    host = {**knobs, "free": costs == HOST, "bql": plan.bql}
    return f"{sim}, {width} bits, {queues} queues, {packets} packets in {frames} frames, {host}, {plan.config}"


def settings(random: Random, width: int) -> DriverConfig:
    """Any settings of the driver with which nothing is lost."""
    mod_ns, threshold = random.choice((0, 0, 5_000, 50_000)), random.choice((1, 1, 4, 16))
    return DriverConfig(
        ring_entries=random.choice((64, 128, 256, 1024)),
        line_rate_bps=random.choice((0, GBIT, 10 * GBIT, 10 * GBIT if width < 512 else 100 * GBIT)),
        mod_ns=mod_ns,
        mod_frames=random.choice((0, 4, 32)) if mod_ns else 0,
        cpl_threshold=threshold,
        cpl_timer_ns=random.choice((500, 5_000)) if threshold > 1 else 0,
        report_every=random.choice((1, 1, 4, 16)),
        head_write_back=random.random() < 0.4,
        complete_at_fetch=random.random() < 0.1,
        budget=random.choice((64, 64, 8)),
    )


async def traffic(world: World, plan: Steady) -> int:
    """All of it; how many frames there were. AssertionError if the watch or the accounts show what they must not."""
    source = Source(world, plan)
    try:
        return await _all(world, source, plan)
    except AssertionError:
        raise
    except Exception as error:
        source.watch.findings.blame(error)
        raise AssertionError("; ".join([*source.watch.findings.lines(), f"{type(error).__name__}: {error}"])) from error


async def _all(world: World, source: Source, plan: Steady) -> int:
    take = _take(world)
    watch, driver = source.watch, source.driver
    driver.open()
    await world.run(lambda: driver.up, MS, "the driver to be up")
    source.start()
    while source.freed < plan.packets:
        goal = min(source.freed + TURN, plan.packets)
        await world.run(lambda goal=goal: source.freed >= goal, LIMIT_NS, "packets to come to their end")  # type: ignore[misc]
        watch.frames(take())
    await world.pause(200_000)
    stats = await read_statistics(world)
    watch.frames(take())
    watch.finish(stats, take_faults(world))
    assert not watch.findings, "; ".join(watch.findings.lines())
    dropped = source.dev.tx_dropped + sum(txq.qdisc.stats().drops for txq in source.dev.tx_queues)
    assert (source.sent, source.freed, dropped) == (plan.packets, plan.packets, 0)
    return watch.wire_frames


def _take(world: World) -> Callable[[], Sequence[Frame]]:
    """The frames since the last call, which are then forgotten."""
    if isinstance(world, SimulatedWorld):
        return world.capture.take
    assert isinstance(world, TwinWorld)
    wire = world.wire

    def take() -> Sequence[Frame]:
        taken = wire.copy()
        wire.clear()
        return taken

    return take


class Source:
    """Sends bursts from every CPU as long as not too much is in flight, and changes settings now and then."""

    def __init__(self, world: World, plan: Steady) -> None:
        self.plan = plan
        self.draw = Random(plan.seed)
        self.sent = self.freed = 0
        self._cpus = cpus = world.cpus
        self._waiting: list[int] = []
        """CPUs that wait until less is in flight."""
        self.watch = Watch(world)
        self.dev = NetDevice(cpus, num_tx_queues=plan.queues, mtu=9000, costs=cpus.costs, charge=cpus.charge)
        ports = [world.port(queue % len(cpus)) for queue in range(plan.queues)]
        self.driver = RingwireDriver(world.port(), self.dev, plan.config, ports)
        self.watch.attach(self.dev)
        world.on_stuck.append(self.driver.describe)
        if not plan.bql:
            for txq in self.dev.tx_queues:
                txq.dql.min_limit = txq.dql.limit = txq.dql.adj_limit = MAX_LIMIT
        self._templates = [template(self.draw) for _ in range(TEMPLATES)]

    def start(self) -> None:
        """Let every CPU send."""
        for queue in range(self.plan.queues):
            self.driver.set_launch_time(queue, self.draw.random() < 0.3, drop_late=False)
            self._change(queue)
        for cpu in range(len(self._cpus)):
            self._next(cpu, 0)

    def _next(self, cpu: int, after_ns: int) -> None:
        self._cpus[cpu].call_at(self._cpus.now_ns() + after_ns, lambda: self._burst(cpu))

    def _burst(self, cpu: int) -> None:
        draw = self.draw
        for _ in range(min(draw.choice((1, 1, 2, 5, BURST)), self.plan.packets - self.sent)):
            if self.sent - self.freed >= IN_FLIGHT:
                break
            self.sent += 1
            skb = replace(draw.choice(self._templates), hash=draw.getrandbits(32), destructor=self._ended)
            skb.wants_timestamp = draw.random() < 0.05
            skb.tstamp = self._cpus.now_ns() + draw.randrange(20_000) if draw.random() < 0.1 else 0
            dev_queue_xmit(skb, self.dev)
            if draw.random() < 1 / CHANGES_EVERY:
                self._change(draw.randrange(self.plan.queues))
        if self.sent - self.freed >= IN_FLIGHT:
            self._waiting.append(cpu)
        elif self.sent < self.plan.packets:
            self._next(cpu, draw.choice((0, 200, 2_000, 10_000)))

    def _ended(self, skb: Skb) -> None:
        self.freed += 1
        if self._waiting and self.sent - self.freed < IN_FLIGHT // 2:
            waiting, self._waiting = self._waiting, []
            for cpu in waiting:
                self._next(cpu, 0)

    def _change(self, queue: int) -> None:
        """Other limits, weights and moderation."""
        draw, driver = self.draw, self.driver
        driver.ndo_set_tx_maxrate(self.dev.tx_queues[queue], draw.choice((0, 0, 0, 300, 1000, 5000)))
        driver.set_weight(queue, draw.choice((0, 0, 64, 3_000, 100_000)))
        driver.set_priority(queue, draw.randrange(8))
        driver.set_coalesce(draw.choice((0, 2_000, 20_000)), 0)


def template(random: Random) -> Skb:
    """One in sixteen is a super-packet, half have a checksum to be made, a few a tag; fragments of any length."""
    payload = random.randbytes(random.choice((0, 1, 18, 60, 400, 1400, random.randint(1, 1400))))
    cuts = sorted(random.sample(range(1, 60), random.choice((0, 0, 1, 3, 16))))
    if random.random() < 0.4:
        return plain(random.randbytes(60) + payload, *cuts)
    tci = random.choice((None, None, None, 100))
    udp, v6, ident = random.random() < 0.4, random.random() < 0.3, random.randrange(65_536)
    if random.random() < 0.1:
        mss = random.choice((536, 1448, 8000))
        payload = random.randbytes(random.randint(mss + 1, 20_000))
        return transport(payload, *cuts, mss=mss, udp=udp, v6=v6, ident=ident, tci=tci)
    return transport(payload, *cuts, udp=udp, v6=v6, ident=ident, tci=tci)
