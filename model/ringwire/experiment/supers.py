"""The timeline of one super-packet: from ndo_start_xmit over every access of the device to the packet's end.

Two are followed: the first that the device cuts after the warm-up, and the first in the second half of the traffic,
which takes the other's place if there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ringwire.checks import Watch
from ringwire.experiment.packets import NOT_YET, Packet, Packets
from ringwire.host.bus import Bus, BusLayer
from ringwire.host.memory import LINE
from ringwire.host.world import PS_PER_NS, Access
from ringwire.netdev import TxQueue
from ringwire.netdev.validate import gso_segments
from ringwire.nic.descriptors import DESCRIPTOR_BYTES
from ringwire.nic.frame import Frame
from ringwire.nic.pacer import FCS
from ringwire.nic.registers import queue_register
from ringwire.skb import Skb

MOST_ACCESSES = 100_000
"""That are kept of a super-packet's time in the ring."""
Stage = tuple[str, int, int]
"""(what happens, begin, end): times in ns."""


class _Followed:
    """One super-packet. Times in ps, but for the host's in ns."""

    def __init__(self, packet: Packet, queue: int, given_ns: int, mapped: list[tuple[int, int]], frames: int) -> None:
        self.packet = packet
        self.queue = queue
        self.given_ns = given_ns
        self.mapped = mapped
        self.wanted = frames
        self.doorbell_ps = NOT_YET
        self.accesses: list[tuple[int, int, int]] = []
        """What the device did meanwhile: (kind, time, address)."""
        self.frames: list[tuple[int, int]] = []
        self.freed_ns = NOT_YET

    @property
    def whole(self) -> bool:
        return self.freed_ns >= 0 and self.doorbell_ps >= 0 and len(self.frames) == self.wanted

    def stages(self, begin_ns: int, ring: range) -> list[Stage]:
        """What happened, with times from the beginning of the traffic; ``ring`` is where its queue's ring lies."""
        made: list[tuple[str, float, float]] = [("xmit to doorbell", self.given_ns, self.doorbell_ps / PS_PER_NS)]
        # a bus rounds the first address of a burst down to a beat
        reads = self._times(
            Access.PAYLOAD,
            self.doorbell_ps,
            lambda addr: any(begin - LINE < addr < begin + length for begin, length in self.mapped),
        )
        until_ps = reads[0] if reads else self.frames[0][0]
        fetches = [at for at in self._times(Access.DESCRIPTOR, self.doorbell_ps, ring.__contains__) if at <= until_ps]
        if fetches:
            made.append(("descriptor fetch", fetches[0] / PS_PER_NS, until_ps / PS_PER_NS))
        if reads:
            made.append(("payload reads", reads[0] / PS_PER_NS, reads[-1] / PS_PER_NS))
        for number, (start_ps, end_ps) in enumerate(self.frames, 1):
            made.append((f"segment {number}", start_ps / PS_PER_NS, end_ps / PS_PER_NS))
        done_ps = self.frames[-1][1]
        for name, kind, wanted in (
            ("completion write", Access.COMPLETION, lambda addr: True),
            ("to interrupt", Access.INTERRUPT, lambda addr: addr == self.queue),
        ):
            times = self._times(kind, done_ps, wanted)
            if times:
                made.append((name, done_ps / PS_PER_NS, times[0] / PS_PER_NS))
                done_ps = times[0]
        made.append(("to free", done_ps / PS_PER_NS, self.freed_ns))
        return [(name, int(begin) - begin_ns, int(end) - begin_ns) for name, begin, end in made]

    def _times(self, kind: Access, from_ps: int, wanted: Callable[[int], bool]) -> list[int]:
        """Times of accesses from then on."""
        return [at for what, at, addr in self.accesses if what == kind and at >= from_ps and wanted(addr)]


