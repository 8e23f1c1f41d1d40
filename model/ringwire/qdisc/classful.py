"""Disciplines with classes: what all of them share.

Three kinds of classful discipline build on :class:`Classful`: those whose classes a user makes (:class:`UserClasses`:
drr, htb, hfsc, qfq), those that number bands (:class:`ringwire.qdisc.bands.Bands`: prio, ets), and those that wrap one
inner discipline (:class:`ringwire.qdisc.oneclass.OneClass`: tbf, red). After struct Qdisc_class_ops in
include/net/sch_generic.h and net/sched/sch_api.c of Linux 6.12.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Generic, TypeVar

from ringwire.qdisc.base import (
    NOLOCK,
    XMIT_BYPASS,
    XMIT_STOLEN,
    XMIT_SUCCESS,
    AnyQdisc,
    P,
    Qdisc,
    QdiscStats,
)
from ringwire.qdisc.classify import GONE, NO_CLASS, FilterBlock, Match
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.options import NoParams
from ringwire.qdisc.registry import qdisc_class
from ringwire.skb import Skb


class QdiscClass:
    """One class: its id, its place, its leaf discipline and counters. Subclasses add their state to ``__slots__``."""

    __slots__ = ("block", "bytes", "classid", "drops", "leaf", "overlimits", "packets", "parent_id", "qdisc")

    counts_sent: ClassVar[bool] = True
    """False if only the queue of a class is counted, not what leaves it (the flows of sfq and fq_codel)."""

    def __init__(self, classid: int, parent_id: int, qdisc: AnyQdisc) -> None:
        self.classid = classid
        """32 bits."""
        self.parent_id = parent_id
        """Id that ``tc class show`` prints as its parent, ROOT_ID for ``root``."""
        self.qdisc = qdisc
        """Leaf discipline."""
        self.leaf = True
        """False of a class that has other classes below it instead: nothing may be said of its ``qdisc`` then."""
        self.block: FilterBlock | None = None
        """Filters of its own, made when the first is attached."""
        self.bytes = 0
        self.packets = 0
        self.drops = 0
        self.overlimits = 0

    def stats(self) -> QdiscStats | None:
        """What ``tc -s class show`` prints, None for nothing: here its own count of packets, the rest of its leaf."""
        if not self.leaf:
            return QdiscStats(self.bytes, self.packets, self.drops, self.overlimits)
        below = self.qdisc.stats()
        return QdiscStats(
            self.bytes, self.packets, below.drops, below.overlimits, below.requeues, below.qlen, below.backlog
        )

    def params(self) -> object:
        """Its parameters as printed: a dataclass whose fields are made with ``option`` and ``shown``."""
        return NoParams()

    def xstats(self) -> object | None:
        """Figures of its kind, a dataclass of ``shown`` fields, if ``tc -s`` prints any."""
        return None


class LeafStatsClass(QdiscClass):
    """A class that counts nothing itself: all its figures are its leaf's."""

    __slots__ = ()

    def stats(self) -> QdiscStats | None:
        return self.qdisc.stats()


C = TypeVar("C", bound=QdiscClass)


class Classful(Qdisc[P], Generic[P, C]):
    """Classes by id, grafting, filters and the counts above a child.

    A subclass calls ``super().setup()`` first. For each packet it takes it adds to ``qlen`` and ``backlog``, and for
    each it gives takes away from them, as a classless one does; a child's own drops correct them through
    ``tree_reduce_backlog``.
    """

    has_blocks = True
    class_params_type: ClassVar[type[Any]] = NoParams
    """Dataclass of a class's options, as ``params_type`` is of the discipline's."""
    warning = ""
    """What the kernel adds to its answer to a request that it carries out (an extended acknowledgement)."""

    def setup(self) -> None:
        self.by_id: dict[int, C] = {}
        """Classes by 32-bit id, in the order they are shown in."""
        self.match = Match()
        """What the filters found for the packet at hand."""
        self.filters = FilterBlock(self, self.handle)

    # -- classes

    def find_class(self, classid: int) -> C | None:
        return self.by_id.get(self.handle | classid & 0xFFFF)

    def classes(self) -> Iterator[C]:
        return iter(list(self.by_id.values()))

    def children(self) -> Iterator[tuple[int, AnyQdisc]]:
        for cls in self.classes():
            if cls.leaf:
                yield cls.classid & 0xFFFF, cls.qdisc

    def change_class(self, cls: C, params: Any) -> None:
        """``tc class change``: take new parameters for a class, those that are not None."""
        raise QdiscError("EOPNOTSUPP")

    def check_parent(self, cls: C, parent_id: int) -> None:
        """A change names this parent: QdiscError if the kind minds that it is another than the class's."""

    def block(self, classid: int) -> FilterBlock:
        if not classid & 0xFFFF:
            return self.filters
        if self.find_class(classid) is None:
            raise QdiscError("ENOENT", "Specified class doesn't exist")
        raise QdiscError("EINVAL")

    def bound(self, cls: C) -> bool:
        """Whether a filter of this discipline names the class."""
        blocks = [self.filters, *(each.block for each in self.by_id.values() if each.block is not None)]
        return any(classid == cls.classid for block in blocks for classid in block.class_ids())

    # -- leaves

    def adopt(self, child: AnyQdisc, classid: int) -> AnyQdisc:
        """Make ``child`` the discipline below a class."""
        child.parent = self
        child.parent_id = classid
        if not self.flags & NOLOCK:
            child.clear_nolock()
        return child

    def default_leaf(self, classid: int) -> AnyQdisc:
        """What a class has below it as long as nobody says otherwise: pfifo of ``tx_queue_len`` packets."""
        leaf = self.adopt(qdisc_class("pfifo")(self.dev, parent_id=classid), classid)
        leaf.hidden = True
        return leaf

    def graft(self, classid: int, child: AnyQdisc | None) -> AnyQdisc:
        """The old discipline's packets are dropped, and taken off the counts here and above (qdisc_replace)."""
        cls = self.find_class(classid)
        if cls is None:
            raise QdiscError("ENOENT", "Specified class not found")
        if not cls.leaf:
            raise QdiscError("EINVAL")
        new = self.default_leaf(cls.classid) if child is None else self.adopt(child, cls.classid)
        old, cls.qdisc = cls.qdisc, new
        purge(old)
        self.grafted(cls)
        return old

    def grafted(self, cls: C) -> None:
        """A class has another, empty leaf; ``qlen_notify`` was called before if the old one held packets."""

    def destroy(self) -> None:
        self.filters.clear()
        for cls in self.by_id.values():
            if cls.block is not None:
                cls.block.clear()
        super().destroy()

    # -- packets

    def refuse_unclassified(self, skb: Skb, rc: int, to_free: list[Skb]) -> int:
        """End of an ``enqueue`` that found no class: ``rc`` says why (:func:`verdict_rc`)."""
        if rc & XMIT_BYPASS:
            self.drops += 1
        if not rc & XMIT_STOLEN:
            to_free.append(skb)
        return rc


