"""The device's behavioural twin: the RTL's contract without its cycles.

It obeys the same registers, descriptors and errors, sends the same bytes in the same order per queue, and starts frames
at the same clock edges when the wire is the bottleneck. Inside it has events instead of pipelines: a descriptor read, a
frame's payload read, a frame's start, its end, a completion write. Each takes the time that memory and wire need.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush

from ringwire.host.memory import DmaFault, HostMemory
from ringwire.nic.builder import Packet, Segment
from ringwire.nic.descriptors import Status
from ringwire.nic.pacer import MIN_FRAME, ClockGrid, Pacer
from ringwire.nic.registers import (
    DATA_WIDTHS,
    GLOBAL_REGISTERS,
    MAX_DESCRIPTORS,
    MAX_FRAME,
    QUEUE_BASE,
    QUEUE_COUNTS,
    QUEUE_REGISTERS,
    QUEUE_STRIDE,
    STAT_BASE,
    STAT_STRIDE,
    TIME_FRACTION_BITS,
    Access,
    Register,
    Stat,
)
from ringwire.nic.twin_queue import TwinQueue

_LEGAL = {"CTRL": 7, "BYTE_TIME_HI": 0x3FFFFF, "LAUNCH_LEAD": 0xFFFFFF}
"""Bits that may be set in a register, where not all may."""
_NOWHERE = (None, None)
_NOBODY: Callable[[int, int, int], None] | None = None
_BURST_BEATS = 256
_PAGE = 4096
# Plain values for what every frame meets.
_OK = Status.OK
_TX_FRAMES, _TX_BYTES, _READ_REQUESTS = int(Stat.TX_FRAMES), int(Stat.TX_BYTES), int(Stat.READ_REQUESTS)


@dataclass(frozen=True, slots=True)
class TwinConfig:
    """What an instance is built with, and the memory it sits behind."""

    queues: int = 1
    data_bits: int = 512
    clock_ps: int = 4000
    clock_phase_ps: int = 0
    """Time of the clock's first edge."""
    read_latency_ns: int = 500
    """From a read request to its first beat."""
    write_latency_ns: int = 500
    """From a completion write to its response, when it is visible."""
    buffer_bytes: int = 65536
    """Frame buffer."""

    def __post_init__(self) -> None:
        if self.queues not in QUEUE_COUNTS:
            raise ValueError(f"queues is one of {QUEUE_COUNTS}, not {self.queues}")
        if self.data_bits not in DATA_WIDTHS:
            raise ValueError(f"data_bits is one of {DATA_WIDTHS}, not {self.data_bits}")


