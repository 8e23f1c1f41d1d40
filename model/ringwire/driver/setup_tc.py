"""The device's offloads for disciplines (ndo_setup_tc): launch times for etf, priorities and rates for mqprio.

The device has no credits and no gates: cbs and taprio are refused, and stay in software.
"""

from __future__ import annotations

from typing import Protocol

from ringwire.netdev import NetDevice
from ringwire.nic.registers import MAX_PRIORITY, MAX_WEIGHT, MIN_WEIGHT
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.offload import EtfOffload, MqprioOffload, Request
from ringwire.qdisc.traffic_classes import TrafficClasses

BYTES_PER_MBIT = 125_000
FULL_SIZED = 1514
"""Bytes a round of the class with the least rate: a frame at least."""


class Scheduling(Protocol):
    """What of the driver is used here."""

    def set_launch_time(self, queue: int, on: bool, drop_late: bool = True) -> None: ...
    def set_priority(self, queue: int, priority: int) -> None: ...
    def set_weight(self, queue: int, weight: int) -> None: ...


class SetupTc:
    """Carries requests out; what mqprio sets is put back as it was when it ends."""

    def __init__(self, driver: Scheduling, dev: NetDevice) -> None:
        self._driver = driver
        self._dev = dev

    def __call__(self, request: Request) -> TrafficClasses | None:
        if isinstance(request, EtfOffload):
            # in deadline mode each packet is late by its own time
            drop_late = not request.deadline_mode
            self._driver.set_launch_time(request.queue, request.enable, drop_late)
            return None
        if isinstance(request, MqprioOffload):
            if not request.enable:
                self._reset()
                return None
            return self._mqprio(request)
        if request.enable:
            raise QdiscError("EOPNOTSUPP")
        return None

    def _mqprio(self, request: MqprioOffload) -> TrafficClasses:
        wanted = request.classes
        assert wanted is not None
        classes = self._placed(wanted)
        count = len(classes.queues)
        if request.shaper == "dcb":
            if count > MAX_PRIORITY + 1:
                raise QdiscError("EOPNOTSUPP", f"The device has {MAX_PRIORITY + 1} priorities")
            self._reset()
            for tc, queues in enumerate(classes.queues):
                for queue in _all(queues):
                    self._driver.set_priority(queue, tc)
            return classes
        limits = [rate // BYTES_PER_MBIT for rate in request.max_rate]
        if any(rate and not limit for rate, limit in zip(request.max_rate, limits, strict=True)):
            raise QdiscError("EINVAL", "max_rate is 1 Mbit/s at least")
        if any(limit and length > 1 for limit, (_, length) in zip(limits, classes.queues, strict=False)):
            raise QdiscError("EOPNOTSUPP", "max_rate needs a class with one queue: queues have limits, not classes")
        weights = _weights(request.min_rate, classes)
        self._reset()
        for tc, queues in enumerate(classes.queues):
            for queue in _all(queues):
                self._driver.set_weight(queue, weights[tc])
                if tc < len(limits):
                    self._dev.set_tx_maxrate(self._dev.tx_queues[queue], limits[tc])
        return classes

    def _placed(self, wanted: TrafficClasses) -> TrafficClasses:
        """Classes with queues: those asked for, or an even share of those in use."""
        count = len(wanted.queues)
        available = self._dev.real_num_tx_queues
        if any(length for _, length in wanted.queues):
            wanted.validate(self._dev)
            return wanted
        if not 1 <= count <= available:
            raise QdiscError("EINVAL", f"{count} traffic classes can't share {available} queues")
        share = available // count
        return TrafficClasses(wanted.prio_tc, tuple((tc * share, share) for tc in range(count)))

    def _reset(self) -> None:
        """All queues alike, as without mqprio."""
        for txq in self._dev.tx_queues:
            self._driver.set_priority(txq.index, 0)
            self._driver.set_weight(txq.index, 0)
            self._dev.set_tx_maxrate(txq, 0)


def _all(queues: tuple[int, int]) -> range:
    offset, count = queues
    return range(offset, offset + count)


def _weights(rates: tuple[int, ...], classes: TrafficClasses) -> list[int]:
    """Bytes a round for each class's queues, in proportion to the rates; 0 = a frame a turn where none is given.

    On a wire that is fast enough for all rates each class gets its own at least, and what is left in proportion.
    """
    count = len(classes.queues)
    rates = (rates + (0,) * count)[:count]
    if not any(rates):
        return [0] * count
    least = min(rate for rate in rates if rate)
    weights = []
    for rate, (_, length) in zip(rates, classes.queues, strict=True):
        weight = rate * FULL_SIZED // (least * max(length, 1))
        if weight > MAX_WEIGHT:
            raise QdiscError("EOPNOTSUPP", "The rates differ by more than the device's weights can")
        weights.append(max(weight, MIN_WEIGHT))
    return weights
