"""Watches a transmit path from the stack's edge to the wire, and names what is not as it must be.

A :class:`Watch` stands where a driver can't see it: before ``ndo_start_xmit``, in each packet's destructor, on the bus
below the driver's port, at the wire's end. What it sees at each place is little; the classes of bugs follow from what
does not fit together. It changes nothing and takes no simulated time, but for a few register reads once a queue that
has work has not moved for :data:`PATIENCE_NS`, and now and then after a reset.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from ringwire.checks.finding import BugFound, Findings
from ringwire.checks.frames import Pieces, difference, frames_of
from ringwire.checks.registers import RegisterTap
from ringwire.checks.stall import Stall
from ringwire.gso import GsoError, with_checksum
from ringwire.host.napi import Napi
from ringwire.host.world import PS_PER_NS, World
from ringwire.netdev import NETDEV_TX_OK, NetDevice, TxQueue
from ringwire.nic.descriptors import Status
from ringwire.nic.frame import Frame
from ringwire.nic.pacer import MIN_FRAME
from ringwire.nic.registers import MIN_RING_LOG2, Stat
from ringwire.skb import Skb

PATIENCE_NS = 10_000_000
"""A queue that has work and has not moved for so long is looked at."""
SPINS = 1000
"""So many times a driver may be busy with its queue running, the stack comes again at once; or poll for nothing."""
EMPTY_POLLS = 100
"""So many polls in a row may take nothing and have another follow at once, as when a driver waits for a lock."""
STILL_POLLING = 3
"""... and so many when every packet has come to its end."""
RESYNC = 4096
"""Frames looked through for one that is not the next: packets that the device gives up, super-packets too, are lost."""
SPOILED = 64
"""Frames kept in mind after something else has come for them."""
HELD, DROPPED = -1, -2
"""Instead of the time at which the driver freed a packet: it has not; it has told the stack that it won't send it."""


class Given:
    """A packet in the driver's hands, or on the wire. One is made for every packet, so it is as small as can be."""

    __slots__ = ("before", "freed_ns", "may_be_lost", "queue", "skb")

    def __init__(self, skb: Skb, queue: Watched) -> None:
        self.skb = skb
        self.queue = queue
        self.before = skb.destructor
        """The packet's own destructor."""
        self.freed_ns = HELD
        """When the driver freed it."""
        self.may_be_lost = False
        """A reset came over it, or its loss was asked for."""

    def ended(self, skb: Skb) -> None:
        """Destructor of the packet while the driver has it; it leaves another that sees a second end."""
        queue = self.queue
        skb.destructor = queue.freed_again
        self.freed_ns = queue.now_ns()
        queue.held -= 1
        if self.before is not None:
            self.before(skb)


Expected = tuple[Pieces, int, Given]
"""A frame that is to come on the wire: bytes, number in its packet, the packet."""


def _becomes(want: Pieces, data: bytes) -> bool:
    """Whether a frame as its packet holds it is this one on the wire."""
    size = sum(map(len, want))
    return max(size, MIN_FRAME) == len(data) and b"".join(want).ljust(MIN_FRAME, b"\0") == data


class Watched:
    """What is known of one queue. Indexes are ring indexes, counts free-running."""

    def __init__(self, txq: TxQueue, watch: Watch) -> None:
        self.txq = txq
        self.now_ns = txq.dev.now_ns
        self.freed_again = watch.freed_again
        self.expects = watch.world is not None
        """There is a wire to expect frames on."""
        self.index = txq.index
        self.expected: deque[Expected] = deque()
        """Frames that are to come on the wire."""
        self.missing: deque[Expected] = deque()
        """Those that were passed over: others behind them have come."""
        self.spoiled: deque[Expected] = deque(maxlen=SPOILED)
        """Those that something else has come for."""
        self.in_step = True
        """The last frame was one that was expected."""
        self.given = 0
        """Packets that the driver has taken."""
        self.held = 0
        """Those that it has not freed."""
        self.untold = 0
        """Those that no doorbell has followed."""
        self.spins = 0
        """Times that the driver was busy and left the queue running."""
        self.parked = 0
        """Packets that came out of the qdisc's parking place and left others there."""
        self.refused = False
        """The driver has been busy, or has stopped the queue: the stack has to take packets back then."""
        # what the driver has written to the queue's registers
        self.enabled = self.was_reset = False
        self.ring: memoryview | None = None
        self.ring_addr = 0
        self.mask = (1 << MIN_RING_LOG2) - 1
        self.told = 0
        """The last tail."""
        self.posted = 0
        """Descriptors that the tails stand for."""
        self.doorbells = 0
        self.consumed = 0
        self.armed = False
        self.masked = False
        self.moderated_ns = 0
        """The most that completions and interrupts are held back."""
        # since the last arming
        self.interrupts = 0
        self.reads = 0
        self.complete_at_fetch = False
        self.stall = Stall()

    def reset(self) -> None:
        """The driver has told the device to reset it: what is not on the wire by now may stay away."""
        self.was_reset = True
        self.told = self.consumed = self.untold = 0
        self.armed = False
        for _, _, given in self.expected:
            given.may_be_lost = True


