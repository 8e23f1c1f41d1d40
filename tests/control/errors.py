"""Errors: each has its name in a completion and its counter, and harms nobody else."""

from __future__ import annotations

from collections import Counter
from random import Random

from ringwire.cosim.world import SimulatedWorld
from ringwire.host.memory import LINE
from ringwire.host.world import World
from ringwire.nic.descriptors import COMPLETION_BYTES, DESCRIPTOR_BYTES, DescFlag, Status
from ringwire.nic.registers import MAX_BUFFER, MAX_DESCRIPTORS, MAX_FRAME, QUEUE_OFFSETS
from tests.control.bench import Outcome, Queue, between, counters, latency_ns, outcomes, same, sent, take_faults, until
from tests.raw_queue import EOP, REPORT, TSTAMP, payloads, start

CSUM, VLAN, OFFLOAD = DescFlag.CSUM, DescFlag.VLAN, DescFlag.OFFLOAD
NOWHERE = 0x7_0000_0000_0000
"""An address that no memory has: what is condemned before its reads is never read."""
RESERVED = tuple(1 << bit for bit in range(16) if not 1 << bit & sum(DescFlag))

BY_DESCRIPTOR = (
    Status.BAD_LENGTH,
    Status.BAD_FLAGS,
    Status.TOO_LONG,
    Status.TOO_MANY_DESC,
    Status.BAD_OFFLOAD,
    Status.BAD_CSUM,
)
"""Why a packet may be condemned before any read."""

Descriptors = list[tuple[int, int]]
"""(length, flags) of each descriptor of a packet."""


def plain(count: int, length: int = 64) -> Descriptors:
    """A packet of so many descriptors that would be legal."""
    return [(length, EOP if number == count - 1 else 0) for number in range(count)]


def changed(packet: Descriptors, at: int, length: int | None = None, flags: int = 0) -> Descriptors:
    """The packet with one descriptor's length or further flags changed."""
    old = packet[at]
    return [*packet[:at], (old[0] if length is None else length, old[1] | flags), *packet[at + 1 :]]


def illegal(status: Status) -> list[Descriptors]:
    """Packets that are condemned for this reason."""
    match status:
        case Status.BAD_LENGTH:
            lengths = (0, MAX_BUFFER + 1, 0x7FFF, 0x8000, 0xFFFF)
            return [changed(plain(3), at, length=length) for length in lengths for at in range(3)]
        case Status.BAD_FLAGS:
            reserved = [changed(plain(3), at, flags=flag) for flag in RESERVED for at in range(3)]
            late = [changed(plain(3), at, flags=flag) for flag in (CSUM, VLAN, OFFLOAD) for at in (1, 2)]
            beside = [[(0, OFFLOAD | flag), *plain(2)] for flag in (CSUM, VLAN)]
            return [*reserved, *late, *beside, [(0, OFFLOAD | EOP)]]
        case Status.TOO_LONG:
            return [
                [(MAX_BUFFER, 0), (MAX_FRAME - MAX_BUFFER + 1, EOP)],
                [(MAX_FRAME - MAX_BUFFER + 1, 0), (MAX_BUFFER, EOP)],
                plain(64, MAX_BUFFER),
                plain(9, MAX_BUFFER),
                plain(64, 1025),
                plain(64, 261),
            ]
        case Status.TOO_MANY_DESC:
            return [plain(count, 1) for count in (65, 66, 100, 127, 128, 129, 192, 193, 200)]
        case Status.BAD_OFFLOAD:
            # an MSS without a type; a tag for less than a header
            return [*([(mss, OFFLOAD), *plain(2)] for mss in (1, 8, 0xFFFF)), [(13, VLAN | EOP)], [(6, VLAN), (7, EOP)]]
        case Status.BAD_CSUM:
            return [[(1, CSUM | EOP)], [(1, CSUM | VLAN | EOP)]]
    raise ValueError(status)


