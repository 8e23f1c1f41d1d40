"""The experiment itself, inside a world, whatever its device is."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ringwire.checks import Watch, read_statistics
from ringwire.experiment.entries import Entry, lossy_paths
from ringwire.experiment.environment import Arrivals, FlowEnvironment, along, choose_queues
from ringwire.experiment.packets import FlowFigures, Packets
from ringwire.experiment.probes import InterruptTap, Probes
from ringwire.experiment.results import Results
from ringwire.experiment.scenario import Experiment, Source, read_experiment
from ringwire.experiment.summary import make_results
from ringwire.experiment.supers import DoorbellTap, SuperPacket
from ringwire.experiment.wirefile import WireFile
from ringwire.host.world import Stuck, World, ceil_ns
from ringwire.rig.host import Host, blaming
from ringwire.rig.plugin import driver_factory
from ringwire.rig.run import Device

LOOK_S = 0.05
"""How often a run looks on the wall's clock whether it is to stop."""
WAKES = 32
"""After so many wakings of the host the wire and the wall's clock are looked at, if nobody has to know earlier."""
TELL_S = 0.2
SETTLE_NS = 10_000
"""From the device's set-up to the beginning of the traffic, so that no write of the former is on its way any more."""
REPORT_NS = 10_000_000
"""What may pass from the last frame's end until the driver has heard of it, beside the moderation."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a run needs; travels to the simulator's process."""

    source: Source
    wire: Path
    """Where to write the wire's pcap."""
    stop: Path
    """The run ends early, with what it has, once there is such a file."""


@dataclass(slots=True)
class Run:
    """All parts of a run, for those who sum it up."""

    experiment: Experiment
    host: Host
    packets: Packets
    probes: Probes
    supers: SuperPacket
    tap: InterruptTap
    figures: list[FlowFigures]
    begin_ns: int = 0
    end_ns: int = 0
    """When the last packet had gone, or the run was given up."""
    partial: bool = False
    wall_s: float = 0.0
    edges: int | None = None
    problems: list[str] = field(default_factory=list)


async def run(world: World, device: Device, work: Work) -> Results:
    """Run an experiment in ``world``; what came out.

    The device's progress is ``<simulated ns> <frames>`` now and then.
    """
    experiment = read_experiment(work.source, trying=False)
    rig = experiment.rig
    with closing(WireFile(work.wire)) as wire:
        watch = Watch(world)
        world.bus = tap = InterruptTap(world.bus)
        world.bus = doorbells = DoorbellTap(world.bus, rig.queues)
        host = Host(world, rig, watch, driver_factory(rig.driver))
        set_limits(host, experiment)
        packets = Packets(world, host.dev, rig.line_rate_bps)
        probes = Probes(host.dev, host.driver, packets, tap, experiment.interval_ns)
        supers = SuperPacket(packets, doorbells)
        watch.attach(host.dev)
        packets.attach(watch)
        supers.attach(watch)
        probes.attach(watch)
        made = Run(experiment, host, packets, probes, supers, tap, [])
        return await blaming(world, watch, _Traffic(world, device, work, made, wire).run())