class UserClasses(Classful[P, C]):
    """Classes that ``tc class add`` makes, ``change`` changes and ``del`` takes away."""

    in_use: ClassVar[str] = "class is in use"
    """The kernel's words when a class can't be deleted."""

    @abstractmethod
    def make_class(self, classid: int, parent_id: int, params: Any) -> C:
        """A new class, not yet in ``by_id``; QdiscError if it can't be. ``params`` is a ``class_params_type``.

        ``parent_id`` is ROOT_ID, the discipline's own handle, or a class's id, which is there or an error.
        """

    def has_children(self, cls: C) -> bool:
        """Whether classes are below this one."""
        return any(each.parent_id == cls.classid for each in self.by_id.values())

    def free_class(self, cls: C) -> None:
        """The class, out of use and with an empty leaf, is about to go: undo what ``make_class`` entered elsewhere."""

    def add_class(self, classid: int, parent_id: int, params: Any) -> C:
        """``tc class add``; ``classid`` is 0 if the line names none."""
        cls = self.make_class(classid or self.pick_classid(), parent_id, params)
        self.by_id[cls.classid] = cls
        return cls

    def delete_class(self, cls: C) -> None:
        """``tc class del``: refused while classes are below or filters name it; what it holds is dropped."""
        if self.has_children(cls) or self.bound(cls):
            raise QdiscError("EBUSY", self.in_use)
        if cls.leaf:
            purge(cls.qdisc)
        self.free_class(cls)
        del self.by_id[cls.classid]
        if cls.block is not None:
            cls.block.clear()
        if cls.leaf:
            cls.qdisc.destroy()

    def pick_classid(self) -> int:
        """An id for a class that comes without; most kinds refuse, others use :meth:`free_classid`."""
        raise QdiscError("EINVAL")

    def free_classid(self) -> int:
        """The first that no class has, from minor number 8000 on."""
        for minor in range(0x8000, 0x10000):
            if self.handle | minor not in self.by_id:
                return self.handle | minor
        raise QdiscError("ENOSPC")

    def classify(self, skb: Skb) -> C | int:
        """The packet's class by its priority or the filters, or what ``enqueue`` returns without one.

        As drr, qfq and others do it; those with filters at inner classes have their own.
        """
        cls = self.by_id.get(skb.priority)
        if cls is not None:
            return cls
        if not self.filters.chains:
            return XMIT_BYPASS
        verdict = self.filters.classify(skb, self.match)
        if verdict in NO_CLASS:
            return verdict_rc(verdict)
        cls = self.by_id.get(self.match.classid)
        return XMIT_BYPASS if cls is None else cls


def verdict_rc(verdict: int) -> int:
    """What ``enqueue`` returns for a packet that the filters' verdict leaves without a class."""
    return XMIT_SUCCESS | XMIT_STOLEN if verdict in GONE else XMIT_SUCCESS | XMIT_BYPASS


def purge(qdisc: AnyQdisc) -> None:
    """Empty a child and correct all counts above it (qdisc_purge_queue)."""
    stats = qdisc.stats()
    qdisc.reset()
    qdisc.tree_reduce_backlog(stats.qlen, stats.backlog)


def flush_backlog(qdisc: AnyQdisc) -> None:
    """Correct the counts above a child that is about to be destroyed with its packets (qdisc_tree_flush_backlog)."""
    stats = qdisc.stats()
    qdisc.tree_reduce_backlog(stats.qlen, stats.backlog)
