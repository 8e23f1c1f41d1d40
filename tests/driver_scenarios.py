"""The whole stack on a wire that is paused, limited, or changed below it, in any world. Times in nanoseconds."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from ringwire.driver.config import DriverConfig
from ringwire.host.world import World
from ringwire.netdev.queue import STACK_XOFF
from ringwire.nic.descriptors import Status
from ringwire.skb import Skb
from ringwire.socket import Socket
from ringwire.tools.commands import Commands
from tests.control.bench import between, period_ps, same, sent
from tests.driver_bench import MS, DriverBench

GBIT = 1_000_000_000
S = 1_000_000_000
SIZE = 1514


def frame_ns(size: int, rate_bps: int) -> int:
    """Wire time of a frame, with preamble, FCS and gap."""
    return (size + 24) * 8 * S // rate_bps


KINDS_OF_END = {"packets", "forgotten", *(f"error_{status.name.lower()}" for status in Status)}
"""What the driver counts of packets that were not dropped before they were on the ring."""


class CountingBench(DriverBench[World]):
    """Counts what the stack drops, of which there is no other trace where a discipline is reset."""

    dropped = 0

    async def up(self) -> CountingBench:
        await super().up()
        below = self.dev.on_drop

        def note(skb: Skb) -> None:
            self.dropped += 1
            if below is not None:
                below(skb)

        self.dev.on_drop = note
        return self

    async def close_books(self, allowed: AbstractSet[str] = frozenset()) -> None:
        """Each packet has ended once, driver and stack say of all what became of them, the watch has found nothing."""
        self.check()
        found = self.driver.statistics()
        ended = sum(count for name, count in found.items() if name.partition("_")[2] in KINDS_OF_END)
        same(ended + self.dropped, len(self.skbs), "packets that ended: ")
        for queue in range(self.dev.num_tx_queues):
            rest = iter(self.frames(queue))
            assert all(frame in rest for frame in self.wire(queue)), "frames left out of order, changed or twice"
        await super().close_books(allowed)


# -- pause


@dataclass(frozen=True)
class Pause:
    """A pause of the wire (802.3x) under bulk that has no end."""

    length_ns: int
    mod_ns: int = 0
    rate_bps: int = GBIT
    frames: int = 160


async def paused(world: World, config: Pause) -> tuple[int, int]:
    """Byte queue limits live with it: what may stand in the ring stays what it was, to the byte, the rest waits in the
    qdisc, and afterwards the wire is busy at once and without a gap. Returns (limit, bytes in flight in the pause).
    """
    bench = await CountingBench(world, DriverConfig(line_rate_bps=config.rate_bps, mod_ns=config.mod_ns)).up()
    dev, txq, took = bench.dev, bench.dev.tx_queues[0], frame_ns(SIZE, config.rate_bps)
    Socket(dev, 1 << 22).send([bench.skb(SIZE) for _ in range(config.frames)])
    await world.pause(config.frames // 2 * took)
    limit, stalls = txq.dql.limit, txq.dql.stall_cnt
    begin = world.timeline.now_ns
    world.flow_control(True)
    await world.pause(3 * took + 2 * config.mod_ns + 20_000)  # what was on its way is reported
    held = txq.dql.inflight
    waiting, doorbells = dev.qdisc.qlen, bench.driver.rings[0].doorbells
    await world.pause(config.length_ns)
    assert txq.state == STACK_XOFF, "byte queue limits stop the queue, not the ring"
    between(held - limit, 1, SIZE, "bytes in flight over the limit")
    same(
        [txq.dql.limit, txq.dql.inflight, dev.qdisc.qlen, bench.driver.rings[0].doorbells],
        [limit, held, waiting, doorbells],
        "limit, bytes in flight, packets in the qdisc, doorbells: ",
    )
    assert waiting > 40 and not dev.tx_dropped, "the rest waits where it can be ordered"
    end = world.timeline.now_ns
    world.flow_control(False)
    await bench.all_done()
    edge = period_ps(world)
    starts = [frame.start_ps for frame in sent(world) if frame.start_ps >= (begin + 1) * 1000 + edge]
    between(starts[0] - end * 1000, 0, 4 * edge, "first frame after the pause, ps")
    gaps = [after - before - took * 1000 for before, after in pairwise(starts)]
    if not config.mod_ns:
        between(max(gaps), 0, edge, "ps that the wire was idle between two frames afterwards")
    same([txq.dql.limit, txq.dql.stall_cnt, txq.trans_timeout], [limit, stalls, 0], "limit, stalls, timeouts: ")
    await bench.close_books()
    return limit, held


async def paused_beyond_the_watchdog(world: World, length_ns: int) -> None:
    """A pause so long that the queue counts as stuck: it is reset, and all goes on when the wire does."""
    config = DriverConfig(line_rate_bps=GBIT, tx_timeout_ms=1000)
    bench = await CountingBench(world, config).up()
    Socket(bench.dev, 1 << 22).send([bench.skb(SIZE) for _ in range(120)])
    await world.pause(40 * frame_ns(SIZE, GBIT))
    world.flow_control(True)
    await world.pause(length_ns)
    world.flow_control(False)
    end = world.timeline.now_ns
    await bench.all_done()
    ring = bench.driver.rings[0]
    between(ring.resets, 1, length_ns // S, "resets")
    between(world.timeline.now_ns - end, 0, 20 * MS, "time to go on, ns")
    for _ in range(10):
        bench.send(SIZE)
    await bench.all_done()
    same(bench.wire()[-10:], bench.frames()[-10:], "frames afterwards ")
    await bench.close_books()


# -- rate limits


SETTLED = 8
"""Frames."""


@dataclass(frozen=True)
class MaxRate:
    """A queue that ``tx_maxrate`` limits, with frames of one size."""

    mbps: int
    size: int
    window_ns: int = S


async def max_rate(world: World, config: MaxRate) -> int:
    """Under bulk the wire has in any time as many frames as the limit allows, to a frame; returns how many.

    From when byte queue limits have learnt to keep two frames in the device, and none is missing at its time.
    """
    bench = await CountingBench(world, DriverConfig(line_rate_bps=10 * GBIT)).up()
    Commands([bench.dev]).run(f"echo {config.mbps} > /sys/class/net/eth0/queues/tx-0/tx_maxrate")
    spacing = Fraction(max(config.size, 60) * 8 * 1000, config.mbps)
    count = int(config.window_ns / spacing + Fraction(1, 2))
    bench.dev.tx_queue_len = SETTLED + count + 10
    Socket(bench.dev, 1 << 24).send([bench.skb(config.size) for _ in range(SETTLED + count + 2)])
    await bench.all_done(config.window_ns + 100 * MS)
    starts = [frame.start_ps for frame in sent(world)][SETTLED:]
    window_ps = config.window_ns * 1000 - int(spacing * 500)
    same(sum(start - starts[0] < window_ps for start in starts), count, "frames in the window: ")
    edge = period_ps(world)
    for number, start in enumerate(starts):
        between(
            int(start - starts[0] - number * spacing * 1000), -2 * edge, 2 * edge, f"ps that frame {number} was late"
        )
    await bench.close_books()
    return count


# -- changes under traffic


async def changed(world: World, lines: Sequence[str]) -> None:
    """Lines of a user, each in the middle of traffic on four queues, and traffic behind it."""
    bench = await CountingBench(world, DriverConfig(line_rate_bps=GBIT, ring_entries=128), queues=4).up()
    run = Commands([bench.dev]).run
    for line in lines:
        for _ in range(40):
            bench.send(900, hash=bench.draw.getrandbits(32))
        await world.pause(30_000)
        run(line)
        for _ in range(10):
            bench.send(300, hash=bench.draw.getrandbits(32))
        await bench.all_done()
        await world.run(lambda: bench.driver.up == bench.dev.is_up, 100 * MS, "the driver to follow")
        await world.run(lambda: not any(bench.driver._resets), 100 * MS, "the last reset")
    await bench.close_books()
