"""The replay itself, inside a world, whatever its device is: the stack above, the wire below, and the accounts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from ringwire.checks import Watch, read_statistics
from ringwire.faults import fault_named, watch_under
from ringwire.host.posted import UnreliableWrites
from ringwire.host.world import World
from ringwire.netdev import NETDEV_TX_OK, TxQueue
from ringwire.nic.descriptors import Status
from ringwire.nic.registers import Stat, queue_register
from ringwire.qdisc.offload import EtfOffload
from ringwire.registry import load_file
from ringwire.replay.config import ReplayConfig
from ringwire.replay.packets import read_packets
from ringwire.replay.report import Measured
from ringwire.replay.source import PacedSource, Packets, Source
from ringwire.replay.survey import Survey, segments
from ringwire.replay.wire import Wire
from ringwire.rig.host import Host, blaming
from ringwire.rig.plugin import driver_factory
from ringwire.rig.run import Device
from ringwire.skb import Skb
from ringwire.socket import Socket

SETTLE_NS = 100_000
"""What a line at the end may take to have its effect in the device."""
SLACK_NS = 20_000_000_000
"""Beyond what wire and host need; the transmit watchdog has named a stuck queue three times by then. One that is set to
look later has more time.
"""
LAUNCH_AHEAD_NS = 100_000
"""How long before its launch time a packet is handed over."""
FRAMES_A_TURN = 64
"""Frames handed to the driver before what is on the wire is looked at."""
WRITES_AT_ONCE = 16
PROGRESS_S = 0.2
HOST_NS_A_FRAME = 10_000
"""More than the host takes for any frame."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a replay needs; travels to the simulator's process."""

    config: ReplayConfig
    survey: Survey
    packets: Path
    """Where the capture's packets are, as :func:`ringwire.replay.packets.write_packets` leaves them."""
    out: Path | None
    """Where to write the wire's pcap: in a folder that the caller removes, whatever happens."""


async def run(world: World, device: Device, job: Job) -> Measured:
    """Replay a capture in ``world``, from setting the device up to the last completion.

    The device's progress is ``<frames so far> <simulated ns>`` now and then.
    """
    config = job.config
    for path in config.load:  # here this process may be another one
        load_file(path)
    with closing(Wire(config.line_rate_bps, job.out)) as wire:
        if config.doorbell_loss or config.doorbell_delay:
            world.bus = unreliable(world, config)
        watch = watch_under(world, fault_named(config.fault))
        host = ReplayHost(world, config, watch)
        return await blaming(world, watch, _with_packets(world, job, device, host, wire))


async def _with_packets(world: World, job: Job, device: Device, host: ReplayHost, wire: Wire) -> Measured:
    await host.open()
    with ExitStack() as opened:
        packets = [opened.enter_context(closing(read_packets(job.packets, cpu))) for cpu in range(job.config.cpus)]
        return await _replay(world, job, device, host, wire, packets)


async def _replay(
    world: World, job: Job, device: Device, host: ReplayHost, wire: Wire, packets: Sequence[Packets]
) -> Measured:
    config, found = job.config, Measured()
    begin_ns, begin_s = world.timeline.now_ns, time.perf_counter()
    begin_edges = device.edges() if device.edges else 0
    begin_interrupts = world.interrupts
    paced = host.start(config, packets, job.survey.first_ns)
    if paced is not None:
        wire.offset_ns = job.survey.first_ns - paced.start_ns

    limit_ns = (
        max(SLACK_NS, 4_000_000 * config.watchdog_ms)
        + 2 * job.survey.wire_bytes * 8_000_000_000 // config.line_rate_bps
    )
    limit_ns += job.survey.frames * HOST_NS_A_FRAME + (job.survey.span_ns if paced is not None else 0)
    told_s = begin_s
    while not host.finished():
        left_ns = begin_ns + limit_ns - world.timeline.now_ns
        await world.run(host.turn_is_over, left_ns, "every packet to be sent or dropped")
        _take_frames(device, host, wire)
        now_s = time.perf_counter()
        if now_s - told_s > PROGRESS_S:
            told_s = now_s
            device.progress(f"{wire.frames} {world.timeline.now_ns - begin_ns}")
    found.simulated_ns = world.timeline.now_ns - begin_ns
    if device.edges:
        found.simulated_cycles = device.edges() - begin_edges
    found.wall_s = time.perf_counter() - begin_s
    found.interrupts = world.interrupts - begin_interrupts

    stats = await read_statistics(world)
    _take_frames(device, host, wire)
    host.watch.finish(stats, device.faults())
    found.frames, found.bytes, found.wire_utilisation = wire.frames, wire.bytes, wire.utilisation
    found.descriptors, found.doorbells = stats[Stat.DESC_FETCHED], stats[Stat.DOORBELLS]
    found.bql_limit = host.bql_limit if config.bql else None
    found.printed = host.printed
    for line in config.afterwards:
        found.printed += host.commands.run(line)
        await world.pause(SETTLE_NS)
    found.packets, found.dropped_packets, found.dropped_frames = host.packets, host.dropped_packets, host.dropped_frames
    found.late_packets = stats[Stat.ERR_LATE]
    found.requeues = sum(txq.qdisc.requeues for txq in host.dev.tx_queues)
    found.sender_waits = host.waits
    found.problems = [*host.watch.findings.lines(), *host.problems(job.survey), *_counted_wrongly(stats, wire)]
    return found


def _take_frames(device: Device, host: ReplayHost, wire: Wire) -> None:
    frames = device.take_frames()
    wire.take(frames)
    host.watch.frames(frames)


