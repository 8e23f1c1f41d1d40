"""Each packet's way, from the application's write to the end of its last frame's FCS.

A packet is known by the number that its ``Skb.id`` is given; segments that the stack cuts of it inherit that. Frames on
the wire are matched with packets by the watch (:mod:`ringwire.checks`), byte for byte and in each queue's order. Five
shares make a packet's latency, each beginning where the one before ends:

======  ============================================================================================
socket  from the write until dev_queue_xmit is called
qdisc   until ndo_start_xmit, which takes it (of segments that the stack has cut: the first)
ring    until the device asks for its first byte
nic     until the first beat of its first frame; it waits here for the wire as well
wire    until the end of the last frame's FCS
======  ============================================================================================

The ring's end is told by the bus (``World.watch_accesses``) and the address at which the driver has mapped the packet's
first bytes. Of a driver that maps nothing (bounce buffers) ring and nic are one share, the ring's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ringwire.checks import Watch
from ringwire.experiment.bins import Bins, Sample, total
from ringwire.experiment.histogram import Histogram
from ringwire.host.memory import LINE
from ringwire.host.world import PS_PER_NS, Access, AccessListener, World
from ringwire.netdev import NETDEV_TX_OK, NetDevice, TxQueue, dev_queue_xmit
from ringwire.netdev.queue import STACK_XOFF
from ringwire.netdev.validate import gso_segments
from ringwire.nic.frame import Frame
from ringwire.nic.pacer import FCS
from ringwire.skb import Skb
from ringwire.traffic.flow import Flow

SHARES = ("socket", "qdisc", "ring", "nic", "wire")
NOT_YET = -1
_LINE_BITS = LINE.bit_length() - 1
_CE = 3


class Row(NamedTuple):
    """A packet in the series ``latency``: times in ns."""

    time_ns: int
    queue: int
    bytes: int
    socket_ns: int
    qdisc_ns: int
    ring_ns: int
    nic_ns: int
    wire_ns: int
    total_ns: int


class FlowFigures:
    """What is measured of one flow. Packets count as sent once all their frames have left."""

    def __init__(self, name: str, kind: str, interval_ns: int, rows: int) -> None:
        self.name = name
        self.kind = kind
        self.packets = 0
        """Handed to the stack."""
        self.sent = 0
        self.dropped = 0
        """Packets of which the stack has dropped a frame or more."""
        self.frames = 0
        self.bytes = 0
        """Of frames on the wire, without FCS."""
        self.marks = 0
        """Frames that left with CE: all segments of a super-packet that a discipline has marked once."""
        self.latency = Histogram()
        """From the write, of packets written after the warm-up."""
        self.shares_ns = [0] * len(SHARES)
        """Sums of the same packets."""
        self.rows: Sample[Row] = Sample(rows)
        self.throughput = Bins(interval_ns, total)
        """Bits of frames, spread over the time that they take."""
        self.measured_bytes = 0
        """Of frames that ended between the warm-up and the end of the traffic."""
        self.behind: Callable[[int, bytes], int | None] | None = None
        """When a frame that ended at some time (ns) is at the other end of what is behind the wire; it returns None if
        the frame is lost. None: frames are not followed there, unless the flow does it.
        """
        self.arrived = 0
        """Packets whose last frame got to the receiver's end of the path."""
        self.lost = 0
        """Frames that did not."""
        self.end_to_end = Histogram()
        """From the write to the receiver's end of the path, of packets written after the warm-up that got there."""


class Packet:
    """A packet on its way. Times in ns on the host, in ps at the device."""

    __slots__ = (
        "dropped",
        "figures",
        "first_ps",
        "flow",
        "frames_left",
        "held_until_ns",
        "queue",
        "read_ps",
        "sent_ns",
        "size",
        "written_ns",
        "xmit_ns",
    )

    def __init__(self, flow: Flow, figures: FlowFigures, skb: Skb, written_ns: int, sent_ns: int) -> None:
        self.flow = flow
        self.figures = figures
        self.size = skb.len
        self.written_ns = written_ns
        self.sent_ns = sent_ns
        self.frames_left = gso_segments(skb) if skb.gso_size else 1
        self.dropped = False
        self.queue = 0
        self.xmit_ns = NOT_YET
        self.read_ps = NOT_YET
        self.first_ps = NOT_YET
        self.held_until_ns = NOT_YET
        """Until when byte queue limits had stopped its queue, if they had before it was given to the driver."""


