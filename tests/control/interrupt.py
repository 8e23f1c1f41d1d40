"""Interrupts: one for each arming, none lost, none early, moderated, and masked."""

from __future__ import annotations

from random import Random

from ringwire.host.world import PS_PER_NS, World
from ringwire.nic.descriptors import Status
from ringwire.nic.registers import queue_register
from tests.control.bench import (
    Queue,
    between,
    counters,
    latency_ns,
    outcomes,
    period_ps,
    same,
    sent,
    take_faults,
    until,
)
from tests.raw_queue import EOP, REPORT, payloads, read, start

FRAME = payloads([60])[0]


class Paced:
    """One queue that sends the same frame again and again, with the time from doorbell to interrupt known."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.cycle_ns = period_ps(world) // PS_PER_NS
        self.queue = Queue(world)
        self.addr = world.memory.map(FRAME, 0)
        self.delay_ns = 0

    async def calibrate(self) -> None:
        """Learn how long a frame takes from its doorbell to its interrupt."""
        start(self.world)
        self.queue.enable()
        self.queue.arm()
        await self.world.pause(1000)
        at_ns = await self.ring(0)
        await self.world.pause(20_000)
        same(len(self.queue.interrupts), 1, "interrupts of the first frame")
        self.queue.take()
        self.delay_ns = self.queue.interrupts[0] - at_ns

    def write(self, at_ns: int, name: str, value: int) -> None:
        self.world.post_write(at_ns * PS_PER_NS, queue_register(name, 0), value)

    def post(self) -> None:
        self.queue.post(self.addr, len(FRAME), EOP | REPORT)

    async def ring(self, extra: int) -> int:
        """Post a frame and ring for it at an edge to come; returns its time. ``extra`` cycles more until then."""
        self.post()
        at_ns = (self.world.timeline.now_ns // self.cycle_ns + 10 + extra) * self.cycle_ns
        self.write(at_ns, "TAIL", self.queue.tail)
        return at_ns

    async def settled(self) -> None:
        await self.world.pause(3 * self.delay_ns + 1000)


async def arm_race(world: World, config: tuple[int, int]) -> None:
    """The arming moved over every clock edge round a completion's arrival: each time there is one interrupt for it.

    ``config``: moderation, (frames, ns).
    """
    frames, mod_ns = config
    paced = Paced(world)
    queue = paced.queue
    await paced.calibrate()
    queue.put("MOD_FRAMES", frames)
    queue.put("MOD_NS", mod_ns)
    for edge in range(-24, 25):
        before = len(queue.interrupts)
        consumed = queue.consumed & 0xFFFF
        at_ns = await paced.ring(0)
        armed_ns = at_ns + paced.delay_ns + edge * paced.cycle_ns
        paced.write(armed_ns, "CPL_ARM", consumed)
        await world.pause(mod_ns)
        await paced.settled()
        same(outcomes(queue.take()), [(queue.tail, Status.OK, 1)], f"completions, armed {edge} edges after")
        same(len(queue.interrupts) - before, 1, f"interrupts, armed {edge} edges after the completion came")
        came = at_ns + paced.delay_ns
        latest = max(came + mod_ns, armed_ns) + 12 * paced.cycle_ns
        between(queue.interrupts[-1], came, latest, f"time of the interrupt armed {edge} edges after")


async def arm_ahead(world: World, config: None) -> None:
    """Software sees a completion before its write response comes and arms beyond it: no interrupt but for the next."""
    paced = Paced(world)
    queue = paced.queue
    await paced.calibrate()
    for edges in range(0, latency_ns(world) // paced.cycle_ns + 12):
        before = len(queue.interrupts)
        at_ns = await paced.ring(0)
        while not queue.take():
            assert world.timeline.now_ns < at_ns + 2 * paced.delay_ns, "no completion"
            await world.pause(paced.cycle_ns)
        paced.write(world.timeline.now_ns + edges * paced.cycle_ns, "CPL_ARM", queue.consumed & 0xFFFF)
        await paced.settled()
        same(len(queue.interrupts) - before, 0, f"interrupts, armed {edges} edges after the completion was seen")
        await paced.ring(0)
        await paced.settled()
        same(len(queue.take()), 1, "completions of the next frame")
        same(len(queue.interrupts) - before, 1, f"interrupts for the next, armed {edges} edges after")


async def one_shot(world: World, config: None) -> None:
    """One interrupt for each arming; an arming that is behind what is visible fires at once."""
    start(world)
    queue = Queue(world)
    queue.enable()
    cycle = period_ps(world) // PS_PER_NS
    for sent_so_far in range(1, 4):
        queue.send(FRAME)
        await queue.wait(sent_so_far)
    await world.pause(10_000)
    same(len(queue.interrupts), 0, "interrupts before the first arming")
    for consumed in (0, 1, 2):
        now = world.timeline.now_ns
        queue.put("CPL_ARM", consumed)
        await world.pause(5_000)
        same(len(queue.interrupts), consumed + 1, f"interrupts after arming at {consumed}")
        between(queue.interrupts[-1] - now, 0, 12 * cycle, f"arming at {consumed} to interrupt")
    queue.put("CPL_ARM", 3)
    await world.pause(20_000)
    same(len(queue.interrupts), 3, "interrupts after arming at what is visible")
    for number in range(5):
        queue.send(FRAME)
        await queue.wait(4 + number)
        await world.pause(2_000)
        same(len(queue.interrupts), 4, f"interrupts with {number + 1} frames since the arming")
    same((await counters(world))["INTERRUPTS"], 4, "INTERRUPTS")


async def masked(world: World, held_ns: int) -> None:
    """A masked interrupt is held, for ever if need be, and fires once when it is unmasked.

    ``held_ns``: how long it is held; the moderation timer runs meanwhile.
    """
    cycle = period_ps(world) // PS_PER_NS
    start(world)
    queue = Queue(world)
    queue.enable()
    fired = 0
    for mod_ns in (0, 1_000):
        queue.put("MOD_NS", mod_ns)
        queue.put("IRQ_MASK", 1)
        queue.arm()
        queue.send(FRAME)
        await queue.wait(fired + 1)
        await world.pause(held_ns)
        same(len(queue.interrupts), fired, "interrupts while masked")
        now = world.timeline.now_ns
        queue.put("IRQ_MASK", 0)
        await world.pause(10_000)
        fired += 1
        same(len(queue.interrupts), fired, "interrupts after unmasking")
        between(queue.interrupts[-1] - now, 0, 12 * cycle, f"unmasking to interrupt, moderated by {mod_ns} ns")
    queue.arm()
    await world.pause(10_000)
    for mask in (1, 0, 1, 0):
        queue.put("IRQ_MASK", mask)
        await world.pause(1_000)
    same(len(queue.interrupts), fired, "interrupts with nothing to announce")


async def mask_race(world: World, config: None) -> None:
    """Masking and unmasking moved over every edge round a completion's arrival lose no interrupt and double none."""
    paced = Paced(world)
    queue = paced.queue
    await paced.calibrate()
    for edge in range(-8, 9):
        for gap in (1, 2, 3):
            before = len(queue.interrupts)
            queue.arm()
            at_ns = await paced.ring(5)
            masked_ns = at_ns + paced.delay_ns + edge * paced.cycle_ns
            paced.write(masked_ns, "IRQ_MASK", 1)
            paced.write(masked_ns + gap * paced.cycle_ns, "IRQ_MASK", 0)
            await paced.settled()
            same(len(queue.take()), 1, "completions")
            same(len(queue.interrupts) - before, 1, f"interrupts, masked {edge} edges after for {gap}")