class ReplayHost(Host):
    """The stack and the driver of a replay, and what became of each packet."""

    def __init__(self, world: World, config: ReplayConfig, watch: Watch) -> None:
        self._costs = world.cpus.costs
        fault = fault_named(config.fault)
        factory = driver_factory(config.driver) if fault is None or fault.driver is None else fault.driver
        super().__init__(world, config, watch, factory)
        if fault is not None and fault.stack is not None:
            fault.stack(self.dev)
        self.dev.on_drop = self._note_drop
        self._xmit = self.dev.start_xmit
        self.dev.start_xmit = self._note_xmit
        self._drop_late = config.drop_late
        watch.attach(self.dev)
        world.on_stuck.append(lambda: f"{self.freed} of {self.packets} packets that came were sent or dropped")

        self._given_frames = self._turn_ends = 0
        self.bql_limit = 0
        """The highest that any queue has had."""
        self.freed = 0
        self.dropped_packets = self.dropped_frames = 0
        self._drops = 0
        self._lost_without = {"up": 0, "carrier on": 0}
        """Packets that were dropped because the interface was not so."""
        self._sources: list[Source] = []
        """One a CPU."""

    def start(self, config: ReplayConfig, packets: Sequence[Packets], first_ns: int) -> PacedSource | None:
        """Begin to send, on each CPU what it has; a source, if they go by the capture's times, which begin there."""
        syscall_ns = self._costs.syscall_ns
        # etf's offload has the device drop what is late, as --late drop does
        self._drop_late |= self.dev.offloads.works(EtfOffload)
        if config.pace != "fast":
            ahead_ns = LAUNCH_AHEAD_NS if config.pace == "launch" else 0
            paced = [
                PacedSource(self.dev, clock, its, syscall_ns, self._note_end, first_ns, ahead_ns)
                for clock, its in zip(self.clocks, packets, strict=True)
            ]
            self._sources += paced
            return paced[0]
        # between two writes the CPU may take an interrupt; where writes take no time, there is no between
        batch = 1 if syscall_ns else WRITES_AT_ONCE
        for clock, its in zip(self.clocks, packets, strict=True):
            socket = Socket(
                self.dev, config.sndbuf, clock=clock, syscall_ns=syscall_ns, batch=batch, on_free=self._note_end
            )
            socket.send(map(itemgetter(1), its))
            self._sources.append(socket)
        return None

    @property
    def packets(self) -> int:
        """Packets handed to the stack."""
        return sum(source.packets for source in self._sources)

    @property
    def waits(self) -> int:
        """Times that senders had to wait for room in their socket buffers."""
        return sum(source.waits for source in self._sources if isinstance(source, Socket))

    def finished(self) -> bool:
        """Every packet has been handed over, and sent or dropped."""
        sources = self._sources
        return bool(sources) and all(source.idle for source in sources) and self.freed == self.packets

    def turn_is_over(self) -> bool:
        """It is time to look at what is on the wire, or there is no more to come."""
        if self._given_frames >= self._turn_ends:
            self._turn_ends = self._given_frames + FRAMES_A_TURN
            return True
        return self.finished()

    def problems(self, survey: Survey) -> list[str]:
        """What of the accounts does not add up."""
        found = []
        if self.packets != survey.packets:
            found.append(f"{survey.packets} packets in the capture, {self.packets} handed to the stack")
        if self.freed != self.packets:
            found.append(f"{self.packets} packets handed to the stack, {self.freed} sent or dropped")
        if self._given_frames + self.dropped_frames != survey.frames:
            found.append(
                f"{survey.frames} frames to send, {self._given_frames} given to the driver "
                f"and {self.dropped_frames} dropped"
            )
        for txq in self.dev.tx_queues:
            if txq.trans_timeout:
                found.append(f"tx-{txq.index}: timed out {txq.trans_timeout} times")
        for state, lost in self._lost_without.items():
            if lost:
                name = self.dev.name
                was = "down" if state == "up" else "without a carrier"
                found.append(f"{name} was {was}: {lost} packets were dropped; needed: ip link set {name} {state}")
        return found

    def _note_end(self, skb: Skb) -> None:
        self.freed += 1

    def _note_drop(self, skb: Skb) -> None:
        self._drops += 1
        dev = self.dev
        if not (dev.is_up and dev.carrier):
            self._lost_without["carrier on" if dev.is_up else "up"] += 1
        self.dropped_frames += segments(skb)
        if skb.destructor is not None:
            self.dropped_packets += 1

    def _note_xmit(self, skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        """Stands before the driver and counts what it takes."""
        drops = self._drops
        if txq.dql.limit > self.bql_limit:
            self.bql_limit = txq.dql.limit
        if self._drop_late:
            self.watch.excuse(Status.LATE, skb)
        rc = self._xmit(skb, txq, xmit_more)
        if rc == NETDEV_TX_OK and drops == self._drops:
            self._given_frames += segments(skb)
        return rc


def unreliable(world: World, config: ReplayConfig) -> UnreliableWrites:
    """A bus on which doorbells are late, or get lost."""
    doorbells = {queue_register("TAIL", queue) for queue in range(config.queues)}
    lose, delay = config.doorbell_loss, config.doorbell_delay
    return UnreliableWrites(world.bus, doorbells, lose=lose, delay=delay, seed=config.seed)


def _counted_wrongly(stats: Sequence[int], wire: Wire) -> list[str]:
    """Where the device counts other frames than those on the wire."""
    return [
        f"the device counts {stat.name} {stats[stat]}, the wire {wanted}"
        for stat, wanted in ((Stat.TX_FRAMES, wire.frames), (Stat.TX_BYTES, wire.bytes))
        if stats[stat] != wanted
    ]
