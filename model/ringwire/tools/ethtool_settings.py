"""What ``ethtool`` shows and changes of a device: rings, queues, interrupt moderation, private flags, statistics.

The functions (``get_*``, ``set_*``) raise DeviceError where Linux refuses. The checks that need no driver are those of
the kernel's netlink interface (net/ethtool/{rings,channels,coalesce,privflags}.c of Linux 6.12). The groups are for the
lines (:mod:`ringwire.tools.ethtool`): parameters by the tool's names, and how it lays them out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

from ringwire.netdev.device import NetDevice
from ringwire.netdev.errors import DeviceError
from ringwire.netdev.ethtool_ops import (
    AdaptiveCoalesceOps,
    ChannelOps,
    Coalesce,
    CoalesceOps,
    PrivFlagOps,
    RingOps,
    StatisticsOps,
)
from ringwire.tools.features import on_off
from ringwire.tools.refusal import errno_of

U32 = 0xFFFF_FFFF
NS_PER_US = 1000

Value: TypeAlias = int | bool
Values: TypeAlias = Mapping[str, Value | None]
"""Parameters by the names of ethtool's JSON; None is what the device does not have, "n/a"."""

# -- rings


@dataclass(frozen=True, slots=True)
class RingParams:
    """Descriptors of each transmit ring."""

    tx_max: int
    tx: int


def get_ring(dev: NetDevice) -> RingParams:
    """ethtool -g. DeviceError (EOPNOTSUPP) if the driver has no such knob."""
    ops = dev.driver
    if not isinstance(ops, RingOps):
        raise _unsupported("-g")
    return RingParams(ops.max_ring_entries, ops.ring_entries)


def set_ring(dev: NetDevice, tx: int) -> None:
    """ethtool -G tx. DeviceError: EINVAL for a size that the driver refuses."""
    _write_ring(dev, {"tx": tx})


def _ring_values(dev: NetDevice) -> Values:
    now = get_ring(dev)
    return dict.fromkeys(("rx-max", "rx-mini-max", "rx-jumbo-max", "rx", "rx-mini", "rx-jumbo")) | {
        "tx-max": now.tx_max,
        "tx": now.tx,
        "rx-buf-len": None,
        "cqe-size": None,
        "tx-push": False,
        "tcp-data-split": None,
    }


_RING_EXTRAS = {"rx-buf-len": "rx buf len", "cqe-size": "cqe size", "tx-push": "tx push"}


def _write_ring(dev: NetDevice, wanted: Mapping[str, Value]) -> None:
    ops = dev.driver
    if not isinstance(ops, RingOps):
        raise _unsupported("-G")
    for name, text in _RING_EXTRAS.items():
        if name in wanted:
            raise DeviceError("EOPNOTSUPP", name, "tx", f"setting {text} not supported")
    for name in ("rx", "rx-mini", "rx-jumbo", "tx"):
        most, allowed = (ops.max_ring_entries, ops.ring_allowed) if name == "tx" else (0, "0: there is tx only")
        if wanted.get(name, 0) > most:
            raise DeviceError("EINVAL", name, allowed, "requested ring size exceeds maximum")
    tx = wanted.get("tx", ops.ring_entries)
    if tx != ops.ring_entries:
        _ask("tx", lambda: ops.set_ring(tx), ops.ring_allowed)


# -- channels


@dataclass(frozen=True, slots=True)
class Channels:
    """Transmit queues, those that there are and those in use."""

    tx_max: int
    tx: int


def get_channels(dev: NetDevice) -> Channels:
    """ethtool -l."""
    return Channels(dev.num_tx_queues, dev.real_num_tx_queues)


def set_channels(dev: NetDevice, tx: int) -> None:
    """ethtool -L tx. DeviceError: EINVAL if there are not so many, EBUSY if the driver can't now."""
    _write_channels(dev, {"tx": tx})


def _channel_values(dev: NetDevice) -> Values:
    now = get_channels(dev)
    none = dict.fromkeys(("rx-max", "other-max", "combined-max", "rx", "other", "combined"))
    return none | {"tx-max": now.tx_max, "tx": now.tx}


def _write_channels(dev: NetDevice, wanted: Mapping[str, Value]) -> None:
    ops = dev.driver
    if not isinstance(ops, ChannelOps):
        raise _unsupported("-L")
    at_most = {"rx": 0, "tx": dev.num_tx_queues, "other": 0, "combined": 0}
    for name, most in at_most.items():
        if wanted.get(name, 0) > most:
            allowed = f"1 to {most}" if most else "0: there is tx only"
            raise DeviceError("EINVAL", name, allowed, "requested channel count exceeds maximum")
    tx = wanted.get("tx", dev.real_num_tx_queues)
    if tx < 1:
        text = "requested channel counts would result in no RX or TX channel being configured"
        raise DeviceError("EINVAL", "tx", f"1 to {dev.num_tx_queues}", text)
    if tx != dev.real_num_tx_queues:
        _ask("tx", lambda: ops.set_channels(tx))


