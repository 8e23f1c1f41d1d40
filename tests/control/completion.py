"""Completions: what they say, when they come, how they are gathered, and that their ring can't overflow."""

from __future__ import annotations

from random import Random

from ringwire.cosim.world import SimulatedWorld
from ringwire.host.world import World
from ringwire.nic.descriptors import COMPLETION_BYTES, Completion, CplFlag, Status, pack_completion, unpack_completion
from tests.control.bench import (
    Outcome,
    Queue,
    between,
    counters,
    latency_ns,
    ok,
    outcomes,
    period_ps,
    same,
    sent,
    stamp,
    take_faults,
    until,
)
from tests.raw_queue import EOP, REPORT, TSTAMP, payloads, start

GIGABIT = 1_000_000_000
FCS = 4


def byte_ns(rate_bps: int) -> int:
    """Time of a byte on the wire, for rates at which that is a whole number."""
    assert 8_000_000_000 % rate_bps == 0
    return 8_000_000_000 // rate_bps


def ring_image(entries: int, completions: list[Completion]) -> bytes:
    """What a completion ring holds after these, the phase of which is told by their place."""
    image = bytearray(entries * COMPLETION_BYTES)
    for number, completion in enumerate(completions):
        phase = 1 - (number // entries & 1)
        at = number % entries * COMPLETION_BYTES
        image[at : at + COMPLETION_BYTES] = pack_completion(*completion._replace(phase=phase))
    return bytes(image)


async def passes(world: World, config: tuple[int, int, int]) -> None:
    """Packets of every kind over several passes of ring and completion ring.

    Only those that ask get a completion, with ring index, time of the first beat, flag and phase; and in the end the
    ring holds these and no other byte. ``config``: (log2 of the entries, passes, seed).
    """
    log2, laps, seed = config
    random = Random(seed)
    start(world, 100 * GIGABIT)
    queue = Queue(world, log2=log2)
    queue.enable()
    want: list[tuple[int, int, CplFlag]] = []
    frames: list[bytes] = []
    reports = 0
    done = 0
    while reports < laps * queue.entries:
        done_before = len(frames)
        for data in payloads(random.choices((60, 61, 64, 65, 127, 300), k=random.randint(1, queue.entries // 4))):
            parts = random.randint(1, 3)
            if queue.room(done) < parts:
                break
            cuts = sorted(random.sample(range(1, len(data)), parts - 1))
            pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
            asks = random.random() < 0.7
            stamped = random.random() < 0.5
            # on any one of its descriptors, the wish counts
            where = random.randrange(parts), random.randrange(parts)
            for number, piece in enumerate(pieces):
                flags = REPORT * (asks and number == where[0]) | TSTAMP * (stamped and number == where[1])
                addr = world.memory.map(piece)
                queue.post(addr, len(piece), flags | (number == parts - 1))
            if asks:
                want.append((len(frames), queue.tail, CplFlag.TSTAMP if stamped else CplFlag(0)))
                reports += 1
            frames.append(data)
        queue.doorbell()
        await queue.wait(reports)
        await until(world, lambda: len(sent(world)) == len(frames), f"{len(frames)} frames, from {done_before}")
        done = queue.tail
        queue.consume()
    same([frame.data for frame in sent(world)], frames, "frames")
    starts = [frame.start_ps for frame in sent(world)]
    completions = [
        ok(index, stamp(starts[number]), flags, 1 - (place // queue.entries & 1))
        for place, (number, index, flags) in enumerate(want)
    ]
    same(queue.got, completions, "completions")
    await world.pause(2 * latency_ns(world))
    same(queue.image(), ring_image(queue.entries, completions), "completion ring")
    same(await queue.get("CPL_WRITTEN"), reports & 0xFFFF, "Q_CPL_WRITTEN")
    same(await queue.get("HEAD"), queue.tail, "Q_HEAD")


async def threshold(world: World, config: tuple[int, int]) -> None:
    """Completions are written when so many have gathered, the rest when the oldest has waited for the timer.

    ``config``: (threshold, completions in a beat).
    """
    enough, lanes = config
    start(world, 10 * GIGABIT)
    queue = Queue(world)
    queue.put("CPL_THRESHOLD", enough)
    queue.enable()
    data = payloads([60])[0]
    count = 2 * enough + enough // 2
    whole = count // enough * enough
    for _ in range(count):
        queue.packet(data)
    queue.doorbell()
    await until(world, lambda: len(sent(world)) == count, "frames")
    await world.pause(100 + 2 * latency_ns(world))
    queue.take()
    same(outcomes(queue.got), [(i + 1, Status.OK, 1) for i in range(whole)], "completions by the threshold")
    if isinstance(world, SimulatedWorld):
        lines = sum((at + enough - 1) // lanes - at // lanes + 1 for at in range(0, whole, enough))
        same(world.count("writes"), lines, "memory writes")

    # the rest is written once others have filled the threshold up
    for _ in range(-count % enough):
        queue.send(data)
    count += -count % enough
    await queue.wait(count)
    same(outcomes(queue.got), [(i + 1, Status.OK, 1) for i in range(count)], "completions")

    if enough > 1:
        timer_ns = 7_777
        queue.consume()
        queue.put("CPL_TIMER_NS", timer_ns)
        queue.put("CPL_THRESHOLD", enough)
        queue.arm()
        begin = len(sent(world))
        queue.send(data)
        if enough > 2:
            queue.send(data)
        fresh = min(enough - 1, 2)
        await until(world, lambda: bool(queue.interrupts), "an interrupt", 20_000, 4)
        fcs_end_ns = sent(world)[begin].start_ps // 1000 + -(-(60 + FCS) * 8 // 10)
        cycle = period_ps(world) // 1000
        wait_ns = queue.interrupts[0] - fcs_end_ns - latency_ns(world)
        between(wait_ns, timer_ns, timer_ns + 20 * cycle, "wait of the first for others")
        same(len(queue.take()), fresh, "completions by the timer")


async def on_the_wire(world: World, rate_bps: int) -> None:
    """A completion is written when the frame's FCS has ended on the wire: not before, and soon after."""
    start(world, rate_bps)
    queue = Queue(world)
    queue.enable()
    sizes = [60, 1, 1514, 61, 333, 9000]
    for number, data in enumerate(payloads(sizes)):
        queue.arm()
        begun = world.timeline.now_ns
        queue.send(data, flags=REPORT | TSTAMP)
        interrupts = len(queue.interrupts)
        await until(world, lambda n=number: len(sent(world)) > n or bool(queue.seen()), "a frame", step_ns=20)  # type: ignore[misc]
        between(sent(world)[number].start_ps // 1000, begun, begun + 10_000 + latency_ns(world) * 3, "start")
        wire_ns = -(-(max(60, sizes[number]) + FCS) * 8_000_000_000 // rate_bps)
        end_ns = sent(world)[number].start_ps // 1000 + wire_ns
        # the bytes are in memory before the response comes, and never before the frame has ended
        world.port().call_at(end_ns - 1, lambda: same(queue.seen(), [], "completions while the frame is on the wire"))
        await queue.wait(number + 1)
        await until(world, lambda n=interrupts: len(queue.interrupts) > n, "an interrupt", step_ns=20)  # type: ignore[misc]
        cycle = -(-period_ps(world) // 1000)
        late = queue.interrupts[-1] - end_ns
        between(late, latency_ns(world), latency_ns(world) + 20 * cycle, f"interrupt after the end of frame {number}")
        same(queue.got[-1], ok(number + 1, stamp(sent(world)[number].start_ps), CplFlag.TSTAMP), "completion")


async def at_fetch(world: World, config: None) -> None:
    """With COMPLETE_AT_FETCH packets complete once they are in the device, in order, while the wire is busy."""
    start(world, 10_000_000, complete_at_fetch=True)
    queue = Queue(world)
    queue.enable()
    sizes = [1514, 60, 600, 61, 1000]
    asks = [True, True, False, True, True]
    for data, asked in zip(payloads(sizes), asks, strict=True):
        queue.packet(data, flags=REPORT if asked else 0)
    queue.doorbell()
    await queue.wait(4)
    now_ns = world.timeline.now_ns
    assert now_ns < 20_000 + 4 * latency_ns(world), f"completions came at {now_ns} ns only"
    same(len(sent(world)), 1, "frames on the wire by then")
    same(outcomes(queue.got), [(i + 1, Status.OK, 1) for i in range(5) if asks[i]], "completions")
    await until(world, lambda: len(sent(world)) == 5, "frames", step_ns=10_000)
    same([frame.data for frame in sent(world)], [data.ljust(60, b"\0") for data in payloads(sizes)], "frames")
    await world.pause(2_000_000)
    same(queue.take(), [], "more completions")


async def full_ring(world: World, config: tuple[int, int, int]) -> None:
    """A queue whose completions nobody consumes stops before its ring overflows, alone, and goes on afterwards.

    ``config``: how many refused doorbells are reported into the full ring; the queue; its size as a power of two.
    """
    events_wanted, number, log2 = config
    start(world, 10 * GIGABIT)
    stalled, other = Queue(world, number, log2), Queue(world, number ^ 1)
    stalled.enable()
    other.enable()
    data = payloads(60 + n % 200 for n in range(3 * stalled.entries + 8))
    posted = 0
    # its descriptors are free as soon as its frames are gone, completions or not
    for _ in range(6):
        while posted < len(data) and stalled.room(await stalled.get("HEAD")):
            stalled.packet(data[posted])
            posted += 1
        stalled.doorbell()
        await world.pause(160 * stalled.entries)
    went = len(sent(world, number))
    between(went, stalled.entries - 8, stalled.entries, "frames of the queue that is not consumed")
    for _ in range(events_wanted):
        stalled.put("TAIL", stalled.entries)
        await world.pause(2_000)
    take_faults(world)
    written = await stalled.get("CPL_WRITTEN")
    between(written, went, stalled.entries, "completions of the queue that is not consumed")
    full = stalled.image()
    stalled.take()
    same(len(stalled.got), written, "completions in memory")
    events = [(stalled.tail, Status.BAD_DOORBELL, 0)] * (written - went)
    if events_wanted:
        between(len(events), 1, events_wanted, "refused doorbells that were reported")
    first = [((i + 1) % stalled.entries, Status.OK, 1) for i in range(went)]
    same(outcomes(stalled.got), first + events, "completions of the queue that is not consumed")

    for each in data[:50]:
        other.packet(each)
    other.doorbell()
    await other.wait(50)
    await world.pause(20_000)
    same(stalled.image(), full, "completion ring while nothing is consumed")
    same(len(sent(world, number)), went, "frames of the queue that is not consumed")

    # as soon as some are consumed, as many more come
    reports: list[Outcome] = []
    while len(reports) < len(data):
        stalled.consume()
        while posted < len(data) and stalled.room(await stalled.get("HEAD")):
            stalled.packet(data[posted])
            posted += 1
        stalled.doorbell()
        await world.pause(80 * stalled.entries)
        stalled.take()
        reports = [entry for entry in outcomes(stalled.got) if entry[1] is Status.OK]
        assert world.timeline.now_ns < 50_000 * stalled.entries, f"only {len(reports)} of {len(data)} packets reported"
    same([frame.data for frame in sent(world, number)], data, "frames of the queue that was stalled")
    all_of_them = [((i + 1) % stalled.entries, Status.OK, 1) for i in range(len(data))]
    same(reports, all_of_them, "completions of the queue that was stalled")

    # and when it stands again, it has as many slots as before
    stalled.consume()
    before = len(sent(world, number))
    for _ in range(2):
        for _ in range(min(stalled.room(await stalled.get("HEAD")), stalled.entries // 2)):
            stalled.packet(data[0])
        stalled.doorbell()
        await world.pause(160 * stalled.entries)
    for _ in range(min(stalled.room(await stalled.get("HEAD")), 8)):
        stalled.packet(data[0])
    stalled.doorbell()
    await world.pause(20_000)
    between(len(sent(world, number)) - before, stalled.entries - 8, stalled.entries, "frames of it the second time")


async def slots_come_back(world: World, config: tuple[int, bool, bool]) -> None:
    """Completion slots are free again once consumed, or at the end of a frame that asks for no completion.

    ``config``: (queues, whether frames complete once they are in the frame buffer, whether all ask for completions).
    """
    count, fetched, told = config
    start(world, complete_at_fetch=fetched)
    queues = [Queue(world, number) for number in range(count)]
    data = payloads([60])[0]
    addr = world.memory.map(data)
    half = queues[0].entries // 2
    for queue in queues:
        queue.enable()
    for lap in range(1, 6):
        for queue in queues:
            for number in range(half):
                queue.post(addr, len(data), EOP | (REPORT if told or number == half - 1 else 0))
            queue.doorbell()
        for queue in queues:
            await queue.wait(lap * (half if told else 1), 100_000)
            queue.consume()


async def hoard(world: World, config: int) -> None:
    """Queues that stand with all the descriptors they can hold leave enough of the storage to others.

    ``config``: queues that stand, because their completions are not consumed; of the next, one has half a packet
    posted, and the last one works.
    """
    start(world)
    standing = [Queue(world, number, log2=9) for number in range(config)]
    half, working = Queue(world, config, log2=7), Queue(world, config + 1, log2=7)
    data = payloads([60])[0]
    addr = world.memory.map(data)
    for queue in (*standing, half, working):
        queue.enable()
    for _ in range(2):
        for queue in standing:
            for _ in range(queue.entries - 2):
                queue.post(addr, len(data), EOP | REPORT)
            queue.doorbell()
        await world.pause(30_000)
    for queue in standing:
        between(len(sent(world, queue.queue)), queue.entries - 8, queue.entries, f"frames of queue {queue.queue}")
    for _ in range(63):
        half.post(addr, len(data), 0)
    half.doorbell()
    for lap in range(4):
        for _ in range(1 if lap == 0 else 40):
            for number in range(50 if lap == 0 else 1):
                working.post(addr, 1 if number else len(data), EOP | REPORT if lap or number == 49 else 0)
        working.doorbell()
        await working.wait(1 + 40 * lap)
        working.consume()
    half.post(addr, len(data), EOP | REPORT)
    half.doorbell()
    await half.wait(1)
    same(outcomes(half.got), [(64, Status.OK, 1)], "completions of the packet that was half posted")
    for queue in standing:
        frames = len(sent(world, queue.queue))
        queue.take()
        queue.consume()
        await until(world, lambda q=queue, n=frames: len(sent(world, q.queue)) > n, "frames again")  # type: ignore[misc]


async def events_take_slots(world: World, count: int) -> None:
    """As many refused doorbells use completion slots and give them back, over several passes of the ring."""
    start(world)
    queue = Queue(world)
    queue.enable()
    data = payloads([60])[0]
    want = []
    for number in range(count):
        queue.put("TAIL", queue.entries + number)
        await queue.wait(2 * number + 1, 50_000)
        want.append((queue.tail, Status.BAD_DOORBELL, 0))
        queue.send(data)
        await queue.wait(2 * number + 2, 50_000)
        want.append((queue.tail, Status.OK, 1))
        queue.consume()
    take_faults(world)
    same(outcomes(queue.got), want, "completions")


async def head_record(world: World, config: tuple[int, int, int]) -> None:
    """With head write-back, reports move a record; only errors use the ring, and are there before the record says so.

    ``config``: (threshold, batches, seed).
    """
    enough, batches, seed = config
    random = Random(seed)
    start(world, 10 * GIGABIT)
    queue = Queue(world, head_write_back=True)
    queue.put("CPL_THRESHOLD", enough)
    queue.put("CPL_TIMER_NS", 1_000)
    queue.enable()
    data = payloads([60])[0]
    reported: list[tuple[int, Status]] = []
    records: list[tuple[int, int]] = [(0, 0)]
    last = 0

    def look() -> None:
        nonlocal last
        index, count = int.from_bytes(queue.head.mem[0:2], "little"), int.from_bytes(queue.head.mem[2:4], "little")
        if (index, count) != records[-1]:
            records.append((index, count))
            errors = sum(status is not Status.OK for _, status in reported[:count])
            queue.take()
            assert len(queue.got) >= errors, f"the record counts {errors} errors, the ring has {len(queue.got)}"
            last = count

    for _ in range(batches):
        for _ in range(random.randint(1, 20)):
            kind = random.random()
            if kind < 0.2:
                queue.post(world.memory.map(data), 0, 1)
                reported.append((queue.tail, Status.BAD_LENGTH))
            else:
                queue.packet(data, flags=REPORT if kind < 0.8 else 0)
                if kind < 0.8:
                    reported.append((queue.tail, Status.OK))
        queue.doorbell()
        deadline = world.timeline.now_ns + 100_000
        while last < len(reported):
            assert world.timeline.now_ns < deadline, f"the record counts {last} of {len(reported)}"
            await world.pause(4)
            look()
        queue.put("CPL_CONSUMED", last)
    await world.pause(2 * latency_ns(world))
    look()
    for index, count in records[1:]:
        same(index, reported[count - 1][0], f"INDEX of the record with COUNT {count}")
    errors = [(index, status, 0) for index, status in reported if status is not Status.OK]
    same(outcomes(queue.got), errors, "errors in the ring")
    seen = await counters(world)
    same(seen["CPL_WRITTEN"], len(errors), "CPL_WRITTEN")
    between(seen["HEAD_WRITTEN"], len(records) - 1, len(reported), "HEAD_WRITTEN")
    same(queue.image(), ring_image(queue.entries, queue.got), "completion ring")


async def phase_last(world: World, count: int) -> None:
    """On a bus of 64 bits the half of a completion that holds the phase is written after the other.

    ``count``: completions; each is looked at at every edge until it is whole, and half of them are met half written.
    """
    start(world, 10 * GIGABIT)
    queue = Queue(world)
    queue.enable()
    halves = set()
    data = payloads([60])[0]
    for number in range(count):
        queue.send(data)
        slot = number % queue.entries * COMPLETION_BYTES
        before = bytes(queue.completions.mem[slot : slot + COMPLETION_BYTES])
        deadline = world.timeline.now_ns + 10_000
        while True:
            entry = bytes(queue.completions.mem[slot : slot + COMPLETION_BYTES])
            lower, upper = entry[:8] != before[:8], entry[8:] != before[8:]
            assert lower or not upper, f"completion {number}: the half with the phase is there before the other"
            if upper:
                break
            if lower:
                halves.add(number)
            assert world.timeline.now_ns < deadline, f"no completion {number}"
            await world.pause(4)
        queue.take()
        queue.consume()
        same(unpack_completion(entry).ring_index, queue.tail, f"INDEX of completion {number}")
    between(len(halves), count // 2, count, "completions that were seen half written")


async def order(world: World, config: tuple[int, int]) -> None:
    """Packets of many queues, sent as fast as they can be: each queue's completions are in its ring's order.

    ``config``: (packets of a batch at most, seed).
    """
    most, seed = config
    random = Random(seed)
    start(world)
    queues = [Queue(world, number, log2=7) for number in range(4)]
    want: dict[int, list[Outcome]] = {number: [] for number in range(4)}
    data = payloads(range(1, 200))
    for queue in queues:
        queue.put("CPL_THRESHOLD", random.randint(1, 16))
        queue.put("CPL_TIMER_NS", 500)
        queue.enable()
    for _ in range(3):
        for queue in queues:
            for _ in range(random.randint(most // 3, most)):
                if random.random() < 0.1:
                    queue.post(world.memory.map(b"?"), 0, 1)
                    want[queue.queue].append((queue.tail, Status.BAD_LENGTH, 0))
                else:
                    queue.packet(random.choice(data))
                    want[queue.queue].append((queue.tail, Status.OK, 1))
            queue.doorbell()
        for queue in queues:
            await queue.wait(len(want[queue.queue]))
            queue.consume()
    same({queue.queue: outcomes(queue.got) for queue in queues}, want, "completions of queue ")
