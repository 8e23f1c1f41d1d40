"""Disciplines that wrap one inner discipline: class ``handle:1`` is always there, and grafting replaces what is in it.

After tbf_graft, red_graft and their like in net/sched of Linux 6.12.
"""

from __future__ import annotations

from ringwire.qdisc.base import AnyQdisc, P, QdiscStats
from ringwire.qdisc.classful import Classful, QdiscClass
from ringwire.qdisc.classify import FilterBlock, no_blocks
from ringwire.qdisc.noop import Noop
from ringwire.qdisc.registry import qdisc_class


class InnerClass(QdiscClass):
    """The only class; it prints no statistics."""

    __slots__ = ()

    def stats(self) -> QdiscStats | None:
        return None


class OneClass(Classful[P, InnerClass]):
    """``inner`` is the discipline inside, at first one that drops everything: a subclass replaces it in ``change``."""

    def setup(self) -> None:
        super().setup()
        classid = self.handle | 1
        self.inner = self.default_leaf(classid)
        self.by_id[classid] = InnerClass(classid, self.handle, self.inner)

    inner: AnyQdisc

    def find_class(self, classid: int) -> InnerClass:
        """Linux looks at no number here: every id means the one class."""
        return next(iter(self.by_id.values()))

    def block(self, classid: int) -> FilterBlock:
        raise no_blocks()

    def default_leaf(self, classid: int) -> AnyQdisc:
        """Nothing: once the inner discipline is deleted, all is dropped."""
        leaf = self.adopt(Noop(self.dev), classid)
        leaf.hidden = True
        return leaf

    def grafted(self, cls: InnerClass) -> None:
        self.inner = cls.qdisc

    def make_inner(self, kind: str, params: object) -> None:
        """Put a new discipline of some kind inside, empty."""
        self.graft(1, qdisc_class(kind)(self.dev, params, parent_id=self.handle | 1))
        self.inner.hidden = True

    @property
    def has_inner(self) -> bool:
        """Whether there is a real discipline inside."""
        return not isinstance(self.inner, Noop)
