"""Disciplines whose classes form a tree, with filters at each: what htb, hfsc and cbq share.

After htb_classify, hfsc_classify and their tcf_block operations in net/sched of Linux 6.12.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, TypeVar

from ringwire.qdisc.base import AnyQdisc, P
from ringwire.qdisc.classful import QdiscClass, UserClasses
from ringwire.qdisc.classify import FilterBlock
from ringwire.qdisc.errors import QdiscError


class TreeClass(QdiscClass):
    """``level`` is 0 of a leaf and more the further up; which numbers the others have, the kinds see differently."""

    __slots__ = ("_child_levels", "children", "level", "parent")

    def __init__(self, classid: int, parent_id: int, qdisc: AnyQdisc, parent: Any | None) -> None:
        super().__init__(classid, parent_id, qdisc)
        self.parent: Any | None = parent
        self.children = 0
        self.level = 0
        self._child_levels: Counter[int] = Counter()

    def adopt_levels(self, child: TreeClass) -> None:
        """A new child: each level is one more than the highest below it."""
        self.children += 1
        self._child_levels[child.level] += 1
        self._raise_or_lower(0)

    def disown_levels(self, child: TreeClass, childless: int) -> None:
        """A child goes; ``childless`` is the level of a class that loses its last."""
        self.children -= 1
        self._forget(child.level)
        self._raise_or_lower(childless)

    def _forget(self, level: int) -> None:
        self._child_levels[level] -= 1
        if not self._child_levels[level]:
            del self._child_levels[level]

    def _raise_or_lower(self, childless: int) -> None:
        level = max(self._child_levels) + 1 if self._child_levels else childless
        if level == self.level:
            return
        above = self.parent
        if above is not None:
            above._forget(self.level)
            above._child_levels[level] += 1
        self.level = level
        if above is not None:
            above._raise_or_lower(childless)


T = TypeVar("T", bound=TreeClass)


class TreeClasses(UserClasses[P, T]):
    """Each class knows its parent, and takes filters of its own."""

    def has_children(self, cls: T) -> bool:
        return cls.children > 0

    def block(self, classid: int) -> FilterBlock:
        if not classid & 0xFFFF:
            return self.filters
        cls = self.find_class(classid)
        if cls is None:
            raise QdiscError("ENOENT", "Specified class doesn't exist")
        if cls.block is None:
            cls.block = FilterBlock(self, cls.classid)
        return cls.block
