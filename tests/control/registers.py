"""Registers: what they reset to, keep, refuse and count."""

from __future__ import annotations

from collections.abc import Container, Iterable
from itertools import pairwise
from random import Random
from typing import Any

from ringwire.cosim.world import SimulatedWorld
from ringwire.host.world import World
from ringwire.nic.descriptors import DescFlag, Status
from ringwire.nic.registers import (
    GLOBAL_OFFSETS,
    GLOBAL_REGISTERS,
    MAX_CPL_THRESHOLD,
    MAX_DESCRIPTORS,
    MAX_FRAME,
    MAX_RING_LOG2,
    MAX_WEIGHT,
    MIN_RING_LOG2,
    MIN_WEIGHT,
    QUEUE_BASE,
    QUEUE_OFFSETS,
    QUEUE_REGISTERS,
    QUEUE_STRIDE,
    RING_ALIGN,
    STAT_BASE,
    STAT_STRIDE,
    Access,
    Register,
    Stat,
    stat_register,
)
from tests.control.bench import Queue, counters, same, sent, take_faults
from tests.raw_queue import EOP, REPORT, payloads, read, start

ALL_ONES = 0xFFFFFFFF
LEGAL = {
    "CTRL": 7,
    "BYTE_TIME_HI": 0x3FFFFF,
    "LAUNCH_LEAD": 0xFFFFFF,
    "Q_BYTE_TIME_HI": 0x3FFFFF,
    "Q_RING_LO": ALL_ONES & -RING_ALIGN,
    "Q_CPL_LO": ALL_ONES & -RING_ALIGN,
    "Q_HEAD_LO": ALL_ONES & ~6,
    "Q_IRQ_MASK": 1,
    "Q_MOD_FRAMES": 0x7FFF,
    "Q_MOD_NS": 0x7FFFFFFF,
    "Q_CPL_TIMER_NS": 0x7FFFFFFF,
    "Q_PRIORITY": 7,
}
"""Bits that a register has, where those are not all 32."""
RANGES: dict[str, Container[int]] = {
    "Q_RING_LOG2": range(MIN_RING_LOG2, MAX_RING_LOG2 + 1),
    "Q_CPL_THRESHOLD": range(1, MAX_CPL_THRESHOLD + 1),
    "Q_WEIGHT": {0, *range(MIN_WEIGHT, MAX_WEIGHT + 1)},
}


def legal(register: Register, value: int) -> bool:
    """Whether an idle device takes this value."""
    if register.name in RANGES:
        return value in RANGES[register.name]
    return not value & ~LEGAL.get(register.name, ALL_ONES)


def plain(registers: Iterable[Register]) -> list[Register]:
    """Those that keep what is written, and do nothing else."""
    return [each for each in registers if each.access in (Access.RW, Access.CONFIG) and each.name != "Q_CTRL"]


def queue_base(queue: int) -> int:
    return QUEUE_BASE + queue * QUEUE_STRIDE