class Packets:
    """All packets of all flows, between the stack's edge and the wire.

    It stands between the watch and the driver: make it, then attach the watch.
    """

    def __init__(self, world: World, dev: NetDevice, rate_bps: int) -> None:
        self.open: dict[int, Packet] = {}
        """Those on their way, by ``Skb.id``."""
        self.open_since_ns = 0
        """Since when there has been one."""
        self.on_open: Callable[[], None] = lambda: None
        """Told when there is one again."""
        self.begin_ns = 0
        """When the traffic began."""
        self.measure_from_ns = 0
        self.measure_to_ns = 0
        self.ps_a_byte = 8e12 / rate_bps
        self.last_end_ps = 0
        """Of the frames so far."""
        self.on_frame: Callable[[Frame, Packet | None], None] | None = None
        """Told of each frame that is on the wire and the packet it is of, before that is brought up to date."""
        self.on_end: Callable[[Packet, Skb, Frame, int], None] | None = None
        """Told of each frame of a packet and when it ends, in ps."""
        self.on_given: Sequence[Callable[[], None]] = ()
        """By queue, told of each packet that the driver has taken there, if there are any."""
        self.on_super: Callable[[Packet, Skb, TxQueue, int], None] | None = None
        """Told of each super-packet among them, and when it was given, in ns."""
        self._world = world
        self._dev = dev
        self.now_ns = dev.now_ns
        self._number = 0
        self._held = [False] * dev.num_tx_queues
        self._unread: dict[int, Packet] = {}
        """By the line of memory that a packet's first byte lies in, until it is read."""
        self._journal: list[tuple[int, int]] = []
        world.memory.journal = self._journal
        self._on_access: AccessListener | None = None
        self.watch_accesses(None)
        self._start_xmit, dev.start_xmit = dev.start_xmit, self._xmit
        self._drop_below, dev.on_drop = dev.on_drop, self._dropped

    @property
    def journal(self) -> list[tuple[int, int]]:
        """(address, bytes) of what the driver has mapped of the packet that it was given last."""
        return self._journal

    def attach(self, watch: Watch) -> None:
        """Have the watch say which frames are whose."""
        watch.on_frame = self._left

    # -- the stack's edge

    def send(self, flow: Flow, figures: FlowFigures, skb: Skb, written_ns: int | None) -> int:
        """Hand a packet of a flow to the stack."""
        now_ns = self.now_ns()
        self._number = number = self._number + 1
        skb.id = number
        skb.sk = flow.sk
        first = not self.open
        self.open[number] = Packet(flow, figures, skb, now_ns if written_ns is None else written_ns, now_ns)
        if first:
            self.open_since_ns = now_ns
            self.on_open()
        figures.packets += 1
        return dev_queue_xmit(skb, self._dev)

    def _dropped(self, skb: Skb) -> None:
        """The stack's hook for each packet that won't be sent."""
        packet = self.open.get(skb.id)
        if packet is not None:
            packet.dropped = True
            packet.frames_left -= gso_segments(skb) if skb.gso_size else 1
            if packet.frames_left <= 0:
                self._close(skb.id, packet, 0)
        if self._drop_below is not None:
            self._drop_below(skb)

    # -- the driver's edge

    def _xmit(self, skb: Skb, txq: TxQueue, xmit_more: bool) -> int:
        """Stands before the driver."""
        journal = self._journal
        journal.clear()
        now_ns = self.now_ns()
        rc = self._start_xmit(skb, txq, xmit_more)
        queue = txq.index
        if rc == NETDEV_TX_OK:
            packet = self.open.get(skb.id)
            if packet is not None:
                if packet.xmit_ns < 0:
                    packet.xmit_ns = now_ns
                    packet.queue = queue
                    if self._held[queue]:
                        packet.held_until_ns = txq.limit_released_ns
                    if journal:
                        self._unread[journal[0][0] >> _LINE_BITS] = packet
                if self.on_given:
                    self.on_given[queue]()
                if skb.gso_size and self.on_super is not None:
                    self.on_super(packet, skb, txq, now_ns)
            self._held[queue] = txq.state & STACK_XOFF != 0
        return rc

    # -- the device

    def watch_accesses(self, listener: AccessListener | None) -> None:
        """Have every access told, as :meth:`World.watch_accesses` would; None: no more."""
        self._on_access = listener
        if listener is None:
            self._world.watch_accesses(self._read, (Access.PAYLOAD,))
        else:
            self._world.watch_accesses(self._accessed)

    def _read(self, kind: int, time_ps: int, addr: int) -> None:
        """The device asks for bytes of a packet."""
        packet = self._unread.pop(addr >> _LINE_BITS, None)
        if packet is not None:
            packet.read_ps = time_ps

    def _accessed(self, kind: int, time_ps: int, addr: int) -> None:
        if kind == Access.PAYLOAD:
            self._read(kind, time_ps, addr)
        if self._on_access is not None:
            self._on_access(kind, time_ps, addr)

    def _left(self, frame: Frame, skb: Skb | None) -> None:
        """A frame is on the wire."""
        packet = None if skb is None else self.open.get(skb.id)
        if self.on_frame is not None:
            self.on_frame(frame, packet)
        if skb is None or packet is None:
            return
        data, start_ps = frame.data, frame.start_ps
        size = len(data)
        self.last_end_ps = end_ps = start_ps + int((size + FCS) * self.ps_a_byte)
        if packet.first_ps < 0:
            packet.first_ps = start_ps
        figures = packet.figures
        figures.frames += 1
        figures.bytes += size
        end_ns = end_ps // PS_PER_NS
        begin_ns = self.begin_ns
        figures.throughput.spread(start_ps // PS_PER_NS - begin_ns, end_ns - begin_ns, 8 * size)
        if self.measure_from_ns <= end_ns < self.measure_to_ns:
            figures.measured_bytes += size
        if is_ce(data):
            figures.marks += 1
        if self.on_end is not None:
            self.on_end(packet, skb, frame, end_ps)
        packet.frames_left -= 1
        if packet.frames_left <= 0:
            self._close(skb.id, packet, end_ps)

    def _close(self, number: int, packet: Packet, end_ps: int) -> None:
        """A packet's way has ended: on the wire, or before."""
        del self.open[number]
        figures = packet.figures
        if packet.dropped:
            figures.dropped += 1
            return
        figures.sent += 1
        written_ns = packet.written_ns
        if written_ns < self.measure_from_ns:
            return
        end_ns, first_ns = end_ps // PS_PER_NS, packet.first_ps // PS_PER_NS
        read_ns = first_ns if packet.read_ps < 0 else packet.read_ps // PS_PER_NS
        total_ns = end_ns - written_ns
        shares = figures.shares_ns
        socket, qdisc = packet.sent_ns - written_ns, packet.xmit_ns - packet.sent_ns
        ring, nic, wire = read_ns - packet.xmit_ns, first_ns - read_ns, end_ns - first_ns
        shares[0] += socket
        shares[1] += qdisc
        shares[2] += ring
        shares[3] += nic
        shares[4] += wire
        figures.latency.add(total_ns)
        if figures.rows.take():
            time_ns = end_ns - self.begin_ns
            figures.rows.keep(Row(time_ns, packet.queue, packet.size, socket, qdisc, ring, nic, wire, total_ns))


def is_ce(frame: bytes) -> bool:
    """Whether a frame's IP header says Congestion Experienced."""
    return ecn_of(frame) == _CE


def ecn_of(frame: bytes) -> int:
    """The ECN field of a frame's IP header (RFC 3168), behind one VLAN tag or none; 0 if it is not IP."""
    at, kind = 14, frame[12:14]
    if kind == b"\x81\x00":
        at, kind = 18, frame[16:18]
    if kind == b"\x08\x00":
        return frame[at + 1] & 3
    return frame[at + 1] >> 4 & 3 if kind == b"\x86\xdd" else 0