def set_limits(host: Host, experiment: Experiment) -> None:
    """What the file says of ``byte_queue_limits``."""
    knobs = experiment.bql
    for txq in host.dev.tx_queues:
        for knob, value in (("limit_min", knobs.limit_min_bytes), ("limit_max", knobs.limit_max_bytes)):
            if value is not None:
                txq.dql.store(knob, str(value))
        if knobs.hold_ns is not None:
            txq.dql.store("hold_time", str(knobs.hold_ns // 1_000_000))


class _Traffic:
    """Flows begin and end, time passes, frames are looked at."""

    def __init__(self, world: World, device: Device, work: Work, made: Run, wire: WireFile) -> None:
        self._world = world
        self._timeline = world.timeline
        self._device = device
        self._work = work
        self._made = made
        self._wire = wire
        self._arrivals = Arrivals(made.packets, ceil_ns(made.experiment.rig.period_ps))
        self._active: list[Entry] = []
        self._next_look_s = self._next_word_s = 0.0

    async def run(self) -> Results:
        made, experiment = self._made, self._made.experiment
        await made.host.open()
        await self._world.pause(SETTLE_NS)
        begin_s, edges = time.perf_counter(), self._device.edges
        begin_edges = edges() if edges else 0
        self._begin()
        end_ns = made.begin_ns + experiment.duration_ns
        await self._pass(end_ns)
        self._stop_all()
        if not made.partial:
            await self._pass(end_ns + experiment.drain_ns, lambda: not made.packets.open)
            await self._pass(ceil_ns(made.packets.last_end_ps))
        made.end_ns = self._timeline.now_ns
        made.wall_s = time.perf_counter() - begin_s
        made.edges = edges() - begin_edges if edges else None
        await self._check()
        return make_results(made)

    def _begin(self) -> None:
        """Now is time 0."""
        made, experiment = self._made, self._made.experiment
        packets, host = made.packets, made.host
        now_ns = made.begin_ns = packets.begin_ns = self._timeline.now_ns
        self._wire.zero_ns = now_ns
        packets.measure_from_ns = now_ns + experiment.warmup_ns
        packets.measure_to_ns = now_ns + experiment.duration_ns
        made.supers.begin()
        # before what flows have for the same moment: the end is not part of the duration
        self._timeline.call_at(packets.measure_to_ns, self._stop_all)
        choose_queues(host.dev, experiment.entries)
        rows, interval_ns = experiment.probes.rows, experiment.interval_ns
        for entry in experiment.entries:
            figures = FlowFigures(entry.flow.name, entry.kind, interval_ns, rows)
            made.figures.append(figures)
            made.probes.flows.append((entry.flow.name, entry.flow))
            env = FlowEnvironment(
                host.dev,
                host.clocks[entry.cpu],
                packets,
                figures,
                f"{experiment.seed} {entry.flow.name}",
                self._world.cpus.costs.syscall_ns,
            )
            if entry.path is not None:
                figures.behind = along(entry.path, env.random)
            host.clocks[entry.cpu].call_at(now_ns + entry.start_ns, self._starter(entry, env))
            if entry.stop_ns < experiment.duration_ns:
                host.clocks[entry.cpu].call_at(now_ns + entry.stop_ns, partial(self._stop, entry))
        made.probes.begin(self._timeline, lossy_paths(experiment.entries))

    def _starter(self, entry: Entry, env: FlowEnvironment) -> Callable[[], None]:
        def start() -> None:
            self._active.append(entry)
            self._arrivals.add(entry.flow)
            entry.flow.start(env)

        return start

    def _stop(self, entry: Entry) -> None:
        if entry in self._active:
            self._active.remove(entry)
            entry.flow.stop()

    def _stop_all(self) -> None:
        for entry in self._active.copy():
            self._stop(entry)

    async def _pass(self, until_ns: int, over: Callable[[], bool] | None = None) -> None:
        """Let time pass up to a moment, or until it is ``over``, or the run is to stop early."""
        world, timeline, arrivals, supers = self._world, self._timeline, self._arrivals, self._made.supers
        timeline.run_until(timeline.now_ns)
        self._look()
        wakes = 0
        while timeline.now_ns < until_ns and not (over is not None and over()):
            if not wakes and self._told_to_stop():
                self._made.partial = True
                return
            pending = timeline.next_ns()
            to_ns = until_ns if pending is None or pending > until_ns else pending
            look_ns = arrivals.due_ns
            if look_ns < to_ns:
                to_ns = max(look_ns, timeline.now_ns)
            await world.advance(to_ns)
            wakes = (wakes + 1) % WAKES
            if not wakes or look_ns <= timeline.now_ns or over is not None or arrivals.eager or supers.following:
                self._look()
        self._look()

    def _look(self) -> None:
        """See what is on the wire by now."""
        frames = self._device.take_frames()
        if frames:
            self._wire.take(frames)
            self._made.host.watch.frames(frames)
        self._arrivals.deliver(self._timeline.now_ns)

    def _told_to_stop(self) -> bool:
        now_s = time.perf_counter()
        if now_s < self._next_look_s:
            return False
        self._next_look_s = now_s + LOOK_S
        if now_s >= self._next_word_s:
            self._next_word_s = now_s + TELL_S
            self._device.progress(f"{self._timeline.now_ns - self._made.begin_ns} {self._made.probes.frames}")
        return self._work.stop.exists()

    async def _check(self) -> None:
        """Close the books, as far as the run came to its end. What is left in a qdisc is no fault of the device."""
        made = self._made
        watch = made.host.watch
        in_driver = any(packet.xmit_ns >= 0 for packet in made.packets.open.values())
        if not made.partial and not in_driver:
            limit_ns = REPORT_NS + 2 * max(queue.moderated_ns for queue in watch.queues)
            with suppress(Stuck):  # which the books will show
                await self._world.run(lambda: not any(queue.held for queue in watch.queues), limit_ns, "completions")
        made.probes.end()
        stats = await read_statistics(self._world)
        self._look()
        if not made.partial and not in_driver:
            watch.finish(stats, self._device.faults())
        made.problems = watch.findings.lines()
        dev = made.host.dev
        if not dev.is_up:
            made.problems.append(f"{dev.name} is down, nothing can leave; needed: ip link set {dev.name} up")
        made.host.printed += made.host.commands.run_script(made.experiment.then)
