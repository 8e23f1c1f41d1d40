"""Why a queue that has work does not move: asked of the device's registers, answered with the name of a bug."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ringwire.netdev.queue import STACK_XOFF
from ringwire.nic.registers import Stat, queue_register, stat_register

if TYPE_CHECKING:
    from ringwire.checks.watch import Watch, Watched

HANG_NS = 1_000_000_000
"""A device that sends nothing for so long hangs. The slowest wire, 1 Mb/s, takes 133 ms for the largest frame."""
_LOOKS_A_HANG = 4
"""So often in that time a queue that has been reset is asked for frames."""
_IDLE, _ERROR = 1, 2
"""Of Q_STATUS."""


class Stall:
    """Follows one queue from look to look."""

    def __init__(self) -> None:
        self._state: tuple[int, ...] = ()
        self._since_ns = 0
        self._asked_ns = 0
        self._device: tuple[int, int] = (-1, -1)
        self._device_since_ns = 0
        # of a queue that has been reset
        self._frames = -1
        """On the wire when it was first seen to stand still; -1: it has not been asked for since."""
        self._frames_since_ns = self._frames_asked_ns = 0

    def rest(self) -> None:
        """The queue has nothing to do."""
        self._frames = -1

    def look(self, watch: Watch, queue: Watched, now_ns: int) -> bool:
        """Has the queue moved since the last look? False if it never will, and why is found."""
        if queue.was_reset and watch.world is not None:
            self._look_at_wire(watch, queue, now_ns)
        state = (queue.given, queue.held, queue.doorbells, queue.consumed, queue.interrupts, queue.was_reset)
        if state != self._state:
            self._state, self._since_ns, self._asked_ns = state, now_ns, 0
            return True
        waited = now_ns - self._since_ns
        if waited < 2 * queue.moderated_ns or waited < 2 * self._asked_ns:
            return True
        if not queue.held:
            return self._nothing_to_do(watch, queue, waited)
        if watch.world is None or not queue.enabled:
            return True
        self._asked_ns = waited
        self._ask(watch, queue)
        return True

    def _look_at_wire(self, watch: Watch, queue: Watched, now_ns: int) -> None:
        """A watchdog that comes again and again, or a reset that does not end, hides that the device does nothing.

        So once there was a reset, the wire counts, whatever becomes of the queue.
        """
        assert watch.world is not None
        if watch.world.held_back or not (watch.dev.carrier and watch.dev.is_up) or (queue.enabled and not queue.held):
            self.rest()
        elif queue.held and (self._frames < 0 or now_ns - self._frames_asked_ns >= HANG_NS // _LOOKS_A_HANG):
            self._frames_asked_ns = now_ns
            self._read(watch, queue, lambda *answers: self._judge_wire(watch, queue, *answers))

    def _judge_wire(self, watch: Watch, queue: Watched, status: int, head: int, written: int, frames: int) -> None:
        assert watch.world is not None
        now_ns = watch.world.timeline.now_ns
        has_work = not status & (_IDLE | _ERROR) and (not queue.enabled or head != queue.told)
        if not has_work or watch.world.held_back or frames != self._frames:
            self._frames, self._frames_since_ns = frames, now_ns
        elif now_ns - self._frames_since_ns >= HANG_NS:
            doing = "has been reset" if queue.enabled else "is being reset"
            text = f"hangs: it {doing}, is not idle, and no frame left for {HANG_NS // 1_000_000} ms"
            watch.findings.add("tx-hang", queue.index, text)
            self._frames_since_ns = now_ns

    def _nothing_to_do(self, watch: Watch, queue: Watched, waited: int) -> bool:
        """The driver holds no packet, and the stack still may not give it one."""
        if (watch.world is not None and not queue.enabled) or not (watch.dev.carrier and watch.dev.is_up):
            return True
        if queue.txq.state & STACK_XOFF:
            text = f"is stopped by byte queue limits, which count {queue.txq.dql.inflight} bytes in flight; nothing is"
            watch.findings.add("bql-stuck", queue.index, text)
        else:
            watch.findings.add("lost-wakeup", queue.index, f"is stopped with an empty ring, for {waited // 1000} us")
        return False

    def _ask(self, watch: Watch, queue: Watched) -> None:
        """Judge by what the device knows of the queue, unless that moves meanwhile."""
        state = self._state

        def answered(status: int, head: int, written: int, frames: int) -> None:
            if state == self._state:
                self._judge(watch, queue, status, head, written, frames)

        self._read(watch, queue, answered)

    def _read(self, watch: Watch, queue: Watched, then: Callable[[int, int, int, int], None]) -> None:
        """Read STATUS, HEAD, CPL_WRITTEN and the frames on the wire; the answers come in order."""
        assert watch.world is not None
        names = ("STATUS", "HEAD", "CPL_WRITTEN")
        registers = [queue_register(name, queue.index) for name in names] + [stat_register(Stat.TX_FRAMES)]
        answers: list[int] = []

        def answered(time_ps: int, value: int) -> None:
            answers.append(value)
            if len(answers) == len(registers):
                then(*answers)

        for register in registers:
            watch.below.post_read(watch.world.due_ps(register), register, answered)

    def _judge(self, watch: Watch, queue: Watched, status: int, head: int, written: int, frames: int) -> None:
        assert watch.world is not None
        now_ns = watch.world.timeline.now_ns
        if watch.world.held_back or self._device != (head, frames):
            self._device, self._device_since_ns = (head, frames), now_ns
        idle, told, index = bool(status & _IDLE), queue.told, queue.index
        waiting = written - queue.consumed & 0xFFFF
        add = watch.findings.add
        if status & _ERROR and not waiting:
            add("error-ignored", index, "stands in error, and the driver does not reset it")
        elif waiting and queue.armed and not queue.masked:
            if queue.interrupts:
                add("completion-missed", index, f"had an interrupt and left {waiting} completions where they are")
            elif queue.reads:
                add("cause-cleared", index, f"has {waiting} completions and no interrupt: a register read came between")
            else:
                add("interrupt-lost", index, f"has {waiting} completions, is armed, and no interrupt came")
        elif waiting:
            add("not-armed", index, f"has {waiting} completions, and the driver does not ask for an interrupt")
        elif head == told and idle:
            add("completion-missed", index, f"holds {queue.held} packets whose completions the driver has consumed")
        elif head == told:
            add("write-back-stalled", index, f"is done with {queue.held} packets that the device does not report")
        elif idle:
            add("doorbell-lost", index, f"was told index {told}, and the device is idle at {head}")
        elif now_ns - self._device_since_ns >= HANG_NS:
            text = f"hangs: head {head}, tail {told}, and no frame left for {HANG_NS // 1_000_000} ms"
            add("tx-hang", index, text)
