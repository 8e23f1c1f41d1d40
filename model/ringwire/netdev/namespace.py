"""What the devices of one host share: their names, and the actions of all their filters (struct net)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ringwire.action.table import ActionTable
from ringwire.netdev.sysctl import SYSCTLS

if TYPE_CHECKING:
    from ringwire.netdev.device import NetDevice


class Namespace:
    """Devices by name and number, and actions by kind and index."""

    def __init__(self) -> None:
        self.devices: dict[str, NetDevice] = {}
        self.actions = ActionTable()
        self.mirred_depth = 0
        """Redirections that are under way, one within the other."""
        self.sysctls: dict[str, int | str] = {name: sysctl.default for name, sysctl in SYSCTLS.items()}
        """What ``sysctl`` has set, by its names."""
        self._last_ifindex = 0

    def join(self, dev: NetDevice) -> None:
        """Take a device in, and give it its ``ifindex``."""
        if self.devices.setdefault(dev.name, dev) is not dev:
            raise ValueError(f"{dev.name}: the host has another device of that name")
        self._last_ifindex += 1
        dev.ifindex = self._last_ifindex
        dev.net = self

    def device(self, name: str) -> NetDevice | None:
        return self.devices.get(name)


def share(devices: Iterable[NetDevice]) -> None:
    """Make devices, each of which may have been made by itself, those of one host.

    ValueError if two of them have actions already, or one name.
    """
    nets = list(dict.fromkeys(dev.net for dev in devices))
    nets.sort(key=lambda net: not net.actions)
    for other in nets[1:]:
        if other.actions:
            raise ValueError(f"{', '.join(other.devices)}: has actions of its own, and so have others")
        for dev in other.devices.values():
            nets[0].join(dev)
