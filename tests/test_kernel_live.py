"""Segmentation by software and by the RTL side by side with the running kernel's, on random packets; each day others.

``SEED=n`` repeats a day. The tests of the kernel need root and ``/dev/net/tun`` and are skipped without them.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ringwire.gso import UDP_MAX_SEGMENTS, GsoError, complete_checksum, segment
from ringwire.nic.descriptors import Status
from ringwire.skb import GsoType
from scripts.kernel_lab import KernelLab, LabError, Outcome, Request
from scripts.record_gso import (
    NOPS,
    OUTER,
    RECORD_ROUTE,
    ROUTING,
    STAMPS,
    TAG,
    TCP_FULL,
    case,
    padding,
    params,
    requests,
    shells,
)
from tests.conformance.test_gso import first_difference, same_frame, skb_of, vnet_of
from tests.conformance.test_gso_device import post_all, post_of
from tests.conformance.vectors import DEFAULT_FOLDER, read
from tests.datapath.worlds import Place, run, worlds
from tests.frames import TCP, UDP, Frame, Shell, balanced

PACKETS = 400
OLDEST = (6, 12)
"""First kernel that ``ringwire.gso`` speaks for."""


@pytest.fixture(scope="module")
def tunnels(lab: KernelLab) -> bool:
    """Whether the kernel can be asked about tunnels: UDP's need Linux 6.17, the others BPF."""
    frame = Frame(payload=bytes(300))
    try:
        return all(len(lab.ask(Request(frame, 100, shell=shell))) == 3 for shell in shells(4))
    except LabError:
        return False


@pytest.fixture(scope="module")
def lab() -> Iterator[KernelLab]:
    release = platform.release()
    found = re.match(r"(\d+)\.(\d+)", release)
    if platform.system() != "Linux" or not found or (int(found[1]), int(found[2])) < OLDEST:
        pytest.skip(f"{platform.system()} {release}: a Linux of {OLDEST[0]}.{OLDEST[1]} or later is needed")
    if os.geteuid() != 0:
        pytest.skip("root is needed for a TAP device in a network namespace")
    if not Path("/dev/net/tun").exists():
        pytest.skip("no /dev/net/tun")
    try:
        with KernelLab() as opened:
            yield opened
    except LabError as error:
        pytest.skip(str(error))


def test_random_packets_leave_as_the_kernel_sends_them(lab: KernelLab, tunnels: bool) -> None:
    seed = int(os.environ.get("SEED") or date.today().toordinal())
    print(f"SEED={seed}")
    random = Random(seed)
    cut = wrapped = 0
    for number in range(PACKETS):
        request = random_request(random, tunnels)
        want, have = lab.ask(request), model(request)
        problem = difference(want, have)
        mode = "partial" if request.partial else "full"
        assert not problem, f"SEED={seed}, packet {number} ({mode}): {problem}\n{request.vnet}\n{params(request)}"
        cut += len(want) > 1
        wrapped += len(want) > 1 and request.shell is not None
    refuses = "hardly a packet was cut: the kernel refuses what it should take"
    assert cut > PACKETS // 3 and wrapped > (PACKETS // 10 if tunnels else -1), refuses
    if not tunnels:
        pytest.skip("all agree; but this kernel could not be asked about tunnels")


@worlds("verilator")
@pytest.mark.parametrize("data_w", [64, 512])
def test_random_packets_leave_the_rtl_as_the_kernel_sends_them(sim: Place, data_w: int, lab: KernelLab) -> None:
    seed = int(os.environ.get("SEED") or date.today().toordinal())
    print(f"SEED={seed}")
    random = Random(seed)
    posts, wanted = [], []
    for number in range(PACKETS):
        request = random_request(random)
        mode = "partial" if request.partial else "full"
        post = post_of({"mode": mode, "in": request.data.hex(), "vnet": request.vnet}, seed + number)
        if post is not None and (outcomes := lab.ask(request)):
            posts.append(post)
            wanted.append((number, request, [outcome.data.hex().ljust(120, "0") for outcome in outcomes]))
    assert len(posts) > PACKETS // 3, "hardly a packet is left: the device refuses what it should take"
    for left, (number, request, frames) in zip(run(sim, post_all, posts, data_w=data_w), wanted, strict=True):
        what = f"SEED={seed}, packet {number}: {params(request)}"
        assert (left.status, left.segments) == (Status.OK, len(frames)), what
        for index, (want, data) in enumerate(zip(frames, left.frames, strict=True)):
            have = data.hex()
            assert same_frame(want, have, request.vnet), f"{what}, frame {index}: {first_difference(want, have)}"


def test_the_lab_says_what_the_kernel_refuses(lab: KernelLab) -> None:
    frame = Frame(payload=bytes(89), l4_options=STAMPS)
    assert lab.ask(Request(frame, 100)) == []
    assert lab.ask(Request(frame, 100, GsoType.UDP_L4)) == []
    assert len(lab.ask(Request(frame, 88))) == 2


def test_the_record_holds_the_requests_that_the_script_makes() -> None:
    recorded = read(DEFAULT_FOLDER / "gso_more.json.gz")["cases"]
    made = [as_recorded(case(number, *named)) for number, named in enumerate(requests(), 1)]
    assert [entry["name"] for entry in recorded] == [entry["name"] for entry in made]
    for entry, want in zip(recorded, made, strict=True):
        assert {name: value for name, value in entry.items() if name not in ("out", "out_vnet")} == want


