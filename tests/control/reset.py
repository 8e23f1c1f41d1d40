"""Queues disabled, drained, enabled again and reset, while they and others are at work."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from ringwire.host.world import World
from ringwire.nic.descriptors import Status
from ringwire.nic.registers import GLOBAL_OFFSETS, queue_register
from tests.control.bench import Queue, between, counters, latency_ns, outcomes, same, sent, take_faults
from tests.control.load import Load, Tally
from tests.raw_queue import EOP, REPORT, payloads, start


@dataclass(frozen=True)
class Resets:
    """What ``under_load`` does."""

    count: int
    seed: int
    queues: int = 2
    rate_bps: int = 0
    """0: the pacer is open."""
    bound: int = 0
    at_fetch: bool = False
    errors: float = 0.1
    sizes: tuple[int, ...] = (60, 61, 300, 1514)
    span_ns: int = 4_000
    """The longest time from a doorbell to a reset."""
    batch: int = 40


async def under_load(world: World, config: Resets) -> None:
    """Resets at random times: each packet of the queue meets one end, those of the others are all sent.

    When RESET reads 0, all is told and nothing comes after: not a completion, not a read of what is unmapped at once.
    """
    random = Random(config.seed)
    start(world, config.rate_bps, config.at_fetch, config.bound)
    queues = [Queue(world, number, log2=random.choice((6, 7))) for number in range(config.queues)]
    loads = [Load(world, queue, random, config.errors) for queue in queues]
    for queue in queues:
        queue.enable()
    ends = Tally(0, 0, 0, 0)
    for lap in range(config.count):
        for load in loads:
            load.queue.take()
            load.queue.consume()
            load.post(random.randint(1, config.batch), config.sizes)
        await world.pause(int(config.span_ns ** random.random()))
        load = random.choice(loads)
        queue = load.queue
        head = await queue.get("HEAD") if lap % 2 else 0
        await queue.reset()
        await settled(queue)
        try:
            tally = load.judge(config.at_fetch)
        except AssertionError as error:
            raise AssertionError(f"reset {lap}: {error}") from None
        load.forget()
        ends = Tally(*(a + b for a, b in zip(ends, tally, strict=True)))
        between(head, 0, queue.entries - 1, "Q_HEAD before the reset")
        queue.put("CPL_THRESHOLD", random.choice((1, 4, 16)))
        queue.put("CPL_TIMER_NS", random.choice((300, 5_000)))
        queue.enable()

    # what was not reset goes on to its end
    for load in loads:
        queue = load.queue
        for _ in range(2_000):
            queue.take()
            queue.consume()
            if queue.done == queue.tail and await queue.get("STATUS") & 1:
                break
            await world.pause(2_000)
        same(queue.done, queue.tail, f"ring index to which queue {queue.queue} is done")
        tally = load.judge(config.at_fetch)
        same((tally.aborted, tally.untouched), (0, 0), f"packets of queue {queue.queue} aborted and untouched")
    take_faults(world)
    between(min(ends.sent, ends.untouched), config.count, 1 << 20, "packets sent and untouched at resets")


async def all_in_flight(world: World, queues: int) -> None:
    """Each queue in turn is reset while as many frames of it are in the device as can be, on a wire that takes none.

    No reset is over before each of them has met its end; none of them comes after.
    """
    start(world, 10_000_000)
    for number in range(queues):
        queue = Queue(world, number, log2=10)
        load = Load(world, queue, Random(number), errors=0)
        queue.enable()
        load.post(queue.entries, (60,), (1,))
        await world.pause(100_000)
        await queue.reset()
        await settled(queue)
        between(load.judge().aborted, 450, 512, f"packets of queue {number} aborted")
        load.forget()
        queue.enable()
        load.post(10, (60,))
        await world.pause(1_000_000)
        queue.take()
        same(load.judge(), Tally(10, 0, 0, 0), f"packets of queue {number} after the reset")


async def settled(queue: Queue) -> None:
    """After a reset all of a queue's state is as at power-up, and its completion ring is left alone."""
    for name in ("HEAD", "FETCHED", "CPL_WRITTEN", "CTRL"):
        same(await queue.get(name), 0, f"Q_{name} after the reset")
    same(await queue.get("STATUS"), 1, "Q_STATUS after the reset")
    same(queue.image(), bytes(len(queue.completions)), "completion ring after the reset")


