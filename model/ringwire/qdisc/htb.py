"""htb: a hierarchy of token buckets; classes have a rate of their own and borrow from those above up to a ceiling.

After net/sched/sch_htb.c of Linux 6.12, and Martin Devera's "Hierarchical token bucket theory" (2002).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, ClassVar

from ringwire.qdisc.base import XMIT_STOLEN, XMIT_SUCCESS
from ringwire.qdisc.classful import purge, verdict_rc
from ringwire.qdisc.classify import NO_CLASS, FilterBlock
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.htb_class import CAN_SEND, CANT_SEND, LEVELS, PRIOS, HtbClass, HtbClassParams
from ringwire.qdisc.htb_rows import PRIOS_OF, HtbRows
from ringwire.qdisc.keyheap import KeyHeap
from ringwire.qdisc.minorset import MinorSet
from ringwire.qdisc.psched import NS_PER_S
from ringwire.qdisc.treeclasses import TreeClasses
from ringwire.qdisc.watchdog import Watchdog
from ringwire.skb import Skb

DEFAULT_R2Q = 10
MIN_QUANTUM, MAX_QUANTUM = 1000, 200_000
"""What a quantum computed from the rate is kept within, bytes."""
IDLE_NS = 5 * NS_PER_S
"""The watchdog's time when nothing is due earlier."""


@dataclass(frozen=True, slots=True)
class HtbParams:
    """``default`` is a minor number; ``r2q`` divides a class's bytes a second to its quantum.

    ``direct_qlen`` is in packets, the device's ``tx_queue_len`` if not given.
    """

    r2q: int = DEFAULT_R2Q
    default: int = 0
    direct_qlen: int | None = None
    offload: bool = False