# -- coalescing


_COALESCE_NAMES = """
    rx-usecs rx-frames rx-usecs-irq rx-frames-irq tx-usecs tx-frames tx-usecs-irq tx-frames-irq
    stats-block-usecs adaptive-rx adaptive-tx pkt-rate-low rx-usecs-low rx-frames-low tx-usecs-low tx-frames-low
    pkt-rate-high rx-usecs-high rx-frames-high tx-usecs-high tx-frames-high sample-interval cqe-mode-tx cqe-mode-rx
"""
COALESCE = tuple(_COALESCE_NAMES.split())
"""In the order in which the kernel looks at them."""
_COALESCE_SWITCHES = ("adaptive-rx", "adaptive-tx", "cqe-mode-rx", "cqe-mode-tx")


def get_coalesce(dev: NetDevice) -> Coalesce:
    """ethtool -c; times in ns. DeviceError (EOPNOTSUPP) if the driver has no such knob."""
    ops = dev.driver
    if not isinstance(ops, CoalesceOps):
        raise _unsupported("-c")
    return ops.coalesce


def set_coalesce(
    dev: NetDevice, tx_usecs: int | None = None, tx_frames: int | None = None, adaptive_tx: bool | None = None
) -> None:
    """ethtool -C; None leaves a parameter as it is. DeviceError: EINVAL for what the driver refuses or has not."""
    now = get_coalesce(dev)
    ops = dev.driver
    assert isinstance(ops, CoalesceOps)
    if adaptive_tx is not None and now.adaptive_tx is None:
        raise DeviceError("EINVAL", "adaptive-tx", ", ".join(_coalesce_knobs(now)))
    wanted = Coalesce(
        now.mod_ns if tx_usecs is None else tx_usecs * NS_PER_US,
        now.mod_frames if tx_frames is None else tx_frames,
        now.adaptive_tx if adaptive_tx is None else adaptive_tx,
    )
    given = {"tx-usecs": tx_usecs, "tx-frames": tx_frames, "adaptive-tx": adaptive_tx}
    knob = next((name for name, value in given.items() if value is not None), "")
    if wanted != now:
        _ask(knob, lambda: _hand_coalesce(ops, wanted), ops.coalesce_allowed)


def _hand_coalesce(ops: CoalesceOps, wanted: Coalesce) -> None:
    if wanted.adaptive_tx is None:
        ops.set_coalesce(wanted.mod_ns, wanted.mod_frames)
    else:
        cast(AdaptiveCoalesceOps, ops).set_coalesce(wanted.mod_ns, wanted.mod_frames, wanted.adaptive_tx)


def _coalesce_knobs(now: Coalesce) -> tuple[str, ...]:
    """What of the many parameters a driver has."""
    return ("tx-usecs", "tx-frames", "adaptive-tx") if now.adaptive_tx is not None else ("tx-usecs", "tx-frames")


def _coalesce_values(dev: NetDevice) -> Values:
    now = get_coalesce(dev)
    return dict.fromkeys(COALESCE) | {
        "tx-usecs": now.mod_ns // NS_PER_US,
        "tx-frames": now.mod_frames,
        "adaptive-tx": now.adaptive_tx,
    }


def _write_coalesce(dev: NetDevice, wanted: Mapping[str, Value]) -> None:
    there_are = _coalesce_knobs(get_coalesce(dev))
    for name in COALESCE:
        if name in wanted and name not in there_are:
            raise DeviceError("EINVAL", name, ", ".join(there_are), "cannot modify an unsupported parameter")
    adaptive = wanted.get("adaptive-tx")
    set_coalesce(dev, wanted.get("tx-usecs"), wanted.get("tx-frames"), None if adaptive is None else bool(adaptive))


# -- private flags


def get_priv_flags(dev: NetDevice) -> Mapping[str, bool]:
    """ethtool --show-priv-flags. DeviceError (EOPNOTSUPP) if the driver has none."""
    ops = dev.driver
    if not isinstance(ops, PrivFlagOps):
        raise _unsupported("--show-priv-flags")
    return ops.priv_flags


def set_priv_flags(dev: NetDevice, flags: Mapping[str, bool]) -> None:
    """ethtool --set-priv-flags. DeviceError: EOPNOTSUPP for a flag that there is not, EINVAL for none at all, EBUSY
    for what can't change now.
    """
    known = get_priv_flags(dev)
    ops = dev.driver
    assert isinstance(ops, PrivFlagOps)
    allowed = ", ".join(known)
    for name in flags:
        if name not in known:
            raise DeviceError("EOPNOTSUPP", name, allowed, "bit name not found")
    if not flags:
        raise DeviceError("EINVAL", "", allowed)
    changed = {name: on for name, on in flags.items() if on != known[name]}
    if changed:
        _ask(next(iter(changed)), lambda: ops.set_priv_flags(changed))


