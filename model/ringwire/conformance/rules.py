"""The rules, a coroutine each. What the watch sees in every one of them is not said again here.

That is: each packet ends once; its frames leave once, in order, as they must be; a batch ends with a doorbell;
mappings and byte queue limits balance; nothing stands still. And the bench sees that nothing is dropped but what no
device takes, what the device could not read, and what a reset comes over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ringwire.conformance.bench import Bench
from ringwire.conformance.packets import plain, transport
from ringwire.host.napi import WEIGHT
from ringwire.netdev import NETDEV_TX_OK, DeviceError, Feature
from ringwire.nic.descriptors import Status
from ringwire.nic.registers import MAX_FRAME, queue_register
from ringwire.skb import Skb

SMALL_RING = {"ring_entries": 64}
_FRAGMENTS = 17


class NotAsked(Exception):
    """The driver does not offer what the rule is about; the text says what."""


@dataclass(frozen=True)
class Rule:
    """What a driver has to keep to, and the traffic that shows whether it does."""

    name: str
    text: str
    work: Callable[[Bench], Awaitable[None]]
    config: Mapping[str, int] = field(default_factory=dict)
    """Settings of the driver."""
    world: Mapping[str, Any] = field(default_factory=dict)
    """Settings of the world that host and device are in: :class:`ringwire.cosim.world.WorldSettings`."""


async def in_order(bench: Bench) -> None:
    for number in range(120):
        bench.send(plain(bench.bytes(60 + 13 * number)))
        if number % 9 == 0:
            await bench.world.pause(bench.draw.randrange(3_000))
    await bench.all_done()


async def every_length(bench: Bench) -> None:
    for size in [*range(14, 66), 127, 128, 129, 1513, 1514, 1515, 4095, 4096, 4097, 9014]:
        bench.send(plain(bench.bytes(size)))
    await bench.all_done()


async def fragments(bench: Bench) -> None:
    for number in range(60):
        size = bench.draw.randrange(60, 3000)
        cuts = sorted(bench.draw.sample(range(1, size), min(number % _FRAGMENTS, size - 1)))
        bench.send(plain(bench.bytes(size), *cuts))
    for tiny in range(1, 9):
        bench.send(plain(bench.bytes(600), *range(100, 100 + 5 * tiny, tiny)))
    await bench.all_done()


async def wrap(bench: Bench) -> None:
    """Packets of 1 to 5 descriptors: 3 laps in such steps meet the ring's end in every phase of a packet."""
    for number in range(90):
        parts = 1 + number * 7 % 5
        bench.send(plain(bench.bytes(300 * parts), *range(300, 300 * parts, 300)))
        if number % 8 == 0:
            await bench.all_done()
    await bench.all_done()


async def full_ring(bench: Bench) -> None:
    bench.lift_limits()
    for _ in range(3):
        sent = 0
        while not bench.txq.stopped and sent < 200:
            sent += bench.xmit(plain(bench.bytes(200)), more=sent % 4 != 3) == NETDEV_TX_OK
        bench.require(
            sent < bench.config.ring_entries, f"took {sent} packets for a ring of {bench.config.ring_entries}"
        )
        await bench.all_done()
        await bench.world.pause(20_000)
        bench.require(not bench.txq.stopped, "the queue stays stopped once the ring is empty")


async def busy_stack(bench: Bench) -> None:
    bench.lift_limits()
    for number in range(400):
        bench.send(plain(bench.bytes(100), *range(20, 20 + 20 * (number % 4), 20)))
    await bench.all_done()


async def batches(bench: Bench) -> None:
    bench.lift_limits()
    before = bench.watch.queues[0].doorbells
    for number in range(8 * 5):
        bench.xmit(plain(bench.bytes(100)), more=number % 8 != 7)
        if number % 8 == 7:
            await bench.world.pause(3_000)
    await bench.all_done()
    rung = bench.watch.queues[0].doorbells - before
    bench.require(rung == 5, f"rang {rung} times for 5 batches of 8 packets")


async def last_dropped(bench: Bench) -> None:
    """The last packet of a batch is one that no device takes."""
    bench.lift_limits()
    for _ in range(10):
        for _ in range(3):
            bench.xmit(plain(bench.bytes(100)), more=True)
        oversized = plain(bytes(MAX_FRAME + 1))
        bench.spare.add(oversized)
        bench.xmit(oversized)
        await bench.world.pause(2_000)
    await bench.all_done()


