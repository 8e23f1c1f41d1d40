"""u32's hash tables: what all u32 filters of one discipline share, whatever place and priority they have.

A handle is a table's number (12 bits), a bucket's (8) and a filter's within the table (12). After
net/sched/cls_u32.c of Linux 6.12.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ringwire.action import ActionSpec, Pipeline
from ringwire.qdisc.errors import QdiscError

TABLE = 0xFFF0_0000
BUCKET = 0x000F_F000
NODE = 0x0000_0FFF
KEY = BUCKET | NODE
ROOT = TABLE
"""Table number that stands for the priority's own table."""
FIRST_ROOT = 0x8000_0000
_FIRST_NODE = 0x800
_AUTO_TABLES = 0x7FF

# Selector.flags (TC_U32_*).
TERMINAL, OFFSET, VAROFFSET, EAT = 1, 2, 4, 8


@dataclass(frozen=True, slots=True)
class Key:
    """Four bytes at ``offset`` must be ``value`` where ``mask`` has ones; ``nexthdr``: plus the variable offset."""

    value: int
    mask: int
    offset: int
    nexthdr: bool = False


@dataclass(frozen=True, slots=True)
class Selector:
    """All that a line says of matching, and of where a linked table goes on."""

    keys: tuple[Key, ...] = ()
    flags: int = 0
    offmask: int = 0
    offshift: int = 0
    offoff: int = 0
    off: int = 0
    hmask: int = 0
    hoff: int = 0


@dataclass(frozen=True, slots=True)
class U32Params:
    """What a line asks for; None or 0 = not said. With a ``divisor`` it is a hash table, else a filter."""

    selector: Selector | None = None
    classid: int | None = None
    table: int = 0
    """Table and bucket to put the filter in."""
    link: int | None = None
    """Table to go on with; 0 takes a link away."""
    divisor: int = 0
    mark: tuple[int, int] | None = None
    """(value, mask)."""
    indev: str = ""
    actions: tuple[ActionSpec, ...] = ()
    options: bool = True
    """False of a line that says nothing behind ``u32``."""


class Node:
    """A filter."""

    __slots__ = (
        "asked", "classid", "down", "flags", "handle", "hash_shift", "hits", "ifindex", "indev", "key_hits", "keys",
        "mark", "mark_hits", "mark_mask", "pipeline", "selector", "up",
    )  # fmt: skip

    def __init__(self, handle: int, up: Table, selector: Selector, mark: tuple[int, int] | None) -> None:
        self.handle = handle
        self.up = up
        self.selector = selector
        self.keys = [
            (key.offset, key.nexthdr, key.mask, key.value & key.mask, number)
            for number, key in enumerate(selector.keys)
        ]
        self.flags = selector.flags
        self.hash_shift = (selector.hmask & -selector.hmask).bit_length() - 1 if selector.hmask else 0
        self.mark, self.mark_mask = mark or (0, 0)
        self.down: Table | None = None
        self.classid: int | None = None
        self.ifindex = 0
        self.indev = ""
        self.pipeline: Pipeline | None = None
        self.asked = self.hits = self.mark_hits = 0
        self.key_hits = [0] * len(self.keys)


class Table:
    """Buckets of filters, each in order of their numbers."""

    __slots__ = ("buckets", "handle", "last", "prio", "root", "users")

    def __init__(self, handle: int, divisor: int, prio: int, root: bool = False) -> None:
        self.handle = handle
        self.last = divisor - 1
        """Number of the last bucket, which is a mask as well."""
        self.prio = prio
        self.root = root
        self.users = 0
        """Filters that link to it."""
        self.buckets: list[list[Node]] = [[] for _ in range(divisor)]

    def nodes(self) -> Iterator[Node]:
        for bucket in self.buckets:
            yield from bucket

    def free_handle(self, place: int) -> int:
        """A number for a filter in ``place`` (table and bucket): from 800 on, then from 1 on."""
        taken = {node.handle for node in self.buckets[(place & BUCKET) >> 12]}
        for first in (_FIRST_NODE, 1):
            for number in range(first, NODE + 1):
                if place | number not in taken:
                    return place | number
        return place | NODE

    def insert(self, node: Node) -> None:
        bucket = self.buckets[(node.handle & BUCKET) >> 12]
        at = next((at for at, each in enumerate(bucket) if each.handle & NODE > node.handle & NODE), len(bucket))
        bucket.insert(at, node)

    def find(self, handle: int) -> Node | None:
        if (handle & BUCKET) >> 12 > self.last:
            return None
        return next((node for node in self.buckets[(handle & BUCKET) >> 12] if node.handle == handle), None)


class Tables:
    """All tables of one discipline."""

    def __init__(self) -> None:
        self.by_number: dict[int, Table] = {}
        self.order: list[Table] = []
        """The youngest first."""
        self.users = 0
        """Priorities that share them."""
        self._next = 1

    def add(self, handle: int, divisor: int, prio: int, root: bool = False) -> Table:
        """A new table; ``handle`` 0: the next free number from 801 on, as long as none has been given yet."""
        if not handle:
            handle = self._free()
        elif handle in self.by_number:
            raise QdiscError("ENOSPC")
        table = self.by_number[handle] = Table(handle, divisor, prio, root)
        self.order.insert(0, table)
        return table

    def _free(self) -> int:
        for step in range(_AUTO_TABLES):
            number = (self._next - 1 + step) % _AUTO_TABLES + 1
            handle = (number | _FIRST_NODE) << 20
            if handle not in self.by_number:
                self._next = number + 1
                return handle
        raise QdiscError("ENOMEM")

    def remove(self, table: Table) -> None:
        del self.by_number[table.handle]
        self.order.remove(table)

    def knodes(self) -> int:
        return sum(len(bucket) for table in self.order for bucket in table.buckets)