async def moderated(world: World, config: tuple[int, int]) -> None:
    """An interrupt comes with so many completions, or so long after the first; ``config``: (frames, ns), 0 for none."""
    frames, mod_ns = config
    start(world, 10_000_000_000)
    queue = Queue(world, log2=7)
    queue.put("MOD_FRAMES", frames)
    queue.put("MOD_NS", mod_ns)
    queue.enable()
    cycle = period_ps(world) // PS_PER_NS
    random = Random(frames)
    total = 0
    for lap in range(4):
        queue.arm()
        before = len(queue.interrupts)
        burst = random.randint(1, max(1, frames - 1)) if lap % 2 else max(2, frames)
        for _ in range(burst):
            queue.packet(FRAME)
        first = len(sent(world))
        queue.doorbell()
        total += burst
        await queue.wait(total)
        await world.pause(latency_ns(world) + 1_000)

        def visible_ns(number: int) -> int:
            """When the response to a frame's completion comes, at the earliest."""
            return sent(world)[number].start_ps // PS_PER_NS + 52 + latency_ns(world)

        if frames > 1 and burst >= frames:
            low = visible_ns(first + frames - 1)
            if mod_ns:
                low = min(low, visible_ns(first) + mod_ns)
        elif mod_ns:
            low = visible_ns(first) + mod_ns
        else:
            await world.pause(3_000_000)
            same(len(queue.interrupts) - before, 0, f"interrupts for {burst} of {frames} completions")
            for _ in range(frames - burst):
                queue.send(FRAME)
                total += 1
                await world.pause(5_000)
            queue.take()
            same(len(queue.interrupts) - before, 1, f"interrupts for {frames} completions")
            continue
        await world.pause(max(0, low - world.timeline.now_ns) + 1_000)
        same(len(queue.interrupts) - before, 1, f"interrupts for {burst} completions")
        between(queue.interrupts[-1], low, low + 16 * cycle, f"time of the interrupt for {burst} completions")
    same(await read(world, queue_register("CPL_WRITTEN", 0)), total, "completions")