def show_priv_flags(dev: NetDevice) -> str:
    """ethtool --show-priv-flags as text."""
    flags = get_priv_flags(dev)
    width = max(map(len, flags), default=0)
    return f"Private flags for {dev.name}:\n" + "".join(f"{name:{width}}: {on_off(on)}\n" for name, on in flags.items())


# -- statistics


def get_statistics(dev: NetDevice) -> dict[str, int]:
    """ethtool -S; {} if the driver counts nothing."""
    return dev.driver.statistics() if isinstance(dev.driver, StatisticsOps) else {}


def show_statistics(dev: NetDevice) -> str:
    """ethtool -S as text."""
    return "NIC statistics:\n" + "".join(f"     {name}: {value}\n" for name, value in get_statistics(dev).items())


# -- parameters of a line


@dataclass(frozen=True, slots=True)
class Group:
    """A set of parameters that one option shows and another changes."""

    read: Callable[[NetDevice], Values]
    write: Callable[[NetDevice, Mapping[str, Value]], None]
    settable: tuple[str, ...]
    switches: tuple[str, ...]
    """Those of ``settable`` that are on or off."""
    layout: str
    """What is printed, with the names of values in braces."""
    status: int = 1
    """Exit status where the kernel refuses a change."""

    def text(self, dev: NetDevice) -> str:
        shown = {name: _shown(value) for name, value in self.read(dev).items()}
        return self.layout.format_map(shown | {"ifname": dev.name})

    def json(self, dev: NetDevice) -> dict[str, object]:
        there_is = {name: value for name, value in self.read(dev).items() if value is not None}
        return {"ifname": dev.name, **there_is}


RINGS = Group(
    _ring_values,
    _write_ring,
    ("rx", "rx-mini", "rx-jumbo", "tx", *_RING_EXTRAS),
    ("tx-push",),
    "Ring parameters for {ifname}:\n"
    "Pre-set maximums:\nRX:\t\t{rx-max}\nRX Mini:\t{rx-mini-max}\nRX Jumbo:\t{rx-jumbo-max}\nTX:\t\t{tx-max}\n"
    "Current hardware settings:\nRX:\t\t{rx}\nRX Mini:\t{rx-mini}\nRX Jumbo:\t{rx-jumbo}\nTX:\t\t{tx}\n"
    "RX Buf Len:\t\t{rx-buf-len}\nCQE Size:\t\t{cqe-size}\nTX Push:\t{tx-push}\nTCP data split:\t{tcp-data-split}\n",
    status=81,
)
CHANNELS = Group(
    _channel_values,
    _write_channels,
    ("rx", "tx", "other", "combined"),
    (),
    "Channel parameters for {ifname}:\n"
    "Pre-set maximums:\nRX:\t\t{rx-max}\nTX:\t\t{tx-max}\nOther:\t\t{other-max}\nCombined:\t{combined-max}\n"
    "Current hardware settings:\nRX:\t\t{rx}\nTX:\t\t{tx}\nOther:\t\t{other}\nCombined:\t{combined}\n",
)
COALESCING = Group(
    _coalesce_values,
    _write_coalesce,
    COALESCE,
    _COALESCE_SWITCHES,
    "Coalesce parameters for {ifname}:\n"
    "Adaptive RX: {adaptive-rx}  TX: {adaptive-tx}\n"
    "stats-block-usecs: {stats-block-usecs}\nsample-interval: {sample-interval}\n"
    "pkt-rate-low: {pkt-rate-low}\npkt-rate-high: {pkt-rate-high}\n\n"
    "rx-usecs: {rx-usecs}\nrx-frames: {rx-frames}\nrx-usecs-irq: {rx-usecs-irq}\nrx-frames-irq: {rx-frames-irq}\n\n"
    "tx-usecs: {tx-usecs}\ntx-frames: {tx-frames}\ntx-usecs-irq: {tx-usecs-irq}\ntx-frames-irq: {tx-frames-irq}\n\n"
    "rx-usecs-low: {rx-usecs-low}\nrx-frame-low: {rx-frames-low}\n"
    "tx-usecs-low: {tx-usecs-low}\ntx-frame-low: {tx-frames-low}\n\n"
    "rx-usecs-high: {rx-usecs-high}\nrx-frame-high: {rx-frames-high}\n"
    "tx-usecs-high: {tx-usecs-high}\ntx-frame-high: {tx-frames-high}\n\n"
    "CQE mode RX: {cqe-mode-rx}  TX: {cqe-mode-tx}\n\n",
)


def _unsupported(option: str) -> DeviceError:
    return DeviceError("EOPNOTSUPP", option, "nothing: the driver has no such knob")


def _ask(knob: str, change: Callable[[], None], allowed: str = "") -> None:
    """Have the driver change something; its refusal becomes a DeviceError."""
    try:
        change()
    except DeviceError:
        raise
    except ValueError as error:
        raise DeviceError(errno_of(error), knob, allowed or str(error)) from None


def _shown(value: Value | None) -> str:
    if value is None:
        return "n/a"
    return on_off(value) if isinstance(value, bool) else str(value)
