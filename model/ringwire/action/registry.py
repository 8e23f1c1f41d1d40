"""Which actions there are, by kind.

An action becomes known when its class is defined. The modules of this package are imported the first time a kind is
looked for, and so is what installed packages offer in the entry-point group ``ringwire.actions``.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ringwire.action.base import Action

ENTRY_POINTS = "ringwire.actions"
_classes: dict[str, type[Action[Any]]] = {}


class UnknownAction(LookupError):
    """No action of this kind."""


def register(cls: type[Action[Any]]) -> None:
    """Make a class known under its ``kind``; two different classes can't share one."""
    known = _classes.setdefault(cls.kind, cls)
    if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
        raise ValueError(f"action {cls.kind!r} is {known.__module__}.{known.__qualname__} already")
    _classes[cls.kind] = cls


def action_class(kind: str) -> type[Action[Any]]:
    """The class of a kind; :class:`UnknownAction` lists the kinds there are."""
    _import_all()
    if kind not in _classes:
        raise UnknownAction(f"no action {kind!r} (there are {', '.join(kinds())})")
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
