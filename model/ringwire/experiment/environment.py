"""What an experiment gives to its flows: a device to send to, a CPU's clock, and word of their frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from random import Random

from ringwire.experiment.entries import Entry
from ringwire.experiment.packets import FlowFigures, Packet, Packets, ecn_of
from ringwire.host.world import PS_PER_NS
from ringwire.netdev import NetDevice
from ringwire.netdev.device import Clock
from ringwire.nic.frame import Frame
from ringwire.skb import Skb
from ringwire.traffic.flow import NEVER_NS, Flow
from ringwire.transport.path import Path


class FlowEnvironment:
    """Implements :class:`ringwire.traffic.flow.Environment` for one flow."""

    def __init__(
        self, dev: NetDevice, clock: Clock, packets: Packets, figures: FlowFigures, seed: str, syscall_ns: int
    ) -> None:
        self.dev = dev
        self.clock = clock
        self.random = Random(seed)
        self.now_ns = dev.now_ns
        self.charge = dev.charge
        self.syscall_ns = syscall_ns
        """What one send call costs."""
        self.figures = figures
        self._packets = packets

    def send(self, flow: Flow, skb: Skb, written_ns: int | None = None) -> int:
        """Hand a packet to the stack; what dev_queue_xmit returns."""
        return self._packets.send(flow, self.figures, skb, written_ns)


class Arrivals:
    """Follows frames behind the wire, and tells flows of theirs: in order, and not later than promised."""

    def __init__(self, packets: Packets, edge_ns: int) -> None:
        """``edge_ns`` is how much later than asked for the world may stop: a clock's period."""
        self._packets = packets
        self._waiting: deque[tuple[int, Packet, Skb, bytes, bool]] = deque()
        """(end in ns, ..., is it the packet's last) of frames that are followed; their ends are in order."""
        self._edge_ns = edge_ns
        self._looked_ns = 0
        self._lookahead_ns = NEVER_NS
        self.eager = False
        """A flow has a lookahead of nothing: each frame wakes the host, which then has to look."""
        self.due_ns = NEVER_NS
        """When the wire has to be looked at again at the latest."""
        packets.on_end = self._ended
        packets.on_open = self._look_later

    def add(self, flow: Flow) -> None:
        """One more flow that is active."""
        self._lookahead_ns = min(self._lookahead_ns, flow.lookahead_ns)
        self.eager = not self._lookahead_ns
        self._look_later()

    def _ended(self, packet: Packet, skb: Skb, frame: Frame, end_ps: int) -> None:
        if packet.flow.lookahead_ns < NEVER_NS or packet.figures.behind is not None:
            self._waiting.append((-(-end_ps // PS_PER_NS), packet, skb, frame.data, packet.frames_left == 1))

    def deliver(self, now_ns: int) -> None:
        """All frames that have ended by now, which is the last look at the wire."""
        self._looked_ns = now_ns
        waiting = self._waiting
        while waiting and waiting[0][0] <= now_ns:
            end_ns, packet, skb, data, is_last = waiting.popleft()
            figures = packet.figures
            there_ns = packet.flow.arrived(skb, data, end_ns)
            if figures.behind is not None:
                there_ns = figures.behind(end_ns, data)
            if there_ns is None:
                figures.lost += 1
            elif is_last:
                figures.arrived += 1
                if packet.written_ns >= self._packets.measure_from_ns:
                    figures.end_to_end.add(there_ns - packet.written_ns)
        self._look_later()

    def _look_later(self) -> None:
        """Set ``due_ns``: after the last look, or the first packet behind it."""
        lookahead_ns, packets = self._lookahead_ns, self._packets
        self.due_ns = NEVER_NS
        if lookahead_ns == NEVER_NS:
            return
        slack_ns = max(0, lookahead_ns - self._edge_ns)
        if self._waiting:
            self.due_ns = self._waiting[0][0] + slack_ns
        # with a lookahead of nothing, each frame wakes the host
        if packets.open and lookahead_ns:
            self.due_ns = min(self.due_ns, max(self._looked_ns, packets.open_since_ns) + max(slack_ns, 1))


def along(path: Path, random: Random) -> Callable[[int, bytes], int | None]:
    """Takes (end of a frame on the wire in ns, frame) to when it is at the path's other end; None: it is lost."""

    def follow(end_ns: int, frame: bytes) -> int | None:
        fate = path.forward(end_ns, len(frame), ecn_of(frame), random)
        return None if fate is None else fate[0]

    return follow


def choose_queues(dev: NetDevice, entries: Sequence[Entry]) -> None:
    """Have the packets of flows that name a transmit queue go to it; those of others go as they would."""
    wanted = {entry.flow.sk.cookie: entry.queue for entry in entries if entry.queue is not None}
    if not wanted:
        return
    otherwise = dev.pick_queue if dev.select_queue is None else dev.select_queue

    def pick(skb: Skb) -> int:
        queue = None if skb.sk is None else wanted.get(skb.sk.cookie)
        return otherwise(skb) if queue is None else queue

    dev.select_queue = pick
