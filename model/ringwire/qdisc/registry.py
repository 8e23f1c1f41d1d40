"""Which queueing disciplines there are, by kind.

A discipline becomes known when its class is defined. The modules of this package are imported the first time a kind
is looked for, and so is what installed packages offer in the entry-point group ``ringwire.qdiscs`` (entry: the class,
or its module): to add a discipline is to add a file.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ringwire.qdisc.base import Qdisc

ENTRY_POINTS = "ringwire.qdiscs"
_classes: dict[str, type[Qdisc[Any]]] = {}


class UnknownQdisc(LookupError):
    """No queueing discipline of this kind."""


def register(qdisc: type[Qdisc[Any]]) -> None:
    """Make a class known under its ``kind``; two different classes can't share one."""
    known = _classes.setdefault(qdisc.kind, qdisc)
    if (known.__module__, known.__qualname__) != (qdisc.__module__, qdisc.__qualname__):
        raise ValueError(f"qdisc {qdisc.kind!r} is {known.__module__}.{known.__qualname__} already")
    _classes[qdisc.kind] = qdisc


def qdisc_class(kind: str) -> type[Qdisc[Any]]:
    """The class of a kind; :class:`UnknownQdisc` lists the kinds there are."""
    _import_all()
    if kind not in _classes:
        raise UnknownQdisc(f"no qdisc {kind!r} (there are {', '.join(kinds())})")
    return _classes[kind]


def kinds() -> list[str]:
    """All kinds, sorted."""
    _import_all()
    return sorted(_classes)


@cache
def _import_all() -> None:
    package = import_module(__package__)
    for module in iter_modules(package.__path__):
        import_module(f"{__package__}.{module.name}")
    for entry in entry_points(group=ENTRY_POINTS):
        entry.load()