async def errors_hurry(world: World, config: None) -> None:
    """The interrupt for an error does not wait for moderation; that for what follows does."""
    start(world)
    queue = Queue(world)
    mod_ns = 200_000
    queue.put("MOD_NS", mod_ns)
    queue.put("MOD_FRAMES", 1000)
    queue.put("CPL_THRESHOLD", 16)
    queue.put("CPL_TIMER_NS", 5_000)
    queue.enable()
    queue.arm()
    bad = world.memory.map(FRAME)
    queue.packet(FRAME)
    queue.post(bad, 0, EOP)
    queue.packet(FRAME)
    queue.doorbell()
    await until(
        world, lambda: len(queue.interrupts) == 1, "the interrupt of an error", 4_000 + 4 * latency_ns(world), 20
    )
    between(len(queue.take()), 2, 3, "completions with that interrupt")
    await queue.wait(3)

    # an error that was polled without an interrupt hurries nothing later
    queue.post(bad, 0, EOP)
    queue.doorbell()
    await queue.wait(4)
    await world.pause(5_000)
    queue.arm()
    await world.pause(5_000)
    same(len(queue.interrupts), 1, "interrupts for what was polled")
    queue.send(FRAME)
    await queue.wait(5)
    begun = world.timeline.now_ns
    await world.pause(mod_ns // 2)
    same(len(queue.interrupts), 1, "interrupts while moderation holds them")
    await world.pause(mod_ns)
    same(len(queue.interrupts), 2, "interrupts after moderation")
    between(queue.interrupts[-1], begun + mod_ns - 2_000, begun + mod_ns + 2_000, "time of the moderated interrupt")


async def after_the_response(world: World, config: None) -> None:
    """An interrupt comes after the write response of all that it announces, however long that takes."""
    start(world)
    queue = Queue(world, log2=8)
    queue.enable()
    queue.arm()
    waits = []
    for _ in range(8):
        before = len(queue.interrupts)
        queue.send(FRAME)
        number = len(queue.got) + 1
        await queue.wait(number, step_ns=40)
        seen_ns = world.timeline.now_ns
        await until(world, lambda n=before: len(queue.interrupts) > n, "an interrupt", step_ns=200)  # type: ignore[misc]
        same(await queue.get("CPL_WRITTEN"), number, "Q_CPL_WRITTEN at the interrupt")
        waits.append(queue.interrupts[-1] - seen_ns)
        queue.arm()
    least = latency_ns(world) - 40 - 2 * period_ps(world) // PS_PER_NS
    between(min(waits), least, 100 * latency_ns(world), "from a completion in memory to its interrupt")


async def refused(world: World, config: None) -> None:
    """A consumed count beyond what there is changes nothing and is reported, for arming and for consuming alike."""
    start(world)
    queue = Queue(world)
    queue.enable()
    want = []
    for number, (name, beyond) in enumerate(
        [("CPL_CONSUMED", 1), ("CPL_ARM", 1), ("CPL_ARM", 0x8000), ("CPL_CONSUMED", 0xFFFF), ("CPL_ARM", 0x10000)]
    ):
        queue.send(FRAME)
        want.append((queue.tail, Status.OK, 1))
        await queue.wait(2 * number + 1)
        await world.pause(2 * latency_ns(world))
        queue.put(name, (queue.consumed & 0xFFFF) + beyond)
        want.append((queue.tail, Status.BAD_DOORBELL, 0))
        await queue.wait(2 * number + 2)
        await world.pause(5_000)
        same(len(queue.interrupts), 0, "interrupts of an arming that was refused")
        same(await queue.get("STATUS") >> 1, 0b10, "Q_STATUS")
    take_faults(world)
    same(outcomes(queue.got), want, "completions")
    same((await counters(world))["ERR_BAD_DOORBELL"], 5, "ERR_BAD_DOORBELL")
    queue.arm()
    queue.send(FRAME)
    await queue.wait(11)
    await world.pause(5_000)
    same(len(queue.interrupts), 1, "interrupts of an arming that was not")


async def nothing_lost(world: World, config: tuple[int, int, int]) -> None:
    """Software that works on interrupts alone, on every queue at once, gets all its completions.

    ``config``: (queues, packets of each, seed).
    """
    count, packets, seed = config
    random = Random(seed)
    start(world, 100_000_000_000)
    queues = [Queue(world, number) for number in range(count)]
    posted = [0] * count
    kept = payloads([60, 61, 200, 1514])
    for queue in queues:
        queue.put("CPL_THRESHOLD", random.choice([1, 1, 4, 16]))
        queue.put("CPL_TIMER_NS", random.choice([200, 1_000]))
        queue.put("MOD_FRAMES", random.choice([0, 1, 8]))
        queue.put("MOD_NS", random.choice([100, 2_000]))
        queue.enable()

        def work(queue: Queue = queue) -> None:
            queue.take()
            free = queue.room()
            for _ in range(min(free, random.randint(1, 12), packets - posted[queue.queue])):
                queue.packet(random.choice(kept))
                posted[queue.queue] += 1
            queue.doorbell()
            queue.arm()

        world.listen(queue.queue, world.cpus[0], work)
        work()

    def done() -> bool:
        return all(len(queue.got) == packets for queue in queues)

    for _ in range(4_000):
        if done():
            break
        await world.pause(1_000)
    same([len(queue.got) for queue in queues], [packets] * count, "completions of queue ")
