"""taprio: the time-aware shaper of IEEE 802.1Q (8.6.8.4). Traffic classes have gates that open and close by the clock.

In software a packet leaves if its gate is open and stays open until it is out. With txtime-assist it is told its time
and something below keeps to that; with full offload the device has the gates.
After net/sched/sch_taprio.c of Linux 6.12, but for two things: packets that a queue refuses are not counted as waiting,
and a schedule that is to follow leaves the gates of the running one alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ringwire.gso import GsoError
from ringwire.qdisc.base import MQROOT, ROOT_ID, XMIT_DROP, XMIT_SUCCESS, AnyQdisc
from ringwire.qdisc.cbs import SPEED_UNKNOWN_MBPS
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.gates import ALL_OPEN, NEVER, NO_GATES, PS_PER_NS, Entry, GateParams, Schedule
from ringwire.qdisc.noop import Noop
from ringwire.qdisc.offload import TaprioOffload
from ringwire.qdisc.stab import SizeTable
from ringwire.qdisc.traffic_classes import MAX_CLASSES, TrafficClasses, give_up
from ringwire.qdisc.txqueues import QueueClass, TxQueues
from ringwire.qdisc.txtime import find_entry, is_tcp, transmit_time
from ringwire.qdisc.watchdog import Watchdog
from ringwire.skb import Skb
from ringwire.sock import Clock

TXTIME_ASSIST = 1
FULL_OFFLOAD = 2
MIN_PS_PER_BYTE = 17
"""So that the smallest frame takes a nanosecond; faster links count as this one."""


@dataclass(frozen=True, slots=True)
class TaprioParams:
    """Times in ns."""

    classes: TrafficClasses | None = None
    gates: GateParams = NO_GATES
    clockid: Clock | None = None
    flags: int = 0
    txtime_delay: int = 0
    """What a packet may take from here to the device (txtime-assist)."""
    max_sdu: tuple[int, ...] = ()
    """Longest packet of each class without its link header, bytes; 0 = no bound of the user's."""


