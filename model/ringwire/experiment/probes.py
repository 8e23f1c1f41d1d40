"""What the queues, the wire and the flows are like over time.

What changes with every packet is noted when that happens; the rest is looked at once an interval, by an event of the
timeline, which takes no simulated time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ringwire.bql import MAX_LIMIT, U32
from ringwire.checks import Watch
from ringwire.driver.ringwire import RingwireDriver
from ringwire.experiment.bins import Bins, last, least, most, total
from ringwire.experiment.packets import Packet, Packets
from ringwire.host.bus import Bus, BusLayer
from ringwire.host.cpu import Cpu
from ringwire.host.timeline import Timeline
from ringwire.host.world import PS_PER_NS
from ringwire.netdev import NetDevice, TxQueue
from ringwire.nic.frame import Frame
from ringwire.nic.pacer import wire_bytes
from ringwire.qdisc.base import AnyQdisc
from ringwire.rig.plugin import ReplayDriver
from ringwire.traffic.flow import Flow
from ringwire.transport.path import Path

NONE_LEAST, NONE_MOST = 1 << 62, -1
"""Extremes of nothing."""


class InterruptTap(BusLayer):
    """Counts the interrupts that reach the host. Make it before the driver's ports."""

    def __init__(self, below: Bus) -> None:
        super().__init__(below)
        self.counts: dict[int, int] = {}
        """By queue."""

    def listen(self, vector: int, cpu: Cpu, handler: Callable[[], None]) -> None:
        counts = self.counts
        counts[vector] = 0

        def count_and_handle() -> None:
            counts[vector] += 1
            handler()

        self.below.listen(vector, cpu, count_and_handle)


class QueueProbe:
    """One transmit queue."""

    def __init__(self, txq: TxQueue, interval_ns: int) -> None:
        self.txq = txq
        self._dql = txq.dql
        self.packets = self.frames = self.bytes = 0
        self.limit_most = 0
        self.starved = 0
        """Times that the wire ran dry while byte queue limits held packets back."""
        self.starved_ns = 0
        """How long they did so."""
        self.bins = {name: Bins(interval_ns, merge) for name, merge in _QUEUE_BINS.items()}
        self.sent = self.bins["packets"]
        self._limit_low = self._inflight_low = NONE_LEAST
        self._limit_high = self._inflight_high = NONE_MOST
        self._interrupts = 0
        self._drops = 0
        self._marks = 0

    def note_limits(self) -> None:
        """Look at the byte queue limit, which may be otherwise before the next look at everything."""
        dql = self._dql
        limit, inflight = dql.limit, dql.num_queued - dql.num_completed & U32
        if limit < self._limit_low:
            self._limit_low = limit
        if limit > self._limit_high:
            self._limit_high = limit
        if inflight < self._inflight_low:
            self._inflight_low = inflight
        if inflight > self._inflight_high:
            self._inflight_high = inflight

    def keep_limits(self, time_ns: int) -> None:
        """Enter what the looks since the last time have found."""
        self.note_limits()
        bins = self.bins
        if self._limit_high < MAX_LIMIT:
            bins["limit_least"].add(time_ns, self._limit_low)
            bins["limit_most"].add(time_ns, self._limit_high)
            self.limit_most = max(self.limit_most, self._limit_high)
        bins["inflight_least"].add(time_ns, self._inflight_low)
        bins["inflight_most"].add(time_ns, self._inflight_high)
        self._limit_low = self._inflight_low = NONE_LEAST
        self._limit_high = self._inflight_high = NONE_MOST

    def note_counts(self, time_ns: int, interrupts: int, qdisc: AnyQdisc | None) -> None:
        """What counters have counted since the last time, and the qdisc's backlog, if it has one of its own."""
        bins = self.bins
        bins["interrupts"].add(time_ns, interrupts - self._interrupts)
        self._interrupts = interrupts
        if qdisc is None:
            return
        bins["backlog_bytes"].add(time_ns, qdisc.backlog)
        bins["backlog_packets"].add(time_ns, qdisc.qlen)
        marks = marks_of(qdisc)
        bins["drops"].add(time_ns, qdisc.drops - self._drops)
        bins["marks"].add(time_ns, marks - self._marks)
        self._drops, self._marks = qdisc.drops, marks


_QUEUE_BINS = {
    "limit_least": least,
    "limit_most": most,
    "inflight_least": least,
    "inflight_most": most,
    "starved": total,
    "descriptors": most,
    "ring_bytes": most,
    "backlog_bytes": most,
    "backlog_packets": most,
    "drops": total,
    "marks": total,
    "interrupts": total,
    "packets": total,
}


class PathProbe:
    """What stands behind the wire: the buffer of a path's bottleneck, as each frame finds it."""

    def __init__(self, name: str, path: Path, begin_ns: int, interval_ns: int) -> None:
        self.name = name
        self.path = path
        self.bins = {of: Bins(interval_ns, merge) for of, merge in _PATH_BINS.items()}
        self.backlog_most = 0
        """Frames."""
        self._begin_ns = begin_ns
        self._drops = self._marks = 0
        path.on_frame = self._came

    def _came(self, time_ns: int, frames: int, size: int, drops: int, marks: int) -> None:
        bins, time_ns = self.bins, time_ns - self._begin_ns
        bins["backlog_bytes"].add(time_ns, size)
        bins["backlog_frames"].add(time_ns, frames)
        bins["drops"].add(time_ns, drops - self._drops)
        bins["marks"].add(time_ns, marks - self._marks)
        self._drops, self._marks = drops, marks
        if frames > self.backlog_most:
            self.backlog_most = frames


