"""The settings of a rig, and what of them is refused, whatever front end they come from."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ringwire.driver.config import TX_TIMEOUT_MS, ConfigError, DriverConfig
from ringwire.host.cpu import HostCosts
from ringwire.host.napi import WEIGHT
from ringwire.host.world import World
from ringwire.netdev import GSO_FEATURES, Feature, NetDevice
from ringwire.nic.registers import DATA_WIDTHS, MAX_CPL_THRESHOLD, MAX_FRAME, MAX_RING_LOG2, MIN_RING_LOG2, QUEUE_COUNTS
from ringwire.nic.twin import TwinConfig
from ringwire.nic.twin_world import TwinWorld
from ringwire.rig.plugin import DriverFactory, PluginError, ReplayDriver, driver_factory, queue_function
from ringwire.rig.values import MAX_RATE_BPS, MIN_RATE_BPS, show_rate
from ringwire.tools.commands import Commands, ScriptError
from ringwire.traffic.capture import MIN_MTU

SIMULATORS = ("verilator", "icarus", "twin")
DEFAULT_RATES = {64: 10_000_000_000, 128: 25_000_000_000, 256: 50_000_000_000, 512: 100_000_000_000}
"""Line rate (bit/s) that a data path of so many bits is usually built for."""
SLOW_CLOCK_WIDTH = 64
"""A data path this narrow runs at the clock of 10 Gb/s Ethernet, the others at 250 MHz."""
MAX_MTU = MAX_FRAME - 14
MAX_CPUS = 64
MAX_COUNT = 1024
MAX_STALLS = 0.9


class SettingError(ValueError):
    """A setting that makes no sense.

    ``field`` names it, and ``template`` says why, with ``{field}`` wherever a setting is meant: each front end has its
    own names for them. ``cause`` is the error behind it, if it has one.
    """

    def __init__(self, field: str, template: str, cause: Exception | None = None) -> None:
        super().__init__(template)
        self.field = field
        self.template = template
        self.cause = cause

    def text(self, name: Callable[[str], str]) -> str:
        """One line, with the settings called as ``name`` has them."""
        return re.sub(r"\{(\w+)\}", lambda found: name(found[1]), self.template)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """One rig. Times in nanoseconds unless said, rates in bit/s, sizes in bytes.

    Raises :class:`SettingError` for a value that makes no sense.
    """

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
    txqueuelen: int = 1000
    bql: bool = True
    tso: bool = True
    """The device segments."""
    csum: bool = True
    """The device makes checksums; without them it does not segment either."""
    mem_latency_ns: int = 500
    mem_jitter_ns: int = 0
    """The most that memory answers later than that; the twin's is always on time."""
    read_stalls: float = 0.0
    """Chance that an edge brings no read beat though one is due."""
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
    select_queue: str = ""
    """A function ``(dev, skb) -> queue`` of one's own, ``module:function`` or ``file.py:function``; empty: XPS and
    hash."""
    bulk: int | None = None
    """Packets that a discipline gives at once at the most; None: as Linux, what byte queue limits have room for."""
    cpus: int = 1
    """Of the host. Each sends the packets of some flows; queue n interrupts CPU n, counted round."""
    costs: HostCosts = field(default_factory=HostCosts)
    """What the host's work costs."""
    jump: bool = True
    """The simulated clock stops while only time passes."""
    seed: int = 1
    waves: Path | None = None
    """Where to record waves: a path without its suffix."""
    driver: str = ""
    """A driver of one's own, ``module:Class`` or ``file.py:Class``; empty: ringwire's."""
    setup: str = ""
    """Lines of ``tc``, ``ethtool``, ``ip`` and for sysfs that are carried out before the first packet."""
    dma_order_ns: int = 0
    """How long what software writes to rings may stay hidden from the device, unless a barrier comes; 0: not at all."""
    driver_config: DriverConfig = field(init=False)

    def __post_init__(self) -> None:
        if not self.line_rate_bps:
            object.__setattr__(self, "line_rate_bps", DEFAULT_RATES.get(self.width, 0))
        if not self.clock_mhz:
            object.__setattr__(self, "clock_mhz", 156.25 if self.width == SLOW_CLOCK_WIDTH else 250.0)
        one_of("sim", self.sim, SIMULATORS)
        one_of("width", self.width, DATA_WIDTHS)
        one_of("queues", self.queues, QUEUE_COUNTS)
        ring_sizes = tuple(1 << log2 for log2 in range(MIN_RING_LOG2, MAX_RING_LOG2 + 1))
        one_of("ring", self.ring, ring_sizes)
        within("mtu", self.mtu, MIN_MTU, MAX_MTU)
        within("clock_mhz", self.clock_mhz, 1, 1000, " MHz")
        within("txqueuelen", self.txqueuelen, 1, 1 << 20)
        within("mem_latency_ns", self.mem_latency_ns, 0, 1_000_000, " ns")
        within("mem_jitter_ns", self.mem_jitter_ns, 0, 1_000_000, " ns")
        within("read_stalls", self.read_stalls, 0, MAX_STALLS)
        within("tx_usecs", self.tx_usecs, 0, 1_000_000)
        within("tx_frames", self.tx_frames, 0, 65_535)
        within("cpl_threshold", self.cpl_threshold, 1, MAX_CPL_THRESHOLD)
        within("cpl_timer_ns", self.cpl_timer_ns, 1, 1_000_000_000, " ns")
        within("report_every", self.report_every, 1, MAX_COUNT)
        within("napi_budget", self.napi_budget, 1, MAX_COUNT)
        within("watchdog_ms", self.watchdog_ms, 1, 3_600_000, " ms")
        within("cpus", self.cpus, 1, MAX_CPUS)
        if self.bulk is not None:
            within("bulk", self.bulk, 1, MAX_COUNT)
        within("seed", self.seed, 0, (1 << 32) - 1)
        within("dma_order_ns", self.dma_order_ns, 0, 1_000_000_000, " ns")
        self._check_rate()
        if self.tx_frames > 1 and not self.tx_usecs:
            text = f"{{tx_frames}} {self.tx_frames}: the last packets would never be reclaimed; add {{tx_usecs}}"
            raise SettingError("tx_frames", text)
        if self.select_queue and self.queues == 1:
            text = f"{{select_queue}} {self.select_queue}: there is one queue to choose; add {{queues}}"
            raise SettingError("select_queue", text)
        if self.sim == "twin":
            self._check_twin()
        try:
            object.__setattr__(self, "driver_config", self.make_driver_config())
        except ConfigError as error:
            raise SettingError("tx_usecs", str(error), error) from None

    @property
    def period_ps(self) -> int:
        """The clock's period."""
        return round(1_000_000 / self.clock_mhz)

    @property
    def capacity_bps(self) -> int:
        """What the data path carries: a beat a cycle."""
        return self.width * 1_000_000_000_000 // self.period_ps

    def make_driver_config(self) -> DriverConfig:
        """The driver's share of the settings. ConfigError."""
        return DriverConfig(
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

    def set_offloads(self, dev: NetDevice) -> None:
        """Switch off what a device, whose driver has said what it can do, is not to do."""
        if not self.tso:
            dev.features &= ~GSO_FEATURES
        if not self.csum:
            dev.features &= ~Feature.HW_CSUM

    def make_device(self, world: World, factory: DriverFactory) -> tuple[NetDevice, ReplayDriver]:
        """The network device as all settings have it, below no packet yet, and its driver.

        PluginError for a driver or a function that can't be had.
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
        if self.bulk is not None:
            dev.max_bulk = self.bulk
        if self.select_queue:
            dev.select_queue = queue_function(self.select_queue, dev)
        return dev, driver

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

    def try_out(self) -> NetDevice:
        """Try driver and lines on a device of the kind that the rig is going to have; SettingError."""
        try:
            factory = driver_factory(self.driver)
        except PluginError as error:
            raise SettingError("driver", f"{{driver}} {error}", error) from error
        try:
            dev, _ = self.make_device(TwinWorld(TwinConfig(queues=self.queues), cpus=self.cpus), factory)
        except PluginError as error:
            raise SettingError("driver", str(error), error) from error
        try:
            self.run_setup(dev)
        except ScriptError as error:
            raise SettingError("setup", f"{{setup}} {error}", error) from None
        return dev

    def _check_twin(self) -> None:
        """What the twin has no model of."""
        if self.waves is not None:
            raise SettingError("waves", "{waves}: the twin has no signals; allowed with {sim} verilator and icarus")
        for name in ("mem_jitter_ns", "read_stalls"):
            if getattr(self, name):
                text = f"{{{name}}}: the twin's memory is always on time; allowed with {{sim}} verilator and icarus"
                raise SettingError(name, text)

    def _check_rate(self) -> None:
        rate, capacity = self.line_rate_bps, self.capacity_bps
        if rate > capacity:
            raise SettingError(
                "line_rate_bps",
                f"{{line_rate_bps}} {show_rate(rate)}: {self.width} bits at {self.clock_mhz:g} MHz carry "
                f"{show_rate(capacity)}; lower it, or raise {{width}} or {{clock_mhz}}",
            )
        if not MIN_RATE_BPS <= rate <= MAX_RATE_BPS:
            allowed = f"{show_rate(MIN_RATE_BPS)} to {show_rate(MAX_RATE_BPS)}"
            raise SettingError("line_rate_bps", f"{{line_rate_bps}} {show_rate(rate)}bit/s; allowed: {allowed}")


def one_of(name: str, value: object, allowed: tuple[object, ...]) -> None:
    """SettingError unless a setting's value is one of those."""
    if value not in allowed:
        raise SettingError(name, f"{{{name}}} {value}; allowed: {', '.join(map(str, allowed))}")


def within(name: str, value: float, low: float, high: float, unit: str = "") -> None:
    """SettingError unless a setting's value lies between two others."""
    if not low <= value <= high:
        raise SettingError(name, f"{{{name}}} {value}{unit}; allowed: {low} to {high}{unit}")
