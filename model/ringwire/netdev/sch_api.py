"""Requests to add, change, replace and delete disciplines and classes, decided as the kernel decides them.

After tc_modify_qdisc, tc_get_qdisc, qdisc_graft and tc_ctl_tclass in net/sched/sch_api.c of Linux 6.12. All raise
:class:`ringwire.qdisc.errors.QdiscError` with the kernel's words, and then nothing has changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ringwire.netdev.tree import find_qdisc
from ringwire.qdisc.base import MQROOT, ROOT_ID, AnyQdisc
from ringwire.qdisc.classful import Classful, UserClasses
from ringwire.qdisc.errors import QdiscError
from ringwire.qdisc.ingress import HANDLE as INGRESS_HANDLE
from ringwire.qdisc.ingress import INGRESS_ID, MIN_EGRESS
from ringwire.qdisc.registry import UnknownQdisc, qdisc_class
from ringwire.qdisc.stab import SizeTable, StabSpec
from ringwire.qdisc.teql import slave_of

if TYPE_CHECKING:
    from ringwire.netdev.device import NetDevice

MAJOR = 0xFFFF_0000
UNKNOWN_KIND = "Specified qdisc kind is unknown"


@dataclass(frozen=True, slots=True)
class Flags:
    """What a request may do (NLM_F_*)."""

    create: bool = False
    replace: bool = False
    exclusive: bool = False


ADD = Flags(create=True, exclusive=True)
CHANGE = Flags()
REPLACE = Flags(create=True, replace=True)
LINK = Flags(replace=True)


@dataclass(frozen=True, slots=True)
class QdiscRequest:
    """What a ``tc qdisc`` line asks for; ids are 32 bits, 0 = not given."""

    parent: int
    """ROOT_ID, INGRESS_ID or a class."""
    handle: int = 0
    kind: str | None = None
    params: object | None = None
    """The kind's dataclass, None if the line has no options."""
    stab: StabSpec | None = None


def modify_qdisc(dev: NetDevice, request: QdiscRequest, flags: Flags) -> AnyQdisc:
    """Change the discipline there is, or make one and put it in its place; gives back that discipline."""
    parent: AnyQdisc | None = None
    there: AnyQdisc | None
    if request.parent:
        if request.parent == ROOT_ID:
            there = dev.qdisc
        elif request.parent == INGRESS_ID:
            there = dev.ingress
        else:
            parent, there = _leaf(dev, request.parent, "Failed to find specified qdisc")
        if there is not None and not there.handle:
            there = None
        if there is None or not request.handle or there.handle != request.handle:
            if request.handle:
                if there is not None and not flags.replace:
                    raise QdiscError("EEXIST", "NLM_F_REPLACE needed to override")
                if request.handle & 0xFFFF:
                    raise QdiscError("EINVAL", "Invalid minor handle")
                _refuse_second_place(dev, request)
                return _create(dev, parent, request, flags)
            if there is None:
                return _create(dev, parent, request, flags)
            if request.kind is not None and request.kind != there.kind and flags != LINK:
                # even "add" and "change" put a new one in place of another kind, if they name no handle
                return _create(dev, parent, request, flags, always=True)
    else:
        if not request.handle:
            raise QdiscError("EINVAL", "Handle cannot be zero")
        there = find_qdisc(dev, request.handle)
    if there is None:
        raise QdiscError("ENOENT", "Specified qdisc not found")
    if flags.exclusive:
        raise QdiscError("EEXIST", "Exclusivity flag on, cannot modify")
    if request.kind is not None and request.kind != there.kind:
        raise QdiscError("EINVAL", "Invalid qdisc name: must match existing qdisc")
    if request.params is not None:
        there.change(request.params)
    there.stab = None if request.stab is None else SizeTable(request.stab)
    return there


def _refuse_second_place(dev: NetDevice, request: QdiscRequest) -> None:
    """A discipline has one place: its handle can't be named at another."""
    if find_qdisc(dev, request.handle) is not None:
        raise QdiscError("EINVAL", "Cannot move an existing qdisc to a different parent")


def _leaf(dev: NetDevice, classid: int, missing: str) -> tuple[AnyQdisc, AnyQdisc | None]:
    """The discipline that a class belongs to, and the one below the class."""
    parent = find_qdisc(dev, classid & MAJOR)
    if parent is None:
        raise QdiscError("ENOENT", missing)
    cls = parent.find_class(classid)
    if cls is None and isinstance(parent, Classful):
        raise QdiscError("ENOENT", "Specified class not found")
    return parent, cls.qdisc if cls is not None and cls.leaf else None


def _create(
    dev: NetDevice, parent: AnyQdisc | None, request: QdiscRequest, flags: Flags, *, always: bool = False
) -> AnyQdisc:
    if not flags.create and not always:
        raise QdiscError("ENOENT", "Qdisc not found. To create specify NLM_F_CREATE flag")
    if request.kind is None:
        raise QdiscError("EINVAL", UNKNOWN_KIND)
    try:
        kind = _kind(dev, request.kind)
    except UnknownQdisc:
        raise QdiscError("ENOENT", UNKNOWN_KIND) from None
    if parent is not None:
        if not isinstance(parent, Classful):
            raise QdiscError("EOPNOTSUPP", "Parent qdisc is not classful")
        if request.kind == "noqueue":
            raise QdiscError("EINVAL", "Cannot assign noqueue to a class")
        if request.stab is not None and not parent.flags & MQROOT:
            raise QdiscError("EINVAL", "STAB not supported on a non root")
    ingress = request.parent == INGRESS_ID
    handle = INGRESS_HANDLE if ingress else request.handle or auto_handle(dev)
    qdisc = kind(dev, request.params, handle=handle, parent_id=request.parent)
    if request.stab is not None:
        qdisc.stab = SizeTable(request.stab)
    if ingress:
        _set_ingress(dev, qdisc)
    elif parent is None:
        dev.set_qdisc(qdisc)
    else:
        _graft(dev, parent, request.parent, qdisc)
    return qdisc


