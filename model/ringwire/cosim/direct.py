"""The host's part of a run called from the clock itself, without the simulator's interface and cocotb between.

A run wakes the host a few times for each frame. By way of a signal's change and cocotb's scheduler a waking costs some
15 us, called by ``hostmem.c`` it costs one or two. What the host does then is the same, at the same simulated time.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

from ringwire.cosim.hostmem import Hostmem

T = TypeVar("T")


class Waking:
    """What a coroutine waits for until the clock calls it: it does not reach cocotb."""

    def __await__(self) -> Generator[Waking, None, None]:
        yield self


class Direct(Generic[T]):
    """Awaited in a cocotb task: runs ``work`` to its end, and gives what it returns.

    Whenever it waits for ``waking``, the clock resumes it with the next waking. What else it waits for is cocotb's, as
    in any task. ``signal`` is the trigger by which hostmem.c wakes cocotb.
    """

    def __init__(self, hostmem: Hostmem, signal: Any, waking: Waking, work: Coroutine[Any, Any, T]) -> None:
        self._hostmem = hostmem
        self._signal = signal
        self._waking = waking
        self._work = work
        self._waits = False
        """The clock may call."""
        self._ended: BaseException | None = None
        """How the work has ended; StopIteration has what it returns."""
        self._trigger: Any = None
        """What it waits for of cocotb's."""

    def __await__(self) -> Generator[Any, None, T]:
        self._hostmem.call_host(self._called)
        try:
            self._step()
            while self._ended is None:
                if self._trigger is None:
                    yield from self._signal.__await__()
                else:
                    yield self._trigger
                    self._step()
        finally:
            self._hostmem.call_host(None)
            self._work.close()
        if isinstance(self._ended, StopIteration):
            result: T = self._ended.value
            return result
        raise self._ended

    def _called(self) -> int:
        """By the clock: whether cocotb has to go on."""
        if self._waits:
            self._step()
        return not self._waits

    def _step(self) -> None:
        try:
            trigger = self._work.send(None)
        except BaseException as error:  # raised anew in the task
            self._waits, self._trigger, self._ended = False, None, error
            return
        self._waits = trigger is self._waking
        self._trigger = None if self._waits else trigger