async def byte_limits(bench: Bench) -> None:
    before = bench.txq.dql.num_queued
    total = 0
    for number in range(150):
        total += 200 + number
        bench.send(plain(bench.bytes(200 + number)))
    await bench.all_done()
    counted = bench.txq.dql.num_queued - before & 0xFFFFFFFF
    bench.require(counted == total, f"told byte queue limits of {counted} bytes, and {total} were sent")
    bench.require(bench.txq.dql.limit > 0, "byte queue limits have not learnt: completions do not reach them")


async def budget(bench: Bench) -> None:
    bench.lift_limits()
    sent = 0
    while sent < 230 and not bench.txq.stopped:
        sent += bench.xmit(plain(bench.bytes(60)), more=True) == NETDEV_TX_OK
    bench.xmit(plain(bench.bytes(60)))
    port = bench.world.port()
    port.call_at(port.now_ns(), partial(port.charge, 300_000))  # the CPU is busy, completions pile up
    await bench.all_done()
    most = max(Counter(bench.freed_at).values())
    bench.require(most <= WEIGHT, f"freed {most} packets in one go, with a budget of {WEIGHT}")


async def quiet(bench: Bench) -> None:
    """Nothing is to be done, and the host is not kept busy with it."""
    for burst in (1, 5):
        for _ in range(burst):
            bench.send(plain(bench.bytes(200)))
        await bench.all_done()
        await bench.world.pause(50_000)
        before = bench.world.interrupts
        await bench.world.pause(1_000_000)
        storm = bench.world.interrupts - before
        bench.require(storm == 0, f"took {storm} interrupts in 1 ms with nothing left to do")


async def arm_race(bench: Bench) -> None:
    """A second packet after every gap that a poll and its arming can take."""
    for gap in range(0, 4_000, 61):
        bench.send(plain(bench.bytes(60)))
        await bench.world.pause(gap)
        bench.send(plain(bench.bytes(60)))
        await bench.all_done()


async def last_of_burst(bench: Bench) -> None:
    for burst in (1, 3, 5, 9, 17):
        for _ in range(burst):
            bench.send(plain(bench.bytes(200)))
        await bench.all_done()


async def monitored(bench: Bench) -> None:
    """Somebody reads the queue's status every 3 us."""
    port = bench.world.port()
    for number in range(100):
        port.call_at(
            port.now_ns() + 3_000 * number, partial(port.read, queue_register("STATUS", 0), lambda value: None)
        )
    for burst in (1, 3, 5):
        for _ in range(burst):
            bench.send(plain(bench.bytes(200)))
        await bench.all_done()


async def offloads(bench: Bench) -> None:
    payload = bench.bytes(12_000)
    for ident, mss in ((1, 1448), (0xFFFE, 1448), (7, 536), (9, 1000)):
        bench.send(transport(payload, mss=mss, ident=ident))
        bench.send(transport(payload[:5000], 40, mss=mss, ident=ident))
        bench.send(transport(payload[:6000], mss=mss, tci=100))
        bench.send(transport(payload[:5000], mss=mss, v6=True))
        bench.send(transport(payload[:5000], mss=mss, udp=True))
    for number in range(20):
        bench.send(transport(payload[: 20 + 173 * number], udp=bool(number % 2), tci=number if number % 3 else None))
        bench.send(transport(payload[: 900 + number], 55, 201, 300 + number))
    await bench.all_done()


async def many_buffers(bench: Bench) -> None:
    payload = bench.bytes(8_000)
    for step in (150, 100, 500):
        bench.send(transport(payload, *range(60, 60 + 12 * step, step), mss=1448))
    bench.send(plain(payload[:1500], *range(100, 1300, 100)))
    await bench.all_done()


async def large_buffers(bench: Bench) -> None:
    """Buffers round the 16 KiB that a descriptor may name: of frames at the largest MTU, and of super-packets.

    Without segmentation by the device the stack cuts those before they come to the driver, and frames are all there is.
    """
    dev = bench.dev
    try:
        dev.set_mtu(MAX_FRAME - dev.hard_header_len)
    except DeviceError as error:
        if not dev.features & Feature.TSO:
            raise NotAsked(f"no segmentation, and no MTU of {MAX_FRAME - dev.hard_header_len}: {error}") from None
    else:
        for size in (16_383, 16_384, 16_385, 16_386, 16_512, MAX_FRAME - 1, MAX_FRAME):
            bench.send(plain(bench.bytes(size)))
            bench.send(plain(bench.bytes(size), 100))
    for size in (16_383 - 64, 16_384 - 64, 16_320, 16_383, 16_384):
        bench.send(transport(bench.bytes(40_000), 54, 54 + size, 54 + 2 * size, mss=1448))
        bench.send(transport(bench.bytes(40_000), mss=1448))
    await bench.all_done()