def as_recorded(entry: dict[str, Any]) -> dict[str, Any]:
    """Tuples as the lists that JSON makes of them."""

    def plain(value: Any) -> Any:
        return [plain(item) for item in value] if isinstance(value, tuple | list) else value

    return entry | {"params": {name: plain(value) for name, value in entry["params"].items()}}


def model(request: Request) -> list[Outcome]:
    """What ``ringwire.gso`` makes of it; nothing where it refuses."""
    skb = skb_of(request.data, request.vnet, request.tunnel)
    out = [skb]
    if skb.is_gso:
        try:
            out = segment(skb, complete=not request.partial)
        except GsoError:
            return []
    elif not request.partial:
        complete_checksum(skb)
    outcomes = []
    for one in out:
        flags, gso_type, start, offset = vnet_of(one)
        outcomes.append(Outcome(one.linear(), (flags, gso_type, start, offset)))
    return outcomes


def difference(want: list[Outcome], have: list[Outcome]) -> str:
    """What the kernel did and the model doesn't do, as text; empty if nothing."""
    if len(want) != len(have):
        return f"frames: expected {len(want)}, got {len(have)}"
    for index, (theirs, ours) in enumerate(zip(want, have, strict=True)):
        if theirs.data != ours.data:
            return f"frame {index}: {first_difference(theirs.data.hex(), ours.data.hex())}"
        if theirs.vnet != ours.vnet:
            return f"frame {index}: left to the device: expected {theirs.vnet}, got {ours.vnet}"
    return ""


def random_request(random: Random, tunnels: bool = False) -> Request:
    """A packet that a host may send, of any shape; some have options that make Linux refuse a short one."""
    version, protocol = random.choice((4, 6)), random.choice((TCP, UDP))
    ufo = version == 4 and protocol == UDP and random.random() < 0.4
    is_big = protocol == TCP and random.random() < 0.03
    length = random.choice((random.randint(1, 200), random.randint(1, 5000), random.randint(1, 65_000)))
    if is_big:
        length = random.randint(65_536, 200_000)
    near_wrap = random.choice((2**16, 2**32)) - random.randint(1, 3000)
    frame = Frame(
        version,
        protocol,
        random.randbytes(min(length, 997)) * (length // 997 + 1),
        vlans=random.choice(((), (TAG,), (OUTER, TAG))),
        ip_options=random.choice((b"", b"", b"\1\1\1\0", NOPS, RECORD_ROUTE)) if version == 4 else b"",
        extensions=random.choice(((), (padding(0, 8),), (padding(60, 104),), (padding(0, 16), ROUTING, padding(60, 8))))
        if version == 6
        else (),
        l4_options=random.choice((b"", STAMPS, TCP_FULL)) if protocol == TCP else b"",
        ports=(random.randrange(2**16), random.randrange(2**16)),
        seq=random.choice((random.randrange(2**32), near_wrap)),
        ack=random.randrange(2**32),
        flags=random.randrange(2**8),
        reserved=random.randrange(2**4),
        urgent=random.randrange(2**16),
        ident=random.choice((random.randrange(2**16), near_wrap % 2**16)),
        fragment=random.choice((0, 0x4000)),
        tos=random.randrange(2**8),
        flow_label=random.randrange(2**20),
        ip_len=0 if is_big else None,
        final=ROUTING[1][8:],
    )
    frame.payload = frame.payload[:length]
    if not any(header == ROUTING for header in frame.extensions):
        frame.final = b""
    if ufo and length > 65_000 - len(frame.ip_options):
        frame.payload = frame.payload[: 65_000 - len(frame.ip_options)]
    if length > 1 and random.random() < 0.1:
        frame = balanced(frame)
    shell = None if not tunnels or ufo or is_big or random.random() < 0.7 else random_shell(random, frame)
    size = random_size(random, len(frame.payload), ufo=ufo, datagrams=protocol == UDP and not ufo)
    # Whoever wraps a packet that need not be cut asks for no segmentation; a virtio_net_hdr has no words for it.
    if shell is not None and size >= len(frame.payload):
        shell = None
    return Request(
        frame,
        size,
        GsoType.UDP if ufo else None,
        ecn=protocol == TCP and random.random() < 0.3,
        partial=random.random() < 0.5,
        asks_csum=ufo or protocol == UDP or is_big or shell is not None or random.random() < 0.9,
        shell=shell,
    )


def random_shell(random: Random, frame: Frame) -> Shell:
    """A tunnel for a frame, which is cut down to what goes into one."""
    shell = random.choice(list(shells(frame.version)))
    outer = replace(
        shell.outer,
        ip_options=random.choice((b"", NOPS)) if shell.outer.version == 4 else b"",
        ident=random.randrange(2**16),
        fragment=random.choice((0, 0x4000)),
        tos=random.randrange(2**8),
        flow_label=random.randrange(2**20),
    )
    if outer.protocol == UDP:
        outer.vlans = random.choice(((), (TAG,), (OUTER, TAG)))
    else:
        frame.vlans = ()
    frame.payload = frame.payload[: 65_000 - 400]
    return replace(shell, outer=outer)


def random_size(random: Random, length: int, *, ufo: bool, datagrams: bool) -> int:
    """Bytes to cut, seldom more than there are; at most 2,000 segments."""
    at_least = -(-length // (UDP_MAX_SEGMENTS if datagrams else 2000))
    longest = min(length + 8 * ufo, 65_000)
    size = random.choice((1, random.randint(1, 200), random.randint(1, 1500), random.randint(1, 10_000), longest))
    return max(at_least, min(size, longest))
