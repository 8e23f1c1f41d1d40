"""Files under ``/sys/class/net``: those of a device and of its transmit queues that rule transmission.

After net/core/net-sysfs.c of Linux 6.12. Lines of a shell that read and write them are in :mod:`ringwire.tools.shell`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from ringwire.bql import KNOBS as BQL_KNOBS
from ringwire.bql import MAX_LIMIT, STALL_THRS_MAX, STALL_THRS_MIN, KnobError
from ringwire.netdev.device import NetDevice
from ringwire.netdev.errors import DeviceError
from ringwire.netdev.queue import TxQueue
from ringwire.netdev.xps import format_mask, mask_allowed, parse_mask
from ringwire.tools.refusal import errno_of

ROOT = "/sys/class/net"
U32 = 0xFFFF_FFFF
U64 = 0xFFFF_FFFF_FFFF_FFFF
READ_ONLY = "nothing: the file can only be read"


@dataclass(frozen=True, slots=True)
class File:
    """A file of a transmit queue or, with the first queue standing for all, of a device."""

    show: Callable[[TxQueue], str]
    store: Callable[[TxQueue, str], None] | None
    """Takes what is written, the newline included; None where the file can only be read."""
    allowed: Callable[[TxQueue], str]


# -- the files


def _show_mtu(txq: TxQueue) -> str:
    return str(txq.dev.mtu)


def _store_mtu(txq: TxQueue, text: str) -> None:
    # the kernel takes 64 bits and looks at 32
    txq.dev.set_mtu(_signed(_number(text, U64, "mtu", txq.dev.mtu_allowed, base=0) & U32))


def _show_length(txq: TxQueue) -> str:
    return str(_signed(txq.dev.tx_queue_len))


def _store_length(txq: TxQueue, text: str) -> None:
    txq.dev.tx_queue_len = _number(text, U32, "tx_queue_len", f"0 to {U32}", base=0)


def _show_carrier(txq: TxQueue) -> str:
    _needs_up(txq)
    return str(int(txq.dev.carrier))


def _store_carrier(txq: TxQueue, text: str) -> None:
    if txq.dev.ndo_change_carrier is None:
        txq.dev.change_carrier(True)  # which says why not, before the number is looked at
    on = _number(text, U64, "carrier", "0 or 1", base=0)
    _needs_up(txq)
    txq.dev.change_carrier(bool(on))


def _needs_up(txq: TxQueue) -> None:
    if not txq.dev.is_up:
        raise DeviceError("EINVAL", "carrier", "a device that is up")


def _show_xps(txq: TxQueue) -> str:
    _needs_several(txq, "xps_cpus")
    return format_mask(txq.dev.xps.cpus(txq.index), txq.dev.xps.num_cpus)


def _store_xps(txq: TxQueue, text: str) -> None:
    _needs_several(txq, "xps_cpus")
    txq.dev.set_xps_cpus(txq.index, parse_mask(text, txq.dev.xps.num_cpus))


def _show_traffic_class(txq: TxQueue) -> str:
    _needs_several(txq, "traffic_class")
    return "0"


def _store_maxrate(txq: TxQueue, text: str) -> None:
    if txq.dev.ndo_set_tx_maxrate is None:
        txq.dev.set_tx_maxrate(txq, 0)  # which says why not, before the number is looked at
    txq.dev.set_tx_maxrate(txq, _number(text, U32, "tx_maxrate", f"0 to {U32}, Mbit/s"))


def _needs_several(txq: TxQueue, name: str) -> None:
    if txq.dev.num_tx_queues == 1:
        raise DeviceError("ENOENT", name, "a device with several transmit queues")


def _stall_allowed(txq: TxQueue) -> str:
    least, most = (jiffies * 1000 // txq.dev.hz for jiffies in (STALL_THRS_MIN, STALL_THRS_MAX))
    return f"0 or {least} to {most}, ms"


_LIMIT = f"0 to {MAX_LIMIT}, or max"
BQL_ALLOWED: dict[str, Callable[[TxQueue], str]] = {
    "limit": lambda txq: _LIMIT,
    "limit_min": lambda txq: _LIMIT,
    "limit_max": lambda txq: _LIMIT,
    "hold_time": lambda txq: f"0 to {U32}, ms",
    "stall_thrs": _stall_allowed,
    "stall_max": lambda txq: "anything, which clears it",
}


def _read_only(txq: TxQueue) -> str:
    return READ_ONLY


def _bql_file(knob: str) -> File:
    if knob not in BQL_ALLOWED:
        return File(lambda txq: txq.dql.show(knob), None, _read_only)
    return File(lambda txq: txq.dql.show(knob), lambda txq, text: txq.dql.store(knob, text), BQL_ALLOWED[knob])


DEVICE_FILES = {
    "carrier": File(_show_carrier, _store_carrier, lambda txq: "0 or 1"),
    "mtu": File(_show_mtu, _store_mtu, lambda txq: txq.dev.mtu_allowed),
    "tx_queue_len": File(_show_length, _store_length, lambda txq: f"0 to {U32}"),
}
QUEUE_FILES = {
    "traffic_class": File(_show_traffic_class, None, _read_only),
    "tx_maxrate": File(lambda txq: str(txq.maxrate_mbps), _store_maxrate, lambda txq: f"0 to {U32}, Mbit/s"),
    "tx_timeout": File(lambda txq: str(txq.trans_timeout), None, _read_only),
    "xps_cpus": File(_show_xps, _store_xps, lambda txq: mask_allowed(txq.dev.xps.num_cpus)),
} | {f"byte_queue_limits/{knob}": _bql_file(knob) for knob in BQL_KNOBS}


def paths(dev: NetDevice) -> list[str]:
    """Every file of the device there is, below its folder: ``mtu``, ``queues/tx-0/xps_cpus`` ..."""
    queues = range(dev.real_num_tx_queues)
    return [*DEVICE_FILES, *(f"queues/tx-{queue}/{name}" for queue in queues for name in QUEUE_FILES)]


def find(dev: NetDevice, path: str) -> tuple[File, TxQueue]:
    """The file at a path below the device's folder. DeviceError: ENOENT, or EISDIR for a folder."""
    if path in DEVICE_FILES:
        return DEVICE_FILES[path], dev.tx_queues[0]
    found = re.fullmatch(r"queues/tx-(0|[1-9][0-9]*)/(.+)", path)
    if found is not None and int(found[1]) < dev.real_num_tx_queues and found[2] in QUEUE_FILES:
        return QUEUE_FILES[found[2]], dev.tx_queues[int(found[1])]
    is_folder = not path or any(name.startswith(path + "/") for name in paths(dev))
    raise DeviceError("EISDIR" if is_folder else "ENOENT", path, ", ".join(_nearest(dev, path)))


