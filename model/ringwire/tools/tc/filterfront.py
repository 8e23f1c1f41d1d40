"""How the options of a filter kind are read and printed.

Without more ado by its dataclass; a kind whose syntax is irregular has a subclass of :class:`FilterFrontEnd` in a file
of its own under ``tools/tc/filters``, found by the kinds it names.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, ClassVar

from ringwire.filter import Filter, filter_class
from ringwire.tools.tc.options import USUAL, Wording, read_options, read_word, show_options
from ringwire.tools.tc.output import Output
from ringwire.tools.units import parse_u32
from ringwire.tools.words import Word, Words

_front_ends: dict[str, type[FilterFrontEnd]] = {}


class FilterFrontEnd:
    """The ``tc`` side of a filter kind."""

    kinds: ClassVar[tuple[str, ...]] = ()
    """Kinds that a subclass is for."""
    wording: ClassVar[Wording] = USUAL
    protocol = 0
    """The line's Ethertype, said before the kind."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for kind in cls.kinds:
            _front_ends[kind] = cls

    def read_handle(self, word: Word) -> int:
        """What follows ``handle``, as 32 bits."""
        value: int = read_word(word, parse_u32, 'Illegal "handle"')
        return value

    def read(self, words: Words, kind: Word, handle: int) -> Any:
        """All remaining words as one filter's parameters."""
        params_type = filter_class(kind.text).params_type
        params = read_options(words, kind, params_type, self.wording)
        return params_type() if params is None else params

    def handle(self, handle: int) -> int:
        """The handle to ask for, once all was read."""
        return handle

    def show(self, out: Output, classifier: Filter[Any], handle: int, params: Any) -> None:
        """One filter's handle and parameters, each with a space behind it."""
        out.item("fh", f"handle 0x{handle:x} ", handle)
        show_options(out, params)

    def shows_itself(self, classifier: Filter[Any]) -> bool:
        """Whether a line without handle stands before those of the filters, as Linux prints for most kinds."""
        return True


def filter_front_end(kind: str) -> FilterFrontEnd:
    """The ``tc`` side of a filter kind that there is."""
    _import_kinds()
    return _front_ends.get(kind, FilterFrontEnd)()


@cache
def _import_kinds() -> None:
    package = import_module(f"{__package__}.filters")
    for module in iter_modules(package.__path__):
        import_module(f"{package.__name__}.{module.name}")
