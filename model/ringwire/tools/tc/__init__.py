"""``tc``: carries out the lines that Linux's users write, and prints what ``tc -s -d qdisc show`` prints."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from ringwire.filter import kinds as filter_kinds
from ringwire.netdev.cls_api import UNKNOWN_KIND as UNKNOWN_FILTER
from ringwire.netdev.cls_api import delete_filter, modify_filter
from ringwire.netdev.device import FIRST_AUTO_MAJOR as FIRST_OWN_MAJOR
from ringwire.netdev.device import NetDevice
from ringwire.netdev.namespace import share
from ringwire.netdev.sch_api import UNKNOWN_KIND as UNKNOWN_QDISC
from ringwire.netdev.sch_api import delete_class, delete_qdisc, modify_class, modify_qdisc
from ringwire.qdisc.registry import kinds as qdisc_kinds
from ringwire.qdisc.teql import Teql
from ringwire.tools.refusal import by_name
from ringwire.tools.tc.action_command import ActionsChange, ActionsDelete, ActionsShow, run_actions
from ringwire.tools.tc.batch import BatchError, Failure, logical_lines
from ringwire.tools.tc.command import (
    BatchCommand,
    ClassCommand,
    Command,
    FilterCommand,
    QdiscCommand,
    parse,
)
from ringwire.tools.tc.errors import KERNEL_STATUS, PARSE_STATUS, TcError, TcUnknown, UnknownKind, refused
from ringwire.tools.tc.options import format_params, parse_params
from ringwire.tools.tc.place import Place
from ringwire.tools.tc.show import carry_out, show, show_classes
from ringwire.tools.tc.show_command import ShowCommand
from ringwire.tools.words import CommandError

__all__ = [
    "FIRST_OWN_MAJOR",
    "BatchError",
    "ClassCommand",
    "Command",
    "FilterCommand",
    "QdiscCommand",
    "ShowCommand",
    "Tc",
    "TcError",
    "TcUnknown",
    "UnknownKind",
    "format_params",
    "parse",
    "parse_params",
    "show",
    "show_classes",
]


def _instead(message: str, dev: NetDevice) -> list[str]:
    """What could have stood in place of the word that the kernel's message is about, if that is a list."""
    if message == UNKNOWN_QDISC:
        return sorted({*qdisc_kinds(), *dev.equalizers} - ({Teql.kind} - dev.equalizers.keys()))
    return filter_kinds() if message == UNKNOWN_FILTER else []


class Tc:
    """The command on a set of devices."""

    def __init__(self, devices: Iterable[NetDevice]) -> None:
        """Devices that were made by themselves become those of one host, so that packets can be redirected."""
        self._devices = by_name(devices)
        share(self._devices.values())
        self.warnings: list[str] = []
        """What the real command would have printed to its error output for lines that succeeded."""

    def run(self, line: str) -> str:
        """Carry out a line; what it prints, "" for a change. Raises :class:`CommandError`."""
        return self.carry_out(parse(line, devices=self._devices))

    def carry_out(self, command: Command) -> str:
        """A line that was parsed before."""
        if isinstance(command, BatchCommand):
            return self._batch(command)
        if isinstance(command, ShowCommand):
            devices = self._devices.values() if command.dev is None else [self._device(command.place)]
            return carry_out(command, devices)
        if isinstance(command, ActionsChange | ActionsDelete | ActionsShow):
            return run_actions(command, next(iter(self._devices.values()), None), self.warnings)
        dev = self._device(command.place)
        try:
            self._change(dev, command)
        except CommandError:
            raise
        except ValueError as error:
            more = "\nWe have an error talking to the kernel" if isinstance(command, FilterCommand) else ""
            message = getattr(error, "message", "")
            raise refused(command.place.blame(message), error, more, _instead(message, dev)) from None
        return ""

    def _device(self, place: Place) -> NetDevice:
        if place.dev is None:
            raise TcError(place.action, "RTNETLINK answers: No such device", allowed="dev DEV", status=KERNEL_STATUS)
        if place.dev.text not in self._devices:
            printed = f'Cannot find device "{place.dev.text}"'
            raise TcError(place.dev, printed, allowed=", ".join(self._devices), status=PARSE_STATUS)
        return self._devices[place.dev.text]

    def _change(self, dev: NetDevice, command: QdiscCommand | ClassCommand | FilterCommand) -> None:
        match command:
            case QdiscCommand(request=qdisc, flags=None):
                delete_qdisc(dev, qdisc)
            case QdiscCommand(request=qdisc, flags=flags) if flags is not None:
                modify_qdisc(dev, qdisc, flags)
            case ClassCommand(request=cls, flags=None):
                delete_class(dev, cls)
            case ClassCommand(request=cls, flags=flags) if flags is not None:
                warning = modify_class(dev, cls, flags)
                if warning:
                    self.warnings.append(f"Warning: {warning}.".replace("..", "."))
            case FilterCommand(request=filter_, flags=None):
                delete_filter(dev, filter_)
            case FilterCommand(request=filter_, flags=flags) if flags is not None:
                modify_filter(dev, filter_, flags)

    def _batch(self, command: BatchCommand) -> str:
        """The lines of a file, up to the first that fails; with ``-force`` all of them, and then the errors."""
        name = command.file
        try:
            text = sys.stdin.read() if name.text == "-" else Path(name.text).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "Invalid argument"
            raise TcError(name, f'Cannot open file "{name.text}" for reading: {reason}', status=PARSE_STATUS) from None
        printed: list[str] = []
        failed: list[Failure] = []
        for number, line in logical_lines(text):
            try:
                printed.append(self.carry_out(parse(line, command.switches, self._devices)))
            except CommandError as error:
                printed.append(getattr(error, "output", ""))
                failed.append(Failure(number, error))
                if not command.switches.force:
                    break
        if failed:
            raise BatchError(name, failed, "".join(printed))
        return "".join(printed)
