"""Super-packets back to back: how much of the line's rate their segments use, and what a segment costs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from ringwire.cosim.world import SimulatedWorld
from ringwire.driver.ringwire import commit_bound
from ringwire.host.world import World
from ringwire.nic.descriptors import DESCRIPTOR_BYTES, SegType, pack_offload
from ringwire.nic.pacer import wire_bytes
from ringwire.nic.registers import MAX_BUFFER
from tests.control.bench import Queue, latency_ns, period_ps, same
from tests.raw_queue import EOP, REPORT, start

L3, L4, HEADER = 14, 34, 66
"""Of TCP over IPv4 with the time stamp option."""


@dataclass(frozen=True)
class Supers:
    """Equal super-packets on each queue, all posted before the first doorbell."""

    mss: int
    rate_bps: int = 0
    """0: the pacer is open."""
    payload: int = 65_536
    packets: int = 4
    queues: int = 1

    @property
    def segments(self) -> int:
        """Of all packets."""
        return -(-self.payload // self.mss) * self.packets * self.queues


class Paced(NamedTuple):
    """How the segments of :class:`Supers` left, in clock cycles."""

    behind: float
    """That the last one starts behind the line's schedule, counted from one with which the device is ahead."""
    at_first: float
    """That this one starts behind the schedule counted from the first."""
    cycles: float
    """A segment."""


TO_READ = 9
"""Cycles from a descriptor's arrival to the read of what it names: see docs/performance.md."""
AHEAD = 2
"""Segments of each queue in whose time all descriptors come."""


def descriptor_beats(load: Supers, beat_bytes: int) -> int:
    """Of all packets: a beat of 64 bits is half a descriptor."""
    a_packet = 2 + -(-load.payload // MAX_BUFFER)
    return -(-a_packet * load.packets * load.queues * DESCRIPTOR_BYTES // beat_bytes)


def most_at_first(load: Supers, beat_bytes: int, latency_cycles: int) -> int:
    """Cycles that a line as fast as the bus can lose to descriptors when all rings are filled at once.

    Memory alternates between the two ids, so a frame's beats come at half speed until all descriptors have. Those that
    come before the first frame leaves cost nothing: its own packet's, one a cycle until its payload is asked for and
    while that is on the way, and then one for each of its beats.
    """
    own = descriptor_beats(replace(load, packets=1, queues=1), beat_bytes)
    frame = -(-HEADER // beat_bytes) + -(-load.mss // beat_bytes)
    return max(0, descriptor_beats(load, beat_bytes) - own - TO_READ - latency_cycles - frame)


async def back_to_back(world: World, load: Supers) -> Paced:
    """Frames are judged by their lengths and order. Less than one cycle behind is the line's whole rate."""
    assert isinstance(world, SimulatedWorld)
    bound = commit_bound(load.rate_bps, latency_ns(world), wire_bytes(HEADER + load.mss)) if load.rate_bps else 0
    start(world, load.rate_bps, bound=bound)
    queues = [Queue(world, number, log2=8) for number in range(load.queues)]
    header = bytearray(HEADER)
    header[12:16] = b"\x08\0\x45\0"
    header[23], header[46] = 6, 0x80
    addr = world.memory.map(bytes(header))
    buffers = [
        (world.memory.map(bytes(length), 0), length)
        for length in (min(MAX_BUFFER, load.payload - at) for at in range(0, load.payload, MAX_BUFFER))
    ]
    for queue in queues:
        queue.enable()
        for _ in range(load.packets):
            queue.post_raw(pack_offload(SegType.TCP4, load.mss, HEADER, L3, L4))
            queue.post(addr, HEADER, 0)
            for number, (at, length) in enumerate(buffers):
                queue.post(at, length, EOP | REPORT if number == len(buffers) - 1 else 0)
    for queue in queues:
        queue.doorbell()
    for queue in queues:
        await queue.wait(load.packets, 1_000_000_000)
    segments = -(-load.payload // load.mss)
    last = load.payload - (segments - 1) * load.mss
    sizes = ([HEADER + load.mss] * (segments - 1) + [HEADER + last]) * load.packets
    for queue in queues:
        same([len(frame.data) for frame in world.wire if frame.queue == queue.queue], sizes, "lengths of segments ")
    frames = world.wire
    first, period = AHEAD * load.queues, period_ps(world)

    def behind(begin: int, end: int) -> float:
        if not load.rate_bps:
            return 0.0
        bits = 8 * sum(wire_bytes(len(frame.data)) for frame in frames[begin:end])
        return (frames[end].start_ps - frames[begin].start_ps - bits * 10**12 // load.rate_bps) / period

    spent = (frames[-1].start_ps - frames[0].start_ps) / period
    return Paced(behind(first, -1), behind(0, first), spent / (len(frames) - 1))
