"""Packets that ask for offloads, legal and not, in any mix: what the RTL and its twin must agree on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Any

from ringwire.host.memory import LINE
from ringwire.host.world import World
from ringwire.nic.descriptors import DescFlag, SegType, pack_data, pack_offload
from ringwire.nic.registers import MAX_BUFFER, MAX_FRAME
from tests.control.bench import Queue, counters, sent, take_faults
from tests.raw_queue import EOP, REPORT, TSTAMP, start

CSUM, VLAN, OFFLOAD = DescFlag.CSUM, DescFlag.VLAN, DescFlag.OFFLOAD
RATES = (0, 10_000_000_000, 100_000_000_000)
MOST_SEGMENTS = 60
LOG2 = 9


@dataclass(frozen=True)
class Mix:
    """Everything comes from the seed."""

    seed: int
    packets: int = 60
    """On each queue."""
    errors: float = 0.3
    queues: int = 4


async def record(world: World, config: Mix) -> dict[str, Any]:
    """Frames and completions of each queue, and the counters that do not depend on timing."""
    random = Random(config.seed)
    start(world, random.choice(RATES), random.random() < 0.2, random.choice((0, 0, 3000, 20_000)))
    queues = [Queue(world, number, LOG2) for number in range(config.queues)]
    makers = [Maker(world, Random(random.getrandbits(32)), config.errors) for _ in queues]
    left = [config.packets for _ in queues]
    for queue in queues:
        queue.put("CPL_THRESHOLD", random.choice((1, 1, 3)))
        queue.put("CPL_TIMER_NS", 500)
        queue.enable()
    limit = 20_000
    while any(left) or any(queue.done != queue.tail for queue in queues):
        limit -= 1
        assert limit, f"packets left: {left}; done {[queue.done for queue in queues]} of {[q.tail for q in queues]}"
        for number, (queue, maker) in enumerate(zip(queues, makers, strict=True)):
            queue.take()
            queue.consume()
            # a batch only when the one before is over: what is posted must not depend on the device's pace
            if left[number] and queue.done == queue.tail:
                batch = min(left[number], maker.random.randint(1, 6))
                left[number] -= batch
                for last in range(batch - 1, -1, -1):
                    maker.packet(queue, REPORT if not last else maker.random.choice((0, REPORT, REPORT | TSTAMP)))
                queue.doorbell()
        await world.pause(2_000)
    await world.pause(1_000_000)
    take_faults(world)
    seen = await counters(world)
    # reads of segments behind one that failed may have begun or not
    seen.pop("READ_REQUESTS", None)
    return {
        "completions": {q.queue: [entry._replace(time=0) for entry in q.got] for q in queues},
        "frames": {q.queue: [frame.data for frame in sent(world, q.queue)] for q in queues},
        "status": {q.queue: await q.get("STATUS") for q in queues},
        "counters": seen,
    }


class Maker:
    """Posts packets of one queue."""

    def __init__(self, world: World, random: Random, errors: float) -> None:
        self.world = world
        self.random = random
        self._errors = errors
        # what stands in for a buffer must hold the same bytes whenever it is read
        self.spare = world.memory.map(bytes(MAX_BUFFER))

    def packet(self, queue: Queue, flags: int) -> None:
        """Post a packet of any kind."""
        random = self.random
        offload = self._request() if random.random() < 0.7 else None
        if offload is None:
            size = random.choice((1, 13, 14, 55, 56, 57, 60, 200, 1514, random.randint(1, 4000)))
            first = random.choice((0, CSUM, VLAN, CSUM | VLAN))
            if size < 14 and random.random() < 0.8:
                first &= ~VLAN
            start_at = random.randint(0, min(255, max(0, size - 2)))
            offset = random.randint(0, min(255, max(0, size - 2 - start_at)))
            if size < 2 and random.random() < 0.9:
                first &= ~CSUM
        else:
            header, mss = offload[2], offload[1]
            payload = random.choice((1, mss - 1, mss, mss + 1, 3 * mss, random.randint(1, MOST_SEGMENTS * mss)))
            size = header + max(1, min(payload, 12_000))
            first, start_at, offset = random.choice((0, 0, VLAN)), random.getrandbits(8), random.getrandbits(8)
        data = random.randbytes(size)
        parts = random.randint(1, min(size, random.choice((1, 1, 2, 3, 10))))
        cuts = sorted(random.sample(range(1, min(size, random.choice((80, size)))), k=parts - 1)) if size > 90 else []
        edges = [0, *cuts, size]
        descriptors = []
        addrs = []
        for begin, end in pairwise(edges):
            # where it lies in its lines decides which segments one that can't be read hits
            addrs.append((self.world.memory.map(data[begin:end], random.randrange(LINE)), end - begin))
            wishes = (start_at, offset, random.getrandbits(16)) if begin == 0 else (0, 0, 0)
            last = EOP if end == size else 0
            descriptors.append([*addrs[-1], flags | last | (first if begin == 0 else 0), *wishes])
        packed = [pack_data(*fields) for fields in descriptors]
        if offload is not None:
            packed.insert(0, self._pack(offload, flags))
        if random.random() < self._errors:
            self._spoil(packed, addrs)
        for raw in packed:
            queue.post_raw(raw)

    def _request(self) -> tuple[SegType, int, int, int, int, bool, bool]:
        """A request that can be: (type, mss, header length, l3, l4, id fixed, csum partial)."""
        random = self.random
        kind = random.choice([kind for kind in SegType if kind is not SegType.NONE])
        mss = random.choice((1, 7, 8, 100, 536, 1448, random.randint(1, 2000), random.randint(1, 12_000)))
        l3 = 14 + 2 * random.choice((0, 0, 2, 4, random.randint(0, 30)))
        six = kind in (SegType.TCP6, SegType.UDP6)
        l4 = l3 + (40 + 4 * random.choice((0, 0, 2, 20)) if six else random.choice((20, 20, 24, 60)))
        if kind in (SegType.TCP4, SegType.TCP6):
            header = l4 + random.choice((20, 32, 60))
        else:
            header = l4 + (0 if kind is SegType.UFO4 else 8)
        if kind is SegType.UFO4:
            mss = max(8, mss & ~7)
        return kind, mss, header, l3, l4, random.random() < 0.2, random.random() < 0.2

    @staticmethod
    def _pack(request: tuple[SegType, int, int, int, int, bool, bool], flags: int) -> bytes:
        kind, mss, header, l3, l4, id_fixed, csum_partial = request
        return pack_offload(
            kind, mss, header, l3, l4, id_fixed=id_fixed, csum_partial=csum_partial, flags=flags & TSTAMP
        )

    def _spoil(self, packed: list[bytes], addrs: list[tuple[int, int]]) -> None:
        """Break a packet in one way or another, so that it still ends where it ended."""
        random = self.random
        base = self.spare
        second = min(1, len(packed) - 1)
        many = [pack_data(base, random.choice((1, MAX_FRAME // 60)), 0)] * random.randint(60, 66)
        choices: list[Callable[[], None]] = [
            lambda: self._unreadable(*random.choice(addrs)),
            lambda: self._flip(packed, random.randrange(len(packed)), 64, 128),
            lambda: self._flip(packed, 0, 64, 128),
            lambda: self._flip(packed, 0, 96, 128),
            lambda: self._flip(packed, 0, 80, 96),
            lambda: packed.insert(random.randrange(len(packed)), self._pack(self._request(), 0)),
            lambda: packed.insert(0, pack_offload(SegType.NONE, 0, 0, 0, 0)),
            lambda: packed.insert(random.randrange(len(packed)), pack_data(base, 0, 0)),
            lambda: packed.insert(second, pack_data(base, MAX_BUFFER, 0)),
            lambda: packed.__setitem__(slice(second, second), many),
        ]
        random.choice(choices)()

    def _unreadable(self, addr: int, length: int) -> None:
        line = (addr + self.random.randrange(length)) // LINE * LINE
        self.world.memory.forbid(max(addr, line))

    def _flip(self, packed: list[bytes], at: int, low: int, high: int) -> None:
        """Change a bit of a descriptor, but not whether it is the last or reported, nor how long a buffer is."""
        bit = self.random.choice([bit for bit in range(low, high) if bit not in (80, 81)])
        raw = int.from_bytes(packed[at], "little")
        if bit < 80 and not raw >> 95 & 1:
            return
        packed[at] = (raw ^ 1 << bit).to_bytes(16, "little")
