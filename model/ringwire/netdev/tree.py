"""A device's disciplines as a tree: walking it, and finding one by its handle (qdisc_lookup)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ringwire.qdisc.base import MQROOT, ONETXQUEUE, ROOT_ID, AnyQdisc
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


def waiting(dev: NetDevice) -> str:
    """Which disciplines hold packets, of which transmit queue, a line each: ``tx-0: 12 packets, 18168 bytes wait in
    qdisc plug 10: parent 1:3``. None if none does.
    """
    lines: list[str] = []
    told: list[AnyQdisc] = []
    for txq in dev.tx_queues:
        root = txq.qdisc
        if root not in told:
            told.append(root)
            whose = f"tx-{txq.index}" if root.flags & ONETXQUEUE or root is not dev.qdisc else "all queues"
            lines += [f"{whose}: {words}" for words in _holders(root)]
    return "\n".join(lines)


def _holders(qdisc: AnyQdisc) -> Iterator[str]:
    """The disciplines of a tree that hold packets by themselves."""
    packets, size = qdisc.qlen, qdisc.backlog
    for _, child in qdisc.children():
        packets, size = packets - child.qlen, size - child.backlog
        yield from _holders(child)
    if packets > 0:
        handle = f" {qdisc.handle >> 16:x}:" if qdisc.handle else ""
        parent = qdisc.parent_id
        below = "" if parent == ROOT_ID else f" parent {parent >> 16:x}:{parent & 0xFFFF:x}"
        yield f"{packets} packets, {size} bytes wait in qdisc {qdisc.kind}{handle}{below}"