async def condemned(world: World, status: Status) -> None:
    """Packets that are illegal by their descriptors, among legal ones: no byte of theirs is read, the others leave."""
    start(world)
    queue = Queue(world, log2=9)
    queue.enable()
    random = Random(status)
    good = payloads([60, 65, 300, 1514])
    want: list[Outcome] = []
    frames = []
    bad = illegal(status)
    reads = 0
    for packet in [*bad, *bad]:
        if queue.room() < len(packet) + 2:
            queue.doorbell()
            await queue.wait(len(want))
            queue.consume()
        for length, flags in packet:
            queue.post(NOWHERE, length, flags | random.choice((0, REPORT, TSTAMP)))
        want.append((queue.tail, status, 0))
        if random.random() < 0.7:
            data = random.choice(good)
            queue.packet(data[:30], data[30:])
            want.append((queue.tail, Status.OK, 1))
            frames.append(data)
            reads += 2
        if random.random() < 0.5:
            queue.doorbell()
    queue.doorbell()
    await queue.wait(len(want))
    await world.pause(2_000)
    same(outcomes(queue.take() or queue.got), want, "completions")
    same([frame.data for frame in sent(world)], frames, "frames")
    same(take_faults(world), [], "faults")
    seen = await counters(world)
    same(seen["TX_FRAMES"], len(frames), "TX_FRAMES")
    same(seen.get(f"ERR_{status.name}"), 2 * len(bad), f"ERR_{status.name}")
    errors = {name: value for name, value in seen.items() if name.startswith("ERR_")}
    same(list(errors), [f"ERR_{status.name}"], "error counters")
    same(await queue.get("STATUS"), 1, "Q_STATUS")


