"""Traffic classes: which transmit queues the packets of each priority may go to.

After the tc_to_txq and prio_tc_map of struct net_device, and net/sched/sch_mqprio_lib.c of Linux 6.12.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ringwire.qdisc.device import QdiscDevice
from ringwire.qdisc.errors import QdiscError

MAX_CLASSES = 16
PRIORITIES = 16
"""Of a packet's priority, the low four bits count."""


@dataclass(frozen=True, slots=True)
class TrafficClasses:
    """One set-up."""

    prio_tc: tuple[int, ...]
    """Class of each of the 16 priorities."""
    queues: tuple[tuple[int, int], ...]
    """(First queue, number of queues) of each class."""
    owner: object = field(default=None, compare=False, repr=False)
    """Who made it and may take it away again: not who was replaced meanwhile."""

    def of(self, priority: int) -> int:
        """The class of a packet's priority."""
        return self.prio_tc[priority & PRIORITIES - 1]

    def of_queue(self, queue: int) -> int:
        """The class that a transmit queue belongs to; -1 if none."""
        for number, (offset, count) in enumerate(self.queues):
            if offset <= queue < offset + count:
                return number
        return -1

    def validate(self, dev: QdiscDevice, *, counts: bool = True, overlap: bool = False) -> None:
        """QdiscError (EINVAL) if these can't be a device's. ``overlap``: classes may share queues."""
        if len(self.queues) > MAX_CLASSES:
            raise QdiscError("EINVAL", "Number of traffic classes is outside valid range")
        if any(number >= len(self.queues) for number in self.prio_tc):
            raise QdiscError("EINVAL", "Invalid traffic class in priority to traffic class mapping")
        if counts:
            self._validate_counts(dev.real_num_tx_queues, overlap)

    def _validate_counts(self, available: int, overlap: bool) -> None:
        for number, (offset, count) in enumerate(self.queues):
            if not count:
                raise QdiscError("EINVAL", f"sch_mqprio_lib: No queues for TC {number}")
            if offset >= available or offset + count > available:
                raise QdiscError(
                    "EINVAL",
                    f"sch_mqprio_lib: Queues {count}:{offset} for TC {number}"
                    f" exceed the {available} TX queues available",
                )
            for other in range(number + 1, len(self.queues)):
                start, length = self.queues[other]
                if not overlap and max(offset, start) < min(offset + count, start + length):
                    raise QdiscError(
                        "EINVAL",
                        f"sch_mqprio_lib: TC {number} queues {count}@{offset} overlap with"
                        f" TC {other} queues {length}@{start}",
                    )


def within(classes: TrafficClasses, queues: int) -> TrafficClasses | None:
    """What remains when fewer queues are in use (netif_setup_tc): priorities of classes that lack some are class 0's.

    None if class 0 lacks some itself.
    """
    lacking = {number for number, (offset, count) in enumerate(classes.queues) if offset + count > queues}
    if not lacking:
        return classes
    if 0 in lacking:
        return None
    return replace(classes, prio_tc=tuple(0 if tc in lacking else tc for tc in classes.prio_tc))


def give_up(dev: QdiscDevice, owner: object) -> None:
    """Priorities don't matter any more, if the set-up is this owner's."""
    if dev.traffic_classes is not None and dev.traffic_classes.owner is owner:
        dev.set_traffic_classes(None)
