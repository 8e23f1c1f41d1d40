"""A device's disciplines as a tree: walking it, and finding one by its handle (qdisc_lookup)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ringwire.qdisc.base import MQROOT, AnyQdisc
from ringwire.qdisc.noop import Noop

if TYPE_CHECKING:
    from ringwire.netdev.device import NetDevice


def walk(qdisc: AnyQdisc) -> Iterator[AnyQdisc]:
    """A discipline and all below it."""
    yield qdisc
    for _, child in qdisc.children():
        yield from walk(child)


def qdiscs(dev: NetDevice, hidden: bool = False) -> Iterator[AnyQdisc]:
    """What ``tc qdisc show`` lists: but for those of transmit queues not in use and, unless asked, default leaves."""
    yield from _listed(dev.qdisc, dev.real_num_tx_queues, hidden)
    if dev.ingress is not None:
        yield dev.ingress


def _listed(qdisc: AnyQdisc, queues: int, hidden: bool) -> Iterator[AnyQdisc]:
    if not isinstance(qdisc, Noop) and (hidden or not qdisc.hidden):
        yield qdisc
    for minor, child in qdisc.children():
        if not qdisc.flags & MQROOT or minor <= queues:
            yield from _listed(child, queues, hidden)


def find_qdisc(dev: NetDevice, handle: int) -> AnyQdisc | None:
    """The discipline with this handle; those that Linux made by itself have none (0)."""
    if not handle:
        return None
    if dev.ingress is not None and dev.ingress.handle == handle:
        return dev.ingress
    return next((qdisc for qdisc in walk(dev.qdisc) if qdisc.handle == handle), None)