def read(dev: NetDevice, path: str) -> str:
    """What a file holds, with its newline; ``path`` is below the device's folder. DeviceError as :func:`find`."""
    file, txq = find(dev, path)
    return file.show(txq) + "\n"


def write(dev: NetDevice, path: str, text: str) -> None:
    """Write a file. DeviceError with Linux's error number: EINVAL, ERANGE, EOVERFLOW, EACCES, ENOENT ..."""
    file, txq = find(dev, path)
    if file.store is None:
        raise DeviceError("EACCES", path, READ_ONLY)
    try:
        file.store(txq, text)
    except KnobError as error:
        raise DeviceError(error.errno, path, file.allowed(txq)) from None
    except DeviceError:
        raise
    except ValueError as error:
        raise DeviceError(errno_of(error), path, str(error)) from None


def values(dev: NetDevice) -> dict[str, str]:
    """All files that can be read, path below the device's folder: text without newline."""
    found = {}
    for path in paths(dev):
        try:
            found[path] = read(dev, path).removesuffix("\n")
        except DeviceError:
            continue
    return found


def _nearest(dev: NetDevice, path: str) -> list[str]:
    """Names in the deepest folder of a path that there is."""
    known = paths(dev)
    folder = path.strip("/")
    while folder and not any(name.startswith(folder + "/") for name in known):
        folder = folder.rpartition("/")[0]
    start = folder + "/" if folder else ""
    names = (name.removeprefix(start).partition("/")[0] for name in known if name.startswith(start))
    return [start + name for name in dict.fromkeys(names)]


def _number(text: str, most: int, knob: str, allowed: str, base: int = 10) -> int:
    """As the kernel's kstrto functions: digits, a plus sign before and one newline behind them.

    With ``base`` 0 also 0x hexadecimal and 0 octal. DeviceError: EINVAL for anything else, ERANGE above ``most``.
    """
    found = re.fullmatch(r"\+?(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([0-9]+))\n?", text) if base == 0 else None
    if base == 0 and found is not None and not (found[3] or "").startswith("0"):
        value = int(found[1], 16) if found[1] else int(found[2], 8) if found[2] else int(found[3])
    elif base != 0 and re.fullmatch(r"\+?[0-9]+\n?", text):
        value = int(text)
    else:
        raise DeviceError("EINVAL", knob, allowed)
    if value > most:
        raise DeviceError("ERANGE", knob, allowed)
    return value


def _signed(value: int) -> int:
    """32 bits as an int."""
    return value - (1 << 32) if value >> 31 else value
