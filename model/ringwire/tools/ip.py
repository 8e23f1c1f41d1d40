"""``ip link``: shows a device and sets its MTU, queue length and carrier, up and down, as iproute2 6.1 does.

After ip/iplink.c and ip/ipaddress.c of iproute2 6.1, and do_setlink in net/core/rtnetlink.c of Linux 6.12. As functions
there are :func:`get_link`, ``NetDevice.set_mtu``, ``open``, ``close``, ``change_carrier``, and :func:`set_txqueuelen`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

from ringwire.netdev.device import NetDevice
from ringwire.netdev.errors import ERRNO_TEXT, DeviceError
from ringwire.netdev.ethtool_ops import LinkStats, LinkStatsOps
from ringwire.tools.jsonwriter import compact, pretty
from ringwire.tools.refusal import Refused, by_name, errno_of, not_modelled
from ringwire.tools.words import Word, Words

I32 = 0x7FFF_FFFF
U32 = 0xFFFF_FFFF
FIRST_IFINDEX = 2
"""1 is the loopback device."""
BROADCAST = "ff:ff:ff:ff:ff:ff"
USAGE_STATUS = 255
KERNEL_STATUS = 2
SWITCH_STATUS = 22


@dataclass(frozen=True, slots=True)
class Link:
    """What ``ip link show`` tells of a device, without its counters; lengths in bytes and packets."""

    ifindex: int
    ifname: str
    flags: tuple[str, ...]
    mtu: int
    qdisc: str
    operstate: str
    linkmode: str
    group: str
    txqlen: int
    link_type: str
    address: str
    broadcast: str


def get_link(dev: NetDevice, ifindex: int = FIRST_IFINDEX) -> Link:
    """The device's state; it runs where it is up and has a carrier."""
    runs = dev.is_up and dev.carrier
    flags = [
        *(["NO-CARRIER"] if dev.is_up and not dev.carrier else []),
        *("BROADCAST", "MULTICAST"),
        *(["UP"] if dev.is_up else []),
        *(["LOWER_UP"] if runs else []),
    ]
    return Link(
        ifindex,
        dev.name,
        tuple(flags),
        dev.mtu,
        dev.qdisc.kind,
        "UP" if runs else "DOWN",
        "DEFAULT",
        "default",
        dev.tx_queue_len,
        "ether",
        dev.address,
        BROADCAST,
    )


def get_stats(dev: NetDevice) -> LinkStats:
    """The device's counters: the driver's, and what the stack dropped without a qdisc to count it."""
    stats = dev.driver.link_stats() if isinstance(dev.driver, LinkStatsOps) else LinkStats()
    return LinkStats(stats.tx_packets, stats.tx_bytes, stats.tx_errors, stats.tx_dropped + dev.tx_dropped)


def set_txqueuelen(dev: NetDevice, length: int) -> None:
    """Packets that the default disciplines hold; what is queued is dropped. DeviceError (ERANGE) beyond 32 bits."""
    if not 0 <= length <= U32:
        raise DeviceError("ERANGE", "txqueuelen", f"0 to {U32}")
    dev.tx_queue_len = length


# -- printing


def show_link(dev: NetDevice, ifindex: int = FIRST_IFINDEX, statistics: bool = False) -> str:
    """A device as ``ip link show`` prints it, with ``-s`` where asked."""
    link = get_link(dev, ifindex)
    queue = f"qlen {link.txqlen}" if link.txqlen else ""
    text = (
        f"{link.ifindex}: {link.ifname}: <{','.join(link.flags)}> mtu {link.mtu} qdisc {link.qdisc}"
        f" state {link.operstate} mode {link.linkmode} group {link.group} {queue}\n"
        f"    link/{link.link_type} {link.address} brd {link.broadcast}\n"
    )
    return text + (_counters(get_stats(dev)) if statistics else "")


def _counters(stats: LinkStats) -> str:
    """Two tables whose columns are as wide as the widest number of both."""
    received = (0,) * 6
    sent = (stats.tx_bytes, stats.tx_packets, stats.tx_errors, stats.tx_dropped, 0, 0)
    least = (10, 7, 6, 7, 7, 7)
    widths = [
        max(width, *(len(str(each)) for each in column))
        for width, column in zip(least, zip(received, sent, strict=True), strict=True)
    ]

    def table(title: str, names: tuple[str, ...], values: tuple[int, ...]) -> str:
        first = f"{title}:{names[0]:>{widths[0] - len(title) - 1}}"
        head = " ".join([first, *(f"{name:>{width}}" for name, width in zip(names[1:], widths[1:], strict=True))])
        row = " ".join(f"{value:>{width}}" for value, width in zip(values, widths, strict=True))
        return f"    {head}           \n    {row} \n"

    return table("RX", ("bytes", "packets", "errors", "dropped", "missed", "mcast"), received) + table(
        "TX", ("bytes", "packets", "errors", "dropped", "carrier", "collsns"), sent
    )


