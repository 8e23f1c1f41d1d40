"""The device's own counters, read as software reads them."""

from __future__ import annotations

from ringwire.host.world import World
from ringwire.nic.registers import STAT_STRIDE, Stat, stat_register

LIMIT_NS = 1_000_000


async def read_statistics(world: World) -> list[int]:
    """All counters, in the order of :class:`Stat`."""
    port = world.port()
    answers: list[int] = []
    for stat in Stat:
        port.read(stat_register(stat), answers.append)
        port.read(stat_register(stat) + STAT_STRIDE // 2, answers.append)
    wanted = 2 * len(Stat)
    await world.run(lambda: len(answers) == wanted, LIMIT_NS, "the device's statistics")
    return [low | high << 32 for low, high in zip(answers[::2], answers[1::2], strict=True)]