def _kind(dev: NetDevice, name: str) -> type[AnyQdisc]:
    """The kind of this name, or that of the slaves of a master of this name; UnknownQdisc."""
    return slave_of(name) if name in dev.equalizers else qdisc_class(name)


def auto_handle(dev: NetDevice) -> int:
    """A handle for a discipline that comes without: from 8001: on."""
    while True:
        dev.last_auto_major += 1
        if dev.last_auto_major >= 0xFFFF:
            dev.last_auto_major = 0x8001
        if find_qdisc(dev, dev.last_auto_major << 16) is None:
            return dev.last_auto_major << 16


def _set_ingress(dev: NetDevice, qdisc: AnyQdisc | None) -> None:
    if dev.ingress is not None:
        dev.ingress.destroy()
    dev.ingress = qdisc
    dev.egress_filters = qdisc.block(MIN_EGRESS) if qdisc is not None and qdisc.kind == "clsact" else None


def _graft(dev: NetDevice, parent: AnyQdisc, classid: int, child: AnyQdisc | None) -> None:
    """Put a discipline, or None for what a class has by default, below a class."""
    parent.graft(classid, child).destroy()
    if parent.flags & MQROOT:
        dev.attach_qdisc()


def delete_qdisc(dev: NetDevice, request: QdiscRequest) -> None:
    """Take a discipline away; a class gets its default one back, a device too."""
    parent: AnyQdisc | None = None
    there: AnyQdisc | None
    if request.parent:
        if request.parent == ROOT_ID:
            there = dev.qdisc
        elif request.parent == INGRESS_ID:
            there = dev.ingress
        else:
            parent, there = _leaf(dev, request.parent, "Failed to find qdisc with specified classid")
        if there is None:
            raise QdiscError("ENOENT", "Cannot find specified qdisc on specified device")
        if request.handle and there.handle != request.handle:
            raise QdiscError("EINVAL", "Invalid handle")
    else:
        there = find_qdisc(dev, request.handle)
        if there is None:
            raise QdiscError("ENOENT", "Failed to find qdisc with specified handle")
    if request.kind is not None and request.kind != there.kind:
        raise QdiscError("EINVAL", "Invalid qdisc name: must match existing qdisc")
    if not request.parent:
        raise QdiscError("EINVAL", "Classid cannot be zero")
    if not there.handle:
        raise QdiscError("ENOENT", "Cannot delete qdisc with handle of zero")
    if request.parent == INGRESS_ID:
        _set_ingress(dev, None)
    elif parent is None:
        dev.set_qdisc(dev.make_default_qdisc())
    else:
        _graft(dev, parent, request.parent, None)


@dataclass(frozen=True, slots=True)
class ClassRequest:
    """What a ``tc class`` line asks for; ids are 32 bits, either half may be 0 = not given."""

    parent: int
    """ROOT_ID, a discipline or a class."""
    classid: int = 0
    params: Any = None


def _class_place(dev: NetDevice, request: ClassRequest) -> tuple[Classful[Any, Any], int, int]:
    """The discipline, the class's id (0 = any) and the parent's, completed."""
    parent, major = request.parent, request.classid & MAJOR
    if parent != ROOT_ID:
        if major and parent & MAJOR:
            if major != parent & MAJOR:
                raise QdiscError("EINVAL")
        else:
            major = major or parent & MAJOR or dev.qdisc.handle
        if parent:
            parent = major | parent & 0xFFFF
    else:
        major = major or dev.qdisc.handle
    qdisc = find_qdisc(dev, major)
    if qdisc is None:
        raise QdiscError("ENOENT")
    if not isinstance(qdisc, Classful):
        raise QdiscError("EINVAL")
    if request.classid:
        return qdisc, major | request.classid & 0xFFFF, parent
    return qdisc, major if parent == ROOT_ID else 0, parent


def modify_class(dev: NetDevice, request: ClassRequest, flags: Flags) -> str:
    """Change a class or make it; gives back what the kernel warns of, "" for nothing."""
    qdisc, classid, parent = _class_place(dev, request)
    cls = qdisc.find_class(classid) if classid else None
    qdisc.warning = ""
    if cls is None:
        if not flags.create:
            raise QdiscError("ENOENT")
        _user_classes(qdisc).add_class(classid, parent, request.params)
    else:
        if flags.exclusive:
            raise QdiscError("EEXIST")
        if parent:
            qdisc.check_parent(cls, parent)
        qdisc.change_class(cls, request.params)
    return qdisc.warning


def delete_class(dev: NetDevice, request: ClassRequest) -> None:
    """Take a class away, unless it is in use."""
    qdisc, classid, _ = _class_place(dev, request)
    cls = qdisc.find_class(classid) if classid else None
    if cls is None:
        raise QdiscError("ENOENT")
    _user_classes(qdisc).delete_class(cls)


def _user_classes(qdisc: AnyQdisc) -> UserClasses[Any, Any]:
    """A discipline whose classes can be made and deleted."""
    if not isinstance(qdisc, UserClasses):
        raise QdiscError("EOPNOTSUPP")
    return qdisc
