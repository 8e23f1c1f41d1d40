"""What disciplines ask of a device's hardware, and which of them it works for.

A driver takes the requests by :attr:`Offloads.ndo_setup_tc` and refuses with QdiscError (EOPNOTSUPP) what its device
can't do. After the TC_SETUP_QDISC_* requests of include/net/pkt_sched.h and pkt_cls.h of Linux 6.12.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ringwire.qdisc.base import AnyQdisc, QdiscDevice
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.traffic_classes import TrafficClasses
from ringwire.qdisc.txqueues import TxQueues


@dataclass(frozen=True, slots=True)
class EtfOffload:
    """The packets of a queue name the time they are to leave at (``skb.tstamp``)."""

    queue: int
    enable: bool = True
    deadline_mode: bool = False
    """They have no time to wait for: what is late is sent all the same."""


@dataclass(frozen=True, slots=True)
class CbsOffload:
    """A queue is shaped by credits: bytes, and slopes in kbit/s."""

    queue: int
    enable: bool = True
    hicredit: int = 0
    locredit: int = 0
    idleslope: int = 0
    sendslope: int = 0


@dataclass(frozen=True, slots=True)
class MqprioOffload:
    """Transmit queues are for traffic classes. The driver gives back the classes as they are then."""

    enable: bool = True
    classes: TrafficClasses | None = None
    """Those asked for; with ``(0, 0)`` as queues the driver is to choose."""
    mode: str = "dcb"
    """``dcb`` or ``channel``."""
    shaper: str = "dcb"
    """``dcb`` or ``bw_rlimit``."""
    min_rate: tuple[int, ...] = ()
    """Bytes a second of each class; none = not asked for."""
    max_rate: tuple[int, ...] = ()
    queue = 0


@dataclass(frozen=True, slots=True)
class TaprioOffload:
    """Gates open and close by a schedule; times in ns."""

    enable: bool = True
    classes: TrafficClasses | None = None
    base_time: int = 0
    cycle_time: int = 0
    cycle_time_extension: int = 0
    entries: tuple[tuple[int, int], ...] = ()
    """(Gate mask, interval)."""
    max_sdu: tuple[int, ...] = ()
    queue = 0


Request = EtfOffload | CbsOffload | MqprioOffload | TaprioOffload


class Offloads:
    """A device's offloads: who may ask, and on whose behalf each one works.

    A discipline that replaces another asks before that one ends: the end of the old one takes nothing from the new.
    """

    __slots__ = ("_owners", "ndo_setup_tc")

    def __init__(self) -> None:
        self.ndo_setup_tc: Callable[[Request], TrafficClasses | None] | None = None
        """The driver's: carries a request out, or raises QdiscError. None: the device has no offloads."""
        self._owners: dict[tuple[type, int], AnyQdisc] = {}

    def enable(self, owner: AnyQdisc, request: Request, unsupported: str, failed: str) -> TrafficClasses | None:
        """Ask for an offload; the two texts are what the kernel says if there is none, or if the driver refuses."""
        if self.ndo_setup_tc is None:
            raise QdiscError("EOPNOTSUPP", unsupported)
        try:
            given = self.ndo_setup_tc(request)
        except QdiscError as error:
            raise QdiscError(error.errno, error.message or failed) from None
        self._owners[type(request), request.queue] = owner
        return given

    def works(self, kind: type) -> bool:
        """Whether any request of this kind is in force."""
        return any(asked is kind for asked, _ in self._owners)

    def disable(self, owner: AnyQdisc, request: Request) -> None:
        """Give an offload up, if it still is this discipline's."""
        key = type(request), request.queue
        if self.ndo_setup_tc is not None and self._owners.get(key) is owner:
            del self._owners[key]
            self.ndo_setup_tc(request)


def transmit_queue(dev: QdiscDevice, parent_id: int) -> int:
    """The transmit queue that a discipline feeds which is about to be put below a class."""
    parent = _find(dev.qdisc, parent_id & 0xFFFF_0000)
    if parent is None:
        return 0
    if isinstance(parent, TxQueues):
        return (parent_id & 0xFFFF) - 1
    return parent.root.txq_index


def _find(qdisc: AnyQdisc, handle: int) -> AnyQdisc | None:
    if qdisc.handle == handle:
        return qdisc
    return next((found for _, child in qdisc.children() if (found := _find(child, handle)) is not None), None)