class Htb(TreeClasses[HtbParams, HtbClass]):
    """Packets without a class go to a direct queue, which is served before all and unshaped."""

    kind: ClassVar[str] = "htb"
    params_type = HtbParams
    class_params_type: ClassVar[type[Any]] = HtbClassParams
    in_use: ClassVar[str] = "HTB class in use"

    hysteresis: ClassVar[bool] = False
    """The module's parameter htb_hysteresis: a class changes its mode only a whole burst late, which is cheaper."""

    def setup(self) -> None:
        super().setup()
        self.watchdog = Watchdog(self)
        self.direct_queue: deque[Skb] = deque()
        self.direct_packets = 0
        self._params: HtbParams | None = None
        self._now = 0
        self._events: list[KeyHeap[HtbClass]] = [KeyHeap() for _ in range(LEVELS)]
        """By level: classes that wait, by the time at which their mode changes."""
        self._near_event = [0] * LEVELS
        """By level: no event before this."""
        self._tree = HtbRows()

    def change(self, params: HtbParams) -> None:
        if self._params is not None:
            raise QdiscError("EINVAL", "Change operation not supported by specified qdisc")
        if params.offload:
            raise QdiscError("EOPNOTSUPP", "hw-tc-offload ethtool feature flag must be on")
        qlen = self.dev.tx_queue_len if params.direct_qlen is None else params.direct_qlen
        self._params = HtbParams(max(params.r2q, 1), params.default, qlen)
        self._direct_qlen = qlen
        self._default = self.handle | params.default & 0xFFFF

    def params(self) -> HtbParams:
        assert self._params is not None
        return self._params

    # -- classes

    def make_class(self, classid: int, parent_id: int, params: HtbClassParams) -> HtbClass:
        parent = self.by_id.get(parent_id)
        self._check(params)
        if parent is not None and parent.parent is not None and parent.parent.level < 2:
            raise QdiscError("EINVAL", "sch_htb: tree is too deep")
        if parent is not None and not parent.level:
            self._to_inner(parent)
        cls = HtbClass(classid, parent, self.default_leaf(classid), params, self.dev.now_ns())
        if parent is not None:
            parent.children += 1
        self._tree.by_minor[classid & 0xFFFF] = cls
        self._set_quantum(cls, params)
        return cls

    def change_class(self, cls: HtbClass, params: HtbClassParams) -> None:
        self._check(params)
        cls.set_rates(params)
        self._set_quantum(cls, params)

    def _check(self, params: HtbClassParams) -> None:
        if params.rate is None or params.ceil is None or not params.rate.bytes_per_s or not params.ceil.bytes_per_s:
            raise QdiscError("EINVAL")

    def _set_quantum(self, cls: HtbClass, params: HtbClassParams) -> None:
        """Of a leaf: as given, or its rate divided; a class that gets children keeps what it had."""
        if cls.level:
            return
        assert params.rate is not None
        quantum = params.rate.bytes_per_s // self.params().r2q
        cls.quantum = params.quantum or min(max(quantum, MIN_QUANTUM), MAX_QUANTUM)
        cls.prio = min(params.prio, PRIOS - 1)
        if cls.quantum != quantum and not params.quantum:
            size = "small" if quantum < MIN_QUANTUM else "big"
            self.warning = f"sch_htb: quantum of class {cls.classid:X} is {size}. Consider r2q change."

    def _to_inner(self, cls: HtbClass) -> None:
        """A leaf gets its first child: what it holds is dropped."""
        purge(cls.qdisc)
        self._tree.deactivate(cls)
        self._events[0].discard(cls)
        cls.qdisc.destroy()
        cls.leaf = False
        cls.mode = CAN_SEND
        cls.level = (LEVELS if cls.parent is None else cls.parent.level) - 1
        cls.make_feeds()

    def free_class(self, cls: HtbClass) -> None:
        self._tree.deactivate(cls)
        self._events[cls.level].discard(cls)
        del self._tree.by_minor[cls.classid & 0xFFFF]
        parent: HtbClass | None = cls.parent
        if parent is None:
            return
        parent.children -= 1
        if not parent.children:
            self._events[parent.level].discard(parent)
            parent.level = 0
            parent.leaf = True
            parent.qdisc = self.default_leaf(parent.classid)
            parent.fill(self.dev.now_ns())

    def qlen_notify(self, minor: int) -> None:
        self._tree.deactivate(self._tree.by_minor[minor])

    # -- packets

    def _classify(self, skb: Skb) -> HtbClass | int | None:
        """The packet's leaf class, None for the direct queue, or what ``enqueue`` returns."""
        priority = skb.priority
        if priority == self.handle:
            return None
        cls = self.by_id.get(priority)
        block: FilterBlock | None
        if cls is None:
            block = self.filters
        elif not cls.level:
            return cls
        else:
            block = cls.block
        while block is not None and block.chains:
            verdict = block.classify(skb, self.match)
            if verdict < 0:
                break
            if verdict in NO_CLASS:
                return verdict_rc(verdict)
            if self.match.classid == self.handle:
                return None
            cls = self.by_id.get(self.match.classid)
            if cls is None:
                break
            if not cls.level:
                return cls
            block = cls.block
        return self._default_class()

    def _default_class(self) -> HtbClass | None:
        cls = self.by_id.get(self._default)
        return None if cls is None or cls.level else cls

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        cls = self._classify(skb)
        size = skb.pkt_len
        if cls is None:
            if len(self.direct_queue) >= self._direct_qlen:
                return self.refuse(skb, to_free)
            self.direct_queue.append(skb)
            self.direct_packets += 1
        elif isinstance(cls, int):
            return self.refuse_unclassified(skb, cls, to_free)
        else:
            rc = cls.qdisc.enqueue(skb, to_free)
            if rc != XMIT_SUCCESS:
                if not rc & XMIT_STOLEN:
                    self.drops += 1
                    cls.drops += 1
                return rc
            if not cls.activity:
                self._tree.activate(cls)
        self.backlog += size
        self.qlen += 1
        return XMIT_SUCCESS

    def dequeue(self) -> Skb | None:
        if self.direct_queue:
            skb: Skb | None = self.direct_queue.popleft()
        elif self.qlen:
            skb = self._dequeue_shaped()
        else:
            return None
        if skb is not None:
            self.bytes += skb.pkt_len
            self.packets += skb.gso_segs or 1
            self.backlog -= skb.pkt_len
            self.qlen -= 1
        return skb

    def _dequeue_shaped(self) -> Skb | None:
        now = self._now = self.dev.now_ns()
        next_event = now + IDLE_NS
        near_event = self._near_event
        row_mask = self._tree.mask
        for level in range(LEVELS):
            event = near_event[level]
            if now >= event:
                event = near_event[level] = self._run_events(level) or now + NS_PER_S
            if event < next_event:
                next_event = event
            if row_mask[level]:
                for prio in PRIOS_OF[row_mask[level]]:
                    skb = self._dequeue_row(prio, level)
                    if skb is not None:
                        return skb
        self.watchdog.schedule(next_event)
        return None

    def _run_events(self, level: int) -> int:
        """Change the mode of classes that are due; when the next is, 0 if there is none."""
        events = self._events[level]
        now = self._now
        while (first := events.first()) is not None:
            when, cls = first
            if when > now:
                return when
            events.discard(cls)
            elapsed = min(now - cls.checkpoint_ns, cls.max_idle_ns)
            mode, wait = cls.mode_after(elapsed, self.hysteresis)
            if mode != cls.mode:
                self._change_mode(cls, mode)
            if mode != CAN_SEND:
                self._wait(cls, wait)
        return 0

    def _dequeue_row(self, prio: int, level: int) -> Skb | None:
        """Deficit round robin over the leaves that send by what the classes of one row have."""
        row = self._tree.rows[level][prio]
        start = cls = self._tree.turn(row, prio)
        while cls is not None:
            leaf = cls.qdisc
            if not leaf.qlen:
                # its packets were dropped, or the leaf is a new one
                self._tree.deactivate(cls)
                if not self._tree.mask[level] >> prio & 1:
                    return None
                following = self._tree.turn(row, prio)
                if cls is start:
                    start = following
                cls = following
                continue
            skb = leaf.dequeue()
            if skb is not None:
                size = skb.pkt_len
                cls.bytes += size
                cls.packets += skb.gso_segs or 1
                cls.deficit[level] -= size
                if cls.deficit[level] < 0:
                    cls.deficit[level] += cls.quantum
                    self._feed(cls, row, prio, level).advance()
                if not leaf.qlen:
                    self._tree.deactivate(cls)
                self._charge(cls, level, skb)
                return skb
            # the leaf keeps its packets back
            self._feed(cls, row, prio, level).advance()
            cls = self._tree.turn(row, prio)
            if cls is start:
                break
        return None

    @staticmethod
    def _feed(cls: HtbClass, row: MinorSet, prio: int, level: int) -> MinorSet:
        """Where a leaf's turn is noted."""
        return cls.parent.feeds[prio] if level and cls.parent is not None else row

    # -- modes

    def _charge(self, leaf: HtbClass, level: int, skb: Skb) -> None:
        """A packet was sent by the tokens of a class at ``level``: charge the leaf and all above."""
        size = skb.pkt_len
        now = self._now
        cls: HtbClass | None = leaf
        while cls is not None:
            elapsed = now - cls.checkpoint_ns
            if elapsed > cls.max_idle_ns:
                elapsed = cls.max_idle_ns
            cls.charge(size, elapsed, level)
            cls.checkpoint_ns = now
            mode, wait = cls.mode_after(0, self.hysteresis)
            if mode != cls.mode:
                if cls.mode != CAN_SEND:
                    self._events[cls.level].discard(cls)
                self._change_mode(cls, mode)
                if mode != CAN_SEND:
                    self._wait(cls, wait)
            if cls.level:
                cls.bytes += size
                cls.packets += skb.gso_segs or 1
            cls = cls.parent

    def _change_mode(self, cls: HtbClass, mode: int) -> None:
        """Where a class stands among those that send follows from its mode."""
        if mode == CANT_SEND:
            cls.overlimits += 1
            self.overlimits += 1
        if cls.activity and cls.mode != CANT_SEND:
            self._tree.leave(cls)
        cls.mode = mode
        if cls.activity and mode != CANT_SEND:
            self._tree.enter(cls)

    def _wait(self, cls: HtbClass, wait: int) -> None:
        when = self._now + wait
        level = cls.level
        if self._near_event[level] > when:
            self._near_event[level] = when
        self._events[level].put(cls, when)

    def clear(self) -> None:
        for cls in self.by_id.values():
            cls.activity = 0
            cls.mode = CAN_SEND
            if cls.level:
                cls.make_feeds()
        for events in self._events:
            events.clear()
        self._tree.clear()
        self.watchdog.cancel()
        while self.direct_queue:
            self.dev.drop(self.direct_queue.popleft())
