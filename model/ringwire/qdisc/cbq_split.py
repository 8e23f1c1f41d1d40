"""Which class serves a priority in cbq: split nodes and their maps, and the verdict ``reclassify``.

After cbq_change_defmap, cbq_sync_defmap and cbq_reclassify in net/sched/sch_cbq.c of Linux 6.2.
"""

from __future__ import annotations

from ringwire.qdisc.cbq_class import PRIORITIES, CbqClass, CbqClassParams
from ringwire.qdisc.classify import ETH_P_ALL, GOTO_CHAIN, RECLASSIFY, UNSPEC, FilterBlock, Match, skb_protocol
from ringwire.skb import Skb


class CbqBlock(FilterBlock):
    """A policer's ``reclassify`` is not a word to ask again, but chooses another class."""

    __slots__ = ()

    def classify(self, skb: Skb, match: Match) -> int:
        match.classid = 0
        protocol = skb_protocol(skb)
        for each in self.chains.get(0, ()):
            if each.protocol in (protocol, ETH_P_ALL):
                verdict = each.classify(skb, match)
                if verdict == RECLASSIFY:
                    return verdict
                if verdict != UNSPEC:
                    return verdict if verdict < GOTO_CHAIN else super().classify(skb, match)
        return UNSPEC


def reclassified(cls: CbqClass) -> CbqClass | None:
    """Where a packet goes that a policer found too much: best effort at the next split node above."""
    above = cls.parent
    while above is not None:
        other: CbqClass | None = above.defaults[0]
        if other is not None and other is not cls:
            return other
        above = above.parent
    return None


def set_defmap(cls: CbqClass, params: CbqClassParams) -> None:
    """Make a class the default for some priorities at a class above, its split node."""
    if params.split is None:
        return
    split = cls.split
    if params.split and (split is None or split.classid != params.split):
        split = cls.parent
        while split is not None and split.classid != params.split:
            split = split.parent
    if split is None:
        return
    if split is not cls.split:
        leave_split(cls)
        cls.split = split
        split.members[cls] = None
    cls.defmap = cls.defmap & ~params.defchange | params.defmap & params.defchange
    _sync_defaults(cls, split)


def leave_split(cls: CbqClass) -> None:
    """A class serves no priority any more."""
    cls.defmap = 0
    if cls.split is not None:
        _sync_defaults(cls, cls.split)
        del cls.split.members[cls]
        cls.split = None


def _sync_defaults(cls: CbqClass, split: CbqClass) -> None:
    """Priorities that a class no longer serves, and those that nobody does, go to one of the lowest level."""
    for prio in range(PRIORITIES):
        if split.defaults[prio] is cls and not cls.defmap >> prio & 1:
            split.defaults[prio] = None
        if split.defaults[prio] is None:
            level = split.level
            for each in split.members:
                if each.level < level and each.defmap >> prio & 1:
                    split.defaults[prio] = each
                    level = each.level
