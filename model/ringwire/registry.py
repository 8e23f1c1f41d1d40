"""Classes that are known by their kind: queueing disciplines, filters, actions.

A class becomes known when it is defined. The modules of its package are imported the first time a kind is looked for,
and so is what installed packages offer in the package's entry-point group (entry: the class, or its module): to add a
kind is to add a file. :func:`load_file` takes one that belongs to no package.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Generic, TypeVar

from ringwire.whose import told

T = TypeVar("T")
_registries: list[Registry[Any]] = []


class LoadError(Exception):
    """A file of a user's that can't be carried out; the text is one line."""


class Registry(Generic[T]):
    """The classes of one package."""

    base: type[Any]
    """What its classes derive from; whoever defines that sets it, and lets ``__init_subclass__`` call ``note``."""

    def __init__(self, noun: str, package: str, group: str, unknown: type[LookupError], key: str = "kind") -> None:
        """``noun`` and ``unknown`` are what errors say and are; ``group`` is the entry-point group.

        ``key`` is the attribute of a class that names its kind.
        """
        self._noun = noun
        self._package = package
        self._group = group
        self._unknown = unknown
        self._key = key
        self.classes: dict[str, type[T]] = {}
        """Those that are known so far, by kind."""
        self.complete = False
        """The package and the entry points have been looked through."""
        _registries.append(self)

    def note(self, cls: type[T]) -> None:
        """Make a class known if it has a kind of its own; two different classes can't share one."""
        kind = vars(cls).get(self._key)
        if kind is None:
            return
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
            found = import_module(f"{self._package}.{module.name}")
            # a compiled class (ringwire.compiled) gets its kind after it has been made
            for cls in vars(found).values():
                if isinstance(cls, type) and issubclass(cls, self.base) and cls.__module__ == found.__name__:
                    self.note(cls)
        for entry in entry_points(group=self._group):
            entry.load()


def load_file(path: str | Path) -> None:
    """Carry out a Python file of a user's, once however often asked: the kinds that it defines are known from then on.

    :class:`LoadError`, which names the file, if there is none or it raises, as it does for a kind that is there.
    """
    where = Path(path).resolve()
    name = f"ringwire_file:{where}"
    if name in sys.modules:
        return
    for registry in _registries:
        registry.kinds()
    spec = spec_from_file_location(name, where)
    if spec is None or spec.loader is None:
        raise LoadError(f"{path}: not a Python file; allowed: FILE.py")
    sys.modules[name] = module = module_from_spec(spec)  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        reason = error.strerror if isinstance(error, OSError) else told(error)
        raise LoadError(f"{path}: {reason}") from error
