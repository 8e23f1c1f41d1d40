"""Traffic that keeps account: what was posted on a queue, and what must have become of each packet."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from typing import NamedTuple

from ringwire.host.world import World
from ringwire.nic.descriptors import Completion, Status
from tests.control.bench import Queue, sent, short
from tests.raw_queue import EOP, REPORT


class Packet(NamedTuple):
    """A packet as it was posted."""

    data: bytes
    """Padded, as it must leave."""
    end: int
    """Ring index one past its last descriptor."""
    status: Status
    """What becomes of it if nothing stops its queue."""
    reported: bool
    addrs: tuple[int, ...]


class Tally(NamedTuple):
    """How many packets met which end."""

    sent: int
    failed: int
    aborted: int
    untouched: int


class Load:
    """Random packets for one queue, no two of them alike; each batch is to be judged when the queue stands still."""

    def __init__(self, world: World, queue: Queue, random: Random, errors: float = 0.1) -> None:
        self.world = world
        self.queue = queue
        self.random = random
        self.errors = errors
        self.posted: list[Packet] = []
        self.frames = 0
        """Frames of this queue that were judged."""
        self.judged = 0
        """Completions that were judged."""
        self._number = 0

    def post(
        self, most: int, sizes: tuple[int, ...] = (60, 61, 300, 1514), cuts: tuple[int, ...] = (1, 1, 2, 5)
    ) -> None:
        """Post up to ``most`` packets, as far as the ring has room, and ring the doorbell. The last one is reported.

        A packet has one of these sizes, and is cut into one of these numbers of fragments.
        """
        random, queue = self.random, self.queue
        for left in reversed(range(most)):
            parts = random.choice(cuts)
            if queue.room() < parts:
                break
            last = left == 0 or queue.room() < 2 * parts + 5
            status = random.choice((Status.BAD_LENGTH, Status.READ)) if random.random() < self.errors else Status.OK
            self._post(max(random.choice(sizes), 20), parts, status, last or random.random() < 0.7)
            if last:
                break
        queue.doorbell()

    def _post(self, size: int, parts: int, status: Status, reported: bool) -> None:
        self._number += 1
        head = b"%d/%d/" % (self.queue.queue, self._number)
        data = head + bytes((self._number + at) & 0xFF for at in range(size - len(head)))
        memory = self.world.memory
        cuts = [0, *sorted(self.random.sample(range(1, size), parts - 1)), size]
        addrs = []
        for number, (start, end) in enumerate(pairwise(cuts)):
            addr = memory.map(data[start:end])
            addrs.append(addr)
            length = 0 if status is Status.BAD_LENGTH and number == parts - 1 else end - start
            flags = (EOP if number == parts - 1 else 0) | (REPORT if reported and number == 0 else 0)
            self.queue.post(addr, length, flags)
        if status is Status.READ:
            memory.forbid(addrs[-1])
        self.posted.append(Packet(data.ljust(60, b"\0"), self.queue.tail, status, reported, tuple(addrs)))

    def judge(self, at_fetch: bool = False) -> Tally:
        """AssertionError unless each packet since the last time met one end, in order, of those that a reset leaves.

        Sent; failed by its own error; aborted, after which nothing is sent; or never taken, after which nothing is
        heard. With ``at_fetch`` a packet that was reported as sent may have been dropped all the same.
        """
        completions = self.queue.got[self.judged :]
        frames = [frame.data for frame in sent(self.world, self.queue.queue)][self.frames :]
        self.judged += len(completions)
        self.frames += len(frames)
        name = f"queue {self.queue.queue}"
        ends = {"sent": 0, "failed": 0, "aborted": 0, "untouched": 0}
        said = iter(completions)
        went = iter(frames)
        next_said: Completion | None = next(said, None)
        next_went: bytes | None = next(went, None)
        dropped = False
        for number, packet in enumerate(self.posted):
            what = f"{name}, packet {number} of {len(self.posted)}"
            told = next_said if next_said is not None and next_said.ring_index == packet.end else None
            left = next_went == packet.data
            end = "untouched"
            if told is not None:
                next_said = next(said, None)
                if told.status is Status.OK:
                    assert packet.reported, f"{what} was reported and had not asked for it"
                    assert left or at_fetch, f"{what} was reported as sent and did not leave"
                    end = "sent"
                elif told.status is Status.ABORTED:
                    assert packet.status is not Status.BAD_LENGTH, f"{what} was aborted, not {packet.status.name}"
                    assert not left, f"{what} was reported as aborted and left"
                    end = "aborted"
                else:
                    assert told.status is packet.status, f"{what}: {packet.status.name}, not {told.status.name}"
                    end = "failed"
                assert told.segments == (told.status is Status.OK), f"{what}: {told.segments} segments"
            elif left:
                assert not packet.reported, f"{what} left without the report it had asked for"
                end = "sent"
            if left:
                next_went = next(went, None)
                assert not dropped, f"{what} left after one before it had been aborted"
            dropped |= end == "aborted"
            if end != "untouched":
                silent = ends["untouched"]
                assert silent == 0 or (at_fetch and silent <= number), f"{what} was {end}, {silent} before it untouched"
            ends[end] += 1
        assert next_said is None, f"{name}: a completion of no packet: {next_said}"
        assert next_went is None, f"{name}: a frame of no packet: {short(next_went)}"
        return Tally(**ends)

    def forget(self) -> None:
        """The batch is over: its memory is unmapped, so that a read that is still to come would be a fault."""
        for packet in self.posted:
            for addr in packet.addrs:
                self.world.memory.unmap(addr)
        self.posted.clear()
