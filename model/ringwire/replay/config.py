"""What a replay can be told, and what of it is refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ringwire.driver.config import DriverConfig
from ringwire.faults import FaultError, fault_named
from ringwire.host.cpu import HostCosts
from ringwire.host.world import World
from ringwire.netdev import NetDevice
from ringwire.registry import LoadError, load_file
from ringwire.rig.config import DEFAULT_RATES, SIMULATORS, Rig, SettingError, one_of, within
from ringwire.rig.plugin import DriverFactory, ReplayDriver
from ringwire.socket import WMEM_DEFAULT
from ringwire.tools.commands import Commands
from ringwire.tools.tc import Tc
from ringwire.tools.words import CommandError

PACES = ("fast", "capture", "launch")
_OPTIONS = {
    "line_rate_bps": "--line-rate",
    "clock_mhz": "--clock",
    "mem_latency_ns": "--mem-latency",
    "cpl_timer_ns": "--cpl-timer",
    "watchdog_ms": "--watchdog",
    "dma_order_ns": "--dma-order",
    "setup": "--config",
    "doorbell_loss": "--lose-doorbells",
    "doorbell_delay": "--delay-doorbells",
}
"""What settings are called on the command line, where it is not their own name."""


class ReplayError(Exception):
    """A replay can't be done as asked; the text is one line: the cause, and what helps."""


class ReplayFailed(ReplayError):
    """A replay began and went wrong."""


@dataclass(frozen=True, slots=True)
class ReplayConfig(Rig):
    """One replay. Times in nanoseconds unless said, rates in bit/s, sizes in bytes.

    Raises :class:`ReplayError` for a value that makes no sense, naming the command line's option for it.
    """

    capture: Path
    qdisc: str = ""
    """Root discipline as in a ``tc`` line, kind first; empty: the device's own (pfifo_fast, below mq if need be)."""
    pace: str = "fast"
    """fast: behind a socket buffer that waits. capture: at the capture's times, and a full qdisc drops. launch: ahead
    of them, and the device holds each packet until its own."""
    drop_late: bool = False
    """At the pace ``launch`` the device drops what comes too late for its time, instead of sending it at once."""
    sndbuf: int = WMEM_DEFAULT
    """Bytes of truesize that may be on their way at the fast pace."""
    weights: tuple[int, ...] = ()
    """Bytes a round in the device's scheduler, a number a queue, 0 for a frame a turn; empty: 0 for all."""
    priorities: tuple[int, ...] = ()
    """Strict priorities in the device's scheduler, a number a queue, 0 to 7; empty: 0 for all."""
    free_host: bool = False
    """The host's work takes no time."""
    afterwards: tuple[str, ...] = ()
    """Lines as those of ``setup``, carried out after the last packet."""
    doorbell_loss: float = 0.0
    """Share of the doorbells that get lost on the bus, 0 to 1."""
    doorbell_delay: float = 0.0
    """Share of the doorbells that are up to 10 us late."""
    load: tuple[str, ...] = ()
    """Python files of one's own, with disciplines, filters or actions that lines may name."""
    fault: str = ""
    """A bug to put in, by its name in ``ringwire.faults.FAULTS``; empty: none."""

    def __post_init__(self) -> None:
        if self.free_host:
            object.__setattr__(self, "costs", HostCosts.free())
        try:
            self._check()
        except SettingError as error:
            raise ReplayError(error.text(_option)) from error.cause

    def _check(self) -> None:
        self._load_files()
        self._check_fault()
        Rig.__post_init__(self)
        one_of("pace", self.pace, PACES)
        within("sndbuf", self.sndbuf, 1, 1 << 40)
        within("doorbell_loss", self.doorbell_loss, 0, 1)
        within("doorbell_delay", self.doorbell_delay, 0, 1)
        for option, numbers in (("--weights", self.weights), ("--priorities", self.priorities)):
            if numbers and len(numbers) != self.queues:
                shown = ",".join(map(str, numbers))
                raise ReplayError(f"{option} {shown}: {len(numbers)} for --queues {self.queues}; needed: one a queue")
        if self.drop_late and self.pace != "launch":
            raise ReplayError(f"--late drop: nothing is late at the pace {self.pace}; add --pace launch")
        self._check_afterwards(self.try_out())

    def set_qdisc(self, dev: NetDevice) -> None:
        """Give a device the root discipline that was asked for, if any."""
        if self.qdisc:
            Tc([dev]).run(f"qdisc replace dev {dev.name} root {self.qdisc}")

    def make_device(self, world: World, factory: DriverFactory) -> tuple[NetDevice, ReplayDriver]:
        """As the rig's; ReplayError for a knob that the driver has not, or a discipline that there is not."""
        dev, driver = Rig.make_device(self, world, factory)
        self._set_turns(driver)
        try:
            self.set_qdisc(dev)
        except CommandError as error:
            # the column is that of a line which the user did not write
            raise ReplayError(f"--qdisc {self.qdisc!r}: {str(error).partition(': ')[2]}") from None
        return dev, driver

    def _set_turns(self, driver: ReplayDriver) -> None:
        """How the device's queues share the wire, as far as the options say."""
        launch = [(True, self.drop_late)] * self.queues if self.pace == "launch" else []
        for option, setter, values in (
            ("--weights", "set_weight", [(weight,) for weight in self.weights]),
            ("--priorities", "set_priority", [(priority,) for priority in self.priorities]),
            ("--pace launch", "set_launch_time", launch),
        ):
            if values and not hasattr(driver, setter):
                raise ReplayError(f"{option}: the driver has no {setter}")
            for queue, value in enumerate(values):
                try:
                    getattr(driver, setter)(queue, *value)
                except ValueError as error:
                    raise ReplayError(f"{option}: {error}") from None

    def make_driver_config(self) -> DriverConfig:
        """As the rig's, with what a fault needs."""
        fault = fault_named(self.fault)
        config = Rig.make_driver_config(self)
        return config if fault is None else replace(config, **fault.config)

    def _load_files(self) -> None:
        try:
            for path in self.load:
                load_file(path)
        except LoadError as error:
            raise ReplayError(f"--load {error}") from error
        # a simulator runs in a folder of its own
        object.__setattr__(self, "load", tuple(str(Path(path).resolve()) for path in self.load))

    def _check_fault(self) -> None:
        try:
            fault = fault_named(self.fault)
        except FaultError as error:
            raise ReplayError(f"--fault {error}") from None
        if fault is not None and not fault.goes_into(self.sim):
            raise ReplayError(f"--fault {fault.name}: it is in the twin alone; add --sim twin")
        if fault is not None and fault.driver is not None and self.driver:
            raise ReplayError(f"--fault {fault.name}: it is in ringwire's own driver; leave --driver away")

    def _check_afterwards(self, dev: NetDevice) -> None:
        """Try the lines for the end on a device."""
        lines = Commands([dev])
        for line in self.afterwards:
            try:
                lines.run(line)
            except CommandError as error:
                raise ReplayError(f"--then {line!r}: {error}") from None


def _option(setting: str) -> str:
    """What a setting is called on the command line."""
    return _OPTIONS.get(setting, "--" + setting.replace("_", "-"))


__all__ = ["DEFAULT_RATES", "SIMULATORS", "ReplayConfig", "ReplayError", "ReplayFailed"]