async def drain(world: World, config: Resets) -> None:
    """Disabled at random times, a queue comes to rest between packets and loses none; it goes on when it is enabled."""
    random = Random(config.seed)
    start(world, config.rate_bps, config.at_fetch, config.bound)
    queues = [Queue(world, number, log2=7) for number in range(config.queues)]
    loads = [Load(world, queue, random, config.errors) for queue in queues]
    for queue in queues:
        queue.enable()
    stopped = 0
    queue = queues[0]
    for lap in range(config.count):
        for load in loads:
            load.queue.take()
            load.queue.consume()
            load.post(random.randint(1, config.batch), config.sizes)
        await world.pause(int(config.span_ns ** random.random()))
        queue.put("CTRL", 0)
        for _ in range(10_000):
            if await queue.get("STATUS") & 1:
                break
        same(await queue.get("STATUS"), 1, f"Q_STATUS, drained for the {lap}th time")
        queue.take()
        same(await queue.get("CPL_WRITTEN"), queue.consumed & 0xFFFF, "Q_CPL_WRITTEN, all taken")
        frames, image = len(sent(world, 0)), queue.image()
        same(await queue.get("RING_LOG2"), 7, "Q_RING_LOG2")
        queue.put("RING_LOG2", 7)  # which is refused unless the queue is idle
        await world.pause(random.choice((100, 3_000)))
        same(len(sent(world, 0)), frames, "frames of a queue that is disabled")
        same(queue.image(), image, "completion ring of a queue that is disabled")
        stopped += queue.done != queue.tail
        queue.enable()
    for load in loads:
        for _ in range(2_000):
            load.queue.take()
            load.queue.consume()
            if load.queue.done == load.queue.tail and await load.queue.get("STATUS") & 1:
                break
            await world.pause(2_000)
        tally = load.judge(config.at_fetch)
        same((tally.aborted, tally.untouched), (0, 0), f"packets of queue {load.queue.queue} aborted and untouched")
    register_faults = [fault for fault in take_faults(world) if fault[0].startswith("register")]
    same(register_faults, [], "register writes refused")
    between(stopped, 1, config.count, "times that the queue was stopped with packets left")


async def half_posted(world: World, config: tuple[int, int]) -> None:
    """Packets without their end hold up their own queues only, and are sent when it comes.

    ``config``: (queues that are held up, descriptors that each has of its packet).
    """
    held_up, count = config
    start(world)
    holding = [Queue(world, number, log2=8) for number in range(held_up)]
    free = Queue(world, held_up, log2=8)
    piece = world.memory.map(payloads([20])[0])
    for queue in (*holding, free):
        queue.enable()
    # each begins at another place of a group of 8
    for shift, queue in enumerate(holding):
        for _ in range(shift + 3):
            queue.post(piece, 20, EOP | REPORT)
        for _ in range(count):
            queue.post(piece, 20, 0)
        queue.doorbell()
    data = payloads(range(60, 160))
    for lap in range(5):
        for each in data:
            free.packet(each[:9], each[9:])
        free.doorbell()
        await free.wait(len(data) * (lap + 1))
        free.consume()
    await world.pause(2_000)
    for shift, queue in enumerate(holding):
        queue.take()
        same(len(queue.got), shift + 3, f"completions of queue {queue.queue} with a packet without its end")
        queue.post(piece, 20, EOP | REPORT)
        queue.doorbell()
        await queue.wait(shift + 4)
        same(outcomes(queue.got)[-1], (shift + 4 + count, Status.OK, 1), f"completion of queue {queue.queue}")
        same(len(sent(world, queue.queue)[-1].data), max(60, 20 * (count + 1)), "bytes of the packet that got its end")
    same([frame.data for frame in sent(world, held_up)], data * 5, "frames of the queue that was free")


async def prefetched(world: World, config: tuple[int, int]) -> None:
    """Resets with descriptors prefetched, half a packet among them, give all their storage back.

    How many are prefetched while nothing may be sent shows how much there is. ``config``: (queues, resets).
    """
    count, laps = config
    random = Random(count)
    queues = [Queue(world, number, log2=10) for number in range(count)]
    piece = world.memory.map(payloads([60])[0])

    async def fetched() -> list[int]:
        for queue in queues:
            queue.enable()
            for _ in range(900):
                queue.post(piece, 60, EOP)
            queue.doorbell()
        await world.pause(30_000 + 4 * latency_ns(world))
        return [await queue.get("FETCHED") for queue in queues]

    first = await fetched()
    between(sum(first), 512 if count == 1 else 512 + 64 * count, 900 * count, "descriptors prefetched")
    for _ in range(laps):
        for queue in queues:
            await queue.reset()
            await settled(queue)
            queue.enable()
            for _ in range(random.randint(1, 200)):
                queue.post(piece, 60, random.choice((0, EOP)))
            queue.doorbell()
            await world.pause(random.randint(1, 2_000))
    for queue in queues:
        await queue.reset()
    same(sorted(await fetched()), sorted(first), "descriptors prefetched after resets")
    same(len(sent(world)), 0, "frames while the device is disabled")

    # and they are good
    start(world)
    for queue in queues:
        last = queue.tail
        for _ in range(2_000):
            if await queue.get("HEAD") == last:
                break
        same(await queue.get("HEAD"), last, "Q_HEAD")
    same(len(sent(world)), 900 * count, "frames")


