"""What a replay can be told, and what of it is refused."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from ringwire.driver.config import TX_TIMEOUT_MS, ConfigError, DriverConfig
from ringwire.faults import FaultError, fault_named
from ringwire.host.cpu import Cpus, HostCosts
from ringwire.host.napi import WEIGHT
from ringwire.host.timeline import Timeline
from ringwire.host.world import World
from ringwire.netdev import GSO_FEATURES, Feature, NetDevice
from ringwire.nic.registers import DATA_WIDTHS, MAX_CPL_THRESHOLD, MAX_FRAME, MAX_RING_LOG2, MIN_RING_LOG2, QUEUE_COUNTS
from ringwire.nic.twin import TwinConfig
from ringwire.nic.twin_world import TwinWorld
from ringwire.registry import LoadError, load_file
from ringwire.replay.plugin import DriverFactory, PluginError, ReplayDriver, driver_factory, queue_function
from ringwire.replay.values import MAX_RATE_BPS, MIN_RATE_BPS, show_rate
from ringwire.socket import WMEM_DEFAULT
from ringwire.tools.commands import Commands, ScriptError
from ringwire.tools.tc import Tc
from ringwire.tools.words import CommandError
from ringwire.traffic.capture import MIN_MTU

SIMULATORS = ("verilator", "icarus", "twin")
PACES = ("fast", "capture", "launch")
DEFAULT_RATES = {64: 10_000_000_000, 128: 25_000_000_000, 256: 50_000_000_000, 512: 100_000_000_000}
"""Line rate (bit/s) that a data path of so many bits is usually built for."""
SLOW_CLOCK_WIDTH = 64
"""A data path this narrow runs at the clock of 10 Gb/s Ethernet, the others at 250 MHz."""
MAX_MTU = MAX_FRAME - 14
MAX_CPUS = 64
MAX_COUNT = 1024


class ReplayError(Exception):
    """A replay can't be done as asked; the text is one line: the cause, and what helps."""


class ReplayFailed(ReplayError):
    """A replay began and went wrong."""


