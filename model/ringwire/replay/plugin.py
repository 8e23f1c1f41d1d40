"""A driver of one's own in place of ringwire's: ``package.module:Class`` or ``path/to/file.py:Class``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, cast

from ringwire.driver.config import DriverConfig
from ringwire.driver.ringwire import RingwireDriver
from ringwire.host.world import HostPort
from ringwire.netdev import NetDevice, TxQueue
from ringwire.skb import Skb


class PluginError(Exception):
    """There is no such driver; the text is one line."""


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


DriverFactory = Callable[[HostPort, NetDevice, DriverConfig], ReplayDriver]


def driver_factory(name: str) -> DriverFactory:
    """The driver of that name, ringwire's own for an empty one. :class:`PluginError` if there is none."""
    if not name:
        return RingwireDriver
    where, colon, attribute = name.rpartition(":")
    if not colon or not where or not attribute:
        raise PluginError(f"{name!r}: not of the form package.module:Class or file.py:Class")
    try:
        module = _from_file(Path(where)) if where.endswith(".py") else _by_name(where)
    except (Exception, SystemExit) as error:
        raise PluginError(f"{where}: {type(error).__name__}: {error}") from error
    made = getattr(module, attribute, None)
    if not callable(made):
        raise PluginError(f"{where} has no class {attribute}")

    def make(port: HostPort, dev: NetDevice, config: DriverConfig) -> ReplayDriver:
        return _made(name, made, port, dev, config)

    return make


def settled_name(name: str) -> str:
    """The same name for a process that runs in another folder."""
    where, _, attribute = name.rpartition(":")
    return f"{Path(where).resolve()}:{attribute}" if where.endswith(".py") else name


def _made(name: str, cls: Callable[..., Any], port: HostPort, dev: NetDevice, config: DriverConfig) -> ReplayDriver:
    """A driver of a user's, which may be anything. :class:`PluginError` unless it can be one."""
    try:
        driver = cls(port, dev, config)
        missing = [wanted for wanted in ("up", "open", "ndo_start_xmit", "describe") if not hasattr(driver, wanted)]
    except (Exception, SystemExit) as error:
        raise PluginError(f"{name}: __init__(port, dev, config): {type(error).__name__}: {error}") from error
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
