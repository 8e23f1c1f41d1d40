"""Classes that are known by their kind: queueing disciplines, filters, actions.

A class becomes known when it is defined. The modules of its package are imported the first time a kind is looked for,
and so is what installed packages offer in the package's entry-point group (entry: the class, or its module): to add a
kind is to add a file.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from typing import Generic, TypeVar

T = TypeVar("T")


class Registry(Generic[T]):
    """The classes of one package."""

    def __init__(self, noun: str, package: str, group: str, unknown: type[LookupError]) -> None:
        """``noun`` and ``unknown`` are what errors say and are; ``group`` is the entry-point group."""
        self._noun = noun
        self._package = package
        self._group = group
        self._unknown = unknown
        self.classes: dict[str, type[T]] = {}
        """Those that are known so far, by kind."""
        self.complete = False
        """The package and the entry points have been looked through."""

    def register(self, kind: str, cls: type[T]) -> None:
        """Make a class known; two different classes can't share a kind."""
        known = self.classes.setdefault(kind, cls)
        if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ValueError(f"{self._noun} {kind!r} is {known.__module__}.{known.__qualname__} already")
        self.classes[kind] = cls

    def find(self, kind: str) -> type[T]:
        """The class of a kind; the error for an unknown one lists those there are."""
        self._import_all()
        if kind not in self.classes:
            raise self._unknown(f"no {self._noun} {kind!r} (there are {', '.join(self.kinds())})")
        return self.classes[kind]

    def kinds(self) -> list[str]:
        """All kinds, sorted."""
        self._import_all()
        return sorted(self.classes)

    def _import_all(self) -> None:
        if self.complete:
            return
        self.complete = True
        package = import_module(self._package)
        for module in iter_modules(package.__path__):
            import_module(f"{self._package}.{module.name}")
        for entry in entry_points(group=self._group):
            entry.load()
