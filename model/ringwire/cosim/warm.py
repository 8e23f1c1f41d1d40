"""Simulators that are kept: each stands at time 0 with everything loaded, and forks a process of its own for each run.

To start a simulator takes 0.4 s on Verilator and 0.5 s on Icarus, most of it for Python's imports; to fork one takes
20 ms. A run sees no difference: its simulator has not run before. Inside ``keep_simulators()`` runs are done so.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from ringwire.cosim.launch import end_by_signal

SOCKET_VARIABLE = "RINGWIRE_WARM"
"""Environment variable of a kept simulator: the socket through which it is asked."""
START_LIMIT_S = 120.0
MOST_KEPT = 8
"""Simulators kept at a time, some 100 MB each; the one not asked for longest goes."""


class WarmError(Exception):
    """A simulator that should wait for runs does not; the text is what it printed."""


# -- in the simulator


def wait_for_run() -> None:
    """In a kept simulator: return in a fork of it, once for each run that is asked for. Elsewhere: return at once."""
    where = os.environ.pop(SOCKET_VARIABLE, None)
    if where is None:
        return
    libc = ctypes.CDLL(None)
    control = _connect(where)
    for line in control.makefile("r"):
        asked = json.loads(line)
        for module in asked["modules"]:
            with suppress(Exception):  # the run will say so itself
                importlib.import_module(module)
        gc.freeze()
        sys.stdout.flush()
        sys.stderr.flush()
        libc.fflush(None)
        child = os.fork()
        if child == 0:
            control.close()
            output = _connect(where)
            output.sendall(f"{os.getpid()}\n".encode())
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            output.close()
            os.chdir(asked["folder"])
            os.environ.update(asked["environment"])
            # The simulator's clean-up would wait for threads, which a fork does not have: end without it. What is
            # registered last is called first.
            for last in (libc._exit, libc.fflush):
                libc.__cxa_atexit(ctypes.cast(last, ctypes.c_void_p), None, None)
            return
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        control.sendall(bytes([max(0, -code)]))  # the signal that ended it
    os._exit(0)


def _connect(where: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.connect(where)
    return made


# -- in the process that asks for runs


class Kept:
    """One simulator that waits at time 0."""

    def __init__(self, launch: Callable[[Path, str], subprocess.Popen[str]]) -> None:
        """``launch(folder, socket)`` starts it, with files in a folder of its own. WarmError if it does not come up."""
        self._folder = Path(tempfile.mkdtemp(prefix="ringwire-warm-"))
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._folder / "socket"))
        self._listener.listen()
        self._process = launch(self._folder, str(self._folder / "socket"))
        self._control: socket.socket | None = None
        self.ended = False
        """It can do no further run."""
        try:
            self._control = self._accept(START_LIMIT_S)
        except WarmError:
            self.close()
            raise

    def run(self, asked: Mapping[str, Any], limit_s: float, take_line: Callable[[str], None]) -> bool:
        """Have a run done; each line of its output goes to ``take_line``. False: ended after ``limit_s``."""
        assert self._control is not None
        end_s = time.monotonic() + limit_s
        try:
            self._control.sendall((json.dumps(dict(asked)) + "\n").encode())
        except OSError as error:
            raise WarmError(f"the simulator is gone: {error}") from None
        with self._accept(limit_s) as output:
            pid, rest, finished = 0, b"", True
            while True:
                left_s = end_s - time.monotonic()
                if not select.select([output], [], [], max(left_s, 0))[0]:
                    if not pid:  # kill(0) would end the caller's own process group
                        raise WarmError("its fork does not say who it is")
                    finished = False
                    os.kill(pid, signal.SIGKILL)
                    break
                chunk = output.recv(1 << 16)
                if not chunk:
                    break
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if pid == 0:
                        pid = int(line)
                    else:
                        take_line(line.decode(errors="replace") + "\n")
            if rest:
                take_line(rest.decode(errors="replace"))
        ended_by = self._control.recv(1)
        self.ended = not ended_by
        if finished and ended_by > b"\0":
            take_line(f"{end_by_signal(ended_by[0])}\n")
        return finished

    def close(self) -> None:
        """End it, and a run that it may be in."""
        if self._control is not None:
            self._control.close()
        self._listener.close()
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _accept(self, limit_s: float) -> socket.socket:
        """The next connection, of the simulator or of its fork."""
        end_s = time.monotonic() + limit_s
        while time.monotonic() < end_s:
            if select.select([self._listener], [], [], 0.2)[0]:
                return self._listener.accept()[0]
            if self._process.poll() is not None:
                assert self._process.stdout is not None
                raise WarmError(self._process.stdout.read())
        raise WarmError(f"nothing came from it for {limit_s:g} s")


class Shelf:
    """The simulators that are kept, by what tells them apart."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[str, Kept] = OrderedDict()

    def take(self, key: str, make: Callable[[], Kept]) -> Kept:
        """The simulator of that key, made if there is none."""
        if key not in self._kept:
            while len(self._kept) >= self._most:
                self._kept.popitem(last=False)[1].close()
            self._kept[key] = make()
        self._kept.move_to_end(key)
        return self._kept[key]

    def drop(self, key: str) -> None:
        """Keep it no longer."""
        self._kept.pop(key).close()

    def close(self) -> None:
        """Keep none."""
        while self._kept:
            self._kept.popitem()[1].close()


_shelf: ContextVar[Shelf | None] = ContextVar("shelf", default=None)


def shelf() -> Shelf | None:
    """Where ``simulate`` finds kept simulators; None: it starts one for each run. Each thread has its own."""
    return _shelf.get()


@contextmanager
def keep_simulators(most: int = MOST_KEPT) -> Iterator[None]:
    """Inside, at most so many simulators are kept from run to run."""
    made = Shelf(most)
    before = _shelf.set(made)
    try:
        yield
    finally:
        made.close()
        _shelf.reset(before)