class DoorbellTap(BusLayer):
    """Tells of doorbells and when they land. Make it before the driver's ports."""

    def __init__(self, below: Bus, queues: int) -> None:
        super().__init__(below)
        self.on_doorbell: Callable[[int, int], None] | None = None
        """Told of each: its queue, and when it reaches the device, in ps."""
        self._tails = {queue_register("TAIL", queue): queue for queue in range(queues)}
        self._write_below = below.post_write

    def post_write(self, due_ps: int, register: int, value: int) -> None:
        queue = self._tails.get(register)
        if queue is not None and self.on_doorbell is not None:
            self.on_doorbell(queue, due_ps)
        self._write_below(due_ps, register, value)


class SuperPacket:
    """Follows super-packets. ``attach`` it once the watch has been."""

    def __init__(self, packets: Packets, doorbells: DoorbellTap) -> None:
        self.stages: list[Stage] = []
        self._packets = packets
        self._last_doorbell: dict[int, tuple[int, int]] = {}
        """When the last doorbell of each queue was rung, in ns, and when it lands, in ps."""
        doorbells.on_doorbell = self._rung
        self._from_ns: list[int] = []
        """When to follow the next one, the first moment last."""
        self._now: _Followed | None = None

    @property
    def following(self) -> bool:
        """There is one: its frames are to be looked at as they come, so that the next one can follow."""
        return self._now is not None

    def begin(self) -> None:
        """The traffic begins, and with it all times are known."""
        first, end = self._packets.measure_from_ns, self._packets.measure_to_ns
        self._from_ns = [(first + end) // 2, first]
        self._last_doorbell.clear()
        self._packets.on_super = self._given

    def attach(self, watch: Watch) -> None:
        """What the watch knows of the queues."""
        self._watched = watch.queues

    def _given(self, packet: Packet, skb: Skb, txq: TxQueue, now_ns: int) -> None:
        if self._now is not None or not self._from_ns or now_ns < self._from_ns[-1]:
            return
        self._from_ns = [when for when in self._from_ns if when > now_ns]
        mapped = list(self._packets.journal)
        self._now = followed = _Followed(packet, txq.index, now_ns, mapped, gso_segments(skb))
        rung_ns, due_ps = self._last_doorbell.get(txq.index, (NOT_YET, NOT_YET))
        if rung_ns >= now_ns:  # while the driver took it
            followed.doorbell_ps = due_ps
        self._packets.watch_accesses(self._accessed)
        self._below, self._packets.on_frame = self._packets.on_frame, self._left
        skb.destructor = partial(self._freed, followed, skb.destructor)

    def _rung(self, queue: int, due_ps: int) -> None:
        followed = self._now
        if followed is None:
            self._last_doorbell[queue] = (self._packets.now_ns(), due_ps)
        elif queue == followed.queue and followed.doorbell_ps < 0:
            followed.doorbell_ps = due_ps

    def _accessed(self, kind: int, time_ps: int, addr: int) -> None:
        followed = self._now
        if followed is not None and len(followed.accesses) < MOST_ACCESSES:
            followed.accesses.append((kind, time_ps, addr))

    def _left(self, frame: Frame, packet: Packet | None) -> None:
        """A frame is on the wire, while a super-packet is followed."""
        followed = self._now
        if self._below is not None:
            self._below(frame, packet)
        if followed is not None and packet is followed.packet:
            end_ps = frame.start_ps + int((len(frame.data) + FCS) * self._packets.ps_a_byte)
            followed.frames.append((frame.start_ps, end_ps))
            self._finish(followed)

    def _freed(self, followed: _Followed, before: Callable[[Skb], None] | None, skb: Skb) -> None:
        """Its end: destructor in place of the one that it had."""
        followed.freed_ns = self._packets.now_ns()
        self._finish(followed)
        if followed.packet.dropped:
            self._leave()
        if before is not None:
            before(skb)

    def _finish(self, followed: _Followed) -> None:
        """Note its stages, if it is through."""
        if followed.whole:
            queue = self._watched[followed.queue]
            ring = range(queue.ring_addr, queue.ring_addr + (queue.mask + 1) * DESCRIPTOR_BYTES)
            self.stages = followed.stages(self._packets.begin_ns, ring)
            self._leave()

    def _leave(self) -> None:
        """Follow it no further."""
        if self._now is not None:
            self._now = None
            self._packets.watch_accesses(None)
            self._packets.on_frame = self._below
