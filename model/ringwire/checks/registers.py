"""What a driver tells the device: the register accesses that pass on the bus, understood queue by queue."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from ringwire.checks.finding import Findings
from ringwire.host.bus import BusLayer
from ringwire.host.cpu import Cpu
from ringwire.host.world import World
from ringwire.nic.descriptors import DESCRIPTOR_BYTES, DescFlag
from ringwire.nic.registers import (
    GLOBAL_OFFSETS,
    MAX_RING_LOG2,
    MIN_RING_LOG2,
    QUEUE_BASE,
    QUEUE_OFFSETS,
    QUEUE_STRIDE,
    queue_register,
)

if TYPE_CHECKING:
    from ringwire.checks.watch import Watched

_RING = ("RING_LO", "RING_HI", "RING_LOG2")
_HOLD_BACK = ("MOD_NS", "CPL_TIMER_NS")
_NAMES = {offset: name for name, offset in QUEUE_OFFSETS.items()}
_GLOBAL_CTRL = GLOBAL_OFFSETS["CTRL"]
_EOP = int(DescFlag.EOP)
_get_descriptor = struct.Struct("<QHH").unpack_from


class RegisterTap(BusLayer):
    """Lies on the bus of a world and keeps each queue's :class:`Watched` up to date."""

    def __init__(self, world: World, findings: Findings) -> None:
        super().__init__(world.bus)
        self._memory = world.memory
        self._findings = findings
        self._queues: list[Watched] = []
        self._tails: dict[int, Watched] = {}
        self._arms: dict[int, Watched] = {}
        self._values: dict[int, int] = {}
        self._write_below = self.below.post_write

    def attach(self, queues: list[Watched]) -> None:
        """These are the queues, in order."""
        self._queues = queues
        self._tails = {queue_register("TAIL", queue.index): queue for queue in queues}
        self._arms = {queue_register("CPL_ARM", queue.index): queue for queue in queues}

    def post_write(self, due_ps: int, register: int, value: int) -> None:
        if register in self._arms:
            queue = self._arms[register]
            queue.consumed = value
            queue.armed = True
            queue.interrupts = queue.reads = 0
        elif register in self._tails:
            self._doorbell(self._tails[register], value)
        elif register >= QUEUE_BASE:
            self._set(register, value)
        elif register == _GLOBAL_CTRL:
            for queue in self._queues:
                queue.complete_at_fetch = bool(value & 2)
        self._write_below(due_ps, register, value)

    def _doorbell(self, queue: Watched, tail: int) -> None:
        mask = queue.mask
        if tail > mask:
            self._findings.add("bad-tail", queue.index, f"rang for index {tail} of a ring of {mask + 1}")
            return
        advance = tail - queue.told & mask
        queue.told = tail
        queue.doorbells += 1
        if advance:
            queue.posted += advance
            if queue.ring is not None:
                last = (tail - 1 & mask) * DESCRIPTOR_BYTES
                addr, _, flags = _get_descriptor(queue.ring, last)
                if self._hidden(queue, last, advance):
                    text = f"rang for index {tail}, and no barrier has made the descriptors before it visible"
                    self._findings.add("barrier-missing", queue.index, text)
                elif not (flags & _EOP and self._memory.reachable(addr)):
                    self._not_posted(queue, tail, addr, bool(flags & _EOP))
        elif queue.untold:
            text = f"rang for index {tail} again: a full ring looks like an empty one"
            self._findings.add("ring-overrun", queue.index, text)
        queue.untold = 0

    def _hidden(self, queue: Watched, last: int, count: int) -> bool:
        """Whether the device does not see yet what was written to the ``count`` descriptors up to offset ``last``."""
        hidden, begin = self._memory.hidden, last - (count - 1) * DESCRIPTOR_BYTES
        if begin >= 0:
            return hidden(queue.ring_addr + begin, count * DESCRIPTOR_BYTES)
        behind = (queue.mask + 1) * DESCRIPTOR_BYTES + begin
        return hidden(queue.ring_addr, last + DESCRIPTOR_BYTES) or hidden(queue.ring_addr + behind, -begin)

    def _not_posted(self, queue: Watched, tail: int, addr: int, ends: bool) -> None:
        """The descriptor before the tail does not end a packet, or not one that is mapped."""
        if ends and self._memory.lies_above(addr):
            text = f"rang for index {tail}; the descriptor before it names {addr:#x}, where 4 GiB and more are missing"
            self._findings.add("address-truncated", queue.index, text)
        else:
            text = f"rang for index {tail}, and no packet that is posted ends before it"
            self._findings.add("doorbell-early", queue.index, text)

    def _set(self, register: int, value: int) -> None:
        """Any other register of a queue."""
        number, offset = divmod(register - QUEUE_BASE, QUEUE_STRIDE)
        name = _NAMES.get(offset)
        if number >= len(self._queues) or name is None:
            return
        queue = self._queues[number]
        if name == "CPL_CONSUMED":
            queue.consumed = value
            queue.armed = False
            return
        values, base = self._values, register - offset
        values[register] = value
        if name == "CTRL":
            queue.enabled = value == 1
            if value & 2:
                queue.reset()
        elif name in _RING:
            low, high = (values.get(base + QUEUE_OFFSETS[one], 0) for one in _RING[:2])
            # beyond the most the device stands in error, and no ring is read
            log2 = min(values.get(base + QUEUE_OFFSETS[_RING[2]], MIN_RING_LOG2), MAX_RING_LOG2)
            queue.mask = (1 << log2) - 1
            queue.ring_addr = low | high << 32
            queue.ring = self._memory.view(queue.ring_addr, DESCRIPTOR_BYTES << log2) or None
        elif name in _HOLD_BACK:
            queue.moderated_ns = sum(values.get(base + QUEUE_OFFSETS[one], 0) for one in _HOLD_BACK)
        elif name == "IRQ_MASK":
            queue.masked = bool(value)

    def post_read(self, due_ps: int, register: int, answer: Callable[[int, int], None]) -> None:
        number = (register - QUEUE_BASE) // QUEUE_STRIDE
        if 0 <= number < len(self._queues):
            self._queues[number].reads += 1
        self.below.post_read(due_ps, register, answer)

    def listen(self, vector: int, cpu: Cpu, handler: Callable[[], None]) -> None:
        def count_and_handle() -> None:
            if vector < len(self._queues):
                self._queues[vector].interrupts += 1
            handler()

        self.below.listen(vector, cpu, count_and_handle)
