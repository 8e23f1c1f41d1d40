"""How the options of a kind are read, and how a discipline, its classes and their figures are printed.

Without more ado a kind is read and printed by its dataclasses (:mod:`ringwire.tools.tc.options`). One whose syntax is
irregular has a subclass of :class:`FrontEnd` in a file of its own under ``tools/tc/kinds``, found by the kinds that it
names.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, ClassVar

from ringwire.qdisc.base import AnyQdisc
from ringwire.qdisc.classful import Classful, QdiscClass
from ringwire.qdisc.registry import kinds, qdisc_class
from ringwire.tools.tc.errors import PARSE_STATUS, TcError
from ringwire.tools.tc.options import USUAL, Wording, read_options, show_options
from ringwire.tools.tc.output import Output
from ringwire.tools.words import Word, Words

_front_ends: dict[str, type[FrontEnd]] = {}


class FrontEnd:
    """The ``tc`` side of a kind. Each method has a default that goes by the kind's dataclasses."""

    kinds: ClassVar[tuple[str, ...]] = ()
    """Kinds that a subclass is for."""
    wording: ClassVar[Wording] = USUAL
    """How the default readers complain."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for kind in cls.kinds:
            _front_ends[kind] = cls

    def read(self, words: Words, kind: Word) -> Any | None:
        """All remaining words as the discipline's parameters; None if the line has no options for the kernel.

        Raises :class:`TcError` with tc's words (``ringwire.tools.tc.errors``).
        """
        return read_options(words, kind, qdisc_class(kind.text).params_type, self.wording)

    def read_class(self, words: Words, kind: Word) -> Any:
        """All remaining words as a class's parameters; never None."""
        classful = qdisc_class(kind.text)
        if not issubclass(classful, Classful) or not self.has_class_options(classful):
            raise classless(kind)
        params_type = classful.class_params_type
        params = read_options(words, kind, params_type, self.wording)
        return params_type() if params is None else params

    def read_new_class(self, words: Words, kind: Word) -> Any:
        """The same for ``tc class add``, if a kind fills in other things there than for ``change`` and ``replace``."""
        return self.read_class(words, kind)

    def has_class_options(self, classful: type[Classful[Any, Any]]) -> bool:
        """Whether ``tc class add`` knows the kind."""
        return bool(getattr(classful, "make_class", None)) or bool(classful.class_params_type.__dataclass_fields__)

    def show(self, out: Output, qdisc: AnyQdisc) -> None:
        """The discipline's parameters, each with a space behind it."""
        show_options(out, qdisc.params())

    def show_xstats(self, out: Output, qdisc: AnyQdisc) -> None:
        """What its kind counts: lines that begin with a space, without the last line's end."""
        xstats = qdisc.xstats()
        if xstats is not None:
            out.text += " "
            show_options(out, xstats)

    def show_class(self, out: Output, cls: QdiscClass) -> None:
        """A class's parameters, each with a space behind it."""
        show_options(out, cls.params())

    def show_class_xstats(self, out: Output, cls: QdiscClass) -> None:
        """What its kind counts of a class, as :meth:`show_xstats`."""
        xstats = cls.xstats()
        if xstats is not None:
            out.text += " "
            show_options(out, xstats)


def classless(kind: Word) -> TcError:
    """What tc says of the classes of a kind that has none, and of one that it doesn't know."""
    allowed = ", ".join(filter(has_classes, kinds()))
    return TcError(kind, f'Error: Qdisc "{kind.text}" is classless.', allowed=allowed, status=PARSE_STATUS)


def has_classes(kind: str) -> bool:
    """Whether there is such a kind and ``tc class`` can read classes of it."""
    if kind not in kinds():
        return False
    classful = qdisc_class(kind)
    return issubclass(classful, Classful) and front_end(kind).has_class_options(classful)


def front_end(kind: str) -> FrontEnd:
    """The ``tc`` side of a kind that there is."""
    _import_kinds()
    return _front_ends.get(kind, FrontEnd)()


@cache
def _import_kinds() -> None:
    package = import_module(f"{__package__}.kinds")
    for module in iter_modules(package.__path__):
        import_module(f"{package.__name__}.{module.name}")
