"""Schedules of doorbells, resets and changes of every setting that may change under way: what RTL and twin agree on.

When a packet leaves is each device's own affair, and so is what a reset still finds in it. What is not: of each queue
the same frames leave in the same order, each packet ends once, an arming brings one interrupt, and nothing comes after
a reset.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from random import Random
from typing import Any, NamedTuple

from ringwire.host.world import World
from ringwire.nic.descriptors import Status
from ringwire.nic.pacer import byte_time
from ringwire.nic.registers import MIN_WEIGHT
from tests.control.bench import Outcome, Queue, counters, outcomes, same, sent, take_faults, until, wire
from tests.control.load import Load
from tests.control.reset import settled
from tests.raw_queue import start

LOG2, MOST = 7, 6
"""Size of the rings, and packets posted at a time: a lap fills no ring, or a device would decide how many there are."""
ROUNDS = 3
GBIT = 10**9
LIMIT_NS = 200_000_000


@dataclass(frozen=True)
class Upheaval:
    """A random schedule: everything in it comes from the seed."""

    seed: int
    laps: int = 10
    queues: int = 4
    resets: float = 0.4
    """Share of the laps that end with one."""


class Lap(NamedTuple):
    """What became of what was posted on a queue between two times at which it stood still."""

    was_reset: bool
    frames: list[bytes]
    ends: list[Outcome]
    """What completions told, up to the first packet that a reset aborted."""
    interrupts: int


async def record(world: World, config: Upheaval) -> dict[str, Any]:
    """Each queue's laps, and what the device counted. Each lap is judged by itself."""
    random = Random(config.seed)
    at_fetch = random.random() < 0.2
    start(world, random.choice((0, GBIT, 10 * GBIT, 100 * GBIT)), at_fetch, random.choice((0, 3000, 20_000)))
    users = [User(world, number, random.getrandbits(32), at_fetch) for number in range(config.queues)]
    for _ in range(config.laps):
        for user in users:
            user.begin()
        for _ in range(ROUNDS):
            for user in users:
                user.act()
            held = random.random() < 0.1
            world.flow_control(held, random.getrandbits(8) if held else 0)
            await world.pause(int(8_000 ** random.random()))
            world.flow_control(False)
        for user in users:
            await (user.reset() if user.random.random() < config.resets else user.finish())
    take_faults(world)
    seen = await counters(world)
    same(seen["TX_FRAMES"], len(wire(world)), "frames that are counted")
    return {
        "laps": {user.queue.queue: user.laps for user in users},
        "doorbells": seen["DOORBELLS"],
        "state": {user.queue.queue: [await user.queue.get(name) for name in ("CTRL", "STATUS")] for user in users},
    }


class User:
    """What one queue is made to do; its randomness is its own, as the order between queues is not of the contract."""

    def __init__(self, world: World, number: int, seed: int, at_fetch: bool) -> None:
        self.world = world
        self.random = Random(seed)
        self.queue = Queue(world, number, LOG2)
        self.load = Load(world, self.queue, self.random)
        self.laps: list[Lap] = []
        self._at_fetch = at_fetch
        self._before = (0, 0, 0)
        self.change(some=False)
        self.queue.enable()

    def begin(self) -> None:
        """Ask for an interrupt and post the first packets."""
        queue = self.queue
        frames = len(sent(self.world, queue.queue))
        self._before = (frames, len(queue.got), len(queue.interrupts))
        queue.arm()
        self.load.post(self.random.randint(1, MOST))

    def act(self) -> None:
        """A doorbell for more, the same one again, or other settings."""
        choice = self.random.randrange(4)
        if choice == 0:
            self.load.post(self.random.randint(1, MOST))
        elif choice == 1:
            self.queue.doorbell()
        else:
            self.change()

    def change(self, some: bool = True) -> None:
        """Other moderation, batching, rate, weight and priority, or some of them."""
        random, put = self.random, self.queue.put
        settings = {
            "MOD_NS": random.choice((0, 1_000, 20_000)),
            "CPL_THRESHOLD": random.choice((1, 1, 3, 16)),
            "CPL_TIMER_NS": random.choice((200, 3_000)),
            "PRIORITY": random.randrange(8),
            "WEIGHT": random.choice((0, 0, MIN_WEIGHT, 3_000, 100_000)),
        }
        rate = random.choice((0, 0, GBIT // 5, GBIT, 10 * GBIT))
        unit = byte_time(rate) if rate else 0
        for name in random.sample(sorted(settings), random.randint(1, len(settings))) if some else settings:
            put(name, settings[name])
            if name == "MOD_NS":  # without a time, what is gathered for its number might wait for ever
                put("MOD_FRAMES", random.choice((0, 4, 30)) if settings[name] else 0)
        put("BYTE_TIME_LO", unit & 0xFFFFFFFF)
        put("BYTE_TIME_HI", unit >> 32)

    async def finish(self) -> None:
        """All that was posted comes to its end, and the interrupt has come."""
        queue, interrupts = self.queue, self._before[2]

        def over() -> bool:
            queue.take()
            return queue.done == queue.tail and len(queue.interrupts) > interrupts

        await until(self.world, over, f"the end of lap {len(self.laps)} of queue {queue.queue}", LIMIT_NS, 2_000)
        while not await queue.get("STATUS") & 1:
            await self.world.pause(1_000)
        queue.take()
        queue.consume()
        self._judge(was_reset=False)

    async def reset(self) -> None:
        """Reset the queue wherever it is, and let it go on."""
        await self.queue.reset(LIMIT_NS)
        await settled(self.queue)
        self._judge(was_reset=True)
        self.queue.enable()

    def _judge(self, was_reset: bool) -> None:
        queue, (frames, completions, interrupts) = self.queue, self._before
        tally = self.load.judge(self._at_fetch)
        assert was_reset or (tally.aborted, tally.untouched) == (0, 0), tally
        self.load.forget()
        ends = list(takewhile(lambda end: end[1] is not Status.ABORTED, outcomes(queue.got[completions:])))
        left = [frame.data for frame in sent(self.world, queue.queue)[frames:]]
        self.laps.append(Lap(was_reset, left, ends, len(queue.interrupts) - interrupts))


def agree(rtl: dict[str, Any], twin: dict[str, Any], what: str) -> int:
    """AssertionError unless two records agree; the laps with a reset that found packets still to be sent."""
    same(rtl["doorbells"], twin["doorbells"], f"{what}doorbells")
    same(rtl["state"], twin["state"], f"{what}registers at the end")
    cut = 0
    for queue, laps in twin["laps"].items():
        for number, (mine, other) in enumerate(zip(rtl["laps"][queue], laps, strict=True)):
            where = f"{what}queue {queue}, lap {number}: "
            same(mine.was_reset, other.was_reset, f"{where}reset")
            if not mine.was_reset:
                same(mine, other, where)
                continue
            for name, one, two in (("frame", mine.frames, other.frames), ("end", mine.ends, other.ends)):
                both = min(len(one), len(two))
                same(one[:both], two[:both], f"{where}{name}s before the reset ")
                cut += len(one) != len(two)
            assert mine.interrupts <= 1 and other.interrupts <= 1, f"{where}{mine.interrupts}, {other.interrupts} irqs"
    return cut
