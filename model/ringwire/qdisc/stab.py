"""A root discipline's size table (``stab``): what is charged for a packet of some length.

The table is built as tc/tc_core.c of iproute2 6.1 does and read as __qdisc_calculate_pkt_len in net/sched/sch_api.c
of Linux 6.12.
"""

from __future__ import annotations

from dataclasses import dataclass

from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.psched import ATM, ETHERNET, U32, cells

DEFAULT_MTU = 2047
DEFAULT_TSIZE = 512
U16 = 0xFFFF
MAX_ENTRIES = 0x7FFF
"""Of 16 bits, in one netlink attribute."""


@dataclass(frozen=True, slots=True)
class StabSpec:
    """What a ``tc`` line says: bytes, a link layer (0 = none named), and the table's range and number of entries."""

    overhead: int = 0
    mpu: int = 0
    linklayer: int = 0
    mtu: int = 0
    tsize: int = 0


class SizeTable:
    """Charged length by length: ``table(length)``. Without a table only the overhead is added."""

    __slots__ = ("cell_align", "cell_log", "data", "size_log", "spec")

    def __init__(self, spec: StabSpec) -> None:
        self.cell_log = self.size_log = self.cell_align = 0
        self.data: tuple[int, ...] = ()
        if spec.linklayer <= ETHERNET and spec.mpu == 0:
            self.spec = StabSpec(spec.overhead, linklayer=spec.linklayer)
            return
        mtu, tsize = spec.mtu or DEFAULT_MTU, spec.tsize or DEFAULT_TSIZE
        if tsize > MAX_ENTRIES:
            raise QdiscError("EINVAL")
        self.spec = StabSpec(spec.overhead, spec.mpu, spec.linklayer, mtu, tsize)
        while mtu - 1 >> self.cell_log > tsize - 1:
            self.cell_log += 1
        sizes = [self._adjusted(index + 1 << self.cell_log) for index in range(tsize)]
        while max(sizes) >> self.size_log > U16:
            self.size_log += 1
        self.data = tuple(size >> self.size_log for size in sizes)
        self.cell_align = -1

    def _adjusted(self, size: int) -> int:
        """32 bits, as tc counts."""
        size = max(size & U32, self.spec.mpu)
        return cells(size) & U32 if self.spec.linklayer == ATM else size

    def __call__(self, length: int) -> int:
        length += self.spec.overhead
        if self.data:
            slot = length + self.cell_align
            slot = slot >> self.cell_log if slot > 0 else 0
            tsize = len(self.data)
            whole, rest = divmod(slot, tsize)
            length = (self.data[-1] * whole + self.data[rest]) << self.size_log
        return max(length, 1)
