"""One transmit queue driven by hand: rings, doorbells and registers with nothing of a driver between."""

from __future__ import annotations

from collections.abc import Iterable

from ringwire.driver.port import DevicePort
from ringwire.host.world import World
from ringwire.nic.descriptors import (
    COMPLETION_BYTES,
    DESCRIPTOR_BYTES,
    Completion,
    DescFlag,
    pack_data,
    unpack_completion,
)
from ringwire.nic.pacer import byte_time
from ringwire.nic.registers import GLOBAL_OFFSETS, queue_register

EOP, REPORT, TSTAMP = DescFlag.EOP, DescFlag.REPORT, DescFlag.TSTAMP


class RawQueue:
    """Sets a queue up (not yet enabled) with everything posted by hand."""

    def __init__(
        self, world: World, queue: int = 0, log2: int = 6, head_write_back: bool = False, irq: bool = True
    ) -> None:
        self.world = world
        self.port: DevicePort = world.port()
        self.queue = queue
        self.entries = 1 << log2
        self.tail = 0
        self.consumed = 0
        self.interrupts: list[int] = []
        memory = world.memory
        self.ring = memory.alloc_coherent(self.entries * DESCRIPTOR_BYTES, 128)
        self.completions = memory.alloc_coherent(self.entries * COMPLETION_BYTES, 128)
        self.head = memory.alloc_coherent(8)
        self.put("RING_LO", self.ring.addr & 0xFFFFFFFF)
        self.put("RING_HI", self.ring.addr >> 32)
        self.put("RING_LOG2", log2)
        self.put("CPL_LO", self.completions.addr & 0xFFFFFFFF)
        self.put("CPL_HI", self.completions.addr >> 32)
        if head_write_back:
            self.put("HEAD_HI", self.head.addr >> 32)
            self.put("HEAD_LO", self.head.addr & 0xFFFFFFFF | 1)
        if irq:
            self.port.on_interrupt(queue, lambda: self.interrupts.append(self.port.now_ns()))

    def put(self, name: str, value: int) -> None:
        """Write one of the queue's registers."""
        self.port.write(queue_register(name, self.queue), value)

    async def get(self, name: str) -> int:
        """Read one of the queue's registers."""
        return await read(self.world, queue_register(name, self.queue))

    def enable(self) -> None:
        self.put("CTRL", 1)

    def start_again(self) -> None:
        """What software does after a queue reset: indexes at 0, and no old completion left to be taken for a new."""
        self.tail = self.consumed = 0
        self.completions.mem[:] = bytes(len(self.completions))

    def post(self, addr: int, length: int, flags: int, **wishes: int) -> None:
        """Write the next descriptor; nothing is told to the device. ``wishes``: csum_start, csum_offset, vlan_tci."""
        self.post_raw(pack_data(addr, length, flags, **wishes))

    def post_raw(self, descriptor: bytes) -> None:
        """Write 16 bytes as the next descriptor."""
        at = self.tail * DESCRIPTOR_BYTES
        self.ring.mem[at : at + DESCRIPTOR_BYTES] = descriptor
        self.tail = (self.tail + 1) % self.entries

    def packet(self, *fragments: bytes, flags: int = REPORT) -> list[int]:
        """Map fragments and post a packet of them; returns their addresses."""
        addrs = [self.world.memory.map(fragment) for fragment in fragments]
        for addr, fragment in zip(addrs, fragments, strict=True):
            self.post(addr, len(fragment), flags | (EOP if addr == addrs[-1] else 0))
        return addrs

    def doorbell(self) -> None:
        self.put("TAIL", self.tail)

    def seen(self) -> list[Completion]:
        """The completions that are in memory beyond those taken before, by their phase."""
        found: list[Completion] = []
        while True:
            slot = self.consumed % self.entries
            completion = unpack_completion(
                self.completions.mem[slot * COMPLETION_BYTES : (slot + 1) * COMPLETION_BYTES]
            )
            if completion.phase != 1 - (self.consumed // self.entries & 1):
                return found
            found.append(completion)
            self.consumed += 1

    async def completed(self, count: int, limit_ns: int = 10_000_000) -> list[Completion]:
        """Wait until the device says that ``count`` more completions are visible, and take them."""
        wanted = (self.consumed + count) & 0xFFFF
        deadline = self.port.now_ns() + limit_ns
        while await self.get("CPL_WRITTEN") != wanted:
            assert self.port.now_ns() < deadline, f"{await self.get('CPL_WRITTEN')} completions, not {wanted}"
        return self.seen()


async def read(world: World, register: int) -> int:
    """Read a register and wait for the answer."""
    answers: list[int] = []
    world.port().read(register, answers.append)
    await world.run(lambda: bool(answers), 1_000_000, f"register {register:#x}")
    return answers[0]


def start(world: World, rate_bps: int = 0, complete_at_fetch: bool = False, bound: int = 0) -> None:
    """Global set-up: pace to a line rate, or leave the pacer open."""
    port = world.port()
    if rate_bps:
        unit = byte_time(rate_bps)
        port.write(GLOBAL_OFFSETS["BYTE_TIME_LO"], unit & 0xFFFFFFFF)
        port.write(GLOBAL_OFFSETS["BYTE_TIME_HI"], unit >> 32)
    port.write(GLOBAL_OFFSETS["COMMIT_BOUND"], bound)
    port.write(GLOBAL_OFFSETS["CTRL"], 1 | complete_at_fetch << 1 | (not rate_bps) << 2)


def payloads(sizes: Iterable[int]) -> list[bytes]:
    """Frames that differ in every byte from their neighbours."""
    return [bytes((7 * number + 3 * at + 1) & 0xFF for at in range(size)) for number, size in enumerate(sizes)]