def link_json(dev: NetDevice, ifindex: int = FIRST_IFINDEX, statistics: bool = False) -> dict[str, object]:
    """One device's object of ``ip -j link show``."""
    found: dict[str, object] = asdict(get_link(dev, ifindex))
    if not found["txqlen"]:
        del found["txqlen"]
    if statistics:
        now = get_stats(dev)
        received = dict.fromkeys(("bytes", "packets", "errors", "dropped", "over_errors", "multicast"), 0)
        sent = {
            "bytes": now.tx_bytes,
            "packets": now.tx_packets,
            "errors": now.tx_errors,
            "dropped": now.tx_dropped,
            "carrier_errors": 0,
            "collisions": 0,
        }
        found["stats64"] = {"rx": received, "tx": sent}
    return found


# -- the line


@dataclass(frozen=True, slots=True)
class Setting:
    """A word of ``ip link set`` with a number behind it."""

    name: str
    """As iproute2 calls it in its errors."""
    allowed: str
    apply: Callable[[NetDevice, int], None]


def _apply_mtu(dev: NetDevice, mtu: int) -> None:
    dev.set_mtu(mtu)


def _apply_txqueuelen(dev: NetDevice, length: int) -> None:
    # a negative number goes to the kernel as it is, which sees 32 bits
    set_txqueuelen(dev, length & U32)


MTU = Setting("mtu", "a number of bytes", _apply_mtu)
TXQUEUELEN = Setting("txqueuelen", f"0 to {I32}", _apply_txqueuelen)
SETTINGS = {"mtu": MTU, "txqueuelen": TXQUEUELEN, "qlen": TXQUEUELEN, "txqlen": TXQUEUELEN}
FLAGS: dict[str, Callable[[NetDevice], None]] = {"up": NetDevice.open, "down": NetDevice.close}
UP_OR_DOWN = Setting("up", "up or down", lambda dev, up: FLAGS["up" if up else "down"](dev))
CARRIER = Setting("carrier", "on or off", lambda dev, on: dev.change_carrier(bool(on)))
SWITCHES = ("off", "on")
ORDER = (MTU, UP_OR_DOWN, CARRIER, TXQUEUELEN)
"""The kernel takes a request's parts in this order, whatever the line's, and stops at the first that it refuses."""
_OTHER_NAMES = """
    address alias allmulticast arp broadcast group gso_max_segs gso_max_size master mode multicast name netns
    nomaster promisc protodown state trailers type vf xdp xdpdrv xdpgeneric xdpoffload
"""
OTHER_PARAMETERS = frozenset(_OTHER_NAMES.split())
"""What iproute2 can set and this can't."""
_SUBCOMMANDS = {"set": "set", "show": "show", "list": "show", "lst": "show", "ls": "show"}
_SWITCHES = {"-s": "s", "-stats": "s", "-statistics": "s", "-j": "j", "-json": "j", "-p": "p", "-pretty": "p"}


