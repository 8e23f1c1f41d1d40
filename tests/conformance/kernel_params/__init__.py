"""What the kernel computed from tc's message (``kernel_params``), computed by the model: one module a kind.

A module named after its kind gives ``lines(dev, command)``: the recorded lines of a command that was just carried out.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

from ringwire.netdev import NetDevice
from ringwire.qdisc.stab import SizeTable
from ringwire.tools.tc import ClassCommand, Command, QdiscCommand

Lines = Callable[[NetDevice, Command], list[str]]
STAB_ROW = 8


def of(dev: NetDevice, command: Command) -> list[str]:
    """The lines that a command adds to ``kernel_params``."""
    lines: list[str] = []
    if isinstance(command, QdiscCommand):
        if command.request.stab is not None:
            lines += _stab(SizeTable(command.request.stab))
        kind = command.request.kind
    elif isinstance(command, ClassCommand):
        kind = command.kind
    else:
        return lines
    name = f"{__name__}.{kind}"
    if kind is not None and find_spec(name) is not None:
        of_kind: Lines = import_module(name).lines
        lines += of_kind(dev, command)
    return lines


def _stab(table: SizeTable) -> list[str]:
    spec = table.spec
    lines = [
        f"stab cell_log={table.cell_log} size_log={table.size_log} cell_align={table.cell_align}"
        f" overhead={spec.overhead} linklayer={spec.linklayer} mpu={spec.mpu} mtu={spec.mtu} tsize={spec.tsize}"
    ]
    for row in range(0, len(table.data), STAB_ROW):
        lines.append(f"stab_data {row} {' '.join(map(str, table.data[row : row + STAB_ROW]))}")
    return lines
