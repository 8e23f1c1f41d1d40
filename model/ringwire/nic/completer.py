"""Completions and the interrupt of one queue: batching, slots, head write-back, moderation.

Counts are free-running modulo 65,536. Three of them follow a completion's life: ``assigned`` when it gets its slot and
is sent to memory, ``visible`` when that write has been answered, ``consumed`` when software says so. The interrupt is
one-shot: it fires once for each arming, when there is something visible beyond what is consumed and moderation agrees.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Protocol

from ringwire.host.memory import DmaFault, HostMemory
from ringwire.nic.descriptors import COMPLETION_BYTES, CplFlag, Status, pack_completion
from ringwire.nic.registers import Stat

_COUNT = 0xFFFF
_OK, _CPL_WRITTEN = Status.OK, int(Stat.CPL_WRITTEN)
_HEAD = struct.Struct("<HHI")
_EVENTS = (Status.DESC_READ, Status.BAD_DOORBELL)
"""Their INDEX is not that of a packet that is done, so the head record's stays where it was."""


class Surroundings(Protocol):
    """What a completer needs of its device."""

    memory: HostMemory
    stats: list[int]
    write_latency_ps: int
    now_ps: int
    on_completion: Callable[[int, int, int], None] | None

    def after(self, delay_ps: int, fn: Callable[..., None], *args: object) -> None:
        """Call ``fn(*args)`` that much later."""
        ...

    def raise_interrupt(self, queue: int) -> None:
        """Send the queue's interrupt."""
        ...


class Completer:
    """One queue's way back to software. Its registers are plain attributes, as software writes them."""

    __slots__ = (
        "_batch",
        "_batch_id",
        "_device",
        "_due",
        "_head_index",
        "_moderating",
        "_moderation_id",
        "_on_idle",
        "_on_write_error",
        "_queue",
        "_writing",
        "_written",
        "armed",
        "assigned",
        "base",
        "consumed",
        "entries",
        "head_addr",
        "mask",
        "mod_frames",
        "mod_ns",
        "threshold",
        "timer_ns",
        "used",
        "visible",
    )

    def __init__(
        self, device: Surroundings, queue: int, on_write_error: Callable[[], None], on_idle: Callable[[], None]
    ) -> None:
        self._device = device
        self._queue = queue
        self._on_write_error = on_write_error
        self._on_idle = on_idle
        self.base = 0
        self.entries = 64
        self.head_addr: int | None = None
        self.mask = False
        self.mod_frames = 0
        self.mod_ns = 0
        self.threshold = 1
        self.timer_ns = 0
        self._batch: list[tuple[int, int, Status, CplFlag, int]] = []
        self._batch_id = 0
        self._moderation_id = 0
        self.reset()

    def reset(self) -> None:
        """Counts and phase start again, the interrupt is disarmed. Only when ``idle``."""
        self.assigned = 0
        self.visible = 0
        self.consumed = 0
        self.used = 0
        """Completions that software has not consumed yet, those included that are still to be written."""
        self._written = 0
        self._head_index = 0
        self._writing = 0
        self.armed = False
        self._due = False
        self._moderating = False
        self._moderation_id += 1

    @property
    def idle(self) -> bool:
        """Every completion so far is visible in host memory."""
        return not self._batch and self._writing == 0

    # -- from the device

    def add(self, time: int, ring_index: int, status: Status, flags: CplFlag, segments: int, flush: bool) -> None:
        """Report a packet or an event. Errors, and ``flush``, send what is gathered at once."""
        self.used += 1
        self._batch.append((time, ring_index, status, flags, segments))
        if flush or status is not _OK or len(self._batch) >= self.threshold:
            self.flush()
        elif len(self._batch) == 1 and self.timer_ns:
            self._device.after(self.timer_ns * 1000, self._batch_timeout, self._batch_id)

    def flush(self) -> None:
        """Send what is gathered to memory. Whoever adds to it has seen to it that there are slots."""
        count = len(self._batch)
        if count:
            self._batch_id += 1
            batch, self._batch = self._batch, []
            self._writing += count
            self.assigned = (self.assigned + count) & _COUNT
            self._device.after(self._device.write_latency_ps, self._write, batch, self.assigned)

    def _batch_timeout(self, batch_id: int) -> None:
        if batch_id == self._batch_id:
            self.flush()

    def _write(self, batch: list[tuple[int, int, Status, CplFlag, int]], count: int) -> None:
        """A batch reaches memory: ring slots, then the head record if there is one; then it is visible."""
        device = self._device
        error = False
        try:
            for time, ring_index, status, flags, segments in batch:
                if status is not _OK:
                    error = True
                if status is _OK or status not in _EVENTS:
                    self._head_index = ring_index
                if self.head_addr is None or status is not _OK:
                    self._write_slot(time, ring_index, status, flags, segments)
            if self.head_addr is not None:
                device.memory.device_write(self.head_addr, _HEAD.pack(self._head_index, count, 0))
                device.stats[Stat.HEAD_WRITTEN] += 1
        except DmaFault:
            device.stats[Stat.WRITE_ERRORS] += 1
            self._on_write_error()
            error = True
        if device.on_completion is not None:
            device.on_completion(2, device.now_ps, self.base)
        self.visible = count
        self._writing -= len(batch)
        self._moderate(error)
        if not self._writing and not self._batch:
            self._on_idle()

    def _write_slot(self, time: int, ring_index: int, status: Status, flags: CplFlag, segments: int) -> None:
        written = self._written
        slot = written & (self.entries - 1)
        phase = 1 - (written // self.entries & 1)
        self._written = written + 1
        raw = pack_completion(time, ring_index, status, flags, segments, phase)
        self._device.memory.device_write(self.base + slot * COMPLETION_BYTES, raw)
        self._device.stats[_CPL_WRITTEN] += 1

    # -- from software

    def consume(self, count: int, arm: bool) -> bool:
        """Software has consumed up to ``count``, whose slots may be used again; False if there are not so many.

        With ``arm`` the interrupt is armed as well; it fires at once if there is more.
        """
        consumed = (count - self.consumed) & _COUNT
        if count > _COUNT or consumed > (self.assigned - self.consumed) & _COUNT:
            return False
        self.consumed = count
        self.used -= consumed
        if self.visible == count:
            self._moderation_id += 1
            self._moderating = False
        if arm:
            self.armed = True
            self._due = self.visible != count
            self._fire_if_due()
        return True

    def set_mask(self, mask: bool) -> None:
        """Hold the interrupt back, or let one that was held back go."""
        self.mask = mask
        self._fire_if_due()

    # -- moderation

    def _moderate(self, urgent: bool) -> None:
        """Something became visible: an interrupt now, or when enough or long enough has waited."""
        waiting = (self.visible - self.consumed) & _COUNT
        if not self.armed or waiting == 0:
            return
        enough = waiting >= self.mod_frames if self.mod_frames > 1 else self.mod_ns == 0
        if urgent or enough:
            self._due = True
            self._fire_if_due()
        elif self.mod_ns and not self._moderating:
            self._moderating = True
            self._device.after(self.mod_ns * 1000, self._moderation_timeout, self._moderation_id)

    def _moderation_timeout(self, moderation_id: int) -> None:
        if moderation_id == self._moderation_id:
            self._moderating = False
            self._due = self.visible != self.consumed
            self._fire_if_due()

    def _fire_if_due(self) -> None:
        if self._due and self.armed and not self.mask:
            self.armed = False
            self._due = False
            self._moderating = False
            self._moderation_id += 1
            self._device.raise_interrupt(self._queue)
