"""mqprio: the root of a device with several transmit queues, each of which belongs to a traffic class.

A packet's priority gives its class, and its hash the queue among those of the class. With ``hw`` the device knows of
the classes as well. After net/sched/sch_mqprio.c of Linux 6.12.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from ringwire.qdisc.base import MQROOT, ROOT_ID, AnyQdisc, QdiscStats
from ringwire.qdisc.classful import QdiscClass
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.offload import MqprioOffload
from ringwire.qdisc.traffic_classes import TrafficClasses, give_up
from ringwire.qdisc.txqueues import QueueClass, TxQueues, total
from ringwire.skb import Skb

FIRST_CLASS = 0xFFE0
"""Minor number of traffic class 0, which is shown above its queues (TC_H_MIN_PRIORITY)."""
DEFAULT_MAP = (0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 1, 1, 3, 3, 3, 3)
DEFAULT_CLASSES = 8


@dataclass(frozen=True, slots=True)
class MqprioParams:
    """What tc fills in is the default here as well. Rates in bytes a second, one a class."""

    num_tc: int = DEFAULT_CLASSES
    map: tuple[int, ...] = DEFAULT_MAP
    queues: tuple[tuple[int, int], ...] = ()
    """(First queue, number of queues) of each class."""
    hw: int = 1
    mode: str | None = None
    """``channel``, or None for ``dcb``."""
    shaper: str | None = None
    """``bw_rlimit``, or None for ``dcb``."""
    min_rate: tuple[int, ...] = ()
    max_rate: tuple[int, ...] = ()

    def classes(self, owner: object) -> TrafficClasses:
        """As the device is to have them; queues that are not named are (0, 0)."""
        missing = max(0, self.num_tc - len(self.queues))
        return TrafficClasses(self.map, self.queues[: self.num_tc] + ((0, 0),) * missing, owner)


class TrafficClass(QdiscClass):
    """A traffic class as ``tc class show`` has it: the sum of its queues."""

    __slots__ = ("queues",)

    def __init__(self, classid: int, queues: list[QueueClass], qdisc: AnyQdisc) -> None:
        super().__init__(classid, ROOT_ID, qdisc)
        self.leaf = False
        self.queues = queues

    def stats(self) -> QdiscStats:
        return total(cls.qdisc.stats() for cls in self.queues)


class Mqprio(TxQueues[MqprioParams, QdiscClass]):
    """Never sees a packet itself: each queue runs its own child, class ``handle:(queue + 1)``."""

    kind: ClassVar[str] = "mqprio"
    params_type = MqprioParams
    default_flags = MQROOT

    def setup(self) -> None:
        if self.parent_id != ROOT_ID or self.dev.num_tx_queues == 1:
            raise QdiscError("EOPNOTSUPP")
        super().setup()
        self._made = False

    def make_queue(self, classid: int, qdisc: AnyQdisc) -> QueueClass:
        return QueueClass(classid, ROOT_ID, qdisc)

    def change(self, params: MqprioParams) -> None:
        if self._made:
            raise QdiscError("EINVAL", "Change operation not supported by specified qdisc")
        classes = params.classes(self)
        classes.validate(self.dev, counts=not params.hw)
        if params.hw:
            if self.dev.offloads.ndo_setup_tc is None:
                raise QdiscError("EINVAL", "Device does not support hardware offload")
            mode, shaper = params.mode or "dcb", params.shaper or "dcb"
            if mode == "dcb" and shaper != "dcb":
                raise QdiscError("EINVAL")
            request = MqprioOffload(True, classes, mode, shaper, params.min_rate, params.max_rate)
            given = self.dev.offloads.enable(self, request, "", "")
            if given is not None:
                classes = replace(classes, queues=given.queues)
        self._params = params
        self._made = True
        self.dev.set_traffic_classes(classes)

    def params(self) -> MqprioParams:
        """With the classes that the device has now."""
        classes = self.dev.traffic_classes
        if classes is None:
            return replace(self._params, num_tc=0, map=(0,) * len(DEFAULT_MAP), queues=())
        return replace(self._params, num_tc=len(classes.queues), map=classes.prio_tc, queues=classes.queues)

    def destroy(self) -> None:
        super().destroy()
        if self._params.hw:
            self.dev.offloads.disable(self, MqprioOffload(enable=False))
        give_up(self.dev, self)

    def for_queue(self, index: int) -> AnyQdisc:
        return self.queues[index].qdisc

    def classes(self) -> Iterator[QdiscClass]:
        """The traffic classes, then the queues below them."""
        classes = self.dev.traffic_classes
        for number, (offset, count) in enumerate(classes.queues if classes is not None else ()):
            members = [cls for cls in self.queues[offset : offset + count] if isinstance(cls, QueueClass)]
            yield TrafficClass(self.handle | FIRST_CLASS + number, members, self)
        for index, cls in enumerate(self.queues):
            number = classes.of_queue(index) if classes is not None else -1
            cls.parent_id = self.handle | FIRST_CLASS + number if number >= 0 else 0
            yield cls

    def find_class(self, classid: int) -> QdiscClass | None:
        minor = classid & 0xFFFF
        if minor < FIRST_CLASS:
            return super().find_class(classid)
        return next((cls for cls in self.classes() if cls.classid & 0xFFFF == minor), None)

    def children(self) -> Iterator[tuple[int, AnyQdisc]]:
        for index, cls in enumerate(self.queues):
            yield index + 1, cls.qdisc

    def stats(self) -> QdiscStats:
        return total(child.stats() for _, child in self.children())

    def enqueue(self, skb: Skb, to_free: list[Skb]) -> int:
        raise TypeError("mqprio is run by its children")

    def dequeue(self) -> Skb | None:
        raise TypeError("mqprio is run by its children")
