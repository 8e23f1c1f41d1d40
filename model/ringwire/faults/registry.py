"""The catalogue: 26 classes of bugs that transmit paths have had, and faults that bring them back.

``docs/bugs.md`` is made of it. A fault goes into one of six places; where it is, the watch
(:mod:`ringwire.checks`) does not know of it. Those of the device are in its twin, and some in the RTL as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from ringwire import compiled
from ringwire.checks import Watch
from ringwire.driver.ringwire import RingwireDriver
from ringwire.faults import bus, device, driver, memory
from ringwire.host.memory import HostMemory
from ringwire.host.world import World
from ringwire.netdev import NetDevice
from ringwire.nic.registers import FAULT_SELECT, RtlFault
from ringwire.nic.twin import Twin


class Where(Enum):
    """Where a fault is put in."""

    DRIVER = "driver (a subclass of ringwire's)"
    WRITES = "driver (what it writes to registers and ring)"
    MEMORY = "driver (its mappings)"
    BUS = "bus"
    DEVICE = "device"
    STACK = "stack"


class Bug(NamedTuple):
    """A class of bugs."""

    number: int
    title: str
    case: str
    """Where it was met."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to have a bug of a class."""

    name: str
    bug: int
    """Number of its class."""
    says: str
    """What the line of the watch that names it begins with."""
    where: Where
    what: Any
    """What is put in there: a class or a function, as ``where`` needs it."""
    config: dict[str, Any] = field(default_factory=dict)
    """Settings of the driver without which it does not show."""
    rtl: RtlFault | None = None
    """What it is called in the RTL, if it can be put in there as well."""
    world: dict[str, Any] = field(default_factory=dict)
    """Settings of the simulated world (:class:`ringwire.cosim.world.WorldSettings`) without which it does not show."""
    monitored: bool = False
    """It shows only if somebody reads the queue's registers."""

    @property
    def text(self) -> str:
        """What goes wrong."""
        return " ".join((self.what.__doc__ or "").split()).split(". ")[0].rstrip(".")

    @property
    def place(self) -> str:
        """Where it goes, in words."""
        if self.where is not Where.DEVICE:
            return str(self.where.value)
        return f"{self.where.value} (twin{'' if self.rtl is None else ', RTL'})"

    @property
    def twin(self) -> type[Twin]:
        """The twin to make a world with."""
        found: type[Twin] = self.what if self.where is Where.DEVICE else Twin
        return found

    def goes_into(self, sim: str) -> bool:
        """Whether it can be put into a run on this simulator, or on the twin."""
        return sim == "twin" or self.where is not Where.DEVICE or self.rtl is not None

    @property
    def parameters(self) -> dict[str, int]:
        """Parameters of the RTL to build it with."""
        return {} if self.rtl is None else {"FAULTS": 1}

    def switch_on(self, world: World) -> None:
        """In a world of RTL built so, which has come out of its reset."""
        if self.rtl is not None:
            world.post_write(0, FAULT_SELECT, self.rtl)

    @property
    def driver(self) -> type[RingwireDriver] | None:
        """The driver in place of ringwire's."""
        return self.what if self.where is Where.DRIVER else None

    @property
    def stack(self) -> Callable[[NetDevice], None] | None:
        """What to do to the device once its driver and its disciplines are there."""
        return self.what if self.where is Where.STACK else None


class FaultError(ValueError):
    """There is no such fault, or not here."""


def watch_under(world: World, fault: Fault | None) -> Watch:
    """A watch over a world with a fault in it, made before the ports.

    The world's twin, its driver and its stack are for the caller to make as the fault has them.
    """
    if fault is not None and fault.where is Where.MEMORY:
        kind: type[HostMemory] = fault.what
        world.memory.__class__ = kind
    if fault is not None and fault.where is Where.BUS:
        world.bus = fault.what(world)
    watch = Watch(world)
    if fault is not None and fault.where is Where.WRITES:
        world.bus = fault.what(world)
    if fault is not None and fault.monitored:
        bus.monitor(world)
    return watch


