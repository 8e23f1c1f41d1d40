"""The device's own counters, read as software reads them."""

from __future__ import annotations

from ringwire.host.world import World
from ringwire.nic.registers import STAT_STRIDE, Stat, stat_register

LIMIT_NS = 1_000_000
"""... and each answer is a job that may begin late."""


async def read_statistics(world: World) -> list[int]:
    """All counters, in the order of :class:`Stat`."""
    port = world.port()
    answers: list[int] = []
    for stat in Stat:
        port.read(stat_register(stat), answers.append)
        port.read(stat_register(stat) + STAT_STRIDE // 2, answers.append)
    wanted = 2 * len(Stat)
    limit_ns = LIMIT_NS + wanted * world.cpus.jitter_ns
    await world.run(lambda: len(answers) == wanted, limit_ns, "the device's statistics")
    return [low | high << 32 for low, high in zip(answers[::2], answers[1::2], strict=True)]