_PATH_BINS = {"backlog_bytes": most, "backlog_frames": most, "drops": total, "marks": total}


class Probes:
    """All that is looked at besides packets. ``attach`` it once the watch has been."""

    def __init__(self, dev: NetDevice, driver: ReplayDriver, packets: Packets, tap: InterruptTap, interval_ns: int):
        self.queues = [QueueProbe(txq, interval_ns) for txq in dev.tx_queues]
        self.flows: list[tuple[str, Flow]] = []
        self.paths: list[PathProbe] = []
        self.states: dict[tuple[str, str], Bins] = {}
        """What flows tell of themselves, by (flow, name)."""
        self.busy_ps = Bins(interval_ns, total)
        self.gaps_ps = Bins(interval_ns, most)
        self.frames = self.bytes = 0
        self.busy_total_ps = 0.0
        self.longest_gap_ps = 0.0
        self._dev = dev
        self._driver = driver
        self._packets = packets
        self._tap = tap
        self._interval_ns = interval_ns
        self._free_ps = -1.0
        """When the wire is free again, the gap behind the last frame included."""
        self._timeline: Timeline | None = None
        packets.on_given = [probe.note_limits for probe in self.queues]
        packets.on_frame = self._left

    def begin(self, timeline: Timeline, paths: Sequence[tuple[str, Path]]) -> None:
        """The traffic begins now."""
        self._timeline = timeline
        begin_ns = self._packets.begin_ns
        self.paths = [PathProbe(name, path, begin_ns, self._interval_ns) for name, path in paths]
        self._tick()

    def end(self) -> None:
        """Look a last time; no more events."""
        timeline, self._timeline = self._timeline, None
        if timeline is not None:
            self._look(timeline.now_ns - self._packets.begin_ns)

    def attach(self, watch: Watch) -> None:
        """What the watch knows of the queues."""
        self._watched = watch.queues

    # -- what happens with every frame

    def _left(self, frame: Frame, packet: Packet | None) -> None:
        """A frame is on the wire."""
        start_ps, size = frame.start_ps, len(frame.data)
        packets = self._packets
        time_ns = start_ps // PS_PER_NS - packets.begin_ns
        busy_ps = wire_bytes(size) * packets.ps_a_byte
        self.frames += 1
        self.bytes += size
        self.busy_total_ps += busy_ps
        self.busy_ps.spread(time_ns, time_ns + int(busy_ps) // PS_PER_NS, busy_ps)
        probe = self.queues[frame.queue]
        probe.frames += 1
        probe.bytes += size
        free_ps = self._free_ps
        if free_ps >= 0 and start_ps > free_ps:
            gap_ps = start_ps - free_ps
            self.gaps_ps.add(time_ns, gap_ps)
            if gap_ps > self.longest_gap_ps:
                self.longest_gap_ps = gap_ps
            free_ns = int(free_ps) // PS_PER_NS
            # it was in the qdisc when the wire ran dry, and byte queue limits kept it there
            if packet is not None and packet.sent_ns <= free_ns < packet.held_until_ns:
                probe.starved += 1
                probe.starved_ns += min(start_ps // PS_PER_NS, packet.held_until_ns) - free_ns
                probe.bins["starved"].add(max(0, free_ns - packets.begin_ns), 1)
        self._free_ps = start_ps + busy_ps
        if packet is not None and packet.frames_left == 1:
            probe.packets += 1
            probe.sent.add(time_ns, 1)

    # -- what is looked at once an interval

    def _tick(self) -> None:
        timeline = self._timeline
        if timeline is None:
            return
        self._look(timeline.now_ns - self._packets.begin_ns)
        # bins that have become wider need no more looks than one each
        timeline.call_at(timeline.now_ns + self.busy_ps.width_ns, self._tick)

    def _look(self, time_ns: int) -> None:
        seen: list[AnyQdisc] = []
        rings = self._driver.rings if isinstance(self._driver, RingwireDriver) else None
        for probe in self.queues:
            index = probe.txq.index
            probe.keep_limits(time_ns)
            qdisc = probe.txq.qdisc
            own = not any(qdisc is other for other in seen)
            seen.append(qdisc)
            probe.note_counts(time_ns, self._tap.counts.get(index, 0), qdisc if own else None)
            used = self._watched[index].held if rings is None else rings[index].used
            probe.bins["descriptors"].add(time_ns, used)
            probe.bins["ring_bytes"].add(time_ns, probe.txq.dql.inflight)
        for flow_name, flow in self.flows:
            for name, value in flow.state().items():
                key = (flow_name, name)
                if key not in self.states:
                    self.states[key] = Bins(self._interval_ns, last)
                self.states[key].add(time_ns, value)
        self.busy_ps.add(time_ns, 0.0)


def marks_of(qdisc: AnyQdisc) -> int:
    """Packets that a discipline and those below it have marked, as far as they count them."""
    xstats = qdisc.xstats()
    marks = 0
    for name in _MARKS:
        value = getattr(xstats, name, 0)
        marks += value if isinstance(value, int) else 0
    return marks + sum(marks_of(child) for _, child in qdisc.children())


_MARKS = ("ecn_mark", "ce_mark", "marked", "ecn", "forced_mark", "prob_mark")
"""Names of such counts in the statistics of kinds."""