class Taprio(TxQueues[TaprioParams, QueueClass]):
    """Higher traffic classes first, the queues of one in turns. Classes ``handle:(queue + 1)`` are the queues."""

    kind: ClassVar[str] = "taprio"
    params_type = TaprioParams

    def setup(self) -> None:
        if self.parent_id != ROOT_ID:
            raise QdiscError("EOPNOTSUPP", "sch_taprio: Can only be attached as root qdisc")
        if self.dev.num_tx_queues == 1:
            raise QdiscError("EOPNOTSUPP", "sch_taprio: Multi-queue device is required")
        super().setup()
        self.watchdog = Watchdog(self)
        self.oper: Schedule | None = None
        """The schedule in force."""
        self.admin: Schedule | None = None
        """The one that is to follow."""
        self._entry: Entry | None = None
        """Where the schedule is; None before it begins: then all gates are open."""
        self._next_ns = NEVER
        """When the next entry begins."""
        self._running: TaprioParams | None = None
        self._max_sdu: tuple[int, ...] = (0,) * MAX_CLASSES
        self._bounded_for: SizeTable | None = None

    def make_queue(self, classid: int, qdisc: AnyQdisc) -> QueueClass:
        return QueueClass(classid, ROOT_ID, qdisc)

    def child_kind(self) -> str:
        return "pfifo"

    def adopt(self, child: AnyQdisc, classid: int) -> AnyQdisc:
        child.clear_nolock()
        return super().adopt(child, classid)

    def for_queue(self, index: int) -> AnyQdisc:
        return self.queues[index].qdisc if self.flags & MQROOT else self

    # -- parameters

    def change(self, params: TaprioParams) -> None:
        running, dev = self._running, self.dev
        self.advance()
        if params.flags & ~(TXTIME_ASSIST | FULL_OFFLOAD):
            raise QdiscError("EINVAL")
        if params.flags == TXTIME_ASSIST | FULL_OFFLOAD:
            raise QdiscError("EINVAL", "TXTIME_ASSIST and FULL_OFFLOAD are mutually exclusive")
        if running is not None and running.flags != params.flags:
            raise QdiscError("EOPNOTSUPP", "sch_taprio: Changing 'flags' of a running schedule is not supported")
        classes = self._classes_for(params)
        if dev.max_mtu and any(size > dev.max_mtu for size in params.max_sdu):
            raise QdiscError("ERANGE", "sch_taprio: TC max SDU exceeds device max MTU")
        # to a nanosecond a byte as in Linux, and for an unknown speed as there
        ps_per_byte = max(8_000_000 // (dev.speed_mbps or SPEED_UNKNOWN_MBPS), MIN_PS_PER_BYTE)
        schedule = Schedule(params.gates, len(classes.queues), ps_per_byte)
        offload = params.flags & FULL_OFFLOAD
        self._check_clock(params)
        if params.txtime_delay and not params.flags & TXTIME_ASSIST:
            message = "sch_taprio: txtime-delay can only be set when txtime-assist mode is enabled"
            raise QdiscError("EINVAL", message)
        max_sdu = params.max_sdu + self._max_sdu[len(params.max_sdu) :]
        if offload:
            self._enable_offload(params, classes, max_sdu)
        self._max_sdu = max_sdu
        self._bound(schedule)
        if running is None:
            self._cursor = [offset for offset, _ in classes.queues]
            dev.set_traffic_classes(classes)
        delay = params.txtime_delay or (0 if running is None else running.txtime_delay)
        self._running = replace(params, txtime_delay=delay)
        self._classes = classes
        self._begin(schedule)

    def _classes_for(self, params: TaprioParams) -> TrafficClasses:
        """The device's traffic classes as the line wants them."""
        there, wanted = self.dev.traffic_classes, params.classes
        if wanted is None:
            if there is None:
                raise QdiscError("EINVAL", "'mqprio' configuration is necessary")
            return replace(there, owner=self)
        if len(wanted.queues) > self.dev.num_tx_queues:
            raise QdiscError("EINVAL", "Number of traffic classes is greater than number of HW queues")
        wanted.validate(self.dev, overlap=bool(params.flags & TXTIME_ASSIST))
        if self._running is not None and wanted != there:
            message = "Changing the traffic mapping of a running schedule is not supported"
            raise QdiscError("EOPNOTSUPP", message)
        return replace(wanted, owner=self)

    def _check_clock(self, params: TaprioParams) -> None:
        if params.flags & FULL_OFFLOAD:
            if params.clockid is not None:
                raise QdiscError("EINVAL", "The 'clockid' cannot be specified for full offload")
        elif params.clockid is None:
            raise QdiscError("EINVAL", "Specifying a 'clockid' is mandatory")
        elif self._running is not None and self._running.clockid is not params.clockid:
            message = "Changing the 'clockid' of a running schedule is not supported"
            raise QdiscError("EOPNOTSUPP", message)

    def _enable_offload(self, params: TaprioParams, classes: TrafficClasses, max_sdu: tuple[int, ...]) -> None:
        gates = params.gates
        request = TaprioOffload(
            True, classes, gates.base_time, gates.cycle_time, gates.cycle_time_extension, gates.entries, max_sdu
        )
        self.dev.offloads.enable(
            self, request, "Device does not support taprio offload", "Device failed to setup taprio offload"
        )
        self.flags |= MQROOT

    def _begin(self, schedule: Schedule) -> None:
        """Have a new schedule follow, at its time."""
        start = schedule.start_after(self.dev.now_ns())
        schedule.prepare(start)
        flags = self._running.flags if self._running is not None else 0
        if flags & FULL_OFFLOAD or (flags & TXTIME_ASSIST and self.oper is None):
            self.oper = schedule
            return
        self.admin = schedule
        if not flags & TXTIME_ASSIST:
            self._next_ns = min(start, self._next_ns)
            if self.qlen:
                self.watchdog.schedule(self._next_ns)

    def params(self) -> TaprioParams:
        assert self._running is not None
        return replace(self._running, classes=self.dev.traffic_classes or self._classes, max_sdu=self._max_sdu)

    def destroy(self) -> None:
        super().destroy()
        self.watchdog.cancel()
        self.dev.offloads.disable(self, TaprioOffload(enable=False))
        give_up(self.dev, self)

    # -- time

    def advance(self) -> None:
        """Go on in the schedule up to now."""
        now = self.dev.now_ns()
        while self._next_ns <= now:
            self._step()
            entry, oper = self._entry, self.oper
            if self._next_ns <= now and oper is not None and entry is oper.entries[0]:
                until = now
                if self.admin is not None:
                    until = min(now, self.admin.base - oper.extension - oper.cycle - oper.length)
                oper.skip(entry, until)
                self._next_ns = entry.end

    def _step(self) -> None:
        """One entry on. A schedule that is to follow does so at the last step before its time."""
        oper, admin, entry = self.oper, self.admin, self._entry
        if oper is None or entry is None:
            if admin is not None:
                oper = self.oper = admin
                self.admin = admin = None
            assert oper is not None
            self._entry = oper.entries[0]
        else:
            following = oper.after(entry)
            if admin is not None and admin.base <= following.end + oper.extension:
                self.oper, self.admin = admin, None
                following = admin.entries[0]
            self._entry = following
        self._next_ns = self._entry.end

    def _bound(self, schedule: Schedule) -> None:
        overhead = self.stab.spec.overhead if self.stab is not None else None
        schedule.bound_frames(self._max_sdu, self.dev.hard_header_len, self.dev.max_mtu, overhead)

    # -- packets

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        self.advance()
        if self.stab is not self._bounded_for:
            # a size table is there only after the discipline was made
            self._bounded_for = self.stab
            for schedule in (self.oper, self.admin):
                if schedule is not None:
                    self._bound(schedule)
        child = self.queues[skb.queue_mapping].qdisc
        if isinstance(child, Noop):
            return self.refuse(skb, to_free)
        tc = self._classes.prio_tc[skb.priority & 15]
        if self.oper is not None and skb.len > self.oper.max_frame[tc]:
            return self._segment(skb, child, tc, to_free) if skb.gso_size else self.refuse(skb, to_free)
        return self._put(skb, child, tc, to_free)

    def _segment(self, skb: Skb, child: AnyQdisc, tc: int, to_free: list[Skb]) -> int:
        """A super-packet that is too long goes in piece by piece."""
        try:
            pieces = self.dev.segment_for(skb)
        except GsoError:
            return self.refuse(skb, to_free)
        taken = 0
        assert self.oper is not None
        for piece in pieces:
            piece.pkt_len = piece.len
            if piece.len > self.oper.max_frame[tc]:
                self.refuse(piece, to_free)
            elif self._put(piece, child, tc, to_free) == XMIT_SUCCESS:
                taken += 1
        return XMIT_SUCCESS if taken else XMIT_DROP

    def _put(self, skb: Skb, child: AnyQdisc, tc: int, to_free: list[Skb]) -> int:
        running = self._running
        assert running is not None
        if skb.sk is not None and skb.sk.txtime_clock is not None:
            oper = self.oper
            length_ns = 0 if oper is None else skb.pkt_len * oper.ps_per_byte // PS_PER_NS
            if oper is None or find_entry(oper, self.admin, tc, length_ns, skb.tstamp, validate=True)[0] is None:
                return self.refuse(skb, to_free)
        elif running.flags & TXTIME_ASSIST:
            skb.tstamp = self._txtime(skb, tc, running.txtime_delay)
            if not skb.tstamp:
                return self.refuse(skb, to_free)
        size = skb.pkt_len
        rc = child.enqueue(skb, to_free)
        if rc == XMIT_SUCCESS:
            self.qlen += 1
            self.backlog += size
        return rc

    def _txtime(self, skb: Skb, tc: int, delay: int) -> int:
        """The time that the packet is given."""
        earliest = self.dev.now_ns() + delay
        if skb.tstamp > earliest and is_tcp(skb):
            earliest = skb.tstamp
        if self.admin is not None and earliest > self.admin.base:
            self.oper, self.admin = self.admin, None
        if self.oper is None or earliest < self.oper.base:
            return earliest
        return transmit_time(self.oper, self.admin, tc, skb.pkt_len, earliest)

    def dequeue(self) -> Skb | None:
        if not self.qlen:
            return None
        self.advance()
        entry = self._entry
        mask = ALL_OPEN if entry is None else entry.mask
        queues = self._classes.queues
        for tc in range(len(queues) - 1, -1, -1):
            if not mask >> tc & 1:
                continue
            offset, count = queues[tc]
            queue = self._cursor[tc]
            for _ in range(count):
                skb = self._take(queue, entry, mask)
                queue = queue + 1 if queue + 1 < offset + count else offset
                if skb is not None:
                    self._cursor[tc] = queue
                    return skb
        if self._next_ns != NEVER:
            self.watchdog.schedule(self._next_ns)
        return None

    def _take(self, queue: int, entry: Entry | None, mask: int) -> Skb | None:
        """A queue's next packet, if the gate of its class lets it out in time."""
        child = self.queues[queue].qdisc
        running = self._running
        assert running is not None
        if not running.flags & TXTIME_ASSIST:
            first = child.peek()
            if first is None:
                return None
            tc = self._classes.prio_tc[first.priority & 15]
            if not mask >> tc & 1:
                return None
            if entry is not None and mask != ALL_OPEN:
                oper = self.oper
                assert oper is not None
                out_ns = self.dev.now_ns() + first.pkt_len * oper.ps_per_byte // PS_PER_NS
                if out_ns >= entry.closes[tc] or not _fits(entry, tc, first.pkt_len):
                    return None
        skb = child.dequeue_peeked()
        if skb is not None:
            self.qlen -= 1
            self.backlog -= skb.pkt_len
            self.count_sent(skb)
        return skb


def _fits(entry: Entry, tc: int, length: int) -> bool:
    """Whether the class may still send so much before its gate closes; it takes from what all classes may."""
    budget = entry.budget
    for each, left in enumerate(budget):
        if left != NEVER:
            budget[each] = left - length
    return budget[tc] >= 0
