"""Long healthy runs: replays of random traffic with random settings, in which the watch must find nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from ringwire.pcap import PcapWriter
from ringwire.replay import ReplayConfig, replay
from tests.frames import TCP, UDP, Frame

TEMPLATES = 400
"""Different frames of a capture; which comes when is drawn."""
GBIT = 10**9


def healthy(sim: str, packets: int, seed: int, width: int = 512, queues: int = 1) -> str:
    """Replay so many packets. AssertionError, naming what was found, if anything was; else what was done."""
    random = Random(seed)
    knobs = settings(random, width)
    with tempfile.TemporaryDirectory(prefix="ringwire-healthy-") as folder:
        capture = Path(folder) / "in.pcap"
        write(capture, random, packets)
        config = ReplayConfig(capture, sim=sim, width=width, queues=queues, seed=seed, **knobs)
        found = replay(config).measured
    assert found.problems == [], found.problems
    assert (found.packets, found.dropped_packets) == (packets, 0)
    return f"{sim}, {width} bits, {queues} queues, {packets} packets in {found.frames} frames, {knobs}"


def settings(random: Random, width: int) -> dict[str, Any]:
    """Any settings with which nothing is lost."""
    pick: Callable[[Any], Any] = random.choice
    usecs = pick((0, 0, 5, 50))
    return {
        "line_rate_bps": pick((0, GBIT, 10 * GBIT, 25 * GBIT if width > 128 else GBIT)),
        "ring": pick((64, 128, 256, 1024)),
        "tso": pick((True, True, False)),
        "csum": pick((True, True, False)),
        "bql": pick((True, True, False)),
        "mem_latency_ns": pick((0, 200, 1000, 2000)),
        "tx_usecs": usecs,
        "tx_frames": pick((0, 4, 32)) if usecs else 0,
        "cpl_threshold": pick((1, 1, 4, 16)),
        "free_host": pick((True, False)),
    }


def write(path: Path, random: Random, packets: int) -> None:
    """A capture of frames and super-packets of every kind that the stack knows."""
    frames = [template(random) for _ in range(TEMPLATES)]
    with PcapWriter(path) as writer:
        for number, frame in enumerate(random.choices(frames, k=packets)):
            writer.write(number * 1000, frame)


def template(random: Random) -> bytes:
    """One in sixteen is a super-packet, one in ten neither TCP nor UDP; a few are tagged."""
    protocol = random.choice((TCP, TCP, UDP))
    super_packet = protocol == TCP and random.random() < 0.1
    size = random.randint(1_500, 20_000) if super_packet else random.choice((0, 1, 18, 60, 400, 1_400))
    if random.random() < 0.1:
        return bytes(12) + b"\x08\x06" + random.randbytes(random.randint(1, 60))
    return Frame(
        version=random.choice((4, 4, 6)),
        protocol=protocol,
        payload=random.randbytes(size),
        vlans=random.choice(((), (), (), ((0x8100, 5),), ((0x88A8, 7), (0x8100, 9)))),
        ports=(random.randint(1024, 65_535), random.choice((53, 80, 443))),
        ident=random.randrange(65_536),
        seq=random.getrandbits(32),
        flags=random.choice((0x10, 0x18)),
    ).build()
