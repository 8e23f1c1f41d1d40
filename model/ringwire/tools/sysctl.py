"""``sysctl``: what holds for a whole host. ``sysctl -w name=value``, ``sysctl name=value`` and ``sysctl name``.

A new ``net.core.default_qdisc`` is what devices get by themselves from then on. As on a host where it is set before
its interfaces come up, that includes devices which still have the discipline that they were given by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable

from ringwire.netdev.device import NetDevice
from ringwire.netdev.sysctl import DEFAULT_QDISC, SYSCTLS
from ringwire.tools.words import Word, Words


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
                self._set(name, SYSCTLS[name].read(value))
            except ValueError as error:
                raise word.error(f'setting key "{name}": {error}') from None
        return f"{name} = {self._devices[0].net.sysctls[name]}\n"

    def _set(self, name: str, value: int | str) -> None:
        for dev in self._devices:
            dev.net.sysctls[name] = value
            if name == DEFAULT_QDISC:
                dev.default_qdisc = str(value)
                if not dev.qdisc.handle:
                    dev.set_qdisc(dev.make_default_qdisc())