async def around(world: World, queue_number: int) -> None:
    """Condemned packets go around the largest ring, each told by its index; no completion is consumed meanwhile."""
    start(world)
    queue = Queue(world, queue_number, log2=15)
    queue.enable()
    packet = changed(plain(31), 0, length=0)
    want: list[Outcome] = []
    for _ in range(4):
        for _ in range(queue.entries // len(packet) // 3):
            for length, flags in packet:
                queue.post(NOWHERE, length, flags)
            want.append((queue.tail, Status.BAD_LENGTH, 0))
        queue.doorbell()
        await queue.wait(len(want), 2_000_000)
    same(outcomes(queue.got), want, "completions")


async def largest(world: World, config: None) -> None:
    """What is just legal is sent: the largest frame, the most descriptors, the largest buffer."""
    start(world)
    queue = Queue(world, log2=8)
    queue.enable()
    data = payloads([MAX_FRAME])[0]
    shapes = [
        [MAX_BUFFER, MAX_FRAME - MAX_BUFFER],
        [MAX_FRAME // MAX_DESCRIPTORS] * MAX_DESCRIPTORS,
        [1] * MAX_DESCRIPTORS,
        [MAX_BUFFER],
    ]
    frames = []
    for shape in shapes:
        ends = [sum(shape[: at + 1]) for at in range(len(shape))]
        queue.packet(*[data[end - size : end] for end, size in zip(ends, shape, strict=True)])
        frames.append(data[: ends[-1]])
    queue.doorbell()
    await queue.wait(len(shapes))
    same([(status, segments) for _, status, segments in outcomes(queue.got)], [(Status.OK, 1)] * 4, "completions")
    same([frame.data for frame in sent(world)], frames, "frames")


async def payload_read(world: World, config: None) -> None:
    """A payload read that fails kills its packet, whichever beat of whichever fragment it was."""
    start(world)
    queue = Queue(world, log2=7)
    queue.enable()
    memory = world.memory
    want: list[Outcome] = []
    frames, holes = [], []
    shapes = [[60], [64, 64, 64], [1, 1, 1], [1514], [5000, 200], [200, 5000], [4096, 4096], [3, 9000, 2]]
    data = payloads([sum(shape) for shape in shapes])
    for shape, whole in zip(shapes, data, strict=True):
        for fragment in range(len(shape)):
            lines = {0, shape[fragment] // LINE // 2, (shape[fragment] - 1) // LINE}
            for line in sorted(lines):
                for bad in (False, True, False) if line == 0 else (True,):
                    if queue.room() < 8:
                        queue.doorbell()
                        await queue.wait(len(want))
                        queue.consume()
                    at = 0
                    for number, size in enumerate(shape):
                        addr = memory.map(whole[at : at + size], 0)
                        at += size
                        if bad and number == fragment:
                            memory.forbid(addr + line * LINE)
                            holes.append(addr + line * LINE)
                        last = number == len(shape) - 1
                        queue.post(addr, size, EOP | (0 if bad else REPORT) if last else 0)
                    want.append((queue.tail, Status.READ, 0) if bad else (queue.tail, Status.OK, 1))
                    if not bad:
                        frames.append(whole)
    queue.doorbell()
    await queue.wait(len(want))
    same(outcomes(queue.got), want, "completions")
    same([frame.data for frame in sent(world)], [frame.ljust(60, b"\0") for frame in frames], "frames")
    if isinstance(world, SimulatedWorld):
        same(take_faults(world), [("read", hole) for hole in holes], "faults")
    same((await counters(world))["ERR_READ"], len(holes), "ERR_READ")


async def read_errors_give_room_back(world: World, config: tuple[int, int, int]) -> None:
    """After many failed reads the frame buffer is as large as before; ``config``: (packets, bytes, commit bound)."""
    count, size, bound = config
    start(world, 100_000_000_000, bound=bound)
    queue = Queue(world, log2=8)
    queue.enable()
    hole = world.memory.map(bytes(size), 0)
    world.memory.forbid(hole + size // 2)
    good = payloads([1514])[0]
    addr = world.memory.map(good)
    want: list[Outcome] = []
    sent_good = 0
    while len(want) < count:
        for _ in range(min(count - len(want), queue.room(), 200)):
            if len(want) % 50 == 49:
                queue.post(addr, len(good), EOP | REPORT)
                want.append((queue.tail, Status.OK, 1))
                sent_good += 1
            else:
                queue.post(hole, size, EOP)
                want.append((queue.tail, Status.READ, 0))
        queue.doorbell()
        await queue.wait(len(want), step_ns=1_000)
        take_faults(world)
        queue.consume()
    same(outcomes(queue.got), want, "completions")
    same([frame.data for frame in sent(world)], [good] * sent_good, "frames")
    seen = await counters(world)
    same(seen["ERR_READ"], count - sent_good, "ERR_READ")

    # as many bytes as ever are read ahead of the wire: a slow one shows how many
    if not bound:
        start(world, 10_000_000)
        before = seen["READ_REQUESTS"]
        frames = 60
        for _ in range(frames):
            queue.post(addr, len(good), EOP)
        queue.doorbell()
        await world.pause(100_000)
        ahead = (await counters(world))["READ_REQUESTS"] - before
        bursts = 2 if addr % 4096 + len(good) > 4096 else 1
        between(ahead // bursts, 40, 46, "frames of 1514 bytes in a buffer of 64 KiB")


async def descriptor_read(world: World, config: int) -> None:
    """A failed descriptor read stops its queue, with an interrupt; the others go on, and a reset recovers it.

    ``config``: the ring index that can't be read.
    """
    start(world)
    broken, other = Queue(world, 0), Queue(world, 1)
    data = payloads([100])[0]
    line = config * DESCRIPTOR_BYTES // LINE * LINE
    first_bad = line // DESCRIPTOR_BYTES
    world.memory.forbid(broken.ring.addr + line)
    broken.put("MOD_NS", 100_000_000)
    broken.put("CPL_THRESHOLD", 16)
    for queue in (broken, other):
        queue.enable()
    broken.arm()
    # packets of two descriptors; where the bad one's number is odd, half a packet is before it
    want = []
    odd = config % 2
    if odd:
        broken.packet(data)
        want.append((broken.tail, Status.OK, 1))
    while broken.tail + 2 < broken.entries:
        index = broken.tail
        broken.packet(data[:50], data[50:])
        if index + 2 <= first_bad:
            want.append((broken.tail, Status.OK, 1))
    want.append((first_bad, Status.DESC_READ, 0))
    broken.doorbell()
    for _ in range(50):
        other.packet(data)
    other.doorbell()
    await other.wait(50)
    await broken.wait(len(want))
    await until(world, lambda: len(broken.interrupts) == 1, "the interrupt of the queue that stands", 20_000)
    same(outcomes(broken.got), want, "completions of the queue that stands")
    same(await broken.get("STATUS") & 2, 2, "Q_STATUS.ERROR")
    same(await other.get("STATUS") & 6, 0, "Q_STATUS of the other")
    same((await counters(world))["ERR_DESC_READ"], 1, "ERR_DESC_READ")
    same(len(sent(world, 0)), len(want) - 1, "frames of the queue that stands")
    if isinstance(world, SimulatedWorld):
        faults = take_faults(world)
        same(faults[0], ("read", broken.ring.addr + line), "fault")

    # it stands: whatever is posted, until it is reset
    world.memory.allow(broken.ring.addr + line)
    broken.put("TAIL", broken.tail)
    other.send(data)
    await other.wait(51)
    await world.pause(10_000)
    same(broken.take(), [], "completions while it stands")
    same(await broken.get("STATUS") & 2, 2, "Q_STATUS.ERROR before the reset")
    same(await broken.reset(), [], "completions of the reset")
    same(await broken.get("STATUS"), 1, "Q_STATUS after the reset")
    broken.put("CPL_THRESHOLD", 1)
    broken.enable()
    before = len(broken.got)
    for _ in range(50):
        broken.packet(data)
    broken.doorbell()
    await broken.wait(before + 50)
    same(outcomes(broken.got[before:]), [(i + 1, Status.OK, 1) for i in range(50)], "completions after the reset")
    same(take_faults(world), [], "faults after the reset")


async def tail_out_of_range(world: World, log2: int) -> None:
    """A tail beyond the ring is refused: the one before holds, and the queue goes on."""
    start(world)
    queue = Queue(world, log2=log2)
    queue.enable()
    data = payloads([60])[0]
    want = []
    bad_tails = [queue.entries, queue.entries + 1, 0x8000, 0xFFFF, 0x10000, 0x10001, 0xFFFFFFFF]
    bad_tails = [tail for tail in bad_tails if tail >= queue.entries]
    same(await queue.get("STATUS"), 1, "Q_STATUS before")
    for number, tail in enumerate(bad_tails):
        queue.send(data)
        want.append((queue.tail, Status.OK, 1))
        await queue.wait(2 * number + 1)
        queue.packet(data)
        queue.put("TAIL", tail)
        want.append((queue.tail - 1, Status.BAD_DOORBELL, 0))
        await queue.wait(2 * number + 2)
        same(await queue.get("STATUS") & 6, 4, "Q_STATUS")
        queue.tail -= 1
        queue.consume()
    same(outcomes(queue.got), want, "completions")
    same(len(sent(world)), len(bad_tails), "frames")
    seen = await counters(world)
    same(seen["ERR_BAD_DOORBELL"], len(bad_tails), "ERR_BAD_DOORBELL")
    same(seen["DOORBELLS"], len(bad_tails), "DOORBELLS")
    if isinstance(world, SimulatedWorld):
        same(take_faults(world), [("register write", 0x1000 + QUEUE_OFFSETS["TAIL"])] * len(bad_tails), "faults")
    same(await queue.reset(), [], "completions of the reset")
    same(await queue.get("STATUS"), 1, "Q_STATUS after the reset")


async def completion_write(world: World, slot: int) -> None:
    """A completion that can't be written puts its queue in error; the others run on, and a reset recovers it."""
    start(world, 10_000_000_000)
    broken, other = Queue(world, 0), Queue(world, 1)
    data = payloads([60])[0]
    line = slot * COMPLETION_BYTES // LINE * LINE
    hole = broken.completions.addr + line
    world.memory.forbid(hole)
    for queue in (broken, other):
        queue.enable()
    for _ in range(60):
        broken.packet(data)
    broken.doorbell()

    async def in_error() -> None:
        for _ in range(1000):
            if await broken.get("STATUS") & 2:
                return
        raise AssertionError("no Q_STATUS.ERROR")

    await in_error()
    for _ in range(50):
        other.packet(data)
    other.doorbell()
    await other.wait(50)
    await world.pause(20_000)
    broken.take()
    same(outcomes(broken.got), [(i + 1, Status.OK, 1) for i in range(line // COMPLETION_BYTES)], "completions")
    between(len(sent(world, 0)), slot + 1, 60, "frames of the queue in error")
    went = len(sent(world, 0))
    seen = await counters(world)
    between(seen["WRITE_ERRORS"], 1, 4, "WRITE_ERRORS")
    if isinstance(world, SimulatedWorld):
        same(take_faults(world), [("write", hole)] * seen["WRITE_ERRORS"], "faults")
    await world.pause(20_000)
    same(len(sent(world, 0)), went, "frames of the queue in error, later")
    same(await other.get("STATUS") & 6, 0, "Q_STATUS of the other")

    world.memory.allow(hole)
    await broken.reset()
    same(await broken.get("STATUS"), 1, "Q_STATUS after the reset")
    broken.enable()
    before = len(broken.got)
    broken.send(data)
    await broken.wait(before + 1)
    same(outcomes(broken.got[before:]), [(1, Status.OK, 1)], "completions after the reset")


async def after_unmapping(world: World, config: None) -> None:
    """Memory that software has unmapped too early is a fault that the world names, with its address and time."""
    start(world)
    queue = Queue(world)
    queue.enable()
    addr = queue.packet(payloads([1514])[0])[0]
    world.memory.unmap(addr)
    queue.doorbell()
    await queue.wait(1)
    same(outcomes(queue.got), [(1, Status.READ, 0)], "completions")
    assert isinstance(world, SimulatedWorld)
    lines = range(addr & -LINE, addr + 1514, LINE)
    faults = [(fault.kind, fault.addr & -LINE) for fault in world.faults]
    same(faults, [("read", line) for line in lines], "faults")
    # one a line of host memory
    times = [fault.time_ps for fault in world.faults]
    between(min(times), 1, latency_ns(world) * 3_000, "time of the first fault")
    world.faults.clear()
    same(len(sent(world)), 0, "frames")


async def all_at_once(world: World, seed: int) -> None:
    """Errors of every kind on four queues at once, at random: what is legal leaves, all is accounted for in order."""
    random = Random(seed)
    start(world)
    queues = [Queue(world, number, log2=9) for number in range(4)]
    good = payloads(range(1, 400, 7))
    want: dict[int, list[Outcome]] = {}
    frames: dict[int, list[bytes]] = {}
    for queue in queues:
        queue.put("CPL_THRESHOLD", random.randint(1, 16))
        queue.put("CPL_TIMER_NS", 1_000)
        queue.enable()
        own = want.setdefault(queue.queue, [])
        out = frames.setdefault(queue.queue, [])
        while queue.tail < 250:
            status = random.choice((Status.OK, Status.OK, Status.READ, *BY_DESCRIPTOR))
            if status in (Status.OK, Status.READ):
                data = random.choice(good)
                cut = random.randint(0, len(data) - 1)
                pieces = [piece for piece in (data[:cut], data[cut:]) if piece]
                addrs = queue.packet(*pieces)
                if status is Status.READ:
                    world.memory.forbid(random.choice(addrs))
                else:
                    out.append(data.ljust(60, b"\0"))
            else:
                for length, flags in random.choice(illegal(status)):
                    queue.post(NOWHERE, length, flags)
            own.append((queue.tail, status, int(status is Status.OK)))
    for queue in queues:
        queue.doorbell()
    for queue in queues:
        await queue.wait(len(want[queue.queue]))
    take_faults(world)
    same({queue.queue: outcomes(queue.got) for queue in queues}, want, "completions of queue ")
    same({queue.queue: [frame.data for frame in sent(world, queue.queue)] for queue in queues}, frames, "frames ")
    told = Counter(status.name for own in want.values() for _, status, _ in own if status is not Status.OK)
    seen = {name[4:]: value for name, value in (await counters(world)).items() if name.startswith("ERR_")}
    same(seen, dict(told), "error counters")
