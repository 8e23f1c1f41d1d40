"""Queues that don't get on: looking at one, and stopping one for good.

A queue is stopped by letting it run dry if there is time, resetting it in the device, and settling what it held. The
driver's functions must not wait, so these are chains of timers and register reads.
"""

from __future__ import annotations

from collections.abc import Callable

from ringwire.driver.tx_ring import TxRing
from ringwire.nic.registers import queue_register

_RESET = 2
_POLL_NS = 5_000
_MOST_POLL_NS = 5_000_000
"""A reset that takes long is asked for less often."""
RESET_LIMIT_NS = 60_000_000_000
"""A reset ends when the frames that were picked have left: 133 ms for the largest at 1 Mb/s, and as long as the link
partner pauses the wire. A pause that outlasts the transmit watchdog must not take the driver down as well.
"""


class DeviceStuck(Exception):
    """The device does not answer as its registers promise."""


DUMPED = ("CTRL", "STATUS", "HEAD", "FETCHED", "CPL_WRITTEN")
"""Registers of a queue that tell where it stands."""


def read_state(ring: TxRing, then: Callable[[dict[str, int]], None]) -> None:
    """Read the registers of a queue one after the other; ``then`` gets them by name."""
    found: dict[str, int] = {}

    def read_next() -> None:
        if len(found) == len(DUMPED):
            then(found)
        else:
            ring.port.read(queue_register(DUMPED[len(found)], ring.txq.index), note)

    def note(value: int) -> None:
        found[DUMPED[len(found)]] = value
        read_next()

    read_next()


class QueueReset:
    """Drain and reset of one queue. ``then`` is what happens with it afterwards; it may be changed on the way."""

    def __init__(self, ring: TxRing, drain_ns: int, then: Callable[[], None]) -> None:
        """For up to ``drain_ns`` the queue may finish what it holds; it takes nothing new."""
        self.then = then
        self._ring = ring
        self._port = ring.port
        self._control = queue_register("CTRL", ring.txq.index)
        self._deadline_ns = self._port.now_ns() + drain_ns
        ring.held = True
        ring.txq.stop()
        self._drain()

    def _drain(self) -> None:
        now = self._port.now_ns()
        if self._ring.in_flight and now < self._deadline_ns:
            self._port.call_at(min(now + _POLL_NS, self._deadline_ns), self._drain)
            return
        self._ring.napi.disable()
        self._port.write(self._control, _RESET)
        self._begun_ns = now
        self._ask()

    def _ask(self) -> None:
        self._port.read(self._control, self._answered)

    def _answered(self, control: int) -> None:
        now = self._port.now_ns()
        passed_ns = now - self._begun_ns
        if not control & _RESET:
            self._ring.empty()
            self.then()
        elif passed_ns <= RESET_LIMIT_NS:
            self._port.call_at(now + min(max(_POLL_NS, passed_ns // 8), _MOST_POLL_NS), self._ask)
        else:
            raise DeviceStuck(f"{self._ring.describe()}: its reset has not ended in {RESET_LIMIT_NS} ns")
