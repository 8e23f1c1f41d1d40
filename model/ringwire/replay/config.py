"""What a replay can be told, and what of it is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from ringwire.driver.config import ConfigError, DriverConfig
from ringwire.faults import FaultError, fault_named
from ringwire.host.cpu import Cpus, HostCosts
from ringwire.host.timeline import Timeline
from ringwire.host.world import World
from ringwire.netdev import GSO_FEATURES, Feature, NetDevice
from ringwire.nic.registers import DATA_WIDTHS, MAX_CPL_THRESHOLD, MAX_FRAME, MAX_RING_LOG2, MIN_RING_LOG2, QUEUE_COUNTS
from ringwire.nic.twin import TwinConfig
from ringwire.nic.twin_world import TwinWorld
from ringwire.replay.plugin import DriverFactory, PluginError, ReplayDriver, driver_factory
from ringwire.socket import WMEM_DEFAULT
from ringwire.tools.commands import Commands, ScriptError
from ringwire.tools.tc import Tc
from ringwire.tools.units import parse_rate
from ringwire.tools.words import CommandError
from ringwire.traffic.capture import MIN_MTU

SIMULATORS = ("verilator", "icarus", "twin")
PACES = ("fast", "capture")
DEFAULT_RATES = {64: 10_000_000_000, 128: 25_000_000_000, 256: 50_000_000_000, 512: 100_000_000_000}
"""Line rate (bit/s) that a data path of so many bits is usually built for."""
SLOW_CLOCK_WIDTH = 64
"""A data path this narrow runs at the clock of 10 Gb/s Ethernet, the others at 250 MHz."""
MAX_MTU = MAX_FRAME - 14
MIN_RATE_BPS, MAX_RATE_BPS = 1_000_000, 1_000_000_000_000


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
    """fast: behind a socket buffer that waits. capture: at the capture's times, and a full qdisc drops."""
    sndbuf: int = WMEM_DEFAULT
    """Bytes of truesize that may be on their way at the fast pace."""
    mem_latency_ns: int = 500
    tx_usecs: int = 0
    tx_frames: int = 0
    cpl_threshold: int = 1
    cpl_timer_ns: int = 2000
    """How long completions may gather, if they do."""
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
    fault: str = ""
    """A bug to put in, by its name in ``ringwire.faults.FAULTS``; empty: none."""
    driver_config: DriverConfig = field(init=False)

    def __post_init__(self) -> None:
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
        """The network device as all options have it, below no packet yet, and its driver."""
        port = world.port()
        dev = NetDevice(
            port,
            num_tx_queues=self.queues,
            mtu=self.mtu,
            tx_queue_len=self.txqueuelen,
            costs=world.cpus.costs,
            charge=port.charge,
            cpus=world.cpus,
        )
        driver = factory(port, dev, self.driver_config)
        self.set_offloads(dev)
        self.set_qdisc(dev)
        return dev, driver

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
        )
        return config if fault is None else replace(config, **fault.config)

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
            dev, _ = self.make_device(TwinWorld(TwinConfig(queues=self.queues)), factory)
        except PluginError as error:
            raise ReplayError(f"--driver {error}") from error
        return dev

    def _check_lines(self, dev: NetDevice) -> None:
        """Try the lines on a device."""
        lines = Commands([dev])
        try:
            lines.run_script(self.setup)
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


def parse_line_rate(text: str) -> int:
    """Bit/s: a rate as ``tc`` reads it, where the letters ``bit`` may be left out. ValueError with the reason."""
    rate = 8 * parse_rate(text + "bit" if re.search(r"[0-9][kmgt]$", text, re.IGNORECASE) else text)
    if not rate:
        raise ValueError(f"nothing would ever be sent; allowed: {show_rate(MIN_RATE_BPS)} or more")
    return rate


def parse_clock(text: str) -> float:
    """MHz: ``250``, ``156.25MHz``, ``0.25GHz``. ValueError with the reason."""
    number = text.lower().removesuffix("hz")
    scale = {"k": 1e-3, "m": 1.0, "g": 1e3}.get(number[-1:])
    try:
        frequency = float(number) if scale is None else float(number[:-1]) * scale
    except ValueError:
        frequency = 0.0
    if not frequency > 0:
        raise ValueError("not a frequency (units: kHz, MHz, GHz; MHz if none)")
    return frequency


def show_rate(bps: float) -> str:
    """``100G``, ``2.5G``, ``5M``: bit/s."""
    for scale, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if bps >= scale:
            return f"{bps / scale:.6g}{unit}"
    return f"{bps:g}"


def _one_of(option: str, value: object, allowed: tuple[object, ...]) -> None:
    if value not in allowed:
        raise ReplayError(f"{option} {value}; allowed: {', '.join(map(str, allowed))}")


def _within(option: str, value: float, low: float, high: float, unit: str = "") -> None:
    if not low <= value <= high:
        raise ReplayError(f"{option} {value}{unit}; allowed: {low} to {high}{unit}")
