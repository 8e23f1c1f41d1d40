"""The real ``tc`` without a kernel that knows the kind: it reads a line, and prints the filter that it has asked for.

What a kernel would fill in (handles, a policer's MTU, counters) is filled in here, in the request itself, which then
comes back as the list of filters. So any kind's syntax, errors and printing can be compared with iproute2's.
"""

from __future__ import annotations

import os
import shlex
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.tool_lab import Said

DEVICE = "lo"
RTM_NEWTFILTER = 44
# TCA_*
KIND, OPTIONS, STATS, STATS2, CHAIN = 1, 2, 3, 7, 11


class _Kind(NamedTuple):
    """Numbers of a filter kind's attributes, 0 = it has none."""

    actions: int
    police: int = 0
    flags: int = 0
    handle: int = 0
    """What the first filter gets."""


KINDS = {
    "u32": _Kind(7, 6, 11, 0x8000_0800),
    "flow": _Kind(9, 10),
    "fw": _Kind(4, 2),
    "basic": _Kind(3, 4, 0, 1),
    "matchall": _Kind(2, 0, 3, 1),
    "flower": _Kind(3, 0, 22, 1),
}
NOT_IN_HW = struct.pack("=I", 8)
PARMS = {"gact": 2, "police": 1, "skbedit": 2, "mirred": 2}
ACT_KIND, ACT_OPTIONS, ACT_STATS, ACT_COOKIE = 1, 2, 4, 6
NO_BASIC = (1, struct.pack("=QII", 0, 0, 0))
NO_QUEUE = (3, bytes(20))


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, payload)."""
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        yield kind & 0x3FFF, data[at + 4 : at + length]
        at += (length + 3) & ~3


def attribute(kind: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def packed(pairs: list[tuple[int, bytes]]) -> bytes:
    return b"".join(attribute(kind, payload) for kind, payload in pairs)


def _action_options(kind: str, options: bytes, index: int = 1) -> bytes:
    found = []
    for number, payload in attributes(options):
        if number == PARMS[kind]:
            parms = bytearray(payload)
            struct.pack_into("=I", parms, 0, struct.unpack_from("=I", parms)[0] or index)
            struct.pack_into("=ii", parms, 44 if kind == "police" else 12, 1, 1)
            if kind == "police" and not struct.unpack_from("=I", parms, 16)[0]:
                limited = struct.unpack_from("=I", parms, 28)[0]
                cell = parms[20]
                struct.pack_into("=I", parms, 16, 255 << cell if limited else 0xFFFF_FFFF)
            payload = bytes(parms)
        if kind == "police" and number in (2, 3):
            # tables of the older kernels
            continue
        found.append((number, payload))
    return packed(found)


def _action(order: int, action: bytes, before: list[str]) -> bytes:
    parts = dict(attributes(action))
    kind = parts[ACT_KIND].rstrip(b"\0").decode()
    before.append(kind)
    shown = [(ACT_KIND, parts[ACT_KIND]), (ACT_STATS, packed([NO_BASIC, NO_QUEUE]))]
    if ACT_COOKIE in parts:
        shown.append((ACT_COOKIE, parts[ACT_COOKIE]))
    shown.append((ACT_OPTIONS, _action_options(kind, parts[ACT_OPTIONS], before.count(kind))))
    return attribute(order, packed(shown))


def answer(request: bytes) -> bytes:
    """The request to add a filter as an entry of the list of filters."""
    length = struct.unpack_from("=I", request)[0]
    tcm, parts = bytearray(request[16:36]), list(attributes(request[36:length]))
    name = dict(parts)[KIND].rstrip(b"\0").decode()
    kind = KINDS[name]
    handle = struct.unpack_from("=I", tcm, 8)[0]
    if not handle:
        struct.pack_into("=I", tcm, 8, kind.handle)
    options: list[tuple[int, bytes]] = []
    more: list[tuple[int, bytes]] = []
    said = dict(attributes(dict(parts).get(OPTIONS, b"")))
    for number, payload in said.items():
        if number == kind.actions and not (kind.police and kind.police in said):
            before: list[str] = []
            payload = b"".join(_action(order, each, before) for order, each in attributes(payload))
        elif number == kind.actions:
            continue
        elif number == kind.police and kind.police:
            payload = _action_options("police", payload)
            more.append((STATS, bytes(36)))
        elif name == "u32" and number == 10:
            # a mark, with how often it has matched behind it
            payload = payload[:8] + bytes(4)
        options.append((number, payload))
    if name == "u32" and 2 not in said:
        options.insert(0, (2, struct.pack("=I", 0x8000_0000)))
    if kind.flags and options:
        options = [each for each in options if each[0] != kind.flags] + [(kind.flags, NOT_IN_HW)]
    listed = [(KIND, dict(parts)[KIND])]
    if OPTIONS in dict(parts):
        listed.append((OPTIONS, packed(options)))
    listed += [*more, (CHAIN, dict(parts).get(CHAIN, bytes(4)))]
    body = bytes(tcm) + packed(listed)
    return struct.pack("=IHHII", 16 + len(body), RTM_NEWTFILTER, 2, 0, 0) + body


class Loopback:
    """tc with the library in front of the kernel."""

    def __init__(self, folder: Path) -> None:
        for tool in ("tc", "cc"):
            if shutil.which(tool) is None:
                pytest.skip(f"no {tool} here to compare with")
        self.folder = folder
        library = folder / "loopback.so"
        source = Path(__file__).with_suffix(".c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
        self.environment = dict(
            os.environ, LD_PRELOAD=str(library), TC_LOOPBACK_OUT=str(folder / "out"), TC_LOOPBACK_IN=str(folder / "in")
        )

    def run(self, line: str) -> Said:
        """A line as a shell would split it."""
        words = [DEVICE if word == "DEV" else word for word in shlex.split(line)]
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=20, check=False)
        return Said(done.stdout, done.stderr, done.returncode)

    def add(self, line: str) -> Said:
        """Have a filter added; what is listed afterwards is that filter."""
        (self.folder / "out").write_bytes(b"")
        (self.folder / "in").write_bytes(b"")
        said = self.run(line)
        request = (self.folder / "out").read_bytes()
        if request and not said.status:
            (self.folder / "in").write_bytes(answer(request))
        return said
