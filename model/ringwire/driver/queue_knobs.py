"""A queue's registers that may change at any time: when the device reports, and how the queue shares the wire."""

from __future__ import annotations

from ringwire.driver.adaptive import AdaptiveModeration
from ringwire.driver.config import DriverConfig
from ringwire.driver.port import DevicePort
from ringwire.nic.registers import queue_register


class QueueKnobs:
    """What the device was last told, or will be when the queue is set up."""

    def __init__(self, port: DevicePort, queue: int) -> None:
        self.byte_time = self.weight = self.priority = 0
        """Rate limit (2^-40 ns a byte), bytes of a round, strict priority; see :meth:`set_turns`."""
        self.moderation_ns = 0
        """How long the device holds an interrupt back."""
        self.adaptive: AdaptiveModeration | None = None
        """Chooses that by the load, if it is asked to."""
        self._port = port
        self._queue = queue

    def set_moderation(self, config: DriverConfig, packets: int, size: int) -> None:
        """Batching of completions and interrupts, of a queue that has sent so much by now."""
        if not config.adaptive_tx:
            self.adaptive = None
        elif self.adaptive is None:
            self.adaptive = AdaptiveModeration(self._port.now_ns(), packets, size)
        self.moderation_ns = config.mod_ns if self.adaptive is None else self.adaptive.wait_ns
        self._write("MOD_FRAMES", config.mod_frames)
        self._write("MOD_NS", self.moderation_ns)
        self._write("CPL_THRESHOLD", config.cpl_threshold)
        self._write("CPL_TIMER_NS", config.cpl_timer_ns)

    def adapt(self, adaptive: AdaptiveModeration, packets: int, size: int) -> None:
        """The work of an interrupt is done, in one poll or several: choose how long the next is held back."""
        wait_ns = adaptive.after(self._port.now_ns(), packets, size)
        if wait_ns != self.moderation_ns:
            self.moderation_ns = wait_ns
            self._write("MOD_NS", wait_ns)

    def set_turns(self) -> None:
        """Tell the device how this queue shares the wire."""
        self._write("BYTE_TIME_LO", self.byte_time & 0xFFFFFFFF)
        self._write("BYTE_TIME_HI", self.byte_time >> 32)
        self._write("WEIGHT", self.weight)
        self._write("PRIORITY", self.priority)

    def _write(self, name: str, value: int) -> None:
        self._port.write(queue_register(name, self._queue), value)
