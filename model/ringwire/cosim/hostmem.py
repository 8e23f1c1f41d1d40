"""``tb/hostmem.c``, mapped into Python: memory, rings and counters that the simulated world shares with the host."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

NEVER = (1 << 64) - 1
"""A time that does not come."""
POSTS = 4096
"""Posted register accesses that may wait; as in hostmem.h."""
LIBRARY_VARIABLE = "RINGWIRE_HOSTMEM"
"""Environment variable: path of the loaded library; without it, it is part of the simulator's executable."""

READ, WRITE, REGISTER_WRITE, REGISTER_READ = range(4)
"""Kinds of access, as in hostmem.h."""


_HOST = ctypes.CFUNCTYPE(ctypes.c_int)


class HostmemError(RuntimeError):
    """The C side refused or does not fit."""


class Hostmem:
    """The C side's regions as memoryviews: ``control``, and rings of 64-bit words, all written and read in place.

    Making one starts anew: everything is zero, nothing mapped, no injection, no setting.
    """

    def __init__(self, arena_bytes: int, frame_bytes: int) -> None:
        library = os.environ.get(LIBRARY_VARIABLE)
        self._lib = lib = ctypes.CDLL(library)
        lib.hm_region.restype = ctypes.c_void_p
        lib.hm_open.argtypes = [ctypes.c_uint64, ctypes.c_uint64]
        lib.hm_inject.argtypes = [ctypes.c_int, *[ctypes.c_uint64] * 4]
        lib.hm_call_host.argtypes = [_HOST]
        if lib.hm_open(arena_bytes, frame_bytes):
            raise HostmemError(f"no room for {arena_bytes} bytes of host memory and {frame_bytes} of capture")
        self.arena = self._region("arena")
        self.lines = self._region("lines")
        self.control = self._region("control").cast("Q")
        self.posts = self._region("posts").cast("Q")
        self.interrupts = self._region("interrupts").cast("Q")
        self.answers = self._region("answers").cast("Q")
        self.faults = self._region("faults").cast("Q")
        self.frames = self._region("frames")
        self.accesses = self._region("accesses").cast("Q")

    def _region(self, name: str) -> memoryview:
        size = ctypes.c_uint64()
        address = self._lib.hm_region(name.encode(), ctypes.byref(size))
        array = (ctypes.c_uint8 * size.value).from_address(address)
        return np.ctypeslib.as_array(array).data

    def word(self, name: str) -> int:
        """Index in ``control`` of a word of hostmem.h. HostmemError if there is none of that name."""
        index: int = self._lib.hm_word(name.encode())
        if index < 0:
            raise HostmemError(f"hostmem.c has no word {name!r}: it does not belong to this ringwire")
        return index

    def inject(self, kind: int, low: int, high: int, skip: int = 0, count: int = 0) -> None:
        """Fail what bursts of ``kind`` (READ or WRITE) touch of addresses low..high-1.

        Of the bursts that touch them, the first ``skip`` are left out, then ``count`` (0: all) answered with an error.
        """
        if self._lib.hm_inject(kind, low, high, skip, count):
            raise HostmemError("too many injections: 64 are there")

    def inject_nothing(self) -> None:
        """Undo every ``inject``."""
        self._lib.hm_inject_nothing()

    def call_host(self, host: Callable[[], int] | None) -> None:
        """Have ``host`` called when the host is to look, instead of ``host_wake`` toggling; None: no more.

        It is called between two clock edges, touches no signal, and returns whether ``host_wake`` is to toggle after
        all.
        """
        self._host = _HOST() if host is None else _HOST(host)
        self._lib.hm_call_host(self._host)

    def function(self, name: str, *argument_types: Any) -> Callable[..., int]:
        """A further function of the C side that returns an int, taking these ctypes."""
        found = getattr(self._lib, name)
        found.argtypes = argument_types
        return found  # type: ignore[no-any-return]


def library_environment(path: Path | None) -> dict[str, str]:
    """What a simulator's environment needs so that ``Hostmem`` finds the C side."""
    return {} if path is None else {LIBRARY_VARIABLE: str(path)}
