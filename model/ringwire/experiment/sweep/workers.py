"""Processes of this machine that work through calls side by side, each for itself: one that dies takes one call along.

``concurrent.futures.ProcessPoolExecutor`` gives up all its calls when one of its processes dies. A process is kept from
call to call, because simulators that it has started stay warm (:mod:`ringwire.cosim.warm`).
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from queue import SimpleQueue
from types import FrameType, TracebackType
from typing import Any, ParamSpec, TypeVar

PATIENCE_S = 5.0
"""How long a process that is told to end may take to clean up."""

P = ParamSpec("P")
T = TypeVar("T")


class WorkerDied(RuntimeError):
    """The process ended in the middle of a call; the text says how."""


class Workers(Executor):
    """An executor of ``jobs`` processes. Its context waits for all calls; if it is left by an error, or Ctrl-C, it ends
    those that run within seconds, and begins no other."""

    def __init__(self, jobs: int) -> None:
        self._threads = ThreadPoolExecutor(jobs, thread_name_prefix="worker")
        self._workers = [_Worker() for _ in range(jobs)]
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call ``fn``, which must be importable, in one of the processes."""
        return self._threads.submit(self._call, fn, args, kwargs)

    def _call(self, function: Callable[..., T], args: tuple[object, ...], kwargs: dict[str, object]) -> T:
        worker = self._idle.get()
        try:
            result: T = worker.call((function, args, kwargs))
            return result
        finally:
            self._idle.put(worker)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End all processes; with ``cancel_futures`` those in the middle of a call too."""
        self._threads.shutdown(wait=wait and not cancel_futures, cancel_futures=cancel_futures)
        for worker in self._workers:
            worker.tell_to_end()
        for worker in self._workers:
            worker.end()
        self._threads.shutdown(wait=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown(cancel_futures=kind is not None)


class _Worker:
    """A process that is started when it is first needed, and again when it has died."""

    def __init__(self) -> None:
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._ended = False
        self._lock = threading.Lock()

    def call(self, work: tuple[Any, ...]) -> Any:
        process, pipe = self._started()
        try:
            pipe.send(work)
            good, value = pipe.recv()
        except (EOFError, OSError):
            process.join()
            code = process.exitcode or 0
            self._process = None
            raise WorkerDied(
                f"its process died of signal {-code}" if code < 0 else f"its process ended with {code}"
            ) from None
        if not good:
            raise value
        return value

    def _started(self) -> tuple[SpawnProcess, Connection]:
        with self._lock:
            if self._ended:
                raise WorkerDied("it was not begun")
            if self._process is None or self._pipe is None:
                self._pipe, theirs = multiprocessing.Pipe()
                self._process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,))
                self._process.start()
                theirs.close()
            return self._process, self._pipe

    def tell_to_end(self) -> None:
        with self._lock:
            self._ended = True
            if self._process is not None:
                self._process.terminate()

    def end(self) -> None:
        if (process := self._process) is not None:
            process.join(PATIENCE_S)
            if process.is_alive():
                process.kill()
                process.join()


class _Terminated(BaseException):
    """SIGTERM. No SystemExit, which what is called may raise and catch for reasons of its own."""


def _terminate(number: int, frame: FrameType | None) -> None:
    raise _Terminated


def _serve(pipe: Connection) -> None:
    """A worker's life. Ctrl-C reaches every process of a terminal; only the first one is to act on it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _terminate)
    with contextlib.suppress(EOFError, OSError, _Terminated):
        while True:
            function, args, kwargs = pipe.recv()
            try:
                answer = (True, function(*args, **kwargs))
            except Exception as error:
                answer = (False, error)
            pipe.send(answer)
