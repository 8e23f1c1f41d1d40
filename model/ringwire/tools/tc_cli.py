"""``ringwire tc``: lines of tc on devices that live as long as the command."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import takewhile

from ringwire.driver.config import MAX_RATE_BPS, ConfigError
from ringwire.driver.setup_tc import SetupTc
from ringwire.host.cpu import Cpus
from ringwire.host.timeline import Timeline
from ringwire.netdev import NetDevice
from ringwire.netdev.namespace import Namespace
from ringwire.netdev.teql import TeqlMaster
from ringwire.tools.tc import BatchError, Tc, TcError
from ringwire.tools.units import parse_rate
from ringwire.tools.words import CommandError

DEFAULT_DEVICE = "eth0"
NOT_MODELLED = 2
"""Exit status of a line that tc could carry out and there is no model for."""


class _Idle:
    """A driver that no packet comes to. Its device can do for disciplines what ringwire's can."""

    def __init__(self, dev: NetDevice) -> None:
        dev.driver = self
        dev.ndo_set_tx_maxrate = self.ndo_set_tx_maxrate
        dev.offloads.ndo_setup_tc = SetupTc(self, dev)

    def ndo_start_xmit(self, skb: object, txq: object, xmit_more: bool) -> int:
        raise AssertionError("no packets here")

    def ndo_set_tx_maxrate(self, txq: object, mbps: int) -> None:
        if not 0 <= mbps <= MAX_RATE_BPS // 1_000_000:
            raise ConfigError(f"tx_maxrate is 0 to {MAX_RATE_BPS // 1_000_000} Mbit/s, not {mbps}")

    # SetupTc asks for nothing beyond the device's bounds

    def set_launch_time(self, queue: int, on: bool, drop_late: bool = True) -> None: ...
    def set_priority(self, queue: int, priority: int) -> None: ...
    def set_weight(self, queue: int, weight: int) -> None: ...


def make_devices(specs: Sequence[str]) -> list[NetDevice]:
    """Devices ``NAME[:QUEUES[:MTU[:SPEED]]]`` of one host; ``teqlN`` is a TEQL master. ValueError: what is wrong."""
    clock, net = Cpus(Timeline())[0], Namespace()
    devices: list[NetDevice] = []
    masters = []
    for spec in specs or (DEFAULT_DEVICE,):
        name, *numbers = spec.split(":")
        try:
            queues, mtu = (*(int(number) for number in numbers[:2]), *(1, 1500)[len(numbers) :])
            (speed,) = map(parse_rate, numbers[2:] or ("0",))
        except ValueError:
            raise ValueError(f"{spec!r}; allowed: NAME[:QUEUES[:MTU[:SPEED]]]") from None
        if re.fullmatch("teql[0-9]+", name):
            if numbers:
                raise ValueError(f"{spec!r}; allowed: {name}: it has one queue, and the MTU of its slaves")
            masters.append(TeqlMaster(clock, (), name, net))
            devices.append(masters[-1].dev)
            continue
        if not name or queues < 1 or mtu < 68:
            raise ValueError(f"{spec!r}; allowed: a name, 1 queue or more, an MTU of 68 bytes or more")
        devices.append(NetDevice(clock, name=name, num_tx_queues=queues, mtu=mtu, net=net))
        devices[-1].speed_mbps = speed * 8 // 1_000_000
        _Idle(devices[-1])
    for master in masters:
        master.serve(devices)
    return devices


def run_tc(
    devices: Sequence[NetDevice], arguments: Sequence[str], out: Callable[[str], None], err: Callable[[str], None]
) -> int:
    """Carry out what was given on a command line; the exit status.

    The words of one line, or lines if the first argument behind tc's switches has a space in it. What fails ends it,
    with tc's words and then a line that says where the offending word stands.
    """
    tc = Tc(devices)
    switches = list(takewhile(lambda argument: argument.startswith("-") and " " not in argument, arguments))
    lines = arguments[len(switches) :]
    if lines and " " in lines[0].strip():
        lines = [" ".join((*switches, line)) for line in lines]
    else:
        lines = [" ".join(map(_quoted, arguments))]
    for number, line in enumerate(lines, start=1):
        try:
            out(tc.run(line))
        except CommandError as error:
            out(getattr(error, "output", ""))
            return _complain(error, f"line {number}, " if len(lines) > 1 else "", err)
        finally:
            for warning in tc.warnings:
                err(f"{warning}\n")
            tc.warnings.clear()
    return 0


def _quoted(word: str) -> str:
    """A word of the command line as it stands in a line."""
    if not any(letter.isspace() for letter in word):
        return word
    return f'"{word}"' if "'" in word else f"'{word}'"


def _complain(error: CommandError, where: str, err: Callable[[str], None]) -> int:
    if isinstance(error, BatchError):
        err(f"{error.printed}\n")
        for number, cause in error.failures:
            _point(cause, f"{error.word.text}:{number}, ", err)
        return error.status
    if not isinstance(error, TcError) or error.unknown:
        err(f"ringwire: {where}{error}\n")
        return NOT_MODELLED
    if error.printed:
        err(f"{error.printed}\n")
    _point(error, where, err)
    return error.status


def _point(error: CommandError, where: str, err: Callable[[str], None]) -> None:
    """Which word it is about, and what would have done."""
    if not isinstance(error, TcError):
        err(f"ringwire: {where}{error}\n")
        return
    word, allowed = error.word, f" (allowed: {error.allowed})" if error.allowed else ""
    text = f": {word.text!r}" if word.text else ", the end of the line"
    err(f"ringwire: {where}column {word.column}{text}{allowed}\n")
