"""The host of a rig in its world: the stack and the driver, under watch."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from ringwire.bql import MAX_LIMIT, Dql
from ringwire.checks import BugFound, Watch, read_statistics
from ringwire.host.cpu import Cpu, CpuEvent, Level
from ringwire.host.world import World
from ringwire.netdev.tree import waiting
from ringwire.pcap import CaptureError
from ringwire.rig.config import Rig
from ringwire.rig.plugin import DriverFactory
from ringwire.tools.commands import Commands
from ringwire.whose import told

SETUP_LIMIT_NS = 1_000_000
SETUP_JOBS = 100
"""The host does no more of them until the device is set up; each may begin late."""
T = TypeVar("T")


class TaskClock:
    """A CPU's clock for code that interrupts and softirqs go before."""

    __slots__ = ("_cpu", "now_ns")

    def __init__(self, cpu: Cpu) -> None:
        self._cpu = cpu
        self.now_ns = cpu.now_ns

    def call_at(self, when_ns: int, fn: Callable[[], None]) -> CpuEvent:
        """Run ``fn`` at ``when_ns`` or, if the CPU is busy then, after all that goes before."""
        return self._cpu.call_at(when_ns, fn, Level.TASK)


class Host:
    """Makes the device as the rig's settings have it, and carries the lines of the set-up out."""

    def __init__(self, world: World, rig: Rig, watch: Watch, factory: DriverFactory) -> None:
        self.world = world
        self.clocks = [TaskClock(world.cpus[cpu]) for cpu in range(rig.cpus)]
        """Those of the CPUs' tasks."""
        self.watch = watch
        self.dev, self.driver = rig.make_device(world, factory)
        if not rig.bql:
            for txq in self.dev.tx_queues:
                lift_limit(txq.dql)
        self.commands = Commands([self.dev])
        self.printed = rig.run_setup(self.dev)
        """What lines have printed so far."""
        world.on_stuck += (self.driver.describe, lambda: waiting(self.dev))

    async def open(self) -> None:
        """Have the device set up, unless the interface was left down."""
        if self.dev.is_up:
            self.driver.open()
            limit_ns = SETUP_LIMIT_NS + SETUP_JOBS * self.world.cpus.jitter_ns
            await self.world.run(lambda: self.driver.up, limit_ns, "the device to be set up")


async def blaming(world: World, watch: Watch, work: Coroutine[Any, Any, T]) -> T:
    """Do the work; an exception that ends it comes as BugFound if the watch has found what is behind it."""
    try:
        return await work
    except CaptureError:
        raise  # what broke off in the middle is no fault of the device
    except Exception as error:
        watch.findings.blame(error)
        with suppress(Exception):  # after a first error there may be no device to ask any more
            watch.compare_counters(await read_statistics(world))
        if not watch.findings:
            raise
        raise BugFound("; ".join([*watch.findings.lines(), told(error)])) from error


def lift_limit(dql: Dql) -> None:
    """Byte queue limits off: a limit that nothing reaches, as writing ``max`` to ``limit_min`` gives it in the end."""
    dql.min_limit = dql.limit = dql.adj_limit = MAX_LIMIT
