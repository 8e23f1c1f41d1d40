"""A sender with SO_TIMESTAMPING in any world: each stamp is the start of the frame it is for, to the device's digit."""

from __future__ import annotations

from collections.abc import Iterator

from ringwire.conformance.packets import plain, transport
from ringwire.driver.config import DriverConfig
from ringwire.host.world import World
from ringwire.skb import Skb
from ringwire.socket import Socket
from ringwire.timestamping import StampKind, Timestamping, TxTimestamp
from tests.control.bench import sent, stamp
from tests.driver_bench import DriverBench

GBIT = 1_000_000_000
MSS = 1000
SUPERS = (1, 5, 12)
"""Segments of the super-packets among the packets."""


def packets(bench: DriverBench[World]) -> Iterator[Skb]:
    """Plain frames and super-packets, in turn."""
    for count in SUPERS:
        yield plain(bench.draw.randbytes(60 + 100 * count))
        yield transport(bench.draw.randbytes(MSS * count), mss=MSS)
        yield transport(bench.draw.randbytes(MSS * count), mss=MSS, udp=True)


async def stamped(world: World, by_device: bool) -> list[TxTimestamp]:
    """Every packet of a socket is stamped; returns its messages. Super-packets are cut by the device, or before."""
    bench = await DriverBench(world, DriverConfig(line_rate_bps=10 * GBIT)).up()
    if not by_device:
        bench.dev.set_features({"tx-tcp-segmentation": False, "tx-udp-segmentation": False})
    options = Timestamping.TX_HARDWARE | Timestamping.RAW_HARDWARE | Timestamping.OPT_ID | Timestamping.TX_SCHED
    ended: list[Skb] = []
    socket = Socket(
        bench.dev, on_free=ended.append, timestamping=options | Timestamping.SOFTWARE | Timestamping.OPT_TSONLY
    )
    total = 3 * len(SUPERS)
    socket.send(packets(bench))
    await world.run(lambda: len(ended) == total, 10_000_000, "every packet's end")
    await world.pause(20_000)
    messages = [socket.error_queue.receive() for _ in range(len(socket.error_queue))]
    found = [message for message in messages if message is not None]
    of_wire = {message.key: message.hardware_ns for message in found if message.kind is StampKind.SND}
    assert sorted(of_wire) == list(range(total)), "a key a packet, in order of the writes"
    starts = iter([frame.start_ps for frame in sent(world)])
    for number in range(total):
        count = 1 if number % 3 == 0 else SUPERS[number // 3]
        frames = [next(starts) for _ in range(count)]
        # the device stamps a super-packet's first beat; segments that the stack has cut are packets of their own
        of_last = number % 3 == 1 and not by_device
        wanted = stamp(frames[-1] if of_last else frames[0]) / 65536
        assert of_wire[number] == wanted, f"packet {number} of {count} frames: {of_wire[number]}, the wire {wanted}"
    assert next(starts, None) is None
    queued = {message.key: message.software_ns for message in found if message.kind is StampKind.SCHED}
    assert sorted(queued) == list(range(total)) and all(queued[key] < of_wire[key] for key in queued)
    assert len(found) == 2 * total and socket.error_queue.receive() is None
    return found
