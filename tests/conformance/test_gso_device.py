"""The device's segmentation and checksums against frames that a Linux kernel made (``gso_*.json.gz``).

Each case goes to the device as the driver would post it, once whole and once in fragments at random places.
All cases of a file go through one run of a device; each is then judged by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice, pairwise
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from zlib import crc32

import pytest

from ringwire.driver.offload import features_check, make_order
from ringwire.host.world import World
from ringwire.netdev import Feature
from ringwire.nic.descriptors import Status
from ringwire.nic.registers import MAX_BUFFER
from tests.conformance import vectors
from tests.conformance.tally import Tally
from tests.conformance.test_gso import first_difference, same_frame, skb_of
from tests.control.bench import Queue, sent, take_faults
from tests.datapath.worlds import place, run
from tests.raw_queue import EOP, REPORT, start

DEVICES = ("twin", *(f"rtl-{sim}-{width}" for sim in ("verilator", "icarus") for width in (64, 512)))
MOST_PIECES = 24
RING_LOG2 = 10
MOST_ON_ICARUS = 2_000
"""Frames of a file that Icarus, which takes 30 ms for one, is asked to send."""
NARROW_ON_ICARUS = "rtl-icarus-64"
"""At 64 bits a frame is eight times as many cycles, and takes Icarus longest. Of each file this device has every
``NARROW_STEP``-th case: all are judged at 64 bits on Verilator, and on Icarus at 512."""
NARROW_STEP = 3
PARTS_ON_ICARUS = 4
"""Runs that a file's cases are dealt to there, so that none is long and two processes share them."""


class Post(NamedTuple):
    """A packet as it is posted."""

    pieces: tuple[bytes, ...]
    offload: bytes | None
    flags: int
    wishes: int


class Left(NamedTuple):
    """What became of a packet."""

    status: Status
    segments: int
    frames: tuple[bytes, ...]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    where = vectors.folder(metafunc.config)
    parameters = []
    for stem, document in vectors.load("gso", metafunc.config):
        frames = sum(len(case["out"]) for case in document["cases"])
        devices = [device for device in DEVICES if "icarus" not in device or frames <= MOST_ON_ICARUS]
        judged = []
        for number, case in enumerate(document["cases"]):
            if post_of(case, 0) is None:
                vectors.leave_out(metafunc.config, stem, f"device-{case['name']}", "left to software by the driver")
            else:
                judged.append((number, case))
        # cases of one run stand together, or a second process would wait for what the first is simulating
        for device in devices:
            for part in range(parts_on(device)):
                parameters += [
                    pytest.param(where, stem, case, device, part, id=f"{stem}-{device}-{case['name']}")
                    for number, case in judged
                    if number % step_on(device) == part
                ]
    metafunc.parametrize("where, stem, case, device, part", parameters)


def parts_on(device: str) -> int:
    """Runs that a file's cases are dealt to."""
    return PARTS_ON_ICARUS if "icarus" in device else 1


def step_on(device: str) -> int:
    """A part has each so many-th case of a file, from that of its own number on."""
    return parts_on(device) * (NARROW_STEP if device == NARROW_ON_ICARUS else 1)


def test_frames_of_the_device_are_those_of_linux(
    where: Path, stem: str, case: dict[str, Any], device: str, part: int, tally: Tally, once: Callable[..., Any]
) -> None:
    all_left = once(f"{stem}-{device}-{part}", lambda: outcomes(where, stem, device, part))
    wanted = [frame.ljust(120, "0") for frame in case["out"]]
    for form, left in zip(("whole", "in pieces"), all_left[case["name"]], strict=True):
        assert (left.status, left.segments) == (Status.OK, len(wanted)), form
        for index, (want, data) in enumerate(zip(wanted, left.frames, strict=True)):
            have = data.hex()
            assert same_frame(want, have, case["vnet"]), f"{form}, frame {index}: {first_difference(want, have)}"
    tally.add(stem, frames=2 * len(wanted))


def outcomes(where: Path, stem: str, device: str, part: int) -> dict[str, tuple[Left, Left]]:
    """Of each case of a part of a file: what became of it whole, and in pieces."""
    document = dict(vectors.read(where / f"{stem}{vectors.SUFFIX}"))
    posts = {}
    for case in document["cases"][part :: step_on(device)]:
        whole = post_of(case, 0)
        if whole is not None:
            posts[case["name"]] = (whole, post_of(case, crc32(case["name"].encode())))
    flat = [post for pair in posts.values() for post in pair]
    kind, *rest = device.split("-")
    sim, width = (kind, 512) if not rest else (rest[0], int(rest[1]))
    left = run(place(sim), post_all, flat, data_w=width)
    return dict(zip(posts, zip(left[::2], left[1::2], strict=True), strict=True))


def post_of(case: dict[str, Any], seed: int) -> Post | None:
    """What the driver would post: with a seed other than 0 in pieces at random places. None: it would not."""
    partial = case["mode"] == "partial"
    skb = skb_of(bytes.fromhex(case["in"]), case["vnet"], case.get("tunnel"))
    every = int(Feature.ALL)
    if features_check(skb, every) != every:
        return None
    order = make_order(skb, partial)
    data = b"".join(order.data)
    cuts = set(range(MAX_BUFFER, len(data), MAX_BUFFER))
    if seed:
        random = Random(seed)
        # most cases are about the headers, so many of the cuts are there
        for _ in range(random.randint(1, MOST_PIECES)):
            cuts.add(random.randrange(1, min(len(data), random.choice((100, len(data))))))
    edges = [0, *sorted(cuts), len(data)]
    pieces = tuple(data[begin:end] for begin, end in pairwise(edges))
    return Post(pieces, order.offload, order.flags, order.wishes)


async def post_all(world: World, posts: list[Post]) -> list[Left]:
    """Post packets to one queue, as many at a time as the ring has room for, and collect what leaves."""
    start(world)
    queue = Queue(world, log2=RING_LOG2)
    queue.enable()
    mapped: list[int] = []
    posted = 0
    for post in posts:
        if queue.room() < len(post.pieces) + 1:
            await finish(queue, posted, mapped)
        posted += 1
        if post.offload is not None:
            queue.post_raw(post.offload)
        for number, piece in enumerate(post.pieces):
            mapped.append(world.memory.map(piece))
            first, last = number == 0, number == len(post.pieces) - 1
            queue.post(
                mapped[-1],
                len(piece),
                (post.flags if first else 0) | (EOP | REPORT if last else 0),
                csum_start=post.wishes & 0xFF if first else 0,
                csum_offset=post.wishes >> 8 & 0xFF if first else 0,
                vlan_tci=post.wishes >> 16 if first else 0,
            )
    await finish(queue, posted, mapped)
    assert take_faults(world) == []
    frames = iter([frame.data for frame in sent(world)])
    left = []
    for completion in queue.got:
        own = tuple(islice(frames, completion.segments))
        left.append(Left(completion.status, completion.segments, own))
    assert next(frames, None) is None, "frames that no completion counts"
    return left


async def finish(queue: Queue, posted: int, mapped: list[int]) -> None:
    """Let what is posted leave."""
    queue.doorbell()
    await queue.wait(posted, 1_000_000_000)
    queue.consume()
    for addr in mapped:
        queue.world.memory.unmap(addr)
    mapped.clear()
