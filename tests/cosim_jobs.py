"""Jobs for the puppet device of ``tests/puppet``: they tell it what to do, and report what the world made of it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from ringwire.cosim.build import Design
from ringwire.cosim.run import run_job
from ringwire.cosim.world import FastWorld, WorldSettings
from ringwire.host.memory import Coherent

T = TypeVar("T")
PUPPET = Path(__file__).parent / "puppet"

# Registers of the puppet: arguments first, then what a write sets going.
ADDR_LO, ADDR_HI, LEN, ID, COUNT, BREAK, STROBE_LO, STROBE_HI = range(0x00, 0x20, 4)
READ, WRITE, FRAME, IRQ, DEADLINE, DELAY, SLOW, ECHO = range(0x20, 0x40, 4)
# What it says when read.
BEATS, READ_ERRORS, RESPONSES, WRITE_ERRORS, WORD, ORDER, MARKED = range(0x40, 0x5C, 4)
NO_REGISTER = 0x100
"""The first address that it answers with an error."""

# Rules that it can break.
(
    AR_CHANGES,
    AR_SIZE,
    AR_BURST,
    RREADY_FALLS,
    AW_CHANGES,
    AW_BURST,
    W_EARLY,
    W_LAST,
    TVALID_FALLS,
    TKEEP_HOLE,
    TKEEP_PARTIAL,
    TUSER_ERROR,
    TUSER_CHANGES,
    UNKNOWN_DATA,
    UNKNOWN_VALID,
    FALSELY_QUIET,
    AW_SIZE,
    B_STRAY,
    R_STRAY,
    W_CHANGES,
    TDATA_CHANGES,
    AR_LOCK,
    AW_LOCK,
    B_UNKNOWN,
) = range(1, 25)

AREA = 1 << 16
"""Bytes of the memory that the puppet works on."""


def on_puppet(
    sim: str,
    job: Callable[[FastWorld, Any], Awaitable[T]],
    config: Any = None,
    *,
    data_w: int = 512,
    queues: int = 1,
    progress: Callable[[str], None] | None = None,
    **knobs: Any,
) -> T:
    """Run a job, which must be importable by its name, with the puppet as the device."""
    design = Design(sim, data_w=data_w, queues=queues, rtl=PUPPET)
    name = f"{job.__module__}.{job.__qualname__}"
    result: T = run_job(name, config, design=design, settings=WorldSettings(**knobs), limit_s=120, progress=progress)
    return result


class Puppet:
    """The puppet's strings."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.memory: Coherent = world.memory.alloc_coherent(AREA, 4096)
        self.memory.mem[:] = bytes(i * 7 + (i >> 8) & 0xFF for i in range(AREA))

    def set(self, register: int, value: int, after_ns: int = 0) -> None:
        self.world.post_write(self.world.now_ps() + 1000 * after_ns, register, value)

    def at(self, addr: int) -> None:
        self.set(ADDR_LO, addr & 0xFFFFFFFF)
        self.set(ADDR_HI, addr >> 32)

    def read(self, offset: int, beats: int = 1, bursts: int = 1, id: int = 0) -> None:
        """Have it read bursts, one after the other, from an offset in its memory."""
        self.at(self.memory.addr + offset)
        self.set(LEN, beats - 1)
        self.set(ID, id)
        self.set(COUNT, bursts)
        self.set(READ, 1)

    def write(self, offset: int, beats: int = 1, strobes: int = (1 << 64) - 1) -> None:
        """Have it write what it last read with id 0 to an offset in its memory."""
        self.at(self.memory.addr + offset)
        self.set(LEN, beats - 1)
        self.set(STROBE_LO, strobes & 0xFFFFFFFF)
        self.set(STROBE_HI, strobes >> 32)
        self.set(WRITE, 1)

    def frame(self, length: int, queue: int = 0) -> None:
        """Have it send that many bytes of what it last read with id 0."""
        self.set(ID, queue)
        self.set(FRAME, length)

    async def get(self, register: int) -> int:
        answers: list[int] = []
        self.world.post_read(self.world.now_ps(), register, lambda _time, value: answers.append(value))
        await self.world.run(lambda: bool(answers), 1_000_000, f"register {register:#x}")
        return answers[0]

    async def interrupted(self, count: int = 1) -> None:
        seen = self.world.interrupts + count
        await self.world.run(lambda: self.world.interrupts >= seen, 1_000_000, "an interrupt")


async def break_rule(world: FastWorld, steps: list[tuple[str, tuple[int, ...]]]) -> None:
    """Call the puppet's methods by name, or let time pass; at the end let more pass."""
    puppet = Puppet(world)
    for name, arguments in steps:
        if name == "pause":
            await world.pause(*arguments)
        else:
            getattr(puppet, name)(*arguments)
    await world.pause(20_000)
    world.progress("went on")


async def stream(world: FastWorld, bursts: int) -> float:
    """Clock cycles per second of wall-clock time with the read channel full."""
    puppet = Puppet(world)
    world.hostmem.lines[:] = b"\1" * len(world.hostmem.lines)
    puppet.read(AREA - world.memory.size, beats=64, bursts=bursts)
    begin = time.perf_counter()
    await world.pause(bursts * 64 * 4)
    return world.edges / (time.perf_counter() - begin)
