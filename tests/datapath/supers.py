"""Super-packets back to back: how much of the line's rate their segments use, and what a segment costs."""

from __future__ import annotations

from dataclasses import dataclass

from ringwire.cosim.world import SimulatedWorld
from ringwire.driver.ringwire import DEVICE_NS
from ringwire.host.world import World
from ringwire.nic.descriptors import SegType, pack_offload
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


async def back_to_back(world: World, load: Supers) -> tuple[float, float]:
    """(clock cycles that the last segment starts behind the line's schedule, clock cycles a segment).

    Less than one cycle behind is the line's whole rate. Frames are judged by their lengths and order.
    """
    assert isinstance(world, SimulatedWorld)
    during_read = load.rate_bps * (latency_ns(world) + DEVICE_NS) // 8_000_000_000
    ahead = during_read + 2 * wire_bytes(HEADER + load.mss)
    start(world, load.rate_bps, bound=ahead if load.rate_bps else 0)
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
    spent_ps = frames[-1].start_ps - frames[0].start_ps
    needed_ps = spent_ps
    if load.rate_bps:
        needed_ps = sum(wire_bytes(len(frame.data)) for frame in frames[:-1]) * 8_000_000_000_000 // load.rate_bps
    period = period_ps(world)
    return (spent_ps - needed_ps) / period, spent_ps / period / (len(frames) - 1)