class Bus:
    """Register accesses one by one, each with whether it was refused."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def write(self, address: int, value: int) -> bool:
        """False if the device refuses."""
        take_faults(self.world)
        before = self.refused()
        self.world.port().write(address, value)
        await self.world.pause(100)
        faults = take_faults(self.world)
        assert all(fault == ("register write", address) for fault in faults), f"faults {faults}"
        return not faults and self.refused() == before

    async def read(self, address: int) -> int | None:
        """None if the device refuses."""
        take_faults(self.world)
        before = self.refused()
        value = await read(self.world, address)
        faults = take_faults(self.world)
        assert all(fault == ("register read", address) for fault in faults), f"faults {faults}"
        if faults or self.refused() != before:
            same(value, ALL_ONES, f"what a refused read of {address:#x} gives")
            return None
        return value

    def refused(self) -> int:
        return 0 if isinstance(self.world, SimulatedWorld) else self.world.device.refused  # type: ignore[attr-defined]


async def reset_values(world: World, config: tuple[int, int]) -> None:
    """Every register reads its reset value, in every queue; the capabilities tell what was built.

    ``config``: (queues, data width).
    """
    queues, data_w = config
    bus = Bus(world)
    built = {
        "CAPS": queues | data_w // 8 << 8 | MAX_DESCRIPTORS << 16,
        "CAPS_FRAME": MAX_FRAME,
        "STATUS": 1,
        "Q_STATUS": 1,
    }
    for register in GLOBAL_REGISTERS:
        same(await bus.read(register.offset), built.get(register.name, register.reset), register.name)
    for queue in range(queues):
        for register in QUEUE_REGISTERS:
            value = await bus.read(queue_base(queue) + register.offset)
            same(value, built.get(register.name, register.reset), f"{register.name} of queue {queue}")
    for stat in Stat:
        same(await bus.read(stat_register(stat)), 0, stat.name)
        same(await bus.read(stat_register(stat) + 4), 0, f"{stat.name}, upper half")


async def no_register(world: World, queues: int) -> None:
    """An address without a register is refused, for reading and for writing, and harms nothing."""
    bus = Bus(world)
    known = {register.offset for register in GLOBAL_REGISTERS}
    known |= {STAT_BASE + STAT_STRIDE // 2 * half for half in range(2 * len(Stat))}
    known |= {queue_base(queue) + register.offset for queue in range(queues) for register in QUEUE_REGISTERS}
    random = Random(queues)
    last = queue_base(queues)
    addresses = [
        *range(max(GLOBAL_OFFSETS.values()) + 4, STAT_BASE, 32),
        STAT_BASE + STAT_STRIDE * len(Stat),
        QUEUE_BASE - 4,
        queue_base(0) + max(register.offset for register in QUEUE_REGISTERS) + 4,
        queue_base(0) + QUEUE_STRIDE - 4,
        last,
        last + 8,
        QUEUE_BASE * 2,
        QUEUE_BASE * 2 + 8,
        0xFFFC,
        *(GLOBAL_OFFSETS["CTRL"] | 1 << bit for bit in range(6, 16)),
        *(queue_base(0) | 4 | 1 << bit for bit in (*range(8, 12), 13, 14, 15)),
        *(random.randrange(0, 1 << 16, 4) for _ in range(20)),
    ]
    for address in addresses:
        if address not in known:
            same(await bus.write(address, 0), False, f"write of {address:#x}")
            same(await bus.read(address), None, f"read of {address:#x}")
    for register in QUEUE_REGISTERS:
        value = await bus.read(queue_base(0) + register.offset)
        same(value, 1 if register.name == "Q_STATUS" else register.reset, f"{register.name} afterwards")


async def kept(world: World, queues: int) -> None:
    """What is legal is kept, bit by bit and in each queue by itself; what is not is refused and changes nothing."""
    bus = Bus(world)
    random = Random(queues)
    places = [(register, register.offset, register.name) for register in plain(GLOBAL_REGISTERS)]
    for queue in sorted({0, queues - 1}):
        base = queue_base(queue)
        places += [(each, base + each.offset, f"{each.name} of queue {queue}") for each in plain(QUEUE_REGISTERS)]
    holds = {address: register.reset for register, address, _ in places}
    values = [0, ALL_ONES, *(1 << bit for bit in range(32)), *range(2, 20), *(random.getrandbits(32) for _ in range(8))]
    for register, address, name in places:
        for value in values if register.name not in ("CTRL",) else (4, 6, 8, 1 << 31, 2, 0):
            taken = legal(register, value)
            same(await bus.write(address, value), taken, f"{name}: write of {value:#x} taken")
            if taken:
                holds[address] = value
            same(await bus.read(address), holds[address], f"{name} after the write of {value:#x}")
    for _, address, name in places:
        same(await bus.read(address), holds[address], f"{name} in the end")


async def not_writable(world: World, config: None) -> None:
    """Registers that can only be read refuse every write; doorbells read as 0."""
    bus = Bus(world)
    spots = [(each, each.offset) for each in GLOBAL_REGISTERS]
    spots += [(each, queue_base(0) + each.offset) for each in QUEUE_REGISTERS]
    for register, address in spots:
        if register.access is Access.RO:
            before = await bus.read(address)
            for value in (0, 1, ALL_ONES):
                same(await bus.write(address, value), False, f"write of {register.name}")
            same(await bus.read(address), before, f"{register.name} after writes")
        elif register.access is Access.WO:
            same(await bus.read(address), 0, f"{register.name}, which is write only")
    for stat in Stat:
        for half in (0, 4):
            same(await bus.write(stat_register(stat) + half, 1), False, f"write of {stat.name}")
    for value in (4, 5, ALL_ONES):
        same(await bus.write(queue_base(0), value), False, f"write of {value:#x} to Q_CTRL")
    same(await bus.read(queue_base(0)), 0, "Q_CTRL")


async def responses(world: World, config: None) -> None:
    """On the bus itself: OKAY and SLVERR as they must be, and a write of less than a word changes nothing.

    Needs the hostile world's register master, which stalls every channel at random.
    """
    master: Any = world.master  # type: ignore[attr-defined]
    okay, slverr = 0, 2

    async def write(address: int, data: bytes) -> int:
        return int((await master.write(address, data)).resp)

    places = [(each, each.offset) for each in plain(GLOBAL_REGISTERS)]
    places += [(each, queue_base(0) + each.offset) for each in plain(QUEUE_REGISTERS)]
    for register, address in places:
        value = next(value for value in (0x80, 7, 1) if legal(register, value))
        same(await write(address, value.to_bytes(4, "little")), okay, f"response to a write of {register.name}")
        for offset, length in ((0, 1), (1, 1), (3, 1), (0, 2), (2, 2), (0, 3), (1, 3)):
            response = await write(address + offset, bytes(length))
            same(response, slverr, f"response to a write of {length} bytes at {offset} of {register.name}")
        got = await master.read(address, 4)
        same((int(got.resp), int.from_bytes(got.data, "little")), (okay, value), f"{register.name} read back")
    tail = queue_base(0) + QUEUE_OFFSETS["TAIL"]
    same(await write(tail, bytes(2)), slverr, "response to half a doorbell")
    same(await write(tail, (0xFFFF).to_bytes(4, "little")), slverr, "response to a doorbell out of range")
    same(await write(0x20, bytes(4)), okay, "response to a write of COMMIT_BOUND")
    beyond = max(GLOBAL_OFFSETS.values()) + 4
    same(await write(beyond, bytes(4)), slverr, "response to a write where there is no register")
    same(int((await master.read(beyond, 4)).resp), slverr, "response to a read where there is no register")
    same(int((await master.read(0, 4)).resp), okay, "response to a read of ID")
    errors = (await master.read(stat_register(Stat.ERR_BAD_DOORBELL), 4)).data
    same(int.from_bytes(errors, "little"), 1, "ERR_BAD_DOORBELL: half a doorbell is none")


async def while_at_work(world: World, config: None) -> None:
    """Configuration is refused while its queue is enabled, or has a frame in flight; other registers are not."""
    bus = Bus(world)
    start(world, 1_000_000)
    queue = Queue(world)
    queue.enable()
    base = queue_base(0)

    async def attempt(taken: bool, when: str) -> None:
        for register in QUEUE_REGISTERS:
            if register.access is Access.CONFIG:
                address = base + register.offset
                before = await bus.read(address)
                value = 7 if register.name == "Q_RING_LOG2" else 0x80
                same(await bus.write(address, value), taken, f"write of {register.name} {when} taken")
                same(await bus.read(address), value if taken else before, f"{register.name} {when}")
                if taken:
                    assert before is not None
                    same(await bus.write(address, before), True, f"{register.name} set back {when}")

    await attempt(False, "while the queue is enabled")
    for register in QUEUE_REGISTERS:
        if register.access is Access.RW and register.name != "Q_CTRL":
            value = next(value for value in (3, 1, 100) if legal(register, value))
            same(await bus.write(base + register.offset, value), True, f"write of {register.name} while enabled")
            same(await bus.read(base + register.offset), value, f"{register.name} while enabled")
    queue.put("CPL_TIMER_NS", 0)
    queue.put("CPL_THRESHOLD", 1)
    queue.send(payloads([1514])[0])
    await world.pause(10_000)
    same(len(sent(world)), 1, "frames that have begun")
    queue.put("CTRL", 0)
    await attempt(False, "while a frame is on the wire")
    await queue.wait(1, 100_000_000, 100_000)
    await world.pause(10_000)
    await attempt(True, "when the queue is idle")


async def statistics(world: World, config: None) -> None:
    """Every counter says exactly what was done."""
    start(world, 10_000_000_000)
    queue = Queue(world, log2=7)
    head = Queue(world, 1, log2=7, head_write_back=True)
    queue.enable()
    head.enable()
    queue.arm()
    sizes = [60, 1, 59, 61, 1514, 9000, 16384]
    data = payloads(sizes)
    bursts = 0
    for each in data:
        addr = world.memory.map(each)
        queue.post(addr, len(each), EOP | REPORT)
        bursts += (addr + len(each) - 1) // 4096 - addr // 4096 + 1
    bad = world.memory.map(data[0])
    queue.post(bad, 0, EOP)
    queue.post(bad, 60, EOP | 0x20)
    queue.post(bad, 13, EOP | DescFlag.VLAN)
    queue.post(bad, 1, EOP | DescFlag.CSUM)
    for _ in range(65):
        queue.post(bad, 1, 0)
    queue.post(bad, 1, EOP)
    queue.post(world.memory.map(bytes(16384)), 16384, 0)
    queue.post(world.memory.map(bytes(16384)), 16384, EOP)
    queue.post(0x7_0000_0000_0000, 64, EOP)
    queue.doorbell()
    await queue.wait(len(sizes) + 7)
    for _ in range(3):
        head.post(bad & -64, 60, EOP | REPORT)
        head.doorbell()
        await world.pause(5_000)
    queue.put("TAIL", 128)
    await queue.wait(len(sizes) + 8)
    await world.pause(5_000)
    if isinstance(world, SimulatedWorld):
        faults = [kind for kind, _ in take_faults(world)]
        same(sorted(set(faults)), ["read", "register write"], "kinds of faults")
    frames = len(sizes) + 3
    errors = ("BAD_LENGTH", "BAD_FLAGS", "BAD_OFFLOAD", "BAD_CSUM", "TOO_MANY_DESC", "TOO_LONG", "READ", "BAD_DOORBELL")
    want = {
        "TX_FRAMES": frames,
        "TX_BYTES": sum(max(size, 60) for size in sizes) + 3 * 60,
        "DESC_FETCHED": queue.tail + head.tail,
        "READ_REQUESTS": bursts + 1 + 3,
        "CPL_WRITTEN": len(sizes) + 8,
        "HEAD_WRITTEN": 3,
        "INTERRUPTS": 1,
        "DOORBELLS": 4,
        **{f"ERR_{name}": 1 for name in errors},
    }
    same(await counters(world), want, "counter ")
    # a reset of the queue leaves them alone
    await queue.reset()
    same(await counters(world), want, "counter, after a queue's reset, ")


async def latched(world: World, config: None) -> None:
    """Reading a counter's lower half holds its upper half still until the next such read.

    Needs a simulator whose signals can be set: nobody waits for 4 GiB to be sent.
    """
    assert isinstance(world, SimulatedWorld)
    bus = Bus(world)
    start(world)
    queue = Queue(world)
    queue.enable()
    bytes_at = stat_register(Stat.TX_BYTES)
    await world.pause(100)
    count = world.dut.dut.stats.count_reg[int(Stat.TX_BYTES)]
    count.value = (5 << 32) - 100
    await world.pause(100)
    same(await bus.read(bytes_at), ALL_ONES - 99, "lower half")
    for _ in range(2):
        queue.send(payloads([60])[0])
    await queue.wait(2)
    await world.pause(1_000)
    same(await bus.read(stat_register(Stat.TX_FRAMES) + 4), 4, "the upper half that is held")
    same(await bus.read(bytes_at + 4), 4, "upper half, of the time of the lower")
    same(await bus.read(bytes_at), 20, "lower half, later")
    same(await bus.read(bytes_at + 4), 5, "upper half, later")
    same(await bus.read(stat_register(Stat.TX_FRAMES)), 2, "lower half of another")
    same(await bus.read(bytes_at + 4), 0, "upper half of the other")


async def wire_rate_is_kept(world: World, config: None) -> None:
    """A global register that is written while frames leave counts for the frames after it."""
    start(world, 10_000_000_000)
    queue = Queue(world)
    queue.enable()
    data = payloads([1514])[0]
    for _ in range(40):
        queue.packet(data)
    queue.doorbell()
    await world.pause(20_000)
    start(world, 1_000_000_000)
    await queue.wait(40, step_ns=5_000)
    starts = [frame.start_ps for frame in sent(world)]
    gaps = [later - sooner for sooner, later in pairwise(starts)]
    fast, slow = 1538 * 800, 1538 * 8000
    near = [min(abs(gap - fast), abs(gap - slow)) <= 8000 for gap in gaps]
    same(near, [True] * 39, "gap that is of one rate or the other ")
    kinds = [abs(gap - slow) <= 8000 for gap in gaps]
    same(kinds, sorted(kinds), "slow gaps behind the fast ")
    same(1 < sum(kinds) < 38, True, "both rates seen")
    same([entry.status for entry in queue.got], [Status.OK] * 40, "status ")
