"""Posted writes that go wrong: a doorbell that comes late, or never (fault injection)."""

from __future__ import annotations

from collections.abc import Callable, Container
from random import Random

from ringwire.host.bus import Bus, BusLayer
from ringwire.host.world import PS_PER_NS


class UnreliableWrites(BusLayer):
    """Loses and delays writes of some registers.

    Behind a write that is late, later accesses of the same queue wait, as on a real bus. ``lost`` and ``delayed``
    count what it did.
    """

    def __init__(
        self,
        below: Bus,
        registers: Container[int],
        *,
        lose: float = 0.0,
        delay: float = 0.0,
        delay_ns: int = 10_000,
        seed: int = 1,
    ) -> None:
        """``lose`` and ``delay`` are chances from 0 to 1, 0 = never, for each write of ``registers`` (addresses);
        ``delay_ns`` is the most that one is late.
        """
        super().__init__(below)
        self.lose = lose
        self.delay = delay
        self.lost = 0
        self.delayed = 0
        self._registers = registers
        self._delay_ps = delay_ns * PS_PER_NS
        self._draw = Random(seed)
        self._until_ps: dict[int, int] = {}

    def post_write(self, due_ps: int, register: int, value: int) -> None:
        block = register >> 8
        due_ps = max(due_ps, self._until_ps.get(block, 0))
        if register in self._registers:
            if self._draw.random() < self.lose:
                self.lost += 1
                return
            if self._draw.random() < self.delay:
                self.delayed += 1
                due_ps += self._draw.randint(0, self._delay_ps)
                self._until_ps[block] = due_ps
        super().post_write(due_ps, register, value)

    def post_read(self, due_ps: int, register: int, answer: Callable[[int, int], None]) -> None:
        super().post_read(max(due_ps, self._until_ps.get(register >> 8, 0)), register, answer)
