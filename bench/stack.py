"""What the host's Python costs a packet, and how many frames a second go through the whole of it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.row import Row
from ringwire.driver.config import DriverConfig
from ringwire.driver.ringwire import RingwireDriver
from ringwire.host.world import PS_PER_NS, drive
from ringwire.netdev import NetDevice
from ringwire.nic.twin_world import TwinWorld
from ringwire.pcap import PcapWriter
from ringwire.replay import ReplayConfig, replay
from ringwire.skb import Skb
from ringwire.socket import Socket

FRAMES = 20_000
SIZES = (60, 1514)
RUNS = 3
"""The best of these counts: others share the machine."""
VERILATOR_GOAL = {60: 35_000.0, 1514: 19_000.0}
LINE_RATE: dict[str, Any] = {"free_host": True, "tx_usecs": 20, "tx_frames": 64}
"""A host that keeps up with 100 Gb/s: its work takes no time, and its interrupts are moderated.

A replay's default is one CPU of a server, which sends a packet each 0.7 us: the wire is then mostly idle."""
LINE_RATE_BPS = 100_000_000_000
LIMIT_NS = 1_000_000_000
PYTHON_GOAL_US = 20.0
WRITES = {"python": 64, "python/a-job-each": 1}
"""How many packets the sender writes before other work of its CPU may go first: many, so that what is measured is the
way from xmit to completion, or one, as a replay's sender does, which costs a job on the CPU for each."""


def rows() -> Iterator[Row]:
    """For the shortest and the usual longest frame: the host alone, then replays on the twin and on the RTL."""
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            for name, batch in WRITES.items():
                cost_us = min(python_us_per_packet(size, batch) for _ in range(RUNS))
                yield Row(f"stack/{size}B/{name}", cost_us, "us/packet", "lower", goal=PYTHON_GOAL_US)
            capture = Path(folder) / f"{size}.pcap"
            write_capture(capture, size)
            for sim, host, knobs in (
                ("twin", "server", {}),
                ("verilator", "server", {}),
                ("verilator", "line-rate", LINE_RATE),
            ):
                reports = [replay(ReplayConfig(capture, sim=sim, **knobs)) for _ in range(RUNS)]
                best = max(reports, key=lambda report: report.frames_per_wall_s)
                name, goal = f"stack/{size}B/{sim}/{host}", VERILATOR_GOAL[size] if knobs else None
                yield Row(f"{name}/frames", best.frames_per_wall_s, "frames/s", "higher", goal=goal)
                if best.cycles_per_wall_s is not None:
                    yield Row(f"{name}/cycles", best.cycles_per_wall_s, "cycles/s", "higher")


class TimedWorld(TwinWorld):
    """Knows how much of the wall's time went into the device, which is no part of the host."""

    device_s = 0.0

    async def advance(self, to_ns: int) -> None:
        begin_s = time.perf_counter()
        reached_ps = self.device.run_until(to_ns * PS_PER_NS)
        self.device_s += time.perf_counter() - begin_s
        self.timeline.run_until(reached_ps // PS_PER_NS)


def python_us_per_packet(size: int, batch: int) -> float:
    """Wall-clock microseconds a packet: socket, qdisc, BQL, driver, completion, and the timeline that they run on."""
    world = TimedWorld(on_frame=lambda start_ps, queue, frame: None)
    port = world.port()
    costs = world.cpus.costs
    dev = NetDevice(port, costs=costs, charge=port.charge)
    driver = RingwireDriver(port, dev, DriverConfig(line_rate_bps=LINE_RATE_BPS))
    driver.open()
    drive(world.run(lambda: driver.up, LIMIT_NS, "the device to be set up"))
    payload = bytes(size)
    packets = [Skb(len=size, data=(payload,)) for _ in range(FRAMES)]
    freed: list[Skb] = []
    socket = Socket(dev, syscall_ns=costs.syscall_ns, batch=batch, on_free=freed.append)
    begin_s, world.device_s = time.perf_counter(), 0.0
    socket.send(packets)
    drive(world.run(lambda: len(freed) == FRAMES, LIMIT_NS, "every packet to be sent"))
    return (time.perf_counter() - begin_s - world.device_s) / FRAMES * 1e6


def write_capture(path: Path, size: int) -> None:
    """UDP datagrams in frames of ``size`` bytes, back to back."""
    length = size - 14
    ip = bytes((0x45, 0)) + length.to_bytes(2, "big") + bytes((0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2))
    udp = bytes((0x0F, 0xA0, 0, 7)) + (length - 20).to_bytes(2, "big") + b"\1\1"
    frame = bytes(12) + b"\x08\0" + ip + udp + bytes(size - 42)
    with PcapWriter(path) as writer:
        for number in range(FRAMES):
            writer.write(number * 1000, frame)