async def error(bench: Bench) -> None:
    """The device can't read one packet; the driver frees it, and those behind it are sent."""
    for number in range(30):
        await bench.running()
        skb = bench.own(plain(bench.bytes(300)))
        bench.dev.start_xmit(skb, bench.txq, False)
        if number % 10 == 4:
            bench.spare.add(skb)
            bench.watch.excuse(Status.READ, skb)
            bench.world.memory.forbid(next(reversed(bench.world.memory._live)))
        await bench.world.pause(1_000)
    await bench.all_done()


async def reset(bench: Bench) -> None:
    if bench.dev.tx_timeout is None:
        raise NotAsked("no ndo_tx_timeout")
    bench.resetting = True
    for delay in (0, 300, 1_000, 2_500, 7_000):
        for _ in range(40):
            bench.send(plain(bench.bytes(800)))
        await bench.world.pause(delay)
        bench.dev.tx_timeout(bench.txq)
        bench.send(plain(bench.bytes(100)))
        await bench.all_done()
    bench.require(not bench.txq.xmit_stopped, "the queue is stopped after its reset")


async def time_stamps(bench: Bench) -> None:
    skbs = []
    for number in range(12):
        skb = plain(bench.bytes(500))
        skb.wants_timestamp = number % 3 == 0
        skbs.append(bench.send(skb))
    await bench.all_done()
    asked = [(skb, frame) for skb, frame in zip(skbs, bench.wire(), strict=False) if skb.wants_timestamp]
    if not any(skb.wire_ns for skb, _ in asked):
        raise NotAsked("no time stamps")
    for skb, frame in asked:
        off = skb.wire_ns - frame.start_ps / 1000
        bench.require(abs(off) < 1, f"time stamp of packet {skb.id} is {off:+.3f} ns off the wire's")


async def priorities(bench: Bench) -> None:
    """Bulk under byte queue limits, and now and then a packet that goes before it."""
    for number in range(60):
        bench.send(plain(bench.bytes(1514)))
        if number % 10 == 9:
            bench.send(Skb(100, (bench.bytes(100),), priority=6))
            await bench.world.pause(2_000)
    await bench.all_done()


async def dma_order(bench: Bench) -> None:
    """What the driver writes to its rings reaches the device late, and in parts, unless a barrier comes before it."""
    bench.lift_limits()
    for number in range(40):
        for more in (True, True, False):
            bench.xmit(plain(bench.bytes(100), *range(20, 20 + 20 * (number % 3), 20)), more)
        await bench.world.pause(bench.draw.randrange(4_000))
        await bench.running()
    await bench.all_done()


RULES = (
    Rule("in-order", "sends each packet once and in order", in_order),
    Rule("every-length", "sends frames of every length, short ones too", every_length),
    Rule("fragments", "sends packets of many fragments, of any length", fragments),
    Rule("ring-wrap", "meets the ring's end in every phase of a packet", wrap, SMALL_RING),
    Rule("full-ring", "stops before the ring overflows, and wakes when there is room", full_ring, SMALL_RING),
    Rule("busy-stack", "keeps order while the stack has to wait for the ring", busy_stack, SMALL_RING),
    Rule("batches", "rings once for a batch", batches),
    Rule("last-dropped", "rings when the last packet of a batch is dropped", last_dropped),
    Rule("byte-limits", "tells byte queue limits of every byte, and of its completion", byte_limits),
    Rule("write-back", "reclaims the last packets although completions gather", last_of_burst,
         {"cpl_threshold": 8, "cpl_timer_ns": 5_000}),
    Rule("moderation", "reclaims the last packets although interrupts are held back", last_of_burst,
         {"mod_ns": 50_000, "mod_frames": 4}),
    Rule("budget", "bounds what one poll does", budget),
    Rule("quiet", "has neither polls nor interrupts when there is nothing left to do", quiet),
    Rule("arm-race", "misses no completion between its last look and the arming", arm_race),
    Rule("monitored", "is not disturbed by register reads", monitored, {"mod_ns": 20_000}),
    Rule("offloads", "asks for segments, checksums and tags as the device understands them", offloads),
    Rule("many-buffers", "sends frames that lie in many buffers", many_buffers),
    Rule("large-buffers", "splits buffers that a descriptor can't name", large_buffers),
    Rule("error-completion", "frees what the device could not send, and goes on", error),
    Rule("reset", "resets a queue under load, each packet accounted for once", reset),
    Rule("time-stamps", "hands the wire's time stamps back", time_stamps),
    Rule("priorities", "leaves what has to wait in the qdisc", priorities),
    Rule("dma-order", "makes descriptors visible to the device before it rings", dma_order,
         SMALL_RING, {"dma_order_ns": 2_000}),
)  # fmt: skip
