"""What a user brings: a driver in place of ringwire's, and a function that chooses transmit queues.

Named as ``package.module:Name`` or ``path/to/file.py:Name``.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, cast

from ringwire.driver.config import DriverConfig
from ringwire.driver.ringwire import RingwireDriver
from ringwire.host.world import HostPort
from ringwire.netdev import NetDevice, TxQueue
from ringwire.skb import Skb
from ringwire.whose import told


class PluginError(Exception):
    """There is no such thing, or it does not do what it should; the text is one line."""


class ReplayDriver(Protocol):
    """What a replay needs of a driver. Its ``__init__`` makes it the device's (``dev.driver = self``)."""

    @property
    def up(self) -> bool:
        """Packets may come."""
        ...

    def open(self) -> None:
        """Begin to set the device up; that may take simulated time."""
        ...

    def ndo_start_xmit(self, skb: Skb, txq: TxQueue, xmit_more: bool) -> int: ...

    def describe(self) -> str:
        """Its state, a line a queue, for the message of a run that is stuck."""
        ...


class DriverFactory(Protocol):
    """Makes a driver. ``queue_ports``, one a queue, say on which CPU each queue's interrupts and polls run."""

    def __call__(
        self, port: HostPort, dev: NetDevice, config: DriverConfig, queue_ports: Sequence[HostPort] | None = None
    ) -> ReplayDriver: ...


def driver_factory(name: str) -> DriverFactory:
    """The driver of that name, ringwire's own for an empty one. :class:`PluginError` if there is none."""
    if not name:
        return RingwireDriver
    made = _load(name, "Class", "class")

    def make(
        port: HostPort, dev: NetDevice, config: DriverConfig, queue_ports: Sequence[HostPort] | None = None
    ) -> ReplayDriver:
        return _made(name, made, port, dev, config, queue_ports)

    return make


def queue_function(name: str, dev: NetDevice) -> Callable[[Skb], int]:
    """ndo_select_queue by the function of that name, ``function(dev, skb)``. :class:`PluginError` if there is none.

    What it gives must be a number from 0; one beyond the queues in use becomes 0, as in Linux.
    """
    function = _load(name, "function", "function")

    def pick(skb: Skb) -> int:
        queue = function(dev, skb)
        if not isinstance(queue, int) or queue < 0:
            raise PluginError(f"{name} chose queue {queue!r} for a packet; allowed: 0 to {dev.num_tx_queues - 1}")
        return queue

    return pick


def resolved(name: str) -> str:
    """The name of a thing so that it holds in any folder."""
    where, colon, attribute = name.rpartition(":")
    return f"{Path(where).resolve()}{colon}{attribute}" if where.endswith(".py") else name


def _load(name: str, form: str, kind: str) -> Callable[..., Any]:
    where, colon, attribute = name.rpartition(":")
    if not colon or not where or not attribute:
        raise PluginError(f"{name!r}: not of the form package.module:{form} or file.py:{form}")
    try:
        module = _from_file(Path(where)) if where.endswith(".py") else _by_name(where)
    except (Exception, SystemExit) as error:
        raise PluginError(f"{where}: {told(error)}") from error
    found = getattr(module, attribute, None)
    if not callable(found):
        raise PluginError(f"{where} has no {kind} {attribute}")
    loaded: Callable[..., Any] = found
    return loaded


def _made(
    name: str,
    cls: Callable[..., Any],
    port: HostPort,
    dev: NetDevice,
    config: DriverConfig,
    queue_ports: Sequence[HostPort] | None,
) -> ReplayDriver:
    """A driver of a user's, which may be anything. :class:`PluginError` unless it can be one."""
    try:
        several = queue_ports is not None and "queue_ports" in inspect.signature(cls).parameters
        driver = cls(port, dev, config, **({"queue_ports": queue_ports} if several else {}))
        missing = [wanted for wanted in ("up", "open", "ndo_start_xmit", "describe") if not hasattr(driver, wanted)]
    except (Exception, SystemExit) as error:
        raise PluginError(f"{name}: __init__(port, dev, config): {told(error)}") from error
    if missing:
        raise PluginError(f"{name} has no {', '.join(missing)}")
    if getattr(dev, "driver", None) is not driver:
        raise PluginError(f"{name}: __init__ has to make it the device's: dev.driver = self")
    return cast(ReplayDriver, driver)


def _by_name(dotted: str) -> ModuleType:
    """Import a module; the current folder counts, as it does for ``python -m``."""
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    return importlib.import_module(dotted)


def _from_file(path: Path) -> ModuleType:
    spec: Any = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