@dataclass(frozen=True, slots=True)
class ReplayConfig:
    """One replay. Times in nanoseconds unless said, rates in bit/s, sizes in bytes.

    Raises :class:`ReplayError` for a value that makes no sense, naming the command line's option for it.
    """

    capture: Path
    sim: str = "verilator"
    mtu: int = 1500
    width: int = 512
    """Data path of the device, bits."""
    queues: int = 1
    line_rate_bps: int = 0
    """0: what is usual for the width."""
    clock_mhz: float = 0.0
    """0: what is usual for the width."""
    ring: int = 256
    qdisc: str = ""
    """Root discipline as in a ``tc`` line, kind first; empty: the device's own (pfifo_fast, below mq if need be)."""
    txqueuelen: int = 1000
    bql: bool = True
    tso: bool = True
    """The device segments."""
    csum: bool = True
    """The device makes checksums; without them it does not segment either."""
    pace: str = "fast"
    """fast: behind a socket buffer that waits. capture: at the capture's times, and a full qdisc drops. launch: ahead
    of them, and the device holds each packet until its own."""
    drop_late: bool = False
    """At the pace ``launch`` the device drops what comes too late for its time, instead of sending it at once."""
    sndbuf: int = WMEM_DEFAULT
    """Bytes of truesize that may be on their way at the fast pace."""
    mem_latency_ns: int = 500
    tx_usecs: int = 0
    tx_frames: int = 0
    cpl_threshold: int = 1
    cpl_timer_ns: int = 2000
    """How long completions may gather, if they do."""
    report_every: int = 1
    """The driver has each n-th packet of a batch reported, and the last."""
    napi_budget: int = WEIGHT
    """Completions that one poll may take."""
    watchdog_ms: int = TX_TIMEOUT_MS
    """The transmit watchdog resets a queue that has been stopped for longer."""
    weights: tuple[int, ...] = ()
    """Bytes a round in the device's scheduler, a number a queue, 0 for a frame a turn; empty: 0 for all."""
    priorities: tuple[int, ...] = ()
    """Strict priorities in the device's scheduler, a number a queue, 0 to 7; empty: 0 for all."""
    select_queue: str = ""
    """A function ``(dev, skb) -> queue`` of one's own, ``module:function`` or ``file.py:function``; empty: XPS and
    hash."""
    cpus: int = 1
    """Of the host. Each sends the packets of some flows; queue n interrupts CPU n, counted round."""
    free_host: bool = False
    """The host's work takes no time."""
    jump: bool = True
    """The simulated clock stops while only time passes."""
    seed: int = 1
    waves: Path | None = None
    """Where to record waves: a path without its suffix."""
    driver: str = ""
    """A driver of one's own, ``module:Class`` or ``file.py:Class``; empty: ringwire's."""
    setup: str = ""
    """Lines of ``tc``, ``ethtool``, ``ip`` and for sysfs that are carried out before the first packet."""
    afterwards: tuple[str, ...] = ()
    """The same, after the last."""
    dma_order_ns: int = 0
    """How long what software writes to rings may stay hidden from the device, unless a barrier comes; 0: not at all."""
    doorbell_loss: float = 0.0
    """Share of the doorbells that get lost on the bus, 0 to 1."""
    doorbell_delay: float = 0.0
    """Share of the doorbells that are up to 10 us late."""
    load: tuple[str, ...] = ()
    """Python files of one's own, with disciplines, filters or actions that lines may name."""
    fault: str = ""
    """A bug to put in, by its name in ``ringwire.faults.FAULTS``; empty: none."""
    driver_config: DriverConfig = field(init=False)

    def __post_init__(self) -> None:
        self._load_files()
        if not self.line_rate_bps:
            object.__setattr__(self, "line_rate_bps", DEFAULT_RATES.get(self.width, 0))
        if not self.clock_mhz:
            object.__setattr__(self, "clock_mhz", 156.25 if self.width == SLOW_CLOCK_WIDTH else 250.0)
        _one_of("--sim", self.sim, SIMULATORS)
        _one_of("--width", self.width, DATA_WIDTHS)
        _one_of("--queues", self.queues, QUEUE_COUNTS)
        _one_of("--pace", self.pace, PACES)
        ring_sizes = tuple(1 << log2 for log2 in range(MIN_RING_LOG2, MAX_RING_LOG2 + 1))
        _one_of("--ring", self.ring, ring_sizes)
        _within("--mtu", self.mtu, MIN_MTU, MAX_MTU)
        _within("--clock", self.clock_mhz, 1, 1000, " MHz")
        _within("--txqueuelen", self.txqueuelen, 1, 1 << 20)
        _within("--sndbuf", self.sndbuf, 1, 1 << 40)
        _within("--mem-latency", self.mem_latency_ns, 0, 1_000_000, " ns")
        _within("--tx-usecs", self.tx_usecs, 0, 1_000_000)
        _within("--tx-frames", self.tx_frames, 0, 65_535)
        _within("--cpl-threshold", self.cpl_threshold, 1, MAX_CPL_THRESHOLD)
        _within("--cpl-timer", self.cpl_timer_ns, 1, 1_000_000_000, " ns")
        _within("--report-every", self.report_every, 1, MAX_COUNT)
        _within("--napi-budget", self.napi_budget, 1, MAX_COUNT)
        _within("--watchdog", self.watchdog_ms, 1, 3_600_000, " ms")
        _within("--cpus", self.cpus, 1, MAX_CPUS)
        _within("--seed", self.seed, 0, (1 << 32) - 1)
        _within("--dma-order", self.dma_order_ns, 0, 1_000_000_000, " ns")
        _within("--lose-doorbells", self.doorbell_loss, 0, 1)
        _within("--delay-doorbells", self.doorbell_delay, 0, 1)
        self._check_rate()
        self._check_qdisc()
        if self.tx_frames > 1 and not self.tx_usecs:
            raise ReplayError(
                f"--tx-frames {self.tx_frames}: the last packets would never be reclaimed; add --tx-usecs"
            )
        for option, numbers in (("--weights", self.weights), ("--priorities", self.priorities)):
            if numbers and len(numbers) != self.queues:
                shown = ",".join(map(str, numbers))
                raise ReplayError(f"{option} {shown}: {len(numbers)} for --queues {self.queues}; needed: one a queue")
        if self.select_queue and self.queues == 1:
            raise ReplayError(f"--select-queue {self.select_queue}: there is one queue to choose; add --queues")
        if self.drop_late and self.pace != "launch":
            raise ReplayError(f"--late drop: nothing is late at the pace {self.pace}; add --pace launch")
        self._check_fault()
        if self.waves is not None and self.sim == "twin":
            raise ReplayError("--waves: the twin has no signals; allowed with --sim verilator and icarus")
        try:
            object.__setattr__(self, "driver_config", self._driver_config())
        except ConfigError as error:
            raise ReplayError(str(error)) from None
        self._check_lines(self._check_driver())

    @property
    def period_ps(self) -> int:
        """The clock's period."""
        return round(1_000_000 / self.clock_mhz)

    @property
    def costs(self) -> HostCosts:
        return HostCosts.free() if self.free_host else HostCosts()

    @property
    def capacity_bps(self) -> int:
        """What the data path carries: a beat a cycle."""
        return self.width * 1_000_000_000_000 // self.period_ps

    def set_qdisc(self, dev: NetDevice) -> None:
        """Give a device the root discipline that was asked for, if any."""
        if self.qdisc:
            Tc([dev]).run(f"qdisc replace dev {dev.name} root {self.qdisc}")

    def set_offloads(self, dev: NetDevice) -> None:
        """Switch off what a device, whose driver has said what it can do, is not to do."""
        if not self.tso:
            dev.features &= ~GSO_FEATURES
        if not self.csum:
            dev.features &= ~Feature.HW_CSUM

    def make_device(self, world: World, factory: DriverFactory) -> tuple[NetDevice, ReplayDriver]:
        """The network device as all options have it, below no packet yet, and its driver.

        PluginError for a driver or a function that can't be had, ReplayError for a knob that the driver has not.
        """
        port = world.port()
        dev = NetDevice(
            world.cpus,
            num_tx_queues=self.queues,
            mtu=self.mtu,
            tx_queue_len=self.txqueuelen,
            costs=world.cpus.costs,
            charge=port.charge,
        )
        driver = factory(port, dev, self.driver_config, [world.port(queue % self.cpus) for queue in range(self.queues)])
        self.set_offloads(dev)
        self.set_qdisc(dev)
        self._set_turns(driver)
        if self.select_queue:
            dev.select_queue = queue_function(self.select_queue, dev)
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

    def run_setup(self, dev: NetDevice) -> str:
        """Carry the lines of the set-up out as on an interface that is up; what they print. ScriptError.

        The driver is opened afterwards, if ``ip link set`` has not left the interface down.
        """
        hooks = dev.ndo_open, dev.ndo_stop
        dev.ndo_open = dev.ndo_stop = None
        dev.is_up = True
        try:
            return Commands([dev]).run_script(self.setup)
        finally:
            dev.ndo_open, dev.ndo_stop = hooks

    def _driver_config(self) -> DriverConfig:
        fault = fault_named(self.fault)
        config = DriverConfig(
            ring_entries=self.ring,
            line_rate_bps=self.line_rate_bps,
            read_latency_ns=self.mem_latency_ns,
            mod_ns=self.tx_usecs * 1000,
            mod_frames=self.tx_frames,
            cpl_threshold=self.cpl_threshold,
            cpl_timer_ns=self.cpl_timer_ns if self.cpl_threshold > 1 else 0,
            report_every=self.report_every,
            budget=self.napi_budget,
            tx_timeout_ms=self.watchdog_ms,
        )
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

    def _check_driver(self) -> NetDevice:
        """Try the driver: a device of the kind that the replay is going to have."""
        try:
            factory = driver_factory(self.driver)
        except PluginError as error:
            raise ReplayError(f"--driver {error}") from error
        try:
            dev, _ = self.make_device(TwinWorld(TwinConfig(queues=self.queues), cpus=self.cpus), factory)
        except PluginError as error:
            raise ReplayError(str(error)) from error
        return dev

    def _check_lines(self, dev: NetDevice) -> None:
        """Try the lines on a device."""
        lines = Commands([dev])
        try:
            self.run_setup(dev)
        except ScriptError as error:
            raise ReplayError(f"--config {error}") from None
        for line in self.afterwards:
            try:
                lines.run(line)
            except CommandError as error:
                raise ReplayError(f"--then {line!r}: {error}") from None

    def _check_rate(self) -> None:
        rate, capacity = self.line_rate_bps, self.capacity_bps
        if rate > capacity:
            raise ReplayError(
                f"--line-rate {show_rate(rate)}: {self.width} bits at {self.clock_mhz:g} MHz carry "
                f"{show_rate(capacity)}; lower it, or raise --width or --clock"
            )
        if not MIN_RATE_BPS <= rate <= MAX_RATE_BPS:
            allowed = f"{show_rate(MIN_RATE_BPS)} to {show_rate(MAX_RATE_BPS)}"
            raise ReplayError(f"--line-rate {show_rate(rate)}; allowed: {allowed}")

    def _check_qdisc(self) -> None:
        """Try the discipline on a device of the kind that the replay is going to have."""
        try:
            self.set_qdisc(
                NetDevice(Cpus(Timeline())[0], num_tx_queues=self.queues, mtu=self.mtu, tx_queue_len=self.txqueuelen)
            )
        except CommandError as error:
            # the column is that of a line which the user did not write
            raise ReplayError(f"--qdisc {self.qdisc!r}: {str(error).partition(': ')[2]}") from None


def _one_of(option: str, value: object, allowed: tuple[object, ...]) -> None:
    if value not in allowed:
        raise ReplayError(f"{option} {value}; allowed: {', '.join(map(str, allowed))}")


def _within(option: str, value: float, low: float, high: float, unit: str = "") -> None:
    if not low <= value <= high:
        raise ReplayError(f"{option} {value}{unit}; allowed: {low} to {high}{unit}")