class Ip:
    """The command on a set of devices."""

    def __init__(self, devices: Iterable[NetDevice]) -> None:
        self._devices = by_name(devices)

    def run(self, line: str) -> str:
        """Carry out a line; what it prints, "" for a change. Raises CommandError, Refused with iproute2's words."""
        words = Words(line)
        words.skip("ip")
        switches = set()
        while words.peek().startswith("-"):
            flag = words.take("a switch")
            if flag.text not in _SWITCHES:
                printed = f'Option "{flag.text}" is unknown, try "ip -help".'
                raise Refused(flag, printed, allowed="-s, -j and -p", status=USAGE_STATUS)
            switches.add(_SWITCHES[flag.text])
        subject = words.take("link")
        if not "link".startswith(subject.text):
            printed = f'Object "{subject.text}" is unknown, try "ip help".'
            raise Refused(subject, printed, allowed="link")
        command = words.take("set or show") if words else Word("show", words.here.column)
        known = next((what for word, what in _SUBCOMMANDS.items() if word.startswith(command.text)), None)
        if known is None:
            printed = f'Command "{command.text}" is unknown, try "ip link help".'
            raise Refused(command, printed, allowed="set and show", status=USAGE_STATUS)
        if known == "set":
            self._set(words)
            return ""
        return self._show(words, switches)

    def _show(self, words: Words, switches: set[str]) -> str:
        name = self._take_device(words)
        if words:
            raise _garbage(words.here)
        if name is not None and name.text not in self._devices:
            raise Refused(name, f'Device "{name.text}" does not exist.', allowed=", ".join(self._devices))
        chosen = [
            (index, dev)
            for index, dev in enumerate(self._devices.values(), start=FIRST_IFINDEX)
            if name is None or dev.name == name.text
        ]
        statistics = "s" in switches
        if "j" in switches:
            objects = [link_json(dev, index, statistics) for index, dev in chosen]
            return pretty(objects) if "p" in switches else compact(objects)
        return "".join(show_link(dev, index, statistics) for index, dev in chosen)

    def _set(self, words: Words) -> None:
        name = self._take_device(words)
        wanted: dict[Setting, tuple[int, Word]] = {}
        while words:
            word = words.here
            if name is not None and words.skip("dev"):
                raise _garbage(words.here)
            if word.text in FLAGS:
                words.take("up or down")
                # the last one holds
                wanted[UP_OR_DOWN] = int(word.text == "up"), word
            elif word.text == CARRIER.name:
                words.take("carrier")
                # the last one holds
                wanted[CARRIER] = self._take_switch(words, CARRIER)
            elif word.text in SETTINGS:
                words.take("a parameter")
                self._take_number(words, SETTINGS[word.text], wanted)
            elif word.text in OTHER_PARAMETERS:
                raise not_modelled(word, [*SETTINGS, CARRIER.name, *FLAGS])
            else:
                raise _garbage(word, ", ".join([*SETTINGS, CARRIER.name, *FLAGS]))
        if name is None:
            printed = 'Not enough information: "dev" argument is required.'
            raise Refused(words.here, printed, allowed="dev and its name", status=USAGE_STATUS)
        if name.text not in self._devices:
            printed = f'Cannot find device "{name.text}"'
            raise Refused(name, printed, allowed=", ".join(self._devices))
        self._apply(self._devices[name.text], wanted)

    def _take_number(self, words: Words, setting: Setting, wanted: dict[Setting, tuple[int, Word]]) -> None:
        if not words:
            raise _incomplete(words, f"the value of {setting.name}, {setting.allowed}")
        value = words.take("a value")
        if setting in wanted:
            printed = f'Error: duplicate "{setting.name}": "{value.text}" is the second value.'
            raise Refused(value, printed, allowed="once", status=USAGE_STATUS)
        number = _integer(value.text)
        if number is None:
            printed = f'Error: argument "{value.text}" is wrong: Invalid "{setting.name}" value\n'
            raise Refused(value, printed, allowed=setting.allowed, status=USAGE_STATUS)
        wanted[setting] = number, value

    @staticmethod
    def _take_switch(words: Words, setting: Setting) -> tuple[int, Word]:
        if not words:
            raise _incomplete(words, f"the value of {setting.name}, {setting.allowed}")
        value = words.take("a value")
        if value.text not in SWITCHES:
            printed = f'Error: argument of "{setting.name}" must be one of "off", "on", not "{value.text}"'
            raise Refused(value, printed, allowed=setting.allowed, status=SWITCH_STATUS)
        return SWITCHES.index(value.text), value

    def _apply(self, dev: NetDevice, wanted: dict[Setting, tuple[int, Word]]) -> None:
        for setting in ORDER:
            if setting in wanted:
                value, word = wanted[setting]
                try:
                    setting.apply(dev, value)
                except DeviceError as error:
                    said = f"Error: {error.message}." if error.message else ""
                    printed = said or f"RTNETLINK answers: {ERRNO_TEXT[errno_of(error)]}"
                    raise Refused(word, printed, allowed=error.allowed, status=KERNEL_STATUS) from None

    @staticmethod
    def _take_device(words: Words) -> Word | None:
        """``dev NAME`` or just ``NAME``, if one comes next."""
        if words.skip("dev"):
            if not words:
                raise _incomplete(words, "the name of a device")
        elif not words or words.peek() in (*SETTINGS, CARRIER.name, *FLAGS):
            return None
        return words.take("a device")


def _garbage(word: Word, allowed: str = "nothing more") -> Refused:
    printed = f'Error: either "dev" is duplicate, or "{word.text}" is a garbage.'
    return Refused(word, printed, allowed=allowed, status=USAGE_STATUS)


def _incomplete(words: Words, allowed: str) -> Refused:
    printed = 'Command line is not complete. Try option "help"'
    return Refused(words.here, printed, allowed=allowed, status=USAGE_STATUS)


def _integer(text: str) -> int | None:
    """As iproute2 reads an int: decimal, 0x hexadecimal or 0 octal, with a sign; None if it is none or too large."""
    found = re.fullmatch(r"([-+]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)", text)
    if found is None:
        return None
    digits = found[2].lower()
    value = int(digits, 16 if digits.startswith("0x") else 8 if digits.startswith("0") else 10)
    value = -value if found[1] == "-" else value
    return value if -I32 - 1 <= value <= I32 else None