BUGS = (
    Bug(1, "byte queue limits: more completed than queued", "virtio_net down and up under load (c8bd1f7f3e61); igc"),
    Bug(2, "byte queue limits not reset: the queue stays stopped", "hns3 (3a30964a2eef); mtk_eth_soc"),
    Bug(3, "no doorbell when the last packet of a batch is dropped", "bnxt_en (e8d8c5d80f5e); mlx5e on errors"),
    Bug(4, "doorbell lost or out of order on the bus", "macb on the Raspberry Pi 5 (raspberrypi/linux 7339, 7471)"),
    Bug(5, "stop and wake race: a queue stopped with an empty ring", "tg3 (1b2a720506cc); tulip, 2002"),
    Bug(6, "doorbell before what it stands for", "hns3 (61a1deacc3d4)"),
    Bug(7, "completion before the data was read", "e1000 errata: early write-back of TSO descriptors"),
    Bug(8, "reading a register clears causes that nobody has seen", "macb interrupt status (siderolabs/pkgs 1546)"),
    Bug(9, "interrupt lost, or armed in a race", "virtio_net's enable_cb_delayed; ethoc (openrisc/linux 9)"),
    Bug(10, "write-back threshold that is never reached", "ixgbe: WTHRESH is 1 where ITR is 0"),
    Bug(11, "ring wrap and full ring", "ixgbe's gap of two descriptors; QEMU e1000 on TDH"),
    Bug(12, "TSO header in several places of memory", "82571 to 82573; gem5's igbe asserts"),
    Bug(13, "TSO with MSS 0 and the like", "QEMU e1000 (CVE-2021-20257); i40e's least MSS of 64"),
    Bug(14, "MSS context that is out of date", "stmmac writes it only when it changes"),
    Bug(15, "mappings out of balance", "stmmac TSO (CVE-2024-53058)"),
    Bug(16, "IPv4 id across a wrap", "segmentation offloads: MANGLEID"),
    Bug(17, "odd fragments", "mv643xx's tiny unaligned fragments; macb"),
    Bug(18, "checksum only if the frame fits a FIFO", "mvneta's tx_csum_limit; stmmac"),
    Bug(19, "short frames", "r8169's padding quirk; etherleak (CVE-2003-0001)"),
    Bug(20, "address boundaries", "tg3 at 4 GiB; 4 KiB on AXI"),
    Bug(21, "memory that counts as full when it is not", "macb: GEM_MAX_TX_LEN 0x3fc0"),
    Bug(22, "TSO and VLAN together", "tg3; gem5 asserts"),
    Bug(23, "more buffers a frame than the device counts", "i40e: eight a frame"),
    Bug(24, "transmit hang", "e1000e: Detected Hardware Unit Hang"),
    Bug(25, "a parked packet in everybody's way", "before TCQ_F_ONETXQUEUE (1abbe1394a84)"),
    Bug(26, "underrun in the middle of a frame", "cut-through on a slow memory"),
)

_MODERATED = {"mod_ns": 20_000}
_SLOW_MEMORY = {"read_stalls": 0.7}
_WEAK_MEMORY = {"dma_order_ns": 2_000}

