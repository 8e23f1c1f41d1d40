"""Addresses in tc lines: IPv4 and IPv6 with a prefix, and MAC addresses; after lib/utils.c of iproute2 6.1."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

U32 = 0xFFFF_FFFF


def parse_ipv4_prefix(text: str) -> tuple[int, int]:
    """(address, mask): ``10.0.0.0/8``, ``10.0.0.0/255.0.0.0``, ``10`` for 10.0.0.0, ``any``."""
    if text in ("any", "all", "default"):
        return 0, 0
    address, slash, length = text.partition("/")
    return _ipv4(address), _mask(length) if slash else U32


def _ipv4(text: str) -> int:
    """Parts that are left out at the end are 0."""
    parts = text.split(".")
    if not 1 <= len(parts) <= 4 or not all(re.fullmatch("[0-9]{1,3}", part) and int(part) < 256 for part in parts):
        raise ValueError("not an IPv4 address")
    return int.from_bytes(bytes(int(part) for part in parts) + bytes(4 - len(parts)), "big")


def _mask(text: str) -> int:
    if re.fullmatch("[0-9]+", text) and int(text) <= 32:
        return U32 << 32 - int(text) & U32
    mask = int(IPv4Address(text))
    if ~mask & U32 & (~mask & U32) + 1:
        raise ValueError("not a netmask")
    return mask


def parse_ipv6_prefix(text: str) -> tuple[IPv6Address, int]:
    """(address, prefix length)."""
    if text in ("any", "all", "default"):
        return IPv6Address(0), 0
    address, slash, length = text.partition("/")
    if slash and not (re.fullmatch("[0-9]+", length) and int(length) <= 128):
        raise ValueError("not a prefix length of up to 128")
    return IPv6Address(address), int(length) if slash else 128


def parse_mac(text: str) -> int:
    """Six bytes in hexadecimal."""
    if not re.fullmatch("[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}", text):
        raise ValueError("not a MAC address")
    return int.from_bytes(bytes(int(part, 16) for part in text.split(":")), "big")


def format_mac(address: int) -> str:
    return address.to_bytes(6, "big").hex(":")


def format_ipv4(address: int) -> str:
    return str(IPv4Address(address))


def mask_bits(mask: int, size: int) -> int | None:
    """The prefix length that a mask of ``size`` bits is, None if it is none."""
    holes = ~mask & (1 << size) - 1
    return size - holes.bit_length() if not holes & holes + 1 else None
