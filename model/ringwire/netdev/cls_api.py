"""Requests to add, change and delete filters, decided as the kernel decides them.

After tc_new_tfilter and tc_del_tfilter in net/sched/cls_api.c of Linux 6.12.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ringwire.action.estimator import EstimatorSpec
from ringwire.filter import Filter, UnknownFilter, filter_class
from ringwire.netdev.sch_api import MAJOR, Flags
from ringwire.netdev.tree import find_qdisc
from ringwire.qdisc.base import ROOT_ID
from ringwire.qdisc.classify import FilterBlock
from ringwire.qdisc.errors import QdiscError

if TYPE_CHECKING:
    from ringwire.netdev.device import NetDevice

UNKNOWN_KIND = "TC classifier not found"
NOT_FOUND = "Filter with specified priority/protocol not found"


@dataclass(frozen=True, slots=True)
class FilterRequest:
    """What a ``tc filter`` line asks for; 0 = not given."""

    parent: int
    """Discipline or class; 0 is the device's root discipline."""
    protocol: int = 0
    prio: int = 0
    handle: int = 0
    chain: int = 0
    kind: str | None = None
    params: Any = None
    estimator: EstimatorSpec | None = None
    """Have the rate of its actions measured."""


def find_block(dev: NetDevice, parent: int) -> FilterBlock:
    """Where the filters of ``parent`` are attached."""
    qdisc = dev.qdisc if parent in (0, ROOT_ID) else find_qdisc(dev, parent & MAJOR)
    if qdisc is None:
        raise QdiscError("EINVAL", "Parent Qdisc doesn't exists")
    if not qdisc.has_blocks:
        raise QdiscError("EINVAL", "Qdisc not classful")
    return qdisc.block(0 if parent == ROOT_ID else parent)


def modify_filter(dev: NetDevice, request: FilterRequest, flags: Flags) -> None:
    """Change a filter or make it, and its place by priority if that is new."""
    prio = request.prio
    if not prio and not flags.create:
        raise QdiscError("ENOENT", "Invalid filter command with priority of zero")
    block = find_block(dev, request.parent)
    there = _at(block, request, "Protocol mismatch for filter with specified priority") if prio else None
    if there is None:
        if request.kind is None or not request.protocol:
            raise QdiscError("EINVAL", "Filter kind and protocol must be specified")
        if not flags.create:
            raise QdiscError("ENOENT", "Need both RTM_NEWTFILTER and NLM_F_CREATE to create a new filter")
        try:
            kind = filter_class(request.kind)
        except UnknownFilter:
            raise QdiscError("ENOENT", UNKNOWN_KIND) from None
        made = kind(block, request.protocol, prio or block.auto_prio(request.chain))
        made.estimator = request.estimator
        try:
            made.change(request.handle, request.params)
        except QdiscError:
            made.destroy()
            raise
        block.attach(made, request.chain)
        return
    if request.kind is not None and request.kind != there.kind:
        raise QdiscError("EINVAL", "Specified filter kind does not match existing one")
    known = request.handle and there.has(request.handle)
    if not known and not flags.create:
        raise QdiscError("ENOENT", "Need both RTM_NEWTFILTER and NLM_F_CREATE to create a new filter")
    if known and flags.exclusive:
        raise QdiscError("EEXIST", "Filter already exists")
    there.estimator = request.estimator
    there.change(request.handle, request.params)


def _at(block: FilterBlock, request: FilterRequest, mismatch: str) -> Filter[Any] | None:
    """The classifier of the request's priority, whose protocol must be the request's if that names one."""
    there = block.find(request.prio, request.chain)
    if there is not None and request.protocol and there.protocol != request.protocol:
        raise QdiscError("EINVAL", mismatch)
    assert there is None or isinstance(there, Filter)
    return there


def delete_filter(dev: NetDevice, request: FilterRequest) -> None:
    """Take away one filter, all of a priority, or all of a chain."""
    if not request.prio and (request.protocol or request.handle or request.kind is not None):
        raise QdiscError("ENOENT", "Cannot flush filters with protocol, handle or kind set")
    block = find_block(dev, request.parent)
    if not request.prio:
        if request.chain not in block.chains:
            return
        for classifier in list(block.chains[request.chain]):
            block.detach(classifier, request.chain)
        return
    if request.chain not in block.chains:
        raise QdiscError("ENOENT", "Cannot find specified filter chain")
    there = _at(block, request, NOT_FOUND)
    if there is None:
        raise QdiscError("ENOENT", NOT_FOUND)
    if request.kind is not None and request.kind != there.kind:
        raise QdiscError("EINVAL", "Specified filter kind does not match existing one")
    if request.handle:
        if not there.has(request.handle):
            raise QdiscError("ENOENT", "Specified filter handle not found")
        there.delete(request.handle)
    if not request.handle or there.empty():
        block.detach(there, request.chain)