async def of_every_state(world: World, config: None) -> None:
    """A queue that is fresh, disabled, half posted, held by the device or by its completion ring can be reset."""
    start(world)
    queue = Queue(world)
    data = payloads([60])[0]
    same(await queue.reset(), [], "completions of a fresh queue's reset")
    await settled(queue)

    queue.packet(data)
    queue.doorbell()
    same(await queue.reset(), [], "completions of a disabled queue's reset")
    await settled(queue)

    queue.enable()
    for _ in range(30):
        queue.post(world.memory.map(data), 60, 0)
    queue.doorbell()
    await world.pause(3_000)
    same(await queue.reset(), [], "completions with half a packet posted")
    await settled(queue)

    queue.enable()
    for _ in range(63):
        queue.packet(data)
    queue.doorbell()
    await world.pause(10_000)
    for _ in range(30):
        queue.packet(data)
    queue.doorbell()
    await world.pause(10_000)
    frames = len(sent(world))
    queue.take()
    stalled = len(queue.got)
    between(stalled, 56, 64, "completions before the queue was stalled")
    same(frames, stalled, "frames before the queue was stalled")
    same(await queue.reset(), [], "completions of a stalled queue's reset")
    await settled(queue)

    world.port().write(GLOBAL_OFFSETS["CTRL"], 4)
    queue.enable()
    for _ in range(20):
        queue.packet(data)
    queue.doorbell()
    await world.pause(5_000)
    same(await queue.reset(), [], "completions of the reset of a queue that the device holds")
    await settled(queue)
    world.port().write(GLOBAL_OFFSETS["CTRL"], 5)

    before = len(queue.got)
    queue.enable()
    queue.send(data)
    await queue.wait(before + 1)
    same(outcomes(queue.got[before:]), [(1, Status.OK, 1)], "completion afterwards")
    same(len(sent(world)), frames + 1, "frames afterwards")


async def meanwhile(world: World, config: None) -> None:
    """While a reset runs, register writes that would disturb it are refused; what is gathered is written first."""
    start(world, 100_000_000)
    queue = Queue(world)
    queue.put("CPL_THRESHOLD", 16)
    queue.enable()
    sizes = [60, 60, 60, 1514, 1514, 60, 1514]
    for data in payloads(sizes):
        queue.packet(data)
    queue.doorbell()
    await world.pause(30_000)  # three are out, their completions are gathered, and the fourth is on the wire
    same(queue.take(), [], "completions before the reset")
    now_ps = world.timeline.now_ns * 1000
    names = {"CTRL": (0, 1, 2, 3), "TAIL": (20,), "RING_LOG2": (7,), "CPL_LO": (0,)}
    refused = []
    world.post_write(now_ps, queue_register("CTRL", 0), 2)
    for name, values in names.items():
        for value in values:
            now_ps += 40_000
            world.post_write(now_ps, queue_register(name, 0), value)
            refused.append(("register write", queue_register(name, 0)))
    await world.pause(5_000)
    same(await queue.get("CTRL"), 2, "Q_CTRL while a frame is on the wire")
    faults = take_faults(world)
    if faults or hasattr(world, "faults"):
        same(faults, refused, "refused writes")
    queue.take()
    same(len(queue.got), 3, "completions while the fourth frame is on the wire")
    world.port().write(queue_register("CPL_CONSUMED", 0), 3)
    await world.pause(1_000)
    same(take_faults(world), [], "refused writes of what was consumed")
    for _ in range(4_000):
        if not await queue.get("CTRL"):
            break
    queue.take()
    out = len(sent(world))
    between(out, 4, 5, "frames")
    # the sixth packet was posted when nothing had been dropped: all that were taken are told of
    want = [(number + 1, Status.OK if number < out else Status.ABORTED, int(number < out)) for number in range(7)]
    same(outcomes(queue.got), want, "completions")
    same((await counters(world))["ERR_ABORTED"], 7 - out, "ERR_ABORTED")
    same(await queue.get("RING_LOG2"), 6, "Q_RING_LOG2")
