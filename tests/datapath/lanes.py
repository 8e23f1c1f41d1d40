"""Queues that keep account: what each was given to send, what came back, and whether the wire agrees."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from random import Random
from typing import NamedTuple

from ringwire.cosim.world import SimulatedWorld
from ringwire.host.world import World
from ringwire.nic.descriptors import Completion, CplFlag, DescFlag, Status
from ringwire.nic.pacer import MIN_FRAME
from tests.control.bench import counters, same, sent, stamp
from tests.raw_queue import EOP, REPORT, TSTAMP, RawQueue

NONE = DescFlag(0)
LIMIT_NS = 2_000_000_000
Span = tuple[int, int]
"""Device address and length of a fragment, bytes."""


class Posted(NamedTuple):
    """A packet that was handed to the device."""

    data: bytes
    """What must leave: padded, without FCS."""
    ring_index: int
    """One past its last descriptor."""
    flags: DescFlag
    """REPORT and TSTAMP as asked for."""


class Lane(RawQueue):
    """A queue whose interrupts are served: completions are taken, slots and buffers freed, the interrupt re-armed."""

    def __init__(self, world: World, queue: int = 0, log2: int = 6, mod_frames: int = 0, mod_ns: int = 0) -> None:
        super().__init__(world, queue, log2, irq=False)
        self.posted: list[Posted] = []
        self.outcomes: list[Completion] = []
        self.free = self.entries - 1
        """Descriptors that may be posted."""
        self.unreported = 0
        """Descriptors posted since the last packet that asked for a report: no completion will free them."""
        self.doorbells = 0
        self._held: deque[tuple[int, int, Sequence[int]]] = deque()
        self.put("MOD_FRAMES", mod_frames)
        self.put("MOD_NS", mod_ns)
        self.port.on_interrupt(queue, self._interrupt)

    def go(self) -> None:
        """Enable the queue and arm its interrupt."""
        self.enable()
        self.put("CPL_ARM", 0)

    def send(
        self,
        spans: Sequence[Span],
        data: bytes,
        flags: DescFlag = REPORT,
        maps: Sequence[int] = (),
        csum: tuple[int, int] | None = None,
    ) -> None:
        """Post a packet of these fragments, which is to leave as ``data``.

        ``maps`` are unmapped when it is known to be done. ``csum``: a checksum is to be completed, from the first
        number on, into the field at the second one from there.
        """
        last = len(spans) - 1
        for number, (addr, length) in enumerate(spans):
            each = flags | EOP if number == last else flags
            if csum is not None and number == 0:
                self.post(addr, length, each | DescFlag.CSUM, csum_start=csum[0], csum_offset=csum[1])
            else:
                self.post(addr, length, each)
        self.free -= len(spans)
        assert self.free >= 0, f"queue {self.queue}: more descriptors posted than the ring has"
        self.unreported = 0 if flags & REPORT else self.unreported + len(spans)
        self._held.append((self.tail, len(spans), maps))
        self.posted.append(Posted(data.ljust(MIN_FRAME, b"\0"), self.tail, flags))

    def doorbell(self) -> None:
        self.doorbells += 1
        super().doorbell()

    async def room(self, descriptors: int) -> None:
        """Wait until so many descriptors may be posted; what is posted is told to the device before."""
        if self.free < descriptors:
            self.doorbell()
            what = f"{descriptors} free descriptors in queue {self.queue}"
            await self.world.run(lambda: self.free >= descriptors, LIMIT_NS, what)

    async def drain(self) -> None:
        """Tell the device the rest and wait until all is done. The last packet must have asked for a report."""
        self.doorbell()
        what = f"the end of queue {self.queue}"
        await self.world.run(lambda: not self._held, LIMIT_NS, what)

    def _interrupt(self) -> None:
        self.interrupts.append(self.port.now_ns())
        self.reap()
        self.put("CPL_ARM", self.consumed & 0xFFFF)

    def reap(self) -> None:
        """Take the completions that are in memory."""
        for completion in self.seen():
            self.outcomes.append(completion)
            self._release(completion.ring_index)

    def _release(self, ring_index: int) -> None:
        unmap = self.world.memory.unmap
        while self._held:
            end, number, maps = self._held.popleft()
            self.free += number
            for addr in maps:
                unmap(addr)
            if end == ring_index:
                return
        raise AssertionError(f"queue {self.queue}: a completion says {ring_index}, where no pending packet ends")


async def judge(world: World, lanes: Iterable[Lane]) -> None:
    """AssertionError, naming the first difference, unless the wire and the completions hold what was posted, no more.

    Bytes and order per queue; each report once, in order, with the time of its frame; counters that agree, and a
    device that is idle, at the end of its rings, with no error.
    """
    lanes = list(lanes)
    reports = 0
    for lane in lanes:
        name = f"queue {lane.queue}"
        frames = sent(world, lane.queue)
        same([frame.data for frame in frames], [packet.data for packet in lane.posted], f"{name}, frame ")
        want: list[Completion] = []
        for frame, packet in zip(frames, lane.posted, strict=True):
            if packet.flags & REPORT:
                flags = CplFlag.TSTAMP if packet.flags & TSTAMP else CplFlag(0)
                phase = 1 - (len(want) // lane.entries & 1)
                want.append(Completion(stamp(frame.start_ps), packet.ring_index, Status.OK, flags, 1, phase))
        same(lane.outcomes, want, f"{name}, completion ")
        reports += len(want)
        # a completion is in memory before the device knows: its response may still be under way
        state = await settled(world, lane)
        same(state, [1, lane.tail, lane.tail, lane.consumed & 0xFFFF], f"{name}, (STATUS, HEAD, FETCHED, CPL_WRITTEN)")
    if isinstance(world, SimulatedWorld):
        for lane in lanes:
            tags = [(f.ring_index, f.timestamp_asked) for f in world.capture.frames if f.queue == lane.queue]
            same(tags, [(p.ring_index, bool(p.flags & TSTAMP)) for p in lane.posted], f"queue {lane.queue}, tuser ")
    wanted = {
        "TX_FRAMES": sum(len(lane.posted) for lane in lanes),
        "TX_BYTES": sum(len(packet.data) for lane in lanes for packet in lane.posted),
        "CPL_WRITTEN": reports,
        "INTERRUPTS": sum(len(lane.interrupts) for lane in lanes),
        "DOORBELLS": sum(lane.doorbells for lane in lanes),
    }
    counted = await counters(world)
    del counted["DESC_FETCHED"], counted["READ_REQUESTS"]
    same(counted, wanted, "counters ")


async def settled(world: World, lane: Lane) -> list[int]:
    """STATUS, HEAD, FETCHED and CPL_WRITTEN of a queue, once it is idle, or at last if it never is."""
    for _ in range(20):
        status = await lane.get("STATUS")
        if status & 1:
            break
        await world.pause(500)
    return [status, *[await lane.get(register) for register in ("HEAD", "FETCHED", "CPL_WRITTEN")]]


class ByteStore:
    """Random bytes in memory of the device, from which fragments are cut at any address."""

    def __init__(self, world: World, size: int, seed: int = 1, align: int = 4096) -> None:
        memory = world.memory.alloc_coherent(size, align)
        self.size = size
        self.addr = memory.addr
        self._data = Random(seed).randbytes(size)
        memory.mem[:] = self._data

    def cut(self, pieces: Iterable[Span]) -> tuple[list[Span], bytes]:
        """Fragments and their bytes, of (offset from the store's start, length)."""
        pieces = list(pieces)
        data = self._data
        return [(self.addr + at, length) for at, length in pieces], b"".join([data[a : a + n] for a, n in pieces])
