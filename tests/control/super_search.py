"""Batches of random super-packets through twin and RTL, beside what software makes of them."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from ringwire.host.world import World
from ringwire.nic.descriptors import Status
from tests.conformance.test_gso_device import Post
from tests.control.bench import Outcome, Queue, outcomes, same, sent
from tests.control.super_packets import QUEUES, Batch, Super, batches
from tests.datapath.worlds import TWIN, Place, place, run
from tests.raw_queue import EOP, REPORT, start

LOG2 = 9
WIDTHS = (64, 512)
LIMIT_NS = 1_000_000_000
EXAMPLES = 10
"""Batches of a search: after as many, hypothesis begins to vary those it has instead of drawing others."""

Order = tuple[int, list[list[Post]]]
"""Line rate in bit/s, and what each queue is to post."""
Outcomes = list[tuple[list[Outcome], list[bytes]]]
"""Of each queue: what its completions say, and its frames."""


async def leave(world: World, order: Order) -> Outcomes:
    """What becomes of packets. Each queue posts what its ring has room for, and goes on when that is done."""
    rate_bps, posts = order
    start(world, rate_bps)
    queues = [Queue(world, number, LOG2) for number in range(len(posts))]
    for queue in queues:
        queue.enable()
    waiting = [deque(packets) for packets in posts]
    while any(waiting):
        maps: list[int] = []
        for queue, packets in zip(queues, waiting, strict=True):
            while packets and queue.room() > len(packets[0].pieces):
                maps += hand_over(queue, packets.popleft())
            queue.doorbell()
        for queue, packets, own in zip(queues, waiting, posts, strict=True):
            await queue.wait(len(own) - len(packets), LIMIT_NS)
            queue.consume()
        for addr in maps:
            world.memory.unmap(addr)
    return [(outcomes(queue.got), [frame.data for frame in sent(world, queue.queue)]) for queue in queues]


def hand_over(queue: Queue, post: Post) -> list[int]:
    """Post a packet; returns what is mapped for it."""
    assert post.offload is not None
    queue.post_raw(post.offload)
    addrs = [queue.world.memory.map(piece) for piece in post.pieces]
    for number, (addr, piece) in enumerate(zip(addrs, post.pieces, strict=True)):
        last = EOP | REPORT if number == len(addrs) - 1 else 0
        if number == 0:
            queue.post(addr, len(piece), post.flags | last, vlan_tci=post.wishes >> 16)
        else:
            queue.post(addr, len(piece), last)
    return addrs


def agree(batch: Batch, sim: Place) -> None:
    """AssertionError, naming packet and byte, unless twin and RTL of both widths send what software would."""
    packets = [[one for one in batch.packets if one.queue == number] for number in range(QUEUES)]
    posts = [[one.post() for one in own] for own in packets]
    wanted = [[one.wanted() for one in own] for own in packets]
    knobs: dict[str, Any] = {"queues": QUEUES, "jitter_ns": batch.jitter_ns, "read_stalls": batch.read_stalls}
    for where, width in ((place(TWIN), max(WIDTHS)), *((sim, width) for width in WIDTHS)):
        found = run(where, leave, (batch.rate_bps, posts), data_w=width, **knobs)
        for number, (completions, frames) in enumerate(found):
            name = f"{where.name}, {width} bits, queue {number}, "
            index, said = 0, []
            for post, segments in zip(posts[number], wanted[number], strict=True):
                index = (index + 1 + len(post.pieces)) % (1 << LOG2)
                said.append((index, Status.OK, len(segments)))
            same(completions, said, f"{name}completion ")
            left = iter(frames)
            for packet, segments in zip(packets[number], wanted[number], strict=True):
                same(list(islice(left, len(segments))), segments, f"{name}{packet}: segment ")
            same(list(left), [], f"{name}frames that no packet asked for ")


def search(number: int, sim: Place) -> set[Super]:
    """Draw batches, other ones for each number, until one fails; that is made as simple as may be, and raised.

    Returns the packets that all agreed on.
    """
    agreed: set[Super] = set()

    @seed(number)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(batches())
    def agrees(batch: Batch) -> None:
        agree(batch, sim)
        agreed.update(batch.packets)

    agrees()
    return agreed
