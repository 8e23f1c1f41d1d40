"""How a packet finds its class: the contract between disciplines and filters, and the order filters are asked in.

No filter is here; they are in :mod:`ringwire.filter`. After net/sched/cls_api.c of Linux 6.12.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar, Protocol

from ringwire.qdisc.errors import QdiscError
from ringwire.skb import Skb

if TYPE_CHECKING:
    from ringwire.qdisc.base import AnyQdisc

# Verdicts (TC_ACT_*): plain integers, because they are tested for every packet.
UNSPEC = -1
"""No match: the next filter is asked."""
OK = 0
"""Match: the class is :attr:`Match.classid`, and an action that says ``pass`` ends with this as well."""
RECLASSIFY = 1
"""Ask all filters again from the first: an action has changed the packet."""
SHOT = 2
"""Drop."""
PIPE = 3
"""Between actions only: go on to the next one."""
STOLEN = 4
"""The packet is gone: an action has taken it, and that is no drop."""
QUEUED = 5
REPEAT = 6
"""Between actions only: the action is carried out again."""
REDIRECT = 7
TRAP = 8
GOTO_CHAIN = 0x2000_0000
"""Or'd with a chain's number: go on with that chain's filters."""
CHAIN_MASK = 0x0FFF_FFFF
GONE = frozenset((STOLEN, QUEUED, TRAP, REDIRECT))
"""Verdicts after which the packet is someone else's."""
NO_CLASS = GONE | {UNSPEC, SHOT}
"""Verdicts that leave a packet without a class."""

ETH_P_ALL = 0x0003
ETH_P_IP = 0x0800
ETH_P_8021Q = 0x8100
MAX_RECLASSIFY = 16

FIRST_AUTO_PRIO = 0xC000
"""Priority of a filter that names none; the next gets one less, so that it comes before."""
LEAST_AUTO_PRIO = 0x8000
"""Filters from here on are those that named none."""


class Match:
    """What a filter found; one object is used for all packets of a discipline (tcf_result)."""

    __slots__ = ("classid",)

    def __init__(self) -> None:
        self.classid = 0
        """32-bit class id, 0 if the filter names no class."""


class Classifier(Protocol):
    """All filters of one kind, protocol and priority at one place (tcf_proto)."""

    kind: ClassVar[str]
    protocol: int
    """Ethertype that it looks at, ETH_P_ALL for any."""
    prio: int
    """16 bits, lower first."""

    def classify(self, skb: Skb, match: Match) -> int:
        """A verdict; with OK or any but UNSPEC ``match`` says what was found."""
        ...

    def class_ids(self) -> Iterable[int]:
        """Classes that its filters name: they can't be deleted meanwhile."""
        ...

    def destroy(self) -> None:
        """It was taken out for good."""
        ...


class FilterBlock:
    """One place where filters are attached: a discipline, or a class of it.

    ``block.chains`` is empty while there are none, so a discipline may skip the call.
    """

    __slots__ = ("chains", "owner", "parent_id")

    def __init__(self, owner: AnyQdisc, parent_id: int) -> None:
        self.owner = owner
        self.parent_id = parent_id
        """The id that ``tc filter ... parent`` names it by."""
        self.chains: dict[int, list[Classifier]] = {}
        """Chain number -> classifiers by priority; a chain that becomes empty is removed."""

    def classify(self, skb: Skb, match: Match) -> int:
        """Ask the filters in order; UNSPEC if none has a verdict. ``match.classid`` is 0 unless one says a class."""
        match.classid = 0
        protocol = skb_protocol(skb)
        chain = self.chains.get(0, ())
        for _ in range(MAX_RECLASSIFY + 1):
            verdict = UNSPEC
            for each in chain:
                if each.protocol == protocol or each.protocol == ETH_P_ALL:
                    verdict = each.classify(skb, match)
                    if verdict != UNSPEC:
                        break
            if verdict == RECLASSIFY:
                protocol = skb_protocol(skb)
                chain = self.chains.get(0, ())
            elif verdict >= GOTO_CHAIN:
                chain = self.chains.get(verdict & CHAIN_MASK, ())
            else:
                return verdict
        return SHOT

    def find(self, prio: int, chain: int = 0) -> Classifier | None:
        """The classifier of a priority."""
        return next((each for each in self.chains.get(chain, ()) if each.prio == prio), None)

    def auto_prio(self, chain: int = 0) -> int:
        """The priority of a filter that comes without one: before others that did (tcf_auto_prio)."""
        there = (each.prio - 1 for each in self.chains.get(chain, ()) if each.prio >= LEAST_AUTO_PRIO)
        return next(there, FIRST_AUTO_PRIO)

    def attach(self, classifier: Classifier, chain: int = 0) -> None:
        """Put a classifier in its place by priority."""
        insort(self.chains.setdefault(chain, []), classifier, key=lambda each: each.prio)

    def detach(self, classifier: Classifier, chain: int = 0) -> None:
        """Take a classifier out and end it."""
        there = self.chains[chain]
        there.remove(classifier)
        if not there:
            del self.chains[chain]
        classifier.destroy()

    def clear(self) -> None:
        """Take all out: the discipline or class is deleted."""
        chains, self.chains = self.chains, {}
        for chain in chains.values():
            for classifier in chain:
                classifier.destroy()

    def walk(self) -> Iterator[tuple[int, Classifier]]:
        """(chain, classifier), chains in ascending order."""
        for number in sorted(self.chains):
            for classifier in self.chains[number]:
                yield number, classifier

    def class_ids(self) -> Iterator[int]:
        """Classes that filters here name."""
        for _, classifier in self.walk():
            yield from classifier.class_ids()


def skb_protocol(skb: Skb) -> int:
    """The packet's Ethertype as filters compare it; a packet of figures only counts as IPv4."""
    if skb.vlan_tci is not None:
        return ETH_P_8021Q
    data = skb.data
    if not data:
        return ETH_P_IP
    first = data[0] if len(data[0]) >= 14 else skb.linear()
    return first[12] << 8 | first[13] if len(first) >= 14 else 0


def no_blocks() -> QdiscError:
    """The error of a discipline that takes no filters."""
    return QdiscError("EOPNOTSUPP", "Class doesn't support blocks")
