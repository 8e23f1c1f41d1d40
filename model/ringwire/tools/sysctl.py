"""``sysctl``: what holds for a whole host. ``sysctl -w name=value``, ``sysctl name=value``, ``sysctl name``.

The same are files under ``/proc/sys``: :func:`read` and :func:`write` take one.

A new ``net.core.default_qdisc`` is what devices get by themselves from then on. As on a host where it is set before
its interfaces come up, that includes devices which still have the discipline that they were given by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ringwire.netdev.device import NetDevice
from ringwire.netdev.errors import DeviceError
from ringwire.netdev.sysctl import DEFAULT_QDISC, DEV_WEIGHT, DEV_WEIGHT_TX_BIAS, SYSCTLS, SysctlError
from ringwire.tools.words import Word, Words

ROOT = "/proc/sys/"


def paths() -> list[str]:
    """All files that there are."""
    return [ROOT + name.replace(".", "/") for name in SYSCTLS]


def find(path: str) -> str:
    """The name of what a file holds. DeviceError: ENOENT, or EISDIR for a folder."""
    name = path.removeprefix(ROOT).replace("/", ".")
    if name not in SYSCTLS:
        folder = path.rstrip("/") + "/"
        is_folder = any(known.startswith(folder) for known in paths())
        raise DeviceError("EISDIR" if is_folder else "ENOENT", path, ", ".join(paths()))
    return name


def read(devices: Sequence[NetDevice], path: str) -> str:
    """What a file holds, with its newline. DeviceError as :func:`find`."""
    return f"{devices[0].net.sysctls[find(path)]}\n"


def write(devices: Sequence[NetDevice], path: str, text: str) -> None:
    """Write a file of all the devices' host. DeviceError with Linux's error number."""
    name = find(path)
    try:
        set_value(devices, name, text.strip())
    except SysctlError as error:
        raise DeviceError(error.errno, path, error.allowed) from None


def set_value(devices: Iterable[NetDevice], name: str, text: str) -> None:
    """Set what there is by its name. SysctlError."""
    value = SYSCTLS[name].read(text)
    for dev in devices:
        sysctls = dev.net.sysctls
        sysctls[name] = value
        if name == DEFAULT_QDISC:
            dev.default_qdisc = str(value)
            if not dev.qdisc.handle:
                dev.set_qdisc(dev.make_default_qdisc())
        elif name in (DEV_WEIGHT, DEV_WEIGHT_TX_BIAS):
            dev.dev_tx_weight = int(sysctls[DEV_WEIGHT]) * int(sysctls[DEV_WEIGHT_TX_BIAS])


class SysctlCommand:
    """The command on a set of devices of one host."""

    def __init__(self, devices: Iterable[NetDevice]) -> None:
        self._devices = list(devices)

    def run(self, line: str) -> str:
        """Carry out a line; what it prints. CommandError."""
        words = Words(line)
        words.skip("sysctl")
        quiet = False
        while words.peek().startswith("-"):
            option = words.take("an option")
            if option.text not in ("-w", "-q", "-qw", "-wq", "--write", "--quiet"):
                raise option.error("no such option here; allowed: -w, -q")
            quiet |= "q" in option.text
        printed = [self._one(words.take("a name")) for _ in range(max(words.left, 1))]
        return "" if quiet else "".join(printed)

    def _one(self, word: Word) -> str:
        name, equals, value = word.text.partition("=")
        name = name.replace("/", ".")
        if name not in SYSCTLS:
            raise word.error(
                f"cannot stat /proc/sys/{name.replace('.', '/')}: No such file or directory; "
                f"there are {', '.join(SYSCTLS)}"
            )
        if equals:
            try:
                set_value(self._devices, name, value)
            except SysctlError as error:
                raise word.error(f'setting key "{name}": {error}') from None
        return f"{name} = {self._devices[0].net.sysctls[name]}\n"