_ALL = (
    Fault("bql-reset-early", 1, "bql-overcompletion", Where.DRIVER, driver.ResetsLimitsEarly),
    Fault("bql-reset-missing", 2, "bql-stuck", Where.DRIVER, driver.NeverResetsLimits),
    Fault("drop-without-doorbell", 3, "doorbell-missing", Where.DRIVER, driver.DropsLastOfBatch),
    Fault("doorbell-lost", 4, "doorbell-lost", Where.BUS, bus.DoorbellLost),
    Fault("doorbell-reordered", 4, "doorbell-reordered", Where.BUS, bus.DoorbellReordered),
    Fault("wake-missed", 5, "lost-wakeup", Where.DRIVER, driver.MissesWakeUp),
    Fault("doorbell-first", 6, "doorbell-early", Where.WRITES, bus.DoorbellFirst),
    Fault("no-barrier", 6, "barrier-missing", Where.DRIVER, driver.PassesNoBarrier, world=_WEAK_MEMORY),
    Fault("completes-early", 7, "completion-early", Where.DEVICE, device.CompletesEarly, rtl=RtlFault.COMPLETES_EARLY),
    Fault("read-clears", 8, "cause-cleared", Where.DEVICE, device.ReadClears, _MODERATED,
          rtl=RtlFault.READ_CLEARS, monitored=True),
    Fault("interrupt-lost", 9, "interrupt-lost", Where.BUS, bus.InterruptLost),
    Fault("arm-race", 9, "completion-missed", Where.WRITES, bus.ArmsForAll),
    Fault("threshold-without-timer", 10, "write-back-stalled", Where.WRITES, bus.ThresholdWithoutTimer),
    Fault("write-back-waits", 10, "write-back-stalled", Where.DEVICE, device.WriteBackWaits,
          rtl=RtlFault.WRITE_BACK_WAITS),
    Fault("tail-not-wrapped", 11, "bad-tail", Where.WRITES, bus.TailNotWrapped),
    Fault("header-from-one-line", 12, "tso-header", Where.DEVICE, device.HeaderFromOneLine),
    Fault("mss-zero", 13, "illegal-offload", Where.WRITES, bus.MssZero),
    Fault("stale-mss", 14, "stale-mss", Where.DEVICE, device.StaleMss, rtl=RtlFault.STALE_MSS),
    Fault("mapping-leak", 15, "mapping-leak", Where.MEMORY, memory.Leaks),
    Fault("unmap-twice", 15, "unmap-twice", Where.MEMORY, memory.UnmapsTwice),
    Fault("unmap-early", 15, "use-after-unmap", Where.MEMORY, memory.UnmapsEarly),
    Fault("id-sticks", 16, "ip-id", Where.DEVICE, device.IdSticks),
    Fault("odd-fragments", 17, "odd-fragment", Where.DEVICE, device.OddFragments),
    Fault("short-fifo", 18, "checksum-limit", Where.DEVICE, device.ForgetsChecksum, rtl=RtlFault.SHORT_FIFO),
    Fault("old-padding", 19, "short-frame", Where.DEVICE, device.PadsWithOldBytes),
    Fault("address-32", 20, "address-truncated", Where.WRITES, bus.Address32),
    Fault("reads-32", 20, "address-truncated", Where.DEVICE, device.Reads32, rtl=RtlFault.ADDRESS_HALF),
    Fault("false-full", 21, "false-read-error", Where.DEVICE, device.FalseFull),
    Fault("tags-first-only", 22, "tso-vlan", Where.DEVICE, device.TagsFirstOnly),
    Fault("counts-buffers", 23, "too-many-buffers", Where.DEVICE, device.CountsBuffers),
    Fault("hang", 24, "tx-hang", Where.DEVICE, device.Hangs, rtl=RtlFault.HANG),
    Fault("parked", 25, "head-of-line", Where.STACK, driver.dequeues_when_stopped),
    Fault("cut-through", 26, "underrun", Where.DEVICE, device.CutsThrough,
          rtl=RtlFault.CUT_THROUGH, world=_SLOW_MEMORY),
)  # fmt: skip

FAULTS = {fault.name: fault for fault in _ALL}
CLASSES = {fault.says: BUGS[fault.bug - 1] for fault in _ALL}
"""The class of a finding, by its name; findings that follow from any of them have none."""


def fault_named(name: str) -> Fault | None:
    """The fault of that name, None for an empty one. :class:`FaultError` if there is none."""
    if not name:
        return None
    if name not in FAULTS:
        raise FaultError(f"{name}: no such fault; there are {', '.join(FAULTS)}")
    if compiled.in_use():
        raise FaultError(f"{name}: faults go into the model's Python files; set {compiled.VARIABLE}=0")
    return FAULTS[name]