class Watch:
    """One device's watch. Make it before the driver's ports; ``attach`` it once the driver is the device's.

    Without a world there is no bus and no wire: packets and byte queue limits are watched, as on a null device.
    """

    def __init__(self, world: World | None = None) -> None:
        self.findings = Findings()
        self.queues: list[Watched] = []
        self.world = world
        self.wire_frames = 0
        """Frames seen on the wire."""
        self.on_frame: Callable[[Frame, Skb | None], None] | None = None
        """Told of each frame on the wire and the packet it is of, if it is the one expected: what the driver had."""
        self.freed_again = self._freed_again
        """Destructor of packets that the driver has freed: one object, to be told from others."""
        self._ticking = False
        self._excused: set[Status] = set()
        self._tap: RegisterTap | None = None
        self._empty_polls: list[Napi] = []
        """Whose polls have ever been empty."""
        if world is not None:
            self.below = world.bus
            """Where its own register reads go."""
            world.bus = self._tap = RegisterTap(world, self.findings)

    def attach(self, dev: NetDevice) -> None:
        """Watch what the stack hands to the driver from now on."""
        self.dev = dev
        self.queues = [Watched(txq, self) for txq in dev.tx_queues]
        self._now_ns = dev.now_ns
        if self._tap is not None:
            self._tap.attach(self.queues)
        self._call_at = dev.call_at if self.world is None else self.world.timeline.call_at
        self._start_xmit, dev.start_xmit = dev.start_xmit, self._xmit
        self._on_drop, dev.on_drop = dev.on_drop, self._dropped
        if self.world is not None:
            self.world.polls.progress, self.world.polls.on_empty = self._progress, self._empty_poll

    def excuse(self, status: Status, *lost: Skb) -> None:
        """A packet is to fail with this status: its frames may stay away. For tests that ask for errors."""
        self._excused.add(status)
        for skb in lost:
            given = getattr(skb.destructor, "__self__", None)
            assert isinstance(given, Given), "the driver does not have this packet"
            given.may_be_lost = True

    # -- packets

    def _xmit(self, skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        """Stands before the driver."""
        queue = self.queues[txq.index]
        if skb.destructor is queue.freed_again:
            skb.destructor = None  # it is sent anew
        given = Given(skb, queue)
        skb.destructor = given.ended
        if given.before is not None and txq.qdisc.requeued:
            # segments that the stack has cut have one destructor among them
            queue.parked += txq.qdisc.requeued[-1].destructor is not None
        untold = queue.untold
        queue.untold = untold + 1
        queue.held += 1
        rc = self._start_xmit(skb, txq, xmit_more)
        if rc == NETDEV_TX_OK and given.freed_ns != DROPPED:
            queue.given += 1
            if queue.expects:
                self._expect(given)
        else:
            if queue.untold:
                queue.untold = untold
            if given.freed_ns != DROPPED:
                queue.held -= 1
                skb.destructor = given.before
                queue.refused = True
                if not txq.stopped:
                    self._busy_and_running(queue)
        if txq.stopped:
            queue.refused = True
        if queue.untold and (not xmit_more or txq.stopped):
            self._never_told(queue)
        if not self._ticking:
            self._ticking = True
            self._call_at(self._now_ns() + PATIENCE_NS, self._tick)
        return rc

    def _busy_and_running(self, queue: Watched) -> None:
        self.findings.add("busy-not-stopped", queue.index, "was busy and left the queue running")
        queue.spins += 1
        if queue.spins > SPINS:
            raise BugFound(f"queue {queue.index} has been busy and running {SPINS} times: the stack would spin on it")

    def _never_told(self, queue: Watched) -> None:
        """The batch is over and its last packets wait for a doorbell; a null device has none."""
        if self.world is not None:
            text = f"has {queue.untold} packets that the device was never told of"
            self.findings.add("doorbell-missing", queue.index, text)
        queue.untold = 0

    def _expect(self, given: Given) -> None:
        skb, expected = given.skb, given.queue.expected
        try:
            if skb.gso_size or skb.vlan_tci is not None:
                expected.extend([(frame, number, given) for number, frame in enumerate(frames_of(skb))])
            else:
                expected.append((with_checksum(skb) if skb.csum_flags else skb.data, 0, given))
        except GsoError:
            return

    def _dropped(self, skb: Skb) -> None:
        """The stack's hook for each packet that won't be sent; in the driver's hands it is one of ours."""
        given = getattr(skb.destructor, "__self__", None)
        if isinstance(given, Given):
            given.freed_ns = DROPPED
            given.queue.held -= 1
            skb.destructor = given.before
        if self._on_drop is not None:
            self._on_drop(skb)

    def _freed_again(self, skb: Skb) -> None:
        self.findings.add("skb-twice", skb.queue_mapping, f"freed packet {skb.id} a second time")

    # -- the wire

    def frames(self, frames: Iterable[Frame]) -> None:
        """The next frames that have left, of all queues, in order."""
        queues, on_frame = self.queues, self.on_frame
        for frame in frames:
            queue, data = queues[frame.queue], frame.data
            self.wire_frames += 1
            expected = queue.expected
            if expected:
                want, _, given = expected[0]
                whole = b"".join(want)
                if data == (whole if len(whole) >= MIN_FRAME else whole.ljust(MIN_FRAME, b"\0")):
                    expected.popleft()
                    queue.in_step = True
                    if 0 <= given.freed_ns * PS_PER_NS < frame.start_ps and not queue.complete_at_fetch:
                        self._early(queue, given, frame.start_ps)
                    if on_frame is not None:
                        on_frame(frame, given.skb)
                    continue
            found = self._compare(queue, data)
            if on_frame is not None:
                on_frame(frame, None if found is None else found.skb)

    def _early(self, queue: Watched, given: Given, start_ps: int) -> None:
        ahead = start_ps // PS_PER_NS - given.freed_ns
        self.findings.add("completion-early", queue.index, f"freed a packet {ahead} ns before its frame began to leave")

    def _compare(self, queue: Watched, data: bytes) -> Given | None:
        """A frame that is not the next one: it is a later one, and what lies between is lost, or not as it must be.

        The packet that it is of, in the first case.
        """
        expected = queue.expected
        for ahead, (want, _, given) in enumerate(islice(expected, RESYNC)):
            if _becomes(want, data):
                for _ in range(ahead):
                    lost = expected.popleft()
                    if not lost[2].may_be_lost:
                        queue.missing.append(lost)
                expected.popleft()
                queue.in_step = True
                return given
        for passed, text in ((queue.spoiled, ""), (queue.missing, "sent a frame behind others that come after it")):
            for late in passed:
                if _becomes(late[0], data):
                    passed.remove(late)
                    queue.in_step = True
                    if text:
                        self.findings.add(
                            "frame-differs", queue.index, f"{text} (frame {self.wire_frames} of the wire)"
                        )
                    return late[2]
        while expected and expected[0][2].may_be_lost:
            expected.popleft()
        if queue.in_step:
            if expected:
                want, number, given = expected[0]
                padded = b"".join(want).ljust(MIN_FRAME, b"\0")
                bug, text = difference(given.skb, number, padded, data)
            else:
                bug, text = "frame-unexpected", "sent a frame that the driver was never given"
            self.findings.add(bug, queue.index, f"{text} (frame {self.wire_frames} of the wire)")
        queue.in_step = False
        if expected:
            queue.spoiled.append(expected.popleft())
        return None

    # -- queues that do not move

    def _tick(self) -> None:
        self._ticking = False
        for queue in self.queues:
            if queue.held or queue.txq.xmit_stopped:
                self._ticking |= queue.stall.look(self, queue, self._now_ns())
            else:
                queue.stall.rest()
        if self._ticking:
            self._call_at(self._now_ns() + PATIENCE_NS, self._tick)

    # -- polls that do not end

    def _progress(self) -> int:
        return sum(queue.given - queue.held + queue.consumed for queue in self.queues)

    def _empty_poll(self, napi: Napi) -> None:
        """A poll took nothing, and another follows."""
        if napi not in self._empty_polls:
            self._empty_polls.append(napi)
        if napi.empty == EMPTY_POLLS:
            self._endless(napi)
        elif napi.empty > SPINS:
            raise BugFound(f"{napi.name} has taken nothing {SPINS} times in a row: the softirq would spin on it")

    def _endless(self, napi: Napi) -> None:
        text = f"{napi.name} took nothing {napi.empty} times in a row and was called again at once"
        done = f"a poll that is done calls complete() and returns less than its budget of {napi.weight}"
        self.findings.add("poll-endless", None, f"{text}: {done}")

    # -- the end

    def finish(self, stats: Sequence[int] | None = None, faults: Iterable[tuple[str, int]] = ()) -> None:
        """Close the books: traffic has ended, every frame has been handed over.

        ``stats`` are the device's counters, ``faults`` (kind, address) of its accesses that were answered with an
        error, as far as host memory has not seen them itself.
        """
        add = self.findings.add
        for napi in self._empty_polls:
            if STILL_POLLING <= napi.empty < EMPTY_POLLS and not any(queue.held for queue in self.queues):
                self._endless(napi)
        for queue in self.queues:
            lost = sum(not given.may_be_lost for _, _, given in queue.expected) + len(queue.missing)
            if lost:
                add("frame-lost", queue.index, f"has {lost} frames given to the driver that are not on the wire")
            if queue.held:
                add("skb-lost", queue.index, f"has {queue.held} packets that the driver never freed")
            if queue.parked and not queue.refused and self.dev.num_tx_queues == 1:
                text = f"had {queue.parked} packets parked before all others: they were dequeued while it was stopped"
                add("head-of-line", queue.index, text)
            inflight = queue.txq.dql.inflight
            if inflight and not queue.held and not self.findings.broken_off:
                add("bql-stuck", queue.index, f"still counts {inflight} bytes in flight, and nothing is")
        if self.world is not None:
            memory = self.world.memory
            if memory.live:
                add("mapping-leak", None, f"{memory.live} DMA mappings were never undone")
            if memory.first_fault is not None:
                faults = [*faults, (memory.first_fault.kind, memory.first_fault.first_bad)]
        faults = list(faults)
        if Status.READ not in self._excused and Status.DESC_READ not in self._excused:
            for kind, addr in faults:
                self._name_fault(kind, addr)
        if stats is not None:
            self.compare_counters(stats, bool(faults))

    def _name_fault(self, kind: str, addr: int) -> None:
        assert self.world is not None
        memory = self.world.memory
        add = self.findings.add
        if kind.startswith("register"):
            add("register-refused", None, f"a {kind} at {addr:#x} was answered with an error")
        elif memory.base <= addr < memory.base + memory.size:
            add("use-after-unmap", None, f"DMA fault: {kind} at {addr:#x}, which is not mapped, or no longer")
        elif memory.lies_above(addr):
            add("address-truncated", None, f"DMA fault: {kind} at {addr:#x}, where 4 GiB and more are missing")
        else:
            add("dma-fault", None, f"DMA fault: {kind} at {addr:#x}, where there is no memory")

    def compare_counters(self, stats: Sequence[int], faulted: bool = True) -> None:
        """Compare the device's counters with what it was told; ``faulted``: there were errors on its reads."""
        add = self.findings.add
        rung = sum(queue.doorbells for queue in self.queues)
        if stats[Stat.DOORBELLS] < rung:
            add("doorbell-lost", None, f"{rung} doorbells were rung, and the device has heard {stats[Stat.DOORBELLS]}")
        posted = sum(queue.posted for queue in self.queues)
        was_reset = any(queue.was_reset for queue in self.queues)
        if stats[Stat.DESC_FETCHED] > posted:  # what a reset comes over is fetched at most once, too
            add(
                "doorbell-reordered",
                None,
                f"the device has fetched {stats[Stat.DESC_FETCHED]} descriptors, and {posted} were posted",
            )
        for status in Status:
            count = stats[Stat.ERR_BAD_LENGTH + status - Status.BAD_LENGTH] if status else 0
            if not count or status in self._excused or (status is Status.ABORTED and was_reset):
                continue
            text = f"the device counts ERR_{status.name} {count}"
            if status is Status.READ and not faulted:
                add("false-read-error", None, f"{text}, and every read was answered")
            else:
                add(_ERRORS.get(status, "illegal-descriptor"), None, text)


_ERRORS = {
    Status.READ: "read-error",
    Status.DESC_READ: "read-error",
    Status.BAD_DOORBELL: "bad-tail",
    Status.BAD_OFFLOAD: "illegal-offload",
    Status.ABORTED: "packets-aborted",
}