class Twin:
    """The device. ``on_frame(start_ps, queue, frame)`` is the wire: padded frames without FCS, as they start."""

    def __init__(
        self,
        config: TwinConfig,
        memory: HostMemory,
        on_interrupt: Callable[[int, int], None],
        on_frame: Callable[[int, int, bytes], None],
    ) -> None:
        self.config = config
        self.memory = memory
        self.now_ps = 0
        self.stats = [0 for _ in Stat]
        self.read_latency_ps = config.read_latency_ns * 1000
        self.write_latency_ps = config.write_latency_ns * 1000
        self.refused = 0
        """Register accesses that were answered with SLVERR."""
        self._on_interrupt = on_interrupt
        self._on_frame = on_frame
        self._events: list[tuple[int, int, Callable[..., None], tuple[object, ...]]] = []
        self._event_number = 0
        self._attention = False
        self._until_ps = 0
        """Where the run that is under way ends."""
        self.interrupt_lag_ps = 0
        """How late the host may hear of an interrupt: a run that has raised one ends so much later."""
        self.wake_on_frame = False
        """Every frame wakes the host, for software that waits for what was sent."""
        self.on_read = self.on_fetch = self.on_completion = _NOBODY
        """Told of accesses to memory: (kind, time in ps, address), see ``ringwire.host.world.Access``."""
        self._width = config.data_bits // 8
        self._period_ps = config.clock_ps
        self._burst = min(_PAGE, _BURST_BEATS * self._width)
        """Bytes that no burst goes beyond a multiple of."""
        self.prefetch = max(128, config.data_bits)
        self._grid = ClockGrid(config.clock_ps, config.clock_phase_ps)
        self._pacer = Pacer(self._grid, self._width)
        self._values = {register.name: register.reset for register in GLOBAL_REGISTERS}
        self._values["CAPS"] = config.queues | self._width << 8 | MAX_DESCRIPTORS << 16
        self._values["CAPS_FRAME"] = MAX_FRAME
        self._stat_latch = 0
        self._enabled = False
        self._complete_at_fetch = False
        self._bound = self._lead = 0
        self.queues = [TwinQueue(self, index) for index in range(config.queues)]
        self._registers: dict[int, tuple[TwinQueue | None, Register]] = {
            register.offset: (None, register) for register in GLOBAL_REGISTERS
        } | {
            QUEUE_BASE + QUEUE_STRIDE * queue.index + register.offset: (queue, register)
            for queue in self.queues
            for register in QUEUE_REGISTERS
        }
        """By address, each with its queue if it is one's."""
        self._last_served = config.queues - 1
        self._issue_free_ps = 0
        self._issue_waits = False
        self._data_free_ps = 0
        self._committed = 0
        self._buffered = 0
        self._pipe: deque[Segment] = deque()
        self._start_waits = False
        self._wire_end_ps = self._release_ps = 0
        """When the last frame's FCS ends, and when the wire is free for the next one."""
        self._paused = False
        self._pfc = 0
        self._opens_ps = [0] * config.queues
        """When each queue's gate will be looked at again."""

    # -- time

    def next_ps(self) -> int | None:
        """Time of the earliest event, None when nothing will happen by itself."""
        return self._events[0][0] if self._events else None

    def run_until(self, time_ps: int) -> int:
        """Run events up to and including ``time_ps``, or through the first that the host has to hear of.

        That is an answer or, with ``wake_on_frame``, a frame, or ``interrupt_lag_ps`` behind an interrupt. Returns the
        time reached.
        """
        events = self._events
        self._attention = False
        self._until_ps = time_ps
        while events and events[0][0] <= self._until_ps:
            self.now_ps, _, fn, args = heappop(events)
            fn(*args)
            if self._attention:
                return self.now_ps
        self.now_ps = max(self.now_ps, self._until_ps)
        return self.now_ps

    def at(self, time_ps: int, fn: Callable[..., None], *args: object) -> None:
        """Call ``fn(*args)`` at ``time_ps``; equal times in order of asking."""
        self._event_number = number = self._event_number + 1
        now_ps = self.now_ps
        heappush(self._events, (time_ps if time_ps > now_ps else now_ps, number, fn, args))

    def after(self, delay_ps: int, fn: Callable[..., None], *args: object) -> None:
        """Call ``fn(*args)`` that much later."""
        self._event_number = number = self._event_number + 1
        heappush(self._events, (self.now_ps + delay_ps, number, fn, args))

    def stamp(self) -> int:
        """The time input: 48.16 fixed point ns."""
        return self._grid.stamp(self.now_ps)

    def raise_interrupt(self, queue: int) -> None:
        """Send a queue's interrupt."""
        self.stats[Stat.INTERRUPTS] += 1
        self._until_ps = min(self._until_ps, self.now_ps + self.interrupt_lag_ps)
        self._attention |= not self.interrupt_lag_ps
        self._on_interrupt(self.now_ps, queue)

    def flow_control(self, paused: bool, priorities: int) -> None:
        """What the link partner asks for: no frame starts (802.3x), or no queue of these priorities is served (PFC).

        ``priorities`` is a mask of 8 bits. Frames that were picked before leave all the same.
        """
        self._paused, self._pfc = paused, priorities
        self._pump()
        self.schedule()

    # -- registers

    def post_write(self, due_ps: int, address: int, value: int) -> None:
        """Have software's register write land at ``due_ps``."""
        self.at(due_ps, self._write, address, value & 0xFFFFFFFF)

    def post_read(self, due_ps: int, address: int, answer: Callable[[int, int], None]) -> None:
        """Have a register read at ``due_ps``; then ``answer(time_ps, value)``."""
        self.at(due_ps, self._answer, address, answer)

    def _answer(self, address: int, answer: Callable[[int, int], None]) -> None:
        self._attention = True
        answer(self.now_ps, self.read(address))

    def _write(self, address: int, value: int) -> None:
        queue, register = self._registers.get(address, _NOWHERE)
        if register is None:
            accepted = False
        elif queue is not None:
            accepted = queue.write(register, value)
        else:
            accepted = register.access is not Access.RO and not value & ~_LEGAL.get(register.name, 0xFFFFFFFF)
            if accepted:
                self._values[register.name] = value
                self._apply()
        self.refused += not accepted

    def read(self, address: int) -> int:
        """What a read at this moment returns; all ones where there is no register."""
        stat, high = divmod(address - STAT_BASE, STAT_STRIDE)
        if 0 <= stat < len(self.stats):
            if high == 0:
                self._stat_latch = self.stats[stat] >> 32
                return self.stats[stat] & 0xFFFFFFFF
            return self._stat_latch
        queue, register = self._registers.get(address, _NOWHERE)
        if register is None:
            self.refused += 1
            return 0xFFFFFFFF
        if queue is not None:
            return queue.read(register)
        if register.name == "STATUS":
            return int(all(one.idle for one in self.queues))
        return self._values[register.name]

    def _apply(self) -> None:
        control = self._values["CTRL"]
        self._enabled = bool(control & 1)
        self._complete_at_fetch = bool(control & 2)
        self._pacer.open = bool(control & 4)
        self._pacer.byte_time = self._values["BYTE_TIME_LO"] | self._values["BYTE_TIME_HI"] << 32
        self._bound = self._values["COMMIT_BOUND"]
        self._lead = self._values["LAUNCH_LEAD"] << TIME_FRACTION_BITS
        self.schedule()

    # -- from a queue to the frame buffer

    def schedule(self) -> None:
        """Give frames their reads, a frame of each queue in turn, as far as what is committed allows."""
        if self._issue_waits or not self._enabled:
            return
        bound = self._bound
        if bound and self._committed >= bound:
            for each in self.queues:
                if each.pressing:
                    break
            else:
                return
        while (queue := self._next_queue()) is not None:
            packet = queue.next_packet()
            if packet.drop_late and packet.picked == 0 and self.stamp() > packet.launch:
                packet.kill(Status.LATE)
            if packet.status is _OK:
                if bound and self._committed >= bound:
                    return
                stored = packet.next_stored(self._width)
                if stored > self.config.buffer_bytes - self._buffered:
                    return
                if self._issue_free_ps > self.now_ps:
                    self._issue_waits = True
                    self.at(self._issue_free_ps, self._issue_again)
                    return
            self._last_served = packet.queue
            segment = queue.pick()
            if not segment.dead:
                segment.stored = stored
                queue.charge(segment.length)
                self._read_payload(segment)
            # one that is killed follows without bytes, so that its completion comes in its turn
            self._pipe.append(segment)
            self.at(self._data_free_ps, self._arrived, segment)

    def _issue_again(self) -> None:
        self._issue_waits = False
        self.schedule()

    def _next_queue(self) -> TwinQueue | None:
        """Of those of the highest priority that may send a frame, the next after the one served last.

        Where all of them have had their share, a round begins, for every queue that these do not stand above.
        """
        queues, last = self.queues, self._last_served
        if len(queues) == 1:
            queue = queues[0]
            if not self._may_send(queue):
                return None
            while not queue.in_credit:
                queue.refill()
            return queue
        turns = queues[last + 1 :] + queues[: last + 1]
        may = [queue for queue in turns if self._may_send(queue)]
        if not may:
            return None
        top = max(queue.priority for queue in may)
        while True:
            for queue in may:
                if queue.priority == top and queue.in_credit:
                    return queue
            for queue in turns:
                if queue.priority >= top:
                    queue.refill()

    def _may_send(self, queue: TwinQueue) -> bool:
        """It has a frame, which neither PFC nor rate limit nor launch time holds back; if one of the latter two does,
        have another look when it no longer will.
        """
        if not queue.can_send() or self._pfc >> queue.priority & 1:
            return False
        opens = queue.opens(self._lead)
        if not opens or opens <= self.stamp():
            return True
        when = self._grid.edge_of_stamp(opens)
        if self._opens_ps[queue.index] != when:
            self._opens_ps[queue.index] = when
            self.at(when, self.schedule)
        return False

    def _read_payload(self, segment: Segment) -> None:
        """Ask for a frame's bytes: a request a cycle, then a beat a cycle, in order behind the frames before."""
        width, period, span, now_ps = self._width, self._period_ps, self._burst, self.now_ps
        on_read = self.on_read
        bursts = beats = 0
        for addr, length in segment.buffers:
            last = addr + length - 1
            beats += last // width - addr // width + 1
            bursts += last // span - addr // span + 1
            if on_read is not None:
                on_read(0, now_ps, addr)
        self.stats[_READ_REQUESTS] += bursts
        self._issue_free_ps = now_ps + bursts * period
        first_ps = now_ps + self.read_latency_ps
        self._data_free_ps = (first_ps if first_ps > self._data_free_ps else self._data_free_ps) + beats * period
        self._committed += segment.wire_bytes
        self._buffered += segment.stored

    def _arrived(self, segment: Segment) -> None:
        """A frame's bytes have come, or a killed one's turn has."""
        segment.arrived = True
        packet = segment.packet
        if not segment.dead:
            try:
                read = self.memory.device_read
                segment.fill(b"".join([read(addr, length) for addr, length in segment.buffers]))
            except DmaFault:
                self._kill(packet, Status.READ, segment.index)
                self.queues[packet.queue].killed(packet)
            else:
                packet.fetched += 1
        if self._complete_at_fetch and segment.index + 1 == packet.picked and packet.all_picked:
            aborted = packet.status is Status.ABORTED
            self._finish(packet, self.stamp(), packet.left if aborted else packet.fetched)
        self._pump()
        self.schedule()

    def _kill(self, packet: Packet, status: Status, first: int = 0) -> None:
        """Of a packet that is read, or being read, segment ``first`` and those behind it will not leave after all."""
        packet.kill(status)
        for segment in self._pipe:
            if segment.packet is packet and segment.index >= first and not segment.dead:
                segment.dead = True
                self._committed -= segment.wire_bytes
                self._buffered -= segment.stored

    def abort(self, queue: int) -> None:
        """Kill a queue's frames that have not begun to leave."""
        for packet in {segment.packet: None for segment in self._pipe if segment.packet.queue == queue}:
            # of one with a failed read, what was read before is still to leave
            self._kill(packet, Status.ABORTED)
        self._pump()
        self.schedule()

    # -- from the frame buffer to the wire

    def _pump(self) -> None:
        """Start the frame whose turn it is, or see to it that it starts at its time."""
        pipe = self._pipe
        while pipe and pipe[0].arrived and not self._start_waits:
            segment = pipe[0]
            if segment.dead:
                pipe.popleft()
                self.at(self._wire_end_ps, self._passed, segment.packet, self.stamp())
                continue
            if self._paused:
                return
            start_ps = self._pacer.earliest_ps(self.now_ps)
            if segment.index == 0 and segment.packet.launch:
                start_ps = max(start_ps, self._grid.edge_of_stamp(segment.packet.launch))
            if start_ps > self.now_ps:
                if start_ps > self._release_ps:  # which is as good an occasion
                    self._start_waits = True
                    self.at(start_ps, self._start_again)
                return
            pipe.popleft()
            self._start(segment)

    def _start_again(self) -> None:
        self._start_waits = False
        self._pump()

    def _start(self, segment: Segment) -> None:
        """A frame's first beat is on the wire."""
        packet = segment.packet
        packet.left += 1
        if packet.left == 1:
            packet.stamp = self.stamp()
        self._buffered -= segment.stored  # its beats leave as fast as the bus takes them, whatever the wire's rate
        frame = segment.data
        if len(frame) < MIN_FRAME:
            frame = frame.ljust(MIN_FRAME, b"\0")
        self._wire_end_ps, self._release_ps = self._pacer.begin(self.now_ps, segment.length)
        self.at(self._wire_end_ps, self._ended, segment)
        self.at(self._release_ps, self._released, segment)
        self._on_frame(self.now_ps, packet.queue, frame)
        if self.wake_on_frame:
            self._attention = True

    def _ended(self, segment: Segment) -> None:
        """A frame's FCS has left."""
        length = segment.length
        self.stats[_TX_FRAMES] += 1
        self.stats[_TX_BYTES] += length if length > MIN_FRAME else MIN_FRAME
        self._passed(segment.packet, segment.packet.stamp)

    def _passed(self, packet: Packet, stamp: int) -> None:
        """The turn of one of a packet's frames has passed; with the last of them the packet is done."""
        packet.in_pipe -= 1
        if packet.in_pipe == 0 and packet.all_picked:
            if packet.status is not _OK and not packet.forgotten:
                self.stats[Stat.ERR_BAD_LENGTH + packet.status - Status.BAD_LENGTH] += 1
            self._finish(packet, stamp, packet.left)
            self.queues[packet.queue].left()
        self.schedule()

    def _finish(self, packet: Packet, stamp: int, segments: int) -> None:
        """Report a packet, unless it is reported already or a reset has forgotten it."""
        if not packet.completed and not packet.forgotten:
            packet.completed = True
            self.queues[packet.queue].finish(packet, packet.stamp if packet.left else stamp, segments)

    def _released(self, segment: Segment) -> None:
        """The wire is free of a frame and of the gap behind it."""
        self._committed -= segment.wire_bytes
        self._pump()
        self.schedule()
